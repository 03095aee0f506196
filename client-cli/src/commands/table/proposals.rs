//! `import` over a programme with content: what somebody changed in an exported file, as changes made in sight of what the file was
//! exported from. So what others changed meanwhile is not overwritten: both stay, and the field is in conflict.

use std::collections::{BTreeMap, BTreeSet};

use radslag_client::ClientError;
use radslag_client::author::Act;
use radslag_client::form::{Form, UnfitForm};
use radslag_client::replica::Replica;
use radslag_core::command::{self, Among, Draft, Edit as FieldEdit, To};
use radslag_core::event::{Base, Change};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EventId};
use radslag_core::order;
use radslag_core::parse::nfc;
use radslag_core::parse::responsible::NamedParty;
use radslag_core::state::EntityKind;
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_core::view::{self, ProgramView};
use radslag_table::{Entry, Layout, Missing, Proposal, Proposed, Under, What, propose, split_heading};
use serde_json::{Value as Json, json};

use super::super::writing::{dated, say_queued, with_dates};
use super::super::{Place, ground, point};
use super::export::in_force;
use super::{Source, groups, imported, said, text};
use crate::args::{Import, Why};
use crate::error::CliError;
use crate::shape::{Ground, cost_text};
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

/// Makes items of what is proposed.
struct Maker<'a> {
    ui: Ui,
    replica: &'a Replica,
    source: &'a Source,
    /// The programme as the file was exported from it.
    then: Ground<'a>,
    program: ProgramView,
    /// The programme as it is.
    now: Ground<'a>,
    current: ProgramView,
    on: CivilDate,
    /// Ids of entries that are new.
    ids: BTreeMap<usize, EntityId>,
    /// Places among their siblings, by entry.
    keys: BTreeMap<usize, String>,
    /// New parties by name.
    parties: BTreeMap<String, EntityId>,
    new_parties: Vec<(NamedParty, Draft)>,
}

impl Maker<'_> {
    fn items(&mut self, proposed: &[Proposed]) -> Result<Vec<Item>, CliError> {
        self.places(proposed);
        proposed.iter().map(|one| self.item(one)).collect()
    }

    fn entry(&self, at: usize) -> &Entry {
        &self.source.sheet.entries[at]
    }

    /// Gives everything new an id, and what comes to a place together keys in its order.
    fn places(&mut self, proposed: &[Proposed]) {
        let mut together: Vec<(Under, Option<EntityId>, Vec<usize>)> = Vec::new();
        for one in proposed {
            let (at, under, after) = match one {
                Proposed::Added { entry, under, after, .. } => {
                    let id = self.existing(*entry, *under);
                    let id = id.unwrap_or_else(|| EntityId::new(self.replica.ids.random_id()));
                    self.ids.insert(*entry, id);
                    (*entry, *under, *after)
                }
                Proposed::Moved { entry, to, .. } => (*entry, *to, None),
                Proposed::Text { .. } | Proposed::Cost { .. } | Proposed::Responsible { .. } => continue,
            };
            match together.iter_mut().find(|(one, other, _)| (*one, *other) == (under, after)) {
                Some((.., entries)) => entries.push(at),
                None => together.push((under, after, vec![at])),
            }
        }
        for (under, after, entries) in together {
            let keys = self.keys_for(under, after, &entries);
            self.keys.extend(entries.into_iter().zip(keys));
        }
    }

    fn keys_for(&self, under: Under, after: Option<EntityId>, entries: &[usize]) -> Vec<String> {
        let (Under::Known(parent), Some(first)) = (under, entries.first()) else {
            return order::spread(entries.len());
        };
        let kind = kind(&self.entry(*first).what);
        let (state, day) = (self.now.state, self.now.day);
        let keys = |among| command::order_keys(state, day, parent, kind, among, None, entries.len());
        // The sibling may stand elsewhere by now.
        let placed = after.and_then(|sibling| keys(Among::After(sibling)).ok());
        placed.or_else(|| keys(Among::Last).ok()).unwrap_or_else(|| order::spread(entries.len()))
    }

    /// What the programme has by now under the title of a new entry, in the same place: somebody has added it, perhaps from the same file.
    fn existing(&self, at: usize, under: Under) -> Option<EntityId> {
        let parent = match under {
            Under::Known(parent) => parent,
            Under::New(entry) => self.ids.get(&entry).copied()?,
        };
        let words = |text: &str| nfc(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        let wanted = words(&entry_text(&self.entry(at).what));
        let is = |id: EntityId, text: &str| {
            let before = self.then.state.entity(id).is_some();
            (!before && words(text) == wanted).then_some(id)
        };
        let areas = &self.current.areas;
        match &self.entry(at).what {
            What::Title(_) => None,
            What::Area(_) => areas.iter().find_map(|area| is(area.id, &heading(area))),
            What::Subgoal(_) => {
                let subgoals = areas.iter().filter(|area| area.id == parent).flat_map(|area| &area.subgoals);
                subgoals.into_iter().find_map(|subgoal| is(subgoal.id, &subgoal.title))
            }
            What::Activity(_) => {
                let subgoals = self.current.subgoals().filter(|subgoal| subgoal.id == parent);
                let mut activities = subgoals.flat_map(|subgoal| &subgoal.activities);
                activities.find_map(|activity| is(activity.id, &activity.title))
            }
        }
    }

    fn item(&mut self, proposed: &Proposed) -> Result<Item, CliError> {
        match proposed {
            Proposed::Text { line, entity, field, before, after } => {
                if *field == FieldKey::Title && after.is_empty() {
                    return Err(CliError::refused(
                        format!("line {line}: a title cannot be empty"),
                        "write the title again, or take the whole row out: nothing is retired by that",
                    ));
                }
                let to = if after.is_empty() { To::Cleared } else { To::Text(after.clone()) };
                Ok(self.revised(*line, *entity, *field, (before, after), to))
            }
            Proposed::Cost { line, entity, before, after } => {
                let shown = |cost: &Option<_>| cost.as_ref().map(cost_text).unwrap_or_default();
                let to = after.clone().map_or(To::Cleared, To::Cost);
                let texts = (shown(before), shown(after));
                Ok(self.revised(*line, *entity, FieldKey::Cost, (&texts.0, &texts.1), to))
            }
            Proposed::Responsible { line, entity, before, after, assign, unassign } => {
                self.responsible(*line, *entity, (before, after), assign, unassign)
            }
            Proposed::Moved { line, entry, entity, from, to } => {
                Ok(self.moved(*line, *entry, *entity, *from, *to))
            }
            Proposed::Added { line, entry, under, .. } => self.added(*line, *entry, *under),
        }
    }

    /// A field that says something else; what it says by now decides what becomes of that.
    fn revised(&self, line: u32, entity: EntityId, field: FieldKey, texts: (&str, &str), to: To) -> Item {
        let edits = [FieldEdit { field, to }];
        let write = |ground: &Ground<'_>| {
            let drafts = command::revise(ground.state, ground.values, self.on, entity, &edits);
            drafts.unwrap_or_default()
        };
        let already = write(&self.now).is_empty();
        let drafts = if already { Vec::new() } else { write(&self.then) };
        Item {
            line,
            kind: Kind::Revised,
            entity,
            what: self.then.title(entity),
            field: Some(field),
            before: texts.0.to_owned(),
            after: texts.1.to_owned(),
            meanwhile: self.meanwhile(entity, field),
            already: already || drafts.is_empty(),
            drafts,
        }
    }

    /// What a field says now and who wrote it, where that is not what it said then.
    fn meanwhile(&self, entity: EntityId, field: FieldKey) -> Option<(String, String)> {
        let shown = |ground: &Ground<'_>| ground.state.shown(entity, field, ground.day).cloned();
        let (then, now) = (shown(&self.then), shown(&self.now)?);
        let changed = then.is_none_or(|then| then.event != now.event);
        changed.then(|| {
            let (org, member) = self.now.author(&now);
            (self.now.text(self.ui, field, Some(&now.content)), format!("{org}, {member}"))
        })
    }

    fn responsible(
        &mut self,
        line: u32,
        entity: EntityId,
        (before, after): (&str, &str),
        assign: &[NamedParty],
        unassign: &[EntityId],
    ) -> Result<Item, CliError> {
        let mut edits = Vec::new();
        for party in unassign {
            edits.push(FieldEdit { field: FieldKey::Responsible(*party), to: To::Responsible(false) });
        }
        for party in assign {
            let party = self.party(line, party)?;
            edits.push(FieldEdit { field: FieldKey::Responsible(party), to: To::Responsible(true) });
        }
        let write = |ground: &Ground<'_>| {
            let drafts = command::revise(ground.state, ground.values, self.on, entity, &edits);
            drafts.unwrap_or_default()
        };
        let already = write(&self.now).is_empty();
        let drafts = if already { Vec::new() } else { write(&self.then) };
        let meanwhile = edits.iter().find_map(|edit| self.meanwhile(entity, edit.field));
        Ok(Item {
            line,
            kind: Kind::Revised,
            entity,
            what: self.then.title(entity),
            field: Some(FieldKey::Responsible(EntityId::default())),
            before: before.to_owned(),
            after: after.to_owned(),
            meanwhile,
            already: already || drafts.is_empty(),
            drafts,
        })
    }

    /// The party of that name, or a new one.
    fn party(&mut self, line: u32, named: &NamedParty) -> Result<EntityId, CliError> {
        let name = nfc(&named.name);
        let all = || self.current.parties.iter().chain(&self.program.parties);
        let mut known: Vec<EntityId> =
            all().filter(|party| nfc(&party.name) == name).map(|party| party.id).collect();
        known.sort_unstable();
        known.dedup();
        match known.as_slice() {
            [party] => Ok(*party),
            [] => {
                if let Some(party) = self.parties.get(&name) {
                    return Ok(*party);
                }
                let party = EntityId::new(self.replica.ids.random_id());
                let added = Change::PartyAdded { party, kind: named.kind, organisation: None, source: None };
                let draft = Draft::new(added).with_text(Slot::NAME, &named.name);
                self.new_parties.push((named.clone(), draft));
                self.parties.insert(name, party);
                Ok(party)
            }
            several => Err(CliError::refused(
                format!("line {line}: {} parties are called {:?}", several.len(), named.name),
                "leave the cell as it was, and use radslag edit ACTIVITY --assign ID",
            )),
        }
    }

    fn moved(&self, line: u32, entry: usize, entity: EntityId, from: EntityId, to: Under) -> Item {
        let parent = self.parent(to);
        let order_key = self.keys.get(&entry).cloned().unwrap_or_default();
        let placed = self.now.state.shown(entity, FieldKey::Place, self.on).map(|write| &write.content);
        let already = matches!(placed, Some(radslag_core::register::Content::Place { parent: at, .. }) if *at == parent);
        let draft = Draft::new(Change::Placed { entity, parent, order_key });
        Item {
            line,
            kind: Kind::Moved,
            entity,
            what: self.then.title(entity),
            field: Some(FieldKey::Place),
            before: self.then.title(from),
            after: self.under(to),
            meanwhile: self.meanwhile(entity, FieldKey::Place),
            already,
            drafts: if already { Vec::new() } else { vec![draft] },
        }
    }

    fn parent(&self, under: Under) -> EntityId {
        match under {
            Under::Known(parent) => parent,
            Under::New(entry) => self.ids.get(&entry).copied().unwrap_or_default(),
        }
    }

    /// What something stands in, by its title.
    fn under(&self, under: Under) -> String {
        match under {
            Under::Known(parent) => self.then.title(parent),
            Under::New(entry) => entry_text(&self.entry(entry).what),
        }
    }

    fn added(&mut self, line: u32, at: usize, under: Under) -> Result<Item, CliError> {
        let entity = self.ids.get(&at).copied().unwrap_or_default();
        let already = self.now.state.entity(entity).is_some();
        let what = entry_text(&self.entry(at).what);
        let drafts = if already { Vec::new() } else { vec![self.addition(line, at, entity, under)?] };
        Ok(Item {
            line,
            kind: Kind::Added,
            entity,
            what,
            field: None,
            before: String::new(),
            after: self.under(under),
            meanwhile: None,
            already,
            drafts,
        })
    }

    fn addition(&mut self, line: u32, at: usize, entity: EntityId, under: Under) -> Result<Draft, CliError> {
        let parent = self.parent(under);
        let order_key = self.keys.get(&at).cloned().unwrap_or_default();
        match self.entry(at).what.clone() {
            What::Title(heading) | What::Area(heading) => {
                let (title, goal) = split_heading(&heading);
                let added = Change::AreaAdded { area: entity, order_key, source: None };
                let goal = goal.unwrap_or_default();
                Ok(text(Draft::new(added), Slot::TITLE, &title).with_text(Slot::GOAL, &goal))
            }
            What::Subgoal(title) => {
                let added = Change::SubgoalAdded { subgoal: entity, area: parent, order_key, source: None };
                Ok(text(Draft::new(added), Slot::TITLE, &title))
            }
            What::Activity(texts) => {
                let written = texts.responsible.unwrap_or_default();
                let named = radslag_core::parse::responsible::parse_responsible(&written);
                let mut responsible: Vec<EntityId> =
                    named.iter().map(|party| self.party(line, party)).collect::<Result<_, _>>()?;
                responsible.sort_unstable();
                responsible.dedup();
                let added = Change::ActivityAdded {
                    activity: entity,
                    subgoal: parent,
                    order_key,
                    responsible,
                    lead: None,
                    source: None,
                };
                let mut draft = text(Draft::new(added), Slot::TITLE, &texts.title)
                    .with_text(Slot::TIME, &texts.time.unwrap_or_default())
                    .with_text(Slot::COMMENT, &texts.comment.unwrap_or_default())
                    .with_text(Slot::RESPONSIBLE_TEXT, &written);
                let cost = texts.cost.filter(|cost| !cost.trim().is_empty());
                if let Some(cost) = cost {
                    draft = draft.with_value(Slot::COST, radslag_table::as_cost(&cost).to_value_bytes());
                }
                Ok(draft)
            }
        }
    }
}

const fn kind(what: &What) -> EntityKind {
    match what {
        What::Title(_) | What::Area(_) => EntityKind::Area,
        What::Subgoal(_) => EntityKind::Subgoal,
        What::Activity(_) => EntityKind::Activity,
    }
}

fn entry_text(what: &What) -> String {
    match what {
        What::Title(text) | What::Area(text) | What::Subgoal(text) => text.clone(),
        What::Activity(texts) => texts.title.clone(),
    }
}

fn heading(area: &view::AreaView) -> String {
    area.goal.as_ref().map_or_else(|| area.title.clone(), |goal| format!("{} - {goal}", area.title))
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

/// How many of each; what there is nothing of is left out, but for what is new and revised.
fn counts(ui: Ui, plan: &Plan) -> String {
    let open = |kind| plan.items.iter().filter(|item| item.kind == kind && !item.already).count();
    let already = plan.items.iter().filter(|item| item.already).count();
    let conflicts = plan.items.iter().filter(|item| item.meanwhile.is_some() && !item.already).count();
    let counted = [
        (open(Kind::Added), "nya", "new"),
        (open(Kind::Revised), "ändrade", "revised"),
        (open(Kind::Moved), "flyttade", "moved"),
        (plan.parties.len(), "nya parter", "new parties"),
        (conflicts, "har andra ändrat under tiden", "changed by others meanwhile"),
        (already, "gäller redan", "apply already"),
        (plan.missing.len(), "saknas i filen och står kvar", "are not in the file and stay"),
    ];
    let said = counted.iter().enumerate().filter(|(at, (count, ..))| *at < 2 || *count > 0);
    let said = said.map(|(_, (count, sv, en))| format!("{count} {}", ui.text(sv, en)));
    said.collect::<Vec<_>>().join(", ")
}

fn meanwhile_text(ui: Ui, item: &Item) -> String {
    let Some((value, who)) = &item.meanwhile else { return String::new() };
    match ui.lang {
        Lang::Sv => format!("nu {value} ({who}): blir en konflikt"),
        Lang::En => format!("now {value} ({who}): becomes a conflict"),
    }
}

/// `--dry-run`: every change, and that nothing was written.
fn say(ui: Ui, source: &Source, plan: &Plan) -> Result<(), CliError> {
    if ui.json() {
        return ui.object(&json(source, plan));
    }
    let headings = match ui.lang {
        Lang::Sv => ["rad", "ändring", "vad", "fält", "före", "efter"],
        Lang::En => ["line", "change", "what", "field", "before", "after"],
    };
    let row = |item: &Item| {
        let field = item.field.map_or("", |field| crate::shape::field_name(ui, field));
        let under = if item.kind == Kind::Added { ui.text("under ", "under ") } else { "" };
        let dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
        let note = match (item.already, item.meanwhile.is_some()) {
            (true, _) => format!("  [{}]", ui.text("gäller redan", "applies already")),
            (false, true) => format!("  [{}]", meanwhile_text(ui, item)),
            (false, false) => String::new(),
        };
        let before = if item.kind == Kind::Added { String::new() } else { dash(&item.before) };
        vec![
            item.line.to_string(),
            item.kind.text(ui).to_owned(),
            item.what.clone(),
            field.to_owned(),
            before,
            format!("{under}{}{note}", dash(&item.after)),
        ]
    };
    if !plan.items.is_empty() {
        let rows: Vec<Vec<String>> = plan.items.iter().map(row).collect();
        ui.table(&headings, &rows)?;
        ui.line("")?;
    }
    for (party, _) in &plan.parties {
        ui.line(&format!("{}: {}", ui.text("ny part", "new party"), party.name))?;
    }
    for missing in &plan.missing {
        let said = ui.text("saknas i filen, står kvar", "not in the file, stays");
        ui.line(&format!("{said}: {}  {}", crate::names::front(missing.entity), missing.title))?;
    }
    ui.line(&format!("{}: {}", ui.text("ingenting skrivet", "nothing written"), counts(ui, plan)))
}

fn json(source: &Source, plan: &Plan) -> Json {
    let item = |item: &Item| {
        json!({
            "line": item.line, "change": item.kind.name(), "entity_id": item.entity.to_string(), "title": item.what,
            "field": item.field.map(FieldKey::name), "before": item.before, "after": item.after,
            "already": item.already,
            "meanwhile": item.meanwhile.as_ref().map(|(value, who)| json!({"value": value, "by": who})),
        })
    };
    let mut answer = said::about_json(source);
    answer["dry_run"] = json!(true);
    answer["changes"] = plan.items.iter().map(item).collect();
    answer["parties"] = plan.parties.iter().map(|(party, _)| json!(party.name)).collect();
    answer["missing"] = plan
        .missing
        .iter()
        .map(|missing| json!({"entity_id": missing.entity.to_string(), "title": missing.title}))
        .collect();
    answer
}
