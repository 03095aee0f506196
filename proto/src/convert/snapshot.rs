//! A folded state as a snapshot holds it. The fences and the Merkle frontier of the same message belong to others and are filled in
//! by them; what is read here may come from anybody, so it is checked as strictly as a body.

use std::collections::BTreeMap;

use radslag_core::digest::Digest;
use radslag_core::event::Source;
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, EventId, MemberId, OrgId, Position};
use radslag_core::parts::StateParts;
use radslag_core::register::{Epoch, Register, Write};
use radslag_core::state::{
    Baseline, Device, Entity, EntityKind, Import, Member, Organisation, OwnChain, State,
};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::{Slot, ValueRef};

use super::field::{party_kind_from_wire, party_kind_to_wire};
use super::id::{Id, fixed, id, optional_bytes, org};
use super::{At, ConvertError, ensure, wrong};
use crate::log::v1 as wire;

mod write;

/// The version of the snapshot message that is written, and the only one that is read.
pub const FORMAT: u32 = 2;

/// The state's part of a snapshot; none before the first record.
pub fn encode_state(state: &State) -> Option<wire::Snapshot> {
    let today = state.today()?;
    let epoch = |epoch: &Epoch| wire::SnapshotEpoch { epoch_id: epoch.id.to_vec(), cut: epoch.cut.get() };
    let organisation = |(org_id, organisation): (&OrgId, &Organisation)| wire::SnapshotOrganisation {
        org_id: org_id.to_string(),
        party_id: optional_bytes(organisation.party),
    };
    let member = |(member_id, member): (&MemberId, &Member)| wire::SnapshotMember {
        member_id: member_id.to_vec(),
        org_id: member.org.to_string(),
        name_in: member.name.event.to_vec(),
    };
    let device = |(device_id, device): (&DeviceId, &Device)| wire::SnapshotDevice {
        device_id: device_id.to_vec(),
        public_key: device.key.to_vec(),
        member_id: device.member.to_vec(),
        org_id: device.org.to_string(),
    };
    let chain = |(device_id, chain): (&DeviceId, &OwnChain)| wire::SnapshotChain {
        device_id: device_id.to_vec(),
        last: chain.last.get(),
        starts: chain.starts.iter().map(|seq| seq.get()).collect(),
        filled: chain.filled.iter().map(|seq| seq.get()).collect(),
    };
    Some(wire::Snapshot {
        format: FORMAT,
        program_id: state.program_id().to_vec(),
        position: state.head().get(),
        recorded_at: state.recorded_at().micros(),
        recorded_on: today.days(),
        rules: state.rules(),
        log_key: state.log_key().to_vec(),
        entities: state.entities().map(|(id, entity)| encode_entity(id, entity)).collect(),
        organisations: state.organisations().iter().map(organisation).collect(),
        members: state.members().iter().map(member).collect(),
        devices: state.devices().iter().map(device).collect(),
        imports: state.imports().iter().map(|import| import.event.to_vec()).collect(),
        epochs: state.epochs().iter().map(epoch).collect(),
        frontier: Vec::new(),
        fences: Vec::new(),
        values: Vec::new(),
        last: None,
        chains: state.chains().iter().map(chain).collect(),
        baselines: state.baselines().iter().map(encode_baseline).collect(),
    })
}

fn encode_entity(entity_id: EntityId, entity: &Entity) -> wire::SnapshotEntity {
    let field = |(field, register): (&FieldKey, &Register)| wire::SnapshotField {
        field: field.number().into(),
        party_id: optional_bytes(Some(field.qualifier()).filter(|party| !party.is_zero())),
        writes: register.writes().iter().map(write::encode).collect(),
    };
    wire::SnapshotEntity {
        entity_id: entity_id.to_vec(),
        kind: entity.kind.number().into(),
        added_by: entity.added_by.to_vec(),
        party_kind: entity.party_kind.map_or(0, |kind| party_kind_to_wire(kind).into()),
        import_id: optional_bytes(entity.source.map(|source| source.import)),
        line: entity.source.map_or(0, |source| source.line),
        responsible_text: optional_bytes(entity.responsible_text.map(|at| at.event)),
        fields: entity.fields.iter().map(field).collect(),
    }
}

/// Reads the state's part of a snapshot.
pub fn decode_state(snapshot: &wire::Snapshot) -> Result<State, ConvertError> {
    ensure(snapshot.format == FORMAT, "is not a format that this release reads").at("format")?;
    let today = CivilDate::from_days(snapshot.recorded_on);
    let parts = StateParts {
        program_id: id(&snapshot.program_id).at("program_id")?,
        head: Position::new(snapshot.position),
        recorded_at: Instant::from_micros(snapshot.recorded_at),
        today: today.ok_or_else(|| wrong("is not a day")).at("recorded_on")?,
        rules: snapshot.rules,
        log_key: fixed(&snapshot.log_key).at("log_key")?,
        entities: all(&snapshot.entities, decode_entity).at("entities")?,
        organisations: all(&snapshot.organisations, decode_organisation).at("organisations")?,
        members: all(&snapshot.members, decode_member).at("members")?,
        devices: all(&snapshot.devices, decode_device).at("devices")?,
        imports: each(&snapshot.imports, |event| id(event).map(import)).at("imports")?,
        epochs: each(&snapshot.epochs, decode_epoch).at("epochs")?,
        chains: all(&snapshot.chains, decode_chain).at("chains")?,
        baselines: each(&snapshot.baselines, decode_baseline).at("baselines")?,
    };
    State::from_parts(parts).map_err(|error| wrong(error.to_string()))
}

fn decode_chain(chain: &wire::SnapshotChain) -> Result<(DeviceId, OwnChain), ConvertError> {
    for (field, numbers) in [("starts", &chain.starts), ("filled", &chain.filled)] {
        let ascend = numbers.windows(2).all(|pair| pair[0] < pair[1]);
        let bounded = numbers.iter().all(|number| (1..=chain.last).contains(number));
        ensure(ascend && bounded, "is not ascending between 1 and last").at(field)?;
    }
    ensure(!chain.starts.is_empty(), "is empty").at("starts")?;
    let own = OwnChain {
        last: DeviceSeq::new(chain.last),
        starts: chain.starts.iter().map(|seq| DeviceSeq::new(*seq)).collect(),
        filled: chain.filled.iter().map(|seq| DeviceSeq::new(*seq)).collect(),
    };
    Ok((id(&chain.device_id).at("device_id")?, own))
}

/// One write of a field as a snapshot holds it.
pub fn encode_write(write: &Write) -> wire::SnapshotWrite {
    write::encode(write)
}

/// Reads a write as a snapshot holds it.
pub fn decode_write(write: &wire::SnapshotWrite) -> Result<Write, ConvertError> {
    write::decode(write)
}

/// Reads the number of a field and, for a responsibility, its party.
pub fn decode_field_key(field: u32, party_id: &[u8]) -> Result<FieldKey, ConvertError> {
    let party: Option<EntityId> = maybe_id(party_id).at("party_id")?;
    let number = u16::try_from(field).ok();
    let key = number.and_then(|number| FieldKey::from_number(number, party.unwrap_or_default()));
    key.ok_or_else(|| wrong("is not a field")).at("field")
}

fn each<W, T>(wires: &[W], read: impl Fn(&W) -> Result<T, ConvertError>) -> Result<Vec<T>, ConvertError> {
    wires.iter().enumerate().map(|(index, wire)| read(wire).at_index(index)).collect()
}

/// Reads an id or nothing, which is an empty field. What a log took in earlier is not judged again: sixteen zeros are an id too.
fn maybe_id<T: Id>(bytes: &[u8]) -> Result<Option<T>, ConvertError> {
    if bytes.is_empty() { Ok(None) } else { id(bytes).map(Some) }
}

/// Reads things that ascend by their keys.
fn all<W, K: Ord, T>(
    wires: &[W],
    read: impl Fn(&W) -> Result<(K, T), ConvertError>,
) -> Result<BTreeMap<K, T>, ConvertError> {
    let mut found = BTreeMap::new();
    for (index, wire) in wires.iter().enumerate() {
        let (key, thing) = read(wire).at_index(index)?;
        let ascends = found.last_key_value().is_none_or(|(last, _)| *last < key);
        ensure(ascends, "does not ascend").at_index(index)?;
        found.insert(key, thing);
    }
    Ok(found)
}

fn kind(number: u32) -> Result<EntityKind, ConvertError> {
    match number {
        1 => Ok(EntityKind::Program),
        2 => Ok(EntityKind::Area),
        3 => Ok(EntityKind::Subgoal),
        4 => Ok(EntityKind::Activity),
        5 => Ok(EntityKind::Party),
        _ => Err(wrong("is not a kind of entity")),
    }
}

fn decode_entity(entity: &wire::SnapshotEntity) -> Result<(EntityId, Entity), ConvertError> {
    let party_kind = (entity.party_kind != 0)
        .then(|| party_kind_from_wire(entity.party_kind))
        .transpose()
        .at("party_kind")?;
    let import: Option<EventId> = maybe_id(&entity.import_id).at("import_id")?;
    let responsible: Option<EventId> = maybe_id(&entity.responsible_text).at("responsible_text")?;
    let read = Entity {
        kind: kind(entity.kind).at("kind")?,
        added_by: id(&entity.added_by).at("added_by")?,
        party_kind,
        source: import.map(|import| Source { import, line: entity.line }),
        responsible_text: responsible.map(|event| ValueRef { event, slot: Slot::RESPONSIBLE_TEXT }),
        fields: all(&entity.fields, decode_field).at("fields")?,
    };
    Ok((id(&entity.entity_id).at("entity_id")?, read))
}

fn decode_field(field: &wire::SnapshotField) -> Result<(FieldKey, Register), ConvertError> {
    let key = decode_field_key(field.field, &field.party_id)?;
    let mut register = Register::default();
    for write in each(&field.writes, write::decode).at("writes")? {
        register.push(write);
    }
    Ok((key, register))
}

fn decode_organisation(
    organisation: &wire::SnapshotOrganisation,
) -> Result<(OrgId, Organisation), ConvertError> {
    let party = maybe_id(&organisation.party_id).at("party_id")?;
    Ok((org(&organisation.org_id).at("org_id")?, Organisation { party }))
}

fn decode_member(member: &wire::SnapshotMember) -> Result<(MemberId, Member), ConvertError> {
    let name = ValueRef { event: id(&member.name_in).at("name_in")?, slot: Slot::MEMBER_NAME };
    let read = Member { org: org(&member.org_id).at("org_id")?, name };
    Ok((id(&member.member_id).at("member_id")?, read))
}

fn decode_device(device: &wire::SnapshotDevice) -> Result<(DeviceId, Device), ConvertError> {
    let read = Device {
        key: fixed(&device.public_key).at("public_key")?,
        member: id(&device.member_id).at("member_id")?,
        org: org(&device.org_id).at("org_id")?,
    };
    Ok((id(&device.device_id).at("device_id")?, read))
}

fn decode_epoch(epoch: &wire::SnapshotEpoch) -> Result<Epoch, ConvertError> {
    Ok(Epoch { id: id(&epoch.epoch_id).at("epoch_id")?, cut: Position::new(epoch.cut) })
}

fn encode_baseline(baseline: &Baseline) -> wire::SnapshotBaseline {
    wire::SnapshotBaseline {
        event_id: baseline.event.to_vec(),
        set_at: baseline.set_at.get(),
        recorded_at: baseline.recorded_at.micros(),
        device_id: baseline.device.to_vec(),
        epoch_id: baseline.epoch.to_vec(),
        position: baseline.position.get(),
        effective_on: baseline.effective_on.days(),
    }
}

fn decode_baseline(baseline: &wire::SnapshotBaseline) -> Result<Baseline, ConvertError> {
    let day = CivilDate::from_days(baseline.effective_on);
    Ok(Baseline {
        event: id(&baseline.event_id).at("event_id")?,
        set_at: Position::new(baseline.set_at),
        recorded_at: Instant::from_micros(baseline.recorded_at),
        device: id(&baseline.device_id).at("device_id")?,
        epoch: id(&baseline.epoch_id).at("epoch_id")?,
        position: Position::new(baseline.position),
        effective_on: day.ok_or_else(|| wrong("is not a day")).at("effective_on")?,
    })
}

const fn import(event: EventId) -> Import {
    Import {
        event,
        digest: ValueRef { event, slot: Slot::FILE_DIGEST },
        layout: ValueRef { event, slot: Slot::FILE_LAYOUT },
    }
}

/// The bytes that the log's key signs about a snapshot (`docs/format.md`, "Snapshots").
pub fn manifest_bytes(manifest: &[u8]) -> Vec<u8> {
    let mut signed = b"radslag/snapshot/v1\n".to_vec();
    signed.extend(Digest::of(manifest).bytes());
    signed
}
