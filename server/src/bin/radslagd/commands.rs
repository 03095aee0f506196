//! What each command does, down to its exit code.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use radslag_server::{
    Config, ConfigError, InForce, Progress, RecoveryError, StartError, backup, check, check_certificate,
    check_descriptors, config, restore, restore_from_replicas, start, telemetry,
};

use crate::args::{Args, Command};
use crate::notify;
use crate::reread::reread;
use crate::say;
use crate::signals::{Asked, Signals};

const DONE: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const LOG_FAILED: u8 = 5;

/// How often a backup says how far it is.
const BETWEEN_WORDS: Duration = Duration::from_secs(1);

/// Runs a command line; gives the exit code.
pub(crate) fn run(args: Args) -> u8 {
    let accept_clock = args.flags.accept_clock;
    let (flags, file) = args.flags.into_settings();
    let settle = || {
        config::check_variables(std::env::vars_os().map(|(name, _)| name))?;
        config::settle(flags.clone(), file.clone(), |name| std::env::var_os(name))
    };
    let in_force = match settle() {
        Ok(in_force) => in_force,
        Err(error) => {
            say::error(&error, hint_for(&error));
            return USAGE;
        }
    };
    let config = Config { accept_clock, ..in_force.config.clone() };
    let done = match args.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(config, in_force, settle),
        Command::Config { reference: false } => print(&in_force),
        Command::Config { reference: true } => print_reference(),
        Command::Check => check_store(&config),
        Command::Backup { dir } => back_up(&config, &dir),
        Command::Restore { dir: Some(dir), from_replica: _, log_key: _ } => restore_store(&config, &dir),
        Command::Restore { dir: None, from_replica, log_key } => {
            restore_replicas(&config, &from_replica, log_key.as_deref())
        }
        Command::Compact => {
            not_yet("compact", "the store grows by a few hundred bytes a change; leave it as it is")
        }
    };
    done.err().unwrap_or(DONE)
}

fn hint_for(error: &ConfigError) -> Option<&'static str> {
    match error {
        ConfigError::Unreadable { .. } => Some("name a file that is there with --config FILE"),
        ConfigError::Invalid { .. } => Some(
            "the keys are data, listen, log, queue, cache_mib, heartbeat_ms, metrics, otlp, tls_cert, tls_key and the table limits; `radslagd config` prints them all",
        ),
        ConfigError::UnknownVariable(_) => Some("`radslagd config --reference` has them all"),
        ConfigError::Value { .. } => Some("`radslagd --help` says what each setting takes"),
    }
}

fn not_yet(command: &str, instead: &str) -> Result<(), u8> {
    say::sentence(&format!("`radslagd {command}` is not in this release yet"), Some(instead));
    Err(USAGE)
}

fn failed(error: &StartError) -> u8 {
    say::error(error, error.hint());
    error.exit_code()
}

fn not_recovered(error: &RecoveryError) -> u8 {
    say::error(error, error.hint());
    error.exit_code()
}

fn print(in_force: &InForce) -> Result<(), u8> {
    let width =
        in_force.settings.iter().map(|setting| setting.key.len() + setting.value.chars().count()).max();
    for setting in &in_force.settings {
        let pad = width.unwrap_or(0) - setting.key.len();
        say::line(&format!("{} = {:<pad$}  # {}", setting.key, setting.value, setting.source))?;
    }
    let open = if in_force.config.open_enrolment() {
        "open: it listens on loopback only"
    } else {
        "closed: it listens on more than loopback"
    };
    say::line(&format!("# beginning programmes and enrolling devices is {open}"))?;
    let Some(files) = &in_force.config.tls else {
        return say::line("# no TLS is spoken");
    };
    check_certificate(files).map_err(|error| {
        say::error(&error, Some(error.hint()));
        FAILED
    })?;
    say::line("# TLS is spoken: the certificate and its key can be served")
}

fn print_reference() -> Result<(), u8> {
    match config::reference() {
        Ok(table) => say::line(table.trim_end()),
        Err(error) => {
            say::error(&error, None);
            Err(FAILED)
        }
    }
}

fn check_store(config: &Config) -> Result<(), u8> {
    telemetry::start(&config.log);
    let checked = check(&config.data).map_err(|error| failed(&error))?;
    let mut outcome = Ok(());
    for programme in &checked.programmes {
        let id = programme.program;
        match &programme.outcome {
            Ok((head, root)) => say::line(&format!("{id}  verified  {head} records, root {root}"))?,
            Err(error) => {
                say::line(&format!("{id}  FAILED    {error}"))?;
                outcome = Err(LOG_FAILED);
            }
        }
    }
    if checked.programmes.is_empty() {
        say::line("the store holds no programme")?;
    }
    if let Err(error) = &checked.key {
        outcome = outcome.and(Err(failed(error)));
    }
    if outcome == Err(LOG_FAILED) {
        say::sentence(
            "a log failed verification",
            Some(
                "keep the directory as it is, and restore a backup, or replicas' logs with `radslagd restore --from-replica`",
            ),
        );
    }
    outcome
}

fn restore_store(config: &Config, from: &Path) -> Result<(), u8> {
    telemetry::start(&config.log);
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(|error| no_runtime(&error))?;
    let restored = runtime.block_on(restore(config, from)).map_err(|error| failed(&error))?;
    for programme in &restored {
        let (id, cut) = (programme.program, programme.cut);
        say::line(&format!("{id}  restored up to position {cut}; replicas hand in what came after"))?;
    }
    if restored.is_empty() {
        say::line("the copy holds no programme")?;
    }
    say_how_to_start(config)
}

fn restore_replicas(config: &Config, replicas: &[PathBuf], log_key: Option<&Path>) -> Result<(), u8> {
    telemetry::start(&config.log);
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(|error| no_runtime(&error))?;
    let taken = runtime.block_on(restore_from_replicas(config, replicas, log_key));
    for programme in taken.map_err(|error| not_recovered(&error))? {
        let (id, cut) = (programme.restored.program, programme.restored.cut);
        let from = programme.replica.display();
        say::line(&format!(
            "{id}  restored up to position {cut} from {from}; replicas hand in what came after"
        ))?;
        if let Some(why) = programme.stopped {
            say::note(&format!(
                "what {from} holds after position {cut} does not hold: {why}; another replica may have it whole"
            ));
        }
    }
    say_how_to_start(config)
}

fn say_how_to_start(config: &Config) -> Result<(), u8> {
    say::line(&format!("start it: radslagd serve --data {}", config.data.display()))
}

fn back_up(config: &Config, dir: &Path) -> Result<(), u8> {
    telemetry::start(&config.log);
    let mut said = Instant::now();
    let progress = |at: Progress| {
        if said.elapsed() >= BETWEEN_WORDS {
            said = Instant::now();
            say::note(&format!("{}  {} of {} records", at.program, at.position, at.of));
        }
    };
    let done = backup(&config.data, dir, progress).map_err(|error| not_recovered(&error))?;
    for programme in &done {
        let (id, position, root) = (programme.program, programme.position, programme.root);
        say::line(&format!("{id}  backed up  {position} records, root {root}"))?;
    }
    if done.is_empty() {
        say::line("the store holds no programme")?;
    }
    say::line(&format!("check it: radslagd check --data {}", dir.display()))
}

/// `settle` says what is in force, each time anew.
fn serve(
    config: Config,
    in_force: InForce,
    settle: impl Fn() -> Result<InForce, ConfigError>,
) -> Result<(), u8> {
    check_descriptors().map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| no_runtime(&error))?;
    let traces = {
        let _entered = runtime.enter();
        telemetry::start_serving(&config)
    };
    let served = runtime.block_on(async {
        // Listened for before anybody is told that the server is there, so that no signal is missed.
        let mut signals = Signals::listen().map_err(|error| no_runtime(&error))?;
        let data = config.data.display().to_string();
        let running = start(config).await.map_err(|error| failed(&error))?;
        let told = say::line(&format!("radslagd listens on {}, data in {data}", running.url()));
        if told.is_err() {
            tracing::warn!("nobody reads stdout");
        }
        notify::tell(notify::READY);
        let mut in_force = in_force;
        while signals.wait().await == Asked::Reread {
            reread(&mut in_force, settle(), &running);
        }
        notify::tell(notify::STOPPING);
        running.shutdown().await;
        Ok(())
    });
    traces.end();
    served
}

fn no_runtime(error: &io::Error) -> u8 {
    say::error(error, Some("the operating system gives this process no threads or signals; see its limits"));
    FAILED
}
