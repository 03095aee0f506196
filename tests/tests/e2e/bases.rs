//! Views as bases: what somebody writes has seen what they were looking at, and not what a colleague at the same replica did meanwhile.

use std::fs;

use radslag_tests::{Municipality, Town, sample};
use serde_json::{Value as Json, json};

const ACTIVITY: &str = "Nyckeltalsdagen";

fn two() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["pull"]);
    (town, haninge, huddinge)
}

/// What a window shows now, as its token.
#[track_caller]
fn token(window: &Municipality) -> String {
    token_in(&window.object(&["status"]))
}

#[track_caller]
fn token_in(shown: &Json) -> String {
    shown["base_token"].as_str().unwrap_or_else(|| panic!("no base in {shown}")).to_owned()
}

/// Organisation and value of each side of the only conflict.
#[track_caller]
fn sides(replica: &Municipality) -> Vec<(String, Json)> {
    let [conflict] = &replica.objects(&["conflicts"])[..] else { panic!("one conflict") };
    let mut sides: Vec<(String, Json)> = conflict["sides"]
        .as_array()
        .unwrap()
        .iter()
        .map(|side| (side["org"].as_str().unwrap().to_owned(), side["value"].clone()))
        .collect();
    sides.sort_by_key(|(org, value)| (org.clone(), value.to_string()));
    sides
}

#[track_caller]
fn costs(replica: &Municipality) -> Vec<(String, i64)> {
    let mut costs: Vec<(String, i64)> =
        sides(replica).into_iter().map(|(org, value)| (org, value["ore"].as_i64().unwrap() / 100)).collect();
    costs.sort();
    costs
}

#[test]
fn two_windows_on_one_replica_conflict_rather_than_overwrite() {
    let (mut town, haninge, huddinge) = two();
    town.stop();
    // Each window reads what it is about to change, by whichever command.
    let one = token_in(&haninge.object(&["activity", "show", ACTIVITY]));
    let two = token_in(&haninge.object(&["show"]));
    assert_eq!(one, two);
    haninge.does(&["edit", ACTIVITY, "--cost", "50000", "--base", &one]);
    let second = haninge.does(&["edit", ACTIVITY, "--cost", "60000", "--base", &two]);
    second.says("conflict about the cost of \"Nyckeltalsdagen\"").says("(haninge, Håkan)");
    let both = [("haninge".to_owned(), 50_000), ("haninge".to_owned(), 60_000)];
    assert_eq!(costs(&haninge), both);

    town.start();
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        assert_eq!(costs(replica), both);
        replica.does(&["verify", "--online"]);
    }
    assert_eq!(haninge.object(&["status"])["state_hash"], huddinge.object(&["status"])["state_hash"]);

    // A third window was left open over all of that, and over the server's restart.
    haninge
        .does(&["--lang", "sv", "edit", ACTIVITY, "--cost", "70000", "--base", &one])
        .says("konflikt om kostnad");
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    assert_eq!(costs(&huddinge).len(), 3);
    huddinge.does(&["verify", "--online"]);
}

#[test]
fn a_window_that_was_opened_after_the_first_edit_has_seen_it() {
    let (_town, haninge, huddinge) = two();
    let before = token(&haninge);
    haninge.does(&["edit", ACTIVITY, "--cost", "50000", "--base", &before]);
    let after = token(&haninge);
    assert_ne!(before, after);
    haninge.does(&["sync"]);
    // The edit was queued when the window was opened and has landed since: it is still the one that was seen.
    let edited = haninge.does(&["edit", ACTIVITY, "--cost", "60000", "--base", &after]);
    assert!(!edited.err.contains("conflict"), "{edited}");
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        assert_eq!(replica.objects(&["conflicts"]), Vec::<Json>::new());
        assert_eq!(replica.activity(ACTIVITY)["cost"]["ore"], 6_000_000);
    }
    // Another field of the same activity is nobody's business.
    haninge.does(&["edit", ACTIVITY, "--time", "oktober", "--base", &before]);
    assert_eq!(haninge.objects(&["conflicts"]), Vec::<Json>::new());
}

#[test]
fn what_is_changed_is_what_was_shown_not_what_is_there_by_now() {
    let (_town, haninge, _) = two();
    haninge.does(&["edit", ACTIVITY, "--cost", "50000"]);
    let window = token(&haninge);
    haninge.does(&["edit", ACTIVITY, "--cost", "60000", "--title", "Nyckeltalsveckan"]);
    // It has another name by now; and the cost that was shown there is no change.
    haninge.run(&["edit", ACTIVITY, "--cost", "1"]).exits(1).says("there is no activity");
    haninge.run(&["edit", ACTIVITY, "--cost", "50000", "--base", &window]).exits(1).says("nothing to change");
    // The same as a colleague has written since is no disagreement, and the author's own all the same.
    haninge.queues(&["edit", ACTIVITY, "--cost", "60000", "--base", &window]);
    assert_eq!(haninge.objects(&["conflicts"]), Vec::<Json>::new());
    let before = haninge.standing();
    let strict = ["edit", ACTIVITY, "--cost", "70000", "--strict", "--base", &window];
    haninge.run(&strict).exits(1).says("has changed since it was read");
    assert_eq!(haninge.standing(), before);
}

#[test]
fn a_resolution_in_an_older_window_leaves_the_side_that_it_did_not_show() {
    let (_town, haninge, huddinge) = two();
    let window = token(&haninge);
    haninge.does(&["edit", ACTIVITY, "--cost", "1", "--base", &window]);
    haninge.does(&["edit", ACTIVITY, "--cost", "2", "--base", &window]);
    let conflict = haninge.object(&["conflicts"]);
    let (id, shown) = (conflict["conflict_id"].as_str().unwrap(), token_in(&conflict));
    haninge.does(&["conflicts"]).says(&format!("add --base {shown}"));
    haninge.does(&["edit", ACTIVITY, "--cost", "3", "--base", &window]);
    haninge.does(&["sync"]);

    haninge.run(&["resolve", id, "--take", "1"]).exits(1).says("has had other sides since");
    let resolved = haninge.does(&["resolve", id, "--take", "1", "--reason", "offerten", "--base", &shown]);
    resolved.says("conflict about the cost");
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        assert_eq!(costs(replica), [("haninge".to_owned(), 1), ("haninge".to_owned(), 3)]);
        replica.does(&["verify", "--online"]);
    }
}

#[test]
fn every_command_that_writes_takes_the_base() {
    let (_town, haninge, _) = two();
    let first = haninge.queues(&["edit", "Avsätter tid", "--cost", "1"]).remove(0);
    let window = token(&haninge);
    let as_shown = |args: &[&str]| haninge.queues(&[args, &["--base", &window]].concat());
    let disagrees = |field: &str, now: &[&str], then: &[&str]| {
        haninge.queues(now);
        as_shown(then);
        let open = haninge.objects(&["conflicts"]);
        assert!(open.iter().any(|conflict| conflict["field"] == field), "{now:?} and {then:?}: {open:?}");
    };
    disagrees(
        "title",
        &["area", "edit", "Klimat", "--title", "A"],
        &["area", "edit", "Klimat", "--title", "B"],
    );
    disagrees(
        "title",
        &["subgoal", "edit", "Samordnat agerande", "--title", "A"],
        &["subgoal", "edit", "Samordnat agerande", "--title", "B"],
    );
    disagrees("name", &["party", "edit", "Salem", "--name", "A"], &["party", "edit", "Salem", "--name", "B"]);
    disagrees(
        "comment",
        &["edit", ACTIVITY, "--comment", "A"],
        &["activity", "edit", ACTIVITY, "--comment", "B"],
    );
    disagrees(
        "place",
        &["activity", "move", ACTIVITY, "--to", "A"],
        &["activity", "move", ACTIVITY, "--to", "Vi bidrar till långsiktig minskning"],
    );
    // What was undone is what was shown, though it has been changed again since.
    let undo = ["undo", &first, "--reason", "fel rad"];
    haninge.queues(&["edit", "Avsätter tid", "--cost", "2"]);
    haninge.run(&undo).exits(1).says("changed again since");
    disagrees("cost", &["edit", "Avsätter tid", "--cost", "3"], &undo);
    // Somebody else has retired these in another window, or given them other names.
    for [noun, name] in [["area", "Gemensamt E-arkiv"], ["party", "David Schubert"], ["activity", "RUF5"]] {
        haninge.queues(&[noun, "retire", name]);
        haninge.run(&[noun, "retire", name]).exits(1).says("retired already");
        as_shown(&[noun, "retire", name]);
    }
    let window = token(&haninge);
    haninge.queues(&["activity", "restore", "RUF5"]);
    haninge.run(&["activity", "restore", "RUF5"]).exits(1);
    haninge.queues(&["activity", "restore", "RUF5", "--base", &window]);
    as_shown(&["subgoal", "add", "--area", "Klimat", "--title", "Nytt delmål"]);
    as_shown(&["activity", "add", "--subgoal", "Samordnat agerande", "--title", "Ny aktivitet"]);
    as_shown(&["area", "add", "--title", "Nytt område"]);
    as_shown(&["party", "add", "--name", "Ny part"]);
    haninge.does(&["sync"]).says("0 queued");
    assert_eq!(haninge.objects(&["outbox"]), Vec::<Json>::new());
    haninge.does(&["verify", "--online"]);
}

#[test]
fn an_export_carries_its_base_beside_the_file() {
    let (town, haninge, huddinge) = two();
    let file = town.path("tabell.tsv");
    let file = file.to_str().unwrap();
    let exported = haninge.object(&["export", "--to", file]);
    assert_eq!(fs::read(file).unwrap(), fs::read(sample()).unwrap());
    let base = token_in(&exported);
    haninge.does(&["export", "--to", file]).says(&format!("--base {base}"));
    // As of an earlier point, the base is that point.
    let old = token_in(&haninge.object(&["export", "--as-of", "@90", "--to", file]));
    assert!(old.starts_with("90.0."), "{old}");
    assert_eq!(token_in(&haninge.object(&["show", "--as-of", "@90"])), old);

    huddinge.queues(&["edit", ACTIVITY, "--cost", "60000"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]);
    // A month later somebody enters what was pencilled in on the printed table.
    haninge.does(&["edit", ACTIVITY, "--cost", "50000", "--base", &base]).says("conflict about the cost");
    haninge.does(&["edit", ACTIVITY, "--cost", "40000", "--base", &old]).says("conflict about the cost");
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    let all =
        [("haninge".to_owned(), 40_000), ("haninge".to_owned(), 50_000), ("huddinge".to_owned(), 60_000)];
    assert_eq!(costs(&huddinge), all);
}

#[test]
fn a_base_that_is_none_of_this_replica_is_refused_and_changes_nothing() {
    let (town, haninge, huddinge) = two();
    let edit = |replica: &Municipality, base: &str, code: i32, words: &[&str]| {
        let before = replica.standing();
        let outcome = replica.run(&["edit", ACTIVITY, "--cost", "1", "--base", base]).exits(code);
        words.iter().fold(outcome, |outcome, word| outcome.says(word));
        assert_eq!(replica.standing(), before, "{base}");
    };
    let own = token(&haninge);
    for wrong in
        ["", "x", "98", "98.12", "latest", "@95", &own[1..], &own[..own.len() - 1], &own.to_uppercase()]
    {
        edit(&haninge, wrong, 2, &["--base", "is not a base", "radslag status"]);
    }
    edit(&haninge, &token(&huddinge), 1, &["another one did", "hint: look again: radslag status"]);

    let other = town.create(&sample());
    let elsewhere = town.path("elsewhere");
    let init = ["init", "--server", town.url(), "--program", &other, "--org", "haninge", "--member", "Håkan"];
    town.cli(&init).arg(&elsewhere).run().done();
    edit(&haninge, &token(&town.replica("elsewhere")), 1, &["is of the programme", &other[..8]]);

    // A copy of the folder from before others had written.
    let older = haninge.copied("older");
    huddinge.queues(&["edit", ACTIVITY, "--cost", "2"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]);
    let head = haninge.object(&["status"])["position"].to_string();
    edit(&older, &token(&haninge), 1, &[&format!("the base is position {head}"), "hint: radslag pull"]);

    // What was queued and given up is nothing that anybody can have seen.
    haninge.queues(&["edit", ACTIVITY, "--cost", "3"]);
    let given_up = token(&haninge);
    let waiting = haninge.objects(&["outbox"])[0]["number"].as_str().unwrap().to_owned();
    haninge.does(&["outbox", "discard", &waiting]);
    edit(&haninge, &given_up, 1, &["has been given up since"]);
    haninge.queues(&["edit", ACTIVITY, "--cost", "4"]);
    edit(&haninge, &given_up, 1, &["has been given up since"]);
    haninge.does(&["sync"]);
    edit(&haninge, &given_up, 1, &["has been given up since"]);
}

#[test]
fn what_was_rejected_meanwhile_leaves_the_other_windows_usable() {
    let (_town, haninge, huddinge) = two();
    haninge.queues(&["edit", ACTIVITY, "--comment", "Nej", "--strict"]);
    let window = token(&haninge);
    huddinge.queues(&["edit", ACTIVITY, "--comment", "Jo"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]).says("1 rejected");
    haninge
        .does(&["edit", ACTIVITY, "--comment", "Kanske", "--base", &window])
        .says("conflict about the comment");
    haninge.does(&["sync"]).says("1 conflict");
    assert_eq!(
        sides(&haninge),
        [("haninge".to_owned(), json!("Kanske")), ("huddinge".to_owned(), json!("Jo"))]
    );
}

#[cfg(unix)]
#[test]
fn an_editor_that_stays_open_holds_nobody_up_and_has_seen_what_it_opened_with() {
    let (town, haninge, _) = two();
    let window = token(&haninge);
    haninge.queues(&["edit", ACTIVITY, "--comment", "Möte i april", "--base", &window]);
    haninge.queues(&["edit", ACTIVITY, "--comment", "Möte i maj", "--base", &window]);
    let id = haninge.object(&["conflicts"])["conflict_id"].as_str().unwrap().to_owned();
    // While the editor is open, a colleague writes in another window and syncs.
    let radslag = radslag_tests::radslag();
    let script = format!(
        "#!/bin/sh\nset -e\n{radslag:?} --replica {dir:?} edit {ACTIVITY} --comment 'Inget möte' --base {window}\n\
         {radslag:?} --replica {dir:?} sync\nsed -i -e '1s/.*/Möte i april eller maj/' \"$1\"\n",
        dir = haninge.dir()
    );
    let editor = town.path("editor.sh");
    fs::write(&editor, script).unwrap();
    fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    haninge.cli(&["resolve", &id, "--edit"]).env("EDITOR", &editor).run().done();
    haninge.does(&["sync"]).says("0 queued");
    let own = |text: &str| ("haninge".to_owned(), json!(text));
    assert_eq!(sides(&haninge), [own("Inget möte"), own("Möte i april eller maj")]);
    haninge.does(&["verify", "--online"]);
}

#[test]
fn a_base_and_a_day_go_together() {
    let (mut town, haninge, _huddinge) = two();
    town.stop();
    let opened = token(&haninge);
    haninge.does(&["edit", ACTIVITY, "--cost", "50000"]);
    // Seen from the older window the day to come is another matter; what it had not seen is a side on that day, not overwritten.
    let later = ["--effective", "2040-01-01"];
    let edit = ["edit", ACTIVITY, "--cost", "60000", "--base", &opened];
    let second = haninge.does(&[&edit[..], &later].concat());
    second.says("applies from 2040-01-01").says("conflict about the cost of \"Nyckeltalsdagen\"");
    assert_eq!(haninge.activity(ACTIVITY)["cost"]["ore"], 5_000_000, "until then it is what it was");
    assert_eq!(costs(&haninge), [("haninge".to_owned(), 50_000), ("haninge".to_owned(), 60_000)]);
    // Somebody who sees both says what stands from that day on.
    let settled = ["edit", ACTIVITY, "--cost", "70000", "--base", &token(&haninge)];
    haninge.does(&[&settled[..], &later].concat()).says("this settles the conflict about");
    assert!(haninge.objects(&["conflicts"]).is_empty());
    let shown = haninge.objects(&[&["show", "--rows"][..], &later].concat());
    assert!(shown.iter().any(|row| row["title"] == ACTIVITY && row["cost"]["ore"] == 7_000_000));
}
