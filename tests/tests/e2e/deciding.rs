//! Disagreements and how they end: what is offered, what is decided, and what becomes of two decisions at once.

use radslag_tests::{Municipality, Town};

/// Haninge and Huddinge have written the comment without having seen each other.
fn apart(one: &str, other: &str) -> (Town, Municipality, Municipality) {
    let town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", "Möte i mars med alla"]);
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--comment", one, "--reason", "enligt nämnden"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", other]);
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]);
    (town, haninge, huddinge)
}

fn id(replica: &Municipality) -> String {
    replica.object(&["conflicts"])["conflict_id"].as_str().unwrap()[56..].to_owned()
}

/// An editor that keeps the first line of what it is given, changed by a `sed` command.
fn editor(town: &Town, command: &str) -> String {
    let path = town.path("editor.sh");
    std::fs::write(&path, format!("#!/bin/sh\nsed -i -e '{command}' \"$1\"\n")).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn a_conflict_says_what_was_there_before_and_what_the_sides_give_together() {
    let (_town, haninge, huddinge) = apart("Möte i april med alla", "Möte i mars med alla kommuner");
    for replica in [&haninge, &huddinge] {
        let conflict = replica.object(&["conflicts"]);
        assert_eq!(conflict["base"], "Möte i mars med alla");
        assert_eq!(conflict["offer"], "Möte i april med alla kommuner");
        assert_eq!((&conflict["weight"], &conflict["age_days"]), (&"medium".into(), &0.into()));
        assert_eq!(conflict["sides"][0]["reason"], "enligt nämnden");
        assert_eq!(conflict["within"].as_array().unwrap().len(), 2);
    }
    haninge.does(&["--lang", "sv", "conflicts"]).says("förslag: Möte i april med alla kommuner");
    haninge.does(&["--lang", "sv", "sync"]).says("1 konflikt");
    haninge.does(&["--lang", "sv", "status"]).says("ni har skrivit i 1 öppen konflikt");
    assert_eq!(huddinge.object(&["status"])["own_conflicts"][0]["title"], "Nyckeltalsdagen");
}

#[cfg(unix)]
#[test]
fn the_offer_is_a_beginning_that_a_person_edits() {
    let (town, haninge, _huddinge) = apart("Möte i april med alla", "Möte i mars med alla kommuner");
    let id = id(&haninge);
    let edit = |command: &str| {
        let editor = editor(&town, command);
        haninge.cli(&["resolve", &id, "--edit"]).env("EDITOR", editor).run()
    };
    edit("1s/.*//").exits(1).says("the text is empty");
    edit("1s/^/<<< /").exits(1).says("<<< is left");
    assert_eq!(haninge.object(&["status"])["outbox"], 0);
    edit("1s/$/ i länet/").done();
    haninge.does(&["sync"]);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["comment"], "Möte i april med alla kommuner i länet");
    assert!(haninge.objects(&["conflicts"]).is_empty());
}

#[cfg(unix)]
#[test]
fn where_the_sides_overlap_both_are_in_the_text_and_it_cannot_be_saved_as_it_is() {
    let (town, haninge, _huddinge) = apart("Möte i april med alla", "Möte i maj med alla");
    assert!(haninge.object(&["conflicts"])["offer"].is_null());
    let id = id(&haninge);
    let editor = editor(&town, "1s/$/ /");
    haninge.cli(&["resolve", &id, "--edit"]).env("EDITOR", &editor).run().exits(1).says("is left");
    let editor = self::editor(&town, "1s/<<< haninge: \\(.*\\) ||| huddinge: \\(.*\\) >>>/\\1 eller \\2/");
    haninge.cli(&["resolve", &id, "--edit"]).env("EDITOR", &editor).run().done();
    haninge.does(&["sync"]);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["comment"], "Möte i april eller maj med alla");
}

#[test]
fn two_who_decide_at_once_decide_about_each_other() {
    let (_town, haninge, huddinge) = apart("Möte i april", "Möte i maj");
    let id = id(&haninge);
    haninge.queues(&["resolve", &id, "--take", "haninge"]);
    huddinge.queues(&["resolve", &id, "--value", "Möte i juni"]);
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    haninge.does(&["sync"]);
    for replica in [&haninge, &huddinge] {
        let conflict = replica.object(&["conflicts"]);
        let mut values: Vec<&str> = conflict["sides"]
            .as_array()
            .unwrap()
            .iter()
            .map(|side| side["value"].as_str().unwrap())
            .collect();
        values.sort_unstable();
        assert_eq!(values, ["Möte i april", "Möte i juni"]);
        replica.does(&["verify", "--online"]);
    }
    // The conflict that they looked at is over, and says how: by the decision that came first.
    let late = huddinge.run(&["resolve", &id, "--take", "haninge"]).exits(1);
    late.says(&format!("no open conflict {id}: \"Nyckeltalsdagen\", comment, was settled by haninge, Håkan"))
        .says("the field is in conflict ");
}

#[test]
fn a_decision_about_what_was_decided_meanwhile_says_by_whom_when_and_with_what() {
    let (_town, haninge, huddinge) = apart("Möte i april", "Möte i maj");
    let id = id(&haninge);
    let decision = haninge.queues(&["resolve", &id, "--take", "huddinge", "--reason", "enligt styrelsen"]);
    let event = &decision[0][28..];
    // At once for whoever decided, and before it has landed.
    let again = haninge.run(&["resolve", &id[2..], "--take", "haninge"]).exits(1);
    again.says("was settled by haninge, Håkan with Möte i maj").says(&format!("queued, event {event}"));
    haninge.does(&["sync"]);
    huddinge.does(&["sync"]);
    let before = huddinge.standing();
    let recorded = huddinge.objects(&["history", "Nyckeltalsdagen"]).pop().unwrap();
    assert_eq!(recorded["event_id"], decision[0]);
    let late = huddinge.run(&["resolve", &id, "--value", "Möte i juni"]).exits(1);
    late.says(&format!("no open conflict {id}"))
        .says("was settled by haninge, Håkan with Möte i maj")
        .says(&format!("event {event}, enligt styrelsen"))
        .says("hint: radslag history \"Nyckeltalsdagen\"");
    let swedish = huddinge.run(&["--lang", "sv", "resolve", &id, "--edit"]).exits(1);
    swedish.says("det finns ingen öppen konflikt").says("avgjordes av haninge, Håkan med Möte i maj");
    // A plain edit ends a conflict too; a name that no conflict ever had is as it was.
    huddinge.run(&["resolve", "00000000", "--take", "1"]).exits(1).says("there are no conflicts");
    assert_eq!(huddinge.standing(), before);
}

#[test]
fn a_conflict_that_got_another_side_says_since_when() {
    let (town, haninge, huddinge) = apart("Möte i april", "Möte i maj");
    let id = id(&huddinge);
    let tyreso = town.municipality("tyreso", "Olle");
    tyreso.queues(&["edit", "Nyckeltalsdagen", "--comment", "Möte i juni"]);
    tyreso.does(&["sync"]);
    huddinge.does(&["sync"]);
    let settled = huddinge.run(&["resolve", &id, "--take", "haninge"]).exits(1);
    settled.says("was settled by tyreso, Olle with Möte i juni");
    drop(haninge);
}
