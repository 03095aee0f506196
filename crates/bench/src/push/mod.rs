//! The scenario: writers that push signed events to a real server and wait for their receipts, and beside each cell, in the same
//! minute, what it is held against.
//!
//! The time of a call is from before the bundle is signed until the receipt is read; writing down the events is not in it, but takes
//! its share of the machine and so counts in the rate. Every writer has a connection and a device of its own.

mod cell;
mod hot;
mod ratios;

use clap::Args;
use radslag_client::remote::Remote;

use crate::goals::Ratios;
use crate::host::{Host, Place};
use crate::measure::{Bound, Cell, Length};
use crate::writer::{Payload, Writer, payload};
use crate::yardstick::{disk, echo, signature, sled};
use crate::{Failed, number};

/// Writers push signed events; beside each cell bare sled, gRPC, signatures and the disk
///
/// With --writers that have an 8 and --batch that has a 10, eight writers also change one activity.
#[derive(Args, Clone, Debug)]
pub(crate) struct Asked {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    length: Length,
    /// How many writers at once, a cell each
    #[arg(long, value_delimiter = ',', default_value = "1,8,64,256", value_parser = number(1, 256))]
    writers: Vec<usize>,
    /// How many events a call holds, a cell each
    #[arg(long, value_delimiter = ',', default_value = "1,10,100", value_parser = number(1, 500))]
    batch: Vec<usize>,
    /// In how many programmes, a cell each
    #[arg(long, value_delimiter = ',', default_value = "1,64", value_parser = number(1, 256))]
    programmes: Vec<usize>,
}

/// Everything that was measured, each told at once.
#[derive(Debug, Default)]
pub(crate) struct Cells(Vec<Cell>);

impl Cells {
    fn add(&mut self, cell: Cell) {
        println!("{}", cell.to_json());
        self.0.push(cell);
    }

    /// The cell of this scenario with so many writers and events a call.
    fn find(&self, scenario: &str, writers: usize, batch: usize) -> Option<&Cell> {
        self.in_programmes(scenario, writers, batch, 1)
    }

    fn in_programmes(
        &self,
        scenario: &str,
        writers: usize,
        batch: usize,
        programmes: usize,
    ) -> Option<&Cell> {
        let same = |cell: &&Cell| {
            cell.scenario == scenario
                && (cell.writers, cell.batch, cell.programmes) == (writers, batch, programmes)
        };
        self.0.iter().find(same)
    }
}

/// Measures all cells, prints each, and then the ratios.
pub(crate) async fn run(asked: &Asked) -> Result<(), Failed> {
    let mut cells = Cells::default();
    let (bound, dir) = (asked.length.bound(), &asked.place.folder.dir);
    for size in disk::SIZES {
        cells.add(disk::run(dir, bound, size)?);
    }
    for cell in signature::run()? {
        cells.add(cell);
    }
    for batch in &asked.batch {
        let payload = payload(*batch)?;
        for writers in &asked.writers {
            beside(asked, &mut cells, *writers, *batch, &payload).await?;
        }
        bare_sled(asked, &mut cells, *batch, &payload)?;
    }
    if asked.writers.contains(&hot::WRITERS) && asked.batch.contains(&hot::BATCH) {
        for cell in hot::run(&asked.place, bound).await? {
            cells.add(cell);
        }
    }
    let mut ratios = Ratios::default();
    ratios::all(&cells, asked, &mut ratios);
    println!("{}", ratios.to_json());
    Ok(())
}

/// The cells of one width, and beside them the same calls with nothing behind them.
async fn beside(
    asked: &Asked,
    cells: &mut Cells,
    writers: usize,
    batch: usize,
    payload: &Payload,
) -> Result<(), Failed> {
    let bound = asked.length.bound();
    for programmes in &asked.programmes {
        let host = Host::open(&asked.place).await?;
        let desks = desks(&host, writers, *programmes).await?;
        let measured = cell::measure(host, desks, bound, batch).await?;
        cells.add(Cell { programmes: *programmes, ..measured });
    }
    for signed in [true, false] {
        cells.add(echo::run(bound, writers, batch, &payload.push, signed).await?);
    }
    Ok(())
}

/// As many events in bare sled as the busiest comparable cell had: one writer for single events, else eight. That is soon over, so
/// the middle one of several counts.
fn bare_sled(asked: &Asked, cells: &mut Cells, batch: usize, payload: &Payload) -> Result<(), Failed> {
    const TIMES: usize = 3;
    let writers = if batch == 1 { 1 } else { hot::WRITERS };
    let pushed = cells.find("push", writers, batch).map(|cell| cell.events);
    let bound = pushed.map_or(asked.length.bound(), Bound::Events);
    let run = |_| sled::run(&asked.place.folder.dir, bound, batch, &payload.event);
    let mut measured = (0..TIMES).map(run).collect::<Result<Vec<Cell>, Failed>>()?;
    measured.sort_by(|one, other| one.events_per_s().total_cmp(&other.events_per_s()));
    cells.add(measured.swap_remove(TIMES / 2));
    Ok(())
}

/// Who sits at a connection: devices that take turns.
pub(crate) struct Desk {
    pub(crate) remote: Remote,
    pub(crate) writers: Vec<Writer>,
}

/// So many desks that write in so many programmes; where there are more programmes, each has several.
pub(crate) async fn desks(host: &Host, writers: usize, programmes: usize) -> Result<Vec<Desk>, Failed> {
    let mut desks = Vec::with_capacity(writers);
    for _ in 0..writers {
        desks.push(Desk { remote: host.connect().await?, writers: Vec::new() });
    }
    let mut begun = Vec::with_capacity(programmes);
    for number in 0..programmes {
        begun.push(Writer::begin(&desks[number % writers].remote).await?);
    }
    for number in programmes..writers {
        let (first, subgoal) = &begun[number % programmes];
        let joined = first.join(&desks[number].remote, *subgoal).await?;
        desks[number].writers.push(joined);
    }
    for (number, (first, _)) in begun.into_iter().enumerate() {
        desks[number % writers].writers.push(first);
    }
    Ok(desks)
}
