//! The server's disk is gone, and its log comes back from a municipality's replica.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use radslag_core::id::{Position, ProgramId};
use radslag_engine::ledger::{Signatures, leaf_hash, read_record};
use radslag_log::{
    Append, CHECKPOINTS, Commit, EventLog as _, ReadLimit, RowChange, RowKey, RowKind, StoredRecord,
};
use radslag_log_sled::{OpenOptions, SledLog};
use radslag_proto::log::v1;
use radslag_tests::{CliRun, Municipality, Outcome, Town, sample, settle};
use radslag_trust::merkle::Frontier;
use serde_json::json;

/// A town whose operator keeps a copy of the log's key in a safe place.
fn town() -> (Town, PathBuf) {
    let town = Town::with_sample();
    let kept = town.path("kept.key");
    fs::copy(town.data().join("log.key"), &kept).unwrap();
    (town, kept)
}

fn restore(town: &Town, key: &Path, replicas: &[&Municipality]) -> Outcome {
    let run = town.daemon(&["restore", "--log", "warn", "--data"]).arg(town.data());
    from(run.arg("--log-key").arg(key), replicas).run()
}

fn from(run: CliRun, replicas: &[&Municipality]) -> CliRun {
    replicas.iter().fold(run, |run, replica| run.arg("--from-replica").arg(replica.dir()))
}

/// As everywhere, and nobody has anything in quarantine.
#[track_caller]
fn all_equal(replicas: &[&Municipality]) {
    radslag_tests::all_equal(replicas);
    for replica in replicas {
        assert_eq!(replica.object(&["status"])["quarantine"], 0);
    }
}

fn position(replica: &Municipality) -> u64 {
    replica.object(&["status"])["position"].as_u64().unwrap()
}

/// Every file below a folder, but for the lock that whoever opens it makes.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if path.file_name().is_some_and(|name| name != "lock") {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn with_the_disk_gone_everybody_carries_on_and_hands_in_what_the_replica_lacked() {
    let (mut town, key) = town();
    let [haninge, huddinge, nacka] = [("haninge", "Håkan"), ("huddinge", "Eva"), ("nacka", "Åke")]
        .map(|(org, member)| town.municipality(org, member));
    settle(&[&haninge, &huddinge, &nacka]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000", "--reason", "offert"]);
    haninge.does(&["sync"]);
    let held = position(&haninge);
    // Haninge has not seen these; and has one more itself, as Nacka has, that no server has seen.
    huddinge.queues(&["edit", "Avsätter tid", "--time", "v. 12", "--reason", "efter Haninge"]);
    huddinge.does(&["sync"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "i Haninges utkorg"]);
    nacka.queues(&["edit", "Samarbete Almedalen", "--comment", "i Nackas utkorg"]);
    town.burn();

    let before = contents(haninge.dir());
    let said = format!("restored up to position {held} from {}", haninge.dir().display());
    restore(&town, &key, &[&haninge]).done().says(&said).says("radslagd serve --data");
    assert_eq!(contents(haninge.dir()), before, "a replica is only read");
    town.check();
    let mut names: Vec<_> =
        fs::read_dir(town.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| name.to_string_lossy().starts_with("replica") || name == "restoring");
    assert_eq!(names, [""; 0], "nothing of the restore is left behind");
    town.start();
    let synced = huddinge.object(&["sync"]);
    assert_eq!([&synced["restored"]["cut"], &synced["returned"]], [&json!(held), &json!(1)], "{synced}");
    settle(&[&nacka, &haninge, &huddinge]);
    nacka.does(&["sync"]);
    all_equal(&[&haninge, &huddinge, &nacka]);
    for replica in [&haninge, &huddinge, &nacka] {
        assert_eq!(replica.activity("Nyckeltalsdagen")["cost"]["ore"], 5_000_000);
        assert_eq!(replica.activity("Nyckeltalsdagen")["comment"], "i Haninges utkorg");
        assert_eq!(replica.activity("Avsätter tid")["time"], "v. 12");
        assert_eq!(replica.activity("Samarbete Almedalen")["comment"], "i Nackas utkorg");
        assert_eq!(replica.object(&["status"])["conflicts"], 0);
        let log = replica.objects(&["log"]);
        for reason in ["offert", "efter Haninge"] {
            assert_eq!(log.iter().filter(|record| record["reason"] == reason).count(), 1, "{reason}");
        }
    }
    town.stop();
    town.check();
}

#[test]
fn of_several_replicas_the_furthest_is_taken_and_the_log_after_a_restore_before_that_of_before_it() {
    let (mut town, key) = town();
    let other = town.path("other");
    let create = town.cli(&["program", "create", "--server", town.url(), "--import"]).arg(sample());
    create.arg(&other).run().done();
    let other = town.replica("other");
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    settle(&[&haninge, &huddinge]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", "3"]);
    huddinge.does(&["sync"]);
    let (short, long) = (position(&haninge), position(&huddinge));
    assert!(short < long);
    town.burn();
    // Found out before anything is written: a second try is not in its own way.
    restore(&town, &key, &[&haninge, &huddinge, &other])
        .done()
        .says(&format!(
            "{}  restored up to position {long} from {}",
            town.program(),
            huddinge.dir().display()
        ))
        .says(&format!("restored up to position {} from {}", position(&other), other.dir().display()));
    fs::remove_dir_all(town.data()).unwrap();

    // Haninge follows a restore from its own, shorter log. That is the log from then on, however long another one is.
    restore(&town, &key, &[&haninge]).done();
    town.start();
    haninge.does(&["sync"]);
    let followed = position(&haninge);
    assert!(followed < long);
    town.burn();
    restore(&town, &key, &[&huddinge, &haninge])
        .done()
        .says(&format!("restored up to position {followed} from {}", haninge.dir().display()));
    town.start();
    assert_eq!(huddinge.object(&["sync"])["returned"], 3);
    settle(&[&haninge, &huddinge]);
    all_equal(&[&haninge, &huddinge]);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 300);
    town.stop();
    town.check();
}

#[test]
fn replicas_that_hold_different_logs_are_told_apart() {
    let (mut town, key) = town();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    settle(&[&haninge, &huddinge]);
    town.stop();
    let copy = town.back_up("copy");
    town.start();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    haninge.does(&["sync"]);
    town.burn();
    // Put back by hand, without an epoch.
    radslag_tests::copy(&copy, &town.data()).unwrap();
    town.start();
    for cost in ["2", "3"] {
        huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", cost]);
    }
    huddinge.does(&["sync"]);
    town.burn();
    restore(&town, &key, &[&haninge, &huddinge])
        .exits(5)
        .says("hold different logs")
        .says("will raise the alarm");
    let serve = town.daemon(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(town.data()).run();
    serve.exits(1).says("a restore into").says("was not finished");
    restore(&town, &key, &[&huddinge]).done();
    town.check();
}

#[test]
fn a_log_that_is_damaged_in_the_middle_is_taken_up_to_there_and_the_rest_comes_back() {
    let (mut town, key) = town();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    settle(&[&haninge, &huddinge]);
    for comment in ["ett", "två", "tre"] {
        haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", comment]);
        settle(&[&haninge, &huddinge]);
    }
    let held = position(&haninge);
    town.burn();
    // A bit of what stands there: the page's own checksum sees it.
    let program: ProgramId = town.program().parse().unwrap();
    let db = sled::open(haninge.dir().join(".radslag/store")).unwrap();
    let stem = [&[2], program.bytes().as_slice(), &(held - 1).to_be_bytes()].concat();
    let (page, mut bytes) = db.scan_prefix(&stem).next().unwrap().unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    db.insert(page, bytes).unwrap();
    drop(db);

    let taken = restore(&town, &key, &[&haninge]).done().says("another replica may have it whole");
    let cut: u64 = {
        let words: Vec<&str> = taken.out.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "position").unwrap();
        words[at + 1].parse().unwrap()
    };
    assert_eq!(cut, held - 2);
    // Of two, the one that is whole.
    fs::remove_dir_all(town.data()).unwrap();
    restore(&town, &key, &[&haninge, &huddinge]).done().says(&format!("up to position {held} from"));
    fs::remove_dir_all(town.data()).unwrap();
    restore(&town, &key, &[&haninge]).done();
    town.start();
    let synced = huddinge.object(&["sync"]);
    assert_eq!(synced["returned"], held - cut, "{synced}");
    let newcomer = town.municipality("nacka", "Åke");
    settle(&[&huddinge, &newcomer]);
    all_equal(&[&huddinge, &newcomer]);
    assert_eq!(newcomer.activity("Nyckeltalsdagen")["comment"], "tre");
    town.stop();
    town.check();
}

#[test]
fn a_replica_from_which_no_log_can_be_had_is_refused_with_what_to_do() {
    let (mut town, key) = town();
    let haninge = town.municipality("haninge", "Håkan");
    let init = town.cli(&["init", "--server", town.url(), "--program", town.program(), "--org", "nacka"]);
    init.args(&["--member", "Åke", "--snapshot-above", "20"]).arg(town.path("nacka")).run().done();
    let nacka = town.replica("nacka");
    haninge.does(&["sync"]);
    town.burn();

    restore(&town, &key, &[&nacka])
        .exits(1)
        .says("began from a snapshot and lacks the history before it")
        .says("name a replica that has the whole log");
    restore(&town, &key, &[&town.replica("nowhere")]).exits(1).says("there is no replica in");
    let lock = fs::File::open(haninge.dir().join(".radslag/store/lock")).unwrap();
    lock.lock().unwrap();
    restore(&town, &key, &[&haninge]).exits(1).says("is in use").says("run this again when the command");
    drop(lock);

    let empty = haninge.copied("empty");
    fs::remove_dir_all(empty.dir().join(".radslag/store")).unwrap();
    SledLog::open(&empty.dir().join(".radslag/store"), OpenOptions::default()).unwrap().close().unwrap();
    restore(&town, &key, &[&empty]).exits(1).says("holds no record").says("has pulled");
    fs::write(empty.dir().join(".radslag/replica.toml"), "program = \"x\"\n").unwrap();
    restore(&town, &key, &[&empty]).exits(1).says("replica.toml cannot be used");

    let damaged = haninge.copied("damaged");
    let db = sled::open(damaged.dir().join(".radslag/store")).unwrap();
    let (head, _) = db.scan_prefix([1]).next().unwrap().unwrap();
    db.remove(head).unwrap();
    drop(db);
    restore(&town, &key, &[&damaged])
        .exits(5)
        .says("cannot be believed")
        .says("caused by:")
        .says("name the replica of another municipality");
    // One that is fit does not help with one that is not: nobody would look at it again.
    restore(&town, &key, &[&haninge, &damaged]).exits(5).says("cannot be believed");

    // Whatever went wrong, the next try begins afresh; and once it is done there is something in the way.
    restore(&town, &key, &[&haninge]).done();
    town.check();
    restore(&town, &key, &[&haninge]).exits(1).says("there is something in").says("move it away and keep it");
}

#[test]
fn without_the_key_that_the_log_was_begun_with_nothing_is_restored() {
    let (mut town, key) = town();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.does(&["sync"]);
    town.burn();
    let data = town.data();
    let run = || town.daemon(&["restore", "--data"]).arg(&data);
    from(run(), &[&haninge])
        .run()
        .exits(1)
        .says("--log-key does not say where it is")
        .says("without it no replica follows this log");
    restore(&town, &town.path("nowhere"), &[&haninge]).exits(1).says("give the copy of the log.key");
    assert!(!data.exists(), "that was found out before anything was made");
    // Haninge's own key is a key, and not this one.
    let other = haninge.dir().join(".radslag/device.key");
    restore(&town, &other, &[&haninge])
        .exits(1)
        .says(&format!("not the one that programme {} was begun with", town.program()))
        .says("of the server that is lost");
    let serve = town.daemon(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).run();
    serve.exits(1).says("was not finished");
    run().run().exits(2);
    run().arg("copy").arg("--log-key").arg(&key).run().exits(2);
    from(run().arg("copy"), &[&haninge]).run().exits(2);
    restore(&town, &key, &[&haninge]).done();
    town.check();
}

/// Rewrites a replica's log with its last record a microsecond later: well formed, signed, and with a root that fits it. What no device
/// signs is in no signature of a device.
fn forge(replica: &Municipality, program: ProgramId) {
    let store = replica.dir().join(".radslag/store");
    let log = SledLog::open(&store, OpenOptions::default()).unwrap();
    let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let mut records = log.read(program, Position::new(1), all).unwrap();
    records.last_mut().unwrap().recorded_at += 1;
    let (mut stored, mut bundles, mut frontier) = (Vec::new(), Vec::new(), Frontier::new());
    let mut signatures = Signatures::default();
    for record in records {
        let at = Position::new(record.position);
        let signature = signatures.of(&log, program, &record).unwrap();
        frontier.append(leaf_hash(&read_record(&record).unwrap(), &signature));
        bundles.extend(log.bundle(program, at).unwrap());
        stored.push(StoredRecord { record, values: log.values(program, at).unwrap() });
    }
    let checkpoints = RowKey { program, kind: RowKind::Setting, number: CHECKPOINTS };
    let row = log.row(checkpoints).unwrap().expect("it has been told a checkpoint");
    log.close().unwrap();
    fs::remove_dir_all(&store).unwrap();
    let log = SledLog::open(&store, OpenOptions::default()).unwrap();
    let head = v1::Head {
        position: frontier.size(),
        recorded_at: stored.last().unwrap().record.recorded_at,
        frontier: frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
    };
    let append = Append { program, records: stored, bundles, head, root: frontier.root() };
    log.commit(Commit { appends: vec![append], rows: vec![RowChange::Put(checkpoints, row)] }).unwrap();
    log.close().unwrap();
}

#[test]
fn a_log_that_fits_itself_and_not_what_the_logs_key_signed_is_not_believed() {
    let (mut town, key) = town();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.does(&["sync"]);
    town.burn();
    let forged = haninge.copied("forged");
    forge(&forged, town.program().parse().unwrap());
    forged.does(&["verify"]);
    restore(&town, &key, &[&forged])
        .exits(5)
        .says("cannot be believed")
        .says("the Merkle root is not the one that the log's key signed");
    restore(&town, &key, &[&haninge]).done();
    town.check();
}
