//! One write of a field in a snapshot.

use radslag_core::event::Base;
use radslag_core::id::{DeviceSeq, EntityId, EpochId, EventId, Position};
use radslag_core::record::First;
use radslag_core::register::{Content, Write};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::{Slot, ValueRef};

use super::maybe_id;
use crate::convert::id::{Id, id, optional_bytes, order_key};
use crate::convert::{At, ConvertError, ensure, required, wrong};
use crate::log::v1 as wire;
use crate::log::v1::snapshot_write::Content as WireContent;

pub(super) fn encode(write: &Write) -> wire::SnapshotWrite {
    let other = |event: EventId| optional_bytes(Some(event).filter(|event| *event != write.event));
    let first =
        |first: First| wire::SnapshotFirst { epoch_id: first.epoch.to_vec(), position: first.position.get() };
    wire::SnapshotWrite {
        event_id: write.event.to_vec(),
        position: write.position.get(),
        class: other(write.class),
        date: write.date.days(),
        base_epoch: optional_bytes(Some(write.base.epoch).filter(|epoch| !epoch.is_zero())),
        base_position: write.base.position.get(),
        base_seq: write.base.seq.get(),
        device_id: write.device.to_vec(),
        device_seq: write.device_seq.get(),
        chain_from: write.chain_from.get(),
        first: write.first.map(first),
        take: optional_bytes(write.take),
        recorded_at: write.recorded_at.micros(),
        authored_at: write.authored_at.micros(),
        content: Some(match &write.content {
            Content::Sealed(at) => WireContent::Sealed(wire::SnapshotSealed {
                event_id: other(at.event),
                slot: at.slot.get().into(),
            }),
            Content::Cleared => WireContent::Cleared(true),
            Content::Party(party) => WireContent::Party(party.to_vec()),
            Content::Place { parent, order_key } => WireContent::Place(wire::SnapshotPlace {
                parent_id: parent.to_vec(),
                order_key: order_key.clone(),
            }),
            Content::Life { retired, merged_into } => WireContent::Life(wire::SnapshotLife {
                retired: *retired,
                merged_into: optional_bytes(*merged_into),
            }),
            Content::Responsible(responsible) => WireContent::Responsible(*responsible),
        }),
    }
}

pub(super) fn decode(write: &wire::SnapshotWrite) -> Result<Write, ConvertError> {
    let event: EventId = id(&write.event_id).at("event_id")?;
    let class: Option<EventId> = maybe_id(&write.class).at("class")?;
    let epoch: Option<EpochId> = maybe_id(&write.base_epoch).at("base_epoch")?;
    let date = CivilDate::from_days(write.date);
    Ok(Write {
        event,
        position: Position::new(write.position),
        class: class.unwrap_or(event),
        date: date.ok_or_else(|| wrong("is not a day")).at("date")?,
        base: Base {
            epoch: epoch.unwrap_or_default(),
            position: Position::new(write.base_position),
            seq: DeviceSeq::new(write.base_seq),
        },
        device: id(&write.device_id).at("device_id")?,
        device_seq: DeviceSeq::new(write.device_seq),
        chain_from: DeviceSeq::new(write.chain_from),
        first: write.first.as_ref().map(first).transpose().at("first")?,
        take: maybe_id(&write.take).at("take")?,
        content: content(write, event)?,
        recorded_at: Instant::from_micros(write.recorded_at),
        authored_at: Instant::from_micros(write.authored_at),
    })
}

fn first(first: &wire::SnapshotFirst) -> Result<First, ConvertError> {
    Ok(First { epoch: id(&first.epoch_id).at("epoch_id")?, position: Position::new(first.position) })
}

fn content(write: &wire::SnapshotWrite, own: EventId) -> Result<Content, ConvertError> {
    Ok(match required(write.content.as_ref()).at("content")? {
        WireContent::Sealed(sealed) => {
            let event: Option<EventId> = maybe_id(&sealed.event_id).at("event_id").at("sealed")?;
            let slot = u16::try_from(sealed.slot).ok().filter(|slot| *slot > 0);
            let slot = slot.ok_or_else(|| wrong("is not between 1 and 65535")).at("slot").at("sealed")?;
            Content::Sealed(ValueRef { event: event.unwrap_or(own), slot: Slot::new(slot) })
        }
        WireContent::Cleared(cleared) => {
            ensure(*cleared, "is false").at("cleared")?;
            Content::Cleared
        }
        WireContent::Party(party) => Content::Party(id(party).at("party")?),
        WireContent::Place(place) => Content::Place {
            parent: id(&place.parent_id).at("parent_id").at("place")?,
            order_key: order_key(&place.order_key).at("order_key").at("place")?,
        },
        WireContent::Life(life) => {
            let merged_into: Option<EntityId> = maybe_id(&life.merged_into).at("merged_into").at("life")?;
            Content::Life { retired: life.retired, merged_into }
        }
        WireContent::Responsible(responsible) => Content::Responsible(*responsible),
    })
}
