//! `import` over a programme with content: what somebody changed in an exported file, as changes made in sight of what the file was
//! exported from. So what others changed meanwhile is not overwritten: both stay, and the field is in conflict.

mod answer;
mod maker;

use std::collections::{BTreeMap, BTreeSet};

use radslag_client::ClientError;
use radslag_client::author::Act;
use radslag_client::form::{Form, UnfitForm};
use radslag_client::replica::Replica;
use radslag_core::command::Draft;
use radslag_core::event::{Base, Change};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EventId};
use radslag_core::parse::responsible::NamedParty;
use radslag_core::time::CivilDate;
use radslag_core::view;
use radslag_table::{Layout, Missing, Proposal, propose};
use serde_json::json;

use self::answer::{counts, meanwhile_text, say};
use self::maker::Maker;
use super::super::writing::{dated, say_queued, with_dates};
use super::super::{Place, ground, point};
use super::export::in_force;
use super::{Source, groups, imported};
use crate::args::{Import, Why};
use crate::error::CliError;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};
use crate::when;

/// One change of the file, for people and programs, and what it takes.
struct Item {
    line: u32,
    kind: Kind,
    entity: EntityId,
    what: String,
    field: Option<FieldKey>,
    before: String,
    after: String,
    /// What the field says now, and who wrote it, where that is not what the file was exported from.
    meanwhile: Option<(String, String)>,
    /// Nothing is left to do: the programme says it by now.
    already: bool,
    drafts: Vec<Draft>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Revised,
    Moved,
    Added,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Revised => "revised",
            Self::Moved => "moved",
            Self::Added => "added",
        }
    }

    const fn text(self, ui: Ui) -> &'static str {
        match (ui.lang, self) {
            (Lang::En, kind) => kind.name(),
            (Lang::Sv, Self::Revised) => "ändrad",
            (Lang::Sv, Self::Moved) => "flyttad",
            (Lang::Sv, Self::Added) => "ny",
        }
    }
}

/// Everything that a file asks for.
struct Plan {
    items: Vec<Item>,
    missing: Vec<Missing>,
    /// Parties that are named for the first time.
    parties: Vec<(NamedParty, Draft)>,
    /// What the file was exported from.
    base: Base,
}

/// Takes in a file that was exported from the programme and changed since.
pub(super) fn import(
    place: &Place,
    mut replica: Replica,
    source: &Source,
    args: &Import,
) -> Result<(), CliError> {
    let ui = place.ui;
    let (form, day) = sight(place, &replica, source, args)?;
    let on = args.effective.as_deref().map(|text| when::day("--effective", text)).transpose()?;
    let why = Why { reason: args.reason.clone(), decision: args.decision.clone(), base: None };
    let act = why.act()?;
    let plan = plan(ui, &replica, source, &form, day, on, &args.file)?;
    if args.dry_run {
        say(ui, source, &plan)?;
        return Ok(replica.close()?);
    }
    let events = queue(ui, &mut replica, source, &plan, &act, on)?;
    if events.is_empty() {
        if ui.json() {
            ui.object(&json!({"queued": [], "outbox": replica.outbox.len()}))?;
        } else {
            ui.line(ui.text("ingenting att ändra", "nothing to change"))?;
        }
        return Ok(replica.close()?);
    }
    for item in plan.items.iter().filter(|item| item.meanwhile.is_some() && !item.already) {
        ui.say(&format!("{}: {}", item.what, meanwhile_text(ui, item)));
    }
    ui.say(&counts(ui, &plan));
    say_queued(ui, &replica, &events, on)?;
    Ok(replica.close()?)
}

/// What the file was exported from: as it says itself, or as the command line does.
fn sight(
    place: &Place,
    replica: &Replica,
    source: &Source,
    args: &Import,
) -> Result<(Form, CivilDate), CliError> {
    if let Some(when) = &args.as_of {
        let view = replica.view();
        let point = point::read(place.ui, replica, &view, Some(when), None)?;
        return Ok((point.form, point.day));
    }
    let given = args.base.as_ref().or(source.sheet.base.as_ref());
    let Some(text) = given else {
        return Err(CliError::refused(
            "the programme has content already, and the file does not say what it was exported from: nobody could tell your changes from those of others",
            "radslag import FILE --base BASE, as radslag export printed it, or --as-of WHEN; radslag export --to FILE.csv carries it along",
        ));
    };
    let wrong = || {
        CliError::usage(format!(
            "{text:?} is not what a file is exported from; write it as radslag export printed it, such as 98.12.d3df318b.6adef326.dbfa/2026-11-24"
        ))
    };
    let (form, day) = match text.split_once('/') {
        Some((form, day)) => (form, day.parse().map_err(|_| wrong())?),
        None => (text.as_str(), replica.view().day()),
    };
    let form: Form = form.parse().map_err(|_| wrong())?;
    match replica.base_of(&form) {
        Ok(_) => Ok((form, day)),
        // Tables are mailed around: whoever exported it may sit in another municipality.
        Err(ClientError::Form(UnfitForm::NotShownHere)) => {
            let ui = place.ui;
            ui.say(ui.text(
                "filen exporterades ur en annan replika: den läses mot det som var synkroniserat då",
                "the file was exported from another replica: it is read against what was synced then",
            ));
            Ok((replica.form_from_elsewhere(&form)?, day))
        }
        Err(error) => Err(error.into()),
    }
}

fn plan(
    ui: Ui,
    replica: &Replica,
    source: &Source,
    form: &Form,
    day: CivilDate,
    on: Option<CivilDate>,
    file: &std::path::Path,
) -> Result<Plan, CliError> {
    let before = replica.view_of_for(form, Some(day))?;
    let now = replica.view();
    let then = Ground { state: &before.state, values: &before, day };
    let program = in_force(view::program(&before.state, &before, day));
    let entity = before.state.program_id().into();
    let proposal = propose(entity, &program, &source.sheet).map_err(|error| {
        CliError::refused(
            format!("{}: {error}", file.display()),
            "nothing was imported; mend the file and try again",
        )
    })?;
    let Proposal { proposed, missing } = proposal;
    let mut maker = Maker {
        ui,
        replica,
        source,
        then,
        now: ground(&now),
        current: in_force(view::program(&now.state, &now, now.day())),
        on: on.unwrap_or_else(|| now.day()),
        program,
        ids: BTreeMap::new(),
        keys: BTreeMap::new(),
        parties: BTreeMap::new(),
        new_parties: Vec::new(),
    };
    let items = maker.items(&proposed)?;
    Ok(Plan { items, missing, parties: maker.new_parties, base: before.base })
}

/// Queues all of it, or nothing: changes each for itself and in sight of what the file was exported from; what is new together, in sight
/// of what is there now, and with the note that the file was taken in. The note comes late: a file that was cut off can come again.
fn queue(
    ui: Ui,
    replica: &mut Replica,
    source: &Source,
    plan: &Plan,
    act: &Act,
    on: Option<CivilDate>,
) -> Result<Vec<EventId>, CliError> {
    let open = || plan.items.iter().filter(|item| !item.already);
    let of = |new: bool| {
        let items = open().filter(move |item| (item.kind == Kind::Added) == new);
        items.flat_map(|item| item.drafts.iter().cloned()).collect::<Vec<_>>()
    };
    let (added, changed) = (of(true), of(false));
    if added.is_empty() && changed.is_empty() {
        return Ok(Vec::new());
    }
    let event = EventId::new(replica.ids.event_id(replica.clock.now()));
    let mut first = vec![imported(source, &Layout::canonical(), event)];
    first.extend(plan.parties.iter().map(|(_, draft)| draft.clone()));
    first.extend(dated(added, on));
    let new: BTreeSet<EntityId> = first.iter().filter_map(|draft| adds(&draft.change)).collect();
    let (after, before): (Vec<Draft>, Vec<Draft>) =
        dated(changed, on).into_iter().partition(|draft| needs(&draft.change, &new));
    let pieces = [(false, before), (true, first), (false, after)].into_iter();
    let pieces = pieces.flat_map(|(new, drafts)| groups(drafts).into_iter().map(move |piece| (new, piece)));
    let pieces: Vec<(bool, Vec<Draft>)> = pieces.filter(|(_, piece)| !piece.is_empty()).collect();
    let all: usize = pieces.iter().map(|(_, piece)| piece.len()).sum();
    let many = pieces.len() > 2;
    let mut events = Vec::new();
    for (new, piece) in pieces {
        let base = if new { replica.base() } else { plan.base };
        let grouped = new && piece.len() > 1;
        match replica.queue(base, piece, act, grouped) {
            Ok(queued) => events.extend(queued),
            Err(error) => {
                // Half a file would be taken for the whole one when it comes again.
                replica.discard_queued(&events)?;
                return Err(with_dates(ui, replica, error));
            }
        }
        if many {
            ui.progress(count(events.len()), count(all));
        }
    }
    Ok(events)
}

/// What a change adds.
const fn adds(change: &Change) -> Option<EntityId> {
    match change {
        Change::AreaAdded { area: id, .. }
        | Change::SubgoalAdded { subgoal: id, .. }
        | Change::ActivityAdded { activity: id, .. }
        | Change::PartyAdded { party: id, .. } => Some(*id),
        _ => None,
    }
}

/// Whether a change is about something that the same file adds.
fn needs(change: &Change, new: &BTreeSet<EntityId>) -> bool {
    match change {
        Change::ResponsibleAssigned { party, .. } => new.contains(party),
        Change::Placed { parent, .. } => new.contains(parent),
        _ => false,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
