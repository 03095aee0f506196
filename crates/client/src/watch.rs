//! Following a log as it grows.
//!
//! What comes is verified and stored in the replica before it is shown. The store is held only while a frame is taken in, so
//! that other commands work beside it; what they pull meanwhile is shown too. Nothing is shown twice and nothing left out,
//! whatever becomes of the connection: the replica's own head is the cursor.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use radslag_core::event::Base;
use radslag_core::filter::{Filter, parent};
use radslag_core::history::{self, FieldChange};
use radslag_core::id::{DeviceSeq, EpochId, Position};
use radslag_core::record::Recorded;
use radslag_core::register::{Epoch, clamp, knows};
use radslag_core::state::State;
use radslag_engine::clock::{Clock, IdSource};
use radslag_engine::ledger::Ledger;
use radslag_engine::read::walk;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::status::Class;
use radslag_sync::exchange::{Ask, Cursor, Goal};

use crate::backoff;
use crate::error::ClientError;
use crate::parted::Parted;
use crate::remote::Remote;
use crate::replica::Replica;
use crate::steps::Tally;

/// A server says something at least every 25 s; after so long without a word the connection is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// A record that is shown, with what it changed.
pub struct Shown<'a> {
    /// The record.
    pub record: &'a Recorded,
    /// What it changed, field by field; empty for a rejection.
    pub changes: &'a [FieldChange],
}

/// Why following paused.
#[derive(Debug)]
pub enum Paused {
    /// The server cannot be reached, or has gone.
    Away(ClientError),
    /// Another command moved the replica on.
    Moved,
    /// The server's log was restored to an earlier end: the replica went back to there.
    Restored(Parted),
    /// The server says that its log does not go on from here. It is asked once more, after this long: it may have been looked at in the
    /// middle of being put right. Said twice, it is an alarm.
    Told(Duration),
}

/// A replica that is followed.
pub struct Watch {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    known: Option<Ledger>,
    shown: State,
    only: Filter,
    told: bool,
}

impl Watch {
    /// Begins after what the replica in `dir` holds now, and shows what `only` lets through. Everything is fetched and verified: a
    /// replica that follows a part would know neither its root nor what its own edits have become.
    ///
    /// # Errors
    /// There is no replica, or its store does not add up.
    pub fn begin(
        dir: PathBuf,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        only: Filter,
    ) -> Result<Self, ClientError> {
        let replica = Replica::open(&dir, Arc::clone(&clock), Arc::clone(&ids))?;
        let shown = replica.ledger.state.clone();
        let known = Some(replica.close_and_keep()?);
        Ok(Self { dir, clock, ids, known, shown, only, told: false })
    }

    /// The last position that was looked at.
    pub fn position(&self) -> Position {
        self.shown.head()
    }

    /// Follows until the connection ends, showing every new record that passes once. `level` hears when there is no more for now.
    ///
    /// # Errors
    /// The log is not an extension of what is held, does not verify, or cannot be stored or shown.
    pub async fn follow<E: From<ClientError>>(
        &mut self,
        mut show: impl FnMut(&Replica, Shown<'_>) -> Result<(), E>,
        mut level: impl FnMut(),
    ) -> Result<Paused, E> {
        let (mut server, mut ca) = (String::new(), None);
        let mut request = api::SubscribeRequest::default();
        let mut after = Cursor::default();
        self.with(&mut show, |replica| {
            server.clone_from(&replica.settings.server);
            ca.clone_from(&replica.settings.ca);
            if let Some(Ask::Follow { after: from }) = replica.begin(Goal::Pull)?.generate() {
                after = from;
                request = replica.subscribe_request(after);
                request.until_caught_up = false;
            }
            Ok(())
        })?;
        let mut last = end_of(&self.shown);
        let remote = match Remote::connect_trusting(&server, ca.as_deref()).await {
            Ok(remote) => remote,
            Err(error) => return paused(error).map_err(E::from),
        };
        let mut stream = match remote.sync().subscribe(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return paused(remote.declined(status)).map_err(E::from),
        };
        let mut fresh = true;
        loop {
            let message = match tokio::time::timeout(SILENCE, stream.message()).await {
                Ok(Ok(message)) => message,
                Ok(Err(status)) => return paused(remote.declined(status)).map_err(E::from),
                Err(_) => None,
            };
            let Some(message) = message else {
                return Ok(Paused::Away(ClientError::NoAnswer { server, source: None }));
            };
            let mut moved = false;
            match message.frame {
                Some(Frame::Events(events)) => {
                    let mut parted = None;
                    self.with(&mut show, |replica| {
                        moved = end_of(&replica.ledger.state) != last;
                        match if moved { Ok(()) } else { take(replica, events, fresh) } {
                            Err(ClientError::Parted { after: position }) => parted = Some(position),
                            taken => return taken,
                        }
                        Ok(())
                    })?;
                    if let Some(position) = parted {
                        let at = Cursor { position, ..after };
                        return self.go_back(&remote, at).await.map_err(E::from);
                    }
                }
                Some(Frame::CaughtUp(caught_up)) => {
                    self.with(&mut show, |replica| {
                        moved = end_of(&replica.ledger.state) != last;
                        if moved {
                            Ok(())
                        } else {
                            replica.take_caught_up(&mut midstream(replica)?, &caught_up)
                        }
                    })?;
                    level();
                }
                Some(Frame::MustRefetch(told)) if told.common.is_some() || self.told => {
                    let mut at = after;
                    self.with(&mut show, |replica| {
                        moved = end_of(&replica.ledger.state) != last;
                        if !moved {
                            at = replica.ask_instead(after, &told)?;
                        }
                        Ok(())
                    })?;
                    if moved {
                        return Ok(Paused::Moved);
                    }
                    tokio::time::sleep(backoff::after(&told, self.ids.random16())).await;
                    return self.go_back(&remote, at).await.map_err(E::from);
                }
                Some(Frame::MustRefetch(told)) => {
                    self.told = true;
                    return Ok(Paused::Told(backoff::after(&told, self.ids.random16())));
                }
                Some(Frame::Heartbeat(_)) | None => {}
            }
            self.told = false;
            if moved {
                return Ok(Paused::Moved);
            }
            fresh = false;
            last = end_of(&self.shown);
        }
    }

    /// Opens the replica, lets it work, shows what is new in it, and closes it.
    fn with<E: From<ClientError>>(
        &mut self,
        show: &mut impl FnMut(&Replica, Shown<'_>) -> Result<(), E>,
        work: impl FnOnce(&mut Replica) -> Result<(), ClientError>,
    ) -> Result<(), E> {
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        let mut replica = Replica::open_again(&self.dir, clock, ids, self.known.take())?;
        let worked = work(&mut replica);
        let told = self.tell(&replica, show);
        self.known = Some(replica.close_and_keep()?);
        worked?;
        told
    }

    /// Goes back to where the server's log and the replica's part, unless another command has done so. The store is held meanwhile.
    async fn go_back(&mut self, remote: &Remote, at: Cursor) -> Result<Paused, ClientError> {
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.ids));
        let mut replica = Replica::open_again(&self.dir, clock, ids, self.known.take())?;
        if end_of(&replica.ledger.state) != end_of(&self.shown) {
            self.known = Some(replica.close_and_keep()?);
            return Ok(Paused::Moved);
        }
        let parted = replica.rejoin(remote, at).await;
        self.known = Some(replica.close_and_keep()?);
        parted.map_or_else(paused, |parted| Ok(Paused::Restored(parted)))
    }

    /// What was shown beyond the cut of a later epoch is not in the log any more; what took its place is still to be shown.
    fn unshow(&mut self, replica: &Replica) -> Result<(), ClientError> {
        let (shown, now) = (&self.shown, &replica.ledger.state);
        let kept = held_by_both((shown.epochs(), shown.head()), (now.epochs(), now.head()));
        if kept < shown.head() {
            self.shown = replica.ledger_at(kept)?.state;
        }
        Ok(())
    }

    fn tell<E: From<ClientError>>(
        &mut self,
        replica: &Replica,
        show: &mut impl FnMut(&Replica, Shown<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.unshow(replica)?;
        let (first, head) = (self.shown.head().next(), replica.ledger.state.head());
        let mut records = Vec::new();
        walk(replica.log.as_ref(), replica.settings.program, first, head, |record| records.push(record))
            .map_err(ClientError::from)?;
        for record in &records {
            let before = self.only.fits_place(record, |entity| parent(&self.shown, entity));
            let changes = history::step(&mut self.shown, record);
            let after = self.only.fits_place(record, |entity| parent(&self.shown, entity));
            if (before || after) && self.only.fits_author(record, &self.shown) {
                show(replica, Shown { record, changes: &changes })?;
            }
        }
        Ok(())
    }
}

/// Where a log ends: that another has the same end means that it is the same.
fn end_of(state: &State) -> (EpochId, Position) {
    (state.epoch(), state.head())
}

/// The last record of a log that was shown which the log of now still has, each with its epochs and its head. The log of now may lack
/// the newest epochs: what stood before they were opened is judged by the one before.
fn held_by_both(shown: (&[Epoch], Position), now: (&[Epoch], Position)) -> Position {
    let (epochs, mut position) = shown;
    let mut epoch = EpochId::default();
    for opened in epochs.iter().rev() {
        if knows(opened.id, now.0) {
            epoch = opened.id;
            break;
        }
        position = position.min(opened.cut);
    }
    clamp(&Base { epoch, position, seq: DeviceSeq::ZERO }, now.0).min(now.1)
}

fn midstream(replica: &Replica) -> Result<radslag_sync::exchange::Exchange, ClientError> {
    Ok(replica.begin(Goal::Pull)?.midstream())
}

fn take(replica: &mut Replica, events: api::Events, fresh: bool) -> Result<(), ClientError> {
    let mut exchange = if fresh { replica.begin(Goal::Pull)? } else { midstream(replica)? };
    replica.take_events(&mut exchange, events, &mut Tally::default())
}

/// Whether waiting may bring the server back.
fn paused(error: ClientError) -> Result<Paused, ClientError> {
    let away = match &error {
        ClientError::NoAnswer { .. } => true,
        ClientError::Api(error) => matches!(error.reason.class(), Class::Away | Class::Busy),
        _ => false,
    };
    if away { Ok(Paused::Away(error)) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_logs_share_ends_where_the_first_epoch_was_opened_that_one_lacks() {
        let epoch = |id, cut| Epoch { id: EpochId::from_slice(&[id; 16]).unwrap(), cut: Position::new(cut) };
        let shared = |shown: (&[Epoch], u64), now: (&[Epoch], u64)| {
            let end = |(epochs, head)| (epochs, Position::new(head));
            held_by_both(end(shown), end(now)).get()
        };
        let (a, b, c) = (epoch(1, 10), epoch(2, 8), epoch(3, 15));
        assert_eq!(shared((&[], 20), (&[], 25)), 20, "one goes on from the other");
        assert_eq!(shared((&[], 20), (&[a], 12)), 10);
        assert_eq!(shared((&[a], 20), (&[a], 12)), 12, "the tail is not fetched yet");
        assert_eq!(shared((&[a], 20), (&[a, c], 30)), 15);
        // The copy that was restored is older than the epoch that was shown.
        assert_eq!(shared((&[a], 20), (&[b], 12)), 8);
        assert_eq!(shared((&[a, c], 20), (&[a], 40)), 15);
        assert_eq!(shared((&[a, c], 20), (&[a, epoch(4, 12)], 40)), 12);
    }
}
