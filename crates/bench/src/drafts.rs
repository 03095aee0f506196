//! What writers write: additions and edits, as drafts.

use radslag_core::command::Draft;
use radslag_core::event::{Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::EntityId;
use radslag_core::parse::cost::parse_cost;
use radslag_core::value::Slot;
use radslag_engine::clock::{IdSource as _, SystemIds};

use crate::Failed;

/// A comment as people write them.
const COMMENT: &str = "Avstämning med näringslivscheferna i april; underlag skickas ut två veckor i förväg.";

/// An id that nothing has yet.
pub(crate) fn fresh() -> EntityId {
    EntityId::new(SystemIds.random_id())
}

/// What is edited of an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Comment,
    Title,
    Time,
    Cost,
    Responsible(EntityId),
}

impl Subject {
    /// An edit of it; each version says something else.
    pub(crate) fn draft(self, activity: EntityId, version: u64) -> Result<Draft, Failed> {
        let revised = |field, value| Draft::new(Change::FieldRevised { entity: activity, field, value });
        let sealed = |field| revised(field, NewValue::Sealed);
        Ok(match self {
            Self::Comment => {
                sealed(FieldKey::Comment).with_text(Slot::COMMENT, &format!("{COMMENT} Version {version}."))
            }
            Self::Title => sealed(FieldKey::Title).with_text(Slot::TITLE, &format!("Aktivitet {version}")),
            Self::Time => sealed(FieldKey::Time).with_text(Slot::TIME, &format!("vecka {version}")),
            Self::Cost => {
                let cost = parse_cost(&format!("{version} kr"))?;
                sealed(FieldKey::Cost).with_value(Slot::COST, cost.to_value_bytes())
            }
            Self::Responsible(party) => Draft::new(match version % 2 {
                0 => Change::ResponsibleAssigned { activity, party },
                _ => Change::ResponsibleUnassigned { activity, party },
            }),
        })
    }
}

/// A new activity.
pub(crate) fn activity_added(activity: EntityId, subgoal: EntityId) -> Draft {
    let added = Change::ActivityAdded {
        activity,
        subgoal,
        order_key: "i".to_owned(),
        responsible: Vec::new(),
        lead: None,
        source: None,
    };
    Draft::new(added).with_text(Slot::TITLE, "Gemensamma företagsbesök")
}
