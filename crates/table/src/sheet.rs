//! A table whose rows each say what they are about, whatever file they came from: what a spreadsheet's CSV, a JSON file and a
//! table of `tsv/1` have in common. Rows may repeat the area and the sub-goal they stand in, or leave them to the row above.

use std::collections::BTreeMap;

use radslag_core::id::EntityId;
use radslag_core::parse::nfc;

use crate::error::{Shape, TableError};
use crate::layout::Layout;
use crate::read::{GOAL_MARK, split_goal};
use crate::rows::{Row, Table};
use crate::{Column, MAX_LINE_BYTES};

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The programme: its title.
    Title(String),
    /// An area: its name, and its main goal behind ` - `.
    Area(String),
    /// A sub-goal.
    Subgoal(String),
    /// An activity.
    Activity(ActivityTexts),
}

/// The texts of an activity. One that the file has no column for is none, and stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActivityTexts {
    /// The title.
    pub title: String,
    /// Who is responsible.
    pub responsible: Option<String>,
    /// When.
    pub time: Option<String>,
    /// What it costs, as written.
    pub cost: Option<String>,
    /// Comment.
    pub comment: Option<String>,
}

/// An entry of the programme as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The physical line on which its row begins, from 1; in JSON its number in the file.
    pub line: u32,
    /// Its id, where the file says it.
    pub id: Option<EntityId>,
    /// Whether it is only named by a row that stands in it, in a file whose rows have ids: then it says nothing of its own.
    pub implied: bool,
    /// The place in [`Sheet::entries`] of what it stands in.
    pub parent: Option<usize>,
    /// What it is.
    pub what: What,
}

/// A file as entries, each after what it stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The entries.
    pub entries: Vec<Entry>,
    /// What whoever exported the file saw, where it says so: a base token and the day, `98.12.d3df318b.6adef326.dbfa/2026-11-24`.
    pub base: Option<String>,
    /// Columns that are not read, by their names.
    pub unread: Vec<String>,
    /// How the file was written, where that is not UTF-8.
    pub encoding: Option<&'static str>,
}

/// One row before it is known what it stands in.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawRow {
    pub(crate) line: u32,
    pub(crate) id: Option<EntityId>,
    pub(crate) area: String,
    pub(crate) subgoal: String,
    pub(crate) activity: ActivityTexts,
}

impl RawRow {
    fn filled(&self) -> Vec<(Column, usize)> {
        let activity = &self.activity;
        let texts = [
            (Column::Area, Some(&self.area)),
            (Column::Subgoal, Some(&self.subgoal)),
            (Column::Activity, Some(&activity.title)),
            (Column::Responsible, activity.responsible.as_ref()),
            (Column::Time, activity.time.as_ref()),
            (Column::Cost, activity.cost.as_ref()),
            (Column::Comment, activity.comment.as_ref()),
        ];
        let filled = texts.into_iter().filter_map(|(column, text)| Some((column, text?.as_str())));
        filled
            .filter(|(_, text)| !text.trim().is_empty())
            .map(|(column, text)| (column, text.len()))
            .collect()
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.filled().is_empty()
    }

    fn is_area_alone(&self) -> bool {
        matches!(self.filled().as_slice(), [(Column::Area, _)])
    }
}

/// Puts rows into what they stand in.
#[derive(Default)]
pub(crate) struct Builder {
    entries: Vec<Entry>,
    /// By parent, whether it is an area, and text.
    named: BTreeMap<(Option<usize>, String), usize>,
    area: Option<usize>,
    subgoal: Option<usize>,
    /// Whether rows have ids, so that a repeated name is only a name.
    with_ids: bool,
}

impl Builder {
    /// Reads all rows. The first is the title when it and the next have nothing but an area.
    pub(crate) fn build(rows: Vec<RawRow>) -> Result<Vec<Entry>, TableError> {
        let with_ids = rows.iter().any(|row| row.id.is_some());
        let mut builder = Self { with_ids, ..Self::default() };
        let titled =
            rows.first().is_some_and(RawRow::is_area_alone) && rows.get(1).is_some_and(RawRow::is_area_alone);
        for (at, row) in rows.into_iter().enumerate() {
            let line = row.line;
            let bytes: usize = row.filled().iter().map(|(_, bytes)| bytes).sum();
            if bytes > MAX_LINE_BYTES {
                return Err(TableError::LineTooLong { line: place(line), bytes });
            }
            if at == 0 && titled {
                let what = What::Title(row.area);
                builder.entries.push(Entry { line, id: row.id, implied: false, parent: None, what });
                continue;
            }
            builder.row(row).map_err(|shape| TableError::UnknownShape { line: place(line), shape })?;
        }
        Ok(builder.entries)
    }

    fn row(&mut self, row: RawRow) -> Result<(), Shape> {
        let filled = row.filled();
        let has = |column| filled.iter().any(|(one, _)| *one == column);
        if row.is_area_alone() {
            self.subgoal = None;
            self.area = Some(self.own(row.line, row.id, None, &row.area, What::Area));
            return Ok(());
        }
        if has(Column::Area) {
            let area = self.standing_in(row.line, None, self.area, &row.area, What::Area);
            if self.area != Some(area) {
                self.subgoal = None;
            }
            self.area = Some(area);
        }
        let area = self.area.ok_or(Shape::NoHeading)?;
        if !has(Column::Activity) {
            let details = [Column::Responsible, Column::Time, Column::Cost, Column::Comment];
            if let Some(column) = details.into_iter().find(|column| has(*column)) {
                return Err(Shape::NoActivity(column));
            }
            self.subgoal = Some(self.own(row.line, row.id, Some(area), &row.subgoal, What::Subgoal));
            return Ok(());
        }
        if has(Column::Subgoal) {
            let subgoal = self.standing_in(row.line, Some(area), self.subgoal, &row.subgoal, What::Subgoal);
            self.subgoal = Some(subgoal);
        }
        let parent = Some(self.subgoal.ok_or(Shape::NoSubgoal)?);
        let what = What::Activity(row.activity);
        self.entries.push(Entry { line: row.line, id: row.id, implied: false, parent, what });
        Ok(())
    }

    /// An entry that has a row of its own. One that was only named so far gets it.
    fn own(
        &mut self,
        line: u32,
        id: Option<EntityId>,
        parent: Option<usize>,
        text: &str,
        what: impl Fn(String) -> What,
    ) -> usize {
        let named = self.named.get(&(parent, key(text))).copied().filter(|at| self.entries[*at].implied);
        if let Some(at) = named {
            let entry = &mut self.entries[at];
            (entry.line, entry.id, entry.implied) = (line, id, false);
            return at;
        }
        self.add(line, id, false, parent, what(text.to_owned()), text)
    }

    /// What a row says that it stands in: the one it is in already, or one of that name, or one that is named for the first time.
    fn standing_in(
        &mut self,
        line: u32,
        parent: Option<usize>,
        current: Option<usize>,
        text: &str,
        what: impl Fn(String) -> What,
    ) -> usize {
        let is = |at: &usize| {
            let entry = &self.entries[*at];
            matches!(&entry.what, What::Area(name) | What::Subgoal(name) if key(name) == key(text))
        };
        if let Some(at) = current.filter(is) {
            return at;
        }
        match self.named.get(&(parent, key(text))) {
            Some(at) => *at,
            None => self.add(line, None, self.with_ids, parent, what(text.to_owned()), text),
        }
    }

    fn add(
        &mut self,
        line: u32,
        id: Option<EntityId>,
        implied: bool,
        parent: Option<usize>,
        what: What,
        text: &str,
    ) -> usize {
        let at = self.entries.len();
        self.named.insert((parent, key(text)), at);
        self.entries.push(Entry { line, id, implied, parent, what });
        at
    }
}

/// A line's number as errors have it.
fn place(line: u32) -> usize {
    usize::try_from(line).unwrap_or(usize::MAX)
}

fn key(text: &str) -> String {
    nfc(text.trim())
}

impl Sheet {
    /// The entries of a table of `tsv/1`.
    pub fn of(table: &Table) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        if let Some(title) = &table.title {
            let what = What::Title(title.clone());
            entries.push(Entry { line: 1, id: None, implied: false, parent: None, what });
        }
        let (mut area, mut subgoal) = (None, None);
        let mut add = |line, parent, what| {
            entries.push(Entry { line, id: None, implied: false, parent, what });
            Some(entries.len() - 1)
        };
        for row in &table.rows {
            match row {
                Row::Area { line, title, goal } => {
                    area = add(*line, None, What::Area(heading(title, goal.as_deref())));
                }
                Row::Subgoal { line, title } => subgoal = add(*line, area, What::Subgoal(title.clone())),
                Row::Activity { line, subgoal: starts, title, responsible, time, cost, comment } => {
                    if let Some(title) = starts {
                        subgoal = add(*line, area, What::Subgoal(title.clone()));
                    }
                    let texts = ActivityTexts {
                        title: title.clone(),
                        responsible: Some(responsible.clone()),
                        time: Some(time.clone()),
                        cost: Some(cost.clone()),
                        comment: Some(comment.clone()),
                    };
                    add(*line, subgoal, What::Activity(texts));
                }
            }
        }
        Self { entries, ..Self::default() }
    }

    /// The entries as a table without a layout of its own, to begin a programme with.
    pub fn to_table(&self) -> Table {
        let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (at, entry) in self.entries.iter().enumerate() {
            children.entry(entry.parent).or_default().push(at);
        }
        let of = |parent| children.get(&parent).map(Vec::as_slice).unwrap_or_default();
        let mut table = Table { title: None, rows: Vec::new(), layout: Layout::canonical() };
        let mut waiting: Vec<usize> = of(None).iter().rev().copied().collect();
        while let Some(at) = waiting.pop() {
            let entry = &self.entries[at];
            let line = entry.line;
            match &entry.what {
                What::Title(title) => table.title = Some(title.clone()),
                What::Area(text) => {
                    let (title, goal) = split_heading(text);
                    table.rows.push(Row::Area { line, title, goal });
                }
                What::Subgoal(title) => table.rows.push(Row::Subgoal { line, title: title.clone() }),
                What::Activity(texts) => table.rows.push(activity_row(line, texts)),
            }
            waiting.extend(of(Some(at)).iter().rev());
        }
        table
    }
}

fn activity_row(line: u32, texts: &ActivityTexts) -> Row {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Row::Activity {
        line,
        subgoal: None,
        title: texts.title.clone(),
        responsible: text(&texts.responsible),
        time: text(&texts.time),
        cost: text(&texts.cost),
        comment: text(&texts.comment),
    }
}

/// A heading's text of a name and a goal.
pub(crate) fn heading(title: &str, goal: Option<&str>) -> String {
    goal.map_or_else(|| title.to_owned(), |goal| format!("{title}{GOAL_MARK}{goal}"))
}

/// Name and goal of a heading's text.
pub fn split_heading(text: &str) -> (String, Option<String>) {
    match split_goal(text) {
        Some((title, goal)) => (title.to_owned(), Some(goal.to_owned())),
        None => (text.to_owned(), None),
    }
}
