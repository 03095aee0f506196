//! Closing the gap before a snapshot: the history is fetched and verified from the first record, and must give what the snapshot said.

use std::sync::Arc;

use prost::Message as _;
use radslag_core::as_of;
use radslag_core::id::Position;
use radslag_core::state::{Keep, State};
use radslag_engine::as_of::position_at;
use radslag_engine::caches::behind;
use radslag_engine::ledger::{Batch, FramedRecord, Ledger, read_whole_bundles};
use radslag_engine::read::walk;
use radslag_engine::snapshot::Snapshot;
use radslag_log::{Append, Commit, EventLog, LogError, ReadLimit, RowChange, StoredRecord};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::convert::value::{decode_values, encode_values};
use radslag_proto::log::v1;

use crate::error::ClientError;
use crate::remote::Remote;
use crate::replica::Replica;
use crate::snapshot::{HELD, Provisional, Rows, move_over, row};

/// Records are stored in commits of about this size.
const COMMIT_BYTES: usize = 256 * 1024;
/// How much of the tail is verified at once.
const TAIL: ReadLimit = ReadLimit { records: 2_000, bytes: 1 << 20 };

/// How far the history has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Fetched and verified from the first record up to here.
    pub fetched: Position,
    /// Up to here it is missing, or was.
    pub up_to: Position,
    /// Whether it is all there and gave what the snapshot said: the replica is like any other now.
    pub complete: bool,
}

impl Replica {
    /// Fetches and verifies what is missing of the history, at most `most` records of it in this call. When all of it is there, the
    /// state that it gives is compared with the snapshot's, and the replica is provisional no more. A cut fetch goes on where it was.
    /// `progress` hears the position reached and the snapshot's.
    ///
    /// # Errors
    /// The server has gone, or what it sent does not verify, or is not what the snapshot said: then everything is kept.
    pub async fn fetch_history(
        &mut self,
        remote: &Remote,
        most: Option<u64>,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<History, ClientError> {
        let Some(provisional) = self.provisional.clone() else {
            let head = self.ledger.state.head();
            return Ok(History { fetched: head, up_to: head, complete: true });
        };
        let up_to = provisional.position();
        let mut ledger = Ledger::open(self.disk().as_ref(), self.settings.program)?;
        let enough = ledger.state.head().get().saturating_add(most.unwrap_or(u64::MAX));
        let fetched = self.fetch(remote, &mut ledger, up_to, enough, &mut progress).await;
        if let Some(provisional) = &mut self.provisional {
            provisional.fetched = ledger.state.head();
        }
        fetched?;
        if ledger.state.head() < up_to {
            return Ok(History { fetched: ledger.state.head(), up_to, complete: false });
        }
        self.settle(&provisional, ledger)?;
        Ok(History { fetched: self.ledger.state.head(), up_to, complete: true })
    }

    /// All of the history is there: where it gives what the snapshot said, the replica becomes one like any other.
    fn settle(&mut self, provisional: &Provisional, history: Ledger) -> Result<(), ClientError> {
        let whole = self.compare_with_snapshot(provisional, history)?;
        let program = self.settings.program;
        let rows = Rows::read(self.disk().as_ref(), program)?;
        move_over(self.disk().as_ref(), program, &rows)?;
        self.log = Arc::clone(self.disk());
        self.ledger = whole;
        self.provisional = None;
        Ok(())
    }

    /// Nothing more is built on a snapshot that is known to be wrong.
    ///
    /// # Errors
    /// It is.
    pub(crate) fn check_not_contradicted(&self) -> Result<(), ClientError> {
        let contradicted = self.provisional.as_ref().and_then(|provisional| provisional.contradicted.clone());
        contradicted.map_or(Ok(()), |what| Err(ClientError::Unverified(what)))
    }

    async fn fetch(
        &self,
        remote: &Remote,
        ledger: &mut Ledger,
        up_to: Position,
        enough: u64,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), ClientError> {
        let program = self.settings.program;
        let position = ledger.state.head();
        if position >= up_to {
            return Ok(());
        }
        let epoch_id = ledger.state.epoch().to_string();
        let after = (position > Position::ZERO).then(|| api::Cursor { epoch_id, position: position.get() });
        let request = api::SubscribeRequest {
            program_id: program.to_string(),
            after,
            until_caught_up: true,
            filter: None,
        };
        let answer = remote.sync().subscribe(request).await;
        let mut stream = answer.map_err(|status| remote.declined(status))?.into_inner();
        while ledger.state.head() < up_to && ledger.state.head().get() < enough {
            let message = stream.message().await.map_err(|status| remote.declined(status))?;
            match message.and_then(|message| message.frame) {
                Some(Frame::Events(events)) => {
                    for batch in batches(events, up_to)? {
                        if ledger.state.head().get() < enough {
                            store(self.disk().as_ref(), ledger, batch)?;
                        }
                    }
                    progress(ledger.state.head().get(), up_to.get());
                }
                Some(Frame::Heartbeat(_)) => {}
                Some(Frame::CaughtUp(_) | Frame::MustRefetch(_)) => {
                    return Err(ClientError::Unverified(format!(
                        "the server's log ends before position {up_to}, which this replica's snapshot was made at"
                    )));
                }
                None => {
                    return Err(ClientError::NoAnswer { server: remote.server().to_owned(), source: None });
                }
            }
        }
        Ok(())
    }

    /// The history must give exactly what the snapshot said, and what was pulled after it must hold with all of the history in sight.
    fn compare_with_snapshot(
        &mut self,
        provisional: &Provisional,
        ledger: Ledger,
    ) -> Result<Ledger, ClientError> {
        let own = Snapshot::of(self.disk().as_ref(), &ledger)?;
        let at = provisional.position();
        if let Some(what) = own.difference(&provisional.snapshot) {
            let what = format!(
                "the history up to position {at} does not give what the snapshot said: {what} is another one"
            );
            return Err(self.contradict(what)?);
        }
        match verify_tail(provisional.log.as_ref(), ledger) {
            Ok(ledger) => Ok(ledger),
            Err(error) if error.is_damage() => Err(self.contradict(error.to_string())?),
            Err(error) => Err(error),
        }
    }

    /// Notes for good that the snapshot was wrong. Its manifest, signed by the log's key, is kept beside the history that it contradicts.
    fn contradict(&mut self, what: String) -> Result<ClientError, ClientError> {
        let program = self.settings.program;
        if let Some(provisional) = &mut self.provisional {
            provisional.held.contradicted.clone_from(&what);
            provisional.contradicted = Some(what.clone());
            let held = RowChange::Put(row(program, HELD), provisional.held.encode_to_vec());
            let rows = vec![held];
            self.disk().commit(Commit { appends: Vec::new(), rows })?;
        }
        Ok(ClientError::Unverified(what))
    }

    /// Where the history that can be looked at begins: the programme as the snapshot has it, or nothing.
    pub fn origin(&self) -> State {
        match &self.provisional {
            Some(provisional) => provisional.snapshot.state.clone(),
            None => State::new(self.settings.program, Keep::Sides),
        }
    }
}

fn verify_tail(log: &dyn EventLog, mut ledger: Ledger) -> Result<Ledger, ClientError> {
    let program = ledger.state.program_id();
    loop {
        let batch = read_whole_bundles(log, program, ledger.state.head().next(), TAIL)?;
        if batch.records.is_empty() {
            return Ok(ledger);
        }
        ledger.take_in(log, batch)?;
    }
}

/// The records of a frame up to a position, in pieces that fit a commit; no bundle is cut.
fn batches(events: api::Events, up_to: Position) -> Result<Vec<Batch>, ClientError> {
    let mut batches = Vec::new();
    let mut batch = Batch::default();
    let (mut bytes, mut open) = (0, None);
    for frame in events.records {
        let record = frame.record.ok_or_else(|| ClientError::Unverified("an empty frame".to_owned()))?;
        if record.position > up_to.get() {
            break;
        }
        if open != Some(record.bundle_position) {
            if bytes > COMMIT_BYTES {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
            open = Some(record.bundle_position);
            let bundle = events.bundles.iter().find(|bundle| bundle.position == record.bundle_position);
            bytes += bundle.map_or(0, v1::Bundle::encoded_len);
            batch.bundles.extend(bundle.cloned());
        }
        let values = decode_values(&frame.values).map_err(|error| {
            ClientError::Unverified(format!("a value of position {}: {error}", record.position))
        })?;
        bytes += record.encoded_len() + frame.values.iter().map(v1::Value::encoded_len).sum::<usize>();
        batch.records.push(FramedRecord { record, values });
    }
    if !batch.records.is_empty() {
        batches.push(batch);
    }
    Ok(batches)
}

fn store(log: &dyn EventLog, ledger: &mut Ledger, batch: Batch) -> Result<(), ClientError> {
    let stored = |frame: &FramedRecord| StoredRecord {
        record: frame.record.clone(),
        values: encode_values(&frame.values),
    };
    let records: Vec<StoredRecord> = batch.records.iter().map(stored).collect();
    let bundles = batch.bundles.clone();
    ledger.take_in(log, batch)?;
    let head = v1::Head {
        position: ledger.state.head().get(),
        recorded_at: ledger.state.recorded_at().micros(),
        frontier: ledger.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
    };
    let (program, root) = (ledger.state.program_id(), ledger.frontier.root());
    let append = Append { program, records, bundles, head, root };
    log.commit(Commit { appends: vec![append], rows: Vec::new() })?;
    behind::keep(log, ledger, false);
    Ok(())
}

impl Provisional {
    /// The programme at a recorded point that is not before the snapshot. What it says applies from the day of that point on.
    ///
    /// # Errors
    /// The point is before the snapshot: [`LogError::NotHeld`].
    pub(crate) fn state_at(&self, head: Position, recorded: as_of::Recorded) -> Result<State, ClientError> {
        let (begin, program) = (self.position(), self.snapshot.state.program_id());
        let log: &dyn EventLog = self.log.as_ref();
        let last = position_at(log, program, begin.previous(), head, recorded)?;
        if last < begin {
            return Err(LogError::NotHeld { from: begin }.into());
        }
        let mut state = self.snapshot.state.clone().keeping_everything();
        walk(log, program, begin.next(), last, |record| state.apply(&record))?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
