//! Sync without sockets and clocks: the exchange as its replica sees it, the server's end of a stream, the fence that every
//! device's events pass, and how an outbox is cut into pushes.
//!
//! The fence keeps a device's events in one unbroken chain, whatever the network repeats, reorders or loses. Both the
//! one writer and every replica rebuild it from the log.

pub mod exchange;
pub mod feed;
pub mod fence;
pub mod outbox;
