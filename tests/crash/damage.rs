//! Bytes of a store are not what was written: a flipped bit, a truncated tail, an emptied file, a file that is gone. A server on it gives
//! no other answer than before, or none and says so; never a panic, never a silent loss.

use std::fs;
use std::path::{Path, PathBuf};

use radslag_tests::dice::Dice;
use radslag_tests::rounds::rounds;
use radslag_tests::{Municipality, Town, copy};

/// One harm to one file.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flipped,
    Truncated,
    Emptied,
    Gone,
}

const ALL: [Harm; 4] = [Harm::Flipped, Harm::Truncated, Harm::Emptied, Harm::Gone];

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

fn harm(file: &Path, harm: Harm, dice: &mut Dice) -> String {
    let mut bytes = fs::read(file).unwrap();
    let at = dice.below(bytes.len().max(1));
    match harm {
        Harm::Flipped if bytes.is_empty() => bytes.push(1),
        Harm::Flipped => bytes[at] ^= 1 << dice.below(8),
        Harm::Truncated => bytes.truncate(at),
        Harm::Emptied => bytes.clear(),
        Harm::Gone => {
            fs::remove_file(file).unwrap();
            return format!("{} is gone", file.display());
        }
    }
    fs::write(file, bytes).unwrap();
    format!("{} {harm:?} at {at}", file.display())
}

/// What a server says of a programme: its whole log, verified by a reader that began with nothing.
fn read_anew(town: &Town, name: &str) -> Result<Vec<serde_json::Value>, String> {
    let reader: Municipality = town.replica(name);
    let begun = town
        .cli(&["init", "--server", town.url(), "--program", town.program(), "--org", "salem"])
        .args(&["--member", "Eva", "--full"])
        .arg(reader.dir())
        .run();
    let pulled = if begun.code == Some(0) { reader.run(&["pull"]) } else { begun };
    assert!(!pulled.err.contains("panicked"), "{pulled}");
    match pulled.code {
        // What it wrote to be enrolled is its own; what was there before is all that is compared.
        Some(0) => Ok(reader.objects(&["log"])),
        _ => Err(pulled.to_string()),
    }
}

#[test]
fn a_damaged_store_gives_no_other_answer() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    for number in 0..12 {
        haninge.queues(&[
            "edit",
            "Nyckeltalsdagen",
            "--comment",
            &format!("{number} {}", "å".repeat(number * 500)),
        ]);
    }
    haninge.does(&["sync"]);
    let truth = haninge.objects(&["log"]);
    town.stop();
    let sound = town.back_up("sound");
    let mut dice = Dice::new(11);
    let (mut refused, mut answered) = (0, 0);
    for round in 0..rounds("RADSLAG_DAMAGES", 2) {
        for file in files(&sound) {
            for kind in ALL {
                fs::remove_dir_all(town.data()).unwrap();
                copy(&sound, &town.data()).unwrap();
                let inside = town.data().join(file.strip_prefix(&sound).unwrap());
                let what = harm(&inside, kind, &mut dice);
                let checked = town.daemon(&["check", "--log", "warn", "--data"]).arg(town.data()).run();
                assert!(checked.code.is_some_and(|code| [0, 1, 5].contains(&code)), "{what}: {checked}");
                if let Err(said) = town.try_start("") {
                    // A word of what it is, and of what to do.
                    assert!(said.contains("error:") && said.contains("hint:"), "{what}: {said}");
                    assert!(checked.code != Some(0) || said.contains("log.key"), "{what}: {said} {checked}");
                    refused += 1;
                    continue;
                }
                let read = read_anew(&town, &format!("reader-{round}-{refused}-{answered}"));
                town.crash();
                match read {
                    Ok(log) => {
                        let same = log.len() >= truth.len()
                            && log.iter().zip(&truth).all(|(one, two)| {
                                one["event_id"] == two["event_id"] && one["position"] == two["position"]
                            });
                        assert!(same, "{what}: another log: {} for {}", log.len(), truth.len());
                        answered += 1;
                    }
                    Err(said) => {
                        assert!(checked.code != Some(0), "{what}: {said}, but {checked}");
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 0 && answered > 0, "{refused} refused, {answered} answered");
    eprintln!("{refused} refused, {answered} answered as before");
}
