//! People who never stop writing, each at a replica of their own in a thread of this process, and what the server acknowledged to them.
//!
//! They go on through a server that dies and comes back: what a call that failed has become is learned by handing in the same again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use radslag_client::ClientError;
use radslag_client::author::Act;
use radslag_client::remote::Remote;
use radslag_core::command::{self, Edit, To};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EventId};
use radslag_core::state::EntityKind;

use crate::member::Member;
use crate::town::Municipality;

/// How long somebody waits before a server that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(20);
/// A text about as long as an event takes.
const LONG: usize = (64 << 10) - 1_000;

/// What somebody was answered.
enum Heard {
    /// These events are in the log.
    Acknowledged(Vec<EventId>),
    /// The server declined the call, for this reason.
    Declined(String),
}

/// Everybody at work, and all that was acknowledged so far.
pub struct Load {
    stop: Arc<AtomicBool>,
    heard: mpsc::Receiver<Heard>,
    threads: Vec<JoinHandle<()>>,
    acknowledged: BTreeSet<String>,
}

impl Load {
    /// Sets somebody to work at each of these replicas, which nobody else may use meanwhile.
    pub fn begin(replicas: &[&Municipality], seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, heard) = mpsc::channel();
        let start = |(index, replica): (u64, &&Municipality)| {
            let (dir, told, stop) = (replica.dir().to_owned(), told.clone(), Arc::clone(&stop));
            thread::spawn(move || work(&dir, seed.wrapping_add(index), &told, &stop))
        };
        let threads = (0..).zip(replicas).map(start).collect();
        Self { stop, heard, threads, acknowledged: BTreeSet::new() }
    }

    /// Waits until so many more events have been acknowledged.
    ///
    /// # Panics
    /// Somebody's work ended with an alarm.
    pub fn wait_for(&mut self, more: usize) {
        let wanted = self.acknowledged.len() + more;
        while self.acknowledged.len() < wanted {
            self.hear();
        }
    }

    /// Waits until somebody is declined for this reason.
    ///
    /// # Panics
    /// Somebody's work ended with an alarm.
    pub fn wait_for_refusal(&mut self, reason: &str) {
        while self.hear().is_none_or(|heard| heard != reason) {}
    }

    /// The next answer; the reason of one that declines.
    fn hear(&mut self) -> Option<String> {
        let heard = self.heard.recv().expect("people write until they are told to stop");
        self.take(heard)
    }

    fn take(&mut self, heard: Heard) -> Option<String> {
        match heard {
            Heard::Declined(reason) => Some(reason),
            Heard::Acknowledged(events) => {
                self.acknowledged.extend(events.iter().map(ToString::to_string));
                None
            }
        }
    }

    /// Has everybody stop where they are; gives the ids of all events that were acknowledged.
    ///
    /// # Panics
    /// Somebody's work ended with an alarm.
    pub fn end(mut self) -> BTreeSet<String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok(), "somebody could not go on");
        }
        while let Ok(heard) = self.heard.try_recv() {
            self.take(heard);
        }
        std::mem::take(&mut self.acknowledged)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn work(dir: &Path, seed: u64, told: &mpsc::Sender<Heard>, stop: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let mut member = Member::open(dir, seed).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let server = member.replica.settings.server.clone();
    let mut remote = None;
    while !stop.load(Ordering::Relaxed) {
        if member.replica.outbox.len() < 8 {
            let long = member.dice().chance(10);
            let written = if long { write_long(&mut member) } else { member.edit(3) };
            written.unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        }
        let waiting: Vec<EventId> = member.replica.outbox.iter().map(|event| event.body.event_id).collect();
        let pushed = runtime.block_on(async {
            if remote.is_none() {
                remote = Some(Remote::connect(&server).await?);
            }
            let Some(remote) = &remote else { return Ok(None) };
            member.replica.push(remote, |_, _| {}).await.map(Some)
        });
        match pushed {
            Ok(Some(tally)) if tally.accepted + tally.declined >= member.replica.outbox.len() => {
                // Nobody is told after the end.
                let _ = told.send(Heard::Acknowledged(waiting));
            }
            Ok(_) => {}
            Err(error) => {
                assert!(passes(&error), "{}: {error}", dir.display());
                if let ClientError::Api(error) = &error {
                    let _ = told.send(Heard::Declined(error.reason.name().to_owned()));
                }
                remote = None;
                runtime.block_on(async { tokio::time::sleep(AGAIN).await });
            }
        }
    }
    member.replica.close().unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
}

/// A server that is gone, that cannot write any more or that has just come back: all of it passes. An alarm does not.
fn passes(error: &ClientError) -> bool {
    matches!(error, ClientError::NoAnswer { .. } | ClientError::Api(_))
}

/// A comment as long as the format allows.
fn write_long(member: &mut Member) -> Result<Vec<EventId>, ClientError> {
    let text: String = {
        let dice = member.dice();
        (0..LONG).map(|_| char::from(b'a' + u8::try_from(dice.below(26)).unwrap_or(0))).collect()
    };
    let view = member.replica.view();
    let activities = view.state.entities().filter(|(_, entity)| entity.kind == EntityKind::Activity);
    let activities: Vec<EntityId> = activities.map(|(id, _)| id).take(8).collect();
    let edit = Edit { field: FieldKey::Comment, to: To::Text(text) };
    let activity = activities.get(view.queued.len() % 8).copied().unwrap_or_default();
    let drafts = command::revise(&view.state, &view, view.day(), activity, &[edit]);
    let (base, drafts) = (view.base, drafts.unwrap_or_default());
    drop(view);
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    match member.replica.queue(base, drafts, &Act::default(), false) {
        Err(ClientError::Rejected(_)) => Ok(Vec::new()),
        answer => answer,
    }
}
