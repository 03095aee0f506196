//! One cell: desks that push until the cell is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use radslag_core::id::{EntityId, EventId};
use tokio::task::JoinSet;

use super::Desk;
use crate::Failed;
use crate::drafts::Subject;
use crate::host::Host;
use crate::measure::{Bound, Cell, Gate};
use crate::writer::raw_bytes;

/// What a desk did.
#[derive(Default)]
struct Done {
    calls: Vec<Duration>,
    refused: u64,
    raw_bytes: u64,
    /// The events, where they are asked after.
    events: Vec<EventId>,
}

/// Has everybody edit their own activity, and stops the server.
pub(super) async fn measure(
    host: Host,
    desks: Vec<Desk>,
    bound: Bound,
    batch: usize,
) -> Result<Cell, Failed> {
    let meter = host.meter()?;
    let (mut cell, _) = drive("push", desks, bound, batch, &[]).await?;
    cell.costs = Some(host.close(&meter)?);
    Ok(cell)
}

/// Has everybody edit what `on` says of each desk, and gives each desk's events; or their own activity, where it says nothing.
pub(super) async fn drive(
    scenario: &'static str,
    desks: Vec<Desk>,
    bound: Bound,
    batch: usize,
    on: &[(EntityId, Subject)],
) -> Result<(Cell, Vec<Vec<EventId>>), Failed> {
    let writers = desks.len();
    let gate = Arc::new(Gate::open(bound));
    let mut tasks = JoinSet::new();
    for (number, desk) in desks.into_iter().enumerate() {
        tasks.spawn(work(desk, batch, on.get(number).copied(), Arc::clone(&gate)));
    }
    let (mut all, mut events) = (Done::default(), Vec::with_capacity(writers));
    while let Some(done) = tasks.join_next().await {
        let done = done??;
        all.calls.extend(done.calls);
        events.push(done.events);
        all.refused += done.refused;
        all.raw_bytes += done.raw_bytes;
    }
    let mut cell = Cell::new(scenario, writers, batch, gate.elapsed(), all.calls);
    (cell.refused, cell.raw_bytes) = (all.refused, all.raw_bytes);
    Ok((cell, events))
}

async fn work(
    mut desk: Desk,
    batch: usize,
    on: Option<(EntityId, Subject)>,
    gate: Arc<Gate>,
) -> Result<Done, Failed> {
    let mut done = Done::default();
    let mut turn = 0;
    while gate.admits(batch) {
        let places = desk.writers.len();
        let writer = &mut desk.writers[turn % places];
        turn += 1;
        let events = match on {
            Some((activity, subject)) => writer.edit_field(activity, subject, batch)?,
            None => writer.edit(batch)?,
        };
        done.raw_bytes += raw_bytes(&events);
        if on.is_some() {
            done.events.extend(events.iter().map(|event| event.body.event_id));
        }
        let sent = Instant::now();
        done.refused += writer.hand_in(&desk.remote, events).await?;
        done.calls.push(sent.elapsed());
    }
    Ok(done)
}
