//! Which records somebody follows who does not want them all: those of an area, those of an organisation.
//!
//! Whether a record passes is decided by the records up to it and never by later ones, so that a reader who comes back in the middle
//! is shown what they would have been shown then.

use std::collections::BTreeMap;

use crate::field::FieldKey;
use crate::fold::touched;
use crate::id::{EntityId, OrgId, Position, ProgramId};
use crate::record::{Entry, Recorded};
use crate::register::Content;
use crate::state::{Keep, State};

/// An activity stands in a sub-goal, that in an area, that in the programme. A place that makes no sense leads no further.
const DEEPEST: usize = 4;

/// What somebody follows; a record has to fit all that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Records that add, change or move this area or something that stands below it, before the record or after it.
    pub area: Option<EntityId>,
    /// Records by authors of this organisation, rejected ones too.
    pub org: Option<OrgId>,
}

impl Filter {
    /// Whether everything passes.
    pub const fn is_empty(&self) -> bool {
        self.area.is_none() && self.org.is_none()
    }

    /// Whether a record's author is of the organisation. `state` knows the device of the record.
    pub fn fits_author(&self, record: &Recorded, state: &State) -> bool {
        let Some(org) = &self.org else { return true };
        match &record.entry {
            Entry::Accepted { body, .. } => body.org_id == *org,
            Entry::Rejected(facts) => {
                state.devices().get(&facts.device_id).is_some_and(|device| device.org == *org)
            }
        }
    }

    /// Whether a record is about the area, where `parent` says what stands in what. It has to be asked with what was so before the
    /// record, and with what is so after it. A rejected record is about nothing.
    pub fn fits_place(&self, record: &Recorded, parent: impl Fn(EntityId) -> Option<EntityId>) -> bool {
        let Some(area) = self.area else { return true };
        let upward = |entity: EntityId| {
            let up = std::iter::successors(Some(entity), |entity| parent(*entity));
            up.take(DEEPEST).any(|entity| entity == area)
        };
        record.body().map(touched).unwrap_or_default().into_iter().any(upward)
    }
}

/// What an entity stands in, as the programme shows it on the day of the last record.
pub fn parent(state: &State, entity: EntityId) -> Option<EntityId> {
    let places = state.register(entity, FieldKey::Place)?;
    // Something not yet in force stands where its first place puts it.
    let shown = places.shown_at(state.today()?, state.epochs()).or_else(|| places.writes().first())?;
    match &shown.content {
        Content::Place { parent, .. } => Some(*parent),
        Content::Sealed(_)
        | Content::Cleared
        | Content::Party(_)
        | Content::Life { .. }
        | Content::Responsible(_) => None,
    }
}

/// What stood in what, after every record of a log.
#[derive(Clone, Debug)]
pub struct Places {
    state: State,
    /// From which record on an entity stood in what; ascending.
    since: BTreeMap<EntityId, Vec<(Position, Option<EntityId>)>>,
}

impl Places {
    /// Before the first record.
    pub fn new(program: ProgramId) -> Self {
        Self { state: State::new(program, Keep::Sides), since: BTreeMap::new() }
    }

    /// The last record that was noted.
    pub const fn head(&self) -> Position {
        self.state.head()
    }

    /// Takes in the next record; one that is not the next changes nothing.
    pub fn note(&mut self, record: &Recorded) {
        let before = self.state.today();
        self.state.apply(record);
        if self.state.head() != record.position {
            return;
        }
        let mut moved = record.body().map(touched).unwrap_or_default();
        // A new day brings dated places into force.
        if self.state.today() != before {
            moved.extend(self.with_several_places());
        }
        for entity in moved {
            let now = parent(&self.state, entity);
            let since = self.since.entry(entity).or_default();
            if since.last().and_then(|(_, before)| *before) != now {
                since.push((record.position, now));
            }
        }
    }

    fn with_several_places(&self) -> Vec<EntityId> {
        let several = |entity: EntityId| {
            self.state.register(entity, FieldKey::Place).is_some_and(|places| places.writes().len() > 1)
        };
        self.state.entities().map(|(id, _)| id).filter(|id| several(*id)).collect()
    }

    /// What an entity stood in after the record at `position`.
    pub fn parent_at(&self, entity: EntityId, position: Position) -> Option<EntityId> {
        let since = self.since.get(&entity)?;
        let until = since.partition_point(|(from, _)| *from <= position);
        since[until.checked_sub(1)?].1
    }
}
