//! The layout as text, and back. One layout has exactly one encoding: decoding encodes again and compares.

use std::fmt::Write as _;

use crate::columns::{Columns, HeaderLine};
use crate::layout::{Ending, Layout, LayoutError, LineKind, LineLayout};
use crate::{MAX_CELLS, MAX_LAYOUT_BYTES, MAX_LINES};

const MAGIC: &str = "radslag-layout/1";
const WITH_BOM: &str = "bom";
const WITHOUT_BOM: &str = "no bom";

/// Cells and ending before the first line says otherwise.
const START: (usize, Ending) = (7, Ending::Lf);

const fn letter(kind: LineKind) -> char {
    match kind {
        LineKind::Blank => 'b',
        LineKind::Header => 'h',
        LineKind::Title => 't',
        LineKind::Heading => 'g',
        LineKind::Subgoal => 's',
        LineKind::First => 'a',
        LineKind::Next => 'c',
    }
}

const fn ending_letter(ending: Ending) -> char {
    match ending {
        Ending::Lf => 'L',
        Ending::CrLf => 'W',
        Ending::Open => 'N',
    }
}

impl Layout {
    /// The layout's bytes (`docs/format.md`, "Layout"). They hold no text from the file except the header.
    pub fn encode(&self) -> Vec<u8> {
        let bom = if self.bom { WITH_BOM } else { WITHOUT_BOM };
        let mut out = format!("{MAGIC}\n{bom}\n{}\n", self.header);
        let (mut cells, mut ending) = START;
        let mut rest = self.lines.as_slice();
        while let Some(line) = rest.first() {
            if line.cells != cells {
                cells = line.cells;
                push(&mut out, format_args!("={cells}"));
            }
            if line.ending != ending {
                ending = line.ending;
                out.push(ending_letter(ending));
            }
            for (cell, spaces) in &line.spaces {
                push(&mut out, format_args!("@{}:{spaces};", cell + 1));
            }
            out.push(letter(line.kind));
            let run = rest.iter().take_while(|next| *next == line).count();
            let run = if line.spaces.is_empty() { run } else { 1 };
            if run > 1 {
                push(&mut out, format_args!("{run}"));
            }
            rest = rest.get(run..).unwrap_or_default();
        }
        out.push('\n');
        out.into_bytes()
    }

    /// Reads what [`Layout::encode`] wrote; anything else is an error, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, LayoutError> {
        if bytes.len() > MAX_LAYOUT_BYTES {
            return Err(LayoutError::new("too many bytes"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| LayoutError::new("not UTF-8"))?;
        let layout = parse(text)?;
        layout.check()?;
        if layout.encode() == bytes { Ok(layout) } else { Err(LayoutError::new("not in its one form")) }
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes every text");
}

fn parse(text: &str) -> Result<Layout, LayoutError> {
    let mut parts = text.split('\n');
    if parts.next() != Some(MAGIC) {
        return Err(LayoutError::new("not a layout, or one of a newer version"));
    }
    let bom = match parts.next() {
        Some(WITH_BOM) => true,
        Some(WITHOUT_BOM) => false,
        Some(_) | None => return Err(LayoutError::new("does not say whether there is a byte order mark")),
    };
    let header = parts.next().unwrap_or_default().to_owned();
    if header.chars().any(|c| c.is_control() && c != '\t') {
        return Err(LayoutError::new("the header holds a control character"));
    }
    let HeaderLine::Found(columns) = Columns::find(&header) else {
        return Err(LayoutError::new("the header lacks a column"));
    };
    let lines = Lines::new(parts.next().unwrap_or_default()).all()?;
    Ok(Layout { bom, header, columns, lines })
}

/// Reads the tokens of the last part.
struct Lines<'a> {
    rest: &'a str,
    cells: usize,
    ending: Ending,
    spaces: Vec<(usize, String)>,
    lines: Vec<LineLayout>,
}

impl<'a> Lines<'a> {
    const fn new(rest: &'a str) -> Self {
        let (cells, ending) = START;
        Self { rest, cells, ending, spaces: Vec::new(), lines: Vec::new() }
    }

    fn all(mut self) -> Result<Vec<LineLayout>, LayoutError> {
        let mut chars = self.rest.chars();
        while let Some(token) = chars.next() {
            self.rest = chars.as_str();
            match token {
                '=' => self.cells = self.number(MAX_CELLS)?,
                '@' => self.blank_cell()?,
                'L' => self.ending = Ending::Lf,
                'W' => self.ending = Ending::CrLf,
                'N' => self.ending = Ending::Open,
                'b' => self.run(LineKind::Blank)?,
                'h' => self.run(LineKind::Header)?,
                't' => self.run(LineKind::Title)?,
                'g' => self.run(LineKind::Heading)?,
                's' => self.run(LineKind::Subgoal)?,
                'a' => self.run(LineKind::First)?,
                'c' => self.run(LineKind::Next)?,
                _ => return Err(LayoutError::new(format!("{token:?} says nothing about a line"))),
            }
            chars = self.rest.chars();
        }
        Ok(self.lines)
    }

    /// A decimal number up to `most`.
    fn number(&mut self, most: usize) -> Result<usize, LayoutError> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number = digits.parse().map_err(|_| LayoutError::new("lacks a number"))?;
        if number > most {
            Err(LayoutError::new(format!("{number} is more than {most}")))
        } else {
            Ok(number)
        }
    }

    /// `3:  ;` after the `@`.
    fn blank_cell(&mut self) -> Result<(), LayoutError> {
        let cell =
            self.number(MAX_CELLS)?.checked_sub(1).ok_or(LayoutError::new("cells are counted from 1"))?;
        let wrong = || LayoutError::new("spaces of a blank cell stand between \":\" and \";\"");
        let (spaces, rest) = self.rest.strip_prefix(':').and_then(|r| r.split_once(';')).ok_or_else(wrong)?;
        self.spaces.push((cell, spaces.to_owned()));
        self.rest = rest;
        Ok(())
    }

    fn run(&mut self, kind: LineKind) -> Result<(), LayoutError> {
        let counted = self.rest.starts_with(|c: char| c.is_ascii_digit());
        let count = if counted { self.number(MAX_LINES)? } else { 1 };
        if self.lines.len() + count > MAX_LINES {
            return Err(LayoutError::new("too many lines"));
        }
        let spaces = std::mem::take(&mut self.spaces);
        let line = LineLayout { kind, cells: self.cells, ending: self.ending, spaces };
        if counted && !line.spaces.is_empty() {
            return Err(LayoutError::new("a line with spaces is counted"));
        }
        self.lines.extend(std::iter::repeat_n(line, count));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "Område och huvudmål\tDelmål\tAktivitet\tAnsvarig\tTid\tKostnad\tKommentar";

    fn encoded(bom: &str, lines: &str) -> String {
        format!("radslag-layout/1\n{bom}\n{HEADER}\n{lines}\n")
    }

    #[test]
    fn a_layout_reads_back() {
        for lines in ["h", "=1b2=7htga2c20=5g=7acN@5: ;c", "hgs2", "Wh=1@1:\u{a0} ;b=9g=3Na"] {
            let text = encoded("no bom", lines);
            let layout = Layout::decode(text.as_bytes()).unwrap_or_else(|e| panic!("{lines}: {e}"));
            assert_eq!(String::from_utf8(layout.encode()).unwrap(), text);
        }
        assert!(Layout::decode(encoded("bom", "h").as_bytes()).unwrap().bom);
    }

    #[test]
    fn what_is_not_a_layout_in_its_one_form_is_refused() {
        for lines in [
            "",
            "g",
            "hh",
            "th",
            "hgtg",
            "hc",
            "ha",
            "hgc",
            "hgacx",
            "hga1",
            "hga02",
            "hgaa",
            "h=7g",
            "hLg",
            "hNgLa",
            "h=0g",
            "h=257g",
            "h=1a",
            "h=2gc",
            "h@1: ;g",
            "h@0: ;b",
            "h@2:;b",
            "h@2:x;b",
            "h@2: ;@2: ;b",
            "h@8: ;b",
            "h@2: ;b2",
            "hb20000",
            "hb99999999999999999999",
            "h@2: ;",
            "h=1Nb",
            "h=",
            "h@",
            "h@2",
            "h@2:",
            "@2: ;h",
            "=8h",
        ] {
            let text = encoded("no bom", lines);
            assert!(Layout::decode(text.as_bytes()).is_err(), "{lines}");
        }
        assert!(Layout::decode(b"").is_err());
        assert!(Layout::decode(encoded("", "h").as_bytes()).is_err());
        assert!(Layout::decode(format!("{}more", encoded("bom", "h")).as_bytes()).is_err());
        assert!(Layout::decode(encoded("bom", "h").replace("/1", "/2").as_bytes()).is_err());
        assert!(Layout::decode(encoded("bom", "h").replace("Tid", "När").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn garbage_is_answered(lines in "([bhtgsacLWN]|=[0-9]{0,3}|@[0-9]:[ x]?;|[0-9]{1,6}){0,20}") {
            let text = encoded("no bom", &format!("h{lines}"));
            if let Ok(layout) = Layout::decode(text.as_bytes()) {
                prop_assert_eq!(layout.encode(), text.into_bytes());
            }
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Layout::decode(&bytes).is_err());
        }
    }
}
