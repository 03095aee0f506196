//! The fields that entities have, by their numbers for ever.

use crate::id::EntityId;
use crate::value::Slot;

/// One field of an entity. Responsibility is one field per party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldKey {
    /// Title of the programme, an area, a sub-goal or an activity.
    Title,
    /// Main goal of an area.
    Goal,
    /// Comment on an activity.
    Comment,
    /// When an activity happens, as written.
    Time,
    /// What an activity costs.
    Cost,
    /// A party's name.
    Name,
    /// The party that leads an activity.
    Lead,
    /// The organisation that a person belongs to.
    Organisation,
    /// Parent and place among its children.
    Place,
    /// Part of the programme or retired.
    Life,
    /// Whether this party is responsible for the activity.
    Responsible(EntityId),
}

impl FieldKey {
    /// The number that is hashed, stored and sent. Never reused.
    pub const fn number(self) -> u16 {
        match self {
            Self::Title => 1,
            Self::Goal => 2,
            Self::Comment => 3,
            Self::Time => 4,
            Self::Cost => 5,
            Self::Name => 7,
            Self::Lead => 16,
            Self::Organisation => 17,
            Self::Place => 18,
            Self::Life => 19,
            Self::Responsible(_) => 20,
        }
    }

    /// The party of a responsibility, else sixteen zero bytes: the second half of the key when it is hashed.
    pub fn qualifier(self) -> EntityId {
        match self {
            Self::Responsible(party) => party,
            Self::Title
            | Self::Goal
            | Self::Comment
            | Self::Time
            | Self::Cost
            | Self::Name
            | Self::Lead
            | Self::Organisation
            | Self::Place
            | Self::Life => EntityId::default(),
        }
    }

    /// The field with this number and qualifier; none when there is no such field or a qualifier too many.
    pub fn from_number(number: u16, qualifier: EntityId) -> Option<Self> {
        let field = match number {
            1 => Self::Title,
            2 => Self::Goal,
            3 => Self::Comment,
            4 => Self::Time,
            5 => Self::Cost,
            7 => Self::Name,
            16 => Self::Lead,
            17 => Self::Organisation,
            18 => Self::Place,
            19 => Self::Life,
            20 if !qualifier.is_zero() => return Some(Self::Responsible(qualifier)),
            _ => return None,
        };
        qualifier.is_zero().then_some(field)
    }

    /// The slot under which the field's values travel; none for a field that is written in the clear.
    pub const fn slot(self) -> Option<Slot> {
        match self {
            Self::Title => Some(Slot::TITLE),
            Self::Goal => Some(Slot::GOAL),
            Self::Comment => Some(Slot::COMMENT),
            Self::Time => Some(Slot::TIME),
            Self::Cost => Some(Slot::COST),
            Self::Name => Some(Slot::NAME),
            Self::Lead | Self::Organisation | Self::Place | Self::Life | Self::Responsible(_) => None,
        }
    }

    /// The name in JSON and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Goal => "goal",
            Self::Comment => "comment",
            Self::Time => "time",
            Self::Cost => "cost",
            Self::Name => "name",
            Self::Lead => "lead",
            Self::Organisation => "organisation",
            Self::Place => "place",
            Self::Life => "life",
            Self::Responsible(_) => "responsible",
        }
    }
}
