//! Where the binaries under test are: cargo names them to the tests of their own packages only.

use std::env;
use std::path::PathBuf;

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

fn built(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a running program has a path");
    // Tests lie in target/<profile>/deps, binaries one folder above.
    let profile =
        test.parent().and_then(|deps| deps.parent()).expect("cargo runs tests from target/<profile>/deps");
    let path = profile.join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing: run cargo build --workspace first", path.display());
    path
}
