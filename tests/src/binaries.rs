//! Where the binaries under test are: cargo names them to the tests of their own packages only.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

/// The `radslag` that was built beside this test.
///
/// # Panics
/// It was not built.
pub fn radslag() -> PathBuf {
    built("radslag")
}

/// The `radslagd` that was built beside this test.
///
/// # Panics
/// It was not built.
pub fn radslagd() -> PathBuf {
    built("radslagd")
}

/// The `radslag-member` that was built beside this test.
///
/// # Panics
/// It was not built.
pub fn radslag_member() -> PathBuf {
    built("radslag-member")
}

/// Builds the programs that a binary of this package runs, where cargo runs the binary: cargo builds what it runs and no more.
///
/// # Panics
/// They do not build.
pub fn build_programs() {
    let Some(cargo) = env::var_os("CARGO") else { return };
    let release =
        env::current_exe().is_ok_and(|path| path.components().any(|part| part.as_os_str() == "release"));
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "-p",
        "radslag",
        "-p",
        "radslag-server",
        "-p",
        "radslag-tests",
        "--bins",
    ]);
    command.args(release.then_some("--release")).current_dir(env!("CARGO_MANIFEST_DIR"));
    let built = command.status();
    assert!(built.as_ref().is_ok_and(ExitStatus::success), "the programs do not build: {built:?}");
}

fn built(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a running program has a path");
    // Tests lie in target/<profile>/deps, binaries one folder above.
    let beside = test.parent().filter(|folder| folder.ends_with("deps")).map_or(&*test, |deps| deps);
    let profile = beside.parent().expect("cargo runs what it built from target/<profile>");
    let path = profile.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing: run cargo build --workspace first", path.display());
    path
}
