//! Everything that can be changed, done offline and seen by the other municipality.

use std::fs;

use radslag_tests::{Municipality, Town, sample};
use serde_json::{Value as Json, json};

fn two() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["pull"]);
    (town, haninge, huddinge)
}

/// Hands in what `from` has queued and lets `to` fetch it.
#[track_caller]
fn passes(from: &Municipality, to: &Municipality) {
    from.does(&["sync"]);
    assert_eq!(from.standing().1, Vec::<Json>::new());
    to.does(&["sync"]);
    assert_eq!(from.object(&["status"])["state_hash"], to.object(&["status"])["state_hash"]);
}

fn areas(replica: &Municipality) -> Vec<String> {
    let mut areas: Vec<String> = Vec::new();
    for row in replica.objects(&["show", "--rows"]) {
        let area = row["area"].as_str().unwrap().to_owned();
        if areas.last() != Some(&area) {
            areas.push(area);
        }
    }
    areas
}

#[test]
fn a_new_heading_with_all_below_it_arrives_in_its_place() {
    let (mut town, haninge, huddinge) = two();
    town.stop();
    haninge.queues(&["area", "add", "--title", "Bostäder", "--goal", "Fler bostäder"]);
    haninge.queues(&["subgoal", "add", "--area", "Bostäder", "--title", "Bygga mer"]);
    haninge.queues(&["party", "add", "--name", "Region Stockholm", "--kind", "organisation"]);
    let add = [
        "activity",
        "add",
        "--subgoal",
        "Bygga mer",
        "--title",
        "Bygg hundra",
        "--cost",
        "2 mnkr",
        "--time",
        "våren",
    ];
    let who = [
        "--assign",
        "Haninge",
        "--assign",
        "Region Stockholm",
        "--lead",
        "Haninge",
        "--comment",
        "Först på plan",
    ];
    haninge.queues(&[&add[..], &who[..]].concat());
    haninge.queues(&["area", "move", "Bostäder", "--before", "Klimat"]);
    haninge.queues(&["area", "edit", "Bostäder", "--title", "Bostad", "--goal", "Ännu fler"]);
    haninge.queues(&["subgoal", "edit", "Bygga mer", "--title", "Bygga mycket mer"]);
    town.start();
    passes(&haninge, &huddinge);

    let built = huddinge.activity("Bygg hundra");
    assert_eq!(
        [&built["area"], &built["goal"], &built["subgoal"]],
        ["Bostad", "Ännu fler", "Bygga mycket mer"]
    );
    assert_eq!([&built["time"], &built["comment"]], ["våren", "Först på plan"]);
    assert_eq!([&built["responsible"], &built["cost"]["raw"]], ["Haninge och Region Stockholm", "2 mnkr"]);
    assert_eq!(built["cost"]["ore"], 200_000_000);
    assert_eq!(built["responsible_ids"].as_array().unwrap().len(), 2);
    assert!(built["lead_id"].is_string());
    assert_eq!(areas(&huddinge)[..3], ["Infrastruktur", "Bostad", "Klimat"]);
    let exported = huddinge.exported(&[]);
    assert!(
        exported.contains("Bostad - Ännu fler\t\t\t\t\t\t\n\tBygga mycket mer\tBygg hundra\t"),
        "{exported}"
    );
}

#[test]
fn moving_keeps_everything_else_and_is_seen_by_the_other_municipality() {
    let (_town, haninge, huddinge) = two();
    haninge.queues(&["activity", "move", "Nyckeltalsdagen", "--to", "Samordnat agerande"]);
    haninge.queues(&["activity", "move", "Nyckeltalsdagen", "--before", "Avsätter tid"]);
    haninge.queues(&["subgoal", "move", "Samordnat agerande", "--to", "Klimat"]);
    passes(&haninge, &huddinge);
    let moved = huddinge.activity("Nyckeltalsdagen");
    assert_eq!(
        [&moved["area"], &moved["subgoal"], &moved["time"]],
        ["Klimat", "Samordnat agerande", "Hösten"]
    );
    let rows = huddinge.objects(&["show", "--rows", "--area", "Klimat"]);
    let titles: Vec<&Json> = rows.iter().map(|row| &row["title"]).collect();
    assert_eq!(titles[2..], ["Nyckeltalsdagen", "Avsätter tid"]);
    for wrong in [
        &["activity", "move", "Nyckeltalsdagen"][..],
        &["area", "move", "Klimat", "--to", "Klimat"],
        &["party", "move", "Salem", "--after", "Haninge"],
    ] {
        haninge.run(wrong).exits(2);
    }
    haninge.run(&["activity", "move", "Nyckeltalsdagen", "--after", "Samarbete Almedalen"]).exits(1);
}

#[test]
fn a_party_is_renamed_once_and_everywhere() {
    let (_town, haninge, huddinge) = two();
    let events = haninge.queues(&["party", "edit", "Nynäshamn", "--name", "Nynäshamns kommun"]);
    assert_eq!(events.len(), 1);
    passes(&haninge, &huddinge);
    let shown = huddinge.activity("Förstudie Teknisk försörjning");
    assert_eq!(shown["responsible"], "Huddinge och Nynäshamns kommun");
    huddinge.does(&["party", "show", "Nynäshamns kommun"]);
    huddinge.run(&["party", "show", "Nynäshamn"]).done().says("Nynäshamns kommun");
    let (source, now) = (fs::read_to_string(sample()).unwrap(), huddinge.exported(&[]));
    let named = source
        .lines()
        .filter(|line| line.split('\t').nth(3).is_some_and(|cell| cell.contains("Nynäshamn")))
        .count();
    assert_eq!(source.lines().zip(now.lines()).filter(|(a, b)| a != b).count(), named);
    assert_eq!(huddinge.objects(&["history", "Nynäshamns kommun"]).last().unwrap()["org"], "haninge");
}

#[test]
fn what_is_retired_leaves_the_table_and_comes_back_byte_for_byte() {
    let (_town, haninge, huddinge) = two();
    let source = fs::read_to_string(sample()).unwrap();
    haninge.queues(&["activity", "retire", "Erfarenhetsutbyte kring klimatstrategier", "--reason", "klart"]);
    passes(&haninge, &huddinge);
    let without = huddinge.exported(&[]);
    assert_eq!(without.lines().count(), source.lines().count() - 1);
    assert!(!without.contains("Erfarenhetsutbyte kring klimatstrategier"));
    // The row that carried the sub-goal's text is gone, so the next row carries it.
    let subgoal = "Vi bidrar till långsiktig minskning av CO2-utsläpp inom Södertörn.";
    assert!(source.contains("\n\t\tUtveckla processer för hållbarhet i upphandling\t"));
    assert!(
        without.contains(&format!("\n\t{subgoal}\tUtveckla processer för hållbarhet i upphandling\t")),
        "{without}"
    );
    assert_eq!(huddinge.object(&["show"])["activities"], 31);
    haninge.run(&["activity", "retire", "Erfarenhetsutbyte kring"]).exits(1).says("is retired already");

    huddinge.queues(&["activity", "restore", "Erfarenhetsutbyte kring"]);
    passes(&huddinge, &haninge);
    assert_eq!(haninge.exported(&[]), source);
    haninge.run(&["activity", "restore", "Erfarenhetsutbyte kring"]).exits(1).says("is in the programme");
}

#[test]
fn a_change_to_something_retired_is_kept_and_says_so_at_once() {
    let (_town, haninge, huddinge) = two();
    let front = haninge.activity("Nyckeltalsdagen")["activity_id"].as_str().unwrap()[..8].to_owned();
    haninge.does(&["activity", "retire", "Nyckeltalsdagen"]);
    let edited = haninge.does(&["edit", "Nyckeltalsdagen", "--cost", "50000"]);
    edited
        .says("\"Nyckeltalsdagen\" is retired: the change is kept and flagged")
        .says(&format!("radslag activity restore {front}"));
    let swedish = haninge
        .cli(&[
            "--lang",
            "sv",
            "--format",
            "json",
            "activity",
            "move",
            "Nyckeltalsdagen",
            "--to",
            "Samordnat agerande",
        ])
        .run();
    let swedish = swedish.done().says("\"Nyckeltalsdagen\" har utgått: ändringen sparas och flaggas");
    assert_eq!(
        swedish.object()["queued"].as_array().unwrap().len(),
        1,
        "what is said does not mix with the data"
    );
    // The outbox lists them like any other change.
    let waiting = haninge.objects(&["outbox"]);
    let titles: Vec<&Json> = waiting.iter().map(|row| &row["title"]).collect();
    assert_eq!(titles, ["Nyckeltalsdagen", "Nyckeltalsdagen", "Nyckeltalsdagen"]);
    haninge.does(&["outbox"]).says("cost: 50\u{a0}000\u{a0}kr");
    passes(&haninge, &huddinge);
    // The others are told where they change it next, and where they add something to what is retired.
    huddinge.does(&["edit", "Nyckeltalsdagen", "--time", "oktober"]).says("is retired");
    huddinge.does(&["subgoal", "retire", "Samordnat agerande"]);
    let added = huddinge.does(&["activity", "add", "--subgoal", "Samordnat agerande", "--title", "Ny"]);
    added.says("\"Samordnat agerande\" is retired").says("radslag subgoal restore");
    // What brings it back, and whatever is said of what lives, is said of no retired one.
    let restored = huddinge.does(&["activity", "restore", &front]);
    assert!(!restored.err.contains("retired"), "{restored}");
    let edited = huddinge.does(&["edit", "Nyckeltalsdagen", "--cost", "60000"]);
    assert!(!edited.err.contains("retired"), "{edited}");
    passes(&huddinge, &haninge);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 6_000_000);
}

#[test]
fn headings_sub_goals_and_parties_retire_and_come_back() {
    let (_town, haninge, huddinge) = two();
    let source = haninge.exported(&[]);
    let noun =
        [["area", "Gemensamt E-arkiv"], ["subgoal", "Samordnat agerande"], ["party", "David Schubert"]];
    for [kind, name] in noun {
        haninge.queues(&[kind, "retire", name, "--decision", "KS-2019/123"]);
    }
    passes(&haninge, &huddinge);
    for [kind, name] in noun {
        huddinge.does(&[kind, "show", name]).says("retired");
        let history = huddinge.objects(&["history", name]);
        assert_eq!(history.last().unwrap()["decision"], "KS-2019/123");
        huddinge.queues(&[kind, "restore", name]);
    }
    passes(&huddinge, &haninge);
    assert_eq!(haninge.exported(&[]), source);
}

#[test]
fn undo_sets_back_what_one_event_changed_and_no_more() {
    let (_town, haninge, huddinge) = two();
    let source = haninge.exported(&[]);
    let changes: [&[&str]; 7] = [
        &["edit", "Nyckeltalsdagen", "--cost", "1"],
        &["edit", "Nyckeltalsdagen", "--title", "Nyckeltalsveckan"],
        &["edit", "Nyckeltalsveckan", "--assign", "Salem"],
        &["activity", "move", "Nyckeltalsveckan", "--to", "Samordnat agerande"],
        &["activity", "retire", "Nyckeltalsveckan"],
        &["party", "edit", "Salem", "--name", "Salems kommun"],
        &["area", "add", "--title", "Bostäder"],
    ];
    let events: Vec<String> = changes.iter().map(|args| haninge.queues(args).remove(0)).collect();
    passes(&haninge, &huddinge);
    // Newest first, by the other municipality, named as lists print them.
    for event in events.iter().rev() {
        huddinge.does(&["undo", &event[28..], "--reason", "fel rad"]).says("queued, not synced");
    }
    passes(&huddinge, &haninge);
    assert_eq!(haninge.exported(&[]), source);
    assert_eq!(haninge.objects(&["conflicts"]), Vec::<Json>::new());
    haninge.does(&["verify"]);
}

#[test]
fn undo_of_what_was_changed_again_is_refused() {
    let (_town, haninge, _) = two();
    let event = haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]).remove(0);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    haninge.run(&["undo", &event]).exits(1).says("has been changed again since").says("radslag history");
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 200);
}

#[test]
fn an_edit_that_insisted_and_came_too_late_is_kept_in_quarantine_with_its_text() {
    let (_town, haninge, huddinge) = two();
    let insisted =
        haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "Som vi sade i mars", "--strict"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "Som ni sade i april"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]).says("rejected, kept in quarantine");
    let status = haninge.object(&["status"]);
    assert_eq!(
        [&status["outbox"], &status["quarantine"], &status["conflicts"]],
        [&json!(0), &json!(1), &json!(0)]
    );
    let [kept] = &haninge.objects(&["outbox", "list"])[..] else { panic!("one event is in quarantine") };
    assert_eq!([&kept["event_id"], &kept["state"]], [&json!(insisted[0]), &json!("rejected")]);
    assert!(kept["why"].as_str().unwrap().contains("STALE"), "{kept}");
    assert_eq!(kept["title"], "Nyckeltalsdagen");
    assert_eq!(kept["changes"], json!([{"field": "comment", "value": "Som vi sade i mars"}]));
    haninge.does(&["outbox", "list"]).says("Som vi sade i mars");
    assert_eq!(haninge.activity("Nyckeltalsdagen")["comment"], "Som ni sade i april");
    // It does not stand in the way of the next edit, which has seen the other one.
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "Som vi sade i maj", "--strict"]);
    passes_with_quarantine(&haninge, &huddinge);
    assert_eq!(huddinge.activity("Nyckeltalsdagen")["comment"], "Som vi sade i maj");
    let rejected: Vec<Json> =
        huddinge.objects(&["log"]).into_iter().filter(|record| record["rejected"] == true).collect();
    assert_eq!(rejected.len(), 1);
    haninge.does(&["verify", "--online"]);
}

fn passes_with_quarantine(from: &Municipality, to: &Municipality) {
    from.does(&["sync"]);
    to.does(&["sync"]);
    assert_eq!(from.object(&["status"])["outbox"], 0);
    assert_eq!(from.object(&["status"])["state_hash"], to.object(&["status"])["state_hash"]);
}

#[test]
fn a_plain_edit_in_sight_of_both_sides_settles_the_conflict_and_says_so() {
    let (_town, haninge, huddinge) = two();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--time", "v. 38"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--time", "oktober"]);
    for replica in [&haninge, &huddinge, &haninge] {
        replica.does(&["sync"]);
    }
    assert_eq!(huddinge.objects(&["conflicts"]).len(), 1);
    let settled = huddinge.does(&["edit", "Nyckeltalsdagen", "--time", "v. 40"]);
    settled.says("this settles the conflict about time").says("v. 38 (haninge)").says("oktober (huddinge)");
    passes(&huddinge, &haninge);
    assert_eq!(haninge.objects(&["conflicts"]), Vec::<Json>::new());
    assert_eq!(haninge.activity("Nyckeltalsdagen")["time"], "v. 40");
}

#[test]
fn different_fields_of_one_activity_never_disagree() {
    let (_town, haninge, huddinge) = two();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1", "--assign", "Salem"]);
    huddinge.queues(&[
        "edit",
        "Nyckeltalsdagen",
        "--time",
        "oktober",
        "--assign",
        "Tyresö",
        "--unassign",
        "Ekonomi- direktörerna",
    ]);
    // The same said twice is no disagreement either.
    for replica in [&haninge, &huddinge] {
        replica.queues(&["edit", "Avsätter tid", "--cost", "7 000"]);
    }
    for replica in [&haninge, &huddinge, &haninge] {
        replica.does(&["sync"]).says("0 conflicts");
    }
    for replica in [&haninge, &huddinge] {
        let shown = replica.activity("Nyckeltalsdagen");
        assert_eq!([&shown["cost"]["ore"], &shown["time"]], [&json!(100), &json!("oktober")]);
        assert_eq!(shown["responsible"], "Salem och Tyresö");
    }
}
