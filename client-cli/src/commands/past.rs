//! Looking back: history, blame, log, verify.

mod counted;

use radslag_client::past::Compared;
use radslag_client::remote::Remote;
use radslag_client::replica::{Replica, View};
use radslag_core::event::Change;
use radslag_core::history::{self, FieldChange, Told};
use radslag_core::id::{EntityId, Position};
use radslag_core::parse::nfc;
use radslag_core::record::{Entry, Recorded};
use radslag_core::state::EntityKind;
use radslag_core::value::Slot;
use radslag_core::view;
use serde_json::json;

use super::{Place, point, provisional};
use crate::args::{At, Blame, History, Log, Verify};
use crate::error::CliError;
use crate::names;
use crate::shape::{Ground, kind_text};
use crate::ui::{Lang, Ui};
use crate::when;

/// Every kind of entity.
pub const ANY: &[EntityKind] =
    &[EntityKind::Activity, EntityKind::Subgoal, EntityKind::Area, EntityKind::Party, EntityKind::Program];

/// Every confirmed and queued record that is in the view, in order.
pub fn records(replica: &Replica, view: &View<'_>) -> Result<Vec<Recorded>, CliError> {
    let mut records = replica.records()?;
    records.retain(|record| record.position <= view.confirmed);
    records.extend(view.queued.iter().cloned());
    Ok(records)
}

/// `history`.
pub fn history(place: &Place, args: &History) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let day = args.effective.as_deref().map(|text| when::day("--effective", text)).transpose()?;
    let point = match &args.basis {
        // Its day is that of titles and names; for which day the changes are told is another question.
        Some(basis) => point::on(place.ui, &replica, &point::basis(basis)?)?,
        None => point::read(place.ui, &replica, &view, args.as_of.as_deref(), day)?,
    };
    let ground = point.ground(&view);
    let id = names::entity(ground.state, ground.values, ground.day, ANY, &args.name)?;
    let confirmed = replica.ledger.state.head();
    let told = day.map_or(Told::AsRecorded, Told::For);
    let changes = replica.changes_of(&view, id, told, ground.state.head())?;
    let ui = place.ui;
    provisional::say(ui, &replica);
    if ui.json() {
        for change in &changes {
            ui.object(&point.marked(change_json(&ground, change, confirmed)))?;
        }
        return Ok(());
    }
    ui.line(&ground.title(id))?;
    let headings = match ui.lang {
        Lang::Sv => ["när", "vem", "fält", "före", "efter", "varför", "händelse"],
        Lang::En => ["when", "who", "field", "before", "after", "why", "event"],
    };
    let rows: Vec<Vec<String>> =
        changes.iter().map(|change| change_row(ui, &ground, change, confirmed)).collect();
    ui.table(&headings, &rows)?;
    ui.line("")?;
    ui.line(&point.footer(ui))
}

pub fn change_json(ground: &Ground<'_>, change: &FieldChange, confirmed: Position) -> serde_json::Value {
    let queued = change.position > confirmed;
    json!({
        "event_id": change.event.to_string(),
        "position": (!queued).then(|| change.position.get()),
        "kind": change.kind,
        "entity_id": change.entity.to_string(),
        "field": change.field.name(),
        "party_id": (!change.field.qualifier().is_zero()).then(|| change.field.qualifier().to_string()),
        "before": ground.json(change.field, change.before.as_ref()),
        "after": ground.json(change.field, change.after.as_ref()),
        "written": ground.json(change.field, Some(&change.written)),
        "org": change.org.to_string(),
        "member": ground.member(change.member),
        "device_id": change.device.to_string(),
        "recorded_at": (!queued).then(|| when::rfc3339(change.recorded_at)),
        "authored_at": when::rfc3339(change.authored_at),
        "applies_on": change.applies_on.to_string(),
        "reason": ground.beside(change.event, Slot::REASON),
        "decision": ground.beside(change.event, Slot::DECISION),
        "conflict_before": change.conflict_before,
        "conflict_after": change.conflict_after,
    })
}

/// What a change says, and what it did to a conflict.
pub fn said(ui: Ui, ground: &Ground<'_>, change: &FieldChange) -> String {
    let after = ground.text(ui, change.field, change.after.as_ref());
    let written = ground.text(ui, change.field, Some(&change.written));
    let mut said =
        if written == after { after } else { format!("{written} ({}: {after})", ui.text("visas", "shown")) };
    match (change.conflict_before, change.conflict_after) {
        (false, true) => said.push_str(ui.text("  [konflikt öppnad]", "  [conflict opened]")),
        (true, false) => said.push_str(ui.text("  [konflikt avgjord]", "  [conflict settled]")),
        (true, true) => said.push_str(ui.text("  [i konflikt]", "  [in conflict]")),
        (false, false) => {}
    }
    said
}

fn change_row(ui: Ui, ground: &Ground<'_>, change: &FieldChange, confirmed: Position) -> Vec<String> {
    let why = [ground.beside(change.event, Slot::REASON), ground.beside(change.event, Slot::DECISION)];
    let why: Vec<String> = why.into_iter().flatten().collect();
    let (org, member, device) = (&change.org, ground.member(change.member), change.device.short());
    vec![
        times(ui, change, confirmed),
        format!("{org}, {member}\n{} {device}", ui.text("enhet", "device")),
        ground.field(ui, change.field),
        ground.text(ui, change.field, change.before.as_ref()),
        said(ui, ground, change),
        why.join("; "),
        change.event.short(),
    ]
}

/// When it was recorded; under that, where they are others, when it was written and from which day it applies.
fn times(ui: Ui, change: &FieldChange, confirmed: Position) -> String {
    let queued = change.position > confirmed;
    let recorded = when::local(change.recorded_at);
    let written = when::local(change.authored_at);
    let mut times = vec![if queued { ui.text("i kö", "queued").to_owned() } else { recorded.clone() }];
    if queued || written != recorded {
        times.push(format!("{} {written}", ui.text("skriven", "written")));
    }
    if !recorded.starts_with(&change.applies_on.to_string()) {
        times.push(format!("{} {}", ui.text("gäller från", "applies from"), change.applies_on));
    }
    times.join("\n")
}

/// `blame`.
pub fn blame(place: &Place, args: &Blame) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let point = point::at(place, &replica, &view, &args.at)?;
    let ground = point.ground(&view);
    let only =
        args.name.as_deref().map(|name| names::entity(ground.state, ground.values, ground.day, ANY, name));
    let only = only.transpose()?;
    let ui = place.ui;
    let head = replica.ledger.state.head();
    let confirmed = |position: Position| position <= head;
    let mut rows = Vec::new();
    for entity in in_order(&ground) {
        if only.is_some_and(|only| only != entity) {
            continue;
        }
        for line in history::blame(ground.state, entity, ground.day) {
            let (org, member) = ground.author(line.shown);
            if ui.json() {
                ui.object(&point.marked(json!({
                    "entity_id": entity.to_string(), "title": ground.title(entity), "field": line.field.name(),
                    "value": ground.json(line.field, Some(&line.shown.content)), "org": org, "member": member,
                    "event_id": line.shown.event.to_string(), "position": confirmed(line.shown.position).then(|| line.shown.position.get()),
                    "recorded_at": confirmed(line.shown.position).then(|| when::rfc3339(line.shown.recorded_at)), "in_conflict": line.in_conflict,
                    "party_id": (!line.field.qualifier().is_zero()).then(|| line.field.qualifier().to_string()),
                })))?;
                continue;
            }
            let flag = if line.in_conflict { ui.text("  [konflikt]", "  [conflict]") } else { "" };
            rows.push(vec![
                ground.title(entity),
                ground.field(ui, line.field),
                format!("{}{flag}", ground.text(ui, line.field, Some(&line.shown.content))),
                format!("{org}, {member}"),
                if confirmed(line.shown.position) {
                    when::local(line.shown.recorded_at)
                } else {
                    ui.text("i kö", "queued").to_owned()
                },
                line.shown.event.short(),
            ]);
        }
    }
    if ui.json() {
        return Ok(());
    }
    let headings = match ui.lang {
        Lang::Sv => ["vad", "fält", "värde", "av", "när", "händelse"],
        Lang::En => ["what", "field", "value", "by", "when", "event"],
    };
    ui.table(&headings, &rows)?;
    ui.line("")?;
    ui.line(&point.footer(ui))
}

/// The programme, its areas, sub-goals and activities in order, then the parties.
fn in_order(ground: &Ground<'_>) -> Vec<EntityId> {
    let program = view::program(ground.state, ground.values, ground.day);
    let mut order = vec![ground.state.program_id().into()];
    for area in &program.areas {
        order.push(area.id);
        for subgoal in &area.subgoals {
            order.push(subgoal.id);
            order.extend(subgoal.activities.iter().map(|activity| activity.id));
        }
    }
    order.extend(program.parties.iter().map(|party| party.id));
    order
}

/// `log`.
pub fn log(place: &Place, args: &Log) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let at = At { as_of: args.as_of.clone(), basis: args.basis.clone(), effective: None };
    let now = at.as_of.is_none() && at.basis.is_none();
    let point = point::at(place, &replica, &view, &at)?;
    let ground = point.ground(&view);
    let last = args.last.unwrap_or(usize::MAX);
    let queued: &[Recorded] = if now { &view.queued } else { &[] };
    let confirmed = if args.decision.is_some() { usize::MAX } else { last.saturating_sub(queued.len()) };
    let mut all = replica.last_records(point.position, confirmed)?;
    all.extend_from_slice(queued);
    if let Some(number) = &args.decision {
        all.retain(|record| decided_by(&ground, record, number));
    }
    let skip = all.len().saturating_sub(last);
    let (ui, chosen) = (place.ui, &all[skip..]);
    provisional::say(ui, &replica);
    if let Some(by) = args.by {
        return counted::write(ui, &point, &ground, chosen, by);
    }
    let confirmed = replica.ledger.state.head();
    if ui.json() {
        return chosen
            .iter()
            .try_for_each(|record| ui.object(&point.marked(record_json(&ground, record, confirmed))));
    }
    let rows: Vec<Vec<String>> =
        chosen.iter().map(|record| record_row(ui, &ground, record, confirmed)).collect();
    let headings = match ui.lang {
        Lang::Sv => ["position", "när", "vem", "slag", "vad", "varför", "händelse"],
        Lang::En => ["position", "when", "who", "kind", "what", "why", "event"],
    };
    ui.table(&headings, &rows)?;
    ui.line("")?;
    ui.line(&point.footer(ui))
}

/// Whether a record names this decision, or one whose number has this part.
fn decided_by(ground: &Ground<'_>, record: &Recorded, number: &str) -> bool {
    let named = record.body().and_then(|_| ground.beside(record.event_id, Slot::DECISION));
    named.is_some_and(|named| nfc(&named).to_lowercase().contains(&nfc(number).to_lowercase()))
}

fn record_row(ui: Ui, ground: &Ground<'_>, record: &Recorded, confirmed: Position) -> Vec<String> {
    let queued = record.position > confirmed;
    let (kind, touched) = match &record.entry {
        Entry::Accepted { body, .. } => (kind_text(ui, &body.kind).to_owned(), touched(ground, body)),
        Entry::Rejected(facts) => (format!("{}: {}", ui.text("avvisad", "rejected"), facts.reason), None),
    };
    let beside = |slot| record.body().and_then(|_| ground.beside(record.event_id, slot));
    let why: Vec<String> = [Slot::REASON, Slot::DECISION].into_iter().filter_map(beside).collect();
    vec![
        if queued { ui.text("i kö", "queued").to_owned() } else { record.position.to_string() },
        when::local(record.recorded_at),
        ground.who(ui, record.device()),
        kind,
        touched.unwrap_or_default(),
        why.join("; "),
        record.event_id.short(),
    ]
}

/// A record for a program to read.
pub fn record_json(ground: &Ground<'_>, record: &Recorded, confirmed: Position) -> serde_json::Value {
    let queued = record.position > confirmed;
    let (org, member) = ground.device(record.device());
    let body = record.body();
    json!({
        "position": (!queued).then(|| record.position.get()), "event_id": record.event_id.to_string(),
        "kind": body.map(|body| body.kind.clone()), "rejected": body.is_none(),
        "rejection": match &record.entry { Entry::Rejected(facts) => Some(facts.reason.name()), Entry::Accepted { .. } => None },
        "org": org, "member": member, "title": body.and_then(|body| touched(ground, body)),
        "recorded_at": (!queued).then(|| when::rfc3339(record.recorded_at)),
        "authored_at": body.map(|body| when::rfc3339(body.authored_at)),
        "reason": body.and_then(|_| ground.beside(record.event_id, Slot::REASON)),
        "decision": body.and_then(|_| ground.beside(record.event_id, Slot::DECISION)),
    })
}

/// The title of the first entity that an event touched, or the name that it gave to a point.
fn touched(ground: &Ground<'_>, body: &radslag_core::event::EventBody) -> Option<String> {
    if matches!(body.change, Change::BaselineSet { .. }) {
        return ground.beside(body.event_id, Slot::BASELINE_NAME);
    }
    let writes = radslag_core::fold::field_writes(body);
    writes.first().map(|write| ground.title(write.entity))
}

/// `verify`.
pub async fn verify(place: &Place, args: &Verify) -> Result<(), CliError> {
    let replica = place.open()?;
    let ui = place.ui;
    let verified = replica.verify()?;
    let (position, root) = (verified.position, verified.root);
    if args.online {
        let remote = Remote::of(&replica.settings).await?;
        if let Compared::ServerAhead { position: server } = replica.compare(&verified, &remote).await? {
            return Err(CliError::refused(
                format!("the server is at position {server}, this replica at {position}"),
                "radslag pull, then radslag verify --online",
            ));
        }
    }
    if ui.json() {
        return ui.object(&json!({
            "verified_to": position.get(), "root": root.to_string(), "state_hash": verified.state_hash.to_string(),
            "online": args.online,
        }));
    }
    ui.line(&match ui.lang {
        Lang::Sv => {
            format!("alla {position} händelser är kontrollerade: signaturer, ordning, värden, regler, rot")
        }
        Lang::En => format!("all {position} records verify: signatures, sequences, values, rules, root"),
    })?;
    ui.line(&format!("{}  {root}", ui.text("rot ", "root")))?;
    if args.online {
        ui.tell("servern har samma logg", "the server has the same log")?;
    }
    Ok(())
}
