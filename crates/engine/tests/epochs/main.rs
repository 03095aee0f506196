//! Epochs: what a restored log says of itself, and what becomes of what it lost.

mod desk;
mod opening;
mod server;
