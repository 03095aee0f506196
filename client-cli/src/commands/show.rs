//! `show`: the programme now, with what is queued, or as of a point in time.

use radslag_core::basis::Open;
use radslag_core::history::BlameLine;
use radslag_core::id::EntityId;
use radslag_core::parse::nfc_eq;
use radslag_core::state::EntityKind;
use radslag_core::time::CivilDate;
use radslag_core::view::{self, ActivityView, AreaView, ProgramView, Standing, SubgoalView};
use serde_json::{Value as Json, json};

use super::point::Point;
use super::{Place, point, provisional, stale, whose};
use crate::args::{NamedAt, Show};
use crate::error::CliError;
use crate::names;
use crate::shape::{Ground, cost_json, cost_text, field_name, sum_text};
use crate::ui::{Lang, Ui, fold};
use crate::when;

/// `show`.
pub fn show(place: &Place, args: &Show) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let point = point::at(place, &replica, &view, &args.at)?;
    let ground = point.ground(&view);
    let mut program = view::program(&point.state, &view, point.day);
    let own = args.mine.then(|| replica.settings.org.to_string());
    if let Some(org) = args.org.clone().or(own) {
        let parties = whose::parties(&ground, &program, &org)?;
        program = whose::only(program, &parties);
    }
    if args.unowned {
        program = whose::unowned(program);
    }
    if let Some(days) = args.stale {
        program = stale::only(program, &point, days);
    }
    provisional::say(place.ui, &replica);
    let area = args.area.as_deref().map(|name| area(&ground, &program, name)).transpose()?;
    let listed = args.rows || args.unowned || args.stale.is_some();
    match (place.ui.json(), listed) {
        (true, true) => return rows_json(place.ui, &point, &ground, &program, area),
        (true, false) => return place.ui.object(&point.marked(summary_json(&point, &program))),
        (false, true) if args.stale.is_some() => stale::rows(place.ui, &ground, &program, area)?,
        (false, true) => rows(place.ui, &program, area)?,
        (false, false) => {
            let queued = if point.open.contains(&Open::Queued) { view.queued.len() } else { 0 };
            tree(place.ui, &ground, &program, area, &standing(place.ui, &point, queued))?;
        }
    }
    place.ui.line(&point.footer(place.ui))?;
    place.ui.say(&match place.ui.lang {
        Lang::Sv => format!("det som ändras utifrån detta: radslag edit … --base {}", point.form),
        Lang::En => format!("for what is changed after reading this: radslag edit … --base {}", point.form),
    });
    Ok(())
}

/// The area that a name means.
pub(super) fn area(ground: &Ground<'_>, program: &ProgramView, name: &str) -> Result<EntityId, CliError> {
    // Two headings may have one name: then the name with its goal tells them apart.
    let full = program.areas.iter().find(|area| nfc_eq(&heading(&area.title, area.goal.as_deref()), name));
    match full {
        Some(area) => Ok(area.id),
        None => names::entity(ground.state, ground.values, ground.day, &[EntityKind::Area], name),
    }
}

fn heading(title: &str, goal: Option<&str>) -> String {
    goal.map_or_else(|| title.to_owned(), |goal| format!("{title} - {goal}"))
}

/// How many areas, sub-goals and activities are in force, and how many are listed that are not yet.
fn counts(program: &ProgramView) -> [usize; 4] {
    let areas: Vec<Standing> = program.areas.iter().map(|area| area.standing).collect();
    let subgoals: Vec<Standing> = program.subgoals().map(|subgoal| subgoal.standing).collect();
    let activities: Vec<Standing> = program.activities().map(|(.., activity)| activity.standing).collect();
    let in_force = |found: &[Standing]| found.iter().filter(|one| **one == Standing::InForce).count();
    let all = [areas.as_slice(), &subgoals, &activities].concat();
    let later = all.iter().filter(|one| matches!(one, Standing::NotYet(_))).count();
    [in_force(&areas), in_force(&subgoals), in_force(&activities), later]
}

fn summary_json(point: &Point, program: &ProgramView) -> Json {
    let [headings, subgoals, activities, not_yet] = counts(program);
    json!({
        "program_id": point.state.program_id().to_string(),
        "title": program.title,
        "position": point.position.get(),
        "effective_on": point.day.to_string(),
        "headings": headings, "subgoals": subgoals, "activities": activities,
        "not_yet_in_force": not_yet,
        "cost": {
            "sum_ore": program.cost.low, "low_ore": program.cost.low, "high_ore": program.cost.high,
            "missing": program.cost.missing,
        },
        "conflicts": view::conflicts_at(&point.state, point.day).len(),
        "state_hash": point.state.hash().to_string(),
        "base_token": point.form.to_string(),
    })
}

/// What a line of sums says: `13 headings, 21 sub-goals, 32 activities, 525 000 kr; 26 of 32 activities lack a cost`.
pub fn summary(ui: Ui, program: &ProgramView) -> String {
    let [headings, subgoals, activities, not_yet] = counts(program);
    let sum = sum_text(&program.cost);
    let missing = program.cost.missing;
    let mut summary = match ui.lang {
        Lang::Sv => format!(
            "{headings} rubriker, {subgoals} delmål, {activities} aktiviteter, {sum}; \
             {missing} av {activities} aktiviteter saknar kostnad"
        ),
        Lang::En => format!(
            "{headings} headings, {subgoals} sub-goals, {activities} activities, {sum}; \
             {missing} of {activities} activities lack a cost"
        ),
    };
    if not_yet > 0 {
        let later = ui.text("gäller ännu inte", "not yet in force");
        summary.push_str(&format!("; {not_yet} {later}"));
    }
    summary
}

fn rows_json(
    ui: Ui,
    point: &Point,
    ground: &Ground<'_>,
    program: &ProgramView,
    only: Option<EntityId>,
) -> Result<(), CliError> {
    for (area, subgoal, activity) in program.activities() {
        if only.is_none_or(|only| only == area.id) {
            ui.object(&point.marked(json!({
                "activity_id": activity.id.to_string(), "area": area.title, "goal": area.goal, "subgoal": subgoal.title,
                "title": activity.title, "responsible": activity.responsible_text, "time": activity.time,
                "cost": activity.cost.as_ref().map(cost_json), "comment": activity.comment,
                "area_id": area.id.to_string(), "subgoal_id": subgoal.id.to_string(),
                "responsible_ids": activity.responsible.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "lead_id": activity.lead.map(|lead| lead.to_string()),
                "conflicts": activity.conflicting.iter().map(|field| field.name()).collect::<Vec<_>>(),
                "standing": standing_name(activity.standing), "in_force_from": in_force_from(activity.standing),
                "parent_in_force": parent_in_force(area, subgoal),
                "last_changed": stale::last_json(ground, activity.id),
            })))?;
        }
    }
    Ok(())
}

/// A row an activity, under the heading of its area, which leaves the width to what differs.
fn rows(ui: Ui, program: &ProgramView, only: Option<EntityId>) -> Result<(), CliError> {
    let headings = match ui.lang {
        Lang::Sv => ["id", "aktivitet", "ansvarig", "tid", "kostnad"],
        Lang::En => ["id", "activity", "responsible", "time", "cost"],
    };
    let mut rows = Vec::new();
    let mut under = None;
    for (area, subgoal, activity) in program.activities() {
        if only.is_some_and(|only| only != area.id) {
            continue;
        }
        if under.replace(area.id) != Some(area.id) {
            rows.push(vec![format!("▸ {}", heading(&area.title, area.goal.as_deref()))]);
        }
        rows.push(vec![
            names::front(activity.id),
            format!("{}{}", activity.title, flags(ui, activity, parent_in_force(area, subgoal))),
            activity.responsible_text.clone(),
            activity.time.clone().unwrap_or_default(),
            activity.cost.as_ref().map(cost_text).unwrap_or_default(),
        ]);
    }
    if !rows.is_empty() {
        ui.table(&headings, &rows)?;
        ui.line("")?;
    }
    ui.line(&summary(ui, program))
}

fn parent_in_force(area: &AreaView, subgoal: &SubgoalView) -> bool {
    [area.standing, subgoal.standing] == [Standing::InForce; 2]
}

const fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::InForce => "in_force",
        Standing::NotYet(_) => "not_yet",
        Standing::Retired => "retired",
    }
}

fn in_force_from(standing: Standing) -> Option<String> {
    if let Standing::NotYet(from) = standing { Some(from.to_string()) } else { None }
}

/// What is to be known of where something stands, in words; none where it is in force like everything else.
fn standing_text(ui: Ui, standing: Standing) -> Option<String> {
    match standing {
        Standing::InForce => None,
        Standing::NotYet(from) => Some(format!("{} {from}", ui.text("gäller från", "in force from"))),
        Standing::Retired => Some(ui.text("utgått", "retired").to_owned()),
    }
}

fn bracketed(flags: &[String]) -> String {
    if flags.is_empty() { String::new() } else { format!("  [{}]", flags.join(", ")) }
}

fn flags(ui: Ui, activity: &ActivityView, parent_in_force: bool) -> String {
    let mut flags: Vec<String> = standing_text(ui, activity.standing).into_iter().collect();
    if !parent_in_force && activity.standing == Standing::InForce {
        let stray = ui.text("under något som inte gäller", "under something that is not in force");
        flags.push(stray.to_owned());
    }
    for field in &activity.conflicting {
        flags.push(format!("{}: {}", ui.text("konflikt", "conflict"), field_name(ui, *field)));
    }
    bracketed(&flags)
}

/// Where in the log the programme is read, and how much of it is only queued.
fn standing(ui: Ui, point: &Point, queued: usize) -> String {
    let at = match (ui.lang, queued) {
        (_, 0) => format!("position {}, {}", point.position, when::local(point.state.recorded_at())),
        (Lang::Sv, queued) => format!("position {} och {queued} i kö", point.position),
        (Lang::En, queued) => format!("position {} and {queued} queued", point.position),
    };
    format!("{at}; {} {}", ui.text("gäller", "in force on"), point.day)
}

fn tree(
    ui: Ui,
    ground: &Ground<'_>,
    program: &ProgramView,
    only: Option<EntityId>,
    standing: &str,
) -> Result<(), CliError> {
    ui.line(&program.title)?;
    ui.line(standing)?;
    let flag = |standing| bracketed(&standing_text(ui, standing).into_iter().collect::<Vec<_>>());
    for area in program.areas.iter().filter(|area| only.is_none_or(|only| only == area.id)) {
        ui.line("")?;
        ui.line(&format!("{}{}", heading(&area.title, area.goal.as_deref()), flag(area.standing)))?;
        for subgoal in &area.subgoals {
            indented(ui, 2, &format!("{}{}", subgoal.title, flag(subgoal.standing)))?;
            for activity in &subgoal.activities {
                let flags = flags(ui, activity, parent_in_force(area, subgoal));
                hanging(ui, &format!("{}{flags}", activity.title))?;
                let facts = [
                    Some(activity.responsible_text.clone()).filter(|text| !text.is_empty()),
                    activity.lead.map(|lead| format!("{}: {}", ui.text("leder", "lead"), ground.title(lead))),
                    activity.time.clone(),
                    activity.cost.as_ref().map(cost_text),
                ];
                let facts: Vec<String> = facts.into_iter().flatten().collect();
                if !facts.is_empty() {
                    indented(ui, 6, &facts.join(" · "))?;
                }
            }
        }
    }
    ui.line("")?;
    ui.line(&summary(ui, program))
}

/// An item of a list, whose further lines stand under its text.
fn hanging(ui: Ui, text: &str) -> Result<(), CliError> {
    for (at, line) in fold(text, 72).iter().enumerate() {
        ui.line(&format!("    {} {line}", if at == 0 { "–" } else { " " }))?;
    }
    Ok(())
}

fn indented(ui: Ui, by: usize, text: &str) -> Result<(), CliError> {
    for line in fold(text, 78 - by) {
        ui.line(&format!("{}{line}", " ".repeat(by)))?;
    }
    Ok(())
}

/// Shows one entity, field by field, with who wrote what, and what will apply on a later day.
pub fn entity(place: &Place, kind: EntityKind, args: &NamedAt) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let mut point = point::at(place, &replica, &view, &args.at)?;
    let ground = point.ground(&view);
    let id = names::entity(ground.state, ground.values, ground.day, &[kind], &args.name)?;
    // What applied on the days between that one and today is not in the programme of today.
    replica.put_back(&mut point.state, id)?;
    let ground = point.ground(&view);
    let ui = place.ui;
    let standing = view::standing(ground.state, id, ground.day);
    let mut lines = radslag_core::history::blame(ground.state, id, ground.day);
    let now = lines.len();
    lines.extend(later(&ground, id));
    if ui.json() {
        let json = |(index, line): (usize, &BlameLine<'_>)| {
            let (org, member) = ground.author(line.shown);
            json!({
                "field": line.field.name(), "value": ground.json(line.field, Some(&line.shown.content)),
                "party_id": (!line.field.qualifier().is_zero()).then(|| line.field.qualifier().to_string()),
                "org": org, "member": member, "event_id": line.shown.event.to_string(), "in_conflict": line.in_conflict,
                "applies_on": line.shown.date.to_string(), "later": index >= now,
            })
        };
        let fields: Vec<Json> = lines.iter().enumerate().map(json).collect();
        return ui.object(&point.marked(json!({
            "entity_id": id.to_string(), "kind": kind.name(), "title": ground.title(id), "fields": fields,
            "standing": standing_name(standing), "in_force_from": in_force_from(standing),
            "base_token": point.form.to_string(),
        })));
    }
    let flag = bracketed(&standing_text(ui, standing).into_iter().collect::<Vec<_>>());
    ui.line(&format!("{}  {}{flag}", id, ground.title(id)))?;
    let row = |(index, line): (usize, &BlameLine<'_>)| {
        let (org, member) = ground.author(line.shown);
        let later = format!("{} {}", ui.text("från", "from"), line.shown.date);
        let mut flags = Vec::new();
        flags.extend((index >= now).then_some(later));
        flags.extend(line.in_conflict.then(|| ui.text("konflikt", "conflict").to_owned()));
        vec![
            ground.field(ui, line.field),
            format!("{}{}", ground.text(ui, line.field, Some(&line.shown.content)), bracketed(&flags)),
            format!("{org}, {member}"),
        ]
    };
    let rows: Vec<Vec<String>> = lines.iter().enumerate().map(row).collect();
    let headings = match ui.lang {
        Lang::Sv => ["fält", "värde", "av"],
        Lang::En => ["field", "value", "by"],
    };
    ui.table(&headings, &rows)?;
    ui.line("")?;
    ui.line(&format!("{}: {}", ui.text("bas", "base"), point.form))?;
    ui.line(&point.footer(ui))
}

/// What each field will show on each later day on which that changes, as far as the log says it now.
fn later<'a>(ground: &Ground<'a>, id: EntityId) -> Vec<BlameLine<'a>> {
    let Some(entity) = ground.state.entity(id) else { return Vec::new() };
    let epochs = ground.state.epochs();
    let mut lines = Vec::new();
    for (field, register) in &entity.fields {
        let days: std::collections::BTreeSet<CivilDate> =
            register.writes().iter().map(|write| write.date).filter(|date| *date > ground.day).collect();
        for day in days {
            let Some(shown) = register.shown_at(day, epochs).filter(|shown| shown.date == day) else {
                continue;
            };
            let in_conflict = register.conflict_at(day, epochs);
            lines.push(BlameLine { entity: id, field: *field, shown, in_conflict });
        }
    }
    lines
}
