//! The example of the crate tells what its page says.

use super::desk;

#[path = "../../examples/two_offices.rs"]
mod two_offices;

#[tokio::test]
async fn the_example_ends_with_a_decision_that_both_offices_see() {
    let dir = tempfile::tempdir().unwrap();
    let (running, remote) = desk::serve(&dir.path().join("server"), "127.0.0.1:0").await;
    let mut told = Vec::new();
    two_offices::two_offices(remote.server(), dir.path(), &mut |line| told.push(line)).await.unwrap();
    running.shutdown().await;
    let expected = [
        "both offices are at position 9",
        "haninge reads 50 000 kr, huddinge reads 60 000 kr",
        "in conflict: 50 000 kr at 10",
        "in conflict: 60 000 kr at 11",
        "decided: 50 000 kr",
        "10 haninge field_revised: 50 000 kr",
        "11 huddinge field_revised: 60 000 kr",
        "12 huddinge conflict_resolved: 50 000 kr",
        "all 12 records verify, and the server's log is: Same",
    ];
    assert_eq!(told, expected);
}
