//! Laws over any table and any bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use radslag_table::{Layout, read, write};

use super::{HEADER, written};

/// A text of one cell, with something that is not a space in it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -]{0,2}[a-zåäö\"'][ -~å\u{a0}\u{308}\u{2028}\u{feff}]{0,8}",
        select(vec!["A - B", " - ", "Löpande", "Salem och Anna Haninge", "= t @1: ;"])
            .prop_map(str::to_owned),
    ]
    .prop_filter("filled", |text| !text.trim().is_empty())
}

fn blank() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \u{a0}\u{2009}\u{2028}]{1,3}"]
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![text(), blank()]
}

fn cost() -> impl Strategy<Value = String> {
    prop_oneof![
        blank(),
        text(),
        select(vec![
            "100 000",
            "5 tkr",
            " 12,50 kr ",
            "enligt avtal",
            "12,5,0",
            "-5",
            "1.000.000",
            "1 00 000"
        ])
        .prop_map(str::to_owned)
    ]
}

fn ending() -> impl Strategy<Value = &'static str> {
    select(vec!["\n", "\r\n"])
}

/// Cells, perhaps cut short or with blank ones behind.
fn line(cells: impl Strategy<Value = Vec<String>>, at_least: usize) -> impl Strategy<Value = String> {
    (cells, vec(blank(), 0..4), any::<bool>(), ending()).prop_map(move |(mut cells, more, cut, ending)| {
        while cut && cells.len() > at_least && cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        cells.extend(more.into_iter().filter(|_| !cut));
        cells.join("\t") + ending
    })
}

fn heading() -> impl Strategy<Value = String> {
    line((text(), vec(blank(), 6)).prop_map(|(area, rest)| [vec![area], rest].concat()), 1)
}

fn subgoal() -> impl Strategy<Value = String> {
    line((blank(), text(), vec(blank(), 5)).prop_map(|(a, s, rest)| [vec![a, s], rest].concat()), 2)
}

fn activity(subgoal: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let cells = (blank(), subgoal, text(), cell(), cell(), cost(), cell());
    line(cells.prop_map(|(a, s, t, r, when, cost, comment)| vec![a, s, t, r, when, cost, comment]), 3)
}

fn blank_line() -> impl Strategy<Value = String> {
    line(vec(blank(), 1..3), 1)
}

fn block() -> impl Strategy<Value = String> {
    let rows = vec(prop_oneof![3 => activity(cell()), 1 => subgoal(), 1 => blank_line()], 0..6);
    let first = prop_oneof![activity(text()), subgoal()];
    let with_rows = (heading(), vec(blank_line(), 0..2), first, rows)
        .prop_map(|(heading, blanks, first, rows)| [heading, blanks.concat(), first, rows.concat()].concat());
    prop_oneof![3 => with_rows, 1 => heading()]
}

/// A file that is a table, in one of the many ways to write it.
fn table() -> impl Strategy<Value = Vec<u8>> {
    let head = (any::<bool>(), vec(blank_line(), 0..3), ending());
    (head, vec(blank_line(), 0..2), vec(block(), 0..5), vec(blank_line(), 0..2), any::<bool>()).prop_map(
        |((bom, above, ending), below, blocks, end, open)| {
            let bom = if bom { "\u{feff}" } else { "" };
            let header = HEADER.replace('\n', ending);
            let mut text =
                [bom, &above.concat(), &header, &below.concat(), &blocks.concat(), &end.concat()].concat();
            while open && text.ends_with(['\r', '\n']) {
                text.pop();
            }
            text.into_bytes()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_table_comes_back_byte_for_byte(bytes in table()) {
        let table = read(&bytes).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let again = written(&table);
        prop_assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&bytes));
        let layout = Layout::decode(&table.layout.encode()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&layout, &table.layout);
    }

    #[test]
    fn any_table_is_written_without_its_layout_too(bytes in table()) {
        let table = read(&bytes).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut view = table.to_export();
        "Titel".clone_into(&mut view.title);
        let canonical = write(None, &view).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let again = read(&canonical).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(written(&again), canonical);
    }

    #[test]
    fn what_remains_after_retiring_is_still_a_table(bytes in table(), keep in vec(any::<bool>(), 64)) {
        let table = read(&bytes).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut keep = keep.into_iter().cycle();
        let mut kept = || keep.next().unwrap_or(true);
        let mut view = table.to_export();
        for area in &mut view.areas {
            area.subgoals.retain(|_| kept());
            for subgoal in &mut area.subgoals {
                subgoal.activities.retain(|_| kept());
            }
        }
        let titles = |view: &radslag_table::ExportProgram| -> Vec<String> {
            let subgoals = view.areas.iter().flat_map(|area| &area.subgoals);
            subgoals.flat_map(|s| std::iter::once(&s.title).chain(s.activities.iter().map(|a| &a.title))).cloned().collect()
        };
        let written = write(Some(&table.layout), &view).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let again = read(&written).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(titles(&again.to_export()), titles(&view));
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn any_lines_below_a_header_are_answered(lines in vec("[\tA -5\r\n\u{a0}\u{0}å]{0,12}", 0..8)) {
        let text = format!("{HEADER}{}", lines.join("\n"));
        if let Ok(table) = read(text.as_bytes()) {
            prop_assert_eq!(written(&table), text.into_bytes());
        }
    }
}
