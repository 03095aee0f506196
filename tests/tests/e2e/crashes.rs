//! What was acknowledged stays, whoever is killed and whenever.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Child;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use radslag_tests::{Municipality, Town};
use serde_json::Value as Json;

/// The ids of every record of a replica's log and of what it has queued.
fn recorded(replica: &Municipality) -> Vec<String> {
    ids(&replica.objects(&["log"]))
}

fn ids(objects: &[Json]) -> Vec<String> {
    objects.iter().map(|object| object["event_id"].as_str().unwrap().to_owned()).collect()
}

/// Every one of `acknowledged` is in the log of every replica, once, and all logs are the same and verify.
fn all_are_there(replicas: &[&Municipality], acknowledged: &BTreeSet<String>) {
    let logs: Vec<Vec<String>> = replicas.iter().map(|replica| recorded(replica)).collect();
    for (replica, log) in replicas.iter().zip(&logs) {
        let once: BTreeSet<&String> = log.iter().collect();
        assert_eq!(once.len(), log.len(), "an event is in the log twice");
        assert!(acknowledged.iter().all(|event| once.contains(event)), "acknowledged and gone: {replica:?}");
        assert_eq!(log, &logs[0]);
        replica.does(&["verify", "--online"]);
    }
}

#[test]
fn what_the_server_acknowledged_survives_its_kill() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let mut acknowledged = BTreeSet::new();
    for round in 1..=4 {
        let cost = format!("{round}000");
        acknowledged.extend(haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", &cost]));
        acknowledged.extend(haninge.queues(&["edit", "Avsätter tid", "--comment", &cost, "--time", &cost]));
        assert_eq!(haninge.object(&["push"])["pushed"], 3);
        town.crash();
        town.check();
        town.start();
        // A replica that comes new to the town has them from the server alone.
        let newcomer = town.municipality(&format!("kommun-{round}"), "Eva");
        all_are_there(&[&newcomer], &acknowledged);
        haninge.does(&["pull"]);
        assert_eq!(haninge.object(&["status"])["outbox"], 0);
    }
}

/// Edits and pushes until a push fails; gives what was acknowledged. `told` hears of every acknowledged push.
fn push_on(replica: &Municipality, activity: &str, told: &mpsc::Sender<()>) -> BTreeSet<String> {
    let (mut waiting, mut acknowledged) = (Vec::new(), BTreeSet::new());
    for round in 1.. {
        waiting.extend(replica.queues(&["edit", activity, "--cost", &round.to_string()]));
        let pushed = replica.run(&["push", "--format", "json"]);
        if pushed.code != Some(0) {
            // Killed before the call or under it: nothing was acknowledged, everything waits.
            pushed.exits(4);
            break;
        }
        acknowledged.extend(waiting.drain(..));
        // Whoever listened has heard enough.
        let _ = told.send(());
    }
    acknowledged
}

#[test]
fn pushes_of_two_municipalities_survive_a_server_that_is_killed_under_them() {
    let mut town = Town::with_sample();
    let replicas = [town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva")];
    let mut acknowledged = BTreeSet::new();
    for pushes in [3, 6] {
        let (told, heard) = mpsc::channel();
        let pushing: Vec<_> = replicas
            .iter()
            .zip(["Nyckeltalsdagen", "Avsätter tid"])
            .map(|(replica, activity)| {
                let (replica, told) = (replica.clone(), told.clone());
                thread::spawn(move || push_on(&replica, activity, &told))
            })
            .collect();
        assert_eq!(heard.iter().take(pushes).count(), pushes);
        town.crash();
        for pushing in pushing {
            acknowledged.extend(pushing.join().unwrap());
        }
        town.check();
        town.start();
        for replica in [&replicas[0], &replicas[1], &replicas[0]] {
            replica.does(&["sync"]);
            assert_eq!(replica.object(&["status"])["outbox"], 0);
        }
        all_are_there(&[&replicas[0], &replicas[1]], &acknowledged);
    }
    assert!(acknowledged.len() >= 9);
}

/// Kills a running command when it has said something or has lived this long; gives what it had queued by its own word.
fn killed_after(mut child: Child, patience: Duration) -> Vec<String> {
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (told, heard) = mpsc::channel();
    let listening = thread::spawn(move || {
        let mut said = String::new();
        stdout.read_line(&mut said).unwrap();
        // Nobody listens any more where the time was up first.
        let _ = told.send(());
        stdout.read_to_string(&mut said).unwrap();
        said
    });
    let _ = heard.recv_timeout(patience);
    child.kill().unwrap();
    child.wait().unwrap();
    let said = listening.join().unwrap();
    let Ok(answer) = serde_json::from_str::<Json>(&said) else { return Vec::new() };
    let queued = answer["queued"].as_array().cloned().unwrap_or_default();
    queued.iter().map(|event| event.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_replica_that_is_killed_keeps_every_edit_that_it_said_is_queued() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let mut acknowledged = BTreeSet::new();
    for round in 1_u64..=24 {
        let cost = (round * 100).to_string();
        // From "hardly started" to "has answered", so that kills fall before, into and after the write.
        let patience = Duration::from_millis(if round % 4 == 0 { 60_000 } else { round * 5 });
        let edit = haninge.cli(&["edit", "Nyckeltalsdagen", "--cost", &cost, "--format", "json"]);
        acknowledged.extend(killed_after(edit.spawn(), patience));
        if round % 3 == 0 {
            killed_after(
                haninge.cli(&["sync", "--format", "json"]).spawn(),
                Duration::from_millis(round * 5),
            );
        }
        let kept: BTreeSet<String> = recorded(&haninge).into_iter().collect();
        assert!(acknowledged.is_subset(&kept), "round {round}: said to be queued, and gone");
    }
    assert!(acknowledged.len() >= 6, "a command that has answered was never killed");
    haninge.does(&["sync"]);
    assert_eq!(haninge.object(&["status"])["outbox"], 0);
    let newcomer = town.municipality("huddinge", "Eva");
    haninge.does(&["pull"]);
    all_are_there(&[&newcomer, &haninge], &acknowledged);
}

#[test]
fn two_commands_at_one_replica_wait_for_each_other() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let commands: [&[&str]; 4] = [
        &["edit", "Nyckeltalsdagen", "--cost", "1"],
        &["edit", "Avsätter tid", "--time", "v. 12"],
        &["sync"],
        &["edit", "Samarbete Almedalen", "--comment", "Vi ses"],
    ];
    let running = commands.map(|args| {
        let replica = haninge.clone();
        thread::spawn(move || replica.does(args))
    });
    for run in running {
        run.join().unwrap();
    }
    haninge.does(&["sync"]);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 100);
    assert_eq!(haninge.activity("Avsätter tid")["time"], "v. 12");
    assert_eq!(haninge.activity("Samarbete Almedalen")["comment"], "Vi ses");
    haninge.does(&["verify", "--online"]);
}
