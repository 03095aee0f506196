//! What will not land: kept with its text and its reason, given up or handed in again, never lost and never twice.

use radslag_tests::{Municipality, Town};
use serde_json::{Value as Json, json};

fn two() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["pull"]);
    (town, haninge, huddinge)
}

/// Haninge insists on a comment that Huddinge has changed meanwhile.
fn stale() -> (Town, Municipality, Municipality) {
    let (town, haninge, huddinge) = two();
    haninge.queues(&[
        "edit",
        "Nyckeltalsdagen",
        "--comment",
        "Som vi sade i mars",
        "--reason",
        "protokoll",
        "--strict",
    ]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "Som ni sade i april"]);
    huddinge.does(&["sync"]);
    (town, haninge, huddinge)
}

fn quarantined(replica: &Municipality) -> Vec<Json> {
    replica.objects(&["outbox"]).into_iter().filter(|row| row["state"] != "queued").collect()
}

#[test]
fn a_rejection_keeps_the_words_and_the_sides_that_stood_in_its_way() {
    let (_town, haninge, huddinge) = stale();
    let synced = haninge.does(&["sync"]).says("rejected, kept in quarantine: 1  Nyckeltalsdagen");
    synced.says("1 rejected").says("radslag outbox list");
    let [kept] = &quarantined(&haninge)[..] else { panic!("one event is in quarantine") };
    assert_eq!([&kept["number"], &kept["reason"]], ["1", "STALE"]);
    assert!(kept["why"].as_str().unwrap().contains("has changed since it was read"), "{kept}");
    assert!(kept["since"].is_string(), "{kept}");
    let side = &kept["current_sides"][0];
    assert_eq!([&side["value"], &side["org"], &side["member"]], ["Som ni sade i april", "huddinge", "Eva"]);
    let wide = haninge.cli(&["outbox"]).env("COLUMNS", "400").run().done();
    wide.says("the comment of \"Nyckeltalsdagen\" has changed since it was read")
        .says("Som vi sade i mars")
        .says("found: comment: Som ni sade");
    haninge.does(&["outbox", "list", "--lang", "sv"]).says("avvisad").says("sedan").says("då: kommentar");
    drop(huddinge);
}

#[test]
fn the_words_survive_between_push_and_pull_and_are_found_again_where_the_answer_was_lost() {
    let (_town, haninge, _huddinge) = stale();
    let lost = haninge.copied("lost");
    let pushed = haninge.object(&["push"]);
    assert_eq!(
        [&pushed["rejected"], &pushed["outbox"], &pushed["quarantine"]],
        [&json!(1), &json!(1), &json!(0)]
    );
    let pulled = haninge.object(&["pull"]);
    assert_eq!(
        [&pulled["rejected"], &pulled["outbox"], &pulled["quarantine"]],
        [&json!(1), &json!(0), &json!(1)]
    );
    // The copy holds the same event and has never heard the answer.
    lost.does(&["pull"]);
    let (told, judged) = (quarantined(&haninge), quarantined(&lost));
    for key in ["why", "current_sides", "changes", "number"] {
        assert_eq!(told[0][key], judged[0][key], "{key}");
    }
    assert!(told[0]["why"].as_str().unwrap().contains("has changed since it was read"));
    assert_eq!(told[0]["current_sides"].as_array().unwrap().len(), 1);
}

#[test]
fn what_was_rejected_is_handed_in_again_and_conflicts_rather_than_covers() {
    let (_town, haninge, huddinge) = stale();
    haninge.does(&["sync"]);
    let old = quarantined(&haninge).remove(0);
    let again = haninge.object(&["outbox", "resubmit", "1"]);
    assert_eq!([&again["outbox"], &again["quarantine"]], [&json!(1), &json!(0)]);
    assert_ne!(again["queued"][0], old["event_id"]);
    haninge.does(&["sync"]).says("1 conflict");
    huddinge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        let [conflict] = &replica.objects(&["conflicts"])[..] else { panic!("one conflict") };
        let mut values: Vec<&str> =
            conflict["sides"].as_array().unwrap().iter().filter_map(|side| side["value"].as_str()).collect();
        values.sort_unstable();
        assert_eq!(values, ["Som ni sade i april", "Som vi sade i mars"]);
    }
    let history = huddinge.objects(&["history", "Nyckeltalsdagen"]);
    assert_eq!(history.last().unwrap()["reason"], "protokoll");
    assert_eq!(quarantined(&haninge), Vec::<Json>::new());
    haninge.does(&["verify", "--online"]);
}

#[test]
fn handed_in_again_with_another_value_or_on_condition() {
    let (_town, haninge, huddinge) = stale();
    haninge.does(&["sync"]);
    haninge.run(&["outbox", "resubmit", "1", "--value", "två\trader"]).exits(2);
    haninge.run(&["outbox", "resubmit", "1", "--value", ""]).exits(2);
    haninge.does(&["outbox", "resubmit", "1", "--value", "Som vi sade i maj", "--strict"]);
    // The condition is what Haninge shows now; Huddinge is faster once more.
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "Som ni sade i juni"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]).says("1 rejected");
    let [kept] = &quarantined(&haninge)[..] else { panic!("one event is in quarantine") };
    assert_eq!(kept["changes"][0]["value"], "Som vi sade i maj");
    assert_eq!(kept["current_sides"][0]["value"], "Som ni sade i juni");
    let editor = haninge.dir().join("editor.sh");
    std::fs::write(&editor, "printf 'Som alla sade\\n' > \"$1\"\n").unwrap();
    let edited = haninge.cli(&["outbox", "resubmit", "1", "--edit", "--strict"]);
    edited.env("EDITOR", format!("sh {}", editor.display())).run().done();
    // It lands, and still was not written in sight of what Huddinge says.
    haninge.does(&["sync"]).says("1 conflict");
    assert_eq!(haninge.activity("Nyckeltalsdagen")["comment"], "Som alla sade");
}

#[test]
fn giving_up_says_what_and_leaves_the_rest() {
    let (_town, haninge, huddinge) = stale();
    haninge.queues(&["edit", "Avsätter tid", "--comment", "Nej", "--strict"]);
    huddinge.queues(&["edit", "Avsätter tid", "--comment", "Jo"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]).says("2 rejected");
    haninge.run(&["outbox", "discard", "7"]).exits(1).says("there is no number 7");
    haninge
        .does(&["outbox", "discard", "1"])
        .says("discarded: 1  Nyckeltalsdagen  comment: Som vi sade i mars");
    let [left] = &quarantined(&haninge)[..] else { panic!("one event is left") };
    let event = left["event_id"].as_str().unwrap().to_owned();
    let discarded = haninge.object(&["outbox", "discard", &event[28..], "--yes"]);
    assert_eq!(discarded, json!({"discarded": [event], "outbox": 0, "quarantine": 0}));
    haninge.does(&["outbox", "discard", "--all"]).says("nothing in quarantine");
    haninge.does(&["verify", "--online"]);
}

#[test]
fn what_builds_on_a_rejected_change_follows_it_and_names_it() {
    let (_town, haninge, huddinge) = two();
    huddinge.does(&["pull"]);
    let grouped =
        haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "A", "--time", "v. 1", "--strict"]);
    let insisting = haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "B", "--strict"]).remove(0);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "C", "--strict"]);
    assert_eq!(grouped.len(), 2);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "D"]);
    huddinge.does(&["sync"]);
    let synced = haninge.does(&["sync"]).says("4 rejected");
    // One line for the group, one for each that followed it.
    assert_eq!(synced.out.lines().filter(|line| line.starts_with("rejected, kept")).count(), 3, "{synced}");
    let kept = quarantined(&haninge);
    let numbers: Vec<&str> = kept.iter().filter_map(|row| row["number"].as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4"]);
    assert_eq!(kept[0]["group_id"], kept[1]["group_id"]);
    assert_eq!([&kept[0]["because_of"], &kept[1]["because_of"]], [&Json::Null, &Json::Null]);
    let first = [&kept[0], &kept[1]].into_iter().find(|row| row["changes"][0]["field"] == "comment").unwrap();
    assert_eq!(kept[2]["event_id"], insisting.as_str());
    // Both name the first of the chain, not the one before them.
    assert_eq!([&kept[2]["because_of"], &kept[3]["because_of"]], [&first["event_id"], &first["event_id"]]);
    let short = &first["event_id"].as_str().unwrap()[28..];
    haninge
        .cli(&["outbox"])
        .env("COLUMNS", "400")
        .run()
        .done()
        .says("because it builds on change")
        .says(short)
        .says("1–2");

    let copy = haninge.copied("copy");
    copy.does(&["outbox", "resubmit", "2"]);
    let queued = copy.objects(&["outbox"]).into_iter().filter(|row| row["state"] == "queued");
    let groups: Vec<Json> = queued.map(|row| row["group_id"].clone()).collect();
    assert!(groups.len() == 2 && groups[0] == groups[1] && groups[0] != kept[0]["group_id"], "{groups:?}");

    haninge.does(&["outbox", "resubmit", "--all"]);
    haninge.does(&["sync"]).says("0 queued").says("1 conflict");
    // The three comments of one author cover each other as they did when they were written.
    let [conflict] = &haninge.objects(&["conflicts"])[..] else { panic!("one conflict") };
    let mut values: Vec<&str> =
        conflict["sides"].as_array().unwrap().iter().filter_map(|side| side["value"].as_str()).collect();
    values.sort_unstable();
    assert_eq!(values, ["C", "D"]);
    haninge.does(&["verify", "--online"]);
}

#[test]
fn what_would_be_declined_again_is_said_before_anything_is_queued() {
    let (_town, haninge, huddinge) = stale();
    huddinge.does(&["pull"]);
    haninge.does(&["sync"]);
    let before = haninge.standing();
    haninge.run(&["outbox", "resubmit", "9"]).exits(1).says("there is no number 9");
    assert_eq!(haninge.standing(), before);
}

#[test]
fn whatever_the_list_prints_as_a_number_is_a_name() {
    let (_town, haninge, huddinge) = two();
    // A group that waits, a single change after it, and as much in quarantine.
    let in_quarantine = |comment: &str| {
        haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", comment, "--time", comment, "--strict"]);
        haninge.queues(&["edit", "Avsätter tid", "--comment", comment, "--strict"]);
    };
    in_quarantine("A");
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "B"]);
    huddinge.queues(&["edit", "Avsätter tid", "--comment", "B"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]).says("3 rejected");
    in_quarantine("C");
    let list = haninge.does(&["outbox"]);
    // A row may take several lines; its number stands on the first.
    let rows = list.out.lines().skip(2).filter(|line| !line.starts_with(' '));
    let printed: Vec<String> = rows.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let [group, single, aside, alone] = &printed[..] else { panic!("{list}") };
    assert!(group.starts_with('q') && group.contains("–q") && single.starts_with('q'), "{group} {single}");
    assert_eq!([aside.as_str(), alone.as_str()], ["1–2", "3"]);

    for name in [group, single, &group.replace('–', "-"), &single.to_uppercase()] {
        haninge.run(&["outbox", "resubmit", name]).exits(1).says("is queued already");
    }
    let without = &single[1..];
    haninge.run(&["outbox", "discard", without]).exits(1).says(&format!("hint: {single} is the queued one"));
    for name in ["q99", "q9999", "q12-q99", "7–9", "8"] {
        haninge.run(&["outbox", "discard", name]).exits(1).says(&format!("there is no number {name}"));
    }
    haninge
        .does(&["outbox", "discard", group, single])
        .says(&format!("discarded: {group}"))
        .says("comment: C");
    assert_eq!(haninge.object(&["status"])["outbox"], 0);
    let again = haninge.object(&["outbox", "resubmit", "1-2"]);
    assert_eq!((again["queued"].as_array().unwrap().len(), &again["quarantine"]), (2, &json!(1)));
    haninge.does(&["outbox", "discard", alone, "--yes"]);
    haninge.does(&["sync"]).says("0 queued");
    haninge.does(&["verify", "--online"]);
}

#[test]
fn the_end_of_the_outbox_can_be_given_up_only_while_no_server_can_have_seen_it() {
    let (mut town, haninge, _) = two();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "3"]);
    let numbers: Vec<String> =
        haninge.objects(&["outbox"]).iter().map(|row| row["number"].as_str().unwrap().to_owned()).collect();
    haninge.run(&["outbox", "discard", &numbers[1]]).exits(1).says("was written after it");
    haninge.does(&["outbox", "discard", &numbers[1], &numbers[2]]).says("discarded: q").says("cost: 3");
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 100);
    haninge.run(&["outbox", "resubmit", &numbers[0]]).exits(1).says("is queued already");
    // Pushed and not yet seen: it may be in the log.
    haninge.does(&["push"]);
    haninge
        .run(&["outbox", "discard", &numbers[0]])
        .exits(1)
        .says("may have been handed in")
        .says("radslag sync");
    haninge.does(&["sync"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "4"]);
    town.stop();
    haninge.run(&["sync"]).exits(4);
    // Nothing was sent: the server was not there.
    let waiting = haninge.objects(&["outbox"])[0]["number"].as_str().unwrap().to_owned();
    haninge.does(&["outbox", "discard", &waiting]);
    town.start();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "5"]);
    haninge.does(&["sync"]).says("0 queued");
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 500);
    haninge.does(&["verify", "--online"]);
}
