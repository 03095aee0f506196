//! Event bodies: bytes that are signed once, and what they say.

use prost::Message;
use radslag_core::event::{Base, Change, EventBody, Expectation, Group};
use radslag_core::id::{DeviceSeq, Position};
use radslag_core::time::{CivilDate, Instant};

use super::change;
use super::field::{read_field_ref, write_field_ref};
use super::id::{Id, ascending_ids, digest, id, ids_bytes, org, real_id};
use super::slots::{check_slots, read_digests, write_digests};
use super::{At, ConvertError, ensure, required, wrong};
use crate::event::v1 as wire;
use crate::limits::{EXPECTATIONS, GROUP_MAX, GROUP_MIN, KIND_BYTES};
use crate::upcast;

/// Reads a body. What it takes is well formed by itself: every id, number, order and digest is what `docs/format.md`
/// and the `.proto` files say, and the values are those of the kind. A kind, or a version of one, that this release
/// does not know gives [`Change::Unknown`] with the envelope kept.
///
/// Left to others: `prev`, the digests against their values, the size limits, and whether it fits the programme.
pub fn decode_body(bytes: &[u8]) -> Result<EventBody, ConvertError> {
    let body = wire::EventBody::decode(bytes)
        .map_err(|error| ConvertError::new("body", format!("is not an EventBody: {error}")))?;
    read_body(&body)
}

fn read_body(body: &wire::EventBody) -> Result<EventBody, ConvertError> {
    let device_id = id(&body.device_id).at("device_id")?;
    let device_seq = read_seq(body.device_seq).at("device_seq")?;
    ensure(is_kind_name(&body.kind), "is not 1 to 64 of a-z, 0-9 and \"_\"").at("kind")?;
    ensure(body.schema_version >= 1, "is 0, versions start at 1").at("schema_version")?;
    let digests = read_digests(&body.digests).at("digests")?;
    let change = upcast::read_change(body)?;
    check_slots(&change, &digests)?;
    if let Change::DeviceEnrolled { device_id: enrolled, .. } = &change {
        ensure(*enrolled == device_id, "is not the body's device").at("device_enrolled.device_id")?;
    }
    Ok(EventBody {
        event_id: real_id(&body.event_id).at("event_id")?,
        program_id: real_id(&body.program_id).at("program_id")?,
        actor_id: id(&body.actor_id).at("actor_id")?,
        org_id: org(&body.org_id).at("org_id")?,
        device_id,
        device_seq,
        prev: digest(&body.prev).at("prev")?,
        base: read_base(body.base.as_ref(), device_seq).at("base")?,
        authored_at: Instant::from_micros(body.authored_at),
        effective_on: body.effective_on.map(read_date).transpose().at("effective_on")?,
        group: body.group.as_ref().map(read_group).transpose().at("group")?,
        expect: read_expectations(&body.expect).at("expect")?,
        kind: body.kind.clone(),
        schema_version: body.schema_version,
        must_understand: body.must_understand,
        digests,
        change,
    })
}

fn read_seq(number: u64) -> Result<DeviceSeq, ConvertError> {
    ensure(number >= 1, "is 0, a device counts from 1")?;
    Ok(DeviceSeq::new(number))
}

/// A kind's name is shown to people even when the kind is unknown, so it may not hold anything but a name.
fn is_kind_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=KIND_BYTES).contains(&name.len()) && name.bytes().all(fits)
}

fn read_base(base: Option<&wire::Base>, device_seq: DeviceSeq) -> Result<Base, ConvertError> {
    let base = required(base)?;
    let seq = DeviceSeq::new(base.seq);
    ensure(seq < device_seq, "is not less than device_seq").at("seq")?;
    Ok(Base { epoch: id(&base.epoch).at("epoch")?, position: Position::new(base.position), seq })
}

fn read_date(days: i32) -> Result<CivilDate, ConvertError> {
    CivilDate::from_days(days).ok_or_else(|| wrong("is not a day between 1900-01-01 and 2199-12-31"))
}

fn read_group(group: &wire::Group) -> Result<Group, ConvertError> {
    let id = id(&group.id).at("id")?;
    ensure((GROUP_MIN..=GROUP_MAX).contains(&group.size), "is not 2 to 500").at("size")?;
    ensure(group.index < group.size, "is not less than the size").at("index")?;
    Ok(Group { id, index: group.index, size: group.size })
}

fn read_expectations(field: &[wire::Expectation]) -> Result<Vec<Expectation>, ConvertError> {
    ensure(field.len() <= EXPECTATIONS, "has more than 64 conditions")?;
    let mut read = Vec::with_capacity(field.len());
    for (index, expectation) in field.iter().enumerate() {
        read.push(read_expectation(expectation).at_index(index)?);
    }
    Ok(read)
}

fn read_expectation(expectation: &wire::Expectation) -> Result<Expectation, ConvertError> {
    Ok(Expectation {
        entity: real_id(&expectation.entity_id).at("entity_id")?,
        field: read_field_ref(expectation.field.as_ref()).at("field")?,
        sides: ascending_ids(&expectation.sides).at("sides")?,
    })
}

/// Encodes a body for its author, once. Everybody else keeps the bytes. An error is what a reader of the bytes would
/// find, or `change` when the kind is unknown, so that nobody signs what will be refused.
pub fn encode_body(body: &EventBody) -> Result<Vec<u8>, ConvertError> {
    let change = change::write(&body.change)
        .ok_or_else(|| ConvertError::new("change", "is of a kind that this release cannot write"))?;
    let bytes = write_body(body, change).encode_to_vec();
    let read = decode_body(&bytes)?;
    ensure(read == *body, "is not one that this release writes").at("schema_version")?;
    Ok(bytes)
}

pub(super) fn write_body(body: &EventBody, change: wire::event_body::Change) -> wire::EventBody {
    wire::EventBody {
        event_id: body.event_id.to_vec(),
        program_id: body.program_id.to_vec(),
        actor_id: body.actor_id.to_vec(),
        org_id: body.org_id.to_string(),
        device_id: body.device_id.to_vec(),
        device_seq: body.device_seq.get(),
        prev: body.prev.bytes().to_vec(),
        base: Some(wire::Base {
            epoch: body.base.epoch.to_vec(),
            position: body.base.position.get(),
            seq: body.base.seq.get(),
        }),
        authored_at: body.authored_at.micros(),
        effective_on: body.effective_on.map(CivilDate::days),
        group: body.group.map(|group| wire::Group {
            id: group.id.to_vec(),
            index: group.index,
            size: group.size,
        }),
        expect: body.expect.iter().map(write_expectation).collect(),
        kind: body.kind.clone(),
        schema_version: body.schema_version,
        must_understand: body.must_understand,
        digests: write_digests(&body.digests),
        change: Some(change),
    }
}

fn write_expectation(expectation: &Expectation) -> wire::Expectation {
    wire::Expectation {
        entity_id: expectation.entity.to_vec(),
        field: Some(write_field_ref(expectation.field)),
        sides: ids_bytes(&expectation.sides),
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
