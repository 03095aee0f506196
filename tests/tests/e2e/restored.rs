//! A server that is restored from an older copy: what it lacks comes back from the municipalities.

use std::fs;
use std::path::{Path, PathBuf};

use radslag_tests::{Municipality, Outcome, Town, all_equal, settle};
use serde_json::{Value as Json, json};

fn field(replica: &Municipality, title: &str, field: &str) -> Json {
    replica.activity(title)[field].clone()
}

/// A town of two municipalities that have all of it.
fn two() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    settle(&[&haninge, &huddinge]);
    (town, haninge, huddinge)
}

fn back_up(town: &mut Town, name: &str) -> PathBuf {
    town.stop();
    let copy = town.back_up(name);
    town.start();
    copy
}

fn go_back(town: &mut Town, copy: &Path) {
    town.stop();
    town.restore(copy);
    town.start();
}

#[test]
fn what_a_restored_server_lacks_comes_back_from_the_municipalities_with_its_place() {
    let (mut town, haninge, huddinge) = two();
    let copy = back_up(&mut town, "copy");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000", "--reason", "offert"]);
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    // In sight of Haninge's: it covers it, also after both have come back.
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", "60000"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]);
    let held = haninge.object(&["status"])["position"].as_u64().unwrap();
    // Offline, and not in sight of what comes now.
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "i Huddinge"]);
    go_back(&mut town, &copy);

    let synced = haninge.object(&["sync"]);
    assert_eq!(synced["restored"]["held"], held);
    assert_eq!(synced["restored"]["cut"], held - 2);
    assert_eq!(
        [&synced["returned"], &synced["lost"], &synced["conflicts"]],
        [&json!(2), &json!(0), &json!(0)]
    );
    huddinge.does(&["sync"]).says("restored from an older copy");
    settle(&[&haninge, &huddinge]);
    all_equal(&[&haninge, &huddinge]);
    for replica in [&haninge, &huddinge] {
        assert_eq!(field(replica, "Nyckeltalsdagen", "cost")["ore"], 6_000_000);
        assert_eq!(field(replica, "Nyckeltalsdagen", "comment"), "i Huddinge");
        let history = replica.objects(&["history", "Nyckeltalsdagen"]);
        assert!(history.iter().any(|change| change["reason"] == "offert"), "{history:?}");
    }
    town.stop();
    town.check();
}

#[test]
fn a_replica_without_a_network_shows_its_own_lost_changes_and_hands_them_in_later() {
    let (mut town, haninge, huddinge) = two();
    let copy = back_up(&mut town, "copy");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000"]);
    haninge.does(&["sync"]);
    go_back(&mut town, &copy);
    // It goes back, and hands nothing in.
    haninge.does(&["pull"]).says("restored from an older copy");
    town.stop();
    assert_eq!(haninge.object(&["status"])["lost"], 1);
    assert_eq!(field(&haninge, "Nyckeltalsdagen", "cost")["ore"], 5_000_000);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "51000"]);
    town.start();
    haninge.does(&["sync"]).says("1 sent").says("has again: 1");
    settle(&[&huddinge, &haninge]);
    all_equal(&[&haninge, &huddinge]);
    assert_eq!(field(&huddinge, "Nyckeltalsdagen", "cost")["ore"], 5_100_000);
    assert_eq!(huddinge.object(&["status"])["conflicts"], 0);
}

#[test]
fn two_restores_one_after_the_other_lose_nothing() {
    let (mut town, haninge, huddinge) = two();
    town.stop();
    let copy = town.back_up("copy");
    for (round, cost) in [("en", "1000"), ("två", "2000")] {
        town.start();
        haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", cost, "--reason", round]);
        settle(&[&haninge, &huddinge]);
        town.stop();
        // The second time from a copy of before the first restore: the epoch that was opened then is gone too.
        town.restore(&copy);
    }
    town.start();
    settle(&[&haninge, &huddinge]);
    all_equal(&[&haninge, &huddinge]);
    let history = huddinge.objects(&["history", "Nyckeltalsdagen"]);
    for round in ["en", "två"] {
        assert!(history.iter().any(|change| change["reason"] == round), "{round}: {history:?}");
    }
}

#[test]
fn a_newer_copy_and_then_an_older_one_lose_nothing_and_refuse_nobody() {
    let (mut town, haninge, huddinge) = two();
    let older = back_up(&mut town, "older");
    huddinge.queues(&["edit", "Slutföra projektet", "--cost", "3"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    settle(&[&haninge, &huddinge]);
    let newer = back_up(&mut town, "newer");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    haninge.does(&["sync"]);
    for copy in [&newer, &older] {
        go_back(&mut town, copy);
        haninge.does(&["sync"]);
    }
    settle(&[&haninge, &huddinge]);
    all_equal(&[&haninge, &huddinge]);
    for replica in [&haninge, &huddinge] {
        assert_eq!(replica.object(&["status"])["quarantine"], 0);
        assert_eq!(field(replica, "Nyckeltalsdagen", "cost")["ore"], 200);
        assert_eq!(field(replica, "Slutföra projektet", "cost")["ore"], 300);
    }
}

#[test]
fn a_log_that_only_says_it_was_restored_is_an_alarm_and_everything_is_kept() {
    let (mut town, haninge, huddinge) = two();
    let copy = back_up(&mut town, "copy");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000"]);
    haninge.does(&["sync"]);
    town.stop();
    // Put back by hand, without an epoch, and written on by somebody who never saw what was lost.
    fs::remove_dir_all(town.data()).unwrap();
    radslag_tests::copy(&copy, &town.data()).unwrap();
    town.start();
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", "60000"]);
    huddinge.does(&["sync"]);
    let before = haninge.standing();
    for command in ["sync", "pull", "push"] {
        haninge.run(&[command]).exits(5).says("does not continue this replica's");
    }
    assert_eq!(haninge.standing(), before);
}

fn restore(town: &Town, to: &str, from: &Path) -> Outcome {
    town.daemon(&["restore", "--log", "warn", "--data"]).arg(town.path(to)).arg(from).run()
}

#[test]
fn a_restore_copies_over_nothing_and_takes_no_running_store() {
    let mut town = Town::with_sample();
    restore(&town, "new", &town.data()).exits(1).says("no backup");
    restore(&town, "new", &town.path("nowhere")).exits(1).says("there is no store");
    assert!(!town.path("new").exists());
    town.stop();
    let copy = town.back_up("copy");
    restore(&town, "server", &copy)
        .exits(1)
        .says("there is something in")
        .says("may hold changes that the copy lacks");
    restore(&town, "copy/inside", &copy).exits(1).says("lies inside the copy");
    assert!(!copy.join("inside").exists());
    restore(&town, "copy/../new", &copy).done().says("restored up to position");
    restore(&town, "new", &copy).exits(1).says("there is something in");
    town.check();
}

#[test]
fn a_restore_that_was_cut_short_is_served_by_nobody_and_begins_afresh() {
    let mut town = Town::with_sample();
    town.stop();
    let copy = town.back_up("copy");
    let key = copy.join("log.key");
    let kept = fs::read(&key).unwrap();

    fs::write(&key, "no key").unwrap();
    restore(&town, "new", &copy).exits(1).says("copy/log.key does not hold a key");
    fs::rename(&key, town.path("aside")).unwrap();
    restore(&town, "new", &copy)
        .exits(1)
        .says("there is no log.key")
        .says("put the log.key of this server into that directory");
    fs::rename(town.path("aside"), &key).unwrap();
    assert!(!town.path("new").exists());
    // Another server's: found out when everything is copied.
    fs::write(&key, "1".repeat(64)).unwrap();
    restore(&town, "new", &copy).exits(1).says("put back the log.key that belongs to this");
    for command in ["serve", "check"] {
        let run = town.daemon(&[command, "--listen", "127.0.0.1:0", "--data"]).arg(town.path("new")).run();
        run.exits(1).says("was not finished").says("run `radslagd restore COPY` into it again");
    }
    restore(&town, "newer", &town.path("new")).exits(1).says("was not finished");
    assert!(!town.path("newer").exists());

    fs::write(&key, kept).unwrap();
    restore(&town, "new", &copy).done().says("restored up to position");
    town.daemon(&["check", "--data"]).arg(town.path("new")).run().done().says("verified");
}

#[test]
fn what_two_restores_took_comes_back_in_the_order_in_which_it_stood() {
    let (mut town, haninge, huddinge) = two();
    let older = back_up(&mut town, "older");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    settle(&[&haninge, &huddinge]);
    let newer = back_up(&mut town, "newer");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    settle(&[&haninge, &huddinge]);
    // Haninge stays away: Huddinge alone has both tails, and handed in neither before the second restore.
    for copy in [&newer, &older] {
        go_back(&mut town, copy);
        huddinge.does(&["pull"]).says("restored from an older copy");
    }
    assert_eq!(huddinge.object(&["status"])["lost"], 2);
    assert_eq!(huddinge.object(&["sync"])["returned"], 2);
    settle(&[&haninge, &huddinge]);
    all_equal(&[&haninge, &huddinge]);
    for replica in [&haninge, &huddinge] {
        let status = replica.object(&["status"]);
        assert_eq!([&status["quarantine"], &status["conflicts"]], [&json!(0), &json!(0)]);
        assert_eq!(field(replica, "Nyckeltalsdagen", "cost")["ore"], 200);
    }
}
