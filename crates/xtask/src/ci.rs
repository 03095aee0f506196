//! The one door: what must hold before a change lands, in the order in which a person wants to hear of it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{api_doc, errors_doc, layers};

/// A step: its name, and what does it.
struct Step {
    name: &'static str,
    work: Work,
}

enum Work {
    /// cargo, with these arguments and variables.
    Cargo(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// A check of this crate.
    Own(fn(&Path) -> Result<(), String>),
    /// A Python script that is always there.
    Python(&'static str),
    /// A script of ours; a checkout that lacks it skips the step.
    Script(&'static str),
}

const STEPS: &[Step] = &[
    Step { name: "fmt", work: Work::Cargo(&["fmt", "--all", "--check"], &[]) },
    Step { name: "layers", work: Work::Own(layers::run) },
    Step { name: "errors-doc", work: Work::Own(errors_doc::run) },
    Step { name: "api-doc", work: Work::Own(api_doc::run) },
    Step {
        name: "clippy",
        // With what is off by default: it is code too.
        work: Work::Cargo(
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--features",
                "radslag-server/otlp",
                "--",
                "-D",
                "warnings",
            ],
            &[],
        ),
    },
    Step {
        name: "doc",
        work: Work::Cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-Dwarnings")]),
    },
    Step { name: "test", work: Work::Cargo(&["test", "--workspace"], &[]) },
    // The simulation finds every deliberately broken variant.
    Step {
        name: "variants",
        work: Work::Cargo(
            &["test", "--package", "radslag-tests", "--features", "broken", "--lib", "variants"],
            &[],
        ),
    },
    Step {
        name: "otlp",
        work: Work::Cargo(
            &["test", "--package", "radslag-server", "--features", "otlp", "--test", "rpc", "otlp"],
            &[],
        ),
    },
    Step { name: "vectors", work: Work::Python("tests/fixtures/vectors/check.py") },
    Step { name: "buf-lint", work: Work::Script(".ci/buf-lint") },
    Step { name: "buf-breaking", work: Work::Script(".ci/buf-breaking") },
    Step { name: "python-client", work: Work::Script(".ci/python-client") },
];

/// Runs every step, stopping at the first that fails.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let began = Instant::now();
    for step in STEPS {
        println!("==> {}", step.name);
        let start = Instant::now();
        let outcome = perform(&step.work, root);
        println!("    {} took {}", step.name, shown(start.elapsed()));
        outcome.map_err(|what| format!("the step {:?} failed: {what}", step.name))?;
    }
    println!("==> all {} steps hold, after {}", STEPS.len(), shown(began.elapsed()));
    Ok(())
}

fn perform(work: &Work, root: &Path) -> Result<(), String> {
    match work {
        Work::Own(check) => check(root),
        Work::Cargo(arguments, variables) => {
            execute(Command::new(cargo()).args(*arguments).envs(variables.iter().copied()), root)
        }
        Work::Python(script) => execute(Command::new("python3").arg(script), root),
        Work::Script(script) if root.join(script).is_file() => {
            execute(&mut Command::new(root.join(script)), root)
        }
        Work::Script(script) => {
            println!("    skipped: there is no {script}");
            Ok(())
        }
    }
}

fn execute(command: &mut Command, root: &Path) -> Result<(), String> {
    let line = format!("{command:?}");
    let status =
        command.current_dir(root).status().map_err(|error| format!("{line} does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{line} ended with {status}")) }
}

/// The cargo that runs this, so that all steps use one toolchain.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn shown(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_says_what_it_ran_and_how_it_ended() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let failed = perform(&Work::Cargo(&["no-such-command-of-cargo"], &[]), here).unwrap_err();
        assert!(failed.contains("no-such-command-of-cargo") && failed.contains("exit status"), "{failed}");
    }

    #[test]
    fn a_script_that_is_not_there_is_skipped_but_a_broken_one_is_not() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(perform(&Work::Script("no/such/script"), here), Ok(()));
        // A file that cannot be executed.
        assert!(perform(&Work::Script("Cargo.toml"), here).unwrap_err().contains("does not start"));
    }
}
