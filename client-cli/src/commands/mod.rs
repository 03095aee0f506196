//! One file a noun. Here: which command runs what, and what all of them need.

mod asking;
mod baseline;
mod clone;
mod conflicts;
mod diff;
mod edit;
mod editor;
mod entry;
mod meets;
mod outbox;
mod past;
mod point;
mod provisional;
mod quickstart;
mod setup;
mod show;
mod stale;
mod sync;
mod table;
mod watch;
mod whose;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;

use radslag_client::clock::{SystemClock, SystemIds};
use radslag_client::replica::{Replica, View, find};

use crate::args::{Cli, Command, Program};
use crate::error::CliError;
use crate::help;
use crate::shape::Ground;
use crate::ui::{Format, Ui};

/// Runs the command that was typed.
pub async fn run(cli: Cli, ui: Ui) -> Result<(), CliError> {
    let place = Place { replica: cli.replica, ui };
    if ui.format == Format::Md && !matches!(cli.command, Command::Diff(_)) {
        return Err(CliError::usage("--format md: only diff writes Markdown; take table or json"));
    }
    match cli.command {
        Command::Quickstart(args) => quickstart::run(ui, &args).await,
        Command::Program(Program::Create(args)) => setup::program_create(ui, args).await,
        Command::Program(Program::List { server, ca }) => {
            setup::program_list(ui, &server, ca.as_deref()).await
        }
        Command::Program(Program::Show(args)) => setup::program_show(ui, &args).await,
        Command::Init(args) => setup::init(ui, args).await,
        Command::Clone(args) => clone::clone(ui, args).await,
        Command::Pull => sync::pull(&place).await,
        Command::Push => sync::push(&place).await,
        Command::Sync => sync::sync(&place).await,
        Command::Status => sync::status(&place),
        Command::Whoami => sync::whoami(&place),
        Command::Show(args) => show::show(&place, &args),
        Command::Edit(args) => edit::edit(&place, &args),
        Command::Area(command) => entry::area(&place, command),
        Command::Subgoal(command) => entry::subgoal(&place, command),
        Command::Activity(command) => entry::activity(&place, command),
        Command::Party(command) => entry::party(&place, command),
        Command::Undo(args) => edit::undo(&place, &args),
        Command::History(args) => past::history(&place, &args),
        Command::Blame(args) => past::blame(&place, &args),
        Command::Diff(args) => diff::diff(&place, &args),
        Command::Log(args) => past::log(&place, &args),
        Command::Conflicts(args) => conflicts::list(&place, &args),
        Command::Resolve(args) => conflicts::resolve(&place, &args),
        Command::Outbox(command) => outbox::outbox(&place, &command),
        Command::Import(args) => table::import(&place, &args),
        Command::Export(args) => table::export(&place, &args),
        Command::Verify(args) => past::verify(&place, &args).await,
        Command::FetchHistory(args) => provisional::fetch_history(&place, &args).await,
        Command::Watch(args) => watch::watch(&place, &args).await,
        Command::Baseline(command) => baseline::baseline(&place, &command),
        Command::Completions { shell } => help::completions(shell),
        Command::Man { dir } => help::man(&dir, ui.lang),
        Command::Prove(_) => Err(not_yet("prove")),
        Command::CheckProof(_) => Err(not_yet("check-proof")),
        Command::Member(_) => Err(not_yet("member")),
        Command::Role(_) => Err(not_yet("role")),
        Command::Device(_) => Err(not_yet("device")),
        Command::Invite(_) => Err(not_yet("invite")),
    }
}

/// Something that a later release brings.
fn not_yet(what: &str) -> CliError {
    CliError::usage(format!("{what}: not yet in this release"))
}

/// Which replica a command is about.
pub struct Place {
    replica: Option<PathBuf>,
    /// How it answers.
    pub ui: Ui,
}

impl Place {
    /// Where the replica is looked for, going upward.
    fn folder(&self) -> PathBuf {
        self.replica.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// Opens the replica: the one named, or the nearest from here upward.
    pub fn open(&self) -> Result<Replica, CliError> {
        let dir = find(&self.folder())?;
        Ok(Replica::open(&dir, Arc::new(SystemClock), Arc::new(SystemIds))?)
    }
}

/// Asks before something that cannot be taken back; where nobody is there to answer, the command line is the answer.
fn confirm(ui: Ui, about: &[String], question: &str) -> Result<bool, CliError> {
    use std::io::{BufRead as _, IsTerminal as _, Write as _};
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(true);
    }
    about.iter().for_each(|line| ui.say(line));
    let mut stderr = std::io::stderr().lock();
    let asked = write!(stderr, "{question} {} ", ui.text("[j/N]", "[y/N]")).and_then(|()| stderr.flush());
    asked.map_err(CliError::Output)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(CliError::Output)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "j" | "ja"))
}

/// The view as something to read.
fn ground<'a>(view: &'a View<'_>) -> Ground<'a> {
    Ground { state: &view.state, values: view, day: view.day() }
}
