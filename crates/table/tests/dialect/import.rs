//! One small table for every rule of reading, each of which comes back byte for byte.

use radslag_core::event::PartyKind;
use radslag_table::{Layout, Row};

use super::{HEADER, comes_back, file, outline};

#[test]
fn the_header_is_found_by_its_names_below_blank_lines() {
    let table = comes_back(format!("\n \t\n{}", file("A|||||\n|S|X||||\n")));
    assert_eq!(outline(&table), ["4 area A", "5 S: X"]);
}

#[test]
fn columns_may_stand_in_any_order_and_case_with_empty_ones_between() {
    let text = "Kommentar\tDELMÅL \t\tAktivitet\tområde och huvudmål\tTid\tAnsvarig\tKostnad\n\
                \t\t\t\tA - Mål\t\t\t\nbra\tS\t\tX\t\tmars\tSalem\t5 kr\n\t\t \tY\n";
    let table = comes_back(text);
    assert_eq!(outline(&table), ["2 area A => Mål", "3 S: X", "4 ditto: Y"]);
    let Row::Activity { responsible, time, cost, comment, .. } = &table.rows[1] else { panic!() };
    assert_eq!([responsible, time, cost, comment], ["Salem", "mars", "5 kr", "bra"]);
}

#[test]
fn the_first_of_two_lonely_area_cells_is_the_title() {
    let table = comes_back(file("\nProgrammet||||||\n\nA||||||\n|S|X||||\n"));
    assert_eq!(table.title.as_deref(), Some("Programmet"));
    assert_eq!(outline(&table), ["5 area A", "6 S: X"]);
}

#[test]
fn a_lonely_area_cell_with_rows_below_it_is_a_heading() {
    let table = comes_back(file("A||||||\n|S|X||||\n"));
    assert_eq!(table.title, None);
    assert_eq!(outline(&table), ["2 area A", "3 S: X"]);
}

#[test]
fn a_later_heading_without_rows_stays_a_heading() {
    let table = comes_back(file("T\nA\nB\n|S|X||||\nC\nD"));
    assert_eq!(table.title.as_deref(), Some("T"));
    assert_eq!(outline(&table), ["3 area A", "4 area B", "5 S: X", "6 area C", "7 area D"]);
}

#[test]
fn a_table_may_be_a_header_and_nothing_else() {
    for text in [HEADER, HEADER.trim_end(), &format!("{HEADER}\n\n")] {
        assert_eq!(comes_back(text).rows, []);
    }
}

#[test]
fn name_and_goal_are_split_at_the_first_mark_with_text_on_both_sides() {
    let table = comes_back(file("A - B - C\nA-B\nA -B\n - B\nA - \n A  -  B \n|S\n"));
    assert_eq!(table.title.as_deref(), Some("A - B - C"));
    let table = comes_back(file("T\nA - B - C\nA-B\nA -B\n - B\nA - \n A  -  B \n|S\n"));
    assert_eq!(
        outline(&table),
        [
            "3 area A => B - C",
            "4 area A-B",
            "5 area A -B",
            "6 area  - B",
            "7 area A - ",
            "8 area  A  =>  B ",
            "9 sub-goal S"
        ]
    );
}

#[test]
fn the_same_area_and_the_same_sub_goal_twice_are_two_of_each() {
    let table = comes_back(file("A||||||\n|S|X||||\n|S|Y||||\nA||||||\n|S|Z||||\n"));
    assert_eq!(outline(&table), ["2 area A", "3 S: X", "4 S: Y", "5 area A", "6 S: Z"]);
    let view = table.to_export();
    assert_eq!(view.areas.len(), 2);
    assert_eq!(view.areas[0].subgoals.len(), 2);
}

#[test]
fn an_empty_sub_goal_cell_means_the_one_above_also_across_blank_lines() {
    let table = comes_back(file("A||||||\n|S||||||\n||X||||\n\n| |Y||||\n"));
    assert_eq!(outline(&table), ["2 area A", "3 sub-goal S", "4 ditto: X", "6 ditto: Y"]);
    assert_eq!(table.to_export().areas[0].subgoals[0].activities.len(), 2);
}

#[test]
fn quotes_are_plain_text() {
    let table = comes_back(file("A||||||\n|\"S|500'invånare||||i en \"tillväxtdebattartikel\" och\n"));
    assert_eq!(outline(&table)[1], "3 \"S: 500'invånare");
}

#[test]
fn typos_and_spaces_in_texts_stay() {
    let table = comes_back(file("A||||||\n| S  x | Situeras || vår\u{a0} |100\u{a0}000 |\n"));
    let Row::Activity { subgoal, title, time, cost, .. } = &table.rows[1] else { panic!() };
    assert_eq!(subgoal.as_deref(), Some(" S  x "));
    assert_eq!([title, time, cost], [" Situeras ", " vår\u{a0} ", "100\u{a0}000 "]);
    assert_eq!(table.rows[1].parsed_cost().unwrap().amount.unwrap().ore, 10_000_000);
}

#[test]
fn decomposed_letters_come_back_as_they_were() {
    comes_back(file("A\u{30a}r||||||\n|S|Tyreso\u{308}||||\n").replace('å', "a\u{30a}"));
}

#[test]
fn every_ending_comes_back() {
    let lines = file("A||||||\n|S|X||||\n\n||Y||||\n");
    comes_back(lines.replace('\n', "\r\n"));
    comes_back(lines.trim_end());
    comes_back(lines.replace('\n', "\r\n").trim_end());
    comes_back(lines.replacen('\n', "\r\n", 2));
    comes_back(format!("\u{feff}{lines}"));
    comes_back(format!("\u{feff}\r\n{lines}"));
    comes_back(format!("{lines}\n\n  "));
}

#[test]
fn short_and_long_lines_and_spaces_in_blank_cells_come_back() {
    let text = file("A\n|S|X\n||Y|Salem||||||\n| \u{2009}|Z||||  |\n \n\t|  |\nB|| |\n|S2\n");
    let table = comes_back(text);
    assert_eq!(outline(&table).len(), 6);
    assert_eq!(Layout::decode(&table.layout.encode()).unwrap(), table.layout);
}

#[test]
fn parties_are_listed_once_in_order_of_first_mention() {
    let table = comes_back(file(
        "A||||||\n|S|X|Salem och Kdir/KSO|||\n||Y|Anna Salem, Salem|||\n||Z|Anna Haninge|||\n",
    ));
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        table.parties(),
        [
            ("Salem".to_owned(), PartyKind::Municipality, None),
            ("Kdir/KSO".to_owned(), PartyKind::RoleGroup, None),
            ("Anna".to_owned(), PartyKind::Person, some("Salem")),
            ("Anna".to_owned(), PartyKind::Person, some("Haninge")),
        ]
    );
}

#[test]
fn the_layout_of_two_thousand_rows_of_every_form_fits_well_in_an_event() {
    let mut lines = String::from("A\n|S|X||||\n");
    for at in 0..2_000 {
        lines.push_str(["||Y||||\r\n", "|S|X|Salem\n", "A - B||||||\n|S\n", "\n||Z||\n"][at % 4]);
    }
    let table = comes_back(file(&lines));
    assert!(table.layout.encode().len() < 20_000, "{}", table.layout.encode().len());
}
