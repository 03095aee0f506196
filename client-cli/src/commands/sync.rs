//! The network and where a replica stands: pull, push, sync, status, whoami.

use radslag_client::exchange::Tally;
use radslag_client::fork::NewDevice;
use radslag_client::parted::Parted;
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use radslag_core::view;
use serde_json::json;

use super::{Place, outbox, provisional};
use crate::error::CliError;
use crate::ui::{Lang, Ui};
use crate::when;

async fn connect(replica: &Replica) -> Result<Remote, CliError> {
    Ok(Remote::of(&replica.settings).await?)
}

/// `pull`.
pub async fn pull(place: &Place) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let remote = connect(&replica).await?;
    let aside = last_aside(&replica)?;
    let tally = replica.pull(&remote, |at, of| place.ui.progress(at, of)).await?;
    report(place.ui, &replica, aside, &tally, false)?;
    Ok(replica.close()?)
}

/// `push`.
pub async fn push(place: &Place) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let remote = connect(&replica).await?;
    let aside = last_aside(&replica)?;
    // Nothing is handed in on top of a log that is not the one verified here: it pulls first.
    let tally = replica.push(&remote, |at, of| place.ui.progress(at, of)).await?;
    report(place.ui, &replica, aside, &tally, true)?;
    replica.close()?;
    refused(&tally)
}

/// `sync`.
pub async fn sync(place: &Place) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let remote = connect(&replica).await?;
    let aside = last_aside(&replica)?;
    let mut tally = replica.sync(&remote, |at, of| place.ui.progress(at, of)).await?;
    // What was rejected has been seen in the log by now, and is told from there.
    tally.rejections.clear();
    tally.declined = 0;
    report(place.ui, &replica, aside, &tally, true)?;
    let piece = provisional::piece(place.ui, &mut replica, &remote).await;
    replica.close()?;
    piece?;
    refused(&tally)
}

/// The last row of the quarantine.
fn last_aside(replica: &Replica) -> Result<u64, CliError> {
    Ok(replica.quarantine()?.last().map_or(0, |(number, _)| *number))
}

fn report(ui: Ui, replica: &Replica, aside: u64, tally: &Tally, handed_in: bool) -> Result<(), CliError> {
    let position = replica.ledger.state.head().get();
    let conflicts = view::conflicts_at(&replica.ledger.state, replica.view().day()).len();
    // Those whose records were seen, and those that a push was answered with.
    let rejected = tally.rejected + tally.declined;
    if ui.json() {
        return ui.object(&json!({
            "position": position, "new": tally.records, "confirmed": tally.confirmed, "rejected": rejected,
            "outbox": replica.outbox.len(), "conflicts": conflicts, "quarantine": replica.quarantine()?.len(),
            "new_device": tally.new_device.map(|device| device.new.to_string()),
            "pushed": handed_in.then_some(tally.accepted), "refused": tally.refused,
            "restored": tally.parted.map(|parted| json!({
                "epoch_id": parted.epoch.to_string(), "cut": parted.cut.get(), "held": parted.held.get(),
            })),
            "returned": tally.returned, "lost": replica.still_lost(),
        }));
    }
    if let Some(device) = tally.new_device {
        ui.line(&new_device(ui, &device))?;
    }
    if let Some(parted) = &tally.parted {
        ui.line(&restored(ui, parted))?;
    }
    if tally.returned > 0 {
        ui.line(&match ui.lang {
            Lang::Sv => format!("ändringar som servern hade förlorat och nu har igen: {}", tally.returned),
            Lang::En => format!("changes that the server had lost and has again: {}", tally.returned),
        })?;
    }
    let sent = tally.accepted;
    for line in outbox::set_aside(ui, replica, aside)? {
        ui.line(&line)?;
    }
    for line in &tally.rejections {
        ui.line(&format!("{}: {line}", ui.text("avvisad", "rejected")))?;
    }
    let mut summary = match ui.lang {
        Lang::Sv => format!(
            "position {position}: {} {}, {sent} {}, {} i kö, {}",
            tally.records,
            if tally.records == 1 { "ny händelse" } else { "nya händelser" },
            if sent == 1 { "skickad" } else { "skickade" },
            replica.outbox.len(),
            count(ui, conflicts),
        ),
        Lang::En => format!(
            "position {position}: {} new {}, {sent} sent, {} queued, {}",
            tally.records,
            if tally.records == 1 { "record" } else { "records" },
            replica.outbox.len(),
            count(ui, conflicts),
        ),
    };
    if rejected > 0 {
        summary.push_str(&format!(", {rejected} {}", ui.text("avvisade", "rejected")));
    }
    ui.line(&summary)?;
    if rejected > 0 && tally.declined == 0 {
        ui.say(ui.text(
            "se varför och vad som kan göras: radslag outbox list",
            "see why, and what can be done: radslag outbox list",
        ));
    } else if rejected > 0 {
        ui.say(ui.text(
            "hämta det avvisade till karantänen: radslag pull",
            "fetch what was rejected into quarantine: radslag pull",
        ));
    }
    if conflicts > 0 {
        ui.say(ui.text("visa dem: radslag conflicts", "see them: radslag conflicts"));
    }
    Ok(())
}

/// So many conflicts.
fn count(ui: Ui, conflicts: usize) -> String {
    let noun = match conflicts {
        1 => ui.text("konflikt", "conflict"),
        _ => ui.text("konflikter", "conflicts"),
    };
    format!("{conflicts} {noun}")
}

/// What happened to the server, and what this replica did about it.
pub fn restored(ui: Ui, parted: &Parted) -> String {
    let (cut, held) = (parted.cut, parted.held);
    match ui.lang {
        Lang::Sv => format!(
            "Servern har återställts från en äldre kopia, som slutar vid position {cut}. Den här replikan hade allt till och med {held}; det som servern saknar är sparat här och lämnas in igen med radslag sync."
        ),
        Lang::En => format!(
            "The server was restored from an older copy, which ends at position {cut}. This replica had everything up to {held}; what the server lacks is kept here and handed in again by radslag sync."
        ),
    }
}

/// Two sentences about a copied replica.
fn new_device(ui: Ui, device: &NewDevice) -> String {
    let (new, count) = (device.new, device.rewritten);
    match ui.lang {
        Lang::Sv => format!(
            "En annan maskin skriver med den här replikans nyckel, som när en mapp har kopierats. \
             Den här replikan är nu en egen enhet ({new}), och {count} ändringar som inte hade landat är skrivna på nytt."
        ),
        Lang::En => format!(
            "Another machine writes with this replica's key, as when a folder is copied. \
             This replica is now a device of its own ({new}), and {count} changes that had not landed were written anew."
        ),
    }
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
    let open = view::conflicts_at(&view.state, view.day());
    let conflicts = open.len();
    let ground = super::ground(&view);
    let org = replica.settings.org.to_string();
    let own: Vec<_> = open
        .iter()
        .filter(|conflict| conflict.sides.iter().any(|side| ground.author(side).0 == org))
        .map(|conflict| (ground.title(conflict.entity), conflict.field, conflict.id))
        .collect();
    let at = replica.ledger.state.today().map(|_| when::rfc3339(replica.ledger.state.recorded_at()));
    let verified = replica.provisional.as_ref().map_or(position, |provisional| provisional.fetched.get());
    if ui.json() {
        return ui.object(&json!({
            "program_id": replica.settings.program.to_string(), "position": position, "recorded_at": at,
            "outbox": replica.outbox.len(), "quarantine": quarantine, "conflicts": conflicts, "verified_to": verified,
            "own_conflicts": own.iter().map(|(title, field, id)| json!({
                "conflict_id": id.to_string(), "title": title, "field": field.name(),
            })).collect::<Vec<_>>(),
            "lost": replica.still_lost(), "provisional": provisional::json(&replica), "doubtful": view.doubtful.len(), "state_hash": replica.ledger.state.hash().to_string(),
            "base_token": replica.form().to_string(),
        }));
    }
    let title = view::title(&view.state, &view, replica.settings.program.into(), view.day());
    let last = replica.ledger.state.today().map(|_| when::local(replica.ledger.state.recorded_at()));
    let mut rows = vec![
        vec![ui.text("program", "programme").to_owned(), title],
        vec![
            ui.text("replika", "replica").to_owned(),
            format!("{} ({})", replica.settings.org, replica.settings.name),
        ],
        vec!["position".to_owned(), format!("{position}  {}", last.unwrap_or_default())],
        vec![ui.text("kontrollerad till", "verified to").to_owned(), verified.to_string()],
        vec![ui.text("i kö", "queued").to_owned(), replica.outbox.len().to_string()],
        vec![ui.text("i karantän", "in quarantine").to_owned(), quarantine.to_string()],
        vec![ui.text("konflikter", "conflicts").to_owned(), conflicts.to_string()],
        vec![ui.text("bas (--base)", "base (--base)").to_owned(), replica.form().to_string()],
    ];
    if replica.still_lost() > 0 {
        let label = ui.text("saknas på servern", "lost by the server");
        rows.push(vec![label.to_owned(), replica.still_lost().to_string()]);
    }
    ui.table(&[ui.text("vad", "what"), ui.text("läge", "state")], &rows)?;
    if let Some(line) = provisional::line(ui, &replica) {
        ui.line(&line)?;
    }
    if !own.is_empty() {
        let named: Vec<String> =
            own.iter().map(|(title, field, _)| format!("{title} ({})", ground.field(ui, *field))).collect();
        ui.line(&match (ui.lang, own.len()) {
            (Lang::Sv, 1) => format!("ni har skrivit i 1 öppen konflikt: {}", named[0]),
            (Lang::Sv, many) => format!("ni har skrivit i {many} öppna konflikter: {}", named.join("; ")),
            (Lang::En, 1) => format!("you wrote a side of 1 open conflict: {}", named[0]),
            (Lang::En, many) => format!("you wrote sides of {many} open conflicts: {}", named.join("; ")),
        })?;
    }
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
            "ca": settings.ca.as_ref().map(|ca| ca.display().to_string()),
        }));
    }
    let mut rows = vec![
        vec![ui.text("organisation", "organisation").to_owned(), settings.org.to_string()],
        vec![ui.text("namn", "name").to_owned(), settings.name.clone()],
        vec![ui.text("enhet", "device").to_owned(), settings.device.to_string()],
        vec![ui.text("program", "programme").to_owned(), settings.program.to_string()],
        vec!["server".to_owned(), settings.server.clone()],
        vec![ui.text("mapp", "folder").to_owned(), replica.dir.display().to_string()],
    ];
    if let Some(ca) = &settings.ca {
        rows.push(vec![ui.text("utfärdare", "authority").to_owned(), ca.display().to_string()]);
    }
    ui.table(&[ui.text("vad", "what"), ui.text("värde", "value")], &rows)
}
