//! A replica that began from a snapshot: how it begins, what it says of itself, and how its history is fetched.

use radslag_client::ClientError;
use radslag_client::remote::Remote;
use radslag_client::replica::Replica;
use serde_json::{Value as Json, json};

use super::Place;
use crate::args::FetchHistory;
use crate::error::CliError;
use crate::ui::{Lang, Ui};

/// Begins from a snapshot where the log is long, or goes on with one that is under way; does nothing where the server has none.
pub async fn begin(
    ui: Ui,
    replica: &mut Replica,
    remote: &Remote,
    log_key: &[u8; 32],
) -> Result<(), CliError> {
    match replica.begin_from_snapshot(remote, log_key, |at, of| ui.progress(at, of)).await {
        Ok(_) => Ok(()),
        Err(ClientError::Api(error)) if error.reason.name() == "NOT_YET" => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is so while the history is missing, in one line; none for a replica that has all of it.
pub fn line(ui: Ui, replica: &Replica) -> Option<String> {
    let provisional = replica.provisional.as_ref()?;
    let position = provisional.position();
    if let Some(what) = &provisional.contradicted {
        return Some(match ui.lang {
            Lang::Sv => format!("ögonblicksbilden som repliken började från är motsagd: {what}"),
            Lang::En => format!("the snapshot that this replica began from is contradicted: {what}"),
        });
    }
    Some(match ui.lang {
        Lang::Sv => format!(
            "historiken före position {position} är ännu inte hämtad och kontrollerad (radslag fetch-history)"
        ),
        Lang::En => format!(
            "the history before position {position} has not been fetched and verified yet (radslag fetch-history)"
        ),
    })
}

/// Says it to the person, whoever reads the data.
pub fn say(ui: Ui, replica: &Replica) {
    if let Some(line) = line(ui, replica) {
        ui.say(&line);
    }
}

/// The same for programs; null for a replica that has all of its history.
pub fn json(replica: &Replica) -> Json {
    replica.provisional.as_ref().map_or(Json::Null, |provisional| {
        json!({
            "position": provisional.position().get(), "fetched": provisional.fetched.get(),
            "contradicted": provisional.contradicted,
        })
    })
}

/// How many records of the missing history a `sync` fetches besides.
const PIECE: u64 = 10_000;

/// Fetches and verifies a piece of the missing history, so that nobody has to think of it. A server that has gone meanwhile is met again
/// by the next command.
pub async fn piece(ui: Ui, replica: &mut Replica, remote: &Remote) -> Result<(), CliError> {
    let Some(position) = replica.provisional.as_ref().map(|provisional| provisional.position()) else {
        return Ok(());
    };
    match replica.fetch_history(remote, Some(PIECE), |at, of| ui.progress(at, of)).await {
        Err(ClientError::NoAnswer { .. }) => return Ok(()),
        other => other?,
    };
    let fetched = replica.provisional.as_ref().map_or(position, |provisional| provisional.fetched);
    ui.say(&match ui.lang {
        Lang::Sv => format!("historiken är hämtad och kontrollerad till position {fetched} av {position}"),
        Lang::En => format!("the history is fetched and verified to position {fetched} of {position}"),
    });
    Ok(())
}

/// `fetch-history`.
pub async fn fetch_history(place: &Place, args: &FetchHistory) -> Result<(), CliError> {
    let mut replica = place.open()?;
    let ui = place.ui;
    let was = replica.provisional.is_some();
    let remote = Remote::of(&replica.settings).await?;
    let fetched = replica.fetch_history(&remote, args.most, |at, of| ui.progress(at, of)).await;
    let provisional = json(&replica);
    replica.close()?;
    let history = fetched?;
    let (at, up_to) = (history.fetched, history.up_to);
    if ui.json() {
        return ui.object(&json!({
            "verified_to": at.get(), "up_to": up_to.get(), "complete": history.complete, "provisional": provisional,
        }));
    }
    ui.line(&match (ui.lang, history.complete, was) {
        (Lang::Sv, true, false) => "hela historiken finns redan här".to_owned(),
        (Lang::En, true, false) => "the whole history is here already".to_owned(),
        (Lang::Sv, true, true) => format!(
            "historiken är hämtad och kontrollerad till position {at}; den ger det som ögonblicksbilden vid {up_to} sade"
        ),
        (Lang::En, true, true) => format!(
            "the history is fetched and verified to position {at}; it gives what the snapshot at {up_to} said"
        ),
        (Lang::Sv, false, _) => {
            format!("historiken är hämtad och kontrollerad till position {at} av {up_to}")
        }
        (Lang::En, false, _) => format!("the history is fetched and verified to position {at} of {up_to}"),
    })
}
