//! CSV as spreadsheets write and read it: RFC 4180, with `;`, `,` or tabs, with or without a byte order mark, in UTF-8, UTF-16 or
//! windows-1252, and lines within cells. Columns are known by their names, in any order, in Swedish or English.

use std::borrow::Cow;
use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use radslag_core::id::EntityId;
use radslag_core::parse::cost::{Cost, parse_cost};
use radslag_core::view::{ProgramView, SubgoalView};

use crate::columns::Column;
use crate::error::{At, TableError};
use crate::heads::{Head, WRITTEN, unit};
use crate::sheet::{Builder, RawRow, Sheet, heading};
use crate::{MAX_CELL_BYTES, MAX_CELLS, MAX_FILE_BYTES, MAX_LINES};

/// What may stand between cells.
const DELIMITERS: [u8; 3] = [b';', b',', b'\t'];

/// The header is looked for in so many rows.
const HEADER_WITHIN: usize = 20;

/// Without these a file is not a table of a programme.
const NEEDED: [Column; 3] = [Column::Area, Column::Subgoal, Column::Activity];

const BOM: &str = "\u{feff}";

/// Reads a CSV file. Every error says where and what to do.
///
/// # Errors
/// It is too large, has no header, or a row that is neither heading, sub-goal nor activity.
pub fn read_csv(bytes: &[u8]) -> Result<Sheet, TableError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(TableError::FileTooLarge { bytes: bytes.len() });
    }
    let (text, encoding) = decoded(bytes);
    let header = Header::find(&text)?;
    let records = records(&text, header.delimiter, usize::MAX)?;
    unclosed(&text, &records)?;
    let mut rows = Vec::new();
    let mut base: Option<String> = None;
    for (line, record) in records.iter().skip(header.at + 1) {
        if let Some(row) = header.row(*line, record)? {
            rows.push(row);
        }
        let Some(cell) = header.word(record, Head::Base) else { continue };
        match &base {
            Some(known) if *known != cell => return Err(TableError::TwoBases { line: number(*line) }),
            _ => base = Some(cell),
        }
    }
    let mut unread = header.above(&records);
    unread.extend(header.unread(&records));
    Ok(Sheet { entries: Builder::build(rows)?, base, unread, encoding })
}

/// The text, and the encoding where it is not UTF-8. What is not UTF-8 is what Swedish spreadsheets write instead.
fn decoded(bytes: &[u8]) -> (String, Option<&'static str>) {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => WINDOWS_1252,
    };
    let (text, ..) = encoding.decode(bytes);
    (text.into_owned(), (encoding != UTF_8).then(|| encoding.name()))
}

/// The first records with the physical line on which each begins, from 1. Rows without a single character are not there.
fn records(text: &str, delimiter: u8, most: usize) -> Result<Vec<(u64, StringRecord)>, TableError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut found = Vec::new();
    let (mut counted, mut line) = (0, 1);
    for record in reader.records().take(most) {
        // The text is UTF-8 and rows may differ in length, so that nothing is left to fail.
        let Ok(record) = record else { break };
        if found.len() == MAX_LINES {
            return Err(TableError::TooManyLines);
        }
        // The reader stands before the rest of the last line's end and before empty lines.
        let begins = record.position().map_or(0, csv::Position::byte);
        let begins = usize::try_from(begins).unwrap_or(text.len()).min(text.len());
        let rest = &text.as_bytes()[begins..];
        let begins = begins + rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        line += text.as_bytes()[counted..begins].iter().filter(|byte| **byte == b'\n').count() as u64;
        counted = begins;
        if record.len() > MAX_CELLS {
            return Err(TableError::TooManyCells { line: number(line), cells: record.len() });
        }
        found.push((line, record));
    }
    Ok(found)
}

/// A quotation mark that nobody closes takes the rest of the file into one cell.
fn unclosed(text: &str, records: &[(u64, StringRecord)]) -> Result<(), TableError> {
    let odd = text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
    let Some((line, last)) = records.last().filter(|_| odd) else { return Ok(()) };
    let runs_on = last.iter().next_back().is_some_and(|cell| cell.contains('\n'));
    if runs_on { Err(TableError::QuoteNotClosed { line: number(*line) }) } else { Ok(()) }
}

fn number(line: u64) -> usize {
    usize::try_from(line).unwrap_or(usize::MAX)
}

/// Where the header is and which cell has what.
struct Header {
    delimiter: u8,
    /// Its place among the records.
    at: usize,
    cells: BTreeMap<Head, usize>,
    /// The unit of all costs.
    unit: Option<&'static str>,
}

impl Header {
    /// The header under that delimiter which finds the most columns.
    fn find(text: &str) -> Result<Self, TableError> {
        let mut best: Option<(usize, Self, u64, Vec<Column>)> = None;
        for delimiter in DELIMITERS {
            for (at, (line, record)) in records(text, delimiter, HEADER_WITHIN)?.iter().enumerate() {
                let mut cells = BTreeMap::new();
                let mut twice = None;
                for (cell, name) in record.iter().enumerate() {
                    let Some(head) = Head::named(name) else { continue };
                    if cells.contains_key(&head) {
                        twice = Some(head);
                    }
                    cells.entry(head).or_insert(cell);
                }
                let lacking: Vec<Column> =
                    NEEDED.into_iter().filter(|column| !cells.contains_key(&Head::Of(*column))).collect();
                if let (Some(Head::Of(column)), true) = (twice, lacking.is_empty()) {
                    return Err(TableError::ColumnTwice { line: number(*line), column });
                }
                let count = cells.len();
                if best.as_ref().is_none_or(|(most, ..)| count > *most) {
                    let cost = cells.get(&Head::Of(Column::Cost)).and_then(|cell| record.get(*cell));
                    let unit = cost.and_then(unit);
                    best = Some((count, Self { delimiter, at, cells, unit }, *line, lacking));
                }
            }
        }
        match best {
            Some((_, header, _, lacking)) if lacking.is_empty() => Ok(header),
            Some((_, _, line, lacking)) => Err(TableError::ColumnsMissing { nearest: number(line), lacking }),
            None => Err(TableError::ColumnsMissing { nearest: 1, lacking: NEEDED.to_vec() }),
        }
    }

    /// A cell's text, with its lines as lines and without what guards it; none where the file has no such column.
    fn cell(&self, record: &StringRecord, head: Head) -> Option<String> {
        let cell = *self.cells.get(&head)?;
        let text = record.get(cell).unwrap_or_default();
        // Spreadsheets write a line within a cell as any of these.
        Some(unguarded(&text.replace("\r\n", "\n").replace(['\r', '\u{b}', '\u{2028}'], "\n")).to_owned())
    }

    /// A cell that holds a word; none where it is blank.
    fn word(&self, record: &StringRecord, head: Head) -> Option<String> {
        self.cell(record, head).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn row(&self, line: u64, record: &StringRecord) -> Result<Option<RawRow>, TableError> {
        for (cell, text) in record.iter().enumerate() {
            let column = self.cells.iter().find(|(_, at)| **at == cell).map(|(head, _)| *head);
            let column = if let Some(Head::Of(column)) = column { Some(column) } else { None };
            let at = At { line: number(line), cell: cell + 1, column };
            if text.len() > MAX_CELL_BYTES {
                return Err(TableError::CellTooLong { at, bytes: text.len() });
            }
            let plain = |c: char| matches!(c, '\n' | '\r' | '\t' | '\u{b}');
            if let Some(control) = text.chars().find(|c| c.is_control() && !plain(*c)) {
                return Err(TableError::ControlCharacter { at, character: u32::from(control) });
            }
        }
        let text = |column| self.cell(record, Head::Of(column));
        let mut area = text(Column::Area).unwrap_or_default();
        if let Some(goal) = self.word(record, Head::Goal).filter(|_| !area.trim().is_empty()) {
            area = heading(&area, Some(&goal));
        }
        let mut row = RawRow {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            id: self.id(line, record)?,
            area,
            subgoal: text(Column::Subgoal).unwrap_or_default(),
            ..RawRow::default()
        };
        row.activity.title = text(Column::Activity).unwrap_or_default();
        row.activity.responsible = text(Column::Responsible);
        row.activity.time = text(Column::Time);
        row.activity.comment = text(Column::Comment);
        row.activity.cost = text(Column::Cost).map(|cost| self.with_unit(cost));
        Ok((!row.is_blank()).then_some(row))
    }

    fn id(&self, line: u64, record: &StringRecord) -> Result<Option<EntityId>, TableError> {
        let Some(text) = self.word(record, Head::Id) else { return Ok(None) };
        match text.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(TableError::NoId { line: number(line), text: text.chars().take(40).collect() }),
        }
    }

    /// The header's unit, behind an amount that has none of its own.
    fn with_unit(&self, cost: String) -> String {
        let Some(unit) = self.unit else { return cost };
        let bare = cost.ends_with(|c: char| c.is_ascii_digit());
        let amount = parse_cost(&cost).is_ok_and(|cost| cost.amount.is_some());
        if bare && amount { format!("{cost} {unit}") } else { cost }
    }

    /// Texts above the header, which are not read.
    fn above(&self, records: &[(u64, StringRecord)]) -> Vec<String> {
        let texts = records.iter().take(self.at).flat_map(|(_, record)| record.iter());
        texts.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }

    /// The columns that hold something and that nothing is known of; one without a name by its number.
    fn unread(&self, records: &[(u64, StringRecord)]) -> Vec<String> {
        let mut names: BTreeMap<usize, String> = BTreeMap::new();
        let header = records.get(self.at).map(|(_, record)| record);
        for (_, record) in records.iter().skip(self.at + 1) {
            for (cell, text) in record.iter().enumerate() {
                if text.trim().is_empty() || self.cells.values().any(|at| *at == cell) {
                    continue;
                }
                let name = header.and_then(|header| header.get(cell)).unwrap_or_default().trim();
                names.entry(cell).or_insert_with(|| {
                    if name.is_empty() { format!("#{}", cell + 1) } else { name.to_owned() }
                });
            }
        }
        names.into_values().collect()
    }
}

/// Whether a spreadsheet would take the text for a formula, whatever apostrophes stand before it.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@'])
}

/// The text with an apostrophe where a spreadsheet would take it for a formula: `- Haninge` would come back as `#NAMN?`, and somebody
/// else's `=…` would be computed.
fn guarded(text: &str) -> Cow<'_, str> {
    let number =
        text.trim_start_matches(['-', '+']).chars().all(|c| c.is_ascii_digit() || c == ',' || c == '.');
    let plain = !is_formula(text) || (number && text.len() > 1 && !text.starts_with('\''));
    if plain { Cow::Borrowed(text) } else { Cow::Owned(format!("'{text}")) }
}

/// What was guarded.
fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|_| is_formula(text)).unwrap_or(text)
}

/// How a CSV file is written.
#[derive(Clone, Debug)]
pub struct CsvForm<'a> {
    /// What stands between cells.
    pub delimiter: char,
    /// Whether the header is English.
    pub english: bool,
    /// What stands in every row's last cell: what whoever reads the file has seen.
    pub base: &'a str,
}

/// Writes a programme as CSV that a Swedish spreadsheet opens as it is: UTF-8 with a byte order mark, lines that end in CR LF. Each
/// entry has a row, with what it stands in, its id, and the base; so rows may be sorted, filtered and taken out.
///
/// # Errors
/// The delimiter is none of `;`, `,` and tab.
pub fn write_csv(program: EntityId, view: &ProgramView, form: &CsvForm<'_>) -> Result<Vec<u8>, TableError> {
    let delimiter = u8::try_from(form.delimiter).ok().filter(|byte| DELIMITERS.contains(byte));
    let delimiter = delimiter.ok_or(TableError::Delimiter { delimiter: form.delimiter })?;
    let mut out = Csv { writer: writer(delimiter), base: form.base };
    out.line(&WRITTEN.map(|(_, sv, en)| if form.english { en } else { sv }));
    out.row(program, [&view.title, "", "", "", "", "", ""]);
    for area in &view.areas {
        let name = heading(&area.title, area.goal.as_deref());
        out.row(area.id, [&name, "", "", "", "", "", ""]);
        area.subgoals.iter().for_each(|subgoal| out.subgoal(&name, subgoal));
    }
    Ok(out.writer.into_inner().expect("memory takes every byte"))
}

fn writer(delimiter: u8) -> csv::Writer<Vec<u8>> {
    let mut writer = WriterBuilder::new();
    writer.delimiter(delimiter).terminator(Terminator::CRLF).from_writer(BOM.as_bytes().to_vec())
}

struct Csv<'a> {
    writer: csv::Writer<Vec<u8>>,
    base: &'a str,
}

impl Csv<'_> {
    fn subgoal(&mut self, area: &str, subgoal: &SubgoalView) {
        self.row(subgoal.id, [area, &subgoal.title, "", "", "", "", ""]);
        for activity in &subgoal.activities {
            let cost = activity.cost.as_ref().map(Cost::display).unwrap_or_default();
            let time = activity.time.as_deref().unwrap_or_default();
            let comment = activity.comment.as_deref().unwrap_or_default();
            let (title, responsible) = (&activity.title, &activity.responsible_text);
            self.row(activity.id, [area, &subgoal.title, title, responsible, time, &cost, comment]);
        }
    }

    fn row(&mut self, id: EntityId, texts: [&str; 7]) {
        let id = id.to_string();
        let [area, subgoal, activity, responsible, time, cost, comment] = texts;
        let base = self.base;
        let texts = [area, subgoal, activity, responsible, time, cost, comment].map(guarded);
        let [area, subgoal, activity, responsible, time, cost, comment] =
            texts.each_ref().map(|text| &**text);
        self.line(&[area, subgoal, activity, responsible, time, cost, comment, &id, base]);
    }

    fn line(&mut self, cells: &[&str; 9]) {
        self.writer.write_record(cells).expect("memory takes every row, and all have nine cells");
    }
}
