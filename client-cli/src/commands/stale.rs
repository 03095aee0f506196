//! What has lain still: activities that nobody has touched for a while, and who touched them last.

use radslag_client::clock::day_of;
use radslag_core::id::EntityId;
use radslag_core::register::Write;
use radslag_core::state::State;
use radslag_core::view::ProgramView;
use serde_json::{Value as Json, json};

use super::point::Point;
use super::whose::keeping;
use crate::error::CliError;
use crate::names;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};
use crate::when;

/// The last change of anything about an entity that its state still holds: a field, a responsibility, its place.
fn last(state: &State, entity: EntityId) -> Option<&Write> {
    let fields = state.entity(entity)?.fields.values();
    fields.flat_map(|register| register.writes()).max_by_key(|write| (write.recorded_at, write.position))
}

/// The programme with nothing but what nobody has touched for so many days, counted to the day that is read.
pub fn only(program: ProgramView, point: &Point, days: u32) -> ProgramView {
    let still = |entity| {
        last(&point.state, entity).is_none_or(|write| {
            let since = point.day.days() - day_of(write.recorded_at).days();
            u32::try_from(since).is_ok_and(|since| since >= days)
        })
    };
    keeping(program, |activity| still(activity.id))
}

/// For programs: when an entity was last changed, and by whom.
pub fn last_json(ground: &Ground<'_>, entity: EntityId) -> Json {
    last(ground.state, entity).map_or(Json::Null, |write| {
        let (org, member) = ground.author(write);
        let at = when::rfc3339(write.recorded_at);
        json!({"recorded_at": at, "org": org, "member": member, "event_id": write.event.to_string()})
    })
}

/// For people, the longest untouched first.
pub fn rows(
    ui: Ui,
    ground: &Ground<'_>,
    program: &ProgramView,
    area: Option<EntityId>,
) -> Result<(), CliError> {
    let mut found: Vec<_> = program
        .activities()
        .filter(|(one, ..)| area.is_none_or(|area| area == one.id))
        .map(|(.., activity)| (last(ground.state, activity.id), activity))
        .collect();
    found.sort_by_key(|(write, _)| write.map(|write| write.recorded_at));
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(write, activity)| {
            let who = |write: &Write| {
                let (org, member) = ground.author(write);
                format!("{org}, {member}")
            };
            vec![
                names::front(activity.id),
                activity.title.clone(),
                activity.responsible_text.clone(),
                write.map(|write| day_of(write.recorded_at).to_string()).unwrap_or_default(),
                write.map(who).unwrap_or_default(),
            ]
        })
        .collect();
    let headings = match ui.lang {
        Lang::Sv => ["id", "aktivitet", "ansvarig", "senast ändrad", "av"],
        Lang::En => ["id", "activity", "responsible", "last changed", "by"],
    };
    if !rows.is_empty() {
        ui.table(&headings, &rows)?;
        ui.line("")?;
    }
    let (count, day) = (rows.len(), ground.day);
    ui.line(&match ui.lang {
        Lang::Sv => format!("{count} aktiviteter har legat orörda, räknat till {day}"),
        Lang::En => format!("{count} activities have lain untouched, counted to {day}"),
    })
}
