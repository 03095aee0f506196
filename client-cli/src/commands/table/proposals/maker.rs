//! Makes items of what a file proposes: what it takes in sight of what the file was exported from, what the programme says by now, and
//! ids, places and parties for what is new.

use std::collections::BTreeMap;

use radslag_client::replica::Replica;
use radslag_core::command::{self, Among, Draft, Edit as FieldEdit, To};
use radslag_core::event::Change;
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;
use radslag_core::order;
use radslag_core::parse::nfc;
use radslag_core::parse::responsible::NamedParty;
use radslag_core::state::EntityKind;
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_core::view::{self, ProgramView};
use radslag_table::{Entry, Proposed, Under, What, split_heading};

use super::super::{Source, text};
use super::{Item, Kind};
use crate::error::CliError;
use crate::shape::{Ground, cost_text};
use crate::ui::Ui;

/// Makes items of what is proposed.
pub(super) struct Maker<'a> {
    pub(super) ui: Ui,
    pub(super) replica: &'a Replica,
    pub(super) source: &'a Source,
    /// The programme as the file was exported from it.
    pub(super) then: Ground<'a>,
    pub(super) program: ProgramView,
    /// The programme as it is.
    pub(super) now: Ground<'a>,
    pub(super) current: ProgramView,
    pub(super) on: CivilDate,
    /// Ids of entries that are new.
    pub(super) ids: BTreeMap<usize, EntityId>,
    /// Places among their siblings, by entry.
    pub(super) keys: BTreeMap<usize, String>,
    /// New parties by name.
    pub(super) parties: BTreeMap<String, EntityId>,
    pub(super) new_parties: Vec<(NamedParty, Draft)>,
}

impl Maker<'_> {
    pub(super) fn items(&mut self, proposed: &[Proposed]) -> Result<Vec<Item>, CliError> {
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
