//! Views for a day: what the replica shows, or showed when a form was opened, read for another day than today.
//!
//! The confirmed programme holds only what applies on the day of its last record or later; whoever asks for an earlier day gets a
//! state in which what applied then is put back.

use std::collections::BTreeSet;

use radslag_core::as_of::{AsOf, Recorded};
use radslag_core::id::EntityId;
use radslag_core::state::State;
use radslag_core::time::CivilDate;
use radslag_log::LogError;

use crate::error::ClientError;
use crate::form::Form;
use crate::replica::{Replica, View};

impl Replica {
    /// The view, fit to be read for `day`: confirmed and queued changes, folded.
    ///
    /// # Errors
    /// The store does not answer, or the day is before that of the snapshot that the replica began from.
    pub fn view_for(&self, day: Option<CivilDate>) -> Result<View<'_>, ClientError> {
        Ok(self.view_on(self.confirmed_for(day)?))
    }

    /// What a form shows, fit to be read for `day`.
    ///
    /// # Errors
    /// As for [`Replica::base_of`] and [`Replica::view_for`].
    pub fn view_of_for(&self, form: &Form, day: Option<CivilDate>) -> Result<View<'_>, ClientError> {
        let earlier = |at| {
            day.map_or(Ok(()), |day| self.check_held(day))?;
            self.state_at(Recorded::Position(at))
        };
        self.view_in(form, || self.confirmed_for(day), earlier)
    }

    /// The view, or what a form shows, with every write of some entities in it, for whoever looks at what applied to them on many days.
    ///
    /// # Errors
    /// As for [`Replica::base_of`]; or the store does not answer.
    pub fn whole_view(
        &self,
        form: Option<&Form>,
        entities: &BTreeSet<EntityId>,
    ) -> Result<View<'_>, ClientError> {
        let whole = || {
            let mut state = self.ledger.state.clone().keeping_everything();
            if self.provisional.is_some() {
                return self.state_at(Recorded::Head);
            }
            entities.iter().try_for_each(|entity| self.put_back(&mut state, *entity))?;
            Ok(state)
        };
        match form {
            Some(form) => self.view_in(form, whole, |at| self.state_at(Recorded::Position(at))),
            None => Ok(self.view_on(whole()?)),
        }
    }

    /// The confirmed programme, fit to be read for `day` after more has been applied to it.
    fn confirmed_for(&self, day: Option<CivilDate>) -> Result<State, ClientError> {
        let confirmed = &self.ledger.state;
        match day {
            Some(day) if confirmed.today().is_some_and(|today| day < today) => {
                let at = AsOf { recorded: Recorded::Head, effective: Some(day) };
                Ok(self.read_at(at)?.state.keeping_everything())
            }
            // What is queued is of a later day than the last record: what applies until then must stay.
            Some(_) => Ok(confirmed.clone().keeping_everything()),
            None => Ok(confirmed.clone()),
        }
    }

    /// What applied before the day of a snapshot is not in it.
    ///
    /// # Errors
    /// The history that the day needs is not here: [`LogError::NotHeld`].
    pub fn check_held(&self, day: CivilDate) -> Result<(), ClientError> {
        match &self.provisional {
            Some(provisional) if provisional.snapshot.state.today().is_some_and(|begin| day < begin) => {
                Err(LogError::NotHeld { from: provisional.position() }.into())
            }
            _ => Ok(()),
        }
    }

    /// What is there and not confirmed, on top of a confirmed state: what a restored log lacks, and what is queued.
    pub(crate) fn view_on(&self, state: State) -> View<'_> {
        let mut view = View::on(self, self.base(), state);
        for (event, first) in self.own_lost() {
            if let Err(rejection) = view.take_as(&event, Some(first)) {
                view.doubtful.push((event.body.event_id, rejection));
            }
        }
        for event in &self.outbox {
            if let Err(rejection) = view.take(event) {
                view.doubtful.push((event.body.event_id, rejection));
            }
        }
        view
    }
}
