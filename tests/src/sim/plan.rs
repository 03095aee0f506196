//! What happens in a run: steps from a seed, and the shrinking of a plan that breaks a law.
//!
//! Numbers in a step are taken modulo what there is when its turn comes, so that a plan keeps its meaning when steps are
//! taken out of it.

use serde::{Deserialize, Serialize};

use super::dice::Dice;
use super::store::Crash;

/// What is done to which field, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// Which entity and field.
    pub what: u16,
    /// Which value.
    pub value: u8,
    /// From which day it applies, in days from today; none states no date.
    pub dated: Option<i16>,
    /// Only if the field still is as it was seen.
    pub strict: bool,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Time passes, in milliseconds.
    Wait(u32),
    /// A member edits what it sees now; more than one touch is a group.
    Edit(u8, Touch, u8),
    /// A member opens a form.
    OpenForm(u8, u16),
    /// And saves it.
    SaveForm(u8, Touch),
    /// A member decides a conflict.
    Resolve(u8, u8),
    /// A member begins to sync.
    Sync(u8),
    /// Messages arrive, in any order: which first, and how many.
    Deliver(u16, u8),
    /// A message is lost; its sender asks again, or gives up.
    Lose(u16, bool),
    /// A message to the server arrives twice.
    Repeat(u16),
    /// The writer takes what is queued.
    Turn,
    /// The server goes down and comes back.
    CrashServer(Crash),
    /// A member's machine goes down and comes back.
    CrashReplica(u8, Crash),
    /// A machine's clock is wrong by so many days; no member means the server's.
    SetClock(Option<u8>, i16),
    /// A member's disk is copied to another machine, and both are used.
    CopyDisk(u8),
    /// A waiting event of a member is damaged in memory before it was ever sent.
    Damage(u8),
    /// A member writes what is in its quarantine anew, or gives it up.
    Settle(u8, bool),
    /// A copied disk goes on with the number that the server expects, whatever stands before it.
    GoOn,
    /// Somebody misbehaves.
    Malice(u8, u16),
    /// The server's operator takes a copy of its disk.
    Backup,
    /// The server's disk is lost, and the server is restored from one of the last copies.
    Restore(u8),
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Where ids and salts come from.
    pub seed: u64,
    /// How many replicas.
    pub replicas: usize,
    /// What happens.
    pub steps: Vec<Step>,
}

const CRASHES: [Crash; 3] = [Crash::Now, Crash::BeforeFlush, Crash::AfterFlush];

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64, replicas: usize) -> Self {
        let mut dice = Dice::new(seed ^ 0x7261_6473_6c61_6721);
        let length = 60 + replicas * 25;
        let steps = (0..length).map(|_| step(&mut dice, replicas)).collect();
        Self { seed, replicas, steps }
    }
}

fn byte(dice: &mut Dice) -> u8 {
    u8::try_from(dice.below(256)).expect("it is below 256")
}

fn short(dice: &mut Dice) -> u16 {
    u16::try_from(dice.below(65_536)).expect("it is below 65 536")
}

fn touch(dice: &mut Dice) -> Touch {
    const DAYS: [i16; 8] = [0, -1, 1, 10, -40, 40, 400, -400];
    Touch {
        // Few fields, so that they meet.
        what: u16::try_from(dice.below(24)).expect("it is below 24"),
        value: byte(dice),
        dated: dice.chance(25).then(|| DAYS[dice.below(DAYS.len())]),
        strict: dice.chance(12),
    }
}

fn step(dice: &mut Dice, replicas: usize) -> Step {
    // Two more than there are at first: copied disks are used too.
    let who = u8::try_from(dice.below(replicas + 2)).expect("fewer than 256 replicas");
    match dice.below(1000) {
        0..40 => Step::Wait(u32::try_from(dice.below(40_000_000)).expect("it fits")),
        40..230 => Step::Edit(who, touch(dice), if dice.chance(12) { 2 + byte(dice) % 3 } else { 1 }),
        230..275 => Step::OpenForm(who, touch(dice).what),
        275..325 => Step::SaveForm(who, touch(dice)),
        325..365 => Step::Resolve(who, byte(dice)),
        365..505 => Step::Sync(who),
        505..800 => Step::Deliver(short(dice), 1 + byte(dice) % 8),
        800..840 => Step::Lose(short(dice), dice.chance(50)),
        840..865 => Step::Repeat(short(dice)),
        865..940 => Step::Turn,
        940..948 => Step::CrashServer(CRASHES[dice.below(3)]),
        948..962 => Step::CrashReplica(who, CRASHES[dice.below(3)]),
        962..970 => {
            const DAYS: [i16; 6] = [3650, -3650, 1, -1, 30, 0];
            let days = DAYS[dice.below(DAYS.len())];
            Step::SetClock(dice.chance(60).then_some(who), days)
        }
        970..976 => Step::CopyDisk(who),
        976..981 => Step::Damage(who),
        981..985 => Step::GoOn,
        985..989 => Step::Settle(who, dice.chance(70)),
        989..993 => Step::Backup,
        993..996 => Step::Restore(byte(dice)),
        _ => Step::Malice(byte(dice), short(dice)),
    }
}

/// Takes steps out for as long as the same law stays broken: first halves, then smaller and smaller runs of steps.
pub fn shrink(plan: Plan, what: &str, fails: impl Fn(&Plan) -> Option<String>) -> (Plan, String) {
    let law = law_of(what).to_owned();
    let mut best = (plan, what.to_owned());
    let mut size = best.0.steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < best.0.steps.len() {
            let mut steps = best.0.steps.clone();
            steps.drain(at..(at + size).min(steps.len()));
            let fewer = Plan { steps, ..best.0.clone() };
            match fails(&fewer) {
                Some(what) if law_of(&what) == law => best = (fewer, what),
                _ => at += size,
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    best
}

/// The law's name: the text before the colon.
fn law_of(what: &str) -> &str {
    what.split(':').next().unwrap_or(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_leaves_the_steps_that_matter() {
        let plan = Plan::of(7, 8);
        let needs = |plan: &Plan| {
            let turns = plan.steps.iter().filter(|step| matches!(step, Step::Turn)).count();
            let forms = plan.steps.iter().filter(|step| matches!(step, Step::OpenForm(..))).count();
            (turns >= 2 && forms >= 1).then(|| "law: broken".to_owned())
        };
        assert!(needs(&plan).is_some(), "the plan has enough steps to begin with");
        let (shrunk, _) = shrink(plan, "law: broken", needs);
        assert_eq!(shrunk.steps.len(), 3);
    }

    #[test]
    fn a_seed_gives_one_plan() {
        assert_eq!(Plan::of(3, 4), Plan::of(3, 4));
        assert_ne!(Plan::of(3, 4).steps, Plan::of(4, 4).steps);
    }
}
