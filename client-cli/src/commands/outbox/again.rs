//! `outbox resubmit`: what will not land is written anew, as it was typed or with another value.

use radslag_client::resubmit::Resubmission;
use radslag_core::event::{Change, NewValue, Standing};
use radslag_core::field::FieldKey;
use radslag_core::parse::cost::Cost;
use radslag_core::value::Slot;
use serde_json::json;

use super::list::{Own, Unit, units};
use super::{left, named};
use crate::args::OutboxResubmit;
use crate::commands::Place;
use crate::commands::edit::{cell, cost, title};
use crate::commands::editor::edited as edited_text;
use crate::error::CliError;
use crate::ui::{Lang, Ui};
use crate::when;

/// `outbox resubmit`.
pub(super) fn resubmit(place: &Place, args: &OutboxResubmit) -> Result<(), CliError> {
    let ui = place.ui;
    let effective_on = args.effective.as_deref().map(|text| when::day("--effective", text)).transpose()?;
    let mut replica = place.open()?;
    let view = replica.view();
    let wanted = named(units(&replica, &view)?, &args.numbers)?;
    drop(view);
    if let Some(waiting) = wanted.iter().find(|unit| unit.waits()).and_then(|unit| unit.events.first()) {
        return Err(CliError::refused(
            format!("change {} is queued already", waiting.id().short()),
            "radslag sync sends it",
        ));
    }
    if wanted.is_empty() {
        return ui.tell("ingenting i karantän", "nothing in quarantine");
    }
    let value = match (&args.value, args.edit) {
        (None, false) => None,
        (Some(text), _) => Some(text.clone()),
        (None, true) => Some(edited(ui, &wanted)?),
    };
    let resubmission = Resubmission {
        numbers: wanted.iter().flat_map(|unit| unit.numbers.clone()).collect(),
        value: value.map(|text| new_value(&wanted, &text)).transpose()?,
        effective_on,
        strict: args.strict,
    };
    let events = replica.resubmit(&resubmission)?;
    if ui.json() {
        let ids: Vec<String> = events.iter().map(ToString::to_string).collect();
        let (outbox, quarantine) = (replica.outbox.len(), left(&replica)?);
        ui.object(&json!({"queued": ids, "outbox": outbox, "quarantine": quarantine}))?;
    } else {
        let list: Vec<String> = events.iter().map(radslag_core::id::EventId::short).collect();
        let list = list.join(", ");
        ui.line(&match ui.lang {
            Lang::Sv => format!("köad på nytt, inte synkroniserad: {list}   (radslag sync skickar)"),
            Lang::En => format!("queued again, not synced: {list}   (radslag sync sends)"),
        })?;
    }
    Ok(replica.close()?)
}

/// The one event whose one value is to be another: the value's field and bytes.
fn only_value(wanted: &[Unit]) -> Result<(&Own, FieldKey, Slot), CliError> {
    let several =
        || CliError::usage("--value and --edit are for one change of one field with a text or an amount");
    let [unit] = wanted else { return Err(several()) };
    let [own] = unit.events.as_slice() else { return Err(several()) };
    let field = match &own.body.change {
        Change::FieldRevised { field, value: NewValue::Sealed, .. }
        | Change::ConflictResolved { field, stands: Standing::Sealed, .. } => *field,
        _ => return Err(several()),
    };
    let slot = field.slot().ok_or_else(several)?;
    Ok((own, field, slot))
}

fn new_value(wanted: &[Unit], text: &str) -> Result<(Slot, Vec<u8>), CliError> {
    let (_, field, slot) = only_value(wanted)?;
    let bytes = match field {
        FieldKey::Cost => cost(text)?.to_value_bytes(),
        // A field is emptied by an edit that says so, not by a value.
        _ => title("--value", text).and_then(|text| cell("--value", &text))?.into_bytes(),
    };
    Ok((slot, bytes))
}

/// The value as a person leaves it in an editor.
fn edited(ui: Ui, wanted: &[Unit]) -> Result<String, CliError> {
    let (own, field, slot) = only_value(wanted)?;
    let bytes = own.values.iter().find(|value| value.slot == slot).map(|value| value.bytes.clone());
    let bytes = bytes.unwrap_or_default();
    let before = match field {
        FieldKey::Cost => Cost::from_value_bytes(&bytes).ok().map(|cost| cost.raw),
        _ => Some(String::from_utf8_lossy(&bytes).into_owned()),
    };
    let before = before.unwrap_or_default();
    let otherwise = "radslag outbox resubmit N --value TEXT";
    edited_text(ui, &own.id().to_string(), &before, otherwise, "radslag outbox list")
}
