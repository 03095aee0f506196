//! Own changes that wait, and those that will not land, with everything that was typed: listed, given up, written anew.

mod again;
mod list;

pub use list::{Unit, set_aside};

use radslag_client::replica::Replica;
use serde_json::json;

use super::{Place, confirm};
use crate::args::{Outbox, OutboxCommand, OutboxDiscard};
use crate::error::CliError;
use crate::names;

/// `outbox`.
pub fn outbox(place: &Place, args: &Outbox) -> Result<(), CliError> {
    match &args.command {
        None | Some(OutboxCommand::List) => list::list(place.ui, &place.open()?),
        Some(OutboxCommand::Discard(args)) => discard(place, args),
        Some(OutboxCommand::Resubmit(args)) => again::resubmit(place, args),
    }
}

/// The units that are named, in the order of the list; everything that will not land where none is.
fn named(units: Vec<Unit>, names: &[String]) -> Result<Vec<Unit>, CliError> {
    if names.is_empty() {
        return Ok(units.into_iter().filter(|unit| !unit.waits()).collect());
    }
    let mut wanted = Vec::new();
    for name in names {
        let numbered = units.iter().position(|unit| unit.is_numbered(name));
        let at = match numbered {
            Some(at) => at,
            None if looks_numbered(name) => return Err(unknown(&units, name)),
            None => {
                let digits = units.iter().enumerate().flat_map(|(at, unit)| {
                    unit.events.iter().map(move |event| (event.id().uuid().simple().to_string(), at))
                });
                let digits: Vec<(String, usize)> = digits.collect();
                let listed = digits.iter().map(|(hex, at)| (hex.clone(), at));
                *names::by_digits("change in the outbox", name, listed)?
            }
        };
        wanted.push(at);
    }
    let kept = units.into_iter().enumerate().filter(|(at, _)| wanted.contains(at));
    Ok(kept.map(|(_, unit)| unit).collect())
}

/// Whether a name is a number of the list, or a range of them. A number of four digits and more without a `q` may be an event's.
fn looks_numbered(name: &str) -> bool {
    let numbers: Vec<&str> = name.split(['-', '–']).collect();
    let is_number = |name: &&str| {
        let digits = name.trim_start_matches(['q', 'Q']);
        let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        numeric && (digits.len() < 4 || digits.len() < name.len())
    };
    numbers.len() <= 2 && numbers.iter().all(is_number)
}

fn unknown(units: &[Unit], name: &str) -> CliError {
    let what = format!("there is no number {name} in the outbox");
    let queued = format!("q{name}");
    if units.iter().any(|unit| unit.is_numbered(&queued)) {
        return CliError::refused(what, format!("{queued} is the queued one: radslag outbox list"));
    }
    CliError::refused(what, "radslag outbox list")
}

fn discard(place: &Place, args: &OutboxDiscard) -> Result<(), CliError> {
    let ui = place.ui;
    let mut replica = place.open()?;
    let view = replica.view();
    let units = named(list::units(&replica, &view)?, &args.numbers)?;
    let lines: Vec<String> = units.iter().map(|unit| unit.line(ui, &view)).collect();
    drop(view);
    let waiting = units.iter().filter(|unit| unit.waits()).flat_map(|unit| &unit.events);
    let waiting: Vec<_> = waiting.map(list::Own::id).collect();
    let numbers: Vec<u64> =
        units.iter().filter(|unit| !unit.waits()).flat_map(|unit| unit.numbers.clone()).collect();
    let question = ui.text("Kasta detta för gott?", "Give this up for good?");
    if !units.is_empty() && !args.yes && !confirm(ui, &lines, question)? {
        return Err(CliError::refused(
            ui.text("ingenting kastat", "nothing was discarded"),
            "radslag outbox resubmit N hands a change in again",
        ));
    }
    // What waits may be refused, and then nothing is given up.
    replica.discard_queued(&waiting)?;
    replica.discard(&numbers)?;
    if ui.json() {
        let events = units.iter().flat_map(|unit| &unit.events);
        let events: Vec<String> = events.map(|event| event.id().to_string()).collect();
        ui.object(&json!({
            "discarded": events, "outbox": replica.outbox.len(), "quarantine": left(&replica)?,
        }))?;
    } else if lines.is_empty() {
        ui.tell("ingenting i karantän", "nothing in quarantine")?;
    } else {
        for line in &lines {
            ui.line(&format!("{}: {line}", ui.text("kastad", "discarded")))?;
        }
    }
    Ok(replica.close()?)
}

fn left(replica: &Replica) -> Result<usize, CliError> {
    Ok(replica.quarantine()?.len())
}
