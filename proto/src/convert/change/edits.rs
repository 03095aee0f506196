//! Changes to what is there: fields, responsibilities, places, life.

use radslag_core::event::{Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;

use crate::convert::field::{field_from_wire, field_to_wire};
use crate::convert::id::{Id, optional_bytes, optional_id, order_key, real_id};
use crate::convert::{At, ConvertError, ensure, required, wrong};
use crate::event::v1 as wire;
use crate::event::v1::new_value::Value;

/// What a plain revision may set a field to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A value beside the body.
    Sealed,
    /// A party.
    Party,
    /// What its own kind of change writes.
    Own,
}

pub(super) const fn holds(field: FieldKey) -> Holds {
    match field {
        FieldKey::Title
        | FieldKey::Goal
        | FieldKey::Comment
        | FieldKey::Time
        | FieldKey::Cost
        | FieldKey::Name => Holds::Sealed,
        FieldKey::Lead | FieldKey::Organisation => Holds::Party,
        FieldKey::Place | FieldKey::Life | FieldKey::Responsible(_) => Holds::Own,
    }
}

pub(super) fn read_field_revised(m: &wire::FieldRevised) -> Result<Change, ConvertError> {
    let entity = real_id(&m.entity_id).at("entity_id")?;
    let revised = wire::Field::try_from(m.field);
    ensure(revised != Ok(wire::Field::Responsible), "is not revised but assigned").at("field")?;
    let field = field_from_wire(m.field, None)?;
    let holds = holds(field);
    ensure(holds != Holds::Own, "has a kind of change of its own").at("field")?;
    let value = read_new_value(m.value.as_ref(), holds).at("value")?;
    Ok(Change::FieldRevised { entity, field, value })
}

fn read_new_value(value: Option<&wire::NewValue>, holds: Holds) -> Result<NewValue, ConvertError> {
    match required(value.and_then(|value| value.value.as_ref()))? {
        Value::Cleared(_) => Ok(NewValue::Cleared),
        Value::Sealed(_) if holds == Holds::Sealed => Ok(NewValue::Sealed),
        Value::PartyId(party) if holds == Holds::Party => real_id(party).at("party_id").map(NewValue::Party),
        Value::Sealed(_) => Err(wrong("does not fit the field")).at("sealed"),
        Value::PartyId(_) => Err(wrong("does not fit the field")).at("party_id"),
    }
}

pub(super) fn write_field_revised(entity: EntityId, field: FieldKey, value: NewValue) -> wire::FieldRevised {
    let value = match value {
        NewValue::Sealed => Value::Sealed(wire::Sealed {}),
        NewValue::Cleared => Value::Cleared(wire::Cleared {}),
        NewValue::Party(party) => Value::PartyId(party.to_vec()),
    };
    wire::FieldRevised {
        entity_id: entity.to_vec(),
        field: field_to_wire(field).into(),
        value: Some(wire::NewValue { value: Some(value) }),
    }
}

pub(super) fn read_responsible_assigned(m: &wire::ResponsibleAssigned) -> Result<Change, ConvertError> {
    Ok(Change::ResponsibleAssigned {
        activity: real_id(&m.activity_id).at("activity_id")?,
        party: real_id(&m.party_id).at("party_id")?,
    })
}

pub(super) fn write_responsible_assigned(activity: EntityId, party: EntityId) -> wire::ResponsibleAssigned {
    wire::ResponsibleAssigned { activity_id: activity.to_vec(), party_id: party.to_vec() }
}

pub(super) fn read_responsible_unassigned(m: &wire::ResponsibleUnassigned) -> Result<Change, ConvertError> {
    Ok(Change::ResponsibleUnassigned {
        activity: real_id(&m.activity_id).at("activity_id")?,
        party: real_id(&m.party_id).at("party_id")?,
    })
}

pub(super) fn write_responsible_unassigned(
    activity: EntityId,
    party: EntityId,
) -> wire::ResponsibleUnassigned {
    wire::ResponsibleUnassigned { activity_id: activity.to_vec(), party_id: party.to_vec() }
}

pub(super) fn read_placed(m: &wire::Placed) -> Result<Change, ConvertError> {
    Ok(Change::Placed {
        entity: real_id(&m.entity_id).at("entity_id")?,
        parent: real_id(&m.parent_id).at("parent_id")?,
        order_key: order_key(&m.order_key).at("order_key")?,
    })
}

pub(super) fn write_placed(entity: EntityId, parent: EntityId, order_key: &str) -> wire::Placed {
    wire::Placed { entity_id: entity.to_vec(), parent_id: parent.to_vec(), order_key: order_key.to_owned() }
}

pub(super) fn read_retired(m: &wire::Retired) -> Result<Change, ConvertError> {
    Ok(Change::Retired {
        entity: real_id(&m.entity_id).at("entity_id")?,
        merged_into: optional_id(&m.merged_into).at("merged_into")?,
    })
}

pub(super) fn write_retired(entity: EntityId, merged_into: Option<EntityId>) -> wire::Retired {
    wire::Retired { entity_id: entity.to_vec(), merged_into: optional_bytes(merged_into) }
}

pub(super) fn read_restored(m: &wire::Restored) -> Result<Change, ConvertError> {
    Ok(Change::Restored { entity: real_id(&m.entity_id).at("entity_id")? })
}

pub(super) fn write_restored(entity: EntityId) -> wire::Restored {
    wire::Restored { entity_id: entity.to_vec() }
}
