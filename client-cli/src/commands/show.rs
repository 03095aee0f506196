//! `show`: the programme now, with what is queued, or as of a point in time.

use radslag_client::form::Form;
use radslag_client::replica::{Replica, View};
use radslag_core::as_of::{self, AsOf};
use radslag_core::id::{EntityId, Position};
use radslag_core::parse::nfc_eq;
use radslag_core::state::{EntityKind, State};
use radslag_core::time::CivilDate;
use radslag_core::view::{self, ActivityView, ProgramView, Standing};
use serde_json::{Value as Json, json};

use super::{Place, ground, provisional};
use crate::args::Show;
use crate::error::CliError;
use crate::names;
use crate::shape::{Ground, cost_json, cost_text, field_name, sum_text};
use crate::ui::{Lang, Ui, fold};
use crate::when;

/// A programme at a point: the view, or the confirmed log as of then.
pub struct Point {
    /// The state.
    pub state: State,
    /// The day that is read.
    pub day: CivilDate,
    /// The last confirmed record that is read; queued changes have no position yet.
    pub position: Position,
    /// What whoever reads it has seen.
    pub form: Form,
}

/// Reads the programme at `as_of`, or the view where none is given.
pub fn point(replica: &Replica, view: &View<'_>, as_of: Option<&str>) -> Result<Point, CliError> {
    let head = replica.ledger.state.head();
    if head.get() == 0 {
        return Err(radslag_client::ClientError::Empty.into());
    }
    let Some(text) = as_of else {
        return Ok(Point {
            state: view.state.clone(),
            day: view.day(),
            position: head,
            form: replica.form(),
        });
    };
    let recorded = when::parse(text, replica.clock.now())?;
    if let as_of::Recorded::Position(asked) = recorded
        && asked > head
    {
        return Err(CliError::refused(
            format!("position {asked} is after the last one, {head}"),
            "radslag pull, or name an earlier position",
        ));
    }
    let state = replica.read_at(AsOf { recorded, effective: None })?.state;
    let Some(day) = state.today() else {
        let began = replica.began()?.map(when::rfc3339).unwrap_or_default();
        return Err(CliError::refused(
            format!("the programme began later, {began}"),
            format!("radslag show --as-of {began}"),
        ));
    };
    Ok(Point { position: state.head(), form: replica.form_as_of(&state), state, day })
}

/// `show`.
pub fn show(place: &Place, args: &Show) -> Result<(), CliError> {
    let later = [
        (args.effective.is_some(), "--effective"),
        (args.org.is_some(), "--org"),
        (args.mine, "--mine"),
        (args.basis.is_some(), "--basis"),
    ];
    if let Some((_, what)) = later.iter().find(|(given, _)| *given) {
        return Err(super::not_yet(what));
    }
    let replica = place.open()?;
    let view = replica.view();
    let point = point(&replica, &view, args.as_of.as_deref())?;
    let ground = Ground { state: &point.state, values: &view, day: point.day };
    let program = view::program(&point.state, &view, point.day);
    provisional::say(place.ui, &replica);
    let area = args.area.as_deref().map(|name| area(&ground, &program, name)).transpose()?;
    match (place.ui.json(), args.rows) {
        (true, true) => rows_json(place.ui, &program, area),
        (true, false) => place.ui.object(&summary_json(&point, &program)),
        (false, true) => rows(place.ui, &ground, &program, area),
        (false, false) => {
            let queued = replica.outbox.len();
            let queued = if args.as_of.is_none() { queued } else { 0 };
            tree(place.ui, &ground, &program, area, &standing(place.ui, &point, queued))
        }
    }
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

fn counts(program: &ProgramView) -> (usize, usize, usize) {
    let live = |standing: Standing| standing != Standing::Retired;
    let areas = program.areas.iter().filter(|area| live(area.standing)).count();
    let subgoals = program.subgoals().filter(|subgoal| live(subgoal.standing)).count();
    (areas, subgoals, program.activities().count())
}

fn summary_json(point: &Point, program: &ProgramView) -> Json {
    let (headings, subgoals, activities) = counts(program);
    json!({
        "program_id": point.state.program_id().to_string(),
        "title": program.title,
        "position": point.position.get(),
        "effective_on": point.day.to_string(),
        "headings": headings, "subgoals": subgoals, "activities": activities,
        "cost": {
            "sum_ore": program.cost.low, "low_ore": program.cost.low, "high_ore": program.cost.high,
            "missing": program.cost.missing,
        },
        "conflicts": view::conflicts(&point.state).len(),
        "state_hash": point.state.hash().to_string(),
        "base_token": point.form.to_string(),
    })
}

/// What a line of sums says: `13 headings, 21 sub-goals, 32 activities, 525 000 kr; 26 of 32 activities lack a cost`.
pub fn summary(ui: Ui, program: &ProgramView) -> String {
    let (headings, subgoals, activities) = counts(program);
    let sum = sum_text(&program.cost);
    let missing = program.cost.missing;
    match ui.lang {
        Lang::Sv => format!(
            "{headings} rubriker, {subgoals} delmål, {activities} aktiviteter, {sum}; \
             {missing} av {activities} aktiviteter saknar kostnad"
        ),
        Lang::En => format!(
            "{headings} headings, {subgoals} sub-goals, {activities} activities, {sum}; \
             {missing} of {activities} activities lack a cost"
        ),
    }
}

fn rows_json(ui: Ui, program: &ProgramView, only: Option<EntityId>) -> Result<(), CliError> {
    for (area, subgoal, activity) in program.activities() {
        if only.is_none_or(|only| only == area.id) {
            ui.object(&json!({
                "activity_id": activity.id.to_string(), "area": area.title, "goal": area.goal, "subgoal": subgoal.title,
                "title": activity.title, "responsible": activity.responsible_text, "time": activity.time,
                "cost": activity.cost.as_ref().map(cost_json), "comment": activity.comment,
                "area_id": area.id.to_string(), "subgoal_id": subgoal.id.to_string(),
                "responsible_ids": activity.responsible.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "lead_id": activity.lead.map(|lead| lead.to_string()),
                "conflicts": activity.conflicting.iter().map(|field| field.name()).collect::<Vec<_>>(),
            }))?;
        }
    }
    Ok(())
}

fn rows(ui: Ui, ground: &Ground<'_>, program: &ProgramView, only: Option<EntityId>) -> Result<(), CliError> {
    let headings = match ui.lang {
        Lang::Sv => ["id", "område", "aktivitet", "ansvarig", "tid", "kostnad"],
        Lang::En => ["id", "area", "activity", "responsible", "time", "cost"],
    };
    let mut rows = Vec::new();
    for (area, _, activity) in program.activities() {
        if only.is_none_or(|only| only == area.id) {
            rows.push(vec![
                names::front(activity.id),
                area.title.clone(),
                format!("{}{}", activity.title, flags(ui, ground, activity)),
                activity.responsible_text.clone(),
                activity.time.clone().unwrap_or_default(),
                activity.cost.as_ref().map(cost_text).unwrap_or_default(),
            ]);
        }
    }
    ui.table(&headings, &rows)?;
    ui.line("")?;
    ui.line(&summary(ui, program))
}

fn flags(ui: Ui, _ground: &Ground<'_>, activity: &ActivityView) -> String {
    let mut flags = Vec::new();
    if activity.standing == Standing::NotYet {
        flags.push(ui.text("gäller ännu inte", "not yet in force").to_owned());
    }
    for field in &activity.conflicting {
        flags.push(format!("{}: {}", ui.text("konflikt", "conflict"), field_name(ui, *field)));
    }
    if flags.is_empty() { String::new() } else { format!("  [{}]", flags.join(", ")) }
}

/// Where in the log the programme is read, and how much of it is only queued.
fn standing(ui: Ui, point: &Point, queued: usize) -> String {
    let at = format!("position {}, {}", point.position, when::local(point.state.recorded_at()));
    match (ui.lang, queued) {
        (_, 0) => at,
        (Lang::Sv, queued) => format!("position {} och {queued} i kö", point.position),
        (Lang::En, queued) => format!("position {} and {queued} queued", point.position),
    }
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
    let retired =
        |standing| if standing == Standing::Retired { ui.text("  [utgått]", "  [retired]") } else { "" };
    for area in program.areas.iter().filter(|area| only.is_none_or(|only| only == area.id)) {
        ui.line("")?;
        ui.line(&format!("{}{}", heading(&area.title, area.goal.as_deref()), retired(area.standing)))?;
        for subgoal in &area.subgoals {
            indented(ui, 2, &format!("{}{}", subgoal.title, retired(subgoal.standing)))?;
            for activity in &subgoal.activities {
                indented(ui, 4, &format!("– {}{}", activity.title, flags(ui, ground, activity)))?;
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

fn indented(ui: Ui, by: usize, text: &str) -> Result<(), CliError> {
    for line in fold(text, 78 - by) {
        ui.line(&format!("{}{line}", " ".repeat(by)))?;
    }
    Ok(())
}

/// Shows one entity, field by field, with who wrote what.
pub fn entity(place: &Place, kind: EntityKind, name: &str) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let ground = ground(&view);
    let id = names::entity(ground.state, ground.values, ground.day, &[kind], name)?;
    let ui = place.ui;
    let lines = radslag_core::history::blame(ground.state, id, ground.day);
    if ui.json() {
        let fields: Vec<Json> = lines
            .iter()
            .map(|line| {
                let (org, member) = ground.author(line.shown);
                json!({
                    "field": line.field.name(), "value": ground.json(line.field, Some(&line.shown.content)),
                    "party_id": (!line.field.qualifier().is_zero()).then(|| line.field.qualifier().to_string()),
                    "org": org, "member": member, "event_id": line.shown.event.to_string(), "in_conflict": line.in_conflict,
                })
            })
            .collect();
        return ui.object(&json!({
            "entity_id": id.to_string(), "kind": kind.name(), "title": ground.title(id), "fields": fields,
            "base_token": replica.form().to_string(),
        }));
    }
    ui.line(&format!("{}  {}", id, ground.title(id)))?;
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let (org, member) = ground.author(line.shown);
            let flag = if line.in_conflict { ui.text("  [konflikt]", "  [conflict]") } else { "" };
            vec![
                ground.field(ui, line.field),
                format!("{}{flag}", ground.text(ui, line.field, Some(&line.shown.content))),
                format!("{org}, {member}"),
            ]
        })
        .collect();
    let headings = match ui.lang {
        Lang::Sv => ["fält", "värde", "av"],
        Lang::En => ["field", "value", "by"],
    };
    ui.table(&headings, &rows)?;
    ui.line(&format!("{}: {}", ui.text("bas", "base"), replica.form()))
}
