//! Reading on both clocks: what the replica knew, and the day that it is read for.
//!
//! The confirmed programme holds only what applies on the day of its last record or later; whoever asks for an earlier day gets a
//! state that keeps every write.

use radslag_core::as_of::AsOf;
use radslag_core::judge::MemoryPast;
use radslag_core::state::State;
use radslag_core::time::CivilDate;
use radslag_log::LogError;

use crate::error::ClientError;
use crate::replica::{Replica, View};

impl Replica {
    /// The confirmed programme at a point, fit to be read for the day that the point names.
    ///
    /// # Errors
    /// The store does not answer, or the point is before the snapshot that the replica began from, on either clock.
    pub fn read_at(&self, at: AsOf) -> Result<State, ClientError> {
        if let Some(day) = at.effective {
            self.check_held(day)?;
        }
        self.state_at(at.recorded)
    }

    /// The view, fit to be read for `day`: confirmed and queued changes, folded.
    ///
    /// # Errors
    /// The store does not answer, or the day is before that of the snapshot that the replica began from.
    pub fn view_for(&self, day: Option<CivilDate>) -> Result<View<'_>, ClientError> {
        let today = self.ledger.state.today();
        match day {
            Some(day) if today.is_some_and(|today| day < today) => {
                let recorded = radslag_core::as_of::Recorded::Head;
                let state = self.read_at(AsOf { recorded, effective: Some(day) })?;
                Ok(self.view_on(state))
            }
            _ => Ok(self.view()),
        }
    }

    /// The view with every write of the log in it, for whoever looks at what applied on many days.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn whole_view(&self) -> Result<View<'_>, ClientError> {
        Ok(self.view_on(self.state_at(radslag_core::as_of::Recorded::Head)?))
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

    /// What is queued, on top of a confirmed state.
    pub(crate) fn view_on(&self, state: State) -> View<'_> {
        let mut view = View {
            replica: self,
            state,
            queued: Vec::new(),
            doubtful: Vec::new(),
            overlay: MemoryPast::default(),
        };
        for event in &self.outbox {
            if let Err(rejection) = view.take(event) {
                view.doubtful.push((event.body.event_id, rejection));
            }
        }
        view
    }
}
