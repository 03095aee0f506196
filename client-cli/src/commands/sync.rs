//! The network and where a replica stands: pull, push, sync, status, whoami.

use radslag_client::exchange::Tally;
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use radslag_core::view;
use serde_json::json;

use super::Place;
use crate::error::CliError;
use crate::ui::{Lang, Ui};
use crate::when;

async fn connect(replica: &Replica) -> Result<Remote, CliError> {
    Ok(Remote::connect(&replica.settings.server).await?)
}

/// `pull`.
pub async fn pull(place: &Place) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let remote = connect(&replica).await?;
    let tally = replica.pull(&remote, |at, of| place.ui.progress(at, of)).await?;
    report(place.ui, &replica, &tally, false)?;
    Ok(replica.close()?)
}

/// `push`.
pub async fn push(place: &Place) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let remote = connect(&replica).await?;
    let tally = replica.push(&remote, |at, of| place.ui.progress(at, of)).await?;
    report(place.ui, &replica, &tally, true)?;
    replica.close()?;
    refused(&tally)
}

/// `sync`.
pub async fn sync(place: &Place) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let remote = connect(&replica).await?;
    let tally = replica.sync(&remote, |at, of| place.ui.progress(at, of)).await?;
    report(place.ui, &replica, &tally, true)?;
    replica.close()?;
    refused(&tally)
}

fn report(ui: Ui, replica: &Replica, tally: &Tally, handed_in: bool) -> Result<(), CliError> {
    let position = replica.ledger.state.head().get();
    let conflicts = view::conflicts(&replica.ledger.state).len();
    if ui.json() {
        return ui.object(&json!({
            "position": position, "new": tally.records, "confirmed": tally.confirmed, "rejected": tally.rejected,
            "outbox": replica.outbox.len(), "conflicts": conflicts,
            "pushed": handed_in.then_some(tally.accepted), "refused": tally.refused,
        }));
    }
    let sent = tally.accepted;
    for rejected in &tally.rejections {
        ui.line(&format!(
            "{}: {rejected}",
            ui.text("avvisad, ligger i karantän", "rejected, kept in quarantine")
        ))?;
    }
    ui.line(&match ui.lang {
        Lang::Sv => format!(
            "position {position}: {} nya händelser, {sent} skickade, {} i kö, {conflicts} konflikter",
            tally.records,
            replica.outbox.len()
        ),
        Lang::En => format!(
            "position {position}: {} new records, {sent} sent, {} queued, {conflicts} conflicts",
            tally.records,
            replica.outbox.len()
        ),
    })?;
    if conflicts > 0 {
        ui.say(ui.text("visa dem: radslag conflicts", "see them: radslag conflicts"));
    }
    Ok(())
}

fn refused(tally: &Tally) -> Result<(), CliError> {
    match &tally.refused {
        None => Ok(()),
        Some(reason) => Err(CliError::refused(
            format!("the server refused a change: {reason}; {} changes are in quarantine", tally.quarantined),
            "radslag outbox list",
        )),
    }
}

/// `status`.
pub fn status(place: &Place) -> Result<(), CliError> {
    let replica = place.open()?;
    let ui = place.ui;
    let view = replica.view();
    let position = replica.ledger.state.head().get();
    let quarantine = replica.quarantine()?.len();
    let conflicts = view::conflicts(&view.state).len();
    let at = replica.ledger.state.today().map(|_| when::rfc3339(replica.ledger.state.recorded_at()));
    if ui.json() {
        return ui.object(&json!({
            "program_id": replica.settings.program.to_string(), "position": position, "recorded_at": at,
            "outbox": replica.outbox.len(), "quarantine": quarantine, "conflicts": conflicts, "verified_to": position,
            "doubtful": view.doubtful.len(), "state_hash": replica.ledger.state.hash().to_string(),
        }));
    }
    let title = view::title(&view.state, &view, replica.settings.program.into(), view.day());
    let last = replica.ledger.state.today().map(|_| when::local(replica.ledger.state.recorded_at()));
    let rows = vec![
        vec![ui.text("program", "programme").to_owned(), title],
        vec![
            ui.text("replika", "replica").to_owned(),
            format!("{} ({})", replica.settings.org, replica.settings.name),
        ],
        vec!["position".to_owned(), format!("{position}  {}", last.unwrap_or_default())],
        vec![ui.text("kontrollerad till", "verified to").to_owned(), position.to_string()],
        vec![ui.text("i kö", "queued").to_owned(), replica.outbox.len().to_string()],
        vec![ui.text("i karantän", "in quarantine").to_owned(), quarantine.to_string()],
        vec![ui.text("konflikter", "conflicts").to_owned(), conflicts.to_string()],
    ];
    ui.table(&[ui.text("vad", "what"), ui.text("läge", "state")], &rows)?;
    for (event, rejection) in &view.doubtful {
        ui.line(&format!(
            "{} {}: {rejection}",
            ui.text("kommer att avvisas", "will be declined"),
            event.short()
        ))?;
    }
    Ok(())
}

/// `whoami`.
pub fn whoami(place: &Place) -> Result<(), CliError> {
    let replica = place.open()?;
    let (ui, settings) = (place.ui, &replica.settings);
    if ui.json() {
        return ui.object(&json!({
            "org": settings.org.to_string(), "member": settings.name, "member_id": settings.member.to_string(),
            "device_id": settings.device.to_string(), "program_id": settings.program.to_string(),
            "server": settings.server, "key_id": replica.key.public().key_id().to_string(),
            "replica": replica.dir.display().to_string(),
        }));
    }
    let rows = vec![
        vec![ui.text("organisation", "organisation").to_owned(), settings.org.to_string()],
        vec![ui.text("namn", "name").to_owned(), settings.name.clone()],
        vec![ui.text("enhet", "device").to_owned(), settings.device.to_string()],
        vec![ui.text("program", "programme").to_owned(), settings.program.to_string()],
        vec!["server".to_owned(), settings.server.clone()],
        vec![ui.text("mapp", "folder").to_owned(), replica.dir.display().to_string()],
    ];
    ui.table(&[ui.text("vad", "what"), ui.text("värde", "value")], &rows)
}
