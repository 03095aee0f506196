//! The referee: reads a whole log and says from the envelopes alone which writes must still stand.
//!
//! It shares no code with the fold, its registers or their pruning, and is as slow as the model read aloud: every write of a
//! field against every other, for every day. Whatever was folded is compared with it.

use std::collections::{BTreeMap, BTreeSet};

use radslag_core::event::{Base, Change, EventBody};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EpochId, EventId, Position};
use radslag_core::record::{Entry, Facts, Recorded};
use radslag_core::state::State;
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;

/// A field of an entity.
pub type Key = (EntityId, FieldKey);
/// The events whose writes stand, by field. A field that was never written is absent.
pub type Sides = BTreeMap<Key, BTreeSet<EventId>>;

/// A write that stands by the envelopes and not in what was folded, or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    /// The entity.
    pub entity: EntityId,
    /// The field.
    pub field: FieldKey,
    /// The write.
    pub event: EventId,
    /// Which way round.
    pub how: How,
}

/// What is wrong with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// No later write had seen it, and the folded state does not have it.
    Lost,
    /// A later write had seen it and stands for it, and the folded state still shows it as a side.
    Undead,
}

/// The sides of every field from `day` on: the writes that stand on that day or on a later day that a write carries.
pub fn sides(records: &[Recorded], day: CivilDate) -> Sides {
    standing(records, |lines| {
        let later = lines.iter().map(|line| line.date).filter(|date| *date > day);
        later.chain([day]).collect()
    })
}

/// The sides of every field on exactly that day.
pub fn sides_on(records: &[Recorded], day: CivilDate) -> Sides {
    standing(records, |_| BTreeSet::from([day]))
}

/// What a folded state does not have and should, and what it has and should not. The state is that of all `records`;
/// both ways of keeping (`Keep`) are understood. Empty for a log without records.
pub fn lost_writes(records: &[Recorded], state: &State) -> Vec<Wrong> {
    let Some(today) = records.last().map(Recorded::recorded_on) else { return Vec::new() };
    let expected = sides(records, today);
    let mut found: Sides = BTreeMap::new();
    for (entity, held) in state.entities() {
        for (field, register) in &held.fields {
            let stand = register.sides(today, state.epochs());
            let stand: BTreeSet<EventId> = stand.into_iter().map(|side| side.event).collect();
            if !stand.is_empty() {
                found.insert((entity, *field), stand);
            }
        }
    }
    let mut wrong = Vec::new();
    for key in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        let none = BTreeSet::new();
        let (should, does) = (expected.get(key).unwrap_or(&none), found.get(key).unwrap_or(&none));
        let name = |how| move |event: &EventId| Wrong { entity: key.0, field: key.1, event: *event, how };
        wrong.extend(should.difference(does).map(name(How::Lost)));
        wrong.extend(does.difference(should).map(name(How::Undead)));
    }
    wrong
}

/// The fields in conflict from `day` on, with their sides. Responsibility is left out: there a disagreement is a notice.
pub fn conflicts(records: &[Recorded], day: CivilDate) -> Sides {
    let log = Log::read(records);
    let mut found = sides(records, day);
    found.retain(|key, _| {
        let lines = &log.lines[key];
        let days = lines.iter().map(|line| line.date).filter(|date| *date > day).chain([day]);
        !matches!(key.1, FieldKey::Responsible(_)) && days.into_iter().any(|day| log.disagree(lines, day))
    });
    found
}

/// How many writes later ones have not seen, although they stand for the same field and are dated on or after them: what a
/// log where the last writer wins would have dropped without a word.
pub fn last_writer_would_drop(records: &[Recorded]) -> usize {
    let log = Log::read(records);
    let mut dropped = 0;
    for lines in log.lines.values() {
        for (index, line) in lines.iter().enumerate() {
            let next = lines[index + 1..].iter().find(|later| later.date >= line.date);
            dropped += usize::from(next.is_some_and(|later| !log.has_seen(later, line)));
        }
    }
    dropped
}

fn standing(records: &[Recorded], days: impl Fn(&[Line<'_>]) -> BTreeSet<CivilDate>) -> Sides {
    let log = Log::read(records);
    let mut found = BTreeMap::new();
    for (key, lines) in &log.lines {
        let mut stand = BTreeSet::new();
        for day in days(lines) {
            stand.extend(log.uncovered(lines, day).map(|line| line.body.event_id));
        }
        if !stand.is_empty() {
            found.insert(*key, stand);
        }
    }
    found
}

/// One accepted write of a field.
struct Line<'a> {
    position: Position,
    date: CivilDate,
    /// The first of the writes in a row that say the same.
    class: EventId,
    body: &'a EventBody,
    facts: &'a Facts,
}

/// Everything that was accepted, by field, and the restores.
struct Log<'a> {
    lines: BTreeMap<Key, Vec<Line<'a>>>,
    epochs: Vec<(EpochId, Position)>,
}

impl<'a> Log<'a> {
    fn read(records: &'a [Recorded]) -> Self {
        let mut log = Self { lines: BTreeMap::new(), epochs: Vec::new() };
        for record in records {
            let Entry::Accepted { body, facts } = &record.entry else { continue };
            if let Change::EpochOpened { epoch_id, cut_position, .. } = &body.change {
                log.epochs.push((*epoch_id, *cut_position));
            }
            for key in written(body) {
                let lines = log.lines.entry(key).or_default();
                let equal = facts.equal_to.iter().find(|(field, _)| *field == key.1).map(|(_, event)| *event);
                let equal = lines.iter().find(|line| Some(line.body.event_id) == equal);
                let class = equal.map_or(body.event_id, |line| line.class);
                let date = body.effective_on.or(facts.applies_on).unwrap_or(facts.recorded_on);
                lines.push(Line { position: record.position, date, class, body, facts });
            }
        }
        log
    }

    /// The position that a base still vouches for, after the restores that came later.
    fn vouched(&self, base: &Base) -> Position {
        let first_life = base.epoch.is_zero();
        let Some(opened) =
            self.epochs.iter().position(|(id, _)| *id == base.epoch).or(first_life.then_some(0))
        else {
            return Position::ZERO;
        };
        let later = &self.epochs[if first_life { 0 } else { opened + 1 }..];
        later.iter().map(|(_, cut)| *cut).chain([base.position]).min().unwrap_or(base.position)
    }

    /// Whether the author of `by` had `other` in view: it was confirmed by then, it was their device's own, it was
    /// confirmed in an earlier life of the log, or they chose it by name.
    fn has_seen(&self, by: &Line<'_>, other: &Line<'_>) -> bool {
        let base = &by.body.base;
        let own = by.body.device_id == other.body.device_id && other.body.device_seq <= base.seq;
        let earlier_life = other
            .facts
            .first
            .is_some_and(|first| first.epoch == base.epoch && first.position <= base.position);
        let chosen = matches!(&by.body.change, Change::ConflictResolved { take, .. } if *take == Some(other.body.event_id));
        other.position <= self.vouched(base) || own || earlier_life || chosen
    }

    fn uncovered<'l>(&'l self, lines: &'l [Line<'a>], day: CivilDate) -> impl Iterator<Item = &'l Line<'a>> {
        let in_force = move |line: &&Line<'_>| line.date <= day;
        lines.iter().filter(in_force).filter(move |line| {
            let mut others = lines.iter().filter(in_force);
            !others.any(|other| {
                other.body.event_id != line.body.event_id
                    && other.date >= line.date
                    && self.has_seen(other, line)
            })
        })
    }

    fn disagree(&self, lines: &[Line<'a>], day: CivilDate) -> bool {
        let stand: Vec<_> = self.uncovered(lines, day).collect();
        stand.iter().enumerate().any(|(index, one)| {
            stand[..index]
                .iter()
                .any(|two| one.class != two.class && !self.has_seen(one, two) && !self.has_seen(two, one))
        })
    }
}

/// The fields that an event writes, by what it says it did.
fn written(body: &EventBody) -> BTreeSet<Key> {
    let carried = |entity: EntityId| {
        let texts = [
            (Slot::TITLE, FieldKey::Title),
            (Slot::GOAL, FieldKey::Goal),
            (Slot::COMMENT, FieldKey::Comment),
            (Slot::TIME, FieldKey::Time),
            (Slot::COST, FieldKey::Cost),
            (Slot::NAME, FieldKey::Name),
        ];
        let there = texts.into_iter().filter(|(slot, _)| body.digest(*slot).is_some());
        there.map(move |(_, field)| (entity, field))
    };
    match &body.change {
        Change::ProgramCreated { .. } => carried(body.program_id.into()).collect(),
        Change::AreaAdded { area: added, .. } | Change::SubgoalAdded { subgoal: added, .. } => {
            carried(*added).chain([(*added, FieldKey::Place), (*added, FieldKey::Life)]).collect()
        }
        Change::ActivityAdded { activity, responsible, lead, .. } => {
            let assigned = responsible.iter().map(|party| (*activity, FieldKey::Responsible(*party)));
            let lead = lead.map(|_| (*activity, FieldKey::Lead));
            let always = [(*activity, FieldKey::Place), (*activity, FieldKey::Life)];
            carried(*activity).chain(assigned).chain(lead).chain(always).collect()
        }
        Change::PartyAdded { party, organisation, .. } => {
            let belongs = organisation.map(|_| (*party, FieldKey::Organisation));
            carried(*party).chain(belongs).chain([(*party, FieldKey::Life)]).collect()
        }
        Change::FieldRevised { entity, field, .. } | Change::ConflictResolved { entity, field, .. } => {
            BTreeSet::from([(*entity, *field)])
        }
        Change::ResponsibleAssigned { activity, party }
        | Change::ResponsibleUnassigned { activity, party } => {
            BTreeSet::from([(*activity, FieldKey::Responsible(*party))])
        }
        Change::Placed { entity, .. } => BTreeSet::from([(*entity, FieldKey::Place)]),
        Change::Retired { entity, .. } | Change::Restored { entity } => {
            BTreeSet::from([(*entity, FieldKey::Life)])
        }
        Change::OrganisationAdmitted { .. }
        | Change::MemberAdmitted { .. }
        | Change::DeviceEnrolled { .. }
        | Change::SourceImported { .. }
        | Change::EpochOpened { .. }
        | Change::RulesAdopted { .. }
        | Change::BaselineSet { .. }
        | Change::Unknown => BTreeSet::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]
mod tests;
