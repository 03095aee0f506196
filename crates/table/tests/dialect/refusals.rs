//! What is not read, and what the message says about it.

use radslag_table::{Column, MAX_CELL_BYTES, MAX_FILE_BYTES, TableError, read};

use super::{HEADER, comes_back, file, table};

#[track_caller]
fn refused(bytes: impl AsRef<[u8]>) -> String {
    read(bytes.as_ref()).expect_err("was read").to_string()
}

#[test]
fn bytes_that_are_not_utf8_are_placed_by_line_and_byte() {
    let mut bytes = file("A||||||\n|S|").into_bytes();
    bytes.extend(b"Tyres\xf6\n");
    assert_eq!(refused(bytes), "line 3 is not UTF-8 at its byte 9; save the file as text in UTF-8");
}

#[test]
fn a_missing_header_lists_the_seven_names_and_the_nearest_line() {
    let names = "Område och huvudmål, Delmål, Aktivitet, Ansvarig, Tid, Kostnad, Kommentar";
    assert_eq!(
        refused("\nOmråde och huvudmål\tDelmål\tAktivitet\tAnsvarig\tNär\tKostnad\tKommentar\n"),
        format!("no line has the seven column names {names} between tabs; the nearest, line 2, lacks Tid")
    );
    assert!(refused("").contains(names));
    assert!(refused(HEADER.replace('\t', ";")).contains(names));
    assert!(refused(HEADER.replace("Tid", "Tid\tTid")).contains("line 1 has the column Tid twice"));
}

#[test]
fn text_before_the_header_and_outside_the_columns_is_refused() {
    assert!(refused(format!("\nProgram\n{HEADER}")).contains("line 2 has text before the header on line 3"));
    assert!(
        refused(file("A||||||\n|S|X|||||extra\n"))
            .contains("line 3, cell 8 has text outside the seven columns: \"extra\"")
    );
    assert!(refused(HEADER.replace('\n', "\tStatus\n")).contains("line 1, cell 8 has text outside"));
}

#[test]
fn control_characters_are_placed_by_line_and_column() {
    let message = refused(file("A||||||\n|S|X||\0|||\n"));
    assert!(message.starts_with("line 3, column Tid holds the control character U+0000"), "{message}");
    assert!(refused(file("A\r||||||\n")).contains("U+000D"));
    assert!(refused(file("A||||||\r\r\n")).contains("column Kommentar holds the control character U+000D"));
    assert!(refused(file("A\u{85}B\n")).contains("U+0085"));
}

#[test]
fn rows_of_unknown_shape_say_what_is_wrong_with_them() {
    for (lines, message) in [
        ("A||X||||\n", "line 2 has both Område och huvudmål and Aktivitet"),
        ("A||||||\n|||Salem|||\n", "line 3 has Ansvarig but no Aktivitet"),
        ("A||||||\n|S||||5 kr|\n", "line 3 has Kostnad but no Aktivitet"),
        ("|S|X||||\n", "line 2 stands before the first heading"),
        ("A||||||\n||X||||\n", "line 3 has no Delmål, and there is none above it under this heading"),
        ("A||||||\n|S|X||||\nB||||||\n\n||Y||||\n", "line 6 has no Delmål"),
    ] {
        let text = refused(file(lines));
        assert!(text.starts_with(message), "{text}");
    }
}

#[test]
fn a_malformed_cost_stands_as_written_and_is_said_with_its_cause() {
    let table = table(file("A||||||\n|S|X|||1 00 000|\n||Y||våren, kanske|enligt avtal|\n"));
    let cells = table.not_understood();
    let said: Vec<_> = cells.iter().map(|cell| (cell.line, cell.column, cell.text.as_str())).collect();
    let expected = [
        (3, Column::Cost, "1 00 000"),
        (4, Column::Time, "våren, kanske"),
        (4, Column::Cost, "enligt avtal"),
    ];
    assert_eq!(said, expected);
    let cause = cells[0].why.as_ref().expect("a cause").to_string();
    assert_eq!(cause, "\"1 00 000\" does not group its digits in threes; write \"100 000\"");
    let cost = table.rows[1].parsed_cost().expect("there is a text");
    assert_eq!((cost.raw.as_str(), cost.amount), ("1 00 000", None));
    comes_back(file("A||||||\n|S|X|||1 00 000|\n"));
}

#[test]
fn what_is_too_large_says_how_much_is_allowed() {
    let long = "x".repeat(MAX_CELL_BYTES + 1);
    assert!(
        refused(file(&format!("A||||||\n|S|{long}||||\n")))
            .contains("line 3, column Aktivitet has 16385 bytes, more than 16384")
    );
    let most = &long[1..];
    assert!(read(file(&format!("A||||||\n|S|{most}||||\n")).as_bytes()).is_ok());
    assert!(refused(file(&format!("A||||||\n|S|{most}|{most}||{most}x|\n"))).contains("more than 16384"));
    assert!(refused(file(&format!("A||||||\n|S|{most}|{most}||{most}|\n"))).contains("line 3 has 491"));
    assert!(refused(file(&"\n".repeat(20_000))).contains("more than 20000 lines"));
    assert!(read(file(&"\n".repeat(19_999)).as_bytes()).is_ok());
    assert!(matches!(read(&vec![b'\n'; MAX_FILE_BYTES + 1]), Err(TableError::FileTooLarge { .. })));
    assert!(refused(file(&"|".repeat(256))).contains("line 2 has 257 cells, more than 256"));
    assert!(read(file(&"|".repeat(255)).as_bytes()).is_ok());
    let ragged = " |\n|  \n".repeat(5_000);
    assert!(refused(file(&ragged)).contains("remove stray spaces from blank cells"));
}
