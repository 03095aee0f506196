//! Servers that are not there, not ours, not the same any more, or wanted twice.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use radslag_tests::{Municipality, Town, copy, sample};

/// Nothing that the network did has changed what the replica holds.
#[track_caller]
fn keeps_everything(replica: &Municipality, code: i32, words: &[&str]) {
    let before = replica.standing();
    for command in ["sync", "pull", "push"] {
        let outcome = replica.run(&[command]).exits(code);
        words.iter().fold(outcome, |outcome, word| outcome.says(word));
    }
    assert_eq!(replica.standing(), before);
}

/// Answers every connection like a web server that does not know what is wanted of it.
fn answer_as_a_web_server(listener: &TcpListener) {
    for connection in listener.incoming() {
        let Ok(mut connection) = connection else { return };
        let mut asked = [0; 1024];
        // Whoever hangs up first has an answer already.
        let _ = connection.read(&mut asked);
        let _ = connection
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}

#[test]
fn a_port_where_nothing_or_somebody_else_answers_is_told_apart() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    town.stop();
    keeps_everything(&haninge, 4, &["nothing answers at", town.url(), "radslagd serve"]);
    town.cli(&["program", "list", "--server", town.url()]).run().exits(4);
    haninge.run(&["verify", "--online"]).exits(4);

    let listener = TcpListener::bind(town.url().trim_start_matches("http://")).unwrap();
    thread::spawn(move || answer_as_a_web_server(&listener));
    keeps_everything(&haninge, 1, &["what answers at", town.url(), "is not a radslagd"]);
    town.cli(&["program", "list", "--server", town.url()]).run().exits(1).says("is not a radslagd");
    let create =
        town.cli(&["program", "create", "--server", town.url(), "--import"]).arg(sample()).arg("new").run();
    create.exits(1).says("is not a radslagd");
    assert!(!town.path("new").exists());
    for address in ["127.0.0.1", "http://", "ftp://x"] {
        town.cli(&["program", "list", "--server", address]).run().exits(2).says(address);
    }
}

#[test]
fn a_server_that_hangs_up_and_is_gone_is_one_that_does_not_answer() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    town.stop();
    let listener = TcpListener::bind(town.url().trim_start_matches("http://")).unwrap();
    let before = haninge.standing();
    // Takes one call, listens no more, and only then hangs up: as a server that is killed under a call.
    let address = listener.local_addr().unwrap();
    let ending = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.read_exact(&mut [0; 8]).unwrap();
        drop(listener);
    });
    haninge.run(&["sync"]).exits(4).says("nothing answers at").says(town.url());
    ending.join().unwrap();
    // Or hangs up first, and on whoever else comes while it ends.
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    haninge.run(&["sync"]).exits(4).says("nothing answers at").says(town.url());
    assert_eq!(haninge.standing(), before);
}

#[test]
fn a_server_that_takes_calls_and_says_nothing_is_given_up_on() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    town.stop();
    // Connections wait in the listener's queue, which nobody empties.
    let listener = TcpListener::bind(town.url().trim_start_matches("http://")).unwrap();
    let before = haninge.standing();
    haninge.run(&["sync"]).exits(4).says("nothing answers at").says(town.url());
    assert_eq!(haninge.standing(), before);
    drop(listener);
}

#[test]
fn a_server_that_was_wiped_and_holds_another_programme_gets_nothing() {
    let mut town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    town.stop();
    fs::remove_dir_all(town.data()).unwrap();
    town.start();
    town.create(&sample());
    keeps_everything(&haninge, 1, &[town.program()]);
    haninge.does(&["verify"]);
    haninge.run(&["verify", "--online"]).exits(1);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 100);
}

#[test]
fn a_server_that_has_lost_acknowledged_changes_is_an_alarm() {
    let mut town = Town::with_sample();
    let (haninge, huddinge) = (town.municipality("haninge", "Håkan"), town.municipality("huddinge", "Eva"));
    let salem = town.municipality("salem", "Åke");
    haninge.does(&["pull"]);
    town.stop();
    copy(&town.data(), &town.path("backup")).unwrap();
    town.start();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    haninge.does(&["sync"]);
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "2"]);
    town.stop();
    fs::remove_dir_all(town.data()).unwrap();
    copy(&town.path("backup"), &town.data()).unwrap();
    town.start();
    keeps_everything(&haninge, 5, &["failed verification", "keep this folder"]);
    assert_eq!(haninge.activity("Nyckeltalsdagen")["cost"]["ore"], 200);
    // Where nothing was lost, work goes on.
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--cost", "3"]);
    huddinge.does(&["sync"]);
    // The log that now grows differently from the same beginning is not taken for the same, nor is anything of it stored,
    // be it as long as the lost one or longer.
    keeps_everything(&haninge, 5, &["failed verification", "another change at position"]);
    haninge.run(&["verify", "--online"]).exits(5);
    salem.queues(&["edit", "Avsätter tid", "--cost", "4"]);
    salem.does(&["push"]);
    keeps_everything(&haninge, 5, &["failed verification", "another change at position"]);
    haninge.does(&["verify"]);
}

#[test]
fn a_data_directory_and_a_port_have_one_server_at_a_time() {
    let town = Town::with_sample();
    let listen = town.url().trim_start_matches("http://");
    let serve = |listen: &str, data: &Path| {
        town.daemon(&["serve", "--log", "off", "--listen", listen, "--data"]).arg(data).run().exits(1)
    };
    serve("127.0.0.1:0", &town.data()).says("already in use").says("hint:");
    serve(listen, &town.path("other")).says(&format!("another program listens on {listen}")).says("--listen");
    town.daemon(&["check", "--log", "off", "--data"]).arg(town.data()).run().exits(1).says("already in use");
    // The one that was there first goes on as if nothing had happened.
    town.municipality("haninge", "Håkan").does(&["verify", "--online"]);
}
