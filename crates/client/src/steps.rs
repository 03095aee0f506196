//! The steps of an exchange without its network: what the machine asks for as messages of the API, and what comes back as
//! commits to the store. Every record that comes in is verified before it is stored, and an own event stays in the outbox
//! until it is seen in the verified stream.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::event::Change;
use radslag_core::id::Position;
use radslag_core::record::{Entry, Recorded};
use radslag_core::state::State;
use radslag_core::verdict::Verdict;
use radslag_engine::ledger::{Batch, FramedRecord, Ledger, read_record};
use radslag_log::{Append, Commit, ReadLimit, RowChange, StoredRecord};
use radslag_proto::api::v1 as api;
use radslag_proto::convert::bundle::{encode_bundle, encode_event};
use radslag_proto::convert::value::{decode_values, encode_values};
use radslag_proto::convert::verdict::decode_answer;
use radslag_proto::log::v1;
use radslag_sync::exchange::{Alarm, Ask, Cursor, Effects, Exchange, Goal, Row, Seen, Settled, Tell};
use radslag_trust::bundle::sign_bundle;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::PublicKey;

use crate::author::Authored;
use crate::error::ClientError;
use crate::fork::NewDevice;
use crate::parted::Parted;
use crate::quarantine::{Aside, News, waiting_cures};
use crate::replica::Replica;
use crate::returning::without_deletions;

/// Records are stored in commits of about this size.
const COMMIT_BYTES: usize = 256 * 1024;

/// What an exchange has done so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// New records.
    pub records: usize,
    /// Own events among them that were accepted.
    pub confirmed: usize,
    /// Own events among them that were rejected; they are in quarantine.
    pub rejected: usize,
    /// Own events that were answered: they are in the log, accepted.
    pub accepted: usize,
    /// Own events that were answered: they are in the log, rejected.
    pub declined: usize,
    /// Their reasons: one line for an event, and one for a group.
    pub rejections: Vec<String>,
    /// Why the rest was refused, if it was; those events are in quarantine.
    pub refused: Option<String>,
    /// How many events that put into quarantine.
    pub quarantined: usize,
    /// The server's log had been restored: from where to where this replica went back.
    pub parted: Option<Parted>,
    /// Records that the restored log lacked and that were taken again.
    pub returned: usize,
    /// What became of a copied replica.
    pub new_device: Option<NewDevice>,
}

fn unverified(what: impl Into<String>) -> ClientError {
    ClientError::Unverified(what.into())
}

fn alarmed(alarm: &Alarm) -> ClientError {
    ClientError::Unverified(alarm.to_string())
}

impl Replica {
    /// Begins an exchange from where the replica stands.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn begin(&self, goal: Goal) -> Result<Exchange, ClientError> {
        let cursor = Cursor { epoch: self.ledger.state.epoch(), position: self.ledger.state.head() };
        let rows = self.outbox.iter().map(row).collect();
        let exchange = Exchange::new(goal, self.settings.device, cursor, self.held()?, rows);
        Ok(exchange.returning(self.lost_bundles()))
    }

    /// Tells an exchange of what was queued since it began.
    fn tell_of_new_rows(&self, exchange: &mut Exchange) {
        for event in self.outbox.iter().skip(exchange.waiting()) {
            exchange.queued(row(event));
        }
    }

    /// SHA-256 of the last record as it is stored.
    fn held(&self) -> Result<Option<Digest>, ClientError> {
        let position = self.ledger.state.head();
        if position == Position::ZERO {
            return Ok(None);
        }
        let records = self.log.read(self.settings.program, position, ReadLimit { records: 1, bytes: 0 })?;
        Ok(records.first().map(|record| Digest::of(&record.encode_to_vec())))
    }

    /// The request for records after a cursor, up to the head.
    pub fn subscribe_request(&self, after: Cursor) -> api::SubscribeRequest {
        let after = (after.position > Position::ZERO)
            .then(|| api::Cursor { epoch_id: after.epoch.to_string(), position: after.position.get() });
        api::SubscribeRequest {
            program_id: self.settings.program.to_string(),
            after,
            until_caught_up: true,
            filter: None,
        }
    }

    /// Rows of the outbox as they are handed in: signed now, once for all. From here on they may land.
    ///
    /// # Errors
    /// There are no such rows.
    pub fn bundle(&self, rows: Range<usize>) -> Result<api::Bundle, ClientError> {
        self.note_handed_in(rows.end)?;
        let events = self.outbox.get(rows).ok_or_else(|| unverified("the outbox is not what it was"))?;
        let hashes: Vec<_> = events.iter().map(|event| event.hash).collect();
        let (program, device) = (self.settings.program, self.settings.device);
        let signature = sign_bundle(&self.key, program, device, &hashes);
        let messages = events.iter().map(|event| encode_event(event.bytes.clone(), &event.values)).collect();
        Ok(encode_bundle(program, device, signature.bytes(), messages))
    }

    /// Takes a frame of records: verifies them and stores them together with what they do to the outbox.
    ///
    /// # Errors
    /// They do not verify or do not continue what is held; then nothing of that commit is stored.
    pub fn take_events(
        &mut self,
        exchange: &mut Exchange,
        events: api::Events,
        tally: &mut Tally,
    ) -> Result<(), ClientError> {
        let mut frames = Vec::with_capacity(events.records.len());
        for frame in events.records {
            let record = frame.record.ok_or_else(|| unverified("an empty frame"))?;
            let read = read_record(&record)?;
            frames.push((record, frame.values, read));
        }
        let seen: Vec<Seen> = frames.iter().map(|(record, _, read)| seen(record, read)).collect();
        self.tell_of_new_rows(exchange);
        let effects = exchange.receive(Tell::Records(&seen)).map_err(|alarm| match alarm {
            // A restore may have put the opening of an epoch there; whoever asks finds out.
            Alarm::OtherRecord(at) => ClientError::Parted { after: at.previous() },
            alarm => alarmed(&alarm),
        })?;
        let Effects { take, settled, .. } = effects;
        frames.drain(..take.start.min(frames.len()));
        let mut batch = Batch::default();
        let mut bytes = 0;
        let mut last_bundle = None;
        let signed = events.bundles.iter().map(|bundle| (bundle.position, bundle.encoded_len()));
        let signed: BTreeMap<u64, usize> = signed.collect();
        for (record, values, read) in frames {
            let starts = last_bundle != Some(record.bundle_position);
            if starts && bytes > COMMIT_BYTES {
                self.store(std::mem::take(&mut batch), &events.bundles, &settled, tally)?;
                bytes = 0;
            }
            if starts {
                bytes += signed.get(&record.bundle_position).copied().unwrap_or_default();
            }
            last_bundle = Some(record.bundle_position);
            let values = decode_values(&values)
                .map_err(|error| unverified(format!("a value of position {}: {error}", record.position)))?;
            // What goes to quarantine is written in the same commit.
            let aside = settled.iter().find(|own| !own.accepted && own.position.get() == record.position);
            let aside = aside.and_then(|own| self.outbox.iter().find(|row| row.body.event_id == own.event));
            bytes += aside.map_or(0, Authored::size);
            if read.body().is_none() {
                bytes += self.find_lost(read.event_id, read.body_hash).map_or(0, |lost| lost.size());
            }
            bytes +=
                record.body.len() + values.iter().map(|value| value.bytes.len() + 40).sum::<usize>() + 200;
            batch.records.push(FramedRecord { record, values });
        }
        if batch.records.is_empty() {
            return Ok(());
        }
        self.store(batch, &events.bundles, &settled, tally)
    }

    /// Verifies a batch, then stores it together with what it does to the outbox.
    fn store(
        &mut self,
        mut batch: Batch,
        bundles: &[v1::Bundle],
        settled: &[Settled],
        tally: &mut Tally,
    ) -> Result<(), ClientError> {
        let named = |bundle: &&v1::Bundle| {
            batch.records.iter().any(|frame| frame.record.bundle_position == bundle.position)
        };
        // What a server said twice is verified once, the first time.
        let mut begun = BTreeSet::new();
        let first = |bundle: &&v1::Bundle| begun.insert(bundle.position);
        batch.bundles = bundles.iter().filter(named).filter(first).cloned().collect();
        let bundles = batch.bundles.clone();
        let records: Vec<StoredRecord> = batch
            .records
            .iter()
            .map(|frame| StoredRecord { record: frame.record.clone(), values: encode_values(&frame.values) })
            .collect();
        // Why something was declined is judged on the programme that it met.
        let declined = |own: &Settled| {
            !own.accepted && batch.records.iter().any(|frame| frame.record.position == own.position.get())
        };
        let judged_anew = !self.lost.is_empty();
        let before = (judged_anew || settled.iter().any(declined)).then(|| self.ledger.state.clone());
        let stored = self
            .take_in(batch)
            .and_then(|taken| self.write(records, bundles, settled, &taken, before.as_ref()));
        match stored {
            Ok((taken, confirmed, rejected)) => {
                tally.records += taken;
                tally.confirmed += confirmed;
                tally.rejected += rejected;
                Ok(())
            }
            Err(error) => {
                // The programme in memory may be ahead of the store; what is stored is what holds.
                self.ledger = match &self.provisional {
                    Some(provisional) => provisional.replay()?,
                    None => Ledger::open(self.log.as_ref(), self.settings.program)?,
                };
                Err(error)
            }
        }
    }

    fn take_in(&mut self, batch: Batch) -> Result<Vec<Recorded>, ClientError> {
        Ok(self.ledger.take_in(self.log.as_ref(), batch)?)
    }

    fn write(
        &mut self,
        records: Vec<StoredRecord>,
        bundles: Vec<v1::Bundle>,
        settled: &[Settled],
        taken: &[Recorded],
        before: Option<&State>,
    ) -> Result<(usize, usize, usize), ClientError> {
        let (mut confirmed, mut rejected) = (0, 0);
        let mut rows = Vec::new();
        let mut seen = Vec::new();
        let mut aside: Option<Aside> = None;
        let before = before.unwrap_or(&self.ledger.state);
        let news = News { before, taken, stored: &records };
        for record in taken {
            let own = settled.iter().any(|own| own.position == record.position);
            let own = self.outbox.iter().find(|event| own && event.body.event_id == record.event_id);
            if let Some(lost) = self.find_lost(record.event_id, record.body_hash).filter(|_| own.is_none()) {
                if let Entry::Rejected(facts) = &record.entry {
                    let aside = match &mut aside {
                        Some(aside) => aside,
                        none @ None => none.insert(Aside::begin(self)?),
                    };
                    rows.extend(without_deletions(aside.reject(self, &lost, record, facts, &news)?));
                }
                continue;
            }
            let Some(own) = own else {
                if self.is_foreign(record)? {
                    rows.push(self.put_fork(record.event_id));
                }
                continue;
            };
            seen.push(record.event_id);
            match &record.entry {
                Entry::Accepted { .. } => {
                    confirmed += 1;
                    rows.push(RowChange::Delete(self.outbox_row(own.body.device_seq)));
                }
                Entry::Rejected(facts) => {
                    rejected += 1;
                    let aside = match &mut aside {
                        Some(aside) => aside,
                        none @ None => none.insert(Aside::begin(self)?),
                    };
                    rows.extend(aside.reject(self, own, record, facts, &news)?);
                }
            }
        }
        rows.extend(self.redeemed(taken)?);
        let head = v1::Head {
            position: self.ledger.state.head().get(),
            recorded_at: self.ledger.state.recorded_at().micros(),
            frontier: self.ledger.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
        };
        let root = self.ledger.frontier.root();
        let program = self.settings.program;
        self.log.commit(Commit { appends: vec![Append { program, records, bundles, head, root }], rows })?;
        self.write_behind(false);
        self.outbox.retain(|event| !seen.contains(&event.body.event_id));
        self.sweep_lost()?;
        Ok((taken.len(), confirmed, rejected))
    }

    /// Takes the end of a stream: its checkpoint must be by the log's key, over what was verified here.
    ///
    /// # Errors
    /// It is not.
    pub fn take_caught_up(
        &self,
        exchange: &mut Exchange,
        caught_up: &api::CaughtUp,
    ) -> Result<(), ClientError> {
        let head = caught_up.head.clone().unwrap_or_default();
        let head = Cursor { epoch: self.ledger.state.epoch(), position: Position::new(head.position) };
        exchange.receive(Tell::CaughtUp(head)).map_err(|alarm| alarmed(&alarm))?;
        self.check_checkpoint(caught_up)
    }

    fn check_checkpoint(&self, caught_up: &api::CaughtUp) -> Result<(), ClientError> {
        if self.ledger.state.head() == Position::ZERO {
            return Ok(());
        }
        let key = PublicKey::from_bytes(self.ledger.state.log_key())
            .map_err(|error| unverified(error.to_string()))?;
        let checkpoint = Checkpoint::verify(&caught_up.checkpoint, self.settings.program, &key)
            .map_err(|error| unverified(format!("the server's checkpoint: {error}")))?;
        let own = (self.ledger.frontier.size(), self.ledger.frontier.root());
        if (checkpoint.size, checkpoint.root) != own || checkpoint.epoch != self.ledger.state.epoch() {
            return Err(unverified(format!(
                "the server's checkpoint at {} is not that of the records it sent up to {}",
                checkpoint.size, own.0
            )));
        }
        self.keep_checkpoint(&caught_up.checkpoint)
    }

    /// Takes the answers to a push. Rows stay where they are until they are seen in the log; refused ones, and all after
    /// them, go to quarantine.
    ///
    /// # Errors
    /// The answers cannot be, or the store does not take what they mean.
    pub fn take_answers(
        &mut self,
        exchange: &mut Exchange,
        answers: &[api::Answer],
        tally: &mut Tally,
    ) -> Result<(), ClientError> {
        let decode = |answer: &api::Answer| decode_answer(answer).map(|(_, verdict)| verdict);
        let verdicts: Result<Vec<Verdict>, _> = answers.iter().map(decode).collect();
        let verdicts = verdicts.map_err(|error| unverified(format!("the server's answer: {error}")))?;
        let first = exchange.answered();
        let returning = matches!(exchange.generate(), Some(Ask::Return { .. }));
        let effects = exchange.receive(Tell::Answers(&verdicts)).map_err(|alarm| alarmed(&alarm))?;
        if returning {
            return self.take_answers_for_lost(&verdicts, &effects, tally);
        }
        let rows = self.outbox.get(first..).unwrap_or_default();
        let mut told = Vec::new();
        for (own, verdict) in rows.iter().zip(&verdicts) {
            match verdict {
                Verdict::Accepted(_) | Verdict::DuplicateAccepted(_) => tally.accepted += 1,
                Verdict::Rejected(receipt) | Verdict::DuplicateRejected(receipt) => {
                    tally.declined += 1;
                    // One line for what belongs together.
                    if own.body.group.is_none_or(|group| group.index == 0) {
                        tally.rejections.push(format!("{}: {}", receipt.reason, receipt.detail));
                    }
                    if matches!(verdict, Verdict::Rejected(_)) {
                        told.push((own, receipt.clone()));
                    }
                }
                // What these do is among the effects.
                Verdict::Refused(_)
                | Verdict::DeviceForked { .. }
                | Verdict::Gap { .. }
                | Verdict::RetryLater { .. } => {}
            }
        }
        // Only the answer has the words: they are kept until the record is seen.
        self.remember(&told)?;
        if let Some((event, refusal)) = effects.refused {
            let (reason, detail) = (refusal.name(), refusal.to_string());
            if waiting_cures(reason) {
                return Err(ClientError::Refused { reason: reason.to_owned(), detail });
            }
            tally.refused = Some(format!("{reason}: {detail}"));
            if let Some(at) = self.outbox.iter().position(|row| row.body.event_id == event) {
                tally.quarantined += self.refuse_from(at, reason, &detail)?;
            }
        }
        match effects.forked {
            Some(other) => self.note_fork(other),
            None => Ok(()),
        }
    }
}

impl Replica {
    fn take_answers_for_lost(
        &mut self,
        verdicts: &[Verdict],
        effects: &Effects,
        tally: &mut Tally,
    ) -> Result<(), ClientError> {
        let taken = |verdict: &&Verdict| matches!(verdict, Verdict::Accepted(_));
        tally.returned += verdicts.iter().filter(taken).count();
        if let Some((events, refusal)) =
            effects.declined.as_ref().filter(|(_, why)| !may_yet_land(why.name()))
        {
            tally.refused = Some(format!("{}: {refusal}", refusal.name()));
            tally.quarantined += self.refuse_lost(events, refusal)?;
        }
        Ok(())
    }
}

/// Whether a lost record that is refused for this may be taken at another time. It stays lost, and is handed in again.
fn may_yet_land(reason: &str) -> bool {
    // The enrolment of its device may still be lost itself.
    waiting_cures(reason) || reason == "DEVICE_NOT_ENROLLED"
}

/// An event as the exchange looks at it.
pub(crate) fn row(event: &Authored) -> Row {
    Row {
        event: event.body.event_id,
        body: event.hash,
        bytes: event.size(),
        group: event.body.group.map(|group| group.id),
    }
}

fn seen(record: &v1::Record, read: &Recorded) -> Seen {
    let (device, accepted) = match &read.entry {
        Entry::Accepted { body, .. } => (body.device_id, true),
        Entry::Rejected(facts) => (facts.device_id, false),
    };
    let opens = match read.body().map(|body| &body.change) {
        Some(Change::EpochOpened { epoch_id, .. }) => Some(*epoch_id),
        _ => None,
    };
    Seen {
        position: read.position,
        record: Digest::of(&record.encode_to_vec()),
        event: read.event_id,
        body: read.body_hash,
        device,
        accepted,
        opens,
    }
}
