//! SIGKILL under load: what was acknowledged is there, once, in the order in which everybody sees it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use radslag_tests::Town;
use radslag_tests::load::Load;
use radslag_tests::rounds::rounds;

use super::stands;

#[test]
fn nothing_acknowledged_is_lost_to_a_kill_under_load() {
    let mut town = Town::with_sample();
    let all = ["haninge", "huddinge", "nacka"].map(|org| town.municipality(org, "Handläggare"));
    let mut load = Load::begin(&all.each_ref(), 1);
    for round in 0..rounds("RADSLAG_KILLS", 5) {
        load.wait_for(1 + round * 7 % 40);
        town.crash();
        town.start();
    }
    let acknowledged = load.end();
    stands(&mut town, &all.each_ref(), &acknowledged);
}

/// The beginning of every HTTP/2 connection: a word, and settings that change nothing.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[cfg(unix)]
#[test]
fn a_server_that_stood_still_goes_on_where_it_was() {
    let mut town = Town::with_sample();
    let all = ["haninge", "huddinge"].map(|org| town.municipality(org, "Handläggare"));
    let mut load = Load::begin(&all.each_ref(), 6);
    load.wait_for(5);
    town.server().signal("STOP");
    // The system takes the connection; nobody is there to answer it.
    let mut caller = TcpStream::connect(town.url().trim_start_matches("http://")).unwrap();
    caller.write_all(HELLO).unwrap();
    let much = rounds("RADSLAG_STANDSTILL", 0);
    std::thread::sleep(Duration::from_secs(much.try_into().unwrap()));
    caller.set_nonblocking(true).unwrap();
    let answered = caller.peek(&mut [0]);
    assert!(answered.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "it does not stand still");
    town.server().signal("CONT");
    caller.set_nonblocking(false).unwrap();
    // The settings of the server's own.
    caller.read_exact(&mut [0; 9]).unwrap();
    load.wait_for(20);
    let acknowledged = load.end();
    stands(&mut town, &all.each_ref(), &acknowledged);
}
