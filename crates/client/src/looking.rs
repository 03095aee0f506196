//! Looking back in a replica without walking its log: a point in time, one entity's history, the last records, one event.
//!
//! A replica that began from a snapshot has no indexes until its history is there; it walks what it holds.

use std::collections::BTreeSet;

use radslag_core::as_of::AsOf;
use radslag_core::fold;
use radslag_core::history::{self, FieldChange, Told};
use radslag_core::id::{EntityId, EventId, Position};
use radslag_core::record::Recorded;
use radslag_core::state::State;
use radslag_engine::as_of::{read_at, recall_whole, record_at, state_at};
use radslag_engine::read::{Reading, walk};
use radslag_engine::trail::{After, changes_of, everything_of};

use crate::error::ClientError;
use crate::replica::{Replica, View};

impl Replica {
    /// The confirmed programme at a point on both clocks; a position after the head is the head.
    ///
    /// # Errors
    /// The store does not answer; or, before the history is there, the point lies before the snapshot that the replica began from, on
    /// either clock.
    pub fn read_at(&self, at: AsOf) -> Result<Reading, ClientError> {
        if self.provisional.is_none() {
            return Ok(read_at(self.log.as_ref(), &self.ledger, at)?);
        }
        at.effective.map_or(Ok(()), |day| self.check_held(day))?;
        let state = self.state_at(at.recorded)?;
        Ok(Reading { day: at.effective.or(state.today()), state })
    }

    /// Puts back everything of one entity that a state of the confirmed programme has dropped, as far as it is here.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn put_back(&self, state: &mut State, entity: EntityId) -> Result<(), ClientError> {
        if self.provisional.is_some() {
            return Ok(());
        }
        let upto = state.head().min(self.ledger.state.head());
        Ok(recall_whole(self.log.as_ref(), &self.ledger, state, entity, upto)?)
    }

    /// Every confirmed and queued change of one entity up to a position, oldest first, told for the day that `told` says.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn changes_of(
        &self,
        view: &View<'_>,
        entity: EntityId,
        told: Told,
        upto: Position,
    ) -> Result<Vec<FieldChange>, ClientError> {
        let head = self.ledger.state.head();
        let mut changes: Vec<FieldChange> = if self.provisional.is_some() {
            let mut state =
                if told == Told::AsRecorded { self.origin() } else { self.origin().keeping_everything() };
            let records = self.records()?;
            records.iter().flat_map(|record| history::step_told(&mut state, record, told)).collect()
        } else {
            let (log, after) = (self.log.as_ref(), After::default());
            let found = changes_of(log, &self.ledger, entity, told, upto.min(head), after, usize::MAX)?;
            found.into_iter().map(|(change, _)| change).collect()
        };
        let mut state = self.ledger.state.clone();
        if told != Told::AsRecorded {
            state = state.keeping_everything();
            self.put_back(&mut state, entity)?;
        }
        changes.extend(view.queued.iter().flat_map(|record| history::step_told(&mut state, record, told)));
        changes.retain(|change| change.entity == entity && change.position <= upto);
        Ok(changes)
    }

    /// What one event changed, confirmed or queued, told for the day that `told` says; empty for one that is not here.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn changes_by(
        &self,
        view: &View<'_>,
        event: EventId,
        told: Told,
    ) -> Result<Vec<FieldChange>, ClientError> {
        let confirmed = self.ledger.find(self.log.as_ref(), event)?;
        let (state, records) = match confirmed.filter(|_| self.provisional.is_none()) {
            Some(position) => {
                let record = record_at(self.log.as_ref(), self.settings.program, position)?;
                (state_at(self.log.as_ref(), &self.ledger, position.previous())?, vec![record])
            }
            None if confirmed.is_some() => (self.origin(), self.records()?),
            None => (self.ledger.state.clone(), view.queued.clone()),
        };
        let mut state = state;
        if told != Told::AsRecorded {
            state = state.keeping_everything();
            let own = records.iter().filter(|record| record.event_id == event);
            let touched: BTreeSet<EntityId> =
                own.filter_map(Recorded::body).flat_map(fold::touched).collect();
            touched.into_iter().try_for_each(|entity| self.put_back(&mut state, entity))?;
        }
        let mut changes: Vec<FieldChange> =
            records.iter().flat_map(|record| history::step_told(&mut state, record, told)).collect();
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

    /// The last confirmed records up to a position, at most so many, in order; no more than is held.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn last_records(&self, upto: Position, most: usize) -> Result<Vec<Recorded>, ClientError> {
        let head = self.ledger.state.head().min(upto);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let first = Position::new(head.get().saturating_sub(most)).max(self.origin().head()).next();
        let mut records = Vec::new();
        walk(self.log.as_ref(), self.settings.program, first, head, |record| records.push(record))?;
        Ok(records)
    }
}
