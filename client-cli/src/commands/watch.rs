//! Changes as they come: who, what, and why.

use std::sync::Arc;
use std::time::Duration;

use radslag_client::backoff::spread;
use radslag_client::clock::{IdSource as _, SystemClock, SystemIds};
use radslag_client::replica::{Replica, find};
use radslag_client::watch::{Paused, Shown, Watch};
use radslag_core::filter::Filter;
use radslag_core::record::Entry;
use radslag_core::value::Slot;
use radslag_core::view;
use serde_json::json;

use super::{Place, ground, past, show, sync};
use crate::args::Watch as WatchArgs;
use crate::error::CliError;
use crate::shape::{Ground, kind_text};
use crate::ui::{Lang, Ui};
use crate::when;

/// The first wait after the server went away, and the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// `watch`.
pub async fn watch(place: &Place, args: &WatchArgs) -> Result<(), CliError> {
    let dir = find(&place.folder())?;
    let ui = place.ui;
    let (only, named) = only(place, args)?;
    let watch = Watch::begin(dir, Arc::new(SystemClock), Arc::new(SystemIds), only)?;
    let ended = asked_to_end();
    ui.say(&match ui.lang {
        Lang::Sv => {
            format!("följer programmet från position {}{named} (avsluta med Ctrl-C)", watch.position())
        }
        Lang::En => {
            format!("following the programme from position {}{named} (Ctrl-C ends it)", watch.position())
        }
    });
    tokio::select! {
        ended = follow(ui, watch) => ended,
        () = ended => Ok(()),
    }
}

/// What is shown, and how that is said.
fn only(place: &Place, args: &WatchArgs) -> Result<(Filter, String), CliError> {
    if args.area.is_none() && args.org.is_none() {
        return Ok((Filter::default(), String::new()));
    }
    let replica = place.open()?;
    let (ui, mut only, mut named) = (place.ui, Filter::default(), String::new());
    {
        let view = replica.view();
        let ground = ground(&view);
        if let Some(name) = &args.area {
            let program = view::program(&view.state, &view, view.day());
            let area = show::area(&ground, &program, name)?;
            named.push_str(&format!(", {} {}", ui.text("bara området", "only the area"), ground.title(area)));
            only.area = Some(area);
        }
        if let Some(name) = &args.org {
            let taking_part = view.state.organisations();
            let org = taking_part.keys().find(|org| org.to_string() == *name);
            let org = org.ok_or_else(|| {
                let all: Vec<String> = taking_part.keys().map(ToString::to_string).collect();
                CliError::refused(
                    format!("no organisation {name:?} takes part in the programme"),
                    format!("name one of these: {}", all.join(", ")),
                )
            })?;
            named.push_str(&format!(", {} {org}", ui.text("bara av", "only by")));
            only.org = Some(org.clone());
        }
    }
    replica.close()?;
    Ok((only, named))
}

async fn follow(ui: Ui, mut watch: Watch) -> Result<(), CliError> {
    let away = std::cell::Cell::new(false);
    let mut wait = FIRST_WAIT;
    loop {
        let level = || {
            if away.replace(false) {
                ui.say(ui.text("servern svarar igen", "the server answers again"));
            }
        };
        let before = watch.position();
        let paused = watch.follow(|replica, shown| tell(ui, replica, &shown), level).await?;
        let error = match paused {
            // Another command pulled: go on from there at once.
            Paused::Moved => continue,
            Paused::Restored(parted) => {
                ui.say(&sync::restored(ui, &parted));
                continue;
            }
            Paused::Told(wait) => {
                tokio::time::sleep(wait).await;
                continue;
            }
            Paused::Away(error) => error,
        };
        if watch.position() > before || !away.get() {
            wait = FIRST_WAIT;
        }
        if !away.replace(true) {
            ui.say(&format!(
                "{error}; {}",
                ui.text("väntar tills servern svarar igen", "waiting until the server answers again")
            ));
        }
        // Not everybody comes back at once.
        tokio::time::sleep(spread(wait / 2, SystemIds.random16())).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Listens from now on for Ctrl-C, or the system's own way of asking; done when it is asked.
fn asked_to_end() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        [signal(SignalKind::interrupt()), signal(SignalKind::terminate())]
    };
    async move {
        #[cfg(unix)]
        if let [Ok(mut interrupt), Ok(mut terminate)] = signals {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        // Where no signal can be heard, the process is ended from outside.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn tell(ui: Ui, replica: &Replica, shown: &Shown<'_>) -> Result<(), CliError> {
    let view = replica.view();
    let ground = ground(&view);
    if ui.json() {
        let confirmed = replica.ledger.state.head();
        let changes = shown.changes.iter().map(|change| past::change_json(&ground, change, confirmed));
        let mut object = past::record_json(&ground, shown.record, confirmed);
        object["changes"] = json!(changes.collect::<Vec<_>>());
        return ui.object(&object);
    }
    for line in lines(ui, &ground, shown) {
        ui.line(&line)?;
    }
    Ok(())
}

/// One line for each field that changed, or one for the record.
fn lines(ui: Ui, ground: &Ground<'_>, shown: &Shown<'_>) -> Vec<String> {
    let record = shown.record;
    let (at, who) = (when::local(record.recorded_at), ground.who(ui, record.device()));
    let head = format!("{}  {at}  {who}", record.position);
    let kind = match &record.entry {
        Entry::Rejected(facts) => {
            return vec![format!("{head}  {}: {}", ui.text("avvisad", "rejected"), facts.reason)];
        }
        Entry::Accepted { body, .. } => kind_text(ui, &body.kind),
    };
    let why = [Slot::REASON, Slot::DECISION].map(|slot| ground.beside(record.event_id, slot));
    let why: Vec<String> = why.into_iter().flatten().collect();
    let why = if why.is_empty() { String::new() } else { format!("  ({})", why.join("; ")) };
    if shown.changes.is_empty() {
        return vec![format!("{head}  {kind}{why}")];
    }
    let line = |change: &radslag_core::history::FieldChange| {
        let before = ground.text(ui, change.field, change.before.as_ref());
        let before = if before.is_empty() { "–".to_owned() } else { before };
        let field = ground.field(ui, change.field);
        let after = past::said(ui, ground, change);
        format!("{head}  {} · {field}: {before} → {after}{why}", ground.title(change.entity))
    };
    shown.changes.iter().map(line).collect()
}
