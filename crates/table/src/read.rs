//! Reading a file: finds the header, tells what each line is, and keeps the texts apart from the layout.

use crate::columns::{Column, Columns, HeaderLine};
use crate::error::{At, Shape, TableError};
use crate::layout::{Layout, LineKind, LineLayout, is_space};
use crate::lines::{PhysicalLine, split};
use crate::rows::{Row, Table};
use crate::{MAX_CELL_BYTES, MAX_CELLS, MAX_LAYOUT_BYTES, MAX_LINE_BYTES};

/// What stands between an area's name and its goal.
pub(crate) const GOAL_MARK: &str = " - ";

/// Reads a table. Every error says where and what to do; nothing is guessed and nothing is corrected.
pub fn read(bytes: &[u8]) -> Result<Table, TableError> {
    let (bom, lines) = split(bytes)?;
    let (header, columns) = find_header(&lines)?;
    let reader = Reader { lines: &lines, header, columns };
    for line in &lines {
        reader.check_line(line)?;
    }
    let mut table = Table {
        title: None,
        rows: Vec::new(),
        layout: Layout { bom, header: lines[header].text.to_owned(), columns, lines: Vec::new() },
    };
    for at in 0..lines.len() {
        reader.take(at, &mut table)?;
    }
    match table.layout.encode().len() {
        bytes if bytes > MAX_LAYOUT_BYTES => Err(TableError::LayoutTooLarge { bytes }),
        _ => Ok(table),
    }
}

/// The index of the header and its columns.
fn find_header(lines: &[PhysicalLine<'_>]) -> Result<(usize, Columns), TableError> {
    let mut nearest = (1, Column::ALL.to_vec());
    for (at, line) in lines.iter().enumerate() {
        match Columns::find(line.text) {
            HeaderLine::Found(columns) => return Ok((at, columns)),
            HeaderLine::Twice(column) => return Err(TableError::ColumnTwice { line: at + 1, column }),
            HeaderLine::Lacks(columns) if columns.len() < nearest.1.len() => nearest = (at + 1, columns),
            HeaderLine::Lacks(_) => {}
        }
    }
    Err(TableError::HeaderMissing { nearest: nearest.0, lacking: nearest.1 })
}

struct Reader<'a> {
    lines: &'a [PhysicalLine<'a>],
    header: usize,
    columns: Columns,
}

impl Reader<'_> {
    /// Checks what holds for every line, whatever it is.
    fn check_line(&self, line: &PhysicalLine<'_>) -> Result<(), TableError> {
        let number = line.index + 1;
        let cells = line.cells().count();
        if cells > MAX_CELLS {
            return Err(TableError::TooManyCells { line: number, cells });
        }
        for (cell, text) in line.cells().enumerate() {
            let at = At { line: number, cell: cell + 1, column: self.columns.column(cell) };
            if text.len() > MAX_CELL_BYTES {
                return Err(TableError::CellTooLong { at, bytes: text.len() });
            }
            if let Some(control) = text.chars().find(|c| c.is_control()) {
                return Err(TableError::ControlCharacter { at, character: u32::from(control) });
            }
            if line.index < self.header && !text.trim().is_empty() {
                return Err(TableError::TextBeforeHeader { line: number, header: self.header + 1 });
            }
            if at.column.is_none() && !text.trim().is_empty() {
                return Err(TableError::TextOutside { at, text: text.chars().take(40).collect() });
            }
        }
        if line.text.len() > MAX_LINE_BYTES {
            return Err(TableError::LineTooLong { line: number, bytes: line.text.len() });
        }
        Ok(())
    }

    /// Adds a line to the layout, and to the rows when it is one.
    fn take(&self, at: usize, table: &mut Table) -> Result<(), TableError> {
        let line = &self.lines[at];
        let kind = self.kind(at, &table.layout.lines)?;
        table.layout.lines.push(LineLayout {
            kind,
            cells: line.cells().count(),
            ending: line.ending,
            spaces: if kind == LineKind::Header { Vec::new() } else { spaces(line) },
        });
        match kind {
            LineKind::Blank | LineKind::Header => {}
            LineKind::Title => table.title = Some(self.text(line, Column::Area)),
            LineKind::Heading => table.rows.push(self.area(line)),
            LineKind::Subgoal => {
                table.rows.push(Row::Subgoal { line: line.number, title: self.text(line, Column::Subgoal) });
            }
            LineKind::First => {
                let subgoal = Some(self.text(line, Column::Subgoal));
                table.rows.push(self.activity(line, subgoal));
            }
            LineKind::Next => table.rows.push(self.activity(line, None)),
        }
        Ok(())
    }

    /// What the line is, given the lines above it.
    fn kind(&self, at: usize, above: &[LineLayout]) -> Result<LineKind, TableError> {
        let line = &self.lines[at];
        if at == self.header {
            return Ok(LineKind::Header);
        }
        if line.is_blank() {
            return Ok(LineKind::Blank);
        }
        let before = above.iter().rev().map(|line| line.kind).find(|kind| *kind != LineKind::Blank);
        if self.is_area_only(line) {
            let title = before == Some(LineKind::Header) && self.heading_follows(at);
            return Ok(if title { LineKind::Title } else { LineKind::Heading });
        }
        let kind = self.row_kind(line, before);
        kind.map_err(|shape| TableError::UnknownShape { line: at + 1, shape })
    }

    fn row_kind(&self, line: &PhysicalLine<'_>, before: Option<LineKind>) -> Result<LineKind, Shape> {
        let filled = |column: &Column| self.is_filled(line, *column);
        if filled(&Column::Area) {
            let other = Column::ALL.into_iter().skip(1).find(filled);
            return Err(Shape::AreaAndMore(other.unwrap_or(Column::Subgoal)));
        }
        if matches!(before, None | Some(LineKind::Header | LineKind::Title)) {
            return Err(Shape::NoHeading);
        }
        if filled(&Column::Activity) {
            return match (filled(&Column::Subgoal), before) {
                (true, _) => Ok(LineKind::First),
                (false, Some(LineKind::Heading)) => Err(Shape::NoSubgoal),
                (false, _) => Ok(LineKind::Next),
            };
        }
        let details = [Column::Responsible, Column::Time, Column::Cost, Column::Comment];
        details
            .into_iter()
            .find(filled)
            .map_or(Ok(LineKind::Subgoal), |column| Err(Shape::NoActivity(column)))
    }

    fn heading_follows(&self, at: usize) -> bool {
        let next = self.lines.iter().skip(at + 1).find(|next| !next.is_blank());
        next.is_some_and(|next| self.is_area_only(next))
    }

    fn is_area_only(&self, line: &PhysicalLine<'_>) -> bool {
        Column::ALL.into_iter().all(|column| self.is_filled(line, column) == (column == Column::Area))
    }

    fn is_filled(&self, line: &PhysicalLine<'_>, column: Column) -> bool {
        !self.cell(line, column).trim().is_empty()
    }

    /// The text in a column; empty when the line is too short to have it.
    fn cell<'t>(&self, line: &PhysicalLine<'t>, column: Column) -> &'t str {
        line.cells().nth(self.columns.cell(column)).unwrap_or_default()
    }

    fn text(&self, line: &PhysicalLine<'_>, column: Column) -> String {
        self.cell(line, column).to_owned()
    }

    fn area(&self, line: &PhysicalLine<'_>) -> Row {
        let text = self.text(line, Column::Area);
        let (title, goal) = match split_goal(&text) {
            Some((title, goal)) => (title.to_owned(), Some(goal.to_owned())),
            None => (text, None),
        };
        Row::Area { line: line.number, title, goal }
    }

    fn activity(&self, line: &PhysicalLine<'_>, subgoal: Option<String>) -> Row {
        Row::Activity {
            line: line.number,
            subgoal,
            title: self.text(line, Column::Activity),
            responsible: self.text(line, Column::Responsible),
            time: self.text(line, Column::Time),
            cost: self.text(line, Column::Cost),
            comment: self.text(line, Column::Comment),
        }
    }
}

/// Name and goal of a heading: cut at the first mark that has text on both sides, else no goal.
pub(crate) fn split_goal(text: &str) -> Option<(&str, &str)> {
    let parts = text.split_once(GOAL_MARK)?;
    let both = !parts.0.trim().is_empty() && !parts.1.trim().is_empty();
    both.then_some(parts)
}

fn spaces(line: &PhysicalLine<'_>) -> Vec<(usize, String)> {
    let blank = |text: &str| !text.is_empty() && text.chars().all(is_space);
    line.cells()
        .enumerate()
        .filter(|(_, text)| blank(text))
        .map(|(cell, text)| (cell, text.to_owned()))
        .collect()
}
