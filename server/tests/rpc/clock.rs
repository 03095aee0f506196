//! The clock behind and far ahead: with a faked one in this process, and with libfaketime under the real server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use radslag_core::field::FieldKey;
use radslag_core::time::Instant;
use radslag_engine::clock::Clock;
use radslag_log::{EventLog, MemoryLog};
use radslag_proto::api::v1 as api;
use radslag_proto::status::Reason;
use radslag_server::{Config, Metrics};
use tonic::transport::Endpoint;

use crate::harness::{Client, Town, accepted, config, on, reason};
use crate::metrics::get;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 3_600;

/// A clock that is set, and one that only passes.
struct Faked {
    now: AtomicI64,
    steady: AtomicI64,
}

impl Faked {
    fn at(seconds: i64) -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(seconds * SECOND), steady: AtomicI64::new(0) })
    }

    fn set_forward(&self, seconds: i64) {
        self.now.fetch_add(seconds * SECOND, Ordering::Relaxed);
    }

    fn pass(&self, seconds: i64) {
        self.set_forward(seconds);
        self.steady.fetch_add(seconds * SECOND, Ordering::Relaxed);
    }
}

impl Clock for Faked {
    fn now(&self) -> Instant {
        Instant::from_micros(self.now.load(Ordering::Relaxed))
    }

    fn steady(&self) -> Option<Duration> {
        Some(Duration::from_micros(self.steady.load(Ordering::Relaxed).unsigned_abs()))
    }
}

#[tokio::test]
async fn a_clock_that_records_nothing_is_no_health() {
    let clock = Faked::at(400 * DAY);
    let metrics = Metrics::On("127.0.0.1:0".parse().unwrap());
    let (running, mut client) =
        on(Config { metrics, ..config() }, Arc::new(MemoryLog::new()), Arc::clone(&clock) as _).await;
    Town::begin(&mut client).await;
    assert!(get(&running, "GET /health").await.starts_with("HTTP/1.1 200 OK\r\n"));
    clock.set_forward(7_200);
    let said = get(&running, "GET /health").await;
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("nothing is recorded: the clock"), "{said}");
    clock.set_forward(-7_200);
    assert!(get(&running, "GET /health").await.ends_with("\r\n\r\nok\n"));
    running.shutdown().await;
}

async fn standing(client: &mut Client, town: &Town) -> api::ClockStanding {
    let request = api::HelloRequest { program_id: town.program.to_string(), verified_position: 0 };
    client.sync.hello(request).await.unwrap().into_inner().clock()
}

/// The next edit of the town's activity, handed in: when it was recorded, in microseconds, or why it was not.
async fn edit(client: &mut Client, town: &mut Town) -> Result<i64, Reason> {
    let before = town.device.clone();
    let written = town.device.revise(town.activity, FieldKey::Comment, "Underlag skickas ut");
    let bundle = town.device.sign(&[written]);
    let request = api::PushRequest { bundle: Some(bundle), request_id: String::new() };
    match client.sync.push(request).await {
        Ok(answer) => {
            let answer = answer.into_inner();
            let receipt = accepted(&answer.answers[0]).unwrap_or_else(|| panic!("{answer:?}"));
            let at = receipt.recorded_at.unwrap();
            Ok(at.seconds * SECOND + i64::from(at.nanos) / 1_000)
        }
        Err(status) => {
            // Nothing was consumed: the device's next event has the same number.
            town.device = before;
            assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
            Err(reason(&status).reason)
        }
    }
}

#[tokio::test]
async fn a_clock_set_back_or_forward_while_it_runs_poisons_no_time() {
    let clock = Faked::at(1_772_323_200);
    let (running, mut client) = on(config(), Arc::new(MemoryLog::new()), Arc::clone(&clock) as _).await;
    let mut town = Town::begin(&mut client).await;
    clock.pass(60);
    let first = edit(&mut client, &mut town).await.unwrap();
    assert_eq!(standing(&mut client, &town).await, api::ClockStanding::Fit);

    clock.set_forward(-30);
    assert_eq!(standing(&mut client, &town).await, api::ClockStanding::Behind);
    assert_eq!(edit(&mut client, &mut town).await, Ok(first + 1));
    assert_eq!(edit(&mut client, &mut town).await, Ok(first + 2));
    clock.set_forward(30);

    clock.set_forward(2 * 3_600);
    assert_eq!(standing(&mut client, &town).await, api::ClockStanding::Unfit);
    assert_eq!(edit(&mut client, &mut town).await, Err(Reason::ClockUnfit));
    let read = client.get(town.program, None).await;
    assert_eq!(read.basis.unwrap().position, 9, "reading goes on");

    clock.set_forward(-2 * 3_600);
    clock.pass(1);
    assert_eq!(edit(&mut client, &mut town).await, Ok(first + SECOND));
    running.shutdown().await;
}

#[tokio::test]
async fn a_start_far_ahead_of_the_last_record_wants_an_operators_word() {
    let clock = Faked::at(1_772_323_200);
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let (running, mut client) = on(config(), Arc::clone(&log), Arc::clone(&clock) as _).await;
    let mut town = Town::begin(&mut client).await;
    running.shutdown().await;

    clock.pass(500 * DAY);
    let (running, mut client) = on(config(), Arc::clone(&log), Arc::clone(&clock) as _).await;
    assert_eq!(edit(&mut client, &mut town).await, Err(Reason::ClockUnfit));
    assert_eq!(standing(&mut client, &town).await, api::ClockStanding::Unfit);
    running.shutdown().await;

    let accepting = Config { accept_clock: true, ..config() };
    let (running, mut client) = on(accepting, Arc::clone(&log), Arc::clone(&clock) as _).await;
    let recorded = edit(&mut client, &mut town).await.unwrap();
    assert_eq!(recorded, clock.now().micros());
    running.shutdown().await;
    // With that record there is nothing to accept any more.
    let (running, mut client) = on(config(), log, clock).await;
    assert_eq!(standing(&mut client, &town).await, api::ClockStanding::Fit);
    assert!(edit(&mut client, &mut town).await.is_ok());
    running.shutdown().await;
}

/// libfaketime, where it is installed.
fn library() -> Option<PathBuf> {
    let found = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    let candidates = found.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    candidates.into_iter().find(|path| path.is_file())
}

/// `radslagd` whose clock is off by what a file says, while its steady clock is the machine's.
struct Off {
    child: Child,
    client: Client,
}

impl Off {
    async fn start(library: &Path, dir: &Path, off: &str, flags: &[&str]) -> Self {
        set_off(dir, off);
        let mut child = radslagd(library, dir)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(dir.join("data"))
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        let url = url.trim_end_matches(',').to_owned();
        let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
        Self { child, client: Client::on(channel) }
    }

    fn stop(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Off {
    fn drop(&mut self) {
        // Nothing to kill where it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `radslagd` under the clock that `dir/off` says.
fn radslagd(library: &Path, dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radslagd"));
    command
        .args(["--log", "error"])
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", dir.join("off"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .stdin(Stdio::null());
    command
}

/// Written whole, so that nobody reads half of it.
fn set_off(dir: &Path, off: &str) {
    std::fs::write(dir.join("next"), format!("{off}\n")).unwrap();
    std::fs::rename(dir.join("next"), dir.join("off")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_server_keeps_its_times_under_a_faked_clock() {
    let Some(library) = library() else {
        println!("skipped: libfaketime is not installed (apt-get install faketime)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let mut server = Off::start(&library, dir.path(), "+0", &[]).await;
    let mut town = Town::begin(&mut server.client).await;
    let first = edit(&mut server.client, &mut town).await.unwrap();
    set_off(dir.path(), "+2h");
    assert_eq!(edit(&mut server.client, &mut town).await, Err(Reason::ClockUnfit));
    set_off(dir.path(), "+0");
    assert!(edit(&mut server.client, &mut town).await.unwrap() > first);
    set_off(dir.path(), "-1h");
    assert_eq!(standing(&mut server.client, &town).await, api::ClockStanding::Behind);
    let behind = edit(&mut server.client, &mut town).await.unwrap();
    assert_eq!(edit(&mut server.client, &mut town).await, Ok(behind + 1));
    server.stop();

    let mut server = Off::start(&library, dir.path(), "+500d", &[]).await;
    assert_eq!(standing(&mut server.client, &town).await, api::ClockStanding::Unfit);
    assert_eq!(edit(&mut server.client, &mut town).await, Err(Reason::ClockUnfit));
    server.stop();
    // An epoch is a record too, and an old copy is no damaged log.
    let restore = |flags: &[&str]| {
        let mut command = radslagd(&library, dir.path());
        command.arg("restore").args(flags).arg("--data").arg(dir.path().join("restored"));
        command.arg(dir.path().join("data")).output().unwrap()
    };
    let refused = restore(&[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), said.contains("--accept-clock")), (Some(1), true), "{said}");
    assert_eq!(restore(&["--accept-clock"]).status.code(), Some(0));

    let mut server = Off::start(&library, dir.path(), "+500d", &["--accept-clock"]).await;
    let ahead = edit(&mut server.client, &mut town).await.unwrap();
    assert!(ahead > behind + 499 * DAY * SECOND);
    server.stop();

    let mut server = Off::start(&library, dir.path(), "+0", &[]).await;
    assert_eq!(standing(&mut server.client, &town).await, api::ClockStanding::Behind);
    assert_eq!(edit(&mut server.client, &mut town).await, Ok(ahead + 1));
    server.stop();
}
