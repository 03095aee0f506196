//! Why a file is not read or not written: where, what is so, and what to do about it.

use std::fmt;

use radslag_core::id::EntityId;

use crate::columns::Column;
use crate::{MAX_CELL_BYTES, MAX_CELLS, MAX_FILE_BYTES, MAX_LAYOUT_BYTES, MAX_LINE_BYTES, MAX_LINES};

/// A cell of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The physical line, from 1.
    pub line: usize,
    /// The cell, from 1.
    pub cell: usize,
    /// The column that the header gives the cell, if any.
    pub column: Option<Column>,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "line {}, column {column}", self.line),
            None => write!(f, "line {}, cell {}", self.line, self.cell),
        }
    }
}

/// What is wrong with the filled cells of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An area and something else.
    AreaAndMore(Column),
    /// Something that belongs to an activity, and no activity.
    NoActivity(Column),
    /// A sub-goal or an activity before the first heading.
    NoHeading,
    /// An activity without a sub-goal, in it or above it.
    NoSubgoal,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (area, subgoal, activity) = (Column::Area, Column::Subgoal, Column::Activity);
        match self {
            Self::AreaAndMore(other) => write!(
                f,
                "has both {area} and {other}; put the heading on a line of its own, or empty one of the two"
            ),
            Self::NoActivity(other) => {
                write!(f, "has {other} but no {activity}; name the activity, or empty the cell")
            }
            Self::NoHeading => {
                write!(f, "stands before the first heading; put a line with only {area} above it")
            }
            Self::NoSubgoal => {
                write!(f, "has no {subgoal}, and there is none above it under this heading; fill the cell")
            }
        }
    }
}

/// Why a table is not read, or not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// More bytes than are read.
    #[error(
        "the file has {bytes} bytes, more than {MAX_FILE_BYTES}; check that it is the table, or split it"
    )]
    FileTooLarge {
        /// The file's size.
        bytes: usize,
    },
    /// More lines than are read.
    #[error("the file has more than {MAX_LINES} lines; check that it is the table, or split it")]
    TooManyLines,
    /// Bytes that are not UTF-8.
    #[error("line {line} is not UTF-8 at its byte {byte}; save the file as text in UTF-8")]
    NotUtf8 {
        /// The physical line, from 1.
        line: usize,
        /// The byte within the line, from 1.
        byte: usize,
    },
    /// No line has the seven column names.
    #[error("no line has the seven column names {names} between tabs; the nearest, line {nearest}, lacks {lacking}", names = names(&Column::ALL), lacking = names(.lacking))]
    HeaderMissing {
        /// The line with the most of them, from 1.
        nearest: usize,
        /// The names that it lacks.
        lacking: Vec<Column>,
    },
    /// No row names the columns without which a file is no table of a programme.
    #[error("no row near the top names the columns {needed}, in Swedish or English; the nearest, line {nearest}, lacks {lacking}", needed = names(&[Column::Area, Column::Subgoal, Column::Activity]), lacking = names(.lacking))]
    ColumnsMissing {
        /// The line with the most of them, from 1.
        nearest: usize,
        /// The names that it lacks.
        lacking: Vec<Column>,
    },
    /// A quotation mark that nobody closes.
    #[error(
        "line {line} opens a quotation mark that is never closed; close it, or double it where it belongs to the text"
    )]
    QuoteNotClosed {
        /// The physical line on which the row begins, from 1.
        line: usize,
    },
    /// An id that is none.
    #[error(
        "line {line} has the id {text:?}, which is none; leave ids as they were exported, and empty in rows that are new"
    )]
    NoId {
        /// The physical line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// Rows that were exported at different times.
    #[error(
        "line {line} was exported at another time than the rows above it; keep to the rows of one export"
    )]
    TwoBases {
        /// The physical line, from 1.
        line: usize,
    },
    /// Not a delimiter.
    #[error("{delimiter:?} cannot stand between cells; take ; or , or a tab")]
    Delimiter {
        /// What was asked for.
        delimiter: char,
    },
    /// A JSON file that is not one of a programme.
    #[error("the file is not the JSON of a programme as radslag export writes it: {why}")]
    Json {
        /// Where and what.
        why: String,
    },
    /// An id that nothing in the programme had when the file was exported.
    #[error(
        "line {line} has the id {id}, and nothing in the programme had it when the file was exported; empty the cell to add the row as new"
    )]
    UnknownId {
        /// The physical line, from 1.
        line: usize,
        /// The id.
        id: EntityId,
    },
    /// An id that two rows have.
    #[error("line {line} has the id {id} once more; empty the cell of the row that is new")]
    IdTwice {
        /// The physical line, from 1.
        line: usize,
        /// The id.
        id: EntityId,
    },
    /// The header has a name twice.
    #[error("line {line} has the column {column} twice; delete or rename one")]
    ColumnTwice {
        /// The physical line, from 1.
        line: usize,
        /// The column.
        column: Column,
    },
    /// Something before the header.
    #[error(
        "line {line} has text before the header on line {header}; move it below the header, or delete it"
    )]
    TextBeforeHeader {
        /// The physical line, from 1.
        line: usize,
        /// The header's line, from 1.
        header: usize,
    },
    /// Text in a cell that belongs to none of the seven columns.
    #[error("{at} has text outside the seven columns: {text:?}; move it into one of them, or delete it")]
    TextOutside {
        /// The cell.
        at: At,
        /// The beginning of the text.
        text: String,
    },
    /// A character that a cell cannot hold.
    #[error("{at} holds the control character U+{character:04X}; delete it, or write a space instead")]
    ControlCharacter {
        /// The cell.
        at: At,
        /// The character's number.
        character: u32,
    },
    /// A text longer than a cell may be.
    #[error("{at} has {bytes} bytes, more than {MAX_CELL_BYTES}; shorten the text")]
    CellTooLong {
        /// The cell.
        at: At,
        /// The text's size.
        bytes: usize,
    },
    /// A line longer than a line may be.
    #[error("line {line} has {bytes} bytes, more than {MAX_LINE_BYTES}; shorten its texts")]
    LineTooLong {
        /// The physical line, from 1.
        line: usize,
        /// The line's size.
        bytes: usize,
    },
    /// More cells than a line may have.
    #[error("line {line} has {cells} cells, more than {MAX_CELLS}; delete the empty columns on the right")]
    TooManyCells {
        /// The physical line, from 1.
        line: usize,
        /// How many.
        cells: usize,
    },
    /// Filled cells that make neither heading, sub-goal nor activity.
    #[error("line {line} {shape}")]
    UnknownShape {
        /// The physical line, from 1.
        line: usize,
        /// What is wrong.
        shape: Shape,
    },
    /// Lines, blank cells and endings so irregular that their record does not fit in an event.
    #[error(
        "the layout of the file takes {bytes} bytes, more than {MAX_LAYOUT_BYTES}; remove stray spaces from blank cells, or split the file"
    )]
    LayoutTooLarge {
        /// What the layout takes.
        bytes: usize,
    },
    /// On export: a title that is empty, so that the line would be read as something else.
    #[error("{item} has no text in column {column}; give it one, then export again")]
    NoTitle {
        /// What lacks it.
        item: String,
        /// The column.
        column: Column,
    },
    /// On export: a text that a cell cannot hold.
    #[error(
        "{item} has {what} in column {column}, which a table cannot hold; edit the text, or export as JSON"
    )]
    Unwritable {
        /// Whose text it is.
        item: String,
        /// The column.
        column: Column,
        /// A tab, a line break, or another control character.
        what: String,
    },
    /// On export: a text that is longer than a cell may be.
    #[error(
        "{item} has {bytes} bytes in column {column}, more than {MAX_CELL_BYTES}; shorten the text, or export as JSON"
    )]
    TextTooLong {
        /// Whose text it is.
        item: String,
        /// The column.
        column: Column,
        /// The text's size.
        bytes: usize,
    },
    /// On export: texts that together are longer than a line may be.
    #[error(
        "{item} has {bytes} bytes in all, more than {MAX_LINE_BYTES}; shorten its texts, or export as JSON"
    )]
    TextsTooLong {
        /// Whose texts they are.
        item: String,
        /// Their size.
        bytes: usize,
    },
}

fn names(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
    names.join(", ")
}
