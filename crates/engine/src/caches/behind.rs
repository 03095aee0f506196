//! Writing the caches behind the log: what is due, how it is copied out of a ledger that others use, and the thread that does it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use radslag_core::id::{Position, ProgramId};
use radslag_core::state::State;
use radslag_log::{Commit, EventLog};

use super::far::Far;
use super::journal::{Journal, Noted};
use super::resume::Resume;
use super::shelf::{self, Shelf};
use super::{Pace, chunk};
use crate::as_of::Look;
use crate::ledger::{Ledger, LedgerError};
use crate::past::places;

/// So many whole chunks are copied out of a ledger at once.
const CHUNKS: usize = 4;
/// Places of events are forgotten when there are so many more of them than the state refers to.
const SPARE: usize = 8 * 1_000;

/// Whoever holds a ledger that can be changed for a moment.
pub trait Touch: Look {
    /// Changes it.
    fn touch<T>(&mut self, change: impl FnOnce(&mut Ledger) -> T) -> T;
}

impl Touch for Ledger {
    fn touch<T>(&mut self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        change(self)
    }
}

impl Ledger {
    /// A programme before its first record, that is to be kept on disk with its caches.
    pub fn kept(program: ProgramId, pace: Pace) -> Self {
        let mut ledger = Self::new(program);
        ledger.journal = Some(Box::new(Journal::new(pace)));
        ledger.far = Far::new(program, pace, Position::ZERO);
        ledger
    }

    /// Whether something waits to be written behind.
    pub fn is_behind(&self) -> bool {
        let head = self.state.head();
        self.journal.as_ref().is_some_and(|journal| {
            let (shelf, pace) = (&journal.shelf, journal.pace);
            journal.has_whole_chunk()
                || shelf.state_is_due(pace, head)
                || shelf.resume_is_due(pace, head, false)
        })
    }
}

/// What [`mend()`] and [`write()`] do, when there is something to do or the store is about to be closed. A store that takes no caches
/// can still be read, and what it lacks is made when it is opened next: that is logged, and answered with false.
pub fn keep(log: &dyn EventLog, ledger: &mut impl Touch, closing: bool) -> bool {
    let due = closing || ledger.look(Ledger::is_behind);
    let kept = mend(log, ledger).and_then(|()| if due { write(log, ledger, closing) } else { Ok(()) });
    if let Err(error) = &kept {
        let program = ledger.look(|ledger| ledger.state.program_id());
        tracing::warn!(%program, %error, "the caches of the log could not be written");
    }
    kept.is_ok()
}

/// Writes everything that is due; `closing` also what makes the next opening quick. Each piece is a commit of its own.
///
/// # Errors
/// The store does not take it. What was written stays; the rest is due again.
pub fn write(log: &dyn EventLog, ledger: &mut impl Touch, closing: bool) -> Result<(), LedgerError> {
    while write_chunks(log, ledger)? {}
    let due = ledger.look(|ledger| {
        let journal = ledger.journal.as_ref()?;
        let (head, pace, shelf) = (ledger.state.head(), journal.pace, &journal.shelf);
        let resume = shelf.resume_is_due(pace, head, closing);
        if !resume && !shelf.state_is_due(pace, head) {
            return None;
        }
        let resume = if resume { Resume::of(ledger) } else { None };
        Some((ledger.state.clone(), resume, shelf.next_slot(), shelf.states.contains_key(&head)))
    });
    let Some((state, resume, slot, is_kept)) = due else { return Ok(()) };
    // A point to go on from stands on the state of the same position.
    if !is_kept && let Some(kept) = shelf::put_state(log, &state)? {
        on_shelf(ledger, |shelf| shelf.add_state(kept));
    }
    if let Some(resume) = resume
        && let Some(kept) = resume.put(log, &state, slot)?
    {
        tracing::debug!(program = %state.program_id(), position = %state.head(), bytes = kept.bytes, "opening goes on from here");
        on_shelf(ledger, |shelf| shelf.add_resume(kept));
    }
    Ok(())
}

fn on_shelf(ledger: &mut impl Touch, change: impl FnOnce(&mut Shelf)) {
    ledger.touch(|ledger| {
        if let Some(journal) = &mut ledger.journal {
            change(&mut journal.shelf);
        }
    });
}

/// Writes a few whole chunks; false when there is none.
fn write_chunks(log: &dyn EventLog, ledger: &mut impl Touch) -> Result<bool, LedgerError> {
    let waiting = ledger.look(|ledger| {
        let journal = ledger.journal.as_ref()?;
        let chunks = journal.whole_chunks(CHUNKS);
        // What the state refers to is asked for every day and stays; the rest is found through the chunks.
        let crowded = ledger.index.len() > 2 * refers_to(&ledger.state) + SPARE;
        Some((ledger.state.program_id(), journal.pace, chunks, crowded.then(|| ledger.state.clone())))
    });
    let Some((program, pace, chunks, live)) = waiting else { return Ok(false) };
    let Some((last, _)) = chunks.last() else { return Ok(false) };
    let written = pace.last_of(*last);
    commit_chunks(log, program, &chunks)?;
    let live = live.map(|state| places(&state));
    ledger.touch(|ledger| {
        for (first, noted) in &chunks {
            ledger.far.extend(*first, &chunk::encode_index(*first, noted));
        }
        if let Some(journal) = &mut ledger.journal {
            journal.set_written(written);
        }
        ledger.forget_up_to(written, live.as_ref());
    });
    Ok(true)
}

fn commit_chunks(
    log: &dyn EventLog,
    program: ProgramId,
    chunks: &[(Position, Vec<Noted>)],
) -> Result<(), LedgerError> {
    let rows = chunks.iter().flat_map(|(first, noted)| chunk::rows(program, *first, noted));
    let mut commit = Commit::default();
    for row in rows {
        let one = Commit { appends: Vec::new(), rows: vec![row] };
        if commit.bytes() + one.bytes() > radslag_log::MAX_COMMIT_BYTES {
            log.commit(std::mem::take(&mut commit))?;
        }
        commit.rows.extend(one.rows);
    }
    Ok(log.commit(commit)?)
}

/// About how many events a state refers to.
fn refers_to(state: &State) -> usize {
    state.entities().map(|(_, entity)| entity.fields.len()).sum()
}

/// As [`anew()`], when a row was found missing or did not read since.
///
/// # Errors
/// As for [`anew()`].
pub fn mend(log: &dyn EventLog, ledger: &impl Look) -> Result<(), LedgerError> {
    if ledger.look(|ledger| ledger.far.is_damaged()) { anew(log, ledger) } else { Ok(()) }
}

/// Makes all chunks anew by folding the log from its first record, beside whatever else goes on.
///
/// # Errors
/// The store does not answer or does not take them.
pub fn anew(log: &dyn EventLog, ledger: &impl Look) -> Result<(), LedgerError> {
    let (program, kept, far) = ledger.look(|ledger| {
        let kept = ledger.journal.as_ref().map(|journal| (journal.pace, journal.written()));
        (ledger.state.program_id(), kept, ledger.far.clone())
    });
    let Some((pace, written)) = kept else { return Ok(()) };
    tracing::warn!(%program, up_to = %written, "the index is made anew from the log");
    let mut state = State::new(program, radslag_core::state::Keep::Sides);
    let mut journal = Journal::new(pace);
    let mut failed = None;
    crate::read::walk(log, program, Position::new(1), written, |record| {
        let backdated = super::journal::backdated(&state, &record);
        state.apply(&record);
        let landed = |body| crate::ledger::landing(&state, body);
        let landing = record.body().map_or(radslag_core::verdict::Landing::Clean, landed);
        journal.note(&record, landing, backdated);
        let chunks = if failed.is_none() { journal.whole_chunks(1) } else { Vec::new() };
        if let Some((first, _)) = chunks.first() {
            failed = commit_chunks(log, program, &chunks).err();
            journal.set_written(pace.last_of(*first));
        }
    })?;
    failed.map_or(Ok(()), Err)?;
    far.mended();
    Ok(())
}

/// What tells the thread that something is due. One that is told twice before it looks looks once.
#[derive(Clone, Debug)]
pub(crate) struct Wake(SyncSender<()>);

impl Wake {
    pub(crate) fn wake(&self) {
        // Full: it has not looked yet. Gone: nothing more is written behind, which it has said itself.
        let _ = self.0.try_send(());
    }
}

/// The thread that writes behind.
#[derive(Debug)]
pub(crate) struct Behind {
    wake: Option<Wake>,
    thread: Option<JoinHandle<()>>,
}

impl Behind {
    /// Starts it. `look` writes what is due, and hears whether it is for the last time.
    pub(crate) fn start(
        look: impl FnMut(bool) -> Result<(), LedgerError> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(1);
        let builder = std::thread::Builder::new().name("behind".to_owned());
        let thread = builder.spawn(move || run(&receiver, look))?;
        Ok(Self { wake: Some(Wake(sender)), thread: Some(thread) })
    }

    pub(crate) fn wake(&self) -> Option<Wake> {
        self.wake.clone()
    }

    /// Has it write for the last time, and waits for it. All wakes but its own must be gone. May be called twice.
    pub(crate) fn close(&mut self) {
        self.wake.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes behind ended badly");
        }
    }
}

fn run(wakes: &Receiver<()>, mut look: impl FnMut(bool) -> Result<(), LedgerError>) {
    loop {
        let closing = wakes.recv().is_err();
        if let Err(error) = look(closing) {
            // The log itself is whole; what is missing is made when it is opened next.
            tracing::warn!(%error, "nothing more is written behind the log until it is opened again");
            return;
        }
        if closing {
            return;
        }
    }
}
