//! From a checked bundle to records: dedupe, sequence and base, then the rules, one event or one group at a time.
//!
//! Everything here works on the writer's own ledger, which runs ahead of the store by one commit at most.

use radslag_core::broken::{self, Variant};
use radslag_core::event::{Change, EventBody};
use radslag_core::id::{EventId, Position};
use radslag_core::judge::{self, MemoryPast};
use radslag_core::record::{Entry, Facts, Recorded, RejectedFacts};
use radslag_core::rejection::Rejection;
use radslag_core::time::Instant;
use radslag_core::verdict::{Landing, Receipt, Refusal, RejectionReceipt, Verdict};
use radslag_log::{EventLog, ReadLimit, StoredRecord};
use radslag_proto::convert::bundle::{LandedBundle, encode_landed_bundle};
use radslag_proto::convert::record::encode_record;
use radslag_proto::convert::value::encode_values;
use radslag_proto::log::v1;
use radslag_sync::fence::Passage;

use crate::check::{CheckedBundle, CheckedEvent, unit_length};
use crate::clock::day_of;
use crate::ledger::{Ledger, LedgerError, Signatures, leaf_hash, read_record};
use crate::past::LogPast;

/// What admitting reads beside the writer's own ledger.
pub struct Ground<'a> {
    /// The store, up to the last commit.
    pub log: &'a dyn EventLog,
    /// The programme up to the last commit.
    pub published: &'a Ledger,
    /// Whether devices may enrol themselves.
    pub open_enrolment: bool,
    /// The time.
    pub now: Instant,
}

/// The writer's side of a programme: ahead of the store by what one commit holds.
pub struct Working {
    /// State, fences and frontier with the pending records; its index holds the pending ones alone.
    pub ledger: Ledger,
    /// Pending values and records.
    pub overlay: MemoryPast,
    /// Pending records with their leaves' hashes, for publishing.
    pub pending: Vec<(Recorded, radslag_core::digest::Digest)>,
    /// Pending records as they are stored.
    pub records: Vec<StoredRecord>,
    /// Pending bundles.
    pub bundles: Vec<v1::Bundle>,
}

impl Working {
    /// Starts from what is published.
    pub fn new(published: &Ledger) -> Self {
        let ledger = published.pending();
        Self { ledger, overlay: MemoryPast::default(), pending: vec![], records: vec![], bundles: vec![] }
    }

    /// Forgets what is pending, after it was published.
    pub fn published(&mut self) {
        self.ledger.forget_places();
        self.overlay = MemoryPast::default();
    }

    /// Takes the events of a bundle from `start` on, at most `most_bytes` or one unit, and never through a group. Returns the
    /// verdicts and how far it came; the push ends early where an event is refused.
    ///
    /// # Errors
    /// The store cannot say what became of an event that landed before.
    pub fn admit(
        &mut self,
        ground: &Ground<'_>,
        bundle: &CheckedBundle,
        start: usize,
        most_bytes: usize,
    ) -> Result<(Vec<Verdict>, usize), LedgerError> {
        let first_pending = self.records.len();
        let mut verdicts = Vec::new();
        let mut landed = Vec::new();
        let mut at = start;
        let mut bytes = 0;
        while at < bundle.events.len() && bytes < most_bytes {
            let length = match unit_length(&bundle.events[at..]) {
                Ok(length) => length,
                Err(refusal) => {
                    verdicts.push(Verdict::Refused(refusal));
                    // Nothing after a refusal is applied.
                    at = bundle.events.len();
                    break;
                }
            };
            let unit = &bundle.events[at..at + length];
            let unit_bytes: usize = unit.iter().flatten().map(CheckedEvent::size).sum();
            if bytes > 0 && bytes + unit_bytes > most_bytes {
                break;
            }
            let events: Result<Vec<&CheckedEvent>, &Refusal> = unit.iter().map(Result::as_ref).collect();
            let decided = match events {
                Ok(events) => {
                    bytes += unit_bytes;
                    self.unit(ground, bundle, &events, &mut landed)?
                }
                Err(refusal) => vec![Verdict::Refused(refusal.clone())],
            };
            let stopped = decided.iter().any(Verdict::stops_the_push);
            if broken::is(Variant::RefusalConsumes)
                && decided.iter().any(|v| matches!(v, Verdict::Refused(_)))
            {
                self.ledger.fences.use_up(bundle.device);
            }
            verdicts.extend(decided);
            at += length;
            if stopped {
                at = bundle.events.len();
            }
        }
        self.keep_bundle(bundle, first_pending, &landed);
        Ok((verdicts, at))
    }

    /// The signature of what landed, with the members that did not.
    fn keep_bundle(&mut self, bundle: &CheckedBundle, first_pending: usize, landed: &[usize]) {
        let Some(first) = self.records.get(first_pending) else { return };
        let position = Position::new(first.record.position);
        let absent = bundle.hashes.iter().enumerate().filter(|(index, _)| !landed.contains(index));
        let number = |index: usize| u32::try_from(index).expect("a push has at most 500 events");
        self.bundles.push(encode_landed_bundle(&LandedBundle {
            position,
            device: bundle.device,
            size: number(bundle.hashes.len()),
            signature: *bundle.signature.bytes(),
            absent: absent.map(|(index, hash)| (number(index), *hash)).collect(),
        }));
        for stored in &mut self.records[first_pending..] {
            stored.record.bundle_position = position.get();
        }
    }

    fn unit(
        &mut self,
        ground: &Ground<'_>,
        bundle: &CheckedBundle,
        events: &[&CheckedEvent],
        landed: &mut Vec<usize>,
    ) -> Result<Vec<Verdict>, LedgerError> {
        let earlier =
            events.iter().map(|event| self.earlier(ground, event)).collect::<Result<Vec<_>, _>>()?;
        if earlier.iter().all(|verdict| verdict.is_some()) {
            return Ok(earlier.into_iter().flatten().collect());
        }
        let mut scratch = events.len().gt(&1).then(|| Scratch::new(&self.ledger, bundle));
        let mut decided: Result<Vec<Facts>, Rejection> = Ok(Vec::new());
        let mut at = self.next_instant(ground.now);
        let mut position = self.ledger.state.head();
        for event in events {
            position = position.next();
            let (state, fences) = match &scratch {
                Some(scratch) => (&scratch.state, &scratch.fences),
                None => (&self.ledger.state, &self.ledger.fences),
            };
            if let Some(stop) = self.gate(ground, bundle, event, state, fences)? {
                self.forget(events);
                return Ok(vec![stop]);
            }
            self.lay_over(event);
            let state = scratch.as_ref().map_or(&self.ledger.state, |scratch| &scratch.state);
            let landing = judge::Landing {
                position,
                recorded_at: at,
                recorded_on: day_of(at),
                authored_on: day_of(event.body.authored_at),
                // A place that this log has not lost, or in an epoch that it does not have, says nothing here.
                first: event.stood.filter(|first| state.lost(*first)),
            };
            let past = LogPast {
                log: ground.log,
                program: bundle.program,
                index: &ground.published.index,
                far: &ground.published.far,
                overlay: &self.overlay,
            };
            let used = decided.is_ok() && self.position_of(ground, event.body.event_id)?.is_some();
            let verdict = match &mut decided {
                Err(_) => None,
                Ok(_) if used => Some(Err(Rejection::IdReused { event: event.body.event_id })),
                Ok(_) => Some(judge::judge(state, &past, &event.body, landing)),
            };
            let facts = match (verdict, &mut decided) {
                (Some(Ok(facts)), Ok(all)) => {
                    all.push(facts.clone());
                    Some(facts)
                }
                (Some(Err(rejection)), _) => {
                    decided = Err(rejection);
                    None
                }
                _ => None,
            };
            if let Some(scratch) = &mut scratch {
                scratch.note(event, position, at, facts);
            }
            at = Instant::from_micros(at.micros() + 1);
        }
        self.forget(events);
        if let Err(rejection) = &decided
            && self.ledger.key_of(bundle.device).is_none()
        {
            // A log begins with an accepted ProgramCreated or not at all; and a rejection by a device whose key is in no
            // record could be checked by nobody.
            let refusal =
                Refusal::Other { reason: rejection.code().name().to_owned(), detail: rejection.to_string() };
            return Ok(vec![Verdict::Refused(refusal)]);
        }
        Ok(self.land(ground, bundle, events, &decided, landed))
    }

    pub(crate) fn next_instant(&self, now: Instant) -> Instant {
        let last = self.ledger.state.recorded_at();
        if now > last { now } else { Instant::from_micros(last.micros() + 1) }
    }

    fn position_of(&self, ground: &Ground<'_>, event: EventId) -> Result<Option<Position>, LedgerError> {
        match self.ledger.position_of(event) {
            Some(pending) => Ok(Some(pending)),
            None => ground.published.find(ground.log, event),
        }
    }

    /// The receipt of an event that landed before: the same body under the same id.
    fn earlier(&self, ground: &Ground<'_>, event: &CheckedEvent) -> Result<Option<Verdict>, LedgerError> {
        if broken::is(Variant::ForgottenOutcomes) {
            return Ok(None);
        }
        // What is pending may have taken the id in vain: the one that landed first stands in the published index.
        let id = event.body.event_id;
        let candidates = [
            ground.published.find(ground.log, id)?,
            self.ledger.position_of(id),
            self.ledger.reused.get(&event.hash).copied(),
            ground.published.find_declined(ground.log, event.hash)?,
        ];
        for position in candidates.into_iter().flatten() {
            let pending = self.pending.iter().find(|(record, _)| record.position == position);
            let (record, leaf) = match pending {
                Some((record, leaf)) => (record.clone(), *leaf),
                None => stored(ground.log, self.ledger.state.program_id(), position)?,
            };
            if record.body_hash == event.hash {
                let landing = match self.ledger.landing_at(position) {
                    Landing::Clean => ground.published.landing_of(ground.log, &record)?,
                    unclean => unclean,
                };
                return Ok(Some(duplicate(&record, leaf, landing)));
            }
        }
        Ok(None)
    }

    /// What stops an event before the rules are asked; nothing is consumed.
    fn gate(
        &self,
        ground: &Ground<'_>,
        bundle: &CheckedBundle,
        event: &CheckedEvent,
        state: &radslag_core::state::State,
        fences: &radslag_sync::fence::Fences,
    ) -> Result<Option<Verdict>, LedgerError> {
        let body = &event.body;
        let enrolling = matches!(body.change, Change::DeviceEnrolled { .. });
        if enrolling && !ground.open_enrolment && event.stood.is_none() {
            return Ok(Some(Verdict::Refused(Refusal::EnrolmentClosed)));
        }
        let known = state.devices().get(&bundle.device).map(|device| device.key);
        let introduced = crate::check::key_in(body).filter(|_| known.is_none());
        if known.or(introduced) != Some(bundle.key) {
            let device = bundle.device.to_string();
            return Ok(Some(Verdict::Refused(Refusal::DeviceNotEnrolled { device })));
        }
        let head = ground.published.state.head();
        let base = state.clamp(&body.base);
        if base > head {
            return Ok(Some(Verdict::Refused(Refusal::BaseAhead { base, head })));
        }
        Ok(match fences.check(body, state.epoch(), state.vouched(&body.base)) {
            Passage::Open => None,
            Passage::Gap { expected } => Some(Verdict::Gap { expected }),
            Passage::ViewNotClosed { seen } => {
                Some(Verdict::Refused(Refusal::ViewNotClosed { base: body.base.position, seen }))
            }
            Passage::Forked { at } => {
                let landed = self.event_at(ground, body, at)?;
                Some(Verdict::DeviceForked { landed })
            }
        })
    }

    /// The event of the device that stands at a number. Asked for only when two machines use one key, so a walk is fine.
    fn event_at(
        &self,
        ground: &Ground<'_>,
        body: &EventBody,
        seq: radslag_core::id::DeviceSeq,
    ) -> Result<EventId, LedgerError> {
        let holds = |record: &Recorded| match &record.entry {
            Entry::Accepted { body: other, .. } => {
                other.device_id == body.device_id && other.device_seq == seq
            }
            Entry::Rejected(facts) => facts.device_id == body.device_id && facts.device_seq == seq,
        };
        if let Some((record, _)) = self.pending.iter().find(|(record, _)| holds(record)) {
            return Ok(record.event_id);
        }
        let mut next = Position::new(1);
        loop {
            let records =
                ground.log.read(body.program_id, next, ReadLimit { records: 1_000, bytes: 1 << 20 })?;
            let Some(last) = records.last() else { break };
            next = Position::new(last.position).next();
            for stored in &records {
                let record = read_record(stored)?;
                if holds(&record) {
                    return Ok(record.event_id);
                }
            }
        }
        Ok(self.ledger.fences.of(body.device_id).last_event())
    }

    fn lay_over(&mut self, event: &CheckedEvent) {
        for value in &event.values {
            // An id that is in use keeps its own values: the newcomer is declined whatever it says.
            if self.overlay.values.get(event.body.event_id, value.slot).is_none() {
                self.overlay.values.insert(event.body.event_id, value.slot, value.bytes.clone());
            }
        }
    }

    fn forget(&mut self, events: &[&CheckedEvent]) {
        for event in events {
            if !self.overlay.records.contains_key(&event.body.event_id) {
                self.overlay.values.remove(event.body.event_id);
            }
        }
    }

    fn land(
        &mut self,
        ground: &Ground<'_>,
        bundle: &CheckedBundle,
        events: &[&CheckedEvent],
        decided: &Result<Vec<Facts>, Rejection>,
        landed: &mut Vec<usize>,
    ) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for (offset, event) in events.iter().enumerate() {
            let recorded_at = self.next_instant(ground.now);
            let entry = match decided {
                Ok(facts) => Entry::Accepted {
                    body: Box::new(event.body.clone()),
                    facts: Facts { recorded_on: day_of(recorded_at), ..facts[offset].clone() },
                },
                Err(rejection) => Entry::Rejected(RejectedFacts {
                    recorded_on: day_of(recorded_at),
                    device_id: event.body.device_id,
                    device_seq: event.body.device_seq,
                    base_epoch: event.body.base.epoch,
                    reason: rejection.code(),
                }),
            };
            let record = Recorded {
                position: self.ledger.state.head().next(),
                recorded_at,
                event_id: event.body.event_id,
                body_hash: event.hash,
                entry,
            };
            let leaf = leaf_hash(&record, &bundle.signature);
            self.keep(event, &record, leaf);
            landed.push(event.index);
            verdicts.push(match decided {
                Ok(_) => Verdict::Accepted(Receipt {
                    position: record.position,
                    recorded_at,
                    leaf_hash: leaf,
                    landing: self.ledger.landing_at(record.position),
                }),
                Err(rejection) => Verdict::Rejected(RejectionReceipt {
                    position: record.position,
                    reason: rejection.code(),
                    detail: rejection.to_string(),
                    current_sides: rejection.current_sides().to_vec(),
                }),
            });
            self.pending.push((record, leaf));
        }
        verdicts
    }

    fn keep(&mut self, event: &CheckedEvent, record: &Recorded, leaf: radslag_core::digest::Digest) {
        let accepted = record.body().is_some();
        if accepted {
            self.lay_over(event);
            self.overlay.records.insert(record.event_id, record.clone());
        }
        self.ledger.note(record, leaf);
        let body = if accepted { event.bytes.clone() } else { Vec::new() };
        let index = u32::try_from(event.index).expect("a push has at most 500 events");
        self.records.push(StoredRecord {
            record: encode_record(record, body, record.position, index),
            values: if accepted { encode_values(&event.values) } else { Vec::new() },
        });
    }
}

/// A state and a fence to try a group out on.
struct Scratch {
    state: radslag_core::state::State,
    fences: radslag_sync::fence::Fences,
}

impl Scratch {
    fn new(ledger: &Ledger, bundle: &CheckedBundle) -> Self {
        Self { state: ledger.state.clone(), fences: ledger.fences.only(bundle.device) }
    }

    /// Takes a member in. One that the rules decline passes the fence all the same: the whole group is then recorded as
    /// declined.
    fn note(&mut self, event: &CheckedEvent, position: Position, recorded_at: Instant, facts: Option<Facts>) {
        let entry = match facts {
            Some(facts) => Entry::Accepted { body: Box::new(event.body.clone()), facts },
            None => Entry::Rejected(RejectedFacts {
                recorded_on: day_of(recorded_at),
                device_id: event.body.device_id,
                device_seq: event.body.device_seq,
                base_epoch: event.body.base.epoch,
                reason: radslag_core::rejection::RejectionCode::new(0),
            }),
        };
        let record =
            Recorded { position, recorded_at, event_id: event.body.event_id, body_hash: event.hash, entry };
        self.state.apply(&record);
        let state = &self.state;
        self.fences.note(&record, |base| state.clamp(base));
    }
}

fn stored(
    log: &dyn EventLog,
    program: radslag_core::id::ProgramId,
    position: Position,
) -> Result<(Recorded, radslag_core::digest::Digest), LedgerError> {
    let read = log.read(program, position, ReadLimit { records: 1, bytes: 0 })?;
    let stored = read.first().filter(|record| record.position == position.get());
    let stored =
        stored.ok_or_else(|| LedgerError::Forged { position, what: "the record is missing".to_owned() })?;
    let record = read_record(stored)?;
    let signature = Signatures::default().of(log, program, stored)?;
    let leaf = leaf_hash(&record, &signature);
    Ok((record, leaf))
}

fn duplicate(record: &Recorded, leaf_hash: radslag_core::digest::Digest, landing: Landing) -> Verdict {
    match &record.entry {
        Entry::Accepted { .. } => Verdict::DuplicateAccepted(Receipt {
            position: record.position,
            recorded_at: record.recorded_at,
            leaf_hash,
            landing,
        }),
        Entry::Rejected(facts) => Verdict::DuplicateRejected(RejectionReceipt {
            position: record.position,
            reason: facts.reason,
            detail: format!("it was declined before: {}", facts.reason),
            current_sides: Vec::new(),
        }),
    }
}
