//! Signed bundles: as they are pushed, and as a log keeps their signatures.

use radslag_core::digest::Digest;
use radslag_core::id::{DeviceId, EpochId, Position, ProgramId};
use radslag_core::record::First;
use radslag_core::time::Instant;
use radslag_core::value::Value;

use super::id::{Id, digest, fixed, id, parse_id};
use super::value::{decode_values, encode_values};
use super::{At, ConvertError, ensure, required};
use crate::api::v1 as api;
use crate::log::v1 as log;

/// A pushed bundle, not yet authenticated. Its events are judged one by one, so that one that cannot be read gets its own
/// answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedBundle {
    /// The programme.
    pub program: ProgramId,
    /// The device that says it signed.
    pub device: DeviceId,
    /// Ed25519 over the bytes of `docs/format.md`.
    pub signature: [u8; 64],
    /// In the device's order; at least one. The upper limits are the judge's.
    pub events: Vec<PushedEvent>,
    /// Index and body hash of members that are not handed in, ascending by index.
    pub absent: Vec<(u32, Digest)>,
    /// Checkpoints that prove where events stood before a restore.
    pub checkpoints: Vec<String>,
}

/// An event of a bundle, its body not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedEvent {
    /// The body, byte for byte as signed.
    pub body_bytes: Vec<u8>,
    /// The values beside it, or what is wrong with them (a path such as `values[0].salt`).
    pub values: Result<Vec<Value>, ConvertError>,
    /// Where it stood before a restore.
    pub stood: Option<PushedStood>,
}

/// Where a record stood before a restore, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedStood {
    /// The place.
    pub first: First,
    /// When the log had taken it.
    pub recorded_at: Instant,
    /// SHA-256 of the facts that it stood with.
    pub facts_hash: Digest,
    /// From its leaf to the checkpoint's root, lowest first.
    pub path: Vec<Digest>,
}

/// The most checkpoints beside a bundle.
const CHECKPOINTS: usize = 16;
/// No tree is higher.
const PATH: usize = 64;

/// Reads the bundle of a request. An error is about the call as a whole; its path starts with `bundle`.
pub fn decode_bundle(bundle: Option<api::Bundle>) -> Result<PushedBundle, ConvertError> {
    let bundle = required(bundle).at("bundle")?;
    let program = parse_id("program_id", &bundle.program_id).at("bundle")?;
    let device = parse_id("device_id", &bundle.device_id).at("bundle")?;
    let signature = fixed(&bundle.signature).at("bundle.signature")?;
    ensure(!bundle.events.is_empty(), "is empty").at("bundle.events")?;
    let absent = decode_absent(&bundle.absent).at("bundle")?;
    ensure(bundle.checkpoints.len() <= CHECKPOINTS, "has more than 16 entries").at("bundle.checkpoints")?;
    let mut events = Vec::with_capacity(bundle.events.len());
    for (index, event) in bundle.events.into_iter().enumerate() {
        let stood = event.stood.as_ref().map(decode_stood).transpose();
        events.push(PushedEvent {
            stood: stood.at("stood").at_index(index).at("bundle.events")?,
            values: decode_values(&event.values).at("values"),
            body_bytes: event.body,
        });
    }
    Ok(PushedBundle { program, device, signature, events, absent, checkpoints: bundle.checkpoints })
}

fn decode_stood(stood: &api::Stood) -> Result<PushedStood, ConvertError> {
    let epoch = parse_id("epoch_id", &stood.epoch_id)?;
    ensure(stood.position >= 1, "is 0, a log counts from 1").at("position")?;
    ensure(stood.path.len() <= PATH, "has more than 64 entries").at("path")?;
    let path = stood.path.iter().enumerate();
    Ok(PushedStood {
        first: First { epoch, position: Position::new(stood.position) },
        recorded_at: Instant::from_micros(stood.recorded_at),
        facts_hash: digest(&stood.facts_hash).at("facts_hash")?,
        path: path.map(|(at, hash)| digest(hash).at_index(at).at("path")).collect::<Result<_, _>>()?,
    })
}

/// The message for where an event stood.
pub fn encode_stood(stood: &PushedStood) -> api::Stood {
    api::Stood {
        epoch_id: stood.first.epoch.to_string(),
        position: stood.first.position.get(),
        recorded_at: stood.recorded_at.micros(),
        facts_hash: stood.facts_hash.bytes().to_vec(),
        path: stood.path.iter().map(|hash| hash.bytes().to_vec()).collect(),
    }
}

/// The message for an event: its body as signed and the values beside it.
pub fn encode_event(body: Vec<u8>, values: &[Value]) -> api::SignedEvent {
    api::SignedEvent { body, values: encode_values(values), stood: None }
}

/// The message for a signed bundle.
pub fn encode_bundle(
    program: ProgramId,
    device: DeviceId,
    signature: &[u8; 64],
    events: Vec<api::SignedEvent>,
) -> api::Bundle {
    api::Bundle {
        program_id: program.to_string(),
        device_id: device.to_string(),
        events,
        signature: signature.to_vec(),
        absent: Vec::new(),
        checkpoints: Vec::new(),
    }
}

/// A signature that a log keeps, with the members of the signed bundle that did not land with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandedBundle {
    /// The position of the first member that landed.
    pub position: Position,
    /// The device that signed.
    pub device: DeviceId,
    /// How many members were signed.
    pub size: u32,
    /// Ed25519 over the bytes of `docs/format.md`.
    pub signature: [u8; 64],
    /// Index and body hash of the members that did not land here, ascending by index.
    pub absent: Vec<(u32, Digest)>,
}

/// Reads a bundle of a log: at least one member landed, absent ones ascend and lie within the size.
pub fn decode_landed_bundle(bundle: &log::Bundle) -> Result<LandedBundle, ConvertError> {
    ensure(bundle.position >= 1, "is 0, a log counts from 1").at("position")?;
    let absent = decode_absent(&bundle.absent)?;
    let beyond = absent.iter().position(|(index, _)| *index >= bundle.size);
    let beyond = beyond.map_or(Ok(()), |at| ensure(false, "is not below the size").at("index").at_index(at));
    beyond.at("absent")?;
    let landed = usize::try_from(bundle.size).is_ok_and(|size| absent.len() < size);
    ensure(landed, "leaves no member that landed").at("size")?;
    Ok(LandedBundle {
        position: Position::new(bundle.position),
        device: id(&bundle.device_id).at("device_id")?,
        size: bundle.size,
        signature: fixed(&bundle.signature).at("signature")?,
        absent,
    })
}

fn decode_absent(members: &[log::AbsentMember]) -> Result<Vec<(u32, Digest)>, ConvertError> {
    let mut absent: Vec<(u32, Digest)> = Vec::with_capacity(members.len());
    for (at, member) in members.iter().enumerate() {
        let ascends = absent.last().is_none_or(|(last, _)| *last < member.index);
        ensure(ascends, "does not ascend").at("index").at_index(at).at("absent")?;
        absent.push((member.index, digest(&member.body_hash).at("body_hash").at_index(at).at("absent")?));
    }
    Ok(absent)
}

/// The message for members that are absent.
pub fn encode_absent(absent: &[(u32, Digest)]) -> Vec<log::AbsentMember> {
    let member = |(index, body_hash): &(u32, Digest)| log::AbsentMember {
        index: *index,
        body_hash: body_hash.bytes().to_vec(),
    };
    absent.iter().map(member).collect()
}

/// The message for a bundle of a log.
pub fn encode_landed_bundle(bundle: &LandedBundle) -> log::Bundle {
    log::Bundle {
        position: bundle.position.get(),
        device_id: bundle.device.to_vec(),
        size: bundle.size,
        signature: bundle.signature.to_vec(),
        absent: encode_absent(&bundle.absent),
    }
}

/// A place in a log: the epoch and the last record seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogCursor {
    /// The epoch.
    pub epoch: EpochId,
    /// The last record seen; zero for none.
    pub position: Position,
}

/// Reads a cursor. Paths are relative to it.
pub fn decode_cursor(cursor: &api::Cursor) -> Result<LogCursor, ConvertError> {
    let epoch = parse_id("epoch_id", &cursor.epoch_id)?;
    Ok(LogCursor { epoch, position: Position::new(cursor.position) })
}

/// The message for a cursor.
pub fn encode_cursor(cursor: &LogCursor) -> api::Cursor {
    api::Cursor { epoch_id: cursor.epoch.to_string(), position: cursor.position.get() }
}

#[cfg(test)]
mod tests {
    use radslag_core::value::Slot;

    use super::*;
    use crate::convert::samples::uuid_id;

    fn message() -> api::Bundle {
        let value = Value { slot: Slot::TITLE, salt: [7; 16], bytes: b"Sj\xc3\xb6stad".to_vec() };
        let events = vec![encode_event(vec![1, 2, 3], &[value]), encode_event(Vec::new(), &[])];
        encode_bundle(uuid_id(1), uuid_id(2), &[9; 64], events)
    }

    #[test]
    fn a_bundle_reads_back_with_bodies_untouched() {
        let read = decode_bundle(Some(message())).unwrap();
        assert_eq!((read.program, read.device, read.signature), (uuid_id(1), uuid_id(2), [9; 64]));
        assert_eq!(read.events[0].body_bytes, [1, 2, 3]);
        assert_eq!(read.events[0].values.as_ref().unwrap()[0].slot, Slot::TITLE);
        assert_eq!(read.events[1].values, Ok(Vec::new()));
    }

    #[test]
    fn a_malformed_value_spoils_its_event_only() {
        let mut bundle = message();
        bundle.events[0].values[0].salt.clear();
        let read = decode_bundle(Some(bundle)).unwrap();
        assert_eq!(read.events[0].values.as_ref().unwrap_err().path, "values[0].salt");
        assert!(read.events[1].values.is_ok());
    }

    #[test]
    fn what_spoils_the_call_says_where() {
        assert_eq!(decode_bundle(None).unwrap_err().path, "bundle");
        type Spoil = fn(&mut api::Bundle);
        let cases: [(Spoil, &str); 4] = [
            (|b| b.program_id = b.program_id.to_uppercase() + "0", "bundle.program_id"),
            (|b| b.device_id.clear(), "bundle.device_id"),
            (|b| b.signature.truncate(63), "bundle.signature"),
            (|b| b.events.clear(), "bundle.events"),
        ];
        for (spoil, path) in cases {
            let mut bundle = message();
            spoil(&mut bundle);
            assert_eq!(decode_bundle(Some(bundle)).unwrap_err().path, path);
        }
    }

    #[test]
    fn a_landed_bundle_reads_back_and_its_absent_members_are_checked() {
        let bundle = LandedBundle {
            position: Position::new(3),
            device: uuid_id(2),
            size: 3,
            signature: [9; 64],
            absent: vec![(0, Digest::of(b"a")), (2, Digest::of(b"b"))],
        };
        let good = encode_landed_bundle(&bundle);
        assert_eq!(decode_landed_bundle(&good), Ok(bundle));
        type Spoil = fn(&mut log::Bundle);
        let cases: [(Spoil, &str); 7] = [
            (|b| b.position = 0, "position"),
            (|b| b.size = 2, "absent[1].index"),
            (|b| b.absent.swap(0, 1), "absent[1].index"),
            (|b| b.absent[0].body_hash.clear(), "absent[0].body_hash"),
            (|b| (b.size, b.absent) = (0, Vec::new()), "size"),
            (|b| b.device_id.clear(), "device_id"),
            (|b| b.signature.clear(), "signature"),
        ];
        for (spoil, path) in cases {
            let mut bundle = good.clone();
            spoil(&mut bundle);
            assert_eq!(decode_landed_bundle(&bundle).unwrap_err().path, path);
        }
    }

    #[test]
    fn a_cursor_reads_back() {
        let cursor = LogCursor { epoch: uuid_id(5), position: Position::new(12) };
        assert_eq!(decode_cursor(&encode_cursor(&cursor)), Ok(cursor));
        assert_eq!(decode_cursor(&api::Cursor::default()).unwrap_err().path, "epoch_id");
    }
}
