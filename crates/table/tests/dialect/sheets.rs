//! What spreadsheets and programs hand back: CSV and JSON read and written, and what a changed file proposes.

use proptest::prelude::*;
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;
use radslag_core::parse::cost::Cost;
use radslag_core::view::{ActivityView, AreaView, CostSum, ProgramView, Standing, SubgoalView};
use radslag_table::{
    CsvForm, Proposal, Proposed, Row, Sheet, TableError, Under, as_cost, propose, read_csv, read_json,
    write_csv, write_json,
};

use super::{file, outline, table};

/// The programme itself.
fn root() -> EntityId {
    EntityId::from_slice(&[7; 16]).unwrap()
}

const BASE: &str = "98.12.d3df318b.6adef326.dbfa/2026-11-24";

fn id(number: usize) -> EntityId {
    EntityId::from_slice(&u128::try_from(number + 1).unwrap().to_be_bytes()).unwrap()
}

/// The programme that a table makes, with ids in the order of its rows.
fn program(sheet: &Sheet) -> ProgramView {
    let table = sheet.to_table();
    let mut view = ProgramView {
        title: table.title.clone().unwrap_or_else(|| "Programmet".to_owned()),
        areas: Vec::new(),
        parties: Vec::new(),
        cost: CostSum::default(),
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    for (at, row) in table.rows.iter().enumerate() {
        match row {
            Row::Area { title, goal, .. } => view.areas.push(AreaView {
                id: id(at),
                title: title.clone(),
                goal: goal.clone(),
                source: None,
                standing: Standing::InForce,
                subgoals: Vec::new(),
            }),
            Row::Subgoal { title, .. } => view.areas.last_mut().unwrap().subgoals.push(SubgoalView {
                id: id(at),
                title: title.clone(),
                source: None,
                standing: Standing::InForce,
                activities: Vec::new(),
            }),
            Row::Activity { title, responsible, time, comment, .. } => {
                let subgoals = &mut view.areas.last_mut().unwrap().subgoals;
                subgoals.last_mut().unwrap().activities.push(ActivityView {
                    id: id(at),
                    title: title.clone(),
                    responsible_text: responsible.clone(),
                    responsible: Vec::new(),
                    lead: None,
                    time: text(time),
                    cost: row.parsed_cost(),
                    comment: text(comment),
                    source: None,
                    standing: Standing::InForce,
                    conflicting: Vec::new(),
                    cost_range: (0, 0),
                });
            }
        }
    }
    view
}

fn small() -> ProgramView {
    let table = table(file(
        "Programmet||||||\nKlimat - Lägre utsläpp||||||\n|Resor|Tåg|Salem|våren|5 000 kr|bra\n||Cykel||||\n|Mat|Skola||Löpande||\nBostad||||||\n|Bygga|Hundra hus|Tyresö|||\n",
    ));
    program(&Sheet::of(&table))
}

fn form(delimiter: char) -> CsvForm<'static> {
    CsvForm { delimiter, english: delimiter == ',', base: BASE }
}

fn csv(view: &ProgramView, delimiter: char) -> Vec<u8> {
    write_csv(root(), view, &form(delimiter)).unwrap()
}

#[track_caller]
fn sheet(text: impl AsRef<[u8]>) -> Sheet {
    read_csv(text.as_ref()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn proposal(view: &ProgramView, text: &str) -> Proposal {
    propose(root(), view, &sheet(text)).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str) -> String {
    read_csv(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_table_is_read_whether_its_rows_repeat_what_they_stand_in_or_not() {
    let as_headings = "Område och huvudmål;Delmål;Aktivitet;Ansvarig;Tid;Kostnad;Kommentar\r\nProgrammet;;;;;;\r\nKlimat - Mål;;;;;;\r\n;Resor;Tåg;Salem;våren;5000;\r\n;;Cykel;;;;\r\nBostad;;;;;;\r\n;Bygga;Hus;;;;\r\n";
    let filled = "Comment,Cost,Time,Responsible,Activity,Sub-goal,Area and main goal\n,,,,,,Programmet\n,,,,,,Klimat - Mål\n,5000,våren,Salem,Tåg,Resor,Klimat - Mål\n,,,,Cykel,Resor,Klimat - Mål\n,,,,Hus,Bygga,Bostad\n";
    let expected = [
        "area Klimat => Mål",
        "sub-goal Resor",
        "ditto: Tåg",
        "ditto: Cykel",
        "area Bostad",
        "sub-goal Bygga",
        "ditto: Hus",
    ];
    for text in [as_headings, filled] {
        let table = sheet(text).to_table();
        assert_eq!(table.title.as_deref(), Some("Programmet"));
        let outline: Vec<String> =
            outline(&table).iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
        let outline: Vec<&str> = outline.iter().map(|line| line.split(" |").next().unwrap()).collect();
        assert_eq!(outline, expected);
        assert_eq!(table.rows[2].parsed_cost().unwrap().amount.unwrap().ore, 500_000);
    }
}

#[test]
fn what_spreadsheets_in_sweden_write_is_read_whatever_its_encoding() {
    let text = "Område;Delmål;Aktivitet;Tid\r\nNäringsliv;Växa;Frukostmöte på Ön – €;våren\r\n";
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let windows: Vec<u8> = text
        .chars()
        .map(|c| match c {
            '–' => 0x96,
            '€' => 0x80,
            other => u8::try_from(u32::from(other)).unwrap(),
        })
        .collect();
    let utf8 = sheet(text);
    assert_eq!(utf8.encoding, None);
    assert_eq!(sheet(format!("\u{feff}{text}")).entries, utf8.entries);
    for (bytes, encoding) in [(utf16, "UTF-16LE"), (windows, "windows-1252")] {
        let read = sheet(&bytes);
        assert_eq!((read.encoding, &read.entries), (Some(encoding), &utf8.entries));
    }
}

#[test]
fn lines_and_quotes_within_cells_are_kept() {
    let text = "Delmål,Område,Aktivitet,Kommentar\r\nS,A,\"Säga \"\"hej\"\"\",\"en, rad\r\noch en till\rtre\"\r\nS,A,B,\n";
    let table = sheet(text).to_table();
    let Row::Activity { title, comment, line, .. } = &table.rows[2] else { panic!() };
    assert_eq!((title.as_str(), comment.as_str(), *line), ("Säga \"hej\"", "en, rad\noch en till\ntre", 2));
    // Lines are those of the file, so that an editor finds them.
    assert_eq!(table.rows[3].line(), 4);
}

#[test]
fn a_goal_of_its_own_and_a_unit_in_the_header_are_understood() {
    let table = sheet("Område;Huvudmål;Delmål;Åtgärd;Kostnad (tkr)\nKlimat;Lägre utsläpp;S;Tåg;50\nKlimat;Lägre utsläpp;S;Bil;5 mnkr\n").to_table();
    assert!(
        matches!(&table.rows[0], Row::Area { title, goal: Some(goal), .. } if title == "Klimat" && goal == "Lägre utsläpp")
    );
    let ore: Vec<i64> =
        table.rows.iter().filter_map(Row::parsed_cost).map(|cost| cost.amount.unwrap().ore).collect();
    assert_eq!(ore, [5_000_000, 500_000_000]);
}

#[test]
fn what_is_not_read_is_said() {
    let read =
        sheet("Handlingsplan 2019;;;\n;;;\nOmråde;Delmål;Aktivitet;Status\nA;S;X;Röd\n;;;\nA;S;Y;;mer\n");
    assert_eq!(read.unread, ["Handlingsplan 2019", "Status", "#5"]);
    assert_eq!(read.entries.len(), 4);
}

#[test]
fn a_file_that_is_no_table_says_where_and_why() {
    assert!(refused("").contains("Område och huvudmål, Delmål, Aktivitet"));
    assert!(refused("Område;Delmål\nA;S\n").contains("line 1, lacks Aktivitet"));
    assert!(refused("Område;Delmål;Aktivitet;Åtgärd\n").contains("line 1 has the column Aktivitet twice"));
    assert!(refused("Område;Delmål;Aktivitet\n;S;X\n").contains("line 2 stands before the first heading"));
    assert!(refused("Område;Delmål;Aktivitet\nA;;X\n").contains("line 2 has no Delmål"));
    assert!(refused("Område;Delmål;Aktivitet;Tid\nA;S;;mars\n").contains("line 2 has Tid but no Aktivitet"));
    let open = refused("Område;Delmål;Aktivitet\nA;S;\"X\nA;S;Y\n");
    assert!(open.contains("line 2 opens a quotation mark that is never closed"), "{open}");
    assert!(refused("Område;Delmål;Aktivitet;Id\nA;S;X;x7\n").contains("line 2 has the id \"x7\""));
    assert!(
        refused("Område;Delmål;Aktivitet;Bas\nA;S;X;1\nA;S;Y;2\n")
            .contains("line 3 was exported at another time")
    );
    let long = format!("Område;Delmål;Aktivitet\nA;S;{}\n", "x".repeat(20_000));
    assert!(refused(&long).contains("line 2, column Aktivitet has 20000 bytes"));
}

#[test]
fn a_written_file_opens_in_a_swedish_spreadsheet_and_says_nothing_new() {
    let view = small();
    let bytes = csv(&view, ';');
    let text = String::from_utf8(bytes).unwrap();
    let mut lines = text.split("\r\n");
    assert_eq!(
        lines.next(),
        Some("\u{feff}Område och huvudmål;Delmål;Aktivitet;Ansvarig;Tid;Kostnad;Kommentar;Id;Bas")
    );
    let root = root();
    assert_eq!(lines.next().unwrap(), format!("Programmet;;;;;;;{root};{BASE}"));
    assert_eq!(text.matches("\r\n").count(), text.matches('\n').count());
    let read = sheet(&text);
    assert_eq!(read.base.as_deref(), Some(BASE));
    assert_eq!(propose(root, &view, &read), Ok(Proposal::default()));
    // Begun anew with the file, the programme writes the same but for its ids.
    let again = program(&sheet(&text));
    assert_eq!(csv(&again, ';'), text.as_bytes());
}

#[test]
fn no_text_becomes_a_formula_in_somebody_elses_spreadsheet() {
    let mut view = small();
    let activities = &mut view.areas[0].subgoals[0].activities;
    activities[0].comment = Some("=HYPERLINK(\"http://x\")".to_owned());
    activities[1].responsible_text = "- Haninge\n- Salem".to_owned();
    let text = String::from_utf8(csv(&view, ';')).unwrap();
    assert!(text.contains(";\"'=HYPERLINK(") && text.contains(";\"'- Haninge\n- Salem\";"), "{text}");
    assert_eq!(proposal(&view, &text), Proposal::default());
}

#[test]
fn rows_may_be_sorted_filtered_and_saved_with_other_signs() {
    let view = small();
    let text = String::from_utf8(csv(&view, ',')).unwrap();
    let (header, rows) = text.split_once("\r\n").unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_unstable_by_key(|row| row.split(',').nth(2).unwrap().to_owned());
    rows.reverse();
    let sorted = format!("{header}\n{}\n", rows.join("\n"));
    assert_eq!(proposal(&view, &sorted), Proposal::default());
    // Without the rows of areas and sub-goals nothing is changed, and nothing is missing.
    let alone: Vec<&str> =
        rows.iter().filter(|row| !row.split(',').nth(2).unwrap().is_empty()).copied().collect();
    assert_eq!(proposal(&view, &format!("{header}\n{}\n", alone.join("\n"))), Proposal::default());
}

#[test]
fn what_was_changed_in_a_file_is_proposed_and_nothing_else() {
    let view = small();
    let text = String::from_utf8(csv(&view, ';')).unwrap();
    let changed = text
        .replace("5 000 kr;bra", "6000;bättre")
        .replace("Klimat - Lägre utsläpp;;", "Klimat - Inga utsläpp;;");
    let proposed = proposal(&view, &changed).proposed;
    let [Proposed::Text { field: FieldKey::Goal, before, after, .. }, cost, comment] = proposed.as_slice()
    else {
        panic!("{proposed:?}")
    };
    assert_eq!((before.as_str(), after.as_str()), ("Lägre utsläpp", "Inga utsläpp"));
    assert!(
        matches!(cost, Proposed::Cost { after: Some(cost), line: 5, .. } if cost.amount.as_ref().unwrap().ore == 600_000)
    );
    assert!(matches!(comment, Proposed::Text { field: FieldKey::Comment, after, .. } if after == "bättre"));
    // The same amount in other words is no change, and neither are spaces.
    let respelled = text.replace("5 000 kr", "5000,00").replace("Hundra hus", " Hundra  hus");
    assert_eq!(proposal(&view, &respelled), Proposal::default());
}

#[test]
fn rows_added_are_new_and_rows_missing_are_listed_and_stay() {
    let view = small();
    let text = String::from_utf8(csv(&view, ';')).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("Cykel")).collect();
    let added =
        format!("{}\nKlimat - Lägre utsläpp;Resor;Buss;;;;;;\nSkola;Lära;Läsa;;;;;;\n", without.join("\n"));
    let Proposal { proposed, missing } = proposal(&view, &added);
    assert_eq!(missing.iter().map(|one| one.title.as_str()).collect::<Vec<_>>(), ["Cykel"]);
    let resor = view.areas[0].subgoals[0].id;
    let [Proposed::Added { under, after, .. }, area, subgoal, activity] = proposed.as_slice() else {
        panic!("{proposed:?}")
    };
    assert_eq!((*under, *after), (Under::Known(resor), Some(view.areas[0].subgoals[0].activities[0].id)));
    let entry = |one: &Proposed| {
        if let Proposed::Added { entry, under, .. } = one { (*entry, *under) } else { panic!() }
    };
    assert_eq!(entry(area).1, Under::Known(root()));
    assert_eq!(entry(subgoal).1, Under::New(entry(area).0));
    assert_eq!(entry(activity).1, Under::New(entry(subgoal).0));
}

#[test]
fn an_edited_table_without_ids_is_matched_by_titles_and_places() {
    let view = small();
    // Cost changed, "Cykel" moved, "Tåg" renamed with everything else the same, a sub-goal and a heading renamed.
    let edited = "Programmet||||||\nKlimat - Inga utsläpp||||||\n|Resande|Tågresor|Salem|våren|5 000 kr|bra\n|Mat|Skola||Löpande|7000|\n||Cykel||||\nBostad||||||\n|Bygga|Hundra hus|Tyresö|||\n";
    let Proposal { proposed, missing } = propose(root(), &view, &Sheet::of(&table(file(edited)))).unwrap();
    let mut said: Vec<String> = proposed
        .iter()
        .map(|one| match one {
            Proposed::Text { field, before, after, .. } => format!("{} {before} > {after}", field.name()),
            Proposed::Cost { after, .. } => format!("cost {}", after.as_ref().map_or("", |cost| &cost.raw)),
            Proposed::Added { entry, .. } => format!("added {entry}"),
            Proposed::Moved { to: Under::Known(to), .. } => {
                format!("moved to {}", to == &view.areas[0].subgoals[1].id)
            }
            other => format!("{other:?}"),
        })
        .collect();
    said.sort();
    // Neither the title of the only activity nor that of its sub-goal is there any more: nobody can tell what became of what.
    assert_eq!(
        said,
        ["added 2", "added 3", "cost 7000", "goal Lägre utsläpp > Inga utsläpp", "moved to true"]
    );
    assert_eq!(missing.len(), 2);
    let renamed = "Programmet||||||\nKlimat - Lägre utsläpp||||||\n|Resande|Tåg|Salem|våren|5 000 kr|bra\n||Cykel||||\n|Mat|Skolmat||Löpande||\nBostad||||||\n|Bygga|Hundra hus|Tyresö|||\n";
    let Proposal { proposed, missing } = propose(root(), &view, &Sheet::of(&table(file(renamed)))).unwrap();
    let titles: Vec<(&str, &str)> = proposed
        .iter()
        .map(|one| match one {
            Proposed::Text { before, after, .. } => (before.as_str(), after.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(titles, [("Resor", "Resande"), ("Skola", "Skolmat")]);
    assert_eq!(missing, []);
}

#[test]
fn an_id_that_is_not_the_programmes_or_stands_twice_is_refused() {
    let view = small();
    let text = String::from_utf8(csv(&view, ';')).unwrap();
    let tag = view.areas[0].subgoals[0].activities[0].id.to_string();
    let strange = sheet(text.replace(&tag, &id(900).to_string()));
    assert!(matches!(propose(root(), &view, &strange), Err(TableError::UnknownId { line: 5, .. })));
    let cykel = view.areas[0].subgoals[0].activities[1].id.to_string();
    let twice = sheet(text.replace(&cykel, &tag));
    assert!(matches!(propose(root(), &view, &twice), Err(TableError::IdTwice { line: 6, .. })));
}

#[test]
fn the_json_of_a_programme_comes_back_and_a_change_in_it_is_proposed() {
    let view = small();
    let text = String::from_utf8(write_json(root(), &view, BASE)).unwrap();
    let read = read_json(text.as_bytes()).unwrap();
    assert_eq!(read.base.as_deref(), Some(BASE));
    assert_eq!(propose(root(), &view, &read), Ok(Proposal::default()));
    let changed =
        read_json(text.replace("\"våren\"", "null").replace("\"Cykel\"", "\"Cyklar\"").as_bytes()).unwrap();
    let proposed = propose(root(), &view, &changed).unwrap().proposed;
    assert!(matches!(&proposed[0], Proposed::Text { field: FieldKey::Time, after, .. } if after.is_empty()));
    assert!(
        matches!(&proposed[1], Proposed::Text { field: FieldKey::Title, after, .. } if after == "Cyklar")
    );
    let torn =
        read_json(text.replace("\"ore\": 500000", "\"ore\": 600000").as_bytes()).unwrap_err().to_string();
    assert!(torn.contains("activity 1 of sub-goal 1 of area 1 differ"), "{torn}");
    for (broken, why) in [
        ("[]", "the file is not an object"),
        ("{", "line 1"),
        ("{\"areas\":[{}]}", "area 1 has no \"title\""),
    ] {
        let said = read_json(broken.as_bytes()).unwrap_err().to_string();
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn two_thousand_rows_without_ids_are_matched_in_a_moment() {
    let mut text = "Programmet||||||\n".to_owned();
    for area in 0..20 {
        text.push_str(&format!("Område {area}||||||\n"));
        for row in 0..100 {
            text.push_str(&format!("|Delmål {}|Aktivitet {area}.{row}|Haninge|våren|{row}|\n", row / 10));
        }
    }
    let view = program(&Sheet::of(&table(file(&text))));
    let other = text.replace("Aktivitet", "Insats");
    let begun = std::time::Instant::now();
    let proposed = propose(root(), &view, &Sheet::of(&table(file(&other)))).unwrap().proposed;
    assert_eq!(proposed.len(), 2_000);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

fn text() -> impl Strategy<Value = String> {
    "['=+@-]{0,3}[ a-zåäö;,\"'\t\n=0-9-]{0,12}"
}

fn titled() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("x{text}"))
}

fn any_program() -> impl Strategy<Value = ProgramView> {
    let activity = (titled(), text(), text(), text(), text());
    let subgoal = (titled(), prop::collection::vec(activity, 0..4));
    let area = (titled(), prop::collection::vec(subgoal, 0..3));
    (titled(), prop::collection::vec(area, 1..4)).prop_map(|(title, areas)| {
        let mut next = 0;
        let mut fresh = || {
            next += 1;
            id(next)
        };
        let filled = |text: String| (!text.trim().is_empty()).then_some(text);
        let mut view =
            ProgramView { title, areas: Vec::new(), parties: Vec::new(), cost: CostSum::default() };
        for (title, subgoals) in areas {
            let mut area = AreaView {
                id: fresh(),
                title,
                goal: None,
                source: None,
                standing: Standing::InForce,
                subgoals: Vec::new(),
            };
            for (title, activities) in subgoals {
                let mut subgoal = SubgoalView {
                    id: fresh(),
                    title,
                    source: None,
                    standing: Standing::InForce,
                    activities: Vec::new(),
                };
                for (title, responsible_text, time, cost, comment) in activities {
                    subgoal.activities.push(ActivityView {
                        id: fresh(),
                        title,
                        responsible_text,
                        responsible: Vec::new(),
                        lead: None,
                        time: filled(time),
                        cost: filled(cost).map(|cost| as_cost(&cost)),
                        comment: filled(comment),
                        source: None,
                        standing: Standing::InForce,
                        conflicting: Vec::new(),
                        cost_range: (0, 0),
                    });
                }
                area.subgoals.push(subgoal);
            }
            view.areas.push(area);
        }
        view
    })
}

/// All texts in order.
fn texts(view: &ProgramView) -> Vec<String> {
    let mut texts = vec![view.title.clone()];
    for area in &view.areas {
        texts.push(area.title.clone());
        texts.extend(area.goal.clone());
        for subgoal in &area.subgoals {
            texts.push(subgoal.title.clone());
            for activity in &subgoal.activities {
                let cost = activity.cost.as_ref().map(Cost::display);
                texts.extend([activity.title.clone(), activity.responsible_text.clone()]);
                texts.extend(
                    [activity.time.clone(), cost, activity.comment.clone()].map(Option::unwrap_or_default),
                );
            }
        }
    }
    // A blank text may come back as none.
    texts.retain(|text| !text.trim().is_empty());
    texts
}

proptest! {
    #[test]
    fn whatever_a_programme_says_survives_a_csv_file(view in any_program(), delimiter in prop::sample::select(vec![';', ',', '\t'])) {
        let bytes = csv(&view, delimiter);
        let read = sheet(&bytes);
        prop_assert_eq!(propose(root(), &view, &read), Ok(Proposal::default()));
        prop_assert_eq!(texts(&program(&read)).concat().replace(" - ", ""), texts(&view).concat().replace(" - ", ""));
    }

    #[test]
    fn whatever_a_programme_says_survives_a_json_file(view in any_program()) {
        let read = read_json(&write_json(root(), &view, BASE)).unwrap();
        prop_assert_eq!(propose(root(), &view, &read), Ok(Proposal::default()));
        prop_assert_eq!(texts(&program(&read)).concat().replace(" - ", ""), texts(&view).concat().replace(" - ", ""));
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_csv(&bytes);
        let _ = read_json(&bytes);
        let mut under = "Område;Delmål;Aktivitet;Kostnad\n".as_bytes().to_vec();
        under.extend(bytes);
        if let Ok(sheet) = read_csv(&under) {
            sheet.to_table().not_understood();
        }
    }
}
