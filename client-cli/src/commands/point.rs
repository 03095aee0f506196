//! Points: what a command reads, the day that it reads it for, and what its answer rests on.

use radslag_client::clock::day_of;
use radslag_client::form::Form;
use radslag_client::replica::{Replica, View};
use radslag_core::as_of::{AsOf, Recorded};
use radslag_core::basis::{Basis, Closing, Open};
use radslag_core::id::Position;
use radslag_core::state::State;
use radslag_core::time::CivilDate;
use radslag_core::view::VIEW_VERSION;
use serde_json::{Value as Json, json};

use super::{Place, baseline};
use crate::args::At;
use crate::error::CliError;
use crate::shape::Ground;
use crate::ui::{Lang, Ui};
use crate::when;

/// A programme at a point: the view, or the confirmed log as of then.
pub struct Point {
    /// The state.
    pub state: State,
    /// The day that is read.
    pub day: CivilDate,
    /// The last confirmed record that is read; queued changes have no position yet.
    pub position: Position,
    /// What the answer rests on.
    pub basis: Basis,
    /// Why the same question may be answered otherwise later.
    pub open: Vec<Open>,
    /// What whoever reads it has seen.
    pub form: Form,
}

impl Point {
    /// The point as something to read.
    pub fn ground<'a>(&'a self, view: &'a View<'_>) -> Ground<'a> {
        Ground { state: &self.state, values: view, day: self.day }
    }

    /// What a file that is written of it says in its base column: the base and the day, `98.12.d3df318b.6adef326.dbfa/2026-11-24`.
    pub fn sight(&self) -> String {
        format!("{}/{}", self.form, self.day)
    }

    /// An answer for programs, with what it rests on.
    pub fn marked(&self, mut answer: Json) -> Json {
        answer["basis"] = json!(self.basis.to_string());
        answer["open"] = open_json(&self.open);
        answer
    }

    /// The line under an answer for people.
    pub fn footer(&self, ui: Ui) -> String {
        footer(ui, &self.basis.to_string(), &self.open)
    }
}

/// Why a question is open, for programs.
pub fn open_json(open: &[Open]) -> Json {
    open.iter().map(|open| open.name()).collect()
}

/// The line under an answer that rests on `basis`.
pub fn footer(ui: Ui, basis: &str, open: &[Open]) -> String {
    let why: Vec<&str> = open.iter().map(|open| open_text(ui, *open)).collect();
    let open = match why.as_slice() {
        [] => String::new(),
        why => format!("  ({}: {})", ui.text("öppet", "open"), why.join(", ")),
    };
    format!("{} {basis}{open}", ui.text("underlag", "basis"))
}

fn open_text(ui: Ui, open: Open) -> &'static str {
    match open {
        Open::Queued => ui.text("med det som är i kö", "with what is queued"),
        Open::Recorded => ui.text("mer kan höra till den tiden", "more may still belong to that time"),
        Open::Effective => ui.text("dagen är inte slut", "that day is not over"),
    }
}

/// Reads the programme at the point that the options name, or the view where they name none.
pub fn at(place: &Place, replica: &Replica, view: &View<'_>, at: &At) -> Result<Point, CliError> {
    if let Some(text) = &at.basis {
        return on(place.ui, replica, &basis(text)?);
    }
    let day = at.effective.as_deref().map(|text| when::day("--effective", text)).transpose()?;
    read(place.ui, replica, view, at.as_of.as_deref(), day)
}

/// The basis that `--basis` names.
pub fn basis(text: &str) -> Result<Basis, CliError> {
    let read = text.parse::<Basis>().ok().filter(|basis| basis.effective_on.is_some());
    read.ok_or_else(|| {
        CliError::usage(format!(
            "--basis {text:?} is not the basis of an answer: write it as the answer did, @98/2026-11-24/r0/v1"
        ))
    })
}

/// Reads the programme on the basis of an earlier answer.
pub fn on(ui: Ui, replica: &Replica, basis: &Basis) -> Result<Point, CliError> {
    if !basis.is_of(&replica.ledger.state) {
        return Err(CliError::refused(
            format!("this log does not have the records that the basis {basis} names"),
            "run radslag sync; if it stays so, it is the basis of another programme, or what it rests on was lost before a restore",
        ));
    }
    check_reached(replica, basis.position)?;
    if basis.view_version != VIEW_VERSION {
        let other = basis.view_version;
        ui.say(&match ui.lang {
            Lang::Sv => format!("underlaget är läst med vyversion {other}, det här är {VIEW_VERSION}: samma fakta, kanske annan form"),
            Lang::En => format!("the basis was read with view version {other}, this is {VIEW_VERSION}: the same facts, perhaps in another form"),
        });
    }
    let at = AsOf { recorded: Recorded::Position(basis.position), effective: basis.effective_on };
    begun(replica, replica.read_at(at)?.state, at.recorded, at.effective)
}

/// Reads the programme as of `when` for `day`; without the first the view, without the second the day of a baseline or basis, else
/// that of the last record that is read, or today.
pub fn read(
    ui: Ui,
    replica: &Replica,
    view: &View<'_>,
    when: Option<&str>,
    day: Option<CivilDate>,
) -> Result<Point, CliError> {
    let head = replica.ledger.state.head();
    if head.get() == 0 {
        return Err(radslag_client::ClientError::Empty.into());
    }
    let Some(text) = when else { return now(replica, view, day) };
    let recorded = match when::parse(text, replica.clock.now()) {
        Ok(recorded) => recorded,
        Err(not_a_time) => {
            let basis = match text.parse::<Basis>() {
                Ok(basis) => basis,
                Err(_) => baseline::find(replica, view, text)?.ok_or(not_a_time)?,
            };
            let effective_on = day.or(basis.effective_on);
            return on(ui, replica, &Basis { effective_on, ..basis });
        }
    };
    if let Recorded::Position(asked) = recorded {
        check_reached(replica, asked)?;
    }
    begun(replica, replica.read_at(AsOf { recorded, effective: day })?.state, recorded, day)
}

/// The view, with what is queued.
fn now(replica: &Replica, view: &View<'_>, day: Option<CivilDate>) -> Result<Point, CliError> {
    let past = day.is_some_and(|day| view.state.today().is_some_and(|today| day < today));
    let state = if past { replica.view_for(day)?.state } else { view.state.clone() };
    let day = day.unwrap_or_else(|| view.day());
    let (epoch, position) = (replica.ledger.state.epoch(), replica.ledger.state.head());
    let basis = Basis { epoch, position, ..Basis::of(&state, Some(day)) };
    let queued = (!view.queued.is_empty()).then_some(Open::Queued);
    let open = queued.into_iter().chain(closing(replica)?.open(Recorded::Head, day)).collect();
    Ok(Point { state, day, position, basis, open, form: replica.form() })
}

fn check_reached(replica: &Replica, asked: Position) -> Result<(), CliError> {
    let head = replica.ledger.state.head();
    if asked <= head {
        return Ok(());
    }
    Err(CliError::refused(
        format!("position {asked} is after the last one, {head}"),
        "radslag pull, or name an earlier position",
    ))
}

/// The point of a state that has at least one record.
fn begun(
    replica: &Replica,
    state: State,
    recorded: Recorded,
    day: Option<CivilDate>,
) -> Result<Point, CliError> {
    let Some(last) = state.today() else {
        let began = replica.began()?.map(when::rfc3339).unwrap_or_default();
        return Err(CliError::refused(
            format!("the programme began later, {began}"),
            format!("radslag show --as-of {began}"),
        ));
    };
    let day = day.unwrap_or(last);
    let open = closing(replica)?.open(recorded, day).into_iter().collect();
    let form = replica.form_as_of(&state);
    Ok(Point { position: state.head(), basis: Basis::of(&state, Some(day)), day, open, form, state })
}

/// A replica knows of everything up to its last confirmed record: whatever it has not fetched yet was recorded later.
fn closing(replica: &Replica) -> Result<Closing, CliError> {
    let state = &replica.ledger.state;
    let closed_on = state.today().ok_or(radslag_client::ClientError::Empty)?;
    Ok(Closing { closed_to: state.recorded_at(), closed_on, today: day_of(replica.clock.now()) })
}
