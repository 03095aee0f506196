//! `radslag` as a process, before there is any replica: what it prints and how it exits.
//!
//! Cargo builds a package's binaries for its integration tests. The end-to-end tests in `tests/` lean on that.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

use std::process::{Command, Stdio};

fn radslag(args: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_radslag"));
    command
        .args(args)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .env_remove("RADSLAG_REPLICA")
        .env("LANG", "C");
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_and_version_go_to_stdout() {
    let (code, stdout, stderr) = radslag(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for command in ["quickstart", "init", "edit", "sync", "conflicts", "export", "verify"] {
        assert!(stdout.contains(command), "{command} is not in the help: {stdout}");
    }
    assert!(!stdout.contains("not yet"), "the help promises what is not there: {stdout}");
    let (code, stdout, _) = radslag(&["edit", "--help"]);
    assert!(code == Some(0) && stdout.contains("Examples: radslag edit"), "{stdout}");
    // The release and the commit that it was built from.
    let version = radslag(&["--version"]).1;
    assert_eq!(version, format!("radslag {} ({})\n", env!("CARGO_PKG_VERSION"), env!("RADSLAG_COMMIT")));
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_usage_error() {
    for args in [&[][..], &["frobnicate"], &["edit"], &["--lang", "fi", "show"], &["resolve", "x"]] {
        let (code, stdout, stderr) = radslag(args);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(stderr.contains("Usage: radslag") || stderr.contains("try '--help'"), "{stderr}");
    }
}

#[test]
fn a_folder_without_a_replica_is_refused_with_the_way_to_one() {
    let (code, stdout, stderr) = radslag(&["show"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.starts_with("error: there is no replica in ") && stderr.contains("\n\nhint: radslag init "),
        "{stderr}"
    );
}
