//! Where events stand and what their landing meant, from memory or from the chunks on disk.

use radslag_core::digest::Digest;
use radslag_core::id::{EventId, Position};
use radslag_core::record::Recorded;
use radslag_core::verdict::Landing;
use radslag_log::EventLog;

use super::chunk;
use crate::as_of::{self, Look};
use crate::ledger::{Ledger, LedgerError, landing};
use crate::past::Index;

/// Where an event stands, accepted or rejected: where its id was first used.
///
/// # Errors
/// The store does not answer.
pub fn place_of(
    log: &dyn EventLog,
    ledger: &impl Look,
    event: EventId,
) -> Result<Option<Position>, LedgerError> {
    let (accepted, declined, far) = ledger.look(|ledger| {
        let declined = ledger.declined.get(&event).copied();
        (ledger.index.get(&event).copied(), declined, ledger.far.clone())
    });
    match accepted {
        // An accepted event is the first and the last with its id.
        Some(position) => Ok(Some(position)),
        None => Ok(far.event(log, event)?.or(declined)),
    }
}

/// Where events stand, those that do.
///
/// # Errors
/// The store does not answer.
pub(crate) fn places_of(
    log: &dyn EventLog,
    ledger: &impl Look,
    events: impl IntoIterator<Item = EventId>,
) -> Result<Index, LedgerError> {
    let mut places = Index::new();
    for event in events {
        if let Some(position) = place_of(log, ledger, event)? {
            places.insert(event, position);
        }
    }
    Ok(places)
}

impl Ledger {
    /// As [`place_of`].
    ///
    /// # Errors
    /// The store does not answer.
    pub fn find(&self, log: &dyn EventLog, event: EventId) -> Result<Option<Position>, LedgerError> {
        place_of(log, self, event)
    }

    /// Where a rejected event stands, by the hash of its body.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn find_declined(&self, log: &dyn EventLog, body: Digest) -> Result<Option<Position>, LedgerError> {
        match self.reused.get(&body) {
            Some(position) => Ok(Some(*position)),
            None => self.far.declined(log, body),
        }
    }

    /// What landing meant for a record of this log: the same as on the day it landed.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn landing_of(&self, log: &dyn EventLog, record: &Recorded) -> Result<Landing, LedgerError> {
        let at = record.position;
        let Some(journal) = self.journal.as_ref().filter(|journal| at <= journal.written()) else {
            return Ok(self.landing_at(at));
        };
        let first = journal.pace.first_of(at);
        if let Some(index) = chunk::index(log, self.state.program_id(), journal.pace, first)? {
            return Ok(index.landing(at.get() - first.get()));
        }
        self.far.found_damage();
        let Some(body) = record.body() else { return Ok(Landing::Clean) };
        Ok(landing(&as_of::state_at(log, self, at)?, body))
    }

    /// Notes where a record's event stands.
    pub(crate) fn remember(&mut self, record: &Recorded) {
        if record.body().is_some() {
            self.index.insert(record.event_id, record.position);
        } else {
            self.declined.entry(record.event_id).or_insert(record.position);
            self.reused.insert(record.body_hash, record.position);
        }
    }

    /// The same programme for a writer that runs ahead: it knows where no event stands and keeps nothing on disk.
    pub(crate) fn pending(&self) -> Self {
        Self {
            state: self.state.clone(),
            fences: self.fences.clone(),
            frontier: self.frontier.clone(),
            begun_after: self.begun_after,
            ..Self::new(self.state.program_id())
        }
    }

    /// Forgets where events stand and how they landed, once others know.
    pub(crate) fn forget_places(&mut self) {
        self.index.clear();
        self.declined.clear();
        self.reused.clear();
        self.unclean.clear();
    }

    /// Forgets what is in chunks on disk up to a record and is not looked up every day: `live` is.
    pub(crate) fn forget_up_to(&mut self, written: Position, live: Option<&Index>) {
        self.declined.retain(|_, position| *position > written);
        self.reused.retain(|_, position| *position > written);
        self.unclean = self.unclean.split_off(&written.next());
        if let Some(live) = live {
            self.index.retain(|event, position| *position > written || live.contains_key(event));
        }
    }
}
