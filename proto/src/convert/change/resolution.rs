//! Decisions between the sides of a field.

use radslag_core::event::{Change, Standing};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EventId};

use super::edits::{Holds, holds};
use crate::convert::field::{read_field_ref, write_field_ref};
use crate::convert::id::{Id, ascending_ids, id, ids_bytes, optional_bytes, optional_id, order_key, real_id};
use crate::convert::{At, ConvertError, ensure, required, wrong};
use crate::event::v1 as wire;
use crate::event::v1::standing::Value;
use crate::limits::SETTLED_SIDES;

pub(super) fn read_conflict_resolved(m: &wire::ConflictResolved) -> Result<Change, ConvertError> {
    let entity = real_id(&m.entity_id).at("entity_id")?;
    let field = read_field_ref(m.field.as_ref()).at("field")?;
    let settles: Vec<EventId> = read_settles(&m.settles).at("settles")?;
    let take = read_take(&m.take, &settles).at("take")?;
    let stands = read_standing(m.stands.as_ref(), field, take.is_some()).at("stands")?;
    Ok(Change::ConflictResolved { entity, field, settles, take, stands })
}

fn read_settles(field: &[Vec<u8>]) -> Result<Vec<EventId>, ConvertError> {
    ensure(!field.is_empty(), "is empty")?;
    ensure(field.len() <= SETTLED_SIDES, "has more than 64 sides")?;
    ascending_ids(field)
}

fn read_take(bytes: &[u8], settles: &[EventId]) -> Result<Option<EventId>, ConvertError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let take = id(bytes)?;
    ensure(settles.contains(&take), "is not one of the settled sides")?;
    Ok(Some(take))
}

fn read_standing(
    stands: Option<&wire::Standing>,
    field: FieldKey,
    taken: bool,
) -> Result<Standing, ConvertError> {
    let value = required(stands.and_then(|stands| stands.value.as_ref()))?;
    let unfit = || Err(wrong("does not fit the field"));
    match value {
        Value::Sealed(_) if holds(field) != Holds::Sealed => unfit().at("sealed"),
        Value::Sealed(_) if taken => Err(wrong("stands beside a taken side")).at("sealed"),
        Value::Sealed(_) => Ok(Standing::Sealed),
        Value::SealedIn(_) if holds(field) != Holds::Sealed => unfit().at("sealed_in"),
        Value::SealedIn(_) if !taken => Err(wrong("stands without a taken side")).at("sealed_in"),
        Value::SealedIn(event) => id(event).at("sealed_in").map(Standing::SealedIn),
        Value::Cleared(_) if holds(field) == Holds::Own => unfit().at("cleared"),
        Value::Cleared(_) => Ok(Standing::Cleared),
        Value::PartyId(_) if holds(field) != Holds::Party => unfit().at("party_id"),
        Value::PartyId(party) => real_id(party).at("party_id").map(Standing::Party),
        Value::Place(_) if field != FieldKey::Place => unfit().at("place"),
        Value::Place(place) => read_place(place).at("place"),
        Value::Life(_) if field != FieldKey::Life => unfit().at("life"),
        Value::Life(life) => read_life(life).at("life"),
        Value::Responsible(_) if !matches!(field, FieldKey::Responsible(_)) => unfit().at("responsible"),
        Value::Responsible(yes) => Ok(Standing::Responsible(*yes)),
    }
}

fn read_place(place: &wire::Placement) -> Result<Standing, ConvertError> {
    Ok(Standing::Place {
        parent: real_id(&place.parent_id).at("parent_id")?,
        order_key: order_key(&place.order_key).at("order_key")?,
    })
}

fn read_life(life: &wire::LifeState) -> Result<Standing, ConvertError> {
    let merged_into = optional_id(&life.merged_into).at("merged_into")?;
    ensure(life.retired || merged_into.is_none(), "belongs to something retired").at("merged_into")?;
    Ok(Standing::Life { retired: life.retired, merged_into })
}

pub(super) fn write_conflict_resolved(
    entity: EntityId,
    field: FieldKey,
    settles: &[EventId],
    take: Option<EventId>,
    stands: &Standing,
) -> wire::ConflictResolved {
    wire::ConflictResolved {
        entity_id: entity.to_vec(),
        field: Some(write_field_ref(field)),
        settles: ids_bytes(settles),
        take: optional_bytes(take),
        stands: Some(wire::Standing { value: Some(write_standing(stands)) }),
    }
}

fn write_standing(stands: &Standing) -> Value {
    match stands {
        Standing::Sealed => Value::Sealed(wire::Sealed {}),
        Standing::SealedIn(event) => Value::SealedIn(event.to_vec()),
        Standing::Cleared => Value::Cleared(wire::Cleared {}),
        Standing::Party(party) => Value::PartyId(party.to_vec()),
        Standing::Place { parent, order_key } => {
            Value::Place(wire::Placement { parent_id: parent.to_vec(), order_key: order_key.clone() })
        }
        Standing::Life { retired, merged_into } => {
            Value::Life(wire::LifeState { retired: *retired, merged_into: optional_bytes(*merged_into) })
        }
        Standing::Responsible(yes) => Value::Responsible(*yes),
    }
}
