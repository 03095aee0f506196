//! A replica of a long programme begins from a snapshot: of use at once, provisional until its history was fetched and verified.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use radslag_tests::{CliRun, Municipality, Town};
use serde_json::{Value as Json, json};

/// What a proxy does to what the server says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Harm {
    None,
    /// Hangs up after so many bytes.
    CutAfter(usize),
    /// Says nothing more after so many bytes.
    FallSilentAfter(usize),
    /// Changes one letter of a long text, once.
    FlipALetter,
}

/// A way to the server that counts what the server says, and harms it.
struct Proxy {
    url: String,
    harm: Arc<Mutex<Harm>>,
    said: Arc<AtomicUsize>,
}

impl Proxy {
    fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = server.trim_start_matches("http://").to_owned();
        let (harm, said) = (Arc::new(Mutex::new(Harm::None)), Arc::new(AtomicUsize::new(0)));
        let (harms, counter) = (Arc::clone(&harm), Arc::clone(&said));
        // The threads end with the connections, the listener with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut up, &mut down);
                    let _ = down.shutdown(Shutdown::Both);
                });
                let (harms, counter) = (Arc::clone(&harms), Arc::clone(&counter));
                thread::spawn(move || pump(server, client, &harms, &counter));
            }
        });
        Self { url, harm, said }
    }

    /// From now on, what the server says is counted from zero and harmed like this.
    fn now(&self, harm: Harm) {
        *self.harm.lock().unwrap() = harm;
        self.said.store(0, Ordering::SeqCst);
    }

    fn said(&self) -> usize {
        self.said.load(Ordering::SeqCst)
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, harms: &Mutex<Harm>, counter: &AtomicUsize) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let said = counter.fetch_add(read, Ordering::SeqCst) + read;
        let mut harm = harms.lock().unwrap();
        match *harm {
            Harm::CutAfter(limit) if said > limit => break,
            Harm::FallSilentAfter(limit) if said > limit => {
                // Until its reader has gone.
                drop(harm);
                let _ = to.read(&mut buffer);
                break;
            }
            Harm::FlipALetter => {
                // In the middle of so many equal letters is no header of a frame.
                let text = buffer[..read].windows(200).position(|run| run.iter().all(|byte| *byte == b'k'));
                if let Some(at) = text {
                    buffer[at + 100] = b'K';
                    *harm = Harm::None;
                }
            }
            Harm::None | Harm::CutAfter(_) | Harm::FallSilentAfter(_) => {}
        }
        drop(harm);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn init(town: &Town, url: &str, org: &str) -> CliRun {
    let run = town.cli(&["init", "--server", url, "--program", town.program(), "--org", org]);
    run.args(&["--member", "Anna", "--snapshot-above", "20"]).arg(town.path(org))
}

fn rows(replica: &Municipality) -> Vec<Json> {
    replica.facts(&["show", "--rows"])
}

/// A programme whose snapshot has several chunks.
fn long_programme() -> (Town, Municipality) {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    for row in rows(&haninge) {
        let activity = row["activity_id"].as_str().unwrap().replace('-', "");
        haninge.does(&["edit", &activity, "--comment", &"k".repeat(16_000), "--reason", "längre"]);
    }
    haninge.does(&["sync"]);
    (town, haninge)
}

#[test]
fn a_replica_begins_from_a_snapshot_works_and_fetches_its_history_later() {
    let town = Town::with_sample();
    let haninge = town.municipality("haninge", "Håkan");
    haninge.does(&["edit", "Nyckeltalsdagen", "--cost", "50000", "--reason", "offert"]);
    haninge.does(&["sync"]);

    let run = init(&town, town.url(), "nacka").args(&["--format", "json"]).run().done();
    let begun = run.object();
    let at = begun["provisional"]["position"].as_u64().unwrap();
    assert!(at > 20 && begun["provisional"]["fetched"] == 0, "{begun}");
    run.says("has not been fetched and verified yet");
    let nacka = town.replica("nacka");
    assert_eq!(rows(&nacka), rows(&haninge));
    nacka.does(&["show"]).says("has not been fetched and verified yet");
    nacka.does(&["status"]).says("radslag fetch-history");
    let status = nacka.object(&["status"]);
    assert_eq!((&status["verified_to"], &status["provisional"]["position"]), (&json!(0), &json!(at)));

    // Both edit what the snapshot brought; the conflict is the same in both.
    nacka.does(&["edit", "Nyckeltalsdagen", "--cost", "70000", "--reason", "ny offert"]);
    haninge.does(&["edit", "Nyckeltalsdagen", "--cost", "60000"]);
    haninge.does(&["sync"]);
    nacka.does(&["push"]);
    nacka.does(&["pull"]);
    haninge.does(&["sync"]);
    let (mut theirs, mut ours) = (haninge.conflicts(), nacka.conflicts());
    // What was there before the sides may lie before the snapshot.
    theirs.iter_mut().chain(&mut ours).for_each(|conflict| conflict["base"] = Json::Null);
    assert_eq!((ours.len(), &ours), (1, &theirs));
    let side = |replica: &Municipality| replica.object(&["status"])["state_hash"].clone();
    assert_eq!(side(&nacka), side(&haninge));

    // What is after the snapshot can be looked at; what is before it says what to do.
    let early = nacka.run(&["show", "--as-of", "@5"]);
    early.exits(1).says("radslag fetch-history");
    nacka.run(&["verify"]).exits(1).says("radslag fetch-history");
    nacka.does(&["show", "--as-of", &format!("@{at}")]);
    let changes = nacka.objects(&["history", "Nyckeltalsdagen"]);
    assert_eq!(changes.len(), 2, "the two edits after the snapshot: {changes:?}");

    nacka.does(&["edit", "Nyckeltalsdagen", "--time", "våren"]);
    let whole = nacka.object(&["fetch-history"]);
    assert_eq!((&whole["complete"], &whole["provisional"]), (&json!(true), &Json::Null));
    nacka.does(&["verify", "--online"]).says("verify");
    assert_eq!(nacka.object(&["status"])["provisional"], Json::Null);
    assert_eq!(nacka.object(&["status"])["outbox"], 1, "what was queued waits as before");
    let changes = nacka.objects(&["history", "Nyckeltalsdagen"]);
    assert!(changes.len() > 4, "all of its history: {changes:?}");
    nacka.does(&["show", "--as-of", "@5"]);
    nacka.does(&["fetch-history"]).says("here already");
    nacka.does(&["sync"]);
    haninge.does(&["sync"]);
    assert_eq!(side(&nacka), side(&haninge));
}

#[test]
fn a_snapshot_that_is_cut_goes_on_where_it_was() {
    let (town, haninge) = long_programme();
    let proxy = Proxy::to(town.url());
    proxy.now(Harm::CutAfter(300_000));
    init(&town, &proxy.url, "nacka").run().exits(4).says("what was fetched is kept");
    let cut = proxy.said();
    proxy.now(Harm::None);
    init(&town, &proxy.url, "nacka").run().done();
    let nacka = town.replica("nacka");
    assert_eq!(rows(&nacka), rows(&haninge));
    let rest = proxy.said();
    assert!(cut > 300_000 && rest < 450_000, "the second attempt fetched {rest} bytes after {cut}");

    // The history is cut as well, and goes on.
    proxy.now(Harm::CutAfter(200_000));
    nacka.run(&["fetch-history"]).exits(4);
    proxy.now(Harm::None);
    let part = nacka.object(&["fetch-history", "--most", "10"]);
    let fetched = nacka.object(&["status"])["provisional"]["fetched"].as_u64().unwrap();
    assert!(fetched >= 10 && part["complete"] == json!(false), "{part}, and {fetched} are kept");
    assert_eq!(part["verified_to"], json!(fetched));
    assert_eq!(rows(&nacka), rows(&haninge), "it is of use all the while");
    nacka.does(&["fetch-history"]);
    nacka.does(&["verify"]);
    // A finished replica is not begun again.
    init(&town, &proxy.url, "nacka").run().exits(1).says("there is a replica in");
}

#[test]
fn an_init_that_is_killed_goes_on_where_it_was() {
    let (town, haninge) = long_programme();
    let proxy = Proxy::to(town.url());
    proxy.now(Harm::FallSilentAfter(400_000));
    let mut begun = init(&town, &proxy.url, "nacka").env("RADSLAG_LOG", "radslag_client=debug").spawn();
    let mut lines = BufReader::new(begun.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("kept a chunk")), "it ended before it had one");
    begun.kill().unwrap();
    begun.wait().unwrap();
    proxy.now(Harm::None);
    init(&town, &proxy.url, "nacka").run().done();
    assert!(proxy.said() < 450_000, "the second attempt fetched {} bytes", proxy.said());
    let nacka = town.replica("nacka");
    assert_eq!(rows(&nacka), rows(&haninge));
    nacka.does(&["fetch-history"]);
    nacka.does(&["verify", "--online"]);
}

#[test]
fn a_replica_that_syncs_gets_its_history_by_and_by() {
    let town = Town::with_sample();
    init(&town, town.url(), "nacka").run().done();
    let nacka = town.replica("nacka");
    assert_eq!(nacka.object(&["status"])["verified_to"], 0);
    nacka.does(&["sync"]).says("the history is fetched and verified to position");
    let status = nacka.object(&["status"]);
    assert_eq!((&status["provisional"], &status["verified_to"]), (&Json::Null, &status["position"]));
    nacka.does(&["verify", "--online"]);
}

#[test]
fn a_damaged_chunk_is_refused() {
    let (town, haninge) = long_programme();
    let proxy = Proxy::to(town.url());
    proxy.now(Harm::FlipALetter);
    init(&town, &proxy.url, "nacka").run().exits(5).says("damaged");
    assert!(!town.path("nacka").exists(), "nothing is left of what does not hold");
    init(&town, &proxy.url, "nacka").run().done();
    assert_eq!(rows(&town.replica("nacka")), rows(&haninge));
}

#[test]
fn the_whole_history_comes_first_where_it_is_asked_for() {
    let town = Town::with_sample();
    let run = town.cli(&["init", "--server", town.url(), "--program", town.program(), "--org", "nacka"]);
    let run = run.args(&["--member", "Anna", "--full", "--format", "json"]).arg(town.path("nacka"));
    assert_eq!(run.run().done().object()["provisional"], Json::Null);
    town.replica("nacka").does(&["verify"]);
}
