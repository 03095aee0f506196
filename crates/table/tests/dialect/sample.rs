//! The real programme: `samples/sodertorn-2019.tsv`.

use std::collections::BTreeSet;

use radslag_core::event::PartyKind;
use radslag_core::parse::time::{Timing, parse_time};
use radslag_table::{ExportProgram, Layout, Row, Table, write};

use super::{table, written};

const SAMPLE: &[u8] = include_bytes!("../../../../samples/sodertorn-2019.tsv");

fn lines(bytes: &[u8]) -> Vec<&str> {
    std::str::from_utf8(bytes).expect("texts are UTF-8").split('\n').collect()
}

/// The numbers of the lines that differ between the sample and the programme as `edit` leaves it.
fn changed(edit: impl FnOnce(&mut ExportProgram)) -> Vec<usize> {
    let table = table(SAMPLE);
    let mut view = table.to_export();
    edit(&mut view);
    let bytes = write(Some(&table.layout), &view).expect("every text fits");
    let (before, after) = (lines(SAMPLE), lines(&bytes));
    assert_eq!(before.len(), after.len());
    (0..before.len()).filter(|at| before[*at] != after[*at]).map(|at| at + 1).collect()
}

fn activities(table: &Table) -> impl Iterator<Item = &Row> {
    table.rows.iter().filter(|row| matches!(row, Row::Activity { .. }))
}

#[test]
fn the_untouched_programme_is_the_same_8538_bytes() {
    let table = table(SAMPLE);
    let bytes = written(&table);
    assert_eq!(bytes.len(), 8_538);
    assert_eq!(bytes, SAMPLE);
}

#[test]
fn the_rows_are_counted_right() {
    let table = table(SAMPLE);
    assert_eq!(table.title.as_deref(), Some("Södertörns utvecklingsprogram 2013"));
    let view = table.to_export();
    assert_eq!(view.areas.len(), 13);
    assert_eq!(view.areas.iter().filter(|area| !area.subgoals.is_empty()).count(), 12);
    assert_eq!(view.areas.iter().filter(|area| area.goal.is_none()).count(), 8);
    let subgoals: Vec<_> = view.areas.iter().flat_map(|area| &area.subgoals).collect();
    assert_eq!(subgoals.len(), 21);
    assert_eq!(subgoals.iter().map(|subgoal| subgoal.activities.len()).sum::<usize>(), 32);
    let ditto = activities(&table).filter(|row| matches!(row, Row::Activity { subgoal: None, .. }));
    assert_eq!(ditto.count(), 11);
}

#[test]
fn the_costs_sum_to_525_000_kr_over_six_rows() {
    let table = table(SAMPLE);
    let costs: Vec<_> = activities(&table).filter_map(Row::parsed_cost).collect();
    assert_eq!(costs.len(), 6);
    assert_eq!(costs.iter().map(|cost| cost.amount.as_ref().unwrap().ore).sum::<i64>(), 52_500_000);
    assert_eq!(activities(&table).count() - costs.len(), 26);
}

#[test]
fn an_area_name_that_comes_twice_is_two_headings_with_their_own_goals() {
    let view = table(SAMPLE).to_export();
    let twins: Vec<_> = view.areas.iter().filter(|area| area.title == "Näringsliv och högskola").collect();
    assert_eq!(twins.iter().map(|area| area.source_line).collect::<Vec<_>>(), [Some(18), Some(21)]);
    assert_ne!(twins[0].goal, twins[1].goal);
}

#[test]
fn every_time_that_is_written_is_understood() {
    for row in activities(&table(SAMPLE)) {
        let Row::Activity { time, .. } = row else { continue };
        assert_eq!(parse_time(time) == Timing::Unknown, time.is_empty(), "{time}");
    }
}

#[test]
fn the_parties_are_eight_municipalities_six_people_and_five_more() {
    let parties = table(SAMPLE).parties();
    let of = |kind| parties.iter().filter(move |party| party.1 == kind).map(|party| party.0.as_str());
    assert_eq!(parties[0].0, "Haninge");
    assert_eq!(of(PartyKind::Municipality).count(), 8);
    let people: Vec<_> = of(PartyKind::Person).collect();
    assert_eq!(people, ["David Schubert", "Anna Be", "Håkan", "Anna Br", "Lena", "Andreas"]);
    let others: BTreeSet<_> = parties
        .iter()
        .filter(|p| !matches!(p.1, PartyKind::Municipality | PartyKind::Person))
        .map(|p| p.0.as_str())
        .collect();
    let wanted = ["Södertörn", "Etablering Södertörn", "Kdir/KSO", "Ekonomi- direktörerna", "Projektet ADA"];
    assert_eq!(others, BTreeSet::from(wanted));
}

#[test]
fn the_layout_is_small_and_holds_no_text_but_the_header() {
    let layout = table(SAMPLE).layout;
    assert_eq!(layout.line_count(), 51);
    let bytes = layout.encode();
    assert_eq!(Layout::decode(&bytes).unwrap(), layout);
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "radslag-layout/1\nno bom\nOmråde och huvudmål\tDelmål\tAktivitet\tAnsvarig\tTid\tKostnad\tKommentar\n\
         =1b2=7htgac6a2gacga=1b=7gacacgag2a2gac2gaga2ga2=1b=7gaga3Na\n"
    );
}

#[test]
fn one_edited_cell_changes_one_line() {
    let table = table(SAMPLE);
    for (a, area) in table.to_export().areas.iter().enumerate() {
        let heading = usize::try_from(area.source_line.unwrap()).unwrap();
        assert_eq!(changed(|view| view.areas[a].title.push('!')), [heading]);
        assert_eq!(changed(|view| view.areas[a].goal = Some("Nytt mål".to_owned())), [heading]);
        for (s, subgoal) in area.subgoals.iter().enumerate() {
            let line = usize::try_from(subgoal.source_line.unwrap()).unwrap();
            assert_eq!(changed(|view| view.areas[a].subgoals[s].title.push('!')), [line]);
            for (i, activity) in subgoal.activities.iter().enumerate() {
                let line = usize::try_from(activity.source_line.unwrap()).unwrap();
                assert_eq!(changed(|view| view.areas[a].subgoals[s].activities[i].cost.push('0')), [line]);
                assert_eq!(changed(|view| view.areas[a].subgoals[s].activities[i].comment.push('!')), [line]);
            }
        }
    }
    assert_eq!(changed(|view| view.title.push('!')), [4]);
}

#[test]
fn any_retired_activity_takes_one_line_with_it_and_no_other_changes_but_the_next() {
    let table = table(SAMPLE);
    for (a, area) in table.to_export().areas.iter().enumerate() {
        for (s, subgoal) in area.subgoals.iter().enumerate() {
            for (i, activity) in subgoal.activities.iter().enumerate() {
                let mut view = table.to_export();
                view.areas[a].subgoals[s].activities.remove(i);
                let bytes = write(Some(&table.layout), &view).unwrap();
                let line = usize::try_from(activity.source_line.unwrap()).unwrap();
                let mut wanted: Vec<String> = lines(SAMPLE).into_iter().map(str::to_owned).collect();
                let gone = wanted.remove(line - 1);
                if subgoal.activities.len() == 1 {
                    wanted.insert(line - 1, format!("\t{}\t\t\t\t\t", subgoal.title));
                } else if i == 0 {
                    assert!(gone.contains(&subgoal.title));
                    wanted[line - 1] =
                        wanted[line - 1].replacen("\t\t", &format!("\t{}\t", subgoal.title), 1);
                }
                assert_eq!(lines(&bytes), wanted);
            }
        }
    }
}
