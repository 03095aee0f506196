//! Pull and push: every record that comes in is verified before it is stored, and every own event stays in the outbox
//! until it is seen in the verified stream.

use radslag_core::id::{EpochId, Position};
use radslag_core::record::Entry;
use radslag_core::verdict::{Refusal, Verdict};
use radslag_engine::ledger::{Batch, FramedRecord};
use radslag_log::{Append, Commit, ReadLimit, RowChange, StoredRecord};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::convert::bundle::{encode_bundle, encode_event};
use radslag_proto::convert::value::{decode_values, encode_values};
use radslag_proto::convert::verdict::decode_answer;
use radslag_proto::log::v1;
use radslag_sync::outbox::{PUSH_BYTES, PUSH_EVENTS, RowSize, next_push};
use radslag_trust::bundle::sign_bundle;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::PublicKey;

use crate::error::ClientError;
use crate::remote::Remote;
use crate::replica::Replica;

/// Records are stored in commits of about this size.
const COMMIT_BYTES: usize = 256 * 1024;

/// What a pull brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// New records.
    pub records: usize,
    /// Own events among them that were accepted.
    pub confirmed: usize,
    /// Own events among them that were rejected; they are in quarantine.
    pub rejected: usize,
}

/// What a push did.
#[derive(Clone, Debug, Default)]
pub struct PushReport {
    /// Events that are in the log now, accepted.
    pub accepted: usize,
    /// Events that are in the log now, rejected, with the reason.
    pub rejected: Vec<String>,
    /// Why the rest was refused, if it was; those events are in quarantine.
    pub refused: Option<String>,
    /// How many events that put into quarantine.
    pub quarantined: usize,
}

/// Takes the record that is held already out of the first frame; it must be the same.
fn take_held(events: &mut api::Events, held: &v1::Record) -> Result<(), ClientError> {
    let sent = events.records.first().and_then(|frame| frame.record.as_ref());
    if sent != Some(held) {
        return Err(ClientError::Unverified(format!(
            "the server's log does not continue this replica's: it has another change at position {}",
            held.position
        )));
    }
    events.records.remove(0);
    Ok(())
}

/// Which call hands a bundle in.
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
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Pulled, ClientError> {
        self.check_not_contradicted()?;
        let program_id = self.settings.program.to_string();
        let hello = remote.hello(&program_id).await?;
        let goal = hello.head.map_or(0, |head| head.position);
        let position = self.ledger.state.head();
        let epoch = self.ledger.state.epoch();
        // The last record held comes once more, so that a log that went another way is noticed before any of it is stored.
        let mut held = self.last_record()?;
        let before = position.get().saturating_sub(1);
        let after = (before > 0).then(|| api::Cursor { epoch_id: epoch.to_string(), position: before });
        let request = api::SubscribeRequest { program_id, after, until_caught_up: true };
        let answer = remote.sync().subscribe(request).await;
        let mut stream = answer.map_err(|status| remote.declined(status))?.into_inner();
        let mut pulled = Pulled::default();
        loop {
            let message = stream.message().await.map_err(|status| remote.declined(status))?;
            match message.and_then(|message| message.frame) {
                Some(Frame::Events(mut events)) => {
                    if let Some(held) = held.take() {
                        take_held(&mut events, &held)?;
                    }
                    self.take_frame(events, &mut pulled)?;
                    progress(self.ledger.state.head().get(), goal);
                }
                Some(Frame::CaughtUp(caught_up)) => {
                    self.check_checkpoint(&caught_up)?;
                    return Ok(pulled);
                }
                Some(Frame::Heartbeat(_)) => {}
                Some(Frame::MustRefetch(refetch)) => {
                    return Err(ClientError::Unverified(format!(
                        "the server's log does not continue this replica's ({}): \
                         it lacks changes that were acknowledged, up to position {position}",
                        refetch.reason
                    )));
                }
                None => {
                    return Err(ClientError::NoAnswer { server: remote.server().to_owned(), source: None });
                }
            }
        }
    }

    fn last_record(&self) -> Result<Option<v1::Record>, ClientError> {
        let position = self.ledger.state.head();
        if position == Position::ZERO {
            return Ok(None);
        }
        let mut records =
            self.log.read(self.settings.program, position, ReadLimit { records: 1, bytes: 0 })?;
        Ok(records.pop())
    }

    fn take_frame(&mut self, events: api::Events, pulled: &mut Pulled) -> Result<(), ClientError> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        let mut last_bundle = None;
        for frame in events.records {
            let record = frame.record.ok_or_else(|| ClientError::Unverified("an empty frame".to_owned()))?;
            let starts = last_bundle != Some(record.bundle_position);
            if starts && bytes > COMMIT_BYTES {
                self.store(std::mem::take(&mut batch), &events.bundles, pulled)?;
                bytes = 0;
            }
            last_bundle = Some(record.bundle_position);
            let values = decode_values(&frame.values).map_err(|error| {
                ClientError::Unverified(format!("a value of position {}: {error}", record.position))
            })?;
            bytes +=
                record.body.len() + values.iter().map(|value| value.bytes.len() + 40).sum::<usize>() + 200;
            batch.records.push(FramedRecord { record, values });
        }
        if batch.records.is_empty() {
            return Ok(());
        }
        self.store(batch, &events.bundles, pulled)
    }

    /// Verifies a batch, then stores it together with what it does to the outbox.
    fn store(
        &mut self,
        mut batch: Batch,
        bundles: &[v1::Bundle],
        pulled: &mut Pulled,
    ) -> Result<(), ClientError> {
        let named = |bundle: &&v1::Bundle| {
            batch.records.iter().any(|frame| frame.record.bundle_position == bundle.position)
        };
        batch.bundles = bundles.iter().filter(named).cloned().collect();
        let bundles = batch.bundles.clone();
        let stored: Vec<StoredRecord> = batch
            .records
            .iter()
            .map(|frame| StoredRecord { record: frame.record.clone(), values: encode_values(&frame.values) })
            .collect();
        let mut ledger = self.ledger.clone();
        let taken = ledger.take_in(self.log.as_ref(), batch)?;
        let mut rows = Vec::new();
        let mut seen = Vec::new();
        let mut quarantine = self.next_quarantine()?;
        for record in &taken {
            let Some(own) = self.outbox.iter().find(|event| event.body.event_id == record.event_id) else {
                continue;
            };
            if own.hash != record.body_hash {
                return Err(ClientError::Unverified(format!(
                    "position {} holds another body under the id of an own event",
                    record.position
                )));
            }
            seen.push(record.event_id);
            match &record.entry {
                Entry::Accepted { .. } => {
                    pulled.confirmed += 1;
                    rows.push(RowChange::Delete(self.outbox_row(own.body.device_seq)));
                }
                Entry::Rejected(facts) => {
                    pulled.rejected += 1;
                    let reason = facts.reason.name();
                    rows.extend(self.to_quarantine(
                        own,
                        quarantine,
                        reason,
                        "the rules declined it",
                        record.position,
                    ));
                    quarantine += 1;
                }
            }
        }
        let head = v1::Head {
            position: ledger.state.head().get(),
            recorded_at: ledger.state.recorded_at().micros(),
            frontier: ledger.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
        };
        pulled.records += taken.len();
        let root = ledger.frontier.root();
        let program = self.settings.program;
        self.log.commit(Commit {
            appends: vec![Append { program, records: stored, bundles, head, root }],
            rows,
        })?;
        self.ledger = ledger;
        self.outbox.retain(|event| !seen.contains(&event.body.event_id));
        Ok(())
    }

    /// A checkpoint is by the log's key and its root is that of what was verified here.
    fn check_checkpoint(&self, caught_up: &api::CaughtUp) -> Result<(), ClientError> {
        if self.ledger.state.head() == Position::ZERO {
            return Ok(());
        }
        let wrong = |what: String| ClientError::Unverified(what);
        let key =
            PublicKey::from_bytes(self.ledger.state.log_key()).map_err(|error| wrong(error.to_string()))?;
        let checkpoint = Checkpoint::verify(&caught_up.checkpoint, self.settings.program, &key)
            .map_err(|error| wrong(format!("the server's checkpoint: {error}")))?;
        let own = (self.ledger.frontier.size(), self.ledger.frontier.root());
        if (checkpoint.size, checkpoint.root) != own || checkpoint.epoch != self.epoch() {
            return Err(wrong(format!(
                "the server's checkpoint at {} is not that of the records it sent up to {}",
                checkpoint.size, own.0
            )));
        }
        Ok(())
    }

    fn epoch(&self) -> EpochId {
        self.ledger.state.epoch()
    }

    /// Hands in the outbox, bundle by bundle. Rows stay until a pull sees them in the log; refused ones go to quarantine.
    ///
    /// # Errors
    /// The server has gone or declines the call as a whole; everything stays queued.
    pub async fn push(&mut self, remote: &Remote) -> Result<PushReport, ClientError> {
        self.hand_in(remote, Call::Push).await
    }

    /// Hands in the outbox of a replica that begins a programme.
    ///
    /// # Errors
    /// As for [`Replica::push`].
    pub async fn create(&mut self, remote: &Remote) -> Result<PushReport, ClientError> {
        self.hand_in(remote, Call::Create).await
    }

    async fn hand_in(&mut self, remote: &Remote, first_call: Call) -> Result<PushReport, ClientError> {
        let mut report = PushReport::default();
        let mut at = 0;
        let mut call = first_call;
        while at < self.outbox.len() {
            let waiting = &self.outbox[at..];
            let size = |event: &crate::author::Authored| RowSize {
                bytes: event.size(),
                group: event.body.group.map(|group| group.id),
            };
            let sizes: Vec<RowSize> = waiting.iter().map(size).collect();
            let count = next_push(&sizes, PUSH_EVENTS, PUSH_BYTES);
            let answers = self.hand_in_bundle(remote, at, count, call).await?;
            call = Call::Push;
            let mut landed = 0;
            for answer in &answers {
                let (_, verdict) = decode_answer(answer)
                    .map_err(|error| ClientError::Unverified(format!("the server's answer: {error}")))?;
                match verdict {
                    Verdict::Accepted(_) | Verdict::DuplicateAccepted(_) => {
                        report.accepted += 1;
                        landed += 1;
                    }
                    Verdict::Rejected(receipt) | Verdict::DuplicateRejected(receipt) => {
                        report.rejected.push(format!("{}: {}", receipt.reason, receipt.detail));
                        landed += 1;
                    }
                    // What was seen in the log is in the log: the server has lost it, the change is not at fault.
                    Verdict::Refused(Refusal::BaseAhead { head, .. }) => {
                        return Err(ClientError::Unverified(format!(
                            "the server's log ends at position {head}: it lacks changes that were acknowledged, \
                             up to position {}",
                            self.ledger.state.head()
                        )));
                    }
                    Verdict::Refused(refusal) => {
                        report.refused = Some(format!("{}: {refusal}", refusal.name()));
                        report.quarantined =
                            self.refuse_from(at + landed, refusal.name(), &refusal.to_string())?;
                        return Ok(report);
                    }
                    Verdict::DeviceForked { landed } => {
                        return Err(ClientError::Refused {
                            reason: "DEVICE_FORKED".to_owned(),
                            detail: format!(
                                "another machine with this replica's key has written event {landed}"
                            ),
                        });
                    }
                    Verdict::Gap { expected } => {
                        return Err(ClientError::Unverified(format!(
                            "the server misses this device's event number {expected}, which it had acknowledged"
                        )));
                    }
                    Verdict::RetryLater { .. } => return Ok(report),
                }
            }
            if landed == 0 {
                return Err(ClientError::Unverified("the server answered for no event".to_owned()));
            }
            at += landed;
        }
        Ok(report)
    }

    async fn hand_in_bundle(
        &self,
        remote: &Remote,
        at: usize,
        count: usize,
        call: Call,
    ) -> Result<Vec<api::Answer>, ClientError> {
        let events = &self.outbox[at..at + count];
        let hashes: Vec<_> = events.iter().map(|event| event.hash).collect();
        let (program, device) = (self.settings.program, self.settings.device);
        let signature = sign_bundle(&self.key, program, device, &hashes);
        let messages = events.iter().map(|event| encode_event(event.bytes.clone(), &event.values)).collect();
        let bundle = Some(encode_bundle(program, device, signature.bytes(), messages));
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

    /// Moves an own event that was refused, and all after it, to quarantine.
    fn refuse_from(&mut self, at: usize, reason: &str, detail: &str) -> Result<usize, ClientError> {
        let numbers = self.next_quarantine()?..;
        let mut rows = Vec::new();
        for (index, (event, number)) in self.outbox[at..].iter().zip(numbers).enumerate() {
            let (reason, detail) = if index == 0 {
                (reason, detail)
            } else {
                ("FOLLOWS_REFUSED", "an earlier change of this replica was refused")
            };
            rows.extend(self.to_quarantine(event, number, reason, detail, Position::ZERO));
        }
        self.log.commit(Commit { appends: Vec::new(), rows })?;
        Ok(self.outbox.split_off(at).len())
    }

    /// Whether every event that was handed in has been seen in the log.
    pub fn outbox_is_empty(&self) -> bool {
        self.outbox.is_empty()
    }
}
