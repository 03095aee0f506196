//! Own changes that wait, and those that will not land, with everything that was typed.

use radslag_client::replica::{Replica, View};
use radslag_core::event::EventBody;
use radslag_core::field::FieldKey;
use radslag_core::fold::{self, FieldWrite};
use radslag_core::value::{Value, ValueRef, Values};
use serde_json::json;

use super::Place;
use crate::args::Outbox;
use crate::error::CliError;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};
use crate::when;

/// One own event.
struct Waiting<'a> {
    body: &'a EventBody,
    values: &'a [Value],
    state: &'static str,
    why: String,
}

/// The values of an event that is in no log, and behind them those of the view.
struct Typed<'a> {
    own: &'a Waiting<'a>,
    view: &'a View<'a>,
}

impl Values for Typed<'_> {
    fn bytes(&self, at: ValueRef) -> Option<Vec<u8>> {
        let own = self.own.values.iter().find(|value| value.slot == at.slot);
        let own = own.filter(|_| at.event == self.own.body.event_id);
        own.map(|value| value.bytes.clone()).or_else(|| self.view.bytes(at))
    }
}

/// `outbox list`.
pub fn outbox(place: &Place, command: &Outbox) -> Result<(), CliError> {
    match command {
        Outbox::List => list(place.ui, &place.open()?),
        Outbox::Discard(_) => Err(super::not_yet("outbox discard")),
        Outbox::Resubmit(_) => Err(super::not_yet("outbox resubmit")),
    }
}

fn list(ui: Ui, replica: &Replica) -> Result<(), CliError> {
    let quarantined = replica.quarantined()?;
    let queued = replica.outbox.iter().map(|event| Waiting {
        body: &event.body,
        values: &event.values,
        state: "queued",
        why: String::new(),
    });
    let stuck = quarantined.iter().map(|event| Waiting {
        body: &event.body,
        values: &event.values,
        state: if event.rejected { "rejected" } else { "refused" },
        why: format!("{}: {}", event.reason, event.detail),
    });
    let view = replica.view();
    let mut rows = Vec::new();
    for waiting in queued.chain(stuck) {
        let typed = Typed { own: &waiting, view: &view };
        let ground = Ground { state: &view.state, values: &typed, day: view.day() };
        let writes = fold::field_writes(waiting.body);
        let title = title(&ground, &writes);
        if ui.json() {
            let change = |write: &FieldWrite| {
                json!({
                    "field": write.field.name(), "value": ground.json(write.field, Some(&write.content)),
                })
            };
            ui.object(&json!({
                "event_id": waiting.body.event_id.to_string(), "kind": waiting.body.kind, "state": waiting.state,
                "why": waiting.why, "authored_at": when::rfc3339(waiting.body.authored_at), "title": title,
                "changes": writes.iter().map(change).collect::<Vec<_>>(),
            }))?;
            continue;
        }
        let said: Vec<String> = writes
            .iter()
            .filter(|write| is_said(write, &writes))
            .map(|write| {
                format!(
                    "{}: {}",
                    ground.field(ui, write.field),
                    ground.text(ui, write.field, Some(&write.content))
                )
            })
            .collect();
        rows.push(vec![
            waiting.body.event_id.short(),
            state_text(ui, waiting.state).to_owned(),
            title.unwrap_or_else(|| waiting.body.kind.clone()),
            said.join("\n"),
            when::local(waiting.body.authored_at),
            waiting.why.clone(),
        ]);
    }
    if ui.json() {
        return Ok(());
    }
    if rows.is_empty() {
        return ui.tell("ingenting i kö, ingenting i karantän", "nothing queued, nothing in quarantine");
    }
    let headings = match ui.lang {
        Lang::Sv => ["händelse", "läge", "vad", "ändring", "skriven", "varför"],
        Lang::En => ["event", "state", "what", "change", "written", "why"],
    };
    ui.table(&headings, &rows)
}

/// What the event is about: the entity's title, or the one that it would have had.
fn title(ground: &Ground<'_>, writes: &[FieldWrite]) -> Option<String> {
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

fn state_text(ui: Ui, state: &'static str) -> &'static str {
    match (ui.lang, state) {
        (Lang::Sv, "queued") => "i kö",
        (Lang::Sv, "rejected") => "avvisad",
        (Lang::Sv, _) => "nekad",
        (Lang::En, state) => state,
    }
}
