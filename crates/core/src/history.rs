//! What each record changed: before, after, who, when, and whether it opened or settled a conflict.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::field::FieldKey;
use crate::fold;
use crate::id::{DeviceId, EntityId, EventId, MemberId, OrgId, Position};
use crate::record::{Entry, Recorded};
use crate::register::{Content, Write, conflict_id};
use crate::state::State;
use crate::time::{CivilDate, Instant};

/// Which day a change is told for: what was shown for it before, and what is from then on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// The day on which its record was made: what readers saw change.
    #[default]
    AsRecorded,
    /// The day from which it applies. The state has to keep every write.
    AsApplied,
    /// One day for all changes. The state has to keep every write.
    For(CivilDate),
}

/// One field, changed by one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The event.
    pub event: EventId,
    /// Its place in the log.
    pub position: Position,
    /// The kind of change.
    pub kind: String,
    /// The entity.
    pub entity: EntityId,
    /// The field.
    pub field: FieldKey,
    /// What was shown before.
    pub before: Option<Content>,
    /// What is shown from then on.
    pub after: Option<Content>,
    /// What the event itself says.
    pub written: Content,
    /// Who.
    pub member: MemberId,
    /// For which organisation.
    pub org: OrgId,
    /// On which device.
    pub device: DeviceId,
    /// When the device says it was written.
    pub authored_at: Instant,
    /// When the log took it.
    pub recorded_at: Instant,
    /// From which day it applies.
    pub applies_on: CivilDate,
    /// Whether the field was in conflict before.
    pub conflict_before: bool,
    /// Whether the field is in conflict from then on.
    pub conflict_after: bool,
}

/// Applies `record` to `state` and says what it changed, field by field.
pub fn step(state: &mut State, record: &Recorded) -> Vec<FieldChange> {
    step_told(state, record, Told::AsRecorded)
}

/// Applies `record` to `state` and says what it changed for the day that `told` names, field by field.
pub fn step_told(state: &mut State, record: &Recorded, told: Told) -> Vec<FieldChange> {
    let Entry::Accepted { body, facts } = &record.entry else {
        state.apply(record);
        return Vec::new();
    };
    let today = facts.recorded_on;
    let applies_on = body.effective_on.or(facts.applies_on).unwrap_or(today);
    let day = match told {
        Told::AsRecorded => today,
        Told::AsApplied => applies_on,
        Told::For(day) => day,
    };
    let writes = fold::field_writes(body);
    let look = |state: &State, entity, field| {
        let register = state.register(entity, field)?;
        let shown = register.shown_at(day, state.epochs()).map(|write| write.content.clone());
        let conflict = if day < today {
            register.conflict_at(day, state.epochs())
        } else {
            register.in_conflict(day, state.epochs())
        };
        Some((shown, conflict))
    };
    let before: Vec<_> = writes.iter().map(|w| look(state, w.entity, w.field).unwrap_or_default()).collect();
    state.apply(record);
    let mut changes = Vec::new();
    for (write, (before, conflict_before)) in writes.into_iter().zip(before) {
        let Some((after, conflict_after)) = look(state, write.entity, write.field) else { continue };
        changes.push(FieldChange {
            event: body.event_id,
            position: record.position,
            kind: body.kind.clone(),
            entity: write.entity,
            field: write.field,
            before,
            after,
            written: write.content,
            member: body.actor_id,
            org: body.org_id.clone(),
            device: body.device_id,
            authored_at: body.authored_at,
            recorded_at: record.recorded_at,
            applies_on,
            conflict_before,
            conflict_after,
        });
    }
    changes
}

/// A conflict that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which it was.
    pub id: Digest,
    /// The entity.
    pub entity: EntityId,
    /// The field.
    pub field: FieldKey,
    /// The day on which it ended.
    pub on: CivilDate,
    /// The change that ended it; none where a value came to apply on that day. Where the field is in conflict after the change all the
    /// same, it is another conflict, with other sides.
    pub by: Option<FieldChange>,
}

/// The open conflicts while a log is walked, so that it shows what ended each.
#[derive(Clone, Debug)]
pub struct Contests {
    open: BTreeMap<(EntityId, FieldKey), Digest>,
    day: Option<CivilDate>,
}

impl Contests {
    /// Begins with the conflicts of `state`.
    pub fn begin(state: &State) -> Self {
        let day = state.today();
        let open = day.map_or_else(BTreeMap::new, |day| open_on(state, day));
        Self { open, day }
    }

    /// The ids of those that are open, by entity and field.
    pub fn open(&self) -> Vec<Digest> {
        self.open.values().copied().collect()
    }

    /// Goes on to a day that is not before the last, and says which conflicts were over by then because a value had come to apply.
    pub fn turn_to(&mut self, state: &State, day: CivilDate) -> Vec<Ended> {
        if self.day.replace(day) == Some(day) {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.open, open_on(state, day));
        let over = before.into_iter().filter(|(key, id)| self.open.get(key) != Some(id));
        over.map(|((entity, field), id)| Ended { id, entity, field, on: day, by: None }).collect()
    }

    /// Applies `record` to `state`, and says which conflicts it ended, or its day did.
    pub fn step(&mut self, state: &mut State, record: &Recorded) -> Vec<Ended> {
        let today = record.recorded_on();
        let mut ended = self.turn_to(state, today);
        for change in step(state, record) {
            let (entity, field) = (change.entity, change.field);
            let notice_only = matches!(field, FieldKey::Responsible(_));
            let sides = state.register(entity, field).filter(|_| change.conflict_after && !notice_only);
            let now =
                sides.map(|register| conflict_id(entity, field, &register.sides(today, state.epochs())));
            let before = match now {
                Some(id) => self.open.insert((entity, field), id),
                None => self.open.remove(&(entity, field)),
            };
            let over = before.filter(|id| Some(*id) != now);
            ended.extend(over.map(|id| Ended { id, entity, field, on: today, by: Some(change) }));
        }
        ended
    }
}

fn open_on(state: &State, day: CivilDate) -> BTreeMap<(EntityId, FieldKey), Digest> {
    let open = state.conflicts_at(day).into_iter();
    open.map(|(entity, field, sides)| ((entity, field), conflict_id(entity, field, &sides))).collect()
}

/// One field of the programme and the write that it shows.
#[derive(Clone, Debug)]
pub struct BlameLine<'a> {
    /// The entity.
    pub entity: EntityId,
    /// The field.
    pub field: FieldKey,
    /// The side that is shown.
    pub shown: &'a Write,
    /// Whether the field is in conflict.
    pub in_conflict: bool,
}

/// Who wrote what `entity` shows on `day`: read from the state, never from a walk along the log.
pub fn blame(state: &State, entity: EntityId, day: CivilDate) -> Vec<BlameLine<'_>> {
    let Some(found) = state.entity(entity) else { return Vec::new() };
    let mut lines = Vec::new();
    for (field, register) in &found.fields {
        if let Some(shown) = register.shown_at(day, state.epochs()) {
            let in_conflict = register.conflict_at(day, state.epochs());
            lines.push(BlameLine { entity, field: *field, shown, in_conflict });
        }
    }
    lines
}
