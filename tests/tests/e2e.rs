//! End to end: the real binaries, real sockets and real disks, as officials and operators use them.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

mod e2e {
    mod awkward;
    mod backup;
    mod baselines;
    mod bases;
    mod basis;
    mod cloning;
    mod crashes;
    mod deciding;
    mod editing;
    mod effective;
    mod fleet;
    mod fork;
    mod from_replica;
    mod lists;
    mod live;
    mod looking_back;
    mod main_job;
    mod network;
    mod outbox;
    #[cfg(unix)]
    mod pages;
    mod refusals;
    mod report;
    mod restored;
    mod servers;
    mod snapshots;
    mod spreadsheets;
    mod tables;
    mod tls;
}

#[allow(clippy::print_stderr, reason = "a skipped test says why to its reader")]
#[path = "../crash/mod.rs"]
mod crash;
