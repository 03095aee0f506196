//! A copied replica: two folders with one key. Whoever notices becomes a device of its own, and nothing is lost or said twice.

use std::fs;
use std::path::Path;

use radslag_tests::{Municipality, Server, Town};
use serde_json::{Value as Json, json};

fn device(replica: &Municipality) -> String {
    replica.object(&["whoami"])["device_id"].as_str().unwrap().to_owned()
}

/// The values that were ever written into a field of the activity, in the order of the log.
fn written(replica: &Municipality, activity: &str, field: &str) -> Vec<Json> {
    let history = replica.objects(&["history", activity]);
    history.into_iter().filter(|row| row["field"] == field).map(|row| row["written"].clone()).collect()
}

fn sides(replica: &Municipality) -> Vec<Json> {
    let conflicts = replica.objects(&["conflicts"]);
    let sides = conflicts.iter().flat_map(|conflict| conflict["sides"].as_array().unwrap());
    sides.map(|side| side["value"].clone()).collect()
}

#[test]
fn a_copied_folder_becomes_a_device_of_its_own_and_all_edits_of_both_land_once() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    // Queued before the folder was copied: both hold it.
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "Före kopian"]);
    let clone = haninge.copied("clone");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--time", "v. 38"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    clone.queues(&["edit", "Nyckeltalsdagen", "--time", "oktober", "--reason", "enligt beslut"]);
    clone.queues(&["edit", "Nyckeltalsdagen", "--time", "november", "--assign", "Salem"]);
    clone.queues(&["area", "add", "--title", "Bostäder"]);
    clone.queues(&["area", "edit", "Bostäder", "--title", "Bostad"]);
    haninge.does(&["sync"]).says("3 sent");
    let old = device(&clone);
    let synced = clone.does(&["sync"]).says("Another machine writes with this replica's key");
    // The group counts as two; what was queued before the copy landed through the other folder.
    synced.says("5 changes that had not landed were written anew").says("0 queued");
    assert_ne!(device(&clone), old);
    assert_eq!(device(&haninge), old);
    for replica in [&haninge, &clone] {
        replica.does(&["sync"]).says("0 queued");
    }
    for replica in [&haninge, &clone] {
        assert_eq!(written(replica, "Nyckeltalsdagen", "comment")[1..], ["Före kopian"]);
        // All that was written is there once; the first October was covered by the November of the same author.
        assert_eq!(written(replica, "Nyckeltalsdagen", "time")[1..], ["v. 38", "oktober", "november"]);
        let mut sides = sides(replica);
        sides.sort_unstable_by_key(ToString::to_string);
        assert_eq!(sides, ["november", "v. 38"]);
        assert_eq!(replica.activity("Nyckeltalsdagen")["cost"]["ore"], 100);
        replica.does(&["area", "show", "Bostad"]);
        let status = replica.object(&["status"]);
        assert_eq!(
            [&status["outbox"], &status["quarantine"], &status["conflicts"]],
            [&json!(0), &json!(0), &json!(1)]
        );
        replica.does(&["verify", "--online"]);
    }
    let history = haninge.objects(&["history", "Nyckeltalsdagen"]);
    assert_eq!(history.iter().find(|row| row["written"] == "oktober").unwrap()["reason"], "enligt beslut");
    assert_eq!(haninge.object(&["status"])["state_hash"], clone.object(&["status"])["state_hash"]);
}

#[test]
fn a_copy_that_sees_the_other_machine_in_the_log_goes_its_own_way_before_its_next_push() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let clone = haninge.copied("clone");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    haninge.does(&["sync"]);
    clone.does(&["pull"]).says("1 new record");
    // It has seen the other machine's edit, so this covers it; the next pushes of both go on side by side.
    clone.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    let old = device(&haninge);
    let synced = clone.object(&["sync"]);
    assert_eq!([&synced["outbox"], &synced["conflicts"]], [&json!(0), &json!(0)]);
    assert_eq!(synced["new_device"], device(&clone).as_str());
    assert_ne!(device(&clone), old);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--time", "v. 38"]);
    haninge.does(&["sync"]).says("1 sent");
    clone.does(&["sync"]);
    assert_eq!(clone.activity("Nyckeltalsdagen")["cost"]["ore"], 200);
    assert_eq!(clone.object(&["sync"])["new_device"], Json::Null);
    clone.does(&["verify", "--online"]);
}

#[test]
fn what_was_rejected_before_the_fork_can_still_be_handed_in_again() {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["pull"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "A", "--strict"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "B"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]).says("1 rejected");
    let clone = haninge.copied("clone");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    haninge.does(&["sync"]);
    clone.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    clone.does(&["sync"]);
    clone.does(&["outbox", "resubmit", "1"]);
    clone.does(&["sync"]).says("0 queued").says("2 conflicts");
    clone.does(&["verify", "--online"]);
}

#[test]
fn a_crash_in_the_middle_of_the_switch_ends_as_the_old_device_or_the_new() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let clone = haninge.copied("clone");
    let folder = clone.dir().join(".radslag");
    let (settings, key) =
        (fs::read(folder.join("replica.toml")).unwrap(), fs::read(folder.join("device.key")).unwrap());
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    haninge.does(&["sync"]);
    clone.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    clone.does(&["sync"]);
    let new = device(&clone);
    // As the folder was after the commit, before the files followed it.
    let to_be = folder.join(format!("device-{new}.key"));
    fs::rename(folder.join("device.key"), &to_be).unwrap();
    secret(&folder.join("device.key"), &key);
    fs::write(folder.join("replica.toml"), &settings).unwrap();
    clone.queues(&["edit", "Nyckeltalsdagen", "--time", "v. 38"]);
    assert_eq!(device(&clone), new);
    assert!(!to_be.exists());
    // And with the key in place but not the settings.
    fs::write(folder.join("replica.toml"), &settings).unwrap();
    clone.does(&["sync"]).says("0 queued");
    assert_eq!(device(&clone), new);
    clone.does(&["verify", "--online"]);
    haninge.does(&["sync"]);
    assert_eq!(sides(&haninge).len(), 2);
}

fn secret(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn where_devices_do_not_enrol_themselves_a_copy_keeps_everything_queued_and_says_what_to_ask_for() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let clone = haninge.copied("clone");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    haninge.does(&["sync"]);
    clone.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    town.stop();
    let port = town.url().rsplit(':').next().unwrap().to_owned();
    let open_to_all = Server::start(&town.data(), &format!("0.0.0.0:{port}"));
    let refused = clone.run(&["sync"]).exits(1).says("another machine writes with this replica's key");
    refused.says("ask whoever runs the server");
    assert_eq!(clone.object(&["status"])["outbox"], 1);
    assert!(open_to_all.end_in_order().success());
    town.start();
    clone.does(&["sync"]).says("1 changes that had not landed");
    clone.does(&["verify", "--online"]);
}
