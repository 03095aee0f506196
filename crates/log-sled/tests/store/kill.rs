//! SIGKILL at any moment: everything acknowledged is there, and the log goes on.

use crate::child::{Child, Role, verify};

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for round in 0..20 {
        let mut child = Child::start(Role::Append, dir.path());
        // Where in its work the child is then, is chance; the spread of the counts adds to it. The first round dies around the making.
        let alive = child.wait_for_acknowledgements(round * 37 % 101);
        assert!(alive, "round {round}: the child ended by itself: {}", child.said);
        child.kill();
        let head = verify(dir.path());
        assert!(
            head.as_ref().is_ok_and(|head| *head >= child.acknowledged),
            "round {round}: {} acknowledged, {head:?}",
            child.acknowledged
        );
    }
}
