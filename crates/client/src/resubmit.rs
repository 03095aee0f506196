//! What a person does about own events that will not land: give them up, or write them anew.

use prost::Message as _;
use radslag_core::command;
use radslag_core::command::Draft;
use radslag_core::event::{Expectation, Group};
use radslag_core::fold;
use radslag_core::id::{DeviceSeq, EventId, GroupId};
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_log::{Commit, RowChange, RowKey, RowKind};
use radslag_proto::convert::bundle::encode_event;
use radslag_proto::log::v1::HandedIn;

use crate::again::{Old, Placed, Renamed};
use crate::author::{Authored, Chain, check_group, seal};
use crate::error::ClientError;
use crate::fork::row_number;
use crate::replica::{Quarantined, Replica};
use crate::setting::HANDED_IN;

/// How quarantined events are written anew.
#[derive(Clone, Debug, Default)]
pub struct Resubmission {
    /// Their numbers in the quarantine; whole groups.
    pub numbers: Vec<u64>,
    /// Another value for the one value of the one event: its slot and bytes.
    pub value: Option<(Slot, Vec<u8>)>,
    /// The day from which all of them apply, instead of what they said.
    pub effective_on: Option<CivilDate>,
    /// Whether each may land only if the fields it writes are as this replica shows them now.
    pub strict: bool,
}

/// An own event in the outbox that cannot be given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeptInOutbox {
    /// It may have been given to a server, so its number may be taken.
    #[error("change {} may have been handed in already: it can only land or be rejected", .0.short())]
    MayBeHandedIn(EventId),
    /// A later one follows its number.
    #[error("change {} was written after it and follows its number", later.short())]
    Followed {
        /// The later one.
        later: EventId,
    },
}

impl Replica {
    fn quarantine_row(&self, number: u64) -> RowKey {
        RowKey { program: self.settings.program, kind: RowKind::Quarantine, number }
    }

    /// Gives up quarantined events for good.
    ///
    /// # Errors
    /// The store does not take it; then nothing is given up.
    pub fn discard(&mut self, numbers: &[u64]) -> Result<(), ClientError> {
        let rows = numbers.iter().map(|number| RowChange::Delete(self.quarantine_row(*number))).collect();
        Ok(self.log.commit(Commit { appends: Vec::new(), rows })?)
    }

    /// Gives up the end of the outbox, from this event on, if no server can have seen any of it.
    ///
    /// # Errors
    /// An event may have been handed in, or a later one that is not named follows it; then nothing is given up.
    pub fn discard_queued(&mut self, events: &[EventId]) -> Result<(), ClientError> {
        let named = |event: &Authored| events.contains(&event.body.event_id);
        let Some(at) = self.outbox.iter().position(named) else { return Ok(()) };
        if let Some(later) = self.outbox[at..].iter().find(|event| !named(event)) {
            let later = later.body.event_id;
            return Err(ClientError::KeptInOutbox(KeptInOutbox::Followed { later }));
        }
        let first = &self.outbox[at].body;
        // A replica of an older release did not note what it handed in.
        let handed_in = self.handed_in()?;
        if handed_in.is_none_or(|last| first.device_seq <= last) {
            return Err(ClientError::KeptInOutbox(KeptInOutbox::MayBeHandedIn(first.event_id)));
        }
        let row = |event: &Authored| RowChange::Delete(self.outbox_row(event.body.device_seq));
        let rows = self.outbox[at..].iter().map(row).collect();
        self.log.commit(Commit { appends: Vec::new(), rows })?;
        self.outbox.truncate(at);
        Ok(())
    }

    fn handed_in(&self) -> Result<Option<DeviceSeq>, ClientError> {
        let noted: Option<HandedIn> = self.setting(HANDED_IN)?;
        let own = noted.filter(|noted| noted.device_id == self.settings.device.bytes());
        Ok(own.map(|noted| DeviceSeq::new(noted.device_seq)))
    }

    /// Notes that the first `count` events of the outbox are about to be given to a server.
    pub(crate) fn note_handed_in(&self, count: usize) -> Result<(), ClientError> {
        let Some(last) = count.checked_sub(1).and_then(|at| self.outbox.get(at)) else { return Ok(()) };
        let seq = last.body.device_seq;
        if self.handed_in()?.is_some_and(|noted| noted >= seq) {
            return Ok(());
        }
        let noted = HandedIn { device_id: self.settings.device.bytes().to_vec(), device_seq: seq.get() };
        let rows = vec![self.put_setting(HANDED_IN, &noted)];
        Ok(self.log.commit(Commit { appends: Vec::new(), rows })?)
    }

    /// Writes quarantined events anew and queues them: new ids and numbers, the same entities, reasons and dates, and the base
    /// that they were opened with. Gives the new ids in order. All or none.
    ///
    /// # Errors
    /// The rules would decline one, one is too large, or the store does not take them; then nothing has changed.
    pub fn resubmit(&mut self, wanted: &Resubmission) -> Result<Vec<EventId>, ClientError> {
        let held: Vec<Quarantined> = self.quarantined()?;
        let held: Vec<Quarantined> =
            held.into_iter().filter(|held| wanted.numbers.contains(&held.number)).collect();
        let olds: Vec<Old> = held.into_iter().map(|held| old(held, wanted)).collect();
        let events = self.write_again(&olds, wanted.strict)?;
        let mut rows: Vec<RowChange> = events.iter().map(|event| self.put_outbox(event)).collect();
        rows.extend(wanted.numbers.iter().map(|number| RowChange::Delete(self.quarantine_row(*number))));
        self.log.commit(Commit { appends: Vec::new(), rows })?;
        let ids = events.iter().map(|event| event.body.event_id).collect();
        self.outbox.extend(events);
        Ok(ids)
    }

    /// The change that writes an event into the outbox.
    pub(crate) fn put_outbox(&self, event: &Authored) -> RowChange {
        self.put_outbox_in(self.generation, event)
    }

    /// The change that writes an event into the outbox of this device, or of one to come.
    pub(crate) fn put_outbox_in(&self, generation: u64, event: &Authored) -> RowChange {
        let number = row_number(generation, event.body.device_seq);
        let key = RowKey { program: self.settings.program, kind: RowKind::Outbox, number };
        RowChange::Put(key, encode_event(event.bytes.clone(), &event.values).encode_to_vec())
    }

    fn write_again(&self, olds: &[Old], strict: bool) -> Result<Vec<Authored>, ClientError> {
        let now = self.clock.now();
        let since = self.since(olds, self.settings.device)?;
        let mut renamed = Renamed::default();
        for old in olds {
            renamed.events.insert(old.body.event_id, EventId::new(self.ids.event_id(now)));
            if let Some(group) = old.body.group {
                renamed.groups.entry(group.id).or_insert_with(|| GroupId::new(self.ids.random_id()));
            }
        }
        let mut view = self.view();
        let mut chain = self.chain();
        let mut placed: Vec<Placed<'_>> = Vec::new();
        let mut events: Vec<Authored> = Vec::new();
        for old in olds {
            let base = since.base(old, self.settings.device, &placed);
            let expect = if strict { expectations(&view.state, view.day(), old) } else { Vec::new() };
            let draft = draft(old, &renamed, expect);
            let group = group_of(old, olds, &renamed);
            let event =
                seal(&self.settings, self.ids.as_ref(), now, base, chain, draft, &Default::default(), group)?;
            self.check_own(&event)?;
            let declined = |rejection| ClientError::DeclinedAgain { number: old.number, rejection };
            view.take(&event).map_err(|rejection| declined(Box::new(rejection)))?;
            chain = Chain { seq: event.body.device_seq, hash: event.hash };
            placed.push(Placed { seq: event.body.device_seq, old });
            events.push(event);
        }
        check_group(&events)?;
        Ok(events)
    }
}

fn old(held: Quarantined, wanted: &Resubmission) -> Old {
    let mut values = held.values;
    if let Some((slot, bytes)) = &wanted.value {
        for value in values.iter_mut().filter(|value| value.slot == *slot) {
            value.bytes.clone_from(bytes);
        }
    }
    let mut body = held.body;
    body.effective_on = wanted.effective_on.or(body.effective_on);
    Old { number: held.number, body, values, refused_from: held.refused_from }
}

/// The same content under its new name.
pub(crate) fn draft(old: &Old, renamed: &Renamed, expect: Vec<Expectation>) -> Draft {
    Draft {
        event: renamed.events.get(&old.body.event_id).copied(),
        change: renamed.change(old.body.change.clone()),
        values: old.values.iter().map(|value| (value.slot, value.bytes.clone())).collect(),
        effective_on: old.body.effective_on,
        expect,
    }
}

/// The event's place in its group, among those of the group that are written anew.
pub(crate) fn group_of(old: &Old, olds: &[Old], renamed: &Renamed) -> Option<Group> {
    let own = old.body.group?;
    let members = || olds.iter().filter(|other| other.body.group.is_some_and(|group| group.id == own.id));
    let index = members().position(|other| other.body.event_id == old.body.event_id)?;
    let size = members().count();
    let id = *renamed.groups.get(&own.id)?;
    // What is left alone of a group is no group.
    (size > 1).then_some(Group { id, index: u32::try_from(index).ok()?, size: u32::try_from(size).ok()? })
}

/// The sides of the fields that it writes, as they are shown; none for what it adds itself.
fn expectations(state: &radslag_core::state::State, day: CivilDate, old: &Old) -> Vec<Expectation> {
    let added = fold::addition(&old.body).map(|added| added.entity);
    let writes = fold::field_writes(&old.body).into_iter().filter(|write| Some(write.entity) != added);
    writes.map(|write| command::expectations(state, day, write.entity, write.field)).collect()
}
