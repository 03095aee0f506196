//! Authoring anew: what was written before gets another envelope and the same content.
//!
//! The new event says the same of the same entities, and it has seen what its author had seen when writing it the first time:
//! no more, so that it conflicts with what came since rather than covers it, and no less where an envelope can say so.

use std::collections::BTreeMap;

use radslag_core::event::{Base, Change, EventBody, Source, Standing};
use radslag_core::fold;
use radslag_core::id::{DeviceId, DeviceSeq, EventId, GroupId, Position};
use radslag_core::record::{Entry, Recorded};
use radslag_core::value::Value;
use radslag_engine::ledger::read_record;
use radslag_log::ReadLimit;

use crate::error::ClientError;
use crate::replica::Replica;

/// How many records are looked at in one go.
const STEP: ReadLimit = ReadLimit { records: 1_000, bytes: 1 << 20 };

/// Something that was written before.
#[derive(Clone, Debug)]
pub(crate) struct Old {
    /// Its number in the quarantine.
    pub number: u64,
    /// What it says.
    pub body: EventBody,
    /// The values beside it.
    pub values: Vec<Value>,
    /// The number from which on its device's numbers were given out anew.
    pub refused_from: Option<DeviceSeq>,
}

impl Old {
    /// Whether this was in view when `later` was written.
    fn was_seen_by(&self, later: &Self) -> bool {
        let numbers_hold = self.refused_from.is_none() || self.refused_from == later.refused_from;
        self.body.device_id == later.body.device_id
            && self.body.device_seq <= later.body.base.seq
            && numbers_hold
    }

    /// The last number of its device that stands for what its author had seen under it.
    fn vouched_seq(&self) -> DeviceSeq {
        match self.refused_from {
            Some(first) => self.body.base.seq.min(DeviceSeq::new(first.get().saturating_sub(1))),
            None => self.body.base.seq,
        }
    }
}

/// What a number of the own device stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    /// An event that writes something.
    Writes,
    /// Nothing that anybody could have seen: a rejection, or an enrolment.
    Nothing,
}

/// The records that came after somebody looked, as far as what a base can say depends on them.
pub(crate) struct Since {
    /// The device and its number of each record, by position; none where the record writes nothing.
    records: BTreeMap<Position, Option<(DeviceId, DeviceSeq)>>,
    own: BTreeMap<DeviceSeq, Own>,
}

/// Where a new event stands, and the old one it says again.
pub(crate) struct Placed<'a> {
    pub seq: DeviceSeq,
    pub old: &'a Old,
}

impl Since {
    /// The base of what `old` says, written by `device`: what its author had seen then, with `placed` already written anew.
    pub(crate) fn base(&self, old: &Old, device: DeviceId, placed: &[Placed<'_>]) -> Base {
        let Base { epoch, position, .. } = old.body.base;
        let mut seq = if old.body.device_id == device { old.vouched_seq() } else { DeviceSeq::ZERO };
        loop {
            let next = seq.next();
            let again = placed.iter().find(|placed| placed.seq == next);
            let was_seen = match (again, self.own.get(&next)) {
                (Some(again), _) => again.old.was_seen_by(old),
                (None, own) => own == Some(&Own::Nothing),
            };
            if !was_seen {
                break;
            }
            seq = next;
        }
        // What another device's events say is seen by position alone.
        let position = if old.body.device_id == device { position } else { self.reach(old) };
        Base { epoch, position, seq }
    }

    /// As far as everything recorded was in view, by position or as the device's own.
    fn reach(&self, old: &Old) -> Position {
        let mut reached = old.body.base.position;
        while let Some(record) = self.records.get(&reached.next()) {
            let seen =
                record.is_none_or(|(device, seq)| device == old.body.device_id && seq <= old.vouched_seq());
            if !seen {
                break;
            }
            reached = reached.next();
        }
        reached
    }
}

impl Replica {
    /// What happened since the oldest of these was written.
    pub(crate) fn since(&self, olds: &[Old]) -> Result<Since, ClientError> {
        let mut since = Since { records: BTreeMap::new(), own: BTreeMap::new() };
        let Some(from) = olds.iter().map(|old| old.body.base.position).min() else { return Ok(since) };
        let mut next = from.next();
        loop {
            let records = self.log.read(self.settings.program, next, STEP)?;
            let Some(last) = records.last() else { break };
            next = Position::new(last.position).next();
            for stored in &records {
                since.note(&read_record(stored)?, self.settings.device);
            }
        }
        for event in &self.outbox {
            since.own.insert(event.body.device_seq, own(&event.body));
        }
        Ok(since)
    }
}

impl Since {
    fn note(&mut self, record: &Recorded, device: DeviceId) {
        let (author, seq, said) = match &record.entry {
            Entry::Accepted { body, .. } => (body.device_id, body.device_seq, own(body)),
            Entry::Rejected(facts) => (facts.device_id, facts.device_seq, Own::Nothing),
        };
        let writes = (said == Own::Writes).then_some((author, seq));
        self.records.insert(record.position, writes);
        if author == device {
            self.own.insert(seq, said);
        }
    }
}

fn own(body: &EventBody) -> Own {
    if fold::field_writes(body).is_empty() && fold::addition(body).is_none() {
        Own::Nothing
    } else {
        Own::Writes
    }
}

/// New names of events and groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renamed {
    pub events: BTreeMap<EventId, EventId>,
    pub groups: BTreeMap<GroupId, GroupId>,
}

impl Renamed {
    fn event(&self, id: EventId) -> EventId {
        self.events.get(&id).copied().unwrap_or(id)
    }

    fn source(&self, source: Option<Source>) -> Option<Source> {
        source.map(|source| Source { import: self.event(source.import), ..source })
    }

    /// The same change, naming the new events where it names old ones.
    pub(crate) fn change(&self, change: Change) -> Change {
        match change {
            Change::AreaAdded { area, order_key, source } => {
                Change::AreaAdded { area, order_key, source: self.source(source) }
            }
            Change::SubgoalAdded { subgoal, area, order_key, source } => {
                Change::SubgoalAdded { subgoal, area, order_key, source: self.source(source) }
            }
            Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, source } => {
                let source = self.source(source);
                Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, source }
            }
            Change::PartyAdded { party, kind, organisation, source } => {
                Change::PartyAdded { party, kind, organisation, source: self.source(source) }
            }
            Change::ConflictResolved { entity, field, settles, take, stands } => {
                let mut settles: Vec<EventId> = settles.into_iter().map(|side| self.event(side)).collect();
                settles.sort_unstable();
                let take = take.map(|side| self.event(side));
                let stands = if let Standing::SealedIn(event) = stands {
                    Standing::SealedIn(self.event(event))
                } else {
                    stands
                };
                Change::ConflictResolved { entity, field, settles, take, stands }
            }
            same @ (Change::ProgramCreated { .. }
            | Change::OrganisationAdmitted { .. }
            | Change::MemberAdmitted { .. }
            | Change::DeviceEnrolled { .. }
            | Change::FieldRevised { .. }
            | Change::ResponsibleAssigned { .. }
            | Change::ResponsibleUnassigned { .. }
            | Change::Placed { .. }
            | Change::Retired { .. }
            | Change::Restored { .. }
            | Change::SourceImported { .. }
            | Change::EpochOpened { .. }
            | Change::RulesAdopted { .. }
            | Change::Unknown) => same,
        }
    }
}
