//! placeholder
use crate::args::Quickstart;
use crate::error::CliError;
use crate::ui::Ui;
/// placeholder
pub async fn run(_ui: Ui, _args: &Quickstart) -> Result<(), CliError> { Ok(()) }
