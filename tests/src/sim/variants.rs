//! The simulation can fail: each deliberately broken variant of the project is found within a few seeds.

use radslag_core::broken::{self, Variant};

use super::world::World;
use super::{Failure, run};

/// More than the slowest to be found needs, several times over.
const SEEDS: u64 = 400;
const REPLICAS: usize = 5;

/// The first seed that finds the variant.
fn found(variant: Variant) -> Option<Failure> {
    // The begin of the world is kept for all runs; it has to be made by unbroken rules.
    drop(World::new(0, REPLICAS));
    broken::choose(Some(variant));
    let failure = (1..=SEEDS).find_map(|seed| run(seed, REPLICAS).err());
    broken::choose(None);
    failure
}

/// Runs the seeds under a variant, and says which law noticed.
fn is_killed(variant: Variant, laws: &[&str]) {
    let failure = found(variant).unwrap_or_else(|| panic!("{variant:?} survived {SEEDS} seeds"));
    assert!(laws.iter().any(|law| failure.what.starts_with(law)), "{variant:?} was found by {failure}");
}

macro_rules! killed {
    ($($name:ident: $variant:ident by $laws:expr;)*) => {
        $(
            #[test]
            fn $name() {
                is_killed(Variant::$variant, &$laws);
            }
        )*
    };
}

killed! {
    last_writer_wins: LastWriterWins by ["law 3"];
    forgotten_outcomes: ForgottenOutcomes by ["law 1", "alarm"];
    collapsed_equal_sides: CollapsedEqualSides by ["law 3"];
    ack_before_flush: AckBeforeFlush by ["alarm", "law 1", "history"];
    base_restamped_at_push: BaseRestamped by ["law 4"];
    base_taken_at_saving: BaseAtSaving by ["law 4"];
    a_rejection_that_does_not_consume_its_number: RejectionFree by ["law 1", "alarm"];
    a_refusal_that_consumes_a_number: RefusalConsumes by ["law 1"];
    prev_ignored: PrevIgnored by ["law 1", "law 4"];
    an_older_edit_that_covers_a_newer: OlderCoversNewer by ["law 3"];
}

#[test]
fn bases_not_clamped_across_an_epoch() {
    let mut world = World::new(1, REPLICAS);
    broken::choose(Some(Variant::BasesUnclamped));
    let found = world.restored();
    broken::choose(None);
    let what = found.expect_err("an unclamped base survived");
    assert!(what.starts_with("law 3"), "{what}");
}

#[test]
fn the_list_is_whole() {
    assert_eq!(Variant::ALL.len(), 11);
}
