//! Points: what a command reads, and the day that it reads it for.

use radslag_client::replica::{Replica, View};
use radslag_core::as_of::{self, AsOf};
use radslag_core::id::Position;
use radslag_core::state::State;
use radslag_core::time::CivilDate;

use crate::args::At;
use crate::error::CliError;
use crate::shape::Ground;
use crate::when;

/// A programme at a point: the view, or the confirmed log as of then.
pub struct Point {
    /// The state.
    pub state: State,
    /// The day that is read.
    pub day: CivilDate,
    /// The last confirmed record that is read; queued changes have no position yet.
    pub position: Position,
}

impl Point {
    /// The point as something to read.
    pub fn ground<'a>(&'a self, view: &'a View<'_>) -> Ground<'a> {
        Ground { state: &self.state, values: view, day: self.day }
    }
}

/// Reads the programme at the point that the options name, or the view where they name none.
pub fn at(replica: &Replica, view: &View<'_>, at: &At) -> Result<Point, CliError> {
    let day = at.effective.as_deref().map(|text| when::day("--effective", text)).transpose()?;
    read(replica, view, at.as_of.as_deref(), day)
}

/// Reads the programme as of `when` for `day`; without the first the view, without the second the day of the last record that is
/// read, or today.
pub fn read(
    replica: &Replica,
    view: &View<'_>,
    when: Option<&str>,
    day: Option<CivilDate>,
) -> Result<Point, CliError> {
    let head = replica.ledger.state.head();
    if head.get() == 0 {
        return Err(radslag_client::ClientError::Empty.into());
    }
    let Some(text) = when else {
        let past = day.is_some_and(|day| view.state.today().is_some_and(|today| day < today));
        let state = if past { replica.view_for(day)?.state } else { view.state.clone() };
        return Ok(Point { state, day: day.unwrap_or_else(|| view.day()), position: head });
    };
    let recorded = when::parse(text, replica.clock.now())?;
    if let as_of::Recorded::Position(asked) = recorded
        && asked > head
    {
        return Err(CliError::refused(
            format!("position {asked} is after the last one, {head}"),
            "radslag pull, or name an earlier position",
        ));
    }
    let state = replica.read_at(AsOf { recorded, effective: day })?;
    let Some(today) = state.today() else {
        let began = replica.began()?.map(when::rfc3339).unwrap_or_default();
        return Err(CliError::refused(
            format!("the programme began later, {began}"),
            format!("radslag show --as-of {began}"),
        ));
    };
    Ok(Point { position: state.head(), day: day.unwrap_or(today), state })
}
