//! One store, one user at a time: in this process and between processes.

use std::thread;
use std::time::{Duration, Instant};

use radslag_log::conformance::sample;
use radslag_log::{EventLog, LogError};
use radslag_log_sled::{OpenOptions, SledLog};

use crate::child::{Child, Role};
use crate::contract::{open, open_error};

fn waiting(seconds: u64) -> OpenOptions {
    OpenOptions { wait: Duration::from_secs(seconds), ..OpenOptions::default() }
}

#[test]
fn a_second_opener_in_the_same_process_is_told_so() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = open(dir.path());
    let error = open_error(dir.path());
    assert!(matches!(&error, LogError::InUse { dir: named } if named == dir.path()), "{error:?}");
    assert!(error.to_string().contains("already in use by another"), "{error}");
    sample::write(&log, sample::program(1), vec![sample::accepted(1)]);
    drop(log);
    assert_eq!(open(dir.path()).programs().expect("programs"), [sample::program(1)]);
}

#[test]
fn a_second_process_is_told_so_until_the_first_is_gone() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut child = Child::start(Role::Append, dir.path());
    child.wait_for_acknowledgements(1);
    assert!(matches!(open_error(dir.path()), LogError::InUse { .. }));
    let asked = Instant::now();
    let options = OpenOptions { wait: Duration::from_millis(60), ..OpenOptions::default() };
    assert!(matches!(SledLog::open(dir.path(), options), Err(LogError::InUse { .. })));
    assert!(asked.elapsed() >= Duration::from_millis(60));
    child.kill();
    SledLog::open(dir.path(), waiting(30)).expect("the lock of a killed process is free");
}

#[test]
fn whoever_waits_gets_the_store_when_it_is_free() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let log = open(dir.path());
    thread::scope(|scope| {
        let second = scope.spawn(|| SledLog::open(dir.path(), waiting(30)));
        sample::write(&log, sample::program(1), vec![sample::accepted(1)]);
        drop(log);
        let second = second.join().expect("no panic").expect("the wait was long enough");
        assert_eq!(second.programs().expect("programs"), [sample::program(1)]);
    });
}
