//! Areas, sub-goals, activities and parties: add, edit, move, retire, restore, show.

use radslag_core::command::{self, Among, Draft, Edit as FieldEdit, To};
use radslag_core::event::{Change, PartyKind};
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;
use radslag_core::register::Content;
use radslag_core::state::EntityKind;
use radslag_core::value::Slot;

use super::edit::{cell, cost, hand_over, named_parties, party as named_party, title};
use super::{Place, ground, meets, show};
use crate::args::{
    ActivityCommand, ActivityFields, AreaCommand, MoveTo, NamedWhy, PartyCommand, SubgoalCommand, Why,
};
use crate::error::CliError;
use crate::names;
use crate::shape::Ground;

/// `area`.
pub fn area(place: &Place, command: AreaCommand) -> Result<(), CliError> {
    match command {
        AreaCommand::Add { title: text, goal, why } => {
            let text = title("--title", &text)?;
            let goal = goal.map(|goal| cell("--goal", &goal)).transpose()?.unwrap_or_default();
            change(place, &why, |ground, new| {
                let program = ground.state.program_id().into();
                let order_key = last(ground, program, EntityKind::Area)?;
                let added = Draft::new(Change::AreaAdded { area: new, order_key, source: None });
                Ok(vec![added.with_text(Slot::TITLE, &text).with_text(Slot::GOAL, &goal)])
            })
        }
        AreaCommand::Edit { name, title: text, goal, why } => {
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
            revise(place, EntityKind::Area, &name, &edits, &why)
        }
        AreaCommand::Move(args) => move_to(place, EntityKind::Area, &args),
        AreaCommand::Retire(args) => retire(place, EntityKind::Area, &args),
        AreaCommand::Restore(args) => restore(place, EntityKind::Area, &args),
        AreaCommand::Show(args) => show::entity(place, EntityKind::Area, &args.name),
    }
}

/// `subgoal`.
pub fn subgoal(place: &Place, command: SubgoalCommand) -> Result<(), CliError> {
    match command {
        SubgoalCommand::Add { area, title: text, why } => {
            let text = title("--title", &text)?;
            change(place, &why, |ground, new| {
                let area = find(ground, EntityKind::Area, &area)?;
                let order_key = last(ground, area, EntityKind::Subgoal)?;
                let added = Draft::new(Change::SubgoalAdded { subgoal: new, area, order_key, source: None });
                Ok(vec![added.with_text(Slot::TITLE, &text)])
            })
        }
        SubgoalCommand::Edit { name, title: text, why } => {
            let edit = FieldEdit { field: FieldKey::Title, to: To::Text(title("--title", &text)?) };
            revise(place, EntityKind::Subgoal, &name, &[edit], &why)
        }
        SubgoalCommand::Move(args) => move_to(place, EntityKind::Subgoal, &args),
        SubgoalCommand::Retire(args) => retire(place, EntityKind::Subgoal, &args),
        SubgoalCommand::Restore(args) => restore(place, EntityKind::Subgoal, &args),
        SubgoalCommand::Show(args) => show::entity(place, EntityKind::Subgoal, &args.name),
    }
}

/// `activity`.
pub fn activity(place: &Place, command: ActivityCommand) -> Result<(), CliError> {
    match command {
        ActivityCommand::Add { subgoal, title: text, fields, why } => {
            add_activity(place, &subgoal, &text, &fields, &why)
        }
        ActivityCommand::Edit(args) => super::edit::edit(place, &args),
        ActivityCommand::Move(args) => move_to(place, EntityKind::Activity, &args),
        ActivityCommand::Retire(args) => retire(place, EntityKind::Activity, &args),
        ActivityCommand::Restore(args) => restore(place, EntityKind::Activity, &args),
        ActivityCommand::Show(args) => show::entity(place, EntityKind::Activity, &args.name),
    }
}

fn add_activity(
    place: &Place,
    subgoal: &str,
    text: &str,
    fields: &ActivityFields,
    why: &Why,
) -> Result<(), CliError> {
    let text = title("--title", text)?;
    let time = fields.time.as_deref().map(|time| cell("--time", time)).transpose()?.unwrap_or_default();
    let comment =
        fields.comment.as_deref().map(|comment| cell("--comment", comment)).transpose()?.unwrap_or_default();
    let cost = fields.cost.as_deref().map(cost).transpose()?;
    change(place, why, |ground, new| {
        let subgoal = find(ground, EntityKind::Subgoal, subgoal)?;
        let order_key = last(ground, subgoal, EntityKind::Activity)?;
        let (responsible, lead) = named_parties(ground, fields)?;
        let added =
            Change::ActivityAdded { activity: new, subgoal, order_key, responsible, lead, source: None };
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
        PartyCommand::Add { name, kind, organisation, why } => {
            let name = title("--name", &name)?;
            let kind = party_kind(&kind)?;
            change(place, &why, |ground, new| {
                let organisation =
                    organisation.as_deref().map(|name| named_party(ground, name)).transpose()?;
                let added = Draft::new(Change::PartyAdded { party: new, kind, organisation, source: None });
                Ok(vec![added.with_text(Slot::NAME, &name)])
            })
        }
        PartyCommand::Edit { party, name, organisation, why } => change(place, &why, |ground, _| {
            let id = find(ground, EntityKind::Party, &party)?;
            let mut edits = Vec::new();
            if let Some(name) = name {
                edits.push(FieldEdit { field: FieldKey::Name, to: To::Text(title("--name", &name)?) });
            }
            if let Some(organisation) = organisation {
                let to = if organisation.is_empty() {
                    To::Cleared
                } else {
                    To::Party(named_party(ground, &organisation)?)
                };
                edits.push(FieldEdit { field: FieldKey::Organisation, to });
            }
            revised(ground, id, &edits)
        }),
        PartyCommand::Move(_) => Err(CliError::usage("parties have no order; they are listed by name")),
        PartyCommand::Retire(args) => retire(place, EntityKind::Party, &args),
        PartyCommand::Restore(args) => restore(place, EntityKind::Party, &args),
        PartyCommand::Show(args) => show::entity(place, EntityKind::Party, &args.name),
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

fn last(ground: &Ground<'_>, parent: EntityId, kind: EntityKind) -> Result<String, CliError> {
    command::order_key(ground.state, ground.day, parent, kind, Among::Last, None)
        .map_err(|error| CliError::Refused { what: error.to_string(), hint: None })
}

/// Makes drafts in sight of the view, with a fresh id for what may be added, and queues them.
fn change(
    place: &Place,
    why: &Why,
    draft: impl FnOnce(&Ground<'_>, EntityId) -> Result<Vec<Draft>, CliError>,
) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let new = EntityId::new(replica.ids.random_id());
    let view = why.view(&replica)?;
    let drafts = draft(&ground(&view), new)?;
    let base = view.base;
    drop(view);
    let events = hand_over(place.ui, &mut replica, base, drafts, why)?;
    meets::say(place.ui, &replica, &events);
    Ok(replica.close()?)
}

fn revised(ground: &Ground<'_>, id: EntityId, edits: &[FieldEdit]) -> Result<Vec<Draft>, CliError> {
    if edits.is_empty() {
        return Err(CliError::usage("say what to change; --help lists the fields"));
    }
    command::revise(ground.state, ground.values, ground.day, id, edits)
        .map_err(|error| CliError::Refused { what: error.to_string(), hint: None })
}

fn revise(
    place: &Place,
    kind: EntityKind,
    name: &str,
    edits: &[FieldEdit],
    why: &Why,
) -> Result<(), CliError> {
    change(place, why, |ground, _| {
        let id = find(ground, kind, name)?;
        revised(ground, id, edits)
    })
}

fn move_to(place: &Place, kind: EntityKind, args: &MoveTo) -> Result<(), CliError> {
    change(place, &args.why, |ground, _| {
        let id = find(ground, kind, &args.name)?;
        let stands_in = match ground.state.shown(id, FieldKey::Place, ground.day).map(|write| &write.content)
        {
            Some(Content::Place { parent, .. }) => *parent,
            _ => ground.state.program_id().into(),
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
        let draft = command::place(ground.state, ground.day, id, parent, among);
        let draft = draft.map_err(|error| CliError::Refused { what: error.to_string(), hint: None })?;
        Ok(vec![draft])
    })
}

fn retire(place: &Place, kind: EntityKind, args: &NamedWhy) -> Result<(), CliError> {
    change(place, &args.why, |ground, _| {
        let id = find(ground, kind, &args.name)?;
        if !ground.state.lives(id, ground.day) {
            return Err(CliError::refused(
                format!("{:?} is retired already", ground.title(id)),
                "radslag history shows by whom",
            ));
        }
        Ok(vec![Draft::new(Change::Retired { entity: id, merged_into: None })])
    })
}

fn restore(place: &Place, kind: EntityKind, args: &NamedWhy) -> Result<(), CliError> {
    change(place, &args.why, |ground, _| {
        let id = find(ground, kind, &args.name)?;
        if ground.state.lives(id, ground.day) {
            return Err(CliError::Refused {
                what: format!("{:?} is in the programme", ground.title(id)),
                hint: None,
            });
        }
        Ok(vec![Draft::new(Change::Restored { entity: id })])
    })
}
