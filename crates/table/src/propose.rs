//! What a file would change in the programme that it was exported from. Each entry of the file is matched with one of the programme,
//! by its id, else by its title and place; what differs is a proposal. Nothing is decided here: not whether somebody else has changed the
//! same meanwhile, and what the file lacks is listed and stays.

use std::collections::{BTreeMap, BTreeSet};

use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;
use radslag_core::parse::cost::{Cost, equal, parse_cost};
use radslag_core::parse::nfc;
use radslag_core::parse::responsible::{NamedParty, parse_responsible};
use radslag_core::view::{ActivityView, ProgramView};

use crate::error::TableError;
use crate::sheet::{ActivityTexts, Sheet, What, heading, split_heading};

/// What something new or moved stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// Something of the programme.
    Known(EntityId),
    /// An entry of the file that is new too, by its place in [`Sheet::entries`].
    New(usize),
}

/// One thing that the file says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposed {
    /// A text: title, goal, time or comment. An empty one empties the field.
    Text {
        /// The line, from 1.
        line: u32,
        /// Whose.
        entity: EntityId,
        /// Which.
        field: FieldKey,
        /// What the programme said when the file was exported.
        before: String,
        /// What the file says.
        after: String,
    },
    /// A cost.
    Cost {
        /// The line, from 1.
        line: u32,
        /// Whose.
        entity: EntityId,
        /// What the programme said.
        before: Option<Cost>,
        /// What the file says; one that is not understood has no amount.
        after: Option<Cost>,
    },
    /// Who is responsible.
    Responsible {
        /// The line, from 1.
        line: u32,
        /// For which activity.
        entity: EntityId,
        /// What the programme said.
        before: String,
        /// What the file says.
        after: String,
        /// Who is named for the first time.
        assign: Vec<NamedParty>,
        /// Who is not named any more.
        unassign: Vec<EntityId>,
    },
    /// It stands in something else.
    Moved {
        /// The line, from 1.
        line: u32,
        /// Its place in [`Sheet::entries`].
        entry: usize,
        /// What.
        entity: EntityId,
        /// Where it stood.
        from: EntityId,
        /// Where it stands in the file.
        to: Under,
    },
    /// It is new.
    Added {
        /// The line, from 1.
        line: u32,
        /// Its place in [`Sheet::entries`].
        entry: usize,
        /// What it stands in.
        under: Under,
        /// The sibling that stands before it in the file, if the programme has one.
        after: Option<EntityId>,
    },
}

/// Something of the programme that the file has no row for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub entity: EntityId,
    /// Its title.
    pub title: String,
}

/// All that a file says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// In the file's order.
    pub proposed: Vec<Proposed>,
    /// What the file lacks, in the programme's order.
    pub missing: Vec<Missing>,
}

/// Something of the programme as a file may say it.
struct Known<'a> {
    id: EntityId,
    parent: EntityId,
    /// An area's whole heading, else a title.
    text: String,
    /// The text as it is compared.
    words: String,
    activity: Option<&'a ActivityView>,
}

impl<'a> Known<'a> {
    fn new(id: EntityId, parent: EntityId, text: String, activity: Option<&'a ActivityView>) -> Self {
        Self { id, parent, words: words(&text), text, activity }
    }
}

/// Says what a file would change in `view`, the programme as whoever exported it saw it. Order is not read: rows may be sorted.
///
/// # Errors
/// An id that the programme did not have, or that two rows have.
pub fn propose(program: EntityId, view: &ProgramView, sheet: &Sheet) -> Result<Proposal, TableError> {
    let mut matching = Matching::new(program, view, sheet);
    matching.by_id()?;
    matching.by_text();
    Ok(matching.proposal(view))
}

/// Which entry is which.
struct Matching<'a> {
    program: EntityId,
    sheet: &'a Sheet,
    known: Vec<Known<'a>>,
    by_id: BTreeMap<EntityId, usize>,
    /// For each entry its text as it is compared.
    words: Vec<String>,
    /// For each entry the place in `known`.
    bound: Vec<Option<usize>>,
    /// Places in `known` that an entry has.
    used: BTreeSet<usize>,
    /// The entry that is the programme itself.
    title: Option<usize>,
}

impl<'a> Matching<'a> {
    fn new(program: EntityId, view: &'a ProgramView, sheet: &'a Sheet) -> Self {
        let mut known = Vec::new();
        for area in &view.areas {
            let text = heading(&area.title, area.goal.as_deref());
            known.push(Known::new(area.id, program, text, None));
            for subgoal in &area.subgoals {
                known.push(Known::new(subgoal.id, area.id, subgoal.title.clone(), None));
                let of = |activity: &'a ActivityView| {
                    Known::new(activity.id, subgoal.id, activity.title.clone(), Some(activity))
                };
                known.extend(subgoal.activities.iter().map(of));
            }
        }
        let by_id = known.iter().enumerate().map(|(at, known)| (known.id, at)).collect();
        let bound = vec![None; sheet.entries.len()];
        let words = sheet.entries.iter().map(|entry| words(text_of(&entry.what))).collect();
        Self { program, sheet, known, by_id, words, bound, used: BTreeSet::new(), title: None }
    }

    fn by_id(&mut self) -> Result<(), TableError> {
        for (at, entry) in self.sheet.entries.iter().enumerate() {
            let line = usize::try_from(entry.line).unwrap_or(usize::MAX);
            let id = match entry.id {
                Some(id) if id != self.program => id,
                None if !matches!(entry.what, What::Title(_)) => continue,
                title => {
                    if let (Some(_), Some(id)) = (self.title.replace(at), title) {
                        return Err(TableError::IdTwice { line, id });
                    }
                    continue;
                }
            };
            let known = self.by_id.get(&id).copied().filter(|known| self.fits(at, *known));
            let known = known.ok_or(TableError::UnknownId { line, id })?;
            if !self.used.insert(known) {
                return Err(TableError::IdTwice { line, id });
            }
            self.bound[at] = Some(known);
        }
        Ok(())
    }

    /// Whether an entry may be this one: areas stand in the programme, activities are activities.
    fn fits(&self, entry: usize, known: usize) -> bool {
        let known = &self.known[known];
        match &self.sheet.entries[entry].what {
            // A first row that looks like a title is an area where its id says so.
            What::Title(_) | What::Area(_) => known.parent == self.program,
            What::Subgoal(_) => known.activity.is_none() && known.parent != self.program,
            What::Activity(_) => known.activity.is_some(),
        }
    }

    /// Areas, then sub-goals, then activities: each stands in one that is matched by then.
    fn by_text(&mut self) {
        let of = |is: fn(&What) -> bool| {
            let entries = self.sheet.entries.iter().enumerate();
            entries.filter(|(_, entry)| is(&entry.what)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        let areas = of(|what| matches!(what, What::Area(_)));
        let subgoals = of(|what| matches!(what, What::Subgoal(_)));
        let activities = of(|what| matches!(what, What::Activity(_)));
        for level in [areas, subgoals] {
            level.iter().for_each(|at| self.same_place(*at));
            level.iter().for_each(|at| self.same_children(*at));
        }
        activities.iter().for_each(|at| self.same_place(*at));
        activities.iter().for_each(|at| self.moved(*at));
        activities.iter().for_each(|at| self.renamed(*at));
    }

    fn open(&self, at: usize) -> bool {
        self.bound[at].is_none() && self.title != Some(at)
    }

    fn bind(&mut self, at: usize, known: usize) {
        self.bound[at] = Some(known);
        self.used.insert(known);
    }

    /// What the entry stands in, where that is matched.
    fn parent(&self, at: usize) -> Option<EntityId> {
        match self.sheet.entries[at].parent {
            None => Some(self.program),
            Some(parent) => self.bound[parent].map(|known| self.known[known].id),
        }
    }

    fn candidates(&self, at: usize) -> impl Iterator<Item = usize> {
        let implied = self.sheet.entries[at].implied;
        let free = move |known: &usize| implied || !self.used.contains(known);
        (0..self.known.len()).filter(free).filter(move |known| self.fits(at, *known))
    }

    /// The same text in the same place; of several the first.
    fn same_place(&mut self, at: usize) {
        if !self.open(at) {
            return;
        }
        let Some(parent) = self.parent(at) else { return };
        let found = self.candidates(at).find(|known| {
            let known = &self.known[*known];
            known.parent == parent && known.words == self.words[at]
        });
        if let Some(known) = found {
            self.bind(at, known);
        }
    }

    /// Another text in the same place over something that stands in it under its own name: it was renamed.
    fn same_children(&mut self, at: usize) {
        if !self.open(at) || self.sheet.entries[at].implied {
            return;
        }
        let Some(parent) = self.parent(at) else { return };
        let entries = self.sheet.entries.iter().zip(&self.words);
        let children: BTreeSet<&String> =
            entries.filter(|(entry, _)| entry.parent == Some(at)).map(|(_, words)| words).collect();
        let has_child = |known: usize| {
            let id = self.known[known].id;
            self.known.iter().any(|child| child.parent == id && children.contains(&child.words))
        };
        let found =
            self.candidates(at).find(|known| self.known[*known].parent == parent && has_child(*known));
        if let Some(known) = found {
            self.bind(at, known);
        }
    }

    /// A title that only one activity had and that no row has where it stood.
    fn moved(&mut self, at: usize) {
        if !self.open(at) {
            return;
        }
        let found: Vec<usize> =
            self.candidates(at).filter(|known| self.known[*known].words == self.words[at]).take(2).collect();
        if let [known] = found.as_slice() {
            self.bind(at, *known);
        }
    }

    /// Everything but the title is the same, in the same place, and there is something else than a title.
    fn renamed(&mut self, at: usize) {
        if !self.open(at) {
            return;
        }
        let Some(parent) = self.parent(at) else { return };
        let What::Activity(texts) = &self.sheet.entries[at].what else { return };
        let alike = |known: &usize| {
            let known = &self.known[*known];
            known.parent == parent && known.activity.is_some_and(|activity| same_details(activity, texts))
        };
        let found: Vec<usize> = self.candidates(at).filter(alike).take(2).collect();
        if let [known] = found.as_slice() {
            self.bind(at, *known);
        }
    }

    fn proposal(&self, view: &ProgramView) -> Proposal {
        let mut proposal = Proposal::default();
        let mut before: BTreeMap<Option<usize>, EntityId> = BTreeMap::new();
        for (at, entry) in self.sheet.entries.iter().enumerate() {
            let line = entry.line;
            if self.title == Some(at) {
                let after = text_of(&entry.what);
                proposal.text(line, self.program, FieldKey::Title, &view.title, after);
                continue;
            }
            let Some(known) = self.bound[at].map(|known| &self.known[known]) else {
                let under = self.under(at);
                let after = before.get(&entry.parent).copied();
                proposal.proposed.push(Proposed::Added { line, entry: at, under, after });
                continue;
            };
            before.insert(entry.parent, known.id);
            if entry.implied {
                continue;
            }
            match &entry.what {
                What::Title(text) | What::Area(text) => proposal.area(line, known, text),
                What::Subgoal(text) => {
                    proposal.text(line, known.id, FieldKey::Title, &known.text, text);
                }
                What::Activity(texts) => proposal.activity(line, known, texts, view),
            }
            let to = self.under(at);
            if !self.stands_in(known, to) {
                let (entity, from) = (known.id, known.parent);
                proposal.proposed.push(Proposed::Moved { line, entry: at, entity, from, to });
            }
        }
        let missing = self.known.iter().enumerate().filter(|(at, _)| !self.used.contains(at));
        proposal.missing =
            missing.map(|(_, known)| Missing { entity: known.id, title: known.text.clone() }).collect();
        proposal
    }

    /// Whether the file has something where it stands. Two of one name are told apart by their rows alone, which may have been sorted.
    fn stands_in(&self, known: &Known<'_>, under: Under) -> bool {
        let Under::Known(parent) = under else { return false };
        let path = |id: EntityId| {
            let known = self.by_id.get(&id).map(|at| &self.known[*at]);
            let above =
                known.and_then(|known| self.by_id.get(&known.parent)).map(|at| &self.known[*at].words);
            (known.map(|known| &known.words), above)
        };
        parent == known.parent || path(parent) == path(known.parent)
    }

    fn under(&self, at: usize) -> Under {
        match self.sheet.entries[at].parent {
            None => Under::Known(self.program),
            Some(parent) => match self.bound[parent] {
                Some(known) => Under::Known(self.known[known].id),
                None => Under::New(parent),
            },
        }
    }
}

impl Proposal {
    fn text(&mut self, line: u32, entity: EntityId, field: FieldKey, before: &str, after: &str) {
        if !same(before, after) {
            let (before, after) = (before.to_owned(), after.trim().to_owned());
            self.proposed.push(Proposed::Text { line, entity, field, before, after });
        }
    }

    fn area(&mut self, line: u32, known: &Known<'_>, text: &str) {
        if same(&known.text, text) {
            return;
        }
        let ((old, old_goal), (new, new_goal)) = (split_heading(&known.text), split_heading(text));
        self.text(line, known.id, FieldKey::Title, &old, &new);
        let goal = |goal: Option<String>| goal.unwrap_or_default();
        self.text(line, known.id, FieldKey::Goal, &goal(old_goal), &goal(new_goal));
    }

    fn activity(&mut self, line: u32, known: &Known<'_>, texts: &ActivityTexts, view: &ProgramView) {
        let Some(activity) = known.activity else { return };
        self.text(line, known.id, FieldKey::Title, &activity.title, &texts.title);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        if let Some(time) = &texts.time {
            self.text(line, known.id, FieldKey::Time, &text(&activity.time), time);
        }
        if let Some(cost) = &texts.cost {
            self.cost(line, known.id, activity.cost.as_ref(), cost);
        }
        if let Some(comment) = &texts.comment {
            self.text(line, known.id, FieldKey::Comment, &text(&activity.comment), comment);
        }
        if let Some(responsible) = &texts.responsible {
            self.responsible(line, activity, responsible, view);
        }
    }

    fn cost(&mut self, line: u32, entity: EntityId, before: Option<&Cost>, after: &str) {
        let text = lines(after.trim());
        let after = (!text.is_empty()).then(|| as_cost(&text));
        let is_same = match (before, &after) {
            (None, None) => true,
            (Some(before), Some(after)) => equal(before, after) || same(&before.display(), &after.raw),
            (None, Some(_)) => false,
            (Some(before), None) => before.amount.is_none() && before.raw.trim().is_empty(),
        };
        if !is_same {
            self.proposed.push(Proposed::Cost { line, entity, before: before.cloned(), after });
        }
    }

    fn responsible(&mut self, line: u32, activity: &ActivityView, text: &str, view: &ProgramView) {
        if same(&activity.responsible_text, text) {
            return;
        }
        let name =
            |id: &EntityId| view.parties.iter().find(|party| party.id == *id).map(|party| nfc(&party.name));
        let named = parse_responsible(text);
        let is_named = |id: &EntityId| {
            let is = name(id);
            named.iter().any(|party| is.as_deref() == Some(nfc(&party.name).as_str()))
        };
        let unassign: Vec<EntityId> =
            activity.responsible.iter().filter(|id| !is_named(id)).copied().collect();
        let known: Vec<String> = activity.responsible.iter().filter_map(name).collect();
        let assign: Vec<NamedParty> =
            named.iter().filter(|party| !known.contains(&nfc(&party.name))).cloned().collect();
        if !assign.is_empty() || !unassign.is_empty() {
            let (before, after) = (activity.responsible_text.clone(), text.trim().to_owned());
            self.proposed.push(Proposed::Responsible {
                line,
                entity: activity.id,
                before,
                after,
                assign,
                unassign,
            });
        }
    }
}

/// A cost as a cell has it; what is not understood is kept as it stands, without an amount.
pub fn as_cost(text: &str) -> Cost {
    parse_cost(text).unwrap_or_else(|_| Cost { amount: None, raw: text.to_owned() })
}

fn same_details(activity: &ActivityView, texts: &ActivityTexts) -> bool {
    let cost = activity.cost.as_ref().map(Cost::display).unwrap_or_default();
    let pairs = [
        (activity.responsible_text.as_str(), &texts.responsible),
        (activity.time.as_deref().unwrap_or_default(), &texts.time),
        (&cost, &texts.cost),
        (activity.comment.as_deref().unwrap_or_default(), &texts.comment),
    ];
    let is_same = |(is, text): &(&str, &Option<String>)| same(is, text.as_deref().unwrap_or_default());
    pairs.iter().all(is_same) && pairs.iter().any(|(is, _)| !is.trim().is_empty())
}

fn text_of(what: &What) -> &str {
    match what {
        What::Title(text) | What::Area(text) | What::Subgoal(text) => text,
        What::Activity(texts) => &texts.title,
    }
}

/// Whether two texts say the same: spreadsheets change how lines and spaces are written, and a table of `tsv/1` has no lines in cells.
fn same(one: &str, other: &str) -> bool {
    one == other || words(one) == words(other)
}

fn words(text: &str) -> String {
    nfc(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}
