//! Tables that cannot be read: the message says where, and neither server nor replica has changed.

use std::fs;

use radslag_tests::{Town, sample};

const HEADER: &str = "Område och huvudmål\tDelmål\tAktivitet\tAnsvarig\tTid\tKostnad\tKommentar\n";

/// A table with these lines under the header; the first of them is line 3.
fn table(lines: &str) -> Vec<u8> {
    format!("{HEADER}Klimat - Mål\t\t\t\t\t\t\n{lines}").into_bytes()
}

#[test]
fn a_table_that_cannot_be_read_is_refused_whole_and_says_where() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let programmes =
        || town.cli(&["program", "list", "--server", town.url(), "--format", "json"]).run().done().out;
    let before = (haninge.standing(), programmes());
    let long = format!("\tDelmål\tAktivitet\t\t\t\t{}\n", "å".repeat(9_000));
    let tables: [(&str, Vec<u8>, &[&str]); 8] = [
        ("shape", table("Klimat\t\tAktivitet\t\t\t\t\n"), &["line 3", "Område och huvudmål", "Aktivitet"]),
        ("orphan", table("\t\tAktivitet\t\t\t\t\n"), &["line 3", "Delmål"]),
        ("header", b"Omr\xc3\xa5de\tDelm\xc3\xa5l\tAktivitet\n".to_vec(), &["line 1", "Ansvarig", "Kostnad"]),
        (
            "bytes",
            [table("").as_slice(), b"\tDelm\xe5l\tA\t\t\t\t\n"].concat(),
            &["line 3", "not UTF-8", "byte 6"],
        ),
        ("long", table(&long), &["line 3", "Kommentar", "18000 bytes", "16384"]),
        ("control", table("\tDel\u{7}mål\tAktivitet\t\t\t\t\n"), &["line 3", "Delmål", "U+0007"]),
        ("outside", table("\tDelmål\tAktivitet\t\t\t\t\tmer\n"), &["line 3", "cell 8", "\"mer\""]),
        ("empty", Vec::new(), &["Område och huvudmål"]),
    ];
    for (name, bytes, words) in tables {
        let file = town.path(name);
        fs::write(&file, bytes).unwrap();
        let create =
            town.cli(&["program", "create", "--server", town.url(), "--import"]).arg(&file).arg("new").run();
        let import = haninge.cli(&["import"]).arg(&file).run();
        for outcome in [create, import] {
            let outcome = outcome.exits(1).says(&file.display().to_string());
            words.iter().fold(outcome, |outcome, word| outcome.says(word));
        }
        assert!(!town.path("new").exists(), "{name} left a folder behind");
    }
    haninge.cli(&["import", "no-such-file.tsv"]).run().exits(1).says("no-such-file.tsv");
    assert_eq!((haninge.standing(), programmes()), before);
}

#[test]
fn a_changed_table_that_does_not_say_what_it_was_exported_from_changes_nothing() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let before = haninge.standing();
    let changed = fs::read_to_string(sample()).unwrap().replace("Hösten", "Våren");
    let file = town.path("changed.tsv");
    fs::write(&file, changed).unwrap();
    haninge.cli(&["import"]).arg(&file).run().exits(1).says("has content already").says("--base BASE");
    assert_eq!(haninge.standing(), before);
}

#[test]
fn two_municipalities_that_import_the_same_table_get_one_copy_of_it() {
    let mut town = Town::empty();
    town.begin("Södertörns utvecklingsprogram 2013");
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    for replica in [&haninge, &huddinge] {
        replica.cli(&["import"]).arg(sample()).run().done().says("queued, not synced");
        assert_eq!(replica.object(&["show"])["activities"], 32);
    }
    // Built on an import that loses, so it follows it.
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]).says("ALREADY_IMPORTED").says("rejected, kept in quarantine");
    haninge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        let shown = replica.object(&["show"]);
        assert_eq!([&shown["headings"], &shown["subgoals"], &shown["activities"]], [13, 21, 32]);
        assert_eq!(replica.exported(&[]), fs::read_to_string(sample()).unwrap());
        replica.does(&["verify", "--online"]);
    }
    let kept = huddinge.objects(&["outbox", "list"]);
    assert!(kept.iter().all(|event| event["state"] == "rejected"));
    let edit = kept.last().unwrap();
    assert_eq!((&edit["kind"], &edit["changes"][0]["value"]["ore"]), (&"field_revised".into(), &100.into()));
}

#[test]
fn a_table_with_other_line_ends_comes_back_byte_for_byte() {
    let town = Town::empty();
    let table = format!("\u{feff}{}", fs::read_to_string(sample()).unwrap().replace('\n', "\r\n"));
    let file = town.path("windows.tsv");
    fs::write(&file, &table).unwrap();
    town.cli(&["program", "create", "--server", town.url(), "--import"])
        .arg(&file)
        .arg("kansli")
        .run()
        .done();
    let back = town.path("back.tsv");
    town.cli(&["export", "--replica", "kansli", "--to"]).arg(&back).run().done();
    assert_eq!(fs::read_to_string(back).unwrap(), table);
}
