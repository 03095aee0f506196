//! Many towns, many seeds: the real engine, the real replica and the real exchange over a simulated network, clock and store.
//!
//! A seed gives a [`plan`]: who edits, syncs, crashes, copies a disk or misbehaves, and what the network does to each
//! message. A [`world`] carries it out, then lets everything come to rest, and the [`laws`] look at what is left. The same
//! seed gives the same run on every machine, and a run that fails is shrunk to the steps that it needs.

pub mod dice;
pub mod laws;
pub mod mallory;
pub mod member;
pub mod net;
pub mod plan;
pub mod server;
pub mod store;
#[cfg(all(test, feature = "broken"))]
mod variants;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use plan::{Plan, Step};
use world::World;

/// What a run did, for the sum at the end of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Events that members authored.
    pub authored: usize,
    /// Records in the log at the end.
    pub records: usize,
    /// Records that are rejections.
    pub rejected: usize,
    /// Fields in conflict at the end.
    pub conflicts: usize,
    /// Messages that were lost or repeated.
    pub faults: usize,
    /// Crashes of the server and of replicas.
    pub crashes: usize,
    /// Restores of the server from an older copy.
    pub restores: usize,
    /// Lost records that were handed in again, each time that one was.
    pub returned: usize,
}

impl Report {
    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.authored += other.authored;
        self.records += other.records;
        self.rejected += other.rejected;
        self.conflicts += other.conflicts;
        self.faults += other.faults;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.returned += other.returned;
    }
}

/// A run that broke a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// How many replicas.
    pub replicas: usize,
    /// Which law, and what broke it.
    pub what: String,
    /// The fewest steps found that still break the same law.
    pub steps: Vec<Step>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "seed {} with {} replicas: {}", self.seed, self.replicas, self.what)?;
        writeln!(f, "replay it: cargo xtask sim --seed {} --replicas {}", self.seed, self.replicas)?;
        writeln!(f, "a plan of {} steps that breaks it too:", self.steps.len())?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {:>3}  {step:?}", number + 1)?;
        }
        let plan = Plan { seed: self.seed, replicas: self.replicas, steps: self.steps.clone() };
        let kept = serde_json::to_string(&plan).map_err(|_| std::fmt::Error)?;
        writeln!(f, "to keep it for ever, add this line to tests/fixtures/sim/plans.jsonl:\n{kept}")
    }
}

/// Runs one seed.
///
/// # Errors
/// A law was broken; the plan is not shrunk yet.
pub fn run(seed: u64, replicas: usize) -> Result<Report, Failure> {
    let plan = Plan::of(seed, replicas);
    carry_out(&plan).map_err(|what| Failure { seed, replicas, what, steps: plan.steps })
}

/// Runs one seed, and shrinks its plan if a law is broken.
///
/// # Errors
/// A law was broken.
pub fn run_and_shrink(seed: u64, replicas: usize) -> Result<Report, Failure> {
    run(seed, replicas).map_err(|failure| {
        let plan = Plan { seed, replicas, steps: failure.steps.clone() };
        let (plan, what) = plan::shrink(plan, &failure.what, |plan| carry_out(plan).err());
        Failure { what, steps: plan.steps, ..failure }
    })
}

/// Carries out a plan that was kept.
///
/// # Errors
/// A law was broken.
pub fn replay(plan: &Plan) -> Result<Report, Failure> {
    let failed = |what| Failure { seed: plan.seed, replicas: plan.replicas, what, steps: plan.steps.clone() };
    carry_out(plan).map_err(failed)
}

/// Carries a plan out and checks the laws. A panic of the code under test is a broken law too.
fn carry_out(plan: &Plan) -> Result<Report, String> {
    let run = || {
        let mut world = World::new(plan.seed, plan.replicas);
        for step in &plan.steps {
            world.step(step)?;
        }
        world.come_to_rest()?;
        laws::check(&world)
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_hold_in_a_fixed_set_of_runs() {
        let mut total = Report::default();
        for (first, count, replicas) in [(1, 20, 3), (1001, 15, 5), (2001, 10, 8)] {
            for seed in first..first + count {
                total.add(&run_and_shrink(seed, replicas).unwrap_or_else(|failure| panic!("{failure}")));
            }
        }
        // A run in which nothing happens breaks no law.
        assert!(total.authored > 500, "{total:?}");
        assert!(total.rejected > 20 && total.conflicts > 50, "{total:?}");
        assert!(total.faults > 50 && total.crashes > 50, "{total:?}");
        assert!(total.restores > 5 && total.returned > 50, "{total:?}");
    }

    #[test]
    fn what_failed_once_is_run_for_ever() {
        let plans = include_str!("../../fixtures/sim/plans.jsonl");
        for (number, line) in plans.lines().enumerate() {
            let plan: Plan =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("line {}: {error}", number + 1));
            replay(&plan).unwrap_or_else(|failure| panic!("line {}: {failure}", number + 1));
        }
        assert!(plans.lines().count() > 1);
    }

    #[test]
    fn what_was_seen_before_a_restore_covers_nothing_that_was_written_after_it() {
        let mut world = World::new(1, 5);
        world.restored().unwrap();
        let conflicts = world.server.programme().unwrap().published().state.conflicts().len();
        assert!(conflicts > 0, "the three writers never saw one another");
    }

    #[test]
    fn lost_changes_of_any_size_are_kept_when_they_are_declined_or_refused() {
        for declined in [true, false] {
            let mut world = World::new(1, 4);
            let kept = world.large_and_lost(declined).unwrap_or_else(|broken| panic!("{declined}: {broken}"));
            // Of those that are refused the first bundle is; what follows it skips the numbers that are another machine's.
            assert_eq!(kept, if declined { (12, 0) } else { (4, 8) });
        }
    }

    #[test]
    fn a_seed_gives_the_same_run_every_time() {
        assert_eq!(run(5, 4).unwrap(), run(5, 4).unwrap());
    }
}
