//! Domain values as text for people and as JSON for programs.

use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, EntityId, EventId, MemberId};
use radslag_core::parse::cost::{Cost, format_ore};
use radslag_core::register::{Content, Write};
use radslag_core::state::State;
use radslag_core::time::CivilDate;
use radslag_core::value::{Slot, ValueRef, Values};
use radslag_core::view::{self, CostSum, FieldValue, REDACTED, Weight};
use serde_json::{Value as Json, json};

use crate::ui::{Lang, Ui};

/// What reading a programme takes: its state, its values and a day.
pub struct Ground<'a> {
    /// The state.
    pub state: &'a State,
    /// The values.
    pub values: &'a dyn Values,
    /// The day that is read.
    pub day: CivilDate,
}

/// Who writes by a device that nobody enrolled: the log, when it opens an epoch.
pub const NOBODY: (&str, &str) = ("loggen själv", "the log itself");

impl Ground<'_> {
    /// An entity's title or name.
    pub fn title(&self, entity: EntityId) -> String {
        view::title(self.state, self.values, entity, self.day)
    }

    /// A member's name.
    pub fn member(&self, member: MemberId) -> String {
        let name = self.state.members().get(&member).and_then(|member| self.values.text(member.name));
        name.unwrap_or_else(|| REDACTED.to_owned())
    }

    /// Who wrote something: organisation and member.
    pub fn author(&self, write: &Write) -> (String, String) {
        self.device(write.device)
    }

    /// Organisation and member of a device.
    pub fn device(&self, device: DeviceId) -> (String, String) {
        match self.state.devices().get(&device) {
            Some(device) => (device.org.to_string(), self.member(device.member)),
            None => (String::new(), String::new()),
        }
    }

    /// The same, for people.
    pub fn who(&self, ui: Ui, device: DeviceId) -> String {
        match self.device(device) {
            (org, _) if org.is_empty() => ui.text(NOBODY.0, NOBODY.1).to_owned(),
            (org, member) => format!("{org}, {member}"),
        }
    }

    /// A text beside an event: reason or decision.
    pub fn beside(&self, event: EventId, slot: Slot) -> Option<String> {
        self.values.text(ValueRef { event, slot })
    }

    /// What a field says, for people; a dash where it says nothing.
    pub fn text(&self, ui: Ui, field: FieldKey, content: Option<&Content>) -> String {
        let value = content.and_then(|content| view::field_value(field, content, self.values));
        self.value_text(ui, field, value.as_ref())
    }

    /// A field's value for people; a dash where there is none.
    pub fn value_text(&self, ui: Ui, field: FieldKey, value: Option<&FieldValue>) -> String {
        match value {
            None => "–".to_owned(),
            Some(FieldValue::Text(text)) => text.clone(),
            Some(FieldValue::Money(cost)) => cost_text(cost),
            Some(FieldValue::Entity(entity)) => self.title(*entity),
            Some(FieldValue::Redacted) => REDACTED.to_owned(),
            Some(FieldValue::Flag(is)) => match (field, is) {
                (FieldKey::Life, true) => ui.text("ingår", "in the programme"),
                (FieldKey::Life, false) => ui.text("utgått", "retired"),
                (_, true) => ui.text("ansvarig", "responsible"),
                (_, false) => ui.text("inte ansvarig", "not responsible"),
            }
            .to_owned(),
        }
    }

    /// What a field says, for programs; null where it says nothing.
    pub fn json(&self, field: FieldKey, content: Option<&Content>) -> Json {
        content
            .and_then(|content| view::field_value(field, content, self.values))
            .as_ref()
            .map_or(Json::Null, value_json)
    }

    /// A field's name, with the party of a responsibility.
    pub fn field(&self, ui: Ui, field: FieldKey) -> String {
        let name = field_name(ui, field);
        match field {
            FieldKey::Responsible(party) if !party.is_zero() => format!("{name} ({})", self.title(party)),
            _ => name.to_owned(),
        }
    }
}

/// A field's value for programs.
pub fn value_json(value: &FieldValue) -> Json {
    match value {
        FieldValue::Text(text) => json!(text),
        FieldValue::Money(cost) => cost_json(cost),
        FieldValue::Entity(entity) => json!(entity.to_string()),
        FieldValue::Flag(is) => json!(is),
        FieldValue::Redacted => json!({"redacted": true}),
    }
}

/// A cost for programs.
pub fn cost_json(cost: &Cost) -> Json {
    match &cost.amount {
        Some(amount) => json!({"ore": amount.ore, "currency": amount.currency, "raw": cost.raw}),
        None => json!({"ore": null, "currency": null, "raw": cost.raw}),
    }
}

/// A cost for people: the amount, or the text that was not understood as one.
pub fn cost_text(cost: &Cost) -> String {
    match &cost.amount {
        Some(amount) if amount.currency == "SEK" => format_ore(amount.ore),
        Some(amount) => {
            format!("{} {}", format_ore(amount.ore).trim_end_matches("kr").trim_end(), amount.currency)
        }
        None => cost.raw.clone(),
    }
}

/// A sum for people; a range while costs are in conflict.
pub fn sum_text(sum: &CostSum) -> String {
    if sum.low == sum.high {
        return format_ore(sum.low);
    }
    format!("{}–{}", format_ore(sum.low), format_ore(sum.high))
}

/// A field's name for people.
pub fn field_name(ui: Ui, field: FieldKey) -> &'static str {
    if ui.lang == Lang::En {
        return match field {
            FieldKey::Goal => "main goal",
            FieldKey::Life => "status",
            _ => field.name(),
        };
    }
    match field {
        FieldKey::Title => "rubrik",
        FieldKey::Goal => "huvudmål",
        FieldKey::Comment => "kommentar",
        FieldKey::Time => "tid",
        FieldKey::Cost => "kostnad",
        FieldKey::Name => "namn",
        FieldKey::Lead => "ledande part",
        FieldKey::Organisation => "organisation",
        FieldKey::Place => "plats",
        FieldKey::Life => "status",
        FieldKey::Responsible(_) => "ansvarig",
    }
}

/// A kind of change for people: in Swedish what it is, in English its name.
pub fn kind_text(ui: Ui, kind: &str) -> &str {
    if ui.lang == Lang::En {
        return kind;
    }
    match kind {
        "program_created" => "program börjat",
        "organisation_admitted" => "organisation med",
        "member_admitted" => "person med",
        "device_enrolled" => "enhet inskriven",
        "area_added" => "nytt område",
        "subgoal_added" => "nytt delmål",
        "activity_added" => "ny aktivitet",
        "party_added" => "ny part",
        "field_revised" => "ändrad",
        "responsible_assigned" => "ny ansvarig",
        "responsible_unassigned" => "inte längre ansvarig",
        "placed" => "flyttad",
        "retired" => "utgått",
        "restored" => "återtagen",
        "conflict_resolved" => "konflikt avgjord",
        "source_imported" => "fil importerad",
        "epoch_opened" => "logg återställd",
        "rules_adopted" => "nya regler",
        "baseline_set" => "tidpunkt namngiven",
        other => other,
    }
}

/// How much a conflict matters, for programs.
pub const fn weight_name(weight: Weight) -> &'static str {
    match weight {
        Weight::Low => "low",
        Weight::Medium => "medium",
        Weight::High => "high",
    }
}
