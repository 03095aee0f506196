//! The process that gets killed: this test binary once more, told by its environment what to do.
//!
//! `append` writes commits of records whose content follows from their position and prints each acknowledged position; `verify` opens
//! the store and compares everything in it with what must be there.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{self, ChildStdout, Command, Stdio};

use radslag_core::id::{Position, ProgramId};
use radslag_log::conformance::sample;
use radslag_log::{Commit, EventLog as _, LogError, ReadLimit, StoredRecord};
use radslag_log_sled::{OpenOptions, SledLog};

const ROLE: &str = "RADSLAG_TEST_ROLE";
const DIR: &str = "RADSLAG_TEST_DIR";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Appends until it is killed or an error comes.
    Append,
    /// The same, acknowledging what was not synced.
    AppendWithoutSync,
    /// Opens and checks.
    Verify,
}

impl Role {
    const ALL: [Self; 3] = [Self::Append, Self::AppendWithoutSync, Self::Verify];

    const fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::AppendWithoutSync => "append-without-sync",
            Self::Verify => "verify",
        }
    }
}

/// A running child and what it says.
pub(crate) struct Child {
    process: process::Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The last position that it acknowledged.
    pub(crate) acknowledged: u64,
    /// Its last word: `head N` of a verifier in order, otherwise what went wrong.
    pub(crate) said: String,
}

impl Child {
    pub(crate) fn start(role: Role, dir: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this binary has a path"))
            .args(["--exact", "child::plays_its_role", "--nocapture", "--test-threads=1"])
            .env(ROLE, role.name())
            .env(DIR, dir)
            .stdout(Stdio::piped())
            // What sled prints when it panics would look like a failure of this test.
            .stderr(Stdio::null())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(process.stdout.take().expect("it was piped")).lines();
        Self { process, lines, acknowledged: 0, said: String::new() }
    }

    fn read_line(&mut self) -> bool {
        let Some(Ok(line)) = self.lines.next() else { return false };
        if let Some(position) = line.strip_prefix("ack ") {
            self.acknowledged = position.parse().expect("a position is a number");
        } else if let Some(said) = line.strip_prefix("said ") {
            said.clone_into(&mut self.said);
        }
        true
    }

    /// Reads until the child acknowledged `count` more commits; false when it ended before that.
    pub(crate) fn wait_for_acknowledgements(&mut self, count: usize) -> bool {
        let mut seen = 0;
        while seen < count {
            let before = self.acknowledged;
            if !self.read_line() {
                return false;
            }
            seen += usize::from(self.acknowledged != before);
        }
        true
    }

    /// Kills the child and reads what it had acknowledged until then.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("the child can be killed");
        self.finish();
    }

    /// Reads to the end.
    pub(crate) fn finish(&mut self) {
        while self.read_line() {}
        self.process.wait().expect("the child ends");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It is gone already unless a test failed half way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Opens and checks the store in a process of its own; the error is what that process said.
pub(crate) fn verify(dir: &Path) -> Result<u64, String> {
    let mut child = Child::start(Role::Verify, dir);
    child.finish();
    let head = child.said.strip_prefix("head ").and_then(|head| head.parse().ok());
    head.ok_or_else(|| std::mem::take(&mut child.said))
}

#[test]
fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let role = Role::ALL.into_iter().find(|known| known.name() == role).expect("a known role");
    let dir = std::env::var_os(DIR).expect("a directory comes with the role");
    let done = match role {
        Role::Append => append(dir.as_ref(), false),
        Role::AppendWithoutSync => append(dir.as_ref(), true),
        Role::Verify => check(dir.as_ref()).map(|head| println!("\nsaid head {head}")),
    };
    if let Err(error) = done {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        println!("\nsaid {error}{cause}");
    }
}

fn program() -> ProgramId {
    sample::program(1)
}

/// The record at a position: mostly small, sometimes with values of 4 KiB and more.
fn content(position: u64) -> StoredRecord {
    let number = usize::try_from(position).expect("a test is short");
    match number % 50 {
        0 => sample::rejected(),
        1..=5 => sample::with_value(sample::accepted(number % 300), 1, 4_096),
        6 => sample::with_value(sample::accepted(5_000), 2, 20_000),
        _ => sample::with_value(sample::accepted(200 + number % 100), 1, number % 40),
    }
}

fn append(dir: &Path, skip_sync: bool) -> Result<(), LogError> {
    let log = SledLog::open(dir, OpenOptions { skip_sync, ..OpenOptions::default() })?;
    println!();
    loop {
        let head = log.head(program())?;
        let next = head.as_ref().map_or(0, |head| head.position) + 1;
        let records = (next..=next + next % 7).map(content).collect();
        let append = sample::append(program(), head.as_ref(), records);
        let last = append.head.position;
        log.commit(Commit { appends: vec![append], rows: Vec::new() })?;
        println!("ack {last}");
    }
}

fn check(dir: &Path) -> Result<u64, LogError> {
    let log = SledLog::open(dir, OpenOptions::default())?;
    let end = log.head(program())?.map_or(0, |head| head.position);
    let mut next = 1;
    while next <= end {
        for record in log.read(program(), Position::new(next), ReadLimit { records: 500, bytes: 1 << 20 })? {
            let at = Position::new(next);
            let expected = content(next);
            let same = record.position == next
                && record.body == expected.record.body
                && record.outcome == expected.record.outcome
                && log.values(program(), at)? == expected.values
                && log.bundle(program(), Position::new(record.bundle_position))?.is_some();
            if !same {
                return Err(LogError::damaged_at(program(), at, "it is not what was written"));
            }
            next += 1;
        }
    }
    log.close()?;
    Ok(end)
}
