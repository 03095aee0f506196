//! What stands where on a day: one pass over the entities, so that laying out a programme takes time with its size and no more.

use std::collections::BTreeMap;

use crate::field::FieldKey;
use crate::id::EntityId;
use crate::register::Content;
use crate::state::{Entity, EntityKind, State};
use crate::time::CivilDate;

use super::{Standing, standing};

/// Something in its place.
pub(super) struct Child<'a> {
    order_key: &'a str,
    pub(super) id: EntityId,
    pub(super) entity: &'a Entity,
    pub(super) standing: Standing,
}

/// The children of every parent, in order. Something not yet in force stands where it will then.
pub(super) struct Tree<'a>(BTreeMap<(EntityId, EntityKind), Vec<Child<'a>>>);

impl<'a> Tree<'a> {
    pub(super) fn of(state: &'a State, day: CivilDate) -> Self {
        let mut children: BTreeMap<(EntityId, EntityKind), Vec<Child<'a>>> = BTreeMap::new();
        for (id, entity) in state.entities().filter(|(_, entity)| entity.kind.parent().is_some()) {
            let standing = standing(state, id, day);
            let day = standing.read_on(day);
            let places = entity.fields.get(&FieldKey::Place);
            let shown =
                places.and_then(|places| places.shown_at(day, state.epochs()).or(places.writes().first()));
            if let Some(Content::Place { parent, order_key }) = shown.map(|write| &write.content) {
                let child = Child { order_key, id, entity, standing };
                children.entry((*parent, entity.kind)).or_default().push(child);
            }
        }
        for siblings in children.values_mut() {
            siblings.sort_unstable_by_key(|child| (child.order_key, child.id));
        }
        Self(children)
    }

    pub(super) fn children(&self, parent: EntityId, kind: EntityKind) -> &[Child<'a>] {
        self.0.get(&(parent, kind)).map_or(&[], Vec::as_slice)
    }
}
