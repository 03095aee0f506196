//! What the rules say of an event: the facts it lands with, or why it is declined.
//!
//! The one writer asks this before it makes a record, a replica asks the same before it queues an event, and `verify`
//! asks it again of every record it holds. Who signed and in what sequence was settled before.

use std::collections::BTreeMap;

use crate::class;
use crate::event::{Base, Change, EventBody, NewValue, Standing};
use crate::field::FieldKey;
use crate::fold::{self, FieldWrite};
use crate::id::{DeviceSeq, EntityId, EventId, Position};
use crate::record::{Entry, Facts, First, Recorded};
use crate::register::{Content, Register, Write};
use crate::rejection::Rejection;
use crate::state::{EntityKind, State};
use crate::time::{CivilDate, Instant};
use crate::value::{Slot, ValueRef, Values};

/// How many sides a field may have.
pub const MAX_SIDES: usize = 64;

/// The version of the rules that this crate judges by.
pub const RULES: u32 = 1;

/// What judging looks up beside the state.
pub trait Past: Values {
    /// The accepted record of an event anywhere in the log; none when there is none.
    fn record(&self, event: EventId) -> Option<Recorded>;
}

/// Where and when the record is to stand.
#[derive(Clone, Copy, Debug)]
pub struct Landing {
    /// The record's position.
    pub position: Position,
    /// Its instant.
    pub recorded_at: Instant,
    /// The day of that instant in Europe/Stockholm.
    pub recorded_on: CivilDate,
    /// The day of the body's `authored_at` in Europe/Stockholm.
    pub authored_on: CivilDate,
    /// Where it stood before a restore, when that is proved.
    pub first: Option<First>,
}

/// Judges one event against the state before it.
///
/// `past` must also know the event's own values. Changes nothing; the same arguments give the same answer.
///
/// An event whose place before a restore is proved (`landing.first`) was judged there. It is declined only where something
/// that it names is missing or its kind is not in force; its facts are those of where it stands now.
///
/// # Errors
/// The rejection that the record is to keep.
pub fn judge(state: &State, past: &dyn Past, body: &EventBody, landing: Landing) -> Result<Facts, Rejection> {
    check_kind(state, body)?;
    if landing.first.is_none() {
        check_member(state, body)?;
    }
    check_targets(state, body)?;
    if landing.first.is_none() {
        check_point(state, body)?;
        check_expectations(state, body, landing.recorded_on)?;
        check_import(state, past, body)?;
    }
    let mut facts = Facts {
        recorded_on: landing.recorded_on,
        applies_on: None,
        equal_to: Vec::new(),
        first: landing.first,
    };
    let writes = fold::field_writes(body);
    if writes.is_empty() && body.effective_on.is_some() {
        return Err(Rejection::EffectiveDateUnfit { kind: body.kind.clone() });
    }
    let settled = settled(state, past, body, landing)?;
    if body.effective_on.is_none() && !writes.is_empty() {
        facts.applies_on = Some(applies_on(state, body, landing, &writes, &settled)?);
    }
    for write in &writes {
        if let Some(equal) = judge_write(state, past, body, landing, &facts, write)? {
            facts.equal_to.push((write.field, equal));
        }
    }
    Ok(facts)
}

fn check_kind(state: &State, body: &EventBody) -> Result<(), Rejection> {
    match &body.change {
        Change::Unknown => Err(Rejection::KindNotInForce { kind: body.kind.clone() }),
        Change::ProgramCreated { .. } if state.head() != Position::ZERO => {
            Err(Rejection::EntityExists { entity: body.program_id.into() })
        }
        change if state.head() == Position::ZERO && !matches!(change, Change::ProgramCreated { .. }) => {
            Err(denied("a log begins with a ProgramCreated"))
        }
        Change::ProgramCreated { .. } | Change::DeviceEnrolled { .. } if body.device_id.is_zero() => {
            Err(denied("the device id of zero bytes is the log's own"))
        }
        Change::RulesAdopted { .. } => {
            Err(denied("the rules are changed by the log's operator, not by a push"))
        }
        Change::EpochOpened { .. } => Err(denied("an epoch is opened by the log itself, not by a push")),
        _ => Ok(()),
    }
}

fn denied(what: &str) -> Rejection {
    Rejection::Denied { what: what.to_owned() }
}

fn check_member(state: &State, body: &EventBody) -> Result<(), Rejection> {
    let (member, org) = match &body.change {
        Change::ProgramCreated { .. } => return Ok(()),
        Change::DeviceEnrolled { device_id, member_id, org_id, .. } => {
            if *device_id != body.device_id || state.devices().contains_key(device_id) {
                return Err(denied("a device enrols itself, once"));
            }
            (*member_id, org_id)
        }
        _ => match state.devices().get(&body.device_id) {
            Some(device) => (device.member, &device.org),
            None => return Err(denied("the device is not enrolled")),
        },
    };
    if member != body.actor_id || *org != body.org_id {
        return Err(denied("the device was enrolled for another member or organisation"));
    }
    match &body.change {
        Change::DeviceEnrolled { .. } | Change::OrganisationAdmitted { .. } => Ok(()),
        Change::MemberAdmitted { member_id, org_id } => {
            if state.members().contains_key(member_id) {
                return Err(denied("the member was admitted before"));
            }
            if !state.organisations().contains_key(org_id) {
                return Err(Rejection::Denied {
                    what: format!("the organisation {org_id} has not been admitted"),
                });
            }
            Ok(())
        }
        _ => match state.members().get(&body.actor_id) {
            Some(member) if member.org == body.org_id => Ok(()),
            _ => Err(denied("the member has not been admitted")),
        },
    }
}

fn check_targets(state: &State, body: &EventBody) -> Result<(), Rejection> {
    if let Some(added) = fold::addition(body)
        && added.kind != EntityKind::Program
        && (state.entity(added.entity).is_some() || added.entity.is_zero())
    {
        return Err(Rejection::EntityExists { entity: added.entity });
    }
    match &body.change {
        Change::SubgoalAdded { subgoal, area, .. } => parent(state, *subgoal, EntityKind::Subgoal, *area),
        Change::ActivityAdded { activity, subgoal, responsible, lead, .. } => {
            parent(state, *activity, EntityKind::Activity, *subgoal)?;
            responsible.iter().chain(lead).try_for_each(|party| is(state, *party, EntityKind::Party))
        }
        Change::PartyAdded { organisation, .. } => {
            organisation.iter().try_for_each(|party| is(state, *party, EntityKind::Party))
        }
        Change::OrganisationAdmitted { party, .. } => {
            party.iter().try_for_each(|party| is(state, *party, EntityKind::Party))
        }
        Change::FieldRevised { entity, field, value } => {
            has(state, *entity, *field)?;
            if let NewValue::Party(party) = value { is(state, *party, EntityKind::Party) } else { Ok(()) }
        }
        Change::ResponsibleAssigned { activity, party }
        | Change::ResponsibleUnassigned { activity, party } => {
            is(state, *activity, EntityKind::Activity)?;
            is(state, *party, EntityKind::Party)
        }
        Change::Placed { entity, parent: to, .. } => {
            has(state, *entity, FieldKey::Place)?;
            let kind = state.entity(*entity).map(|entity| entity.kind);
            kind.map_or(Ok(()), |kind| parent(state, *entity, kind, *to))
        }
        Change::Retired { entity, merged_into } => {
            has(state, *entity, FieldKey::Life)?;
            let kind = state.entity(*entity).map_or(EntityKind::Program, |entity| entity.kind);
            merged_into.iter().try_for_each(|target| is(state, *target, kind))
        }
        Change::Restored { entity } => has(state, *entity, FieldKey::Life),
        Change::ConflictResolved { entity, field, stands, .. } => {
            has(state, *entity, *field)?;
            standing(state, *entity, *field, stands)
        }
        Change::ProgramCreated { .. }
        | Change::MemberAdmitted { .. }
        | Change::DeviceEnrolled { .. }
        | Change::AreaAdded { .. }
        | Change::SourceImported { .. }
        | Change::EpochOpened { .. }
        | Change::RulesAdopted { .. }
        | Change::BaselineSet { .. }
        | Change::Unknown => Ok(()),
    }
}

fn is(state: &State, id: EntityId, kind: EntityKind) -> Result<(), Rejection> {
    match state.entity(id) {
        Some(entity) if entity.kind == kind => Ok(()),
        _ => Err(Rejection::EntityMissing { what: kind.name(), entity: id }),
    }
}

fn has(state: &State, id: EntityId, field: FieldKey) -> Result<(), Rejection> {
    let entity = state.entity(id).ok_or(Rejection::EntityMissing { what: "entity", entity: id })?;
    if entity.kind.has(field) { Ok(()) } else { Err(Rejection::FieldUnfit { entity: id, field }) }
}

fn parent(state: &State, entity: EntityId, kind: EntityKind, to: EntityId) -> Result<(), Rejection> {
    let wanted = kind.parent().ok_or(Rejection::ParentUnfit { entity, parent: to })?;
    match state.entity(to) {
        None => Err(Rejection::EntityMissing { what: wanted.name(), entity: to }),
        Some(found) if found.kind == wanted => Ok(()),
        Some(_) => Err(Rejection::ParentUnfit { entity, parent: to }),
    }
}

/// Whether what a resolution lets stand is something that the field can say.
fn standing(state: &State, entity: EntityId, field: FieldKey, stands: &Standing) -> Result<(), Rejection> {
    let unfit = Err(Rejection::FieldUnfit { entity, field });
    match (field, stands) {
        (FieldKey::Place, Standing::Place { parent: to, .. }) => {
            let kind = state.entity(entity).map_or(EntityKind::Program, |entity| entity.kind);
            parent(state, entity, kind, *to)
        }
        (FieldKey::Life, Standing::Life { .. }) | (FieldKey::Responsible(_), Standing::Responsible(_)) => {
            Ok(())
        }
        (FieldKey::Lead | FieldKey::Organisation, Standing::Party(party)) => {
            is(state, *party, EntityKind::Party)
        }
        (FieldKey::Lead | FieldKey::Organisation, Standing::Cleared) => Ok(()),
        (_, Standing::Sealed | Standing::SealedIn(_) | Standing::Cleared) if field.slot().is_some() => Ok(()),
        _ => unfit,
    }
}

fn check_expectations(state: &State, body: &EventBody, today: CivilDate) -> Result<(), Rejection> {
    for expected in &body.expect {
        let register = state.register(expected.entity, expected.field);
        let mut current: Vec<EventId> = register
            .map(|register| register.sides(today, state.epochs()).iter().map(|side| side.event).collect())
            .unwrap_or_default();
        current.sort_unstable();
        if current != expected.sides {
            return Err(Rejection::Stale { entity: expected.entity, field: expected.field, current });
        }
    }
    Ok(())
}

/// A baseline names a record that the log has where it lands; what that said is then said for ever.
fn check_point(state: &State, body: &EventBody) -> Result<(), Rejection> {
    let Change::BaselineSet { epoch, position, .. } = &body.change else { return Ok(()) };
    let named = Base { epoch: *epoch, position: *position, seq: DeviceSeq::ZERO };
    let there = *position > Position::ZERO && *position <= state.head();
    if there && state.vouched(&named) == Some(*position) {
        return Ok(());
    }
    Err(Rejection::PointMissing { position: *position })
}

fn check_import(state: &State, past: &dyn Past, body: &EventBody) -> Result<(), Rejection> {
    if !matches!(body.change, Change::SourceImported { .. }) {
        return Ok(());
    }
    let own = past.bytes(ValueRef { event: body.event_id, slot: Slot::FILE_DIGEST });
    for import in state.imports() {
        if own.is_some() && past.bytes(import.digest) == own {
            return Err(Rejection::AlreadyImported { import: import.event });
        }
    }
    Ok(())
}

/// The writes that a resolution settles: kept ones from the state, older ones from the log. Each must be a write of the
/// field that the author had seen, and what stands must be what the taken one says.
fn settled(
    state: &State,
    past: &dyn Past,
    body: &EventBody,
    landing: Landing,
) -> Result<Vec<Write>, Rejection> {
    let Change::ConflictResolved { entity, field, settles, take, stands } = &body.change else {
        return Ok(Vec::new());
    };
    // Taking a side counts as having seen it, but not as having seen what it covers: a resolution that takes what its
    // author's view did not show would not be closed, and pruning leans on closed views.
    let own = Write { take: None, ..draft(state, body, landing, landing.recorded_on, Content::Cleared) };
    let mut found = Vec::new();
    for side in settles {
        let write = past_write(state, past, *side, *entity, *field);
        let write = write.filter(|write| own.has_seen(write, state.epochs()));
        let write = match write {
            Some(write) => write,
            // The side may be lost itself.
            None if landing.first.is_some() => continue,
            None => return Err(Rejection::SettlesUnseen { side: *side }),
        };
        if *take == Some(*side) && fold::standing_of(&write.content) != *stands {
            return Err(Rejection::FieldUnfit { entity: *entity, field: *field });
        }
        found.push(write);
    }
    Ok(found)
}

fn past_write(
    state: &State,
    past: &dyn Past,
    event: EventId,
    entity: EntityId,
    field: FieldKey,
) -> Option<Write> {
    let kept =
        state.register(entity, field).and_then(|r| r.writes().iter().find(|write| write.event == event));
    if let Some(kept) = kept {
        return Some(kept.clone());
    }
    let record = past.record(event)?;
    let Entry::Accepted { body, facts } = &record.entry else { return None };
    let written = fold::field_writes(body).into_iter().find(|w| w.entity == entity && w.field == field)?;
    Some(fold::write_of(&record, body, facts, written.content, body.device_seq))
}

/// The event's write of a field as it would stand at `date`.
fn draft(state: &State, body: &EventBody, landing: Landing, date: CivilDate, content: Content) -> Write {
    let take = if let Change::ConflictResolved { take, .. } = &body.change { *take } else { None };
    Write {
        event: body.event_id,
        position: landing.position,
        class: body.event_id,
        date,
        base: body.base,
        device: body.device_id,
        device_seq: body.device_seq,
        chain_from: state.chain_from(body.device_id, body.device_seq),
        first: landing.first,
        take,
        content,
        recorded_at: landing.recorded_at,
        authored_at: body.authored_at,
    }
}

/// The date of an event that states none: a resolution's is that of the latest side it settles; otherwise the earlier of
/// the days of writing and recording, but never before what its author had seen of the field.
fn applies_on(
    state: &State,
    body: &EventBody,
    landing: Landing,
    writes: &[FieldWrite],
    settled: &[Write],
) -> Result<CivilDate, Rejection> {
    if let Some(latest) = settled.iter().map(|write| write.date).max() {
        return Ok(latest);
    }
    let mut date = landing.authored_on.min(landing.recorded_on);
    for write in writes {
        let Some(register) = state.register(write.entity, write.field) else { continue };
        let own = draft(state, body, landing, landing.recorded_on, Content::Cleared);
        let sides = register.sides(landing.recorded_on, state.epochs());
        let seen = sides.into_iter().filter(|side| own.has_seen(side, state.epochs())).map(|side| side.date);
        // A proved event needed no date where it was judged: what is dated later now was not there then.
        let seen = seen.filter(|date| landing.first.is_none() || *date <= landing.recorded_on);
        if let Some(latest) = seen.max() {
            if latest > landing.recorded_on {
                return Err(Rejection::DateNeeded { entity: write.entity, field: write.field, latest });
            }
            date = date.max(latest);
        }
    }
    Ok(date)
}

/// The earliest kept write that says the same, after the limit on sides was checked.
fn judge_write(
    state: &State,
    past: &dyn Past,
    body: &EventBody,
    landing: Landing,
    facts: &Facts,
    write: &FieldWrite,
) -> Result<Option<EventId>, Rejection> {
    let Some(register) = state.register(write.entity, write.field) else { return Ok(None) };
    let sides = register.sides(landing.recorded_on, state.epochs());
    let date = body.effective_on.or(facts.applies_on).unwrap_or(facts.recorded_on);
    if sides.len() >= MAX_SIDES && landing.first.is_none() {
        let mut after = Register::default();
        for side in &sides {
            after.push((*side).clone());
        }
        after.push(draft(state, body, landing, date, write.content.clone()));
        if after.sides(landing.recorded_on, state.epochs()).len() > MAX_SIDES {
            return Err(Rejection::TooManySides {
                entity: write.entity,
                field: write.field,
                limit: MAX_SIDES,
            });
        }
    }
    let equal = sides.iter().find(|side| class::equal(write.field, &side.content, &write.content, past));
    Ok(equal.map(|side| side.event))
}

/// What judging needs, held in memory: the records of a log by event and their values. For replicas' outboxes and tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryPast {
    /// The values.
    pub values: crate::value::ValueMap,
    /// The accepted records.
    pub records: BTreeMap<EventId, Recorded>,
}

impl Values for MemoryPast {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        self.values.bytes(at)
    }
}

impl Past for MemoryPast {
    fn record(&self, event: EventId) -> Option<Recorded> {
        self.records.get(&event).cloned()
    }
}
