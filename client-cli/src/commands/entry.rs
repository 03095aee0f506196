//! Areas, sub-goals, activities and parties: add, edit, move, retire, restore, show.

use radslag_core::command::{self, Among, Draft, Edit as FieldEdit, To};
use radslag_core::event::{Change, PartyKind};
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;
use radslag_core::register::Content;
use radslag_core::state::EntityKind;
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_core::view::{self, Standing};

use super::edit::{cell, cost, named_parties, party as named_party, revised, title};
use super::writing::{Form, change};
use super::{Place, show};
use crate::args::{
    ActivityCommand, ActivityFields, AreaCommand, Beside, MoveTo, NamedWhy, PartyCommand, SubgoalCommand,
};
use crate::error::CliError;
use crate::names;
use crate::shape::Ground;

/// `area`.
pub fn area(place: &Place, command: AreaCommand) -> Result<(), CliError> {
    match command {
        AreaCommand::Add { title: text, goal, beside } => {
            let text = title("--title", &text)?;
            let goal = goal.map(|goal| cell("--goal", &goal)).transpose()?.unwrap_or_default();
            change(place, &beside, |form| {
                let program = form.ground.state.program_id().into();
                let order_key = last(form, program, EntityKind::Area)?;
                let added = Draft::new(Change::AreaAdded { area: form.new, order_key, source: None });
                Ok(vec![added.with_text(Slot::TITLE, &text).with_text(Slot::GOAL, &goal)])
            })
        }
        AreaCommand::Edit { name, title: text, goal, beside } => {
            let mut edits = Vec::new();
            if let Some(text) = text {
                edits.push(FieldEdit { field: FieldKey::Title, to: To::Text(title("--title", &text)?) });
            }
            if let Some(goal) = goal {
                edits.push(FieldEdit {
                    field: FieldKey::Goal,
                    to: super::edit::text_or_cleared("--goal", &goal)?,
                });
            }
            revise(place, EntityKind::Area, &name, &edits, &beside)
        }
        AreaCommand::Move(args) => move_to(place, EntityKind::Area, &args),
        AreaCommand::Retire(args) => retire(place, EntityKind::Area, &args),
        AreaCommand::Restore(args) => restore(place, EntityKind::Area, &args),
        AreaCommand::Show(args) => show::entity(place, EntityKind::Area, &args),
    }
}

/// `subgoal`.
pub fn subgoal(place: &Place, command: SubgoalCommand) -> Result<(), CliError> {
    match command {
        SubgoalCommand::Add { area, title: text, beside } => {
            let text = title("--title", &text)?;
            change(place, &beside, |form| {
                let area = find(form.ground, EntityKind::Area, &area)?;
                let order_key = last(form, area, EntityKind::Subgoal)?;
                let added =
                    Draft::new(Change::SubgoalAdded { subgoal: form.new, area, order_key, source: None });
                Ok(vec![added.with_text(Slot::TITLE, &text)])
            })
        }
        SubgoalCommand::Edit { name, title: text, beside } => {
            let edit = FieldEdit { field: FieldKey::Title, to: To::Text(title("--title", &text)?) };
            revise(place, EntityKind::Subgoal, &name, &[edit], &beside)
        }
        SubgoalCommand::Move(args) => move_to(place, EntityKind::Subgoal, &args),
        SubgoalCommand::Retire(args) => retire(place, EntityKind::Subgoal, &args),
        SubgoalCommand::Restore(args) => restore(place, EntityKind::Subgoal, &args),
        SubgoalCommand::Show(args) => show::entity(place, EntityKind::Subgoal, &args),
    }
}

/// `activity`.
pub fn activity(place: &Place, command: ActivityCommand) -> Result<(), CliError> {
    match command {
        ActivityCommand::Add { subgoal, title: text, fields, beside } => {
            add_activity(place, &subgoal, &text, &fields, &beside)
        }
        ActivityCommand::Edit(args) => super::edit::edit(place, &args),
        ActivityCommand::Move(args) => move_to(place, EntityKind::Activity, &args),
        ActivityCommand::Retire(args) => retire(place, EntityKind::Activity, &args),
        ActivityCommand::Restore(args) => restore(place, EntityKind::Activity, &args),
        ActivityCommand::Show(args) => show::entity(place, EntityKind::Activity, &args),
    }
}

fn add_activity(
    place: &Place,
    subgoal: &str,
    text: &str,
    fields: &ActivityFields,
    beside: &Beside,
) -> Result<(), CliError> {
    let text = title("--title", text)?;
    let time = fields.time.as_deref().map(|time| cell("--time", time)).transpose()?.unwrap_or_default();
    let comment =
        fields.comment.as_deref().map(|comment| cell("--comment", comment)).transpose()?.unwrap_or_default();
    let cost = fields.cost.as_deref().map(cost).transpose()?;
    change(place, beside, |form| {
        let subgoal = find(form.ground, EntityKind::Subgoal, subgoal)?;
        let order_key = last(form, subgoal, EntityKind::Activity)?;
        let (responsible, lead) = named_parties(form.ground, fields)?;
        let activity = form.new;
        let added = Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, source: None };
        let mut draft = Draft::new(added)
            .with_text(Slot::TITLE, &text)
            .with_text(Slot::TIME, &time)
            .with_text(Slot::COMMENT, &comment);
        if let Some(cost) = &cost {
            draft = draft.with_value(Slot::COST, cost.to_value_bytes());
        }
        Ok(vec![draft])
    })
}

/// `party`.
pub fn party(place: &Place, command: PartyCommand) -> Result<(), CliError> {
    match command {
        PartyCommand::Add { name, kind, organisation, beside } => {
            let name = title("--name", &name)?;
            let kind = party_kind(&kind)?;
            change(place, &beside, |form| {
                let organisation =
                    organisation.as_deref().map(|name| named_party(form.ground, name)).transpose()?;
                let party = form.new;
                let added = Draft::new(Change::PartyAdded { party, kind, organisation, source: None });
                Ok(vec![added.with_text(Slot::NAME, &name)])
            })
        }
        PartyCommand::Edit { party, name, organisation, beside } => change(place, &beside, |form| {
            let id = find(form.ground, EntityKind::Party, &party)?;
            let mut edits = Vec::new();
            if let Some(name) = name {
                edits.push(FieldEdit { field: FieldKey::Name, to: To::Text(title("--name", &name)?) });
            }
            if let Some(organisation) = organisation {
                let to = if organisation.is_empty() {
                    To::Cleared
                } else {
                    To::Party(named_party(form.ground, &organisation)?)
                };
                edits.push(FieldEdit { field: FieldKey::Organisation, to });
            }
            some_revised(form, id, &edits)
        }),
        PartyCommand::Move(_) => Err(CliError::usage("parties have no order; they are listed by name")),
        PartyCommand::Retire(args) => retire(place, EntityKind::Party, &args),
        PartyCommand::Restore(args) => restore(place, EntityKind::Party, &args),
        PartyCommand::Show(args) => show::entity(place, EntityKind::Party, &args),
    }
}

fn party_kind(name: &str) -> Result<PartyKind, CliError> {
    Ok(match name {
        "municipality" | "kommun" => PartyKind::Municipality,
        "collective" => PartyKind::Collective,
        "organisation" => PartyKind::Organisation,
        "network" | "nätverk" => PartyKind::Network,
        "role-group" | "rollgrupp" => PartyKind::RoleGroup,
        "project" | "projekt" => PartyKind::Project,
        "person" => PartyKind::Person,
        _ => {
            return Err(CliError::usage(format!(
                "--kind {name:?}: municipality, collective, organisation, network, role-group, project or person"
            )));
        }
    })
}

fn find(ground: &Ground<'_>, kind: EntityKind, name: &str) -> Result<EntityId, CliError> {
    names::entity(ground.state, ground.values, ground.day, &[kind], name)
}

fn last(form: &Form<'_>, parent: EntityId, kind: EntityKind) -> Result<String, CliError> {
    command::order_key(form.ground.state, form.on, parent, kind, Among::Last, None)
        .map_err(|error| CliError::Refused { what: error.to_string(), hint: None })
}

fn some_revised(form: &Form<'_>, id: EntityId, edits: &[FieldEdit]) -> Result<Vec<Draft>, CliError> {
    if edits.is_empty() {
        return Err(CliError::usage("say what to change; --help lists the fields"));
    }
    revised(form, id, edits)
}

fn revise(
    place: &Place,
    kind: EntityKind,
    name: &str,
    edits: &[FieldEdit],
    beside: &Beside,
) -> Result<(), CliError> {
    change(place, beside, |form| some_revised(form, find(form.ground, kind, name)?, edits))
}

fn move_to(place: &Place, kind: EntityKind, args: &MoveTo) -> Result<(), CliError> {
    change(place, &args.beside, |form| {
        let (ground, state) = (form.ground, form.ground.state);
        let id = find(ground, kind, &args.name)?;
        let on = view::standing(state, id, form.on).read_on(form.on);
        let stands_in = match state.shown(id, FieldKey::Place, on).map(|write| &write.content) {
            Some(Content::Place { parent, .. }) => *parent,
            _ => state.program_id().into(),
        };
        let parent = match (&args.to, kind.parent()) {
            (Some(name), Some(parent)) if parent != EntityKind::Program => find(ground, parent, name)?,
            (Some(_), _) => return Err(CliError::usage("--to: areas stand in the programme itself")),
            (None, _) => stands_in,
        };
        let among = match (&args.before, &args.after) {
            (Some(name), _) => Among::Before(find(ground, kind, name)?),
            (None, Some(name)) => Among::After(find(ground, kind, name)?),
            (None, None) if args.to.is_none() => {
                return Err(CliError::usage(
                    "say where to: --to PARENT, --before SIBLING or --after SIBLING",
                ));
            }
            (None, None) => Among::Last,
        };
        let draft = command::place(state, form.on, id, parent, among);
        let draft = draft.map_err(|error| CliError::Refused { what: error.to_string(), hint: None })?;
        Ok(vec![draft])
    })
}

fn retire(place: &Place, kind: EntityKind, args: &NamedWhy) -> Result<(), CliError> {
    change(place, &args.beside, |form| {
        let id = find(form.ground, kind, &args.name)?;
        let title = form.ground.title(id);
        match view::standing(form.ground.state, id, form.on) {
            Standing::InForce => Ok(vec![Draft::new(Change::Retired { entity: id, merged_into: None })]),
            Standing::Retired => Err(CliError::refused(
                format!("{title:?} is retired already"),
                "radslag history shows by whom",
            )),
            Standing::NotYet(from) => Err(not_yet_in_force(&title, from)),
        }
    })
}

fn restore(place: &Place, kind: EntityKind, args: &NamedWhy) -> Result<(), CliError> {
    change(place, &args.beside, |form| {
        let id = find(form.ground, kind, &args.name)?;
        let title = form.ground.title(id);
        match view::standing(form.ground.state, id, form.on) {
            Standing::Retired => Ok(vec![Draft::new(Change::Restored { entity: id })]),
            Standing::InForce => {
                Err(CliError::Refused { what: format!("{title:?} is in the programme"), hint: None })
            }
            Standing::NotYet(from) => Err(not_yet_in_force(&title, from)),
        }
    })
}

fn not_yet_in_force(title: &str, from: CivilDate) -> CliError {
    CliError::refused(
        format!("{title:?} comes into force on {from}, and is no part of the programme before that day"),
        format!("--effective {from}, or a later day"),
    )
}
