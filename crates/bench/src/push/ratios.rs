//! The goals of the cells, by name. What was not measured in this run is left out.

use super::{Asked, Cells, hot};
use crate::goals::{Goal, Ratios};
use crate::measure::Cell;

/// Events that a server has taken when its memory is judged.
const MANY: u64 = 1_000_000;

/// The ratios of a run.
pub(super) fn all(cells: &Cells, asked: &Asked, ratios: &mut Ratios) {
    alone(cells, ratios);
    to_echo(cells, asked, ratios);
    to_sled(cells, asked, ratios);
    many_programmes(cells, asked, ratios);
    hot(cells, ratios);
    used(cells, ratios);
}

/// The p50 of one writer's single events, to that of its parts.
fn alone(cells: &Cells, ratios: &mut Ratios) {
    let p50 = |scenario| cells.find(scenario, 1, 1).map(|cell| cell.calls.percentile_us(50));
    let parts = [p50("push"), p50("sled"), p50("echo"), p50("sign"), p50("verify")];
    let [Some(push), Some(sled), Some(echo), Some(sign), Some(verify)] = parts else { return };
    let parts = sled + 2.0 * echo + sign + verify;
    ratios.ratio("push_1x1_p50_to_sled_commit_2_echo_sign_verify", push, parts, Goal::AtMost(1.0));
}

fn to_echo(cells: &Cells, asked: &Asked, ratios: &mut Ratios) {
    for batch in &asked.batch {
        for writers in &asked.writers {
            let rate = |scenario| cells.find(scenario, *writers, *batch).map(Cell::events_per_s);
            let (Some(push), Some(signed), Some(bare)) = (rate("push"), rate("signed-echo"), rate("echo"))
            else {
                continue;
            };
            let goal =
                if *batch == 1 && [64, 256].contains(writers) { Goal::AtLeast(0.7) } else { Goal::None };
            ratios.ratio(format!("push_{writers}x{batch}_to_signed_echo"), push, signed, goal);
            ratios.ratio(format!("push_{writers}x{batch}_to_echo"), push, bare, Goal::None);
        }
    }
}

fn to_sled(cells: &Cells, asked: &Asked, ratios: &mut Ratios) {
    for batch in &asked.batch {
        let push = cells.find("push", hot::WRITERS, *batch);
        let Some((push, sled)) = push.zip(cells.find("sled", 1, *batch)) else { continue };
        let goal = if *batch == 100 { Goal::AtLeast(1.0) } else { Goal::None };
        let name = format!("push_{}x{batch}_to_sled_batches_of_{batch}", hot::WRITERS);
        ratios.ratio(name, push.events_per_s(), sled.events_per_s(), goal);
    }
}

fn many_programmes(cells: &Cells, asked: &Asked, ratios: &mut Ratios) {
    for programmes in asked.programmes.iter().filter(|programmes| **programmes > 1) {
        for batch in &asked.batch {
            for writers in &asked.writers {
                let many = cells.in_programmes("push", *writers, *batch, *programmes);
                let Some((many, one)) = many.zip(cells.find("push", *writers, *batch)) else { continue };
                let name = format!("push_{writers}x{batch}_programmes_{programmes}_to_1");
                ratios.ratio(name, many.events_per_s(), one.events_per_s(), Goal::AtLeast(0.9));
            }
        }
    }
}

fn hot(cells: &Cells, ratios: &mut Ratios) {
    let cell = |scenario| cells.find(scenario, hot::WRITERS, hot::BATCH);
    let pairs = [
        (hot::FIELDS, hot::FIELDS_APART, "hot_different_fields"),
        (hot::FIELD, hot::FIELD_APART, "hot_same_field"),
    ];
    for (scenario, apart, name) in pairs {
        let Some((cell, apart)) = cell(scenario).zip(cell(apart)) else { continue };
        let goal = Goal::AtLeast(0.9);
        ratios.ratio(format!("{name}_to_apart"), cell.events_per_s(), apart.events_per_s(), goal);
        ratios.add(format!("{name}_refused"), cell.refused as f64, Goal::AtMost(0.0));
    }
}

/// What the server used: disk where the log is longest, and the most memory of all.
fn used(cells: &Cells, ratios: &mut Ratios) {
    let pushes = || cells.0.iter().filter(|cell| cell.scenario == "push");
    if let Some(longest) = pushes().max_by_key(|cell| cell.events) {
        ratios.add("disk_bytes_to_signed_bytes", longest.disk_to_raw(), Goal::AtMost(2.5));
    }
    let Some(largest) = pushes().max_by(|one, other| one.peak_mib().total_cmp(&other.peak_mib())) else {
        return;
    };
    let full = largest.events >= MANY && largest.programmes >= 64;
    let goal = if full { Goal::AtMost(192.0) } else { Goal::None };
    let name =
        format!("server_peak_rss_mib_after_{}_events_{}_programmes", largest.events, largest.programmes);
    ratios.add(name, largest.peak_mib(), goal);
}
