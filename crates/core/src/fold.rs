//! The fold: one record after another becomes the state.
//!
//! `apply` is total. It cannot refuse, reads no clock and never looks at a value; what the rules decline was declined
//! before the record was made, and what a record still says that makes no sense changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::broken::{self, Variant};
use crate::event::{Change, EventBody, NewValue, PartyKind, Source, Standing};
use crate::field::FieldKey;
use crate::id::{DeviceId, DeviceSeq, EntityId, Position};
use crate::record::{Entry, Facts, Recorded};
use crate::register::{Content, Epoch, Write};
use crate::state::{Baseline, Device, Entity, EntityKind, Import, Keep, Member, Organisation, State};
use crate::value::{Slot, ValueRef};

/// One field that an event writes, and what it says there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldWrite {
    /// The entity.
    pub entity: EntityId,
    /// The field.
    pub field: FieldKey,
    /// What is written.
    pub content: Content,
}

/// The entity that an event adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Its id.
    pub entity: EntityId,
    /// What sort.
    pub kind: EntityKind,
    /// A party's sort.
    pub party_kind: Option<PartyKind>,
    /// Where it was imported from.
    pub source: Option<Source>,
}

/// The entity that `body` adds, if it adds one.
pub fn addition(body: &EventBody) -> Option<Addition> {
    let plain = |entity, kind, source| Some(Addition { entity, kind, party_kind: None, source });
    match &body.change {
        Change::ProgramCreated { .. } => plain(body.program_id.into(), EntityKind::Program, None),
        Change::AreaAdded { area, source, .. } => plain(*area, EntityKind::Area, *source),
        Change::SubgoalAdded { subgoal, source, .. } => plain(*subgoal, EntityKind::Subgoal, *source),
        Change::ActivityAdded { activity, source, .. } => plain(*activity, EntityKind::Activity, *source),
        Change::PartyAdded { party, kind, source, .. } => Some(Addition {
            entity: *party,
            kind: EntityKind::Party,
            party_kind: Some(*kind),
            source: *source,
        }),
        Change::OrganisationAdmitted { .. }
        | Change::MemberAdmitted { .. }
        | Change::DeviceEnrolled { .. }
        | Change::FieldRevised { .. }
        | Change::ResponsibleAssigned { .. }
        | Change::ResponsibleUnassigned { .. }
        | Change::Placed { .. }
        | Change::Retired { .. }
        | Change::Restored { .. }
        | Change::ConflictResolved { .. }
        | Change::SourceImported { .. }
        | Change::EpochOpened { .. }
        | Change::RulesAdopted { .. }
        | Change::BaselineSet { .. }
        | Change::Unknown => None,
    }
}

/// The entities that `body` adds or writes, each once.
pub fn touched(body: &EventBody) -> Vec<EntityId> {
    let added = addition(body).map(|added| added.entity);
    let written = field_writes(body).into_iter().map(|write| write.entity);
    let mut touched: Vec<EntityId> = Vec::new();
    for entity in added.into_iter().chain(written) {
        if !touched.contains(&entity) {
            touched.push(entity);
        }
    }
    touched
}

/// Every field that `body` writes, in the order of the fields' numbers within each entity.
pub fn field_writes(body: &EventBody) -> Vec<FieldWrite> {
    let write = |entity: EntityId, field, content| FieldWrite { entity, field, content };
    let place = |parent: EntityId, key: &str| Content::Place { parent, order_key: key.to_owned() };
    let mut writes = match &body.change {
        Change::AreaAdded { area, order_key, .. } => {
            vec![write(*area, FieldKey::Place, place(body.program_id.into(), order_key))]
        }
        Change::SubgoalAdded { subgoal, area, order_key, .. } => {
            vec![write(*subgoal, FieldKey::Place, place(*area, order_key))]
        }
        Change::ActivityAdded { activity, subgoal, order_key, responsible, lead, .. } => {
            let mut writes = vec![write(*activity, FieldKey::Place, place(*subgoal, order_key))];
            writes.extend(lead.map(|party| write(*activity, FieldKey::Lead, Content::Party(party))));
            let assigned = |party: &EntityId| {
                write(*activity, FieldKey::Responsible(*party), Content::Responsible(true))
            };
            writes.extend(responsible.iter().map(assigned));
            writes
        }
        Change::PartyAdded { party, organisation, .. } => organisation
            .map(|organisation| write(*party, FieldKey::Organisation, Content::Party(organisation)))
            .into_iter()
            .collect(),
        Change::FieldRevised { entity, field, value } => new_content(body, *field, *value)
            .map(|content| write(*entity, *field, content))
            .into_iter()
            .collect(),
        Change::ResponsibleAssigned { activity, party } => {
            vec![write(*activity, FieldKey::Responsible(*party), Content::Responsible(true))]
        }
        Change::ResponsibleUnassigned { activity, party } => {
            vec![write(*activity, FieldKey::Responsible(*party), Content::Responsible(false))]
        }
        Change::Placed { entity, parent, order_key } => {
            vec![write(*entity, FieldKey::Place, place(*parent, order_key))]
        }
        Change::Retired { entity, merged_into } => {
            vec![write(*entity, FieldKey::Life, Content::Life { retired: true, merged_into: *merged_into })]
        }
        Change::Restored { entity } => {
            vec![write(*entity, FieldKey::Life, Content::Life { retired: false, merged_into: None })]
        }
        Change::ConflictResolved { entity, field, stands, .. } => standing_content(body, *field, stands)
            .map(|content| write(*entity, *field, content))
            .into_iter()
            .collect(),
        Change::ProgramCreated { .. }
        | Change::OrganisationAdmitted { .. }
        | Change::MemberAdmitted { .. }
        | Change::DeviceEnrolled { .. }
        | Change::SourceImported { .. }
        | Change::EpochOpened { .. }
        | Change::RulesAdopted { .. }
        | Change::BaselineSet { .. }
        | Change::Unknown => Vec::new(),
    };
    if let Some(added) = addition(body) {
        writes.extend(added_values(body, added));
    }
    writes.sort_by_key(|write| (write.entity, write.field));
    writes
}

/// The values that an addition carries become writes of their fields, and being added is the first write of life.
fn added_values(body: &EventBody, added: Addition) -> Vec<FieldWrite> {
    let sealed =
        [FieldKey::Title, FieldKey::Goal, FieldKey::Comment, FieldKey::Time, FieldKey::Cost, FieldKey::Name];
    let mut writes = Vec::new();
    for field in sealed {
        if let Some(slot) = field.slot().filter(|slot| body.digest(*slot).is_some()) {
            let content = Content::Sealed(ValueRef { event: body.event_id, slot });
            writes.push(FieldWrite { entity: added.entity, field, content });
        }
    }
    if added.kind != EntityKind::Program {
        let content = Content::Life { retired: false, merged_into: None };
        writes.push(FieldWrite { entity: added.entity, field: FieldKey::Life, content });
    }
    writes
}

fn new_content(body: &EventBody, field: FieldKey, value: NewValue) -> Option<Content> {
    match value {
        NewValue::Sealed => field.slot().map(|slot| Content::Sealed(ValueRef { event: body.event_id, slot })),
        NewValue::Cleared => Some(Content::Cleared),
        NewValue::Party(party) => Some(Content::Party(party)),
    }
}

fn standing_content(body: &EventBody, field: FieldKey, stands: &Standing) -> Option<Content> {
    Some(match stands {
        Standing::Sealed => Content::Sealed(ValueRef { event: body.event_id, slot: field.slot()? }),
        Standing::SealedIn(event) => Content::Sealed(ValueRef { event: *event, slot: field.slot()? }),
        Standing::Cleared => Content::Cleared,
        Standing::Party(party) => Content::Party(*party),
        Standing::Place { parent, order_key } => {
            Content::Place { parent: *parent, order_key: order_key.clone() }
        }
        Standing::Life { retired, merged_into } => {
            Content::Life { retired: *retired, merged_into: *merged_into }
        }
        Standing::Responsible(responsible) => Content::Responsible(*responsible),
    })
}

/// What a resolution says when it takes a side with this content.
pub fn standing_of(content: &Content) -> Standing {
    match content {
        Content::Sealed(at) => Standing::SealedIn(at.event),
        Content::Cleared => Standing::Cleared,
        Content::Party(party) => Standing::Party(*party),
        Content::Place { parent, order_key } => {
            Standing::Place { parent: *parent, order_key: order_key.clone() }
        }
        Content::Life { retired, merged_into } => {
            Standing::Life { retired: *retired, merged_into: *merged_into }
        }
        Content::Responsible(responsible) => Standing::Responsible(*responsible),
    }
}

/// The write of one field as the log holds it, of its own class.
pub fn write_of(
    record: &Recorded,
    body: &EventBody,
    facts: &Facts,
    content: Content,
    chain_from: DeviceSeq,
) -> Write {
    let take = match &body.change {
        Change::ConflictResolved { take, .. } => *take,
        Change::ProgramCreated { .. }
        | Change::OrganisationAdmitted { .. }
        | Change::MemberAdmitted { .. }
        | Change::DeviceEnrolled { .. }
        | Change::AreaAdded { .. }
        | Change::SubgoalAdded { .. }
        | Change::ActivityAdded { .. }
        | Change::PartyAdded { .. }
        | Change::FieldRevised { .. }
        | Change::ResponsibleAssigned { .. }
        | Change::ResponsibleUnassigned { .. }
        | Change::Placed { .. }
        | Change::Retired { .. }
        | Change::Restored { .. }
        | Change::SourceImported { .. }
        | Change::EpochOpened { .. }
        | Change::RulesAdopted { .. }
        | Change::BaselineSet { .. }
        | Change::Unknown => None,
    };
    Write {
        event: body.event_id,
        position: record.position,
        class: body.event_id,
        date: body.effective_on.or(facts.applies_on).unwrap_or(facts.recorded_on),
        base: body.base,
        device: body.device_id,
        device_seq: body.device_seq,
        chain_from,
        first: facts.first,
        take,
        content,
        recorded_at: record.recorded_at,
        authored_at: body.authored_at,
    }
}

impl State {
    /// Takes one record into the state. Records are applied in order of position; one that is not the next changes
    /// nothing.
    pub fn apply(&mut self, record: &Recorded) {
        if record.position != self.head.next() {
            return;
        }
        self.head = record.position;
        self.recorded_at = record.recorded_at;
        self.today = Some(record.recorded_on());
        match &record.entry {
            Entry::Accepted { body, facts } => {
                let chain_from = self.chain_from(body.device_id, body.device_seq);
                self.apply_accepted(record, body, facts, chain_from);
                self.note_number(body.device_id, body.device_seq);
            }
            Entry::Rejected(facts) => self.note_number(facts.device_id, facts.device_seq),
        }
    }

    /// From which number on a device's chain is unbroken up to one that lands next. One that fills a hole stands alone.
    pub fn chain_from(&self, device: DeviceId, seq: DeviceSeq) -> DeviceSeq {
        match self.chains.get(&device) {
            Some(chain) if self.told || seq == chain.last.next() => self.chain_of(device, seq),
            Some(_) | None => seq,
        }
    }

    /// From which number on a device's chain is unbroken up to one that has landed.
    pub fn chain_of(&self, device: DeviceId, seq: DeviceSeq) -> DeviceSeq {
        let Some(chain) = self.chains.get(&device).filter(|chain| !chain.filled.contains(&seq)) else {
            return seq;
        };
        let began = chain.starts.partition_point(|start| *start <= seq).checked_sub(1);
        began.map_or(seq, |index| chain.starts[index])
    }

    fn note_number(&mut self, device: DeviceId, seq: DeviceSeq) {
        // The log's own records write no field.
        if self.told || device.is_zero() {
            return;
        }
        let chain = self.chains.entry(device).or_default();
        if seq <= chain.last {
            chain.filled.insert(seq);
            return;
        }
        if chain.starts.is_empty() || seq > chain.last.next() {
            chain.starts.push(seq);
        }
        chain.last = seq;
    }

    fn apply_accepted(&mut self, record: &Recorded, body: &EventBody, facts: &Facts, chain_from: DeviceSeq) {
        if let Some(added) = addition(body) {
            self.add(body, added);
        }
        for write in field_writes(body) {
            self.write(record, body, facts, write, chain_from);
        }
        self.apply_membership(body);
        match &body.change {
            Change::SourceImported { .. } => self.imports.push(Import {
                event: body.event_id,
                digest: ValueRef { event: body.event_id, slot: Slot::FILE_DIGEST },
                layout: ValueRef { event: body.event_id, slot: Slot::FILE_LAYOUT },
            }),
            Change::EpochOpened { epoch_id, cut_position, .. } => {
                self.epochs.push(Epoch { id: *epoch_id, cut: *cut_position });
            }
            Change::RulesAdopted { version } => self.rules = *version,
            Change::BaselineSet { epoch, position, effective_on } => self.baselines.push(Baseline {
                event: body.event_id,
                set_at: record.position,
                recorded_at: record.recorded_at,
                device: body.device_id,
                epoch: *epoch,
                position: *position,
                effective_on: *effective_on,
            }),
            Change::ProgramCreated { .. }
            | Change::OrganisationAdmitted { .. }
            | Change::MemberAdmitted { .. }
            | Change::DeviceEnrolled { .. }
            | Change::AreaAdded { .. }
            | Change::SubgoalAdded { .. }
            | Change::ActivityAdded { .. }
            | Change::PartyAdded { .. }
            | Change::FieldRevised { .. }
            | Change::ResponsibleAssigned { .. }
            | Change::ResponsibleUnassigned { .. }
            | Change::Placed { .. }
            | Change::Retired { .. }
            | Change::Restored { .. }
            | Change::ConflictResolved { .. }
            | Change::Unknown => {}
        }
    }

    fn add(&mut self, body: &EventBody, added: Addition) {
        let slot = Slot::RESPONSIBLE_TEXT;
        let responsible_text = body.digest(slot).map(|_| ValueRef { event: body.event_id, slot });
        self.entities.entry(added.entity).or_insert_with(|| {
            Arc::new(Entity {
                kind: added.kind,
                added_by: body.event_id,
                party_kind: added.party_kind,
                source: added.source,
                responsible_text,
                fields: BTreeMap::new(),
            })
        });
    }

    fn write(
        &mut self,
        record: &Recorded,
        body: &EventBody,
        facts: &Facts,
        written: FieldWrite,
        chain_from: DeviceSeq,
    ) {
        let today = record.recorded_on();
        let Some(entity) = self.entities.get_mut(&written.entity) else { return };
        if !entity.kind.has(written.field) {
            return;
        }
        let register = Arc::make_mut(entity).fields.entry(written.field).or_default();
        let mut write = write_of(record, body, facts, written.content, chain_from);
        let equal = facts.equal_to.iter().find(|(field, _)| *field == written.field);
        let equal = equal.and_then(|(_, event)| register.writes().iter().find(|kept| kept.event == *event));
        if let Some(kept) = equal {
            write.class = kept.class;
        }
        if broken::is(Variant::CollapsedEqualSides)
            && let Some(dropped) = equal.map(|kept| kept.event)
        {
            register.drop_write(dropped);
        }
        register.push(write);
        if self.keep == Keep::Sides {
            register.prune(today, &self.epochs);
        }
    }

    fn apply_membership(&mut self, body: &EventBody) {
        match &body.change {
            Change::ProgramCreated { log_key, device_key, rules } => {
                self.log_key = *log_key;
                self.rules = *rules;
                let device = Device { key: *device_key, member: body.actor_id, org: body.org_id.clone() };
                self.devices.insert(body.device_id, device);
            }
            Change::OrganisationAdmitted { org_id, party } => {
                let organisation =
                    self.organisations.entry(org_id.clone()).or_insert(Organisation { party: None });
                organisation.party = party.or(organisation.party);
            }
            Change::MemberAdmitted { member_id, org_id } => {
                let name = ValueRef { event: body.event_id, slot: Slot::MEMBER_NAME };
                self.members.entry(*member_id).or_insert(Member { org: org_id.clone(), name });
            }
            Change::DeviceEnrolled { device_id, public_key, member_id, org_id, .. } => {
                let device = Device { key: *public_key, member: *member_id, org: org_id.clone() };
                self.devices.entry(*device_id).or_insert(device);
            }
            Change::AreaAdded { .. }
            | Change::SubgoalAdded { .. }
            | Change::ActivityAdded { .. }
            | Change::PartyAdded { .. }
            | Change::FieldRevised { .. }
            | Change::ResponsibleAssigned { .. }
            | Change::ResponsibleUnassigned { .. }
            | Change::Placed { .. }
            | Change::Retired { .. }
            | Change::Restored { .. }
            | Change::ConflictResolved { .. }
            | Change::SourceImported { .. }
            | Change::EpochOpened { .. }
            | Change::RulesAdopted { .. }
            | Change::BaselineSet { .. }
            | Change::Unknown => {}
        }
    }

    /// What a base still vouches for in this log; none where it is in an epoch that the log does not have.
    pub fn vouched(&self, base: &crate::event::Base) -> Option<Position> {
        crate::register::knows(base.epoch, &self.epochs).then(|| self.clamp(base))
    }

    /// Whether a record that stood there is lost to this log: an epoch that the log has was cut before it.
    pub fn lost(&self, first: crate::record::First) -> bool {
        let stood = crate::event::Base { epoch: first.epoch, position: first.position, seq: DeviceSeq::ZERO };
        self.vouched(&stood).is_some_and(|kept| kept < first.position)
    }

    /// The position that a base still vouches for in this log.
    pub fn clamp(&self, base: &crate::event::Base) -> Position {
        crate::register::clamp(base, &self.epochs)
    }
}
