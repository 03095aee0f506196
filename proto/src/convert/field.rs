//! Enumerations with an unspecified zero: fields, party kinds, authorities, outcomes.

use radslag_core::event::{Authority, PartyKind};
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;

use super::id::{Id, optional_id};
use super::{At, ConvertError, ensure, required, wrong};
use crate::event::v1 as wire;
use crate::log::v1 as log;

/// What became of an event, without what the log keeps of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rules took it.
    Accepted,
    /// The rules declined it.
    Rejected,
}

/// The message's name for a field; a responsibility's party goes beside it.
pub const fn field_to_wire(field: FieldKey) -> wire::Field {
    match field {
        FieldKey::Title => wire::Field::Title,
        FieldKey::Goal => wire::Field::Goal,
        FieldKey::Comment => wire::Field::Comment,
        FieldKey::Time => wire::Field::Time,
        FieldKey::Cost => wire::Field::Cost,
        FieldKey::Name => wire::Field::Name,
        FieldKey::Lead => wire::Field::Lead,
        FieldKey::Organisation => wire::Field::Organisation,
        FieldKey::Place => wire::Field::Place,
        FieldKey::Life => wire::Field::Life,
        FieldKey::Responsible(_) => wire::Field::Responsible,
    }
}

/// Reads a field and the party that a responsibility, and nothing else, has.
pub fn field_from_wire(number: i32, party: Option<EntityId>) -> Result<FieldKey, ConvertError> {
    let named = wire::Field::try_from(number).map_err(|_| wrong("is not a field")).at("field")?;
    let key = match named {
        wire::Field::Unspecified => return Err(wrong("is missing")).at("field"),
        wire::Field::Title => FieldKey::Title,
        wire::Field::Goal => FieldKey::Goal,
        wire::Field::Comment => FieldKey::Comment,
        wire::Field::Time => FieldKey::Time,
        wire::Field::Cost => FieldKey::Cost,
        wire::Field::Name => FieldKey::Name,
        wire::Field::Lead => FieldKey::Lead,
        wire::Field::Organisation => FieldKey::Organisation,
        wire::Field::Place => FieldKey::Place,
        wire::Field::Life => FieldKey::Life,
        wire::Field::Responsible => {
            let party = required(party).at("party_id")?;
            ensure(!party.is_zero(), "is all zeros").at("party_id")?;
            return Ok(FieldKey::Responsible(party));
        }
    };
    ensure(party.is_none(), "belongs to responsibilities only").at("party_id")?;
    Ok(key)
}

pub(crate) fn read_field_ref(field: Option<&wire::FieldRef>) -> Result<FieldKey, ConvertError> {
    let field = required(field)?;
    field_from_wire(field.field, optional_id(&field.party_id).at("party_id")?)
}

pub(crate) fn write_field_ref(field: FieldKey) -> wire::FieldRef {
    let party_id = match field {
        FieldKey::Responsible(party) => party.to_vec(),
        FieldKey::Title
        | FieldKey::Goal
        | FieldKey::Comment
        | FieldKey::Time
        | FieldKey::Cost
        | FieldKey::Name
        | FieldKey::Lead
        | FieldKey::Organisation
        | FieldKey::Place
        | FieldKey::Life => Vec::new(),
    };
    wire::FieldRef { field: field_to_wire(field).into(), party_id }
}

/// The message's name for a kind of party.
pub const fn party_kind_to_wire(kind: PartyKind) -> wire::PartyKind {
    match kind {
        PartyKind::Municipality => wire::PartyKind::Municipality,
        PartyKind::Collective => wire::PartyKind::Collective,
        PartyKind::Organisation => wire::PartyKind::Organisation,
        PartyKind::Network => wire::PartyKind::Network,
        PartyKind::RoleGroup => wire::PartyKind::RoleGroup,
        PartyKind::Project => wire::PartyKind::Project,
        PartyKind::Person => wire::PartyKind::Person,
    }
}

/// Reads a kind of party.
pub fn party_kind_from_wire(number: i32) -> Result<PartyKind, ConvertError> {
    match wire::PartyKind::try_from(number).map_err(|_| wrong("is not a kind of party"))? {
        wire::PartyKind::Unspecified => Err(wrong("is missing")),
        wire::PartyKind::Municipality => Ok(PartyKind::Municipality),
        wire::PartyKind::Collective => Ok(PartyKind::Collective),
        wire::PartyKind::Organisation => Ok(PartyKind::Organisation),
        wire::PartyKind::Network => Ok(PartyKind::Network),
        wire::PartyKind::RoleGroup => Ok(PartyKind::RoleGroup),
        wire::PartyKind::Project => Ok(PartyKind::Project),
        wire::PartyKind::Person => Ok(PartyKind::Person),
    }
}

/// The message's name for an authority.
pub const fn authority_to_wire(authority: Authority) -> wire::Authority {
    match authority {
        Authority::Open => wire::Authority::Open,
        Authority::Invite => wire::Authority::Invite,
        Authority::Steward => wire::Authority::Steward,
    }
}

/// Reads an authority.
pub fn authority_from_wire(number: i32) -> Result<Authority, ConvertError> {
    match wire::Authority::try_from(number).map_err(|_| wrong("is not an authority"))? {
        wire::Authority::Unspecified => Err(wrong("is missing")),
        wire::Authority::Open => Ok(Authority::Open),
        wire::Authority::Invite => Ok(Authority::Invite),
        wire::Authority::Steward => Ok(Authority::Steward),
    }
}

/// The message's name for an outcome.
pub const fn outcome_to_wire(outcome: Outcome) -> log::Outcome {
    match outcome {
        Outcome::Accepted => log::Outcome::Accepted,
        Outcome::Rejected => log::Outcome::Rejected,
    }
}

/// Reads an outcome.
pub fn outcome_from_wire(number: i32) -> Result<Outcome, ConvertError> {
    match log::Outcome::try_from(number).map_err(|_| wrong("is not an outcome"))? {
        log::Outcome::Unspecified => Err(wrong("is missing")),
        log::Outcome::Accepted => Ok(Outcome::Accepted),
        log::Outcome::Rejected => Ok(Outcome::Rejected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_the_same_number_in_messages_and_hashes() {
        let party = EntityId::new(uuid::Uuid::from_u128(7));
        for number in 0..40_u16 {
            for qualifier in [None, Some(party)] {
                let hashed = FieldKey::from_number(number, qualifier.unwrap_or_default());
                assert_eq!(
                    field_from_wire(i32::from(number), qualifier).ok(),
                    hashed,
                    "{number} {qualifier:?}"
                );
                let back = hashed.map(|key| i32::from(field_to_wire(key)));
                assert_eq!(back, hashed.map(|_| i32::from(number)));
            }
        }
    }

    #[test]
    fn every_named_number_reads_back_and_zero_never_does() {
        for number in 1..=7 {
            assert_eq!(i32::from(party_kind_to_wire(party_kind_from_wire(number).unwrap())), number);
        }
        for number in 1..=3 {
            assert_eq!(i32::from(authority_to_wire(authority_from_wire(number).unwrap())), number);
        }
        for number in 1..=2 {
            assert_eq!(i32::from(outcome_to_wire(outcome_from_wire(number).unwrap())), number);
        }
        for number in [-1, 0, 8] {
            assert!(party_kind_from_wire(number).is_err());
            assert!(authority_from_wire(number).is_err());
            assert!(outcome_from_wire(number).is_err());
        }
    }
}
