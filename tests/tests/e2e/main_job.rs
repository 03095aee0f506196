//! The main job, from one table to the other: import, offline edits in two municipalities, the conflict, its resolution,
//! and the look back.

use std::fs;

use radslag_tests::{Municipality, Town, sample};
use serde_json::{Value as Json, json};

const ACTIVITY: &str = "Nyckeltalsdagen";

#[test]
fn two_municipalities_edit_offline_disagree_settle_it_and_everything_stays_accountable() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let huddinge = town.municipality("huddinge", "Åsa Öberg");
    for replica in [&haninge, &huddinge] {
        replica.does(&["pull"]);
        is_the_sample(replica);
    }
    let before = format!("@{}", position(&haninge));

    town.stop();
    both_edit_offline(&haninge, &huddinge);

    town.start();
    for replica in [&haninge, &huddinge, &haninge] {
        replica.does(&["sync"]);
    }
    let conflict = both_see_the_one_conflict(&haninge, &huddinge);

    haninge
        .does(&["resolve", &conflict[56..], "--take", "haninge", "--reason", "enligt offert"])
        .says("queued, not synced");
    haninge.does(&["sync"]).says("0 conflicts");
    huddinge.does(&["sync"]).says("0 conflicts");
    for replica in [&haninge, &huddinge] {
        replica.does(&["conflicts"]).says("no conflicts");
        assert_eq!(replica.activity(ACTIVITY)["cost"]["ore"], 5_000_000);
        nothing_is_lost(replica);
        the_past_is_as_it_was(replica, &before);
    }
    both_hold_the_same(&haninge, &huddinge);
    the_same_table_again_records_nothing(&haninge);
}

fn position(replica: &Municipality) -> u64 {
    replica.object(&["status"])["position"].as_u64().unwrap()
}

fn is_the_sample(replica: &Municipality) {
    // The thousands stand apart by a no-break space.
    replica.does(&["show"]).says(
        "13 headings, 21 sub-goals, 32 activities, 525\u{a0}000\u{a0}kr; 26 of 32 activities lack a cost\n",
    );
    replica.does(&["--lang", "sv", "show"]).says(
        "13 rubriker, 21 delmål, 32 aktiviteter, 525\u{a0}000\u{a0}kr; 26 av 32 aktiviteter saknar kostnad\n",
    );
    let shown = replica.object(&["show"]);
    assert_eq!(shown["title"], "Södertörns utvecklingsprogram 2013");
    assert_eq!(
        [&shown["headings"], &shown["subgoals"], &shown["activities"]],
        [&json!(13), &json!(21), &json!(32)]
    );
    assert_eq!([&shown["cost"]["sum_ore"], &shown["cost"]["missing"]], [&json!(52_500_000), &json!(26)]);
    assert_eq!(shown["position"], position(replica));
    assert_eq!(replica.objects(&["show", "--rows"]).len(), 32);
}

/// Both change the same cost, huddinge something else as well. The server is down.
fn both_edit_offline(haninge: &Municipality, huddinge: &Municipality) {
    let queued = "queued, not synced";
    haninge.does(&["edit", ACTIVITY, "--cost", "50000", "--reason", "offert"]).says(queued);
    huddinge.does(&["edit", ACTIVITY, "--cost", "60 000 kr"]).says(queued);
    huddinge.does(&["edit", "Samarbete Almedalen", "--time", "Augusti"]).says(queued);
    for (replica, waiting) in [(haninge, 1), (huddinge, 2)] {
        replica.run(&["sync"]).exits(4).says("nothing answers at").says("radslagd serve");
        let status = replica.object(&["status"]);
        assert_eq!([&status["outbox"], &status["conflicts"]], [&json!(waiting), &json!(0)]);
    }
    // Each sees its own change at once and not the other's.
    assert_eq!(haninge.activity(ACTIVITY)["cost"]["ore"], 5_000_000);
    assert_eq!(huddinge.activity(ACTIVITY)["cost"]["ore"], 6_000_000);
}

fn both_see_the_one_conflict(haninge: &Municipality, huddinge: &Municipality) -> String {
    let found = haninge.conflicts();
    assert_eq!(found, huddinge.conflicts());
    let [conflict] = found.as_slice() else { panic!("one conflict, not {found:?}") };
    assert_eq!([&conflict["title"], &conflict["field"]], [&json!(ACTIVITY), &json!("cost")]);
    let sides = conflict["sides"].as_array().unwrap();
    let said: Vec<[&Json; 3]> =
        sides.iter().map(|side| [&side["org"], &side["member"], &side["value"]["ore"]]).collect();
    assert_eq!(
        said,
        [
            [&json!("haninge"), &json!("Håkan"), &json!(5_000_000)],
            [&json!("huddinge"), &json!("Åsa Öberg"), &json!(6_000_000)],
        ]
    );
    // While it is open the sum is a range, and neither side is counted twice.
    let cost = &haninge.object(&["show"])["cost"];
    assert_eq!([&cost["low_ore"], &cost["high_ore"]], [&json!(57_500_000), &json!(58_500_000)]);
    conflict["conflict_id"].as_str().unwrap().to_owned()
}

/// The side that did not stand is in the history, with who wrote it and why the other one stands.
fn nothing_is_lost(replica: &Municipality) {
    let history = replica.objects(&["history", ACTIVITY]);
    let costs: Vec<&Json> = history.iter().filter(|change| change["field"] == "cost").collect();
    let told: Vec<[&Json; 4]> = costs
        .iter()
        .map(|change| [&change["org"], &change["written"]["ore"], &change["after"]["ore"], &change["reason"]])
        .collect();
    let (haninge, huddinge) = (json!("haninge"), json!("huddinge"));
    let (fifty, sixty) = (json!(5_000_000), json!(6_000_000));
    assert_eq!(
        told,
        [
            [&haninge, &fifty, &fifty, &json!("offert")],
            [&huddinge, &sixty, &sixty, &Json::Null],
            [&haninge, &fifty, &fifty, &json!("enligt offert")],
        ]
    );
    assert_eq!([&costs[1]["conflict_after"], &costs[2]["conflict_after"]], [&json!(true), &json!(false)]);
    let blame = replica.objects(&["blame", ACTIVITY]);
    let line = blame.iter().find(|line| line["field"] == "cost").unwrap();
    assert_eq!([&line["org"], &line["member"]], [&json!("haninge"), &json!("Håkan")]);
}

fn the_past_is_as_it_was(replica: &Municipality, before: &str) {
    let changed = replica.objects(&["diff", before]);
    let told: Vec<[&Json; 2]> = changed.iter().map(|change| [&change["title"], &change["field"]]).collect();
    assert_eq!(told, [[&json!("Samarbete Almedalen"), &json!("time")], [&json!(ACTIVITY), &json!("cost")]]);
    let kinds: Vec<Json> =
        replica.objects(&["log", "--last", "4"]).iter().map(|record| record["kind"].clone()).collect();
    assert_eq!(kinds, ["field_revised", "field_revised", "field_revised", "conflict_resolved"]);

    let source = fs::read_to_string(sample()).unwrap();
    assert_eq!(source.len(), 8538);
    assert_eq!(replica.exported(&["--as-of", before]), source);
    assert_eq!(replica.object(&["show", "--as-of", before])["cost"]["sum_ore"], 52_500_000);
    let now = replica.exported(&[]);
    let changed: Vec<(&str, &str)> =
        source.lines().zip(now.lines()).filter(|(old, new)| old != new).collect();
    let [(_, almedalen), (old, new)] = changed.as_slice() else {
        panic!("two lines differ, not {changed:?}")
    };
    assert!(
        almedalen.contains("\tSamarbete Almedalen\t") && almedalen.contains("\tAugusti\t"),
        "{almedalen}"
    );
    assert_eq!(*new, old.replace("\tHösten\t\t", "\tHösten\t50000\t"));
    assert_eq!(source.lines().count(), now.lines().count());
}

fn both_hold_the_same(haninge: &Municipality, huddinge: &Municipality) {
    let [one, other] = [haninge, huddinge].map(|replica| {
        let head = position(replica);
        replica.does(&["verify"]).says(&format!("all {head} records verify"));
        replica.does(&["verify", "--online"]).says("the server has the same log");
        let (status, verified, shown) =
            (replica.object(&["status"]), replica.object(&["verify", "--online"]), replica.object(&["show"]));
        assert_eq!(verified["verified_to"], head);
        assert_eq!([&verified["state_hash"], &shown["state_hash"]], [&status["state_hash"]; 2]);
        assert_eq!([&status["outbox"], &status["quarantine"], &status["conflicts"]], [&json!(0); 3]);
        (head, status["state_hash"].clone(), verified["root"].clone(), replica.objects(&["log"]))
    });
    assert_eq!(one, other);
}

fn the_same_table_again_records_nothing(replica: &Municipality) {
    let before = replica.standing();
    replica.cli(&["import"]).arg(sample()).run().done().says("already imported: nothing recorded");
    replica.does(&["sync"]);
    assert_eq!(replica.standing(), before);
}

#[test]
fn a_single_edit_changes_a_single_line_of_the_table() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.does(&["edit", "Nyckeltalsdagen", "--cost", "75 000"]);
    haninge.does(&["sync"]);
    let (source, now) = (fs::read_to_string(sample()).unwrap(), haninge.exported(&[]));
    let differing: Vec<usize> = source
        .split('\n')
        .zip(now.split('\n'))
        .enumerate()
        .filter(|(_, (a, b))| a != b)
        .map(|(at, _)| at + 1)
        .collect();
    assert_eq!(differing, [40]);
    assert_eq!(source.split('\n').count(), now.split('\n').count());
}

#[test]
fn the_language_is_the_locales_unless_it_is_asked_for() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let ends = |variable: &str, value: &str| haninge.cli(&["show"]).env(variable, value).run().done();
    ends("LANG", "sv_SE.UTF-8").says("32 aktiviteter");
    ends("LC_ALL", "sv_SE.UTF-8").says("32 aktiviteter");
    ends("LANG", "POSIX").says("32 activities");
    haninge.cli(&["--lang", "en", "show"]).env("LANG", "sv_SE.UTF-8").run().done().says("32 activities");
    haninge
        .cli(&["edit", "Nyckeltalsdagen", "--time", "våren"])
        .env("LANG", "sv_SE")
        .run()
        .done()
        .says("köad, inte synkroniserad");
    // JSON has no language.
    let [swedish, english] =
        ["sv", "en"].map(|lang| haninge.does(&["--lang", lang, "show", "--format", "json"]).out);
    assert_eq!(swedish, english);
}
