//! The outbox and the quarantine as people and programs see them: one line for what belongs together.

use std::collections::BTreeSet;

use radslag_client::quarantine::{Cause, FOLLOWS_REFUSED};
use radslag_client::replica::{Quarantined, Replica, View};
use radslag_core::event::{Change, EventBody};
use radslag_core::field::FieldKey;
use radslag_core::fold::{self, FieldWrite};
use radslag_core::id::{EntityId, EventId};
use radslag_core::judge::Past as _;
use radslag_core::register::Content;
use radslag_core::time::Instant;
use radslag_core::value::{Slot, Value, ValueRef, Values};
use serde_json::{Value as Json, json};

use crate::error::CliError;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};
use crate::when;

/// One own event.
pub struct Own {
    /// What it says.
    pub body: EventBody,
    /// The values beside it.
    pub values: Vec<Value>,
}

impl Own {
    /// Its id.
    pub fn id(&self) -> EventId {
        self.body.event_id
    }
}

/// What became of a unit.
enum Fate {
    /// It waits to be pushed.
    Queued,
    /// It will not land.
    Aside {
        rejected: bool,
        reason: String,
        detail: String,
        sides: Vec<EventId>,
        since: Option<Instant>,
        cause: Option<Cause>,
    },
}

/// An event, or a group of them: what lands, is given up and is written anew together.
pub struct Unit {
    /// Numbers in the quarantine, or of the device for what waits.
    pub numbers: Vec<u64>,
    /// Its events, in order.
    pub events: Vec<Own>,
    fate: Fate,
}

/// Everything in outbox and quarantine, what waits first.
pub fn units(replica: &Replica, view: &View<'_>) -> Result<Vec<Unit>, CliError> {
    let mut units: Vec<Unit> = Vec::new();
    for event in &replica.outbox {
        let own = Own { body: event.body.clone(), values: event.values.clone() };
        add(&mut units, event.body.device_seq.get(), own, || Fate::Queued);
    }
    for held in replica.quarantined()? {
        let Quarantined { number, body, values, .. } = held.clone();
        add(&mut units, number, Own { body, values }, || Fate::Aside {
            rejected: held.rejected,
            sides: sides_then(view, &held),
            reason: held.reason,
            detail: held.detail,
            since: held.since,
            cause: held.cause,
        });
    }
    Ok(units)
}

fn add(units: &mut Vec<Unit>, number: u64, own: Own, fate: impl FnOnce() -> Fate) {
    if let Some(unit) = units.last_mut()
        && let Some(group) = own.body.group
        && unit.events.last().is_some_and(|last| last.body.group.is_some_and(|place| place.id == group.id))
    {
        unit.numbers.push(number);
        unit.events.push(own);
        return;
    }
    units.push(Unit { numbers: vec![number], events: vec![own], fate: fate() });
}

/// The sides that stood in the way; where the answer was lost, those that do now.
fn sides_then(view: &View<'_>, held: &Quarantined) -> Vec<EventId> {
    if held.reason != "STALE" || !held.current_sides.is_empty() {
        return held.current_sides.clone();
    }
    let registers = held.body.expect.iter().filter_map(|expected| {
        let sides = view.state.register(expected.entity, expected.field)?;
        Some(sides.sides(view.day(), view.state.epochs()).into_iter().map(|side| side.event))
    });
    registers.flatten().collect()
}

/// The values of an event that is in no log, and behind them those of the view.
struct Typed<'a> {
    own: &'a [Own],
    view: &'a View<'a>,
}

impl Values for Typed<'_> {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        let own = self.own.iter().find(|own| own.id() == at.event);
        let own = own.and_then(|own| own.values.iter().find(|value| value.slot == at.slot));
        own.map(|value| value.bytes.clone()).or_else(|| self.view.bytes(at))
    }
}

impl Unit {
    /// Whether it waits to be pushed.
    pub fn waits(&self) -> bool {
        matches!(self.fate, Fate::Queued)
    }

    /// Whether this is a number of it, or the whole range of a group, as the list prints it; `-` does for `–`.
    pub fn is_numbered(&self, name: &str) -> bool {
        let name = name.to_lowercase().replace('-', "–");
        self.range() == name || self.numbers.iter().any(|number| self.number(*number) == name)
    }

    fn number(&self, number: u64) -> String {
        if self.waits() { format!("q{number}") } else { number.to_string() }
    }

    fn range(&self) -> String {
        match self.numbers.as_slice() {
            [] => String::new(),
            [one] => self.number(*one),
            [first, .., last] => format!("{}–{}", self.number(*first), self.number(*last)),
        }
    }

    const fn state(&self) -> &'static str {
        match &self.fate {
            Fate::Queued => "queued",
            Fate::Aside { rejected: true, .. } => "rejected",
            Fate::Aside { rejected: false, .. } => "refused",
        }
    }

    fn state_text(&self, ui: Ui) -> &'static str {
        match &self.fate {
            Fate::Queued => ui.text("i kö", "queued"),
            Fate::Aside { rejected: true, .. } => ui.text("avvisad", "rejected"),
            Fate::Aside { rejected: false, .. } => ui.text("nekad", "refused"),
        }
    }

    /// What it says, in a line: number, title and fields.
    pub fn line(&self, ui: Ui, view: &View<'_>) -> String {
        let (title, said) = self.words(ui, view);
        format!("{}  {title}  {}", self.range(), said.join("; ")).trim_end().to_owned()
    }

    /// What it is about, and what it says.
    fn words(&self, ui: Ui, view: &View<'_>) -> (String, Vec<String>) {
        let typed = Typed { own: &self.events, view };
        let ground = Ground { state: &view.state, values: &typed, day: view.day() };
        let mut title = None;
        let mut said = Vec::new();
        for own in &self.events {
            let writes = fold::field_writes(&own.body);
            title = title.or_else(|| self::title(&ground, &own.body, &writes));
            let worth = writes.iter().filter(|write| is_said(write, &writes));
            said.extend(worth.map(|write| {
                let value = ground.text(ui, write.field, Some(&write.content));
                format!("{}: {value}", ground.field(ui, write.field))
            }));
            let from =
                own.body.effective_on.map(|on| format!("{} {on}", ui.text("gäller från", "applies from")));
            said.extend(from);
        }
        let kind = self.events.first().map(|own| own.body.kind.clone());
        (title.or(kind).unwrap_or_default(), said)
    }

    /// Why it will not land; empty for what waits.
    pub fn why(&self, ui: Ui, view: &View<'_>) -> String {
        let mut why = self.why_by_id(ui);
        let expected = self.events.iter().flat_map(|own| &own.body.expect).map(|expected| expected.entity);
        let written = self.events.iter().flat_map(|own| fold::field_writes(&own.body));
        let named: BTreeSet<EntityId> = expected.chain(written.map(|write| write.entity)).collect();
        let ground = Ground { state: &view.state, values: view, day: view.day() };
        // People know things by their titles.
        for entity in named.into_iter().filter(|entity| view.state.entity(*entity).is_some()) {
            why = why.replace(&entity.to_string(), &format!("{:?}", ground.title(entity)));
        }
        why
    }

    fn why_by_id(&self, ui: Ui) -> String {
        let Fate::Aside { reason, detail, cause, .. } = &self.fate else { return String::new() };
        match cause {
            Some(Cause { event, why }) if reason == FOLLOWS_REFUSED => format!(
                "{} {} {}: {why}",
                ui.text("för att ändring", "because change"),
                event.short(),
                ui.text("före den nekades", "before it was refused")
            ),
            Some(Cause { event, why }) => format!(
                "{} {}, {}: {why}",
                ui.text("för att den bygger på ändring", "because it builds on change"),
                event.short(),
                ui.text("som avvisades", "which was rejected")
            ),
            None if detail.is_empty() => reason.clone(),
            None => format!("{reason}: {detail}"),
        }
    }

    /// The sides that stood in its way: their fields, what they say, and who wrote them.
    fn sides(&self, view: &View<'_>) -> Vec<Side> {
        let Fate::Aside { sides, .. } = &self.fate else { return Vec::new() };
        let fields = self.events.iter().flat_map(|own| &own.body.expect);
        let fields: Vec<(EntityId, FieldKey)> =
            fields.map(|expected| (expected.entity, expected.field)).collect();
        let mut found = Vec::new();
        for side in sides {
            let Some(record) = view.record(*side) else { continue };
            let Some(body) = record.body() else { continue };
            let writes = fold::field_writes(body).into_iter();
            for write in writes.filter(|write| fields.contains(&(write.entity, write.field))) {
                let (org, member) = (body.org_id.to_string(), body.actor_id);
                found.push(Side { event: *side, field: write.field, content: write.content, org, member });
            }
        }
        found
    }
}

/// A side that stood in the way of a strict edit.
struct Side {
    event: EventId,
    field: FieldKey,
    content: Content,
    org: String,
    member: radslag_core::id::MemberId,
}

/// `outbox list`.
pub(super) fn list(ui: Ui, replica: &Replica) -> Result<(), CliError> {
    let view = replica.view();
    let units = units(replica, &view)?;
    if ui.json() {
        return units.iter().try_for_each(|unit| objects(ui, &view, unit));
    }
    if units.is_empty() {
        return ui.tell("ingenting i kö, ingenting i karantän", "nothing queued, nothing in quarantine");
    }
    let rows: Vec<Vec<String>> = units.iter().map(|unit| row(ui, &view, unit)).collect();
    let headings = match ui.lang {
        Lang::Sv => ["nr", "händelse", "läge", "vad", "ändring", "skriven", "varför"],
        Lang::En => ["no", "event", "state", "what", "change", "written", "why"],
    };
    ui.table(&headings, &rows)?;
    if units.iter().any(|unit| !unit.waits()) {
        ui.say(ui.text(
            "lämna in igen: radslag outbox resubmit NR; kasta: radslag outbox discard NR",
            "hand in again: radslag outbox resubmit NO; give up: radslag outbox discard NO",
        ));
    }
    Ok(())
}

fn row(ui: Ui, view: &View<'_>, unit: &Unit) -> Vec<String> {
    let (title, said) = unit.words(ui, view);
    let first = unit.events.first().map(|own| &own.body);
    let mut why = unit.why(ui, view);
    if let Fate::Aside { since: Some(since), .. } = &unit.fate {
        why.push_str(&format!(" ({} {})", ui.text("sedan", "since"), when::local(*since)));
    }
    let ground = Ground { state: &view.state, values: view, day: view.day() };
    for side in unit.sides(view) {
        why.push_str(&format!(
            "\n{}: {}: {} ({}, {})",
            ui.text("då", "found"),
            ground.field(ui, side.field),
            ground.text(ui, side.field, Some(&side.content)),
            side.org,
            ground.member(side.member)
        ));
    }
    vec![
        unit.range(),
        first.map(|body| body.event_id.short()).unwrap_or_default(),
        unit.state_text(ui).to_owned(),
        title,
        said.join("\n"),
        first.map(|body| when::local(body.authored_at)).unwrap_or_default(),
        why,
    ]
}

/// One object for each event of the unit.
fn objects(ui: Ui, view: &View<'_>, unit: &Unit) -> Result<(), CliError> {
    let typed = Typed { own: &unit.events, view };
    let ground = Ground { state: &view.state, values: &typed, day: view.day() };
    let sides: Vec<Json> = unit
        .sides(view)
        .into_iter()
        .map(|side| {
            json!({
                "event_id": side.event.to_string(), "field": side.field.name(),
                "value": ground.json(side.field, Some(&side.content)),
                "org": side.org, "member": ground.member(side.member),
            })
        })
        .collect();
    for (number, own) in unit.numbers.iter().zip(&unit.events) {
        let writes = fold::field_writes(&own.body);
        let change = |write: &FieldWrite| json!({"field": write.field.name(), "value": ground.json(write.field, Some(&write.content))});
        let mut object = json!({
            "number": unit.number(*number), "event_id": own.id().to_string(), "kind": own.body.kind,
            "state": unit.state(), "authored_at": when::rfc3339(own.body.authored_at),
            "title": title(&ground, &own.body, &writes),
            "effective_on": own.body.effective_on.map(|on| on.to_string()), "changes": writes.iter().map(change).collect::<Vec<_>>(),
            "group_id": own.body.group.map(|group| group.id.to_string()),
            "why": "", "reason": null, "since": null, "because_of": null, "current_sides": sides,
        });
        if let Fate::Aside { reason, detail, since, cause, .. } = &unit.fate {
            object["why"] =
                json!(if detail.is_empty() { reason.clone() } else { format!("{reason}: {detail}") });
            object["reason"] = json!(reason);
            object["since"] = json!(since.map(when::rfc3339));
            object["because_of"] = json!(cause.as_ref().map(|cause| cause.event.to_string()));
        }
        ui.object(&object)?;
    }
    Ok(())
}

/// What went to quarantine after the row `after`, a line for each unit.
pub fn set_aside(ui: Ui, replica: &Replica, after: u64) -> Result<Vec<String>, CliError> {
    let view = replica.view();
    let units = units(replica, &view)?;
    let fresh =
        units.iter().filter(|unit| !unit.waits() && unit.numbers.iter().all(|number| *number > after));
    let line = |unit: &Unit| {
        let what = match unit.fate {
            Fate::Aside { rejected: true, .. } => {
                ui.text("avvisad, ligger i karantän", "rejected, kept in quarantine")
            }
            Fate::Aside { .. } | Fate::Queued => {
                ui.text("nekad, ligger i karantän", "refused, kept in quarantine")
            }
        };
        format!("{what}: {}: {}", unit.line(ui, &view), unit.why(ui, &view))
    };
    Ok(fresh.map(line).collect())
}

/// What the event is about: the entity's title, or the one that it would have had; for a point the name that it gets.
fn title(ground: &Ground<'_>, body: &EventBody, writes: &[FieldWrite]) -> Option<String> {
    if matches!(body.change, Change::BaselineSet { .. }) {
        return ground.beside(body.event_id, Slot::BASELINE_NAME);
    }
    let first = writes.first()?;
    if ground.state.entity(first.entity).is_some() {
        return Some(ground.title(first.entity));
    }
    let named = writes.iter().find(|write| matches!(write.field, FieldKey::Title | FieldKey::Name));
    named.and_then(|write| ground.json(write.field, Some(&write.content)).as_str().map(str::to_owned))
}

/// Whether a write is worth a line: that something new is alive and where it stands goes without saying.
fn is_said(write: &FieldWrite, all: &[FieldWrite]) -> bool {
    all.len() == 1 || !matches!(write.field, FieldKey::Life | FieldKey::Place)
}
