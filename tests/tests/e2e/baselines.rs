//! Named points: set in one municipality, used in the other, wherever a point in time is asked for.

use radslag_tests::{Municipality, Town};
use serde_json::{Value as Json, json};

fn two() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.does(&["pull"]);
    (town, haninge, huddinge)
}

fn sync(replicas: &[&Municipality]) {
    for replica in replicas.iter().chain(&replicas[..1]) {
        replica.does(&["sync"]);
    }
}

#[test]
fn a_named_point_serves_everybody_wherever_a_point_in_time_does() {
    let (mut town, haninge, huddinge) = two();
    let before = haninge.exported(&[]);
    town.stop();
    haninge.queues(&["baseline", "add", "Beslutad 2019", "--at", "@95", "--decision", "KS-2019/123"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000"]);
    // It can be used at once, queued as it is.
    assert_eq!(haninge.exported(&["--as-of", "beslutad 2019"]), before);
    town.start();
    sync(&[&haninge, &huddinge]);
    for replica in [&haninge, &huddinge] {
        assert_eq!(replica.exported(&["--as-of", "BESLUTAD 2019"]), before);
        let [line] = &replica.objects(&["diff", "Beslutad 2019"])[..] else { panic!("one cost is new") };
        assert_eq!([&line["title"], &line["after"]["raw"]], ["Nyckeltalsdagen", "50000"]);
        assert_eq!(replica.objects(&["diff", "@95", "Beslutad 2019"]), Vec::<Json>::new());
        assert_eq!(replica.object(&["show", "--as-of", "Beslutad 2019"])["position"], 95);
        replica.does(&["blame", "Nyckeltalsdagen", "--as-of", "Beslutad 2019"]);
        replica.does(&["conflicts", "--as-of", "Beslutad 2019"]).says("no conflicts");
        replica.does(&["history", "Nyckeltalsdagen", "--as-of", "Beslutad 2019"]);
        let named = replica.object(&["baseline", "list"]);
        assert_eq!([&named["name"], &named["decision"]], ["Beslutad 2019", "KS-2019/123"]);
        assert_eq!(
            [&named["org"], &named["member"], &named["lost"]],
            [&json!("haninge"), &json!("Håkan"), &json!(false)]
        );
        assert_eq!([&named["position"], &named["set_at"]], [95, 96]);
        let basis = named["basis"].as_str().unwrap();
        assert_eq!(replica.object(&["show", "--basis", basis])["basis"], basis);
        replica
            .does(&["--lang", "sv", "baseline", "list"])
            .says("Beslutad 2019")
            .says("@95")
            .says("KS-2019/123");
        let logged =
            replica.objects(&["log"]).into_iter().find(|line| line["kind"] == "baseline_set").unwrap();
        assert_eq!([&logged["title"], &logged["decision"]], ["Beslutad 2019", "KS-2019/123"]);
        replica.does(&["verify", "--online"]);
    }
    // A replica that begins later has it too.
    let salem = town.municipality("salem", "Sara");
    assert_eq!(salem.object(&["show", "--as-of", "Beslutad 2019"])["position"], 95);
}

#[test]
fn a_point_is_read_for_its_own_day_unless_another_is_asked_for() {
    let (_town, haninge, _) = two();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000", "--effective", "2100-01-01"]);
    haninge.does(&["sync"]);
    haninge.queues(&["baseline", "add", "Budget 2100", "--effective", "2100-01-01"]);
    haninge.queues(&["baseline", "add", "Nuläge"]);
    let cost = |args: &[&str]| {
        let rows = haninge.objects(&[&["show", "--rows"], args].concat());
        rows.into_iter().find(|row| row["title"] == "Nyckeltalsdagen").unwrap()["cost"]["raw"].clone()
    };
    assert_eq!(cost(&["--as-of", "Budget 2100"]), "50000");
    assert_eq!(cost(&["--as-of", "Nuläge"]), Json::Null);
    assert_eq!(cost(&["--as-of", "Nuläge", "--effective", "2100-01-01"]), "50000");
    let [line] = &haninge.objects(&["diff", "Nuläge", "Budget 2100"])[..] else {
        panic!("one cost differs")
    };
    assert_eq!(line["field"], "cost");
    // A point named after another one is that point.
    haninge.queues(&["baseline", "add", "Samma", "--at", "Budget 2100"]);
    let all = haninge.objects(&["baseline", "list"]);
    assert_eq!(all[0]["basis"], all[2]["basis"]);
}

#[test]
fn one_name_used_twice_at_once_is_kept_twice_and_told_apart_by_digits() {
    let (mut town, haninge, huddinge) = two();
    town.stop();
    let ours = haninge.queues(&["baseline", "add", "Remiss", "--at", "@90"]).remove(0);
    let theirs = huddinge.queues(&["baseline", "add", "remiss", "--at", "@91"]).remove(0);
    town.start();
    sync(&[&haninge, &huddinge]);
    let digits = |event: &str| event[28..].to_owned();
    for replica in [&haninge, &huddinge] {
        let refused = replica.run(&["show", "--as-of", "Remiss"]).exits(1).says("names 2 points");
        refused.says(&digits(&ours)).says(&digits(&theirs)).says("digits in front");
        assert_eq!(replica.object(&["show", "--as-of", &digits(&ours)])["position"], 90);
        assert_eq!(replica.object(&["show", "--as-of", &digits(&theirs)])["position"], 91);
    }
    haninge.run(&["baseline", "add", "REMISS"]).exits(1).says("names 2 points");
}

#[test]
fn what_cannot_be_a_name_or_is_no_settled_point_is_refused() {
    let (_town, haninge, _) = two();
    haninge.queues(&["baseline", "add", "Möte 1"]);
    let before = haninge.standing();
    haninge.run(&["baseline", "add", "MÖTE 1", "--at", "@5"]).exits(1).says("names a point already");
    for name in
        ["2019-04-10", "@12", "yesterday", "igår", "2019-04-10T12:00:00", "@1/2019-01-01/r0/v1", "a..b"]
    {
        haninge.run(&["baseline", "add", name]).exits(2).says("another name");
    }
    for name in ["", " ", "a\tb"] {
        haninge.run(&["baseline", "add", name]).exits(2);
    }
    let today = haninge.object(&["show"])["effective_on"].as_str().unwrap().to_owned();
    for at in [today.as_str(), "2199-01-01"] {
        haninge.run(&["baseline", "add", "Möte 2", "--at", at]).exits(1).says("may still belong").says("@98");
    }
    haninge.run(&["baseline", "add", "Möte 2", "--at", "@9999"]).exits(1).says("after the last one");
    haninge.run(&["baseline", "add", "Möte 2", "--at", "1999-01-01"]).exits(1).says("began later");
    haninge.run(&["baseline", "add", "Möte 2", "--at", "Möte 3"]).exits(2).says("radslag baseline list");
    haninge.run(&["show", "--as-of", "Möte 3"]).exits(2).says("is not a point in time");
    assert_eq!(haninge.standing(), before);
}
