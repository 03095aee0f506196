//! TLS between the real programs: trust, names, and what each says when the other speaks something else.

use std::fs;
use std::path::Path;

use radslag_tests::{Authority, Municipality, Town, all_equal, settle};

#[test]
fn two_municipalities_work_over_tls_through_a_restart() {
    let mut town = Town::over_tls();
    assert!(town.url().starts_with("https://127.0.0.1:"), "{}", town.url());
    let haninge = town.municipality("haninge", "Håkan");
    let cloned = town.cli(&["clone", "--server", town.url(), "--org", "huddinge", "--member", "Anna"]);
    cloned.run().done();
    let huddinge = town.replica("huddinge");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "50000"]);
    huddinge.queues(&["edit", "Nyckeltalsdagen", "--comment", "bokad"]);
    settle(&[&haninge, &huddinge]);
    town.stop();
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "60000"]);
    haninge.run(&["sync"]).exits(4).says("nothing answers at").says(town.url());
    town.start();
    settle(&[&haninge, &huddinge]);
    all_equal(&[&haninge, &huddinge]);
    assert_eq!(huddinge.activity("Nyckeltalsdagen")["cost"]["ore"], 6_000_000);
    town.cli(&["program", "list", "--server", town.url()]).run().done().says(town.program());
}

fn points_at(replica: &Municipality, change: impl Fn(&str) -> String) {
    let file = replica.dir().join(".radslag/replica.toml");
    let lines: Vec<String> = fs::read_to_string(&file).unwrap().lines().map(change).collect();
    fs::write(&file, lines.join("\n")).unwrap();
}

#[test]
fn the_file_of_the_authority_is_kept_by_the_replica() {
    let town = Town::over_tls();
    let ca = town.authority().ca();
    fs::copy(&ca, town.path("kommun.pem")).unwrap();
    let init = ["init", "--server", town.url(), "--program", town.program(), "--org", "haninge"];
    // Named from another folder than the replica's, as it lies there.
    let run =
        town.cli(&init).env("RADSLAG_CA", "").args(&["--member", "Håkan", "--ca", "kommun.pem", "haninge"]);
    run.run().done();
    let haninge = town.replica("haninge");
    haninge.does(&["sync"]);
    haninge.does(&["whoami"]).says("kommun.pem");
    let kept = haninge.object(&["whoami"])["ca"].as_str().unwrap().to_owned();
    assert!(Path::new(&kept).is_absolute() && kept.ends_with("kommun.pem"), "{kept}");
    // The file is gone, or is something else; then put right.
    fs::remove_file(town.path("kommun.pem")).unwrap();
    haninge.run(&["sync"]).exits(1).says("kommun.pem");
    fs::write(town.path("kommun.pem"), "Kommunens CA").unwrap();
    haninge.run(&["sync"]).exits(1).says("kommun.pem").says("holds no certificate");
    fs::copy(&ca, town.path("kommun.pem")).unwrap();
    haninge.does(&["sync"]);
    // Written in by hand, it is beside the replica.
    fs::rename(town.path("kommun.pem"), haninge.dir().join("kommun.pem")).unwrap();
    points_at(&haninge, |line| {
        if line.starts_with("ca = ") { "ca = \"kommun.pem\"".to_owned() } else { line.to_owned() }
    });
    haninge.does(&["sync"]);
    town.cli(&["--replica", "haninge", "sync"]).run().done();
}

#[test]
fn whoever_is_not_trusted_hears_nothing_and_the_person_hears_why() {
    let mut town = Town::over_tls();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.queues(&["edit", "Nyckeltalsdagen", "--cost", "1"]);
    let before = haninge.standing();
    let list = |ca: &Path| town.cli(&["program", "list", "--server", town.url()]).env("RADSLAG_CA", ca).run();
    for name in ["Landstingets CA", "Kommunernas CA"] {
        let other = Authority::new(&town.path("other"), name);
        list(&other.ca()).exits(1).says("is not trusted").says("that is not known here").says("--ca FILE");
    }
    list(&town.authority().key()).exits(1).says("ca.key").says("holds no certificate");
    let localhost = town.url().replace("127.0.0.1", "localhost");
    let named = town.cli(&["program", "list", "--server", &localhost]).run().exits(1);
    named.says("is not trusted").says("not for this name").says("127.0.0.1");

    // The same server with other certificates.
    town.stop();
    town.authority().issues(&["radslag.example.se", "127.0.0.2"], 2100);
    town.start();
    haninge.run(&["sync"]).exits(1).says("radslag.example.se").says("not for this name");
    town.stop();
    town.authority().issues(&["127.0.0.1"], 2020);
    town.start();
    haninge.run(&["sync"]).exits(1).says("has expired").says("clock");
    town.stop();
    fs::copy(town.authority().ca(), town.path("tls/server.pem")).unwrap();
    fs::copy(town.authority().key(), town.path("tls/server.key")).unwrap();
    town.start();
    haninge.run(&["sync"]).exits(1).says("the certificate of an authority").says("docs/operating.md");
    assert_eq!(haninge.standing(), before);
    town.stop();
    town.authority().issues(&["127.0.0.1"], 2100);
    town.start();
    haninge.does(&["sync"]);
}

#[test]
fn tls_on_one_side_alone_is_told_apart_from_a_server_that_is_gone() {
    let town = Town::over_tls();
    let plain = Town::with_sample();
    let http = town.url().replace("https://", "http://");
    let https = plain.url().replace("http://", "https://");
    let list = |url: &str| town.cli(&["program", "list", "--server", url]).run().exits(1);
    list(&http).says(&format!("what answers at {http} speaks TLS")).says("https://");
    list(&https).says(&format!("what answers at {https} does not speak TLS")).says("http://");
    // A replica whose server has begun to speak TLS is told the new address.
    let haninge = town.municipality("haninge", "Håkan");
    points_at(&haninge, |line| line.replace("https://", "http://"));
    haninge.run(&["sync"]).exits(1).says("speaks TLS").says(".radslag/replica.toml");
    haninge.run(&["watch"]).exits(1).says("speaks TLS");
    points_at(&haninge, |line| line.replace("http://", "https://"));
    haninge.does(&["sync"]);
}

#[cfg(unix)]
#[test]
fn a_hangup_takes_up_the_renewed_certificate_and_never_ends_the_server() {
    let town = Town::over_tls();
    let haninge = town.municipality("haninge", "Håkan");
    town.authority().issues(&["127.0.0.2"], 2100);
    haninge.does(&["sync"]);
    town.server().signal("HUP");
    town.says_soon("the certificate was read again");
    haninge.run(&["sync"]).exits(1).says("127.0.0.2");
    // Half a certificate, as while it is being written.
    let half = fs::read(town.path("tls/server.pem")).unwrap();
    fs::write(town.path("tls/server.pem"), &half[..half.len() / 2]).unwrap();
    town.server().signal("HUP");
    town.says_soon("cannot be served; the one before still is");
    haninge.run(&["sync"]).exits(1).says("127.0.0.2");
    town.authority().issues(&["127.0.0.1"], 2100);
    town.server().signal("HUP");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while haninge.run(&["sync"]).code != Some(0) {
        assert!(std::time::Instant::now() < deadline, "the certificate is never shown: {}", town.said());
    }
}
