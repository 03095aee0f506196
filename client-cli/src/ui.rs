//! The terminal: data goes to stdout as a table or as JSON, talk goes to stderr. Nothing relies on colour.

use std::io::{IsTerminal as _, Write};

use serde_json::Value as Json;

use crate::error::CliError;

/// The language that people are addressed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// Swedish.
    Sv,
    /// English.
    En,
}

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// Markdown, for a meeting; `diff` alone.
    Md,
}

/// Where and how a command writes.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    /// How data is written.
    pub format: Format,
    /// In which language.
    pub lang: Lang,
}

impl Lang {
    /// The language of the locale: Swedish where it says so, else English.
    pub fn of_locale() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let locale = set.iter().filter_map(|name| std::env::var(name).ok()).find(|value| !value.is_empty());
        #[cfg(windows)]
        let locale = locale.or_else(sys_locale::get_locale);
        if locale.is_some_and(|locale| locale.starts_with("sv")) { Self::Sv } else { Self::En }
    }
}

impl Ui {
    /// The text in the language in use.
    pub fn text<'a>(&self, sv: &'a str, en: &'a str) -> &'a str {
        match self.lang {
            Lang::Sv => sv,
            Lang::En => en,
        }
    }

    /// Whether programs read the answer.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes a line of data.
    pub fn line(&self, text: &str) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}").map_err(written)
    }

    /// Writes one JSON object on a line of its own.
    pub fn object(&self, object: &Json) -> Result<(), CliError> {
        self.line(&object.to_string())
    }

    /// Says something to the person, not to the pipe.
    pub fn say(&self, text: &str) {
        // Talk that cannot be heard changes nothing about what was done.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Says it where no program is listening.
    pub fn tell(&self, sv: &str, en: &str) -> Result<(), CliError> {
        if self.json() {
            self.say(self.text(sv, en));
            return Ok(());
        }
        self.line(self.text(sv, en))
    }

    /// Writes rows under headings, folded to the width of the terminal.
    pub fn table(&self, headings: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
        for line in layout(headings, rows, width()) {
            self.line(&line)?;
        }
        Ok(())
    }

    /// Shows how far long work has come, where somebody watches.
    pub fn progress(&self, at: u64, of: u64) {
        if std::io::stderr().is_terminal() && of > 0 {
            let done = usize::try_from(at.min(of) * 30 / of).unwrap_or(30);
            let bar = format!("{}{}", "#".repeat(done), ".".repeat(30 - done));
            let _ =
                write!(std::io::stderr().lock(), "\r[{bar}] {at}/{of}{}", if at >= of { "\n" } else { "" });
        }
    }
}

fn written(error: std::io::Error) -> CliError {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        CliError::BrokenPipe
    } else {
        CliError::Output(error)
    }
}

fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || {
        let (width, _) = terminal_size::terminal_size().filter(|_| std::io::stdout().is_terminal())?;
        Some(usize::from(width.0))
    };
    let columns = columns.or_else(terminal).filter(|columns: &usize| *columns >= 40);
    columns.unwrap_or(if std::io::stdout().is_terminal() { 80 } else { 120 })
}

/// The narrowest that a column becomes for the sake of the others, unless its words are shorter.
const NARROW: usize = 8;
/// Words up to this length are kept in one piece where that is possible.
const WORD: usize = 18;

/// The lines of a table: columns as wide as they need, the widest ones narrowed until all fit, long cells folded. A row of one cell
/// where the table has more stands across all columns.
fn layout(headings: &[&str], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let across = |row: &[String]| row.len() == 1 && headings.len() > 1;
    let heading: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let cells = || std::iter::once(&heading).chain(rows.iter().filter(|row| !across(row)));
    let widths = widths(headings.len(), &cells, width);
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = Vec::new();
    for row in [&heading, &rule].into_iter().chain(rows) {
        if across(row) {
            lines.extend(fold(&row[0], width));
            continue;
        }
        let cells: Vec<Vec<String>> =
            row.iter().zip(&widths).map(|(cell, width)| fold(cell, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                let text = cell.get(at).map_or("", String::as_str);
                let pad = width.saturating_sub(text.chars().count()) + 2;
                line.push_str(text);
                line.push_str(&" ".repeat(pad));
            }
            lines.push(line.trim_end().to_owned());
        }
    }
    lines
}

/// How wide each column is. First the widest give way down to their longest words, then all down to [`NARROW`].
fn widths<'a, R: Iterator<Item = &'a Vec<String>>>(
    columns: usize,
    rows: &dyn Fn() -> R,
    width: usize,
) -> Vec<usize> {
    let (mut widths, mut words) = (vec![0; columns], vec![0; columns]);
    for row in rows() {
        for (column, cell) in row.iter().enumerate() {
            let longest = |pieces: &mut dyn Iterator<Item = &str>| {
                pieces.map(|piece| piece.chars().count()).max().unwrap_or(0)
            };
            widths[column] = widths[column].max(longest(&mut cell.lines()));
            words[column] = words[column].max(longest(&mut cell.split([' ', '\n'])));
        }
    }
    let room = width.saturating_sub(2 * columns.saturating_sub(1));
    for least in [WORD, NARROW] {
        while widths.iter().sum::<usize>() > room {
            let may = |column: &usize| widths[*column] > words[*column].min(least).max(NARROW.min(least));
            let Some(widest) = (0..columns).filter(may).max_by_key(|column| widths[*column]) else { break };
            widths[widest] -= 1;
        }
    }
    widths
}

/// Cuts a text into lines of at most `width` characters, between words where it can.
pub fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let mut word = word.to_owned();
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            while word.chars().count() > width {
                let head: String = word.chars().take(width).collect();
                word = word.chars().skip(width).collect();
                lines.push(head);
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        lines.push(line);
    }
    if lines.is_empty() { vec![String::new()] } else { lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_the_width_and_loses_no_word() {
        let text = "Bevaka planering och genomförande. Förberedelser inför revidering av kommande NTP/LTP";
        let rows = vec![vec!["Tvärförbindelse Södertörn".to_owned(), text.to_owned()]];
        let lines = layout(&["Aktivitet", "Kommentar"], &rows, 60);
        assert!(lines.iter().all(|line| line.chars().count() <= 60));
        let all = lines.join(" ");
        assert!(text.split(' ').all(|word| all.contains(word)));
    }

    #[test]
    fn words_stay_in_one_piece_where_there_is_room_elsewhere() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = vec![
            vec!["Infrastruktur - Utnyttja den nya infrastrukturen".to_owned()],
            row(["Tvärförbindelse Södertörn", "Ekonomi- och personalcheferna", "100\u{a0}000\u{a0}kr"]),
        ];
        let lines = layout(&["aktivitet", "ansvarig", "kostnad"], &rows, 48);
        assert!(lines.contains(&"Infrastruktur - Utnyttja den nya infrastrukturen".to_owned()));
        let all = lines.join(" ");
        for word in ["Tvärförbindelse", "Södertörn", "personalcheferna", "100\u{a0}000\u{a0}kr"] {
            assert!(all.contains(word), "{all}");
        }
        assert!(lines.iter().all(|line| line.chars().count() <= 48), "{lines:?}");
    }

    #[test]
    fn a_word_longer_than_the_line_is_cut() {
        assert_eq!(fold("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(fold("", 3), [""]);
    }
}
