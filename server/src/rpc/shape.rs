//! Views and writes as messages of the api: ids as text, values looked up, names of members beside their ids.

use std::cell::RefCell;
use std::collections::BTreeMap;

use radslag_core::diff;
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, EntityId, EventId, MemberId, OrgId};
use radslag_core::parse::cost::Cost;
use radslag_core::register::{Content, Write};
use radslag_core::report::Told;
use radslag_core::state::{Baseline, State};
use radslag_core::time::CivilDate;
use radslag_core::value::{Slot, ValueRef, Values};
use radslag_core::view::{
    self, ActivityView, AreaView, CostSum, FieldValue, PartyView, Standing, SubgoalView, VIEW_VERSION, Weight,
};
use radslag_engine::read::Reading;
use radslag_proto::api::v1 as api;
use radslag_proto::convert::field::{field_to_wire, party_kind_to_wire};
use radslag_proto::convert::time::timestamp;
use radslag_proto::event::v1 as event;

/// A programme at a point, being put into messages.
pub(super) struct Shape<'a> {
    state: &'a State,
    values: &'a dyn Values,
    day: CivilDate,
    // Few people write much; each name is read from the store once.
    names: RefCell<BTreeMap<MemberId, String>>,
}

/// The number of a field in messages.
pub(super) fn field(key: FieldKey) -> i32 {
    field_to_wire(key).into()
}

/// The party of a responsibility in messages; empty for every other field.
pub(super) fn party_of(key: FieldKey) -> String {
    if key.qualifier().is_zero() { String::new() } else { key.qualifier().to_string() }
}

fn standing(standing: Standing) -> i32 {
    let standing = match standing {
        Standing::InForce => api::Standing::InForce,
        Standing::NotYet(_) => api::Standing::NotYet,
        Standing::Retired => api::Standing::Retired,
    };
    standing.into()
}

/// The day from which something applies; empty where it does already, or no more.
fn in_force_from(standing: Standing) -> String {
    if let Standing::NotYet(from) = standing { from.to_string() } else { String::new() }
}

impl<'a> Shape<'a> {
    /// A programme as it reads there.
    pub(super) fn new(reading: &'a Reading, values: &'a dyn Values) -> Self {
        // Before the first record there is nothing that a day could change.
        let day = reading.day.unwrap_or(CivilDate::FIRST);
        Self { state: &reading.state, values, day, names: RefCell::default() }
    }

    /// The day that values are shown for.
    pub(super) const fn day(&self) -> CivilDate {
        self.day
    }

    /// The state behind it.
    pub(super) const fn state(&self) -> &'a State {
        self.state
    }

    /// The whole programme.
    pub(super) fn program(&self) -> api::Program {
        let view = self.view();
        let conflicts = view::conflicts_at(self.state, self.day);
        api::Program {
            program_id: self.state.program_id().to_string(),
            areas: view.areas.iter().map(area).collect(),
            parties: view.parties.iter().map(party).collect(),
            conflicts: conflicts.iter().map(|conflict| self.conflict(conflict)).collect(),
            cost: Some(cost_sum(&view.cost)),
            state_hash: self.state.hash().to_string(),
            baselines: self.state.baselines().iter().map(|baseline| self.baseline(baseline)).collect(),
            title: view.title,
        }
    }

    /// The view behind the messages.
    pub(super) fn view(&self) -> view::ProgramView {
        view::program(self.state, self.values, self.day)
    }

    fn conflict(&self, conflict: &view::Conflict<'_>) -> api::Conflict {
        let weight = match conflict.weight {
            Weight::Low => api::Weight::Low,
            Weight::Medium => api::Weight::Medium,
            Weight::High => api::Weight::High,
        };
        api::Conflict {
            conflict_id: conflict.id.to_string(),
            entity_id: conflict.entity.to_string(),
            title: self.title(conflict.entity),
            field: field(conflict.field),
            sides: conflict.sides.iter().map(|side| self.side(conflict.field, side)).collect(),
            weight: weight.into(),
        }
    }

    fn baseline(&self, baseline: &Baseline) -> api::Baseline {
        api::Baseline {
            baseline_id: baseline.event.to_string(),
            name: self.text(baseline.event, Slot::BASELINE_NAME),
            basis: Some(api::Basis {
                epoch_id: baseline.epoch.to_string(),
                position: baseline.position.get(),
                effective_on: baseline.effective_on.to_string(),
                redactions: 0,
                view_version: VIEW_VERSION,
                open: Vec::new(),
            }),
            author: Some(self.author_by_device(baseline.device)),
            position: baseline.set_at.get(),
            recorded_at: Some(timestamp(baseline.recorded_at)),
            reason: self.text(baseline.event, Slot::REASON),
            decision: self.text(baseline.event, Slot::DECISION),
        }
    }

    /// One write of a field.
    pub(super) fn side(&self, field: FieldKey, write: &Write) -> api::Side {
        api::Side {
            event_id: write.event.to_string(),
            value: self.content(field, &write.content),
            author: Some(self.author_by_device(write.device)),
            position: write.position.get(),
            applies_on: write.date.to_string(),
            recorded_at: Some(timestamp(write.recorded_at)),
        }
    }

    /// What a write says; none where it emptied the field.
    pub(super) fn content(&self, field: FieldKey, content: &Content) -> Option<api::FieldValue> {
        view::field_value(field, content, self.values).map(field_value)
    }

    /// The title or name of an entity.
    pub(super) fn title(&self, entity: EntityId) -> String {
        view::title(self.state, self.values, entity, self.day)
    }

    /// A text beside an event, such as its reason; empty where there is none.
    pub(super) fn text(&self, event: EventId, slot: Slot) -> String {
        self.values.text(ValueRef { event, slot }).unwrap_or_default()
    }

    /// Who made a change.
    pub(super) fn author(&self, member: MemberId, org: &OrgId, device: DeviceId) -> api::Author {
        api::Author {
            member_id: member.to_string(),
            member: self.member_name(member),
            org: org.to_string(),
            device_id: device.to_string(),
        }
    }

    /// Who uses a device: one member of one organisation, for ever.
    pub(super) fn author_by_device(&self, id: DeviceId) -> api::Author {
        match self.state.devices().get(&id) {
            Some(device) => self.author(device.member, &device.org, id),
            None => api::Author { device_id: id.to_string(), ..api::Author::default() },
        }
    }

    fn member_name(&self, id: MemberId) -> String {
        let mut names = self.names.borrow_mut();
        let read = || self.state.members().get(&id).and_then(|member| self.values.text(member.name));
        names.entry(id).or_insert_with(|| read().unwrap_or_default()).clone()
    }

    /// One difference and the write behind it; `self` is the later point.
    pub(super) fn difference(&self, told: Told<'_>) -> api::EntityChange {
        let change = told.change;
        // A difference of the programme itself has no entity id of its own.
        let programme = EntityId::from(self.state.program_id());
        let entity = if change.entity.is_zero() { programme } else { change.entity };
        let (sort, written) = match change.sort {
            diff::Sort::Added => (api::ChangeSort::Added, Some(FieldKey::Life)),
            diff::Sort::Retired => (api::ChangeSort::Retired, Some(FieldKey::Life)),
            diff::Sort::Moved => (api::ChangeSort::Moved, Some(FieldKey::Place)),
            diff::Sort::Revised => (api::ChangeSort::Revised, change.field),
        };
        let beside = |slot| told.by.map(|write| self.text(write.event, slot)).unwrap_or_default();
        let id = |id: Option<EntityId>| id.map(|id| id.to_string()).unwrap_or_default();
        api::EntityChange {
            entity_id: entity.to_string(),
            title: change.title,
            sort: sort.into(),
            field: change.field.map_or(event::Field::Unspecified.into(), field),
            before: change.before.map(field_value),
            after: change.after.map(field_value),
            area_id: id(change.area),
            parent_id: id(change.parent),
            by: told.by.zip(written).map(|(write, field)| self.side(field, write)),
            reason: beside(Slot::REASON),
            decision: beside(Slot::DECISION),
            in_conflict: told.in_conflict,
        }
    }
}

/// What activities cost.
pub(super) fn cost_sum(cost: &CostSum) -> api::CostSum {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    api::CostSum {
        low_ore: cost.low,
        high_ore: cost.high,
        missing: count(cost.missing),
        activities: count(cost.activities),
    }
}

fn field_value(value: FieldValue) -> api::FieldValue {
    use api::field_value::Value;
    let value = match value {
        FieldValue::Text(text) => Value::Text(text),
        FieldValue::Money(cost) => Value::Money(money(&cost)),
        FieldValue::Entity(id) => Value::EntityId(id.to_string()),
        FieldValue::Flag(flag) => Value::Flag(flag),
        // This release keeps no decision behind a forgotten value that could be named.
        FieldValue::Redacted => Value::Redacted(String::new()),
    };
    api::FieldValue { value: Some(value) }
}

fn money(cost: &Cost) -> api::Money {
    api::Money {
        ore: cost.amount.as_ref().map(|amount| amount.ore),
        currency: cost.amount.as_ref().map(|amount| amount.currency.clone()).unwrap_or_default(),
        raw: cost.raw.clone(),
    }
}

fn area(area: &AreaView) -> api::Area {
    api::Area {
        area_id: area.id.to_string(),
        title: area.title.clone(),
        goal: area.goal.clone(),
        subgoals: area.subgoals.iter().map(subgoal).collect(),
        standing: standing(area.standing),
        in_force_from: in_force_from(area.standing),
    }
}

fn subgoal(subgoal: &SubgoalView) -> api::Subgoal {
    api::Subgoal {
        subgoal_id: subgoal.id.to_string(),
        title: subgoal.title.clone(),
        activities: subgoal.activities.iter().map(activity).collect(),
        standing: standing(subgoal.standing),
        in_force_from: in_force_from(subgoal.standing),
    }
}

fn activity(activity: &ActivityView) -> api::Activity {
    api::Activity {
        activity_id: activity.id.to_string(),
        title: activity.title.clone(),
        responsible_text: activity.responsible_text.clone(),
        responsible_ids: activity.responsible.iter().map(ToString::to_string).collect(),
        lead_id: activity.lead.map(|lead| lead.to_string()).unwrap_or_default(),
        time: activity.time.clone(),
        cost: activity.cost.as_ref().map(money),
        comment: activity.comment.clone(),
        conflicting_fields: activity.conflicting.iter().map(|key| field(*key)).collect(),
        standing: standing(activity.standing),
        in_force_from: in_force_from(activity.standing),
    }
}

fn party(party: &PartyView) -> api::Party {
    let kind = party.kind.map_or(event::PartyKind::Unspecified, party_kind_to_wire);
    api::Party {
        party_id: party.id.to_string(),
        name: party.name.clone(),
        kind: kind.into(),
        organisation_id: party.organisation.map(|id| id.to_string()).unwrap_or_default(),
        standing: standing(party.standing),
        in_force_from: in_force_from(party.standing),
    }
}
