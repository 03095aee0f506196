//! The snapshots that a server hands out: made when the first replica asks, shared by all that ask after it, and made anew when the
//! log has moved on. They are kept in memory only; a restart costs one build.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};

use crate::caches::lookup::places_of;
use crate::engine::{Engine, EngineError, Programme};
use crate::snapshot::{LARGEST, SignedSnapshot, Snapshot, wanted};

/// A snapshot is made anew once the log has grown by this many records since.
const STALE: u64 = 1_000;
/// How many snapshots of one programme are kept: the newest, and the one before it for downloads that were cut.
const KEPT: usize = 2;
/// How many bytes the snapshots of all programmes may take; the oldest go first. The newest always stays.
const BUDGET: usize = 512 << 20;

#[derive(Debug)]
struct Made {
    program: ProgramId,
    snapshot: Arc<SignedSnapshot>,
}

impl Made {
    fn bytes(&self) -> usize {
        self.snapshot.chunks.iter().map(Vec::len).sum()
    }
}

/// What is kept, newest last.
#[derive(Debug, Default)]
pub struct Snapshots {
    // Held for as long as a look takes.
    made: Mutex<Vec<Made>>,
    // One build at a time for each programme: whoever comes second waits and takes what the first has made.
    building: Mutex<BTreeMap<ProgramId, Arc<Mutex<()>>>>,
}

impl Snapshots {
    fn find(
        &self,
        program: ProgramId,
        suits: impl Fn(&SignedSnapshot) -> bool,
    ) -> Option<Arc<SignedSnapshot>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let found = made.iter().rev().find(|made| made.program == program && suits(&made.snapshot));
        found.map(|made| Arc::clone(&made.snapshot))
    }

    fn keep(&self, program: ProgramId, snapshot: Arc<SignedSnapshot>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(Made { program, snapshot });
        while made.iter().filter(|made| made.program == program).count() > KEPT {
            let Some(oldest) = made.iter().position(|made| made.program == program) else { break };
            made.remove(oldest);
        }
        while made.len() > 1 && made.iter().map(Made::bytes).sum::<usize>() > BUDGET {
            made.remove(0);
        }
    }

    fn turn(&self, program: ProgramId) -> Arc<Mutex<()>> {
        let mut building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(building.entry(program).or_default())
    }
}

impl Engine {
    /// A snapshot of what is published: the one with the id `continued` if it is still kept, else one that is at most a thousand
    /// records old. None where it would be larger than a snapshot may be. Blocks while one is made.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn snapshot(
        &self,
        programme: &Programme,
        continued: Option<Digest>,
    ) -> Result<Option<Arc<SignedSnapshot>>, EngineError> {
        let program = programme.id();
        if let Some(kept) =
            continued.and_then(|id| self.snapshots().find(program, |snapshot| snapshot.id == id))
        {
            return Ok(Some(kept));
        }
        let turn = self.snapshots().turn(program);
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |at: Position| programme.head().get() - at.get().min(programme.head().get()) < STALE;
        if let Some(kept) = self.snapshots().find(program, |snapshot| fresh(snapshot.position)) {
            return Ok(Some(kept));
        }
        let snapshot = self.take(programme)?;
        let signed = Arc::new(SignedSnapshot::sign(&snapshot, self.key()));
        let bytes: usize = signed.chunks.iter().map(Vec::len).sum();
        if bytes > LARGEST {
            tracing::warn!(%program, bytes, "the programme is too large for a snapshot");
            return Ok(None);
        }
        tracing::info!(%program, position = signed.position.get(), bytes, "made a snapshot");
        self.snapshots().keep(program, Arc::clone(&signed));
        Ok(Some(signed))
    }

    /// Takes what is published; the lock that the writer needs is held for copying alone.
    fn take(&self, programme: &Programme) -> Result<Snapshot, EngineError> {
        let published = programme.published();
        let (state, fences, frontier) =
            (published.state.clone(), published.fences.clone(), published.frontier.clone());
        drop(published);
        let wanted = wanted(&state);
        let places = places_of(self.log().as_ref(), programme, wanted.keys().copied())?;
        Ok(Snapshot::gathered(self.log().as_ref(), &state, fences, frontier, &wanted, &places)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use radslag_trust::keys::Signature;

    fn made(at: u64, bytes: usize) -> Arc<SignedSnapshot> {
        Arc::new(SignedSnapshot {
            id: Digest::of(&at.to_be_bytes()),
            position: Position::new(at),
            chunks: vec![vec![0; bytes]],
            manifest: Vec::new(),
            signature: Signature::new([0; 64]),
        })
    }

    #[test]
    fn the_newest_is_kept_and_the_one_before_it_and_no_more_than_fits() {
        let snapshots = Snapshots::default();
        let program = |number: u8| ProgramId::from_slice(&[number; 16]).unwrap();
        for at in 1..=3 {
            snapshots.keep(program(1), made(at, 10));
        }
        let at = |number: u8, at: u64| {
            snapshots.find(program(number), |snapshot| snapshot.position == Position::new(at)).is_some()
        };
        assert_eq!([at(1, 1), at(1, 2), at(1, 3)], [false, true, true]);
        assert_eq!(snapshots.find(program(1), |_| true).unwrap().position, Position::new(3));
        assert!(!at(2, 3), "another programme has none");

        snapshots.keep(program(2), made(9, BUDGET));
        assert_eq!([at(1, 2), at(1, 3), at(2, 9)], [false, false, true], "the newest stays");
    }
}
