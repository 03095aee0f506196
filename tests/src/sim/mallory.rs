//! Somebody with an enrolled key who misbehaves: bundles that no good client would send.

use radslag_client::author::{Act, Chain, author};
use radslag_client::clock::Clock as _;
use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Base, Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceSeq, EntityId, EventId, Position};
use radslag_core::state::EntityKind;
use radslag_core::value::Slot;
use radslag_engine::ledger::Ledger;
use radslag_proto::api::v1 as api;
use radslag_proto::convert::bundle::{encode_bundle, encode_event};
use radslag_proto::convert::event::encode_body;
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;

use super::dice::SimIds;
use super::member::Member;

/// How many ways there are.
pub const WAYS: u8 = 8;

/// A bundle that tries something; none where there is nothing to try it on.
pub fn bundle(
    way: u8,
    pick: u16,
    me: &Member,
    published: &Ledger,
    ids: &SimIds,
    victim: &Member,
) -> Option<api::Bundle> {
    let settings = &me.replica.settings;
    let state = &published.state;
    let activity = state.entities().find(|(_, entity)| entity.kind == EntityKind::Activity)?.0;
    let head = Base { epoch: state.epoch(), position: state.head(), seq: DeviceSeq::ZERO };
    let fence = published.fences.of(settings.device);
    let chain = Chain { seq: fence.last_seq(), hash: fence.last_body() };
    let base = Base { seq: chain.seq, ..head };
    let write = |settings: &radslag_client::settings::Settings, base, chain, drafts| {
        author(settings, ids, me.clock.now(), base, chain, drafts, &Act::default(), false).ok()
    };
    let mut events = write(settings, base, chain, vec![draft(activity, pick), draft(activity, pick / 3)])?;
    let mut device = settings.device;
    match way % WAYS {
        // Numbers in the wrong order.
        0 => events.swap(0, 1),
        // It has seen what is not there yet.
        1 => {
            let ahead = Base { position: Position::new(state.head().get() + 100), ..base };
            events = write(settings, ahead, chain, vec![draft(activity, pick)])?;
        }
        // An id that is in use, with other bytes.
        2 => {
            let mut taken: Vec<EventId> = published.index.keys().copied().collect();
            taken.sort_unstable();
            let mut again = draft(activity, pick);
            again.event = Some(taken[usize::from(pick) % taken.len()]);
            events = write(settings, base, chain, vec![again])?;
        }
        // Another's device, signed with the own key.
        3 => {
            let theirs = &victim.replica.settings;
            let fence = published.fences.of(theirs.device);
            let chain = Chain { seq: fence.last_seq(), hash: fence.last_body() };
            events = write(theirs, Base { seq: chain.seq, ..head }, chain, vec![draft(activity, pick)])?;
            device = theirs.device;
        }
        // Another's waiting event in an own bundle.
        4 => events = victim.replica.outbox.first().map(|event| vec![event.clone()])?,
        // A text that is not the one that was signed.
        5 => events[0].values.first_mut()?.bytes.push(b'!'),
        // A body that nobody can read.
        6 => {
            events[0].bytes = encode_body(&events[0].body).ok()?.into_iter().rev().collect();
            events[0].hash = Digest::of(&events[0].bytes);
        }
        // Nothing wrong, but it looked long ago.
        _ => {
            let seen = Position::new(state.head().get() / 2);
            let old = Base { position: seen, seq: DeviceSeq::ZERO, ..base };
            events = write(settings, old, chain, vec![draft(activity, pick)])?;
        }
    }
    let hashes: Vec<Digest> = events.iter().map(|event| event.hash).collect();
    let signature = sign_bundle(&DeviceKey::from_seed(me.seed), settings.program, device, &hashes);
    let events = events.iter().map(|event| encode_event(event.bytes.clone(), &event.values)).collect();
    Some(encode_bundle(settings.program, device, signature.bytes(), events))
}

/// A copied disk whose client goes on after it was told: everything after its first waiting event.
pub fn goes_on(copy: &Member) -> Option<api::Bundle> {
    let replica = &copy.replica;
    (copy.forked && replica.outbox.len() > 1).then(|| replica.bundle(1..replica.outbox.len()).ok())?
}

fn draft(activity: EntityId, pick: u16) -> Draft {
    let (field, slot) = if pick.is_multiple_of(2) {
        (FieldKey::Comment, Slot::COMMENT)
    } else {
        (FieldKey::Title, Slot::TITLE)
    };
    let revised = Change::FieldRevised { entity: activity, field, value: NewValue::Sealed };
    Draft::new(revised).with_text(slot, if pick.is_multiple_of(3) { "Möte" } else { "Annat möte" })
}
