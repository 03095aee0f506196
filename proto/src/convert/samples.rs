//! One body of every kind, for tests.

use radslag_core::digest::Digest;
use radslag_core::event::{
    Authority, Base, Change, EventBody, Expectation, Group, NewValue, PartyKind, Source, Standing,
    ValueDigest,
};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceSeq, EntityId, EventId, Position};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::Slot;

use super::id::Id;

/// An id whose every byte is `n`.
pub(crate) fn uuid_id<T: Id>(n: u8) -> T {
    T::from_bytes(&[n; 16]).unwrap()
}

pub(crate) fn event(n: u8) -> EventId {
    uuid_id(n)
}

fn entity(n: u8) -> EntityId {
    uuid_id(n)
}

/// A body with that change and digests in those slots.
pub(crate) fn body(change: Change, slots: &[Slot]) -> EventBody {
    let digest = |slot: &Slot| ValueDigest { slot: *slot, digest: Digest::of(&slot.get().to_be_bytes()) };
    EventBody {
        event_id: event(1),
        program_id: uuid_id(2),
        actor_id: uuid_id(3),
        org_id: "haninge".parse().unwrap(),
        device_id: uuid_id(4),
        device_seq: DeviceSeq::new(3),
        prev: Digest::of(b"before"),
        base: Base { epoch: uuid_id(0), position: Position::new(12), seq: DeviceSeq::new(2) },
        authored_at: Instant::from_micros(-5),
        effective_on: CivilDate::from_days(-25_567),
        group: Some(Group { id: uuid_id(5), index: 1, size: 2 }),
        expect: vec![
            Expectation { entity: entity(6), field: FieldKey::Title, sides: vec![] },
            Expectation {
                entity: entity(6),
                field: FieldKey::Responsible(entity(7)),
                sides: vec![event(8), event(9)],
            },
        ],
        kind: change.kind().unwrap_or("budget_frozen").to_owned(),
        schema_version: 1,
        must_understand: true,
        digests: slots.iter().map(digest).collect(),
        change,
    }
}

fn source() -> Option<Source> {
    Some(Source { import: event(20), line: 1 })
}

/// A resolution of `field`.
pub(crate) fn resolution(field: FieldKey, take: Option<EventId>, stands: Standing) -> Change {
    Change::ConflictResolved { entity: entity(30), field, settles: vec![event(31), event(32)], take, stands }
}

/// Every kind, in the order of the oneof; those that come in several shapes follow.
pub(crate) fn bodies() -> Vec<EventBody> {
    let mut bodies = kinds();
    bodies.extend(revisions());
    bodies.extend(resolutions());
    bodies
}

fn kinds() -> Vec<EventBody> {
    let org_id = || "haninge".parse().unwrap();
    let key = || "a1".to_owned();
    vec![
        body(Change::ProgramCreated { log_key: [1; 32], device_key: [2; 32], rules: 1 }, &[Slot::TITLE]),
        body(Change::OrganisationAdmitted { org_id: org_id(), party: Some(entity(10)) }, &[]),
        body(Change::MemberAdmitted { member_id: uuid_id(11), org_id: org_id() }, &[Slot::MEMBER_NAME]),
        body(
            Change::DeviceEnrolled {
                device_id: uuid_id(4),
                public_key: [3; 32],
                member_id: uuid_id(11),
                org_id: org_id(),
                authority: Authority::Open,
            },
            &[],
        ),
        body(
            Change::AreaAdded { area: entity(12), order_key: key(), source: source() },
            &[Slot::TITLE, Slot::GOAL, Slot::REASON, Slot::DECISION],
        ),
        body(
            Change::SubgoalAdded { subgoal: entity(13), area: entity(12), order_key: key(), source: None },
            &[Slot::TITLE],
        ),
        body(
            Change::ActivityAdded {
                activity: entity(14),
                subgoal: entity(13),
                order_key: "z".repeat(200),
                responsible: vec![entity(15), entity(16), entity(17)],
                lead: Some(entity(15)),
                source: source(),
            },
            &[Slot::TITLE, Slot::COMMENT, Slot::TIME, Slot::COST, Slot::RESPONSIBLE_TEXT],
        ),
        body(
            Change::PartyAdded {
                party: entity(15),
                kind: PartyKind::Person,
                organisation: Some(entity(16)),
                source: source(),
            },
            &[Slot::NAME],
        ),
        body(
            Change::FieldRevised { entity: entity(14), field: FieldKey::Cost, value: NewValue::Sealed },
            &[Slot::COST, Slot::REASON],
        ),
        body(Change::ResponsibleAssigned { activity: entity(14), party: entity(15) }, &[]),
        body(Change::ResponsibleUnassigned { activity: entity(14), party: entity(15) }, &[]),
        body(Change::Placed { entity: entity(14), parent: entity(13), order_key: key() }, &[]),
        body(Change::Retired { entity: entity(14), merged_into: Some(entity(18)) }, &[Slot::DECISION]),
        body(Change::Restored { entity: entity(14) }, &[]),
        body(resolution(FieldKey::Title, Some(event(32)), Standing::SealedIn(event(32))), &[]),
        body(Change::SourceImported { dialect: "tsv/1".to_owned() }, &[Slot::FILE_DIGEST, Slot::FILE_LAYOUT]),
        body(
            Change::EpochOpened {
                epoch_id: uuid_id(19),
                cut_position: Position::new(9),
                cut_root: Digest::of(b"r"),
            },
            &[],
        ),
        body(Change::RulesAdopted { version: 2 }, &[]),
        body(
            Change::BaselineSet {
                epoch: uuid_id(19),
                position: Position::new(7),
                effective_on: "2019-07-01".parse().unwrap(),
            },
            &[Slot::DECISION, Slot::BASELINE_NAME],
        ),
    ]
}

fn revisions() -> Vec<EventBody> {
    let revised = |field, value| Change::FieldRevised { entity: entity(14), field, value };
    let mut bodies = Vec::new();
    for field in
        [FieldKey::Title, FieldKey::Goal, FieldKey::Comment, FieldKey::Time, FieldKey::Cost, FieldKey::Name]
    {
        bodies.push(body(revised(field, NewValue::Sealed), &[field.slot().unwrap()]));
        bodies.push(body(revised(field, NewValue::Cleared), &[]));
    }
    for field in [FieldKey::Lead, FieldKey::Organisation] {
        bodies.push(body(revised(field, NewValue::Party(entity(15))), &[]));
        bodies.push(body(revised(field, NewValue::Cleared), &[]));
    }
    bodies
}

fn resolutions() -> Vec<EventBody> {
    let take = Some(event(31));
    let place = Standing::Place { parent: entity(13), order_key: "m".to_owned() };
    let retired = Standing::Life { retired: true, merged_into: Some(entity(18)) };
    let restored = Standing::Life { retired: false, merged_into: None };
    let responsible = FieldKey::Responsible(entity(15));
    let mut bodies = vec![body(resolution(FieldKey::Cost, None, Standing::Sealed), &[Slot::COST])];
    for (field, take, stands) in [
        (FieldKey::Comment, take, Standing::Cleared),
        (FieldKey::Lead, None, Standing::Party(entity(15))),
        (FieldKey::Place, take, place),
        (FieldKey::Life, take, retired),
        (FieldKey::Life, None, restored),
        (responsible, take, Standing::Responsible(true)),
        (responsible, None, Standing::Responsible(false)),
    ] {
        bodies.push(body(resolution(field, take, stands), &[]));
    }
    bodies
}
