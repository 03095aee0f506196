//! A programme in memory as bytes: what a new replica begins with instead of folding the whole log.
//!
//! A snapshot is a cache. Its manifest is signed by the log's key, so that a wrong one is proof of who made it; whether it is right
//! shows when the history before it has been fetched and folded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::{DeviceId, DeviceSeq, EpochId, EventId, Position, ProgramId};
use radslag_core::register::Content;
use radslag_core::state::State;
use radslag_core::value::{Slot, Value, ValueRef};
use radslag_log::EventLog;
use radslag_proto::convert::ConvertError;
use radslag_proto::convert::snapshot::{FORMAT, decode_state, encode_state, manifest_bytes};
use radslag_proto::convert::value::{decode_values, encode_values};
use radslag_proto::log::v1;
use radslag_sync::fence::{Fence, FenceParts, Fences};
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::{DeviceKey, PublicKey, Signature};
use radslag_trust::merkle::Frontier;

use crate::ledger::{Ledger, LedgerError};

/// The most bytes of one chunk.
pub const CHUNK: usize = 256 << 10;

/// The largest snapshot that is made or taken.
pub const LARGEST: usize = 256 << 20;

/// Bytes that are no snapshot, or a snapshot that is not what its manifest says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot does not hold: {0}")]
pub struct SnapshotError(pub String);

impl From<ConvertError> for SnapshotError {
    fn from(error: ConvertError) -> Self {
        Self(error.to_string())
    }
}

fn wrong(what: impl Into<String>) -> SnapshotError {
    SnapshotError(what.into())
}

/// The values of one event that a snapshot carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The event.
    pub event: EventId,
    /// Where it stands.
    pub position: Position,
    /// Ascending by slot.
    pub values: Vec<Value>,
}

/// A programme at a position, with the values that its view needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The folded state.
    pub state: State,
    /// Every device's chain.
    pub fences: Fences,
    /// The Merkle tree's frontier.
    pub frontier: Frontier,
    /// Values, ascending by event.
    pub values: Vec<Carried>,
    /// The last record.
    pub last: v1::Record,
}

/// The values that a state refers to, and the reasons and decisions of its writes.
pub fn wanted(state: &State) -> BTreeMap<EventId, BTreeSet<Slot>> {
    let mut found: BTreeMap<EventId, BTreeSet<Slot>> = BTreeMap::new();
    let mut want = |at: ValueRef| {
        found.entry(at.event).or_default().insert(at.slot);
    };
    for (_, entity) in state.entities() {
        entity.responsible_text.into_iter().for_each(&mut want);
        for write in entity.fields.values().flat_map(|register| register.writes()) {
            if let Content::Sealed(at) = write.content {
                want(at);
            }
            for slot in [Slot::REASON, Slot::DECISION] {
                want(ValueRef { event: write.event, slot });
            }
        }
    }
    state.members().values().for_each(|member| want(member.name));
    for import in state.imports() {
        want(import.digest);
        want(import.layout);
    }
    for baseline in state.baselines() {
        want(baseline.name());
        for slot in [Slot::REASON, Slot::DECISION] {
            want(ValueRef { event: baseline.event, slot });
        }
    }
    found
}

/// Reads those of the wanted values that are still kept.
///
/// # Errors
/// The store does not answer, or what it holds does not read.
pub fn gather(
    log: &dyn EventLog,
    program: ProgramId,
    wanted: &BTreeMap<EventId, BTreeSet<Slot>>,
    places: &HashMap<EventId, Position>,
) -> Result<Vec<Carried>, LedgerError> {
    let mut carried = Vec::new();
    for (event, slots) in wanted {
        let Some(position) = places.get(event).copied() else { continue };
        let stored = log.values(program, position)?;
        let needed = |value: &v1::Value| slots.iter().any(|slot| u32::from(slot.get()) == value.slot);
        let stored: Vec<v1::Value> = stored.into_iter().filter(needed).collect();
        let mut values = decode_values(&stored)
            .map_err(|error| LedgerError::Forged { position, what: error.to_string() })?;
        values.sort_by_key(|value| value.slot);
        if !values.is_empty() {
            carried.push(Carried { event: *event, position, values });
        }
    }
    Ok(carried)
}

impl Snapshot {
    /// The snapshot of a ledger, with the values from its store.
    ///
    /// # Errors
    /// The store does not answer, or has no record at the ledger's head.
    pub fn of(log: &dyn EventLog, ledger: &Ledger) -> Result<Self, LedgerError> {
        let wanted = wanted(&ledger.state);
        let places = crate::caches::lookup::places_of(log, ledger, wanted.keys().copied())?;
        Self::gathered(log, &ledger.state, ledger.fences.clone(), ledger.frontier.clone(), &wanted, &places)
    }

    /// As [`Snapshot::of`], with the places of the wanted values given.
    ///
    /// # Errors
    /// As for [`Snapshot::of`].
    pub fn gathered(
        log: &dyn EventLog,
        state: &State,
        fences: Fences,
        frontier: Frontier,
        wanted: &BTreeMap<EventId, BTreeSet<Slot>>,
        places: &HashMap<EventId, Position>,
    ) -> Result<Self, LedgerError> {
        let (program, head) = (state.program_id(), state.head());
        let values = gather(log, program, wanted, places)?;
        let mut last = log.read(program, head, radslag_log::ReadLimit { records: 1, bytes: 0 })?;
        let last = last.pop().filter(|record| record.position == head.get());
        let last = last.ok_or_else(|| LedgerError::Forged {
            position: head,
            what: "the record is missing".to_owned(),
        })?;
        Ok(Self { state: state.clone(), fences, frontier, values, last })
    }

    /// The bytes, always the same for the same snapshot.
    pub fn encode(&self) -> Vec<u8> {
        let mut message = encode_state(&self.state).unwrap_or_default();
        message.frontier = self.frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect();
        message.fences = self.fences.iter().map(|(device, fence)| encode_fence(device, fence)).collect();
        let carried = |carried: &Carried| v1::SnapshotValues {
            event_id: carried.event.bytes().to_vec(),
            position: carried.position.get(),
            values: encode_values(&carried.values),
        };
        message.values = self.values.iter().map(carried).collect();
        message.last = Some(self.last.clone());
        message.encode_to_vec()
    }

    /// Reads the bytes of a snapshot, whoever sent them.
    ///
    /// # Errors
    /// They are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let message = v1::Snapshot::decode(bytes).map_err(|error| wrong(error.to_string()))?;
        let state = decode_state(&message)?;
        let hashes: Option<Vec<Digest>> =
            message.frontier.iter().map(|hash| Digest::from_slice(hash)).collect();
        let hashes = hashes.ok_or_else(|| wrong("a digest of the frontier is not 32 bytes"))?;
        let frontier =
            Frontier::from_parts(message.position, hashes).map_err(|error| wrong(error.to_string()))?;
        let fences = decode_fences(&message.fences)?;
        let values = decode_carried(&message.values, state.head())?;
        let last = message.last.ok_or_else(|| wrong("the last record is missing"))?;
        if last.position != message.position || last.recorded_at != message.recorded_at {
            return Err(wrong("the last record is not the one at its position"));
        }
        Ok(Self { state, fences, frontier, values, last })
    }

    /// The ledger that goes on from here. Its index holds the events whose values are carried, no others.
    pub fn to_ledger(&self) -> Ledger {
        let mut ledger = Ledger::new(self.state.program_id());
        ledger.state = self.state.clone();
        ledger.fences = self.fences.clone();
        ledger.frontier = self.frontier.clone();
        ledger.index = self.values.iter().map(|carried| (carried.event, carried.position)).collect();
        ledger.begun_after = self.state.head();
        ledger
    }

    /// The first thing in which this snapshot is not `other`, in words; none where they are the same.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.frontier != other.frontier {
            return Some("the Merkle root");
        }
        if self.state.hash() != other.state.hash() {
            return Some("the state hash");
        }
        if self.state != other.state {
            return Some("the state");
        }
        if self.fences != other.fences {
            return Some("the sequences of the devices");
        }
        if self.values != other.values {
            return Some("a value");
        }
        (self.last != other.last).then_some("the last record")
    }
}

pub(crate) fn encode_fence(device: DeviceId, fence: &Fence) -> v1::SnapshotFence {
    let parts = fence.to_parts();
    let steps = |numbers: Vec<u64>| {
        let before = std::iter::once(0).chain(numbers.iter().copied());
        numbers.iter().zip(before).map(|(number, before)| number.saturating_sub(before)).collect()
    };
    v1::SnapshotFence {
        device_id: device.bytes().to_vec(),
        last_seq: parts.last_seq.get(),
        last_event: parts.last_event.bytes().to_vec(),
        last_body: parts.last_body.bytes().to_vec(),
        last_base_epoch: parts.last_base_epoch.bytes().to_vec(),
        seq_steps: steps(parts.bases.iter().map(|(seq, _)| seq.get()).collect()),
        position_steps: steps(parts.bases.iter().map(|(_, position)| position.get()).collect()),
        holes: parts.holes.iter().flat_map(|(first, last)| [first.get(), last.get()]).collect(),
    }
}

pub(crate) fn decode_fences(fences: &[v1::SnapshotFence]) -> Result<Fences, SnapshotError> {
    let mut read: BTreeMap<DeviceId, Fence> = BTreeMap::new();
    for fence in fences {
        let device = DeviceId::from_slice(&fence.device_id);
        let parts = decode_fence(fence).and_then(Fence::from_parts);
        let (Some(device), Some(parts)) = (device, parts) else {
            return Err(wrong("the sequence of a device is none"));
        };
        if read.insert(device, parts).is_some() {
            return Err(wrong("a device has two sequences"));
        }
    }
    Ok(read.into_iter().collect())
}

fn decode_fence(fence: &v1::SnapshotFence) -> Option<FenceParts> {
    let sums = |steps: &[u64]| -> Option<Vec<u64>> {
        let mut sum = 0_u64;
        steps
            .iter()
            .map(|step| {
                sum = sum.checked_add(*step)?;
                Some(sum)
            })
            .collect()
    };
    let (seqs, positions) = (sums(&fence.seq_steps)?, sums(&fence.position_steps)?);
    if seqs.len() != positions.len() {
        return None;
    }
    let bases = seqs.into_iter().zip(positions);
    let (runs, []) = fence.holes.as_chunks::<2>() else { return None };
    Some(FenceParts {
        last_seq: DeviceSeq::new(fence.last_seq),
        last_event: EventId::from_slice(&fence.last_event)?,
        last_body: Digest::from_slice(&fence.last_body)?,
        last_base_epoch: EpochId::from_slice(&fence.last_base_epoch)?,
        bases: bases.map(|(seq, position)| (DeviceSeq::new(seq), Position::new(position))).collect(),
        holes: runs.iter().map(|[first, last]| (DeviceSeq::new(*first), DeviceSeq::new(*last))).collect(),
    })
}

fn decode_carried(values: &[v1::SnapshotValues], head: Position) -> Result<Vec<Carried>, SnapshotError> {
    let mut read: Vec<Carried> = Vec::with_capacity(values.len());
    for one in values {
        let event = EventId::from_slice(&one.event_id).ok_or_else(|| wrong("an event id is not 16 bytes"))?;
        if read.last().is_some_and(|last| last.event >= event) {
            return Err(wrong("the events of its values do not ascend"));
        }
        let position = Position::new(one.position);
        if position == Position::ZERO || position > head {
            return Err(wrong("a value stands outside of the log"));
        }
        read.push(Carried { event, position, values: decode_values(&one.values)? });
    }
    Ok(read)
}

/// A snapshot as it is handed out: cut into chunks, with a signed manifest.
#[derive(Clone, Debug)]
pub struct SignedSnapshot {
    /// SHA-256 of the manifest.
    pub id: Digest,
    /// The last record that is folded in.
    pub position: Position,
    /// The chunks, each at most [`CHUNK`] bytes.
    pub chunks: Vec<Vec<u8>>,
    /// A `radslag.log.v1.SnapshotManifest`.
    pub manifest: Vec<u8>,
    /// By the log's key.
    pub signature: Signature,
}

impl SignedSnapshot {
    /// Cuts and signs a snapshot.
    pub fn sign(snapshot: &Snapshot, key: &DeviceKey) -> Self {
        let state = &snapshot.state;
        let bytes = snapshot.encode();
        let chunks: Vec<Vec<u8>> = bytes.chunks(CHUNK).map(<[u8]>::to_vec).collect();
        let checkpoint = Checkpoint {
            program: state.program_id(),
            epoch: state.epoch(),
            size: snapshot.frontier.size(),
            root: snapshot.frontier.root(),
        };
        let manifest = v1::SnapshotManifest {
            format: FORMAT,
            program_id: state.program_id().bytes().to_vec(),
            epoch_id: state.epoch().bytes().to_vec(),
            position: state.head().get(),
            state_hash: state.hash().bytes().to_vec(),
            checkpoint: checkpoint.sign(key),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            chunk_digests: chunks.iter().map(|chunk| Digest::of(chunk).bytes().to_vec()).collect(),
        };
        let manifest = manifest.encode_to_vec();
        let signature = key.sign(&manifest_bytes(&manifest));
        Self { id: Digest::of(&manifest), position: state.head(), chunks, manifest, signature }
    }
}

/// Checks what a new replica was given: the signatures of manifest and checkpoint by the log's key, the digest of every chunk, and
/// that the state, root and position that the chunks hold are those of manifest and checkpoint.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(
    program: ProgramId,
    log_key: &[u8; 32],
    manifest: &[u8],
    signature: &[u8],
    chunks: &[Vec<u8>],
) -> Result<Snapshot, SnapshotError> {
    let key = PublicKey::from_bytes(log_key).map_err(|error| wrong(error.to_string()))?;
    let signature = Signature::from_slice(signature).ok_or_else(|| wrong("its signature is not 64 bytes"))?;
    key.verify(&manifest_bytes(manifest), &signature)
        .map_err(|_| wrong("its manifest is not signed by the log's key"))?;
    let manifest = v1::SnapshotManifest::decode(manifest).map_err(|error| wrong(error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(wrong("it has a format that this release does not read"));
    }
    if manifest.chunk_digests.len() != chunks.len() {
        return Err(wrong("a chunk is missing"));
    }
    for (index, (chunk, digest)) in chunks.iter().zip(&manifest.chunk_digests).enumerate() {
        if Digest::of(chunk).bytes().as_slice() != digest.as_slice() {
            return Err(wrong(format!("chunk {index} is damaged")));
        }
    }
    let snapshot = Snapshot::decode(&chunks.concat())?;
    let state = &snapshot.state;
    let checkpoint =
        Checkpoint::verify(&manifest.checkpoint, program, &key).map_err(|error| wrong(error.to_string()))?;
    let root = (checkpoint.epoch, checkpoint.size, checkpoint.root);
    if root != (state.epoch(), snapshot.frontier.size(), snapshot.frontier.root()) {
        return Err(wrong("its Merkle root is not that of its checkpoint"));
    }
    if state.program_id() != program || state.log_key() != log_key {
        return Err(wrong("it is of another log"));
    }
    if manifest.position != state.head().get() || manifest.epoch_id != state.epoch().bytes() {
        return Err(wrong("its position is not that of its manifest"));
    }
    if manifest.state_hash != state.hash().bytes() {
        return Err(wrong("its state hash is not that of its manifest"));
    }
    Ok(snapshot)
}
