//! Replicas in this process and a real server on loopback.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

mod desk;
mod example;
mod forms;
mod handing_in;
mod hasty;
