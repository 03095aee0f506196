//! Own events that will not land: why, and what they built on.
//!
//! A record of the log says only that an event was rejected. The words and the current sides come with the server's answer,
//! which is kept until the record is seen; where it was lost, the replica judges the event anew at its place in the log.

use std::collections::BTreeMap;

use prost::Message as _;
use radslag_core::event::{Change, EventBody, NewValue, Source, Standing};
use radslag_core::fold;
use radslag_core::id::{DeviceSeq, EntityId, EventId, GroupId, Position};
use radslag_core::judge::{self, MemoryPast};
use radslag_core::record::{Entry, Recorded, RejectedFacts};
use radslag_core::rejection::Rejection;
use radslag_core::state::State;
use radslag_core::verdict::RejectionReceipt;
use radslag_engine::clock::day_of;
use radslag_engine::past::LogPast;
use radslag_log::{Commit, MAX_COMMIT_BYTES, RowChange, RowKey, RowKind, StoredRecord};
use radslag_proto::convert::bundle::encode_event;
use radslag_proto::log::v1::{QuarantinedEvent, RememberedRejection};

use crate::author::Authored;
use crate::error::ClientError;
use crate::replica::{Quarantined, Replica};
use crate::setting::remembered;

/// The reason of a row that was queued after one that was refused.
pub const FOLLOWS_REFUSED: &str = "FOLLOWS_REFUSED";

/// The own event whose fate decided another one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The first of those that build on one another.
    pub event: EventId,
    /// Why it will not land: reason and words.
    pub why: String,
}

/// The first own event of those that were refused together. From its number on the numbers were given out anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The event.
    pub event: EventId,
    /// Its number.
    pub seq: DeviceSeq,
}

/// Why an own event will not land.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// By name.
    pub reason: String,
    /// In words; empty where nobody said.
    pub detail: String,
    /// The record of the rejection; zero when it was refused and there is none.
    pub position: Position,
    /// The sides that the field had, where the reason is staleness.
    pub current_sides: Vec<EventId>,
    /// The own event that it builds on.
    pub cause: Option<Cause>,
    /// Where the refusal began; none for a rejection.
    pub refused_from: Option<Refused>,
}

impl Why {
    /// Reason and words.
    pub fn words(&self) -> String {
        if self.detail.is_empty() { self.reason.clone() } else { format!("{}: {}", self.reason, self.detail) }
    }
}

/// Records that came in together, for judging one of them anew.
pub(crate) struct News<'a> {
    /// The programme before them.
    pub before: &'a State,
    /// As they were verified.
    pub taken: &'a [Recorded],
    /// The same as they are stored.
    pub stored: &'a [StoredRecord],
}

/// What is put into quarantine in one commit, with what was there before: for finding first causes.
pub(crate) struct Aside {
    number: u64,
    /// Which event in quarantine adds an entity.
    added: BTreeMap<EntityId, EventId>,
    /// The first cause of every event in quarantine.
    causes: BTreeMap<EventId, Cause>,
    groups: BTreeMap<GroupId, Why>,
}

impl Aside {
    /// Looks at what is in quarantine already.
    pub(crate) fn begin(replica: &Replica) -> Result<Self, ClientError> {
        let mut aside =
            Self { number: 0, added: BTreeMap::new(), causes: BTreeMap::new(), groups: BTreeMap::new() };
        for held in replica.quarantined()? {
            aside.number = held.number;
            aside.know(&held.body, held.cause.clone(), held.words());
        }
        Ok(aside)
    }

    fn know(&mut self, body: &EventBody, cause: Option<Cause>, why: String) {
        let event = body.event_id;
        if let Some(added) = fold::addition(body) {
            self.added.insert(added.entity, event);
        }
        self.causes.insert(event, cause.unwrap_or(Cause { event, why }));
    }

    /// Puts a rejected own event aside.
    pub(crate) fn reject(
        &mut self,
        replica: &Replica,
        own: &Authored,
        record: &Recorded,
        facts: &RejectedFacts,
        news: &News<'_>,
    ) -> Result<Vec<RowChange>, ClientError> {
        let group = own.body.group.map(|group| group.id);
        let known = group.and_then(|group| self.groups.get(&group).cloned());
        let why = match known {
            Some(why) => why,
            None => self.why(replica, own, facts, news)?,
        };
        if let Some(group) = group {
            self.groups.insert(group, why.clone());
        }
        let why = Why { position: record.position, ..why };
        let mut rows = self.put(replica, own, &why);
        rows.push(RowChange::Delete(replica.setting_row(remembered(own.body.device_seq))));
        Ok(rows)
    }

    /// Puts an own event aside, for a reason that is known.
    pub(crate) fn put(&mut self, replica: &Replica, own: &Authored, why: &Why) -> Vec<RowChange> {
        self.number += 1;
        self.know(&own.body, why.cause.clone(), why.words());
        replica.to_quarantine(own, self.number, why).into()
    }

    fn why(
        &self,
        replica: &Replica,
        own: &Authored,
        facts: &RejectedFacts,
        news: &News<'_>,
    ) -> Result<Why, ClientError> {
        let unit = replica.unit(own);
        let mut why = Why { reason: facts.reason.name().to_owned(), ..Why::default() };
        if let Some(told) = replica.recall(&unit)? {
            why.detail = told.detail;
            why.current_sides = told.current_sides.iter().filter_map(|id| EventId::from_slice(id)).collect();
        } else if let Some(again) = replica.judge_again(&unit, news)
            && again.code() == facts.reason
        {
            why.detail = again.to_string();
            why.current_sides = again.current_sides().to_vec();
        }
        // What is missing may be something that an own event was to bring.
        if matches!(why.reason.as_str(), "ENTITY_MISSING" | "SETTLES_UNSEEN" | "STALE") {
            why.cause = unit.iter().find_map(|member| self.first_cause(&member.body));
        }
        Ok(why)
    }

    fn first_cause(&self, body: &EventBody) -> Option<Cause> {
        let needs = Needs::of(body);
        let added = needs.entities.iter().filter_map(|entity| self.added.get(entity));
        let event = added.chain(&needs.events).find(|event| self.causes.contains_key(event))?;
        self.causes.get(event).cloned()
    }
}

/// What an event refers to.
#[derive(Default)]
struct Needs {
    entities: Vec<EntityId>,
    events: Vec<EventId>,
}

impl Needs {
    fn of(body: &EventBody) -> Self {
        let mut needs = Self::default();
        for expected in &body.expect {
            needs.entities.push(expected.entity);
            needs.events.extend(&expected.sides);
        }
        needs.of_change(&body.change);
        needs
    }

    fn of_change(&mut self, change: &Change) {
        match change {
            Change::AreaAdded { source, .. } => self.source(*source),
            Change::SubgoalAdded { area, source, .. } => {
                self.entities.push(*area);
                self.source(*source);
            }
            Change::ActivityAdded { subgoal, responsible, lead, source, .. } => {
                self.entities.push(*subgoal);
                self.entities.extend(responsible.iter().chain(lead));
                self.source(*source);
            }
            Change::PartyAdded { organisation, source, .. } => {
                self.entities.extend(organisation);
                self.source(*source);
            }
            Change::OrganisationAdmitted { party, .. } => self.entities.extend(party),
            Change::FieldRevised { entity, value, .. } => {
                self.entities.push(*entity);
                if let NewValue::Party(party) = value {
                    self.entities.push(*party);
                }
            }
            Change::ResponsibleAssigned { activity, party }
            | Change::ResponsibleUnassigned { activity, party } => {
                self.entities.extend([*activity, *party]);
            }
            Change::Placed { entity, parent, .. } => self.entities.extend([*entity, *parent]),
            Change::Retired { entity, merged_into } => {
                self.entities.push(*entity);
                self.entities.extend(merged_into);
            }
            Change::Restored { entity } => self.entities.push(*entity),
            Change::ConflictResolved { entity, settles, stands, .. } => {
                self.entities.push(*entity);
                self.events.extend(settles);
                match stands {
                    Standing::Party(party) => self.entities.push(*party),
                    Standing::Place { parent, .. } => self.entities.push(*parent),
                    Standing::Life { merged_into, .. } => self.entities.extend(merged_into),
                    Standing::Sealed
                    | Standing::SealedIn(_)
                    | Standing::Cleared
                    | Standing::Responsible(_) => {}
                }
            }
            Change::ProgramCreated { .. }
            | Change::MemberAdmitted { .. }
            | Change::DeviceEnrolled { .. }
            | Change::SourceImported { .. }
            | Change::EpochOpened { .. }
            | Change::RulesAdopted { .. }
            | Change::BaselineSet { .. }
            | Change::Unknown => {}
        }
    }

    fn source(&mut self, source: Option<Source>) {
        self.events.extend(source.map(|source| source.import));
    }
}

impl Quarantined {
    /// Reason and words.
    pub fn words(&self) -> String {
        if self.detail.is_empty() { self.reason.clone() } else { format!("{}: {}", self.reason, self.detail) }
    }
}

impl Replica {
    /// The changes that put an own event into quarantine and take it out of the outbox.
    pub fn to_quarantine(&self, event: &Authored, number: u64, why: &Why) -> [RowChange; 2] {
        let row = QuarantinedEvent {
            body: event.bytes.clone(),
            values: encode_event(Vec::new(), &event.values).values,
            reason: why.reason.clone(),
            detail: why.detail.clone(),
            position: why.position.get(),
            current_sides: why.current_sides.iter().map(|side| side.bytes().to_vec()).collect(),
            since: self.clock.now().micros(),
            because_of: why.cause.iter().flat_map(|cause| *cause.event.bytes()).collect(),
            cause: why.cause.as_ref().map(|cause| cause.why.clone()).unwrap_or_default(),
            refused_from: why.refused_from.map_or(0, |refused| refused.seq.get()),
            refused_first: why.refused_from.iter().flat_map(|refused| *refused.event.bytes()).collect(),
        };
        let key = RowKey { program: self.settings.program, kind: RowKind::Quarantine, number };
        [RowChange::Put(key, row.encode_to_vec()), RowChange::Delete(self.outbox_row(event.body.device_seq))]
    }

    /// The event and those of its group, in order.
    pub(crate) fn unit<'a>(&'a self, own: &'a Authored) -> Vec<&'a Authored> {
        let Some(group) = own.body.group else { return vec![own] };
        let in_group = |event: &&Authored| event.body.group.is_some_and(|place| place.id == group.id);
        self.outbox.iter().filter(in_group).collect()
    }

    /// Keeps what the server said of rejected own events until their records are seen.
    pub(crate) fn remember(&self, told: &[(&Authored, RejectionReceipt)]) -> Result<(), ClientError> {
        if told.is_empty() {
            return Ok(());
        }
        let row = |(event, receipt): &(&Authored, RejectionReceipt)| {
            let row = RememberedRejection {
                event_id: event.body.event_id.bytes().to_vec(),
                detail: receipt.detail.clone(),
                current_sides: receipt.current_sides.iter().map(|side| side.bytes().to_vec()).collect(),
            };
            self.put_setting(remembered(event.body.device_seq), &row)
        };
        let rows = told.iter().map(row).collect();
        Ok(self.log.commit(Commit { appends: Vec::new(), rows })?)
    }

    /// What the server said when it rejected the first of these.
    fn recall(&self, unit: &[&Authored]) -> Result<Option<RememberedRejection>, ClientError> {
        let Some(first) = unit.first() else { return Ok(None) };
        let told: Option<RememberedRejection> = self.setting(remembered(first.body.device_seq))?;
        Ok(told.filter(|told| told.event_id == first.body.event_id.bytes()))
    }

    /// Why the rules declined these, as this replica judges them where they stand in the log.
    fn judge_again(&self, unit: &[&Authored], news: &News<'_>) -> Option<Rejection> {
        let first = unit.first()?.body.event_id;
        let at = news.taken.iter().position(|record| record.event_id == first)?;
        let mut state = news.before.clone();
        let mut overlay = MemoryPast::default();
        for (record, stored) in news.taken[..at].iter().zip(news.stored) {
            for value in radslag_proto::convert::value::decode_values(&stored.values).ok()? {
                overlay.values.insert(record.event_id, value.slot, value.bytes);
            }
            overlay.records.insert(record.event_id, record.clone());
            state.apply(record);
        }
        for (own, record) in unit.iter().zip(&news.taken[at..]) {
            for value in &own.values {
                overlay.values.insert(own.body.event_id, value.slot, value.bytes.clone());
            }
            let landing = judge::Landing {
                position: record.position,
                recorded_at: record.recorded_at,
                recorded_on: record.recorded_on(),
                authored_on: day_of(own.body.authored_at),
                first: None,
            };
            let (log, program) = (self.log.as_ref(), self.settings.program);
            let past =
                LogPast { log, program, index: &self.ledger.index, far: &self.ledger.far, overlay: &overlay };
            let facts = match judge::judge(&state, &past, &own.body, landing) {
                Ok(facts) => facts,
                Err(rejection) => return Some(rejection),
            };
            let entry = Entry::Accepted { body: Box::new(own.body.clone()), facts };
            let record = Recorded { entry, ..record.clone() };
            state.apply(&record);
            overlay.records.insert(own.body.event_id, record);
        }
        None
    }

    /// Moves an own event that was refused for good, and all after it, to quarantine. From the last one back, so that what a
    /// crash leaves in the outbox still begins where the log ends.
    pub(crate) fn refuse_from(
        &mut self,
        at: usize,
        reason: &str,
        detail: &str,
    ) -> Result<usize, ClientError> {
        let mut aside = Aside::begin(self)?;
        let Some(first) = self.outbox.get(at) else { return Ok(0) };
        let refused_from = Some(Refused { event: first.body.event_id, seq: first.body.device_seq });
        let why =
            Why { reason: reason.to_owned(), detail: detail.to_owned(), refused_from, ..Why::default() };
        let cause = Cause { event: first.body.event_id, why: why.words() };
        let group = first.body.group.map(|group| group.id);
        let follows = Why {
            reason: FOLLOWS_REFUSED.to_owned(),
            detail: format!("change {} before it was refused: {}", cause.event.short(), cause.why),
            refused_from,
            cause: Some(cause),
            ..Why::default()
        };
        let mut rows = Vec::new();
        for own in &self.outbox[at..] {
            // A group is refused as one.
            let with_first = own.body.event_id == first.body.event_id
                || (group.is_some() && own.body.group.map(|group| group.id) == group);
            rows.push(aside.put(self, own, if with_first { &why } else { &follows }));
        }
        let moved = rows.len();
        let mut commit = Commit::default();
        for row in rows.into_iter().rev() {
            let next = Commit { appends: Vec::new(), rows: row };
            if commit.bytes() + next.bytes() > MAX_COMMIT_BYTES {
                self.log.commit(std::mem::take(&mut commit))?;
            }
            commit.rows.extend(next.rows);
        }
        self.log.commit(commit)?;
        self.outbox.truncate(at);
        Ok(moved)
    }
}

/// Whether waiting can cure a refusal, so that what was handed in stays queued.
pub fn waiting_cures(reason: &str) -> bool {
    matches!(
        reason,
        "BASE_AHEAD" | "ENROLMENT_CLOSED" | "RETRY_LATER" | "QUEUE_FULL" | "SHUTTING_DOWN" | "WRITES_STOPPED"
    )
}
