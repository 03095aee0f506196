//! A device that authors and signs. It numbers its events, points each at the one before, and closes its views.

use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Authority, Base, Change, EventBody, NewValue, ValueDigest};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, EventId, MemberId, OrgId, ProgramId};
use radslag_core::time::Instant;
use radslag_core::value::{Slot, Value};
use radslag_proto::convert::bundle::{PushedBundle, PushedEvent};
use radslag_proto::convert::event::encode_body;
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;
use radslag_trust::value::value_digest;

pub(crate) fn program() -> ProgramId {
    ProgramId::from_slice(&[0x77; 16]).unwrap()
}

/// Sixteen bytes that are a name.
pub(crate) fn sixteen(kind: u8, n: u64) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub(crate) fn entity(n: u64) -> EntityId {
    EntityId::from_slice(&sixteen(0xe0, n)).unwrap()
}

pub(crate) fn comment(activity: EntityId, text: &str) -> Draft {
    let change = Change::FieldRevised { entity: activity, field: FieldKey::Comment, value: NewValue::Sealed };
    Draft::new(change).with_text(Slot::COMMENT, text)
}

/// An event as its device keeps it: it never changes.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) values: Vec<Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) id: DeviceId,
    pub(crate) key: DeviceKey,
    member: MemberId,
    org: OrgId,
    pub(crate) seq: DeviceSeq,
    prev: Digest,
    number: u8,
}

impl Desk {
    pub(crate) fn new(number: u8) -> Self {
        Self {
            id: DeviceId::from_slice(&sixteen(0xd0, u64::from(number))).unwrap(),
            key: DeviceKey::from_seed([number; 32]),
            member: MemberId::from_slice(&sixteen(0xa0, u64::from(number))).unwrap(),
            org: format!("kommun-{number}").parse().unwrap(),
            seq: DeviceSeq::ZERO,
            prev: Digest::ZERO,
            number,
        }
    }

    /// The events that begin a programme with one activity.
    pub(crate) fn begin(&self, log_key: [u8; 32]) -> Vec<Draft> {
        let device_key = *self.key.public().bytes();
        let (area, subgoal, activity) = (entity(1), entity(2), entity(3));
        let order_key = || "i".to_owned();
        let mut drafts = vec![
            Draft::new(Change::ProgramCreated { log_key, device_key, rules: 1 })
                .with_text(Slot::TITLE, "Program för Södertörn"),
        ];
        drafts.extend(self.admissions());
        drafts.push(
            Draft::new(Change::AreaAdded { area, order_key: order_key(), source: None })
                .with_text(Slot::TITLE, "Boende"),
        );
        drafts.push(
            Draft::new(Change::SubgoalAdded { subgoal, area, order_key: order_key(), source: None })
                .with_text(Slot::TITLE, "Bygg mer"),
        );
        drafts.push(Self::activity(activity));
        drafts
    }

    pub(crate) fn activity(activity: EntityId) -> Draft {
        let change = Change::ActivityAdded {
            activity,
            subgoal: entity(2),
            order_key: "i".to_owned(),
            responsible: Vec::new(),
            lead: None,
            source: None,
        };
        Draft::new(change).with_text(Slot::TITLE, "Markinventering")
    }

    /// The events with which a device joins.
    pub(crate) fn join(&self) -> Vec<Draft> {
        let mut drafts = vec![Draft::new(Change::DeviceEnrolled {
            device_id: self.id,
            public_key: *self.key.public().bytes(),
            member_id: self.member,
            org_id: self.org.clone(),
            authority: Authority::Open,
        })];
        drafts.extend(self.admissions());
        drafts
    }

    fn admissions(&self) -> [Draft; 2] {
        let (member_id, org_id) = (self.member, self.org.clone());
        [
            Draft::new(Change::OrganisationAdmitted { org_id: org_id.clone(), party: None }),
            Draft::new(Change::MemberAdmitted { member_id, org_id }).with_text(Slot::MEMBER_NAME, "Anna Be"),
        ]
    }

    pub(crate) fn write(&mut self, base: Base, now: Instant, draft: Draft) -> Written {
        self.seq = self.seq.next();
        let number = self.seq.get() << 8 | u64::from(self.number);
        let event_id = draft.event.unwrap_or_else(|| EventId::from_slice(&sixteen(0xf0, number)).unwrap());
        let salt = |slot: Slot| {
            let mut salt = sixteen(0xc0, number);
            salt[1] = u8::try_from(slot.get()).unwrap();
            salt
        };
        let values: Vec<Value> =
            draft.values.into_iter().map(|(slot, bytes)| Value { slot, salt: salt(slot), bytes }).collect();
        let digests = values.iter().map(|value| ValueDigest {
            slot: value.slot,
            digest: value_digest(program(), event_id, value.slot, &value.salt, &value.bytes),
        });
        let body = EventBody {
            event_id,
            program_id: program(),
            actor_id: self.member,
            org_id: self.org.clone(),
            device_id: self.id,
            device_seq: self.seq,
            prev: self.prev,
            base,
            authored_at: now,
            effective_on: draft.effective_on,
            group: None,
            expect: draft.expect,
            kind: draft.change.kind().unwrap().to_owned(),
            schema_version: 1,
            must_understand: false,
            digests: digests.collect(),
            change: draft.change,
        };
        let bytes = encode_body(&body).unwrap();
        self.prev = Digest::of(&bytes);
        Written { bytes, values }
    }

    /// One event after the other, each in sight of those before it.
    pub(crate) fn write_all(&mut self, base: Base, now: Instant, drafts: Vec<Draft>) -> Vec<Written> {
        let write = |draft| {
            let base = Base { seq: self.seq, ..base };
            self.write(base, now, draft)
        };
        drafts.into_iter().map(write).collect()
    }

    pub(crate) fn sign(&self, events: &[Written]) -> PushedBundle {
        let hashes: Vec<Digest> = events.iter().map(|event| Digest::of(&event.bytes)).collect();
        let signature = sign_bundle(&self.key, program(), self.id, &hashes);
        let event = |event: &Written| PushedEvent {
            body_bytes: event.bytes.clone(),
            values: Ok(event.values.clone()),
            stood: None,
        };
        PushedBundle {
            program: program(),
            device: self.id,
            signature: *signature.bytes(),
            events: events.iter().map(event).collect(),
            absent: Vec::new(),
            checkpoints: Vec::new(),
        }
    }
}
