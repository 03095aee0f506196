//! What an official looks through: what has lain still, what nobody owns, what a server has; and what is asked where options are left out.

use radslag_tests::{Municipality, Town};
use serde_json::json;

fn titles(replica: &Municipality, args: &[&str]) -> Vec<String> {
    let rows = replica.objects(args);
    rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_nobody_has_touched_is_listed_with_who_touched_it_last() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    assert_eq!(titles(&haninge, &["show", "--stale", "1"]), [""; 0]);
    haninge.does(&["show", "--stale", "--lang", "sv"]).says("0 aktiviteter har legat orörda");
    // Long after, all of it has lain still; what was changed last stands last.
    haninge.does(&["edit", "Tvärförbindelse", "--time", "Våren"]);
    let later = ["show", "--stale", "180", "--effective", "2100-01-01"];
    assert_eq!(titles(&haninge, &later).len(), 32);
    let row = haninge.activity("Tvärförbindelse Södertörn");
    assert_eq!([&row["last_changed"]["org"], &row["last_changed"]["member"]], ["haninge", "Håkan"]);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["last_changed"]["org"], "kansli");
    let shown = haninge.does(&[&later[..], &["--lang", "sv"]].concat()).says("senast ändrad");
    let shown = shown.says("32 aktiviteter har legat orörda, räknat till 2100-01-01");
    let last = shown.out.lines().rfind(|line| line.contains("haninge, Håkan")).unwrap();
    let after = shown.out.split(last).nth(1).unwrap();
    assert!(!after.contains("kansli"), "{after}");
    let within = titles(&haninge, &[&later[..], &["--area", "Infrastruktur"]].concat());
    assert_eq!(within.len(), 9);
    haninge.run(&["show", "--stale", "soon"]).exits(2);
}

#[test]
fn what_nobody_is_responsible_for_is_listed_also_when_its_party_has_left() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    let before = titles(&haninge, &["show", "--unowned"]);
    haninge.does(&["activity", "add", "--subgoal", "Jämförelser", "--title", "Herrelös"]);
    haninge.does(&["party", "add", "--name", "Nacka"]);
    haninge.does(&["activity", "add", "--subgoal", "Jämförelser", "--title", "Nackas", "--assign", "Nacka"]);
    let with = |more: &[&str]| {
        let mut all: Vec<String> =
            before.iter().cloned().chain(more.iter().map(|&one| one.to_owned())).collect();
        all.sort();
        all
    };
    let now = || {
        let mut now = titles(&haninge, &["show", "--unowned"]);
        now.sort();
        now
    };
    assert_eq!(now(), with(&["Herrelös"]));
    haninge.does(&["party", "retire", "Nacka"]);
    assert_eq!(now(), with(&["Herrelös", "Nackas"]));
    haninge.does(&["edit", "Herrelös", "--lead", "Tyresö"]);
    assert_eq!(now(), with(&["Nackas"]));
    haninge.run(&["show", "--unowned", "--mine"]).exits(2);
}

#[test]
fn a_programme_is_shown_by_the_server_without_a_replica() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.does(&["baseline", "add", "Beslutad 2019", "--at", "@92"]);
    haninge.does(&["sync"]);
    let show = |args: &[&str]| town.cli(&["program", "show", "--server", town.url()]).args(args).run();
    let shown = show(&["--format", "json"]).done().object();
    assert_eq!(shown["program_id"], town.program());
    assert_eq!([&shown["headings"], &shown["subgoals"], &shown["activities"]], [13, 21, 32]);
    assert_eq!([&shown["cost"]["sum_ore"], &shown["cost"]["missing"]], [52_500_000, 26]);
    assert_eq!(shown["baselines"], json!([{"name": "Beslutad 2019", "position": 92}]));
    assert_eq!(shown["state_hash"], haninge.object(&["show"])["state_hash"]);
    for name in [town.program(), "södertörns utv"] {
        let said = show(&[name, "--lang", "sv"])
            .done()
            .says("13 rubriker, 21 delmål, 32 aktiviteter, 525\u{a0}000\u{a0}kr");
        said.says("Infrastruktur").says("namngiven punkt: Beslutad 2019  @92").says("radslag clone");
    }
    show(&["Nacka"]).exits(1).says("radslag program list");
    show(&["00000000-0000-4000-8000-000000000000"]).exits(1);
}

#[test]
fn without_a_terminal_an_edit_without_options_says_which_there_are() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.run(&["edit", "Nyckeltalsdagen"]).exits(2).says("--cost").says("field by field");
}

#[test]
fn what_goes_wrong_is_said_in_swedish_where_that_is_the_language() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    town.stop();
    for (code, args, said, tip) in [
        (
            1,
            &["edit", "Saknas", "--cost", "1"][..],
            "aktiviteten \"Saknas\" finns inte i programmet",
            "show --rows listar",
        ),
        (2, &["edit", "Nyckeltalsdagen", "--cost", "mycket"], "inget belopp; skriv 50000", "radslag --help"),
        (2, &["show", "--as-of", "i fjol"], "\"i fjol\" är ingen tidpunkt", "radslag --help"),
        (1, &["show", "--as-of", "@999"], "position 999 är efter den sista, 92", "ange en tidigare position"),
        (4, &["sync"], "ingen svarar på http://", "är servern igång?"),
        (1, &["area", "restore", "Klimat"], "är med i programmet", ""),
        (1, &["resolve", "beefbeef", "--take", "1"], "", ""),
        (2, &["frobnicate"], "det finns inget kommando \"frobnicate\"", "radslag --help"),
        (2, &["edit", "Nyckeltalsdagen"], "säg vad som ska ändras", ""),
        (1, &["import", "saknas.csv"], "saknas.csv", "filen eller mappen finns inte"),
    ] {
        let outcome =
            haninge.cli(args).env("LANG", "sv_SE.UTF-8").run().exits(code).says("fel: ").says(said).says(tip);
        for english in ["error:", "hint:", "caused by:", "there is no"] {
            assert!(!outcome.err.contains(english), "{outcome}");
        }
    }
}
