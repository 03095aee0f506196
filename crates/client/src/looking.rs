//! Looking back in a replica without walking its log: a point in time, one entity's history, the last records, one event.
//!
//! A replica that began from a snapshot has no indexes until its history is there; it walks what it holds.

use radslag_core::as_of::AsOf;
use radslag_core::history::{self, FieldChange};
use radslag_core::id::{EntityId, EventId, Position};
use radslag_core::record::Recorded;
use radslag_core::state::State;
use radslag_engine::as_of::{read_at, record_at, state_at};
use radslag_engine::read::{Reading, walk};
use radslag_engine::trail::{After, changes_of, everything_of};
use radslag_log::LogError;

use crate::error::ClientError;
use crate::replica::{Replica, View};

impl Replica {
    /// The confirmed programme at a point on both clocks; a position after the head is the head.
    ///
    /// # Errors
    /// The store does not answer; or, before the history is there, the point lies before the snapshot that the replica began from, or
    /// the day before that of the record read.
    pub fn read_at(&self, at: AsOf) -> Result<Reading, ClientError> {
        if self.provisional.is_none() {
            return Ok(read_at(self.log.as_ref(), &self.ledger, at)?);
        }
        let state = self.state_at(at.recorded)?;
        if let (Some(day), Some(today), Some(begun)) = (at.effective, state.today(), &self.provisional)
            && day < today
        {
            return Err(LogError::NotHeld { from: begun.position() }.into());
        }
        Ok(Reading { day: at.effective.or(state.today()), state })
    }

    /// Every confirmed and queued change of one entity, oldest first.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn changes_of(&self, view: &View<'_>, entity: EntityId) -> Result<Vec<FieldChange>, ClientError> {
        let head = self.ledger.state.head();
        let mut changes: Vec<FieldChange> = if self.provisional.is_some() {
            let mut state = self.origin();
            let records = self.records()?;
            records.iter().flat_map(|record| history::step(&mut state, record)).collect()
        } else {
            let (log, after) = (self.log.as_ref(), After::default());
            let found = changes_of(log, &self.ledger, entity, head, after, usize::MAX)?;
            found.into_iter().map(|(change, _)| change).collect()
        };
        let mut state = self.ledger.state.clone();
        changes.extend(view.queued.iter().flat_map(|record| history::step(&mut state, record)));
        changes.retain(|change| change.entity == entity);
        Ok(changes)
    }

    /// What one event changed, confirmed or queued; empty for one that is not here.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn changes_by(&self, view: &View<'_>, event: EventId) -> Result<Vec<FieldChange>, ClientError> {
        let confirmed = self.ledger.find(self.log.as_ref(), event)?;
        let (mut state, records) = match confirmed.filter(|_| self.provisional.is_none()) {
            Some(position) => {
                let record = record_at(self.log.as_ref(), self.settings.program, position)?;
                (state_at(self.log.as_ref(), &self.ledger, position.previous())?, vec![record])
            }
            None if confirmed.is_some() => (self.origin(), self.records()?),
            None => (self.ledger.state.clone(), view.queued.clone()),
        };
        let mut changes: Vec<FieldChange> =
            records.iter().flat_map(|record| history::step(&mut state, record)).collect();
        changes.retain(|change| change.event == event);
        Ok(changes)
    }

    /// One entity of the confirmed programme with every write it ever had, also those that are covered. None where the history is not
    /// there yet.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn everything_of(&self, entity: EntityId) -> Result<Option<State>, ClientError> {
        if self.provisional.is_some() {
            return Ok(None);
        }
        let head = self.ledger.state.head();
        Ok(Some(everything_of(self.log.as_ref(), &self.ledger, entity, head)?))
    }

    /// The last confirmed records, at most so many, in order; no more than is held.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn last_records(&self, most: usize) -> Result<Vec<Recorded>, ClientError> {
        let head = self.ledger.state.head();
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let first = Position::new(head.get().saturating_sub(most)).max(self.origin().head()).next();
        let mut records = Vec::new();
        walk(self.log.as_ref(), self.settings.program, first, head, |record| records.push(record))?;
        Ok(records)
    }
}
