//! Says which commit is built: `RADSLAG_COMMIT` where that is set, as in a container that has no checkout, else what git says of this one.

use std::path::Path;
use std::process::Command;

/// Shown where nobody knows.
const UNKNOWN: &str = "unknown commit";

fn main() {
    println!("cargo::rerun-if-env-changed=RADSLAG_COMMIT");
    let given = std::env::var("RADSLAG_COMMIT").ok().filter(|commit| !commit.trim().is_empty());
    let commit = given.or_else(of_checkout).unwrap_or_else(|| UNKNOWN.to_owned());
    println!("cargo::rustc-env=RADSLAG_COMMIT={}", commit.trim());
}

fn of_checkout() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let own = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR")?).parent()?.canonicalize().ok()?;
    // Sources that lie in somebody else's checkout are not of its commit.
    if Path::new(&top).canonicalize().ok()? != own {
        return None;
    }
    // Every commit and checkout adds a line to it. A file that is not there would build anew each time.
    let moves = git(&["rev-parse", "--git-path", "logs/HEAD"]).map(|path| Path::new(".").join(path));
    if let Some(moves) = moves.filter(|moves| moves.is_file()) {
        println!("cargo::rerun-if-changed={}", moves.display());
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
