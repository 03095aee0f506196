//! Following a programme as it changes: nothing left out, nothing twice, whatever becomes of the server.

use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};

use radslag_tests::{Municipality, Town, copy};
use serde_json::Value as Json;

/// A running `radslag watch`; killed when a test ends early.
struct Watching {
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        // One that ended by itself is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Watching {
    fn begin(replica: &Municipality, args: &[&str]) -> Self {
        let mut child = replica.cli(&[&["watch"], args].concat()).spawn();
        let out = BufReader::new(child.stdout.take().unwrap()).lines();
        let err = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut watching = Self { child, out, err };
        watching.hears("following the programme");
        watching
    }

    /// Waits for a line of stderr that holds `text`.
    fn hears(&mut self, text: &str) {
        let mut heard = Vec::new();
        for line in self.err.by_ref() {
            let line = line.unwrap();
            if line.contains(text) {
                return;
            }
            heard.push(line);
        }
        panic!("it ended before it said {text:?}: {heard:?}");
    }

    fn line(&mut self) -> String {
        self.out.next().expect("it ended").unwrap()
    }

    fn object(&mut self) -> Json {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Waits for its end: how it ended, and the rest of what it said.
    fn ends(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        for line in self.err.by_ref() {
            said.push_str(&line.unwrap());
            said.push('\n');
        }
        (self.child.wait().unwrap(), said)
    }
}

#[test]
fn a_change_is_shown_as_it_comes_with_who_what_and_why() {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["sync"]);
    let mut watching = Watching::begin(&haninge, &[]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "I mars", "--reason", "enligt mötet"]);
    huddinge.does(&["sync"]);
    let line = watching.line();
    for part in ["huddinge, Eva", "Nyckeltalsdagen", "comment", "→ I mars", "(enligt mötet)"] {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
    // The replica has it too, and other commands work beside.
    assert!(haninge.exported(&[]).contains("I mars"));
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1000"]);
    haninge.does(&["sync"]);
    assert!(watching.line().contains("haninge, Håkan"));
}

#[test]
fn one_who_watches_an_area_or_an_organisation_is_shown_that_alone_and_holds_everything() {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    let nacka = town.municipality("nacka", "Nils");
    haninge.does(&["sync"]);
    nacka.does(&["sync"]);
    let mut area = Watching::begin(&haninge, &["--area", "Infrastruktur", "--format", "json"]);
    let mut org = Watching::begin(&nacka, &["--org", "huddinge", "--format", "json"]);
    let change = |who: &Municipality, args: &[&str]| {
        let event = who.queues(args).remove(0);
        who.does(&["sync"]);
        event
    };
    let comment =
        |who: &Municipality, activity: &str, text: &str| change(who, &["edit", activity, "--comment", text]);
    let below = comment(&huddinge, "Systemanalys", "I mars");
    let elsewhere = comment(&huddinge, "Erfarenhetsutbyte kring klimat", "I april");
    let theirs = comment(&haninge, "Porten till", "I maj");
    let moved = change(&huddinge, &["activity", "move", "Systemanalys", "--to", "Vi bidrar till långsiktig"]);
    let gone = comment(&huddinge, "Systemanalys", "I juni");
    let last = comment(&huddinge, "Skyltfönster", "I juli");
    let seen = |watching: &mut Watching, count: usize| -> Vec<String> {
        (0..count).map(|_| watching.object()["event_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(seen(&mut area, 4), [&below, &theirs, &moved, &last].map(Clone::clone));
    assert_eq!(seen(&mut org, 5), [below, elsewhere, moved, gone, last]);
    // What is not shown is fetched and verified all the same.
    assert!(haninge.exported(&[]).contains("I april") && nacka.exported(&[]).contains("I maj"));
    drop(area);
    haninge.does(&["verify", "--online"]);
}

#[test]
fn one_who_watches_hears_what_is_shown_and_that_a_name_means_nothing() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.does(&["sync"]);
    let both = ["watch", "--area", "Klimat", "--org", "haninge"];
    for (lang, said) in
        [("sv", "bara området Klimat, bara av haninge"), ("en", "only the area Klimat, only by haninge")]
    {
        let mut child = haninge.cli(&both).args(&["--lang", lang]).spawn();
        let mut err = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(err.next().unwrap().unwrap().contains(said));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    haninge.run(&["watch", "--area", "Rymdfart"]).exits(1).says("there is no area \"Rymdfart\"");
    haninge.run(&["watch", "--org", "lund"]).exits(1).says("no organisation \"lund\"").says("haninge");
}

#[test]
fn a_server_that_is_killed_and_comes_back_leaves_no_gap_and_repeats_nothing() {
    let mut town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["sync"]);
    let first = haninge.object(&["status"])["position"].as_u64().unwrap() + 1;
    let mut watching = Watching::begin(&haninge, &["--format", "json"]);
    let mut seen = Vec::new();
    for round in 0..3 {
        for edit in 0..2 {
            huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", &format!("{round} {edit}")]);
            huddinge.does(&["sync"]);
        }
        // Whatever was shown before the kill is not shown again after it.
        seen.push(watching.object());
        town.crash();
        watching.hears("waiting until the server answers again");
        town.start();
        watching.hears("the server answers again");
        seen.push(watching.object());
    }
    let positions: Vec<u64> = seen.iter().map(|object| object["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, (first..first + 6).collect::<Vec<u64>>());
    let log = huddinge.objects(&["log", "--last", "6"]);
    for (seen, logged) in seen.iter().zip(&log) {
        assert_eq!(seen["event_id"], logged["event_id"]);
        assert_eq!(seen["changes"][0]["field"], "comment");
    }
}

#[test]
fn a_restored_server_is_told_of_and_what_takes_the_place_of_what_was_shown_is_shown() {
    let mut town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    town.stop();
    let backup = town.back_up("backup");
    town.start();
    let mut watching = Watching::begin(&haninge, &["--format", "json"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "ett"]);
    huddinge.does(&["sync"]);
    let lost = watching.object();
    town.stop();
    town.restore(&backup);
    town.start();
    watching.hears("restored from an older copy");
    let opened = watching.object();
    assert_eq!((&opened["kind"], &opened["position"]), (&"epoch_opened".into(), &lost["position"]));
    // Who wrote it hands it in again, and it is shown where it stands now.
    huddinge.does(&["sync"]).says("has again: 1");
    let again = watching.object();
    assert_eq!(again["event_id"], lost["event_id"]);
    assert_eq!(again["position"].as_u64(), lost["position"].as_u64().map(|position| position + 1));
}

#[test]
fn a_log_that_is_no_extension_of_what_was_shown_raises_the_alarm() {
    let mut town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["sync"]);
    town.stop();
    let older = town.path("older");
    copy(&town.data(), &older).unwrap();
    town.start();
    let mut watching = Watching::begin(&haninge, &[]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "Går förlorad"]);
    huddinge.does(&["sync"]);
    assert!(watching.line().contains("Går förlorad"));
    town.stop();
    std::fs::remove_dir_all(town.data()).unwrap();
    copy(&older, &town.data()).unwrap();
    town.start();
    let (status, said) = watching.ends();
    assert_eq!(status.code(), Some(5), "{said}");
    assert!(said.contains("lacks changes that were acknowledged"), "{said}");
}

#[cfg(unix)]
#[test]
fn asked_to_end_it_ends_well() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let mut watching = Watching::begin(&haninge, &[]);
    let asked = std::process::Command::new("kill").arg(watching.child.id().to_string()).status().unwrap();
    assert!(asked.success());
    let mut rest = String::new();
    watching.child.stdout.take().map(|mut out| out.read_to_string(&mut rest));
    let (status, said) = watching.ends();
    assert_eq!(status.code(), Some(0), "{said}");
}
