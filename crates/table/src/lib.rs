//! The table that the programme is kept in today, read and written without losing a byte: the dialect `tsv/1`.
//!
//! [`read`] turns a file into rows and a [`Layout`]: everything about the file that is not somebody's text. The
//! texts become values in the log, the layout is sealed beside them, and [`write`](fn@write) puts the two together
//! again. An untouched programme gives the same bytes; one edited cell changes one line. Rules:
//!
//! - Lines are split at line feeds and cells at tabs, by hand: quoting is off, `"` and `'` are plain text.
//! - The header is the first line with the seven column names, in any order and letter case. Only blank lines may
//!   stand before it. Spaces do not count when names and blank cells are recognised, and are kept otherwise.
//! - The first line after the header with nothing but an area cell is the title, if the next line that is not
//!   blank has nothing but an area cell too. Every other such line is a heading.
//! - A heading is split into name and goal at its first ` - `, if there is text on both sides of it. An area whose
//!   name holds a ` - ` of its own is therefore read back with another split; a table cannot say otherwise.
//! - A heading always starts a new area, a filled sub-goal cell always a new sub-goal, whatever their texts.
//! - An empty sub-goal cell means the sub-goal above.
//!
//! [`read_csv`] and [`read_json`] read what spreadsheets and programs hand back, as entries with ids ([`Sheet`]), and [`propose`] says what
//! such a file, or one of `tsv/1`, would change in the programme that it was exported from.
//!
//! Turning rows into events, and a view into an [`ExportProgram`], is the client's business.

mod codec;
mod columns;
mod csv;
mod error;
mod export;
mod heads;
mod json;
mod layout;
mod lines;
mod propose;
mod read;
mod rows;
mod sheet;
mod write;

pub use columns::Column;
pub use csv::{CsvForm, read_csv, write_csv};
pub use error::{At, Shape, TableError};
pub use export::{ExportActivity, ExportArea, ExportProgram, ExportSubgoal};
pub use json::{read_json, write_json};
pub use layout::{Layout, LayoutError};
pub use propose::{Missing, Proposal, Proposed, Under, as_cost, propose};
pub use read::read;
pub use rows::{NotUnderstood, Row, Table};
pub use sheet::{ActivityTexts, Entry, Sheet, What, split_heading};
pub use write::write;

/// The name of the dialect, as `SourceImported` records it.
pub const DIALECT: &str = "tsv/1";

/// The name of the dialects without a layout of their own.
pub const DIALECT_CSV: &str = "csv/1";
/// See [`DIALECT_CSV`].
pub const DIALECT_JSON: &str = "json/1";
/// The largest file that is read.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// The most lines that a file may have.
pub const MAX_LINES: usize = 20_000;

/// The most cells that a line may have.
pub const MAX_CELLS: usize = 256;

/// The longest text of one cell, in bytes.
pub const MAX_CELL_BYTES: usize = 16 * 1024;

/// The longest line, in bytes. An activity's texts travel in one event, which holds 64 KiB.
pub const MAX_LINE_BYTES: usize = 48 * 1024;

/// The largest encoded layout, in bytes. It travels in one event too.
pub const MAX_LAYOUT_BYTES: usize = 48 * 1024;
