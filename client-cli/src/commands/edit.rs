//! Editing: fields of an activity, and setting back what one event changed.

use std::collections::BTreeSet;

use radslag_core::command::{self, Draft, Edit as FieldEdit, To};
use radslag_core::field::FieldKey;
use radslag_core::history::Told;
use radslag_core::id::{EntityId, EventId};
use radslag_core::parse::cost::{Cost, parse_cost};
use radslag_core::state::EntityKind;
use radslag_table::MAX_CELL_BYTES;

use super::past::records;
use super::writing::{Form, Seen, change, hand_over};
use super::{Place, asking};
use crate::args::{ActivityFields, Edit, Undo};
use crate::error::CliError;
use crate::names;
use crate::shape::Ground;

/// Reads an amount; what is not one is a usage error, so that a slip never becomes a comment.
pub fn cost(text: &str) -> Result<Cost, CliError> {
    let wrong = |why: String| CliError::usage(format!("--cost {text:?}: {why}"));
    let cost = parse_cost(text).map_err(|error| wrong(error.to_string()))?;
    if cost.amount.is_none() {
        return Err(wrong("not an amount; write 50000, 50 000 kr, 50 tkr or 1,5 mnkr".to_owned()));
    }
    Ok(cost)
}

/// A text that may stand in a cell: no tab and no line break, and no longer than a table could carry.
pub fn cell(option: &str, text: &str) -> Result<String, CliError> {
    if let Some(bad) = text.chars().find(|letter| letter.is_control()) {
        return Err(CliError::usage(format!(
            "{option}: the text has a control character ({bad:?}); leave tabs and line breaks out"
        )));
    }
    if text.len() > MAX_CELL_BYTES {
        return Err(CliError::usage(format!(
            "{option}: the text has {} bytes, more than {MAX_CELL_BYTES}; shorten it",
            text.len()
        )));
    }
    Ok(text.to_owned())
}

/// A title: a text that is not blank.
pub fn title(option: &str, text: &str) -> Result<String, CliError> {
    if text.trim().is_empty() {
        return Err(CliError::usage(format!("{option}: a title cannot be empty")));
    }
    cell(option, text)
}

/// A party by name.
pub fn party(ground: &Ground<'_>, name: &str) -> Result<EntityId, CliError> {
    names::entity(ground.state, ground.values, ground.day, &[EntityKind::Party], name).map_err(|error| {
        match error {
            CliError::Refused { what, .. } if what.starts_with("there is no") => {
                CliError::refused(what, format!("radslag party add --name {name:?}"))
            }
            other => other,
        }
    })
}

/// `edit`.
pub fn edit(place: &Place, args: &Edit) -> Result<(), CliError> {
    if asks_nothing(args) {
        return asking::edit(place, args);
    }
    write(place, args)
}

/// Whether no option says what to change.
fn asks_nothing(args: &Edit) -> bool {
    let fields = &args.fields;
    let texts = [&args.title, &fields.time, &fields.cost, &fields.comment, &fields.lead];
    let lists = [&fields.assign, &args.unassign, &args.clear];
    texts.iter().all(|text| text.is_none()) && lists.iter().all(|list| list.is_empty())
}

/// Queues what the options say.
pub fn write(place: &Place, args: &Edit) -> Result<(), CliError> {
    change(place, &args.beside, |form| {
        let ground = form.ground;
        let id =
            names::entity(ground.state, ground.values, ground.day, &[EntityKind::Activity], &args.activity)?;
        let edits = edits(ground, args)?;
        let mut drafts = revised(form, id, &edits)?;
        if args.strict {
            expect_as_seen(ground, &mut drafts);
        }
        Ok(drafts)
    })
}

/// Drafts for what does not say so already on the day from which the change applies; that nothing is left is an answer, not a
/// fault of the command line.
pub fn revised(form: &Form<'_>, id: EntityId, edits: &[FieldEdit]) -> Result<Vec<Draft>, CliError> {
    let ground = form.ground;
    command::revise(ground.state, ground.values, form.on, id, edits)
        .map_err(|error| CliError::Refused { what: error.to_string(), hint: None })
}

fn edits(ground: &Ground<'_>, args: &Edit) -> Result<Vec<FieldEdit>, CliError> {
    let mut edits = Vec::new();
    let mut set = |field, to| edits.push(FieldEdit { field, to });
    if let Some(text) = &args.title {
        set(FieldKey::Title, To::Text(title("--title", text)?));
    }
    if let Some(text) = &args.fields.time {
        set(FieldKey::Time, text_or_cleared("--time", text)?);
    }
    if let Some(text) = &args.fields.cost {
        set(FieldKey::Cost, To::Cost(cost(text)?));
    }
    if let Some(text) = &args.fields.comment {
        set(FieldKey::Comment, text_or_cleared("--comment", text)?);
    }
    if let Some(name) = &args.fields.lead {
        set(FieldKey::Lead, To::Party(party(ground, name)?));
    }
    for name in &args.fields.assign {
        set(FieldKey::Responsible(party(ground, name)?), To::Responsible(true));
    }
    for name in &args.unassign {
        set(FieldKey::Responsible(party(ground, name)?), To::Responsible(false));
    }
    for name in &args.clear {
        set(clearable(name)?, To::Cleared);
    }
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = edits.iter().find(|edit| !seen.insert(edit.field)) {
        return Err(CliError::usage(format!("the {} is named twice", twice.field.name())));
    }
    Ok(edits)
}

/// An empty text empties the field.
pub fn text_or_cleared(option: &str, text: &str) -> Result<To, CliError> {
    Ok(if text.is_empty() { To::Cleared } else { To::Text(cell(option, text)?) })
}

fn clearable(name: &str) -> Result<FieldKey, CliError> {
    Ok(match name {
        "time" | "tid" => FieldKey::Time,
        "cost" | "kostnad" => FieldKey::Cost,
        "comment" | "kommentar" => FieldKey::Comment,
        "lead" => FieldKey::Lead,
        _ => {
            return Err(CliError::usage(format!(
                "--clear {name:?}: time, cost, comment and lead can be emptied"
            )));
        }
    })
}

fn expect_as_seen(ground: &Ground<'_>, drafts: &mut [Draft]) {
    for draft in drafts {
        if let Some((entity, field)) = draft.field() {
            draft.expect.push(command::expectations(ground.state, ground.day, entity, field));
        }
    }
}

/// The parties that the options of an addition name.
pub fn named_parties(
    ground: &Ground<'_>,
    fields: &ActivityFields,
) -> Result<(Vec<EntityId>, Option<EntityId>), CliError> {
    let assigned: Result<Vec<EntityId>, CliError> =
        fields.assign.iter().map(|name| party(ground, name)).collect();
    let mut assigned = assigned?;
    assigned.sort_unstable();
    assigned.dedup();
    let lead = fields.lead.as_deref().map(|name| party(ground, name)).transpose()?;
    Ok((assigned, lead))
}

/// `undo`.
pub fn undo(place: &Place, args: &Undo) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let view = args.why.view(&replica)?;
    let missed = |error| {
        // One that is older than the snapshot may well be there, just not here.
        super::provisional::say(place.ui, &replica);
        error
    };
    let hex = |event: &EventId| event.uuid().simple().to_string();
    // An id in full is looked up; digits may be those of any event.
    let event = match args.event.parse::<EventId>() {
        Ok(event) => event,
        Err(_) => {
            let records = records(&replica, &view)?;
            let accepted = records.iter().filter(|record| record.body().is_some());
            let named = accepted.map(|record| (hex(&record.event_id), &record.event_id));
            *names::by_digits("event", &args.event, named).map_err(missed)?
        }
    };
    let changed = replica.changes_by(&view, event, Told::AsApplied)?;
    let named = changed.iter().map(|change| (hex(&change.event), change)).take(1);
    names::by_digits("event", &hex(&event), named).map_err(missed)?;
    changed.iter().try_for_each(|change| replica.check_held(change.applies_on))?;
    let entities: BTreeSet<EntityId> = changed.iter().map(|change| change.entity).collect();
    let view = replica.whole_view(args.why.base.as_ref(), &entities)?;
    let drafts = command::undo(&view.state, &view, &changed)
        .map_err(|error| CliError::refused(error.to_string(), "radslag history shows what came after it"))?;
    let seen = Seen::of(place.ui, &view, &drafts);
    drop(view);
    hand_over(place.ui, &mut replica, seen, drafts, &args.why)?;
    Ok(replica.close()?)
}
