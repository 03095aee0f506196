//! The laws of sync over real processes, in small; `--bin fleet` runs the same in large.

use radslag_tests::fleet::{Plan, run};

#[test]
fn replicas_that_edit_while_the_server_is_killed_lose_nothing_and_end_up_equal() {
    let plan = Plan { processes: 3, edits: 20, kills: 2, seed: 7 };
    let report = run(&plan);
    assert_eq!((report.outcomes(), report.kills), (60, 2));
}
