//! Folding a few records of a log instead of all, and putting back what a state has dropped: how a reader far from the head is
//! answered without a walk.

use std::sync::Arc;

use crate::field::FieldKey;
use crate::id::{EntityId, Position};
use crate::register::{Register, Write};
use crate::state::State;

impl State {
    /// Takes over where each device's chain is unbroken from a state of the whole log: what is skipped cannot show it.
    pub fn take_chains(&mut self, whole: &Self) {
        self.chains.clone_from(&whole.chains);
        self.told = true;
    }

    /// Stands at `head` without the records between, so that the next record to be applied is the one after it.
    ///
    /// What an entity's fields say depends on the records that touch it, on those that open an epoch, and on the devices' chains
    /// ([`State::take_chains`]), and on no others. A state that was given all of these, in order, says of that entity what the whole
    /// log says; of others it says nothing right.
    pub fn skip_to(&mut self, head: Position) {
        self.head = self.head.max(head);
    }

    /// Puts writes of one field back that this state has dropped, for reading it on a day before its own. Those that it holds, and
    /// fields that it does not have, are left alone.
    pub fn recall(&mut self, entity: EntityId, field: FieldKey, writes: &[Write]) {
        let Some(found) = self.entities.get_mut(&entity) else { return };
        let Some(register) = found.fields.get(&field) else { return };
        let held = |write: &&Write| register.writes().iter().any(|held| held.event == write.event);
        let missing: Vec<Write> = writes.iter().filter(|write| !held(write)).cloned().collect();
        if missing.is_empty() {
            return;
        }
        let mut whole = [register.writes(), &missing].concat();
        whole.sort_by_key(|write| write.position);
        let mut again = Register::default();
        whole.into_iter().for_each(|write| again.push(write));
        Arc::make_mut(found).fields.insert(field, again);
    }
}
