//! What changed between two points, as a meeting reads it: every word of the report.
//!
//! The expected texts stand beside this file. With `RADSLAG_WRITE_REPORTS=1` they are written anew; read them before they are kept.

use std::fs;
use std::path::PathBuf;

use radslag_tests::{Municipality, Town};
use serde_json::Value as Json;

/// Two municipalities after a season of work: something of every sort, and one disagreement.
fn after_a_season() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Åsa"));
    haninge.queues(&["baseline", "add", "Beslutad 2019", "--at", "@89", "--decision", "KS-2019/123"]);
    haninge.queues(&["area", "add", "--title", "Bostäder", "--goal", "Fler bostäder"]);
    haninge.queues(&["subgoal", "add", "--area", "Bostäder", "--title", "Bygga mer"]);
    let add = ["activity", "add", "--subgoal", "Bygga mer", "--title", "Bygg *hundra* [etapp_1]"];
    haninge.queues(&[&add[..], &["--cost", "2 mnkr", "--reason", "enligt nämnden"]].concat());
    let edit = ["edit", "Nyckeltalsdagen", "--cost", "50000", "--assign", "Salem"];
    haninge.queues(&[&edit[..], &["--reason", "offert", "--decision", "KS-2019/200"]].concat());
    let comment = "Arrangeras varje år av ekonomidirektörerna, med ett tema som bestäms i rådslaget.";
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", comment]);
    haninge.queues(&["activity", "move", "Nyckeltalsdagen", "--to", "Samordnat agerande"]);
    haninge.queues(&["activity", "retire", "Erfarenhetsutbyte kring", "--reason", "klart"]);
    haninge.queues(&["party", "edit", "Nynäshamn", "--name", "Nynäshamns kommun"]);
    huddinge.queues(&["edit", "Skyltfönster Södertörn", "--time", "v. 12"]);
    haninge.queues(&["edit", "Skyltfönster Södertörn", "--time", "april"]);
    haninge.queues(&["edit", "Skyltfönster Södertörn", "--cost", "7000", "--effective", "2199-01-01"]);
    for replica in [&haninge, &huddinge, &haninge] {
        replica.does(&["sync"]);
    }
    (town, haninge, huddinge)
}

/// The text without the days and times of this run.
fn settled(text: &str, today: &str) -> String {
    let mut rest = text.replace(today, "DAY");
    let mut settled = String::new();
    while let Some(at) = rest.find("DAY ") {
        let after = rest.split_off(at + 4);
        settled.push_str(&rest);
        let timed = after.get(..5).is_some_and(|time| time.as_bytes()[2] == b':');
        settled.push_str(if timed { "TIME" } else { "" });
        rest = if timed { after[5..].to_owned() } else { after };
    }
    settled + &rest
}

#[track_caller]
fn reads(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/reports").join(name);
    if std::env::var_os("RADSLAG_WRITE_REPORTS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(text, expected, "{name} is another text now");
}

#[test]
fn a_season_of_work_reads_as_a_report_for_a_meeting() {
    let (_town, haninge, huddinge) = after_a_season();
    let today = haninge.object(&["show"])["effective_on"].as_str().unwrap().to_owned();
    let said =
        |args: &[&str]| settled(&haninge.does(&[&["diff", "Beslutad 2019"], args].concat()).out, &today);
    reads("season.sv.md", &said(&["--format", "md", "--lang", "sv"]));
    reads("season.en.md", &said(&["--format", "md", "--lang", "en"]));
    reads("season.sv.txt", &said(&["--lang", "sv"]));
    // The other municipality has the same report.
    let theirs = huddinge.does(&["diff", "Beslutad 2019", "--format", "md", "--lang", "sv"]);
    assert_eq!(settled(&theirs.out, &today), said(&["--format", "md", "--lang", "sv"]));

    let lines = haninge.objects(&["diff", "Beslutad 2019"]);
    let line = |field: &str, title: &str| {
        lines.iter().find(|line| line["field"] == field && line["title"] == title).unwrap().clone()
    };
    let cost = line("cost", "Nyckeltalsdagen");
    assert_eq!([&cost["area"], &cost["parent"]], ["Gemensam ägarstyrning", "Samordnat agerande"]);
    assert_eq!([&cost["org"], &cost["member"]], ["haninge", "Håkan"]);
    assert_eq!([&cost["reason"], &cost["decision"]], ["offert", "KS-2019/200"]);
    assert_eq!(line("time", "Skyltfönster Södertörn")["in_conflict"], true);
    assert!(lines.iter().all(|line| line["event_id"].is_string()));
    let sorts: Vec<&Json> = lines.iter().map(|line| &line["sort"]).collect();
    for (sort, times) in [("added", 3), ("retired", 1), ("moved", 1)] {
        assert_eq!(sorts.iter().filter(|one| **one == sort).count(), times, "{sort}");
    }
}

#[test]
fn nothing_is_a_report_too_and_only_diff_writes_markdown() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge
        .does(&["diff", "@89", "--format", "md"])
        .says("Nothing has changed.")
        .says("525\u{a0}000\u{a0}kr");
    haninge.does(&["--lang", "sv", "diff", "@89"]).says("ingenting har ändrats");
    for other in [&["show"][..], &["blame"], &["sync"], &["edit", "Nyckeltalsdagen", "--cost", "1"]] {
        haninge.run(&[other, &["--format", "md"]].concat()).exits(2).says("only diff writes Markdown");
    }
}
