//! Authoring: a draft gets its envelope, its salts and its digests, and is encoded once and for all.

use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Base, EventBody, Group, ValueDigest};
use radslag_core::id::{DeviceSeq, EventId, GroupId};
use radslag_core::time::Instant;
use radslag_core::value::{Slot, Value};
use radslag_core::verdict::Refusal;
use radslag_engine::check::event_size;
use radslag_engine::clock::IdSource;
use radslag_proto::convert::event::encode_body;
use radslag_proto::limits;
use radslag_trust::value::value_digest;

use crate::error::ClientError;
use crate::settings::Settings;

/// An event as it waits in an outbox: signed only when it is pushed.
#[derive(Clone, Debug)]
pub struct Authored {
    /// What it says.
    pub body: EventBody,
    /// Its bytes, for ever.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub hash: Digest,
    /// The values beside them.
    pub values: Vec<Value>,
}

impl Authored {
    /// Bytes of body and values.
    pub fn size(&self) -> usize {
        event_size(&self.bytes, &self.values)
    }
}

/// The end of a device's chain, where the next event goes on.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// The number of the last event.
    pub seq: DeviceSeq,
    /// SHA-256 of its body.
    pub hash: Digest,
}

/// What all events of one act share.
#[derive(Clone, Debug, Default)]
pub struct Act {
    /// Why.
    pub reason: Option<String>,
    /// Which decision.
    pub decision: Option<String>,
}

/// Gives drafts their envelopes, one after another; more than one become a group where `grouped`.
///
/// # Errors
/// An event or a group is over its limit.
#[allow(clippy::too_many_arguments, reason = "everything that an envelope is made of, once")]
pub fn author(
    settings: &Settings,
    ids: &dyn IdSource,
    now: Instant,
    base: Base,
    chain: Chain,
    drafts: Vec<Draft>,
    act: &Act,
    grouped: bool,
) -> Result<Vec<Authored>, ClientError> {
    let size = drafts.len();
    let group = (grouped && size > 1).then(|| GroupId::new(ids.random_id()));
    if group.is_some() {
        over("the number of changes that belong together", size, limits::GROUP_MAX as usize)?;
    }
    let mut chain = chain;
    let mut authored = Vec::with_capacity(size);
    for (index, draft) in drafts.into_iter().enumerate() {
        let group = group.map(|id| Group {
            id,
            index: u32::try_from(index).expect("a group has at most 500 members"),
            size: u32::try_from(size).expect("a group has at most 500 members"),
        });
        let event = seal(settings, ids, now, base, chain, draft, act, group)?;
        chain = Chain { seq: event.body.device_seq, hash: event.hash };
        authored.push(event);
    }
    if group.is_some() {
        over("what belongs together", authored.iter().map(Authored::size).sum(), limits::GROUP_BYTES)?;
    }
    Ok(authored)
}

/// Whether every group among these events is within its limits.
///
/// # Errors
/// One is over a limit.
pub(crate) fn check_group(events: &[Authored]) -> Result<(), ClientError> {
    for first in events.iter().filter(|event| event.body.group.is_some_and(|group| group.index == 0)) {
        let id = first.body.group.map(|group| group.id);
        let members = || events.iter().filter(|event| event.body.group.map(|group| group.id) == id);
        over("the number of changes that belong together", members().count(), limits::GROUP_MAX as usize)?;
        over("what belongs together", members().map(Authored::size).sum(), limits::GROUP_BYTES)?;
    }
    Ok(())
}

fn over(what: &'static str, size: usize, limit: usize) -> Result<(), ClientError> {
    if size > limit { Err(ClientError::TooLarge { what, size, limit }) } else { Ok(()) }
}

#[allow(clippy::too_many_arguments, reason = "everything that an envelope is made of, once")]
pub(crate) fn seal(
    settings: &Settings,
    ids: &dyn IdSource,
    now: Instant,
    base: Base,
    chain: Chain,
    draft: Draft,
    act: &Act,
    group: Option<Group>,
) -> Result<Authored, ClientError> {
    let event_id = draft.event.unwrap_or_else(|| EventId::new(ids.event_id(now)));
    let mut typed = draft.values;
    typed.extend(act.reason.iter().map(|text| (Slot::REASON, text.as_bytes().to_vec())));
    typed.extend(act.decision.iter().map(|text| (Slot::DECISION, text.as_bytes().to_vec())));
    typed.sort_by_key(|(slot, _)| *slot);
    let values: Vec<Value> =
        typed.into_iter().map(|(slot, bytes)| Value { slot, salt: ids.random16(), bytes }).collect();
    let digest = |value: &Value| ValueDigest {
        slot: value.slot,
        digest: value_digest(settings.program, event_id, value.slot, &value.salt, &value.bytes),
    };
    let body = EventBody {
        event_id,
        program_id: settings.program,
        actor_id: settings.member,
        org_id: settings.org.clone(),
        device_id: settings.device,
        device_seq: chain.seq.next(),
        prev: chain.hash,
        base,
        authored_at: now,
        effective_on: draft.effective_on,
        group,
        expect: draft.expect,
        kind: draft.change.kind().unwrap_or_default().to_owned(),
        schema_version: 1,
        must_understand: false,
        digests: values.iter().map(digest).collect(),
        change: draft.change,
    };
    let bytes = encode_body(&body)
        .map_err(|error| ClientError::WouldBeRefused(Box::new(Refusal::Undecodable(error.to_string()))))?;
    let hash = Digest::of(&bytes);
    let authored = Authored { body, bytes, hash, values };
    over("the change with its texts", authored.size(), limits::EVENT_BYTES)?;
    Ok(authored)
}
