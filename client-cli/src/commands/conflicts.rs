//! Where municipalities disagree, and how it is settled.

use radslag_client::clock::day_of;
use radslag_client::replica::Replica;
use radslag_core::as_of;
use radslag_core::command::{self, Choice, To};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, Position};
use radslag_core::merge::{Merged, Part, merge};
use radslag_core::parse::time::{Timing, parse_time};
use radslag_core::register::{Content, Write};
use radslag_core::state::State;
use radslag_core::time::Instant;
use radslag_core::value::Slot;
use radslag_core::view::{self, Conflict, FieldValue, Weight};
use serde_json::{Value as Json, json};

use super::edit::{cell, cost, party, title};
use super::writing::{dated, hand_over};
use super::{Place, editor, ground, point};
use crate::args::{Conflicts, Resolve};
use crate::error::CliError;
use crate::names;
use crate::shape::{Ground, weight_name};
use crate::ui::{Lang, Ui};
use crate::when;

/// Below this line of an editor's file nothing is kept.
const SCISSORS: &str = "-- >8 --";
/// What stands around and between words that sides disagree on.
const MARKS: [&str; 3] = ["<<<", "|||", ">>>"];

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
    // Only a fold that keeps every write still has what the sides took the place of.
    let at = as_of::Recorded::Position(ground.state.head().min(replica.ledger.state.head()));
    let whole = replica.state_at(at).ok();
    let now = replica.clock.now();
    let look = |conflict: Conflict<'a>| {
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
            ui.object(&point.marked(conflict_json(&ground, open, replica.ledger.state.head())))?;
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
    Ok(())
}

fn conflict_json(ground: &Ground<'_>, open: &Open<'_>, confirmed: Position) -> Json {
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

/// What a person makes of the sides in their editor.
fn edited(ui: Ui, ground: &Ground<'_>, open: &Open<'_>) -> Result<String, CliError> {
    let conflict = &open.conflict;
    let usage = || {
        let what = format!("--edit: the {} is settled with --take or --value", conflict.field.name());
        CliError::usage(what)
    };
    let merged = open.merged.as_ref().ok_or_else(usage)?;
    let id = conflict.id.short();
    let otherwise = format!("radslag resolve {id} --value TEXT");
    let text = sheet(ui, ground, open, merged);
    let after = editor::edited(ui, &format!("resolve-{id}"), &text, &otherwise, "radslag conflicts")?;
    let kept = after.split(SCISSORS).next().unwrap_or_default().trim().to_owned();
    if kept.is_empty() {
        return Err(CliError::refused(
            ui.text("texten är tom; ingenting är köat", "the text is empty; nothing is queued"),
            otherwise,
        ));
    }
    if let Some(mark) = MARKS.iter().find(|mark| kept.contains(**mark)) {
        return Err(CliError::refused(
            match ui.lang {
                Lang::Sv => {
                    format!("det står kvar {mark} i texten, där sidorna säger olika; ingenting är köat")
                }
                Lang::En => format!("{mark} is left in the text, where the sides differ; nothing is queued"),
            },
            format!("radslag resolve {id} --edit"),
        ));
    }
    Ok(kept)
}

/// The file that is opened: the suggestion, and below the line what it was made of.
fn sheet(ui: Ui, ground: &Ground<'_>, open: &Open<'_>, merged: &Merged) -> String {
    let orgs: Vec<String> = open.conflict.sides.iter().map(|side| ground.author(side).0).collect();
    let mut text = String::new();
    for part in &merged.parts {
        match part {
            Part::Agreed(words) => text.push_str(words),
            Part::Overlap(texts) => {
                let named: Vec<String> =
                    texts.iter().zip(&orgs).map(|(text, org)| format!("{org}: {}", text.trim())).collect();
                text.push_str(&format!(
                    "{} {} {}",
                    MARKS[0],
                    named.join(&format!(" {} ", MARKS[1])),
                    MARKS[2]
                ));
            }
        }
    }
    text.push_str(&format!("\n\n{SCISSORS}\n"));
    text.push_str(ui.text(
        "Skriv ovanför linjen vad som ska gälla. Inget under den sparas. Mellan <<< och >>> säger sidorna olika.\n",
        "Write above the line what is to stand. Nothing below it is kept. Between <<< and >>> the sides differ.\n",
    ));
    if open.base.is_some() {
        let before = ground.text(ui, open.conflict.field, open.base.as_ref());
        text.push_str(&format!("{}: {before}\n", ui.text("före", "before")));
    }
    for (side, org) in open.conflict.sides.iter().zip(&orgs) {
        text.push_str(&format!("{org}: {}\n", ground.text(ui, open.conflict.field, Some(&side.content))));
    }
    text
}

/// `resolve`.
pub fn resolve(place: &Place, args: &Resolve) -> Result<(), CliError> {
    let stated = args.beside.on()?;
    let mut replica = place.open()?;
    let view = replica.view_for(stated)?;
    let ground = ground(&view);
    let mut conflicts = view::conflicts_at(ground.state, ground.day);
    if let Some(day) = stated {
        // Sides may disagree on the day that is named and agree today.
        let known: Vec<_> = conflicts.iter().map(|conflict| conflict.id).collect();
        let then = view::conflicts_at(ground.state, day).into_iter();
        conflicts.extend(then.filter(|conflict| !known.contains(&conflict.id)));
    }
    let open = look(&replica, &ground, conflicts);
    if open.is_empty() {
        return Err(CliError::refused(
            "there are no conflicts",
            "radslag sync fetches what others have written",
        ));
    }
    let named = open.iter().map(|open| (open.conflict.id.to_string(), open));
    let one = names::by_digits("open conflict", &args.conflict, named)?;
    let conflict = &one.conflict;
    let choice = match (&args.take, &args.value) {
        (Some(side), _) => Choice::Take(side_of(&ground, conflict, side)?.event),
        (None, Some(value)) => Choice::Value(new_value(&ground, conflict.field, value)?),
        (None, None) if args.edit => {
            let text = edited(place.ui, &ground, one)?;
            Choice::Value(new_value(&ground, conflict.field, &text)?)
        }
        (None, None) => return Err(CliError::usage("say what stands: --take SIDE, --value VALUE or --edit")),
    };
    let draft = command::resolve(conflict, &choice)
        .map_err(|error| CliError::Refused { what: error.to_string(), hint: None })?;
    let base = replica.base();
    drop(open);
    drop(view);
    hand_over(place.ui, &mut replica, base, dated(vec![draft], stated), &args.beside.why)?;
    Ok(replica.close()?)
}

/// A side by its number in the list, its organisation, or its event.
fn side_of<'a>(ground: &Ground<'_>, conflict: &'a Conflict<'_>, name: &str) -> Result<&'a Write, CliError> {
    let numbered = name.parse::<usize>().ok().filter(|_| name.len() <= 2);
    if let Some(side) = numbered.and_then(|number| conflict.sides.get(number.checked_sub(1)?)) {
        return Ok(side);
    }
    let by_org: Vec<&&Write> = conflict.sides.iter().filter(|side| ground.author(side).0 == name).collect();
    match by_org.as_slice() {
        [one] => return Ok(one),
        [] => {}
        _ => {
            return Err(CliError::refused(
                format!("{name} wrote {} of the sides", by_org.len()),
                "name the side by its number or its event: radslag conflicts",
            ));
        }
    }
    let named = conflict.sides.iter().map(|side| (side.event.uuid().simple().to_string(), *side));
    names::by_digits("side", name, named)
}

fn new_value(ground: &Ground<'_>, field: FieldKey, text: &str) -> Result<To, CliError> {
    Ok(match field {
        FieldKey::Cost => To::Cost(cost(text)?),
        FieldKey::Lead | FieldKey::Organisation => To::Party(party(ground, text)?),
        FieldKey::Title | FieldKey::Name => To::Text(title("--value", text)?),
        FieldKey::Goal | FieldKey::Comment | FieldKey::Time => To::Text(cell("--value", text)?),
        FieldKey::Place | FieldKey::Life | FieldKey::Responsible(_) => {
            return Err(CliError::usage(format!(
                "--value: the {} is settled with --take, or with move, retire or restore",
                field.name()
            )));
        }
    })
}
