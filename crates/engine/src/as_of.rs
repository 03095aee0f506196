//! A programme at a point on both clocks, at a cost that does not grow with the log: a binary search for the position, the nearest
//! folded state on disk, a bounded tail, and for an earlier day what was recorded of it since.

use std::collections::{BTreeMap, BTreeSet};

use radslag_core::as_of::{AsOf, Mark, Recorded as Point, last_position};
use radslag_core::field::FieldKey;
use radslag_core::fold;
use radslag_core::id::{EntityId, Position, ProgramId};
use radslag_core::record::{Entry, Recorded};
use radslag_core::register::{Content, Register, Write};
use radslag_core::state::{EntityKind, Keep, State};
use radslag_core::time::CivilDate;
use radslag_log::{EventLog, ReadLimit};

use crate::caches::journal::{Backdated, backdated};
use crate::caches::lookup::place_of;
use crate::caches::{chunk, shelf};
use crate::ledger::{Ledger, LedgerError, forged, read_record};
use crate::read::{Reading, fold_until, walk};
use crate::trail::everything_of;

/// Up to so many entities are put back one by one; more of them are had by folding the log.
const ONE_BY_ONE: usize = 256;

/// Whoever holds a ledger that others may be changing: it is looked at for moments, never while a store is read.
pub trait Look {
    /// Looks.
    fn look<T>(&self, ask: impl FnOnce(&Ledger) -> T) -> T;
}

impl<L: Look> Look for &L {
    fn look<T>(&self, ask: impl FnOnce(&Ledger) -> T) -> T {
        (*self).look(ask)
    }
}

impl Look for Ledger {
    fn look<T>(&self, ask: impl FnOnce(&Ledger) -> T) -> T {
        ask(self)
    }
}

/// One record.
///
/// # Errors
/// The store does not answer, or has no such record.
pub fn record_at(log: &dyn EventLog, program: ProgramId, at: Position) -> Result<Recorded, LedgerError> {
    let read = log.read(program, at, ReadLimit { records: 1, bytes: 0 })?;
    let stored = read.first().filter(|stored| stored.position == at.get());
    read_record(stored.ok_or_else(|| forged(at, "the record is missing"))?)
}

/// The last record between `begin` and `head` of which `includes` is true; it is true of those before it. `begin` itself counts as
/// included.
fn last_included(
    log: &dyn EventLog,
    program: ProgramId,
    begin: Position,
    head: Position,
    includes: impl Fn(&Recorded) -> bool,
) -> Result<Position, LedgerError> {
    let (mut included, mut after) = (begin, head.next());
    while included.next() < after {
        let middle = Position::new(included.get().midpoint(after.get()));
        if includes(&record_at(log, program, middle)?) {
            included = middle;
        } else {
            after = middle;
        }
    }
    Ok(included)
}

/// The position that a point stands for in a log that ends at `head`, never inside a group where it is a time. A log that begins
/// after `begin` is not looked at before that.
///
/// # Errors
/// The store does not answer.
pub fn position_at(
    log: &dyn EventLog,
    program: ProgramId,
    begin: Position,
    head: Position,
    point: Point,
) -> Result<Position, LedgerError> {
    let found = match point {
        Point::Head => return Ok(head),
        Point::Position(position) => return Ok(position.min(head)),
        Point::Instant(instant) => {
            last_included(log, program, begin, head, |record| record.recorded_at <= instant)?
        }
        Point::Day(day) => last_included(log, program, begin, head, |record| record.recorded_on() <= day)?,
    };
    if found == begin {
        return Ok(begin);
    }
    // The rule about groups is the domain's.
    let record = record_at(log, program, found)?;
    Ok(last_position(point, &[mark(&record)]))
}

/// What finding a point reads of a record.
pub(crate) fn mark(record: &Recorded) -> Mark {
    let group = record.body().and_then(|body| body.group);
    let at = record.position.get();
    Mark {
        position: record.position,
        recorded_at: record.recorded_at,
        recorded_on: record.recorded_on(),
        group_start: group.map(|group| Position::new(at.saturating_sub(u64::from(group.index)))),
        group_end: group.map(|group| Position::new(at + u64::from(group.size - 1 - group.index))),
    }
}

/// The folded state at a position that is not after the head: the nearest one on disk and the records after it. One on disk that
/// does not read is passed over and made anew on the way.
///
/// # Errors
/// The store does not answer.
pub fn state_at(log: &dyn EventLog, ledger: &impl Look, at: Position) -> Result<State, LedgerError> {
    let head = ledger.look(|ledger| (ledger.state.head() <= at).then(|| ledger.state.clone()));
    if let Some(head) = head {
        return Ok(head);
    }
    let program = ledger.look(|ledger| ledger.state.program_id());
    let (mut below, mut bad) = (at, Vec::new());
    let mut state = loop {
        let nearest = ledger.look(|ledger| {
            let shelf = &ledger.journal.as_ref()?.shelf;
            shelf.states.range(..=below).next_back().map(|(_, kept)| kept.clone())
        });
        let Some(kept) = nearest else { break State::new(program, Keep::Sides) };
        if let Some(state) = shelf::take_state(log, program, &kept)? {
            break state;
        }
        tracing::warn!(%program, position = %kept.position, "a folded state does not read and is made anew");
        bad.push(kept.position);
        below = kept.position.previous();
    };
    let mut anew = Vec::new();
    walk(log, program, state.head().next(), at, |record| {
        state.apply(&record);
        if bad.contains(&record.position) {
            anew.push(state.clone());
        }
    })?;
    for state in anew {
        if let Err(error) = shelf::put_state(log, &state) {
            tracing::warn!(%program, %error, "a folded state could not be kept");
        }
    }
    Ok(state)
}

/// A programme at a point on both clocks; a position after the head is the head.
///
/// # Errors
/// The store does not answer.
pub fn read_at(log: &dyn EventLog, ledger: &impl Look, at: AsOf) -> Result<Reading, LedgerError> {
    let (program, head) = ledger.look(|ledger| (ledger.state.program_id(), ledger.state.head()));
    let position = position_at(log, program, Position::ZERO, head, at.recorded)?;
    let mut state = state_at(log, ledger, position)?;
    let day = at.effective.or(state.today());
    if let Some(day) = day {
        recall(log, ledger, &mut state, day)?;
    }
    Ok(Reading { day, state })
}

/// Puts back what a state has dropped and a reader of `day` would see.
fn recall(
    log: &dyn EventLog,
    ledger: &impl Look,
    state: &mut State,
    day: CivilDate,
) -> Result<(), LedgerError> {
    let (program, upto) = (state.program_id(), state.head());
    if state.today().is_some_and(|today| day < today) {
        let end = last_included(log, program, Position::ZERO, upto, |record| record.recorded_on() <= day)?;
        let then = state_at(log, ledger, end)?;
        for (entity, held) in then.entities() {
            for (field, register) in &held.fields {
                state.recall(entity, *field, register.writes());
            }
        }
        let mut since: BTreeMap<(EntityId, FieldKey), Vec<Write>> = BTreeMap::new();
        for one in backdated_between(log, ledger, end, upto, day)? {
            since.entry((one.entity, one.field)).or_default().push(one.write);
        }
        for ((entity, field), writes) in since {
            state.recall(entity, field, &writes);
        }
        let coming = not_yet_in_force(state, day);
        if coming.len() > ONE_BY_ONE {
            *state = fold_until(log, program, upto, Point::Position(upto))?.0;
            return Ok(());
        }
        for entity in &coming {
            recall_whole(log, ledger, state, *entity, upto)?;
        }
        for party in named_by(state, &coming) {
            recall_whole(log, ledger, state, party, upto)?;
        }
    }
    recall_first_places(log, ledger, state, day)
}

/// Puts back everything that a state has dropped of one entity, up to a record.
///
/// # Errors
/// The store does not answer.
pub fn recall_whole(
    log: &dyn EventLog,
    ledger: &impl Look,
    state: &mut State,
    entity: EntityId,
    upto: Position,
) -> Result<(), LedgerError> {
    let whole = everything_of(log, ledger, entity, upto)?;
    let Some(held) = whole.entity(entity) else { return Ok(()) };
    for (field, register) in &held.fields {
        state.recall(entity, *field, register.writes());
    }
    Ok(())
}

/// The parties that some entities name: they are read for the same days as these.
fn named_by(state: &State, entities: &[EntityId]) -> BTreeSet<EntityId> {
    let fields = entities.iter().filter_map(|id| state.entity(*id)).flat_map(|entity| &entity.fields);
    let mut named = BTreeSet::new();
    for (field, register) in fields {
        named.extend(matches!(field, FieldKey::Responsible(_)).then(|| field.qualifier()));
        named.extend(register.writes().iter().filter_map(|write| match &write.content {
            Content::Party(party) => Some(*party),
            _ => None,
        }));
    }
    named.retain(|party| !entities.contains(party));
    named
}

/// What is not in force on `day` yet is read as it will stand on the day when it comes into force, which may be long over: what it
/// said then has to be there.
fn not_yet_in_force(state: &State, day: CivilDate) -> Vec<EntityId> {
    let speaks = |field: Option<&Register>| {
        field.is_none_or(|register| register.shown_at(day, state.epochs()).is_some())
    };
    let entities = state.entities().filter(|(_, entity)| {
        let title = if entity.kind == EntityKind::Party { FieldKey::Name } else { FieldKey::Title };
        !speaks(entity.fields.get(&FieldKey::Life)) || !speaks(entity.fields.get(&title))
    });
    entities.map(|(id, _)| id).collect()
}

/// What is not yet in force stands where its addition put it.
fn recall_first_places(
    log: &dyn EventLog,
    ledger: &impl Look,
    state: &mut State,
    day: CivilDate,
) -> Result<(), LedgerError> {
    let mut moved = Vec::new();
    for (id, entity) in state.entities() {
        let Some(places) = entity.fields.get(&FieldKey::Place) else { continue };
        let first = places.writes().first().map(|write| write.event);
        if first != Some(entity.added_by) && places.shown_at(day, state.epochs()).is_none() {
            moved.push((id, entity.added_by));
        }
    }
    for (id, added_by) in moved {
        let Some(position) = place_of(log, ledger, added_by)? else { continue };
        let record = record_at(log, state.program_id(), position)?;
        let Entry::Accepted { body, facts } = &record.entry else { continue };
        let written = fold::field_writes(body).into_iter();
        let place = written.filter(|write| write.entity == id && write.field == FieldKey::Place);
        let chain = ledger.look(|ledger| ledger.state.chain_of(body.device_id, body.device_seq));
        let writes: Vec<Write> =
            place.map(|write| fold::write_of(&record, body, facts, write.content, chain)).collect();
        state.recall(id, FieldKey::Place, &writes);
    }
    Ok(())
}

/// The writes recorded after `end` and up to `upto` that are dated on or before `day`, when `day` was over at `end`.
fn backdated_between(
    log: &dyn EventLog,
    ledger: &impl Look,
    end: Position,
    upto: Position,
    day: CivilDate,
) -> Result<Vec<Backdated>, LedgerError> {
    let noted = ledger.look(|ledger| {
        let journal = ledger.journal.as_ref()?;
        let tail = journal.backdated_in_tail(end, upto);
        Some((journal.pace, journal.chunks_between(end, upto), tail, ledger.far.clone()))
    });
    let mut found = Vec::new();
    if let Some((pace, firsts, tail, far)) = noted {
        for first in far.with_backdated(log, &firsts, day)? {
            match chunk::backdated(log, state_program(ledger), first)? {
                Some(chunk) => found.extend(chunk),
                None => {
                    far.found_damage();
                    found.extend(backdated_anew(log, ledger, first, pace.last_of(first))?);
                }
            }
        }
        found.extend(tail);
    } else {
        found = backdated_anew(log, ledger, end.next(), upto)?;
    }
    found.retain(|one| {
        let at = one.write.position;
        at > end && at <= upto && one.write.date <= day
    });
    Ok(found)
}

fn state_program(ledger: &impl Look) -> ProgramId {
    ledger.look(|ledger| ledger.state.program_id())
}

/// The back-dated writes of some records, by folding them.
fn backdated_anew(
    log: &dyn EventLog,
    ledger: &impl Look,
    first: Position,
    last: Position,
) -> Result<Vec<Backdated>, LedgerError> {
    let mut state = state_at(log, ledger, first.previous())?;
    let mut found = Vec::new();
    walk(log, state.program_id(), first, last, |record| {
        found.extend(backdated(&state, &record));
        state.apply(&record);
    })?;
    Ok(found)
}
