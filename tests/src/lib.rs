//! The harness of the end-to-end tests: real `radslagd` and `radslag` processes in a folder that cleans up after itself.
//!
//! A [`Town`] is a server and the municipalities that work with it. Nothing here waits by the clock: a server is up when it
//! says where it listens, a command is over when it ends. What goes wrong panics with the command and all it said.

mod authority;
mod binaries;
pub mod check;
mod cli;
pub mod dice;
pub mod disk;
pub mod fleet;
pub mod fuzz;
pub mod load;
pub mod member;
pub mod proxy;
pub mod rounds;
mod server;
pub mod sim;
mod town;

pub use authority::Authority;
pub use binaries::{build_programs, radslag, radslag_member, radslagd};
pub use cli::{CliRun, Outcome};
pub use server::Server;
pub use town::{Municipality, Town, all_equal, copy, sample, settle};
