//! A store that can crash under a commit: what was not flushed is lost, or what was flushed is never heard of.

use std::sync::Mutex;

use radslag_log::{Around, Commit, EventLog, LogError, MemoryLog, Rewind};
use serde::{Deserialize, Serialize};

/// When a machine goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Crash {
    /// Between two things.
    Now,
    /// In its next commit, before it is flushed: the commit is lost.
    BeforeFlush,
    /// In its next commit, after it is flushed: nobody hears of it.
    AfterFlush,
}

/// A disk.
#[derive(Debug, Default)]
pub struct Disk {
    log: MemoryLog,
    next: Mutex<Option<Crash>>,
}

impl Disk {
    /// A disk that holds what `log` holds.
    pub fn with(log: MemoryLog) -> Self {
        Self { log, next: Mutex::new(None) }
    }

    /// What it holds.
    pub fn log(&self) -> &MemoryLog {
        &self.log
    }

    /// The next commit meets this.
    pub fn crash_next(&self, crash: Crash) {
        *self.next.lock().expect("nothing panics while it holds this") = Some(crash);
    }

    /// The machine is up again.
    pub fn recover(&self) {
        *self.next.lock().expect("nothing panics while it holds this") = None;
    }
}

impl Disk {
    fn write(&self, work: impl FnOnce(&MemoryLog) -> Result<(), LogError>) -> Result<(), LogError> {
        let crash = self.next.lock().expect("nothing panics while it holds this").take();
        let down = || LogError::Stopped { reason: "the machine went down".to_owned() };
        match crash {
            None => work(&self.log),
            Some(Crash::Now | Crash::BeforeFlush) => Err(down()),
            Some(Crash::AfterFlush) => {
                work(&self.log)?;
                Err(down())
            }
        }
    }
}

impl Around for Disk {
    fn inner(&self) -> &dyn EventLog {
        &self.log
    }

    fn commit_around(&self, commit: Commit) -> Result<(), LogError> {
        self.write(|log| log.commit(commit))
    }

    fn rewind_around(&self, rewind: Rewind) -> Result<(), LogError> {
        self.write(|log| log.rewind(rewind))
    }
}
