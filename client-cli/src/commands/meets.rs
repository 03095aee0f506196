//! What queued changes meet as things stand here: something retired, or what was written meanwhile. It is said at the prompt, while
//! the person still knows what they did.

use std::collections::BTreeSet;

use radslag_client::replica::View;
use radslag_core::field::FieldKey;
use radslag_core::fold::{self, FieldWrite};
use radslag_core::id::{EntityId, EventId};
use radslag_core::register::Content;
use radslag_core::state::EntityKind;

use super::ground;
use crate::names;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};

/// Says what these queued events meet; nothing where all is as their author saw it, or was said of a field.
pub fn say(ui: Ui, view: &View<'_>, events: &[EventId], said: &[(EntityId, FieldKey)]) {
    let ground = ground(view);
    let own = view.queued.iter().filter(|record| events.contains(&record.event_id));
    let writes: Vec<(EventId, FieldWrite)> = own
        .filter_map(|record| record.body())
        .flat_map(|body| fold::field_writes(body).into_iter().map(|write| (body.event_id, write)))
        .collect();
    let mut retired = BTreeSet::new();
    let mut apart = BTreeSet::new();
    for (event, write) in &writes {
        retired.extend(touched(write).filter(|entity| is_retired(&ground, *entity)));
        if !said.contains(&(write.entity, write.field)) && is_apart(&ground, *event, write) {
            apart.insert((write.entity, write.field));
        }
    }
    for entity in retired {
        ui.say(&retired_line(ui, &ground, entity));
    }
    for (entity, field) in apart {
        ui.say(&apart_line(ui, &ground, entity, field));
    }
}

/// What a write is about, and what it stands in; a retirement is about something that may well be retired.
fn touched(write: &FieldWrite) -> impl Iterator<Item = EntityId> {
    let itself = (write.field != FieldKey::Life).then_some(write.entity);
    let stands_in = if let Content::Place { parent, .. } = &write.content { Some(*parent) } else { None };
    itself.into_iter().chain(stands_in)
}

fn is_retired(ground: &Ground<'_>, entity: EntityId) -> bool {
    let life = ground.state.shown(entity, FieldKey::Life, ground.day);
    life.is_some_and(|write| matches!(write.content, Content::Life { retired: true, .. }))
}

/// Whether the write is one side of a conflict. Two who disagree about who is responsible are no conflict.
fn is_apart(ground: &Ground<'_>, event: EventId, write: &FieldWrite) -> bool {
    if matches!(write.field, FieldKey::Responsible(_)) {
        return false;
    }
    let Some(register) = ground.state.register(write.entity, write.field) else { return false };
    let epochs = ground.state.epochs();
    register.in_conflict(ground.day, epochs)
        && register.sides(ground.day, epochs).iter().any(|side| side.event == event)
}

fn retired_line(ui: Ui, ground: &Ground<'_>, entity: EntityId) -> String {
    let title = ground.title(entity);
    let noun = match ground.state.entity(entity).map(|entity| entity.kind) {
        Some(EntityKind::Area) => "area",
        Some(EntityKind::Subgoal) => "subgoal",
        Some(EntityKind::Party) => "party",
        Some(EntityKind::Activity | EntityKind::Program) | None => "activity",
    };
    let back = format!("radslag {noun} restore {}", names::front(entity));
    match ui.lang {
        Lang::Sv => format!("{title:?} har utgått: ändringen sparas och flaggas   ({back} tar in det igen)"),
        Lang::En => format!("{title:?} is retired: the change is kept and flagged   ({back} brings it back)"),
    }
}

fn apart_line(ui: Ui, ground: &Ground<'_>, entity: EntityId, field: FieldKey) -> String {
    let epochs = ground.state.epochs();
    let register = ground.state.register(entity, field);
    let sides = register.map(|register| register.sides(ground.day, epochs)).unwrap_or_default();
    let sides = sides.into_iter().map(|side| {
        let (org, member) = ground.author(side);
        format!("{} ({org}, {member})", ground.text(ui, field, Some(&side.content)))
    });
    let sides: Vec<String> = sides.collect();
    let (title, field, sides) = (ground.title(entity), ground.field(ui, field), sides.join(", "));
    match ui.lang {
        Lang::Sv => format!("konflikt om {field} i {title:?}: {sides}   (radslag conflicts)"),
        Lang::En => format!("conflict about the {field} of {title:?}: {sides}   (radslag conflicts)"),
    }
}
