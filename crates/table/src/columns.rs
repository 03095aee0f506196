//! The seven columns and where a file has them.

use radslag_core::parse::nfc;

/// A column of the table. Its number is its place in a canonical file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Area and main goal; the title too.
    Area,
    /// Sub-goal.
    Subgoal,
    /// Activity.
    Activity,
    /// Who is responsible.
    Responsible,
    /// When.
    Time,
    /// What it costs.
    Cost,
    /// Comment.
    Comment,
}

impl Column {
    /// All seven, in canonical order.
    pub const ALL: [Self; 7] =
        [Self::Area, Self::Subgoal, Self::Activity, Self::Responsible, Self::Time, Self::Cost, Self::Comment];

    /// The name in the header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Area => "Område och huvudmål",
            Self::Subgoal => "Delmål",
            Self::Activity => "Aktivitet",
            Self::Responsible => "Ansvarig",
            Self::Time => "Tid",
            Self::Cost => "Kostnad",
            Self::Comment => "Kommentar",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Area => 0,
            Self::Subgoal => 1,
            Self::Activity => 2,
            Self::Responsible => 3,
            Self::Time => 4,
            Self::Cost => 5,
            Self::Comment => 6,
        }
    }

    /// The column that a header cell names; spaces around it and letter case do not count.
    fn named(cell: &str) -> Option<Self> {
        let wanted = nfc(cell.trim()).to_lowercase();
        Self::ALL.into_iter().find(|column| column.name().to_lowercase() == wanted)
    }
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// One text for each column.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Texts([String; 7]);

impl Texts {
    pub(crate) fn get(&self, column: Column) -> &str {
        &self.0[column.index()]
    }

    pub(crate) fn set(&mut self, column: Column, text: &str) {
        text.clone_into(&mut self.0[column.index()]);
    }

    pub(crate) fn with(mut self, column: Column, text: &str) -> Self {
        self.set(column, text);
        self
    }
}

/// The cell, from 0, in which a file has each column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns([usize; 7]);

/// What a line is when it is looked at as a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderLine {
    /// It has all seven names.
    Found(Columns),
    /// It has all seven names, and one of them twice.
    Twice(Column),
    /// It lacks these.
    Lacks(Vec<Column>),
}

impl Columns {
    /// Looks for the seven names in a line.
    pub(crate) fn find(line: &str) -> HeaderLine {
        let mut places: [Option<usize>; 7] = [None; 7];
        let mut twice = None;
        for (cell, text) in line.split('\t').enumerate() {
            let Some(column) = Column::named(text) else { continue };
            let place = &mut places[column.index()];
            if place.is_some() {
                twice = Some(column);
            }
            place.get_or_insert(cell);
        }
        let lacking: Vec<Column> = Column::ALL.into_iter().filter(|c| places[c.index()].is_none()).collect();
        match twice {
            Some(column) if lacking.is_empty() => HeaderLine::Twice(column),
            _ if lacking.is_empty() => HeaderLine::Found(Self(places.map(Option::unwrap_or_default))),
            _ => HeaderLine::Lacks(lacking),
        }
    }

    /// The cell, from 0, of a column.
    pub(crate) const fn cell(&self, column: Column) -> usize {
        self.0[column.index()]
    }

    /// The column of a cell, counted from 0.
    pub(crate) fn column(&self, cell: usize) -> Option<Column> {
        Column::ALL.into_iter().find(|column| self.cell(*column) == cell)
    }

    /// How many cells a line needs to have all seven columns.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().max().map_or(0, |last| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_known_by_its_names_in_any_order_and_case() {
        let line = "kommentar\t TID \tOMRÅDE OCH HUVUDMÅL\tDelma\u{30a}l\t\tAktivitet\tAnsvarig\tKostnad";
        let HeaderLine::Found(columns) = Columns::find(line) else { panic!("not found") };
        assert_eq!(columns.cell(Column::Comment), 0);
        assert_eq!(columns.cell(Column::Subgoal), 3);
        assert_eq!(columns.column(4), None);
        assert_eq!(columns.column(7), Some(Column::Cost));
        assert_eq!(columns.width(), 8);
    }

    #[test]
    fn a_line_that_lacks_a_name_is_not_the_header() {
        let line = "Område och huvudmål\tDelmål\tAktivitet\tAnsvarig\tTid\tKostnad";
        assert_eq!(Columns::find(line), HeaderLine::Lacks(vec![Column::Comment]));
        let twice = format!("{line}\tKommentar\tTid");
        assert_eq!(Columns::find(&twice), HeaderLine::Twice(Column::Time));
    }
}
