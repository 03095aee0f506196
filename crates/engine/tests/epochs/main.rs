//! Epochs: what a restored log says of itself, and what becomes of what it lost.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod desk;
mod opening;
mod returning;
mod server;
