//! What an answer rests on: printed with it, taken back, and good for the same bytes for ever.

use std::fs;

use radslag_tests::{Municipality, Town};
use serde_json::{Value as Json, json};

fn two() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", "60 000 kr"]);
    for replica in [&haninge, &huddinge, &haninge] {
        replica.does(&["sync"]);
    }
    (town, haninge, huddinge)
}

/// What a later reader can tell apart: a title, a place, a life, a name, an old date, and a conflict that is no more.
fn write_on(haninge: &Municipality, huddinge: &Municipality) {
    haninge.queues(&["edit", "Nyckeltalsdagen", "--title", "Nyckeltalsveckan", "--cost", "70 000"]);
    haninge.queues(&["edit", "Nyckeltalsveckan", "--comment", "Sent", "--effective", "2019-01-01"]);
    haninge.queues(&["activity", "move", "Nyckeltalsveckan", "--to", "Samordnat agerande"]);
    haninge.queues(&["activity", "retire", "Avsätter tid"]);
    haninge.queues(&["party", "edit", "Salem", "--name", "Salems kommun"]);
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
}

#[track_caller]
fn basis_of(answer: &Json) -> String {
    answer["basis"].as_str().unwrap().to_owned()
}

#[test]
fn the_same_basis_gives_the_same_bytes_before_and_after_others_write() {
    let (_town, haninge, huddinge) = two();
    let basis = basis_of(&haninge.object(&["show"]));
    let both = format!("@95/{}..{basis}", &basis[basis.find('/').unwrap() + 1..]);
    let commands: &[&[&str]] = &[
        &["show"],
        &["show", "--rows"],
        &["blame"],
        &["blame", "Nyckeltalsdagen"],
        &["conflicts"],
        &["activity", "show", "Nyckeltalsdagen"],
        &["history", "Nyckeltalsdagen"],
        &["history", "Nyckeltalsdagen", "--effective", "2026-01-01"],
        &["log", "--last", "4"],
        &["log", "--by", "org"],
        &["export", "--to", "on-basis.tsv"],
        &["diff"],
    ];
    let answers = || {
        let mut answers = Vec::new();
        for (command, format) in commands.iter().flat_map(|one| [(one, "table"), (one, "json")]) {
            let basis = if command[0] == "diff" { &both } else { &basis };
            let args = [*command, &["--basis", basis, "--format", format, "--lang", "sv"]].concat();
            answers.push(haninge.does(&args).out);
        }
        answers.push(fs::read_to_string(haninge.dir().join("on-basis.tsv")).unwrap());
        answers
    };
    let before = answers();
    assert!(before.iter().all(|answer| !answer.is_empty()));
    write_on(&huddinge, &haninge);
    // What is queued is in no basis.
    haninge.queues(&["edit", "Tvärförbindelse", "--cost", "1"]);
    for (before, after) in before.iter().zip(answers()) {
        assert_eq!(*before, after);
    }
    // Asked for as a point, with its day, it is the same answer; and the other municipality gives it too.
    let (position, day) = basis[..basis.len() - 6].split_once('/').unwrap();
    let asked =
        ["show", "--rows", "--as-of", position, "--effective", day, "--format", "json", "--lang", "sv"];
    assert_eq!(haninge.does(&asked).out, before[3]);
    assert_eq!(huddinge.does(&["show", "--rows", "--basis", &basis, "--format", "json"]).out, before[3]);
}

#[test]
fn an_answer_says_what_it_rests_on_and_what_may_still_change() {
    let (_town, haninge, huddinge) = two();
    let head = haninge.object(&["status"])["position"].as_u64().unwrap();
    let now = haninge.object(&["show"]);
    let today = now["effective_on"].as_str().unwrap().to_owned();
    assert_eq!(basis_of(&now), format!("@{head}/{today}/r0/v1"));
    assert_eq!(now["open"], json!(["effective"]));
    haninge.does(&["show"]).says(&format!("basis @{head}/{today}/r0/v1  (open: that day is not over)"));
    haninge.does(&["--lang", "sv", "blame"]).says("(öppet: dagen är inte slut)");
    let on = |args: &[&str]| haninge.object(&[&["show"], args].concat());
    assert_eq!(on(&["--effective", "2019-07-01"])["open"], json!([]), "that day is over");
    assert_eq!(on(&["--as-of", &format!("@{head}")])["open"], json!([]), "a position is a position");
    assert_eq!(on(&["--as-of", &today])["open"], json!(["recorded"]));
    assert_eq!(on(&["--as-of", "2199-12-31T00:00:00"])["open"], json!(["recorded"]));
    let last = haninge.object(&["status"])["recorded_at"].as_str().unwrap().to_owned();
    assert_eq!(on(&["--as-of", &last])["open"], json!([]), "all up to the last record is here");
    assert_eq!(on(&["--basis", &basis_of(&now)])["open"], json!([]));

    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "I kö"]);
    assert_eq!(on(&[])["open"], json!(["queued", "effective"]));
    assert_eq!(basis_of(&on(&[])), basis_of(&now), "what is queued is in no basis");
    let lines = haninge.objects(&["diff", "@95"]);
    assert!(lines.iter().all(|line| line["basis"] == format!("@95/{today}/r0/v1..@{head}/{today}/r0/v1")));
    assert_eq!(lines[0]["open"], json!(["queued", "effective"]));
    for command in
        [&["history", "Nyckeltalsdagen"][..], &["log"], &["conflicts"], &["blame"], &["show", "--rows"]]
    {
        let line = huddinge.objects(command).pop().unwrap();
        assert!(line["basis"].is_string() && line["open"].is_array(), "{command:?}: {line}");
        huddinge.does(command).says("basis @");
    }
}

#[test]
fn what_is_no_basis_or_another_logs_is_refused() {
    let (_town, haninge, _) = two();
    let basis = basis_of(&haninge.object(&["show"]));
    for wrong in ["", "@95", "95", "@95/2026-02-30/r0/v1", "@95/-/r0/v1", "yesterday"] {
        haninge.run(&["show", "--basis", wrong]).exits(2).says("is not the basis of an answer");
    }
    haninge.run(&["show", "--basis", &basis, "--as-of", "@95"]).code.filter(|code| *code == 2).unwrap();
    haninge.run(&["diff", "--basis", &basis]).exits(2).says("FROM..TO");
    haninge.run(&["diff"]).code.filter(|code| *code == 2).unwrap();
    let ahead = basis.replacen('@', "@9", 1);
    haninge.run(&["show", "--basis", &ahead]).exits(1).says("is after the last one");
    let foreign = format!("{basis}/5d5d5d5d-5d5d-4d5d-9d5d-5d5d5d5d5d5d");
    haninge.run(&["blame", "--basis", &foreign]).exits(1).says("does not have the records");
    let newer = basis.replace("/v1", "/v2");
    let read = haninge.does(&["show", "--basis", &newer, "--format", "json"]).says("the same facts");
    assert_eq!(basis_of(&read.object()), basis, "it says how it was read");
}
