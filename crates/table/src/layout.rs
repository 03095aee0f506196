//! The layout of an imported file: everything that its rows do not say and that an export needs to give the same
//! bytes. It holds no text of anybody's, except the header's. `docs/format.md` ("Layout") has its encoding.

use crate::columns::{Column, Columns, HeaderLine};
use crate::{MAX_CELLS, MAX_LINES};

/// What a physical line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LineKind {
    /// Nothing but spaces and tabs.
    Blank,
    /// The column names.
    Header,
    /// The programme's title.
    Title,
    /// An area.
    Heading,
    /// A sub-goal without an activity.
    Subgoal,
    /// An activity with the sub-goal that it starts.
    First,
    /// An activity whose sub-goal cell is empty: same as above.
    Next,
}

impl LineKind {
    pub(crate) const fn is_activity(self) -> bool {
        matches!(self, Self::First | Self::Next)
    }

    /// The columns that hold texts on such a line; every other cell is blank.
    pub(crate) const fn columns(self) -> &'static [Column] {
        match self {
            Self::Blank | Self::Header => &[],
            Self::Title | Self::Heading => &[Column::Area],
            Self::Subgoal => &[Column::Subgoal],
            Self::First => &[Column::Subgoal, Column::Activity],
            Self::Next => &[Column::Activity],
        }
    }
}

/// How a physical line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A line feed.
    Lf,
    /// A carriage return and a line feed.
    CrLf,
    /// Not at all: the last line of a file without a final newline.
    Open,
}

impl Ending {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Open => "",
        }
    }
}

/// One physical line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineLayout {
    pub(crate) kind: LineKind,
    /// How many cells it has; a line without a tab has one.
    pub(crate) cells: usize,
    pub(crate) ending: Ending,
    /// The cells, from 0 and ascending, that hold nothing but spaces, and those spaces. Not the header's.
    pub(crate) spaces: Vec<(usize, String)>,
}

/// The layout of a file: made by [`read`](crate::read), sealed with the import, used by [`write`](fn@crate::write).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(crate) bom: bool,
    /// The header line as it stands.
    pub(crate) header: String,
    pub(crate) columns: Columns,
    pub(crate) lines: Vec<LineLayout>,
}

/// Bytes that are not a layout as `docs/format.md` says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the layout of the imported file is damaged: {why}")]
pub struct LayoutError {
    /// What is wrong with it.
    pub why: String,
}

impl LayoutError {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

impl Layout {
    /// The layout of a programme that was never imported: the header and the title.
    pub fn canonical() -> Self {
        let names = Column::ALL.map(Column::name);
        let line = |kind| LineLayout { kind, cells: names.len(), ending: Ending::Lf, spaces: Vec::new() };
        let header = names.join("\t");
        let HeaderLine::Found(columns) = Columns::find(&header) else {
            unreachable!("the seven names make a header")
        };
        Self { bom: false, header, columns, lines: vec![line(LineKind::Header), line(LineKind::Title)] }
    }

    /// How many physical lines the file had.
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// The more frequent of the two endings; a line feed when there are as many of each.
    pub(crate) fn dominant_ending(&self) -> Ending {
        let count = |ending| self.lines.iter().filter(|line| line.ending == ending).count();
        if count(Ending::CrLf) > count(Ending::Lf) { Ending::CrLf } else { Ending::Lf }
    }

    /// Checks what every file's layout fulfils. Decoding asks; reading a file cannot go wrong here.
    pub(crate) fn check(&self) -> Result<(), LayoutError> {
        if self.lines.len() > MAX_LINES {
            return Err(LayoutError::new("too many lines"));
        }
        for (at, line) in self.lines.iter().enumerate() {
            let last = at + 1 == self.lines.len();
            let wrong = |why: &str| LayoutError::new(format!("line {} {why}", at + 1));
            self.check_line(line).map_err(wrong)?;
            if line.ending == Ending::Open && (!last || is_nothing(line)) {
                return Err(wrong("has no ending"));
            }
        }
        self.check_order()
    }

    fn check_line(&self, line: &LineLayout) -> Result<(), &'static str> {
        if !(1..=MAX_CELLS).contains(&line.cells) {
            return Err("has too many cells, or none");
        }
        if line.kind == LineKind::Header {
            let same = line.cells == self.header.split('\t').count() && line.spaces.is_empty();
            return if same { Ok(()) } else { Err("is not the header that is recorded") };
        }
        let filled = || line.kind.columns().iter().map(|column| self.columns.cell(*column));
        if filled().any(|cell| cell >= line.cells) {
            return Err("has too few cells");
        }
        let mut before = None;
        for (cell, spaces) in &line.spaces {
            if *cell >= line.cells || before >= Some(*cell) || filled().any(|f| f == *cell) {
                return Err("has spaces in a cell that is not blank");
            }
            if spaces.is_empty() || !spaces.chars().all(is_space) {
                return Err("has something else than spaces in a blank cell");
            }
            before = Some(*cell);
        }
        Ok(())
    }

    fn check_order(&self) -> Result<(), LayoutError> {
        let kinds: Vec<LineKind> =
            self.lines.iter().map(|line| line.kind).filter(|kind| *kind != LineKind::Blank).collect();
        if kinds.first() != Some(&LineKind::Header) {
            return Err(LayoutError::new("the header is not the first line"));
        }
        for (before, kind) in kinds.iter().zip(kinds.iter().skip(1)) {
            use LineKind::{Blank, First, Header, Heading, Next, Subgoal, Title};
            let fits = match kind {
                Blank | Header => false,
                Title => *before == Header,
                Heading => true,
                Subgoal | First => !matches!(before, Header | Title),
                Next => !matches!(before, Header | Title | Heading),
            };
            if !fits {
                return Err(LayoutError::new("lines follow each other in an order that no table has"));
            }
        }
        Ok(())
    }
}

/// Whether the line has no byte at all.
fn is_nothing(line: &LineLayout) -> bool {
    line.kind == LineKind::Blank && line.cells == 1 && line.spaces.is_empty()
}

/// A character that a blank cell may hold.
pub(crate) fn is_space(c: char) -> bool {
    c.is_whitespace() && !c.is_control()
}
