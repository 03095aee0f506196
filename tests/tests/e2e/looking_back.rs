//! Looking back: everything that a change's history says, who has written how much, what one decision did, and what is mine.

use radslag_tests::{Municipality, Town};
use serde_json::{Value as Json, json};

fn two() -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("nynashamn", "Eva"));
    haninge.does(&["pull"]);
    (town, haninge, huddinge)
}

fn sync(replicas: &[&Municipality]) {
    for replica in replicas.iter().chain(&replicas[..1]) {
        replica.does(&["sync"]);
    }
}

#[test]
fn history_says_who_on_which_device_when_from_when_why_and_what_it_did_to_a_conflict() {
    let (_town, haninge, other) = two();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000", "--reason", "offert"]);
    other.queues(&["edit", "Nyckeltalsdagen", "--cost", "60 000 kr"]);
    sync(&[&haninge, &other]);
    let id = haninge.object(&["conflicts"])["conflict_id"].as_str().unwrap()[..8].to_owned();
    haninge.queues(&["resolve", &id, "--take", "haninge", "--decision", "KS-2019/7"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "10 000", "--effective", "2019-07-01"]);
    sync(&[&haninge, &other]);
    let device = haninge.object(&["whoami"])["device_id"].as_str().unwrap().to_owned();

    for replica in [&haninge, &other] {
        let lines = replica.objects(&["history", "Nyckeltalsdagen"]);
        let costs: Vec<&Json> = lines.iter().filter(|line| line["field"] == "cost").collect();
        let [first, second, settled, late] = costs[..] else { panic!("{costs:?}") };
        assert_eq!([&first["device_id"], &first["org"], &first["member"]], [&device, "haninge", "Håkan"]);
        assert_eq!([&first["before"], &first["reason"]], [&Json::Null, &json!("offert")]);
        assert_ne!(second["device_id"], first["device_id"]);
        for (line, before, after) in
            [(first, false, false), (second, false, true), (settled, true, false), (late, false, false)]
        {
            let did = [&line["conflict_before"], &line["conflict_after"]];
            assert_eq!(did, [&json!(before), &json!(after)], "{line}");
            assert!(line["recorded_at"].as_str() >= line["authored_at"].as_str(), "{line}");
        }
        assert_eq!([&settled["kind"], &settled["decision"]], ["conflict_resolved", "KS-2019/7"]);
        assert_eq!([&late["applies_on"], &late["written"]["raw"]], ["2019-07-01", "10 000"]);
        assert_eq!(late["before"], late["after"], "it did not change what was shown");
        let table = replica.cli(&["--lang", "sv", "history", "Nyckeltalsdagen"]);
        let table = table.env("COLUMNS", "200").run().done();
        let table = table.says("[konflikt öppnad]").says("[konflikt avgjord]").says("KS-2019/7");
        table.says("gäller från").says("2019-07-01").says(&format!("enhet {}", &device[28..]));
    }
    // What is queued says so, and when it was written.
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "I kö"]);
    haninge.does(&["history", "Nyckeltalsdagen"]).says("queued").says("written");
}

#[test]
fn the_log_counts_by_organisation_and_member_and_finds_what_a_decision_did() {
    let (_town, haninge, other) = two();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1", "--decision", "KS-2019/123"]);
    haninge.queues(&["edit", "Avsätter tid", "--cost", "2", "--decision", "ks-2019/1234"]);
    haninge.queues(&["edit", "Avsätter tid", "--comment", "3"]);
    other.queues(&["edit", "Nyckeltalsdagen", "--time", "v. 12", "--strict"]);
    other.queues(&["edit", "Nyckeltalsdagen", "--cost", "4", "--strict"]);
    sync(&[&haninge, &other]);
    let by_org = haninge.objects(&["log", "--by", "org"]);
    let count = |org: &str| by_org.iter().find(|line| line["org"] == org).unwrap().clone();
    assert_eq!(by_org[0]["org"], "kansli", "who has written most comes first");
    assert_eq!([&count("haninge")["accepted"], &count("haninge")["rejected"]], [6, 0]);
    assert_eq!([&count("nynashamn")["accepted"], &count("nynashamn")["rejected"]], [4, 1]);
    let all: u64 = by_org.iter().map(|line| line["accepted"].as_u64().unwrap()).sum();
    assert_eq!(all + 1, haninge.object(&["status"])["position"].as_u64().unwrap());
    let by_member = haninge.objects(&["log", "--by", "member", "--last", "5"]);
    let members: Vec<&Json> = by_member.iter().map(|line| &line["member"]).collect();
    assert_eq!(members, ["Håkan", "Eva"]);
    haninge.does(&["--lang", "sv", "log", "--by", "member"]).says("haninge, Håkan").says("ändringar");

    let titles = |number: &str| {
        let lines = haninge.objects(&["log", "--decision", number]);
        lines.iter().map(|line| line["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles("KS-2019/123"), ["Nyckeltalsdagen", "Avsätter tid"]);
    assert_eq!(titles("2019/1234"), ["Avsätter tid"]);
    assert_eq!(titles("KS-2020"), Vec::<String>::new());
    haninge.does(&["log", "--decision", "KS-2019"]).says("KS-2019/123");
    haninge.run(&["log", "--by", "week"]).code.filter(|code| *code == 2).unwrap();
}

#[test]
fn what_is_mine_is_what_my_municipality_or_its_people_answer_for_or_lead() {
    let (_town, haninge, other) = two();
    let titles = |replica: &Municipality, args: &[&str]| {
        let rows = replica.objects(&[&["show", "--rows"], args].concat());
        rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The short name of an organisation is made of the party's name.
    let mine = titles(&other, &["--mine"]);
    assert_eq!(mine, titles(&haninge, &["--org", "nynashamn"]));
    assert_eq!(mine, titles(&haninge, &["--org", "Nynäshamn"]));
    assert!(mine.contains(&"Förstudie Teknisk försörjning".to_owned()), "{mine:?}");
    assert!(!mine.contains(&"Nyckeltalsdagen".to_owned()));
    let shown = other.object(&["show", "--mine"]);
    assert_eq!(shown["activities"].as_u64().unwrap(), u64::try_from(mine.len()).unwrap());

    other.queues(&["party", "add", "--name", "Eva Ek", "--kind", "person", "--organisation", "Nynäshamn"]);
    other.queues(&["edit", "Nyckeltalsdagen", "--assign", "Eva Ek"]);
    other.queues(&["edit", "Avsätter tid", "--lead", "Nynäshamn"]);
    let more = titles(&other, &["--mine"]);
    assert!(more.contains(&"Nyckeltalsdagen".to_owned()) && more.contains(&"Avsätter tid".to_owned()));
    other.does(&["show", "--mine"]).says("Nyckeltalsdagen");
    haninge.run(&["show", "--org", "Storstad"]).exits(1).says("there is no party");
    haninge.run(&["show", "--org", "haninge", "--mine"]).code.filter(|code| *code == 2).unwrap();
}
