//! What becomes of a table when the programme changes.

use radslag_table::{ExportActivity, ExportArea, ExportProgram, ExportSubgoal, Table, read, write};

use super::{HEADER, file, table, written};

fn activity(title: &str) -> ExportActivity {
    ExportActivity {
        source_line: None,
        title: title.to_owned(),
        responsible: String::new(),
        time: String::new(),
        cost: String::new(),
        comment: String::new(),
    }
}

fn subgoal(title: &str, activities: Vec<ExportActivity>) -> ExportSubgoal {
    ExportSubgoal { source_line: None, title: title.to_owned(), activities }
}

fn area(title: &str, subgoals: Vec<ExportSubgoal>) -> ExportArea {
    ExportArea { source_line: None, title: title.to_owned(), goal: None, subgoals }
}

const BEFORE: &str =
    "T||||||\nA - Mål||||||\n|S1|X1||||\n||X2|Salem|||\n|S2|Y1||||\n\nB||||||\n|S3|Z1||||\n\n";

/// The lines after the header when the programme of `BEFORE` is edited, with `|` for tabs.
fn edited(edit: impl FnOnce(&mut ExportProgram)) -> String {
    edited_from(&table(file(BEFORE)), edit)
}

fn edited_from(table: &Table, edit: impl FnOnce(&mut ExportProgram)) -> String {
    let mut view = table.to_export();
    edit(&mut view);
    let text = String::from_utf8(write(Some(&table.layout), &view).expect("every text fits"))
        .expect("texts are UTF-8");
    text.strip_prefix(HEADER).unwrap_or(&text).replace('\t', "|")
}

#[test]
fn untouched_is_the_same() {
    assert_eq!(edited(|_| ()), BEFORE);
}

#[test]
fn the_next_row_carries_the_sub_goal_when_the_first_goes() {
    let text = edited(|view| drop(view.areas[0].subgoals[0].activities.remove(0)));
    assert_eq!(text, BEFORE.replace("|S1|X1||||\n||X2|", "|S1|X2|"));
}

#[test]
fn the_first_row_carries_the_sub_goal_when_rows_change_places() {
    let text = edited(|view| view.areas[0].subgoals[0].activities.reverse());
    assert_eq!(text, BEFORE.replace("|S1|X1||||\n||X2|Salem|||\n", "|S1|X2|Salem|||\n||X1||||\n"));
}

#[test]
fn a_sub_goal_that_lost_its_last_activity_keeps_its_line() {
    let text = edited(|view| view.areas[0].subgoals[1].activities.clear());
    assert_eq!(text, BEFORE.replace("|S2|Y1||||", "|S2|||||"));
}

#[test]
fn a_moved_activity_goes_where_the_programme_says() {
    let text = edited(|view| {
        let moved = view.areas[0].subgoals[0].activities.remove(0);
        view.areas[1].subgoals[0].activities.push(moved);
    });
    assert_eq!(
        text,
        "T||||||\nA - Mål||||||\n|S1|X2|Salem|||\n|S2|Y1||||\n\nB||||||\n|S3|Z1||||\n||X1||||\n\n"
    );
    let text = edited(|view| {
        let moved = view.areas[0].subgoals[1].activities.remove(0);
        view.areas[1].subgoals[0].activities.insert(0, moved);
    });
    assert_eq!(
        text,
        "T||||||\nA - Mål||||||\n|S1|X1||||\n||X2|Salem|||\n|S2|||||\n\nB||||||\n|S3|Y1||||\n||Z1||||\n\n"
    );
}

#[test]
fn additions_come_after_their_siblings_and_before_the_blank_line() {
    let text = edited(|view| {
        view.areas[0].subgoals[0].activities.push(activity("X3"));
        view.areas[0].subgoals.push(subgoal("S4", vec![activity("N1"), activity("N2")]));
        view.areas[0].subgoals.push(subgoal("S5", vec![]));
        view.areas.push(area("C", vec![]));
    });
    assert_eq!(
        text,
        "T||||||\nA - Mål||||||\n|S1|X1||||\n||X2|Salem|||\n||X3||||\n|S2|Y1||||\n|S4|N1||||\n||N2||||\n|S5|||||\n\n\
         B||||||\n|S3|Z1||||\nC||||||\n\n"
    );
}

#[test]
fn a_retired_area_takes_its_rows_and_leaves_the_blank_lines() {
    assert_eq!(edited(|view| drop(view.areas.remove(0))), "T||||||\n\nB||||||\n|S3|Z1||||\n\n");
    let text = edited(|view| drop(view.areas.remove(1)));
    assert_eq!(text, "T||||||\nA - Mål||||||\n|S1|X1||||\n||X2|Salem|||\n|S2|Y1||||\n\n\n");
    assert_eq!(edited(|view| view.areas.clear()), "T||||||\n\n\n");
}

#[test]
fn a_moved_area_takes_the_blank_line_before_it_along() {
    let text = edited(|view| view.areas.reverse());
    assert_eq!(
        text,
        "T||||||\n\nB||||||\n|S3|Z1||||\nA - Mål||||||\n|S1|X1||||\n||X2|Salem|||\n|S2|Y1||||\n\n"
    );
}

#[test]
fn a_heading_gains_and_loses_its_goal_and_never_a_bare_mark() {
    let text = edited(|view| view.areas[1].goal = Some("Nytt".to_owned()));
    assert_eq!(text, BEFORE.replace("B|", "B - Nytt|"));
    for none in [None, Some(String::new()), Some(" ".to_owned())] {
        let text = edited(|view| view.areas[0].goal.clone_from(&none));
        assert_eq!(text, BEFORE.replace("A - Mål|", "A|"));
    }
}

#[test]
fn added_lines_end_like_most_and_the_file_ends_as_it_did() {
    let table = table(file("A\r\n|S|X\r\n||Y\n||Z"));
    let text = edited_from(&table, |view| view.areas[0].subgoals[0].activities.push(activity("N")));
    assert_eq!(text, "A\r\n|S|X\r\n||Y\n||Z\n||N||||");
    let table = self::table(file("A\r\n|S|X\r\n||Y\r\n||Z"));
    let text = edited_from(&table, |view| view.areas[0].subgoals[0].activities.push(activity("N")));
    assert_eq!(text, "A\r\n|S|X\r\n||Y\r\n||Z\r\n||N||||");
    let text = edited_from(&table, |view| drop(view.areas[0].subgoals[0].activities.pop()));
    assert_eq!(text, "A\r\n|S|X\r\n||Y");
}

#[test]
fn a_short_line_grows_only_as_far_as_its_texts() {
    let table = table(file("A\n|S|X|Salem\n"));
    let text =
        edited_from(&table, |view| "5 kr".clone_into(&mut view.areas[0].subgoals[0].activities[0].cost));
    assert_eq!(text, "A\n|S|X|Salem||5 kr\n");
    let text = edited_from(&table, |view| view.areas[0].subgoals[0].activities[0].responsible.clear());
    assert_eq!(text, "A\n|S|X|\n");
}

#[test]
fn spaces_in_a_blank_cell_stay_though_the_programme_has_no_value_there() {
    let table = table(file("A\n|S|X|  |||\n"));
    let text = edited_from(&table, |view| view.areas[0].subgoals[0].activities[0].responsible.clear());
    assert_eq!(text, "A\n|S|X|  |||\n");
    let text = edited_from(&table, |view| {
        "Salem".clone_into(&mut view.areas[0].subgoals[0].activities[0].responsible)
    });
    assert_eq!(text, "A\n|S|X|Salem|||\n");
}

#[test]
fn a_sub_goal_on_its_own_line_keeps_that_line_when_activities_come_and_go() {
    let table = table(file("A\n|S\n||X||||\n"));
    let text = edited_from(&table, |view| view.areas[0].subgoals[0].activities.insert(0, activity("N")));
    assert_eq!(text, "A\n|S\n||N||||\n||X||||\n");
    assert_eq!(edited_from(&table, |view| view.areas[0].subgoals[0].activities.clear()), "A\n|S\n");
}

#[test]
fn a_file_without_a_title_gains_none() {
    let table = table(file("A\n|S|X||||\n"));
    assert_eq!(edited_from(&table, |view| "Ny titel".clone_into(&mut view.title)), "A\n|S|X||||\n");
}

#[test]
fn source_lines_that_do_not_fit_are_additions() {
    let text = edited(|view| {
        view.areas[1].source_line = Some(4);
        view.areas[0].subgoals[0].activities[1].source_line = Some(4);
        view.areas[0].subgoals[1].activities[0].source_line = Some(99);
    });
    // The heading is a new line now, and the blank line before it waits for the next row that is still there.
    assert_eq!(text, BEFORE.replace("\n\nB||||||\n", "\nB||||||\n\n"));
}

#[test]
fn a_programme_that_was_never_imported_gets_a_canonical_file() {
    let mut north =
        area("Norr", vec![subgoal("S", vec![activity("X"), activity("Y")]), subgoal("Tomt", vec![])]);
    north.goal = Some("Mål".to_owned());
    // Lines of a file that is not at hand mean nothing.
    north.subgoals[0].activities[0].source_line = Some(2);
    let view = ExportProgram { title: "Program".to_owned(), areas: vec![north, area("Syd", vec![])] };
    let bytes = write(None, &view).unwrap();
    let wanted = file("Program||||||\nNorr - Mål||||||\n|S|X||||\n||Y||||\n|Tomt|||||\nSyd||||||\n");
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), wanted);
    assert_eq!(written(&read(&bytes).unwrap()), bytes);
}

#[test]
fn a_text_that_a_cell_cannot_hold_stops_the_export_and_is_named() {
    let table = table(file(BEFORE));
    let message = |edit: fn(&mut ExportProgram)| {
        let mut view = table.to_export();
        edit(&mut view);
        write(Some(&table.layout), &view).unwrap_err().to_string()
    };
    assert_eq!(
        message(|view| view.areas[0].subgoals[0].activities[1].comment.push_str("a\nb")),
        "activity \"X2\" has a line break in column Kommentar, which a table cannot hold; edit the text, or export as JSON"
    );
    assert!(
        message(|view| view.areas[0].subgoals[0].activities[1].cost.push('\t'))
            .contains("a tab in column Kostnad")
    );
    assert!(
        message(|view| view.areas[1].goal = Some("\r".to_owned() + "x"))
            .starts_with("area \"B\" has a line break")
    );
    assert!(
        message(|view| view.areas[0].subgoals[1].title.push('\0'))
            .contains("sub-goal \"S2\\0\" has the control character U+0000")
    );
    assert!(message(|view| view.title.push('\u{7f}')).contains("column Område och huvudmål"));
    assert!(
        message(|view| view.areas[0].subgoals[0].activities[0].comment = "x".repeat(16_385))
            .contains("has 16385 bytes")
    );
    assert_eq!(
        message(|view| view.areas[0].subgoals[0].activities[0].title = " ".to_owned()),
        "the activity from line 4 has no text in column Aktivitet; give it one, then export again"
    );
    assert!(message(|view| view.areas[0].subgoals[0].title.clear()).contains("the sub-goal from line 4"));
}
