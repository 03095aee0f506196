//! Pull, push and sync: the exchange with the server over its connection.
//!
//! What to ask and what an answer means is the machine's ([`radslag_sync::exchange`]); what is verified, stored and queued
//! is in [`crate::steps`]. Here is only the network.

use std::ops::Range;

use radslag_core::id::Position;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_sync::exchange::{Ask, Exchange, Goal};

use crate::backoff;
use crate::error::ClientError;
use crate::remote::Remote;
use crate::replica::Replica;
pub use crate::steps::Tally;

/// Which call hands the first bundle in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Push,
    Create,
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
        let exchange = self.begin(goal)?;
        self.drive(remote, exchange, &mut tally, &mut progress, Call::Push).await?;
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

    async fn drive(
        &mut self,
        remote: &Remote,
        mut exchange: Exchange,
        tally: &mut Tally,
        progress: &mut impl FnMut(u64, u64),
        mut call: Call,
    ) -> Result<(), ClientError> {
        while let Some(ask) = exchange.generate() {
            match ask {
                Ask::Follow { after } => {
                    let request = self.subscribe_request(after);
                    self.follow(remote, &mut exchange, request, tally, progress).await?;
                }
                // Nothing goes on top of a chain that another machine continued.
                Ask::Push { .. } if self.fork()?.is_some() => return Ok(()),
                Ask::Push { rows } => {
                    let answers = self.hand_in(remote, rows, call).await?;
                    call = Call::Push;
                    self.take_answers(&mut exchange, &answers, tally)?;
                }
            }
        }
        Ok(())
    }

    /// Follows to the end. A server that cannot go on from here is asked once more, after the time that it asks for: it may have been
    /// looked at in the middle of being put right. What it says then is believed.
    async fn follow(
        &mut self,
        remote: &Remote,
        exchange: &mut Exchange,
        request: api::SubscribeRequest,
        tally: &mut Tally,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), ClientError> {
        let again = request.clone();
        let Some(told) = self.follow_once(remote, exchange, request, tally, progress).await? else {
            return Ok(());
        };
        tokio::time::sleep(backoff::after(&told, self.ids.random16())).await;
        match self.follow_once(remote, exchange, again, tally, progress).await? {
            None => Ok(()),
            Some(told) => Err(refetch(&told, self.ledger.state.head())),
        }
    }

    /// Gives what the server says where its log does not go on after the cursor.
    async fn follow_once(
        &mut self,
        remote: &Remote,
        exchange: &mut Exchange,
        request: api::SubscribeRequest,
        tally: &mut Tally,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<api::MustRefetch>, ClientError> {
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
        rows: Range<usize>,
        call: Call,
    ) -> Result<Vec<api::Answer>, ClientError> {
        let bundle = Some(self.bundle(rows)?);
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
