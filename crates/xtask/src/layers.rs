//! Which of our crates may depend on which. The table below is the whole rule; `docs/adr` has the reasons for what is
//! unexpected in it. Dev-dependencies are not counted: a test may look at anything.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::ci;

/// What a crate of ours may depend on, among ours.
enum Arrows {
    /// These alone.
    To(&'static [&'static str]),
    /// Any of them; nothing may depend on such a crate.
    Anywhere,
}

use Arrows::{Anywhere, To};

const ALLOWED: &[(&str, Arrows)] = &[
    ("radslag-core", To(&[])),
    ("radslag-proto", To(&["radslag-core"])),
    // The port hands out stored messages as they are, so that nobody encodes them a second time.
    ("radslag-log", To(&["radslag-core", "radslag-proto"])),
    ("radslag-log-sled", To(&["radslag-core", "radslag-log", "radslag-proto"])),
    ("radslag-log-postgres", To(&["radslag-core", "radslag-log", "radslag-proto"])),
    ("radslag-sync", To(&["radslag-core"])),
    ("radslag-trust", To(&["radslag-core"])),
    ("radslag-table", To(&["radslag-core"])),
    (
        "radslag-engine",
        To(&["radslag-core", "radslag-log", "radslag-proto", "radslag-sync", "radslag-trust"]),
    ),
    (
        "radslag-client",
        To(&[
            "radslag-core",
            // docs/adr/0002: a replica verifies and folds as the writer does.
            "radslag-engine",
            "radslag-log",
            "radslag-log-sled",
            "radslag-proto",
            "radslag-sync",
            "radslag-trust",
        ]),
    ),
    (
        "radslag-server",
        To(&[
            "radslag-core",
            "radslag-engine",
            "radslag-log",
            "radslag-log-postgres",
            "radslag-log-sled",
            "radslag-proto",
            "radslag-table",
            "radslag-trust",
        ]),
    ),
    // The server is there for `quickstart` alone.
    ("radslag", To(&["radslag-client", "radslag-core", "radslag-server", "radslag-table"])),
    ("xtask", To(&[])),
    ("radslag-bench", Anywhere),
    ("radslag-tests", Anywhere),
];

/// Everything that core may use from outside: pure computation. Whatever else is judged before it is added here; nothing
/// that does IO, waits, reads a clock, draws random numbers or logs can be.
const CORE: &str = "radslag-core";
const CORE_MAY_USE: &[&str] = &["jiff", "sha2", "thiserror", "unicode-normalization", "uuid"];

/// Asks cargo for the workspace and checks it.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    // The arrows stand in the manifests; no registry has to be asked for them.
    let asked = Command::new(ci::cargo())
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata does not start: {error}"))?;
    if !asked.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&asked.stderr)));
    }
    let metadata =
        serde_json::from_slice(&asked.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    crate::all_well("the layers do not hold:", &violations(&metadata)?)
}

/// What in the workspace breaks the rule, one sentence each.
fn violations(metadata: &Value) -> Result<Vec<String>, String> {
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let ours: BTreeSet<&str> = packages.iter().map(|package| name(package)).collect::<Result<_, _>>()?;
    let mut wrong = Vec::new();
    for package in packages {
        let from = name(package)?;
        let allowed = ALLOWED.iter().find(|(name, _)| *name == from).map(|(_, arrows)| arrows);
        let Some(allowed) = allowed else {
            wrong.push(format!(
                "{from} is in no layer; say in crates/xtask/src/layers.rs what it may depend on"
            ));
            continue;
        };
        for to in dependencies(package)? {
            if ours.contains(to) || ALLOWED.iter().any(|(name, _)| *name == to) {
                wrong.extend(wrong_arrow(from, allowed, to));
            } else if from == CORE && !CORE_MAY_USE.contains(&to) {
                wrong.push(format!("{CORE} must not use {to}: it computes and does nothing else"));
            }
        }
    }
    Ok(wrong)
}

fn wrong_arrow(from: &str, allowed: &Arrows, to: &str) -> Option<String> {
    let is_leaf =
        to == "xtask" || ALLOWED.iter().any(|(name, arrows)| *name == to && matches!(arrows, Anywhere));
    let fits = match allowed {
        To(names) => names.contains(&to),
        Anywhere => !is_leaf,
    };
    (!fits).then(|| format!("{from} must not depend on {to}"))
}

fn name(package: &Value) -> Result<&str, String> {
    package["name"].as_str().ok_or_else(|| "cargo metadata has a package without a name".to_owned())
}

/// What a package is built from, by the packages' own names; its tests are left out.
fn dependencies(package: &Value) -> Result<BTreeSet<&str>, String> {
    let listed =
        package["dependencies"].as_array().ok_or("cargo metadata has a package without dependencies")?;
    listed.iter().filter(|dependency| dependency["kind"] != "dev").map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A workspace with these packages; a dependency is `name` or `name:kind`.
    fn workspace(packages: &[(&str, &[&str])]) -> Value {
        let dependency = |written: &&str| match written.split_once(':') {
            Some((name, kind)) => json!({ "name": name, "kind": kind }),
            None => json!({ "name": written, "kind": null }),
        };
        let package = |(name, dependencies): &(&str, &[&str])| json!({ "name": name, "dependencies": dependencies.iter().map(dependency).collect::<Vec<_>>() });
        json!({ "packages": packages.iter().map(package).collect::<Vec<_>>() })
    }

    fn wrong(packages: &[(&str, &[&str])]) -> Vec<String> {
        violations(&workspace(packages)).unwrap()
    }

    #[test]
    fn the_allowed_arrows_pass() {
        let fine: &[(&str, &[&str])] = &[
            ("radslag-core", &["jiff", "sha2"]),
            ("radslag-proto", &["radslag-core", "tonic", "protox:build"]),
            ("radslag-sync", &["radslag-core"]),
            ("radslag-engine", &["radslag-core", "radslag-sync", "tokio"]),
            ("radslag-client", &["radslag-core", "radslag-engine", "radslag-sync"]),
            ("radslag-bench", &["radslag-core", "radslag-client", "sled"]),
            ("xtask", &["serde_json"]),
        ];
        assert_eq!(wrong(fine), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_points_up_or_past_a_layer_is_named() {
        let cases = [
            ("radslag-core", "radslag-proto"),
            ("radslag-server", "radslag-sync"),
            ("radslag-server", "radslag-client"),
            ("radslag", "radslag-engine"),
            ("radslag-trust", "radslag-proto"),
            ("radslag-sync", "radslag-log"),
            ("radslag-log", "radslag-log-sled"),
            ("xtask", "radslag-core"),
            ("radslag-client", "radslag-tests"),
            ("radslag-tests", "radslag-bench"),
        ];
        for (from, to) in cases {
            let found = wrong(&[(from, &[to]), (to, &[])]);
            assert_eq!(found, [format!("{from} must not depend on {to}")]);
        }
    }

    #[test]
    fn a_build_dependency_counts_and_a_dev_dependency_does_not() {
        let dev: &[(&str, &[&str])] = &[("radslag-trust", &["radslag-proto:dev"]), ("radslag-proto", &[])];
        assert_eq!(wrong(dev), Vec::<String>::new());
        let build: &[(&str, &[&str])] =
            &[("radslag-trust", &["radslag-proto:build"]), ("radslag-proto", &[])];
        assert_eq!(wrong(build).len(), 1);
        // A crate that is a test's and the crate's own is the crate's own.
        let both: &[(&str, &[&str])] = &[("radslag-trust", &["radslag-proto:dev", "radslag-proto"])];
        assert_eq!(wrong(both).len(), 1);
    }

    #[test]
    fn core_takes_nothing_that_does_io_waits_or_draws_random_numbers() {
        for name in ["tokio", "tonic", "sled", "getrandom", "tracing", "prost", "rand", "async-trait"] {
            let found = wrong(&[(CORE, &["sha2", name])]);
            assert!(found.len() == 1 && found[0].contains(name), "{name}: {found:?}");
            assert_eq!(wrong(&[(CORE, &[&format!("{name}:dev")])]), Vec::<String>::new());
        }
    }

    #[test]
    fn a_crate_without_a_layer_is_not_let_in() {
        let found = wrong(&[("radslag-novelty", &[])]);
        assert!(found.len() == 1 && found[0].starts_with("radslag-novelty is in no layer"), "{found:?}");
    }

    #[test]
    fn something_else_than_metadata_is_an_error_and_not_a_pass() {
        for nonsense in [json!({}), json!({ "packages": [{ "name": "xtask" }] }), json!({ "packages": [{}] })]
        {
            assert!(violations(&nonsense).is_err(), "{nonsense}");
        }
    }
}
