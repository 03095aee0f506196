//! From which day something applies: decisions entered late, decisions for a day to come, and what each day shows.

use radslag_tests::{Municipality, Town};
use serde_json::{Value as Json, json};

const SUMMIT: &str = "Toppmöte";

/// A programme with one activity that has applied since 2019, known to both municipalities.
fn since_2019() -> (Town, Municipality, Municipality) {
    let mut town = Town::empty();
    town.begin("Program");
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    let from = ["--effective", "2019-01-01"];
    haninge.queues(&[&["area", "add", "--title", "Klimat"], &from[..]].concat());
    haninge.queues(&[&["subgoal", "add", "--area", "Klimat", "--title", "Mötas"], &from[..]].concat());
    for party in ["Salem", "Tyresö"] {
        haninge.queues(&[&["party", "add", "--name", party], &from[..]].concat());
    }
    let add = ["activity", "add", "--subgoal", "Mötas", "--title", SUMMIT, "--cost", "10 000"];
    haninge.queues(&[&add[..], &["--assign", "Salem"], &from].concat());
    passes(&haninge, &huddinge);
    (town, haninge, huddinge)
}

#[track_caller]
fn passes(from: &Municipality, to: &Municipality) {
    for replica in [from, to, from] {
        replica.does(&["sync"]);
    }
    assert_eq!(from.object(&["status"])["state_hash"], to.object(&["status"])["state_hash"]);
}

/// The activity as a day shows it.
#[track_caller]
fn on(replica: &Municipality, title: &str, day: &str) -> Json {
    let rows = replica.objects(&["show", "--rows", "--effective", day]);
    rows.into_iter().find(|row| row["title"] == title).unwrap_or(Json::Null)
}

#[track_caller]
fn cost_on(replica: &Municipality, day: &str) -> Json {
    on(replica, SUMMIT, day)["cost"]["raw"].clone()
}

#[test]
fn a_decision_entered_late_applies_from_its_day_and_overrides_nothing_later() {
    let (_town, haninge, huddinge) = since_2019();
    haninge.queues(&["edit", SUMMIT, "--cost", "30 000"]);
    passes(&haninge, &huddinge);
    let before = huddinge.object(&["status"])["position"].as_u64().unwrap();
    let late = ["edit", SUMMIT, "--cost", "20 000", "--effective", "2019-07-01", "--decision", "KS-2019/123"];
    huddinge.does(&late).says("applies from 2019-07-01");
    passes(&huddinge, &haninge);
    let today = haninge.object(&["show"])["effective_on"].as_str().unwrap().to_owned();
    for replica in [&haninge, &huddinge] {
        let days = ["2019-01-01", "2019-06-30", "2019-07-01", &today];
        assert_eq!(days.map(|day| cost_on(replica, day)), ["10 000", "10 000", "20 000", "30 000"]);
        assert_eq!(replica.activity(SUMMIT)["cost"]["raw"], "30 000");
        // As of before it was entered, its day said something else; that answer does not change.
        let then = format!("@{before}");
        let row = &replica.objects(&["show", "--rows", "--as-of", &then, "--effective", "2019-07-01"])[0];
        assert_eq!(row["cost"]["raw"], "10 000");
        assert_eq!(replica.objects(&["conflicts"]), Vec::<Json>::new());
        let [line] = &replica.facts(&["diff", &then, "--effective", "2019-07-01"])[..] else {
            panic!("one field of that day has changed")
        };
        assert_eq!([&line["before"]["raw"], &line["after"]["raw"]], ["10 000", "20 000"]);
        assert_eq!(replica.objects(&["diff", &then]), Vec::<Json>::new());
        let year = replica.facts(&["diff", &then, "--effective", "2019-06-30..2019-07-01"]);
        assert_eq!(year, std::slice::from_ref(line));
    }
    let told = |args: &[&str]| haninge.objects(args).pop().unwrap();
    let change = told(&["history", SUMMIT]);
    assert_eq!([&change["applies_on"], &change["decision"]], ["2019-07-01", "KS-2019/123"]);
    assert_eq!([&change["written"]["raw"], &change["after"]["raw"]], ["20 000", "30 000"]);
    let change = told(&["history", SUMMIT, "--effective", "2019-07-01"]);
    assert_eq!([&change["before"]["raw"], &change["after"]["raw"]], ["10 000", "20 000"]);
    let blamed = haninge.objects(&["blame", SUMMIT, "--effective", "2019-08-01"]);
    let cost = blamed.iter().find(|line| line["field"] == "cost").unwrap();
    assert_eq!([&cost["org"], &cost["value"]["raw"]], ["huddinge", "20 000"]);
    assert!(haninge.exported(&["--effective", "2019-07-01"]).contains("20 000"));
    haninge.does(&["verify"]);
}

#[test]
fn an_edit_in_sight_of_a_later_value_is_asked_for_its_date() {
    let (_town, haninge, huddinge) = since_2019();
    haninge.queues(&["edit", SUMMIT, "--cost", "50 000", "--effective", "2199-01-01"]);
    passes(&haninge, &huddinge);
    let before = huddinge.standing();
    let refused = huddinge.run(&["edit", SUMMIT, "--cost", "12 000"]).exits(1);
    let refused =
        refused.says("Toppmöte: cost has a later value already").says("from 2199-01-01 (haninge, Håkan");
    refused.says("hint: --effective 2199-01-01 changes what applies from that day on");
    huddinge.run(&["--lang", "sv", "edit", SUMMIT, "--cost", "12 000"]).exits(1).says("eget datum");
    assert_eq!(huddinge.standing(), before);

    let today = huddinge.object(&["show"])["effective_on"].as_str().unwrap().to_owned();
    huddinge.queues(&["edit", SUMMIT, "--cost", "12 000", "--effective", &today]);
    // What was mistyped for a day to come is corrected by an edit of that day.
    huddinge.queues(&[
        "edit",
        SUMMIT,
        "--cost",
        "55 000",
        "--effective",
        "2199-01-01",
        "--reason",
        "skrivfel",
    ]);
    passes(&huddinge, &haninge);
    assert_eq!(
        [&today, "2198-12-31", "2199-01-01"].map(|day| cost_on(&haninge, day)),
        ["12 000", "12 000", "55 000"]
    );
    assert_eq!(haninge.objects(&["conflicts"]), Vec::<Json>::new());
    let shown = haninge.object(&["activity", "show", SUMMIT]);
    let costs: Vec<[&Json; 3]> = shown["fields"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["field"] == "cost")
        .map(|line| [&line["value"]["raw"], &line["applies_on"], &line["later"]])
        .collect();
    let later = json!("2199-01-01");
    assert_eq!(
        costs,
        [[&json!("12 000"), &json!(today), &json!(false)], [&json!("55 000"), &later, &json!(true)]]
    );
    haninge.does(&["activity", "show", SUMMIT]).says("[from 2199-01-01]");
    haninge.does(&["verify"]);
}

#[test]
fn life_place_and_responsibility_have_their_days_too() {
    let (_town, haninge, huddinge) = since_2019();
    haninge.queues(&["subgoal", "add", "--area", "Klimat", "--title", "Resa", "--effective", "2100-01-01"]);
    let add = ["activity", "add", "--subgoal", "Resa", "--title", "Tågresa", "--cost", "7 000"];
    haninge.queues(&[&add[..], &["--effective", "2100-02-01"]].concat());
    haninge.queues(&["activity", "move", SUMMIT, "--to", "Resa", "--effective", "2100-03-01"]);
    haninge.queues(&[
        "edit",
        SUMMIT,
        "--assign",
        "Tyresö",
        "--unassign",
        "Salem",
        "--effective",
        "2100-04-01",
    ]);
    haninge.queues(&["party", "edit", "Tyresö", "--name", "Tyresö kommun", "--effective", "2100-05-01"]);
    haninge.queues(&["activity", "retire", SUMMIT, "--effective", "2100-06-01"]);
    passes(&haninge, &huddinge);
    for replica in [&haninge, &huddinge] {
        let summit = |day| on(replica, SUMMIT, day);
        assert_eq!(summit("2100-02-28")["subgoal"], "Mötas");
        assert_eq!(
            [&summit("2100-03-01")["subgoal"], &summit("2100-03-31")["responsible"]],
            ["Resa", "Salem"]
        );
        let responsible = ["2100-04-01", "2100-05-01"].map(|day| summit(day)["responsible"].clone());
        assert_eq!(responsible, ["Tyresö", "Tyresö kommun"]);
        assert_eq!(summit("2100-06-01"), Json::Null);
        // Flagged in place until their days come, and no part of the sum.
        let train = replica.activity("Tågresa");
        assert_eq!([&train["standing"], &train["in_force_from"]], ["not_yet", "2100-02-01"]);
        assert_eq!([&train["parent_in_force"], &train["cost"]["raw"]], [&json!(false), &json!("7 000")]);
        let shown = replica.object(&["show"]);
        assert_eq!([&shown["activities"], &shown["subgoals"], &shown["not_yet_in_force"]], [1, 1, 2]);
        assert_eq!(shown["cost"]["sum_ore"], 1_000_000);
        assert_eq!(replica.object(&["show", "--effective", "2100-02-01"])["cost"]["sum_ore"], 1_700_000);
        replica.does(&["show"]).says("– Tågresa  [in force from 2100-02-01]").says("2 not yet in force");
        replica.does(&["--lang", "sv", "show", "--rows"]).says("gäller från 2100-02-01");
        assert!(!replica.exported(&[]).contains("Tågresa"));
        assert!(replica.exported(&["--effective", "2100-02-01"]).contains("Tågresa"));
    }
    haninge.run(&["activity", "retire", "Tågresa"]).exits(1).says("comes into force on 2100-02-01");
    haninge.run(&["activity", "restore", "Tågresa"]).exits(1).says("--effective 2100-02-01");
    haninge.queues(&["activity", "retire", "Tågresa", "--effective", "2100-02-01"]);
    assert_eq!(haninge.activity("Tågresa"), Json::Null);
}

#[test]
fn a_late_registration_does_not_settle_the_conflict_of_today_and_a_resolution_is_dated_as_its_latest_side() {
    let (mut town, haninge, huddinge) = since_2019();
    town.stop();
    haninge.queues(&["edit", SUMMIT, "--cost", "20 000", "--effective", "2020-01-01"]);
    huddinge.queues(&["edit", SUMMIT, "--cost", "25 000", "--effective", "2021-01-01"]);
    town.start();
    passes(&haninge, &huddinge);
    assert_eq!(haninge.objects(&["conflicts", "--effective", "2020-12-31"]), Vec::<Json>::new());
    assert_eq!(haninge.objects(&["conflicts", "--effective", "2021-01-01"]).len(), 1);

    let late = ["edit", SUMMIT, "--cost", "15 000", "--effective", "2019-09-01"];
    haninge.does(&late).says("the sides still disagree, so the conflict stays open about cost");
    passes(&haninge, &huddinge);
    let open = huddinge.object(&["conflicts"]);
    assert_eq!(open["sides"].as_array().unwrap().len(), 3);
    let id = open["conflict_id"].as_str().unwrap()[..8].to_owned();
    // One that states no day has the day of the latest side it settles.
    huddinge.queues(&["resolve", &id, "--take", "1", "--reason", "enligt rådslaget"]);
    passes(&huddinge, &haninge);
    assert_eq!(haninge.objects(&["conflicts"]), Vec::<Json>::new());
    let resolved = haninge.objects(&["history", SUMMIT]).pop().unwrap();
    assert_eq!([&resolved["kind"], &resolved["applies_on"]], ["conflict_resolved", "2021-01-01"]);
    let days = ["2019-09-01", "2020-01-01", "2021-01-01"].map(|day| cost_on(&haninge, day));
    assert_eq!(days, ["15 000", "20 000", "20 000"]);
}

#[test]
fn undo_has_the_day_of_what_it_undoes() {
    let (_town, haninge, huddinge) = since_2019();
    haninge.queues(&["edit", SUMMIT, "--cost", "30 000"]);
    let late = haninge.queues(&["edit", SUMMIT, "--cost", "20 000", "--effective", "2019-07-01"]).remove(0);
    let add = ["activity", "add", "--subgoal", "Mötas", "--title", "Tågresa", "--effective", "2100-01-01"];
    let added = haninge.queues(&add).remove(0);
    passes(&haninge, &huddinge);
    huddinge.does(&["undo", &late]).says("applies from 2019-07-01");
    huddinge.does(&["undo", &added]).says("applies from 2100-01-01");
    passes(&huddinge, &haninge);
    assert_eq!(cost_on(&haninge, "2019-07-01"), "10 000");
    assert_eq!(haninge.activity(SUMMIT)["cost"]["raw"], "30 000");
    assert_eq!(on(&haninge, "Tågresa", "2100-01-01"), Json::Null);
    haninge.run(&["undo", &late]).exits(1).says("has been changed again since");
}

#[test]
fn a_day_that_is_none_is_a_usage_error() {
    let (_town, haninge, _) = since_2019();
    let before = haninge.standing();
    let commands: &[&[&str]] = &[
        &["show"],
        &["show", "--rows", "--as-of", "@1"],
        &["blame"],
        &["history", SUMMIT],
        &["conflicts"],
        &["diff", "@1"],
        &["export", "--to", "x.tsv"],
        &["activity", "show", SUMMIT],
        &["edit", SUMMIT, "--cost", "1"],
        &["area", "add", "--title", "A"],
        &["subgoal", "move", "Mötas", "--to", "Klimat"],
        &["activity", "retire", SUMMIT],
        &["activity", "restore", SUMMIT],
        &["party", "edit", "Salem", "--name", "B"],
        &["resolve", "00000000", "--take", "1"],
        &["outbox", "resubmit", "1"],
    ];
    for command in commands {
        for day in ["2019-02-29", "1899-12-31", "2200-01-01", "2019-7-1", "igår", ""] {
            let outcome = haninge.run(&[command, &["--effective", day][..]].concat()).exits(2);
            outcome.says("--effective").says("between 1900-01-01 and 2199-12-31");
        }
    }
    assert_eq!(haninge.standing(), before);
    haninge.run(&["undo", "00000000", "--effective", "2019-01-01"]).code.filter(|code| *code == 2).unwrap();
}
