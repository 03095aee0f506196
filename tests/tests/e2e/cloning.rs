//! `clone`: a server's programme in a folder of its own, ready to use.

use std::path::Path;

use radslag_tests::{CliRun, Town, sample};
use serde_json::{Value as Json, json};

fn clone(town: &Town, org: &str, args: &[&str]) -> CliRun {
    town.cli(&["clone", "--server", town.url(), "--org", org, "--member", "Anna Be"]).args(args)
}

#[test]
fn a_clone_has_all_of_the_programme_and_can_write_at_once() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.does(&["edit", "Nyckeltalsdagen", "--cost", "50000"]);
    haninge.does(&["sync"]);
    let cloned = clone(&town, "tyreso", &[]).run().done();
    cloned
        .says("new replica for tyreso (Anna Be): tyreso")
        .says("Södertörns utvecklingsprogram 2013: 13 headings, 21 sub-goals, 32 activities")
        .says("next: radslag --replica tyreso show");
    let tyreso = town.replica("tyreso");
    assert_eq!(tyreso.activity("Nyckeltalsdagen")["cost"]["ore"], 5_000_000);
    let status = tyreso.object(&["status"]);
    assert_eq!([&status["outbox"], &status["provisional"]], [&json!(0), &Json::Null]);
    haninge.does(&["pull"]);
    assert_eq!(status["state_hash"], haninge.object(&["status"])["state_hash"]);
    tyreso.does(&["edit", "Nyckeltalsdagen", "--time", "oktober"]);
    tyreso.does(&["sync"]).says("0 queued");
    tyreso.does(&["verify", "--online"]);

    let salem = clone(&town, "salem", &["--format", "json", "kontoret"]).run().done().object();
    assert_eq!([&salem["replica"], &salem["org"], &salem["member"]], ["kontoret", "salem", "Anna Be"]);
    assert_eq!(salem["title"], "Södertörns utvecklingsprogram 2013");
    assert_eq!(salem["position"], town.replica("kontoret").object(&["status"])["position"]);
    let swedish = clone(&town, "nykvarn", &["--lang", "sv"]).run().done();
    swedish
        .says("ny replika för nykvarn")
        .says("32 aktiviteter")
        .says("nästa: radslag --replica nykvarn show");
}

#[test]
fn a_clone_of_a_long_programme_begins_from_a_snapshot_and_says_so() {
    let town = Town::with_sample();
    let cloned = clone(&town, "tyreso", &["--snapshot-above", "20"]).run().done();
    cloned.says("has not been fetched and verified yet").says("32 activities");
    let tyreso = town.replica("tyreso");
    assert!(tyreso.object(&["status"])["provisional"].is_object());
    tyreso.does(&["sync"]).says("the history is fetched and verified");
    let whole = clone(&town, "salem", &["--snapshot-above", "20", "--full"]).run();
    whole.exits(2).says("--full");
    assert!(
        clone(&town, "salem", &["--full", "--format", "json"]).run().done().object()["provisional"].is_null()
    );
}

#[test]
fn where_a_server_has_several_programmes_a_title_or_an_id_says_which() {
    let mut town = Town::empty();
    let nothing = clone(&town, "tyreso", &[]).run().exits(1);
    nothing.says("has no programme yet").says("hint: radslag program create");
    let sample = town.create(&sample());
    town.begin("Södertörns klimatprogram");
    let climate = town.program().to_owned();

    let which = |args: &[&str]| clone(&town, "tyreso", args).run();
    let several = which(&[]).exits(1).says("has 2 such programmes");
    several.says(&sample).says(&climate).says("Södertörns klimatprogram").says("say which: --program ID");
    which(&["--program", "södertörns"]).exits(1).says("has 2 such programmes");
    which(&["--program", "Stockholms"])
        .exits(1)
        .says("has no programme \"Stockholms\"")
        .says("radslag program list");
    which(&["--program", ""]).exits(1).says("has no programme \"\"");
    assert!(!town.path("tyreso").exists(), "what was refused left a folder behind");

    let holds = |dir: &str| town.replica(dir).object(&["status"])["program_id"].clone();
    for (dir, program, id) in [
        ("a", "södertörns klimat", &climate),
        ("b", "Södertörns utvecklingsprogram 2013", &sample),
        ("c", &climate[..8], &climate),
        ("d", sample.as_str(), &sample),
    ] {
        which(&["--program", program, dir]).done();
        assert_eq!(holds(dir), id.as_str(), "{program}");
    }
}

#[test]
fn a_clone_that_cannot_be_made_leaves_nothing_behind() {
    let mut town = Town::with_sample();
    let left = |town: &Town, dir: &str| Path::exists(&town.path(dir));
    clone(&town, "Tyresö", &[]).run().exits(2).says("--org");
    let unknown = "00000000-0000-4000-8000-000000000000";
    clone(&town, "tyreso", &["--program", unknown]).run().exits(1).says(unknown);
    assert!(!left(&town, "Tyresö") && !left(&town, "tyreso"));
    town.municipality("haninge", "Håkan");
    let before = town.replica("haninge").standing();
    clone(&town, "haninge", &[]).run().exits(1).says("there is a replica in haninge already");
    assert_eq!(town.replica("haninge").standing(), before);
    town.stop();
    clone(&town, "tyreso", &[]).run().exits(4).says("nothing answers at");
    clone(&town, "tyreso", &["--program", town.program()]).run().exits(4);
    assert!(!left(&town, "tyreso"));
}
