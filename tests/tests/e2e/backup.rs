//! A backup that a running server gives, under load: what is in it is the log as it stood, and to restore it loses nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use radslag_client::remote::Remote;
use radslag_core::id::{EventId, Position};
use radslag_engine::ledger::Ledger;
use radslag_log_sled::{OpenOptions, SledLog};
use radslag_tests::member::{Learned, Member};
use radslag_tests::{Municipality, Outcome, Town};
use serde_json::{Value as Json, json};

/// Edits and syncs until it is told to stop; gives what was accepted. `told` hears of every sync.
fn at_work(
    replica: &Municipality,
    url: &str,
    seed: u64,
    stop: &Arc<AtomicBool>,
    told: mpsc::Sender<()>,
) -> JoinHandle<BTreeSet<EventId>> {
    let (dir, url, stop) = (replica.dir().to_owned(), url.to_owned(), Arc::clone(stop));
    thread::spawn(move || {
        let mut member = Member::open(&dir, seed).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut accepted = BTreeSet::new();
        runtime.block_on(async {
            let remote = Remote::connect(&url).await.unwrap();
            while !stop.load(Ordering::Relaxed) {
                for _ in 0..10 {
                    member.edit(8).unwrap();
                }
                member.sync(&remote).await.unwrap();
                let learned = member.learned().unwrap();
                let landed = learned.iter().filter(|(_, fate)| *fate == Learned::Accepted);
                accepted.extend(landed.map(|(event, _)| *event));
                // Whoever listened has heard enough.
                let _ = told.send(());
            }
        });
        member.replica.close().unwrap();
        accepted
    })
}

/// The programme in a store that nobody has open, as it stood at a position.
fn ledger_at(data: &Path, town: &Town, position: u64) -> Ledger {
    let log = SledLog::open(data, OpenOptions::default()).unwrap();
    let mut ledger = Ledger::new(town.program().parse().unwrap());
    ledger.replay_to(&log, Position::new(position)).unwrap();
    assert_eq!(ledger.state.head().get(), position);
    log.close().unwrap();
    ledger
}

fn same(one: &Ledger, other: &Ledger) -> bool {
    one.state.hash() == other.state.hash() && one.frontier.root() == other.frontier.root()
}

fn back_up(town: &Town, dir: &Path) -> Outcome {
    town.daemon(&["backup", "--log", "warn", "--data"]).arg(town.data()).arg(dir).run()
}

/// The position and the root that a backup says it has of the town's programme.
fn said(backed_up: &Outcome, town: &Town) -> (u64, String) {
    let line = backed_up.out.lines().find(|line| line.starts_with(town.program())).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    (words[3].parse().unwrap(), words[6].to_owned())
}

fn events(replica: &Municipality) -> BTreeSet<EventId> {
    let log = replica.objects(&["log"]);
    log.iter().map(|record| record["event_id"].as_str().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_backup_under_load_is_the_log_as_it_stood_and_to_restore_it_loses_nothing() {
    let mut town = Town::with_sample();
    let replicas = [town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva")];
    let (stop, (told, heard)) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
    let working: Vec<_> = (1..)
        .zip(&replicas)
        .map(|(seed, replica)| at_work(replica, town.url(), seed, &stop, told.clone()))
        .collect();
    assert_eq!(heard.iter().take(4).count(), 4);
    let mut backups = Vec::new();
    for name in ["first", "second", "third"] {
        let dir = town.path(name);
        let backed_up = back_up(&town, &dir).done().says("check it: radslagd check --data");
        let (position, root) = said(&backed_up, &town);
        town.daemon(&["check", "--log", "warn", "--data"])
            .arg(&dir)
            .run()
            .done()
            .says(&format!("verified  {position} records, root {root}"));
        backups.push((dir, position, root));
        // Everybody went on meanwhile, and goes on.
        heard.try_iter().for_each(drop);
        assert_eq!(heard.iter().take(4).count(), 4);
    }
    stop.store(true, Ordering::Relaxed);
    let accepted: BTreeSet<EventId> =
        working.into_iter().flat_map(|working| working.join().unwrap()).collect();
    replicas.iter().for_each(|replica| {
        replica.does(&["sync"]);
    });
    let held = replicas[0].object(&["pull"])["position"].as_u64().unwrap();
    assert!(backups.windows(2).all(|pair| pair[0].1 < pair[1].1), "{backups:?}");
    assert!(accepted.len() > 100 && backups[2].1 < held, "nobody wrote meanwhile: {backups:?}, {held}");

    town.stop();
    for (dir, position, root) in &backups {
        let (copy, original) = (ledger_at(dir, &town, *position), ledger_at(&town.data(), &town, *position));
        assert_eq!(copy.frontier.root().to_string(), *root);
        assert!(same(&copy, &original));
    }
    let (dir, position, _) = &backups[0];
    let before = ledger_at(&town.data(), &town, *position);
    town.restore(dir);
    assert!(same(&ledger_at(&town.data(), &town, *position), &before));
    town.start();
    for _ in 0..3 {
        for replica in &replicas {
            replica.does(&["sync"]);
        }
    }
    let newcomer = town.municipality("nacka", "Åke");
    let hashes: Vec<Json> = [&replicas[0], &replicas[1], &newcomer]
        .map(|replica| {
            replica.does(&["pull"]);
            replica.does(&["verify", "--online"]).says("the server has the same log");
            let status = replica.object(&["status"]);
            assert_eq!([&status["outbox"], &status["lost"]], [&json!(0), &json!(0)]);
            assert!(accepted.is_subset(&events(replica)), "accepted and gone");
            status["state_hash"].clone()
        })
        .to_vec();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    town.stop();
    town.check();
}

#[test]
fn a_backup_of_a_server_that_does_not_run_is_read_from_its_store() {
    let mut town = Town::with_sample();
    let other = town.create(&radslag_tests::sample());
    let running = back_up(&town, &town.path("running")).done();
    town.stop();
    let stopped = back_up(&town, &town.path("stopped")).done().says(&other);
    assert_eq!(
        running.out.replace("running", "x"),
        stopped.out.replace("stopped", "x"),
        "both say the same of both programmes"
    );
    town.start();
    town.crash();
    // The socket that a killed server left behind is nobody's.
    back_up(&town, &town.path("crashed")).done();
    for name in ["running", "stopped", "crashed"] {
        let new = town.path(&format!("{name}-restored"));
        town.daemon(&["restore", "--log", "warn", "--data"]).arg(&new).arg(town.path(name)).run().done();
        town.daemon(&["check", "--log", "warn", "--data"]).arg(&new).run().done().says(&other);
    }
}

#[test]
fn what_is_no_whole_backup_is_taken_for_one_by_nobody() {
    let mut town = Town::with_sample();
    let dir = town.path("backup");
    back_up(&town, &dir).done();
    // A backup is restored, not served: replicas may hold more than it does.
    let serve = |dir: &Path| town.daemon(&["serve", "--listen", "127.0.0.1:0", "--data"]).arg(dir).run();
    serve(&dir).exits(1).says("is a backup").says("radslagd restore");
    back_up(&town, &dir).exits(1).says("there is something in").says("that is empty or not there yet");
    back_up(&town, &town.data().join("backup")).exits(1).says("lies inside the data directory");
    back_up(&town, &town.data().join("../server/x")).exits(1).says("lies inside the data directory");

    // As one that was cut short is: under the mark that it began with.
    fs::rename(dir.join("backup"), dir.join("backing-up")).unwrap();
    serve(&dir).exits(1).says("a backup into").says("was not finished");
    town.daemon(&["check", "--data"]).arg(&dir).run().exits(1).says("was not finished");
    let restore = town.daemon(&["restore", "--data"]).arg(town.path("new")).arg(&dir).run();
    restore.exits(1).says("was not finished").says("run `radslagd backup` into it again");
    assert!(!town.path("new").exists());
    back_up(&town, &dir).done();
    town.daemon(&["check", "--data"]).arg(&dir).run().done().says("verified");

    let nowhere = town.daemon(&["backup", "--data"]).arg(town.path("nowhere")).arg(town.path("x")).run();
    nowhere.exits(1).says("there is no store in");
    town.stop();
    let lock = fs::File::open(town.data().join("lock")).unwrap();
    lock.try_lock().unwrap();
    back_up(&town, &town.path("x")).exits(1).says("no radslagd answers there").says("hint:");
    drop(lock);
    fs::remove_file(town.data().join("log.key")).unwrap();
    back_up(&town, &town.path("x")).exits(1).says("there is no log.key");
    assert!(!town.path("x").exists());
}

#[cfg(unix)]
#[test]
fn the_control_socket_and_the_key_in_a_backup_are_their_owners_alone() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;
    let mut town = Town::with_sample();
    let socket = town.data().join("control");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o600);
    back_up(&town, &town.path("backup")).done();
    assert_eq!(mode(&town.path("backup/log.key")), 0o600);
    assert_eq!(mode(&town.path("backup")), 0o700);

    // Somebody who says something else, and then somebody who says nothing and is in nobody's way for long.
    let mut other = UnixStream::connect(&socket).unwrap();
    other.write_all(b"restart").unwrap();
    let mut said = String::new();
    other.read_to_string(&mut said).unwrap();
    assert!(said.contains("this release knows `backup` alone"), "{said:?}");
    let silent = UnixStream::connect(&socket).unwrap();
    back_up(&town, &town.path("busy")).exits(1).says("another backup is under way").says("run this again");
    drop(silent);
    town.stop();
    assert!(!socket.exists(), "it is taken away at the end");
}
