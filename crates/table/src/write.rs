//! Writing a table: puts the programme's texts into the layout of the file that it was imported from.
//!
//! A row that the file had keeps its line's form (cells, spaces, ending) wherever it now stands. A blank line stays
//! in front of the next row that is still there, and goes where that goes; so additions after the last sibling
//! come before the blank line that separates it from the next heading.

use std::collections::{BTreeMap, BTreeSet};

use crate::columns::{Column, Texts};
use crate::error::TableError;
use crate::export::{ExportProgram, ExportSubgoal, check};
use crate::layout::{Ending, Layout, LineKind, LineLayout};

/// Writes a programme as a table, in the layout of the file that it was imported from, if there is one.
///
/// What was read and not changed gives the same bytes. Nothing is returned when any text does not fit in a cell.
pub fn write(source: Option<&Layout>, view: &ExportProgram) -> Result<Vec<u8>, TableError> {
    let canonical = Layout::canonical();
    let layout = source.unwrap_or(&canonical);
    let with_title = layout.lines.iter().any(|line| line.kind == LineKind::Title);
    check(view, with_title)?;
    let rows = Plan::new(layout, view).rows(view);
    let mut writer = Writer::new(layout, &rows);
    for (at, line) in layout.lines.iter().enumerate() {
        match line.kind {
            LineKind::Header => writer.put(Some(at), layout.header.clone()),
            LineKind::Title => {
                let texts = Texts::default().with(Column::Area, &view.title);
                writer.put(Some(at), filled(layout, Some(line), &texts));
            }
            // Blank lines come along with what follows them, rows in the programme's order.
            LineKind::Blank | LineKind::Heading | LineKind::Subgoal | LineKind::First | LineKind::Next => {}
        }
    }
    for row in rows {
        let line = row.source.and_then(|at| layout.lines.get(at));
        writer.put(row.source, filled(layout, line, &row.texts));
    }
    Ok(writer.finish())
}

/// A row to write.
struct OutRow {
    /// The index of the line of the imported file whose form it takes.
    source: Option<usize>,
    texts: Texts,
}

/// Decides which rows there are, which of them carry a sub-goal's text, and whose form each takes.
struct Plan<'a> {
    layout: &'a Layout,
    /// Lines of activities that are still in the programme.
    activities: BTreeSet<u32>,
    /// Lines that a row has taken; a second one that names the same line counts as added.
    taken: BTreeSet<u32>,
    rows: Vec<OutRow>,
}

impl<'a> Plan<'a> {
    fn new(layout: &'a Layout, view: &ExportProgram) -> Self {
        let subgoals = view.areas.iter().flat_map(|area| &area.subgoals);
        let activities = subgoals.flat_map(|subgoal| &subgoal.activities);
        let activities = activities.filter_map(|activity| activity.source_line).collect();
        Self { layout, activities, taken: BTreeSet::new(), rows: Vec::new() }
    }

    fn rows(mut self, view: &ExportProgram) -> Vec<OutRow> {
        for area in &view.areas {
            let source = self.take(area.source_line, |kind| kind == LineKind::Heading);
            self.rows.push(OutRow { source, texts: Texts::default().with(Column::Area, &area.heading()) });
            for subgoal in &area.subgoals {
                self.subgoal(subgoal);
            }
        }
        self.rows
    }

    fn subgoal(&mut self, subgoal: &ExportSubgoal) {
        let own_line = self.take(subgoal.source_line, |kind| kind == LineKind::Subgoal);
        let mut carried = own_line.is_some() || subgoal.activities.is_empty();
        if carried {
            let source = own_line.or_else(|| self.line_left_behind(subgoal));
            self.rows.push(OutRow { source, texts: Texts::default().with(Column::Subgoal, &subgoal.title) });
        }
        for activity in &subgoal.activities {
            let source = self.take(activity.source_line, LineKind::is_activity);
            let mut texts = activity.texts();
            if !carried {
                texts.set(Column::Subgoal, &subgoal.title);
                carried = true;
            }
            self.rows.push(OutRow { source, texts });
        }
    }

    /// The line of a sub-goal whose activities are all gone, unless an activity took its line elsewhere.
    fn line_left_behind(&mut self, subgoal: &ExportSubgoal) -> Option<usize> {
        let line = subgoal.source_line.filter(|line| !self.activities.contains(line));
        self.take(line, LineKind::is_activity)
    }

    fn take(&mut self, line: Option<u32>, fits: impl Fn(LineKind) -> bool) -> Option<usize> {
        let line = line?;
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        let kind = self.layout.lines.get(index)?.kind;
        (fits(kind) && self.taken.insert(line)).then_some(index)
    }
}

/// A line with these texts, in the form that a line of the file had or that a new one gets.
fn filled(layout: &Layout, form: Option<&LineLayout>, texts: &Texts) -> String {
    let spaces = form.map_or(&[][..], |form| &form.spaces);
    let count = form.map_or_else(|| layout.columns.width().max(Column::ALL.len()), |form| form.cells);
    let mut cells = vec![""; count];
    for (cell, text) in spaces {
        if let Some(place) = cells.get_mut(*cell) {
            *place = text;
        }
    }
    for column in Column::ALL {
        let (cell, text) = (layout.columns.cell(column), texts.get(column));
        let keeps_spaces = text.trim().is_empty() && spaces.iter().any(|(spaced, _)| *spaced == cell);
        if text.is_empty() || keeps_spaces {
            continue;
        }
        if cell >= cells.len() {
            cells.resize(cell + 1, "");
        }
        cells[cell] = text;
    }
    cells.join("\t")
}

/// Collects lines, each with the blank lines that belong in front of it.
struct Writer<'a> {
    layout: &'a Layout,
    /// The blank lines in front of each line that is kept.
    blanks: BTreeMap<usize, Vec<usize>>,
    /// The blank lines after all of them.
    blanks_at_end: Vec<usize>,
    /// What added lines end with.
    dominant: Ending,
    lines: Vec<(String, Ending)>,
}

impl<'a> Writer<'a> {
    fn new(layout: &'a Layout, rows: &[OutRow]) -> Self {
        let kept: BTreeSet<usize> = rows.iter().filter_map(|row| row.source).collect();
        let mut blanks = BTreeMap::new();
        let mut waiting = Vec::new();
        for (at, line) in layout.lines.iter().enumerate() {
            match line.kind {
                LineKind::Blank => waiting.push(at),
                LineKind::Header | LineKind::Title => {
                    blanks.insert(at, std::mem::take(&mut waiting));
                }
                LineKind::Heading | LineKind::Subgoal | LineKind::First | LineKind::Next => {
                    if kept.contains(&at) {
                        blanks.insert(at, std::mem::take(&mut waiting));
                    }
                }
            }
        }
        let dominant = layout.dominant_ending();
        Self { layout, blanks, blanks_at_end: waiting, dominant, lines: Vec::new() }
    }

    /// Adds a line; `source` is the index of the line whose ending and blank lines it has.
    fn put(&mut self, source: Option<usize>, text: String) {
        if let Some(at) = source {
            let blanks = self.blanks.remove(&at).unwrap_or_default();
            self.put_blanks(&blanks);
        }
        let form = source.and_then(|at| self.layout.lines.get(at));
        let ending = form.map_or(self.dominant, |form| form.ending);
        self.lines.push((text, ending));
    }

    fn put_blanks(&mut self, blanks: &[usize]) {
        for line in blanks.iter().filter_map(|at| self.layout.lines.get(*at)) {
            self.lines.push((filled(self.layout, Some(line), &Texts::default()), line.ending));
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let blanks = std::mem::take(&mut self.blanks_at_end);
        self.put_blanks(&blanks);
        self.settle_endings();
        let mut out = Vec::new();
        if self.layout.bom {
            out.extend("\u{feff}".as_bytes());
        }
        for (text, ending) in &self.lines {
            out.extend(text.as_bytes());
            out.extend(ending.text().as_bytes());
        }
        out
    }

    /// The file ends with or without a newline as it did, whichever line is now the last; every other line ends.
    fn settle_endings(&mut self) {
        let open = self.layout.lines.last().is_some_and(|line| line.ending == Ending::Open);
        let last = self.lines.len().saturating_sub(1);
        for (at, (text, ending)) in self.lines.iter_mut().enumerate() {
            // A blank line without a byte is no line unless it ends.
            if at == last && open && !text.is_empty() {
                *ending = Ending::Open;
            } else if *ending == Ending::Open {
                *ending = self.dominant;
            }
        }
    }
}
