//! Named points in time: set, listed, and found by their names.

use radslag_client::replica::{Replica, View};
use radslag_core::basis::{Basis, Open};
use radslag_core::command::Draft;
use radslag_core::event::Change;
use radslag_core::parse::{nfc, nfc_eq};
use radslag_core::state::{Baseline, State};
use radslag_core::value::{Slot, Values};
use radslag_core::view::VIEW_VERSION;
use serde_json::json;

use super::edit::title;
use super::writing::{Seen, hand_over};
use super::{Place, ground, point};
use crate::args::{BaselineAdd, BaselineCommand};
use crate::error::CliError;
use crate::ui::{Lang, Ui};
use crate::when;

/// `baseline`.
pub fn baseline(place: &Place, command: &BaselineCommand) -> Result<(), CliError> {
    match command {
        BaselineCommand::Add(args) => add(place, args),
        BaselineCommand::List => list(place),
    }
}

/// What the point of a baseline is read on.
pub fn basis(baseline: &Baseline) -> Basis {
    let Baseline { epoch, position, effective_on, .. } = *baseline;
    Basis { epoch, position, effective_on: Some(effective_on), redactions: 0, view_version: VIEW_VERSION }
}

/// The baseline of that name (NFC, any case) or with those last digits of its event; none where there is none.
pub fn named<'a>(
    state: &'a State,
    values: &dyn Values,
    name: &str,
) -> Result<Option<&'a Baseline>, CliError> {
    let all = state.baselines().iter();
    let says = |baseline: &&Baseline| values.text(baseline.name()).is_some_and(|text| same(&text, name));
    let exact: Vec<&Baseline> = all.clone().filter(says).collect();
    match exact.as_slice() {
        [one] => return Ok(Some(one)),
        [] => {}
        several => return Err(ambiguous(name, several, values)),
    }
    let digits = name.to_lowercase();
    let ends = |baseline: &&Baseline| baseline.event.uuid().simple().to_string().ends_with(&digits);
    let by_digits: Vec<&Baseline> = all.filter(|_| digits.len() >= 8).filter(ends).collect();
    Ok(if let [one] = by_digits.as_slice() { Some(one) } else { None })
}

fn same(one: &str, two: &str) -> bool {
    nfc_eq(&nfc(one).to_lowercase(), &nfc(two).to_lowercase())
}

/// Two municipalities may have used one name without having seen each other's.
fn ambiguous(name: &str, several: &[&Baseline], values: &dyn Values) -> CliError {
    let list: Vec<String> = several
        .iter()
        .map(|baseline| {
            let text = values.text(baseline.name()).unwrap_or_default();
            format!("  {}  {}  {text}", baseline.event.short(), basis(baseline))
        })
        .collect();
    CliError::refused(
        format!("{name:?} names {} points:\n{}", several.len(), list.join("\n")),
        "name it by the digits in front",
    )
}

/// `baseline add`.
fn add(place: &Place, args: &BaselineAdd) -> Result<(), CliError> {
    let name = title("NAME", &args.name)?;
    let mut replica = place.open()?;
    if when::parse(&name, replica.clock.now()).is_ok() || name.starts_with('@') || name.contains("..") {
        return Err(CliError::usage(format!(
            "NAME {name:?}: a day, a time, a position or a basis means itself; give the point another name"
        )));
    }
    let view = args.why.view(&replica)?;
    if let Some(there) = named(&view.state, &view, &name)? {
        return Err(CliError::refused(
            format!("{name:?} names a point already: {}", basis(there)),
            "radslag baseline list; choose another name",
        ));
    }
    let set = set(place, &replica, &view, args)?;
    let drafts = vec![Draft::new(set).with_text(Slot::BASELINE_NAME, &name)];
    let seen = Seen::of(place.ui, &view, &drafts);
    drop(view);
    hand_over(place.ui, &mut replica, seen, drafts, &args.why)?;
    Ok(replica.close()?)
}

/// The point that gets the name: one that has to be the same for everybody who asks.
fn set(place: &Place, replica: &Replica, view: &View<'_>, args: &BaselineAdd) -> Result<Change, CliError> {
    let day = args.effective.as_deref().map(|text| when::day("--effective", text)).transpose()?;
    // Without a point, the last confirmed record: what is queued has no place yet.
    let last = format!("@{}", replica.ledger.state.head());
    let at = args.at.as_deref().unwrap_or(&last);
    let point = point::read(place.ui, replica, view, Some(at), day)?;
    if point.open.contains(&Open::Recorded) {
        return Err(CliError::refused(
            format!(
                "more records may still belong to {at}; this replica has them up to position {}",
                point.position
            ),
            "radslag pull first, or name the point by a position: --at @98",
        ));
    }
    let (epoch, position) = (point.basis.epoch, point.position);
    Ok(Change::BaselineSet { epoch, position, effective_on: point.day })
}

/// `baseline list`.
fn list(place: &Place) -> Result<(), CliError> {
    let replica = place.open()?;
    let view = replica.view();
    let ground = ground(&view);
    let (ui, head) = (place.ui, replica.ledger.state.head());
    let mut rows = Vec::new();
    for baseline in view.state.baselines() {
        let name = ground.beside(baseline.event, Slot::BASELINE_NAME);
        let (org, member) = ground.device(baseline.device);
        let decision = ground.beside(baseline.event, Slot::DECISION);
        let queued = baseline.set_at > head;
        let lost = !basis(baseline).is_of(&replica.ledger.state);
        if ui.json() {
            ui.object(&json!({
                "baseline_id": baseline.event.to_string(), "name": name, "position": baseline.position.get(),
                "effective_on": baseline.effective_on.to_string(), "basis": basis(baseline).to_string(), "lost": lost,
                "decision": decision, "reason": ground.beside(baseline.event, Slot::REASON), "org": org, "member": member,
                "set_at": (!queued).then(|| baseline.set_at.get()),
                "recorded_at": (!queued).then(|| when::rfc3339(baseline.recorded_at)),
            }))?;
            continue;
        }
        rows.push(vec![
            name.unwrap_or_else(|| radslag_core::view::REDACTED.to_owned()),
            if lost { ui.text("förlorad", "lost").to_owned() } else { format!("@{}", baseline.position) },
            baseline.effective_on.to_string(),
            decision.unwrap_or_default(),
            format!("{org}, {member}"),
            if queued { ui.text("i kö", "queued").to_owned() } else { when::local(baseline.recorded_at) },
            baseline.event.short(),
        ]);
    }
    table(ui, &rows)
}

fn table(ui: Ui, rows: &[Vec<String>]) -> Result<(), CliError> {
    if ui.json() {
        return Ok(());
    }
    if rows.is_empty() {
        return ui.tell("inga punkter har fått namn", "no point has a name");
    }
    let headings = match ui.lang {
        Lang::Sv => ["namn", "position", "gäller", "beslut", "av", "satt", "händelse"],
        Lang::En => ["name", "position", "in force on", "decision", "by", "set", "event"],
    };
    ui.table(&headings, rows)
}

/// The point that a name stands for.
pub fn find(replica: &Replica, view: &View<'_>, name: &str) -> Result<Option<Basis>, CliError> {
    let Some(baseline) = named(&view.state, view, name)? else { return Ok(None) };
    let basis = basis(baseline);
    if !basis.is_of(&replica.ledger.state) {
        return Err(CliError::refused(
            format!(
                "what {name:?} names, {basis}, is not in this log any more: it was lost before a restore"
            ),
            "radslag baseline list",
        ));
    }
    Ok(Some(basis))
}
