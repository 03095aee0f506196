//! What can be said of a pushed bundle before the writer sees it: is it authentic, readable, within the limits?
//!
//! This runs off the writer, on whichever core is free: one signature for the bundle, one digest for each value.

use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};

use radslag_core::digest::Digest;
use radslag_core::event::{Change, EventBody};
use radslag_core::id::{DeviceId, ProgramId};
use radslag_core::record::First;
use radslag_core::value::Value;
use radslag_core::verdict::Refusal;
use radslag_proto::convert::bundle::{PushedBundle, PushedEvent};
use radslag_proto::convert::event::decode_body;
use radslag_proto::limits;
use radslag_trust::bundle::verify_bundle;
use radslag_trust::keys::{KeyError, PublicKey, Signature};
use radslag_trust::value::check_values;

use crate::proof::Proofs;

/// An event whose body reads and whose values match.
#[derive(Clone, Debug)]
pub struct CheckedEvent {
    /// What the author said.
    pub body: EventBody,
    /// The bytes that were signed.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub hash: Digest,
    /// The values beside them.
    pub values: Vec<Value>,
    /// Its index among all members of the bundle.
    pub index: usize,
    /// Where it is proved to have stood before a restore.
    pub stood: Option<First>,
}

impl CheckedEvent {
    /// Bytes of body and values.
    pub fn size(&self) -> usize {
        event_size(&self.bytes, &self.values)
    }
}

/// Bytes of a body and its values, as the limits count them.
pub fn event_size(body: &[u8], values: &[Value]) -> usize {
    body.len() + values.iter().map(|value| value.bytes.len() + value.salt.len()).sum::<usize>()
}

/// A bundle whose signature is right.
#[derive(Clone, Debug)]
pub struct CheckedBundle {
    /// The programme.
    pub program: ProgramId,
    /// The device that signed.
    pub device: DeviceId,
    /// The key it signed with.
    pub key: [u8; 32],
    /// The signature.
    pub signature: Signature,
    /// SHA-256 of every member's body, in order, also of those that are not handed in.
    pub hashes: Vec<Digest>,
    /// The events in order, up to and including the first that is refused.
    pub events: Vec<Result<CheckedEvent, Refusal>>,
}

/// Keys of devices that were decoded before: that takes a fifth as long as checking a signature.
#[derive(Debug, Default)]
pub struct Keys(RwLock<HashMap<[u8; 32], PublicKey>>);

impl Keys {
    /// So many devices do not write in a year; after that it begins anew.
    const MOST: usize = 10_000;

    /// The key of an enrolled device.
    ///
    /// # Errors
    /// The bytes are no key.
    fn enrolled(&self, bytes: &[u8; 32]) -> Result<PublicKey, KeyError> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(bytes).copied();
        if let Some(key) = known {
            return Ok(key);
        }
        let key = PublicKey::from_bytes(bytes)?;
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= Self::MOST {
            keys.clear();
        }
        keys.insert(*bytes, key);
        Ok(key)
    }
}

/// Checks a bundle. `enrolled` is the device's key in the log, if it has one; else the bundle must begin with the event
/// that brings it. `log_key` is the key that signs checkpoints.
///
/// # Errors
/// The refusal of the bundle as a whole: then nothing in it is authentic.
pub fn check_bundle(
    bundle: PushedBundle,
    enrolled: Option<[u8; 32]>,
    log_key: &[u8; 32],
    keys: &Keys,
) -> Result<CheckedBundle, Refusal> {
    let size = bundle.events.len() + bundle.absent.len();
    over("a push", size, limits::PUSH_EVENTS)?;
    let sizes = bundle.events.iter().map(|e| event_size(&e.body_bytes, e.values.as_deref().unwrap_or(&[])));
    over("the push's bytes", sizes.sum(), limits::PUSH_BYTES)?;
    let public = match enrolled {
        Some(key) => keys.enrolled(&key),
        None => {
            let key = introduced_key(&bundle);
            let unknown = || Refusal::DeviceNotEnrolled { device: bundle.device.to_string() };
            PublicKey::from_bytes(&key.ok_or_else(unknown)?)
        }
    };
    let public = public.map_err(|error| Refusal::KeyUnfit(error.to_string()))?;
    let (hashes, indexes) = members(&bundle)?;
    let signature = Signature::new(bundle.signature);
    verify_bundle(&public, bundle.program, bundle.device, &hashes, &signature)
        .map_err(|_| Refusal::BadSignature { device: bundle.device.to_string() })?;
    let proofs = Proofs::read(&bundle, log_key)?;
    let mut events = Vec::with_capacity(bundle.events.len());
    for (event, index) in bundle.events.into_iter().zip(indexes) {
        let stood = event.stood.clone();
        let checked = check_event(bundle.program, bundle.device, event, hashes[index]).and_then(|checked| {
            let stood = stood.map(|stood| proofs.check(&stood, &checked, &signature)).transpose()?;
            Ok(CheckedEvent { index, stood, ..checked })
        });
        let refused = checked.is_err();
        events.push(checked);
        if refused {
            break;
        }
    }
    let key = *public.bytes();
    Ok(CheckedBundle { program: bundle.program, device: bundle.device, key, signature, hashes, events })
}

/// The hashes of all members of a bundle, and the indexes of those that are handed in.
fn members(bundle: &PushedBundle) -> Result<(Vec<Digest>, Vec<usize>), Refusal> {
    let mut absent = bundle.absent.iter().peekable();
    let mut present = bundle.events.iter();
    let (mut hashes, mut indexes) = (Vec::new(), Vec::new());
    for index in 0..bundle.events.len() + bundle.absent.len() {
        if let Some((_, hash)) = absent.next_if(|(at, _)| usize::try_from(*at) == Ok(index)) {
            hashes.push(*hash);
        } else if let Some(event) = present.next() {
            hashes.push(Digest::of(&event.body_bytes));
            indexes.push(index);
        } else {
            return Err(Refusal::BadSignature { device: bundle.device.to_string() });
        }
    }
    Ok((hashes, indexes))
}

fn over(what: &'static str, size: usize, limit: usize) -> Result<(), Refusal> {
    if size > limit { Err(Refusal::OverLimit { what, size, limit }) } else { Ok(()) }
}

/// The key that the bundle's first event brings for the bundle's own device.
fn introduced_key(bundle: &PushedBundle) -> Option<[u8; 32]> {
    let body = decode_body(&bundle.events.first()?.body_bytes).ok()?;
    if body.device_id != bundle.device {
        return None;
    }
    key_in(&body)
}

/// The key that an event brings for the device that wrote it.
pub fn key_in(body: &EventBody) -> Option<[u8; 32]> {
    match &body.change {
        Change::ProgramCreated { device_key, .. } => Some(*device_key),
        Change::DeviceEnrolled { device_id, public_key, .. } if *device_id == body.device_id => {
            Some(*public_key)
        }
        _ => None,
    }
}

/// Checks one event of a bundle whose signature is right.
///
/// # Errors
/// Why it is refused.
pub fn check_event(
    program: ProgramId,
    device: DeviceId,
    event: PushedEvent,
    hash: Digest,
) -> Result<CheckedEvent, Refusal> {
    let values = event.values.map_err(|error| Refusal::ValueMismatch(error.to_string()))?;
    over("the event", event_size(&event.body_bytes, &values), limits::EVENT_BYTES)?;
    let body = decode_body(&event.body_bytes).map_err(|error| Refusal::Undecodable(error.to_string()))?;
    if body.program_id != program {
        return Err(Refusal::WrongProgram(body.program_id.to_string()));
    }
    if body.device_id != device {
        return Err(Refusal::BadSignature { device: body.device_id.to_string() });
    }
    check_values(program, body.event_id, &body.digests, &values)
        .map_err(|error| Refusal::ValueMismatch(error.to_string()))?;
    if let Some(key) = key_in(&body) {
        PublicKey::from_bytes(&key).map_err(|error| Refusal::KeyUnfit(error.to_string()))?;
    }
    Ok(CheckedEvent { body, bytes: event.body_bytes, hash, values, index: 0, stood: None })
}

/// How many events from the first on belong together: one, or a whole group.
///
/// # Errors
/// The group is not complete, not in order or over its limit.
pub fn unit_length(events: &[Result<CheckedEvent, Refusal>]) -> Result<usize, Refusal> {
    let Some(Ok(first)) = events.first() else { return Ok(1) };
    let Some(group) = first.body.group else { return Ok(1) };
    let size = usize::try_from(group.size).unwrap_or(usize::MAX);
    // A member that was refused ends the list; its reason says more than that the rest is missing.
    if let Some(Err(refusal)) = events.iter().take(size).find(|event| event.is_err()) {
        return Err(refusal.clone());
    }
    let members =
        events.get(..size).ok_or_else(|| Refusal::GroupIncomplete("members are missing".to_owned()))?;
    let mut bytes = 0;
    let mut ids = BTreeSet::new();
    for (index, member) in members.iter().enumerate() {
        let member = member.as_ref().map_err(Clone::clone)?;
        let fits = member.body.group.is_some_and(|place| {
            place.id == group.id && place.size == group.size && usize::try_from(place.index) == Ok(index)
        });
        if !fits || !ids.insert(member.body.event_id) {
            return Err(Refusal::GroupIncomplete(format!("member {index} is not where it belongs")));
        }
        bytes += member.size();
    }
    over("the group", bytes, limits::GROUP_BYTES)?;
    Ok(size)
}
