//! The dialect from outside: the real table, a small table for every rule, and any table at all.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

mod any_table;
mod export;
mod import;
mod refusals;
mod sample;
mod sheets;

use radslag_table::{Row, Table, read, write};

/// The header line with its line feed.
const HEADER: &str = "Område och huvudmål\tDelmål\tAktivitet\tAnsvarig\tTid\tKostnad\tKommentar\n";

/// The header and these lines; `|` stands for a tab.
fn file(lines: &str) -> String {
    format!("{HEADER}{}", lines.replace('|', "\t"))
}

fn table(bytes: impl AsRef<[u8]>) -> Table {
    read(bytes.as_ref()).unwrap_or_else(|e| panic!("{e}"))
}

/// The untouched programme, written again.
fn written(table: &Table) -> Vec<u8> {
    write(Some(&table.layout), &table.to_export()).unwrap_or_else(|e| panic!("{e}"))
}

#[track_caller]
fn comes_back(bytes: impl AsRef<[u8]>) -> Table {
    let table = table(&bytes);
    assert_eq!(String::from_utf8_lossy(&written(&table)), String::from_utf8_lossy(bytes.as_ref()));
    table
}

/// Rows as `line kind text`, for short assertions.
fn outline(table: &Table) -> Vec<String> {
    let row = |row: &Row| match row {
        Row::Area { line, title, goal: None } => format!("{line} area {title}"),
        Row::Area { line, title, goal: Some(goal) } => format!("{line} area {title} => {goal}"),
        Row::Subgoal { line, title } => format!("{line} sub-goal {title}"),
        Row::Activity { line, subgoal: Some(subgoal), title, .. } => format!("{line} {subgoal}: {title}"),
        Row::Activity { line, subgoal: None, title, .. } => format!("{line} ditto: {title}"),
    };
    table.rows.iter().map(row).collect()
}
