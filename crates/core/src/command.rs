//! What a person asks for, turned into changes: the client's half of deciding. It may refuse and may look at values;
//! what comes out is judged once more where it lands.

use crate::event::{Change, Expectation, NewValue, Standing};
use crate::field::FieldKey;
use crate::fold;
use crate::history::FieldChange;
use crate::id::{EntityId, EventId};
use crate::judge::Past;
use crate::order;
use crate::parse::cost::Cost;
use crate::register::Content;
use crate::state::{EntityKind, State};
use crate::time::CivilDate;
use crate::value::{Slot, ValueRef, Values};
use crate::view::Conflict;

/// A change and its values, before it has an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The event's id where it is chosen beforehand, because another draft names it.
    pub event: Option<EventId>,
    /// What changes.
    pub change: Change,
    /// The values beside it.
    pub values: Vec<(Slot, Vec<u8>)>,
    /// From which day it applies, when that is stated.
    pub effective_on: Option<CivilDate>,
    /// What must still hold.
    pub expect: Vec<Expectation>,
}

impl Draft {
    /// A change without values.
    pub fn new(change: Change) -> Self {
        Self { event: None, change, values: Vec::new(), effective_on: None, expect: Vec::new() }
    }

    /// The field that it writes where something has been written before, for a change that writes one.
    pub const fn field(&self) -> Option<(EntityId, FieldKey)> {
        match &self.change {
            Change::FieldRevised { entity, field, .. } | Change::ConflictResolved { entity, field, .. } => {
                Some((*entity, *field))
            }
            Change::ResponsibleAssigned { activity, party }
            | Change::ResponsibleUnassigned { activity, party } => {
                Some((*activity, FieldKey::Responsible(*party)))
            }
            Change::Placed { entity, .. } => Some((*entity, FieldKey::Place)),
            Change::Retired { entity, .. } | Change::Restored { entity } => Some((*entity, FieldKey::Life)),
            Change::ProgramCreated { .. }
            | Change::OrganisationAdmitted { .. }
            | Change::MemberAdmitted { .. }
            | Change::DeviceEnrolled { .. }
            | Change::AreaAdded { .. }
            | Change::SubgoalAdded { .. }
            | Change::ActivityAdded { .. }
            | Change::PartyAdded { .. }
            | Change::SourceImported { .. }
            | Change::EpochOpened { .. }
            | Change::RulesAdopted { .. }
            | Change::BaselineSet { .. }
            | Change::Unknown => None,
        }
    }

    /// The same with a text beside it; an empty one is left out.
    #[must_use]
    pub fn with_text(mut self, slot: Slot, text: &str) -> Self {
        if !text.is_empty() {
            self.values.push((slot, text.as_bytes().to_vec()));
        }
        self
    }

    /// The same with a value beside it.
    #[must_use]
    pub fn with_value(mut self, slot: Slot, bytes: Vec<u8>) -> Self {
        self.values.push((slot, bytes));
        self
    }
}

/// Why a person's wish cannot be turned into changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Everything asked for is so already.
    #[error("nothing to change: that is what it says already")]
    NothingToChange,
    /// There is no room between the neighbours; never seen in practice.
    #[error("there is no place left between these two")]
    NoRoom,
    /// The sibling does not stand in that parent.
    #[error("{0} does not stand there")]
    NotASibling(EntityId),
    /// The entity cannot be moved there, or not at all.
    #[error("{0} cannot be moved there")]
    CannotMove(EntityId),
    /// The side is not one of the conflict's.
    #[error("{0} is not a side of the conflict")]
    NotASide(EventId),
    /// What is to be undone has been changed again since.
    #[error("the {field} has been changed again since, by {by}")]
    ChangedSince {
        /// The field.
        field: &'static str,
        /// The later event.
        by: EventId,
    },
    /// The event changed nothing that can be set back.
    #[error("the event changed nothing that can be undone")]
    NothingToUndo,
}

/// What a field is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// A text.
    Text(String),
    /// An amount.
    Cost(Cost),
    /// A party.
    Party(EntityId),
    /// Nothing.
    Cleared,
    /// Responsible or not.
    Responsible(bool),
}

/// One field and what it is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The field.
    pub field: FieldKey,
    /// What it is to say.
    pub to: To,
}

/// Revises fields of one entity: one draft for each field that does not say so already.
///
/// A field in conflict is always written: writing it in sight of the sides settles it.
///
/// # Errors
/// Nothing is left to change.
pub fn revise(
    state: &State,
    values: &dyn Values,
    day: CivilDate,
    entity: EntityId,
    edits: &[Edit],
) -> Result<Vec<Draft>, CommandError> {
    let mut drafts = Vec::new();
    for edit in edits {
        let register = state.register(entity, edit.field);
        let conflict = register.is_some_and(|register| register.in_conflict(day, state.epochs()));
        if conflict || !says(state, values, day, entity, edit) {
            drafts.push(revision(entity, edit));
        }
    }
    if drafts.is_empty() { Err(CommandError::NothingToChange) } else { Ok(drafts) }
}

fn says(state: &State, values: &dyn Values, day: CivilDate, entity: EntityId, edit: &Edit) -> bool {
    let shown = state.shown(entity, edit.field, day).map(|write| &write.content);
    match (&edit.to, shown) {
        (To::Cleared, None | Some(Content::Cleared)) => true,
        (To::Responsible(false), None) => true,
        (To::Responsible(wanted), Some(Content::Responsible(is))) => wanted == is,
        (To::Party(wanted), Some(Content::Party(is))) => wanted == is,
        (To::Text(text), Some(Content::Sealed(at))) => {
            values.bytes(*at).is_some_and(|is| is == text.as_bytes())
        }
        (To::Cost(cost), Some(Content::Sealed(at))) => {
            values.bytes(*at).is_some_and(|is| is == cost.to_value_bytes())
        }
        _ => false,
    }
}

fn revision(entity: EntityId, edit: &Edit) -> Draft {
    let field = edit.field;
    let revised = |value| Draft::new(Change::FieldRevised { entity, field, value });
    let slot = field.slot().unwrap_or(Slot::TITLE);
    match &edit.to {
        To::Text(text) => revised(NewValue::Sealed).with_value(slot, text.as_bytes().to_vec()),
        To::Cost(cost) => revised(NewValue::Sealed).with_value(slot, cost.to_value_bytes()),
        To::Party(party) => revised(NewValue::Party(*party)),
        To::Cleared => revised(NewValue::Cleared),
        To::Responsible(true) => {
            Draft::new(Change::ResponsibleAssigned { activity: entity, party: field.qualifier() })
        }
        To::Responsible(false) => {
            Draft::new(Change::ResponsibleUnassigned { activity: entity, party: field.qualifier() })
        }
    }
}

/// Where among its siblings something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// After all others.
    Last,
    /// Before all others.
    First,
    /// Before this one.
    Before(EntityId),
    /// After this one.
    After(EntityId),
}

/// The order key for a place among the children of `parent`.
///
/// # Errors
/// The sibling does not stand there, or there is no room.
pub fn order_key(
    state: &State,
    day: CivilDate,
    parent: EntityId,
    kind: EntityKind,
    among: Among,
    moved: Option<EntityId>,
) -> Result<String, CommandError> {
    let mut keys = order_keys(state, day, parent, kind, among, moved, 1)?;
    keys.pop().ok_or(CommandError::NoRoom)
}

/// The order keys for several that go to one place together, in their order.
///
/// # Errors
/// As for [`order_key`].
pub fn order_keys(
    state: &State,
    day: CivilDate,
    parent: EntityId,
    kind: EntityKind,
    among: Among,
    moved: Option<EntityId>,
    count: usize,
) -> Result<Vec<String>, CommandError> {
    let mut keys: Vec<(String, EntityId)> = Vec::new();
    for (id, entity) in state.entities().filter(|(id, entity)| entity.kind == kind && Some(*id) != moved) {
        let places = entity.fields.get(&FieldKey::Place);
        let shown = places.and_then(|places| places.shown_at(day, state.epochs()).or(places.writes().last()));
        if let Some(Content::Place { parent: at, order_key }) = shown.map(|write| &write.content)
            && *at == parent
        {
            keys.push((order_key.clone(), id));
        }
    }
    keys.sort();
    let index_of =
        |sibling| keys.iter().position(|(_, id)| *id == sibling).ok_or(CommandError::NotASibling(sibling));
    let at = match among {
        Among::Last => keys.len(),
        Among::First => 0,
        Among::Before(sibling) => index_of(sibling)?,
        Among::After(sibling) => index_of(sibling)? + 1,
    };
    let before = at.checked_sub(1).map(|index| keys[index].0.as_str());
    // Equal neighbours (two offline additions at one place) leave no room between them: go past them.
    let after =
        keys[at..].iter().map(|(key, _)| key.as_str()).find(|key| before.is_none_or(|before| before < *key));
    let key = order::between(before, after).ok_or(CommandError::NoRoom)?;
    if count == 1 {
        return Ok(vec![key]);
    }
    // The key differs from both neighbours before its end, so that whatever begins with it lies between them too.
    let keys: Vec<String> = order::spread(count).into_iter().map(|rest| format!("{key}{rest}")).collect();
    if keys.iter().all(|key| order::is_key(key)) { Ok(keys) } else { Err(CommandError::NoRoom) }
}

/// Moves something.
///
/// # Errors
/// It has no place, the sibling does not stand there, or there is no room.
pub fn place(
    state: &State,
    day: CivilDate,
    entity: EntityId,
    parent: EntityId,
    among: Among,
) -> Result<Draft, CommandError> {
    let kind = state.entity(entity).map(|entity| entity.kind).ok_or(CommandError::CannotMove(entity))?;
    let wanted = kind.parent().ok_or(CommandError::CannotMove(entity))?;
    if state.entity(parent).is_none_or(|parent| parent.kind != wanted) {
        return Err(CommandError::CannotMove(entity));
    }
    let order_key = order_key(state, day, parent, kind, among, Some(entity))?;
    Ok(Draft::new(Change::Placed { entity, parent, order_key }))
}

/// How somebody decides between sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This side stands.
    Take(EventId),
    /// Something new stands.
    Value(To),
}

/// Settles a conflict.
///
/// # Errors
/// The side is not one of the conflict's.
pub fn resolve(conflict: &Conflict<'_>, choice: &Choice) -> Result<Draft, CommandError> {
    let mut settles: Vec<EventId> = conflict.sides.iter().map(|side| side.event).collect();
    settles.sort_unstable();
    let (entity, field) = (conflict.entity, conflict.field);
    let resolved =
        |take, stands| Draft::new(Change::ConflictResolved { entity, field, settles, take, stands });
    let slot = field.slot().unwrap_or(Slot::TITLE);
    Ok(match choice {
        Choice::Take(event) => {
            let side = conflict.sides.iter().find(|side| side.event == *event);
            let side = side.ok_or(CommandError::NotASide(*event))?;
            resolved(Some(*event), fold::standing_of(&side.content))
        }
        Choice::Value(To::Text(text)) => {
            resolved(None, Standing::Sealed).with_value(slot, text.as_bytes().to_vec())
        }
        Choice::Value(To::Cost(cost)) => {
            resolved(None, Standing::Sealed).with_value(slot, cost.to_value_bytes())
        }
        Choice::Value(To::Party(party)) => resolved(None, Standing::Party(*party)),
        Choice::Value(To::Cleared) => resolved(None, Standing::Cleared),
        Choice::Value(To::Responsible(is)) => resolved(None, Standing::Responsible(*is)),
    })
}

/// Sets back what an event changed: the earlier value, with the date of what is undone. An addition is retired from the day
/// it was dated.
///
/// `state` keeps every write, and `changes` are told for the day from which they apply.
///
/// # Errors
/// A field was changed again since, or there is nothing to set back.
pub fn undo(state: &State, past: &dyn Past, changes: &[FieldChange]) -> Result<Vec<Draft>, CommandError> {
    let added = changes.iter().find(|change| change.kind.ends_with("_added"));
    if added.is_some() {
        let life = changes.iter().find(|change| change.field == FieldKey::Life);
        let life = life.ok_or(CommandError::NothingToUndo)?;
        stands_unchanged(state, life)?;
        let mut draft = Draft::new(Change::Retired { entity: life.entity, merged_into: None });
        draft.effective_on = Some(life.applies_on);
        return Ok(vec![draft]);
    }
    let mut drafts = Vec::new();
    for change in changes {
        stands_unchanged(state, change)?;
        let mut draft = set_back(past, change).ok_or(CommandError::NothingToUndo)?;
        draft.effective_on = Some(change.applies_on);
        drafts.push(draft);
    }
    if drafts.is_empty() { Err(CommandError::NothingToUndo) } else { Ok(drafts) }
}

/// Whether a change is what its field shows on the day from which it applies, and nothing stands in for it on a later day.
fn stands_unchanged(state: &State, change: &FieldChange) -> Result<(), CommandError> {
    let since = |by| CommandError::ChangedSince { field: change.field.name(), by };
    let register = state.register(change.entity, change.field).ok_or(CommandError::NothingToUndo)?;
    let own = register.writes().iter().find(|write| write.event == change.event);
    let own = own.ok_or(CommandError::NothingToUndo)?;
    if let Some(later) = register.writes().iter().rfind(|write| write.covers(own, state.epochs())) {
        return Err(since(later.event));
    }
    match register.shown_at(change.applies_on, state.epochs()) {
        Some(shown) if shown.event != change.event => Err(since(shown.event)),
        _ => Ok(()),
    }
}

fn set_back(past: &dyn Past, change: &FieldChange) -> Option<Draft> {
    let (entity, field) = (change.entity, change.field);
    let revised = |value| Some(Draft::new(Change::FieldRevised { entity, field, value }));
    match (&change.before, field) {
        (Some(Content::Responsible(true)), FieldKey::Responsible(party)) => {
            Some(Draft::new(Change::ResponsibleAssigned { activity: entity, party }))
        }
        (Some(Content::Responsible(false)) | None, FieldKey::Responsible(party)) => {
            Some(Draft::new(Change::ResponsibleUnassigned { activity: entity, party }))
        }
        (None | Some(Content::Cleared), _) => revised(NewValue::Cleared),
        (Some(Content::Sealed(at)), _) => {
            let bytes = past.bytes(ValueRef { event: at.event, slot: at.slot })?;
            revised(NewValue::Sealed).map(|draft| draft.with_value(at.slot, bytes))
        }
        (Some(Content::Party(party)), _) => revised(NewValue::Party(*party)),
        (Some(Content::Place { parent, order_key }), _) => {
            Some(Draft::new(Change::Placed { entity, parent: *parent, order_key: order_key.clone() }))
        }
        (Some(Content::Life { retired: true, merged_into }), _) => {
            Some(Draft::new(Change::Retired { entity, merged_into: *merged_into }))
        }
        (Some(Content::Life { retired: false, .. }), _) => Some(Draft::new(Change::Restored { entity })),
        (Some(Content::Responsible(_)), _) => None,
    }
}

/// What strict mode expects of the fields that `draft` writes: the sides as the author sees them.
pub fn expectations(state: &State, day: CivilDate, entity: EntityId, field: FieldKey) -> Expectation {
    let register = state.register(entity, field);
    let mut sides: Vec<EventId> = register
        .map(|register| register.sides(day, state.epochs()).iter().map(|side| side.event).collect())
        .unwrap_or_default();
    sides.sort_unstable();
    Expectation { entity, field, sides }
}
