//! The differences between two points as a report for a meeting: by area, with sums before and after, and who wrote what is new.

use std::collections::BTreeMap;

use crate::diff::{EntityChange, Sort, diff};
use crate::field::FieldKey;
use crate::id::EntityId;
use crate::register::Write;
use crate::state::State;
use crate::time::CivilDate;
use crate::view::{AreaView, CostSum, ProgramView};

/// One end of a report: a programme as it is read there.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The state.
    pub state: &'a State,
    /// The day that it is read for.
    pub day: CivilDate,
    /// The view of both.
    pub view: &'a ProgramView,
}

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The programme itself.
    Program,
    /// An area and what stands in it.
    Area(EntityId),
    /// The parties.
    Parties,
}

/// One difference and the write behind it.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// What differs.
    pub change: EntityChange,
    /// What is shown at the later end because of it; none where nothing tells.
    pub by: Option<&'a Write>,
    /// Whether the field is in conflict at the later end.
    pub in_conflict: bool,
}

/// The differences of one area, of the programme, or of the parties.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    /// What it is about.
    pub about: About,
    /// Additions, then what has gone, moves and revisions; each in the programme's order.
    pub told: Vec<Told<'a>>,
    /// What the activities in it cost at the earlier end.
    pub before: CostSum,
    /// And at the later.
    pub after: CostSum,
}

/// What changed between two points, by area in the later programme's order; areas that are gone come after those that are there.
pub fn report<'a>(from: End<'_>, to: End<'a>) -> Vec<Section<'a>> {
    let mut sections: BTreeMap<About, Section<'a>> = BTreeMap::new();
    for change in diff(from.view, to.view) {
        let about = match change.area {
            Some(area) => About::Area(area),
            None if change.entity.is_zero() => About::Program,
            None => About::Parties,
        };
        let section = sections.entry(about).or_insert_with(|| empty(about, &from, &to));
        section.told.push(tell(change, &from, &to));
    }
    let mut sections: Vec<Section<'a>> = sections.into_values().collect();
    sections.sort_by_key(|section| place(section.about, from.view, to.view));
    for section in &mut sections {
        section.told.sort_by_key(|told| told.change.sort);
    }
    sections
}

/// The programme first, the parties last, areas in order between them.
fn place(about: About, from: &ProgramView, to: &ProgramView) -> usize {
    let index = |view: &ProgramView, id| view.areas.iter().position(|area| area.id == id);
    match about {
        About::Program => 0,
        About::Area(id) => {
            let gone = || 1 + to.areas.len() + index(from, id).unwrap_or_default();
            index(to, id).map_or_else(gone, |index| 1 + index)
        }
        About::Parties => usize::MAX,
    }
}

fn empty<'a>(about: About, from: &End<'_>, to: &End<'a>) -> Section<'a> {
    let sum = |view: &ProgramView| match about {
        About::Area(id) => {
            CostSum::of(view.areas.iter().filter(|area| area.id == id).flat_map(AreaView::activities))
        }
        About::Program | About::Parties => CostSum::default(),
    };
    Section { about, told: Vec::new(), before: sum(from.view), after: sum(to.view) }
}

/// Finds the write behind a difference.
pub fn tell<'a>(change: EntityChange, from: &End<'_>, to: &End<'a>) -> Told<'a> {
    let program = EntityId::from(to.state.program_id());
    let entity = if change.entity.is_zero() { program } else { change.entity };
    let field = match (change.sort, change.field) {
        (Sort::Added | Sort::Retired, _) => FieldKey::Life,
        (Sort::Moved, _) => FieldKey::Place,
        (Sort::Revised, field) => field.unwrap_or(FieldKey::Title),
    };
    let register = to.state.register(entity, field);
    let in_conflict = register.is_some_and(|register| register.conflict_at(to.day, to.state.epochs()));
    let by = match field {
        FieldKey::Responsible(_) => who_made_responsible(entity, from, to),
        FieldKey::Title
        | FieldKey::Goal
        | FieldKey::Comment
        | FieldKey::Time
        | FieldKey::Cost
        | FieldKey::Name
        | FieldKey::Lead
        | FieldKey::Organisation
        | FieldKey::Place
        | FieldKey::Life => to.state.shown(entity, field, to.day),
    };
    Told { change, by, in_conflict }
}

/// The latest write that made the responsible parties others: an assignment, or else a party's new name.
fn who_made_responsible<'a>(activity: EntityId, from: &End<'_>, to: &End<'a>) -> Option<&'a Write> {
    let fields = to.state.entity(activity)?.fields.keys();
    let assigned: Vec<(EntityId, FieldKey)> = fields
        .filter(|field| matches!(field, FieldKey::Responsible(_)))
        .map(|field| (activity, *field))
        .collect();
    let named: Vec<(EntityId, FieldKey)> =
        assigned.iter().map(|(_, field)| (field.qualifier(), FieldKey::Name)).collect();
    latest(&assigned, from, to).or_else(|| latest(&named, from, to))
}

/// The latest of the writes that these fields show at the later end and did not show at the earlier.
fn latest<'a>(keys: &[(EntityId, FieldKey)], from: &End<'_>, to: &End<'a>) -> Option<&'a Write> {
    let mut found: Option<&'a Write> = None;
    for (entity, field) in keys {
        let Some(shown) = to.state.shown(*entity, *field, to.day) else { continue };
        let before = from.state.shown(*entity, *field, from.day);
        let fresh = before.is_none_or(|before| before.event != shown.event);
        if fresh && found.is_none_or(|found| found.position < shown.position) {
            found = Some(shown);
        }
    }
    found
}
