//! Pull, push and sync: the exchange with the server over its connection.
//!
//! What to ask and what an answer means is the machine's ([`radslag_sync::exchange`]); what is verified, stored and queued
//! is in [`crate::steps`]. Here is only the network.

use radslag_core::id::Position;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_sync::exchange::{Ask, Cursor, Exchange, Goal};

use crate::backoff;
use crate::error::ClientError;
use crate::parted::Parted;
use crate::remote::Remote;
use crate::replica::Replica;
pub use crate::steps::Tally;

/// Which call hands the first bundle in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Push,
    Create,
}

/// How driving an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driven {
    Done,
    /// The server's log is not the one that was followed; this is where to ask.
    Parted(Cursor),
}

impl Replica {
    /// Fetches and verifies everything that the log has and the replica has not. `progress` hears the position reached
    /// and the server's head.
    ///
    /// # Errors
    /// The server has gone, or what it sent does not verify; then nothing of that frame is stored.
    pub async fn pull(
        &mut self,
        remote: &Remote,
        progress: impl FnMut(u64, u64),
    ) -> Result<Tally, ClientError> {
        self.run(remote, Goal::Pull, progress).await
    }

    /// Pulls, then hands in the outbox, bundle by bundle. Rows stay until a pull sees them in the log; refused ones go to
    /// quarantine.
    ///
    /// # Errors
    /// As for [`Replica::pull`], or the server declines the call as a whole; everything stays queued.
    pub async fn push(
        &mut self,
        remote: &Remote,
        progress: impl FnMut(u64, u64),
    ) -> Result<Tally, ClientError> {
        self.run(remote, Goal::Push, progress).await
    }

    /// Pulls, hands in the outbox, and pulls until every own event is seen in the log.
    ///
    /// # Errors
    /// As for [`Replica::push`].
    pub async fn sync(
        &mut self,
        remote: &Remote,
        progress: impl FnMut(u64, u64),
    ) -> Result<Tally, ClientError> {
        self.run(remote, Goal::Both, progress).await
    }

    async fn run(
        &mut self,
        remote: &Remote,
        goal: Goal,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Tally, ClientError> {
        self.check_not_contradicted()?;
        let mut tally = Tally::default();
        loop {
            let exchange = self.begin(goal)?;
            let parted = match self.drive(remote, exchange, &mut tally, &mut progress, Call::Push).await? {
                Driven::Done => break,
                Driven::Parted(at) => self.rejoin(remote, at).await?,
            };
            tally.parted = Some(match tally.parted {
                Some(before) => Parted { held: before.held, ..parted },
                None => parted,
            });
        }
        if goal == Goal::Pull || self.outbox.is_empty() {
            return Ok(tally);
        }
        if let Some(other) = self.fork()? {
            // What did land has been seen by now: only the rest is written anew.
            tally.new_device = Some(self.renew(remote, other).await?);
            let exchange = self.begin(goal)?;
            self.drive(remote, exchange, &mut tally, &mut progress, Call::Push).await?;
        }
        Ok(tally)
    }

    /// Hands in the outbox of a replica that begins a programme, and pulls it back. The server cannot be asked first where
    /// its log stands: there is none.
    ///
    /// # Errors
    /// As for [`Replica::push`].
    pub async fn create(
        &mut self,
        remote: &Remote,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Tally, ClientError> {
        let mut tally = Tally::default();
        let mut exchange = self.begin(Goal::Both)?;
        let begun = api::CaughtUp { head: Some(api::Cursor::default()), checkpoint: String::new() };
        self.take_caught_up(&mut exchange, &begun)?;
        self.drive(remote, exchange, &mut tally, &mut progress, Call::Create).await?;
        Ok(tally)
    }

    /// Finds where the server's log and this one part, and goes back to there.
    ///
    /// # Errors
    /// No restore explains it: the alarm. Or the server has gone.
    pub(crate) async fn rejoin(&mut self, remote: &Remote, at: Cursor) -> Result<Parted, ClientError> {
        let mut at = at;
        loop {
            let answer = remote.sync().subscribe(self.subscribe_request(at)).await;
            let mut stream = answer.map_err(|status| remote.declined(status))?.into_inner();
            let message = stream.message().await.map_err(|status| remote.declined(status))?;
            match message.and_then(|message| message.frame) {
                Some(Frame::Events(events)) => return self.rewind(at.position, events),
                Some(Frame::MustRefetch(reason)) => at = self.ask_instead(at, &reason)?,
                Some(Frame::CaughtUp(_)) => {
                    let reason =
                        api::MustRefetch { reason: "POSITION_AHEAD".to_owned(), ..Default::default() };
                    return Err(refetch(&reason, self.ledger.state.head()));
                }
                Some(Frame::Heartbeat(_)) | None => {
                    return Err(ClientError::NoAnswer { server: remote.server().to_owned(), source: None });
                }
            }
        }
    }

    async fn drive(
        &mut self,
        remote: &Remote,
        mut exchange: Exchange,
        tally: &mut Tally,
        progress: &mut impl FnMut(u64, u64),
        mut call: Call,
    ) -> Result<Driven, ClientError> {
        while let Some(ask) = exchange.generate() {
            match ask {
                Ask::Follow { after } => {
                    match self.follow(remote, &mut exchange, after, tally, progress).await {
                        Ok(Driven::Done) => {}
                        Ok(parted @ Driven::Parted(_)) => return Ok(parted),
                        Err(ClientError::Parted { after: position }) => {
                            return Ok(Driven::Parted(Cursor { position, ..after }));
                        }
                        Err(error) => return Err(error),
                    }
                }
                Ask::Return { bundle } => {
                    let bundle = self.lost_bundle(bundle)?;
                    let answers = self.hand_in(remote, bundle, Call::Push).await?;
                    self.take_answers(&mut exchange, &answers, tally)?;
                }
                // Nothing goes on top of a chain that another machine continued.
                Ask::Push { .. } if self.fork()?.is_some() => return Ok(Driven::Done),
                Ask::Push { rows } => {
                    let bundle = self.bundle(rows)?;
                    let answers = self.hand_in(remote, bundle, call).await?;
                    call = Call::Push;
                    self.take_answers(&mut exchange, &answers, tally)?;
                }
            }
        }
        Ok(Driven::Done)
    }

    /// Follows to the end. A server that cannot go on from here is asked once more, after the time that it asks for: it may have been
    /// looked at in the middle of being put right. What it says then is believed.
    async fn follow(
        &mut self,
        remote: &Remote,
        exchange: &mut Exchange,
        after: Cursor,
        tally: &mut Tally,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Driven, ClientError> {
        let Some(told) = self.follow_once(remote, exchange, after, tally, progress).await? else {
            return Ok(Driven::Done);
        };
        tokio::time::sleep(backoff::after(&told, self.ids.random16())).await;
        // Where the logs part is asked for from there on.
        if told.common.is_some() {
            return Ok(Driven::Parted(self.ask_instead(after, &told)?));
        }
        match self.follow_once(remote, exchange, after, tally, progress).await? {
            None => Ok(Driven::Done),
            Some(told) => Ok(Driven::Parted(self.ask_instead(after, &told)?)),
        }
    }

    /// Gives what the server says where its log does not go on after the cursor.
    async fn follow_once(
        &mut self,
        remote: &Remote,
        exchange: &mut Exchange,
        after: Cursor,
        tally: &mut Tally,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<api::MustRefetch>, ClientError> {
        let request = self.subscribe_request(after);
        let hello = remote.hello(&request.program_id).await?;
        let goal = hello.head.map_or(0, |head| head.position);
        let answer = remote.sync().subscribe(request).await;
        let mut stream = answer.map_err(|status| remote.declined(status))?.into_inner();
        loop {
            let message = stream.message().await.map_err(|status| remote.declined(status))?;
            match message.and_then(|message| message.frame) {
                Some(Frame::Events(events)) => {
                    self.take_events(exchange, events, tally)?;
                    progress(self.ledger.state.head().get(), goal);
                }
                Some(Frame::CaughtUp(caught_up)) => {
                    return self.take_caught_up(exchange, &caught_up).map(|()| None);
                }
                Some(Frame::Heartbeat(_)) => {}
                Some(Frame::MustRefetch(told)) => return Ok(Some(told)),
                None => {
                    return Err(ClientError::NoAnswer { server: remote.server().to_owned(), source: None });
                }
            }
        }
    }

    async fn hand_in(
        &self,
        remote: &Remote,
        bundle: api::Bundle,
        call: Call,
    ) -> Result<Vec<api::Answer>, ClientError> {
        let bundle = Some(bundle);
        let request_id = self.ids.random_id().to_string();
        let answered = match call {
            Call::Push => {
                let answer = remote.sync().push(api::PushRequest { bundle, request_id }).await;
                answer.map(|answer| answer.into_inner().answers)
            }
            Call::Create => {
                let answer =
                    remote.admin().create_program(api::CreateProgramRequest { bundle, request_id }).await;
                answer.map(|answer| answer.into_inner().answers)
            }
        };
        answered.map_err(|status| remote.declined(status))
    }

    /// Whether every event that was handed in has been seen in the log.
    pub fn outbox_is_empty(&self) -> bool {
        self.outbox.is_empty()
    }
}

/// What it means that a stream cannot go on from where a replica stands.
pub(crate) fn refetch(reason: &api::MustRefetch, held: Position) -> ClientError {
    ClientError::Unverified(format!(
        "the server's log does not continue this replica's ({}): it lacks changes that were acknowledged, up to position {held}",
        reason.reason
    ))
}
