//! `resolve`: somebody decides between the sides, by taking one, with a new value, or in an editor.
//!
//! What is decided is what was looked at: a side that came while somebody thought about it stays.

use radslag_client::form::Form;
use radslag_client::replica::{Replica, View};
use radslag_core::command::{self, Choice, To};
use radslag_core::field::FieldKey;
use radslag_core::merge::{Merged, Part};
use radslag_core::register::Write;
use radslag_core::time::CivilDate;
use radslag_core::view::{self, Conflict};

use super::{Open, look, over};
use crate::args::Resolve;
use crate::commands::edit::{cell, cost, party, title};
use crate::commands::writing::{Seen, dated, hand_over};
use crate::commands::{Place, editor, ground};
use crate::error::CliError;
use crate::names;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};

/// Below this line of an editor's file nothing is kept.
const SCISSORS: &str = "-- >8 --";
/// What stands around and between words that sides disagree on.
const MARKS: [&str; 3] = ["<<<", "|||", ">>>"];

/// `resolve`.
pub fn resolve(place: &Place, args: &Resolve) -> Result<(), CliError> {
    let ui = place.ui;
    // Said wrongly it is said before anything is opened.
    args.beside.on()?;
    let mut replica = place.open()?;
    let form = args.beside.why.base.unwrap_or_else(|| replica.form());
    if !args.edit {
        decide(ui, &mut replica, &form, args, args.value.as_deref())?;
        return Ok(replica.close()?);
    }
    let sheet = sheet(ui, &replica, &form, args)?;
    // Nobody waits for a person who thinks: other commands run meanwhile, and what they bring is unseen here.
    replica.close()?;
    let text = edited(ui, &sheet)?;
    let decided = || {
        let mut replica = place.open()?;
        decide(ui, &mut replica, &form, args, Some(&text))?;
        Ok(replica.close()?)
    };
    decided().inspect_err(|_| ui.say(&format!("{}: {text}", ui.text("det du skrev", "what you wrote"))))
}

/// Decides in sight of the form.
fn decide(
    ui: Ui,
    replica: &mut Replica,
    form: &Form,
    args: &Resolve,
    value: Option<&str>,
) -> Result<(), CliError> {
    let stated = args.beside.on()?;
    let view = replica.view_of_for(form, stated)?;
    let ground = ground(&view);
    let open = look(replica, &ground, conflicts(&ground, stated));
    let conflict = &named(ui, replica, &view, &open, &args.conflict)?.conflict;
    let choice = match (&args.take, value) {
        (Some(side), _) => Choice::Take(side_of(&ground, conflict, side)?.event),
        (None, Some(value)) => Choice::Value(new_value(&ground, conflict.field, value)?),
        (None, None) => return Err(CliError::usage("say what stands: --take SIDE, --value VALUE or --edit")),
    };
    let draft = command::resolve(conflict, &choice)
        .map_err(|error| CliError::Refused { what: error.to_string(), hint: None })?;
    let drafts = dated(vec![draft], stated);
    let seen = Seen::of(ui, &view, &drafts);
    drop(open);
    drop(view);
    hand_over(ui, replica, seen, drafts, &args.beside.why)
}

/// The conflicts that whoever decides may mean.
fn conflicts<'a>(ground: &Ground<'a>, stated: Option<CivilDate>) -> Vec<Conflict<'a>> {
    let mut conflicts = view::conflicts_at(ground.state, ground.day);
    if let Some(day) = stated {
        // Sides may disagree on the day that is named and agree today.
        let known: Vec<_> = conflicts.iter().map(|conflict| conflict.id).collect();
        let then = view::conflicts_at(ground.state, day).into_iter();
        conflicts.extend(then.filter(|conflict| !known.contains(&conflict.id)));
    }
    conflicts
}

/// The open conflict that is named; for one that is over, what ended it.
fn named<'a, 'b>(
    ui: Ui,
    replica: &Replica,
    view: &View<'_>,
    open: &'a [Open<'b>],
    name: &str,
) -> Result<&'a Open<'b>, CliError> {
    let id = |open: &Open<'_>| open.conflict.id.to_string();
    if !open.iter().any(|open| names::means(name, &id(open))) {
        if let Some(over) = over::over(ui, replica, view, name)? {
            return Err(over);
        }
        if open.is_empty() {
            return Err(CliError::refused(
                "there are no conflicts",
                "radslag sync fetches what others have written",
            ));
        }
    }
    names::by_digits("open conflict", name, open.iter().map(|open| (id(open), open)))
}

/// What is opened in an editor, and for which conflict.
struct Sheet {
    id: String,
    text: String,
}

/// What a person makes of the sides in their editor.
fn edited(ui: Ui, sheet: &Sheet) -> Result<String, CliError> {
    let id = &sheet.id;
    let otherwise = format!("radslag resolve {id} --value TEXT");
    let after = editor::edited(ui, &format!("resolve-{id}"), &sheet.text, &otherwise, "radslag conflicts")?;
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

/// What is opened for the conflict that is named, as the form shows it.
fn sheet(ui: Ui, replica: &Replica, form: &Form, args: &Resolve) -> Result<Sheet, CliError> {
    let stated = args.beside.on()?;
    let view = replica.view_of_for(form, stated)?;
    let ground = ground(&view);
    let open = look(replica, &ground, conflicts(&ground, stated));
    let open = named(ui, replica, &view, &open, &args.conflict)?;
    let conflict = &open.conflict;
    let merged = open.merged.as_ref().ok_or_else(|| {
        let what = format!("--edit: the {} is settled with --take or --value", conflict.field.name());
        CliError::usage(what)
    })?;
    Ok(Sheet { id: conflict.id.short(), text: written(ui, &ground, open, merged) })
}

/// The file that is opened: the suggestion, and below the line what it was made of.
fn written(ui: Ui, ground: &Ground<'_>, open: &Open<'_>, merged: &Merged) -> String {
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
