//! Authoring anew: what was written before gets another envelope and the same content.
//!
//! The new event says the same of the same entities, and it has seen what its author had seen when writing it the first time:
//! no more, so that it conflicts with what came since rather than covers it, and no less where an envelope can say so.

use std::collections::BTreeMap;

use radslag_core::event::{Base, Change, EventBody, Expectation, Source, Standing};
use radslag_core::fold;
use radslag_core::id::{DeviceId, DeviceSeq, EpochId, EventId, GroupId, Position};
use radslag_core::record::{Entry, Recorded};
use radslag_core::value::Value;
use radslag_engine::ledger::read_record;
use radslag_log::ReadLimit;

use crate::error::ClientError;
use crate::quarantine::Refused;
use crate::replica::Replica;

/// How many records are looked at in one go.
const STEP: ReadLimit = ReadLimit { records: 1_000, bytes: 1 << 20 };

/// Something that was written before.
#[derive(Clone, Debug)]
pub(crate) struct Old {
    /// Its number in the quarantine.
    pub number: u64,
    /// What it says.
    pub body: EventBody,
    /// The values beside it.
    pub values: Vec<Value>,
    /// Where the refusal began: from there on its device's numbers were given out anew.
    pub refused_from: Option<Refused>,
}

impl Old {
    /// Whether this was in view when `later` was written.
    fn was_seen_by(&self, later: &Self) -> bool {
        let numbers_hold = self.refused_from.is_none() || self.refused_from == later.refused_from;
        self.body.device_id == later.body.device_id
            && self.body.device_seq <= later.body.base.seq
            && numbers_hold
    }

    /// The last number of its device that stands for what its author had seen under it.
    fn vouched_seq(&self) -> DeviceSeq {
        match self.refused_from {
            Some(first) => self.body.base.seq.min(DeviceSeq::new(first.seq.get().saturating_sub(1))),
            None => self.body.base.seq,
        }
    }
}

/// What a number of the own device stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    /// An event that writes something.
    Writes,
    /// Nothing that anybody could have seen: a rejection, or an enrolment.
    Nothing,
}

/// The records that came after somebody looked, as far as what a base can say depends on them.
pub(crate) struct Since {
    /// The device and its number of each record, by position; none where the record writes nothing.
    records: BTreeMap<Position, Option<(DeviceId, DeviceSeq)>>,
    own: BTreeMap<DeviceSeq, Own>,
    /// The epoch of the log that they stand in.
    epoch: EpochId,
}

/// Where a new event stands, and the old one it says again.
pub(crate) struct Placed<'a> {
    pub seq: DeviceSeq,
    pub old: &'a Old,
}

impl Since {
    /// The base of what `old` says, written by `device`: what its author had seen then, with `placed` already written anew.
    pub(crate) fn base(&self, old: &Old, device: DeviceId, placed: &[Placed<'_>]) -> Base {
        let Base { epoch, position, .. } = old.body.base;
        let mut seq = if old.body.device_id == device { old.vouched_seq() } else { DeviceSeq::ZERO };
        loop {
            let next = seq.next();
            let again = placed.iter().find(|placed| placed.seq == next);
            let was_seen = match (again, self.own.get(&next)) {
                (Some(again), _) => again.old.was_seen_by(old),
                (None, own) => own == Some(&Own::Nothing),
            };
            if !was_seen {
                break;
            }
            seq = next;
        }
        // What another device's events say is seen by position alone.
        let elsewhere = old.body.device_id != device && epoch == self.epoch;
        let position = if elsewhere { self.reach(old) } else { position };
        Base { epoch, position, seq }
    }

    /// As far as everything recorded was in view, by position or as the device's own.
    fn reach(&self, old: &Old) -> Position {
        let mut reached = old.body.base.position;
        while let Some(record) = self.records.get(&reached.next()) {
            let seen =
                record.is_none_or(|(device, seq)| device == old.body.device_id && seq <= old.vouched_seq());
            if !seen {
                break;
            }
            reached = reached.next();
        }
        reached
    }
}

impl Replica {
    /// What happened since the oldest of these was written, for writing them anew as `device`.
    pub(crate) fn since(&self, olds: &[Old], device: DeviceId) -> Result<Since, ClientError> {
        let epoch = self.ledger.state.epoch();
        let mut since = Since { records: BTreeMap::new(), own: BTreeMap::new(), epoch };
        let Some(from) = olds.iter().map(|old| old.body.base.position).min() else { return Ok(since) };
        let mut next = from.next();
        loop {
            let records = self.log.read(self.settings.program, next, STEP)?;
            let Some(last) = records.last() else { break };
            next = Position::new(last.position).next();
            for stored in &records {
                since.note(&read_record(stored)?, device);
            }
        }
        for event in self.outbox.iter().filter(|event| event.body.device_id == device) {
            since.own.insert(event.body.device_seq, own(&event.body));
        }
        Ok(since)
    }
}

impl Since {
    /// A device that is not in the log yet begins with its enrolment, which writes nothing.
    pub(crate) fn enrolled(&mut self, seq: DeviceSeq) {
        self.own.insert(seq, Own::Nothing);
    }

    fn note(&mut self, record: &Recorded, device: DeviceId) {
        let (author, seq, said) = match &record.entry {
            Entry::Accepted { body, .. } => (body.device_id, body.device_seq, own(body)),
            Entry::Rejected(facts) => (facts.device_id, facts.device_seq, Own::Nothing),
        };
        let writes = (said == Own::Writes).then_some((author, seq));
        self.records.insert(record.position, writes);
        if author == device {
            self.own.insert(seq, said);
        }
    }
}

fn own(body: &EventBody) -> Own {
    if fold::field_writes(body).is_empty() && fold::addition(body).is_none() {
        Own::Nothing
    } else {
        Own::Writes
    }
}

/// New names of events and groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renamed {
    pub events: BTreeMap<EventId, EventId>,
    pub groups: BTreeMap<GroupId, GroupId>,
}

impl Renamed {
    fn event(&self, id: EventId) -> EventId {
        self.events.get(&id).copied().unwrap_or(id)
    }

    fn source(&self, source: Option<Source>) -> Option<Source> {
        source.map(|source| Source { import: self.event(source.import), ..source })
    }

    /// The conditions with the new names.
    pub(crate) fn expect(&self, expect: &[Expectation]) -> Vec<Expectation> {
        let renamed = |expected: &Expectation| {
            let mut sides: Vec<EventId> = expected.sides.iter().map(|side| self.event(*side)).collect();
            sides.sort_unstable();
            Expectation { sides, ..expected.clone() }
        };
        expect.iter().map(renamed).collect()
    }

    /// The same change, naming the new events where it names old ones.
    pub(crate) fn change(&self, change: Change) -> Change {
        match change {
            Change::AreaAdded { area, order_key, source } => {
                Change::AreaAdded { area, order_key, source: self.source(source) }
            }
            Change::SubgoalAdded { subgoal, area, order_key, source } => {
                Change::SubgoalAdded { subgoal, area, order_key, source: self.source(source) }
            }
            Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, source } => {
                let source = self.source(source);
                Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, source }
            }
            Change::PartyAdded { party, kind, organisation, source } => {
                Change::PartyAdded { party, kind, organisation, source: self.source(source) }
            }
            Change::ConflictResolved { entity, field, settles, take, stands } => {
                let mut settles: Vec<EventId> = settles.into_iter().map(|side| self.event(side)).collect();
                settles.sort_unstable();
                let take = take.map(|side| self.event(side));
                let stands = if let Standing::SealedIn(event) = stands {
                    Standing::SealedIn(self.event(event))
                } else {
                    stands
                };
                Change::ConflictResolved { entity, field, settles, take, stands }
            }
            same @ (Change::ProgramCreated { .. }
            | Change::OrganisationAdmitted { .. }
            | Change::MemberAdmitted { .. }
            | Change::DeviceEnrolled { .. }
            | Change::FieldRevised { .. }
            | Change::ResponsibleAssigned { .. }
            | Change::ResponsibleUnassigned { .. }
            | Change::Placed { .. }
            | Change::Retired { .. }
            | Change::Restored { .. }
            | Change::SourceImported { .. }
            | Change::EpochOpened { .. }
            | Change::RulesAdopted { .. }
            | Change::BaselineSet { .. }
            | Change::Unknown) => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use radslag_core::digest::Digest;
    use radslag_core::event::NewValue;
    use radslag_core::field::FieldKey;
    use radslag_core::id::{EntityId, EpochId, MemberId, ProgramId};
    use radslag_core::record::{Facts, RejectedFacts};
    use radslag_core::rejection::RejectionCode;
    use radslag_core::time::{CivilDate, Instant};

    fn device(id: u8) -> DeviceId {
        DeviceId::from_slice(&[id; 16]).unwrap()
    }

    fn body(by: u8, seq: u64, position: u64, seen: u64) -> EventBody {
        let entity = EntityId::from_slice(&[9; 16]).unwrap();
        let change = Change::FieldRevised { entity, field: FieldKey::Lead, value: NewValue::Cleared };
        EventBody {
            event_id: EventId::from_slice(&[u8::try_from(seq).unwrap(); 16]).unwrap(),
            program_id: ProgramId::default(),
            actor_id: MemberId::default(),
            org_id: "haninge".parse().unwrap(),
            device_id: device(by),
            device_seq: DeviceSeq::new(seq),
            prev: Digest::ZERO,
            base: Base {
                epoch: EpochId::default(),
                position: Position::new(position),
                seq: DeviceSeq::new(seen),
            },
            authored_at: Instant::from_micros(0),
            effective_on: None,
            group: None,
            expect: Vec::new(),
            kind: "field_revised".to_owned(),
            schema_version: 1,
            must_understand: false,
            digests: Vec::new(),
            change,
        }
    }

    fn old(by: u8, seq: u64, position: u64, seen: u64, refused_from: u64) -> Old {
        let refused_from = (refused_from > 0)
            .then(|| Refused { event: EventId::default(), seq: DeviceSeq::new(refused_from) });
        Old { number: seq, body: body(by, seq, position, seen), values: Vec::new(), refused_from }
    }

    fn record(position: u64, by: u8, seq: u64, accepted: bool) -> Recorded {
        let entry = if accepted {
            let facts =
                Facts { recorded_on: CivilDate::FIRST, applies_on: None, equal_to: Vec::new(), first: None };
            Entry::Accepted { body: Box::new(body(by, seq, 0, 0)), facts }
        } else {
            Entry::Rejected(RejectedFacts {
                recorded_on: CivilDate::FIRST,
                device_id: device(by),
                device_seq: DeviceSeq::new(seq),
                base_epoch: EpochId::default(),
                reason: RejectionCode::new(2),
            })
        };
        Recorded {
            position: Position::new(position),
            recorded_at: Instant::from_micros(0),
            event_id: EventId::default(),
            body_hash: Digest::ZERO,
            entry,
        }
    }

    /// Position and number that the base of `old` names, written anew by device 1 after these records, with `placed` written
    /// anew before it under these numbers.
    fn base(old: &Old, by: u8, records: &[Recorded], placed: &[(u64, &Old)]) -> (u64, u64) {
        let epoch = EpochId::default();
        let mut since = Since { records: BTreeMap::new(), own: BTreeMap::new(), epoch };
        records.iter().for_each(|record| since.note(record, device(by)));
        if by != 1 {
            since.enrolled(DeviceSeq::new(1));
        }
        let placed: Vec<Placed<'_>> =
            placed.iter().map(|(seq, old)| Placed { seq: DeviceSeq::new(*seq), old }).collect();
        let base = since.base(old, device(by), &placed);
        (base.position.get(), base.seq.get())
    }

    #[test]
    fn a_rejected_edit_keeps_its_base_and_has_not_seen_what_its_device_wrote_later() {
        let stale = old(1, 5, 10, 4, 0);
        let later = [record(11, 1, 5, false), record(12, 2, 1, true), record(13, 1, 6, true)];
        // Numbers that hold rejections show nothing, so naming them claims nothing.
        assert_eq!(base(&stale, 1, &later, &[]), (10, 5));
    }

    #[test]
    fn edits_that_built_on_each_other_do_so_again() {
        let (first, second) = (old(1, 5, 10, 4, 0), old(1, 6, 10, 5, 0));
        let landed = [record(11, 1, 5, false), record(12, 1, 6, false)];
        assert_eq!(base(&first, 1, &landed, &[]), (10, 6));
        assert_eq!(base(&second, 1, &landed, &[(7, &first)]), (10, 7));
        // With an edit in between that neither had seen, naming the first would claim that one too.
        let between = [record(11, 1, 5, false), record(12, 1, 6, false), record(13, 1, 7, true)];
        assert_eq!(base(&second, 1, &between, &[(8, &first)]), (10, 6));
    }

    #[test]
    fn a_number_that_was_given_out_anew_is_not_what_the_author_had_seen() {
        // Numbers 5 and 6 were refused, and 5 is another edit now.
        let second = old(1, 6, 10, 5, 5);
        assert_eq!(base(&second, 1, &[record(11, 1, 5, true)], &[]), (10, 4));
        // Nothing was written in between: the first of the two stands under 5 again.
        let first = old(1, 5, 10, 4, 5);
        assert_eq!(base(&second, 1, &[], &[(5, &first)]), (10, 5));
        // What was refused another day under the same number is not what it had seen.
        let mut other = old(1, 5, 10, 4, 5);
        let event = EventId::from_slice(&[8; 16]).unwrap();
        other.refused_from = other.refused_from.map(|refused| Refused { event, ..refused });
        assert_eq!(base(&second, 1, &[], &[(5, &other)]), (10, 4));
    }

    #[test]
    fn a_new_device_has_seen_its_own_again_and_never_the_other_machine() {
        let (first, second) = (old(1, 7, 10, 6, 7), old(1, 8, 10, 7, 7));
        // Number 6 landed after the base and was in view; 7 is the other machine's.
        let landed = [record(11, 1, 6, true), record(12, 1, 7, true), record(13, 3, 1, true)];
        assert_eq!(base(&first, 2, &landed, &[]), (11, 1));
        assert_eq!(base(&second, 2, &landed, &[(2, &first)]), (11, 2));
        // Somebody else's record before it hides it: less is claimed, never more.
        let hidden = [record(11, 3, 1, true), record(12, 1, 6, true), record(13, 1, 7, true)];
        assert_eq!(base(&first, 2, &hidden, &[]), (10, 1));
        // What says nothing hides nothing.
        let silent = [record(11, 3, 1, false), record(12, 1, 6, true), record(13, 1, 7, true)];
        assert_eq!(base(&first, 2, &silent, &[]), (12, 1));
    }
}
