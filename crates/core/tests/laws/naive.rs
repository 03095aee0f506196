//! The model read literally: filter the records, compare every write with every other, pick the greatest. Slow, short,
//! and without a line of the fold's registers.

use std::collections::BTreeMap;

use radslag_core::event::{Base, Change, EventBody};
use radslag_core::field::FieldKey;
use radslag_core::fold;
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, EpochId, EventId, Position};
use radslag_core::record::{Entry, Facts, Recorded};
use radslag_core::register::Content;
use radslag_core::time::CivilDate;
use radslag_core::value::Values;

use super::history::canonical;

pub(crate) type Key = (EntityId, FieldKey);

/// One accepted write.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) event: EventId,
    pub(crate) position: Position,
    pub(crate) date: CivilDate,
    pub(crate) class: EventId,
    pub(crate) content: Content,
    pub(crate) body: &'a EventBody,
    pub(crate) facts: &'a Facts,
}

/// A log up to some position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naive<'a> {
    pub(crate) epochs: Vec<(EpochId, Position)>,
    pub(crate) numbers: Vec<(Position, DeviceId, DeviceSeq)>,
    pub(crate) writes: BTreeMap<Key, Vec<Line<'a>>>,
}

impl<'a> Naive<'a> {
    pub(crate) fn new(log: &'a [Recorded]) -> Self {
        let mut naive = Self::default();
        for record in log {
            let (device, seq) = match &record.entry {
                Entry::Accepted { body, .. } => (body.device_id, body.device_seq),
                Entry::Rejected(facts) => (facts.device_id, facts.device_seq),
            };
            naive.numbers.push((record.position, device, seq));
            let Entry::Accepted { body, facts } = &record.entry else { continue };
            if let Change::EpochOpened { epoch_id, cut_position, .. } = &body.change {
                naive.epochs.push((*epoch_id, *cut_position));
            }
            for write in fold::field_writes(body) {
                let lines = naive.writes.entry((write.entity, write.field)).or_default();
                let equal = facts.equal_to.iter().find(|(field, _)| *field == write.field);
                let equal = equal.map(|(_, event)| lines.iter().find(|line| line.event == *event).unwrap());
                lines.push(Line {
                    event: body.event_id,
                    position: record.position,
                    date: body.effective_on.or(facts.applies_on).unwrap(),
                    class: equal.map_or(body.event_id, |line| line.class),
                    content: write.content,
                    body,
                    facts,
                });
            }
        }
        naive
    }

    /// The position that a base still vouches for.
    fn clamp(&self, base: &Base) -> Position {
        let known = base.epoch.is_zero() || self.epochs.iter().any(|(id, _)| *id == base.epoch);
        let mut later = base.epoch.is_zero();
        let mut least = if known { base.position } else { Position::ZERO };
        for (id, cut) in &self.epochs {
            if later {
                least = least.min(*cut);
            }
            later = later || *id == base.epoch;
        }
        least
    }

    /// From which of its device's numbers on there is no gap before an event at `at`.
    fn chain_from(&self, by: &EventBody, at: Position) -> DeviceSeq {
        let (mut from, mut last) = (DeviceSeq::new(1), DeviceSeq::ZERO);
        let before =
            self.numbers.iter().filter(|(position, device, _)| *position < at && *device == by.device_id);
        for seq in before.map(|(_, _, seq)| *seq).chain([by.device_seq]) {
            if seq > last.next() || seq == by.device_seq && seq <= last {
                from = seq;
            }
            last = last.max(seq);
        }
        from
    }

    /// Decision 2 of the design: what `by`, which stands at `at`, had seen.
    pub(crate) fn has_seen(&self, by: &EventBody, at: Position, other: &Line<'_>) -> bool {
        let takes = match &by.change {
            Change::ConflictResolved { take, .. } => *take == Some(other.event),
            _ => false,
        };
        let known = by.base.epoch.is_zero() || self.epochs.iter().any(|(id, _)| *id == by.base.epoch);
        let seen = other.position <= self.clamp(&by.base)
            || (other.body.device_id == by.device_id
                && other.body.device_seq <= by.base.seq
                && other.body.device_seq >= self.chain_from(by, at))
            || other.facts.first.is_some_and(|f| f.epoch == by.base.epoch && f.position <= by.base.position);
        known && seen && other.position < at || takes
    }

    pub(crate) fn covers(&self, by: &Line<'_>, other: &Line<'_>) -> bool {
        by.event != other.event && by.date >= other.date && self.has_seen(by.body, by.position, other)
    }

    pub(crate) fn sides(&self, key: Key, day: CivilDate) -> Vec<&Line<'a>> {
        let lines = self.writes.get(&key).map(Vec::as_slice).unwrap_or_default();
        let in_force: Vec<&Line<'a>> = lines.iter().filter(|line| line.date <= day).collect();
        in_force.iter().filter(|f| !in_force.iter().any(|e| self.covers(e, f))).copied().collect()
    }

    pub(crate) fn shown(&self, key: Key, day: CivilDate) -> Option<EventId> {
        self.sides(key, day).into_iter().max_by_key(|side| (side.date, side.position)).map(|side| side.event)
    }

    pub(crate) fn conflict(&self, key: Key, day: CivilDate) -> bool {
        let sides = self.sides(key, day);
        sides.iter().any(|a| {
            let unseen = |a: &Line<'_>, b: &Line<'_>| !self.has_seen(a.body, a.position, b);
            sides.iter().any(|b| a.class != b.class && unseen(a, b) && unseen(b, a))
        })
    }

    /// The sides of today and of every later day that a write carries, by position.
    pub(crate) fn kept(&self, key: Key, today: CivilDate) -> Vec<&Line<'a>> {
        let later = self.writes[&key].iter().map(|line| line.date).filter(|date| *date > today);
        let mut kept: BTreeMap<Position, &Line<'a>> = BTreeMap::new();
        for day in later.chain([today]) {
            kept.extend(self.sides(key, day).into_iter().map(|side| (side.position, side)));
        }
        kept.into_values().collect()
    }
}

/// Whether two contents say the same, by the list of texts that the histories write.
pub(crate) fn same(one: &Content, two: &Content, values: &dyn Values) -> bool {
    match (one, two) {
        (Content::Sealed(a), Content::Sealed(b)) => {
            canonical(&values.bytes(*a).unwrap()) == canonical(&values.bytes(*b).unwrap())
        }
        (Content::Place { parent: a, .. }, Content::Place { parent: b, .. }) => a == b,
        (Content::Cleared, Content::Cleared) => true,
        (Content::Party(a), Content::Party(b)) => a == b,
        (Content::Responsible(a), Content::Responsible(b)) => a == b,
        (
            Content::Life { retired: a, merged_into: into_a },
            Content::Life { retired: b, merged_into: into_b },
        ) => a == b && into_a == into_b,
        _ => false,
    }
}
