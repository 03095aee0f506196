//! Eight writers on one activity, each the only one of its field or all of the same, beside the same edits of activities of their own.
//! Nobody sees what the others write. Afterwards every event stands in the log once, and what the writers disagree about is open.

use std::collections::BTreeSet;

use radslag_core::id::{EntityId, EventId, ProgramId};
use radslag_proto::api::v1 as api;
use radslag_proto::log::v1;

use super::{Desk, cell, desks};
use crate::drafts::Subject;
use crate::host::{Host, Place};
use crate::measure::{Bound, Cell};
use crate::{Failed, whole};

/// How many write.
pub(super) const WRITERS: usize = 8;
/// How many events each hands in at once.
pub(super) const BATCH: usize = 10;

/// Eight fields, each of another activity.
pub(super) const FIELDS_APART: &str = "hot-different-fields-apart";
/// Eight fields of one activity.
pub(super) const FIELDS: &str = "hot-different-fields";
/// One field of each of eight activities.
pub(super) const FIELD_APART: &str = "hot-same-field-apart";
/// One field of one activity.
pub(super) const FIELD: &str = "hot-same-field";

/// Measures the four; fails where an event is lost.
pub(super) async fn run(place: &Place, bound: Bound) -> Result<Vec<Cell>, Failed> {
    let mut cells = Vec::new();
    for scenario in [FIELDS_APART, FIELDS, FIELD_APART, FIELD] {
        cells.push(measure(place, bound, scenario).await?);
    }
    Ok(cells)
}

async fn measure(place: &Place, bound: Bound, scenario: &'static str) -> Result<Cell, Failed> {
    let host = Host::open(place).await?;
    let mut desks = desks(&host, WRITERS, 1).await?;
    let parties = match desks.first_mut() {
        Some(Desk { remote, writers }) => writers[0].add_parties(remote, WRITERS).await?,
        None => Vec::new(),
    };
    let program = desks[0].writers[0].program();
    for Desk { remote, writers } in &mut desks {
        for writer in writers {
            writer.look(remote).await?;
            writer.look_no_more();
        }
    }
    let on = subjects(scenario, &desks, &parties);
    let meter = host.meter()?;
    let (mut cell, events) = cell::drive(scenario, desks, bound, BATCH, &on).await?;
    // The log is read while the server runs, but what it computes then is not the cell's.
    cell.costs = Some(host.costs(&meter)?);
    let ids = |events: &EventId| events.bytes().to_vec();
    let mut left: BTreeSet<Vec<u8>> = events.iter().flatten().map(ids).collect();
    let handed_in = left.len();
    whole::read(host.remote(), program, |record| {
        if record.outcome() == v1::Outcome::Accepted {
            left.remove(&record.event_id[..]);
        }
    })
    .await?;
    if left.len() as u64 != cell.refused {
        return Err(format!("{scenario}: {} of {handed_in} events are not in the log", left.len()).into());
    }
    // Who is alone with what they say disagrees with nobody.
    let said = events.iter().filter(|events| !events.is_empty()).count();
    let disagree = if scenario == FIELD && said > 1 { said } else { 0 };
    let sides = sides(&host, program).await?;
    if sides != disagree {
        return Err(format!("{scenario}: {said} writers, and the conflict has {sides} sides").into());
    }
    host.close(&meter)?;
    Ok(cell)
}

/// Which activity and which field each desk edits.
fn subjects(scenario: &str, desks: &[Desk], parties: &[EntityId]) -> Vec<(EntityId, Subject)> {
    let own = desks.iter().map(|desk| desk.writers[0].activity());
    let apart = [FIELDS_APART, FIELD_APART].contains(&scenario);
    let first = desks.first().map(|desk| desk.writers[0].activity());
    let on = own.map(|activity| if apart { activity } else { first.unwrap_or(activity) });
    if [FIELD_APART, FIELD].contains(&scenario) {
        return on.map(|activity| (activity, Subject::Comment)).collect();
    }
    let texts = [Subject::Comment, Subject::Title, Subject::Time, Subject::Cost];
    let parties = parties.iter().copied().map(Subject::Responsible);
    on.zip(texts.into_iter().chain(parties)).collect()
}

/// How many sides the open conflicts of a programme have together.
async fn sides(host: &Host, program: ProgramId) -> Result<usize, Failed> {
    let request = api::GetProgramRequest { program_id: program.to_string(), as_of: None };
    let answer = host.remote().programs().get_program(request).await?.into_inner();
    let shown = answer.program.ok_or("the server shows no programme")?;
    Ok(shown.conflicts.iter().map(|conflict| conflict.sides.len()).sum())
}
