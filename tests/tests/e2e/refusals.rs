//! What a person gets wrong: the exit code says whose turn it is, the words say what and where, and nothing has changed.

use radslag_tests::{Municipality, Town};

/// Runs what cannot be done; afterwards everything is as it was.
#[track_caller]
fn refuses(replica: &Municipality, code: i32, args: &[&str], words: &[&str]) {
    let before = replica.standing();
    let outcome = replica.run(args).exits(code);
    words.iter().fold(outcome, |outcome, word| outcome.says(word));
    assert_eq!(replica.standing(), before, "{args:?} changed something");
}

#[test]
fn a_value_that_makes_no_sense_is_a_usage_error_and_changes_nothing() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let wrong = |args: &[&str], words: &[&str]| refuses(&haninge, 2, args, words);
    wrong(
        &["edit", "Nyckeltalsdagen", "--cost", "12,5,0"],
        &["--cost", "\"12,5,0\"", "more than one decimal sign"],
    );
    wrong(&["edit", "Nyckeltalsdagen", "--cost", "snart"], &["--cost", "\"snart\"", "write 50000"]);
    wrong(&["edit", "Nyckeltalsdagen", "--cost", ""], &["--cost"]);
    wrong(&["edit", "Nyckeltalsdagen", "--comment", "två\tceller"], &["--comment", "'\\t'"]);
    wrong(&["edit", "Nyckeltalsdagen", "--title", "två\nrader"], &["--title", "'\\n'"]);
    wrong(&["edit", "Nyckeltalsdagen", "--title", " "], &["--title", "cannot be empty"]);
    wrong(&["edit", "Nyckeltalsdagen", "--time", "\u{1b}[31mröd"], &["--time", "control character"]);
    wrong(&["edit", "Nyckeltalsdagen", "--reason", "två\nrader", "--cost", "1"], &["--reason", "'\\n'"]);
    wrong(&["edit", "Nyckeltalsdagen", "--decision", "KS\t1", "--cost", "1"], &["--decision", "'\\t'"]);
    wrong(&["edit", "Nyckeltalsdagen", "--clear", "titeln"], &["--clear", "\"titeln\""]);
    wrong(&["edit", "Nyckeltalsdagen", "--time", "nu", "--clear", "time"], &["time is named twice"]);
    wrong(&["edit", "Nyckeltalsdagen"], &["say what to change"]);
    wrong(&["area", "add", "--title", "Bo\tstäder"], &["--title", "'\\t'"]);
    wrong(&["party", "add", "--name", "Region", "--kind", "land"], &["--kind", "\"land\""]);
    let long = "å".repeat(8 * 1024 + 1);
    wrong(&["edit", "Nyckeltalsdagen", "--comment", &long], &["--comment", "16386 bytes", "16384"]);
}

#[test]
fn a_point_in_time_that_does_not_exist_is_a_usage_error() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    for when in ["2019-02-30", "2019-13-01", "2019-02-30T10:00:00", "@", "@-1", "snart"] {
        for args in [&["show", "--as-of", when][..], &["blame", "--as-of", when], &["diff", when]] {
            refuses(&haninge, 2, args, &[&format!("{when:?} is not a point in time"), "2019-04-10"]);
        }
        refuses(&haninge, 2, &["export", "--to", "x.tsv", "--as-of", when], &["is not a point in time"]);
    }
    refuses(&haninge, 1, &["show", "--as-of", "2019-04-10"], &["the programme began later"]);
    refuses(&haninge, 1, &["show", "--as-of", "@9999"], &["position 9999 is after the last one"]);
    assert!(!haninge.dir().join("x.tsv").exists());
}

#[test]
fn an_unknown_or_ambiguous_name_is_refused_with_the_candidates() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let edit = |name: &str, words: &[&str]| refuses(&haninge, 1, &["edit", name, "--cost", "1"], words);
    edit("Ingenting", &["there is no activity \"Ingenting\"", "radslag show --rows"]);
    edit(
        "Utvecklat",
        &["\"Utvecklat\" means 2 things", "Utvecklat samarbete samt medverkan", "digits in front"],
    );
    edit("", &["there is no activity"]);
    // Exact wins over a beginning, whatever the case, and a beginning is enough where it is the only one.
    haninge.does(&["edit", "utvecklat samarbete", "--cost", "1"]);
    haninge.does(&["edit", "ruf5", "--cost", "2"]);
    assert_eq!(haninge.activity("Utvecklat samarbete")["cost"]["ore"], 100);
    refuses(&haninge, 1, &["area", "retire", "Näringsliv"], &["means 2 things"]);
    refuses(
        &haninge,
        1,
        &["edit", "ruf5", "--assign", "Region"],
        &["there is no party", "radslag party add"],
    );
    refuses(&haninge, 1, &["undo", "00000000"], &["there is no event"]);
    refuses(&haninge, 1, &["history", "Ingenting"], &["there is no entry"]);
    refuses(&haninge, 1, &["resolve", "00000000", "--take", "1"], &["there are no conflicts"]);
    refuses(&haninge, 1, &["edit", "ruf5", "--cost", "2"], &["nothing to change"]);
    // The digits that lists print are a name too.
    let id = haninge.activity("Nyckeltalsdagen")["activity_id"].as_str().unwrap().to_owned();
    haninge.does(&["edit", &id[..8], "--cost", "3"]);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 300);
}

#[test]
fn what_a_later_release_brings_says_so_and_does_nothing() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let commands: &[&[&str]] = &[
        &["prove", "x"],
        &["check-proof", "x"],
        &["member", "list"],
        &["role", "list"],
        &["device", "list"],
        &["invite", "new"],
        &["export", "--to", "x.xlsx"],
    ];
    for args in commands {
        refuses(&haninge, 2, args, &["not yet in this release"]);
    }
    refuses(&haninge, 2, &["frobnicate"], &["frobnicate", "Usage"]);
    refuses(&haninge, 2, &["export", "--to", "x"], &["ends in .tsv, .csv or .json"]);
    refuses(&haninge, 1, &["export", "--to", "no/such/folder.tsv"], &["folder.tsv"]);
}

#[test]
fn without_a_replica_every_command_says_how_to_get_one() {
    let town = Town::empty();
    for args in [
        &["show"][..],
        &["sync"],
        &["status"],
        &["edit", "x", "--cost", "1"],
        &["verify"],
        &["outbox", "list"],
    ] {
        town.cli(args).run().exits(1).says("there is no replica in").says("hint: radslag init");
    }
    town.cli(&["show", "--replica", "nowhere"]).run().exits(1).says("nowhere");
}

#[test]
fn a_second_replica_in_the_same_folder_is_refused() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let init = |program: &str, org: &str, member: &str, dir: &str| {
        town.cli(&[
            "init",
            "--server",
            town.url(),
            "--program",
            program,
            "--org",
            org,
            "--member",
            member,
            dir,
        ])
        .run()
    };
    let before = haninge.standing();
    init(town.program(), "huddinge", "Eva", "haninge").exits(1).says("there is a replica in haninge already");
    init("x", "huddinge", "Eva", "huddinge").exits(2).says("--program");
    init(town.program(), "Huddinge!", "Eva", "huddinge").exits(2).says("--org");
    init(town.program(), "huddinge", " ", "huddinge").exits(2).says("--member");
    init(town.program(), "huddinge", "Eva\nAnna", "huddinge").exits(2).says("--member");
    let another = "00000000-0000-4000-8000-000000000000";
    init(another, "huddinge", "Eva", "huddinge").exits(1).says(another);
    assert!(!town.path("huddinge").exists(), "what was refused left a folder behind");
    assert_eq!(haninge.standing(), before);
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    for args in [&["log"][..], &["show"], &["log", "--format", "json"], &["blame"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let outcome = haninge.cli(args).stdout(writer).run();
        assert_eq!((outcome.code, outcome.err.as_str()), (Some(3), ""), "{outcome}");
    }
}
