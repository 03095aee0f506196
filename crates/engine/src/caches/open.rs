//! Opening a programme: from the newest point on disk and the records after it; from the first record where there is none.

use radslag_core::id::{Position, ProgramId};
use radslag_log::EventLog;

use super::resume::ledger_at;
use super::shelf::Shelf;
use super::{Pace, behind};
use crate::ledger::{Ledger, LedgerError};

/// When a log is folded from its first record, it is asked after so many records whether something is to be written.
const STRIDE: u64 = 50;

impl Ledger {
    /// Opens a programme as its store has it, with its caches. However it was opened, the Merkle frontier must be the one that is
    /// stored with the head.
    ///
    /// # Errors
    /// The store does not answer, a record does not read, or the frontiers differ.
    pub fn open(log: &dyn EventLog, program: ProgramId) -> Result<Self, LedgerError> {
        Self::open_at_pace(log, program, Pace::MEASURED)
    }

    /// As [`Ledger::open`], with caches of another pace: for trying them out on short logs.
    ///
    /// # Errors
    /// As for [`Ledger::open`].
    pub fn open_at_pace(log: &dyn EventLog, program: ProgramId, pace: Pace) -> Result<Self, LedgerError> {
        let head = log.head(program)?.map_or(Position::ZERO, |head| Position::new(head.position));
        let shelf = Shelf::read(log, program, head)?;
        for kept in shelf.resumes.iter().rev() {
            match resumed(log, program, pace, &shelf, kept) {
                Ok(Some(ledger)) => return Ok(ledger),
                Ok(None) => {
                    tracing::warn!(%program, at = %kept.position, "a point to go on from does not read")
                }
                Err(error @ LedgerError::Log(_)) => return Err(error),
                // Whether the log or the cache is wrong is settled by the log alone.
                Err(error) => {
                    tracing::warn!(%program, at = %kept.position, %error, "a point to go on from does not fit")
                }
            }
        }
        // Nothing that did not serve now is leant on later: all of it is written anew.
        let mut ledger = Self::kept(program, pace);
        ledger.replay_keeping(log)?;
        Ok(ledger)
    }

    /// Takes in what follows in the store, and writes what is due on the way.
    fn replay_keeping(&mut self, log: &dyn EventLog) -> Result<(), LedgerError> {
        let mut keeps = true;
        self.replay_in_steps(log, STRIDE, None, |ledger| {
            keeps = keeps && behind::keep(log, ledger, false);
        })
    }
}

fn resumed(
    log: &dyn EventLog,
    program: ProgramId,
    pace: Pace,
    shelf: &Shelf,
    kept: &super::shelf::Kept,
) -> Result<Option<Ledger>, LedgerError> {
    let Some(mut ledger) = ledger_at(log, program, pace, shelf, kept)? else { return Ok(None) };
    ledger.replay_keeping(log)?;
    Ok(Some(ledger))
}
