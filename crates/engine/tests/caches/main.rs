//! What is answered with the help of caches is what the log says: at every position, on every day, before and after more is
//! recorded, opened again, and with caches that are damaged.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

// The histories are the domain's own; these tests use a part of what they can do.
#[allow(dead_code, reason = "shared with the laws of core, which use the rest")]
#[path = "../../../core/tests/laws/history.rs"]
mod history;
#[allow(dead_code, reason = "shared with the laws of core, which use the rest")]
#[path = "../../../core/tests/laws/naive.rs"]
mod naive;
#[allow(dead_code, reason = "shared with the laws of core, which use the rest")]
#[path = "../../../core/tests/laws/town.rs"]
mod town;

mod damage;
mod golden;
mod opening;
mod oracle;
mod shelf;
mod trails;
