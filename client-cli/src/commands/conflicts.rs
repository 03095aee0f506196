//! Where municipalities disagree, and how it is settled.

use radslag_core::command::{self, Choice, To};
use radslag_core::field::FieldKey;
use radslag_core::id::Position;
use radslag_core::register::Write;
use radslag_core::view::{self, Conflict};
use serde_json::{Value as Json, json};

use super::edit::{cell, cost, hand_over, party, title};
use super::{Place, ground};
use crate::args::{Conflicts, Resolve};
use crate::error::CliError;
use crate::names;
use crate::shape::{Ground, weight_name};
use crate::ui::{Lang, Ui};
use crate::when;

/// `conflicts`.
pub fn list(place: &Place, args: &Conflicts) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let ground = ground(&view);
    let ui = place.ui;
    let wrote = |conflict: &Conflict<'_>| {
        args.org.as_ref().is_none_or(|org| conflict.sides.iter().any(|side| ground.author(side).0 == *org))
    };
    let mut found: Vec<Conflict<'_>> = view::conflicts(&view.state).into_iter().filter(wrote).collect();
    found.sort_by_key(|conflict| std::cmp::Reverse(conflict.weight));
    if ui.json() {
        for conflict in &found {
            ui.object(&conflict_json(&ground, conflict, replica.ledger.state.head()))?;
        }
        return Ok(());
    }
    if found.is_empty() {
        return ui.tell("inga konflikter", "no conflicts");
    }
    for conflict in &found {
        describe(ui, &ground, conflict)?;
    }
    ui.say(ui.text("avgör: radslag resolve ID --take SIDA", "settle: radslag resolve ID --take SIDE"));
    Ok(())
}

fn conflict_json(ground: &Ground<'_>, conflict: &Conflict<'_>, confirmed: Position) -> Json {
    let side = |side: &&Write| {
        let (org, member) = ground.author(side);
        json!({
            "event_id": side.event.to_string(), "org": org, "member": member,
            "value": ground.json(conflict.field, Some(&side.content)), "position": (side.position <= confirmed).then(|| side.position.get()),
            "applies_on": side.date.to_string(), "authored_at": when::rfc3339(side.authored_at),
        })
    };
    json!({
        "conflict_id": conflict.id.to_string(), "entity_id": conflict.entity.to_string(),
        "title": ground.title(conflict.entity), "field": conflict.field.name(), "weight": weight_name(conflict.weight),
        "sides": conflict.sides.iter().map(side).collect::<Vec<_>>(),
    })
}

fn describe(ui: Ui, ground: &Ground<'_>, conflict: &Conflict<'_>) -> Result<(), CliError> {
    ui.line(&format!(
        "{}  {}: {}",
        conflict.id.short(),
        ground.title(conflict.entity),
        ground.field(ui, conflict.field)
    ))?;
    let rows: Vec<Vec<String>> = conflict
        .sides
        .iter()
        .enumerate()
        .map(|(index, side)| {
            let (org, member) = ground.author(side);
            let reason = ground.beside(side.event, radslag_core::value::Slot::REASON).unwrap_or_default();
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
    ui.line("")
}

/// `resolve`.
pub fn resolve(place: &Place, args: &Resolve) -> Result<(), CliError> {
    if args.edit {
        return Err(super::not_yet("resolve --edit"));
    }
    let mut replica = place.open()?;
    let view = replica.view();
    let ground = ground(&view);
    let open = view::conflicts(&view.state);
    if open.is_empty() {
        return Err(CliError::refused(
            "there are no conflicts",
            "radslag sync fetches what others have written",
        ));
    }
    let named = open.iter().map(|conflict| (conflict.id.to_string(), conflict));
    let conflict = names::by_digits("open conflict", &args.conflict, named)?;
    let choice = match (&args.take, &args.value) {
        (Some(side), _) => Choice::Take(side_of(&ground, conflict, side)?.event),
        (None, Some(value)) => Choice::Value(new_value(&ground, conflict.field, value)?),
        (None, None) => return Err(CliError::usage("say what stands: --take SIDE or --value VALUE")),
    };
    let draft = command::resolve(conflict, &choice)
        .map_err(|error| CliError::Refused { what: error.to_string(), hint: None })?;
    let base = replica.base();
    drop(open);
    drop(view);
    hand_over(place.ui, &mut replica, base, vec![draft], &args.why)?;
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
