//! `edit` without options: asks field by field, showing what stands there and who wrote it. An empty answer keeps it.
//!
//! What is written has seen what was shown when the asking began. Nobody waits for whoever thinks: the replica is closed meanwhile.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use radslag_core::field::FieldKey;
use radslag_core::history::{BlameLine, blame};
use radslag_core::id::EntityId;
use radslag_core::parse::cost::parse_cost;
use radslag_core::parse::nfc;
use radslag_core::parse::responsible::parse_responsible;
use radslag_core::state::EntityKind;
use radslag_core::view::{self, ActivityView};

use super::edit::{self, cell, title};
use super::{Place, ground};
use crate::args::Edit;
use crate::error::CliError;
use crate::names;
use crate::shape::{Ground, field_name};
use crate::ui::{Lang, Ui};
use crate::when;

/// What empties a field.
const EMPTY: &str = "-";

/// Where answers come from.
pub trait Answers {
    /// Asks, and gives the line that was typed, without its end; none when there are no more.
    fn ask(&mut self, question: &str) -> Result<Option<String>, CliError>;
}

/// The person at the terminal.
struct Terminal;

impl Answers for Terminal {
    fn ask(&mut self, question: &str) -> Result<Option<String>, CliError> {
        let mut stderr = std::io::stderr().lock();
        write!(stderr, "{question}").and_then(|()| stderr.flush()).map_err(CliError::Output)?;
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line).map_err(CliError::Output)?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// What is asked about.
pub struct Asked {
    activity: String,
    title: String,
    place: String,
    fields: Vec<Field>,
    /// Everybody in the programme, by id and name.
    parties: Vec<(EntityId, String)>,
    /// Who is responsible now.
    responsible: Vec<EntityId>,
}

/// A field as it is shown.
struct Field {
    key: FieldKey,
    name: &'static str,
    /// What stands there; empty for nothing.
    value: String,
    /// Who wrote it and when.
    by: Option<String>,
    /// What each side says, where they disagree.
    sides: Vec<String>,
}

/// `edit` without options.
pub fn edit(place: &Place, args: &Edit) -> Result<(), CliError> {
    let ui = place.ui;
    if !std::io::stdin().is_terminal() || ui.json() {
        return Err(CliError::usage(
            "say what to change: --title, --cost, --time, --comment, --assign, --unassign, --lead or --clear (on a terminal, without any of them, it asks field by field)",
        ));
    }
    let replica = place.open()?;
    let form = args.beside.why.base.unwrap_or_else(|| replica.form());
    let view = replica.view_of_for(&form, args.beside.on()?)?;
    let ground = ground(&view);
    let id = names::entity(ground.state, ground.values, ground.day, &[EntityKind::Activity], &args.activity)?;
    let asked = asked(ui, &ground, id)?;
    drop(view);
    replica.close()?;
    let Some(mut wanted) = answers(ui, &asked, args, &mut Terminal)? else {
        return ui.line(ui.text("ingenting ändrat", "nothing changed"));
    };
    wanted.beside.why.base = Some(form);
    edit::write(place, &wanted)
}

/// Collects what is shown of an activity.
fn asked(ui: Ui, ground: &Ground<'_>, id: EntityId) -> Result<Asked, CliError> {
    let program = view::program(ground.state, ground.values, ground.day);
    let found = program.activities().find(|(.., activity)| activity.id == id);
    let Some((area, subgoal, activity)) = found else {
        return Err(CliError::refused(
            format!("{:?} is not in the programme any more", ground.title(id)),
            "radslag activity restore brings it back",
        ));
    };
    let lines = blame(ground.state, id, ground.day);
    let keys = [FieldKey::Title, FieldKey::Responsible(EntityId::default()), FieldKey::Lead, FieldKey::Time];
    let keys = keys.into_iter().chain([FieldKey::Cost, FieldKey::Comment]);
    Ok(Asked {
        activity: id.to_string(),
        title: activity.title.clone(),
        place: format!("{} › {}", area.title, subgoal.title),
        fields: keys.map(|key| field(ui, ground, &lines, activity, key)).collect(),
        parties: program.parties.iter().map(|party| (party.id, party.name.clone())).collect(),
        responsible: activity.responsible.clone(),
    })
}

fn field(
    ui: Ui,
    ground: &Ground<'_>,
    lines: &[BlameLine<'_>],
    activity: &ActivityView,
    key: FieldKey,
) -> Field {
    let is_meant = |line: &&BlameLine<'_>| match key {
        FieldKey::Responsible(_) => matches!(line.field, FieldKey::Responsible(_)),
        _ => line.field == key,
    };
    let last = lines.iter().filter(is_meant).max_by_key(|line| line.shown.position);
    let value = match key {
        FieldKey::Responsible(_) => activity.responsible_text.clone(),
        _ => last.map(|line| ground.text(ui, key, Some(&line.shown.content))).unwrap_or_default(),
    };
    let value = if value == "–" { String::new() } else { value };
    let by = last.map(|line| {
        let (org, member) = ground.author(line.shown);
        format!("{org}, {member}, {}", when::local(line.shown.recorded_at))
    });
    let in_conflict = lines.iter().filter(is_meant).any(|line| line.in_conflict);
    let register = ground.state.register(activity.id, key).filter(|_| in_conflict);
    let sides =
        register.map(|register| register.sides(ground.day, ground.state.epochs())).unwrap_or_default();
    let side = |write: &&radslag_core::register::Write| {
        format!("{} ({})", ground.text(ui, key, Some(&write.content)), ground.author(write).0)
    };
    Field { key, name: field_name(ui, key), value, by, sides: sides.iter().map(side).collect() }
}

/// Asks about every field; none when nothing is to change.
pub fn answers(ui: Ui, asked: &Asked, args: &Edit, from: &mut dyn Answers) -> Result<Option<Edit>, CliError> {
    ui.say(&asked.title);
    ui.say(&format!("{}: {}", ui.text("i", "in"), asked.place));
    ui.say(ui.text(
        "Retur behåller det som står, - tömmer fältet, Ctrl-D avbryter utan att ändra.",
        "Return keeps what is there, - empties the field, Ctrl-D leaves without a change.",
    ));
    let mut edit = Edit { activity: asked.activity.clone(), ..args.clone() };
    let mut changed = false;
    for field in &asked.fields {
        ui.say("");
        ui.say(&shown(ui, field));
        loop {
            let answer = line(ui, from, &format!("{}> ", field.name))?;
            // To type what is shown of a field in conflict settles it.
            let keeps = answer == field.value && field.sides.is_empty();
            if answer.trim().is_empty() || keeps {
                break;
            }
            match take(ui, asked, field.key, &answer, &mut edit) {
                Ok(one) => {
                    changed |= one;
                    break;
                }
                Err(error) => ui.say(&match ui.lang {
                    Lang::Sv => crate::swedish::said(&error.to_string()),
                    Lang::En => error.to_string(),
                }),
            }
        }
    }
    if !changed {
        return Ok(None);
    }
    ui.say("");
    let why = &mut edit.beside.why;
    if why.reason.is_none() {
        let question = ui.text("varför (får vara tomt)> ", "why (may be empty)> ");
        why.reason = Some(line(ui, from, question)?).filter(|text| !text.trim().is_empty());
    }
    if why.decision.is_none() {
        let question = ui.text(
            "beslutets diarienummer (får vara tomt)> ",
            "registry number of the decision (may be empty)> ",
        );
        why.decision = Some(line(ui, from, question)?).filter(|text| !text.trim().is_empty());
    }
    Ok(Some(edit))
}

/// What stands in a field, and who wrote it.
fn shown(ui: Ui, field: &Field) -> String {
    let value = if field.value.is_empty() { "–" } else { &field.value };
    let by = field.by.as_ref().map_or(String::new(), |by| format!("   ({by})"));
    let mut text = format!("{}: {value}{by}", field.name);
    if !field.sides.is_empty() {
        let said = ui.text("i konflikt", "in conflict");
        text.push_str(&format!("\n  {said}: {}", field.sides.join("; ")));
    }
    text
}

fn line(ui: Ui, from: &mut dyn Answers, question: &str) -> Result<String, CliError> {
    from.ask(question)?.ok_or_else(|| {
        // The question stands on a line of its own then.
        ui.say("");
        CliError::Refused {
            what: ui.text("avbrutet; ingenting är ändrat", "left; nothing is changed").to_owned(),
            hint: None,
        }
    })
}

/// Takes an answer, or says why it cannot be one. Says whether it changes anything.
fn take(ui: Ui, asked: &Asked, key: FieldKey, answer: &str, edit: &mut Edit) -> Result<bool, CliError> {
    let answer = answer.trim();
    let empties = answer == EMPTY;
    match key {
        FieldKey::Title => edit.title = Some(title(field_name(ui, key), if empties { "" } else { answer })?),
        FieldKey::Responsible(_) => return responsible(ui, asked, if empties { "" } else { answer }, edit),
        FieldKey::Time | FieldKey::Cost | FieldKey::Comment | FieldKey::Lead if empties => {
            edit.clear.push(key.name().to_owned());
        }
        FieldKey::Time => edit.fields.time = Some(cell(field_name(ui, key), answer)?),
        FieldKey::Cost => {
            if parse_cost(answer).map_err(|error| CliError::usage(error.to_string()))?.amount.is_none() {
                return Err(CliError::usage(ui.text(
                    "det är inget belopp; skriv 50000, 50 000 kr, 50 tkr eller 1,5 mnkr",
                    "that is no amount; write 50000, 50 000 kr, 50 tkr or 1,5 mnkr",
                )));
            }
            edit.fields.cost = Some(answer.to_owned());
        }
        FieldKey::Comment => edit.fields.comment = Some(cell(field_name(ui, key), answer)?),
        FieldKey::Lead => edit.fields.lead = Some(party(ui, asked, answer)?.to_string()),
        FieldKey::Goal | FieldKey::Name | FieldKey::Organisation | FieldKey::Place | FieldKey::Life => {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Who is named is responsible from now on, and nobody else.
fn responsible(ui: Ui, asked: &Asked, answer: &str, edit: &mut Edit) -> Result<bool, CliError> {
    let mut named = Vec::new();
    for one in parse_responsible(answer) {
        named.push(party(ui, asked, &one.name)?);
    }
    let assign: Vec<String> =
        named.iter().filter(|id| !asked.responsible.contains(id)).map(ToString::to_string).collect();
    let unassign: Vec<String> =
        asked.responsible.iter().filter(|id| !named.contains(id)).map(ToString::to_string).collect();
    let changes = !assign.is_empty() || !unassign.is_empty();
    edit.fields.assign.extend(assign);
    edit.unassign.extend(unassign);
    Ok(changes)
}

/// The party that a name means: an exact name, or the beginning of only one.
fn party(ui: Ui, asked: &Asked, name: &str) -> Result<EntityId, CliError> {
    let wanted = nfc(name).to_lowercase();
    let of = |fits: &dyn Fn(&str) -> bool| -> Vec<EntityId> {
        let fits = |(id, name): &(EntityId, String)| fits(&nfc(name).to_lowercase()).then_some(*id);
        asked.parties.iter().filter_map(fits).collect()
    };
    let exact = of(&|name| name == wanted);
    let found = if exact.is_empty() { of(&|name| name.starts_with(&wanted)) } else { exact };
    match found.as_slice() {
        [party] => Ok(*party),
        several => Err(CliError::usage(match (ui.lang, several.len()) {
            (Lang::Sv, 0) => format!(
                "det finns ingen part {name:?}; radslag party add --name {name:?} lägger till den. Finns: {}",
                known(asked)
            ),
            (Lang::En, 0) => format!(
                "there is no party {name:?}; radslag party add --name {name:?} adds it. There are: {}",
                known(asked)
            ),
            (Lang::Sv, count) => format!("{name:?} kan vara {count} parter; skriv mer av namnet"),
            (Lang::En, count) => format!("{name:?} may be {count} parties; write more of the name"),
        })),
    }
}

fn known(asked: &Asked) -> String {
    asked.parties.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Format;

    /// Lines that somebody typed beforehand, and the questions that they were asked.
    struct Typed {
        lines: Vec<&'static str>,
        asked: Vec<String>,
    }

    impl Answers for Typed {
        fn ask(&mut self, question: &str) -> Result<Option<String>, CliError> {
            self.asked.push(question.to_owned());
            if self.lines.is_empty() { Ok(None) } else { Ok(Some(self.lines.remove(0).to_owned())) }
        }
    }

    fn id(byte: u8) -> EntityId {
        EntityId::from_slice(&[byte; 16]).unwrap()
    }

    fn nyckeltalsdagen() -> Asked {
        let ui = Ui { format: Format::Table, lang: Lang::Sv };
        let field = |key, value: &str| Field {
            key,
            name: field_name(ui, key),
            value: value.to_owned(),
            by: Some("kansli, Karin, 2026-11-24 00:36".to_owned()),
            sides: Vec::new(),
        };
        Asked {
            activity: id(1).to_string(),
            title: "Nyckeltalsdagen".to_owned(),
            place: "Samordning › Jämförelser".to_owned(),
            fields: vec![
                field(FieldKey::Title, "Nyckeltalsdagen"),
                field(FieldKey::Responsible(EntityId::default()), "Haninge och Salem"),
                field(FieldKey::Lead, ""),
                field(FieldKey::Time, "Hösten"),
                field(FieldKey::Cost, ""),
                field(FieldKey::Comment, "Årligen"),
            ],
            parties: [(2, "Haninge"), (3, "Salem"), (4, "Tyresö"), (5, "Södertälje"), (6, "Södertörn")]
                .map(|(byte, name)| (id(byte), name.to_owned()))
                .to_vec(),
            responsible: vec![id(2), id(3)],
        }
    }

    fn typed(lang: Lang, lines: &[&'static str]) -> (Result<Option<Edit>, CliError>, Vec<String>) {
        let mut from = Typed { lines: lines.to_vec(), asked: Vec::new() };
        let ui = Ui { format: Format::Table, lang };
        let answered = answers(ui, &nyckeltalsdagen(), &Edit::default(), &mut from);
        (answered, from.asked)
    }

    #[test]
    fn empty_answers_and_what_stands_there_change_nothing() {
        let (edit, asked) = typed(Lang::Sv, &["", "Haninge och Salem", "  ", "Hösten", "", ""]);
        assert!(edit.unwrap().is_none());
        assert_eq!(asked, ["rubrik> ", "ansvarig> ", "ledande part> ", "tid> ", "kostnad> ", "kommentar> "]);
    }

    #[test]
    fn what_is_typed_is_what_the_options_would_say() {
        let lines = ["", "Salem, tyresö", "Haninge", "-", "50 tkr", "-", "offert", ""];
        let edit = typed(Lang::Sv, &lines).0.unwrap().unwrap();
        assert_eq!(edit.activity, id(1).to_string());
        assert_eq!((edit.title, edit.fields.time, edit.fields.comment), (None, None, None));
        assert_eq!((edit.fields.assign, edit.unassign), (vec![id(4).to_string()], vec![id(2).to_string()]));
        assert_eq!(edit.fields.lead, Some(id(2).to_string()));
        assert_eq!(
            (edit.fields.cost.as_deref(), edit.clear),
            (Some("50 tkr"), vec!["time".to_owned(), "comment".to_owned()])
        );
        assert_eq!((edit.beside.why.reason.as_deref(), edit.beside.why.decision), (Some("offert"), None));
    }

    #[test]
    fn a_slip_is_said_and_asked_again() {
        // No amount, a title that would be empty, a party that is not there, and one that may be two.
        let lines = ["-", "", "Nacka", "Söder", "Södertörn", "", "", "12,5,0", "12,50", "", "", ""];
        let (edit, asked) = typed(Lang::En, &lines);
        let edit = edit.unwrap().unwrap();
        assert_eq!(edit.fields.cost.as_deref(), Some("12,50"));
        assert_eq!(edit.fields.assign, [id(6).to_string()]);
        assert_eq!(asked.iter().filter(|question| question.as_str() == "kostnad> ").count(), 2);
        assert_eq!(asked.iter().filter(|question| question.as_str() == "ansvarig> ").count(), 3);
    }

    #[test]
    fn whoever_leaves_has_changed_nothing() {
        let (left, _) = typed(Lang::Sv, &["Ny rubrik", ""]);
        let error = left.unwrap_err();
        assert_eq!((error.exit_code(), error.to_string().contains("ingenting är ändrat")), (1, true));
    }
}
