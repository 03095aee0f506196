//! Where municipalities disagree, and how it is settled.

mod over;
mod resolve;

pub use resolve::resolve;

use radslag_client::clock::day_of;
use radslag_client::form::Form;
use radslag_client::replica::Replica;
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, Position};
use radslag_core::merge::{Merged, merge};
use radslag_core::parse::time::{Timing, parse_time};
use radslag_core::register::{Content, Write};
use radslag_core::state::State;
use radslag_core::time::Instant;
use radslag_core::value::Slot;
use radslag_core::view::{self, Conflict, FieldValue, Weight};
use serde_json::{Value as Json, json};

use super::{Place, point};
use crate::args::Conflicts;
use crate::error::CliError;
use crate::shape::{Ground, weight_name};
use crate::ui::{Lang, Ui};
use crate::when;

/// A conflict with what there is to say about it beside its sides.
struct Open<'a> {
    conflict: Conflict<'a>,
    weight: Weight,
    /// When its second side came into the log.
    since: Instant,
    /// From then to the day that is read.
    days: i32,
    /// What all sides' authors had before them.
    base: Option<Content>,
    /// What the sides give together, as a suggestion.
    merged: Option<Merged>,
}

/// What there is to say about conflicts, those that weigh most first.
fn look<'a>(replica: &Replica, ground: &Ground<'_>, conflicts: Vec<Conflict<'a>>) -> Vec<Open<'a>> {
    if conflicts.is_empty() {
        return Vec::new();
    }
    let now = replica.clock.now();
    let look = |conflict: Conflict<'a>| {
        // Only a fold that keeps every write still has what the sides took the place of.
        let whole = replica.everything_of(conflict.entity).ok().flatten();
        let base = whole.as_ref().and_then(|whole| base_of(whole, &conflict));
        let since = conflict.sides.get(1).map_or(now, |side| side.recorded_at);
        Open {
            weight: weight(ground, &conflict),
            since,
            days: (ground.day.days() - day_of(since).days()).max(0),
            merged: merged(ground, &conflict, base.as_ref()),
            base,
            conflict,
        }
    };
    let mut open: Vec<Open<'a>> = conflicts.into_iter().map(look).collect();
    open.sort_by_key(|open| (std::cmp::Reverse(open.weight), open.since));
    open
}

/// The latest write of the field that every side's author had seen.
fn base_of(whole: &State, conflict: &Conflict<'_>) -> Option<Content> {
    let register = whole.register(conflict.entity, conflict.field)?;
    let seen = |write: &&Write| {
        let by_all = |side: &&Write| side.event != write.event && side.has_seen(write, whole.epochs());
        conflict.sides.iter().all(by_all)
    };
    let base = register.writes().iter().filter(seen).max_by_key(|write| (write.date, write.position));
    base.map(|write| write.content.clone())
}

/// The same time in other words matters little.
fn weight(ground: &Ground<'_>, conflict: &Conflict<'_>) -> Weight {
    if conflict.field != FieldKey::Time {
        return conflict.weight;
    }
    let mut times = conflict.sides.iter().map(|side| text_of(ground, conflict.field, Some(&side.content)));
    let first = times.next().flatten().map(|text| parse_time(&text));
    let known = first.as_ref().is_some_and(|time| !matches!(time, Timing::Unknown));
    let same = times.all(|text| text.map(|text| parse_time(&text)) == first);
    if known && same { Weight::Low } else { conflict.weight }
}

fn merged(ground: &Ground<'_>, conflict: &Conflict<'_>, base: Option<&Content>) -> Option<Merged> {
    let words = matches!(
        conflict.field,
        FieldKey::Title | FieldKey::Goal | FieldKey::Comment | FieldKey::Name | FieldKey::Time
    );
    if !words {
        return None;
    }
    let base = text_of(ground, conflict.field, base).unwrap_or_default();
    let sides: Option<Vec<String>> =
        conflict.sides.iter().map(|side| text_of(ground, conflict.field, Some(&side.content))).collect();
    let sides = sides?;
    merge(&base, &sides.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The text of a field; nothing where it was emptied, none where it is no text.
fn text_of(ground: &Ground<'_>, field: FieldKey, content: Option<&Content>) -> Option<String> {
    match content.and_then(|content| view::field_value(field, content, ground.values)) {
        Some(FieldValue::Text(text)) => Some(text),
        None => Some(String::new()),
        Some(_) => None,
    }
}

/// `conflicts`.
pub fn list(place: &Place, args: &Conflicts) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let point = point::at(place, &replica, &view, &args.at)?;
    let ground = point.ground(&view);
    let ui = place.ui;
    let mut found = look(&replica, &ground, view::conflicts_at(ground.state, ground.day));
    found.retain(|open| {
        let mut sides = open.conflict.sides.iter();
        args.org.as_ref().is_none_or(|org| sides.any(|side| ground.author(side).0 == *org))
    });
    if ui.json() {
        for open in &found {
            ui.object(&point.marked(conflict_json(&ground, open, replica.ledger.state.head(), &point.form)))?;
        }
        return Ok(());
    }
    if found.is_empty() {
        ui.tell("inga konflikter", "no conflicts")?;
        return ui.line(&point.footer(ui));
    }
    for open in &found {
        describe(ui, &ground, open)?;
    }
    ui.line(&point.footer(ui))?;
    ui.say(ui.text(
        "avgör: radslag resolve ID --take SIDA, --value VÄRDE eller --edit",
        "settle: radslag resolve ID --take SIDE, --value VALUE or --edit",
    ));
    ui.say(&match ui.lang {
        Lang::Sv => format!("som det visas här, vad som än kommer emellan: lägg till --base {}", point.form),
        Lang::En => format!("as it is shown here, whatever comes in between: add --base {}", point.form),
    });
    Ok(())
}

fn conflict_json(ground: &Ground<'_>, open: &Open<'_>, confirmed: Position, form: &Form) -> Json {
    let conflict = &open.conflict;
    let side = |side: &&Write| {
        let (org, member) = ground.author(side);
        json!({
            "event_id": side.event.to_string(), "org": org, "member": member,
            "value": ground.json(conflict.field, Some(&side.content)), "position": (side.position <= confirmed).then(|| side.position.get()),
            "applies_on": side.date.to_string(), "authored_at": when::rfc3339(side.authored_at),
            "reason": ground.beside(side.event, Slot::REASON),
        })
    };
    json!({
        "conflict_id": conflict.id.to_string(), "entity_id": conflict.entity.to_string(),
        "title": ground.title(conflict.entity), "within": within(ground, conflict.entity),
        "field": conflict.field.name(), "weight": weight_name(open.weight),
        "since": when::rfc3339(open.since), "age_days": open.days,
        "base": ground.json(conflict.field, open.base.as_ref()),
        "offer": open.merged.as_ref().and_then(Merged::text),
        "sides": conflict.sides.iter().map(side).collect::<Vec<_>>(),
        "base_token": form.to_string(),
    })
}

/// The titles of what an entity stands in, from the outside in.
fn within(ground: &Ground<'_>, entity: EntityId) -> Vec<String> {
    let mut titles = Vec::new();
    let mut at = entity;
    while let Some(Content::Place { parent, .. }) =
        ground.state.shown(at, FieldKey::Place, ground.day).map(|write| &write.content)
    {
        if EntityId::from(ground.state.program_id()) == *parent || titles.len() > 4 {
            break;
        }
        titles.insert(0, ground.title(*parent));
        at = *parent;
    }
    titles
}

fn weight_text(ui: Ui, weight: Weight) -> &'static str {
    match weight {
        Weight::High => ui.text("väger tungt", "weighs heavily"),
        Weight::Medium => ui.text("väger medel", "medium weight"),
        Weight::Low => ui.text("väger lätt", "weighs little"),
    }
}

fn age_text(ui: Ui, days: i32) -> String {
    match (ui.lang, days) {
        (Lang::Sv, 0) => "sedan i dag".to_owned(),
        (Lang::En, 0) => "since today".to_owned(),
        (Lang::Sv, 1) => "sedan i går".to_owned(),
        (Lang::En, 1) => "for a day".to_owned(),
        (Lang::Sv, days) => format!("sedan {days} dagar"),
        (Lang::En, days) => format!("for {days} days"),
    }
}

fn describe(ui: Ui, ground: &Ground<'_>, open: &Open<'_>) -> Result<(), CliError> {
    let conflict = &open.conflict;
    ui.line(&format!(
        "{}  {}: {}  ({}, {})",
        conflict.id.short(),
        ground.title(conflict.entity),
        ground.field(ui, conflict.field),
        weight_text(ui, open.weight),
        age_text(ui, open.days),
    ))?;
    let within = within(ground, conflict.entity);
    if !within.is_empty() {
        ui.line(&format!("{}: {}", ui.text("i", "in"), within.join(" › ")))?;
    }
    if open.base.is_some() {
        let before = ground.text(ui, conflict.field, open.base.as_ref());
        ui.line(&format!("{}: {before}", ui.text("före", "before")))?;
    }
    let rows: Vec<Vec<String>> = conflict
        .sides
        .iter()
        .enumerate()
        .map(|(index, side)| {
            let (org, member) = ground.author(side);
            let reason = ground.beside(side.event, Slot::REASON).unwrap_or_default();
            vec![
                (index + 1).to_string(),
                ground.text(ui, conflict.field, Some(&side.content)),
                format!("{org}, {member}"),
                when::local(side.authored_at),
                reason,
                side.event.short(),
            ]
        })
        .collect();
    let headings = match ui.lang {
        Lang::Sv => ["sida", "värde", "av", "skriven", "varför", "händelse"],
        Lang::En => ["side", "value", "by", "written", "why", "event"],
    };
    ui.table(&headings, &rows)?;
    if let Some(offer) = open.merged.as_ref().and_then(Merged::text) {
        ui.line(&format!("{}: {offer}", ui.text("förslag", "suggestion")))?;
    }
    ui.line("")
}
