//! Every reason that a caller can meet has a page in `docs/errors`, and no page is of a reason that is gone.
//!
//! Reads the names from the sources that define them, so that it needs none of our crates to build. What a page says is
//! for its readers to judge.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The file with the numbers and names of rejections, and how its table begins and ends.
const REJECTIONS: (&str, &str, &str) = ("crates/core/src/rejection.rs", "pub const NAMES", "];");
/// How the table of reasons begins and ends; it stands in `proto/src/status.rs` or a file beneath.
const REASONS: (&str, &str) = ("reasons! {", "}");

/// Compares the sources with the folder.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let (rejections, begin, end) = REJECTIONS;
    let mut names = table(&read(&root.join(rejections))?, begin, end);
    if names.is_empty() {
        return Err(format!("no rejections were found in {rejections}"));
    }
    let reasons = reasons(root)?;
    if reasons.is_empty() {
        return Err("no table of reasons was found in proto/src/status.rs".to_owned());
    }
    names.extend(reasons);
    crate::all_well("docs/errors and the reasons do not agree:", &differences(&names, &pages(root)?))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn files_in(folder: &Path) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

fn reasons(root: &Path) -> Result<BTreeSet<String>, String> {
    let (begin, end) = REASONS;
    let mut names = table(&read(&root.join("proto/src/status.rs"))?, begin, end);
    let beneath = root.join("proto/src/status");
    if beneath.is_dir() {
        for file in files_in(&beneath)? {
            names.extend(table(&read(&beneath.join(file))?, begin, end));
        }
    }
    Ok(names)
}

/// The quoted names between the line that begins with `begin` and the next one that is `end`.
fn table(source: &str, begin: &str, end: &str) -> BTreeSet<String> {
    let lines = source.lines().skip_while(|line| !line.starts_with(begin)).skip(1);
    let lines = lines.take_while(|line| *line != end).map(str::trim).filter(|line| !line.starts_with("//"));
    lines.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}

fn pages(root: &Path) -> Result<BTreeSet<String>, String> {
    Ok(files_in(&root.join("docs/errors"))?.into_iter().filter(|file| file != "README.md").collect())
}

/// What is missing and what is one too many, one sentence each.
fn differences(names: &BTreeSet<String>, pages: &BTreeSet<String>) -> Vec<String> {
    let expected: BTreeSet<String> = names.iter().map(|name| format!("{name}.md")).collect();
    let missing = expected.difference(pages).map(|page| format!("docs/errors/{page} is missing"));
    let orphans = pages.difference(&expected).map(|page| format!("docs/errors/{page} is of no reason"));
    missing.chain(orphans).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_are_read_from_the_table_alone() {
        let source = "const OTHER: &str = \"OTHER\";\nreasons! {\n    // The call \"AS\" a whole.\n    /// It says \"NO\".\n    \
                      Gone \"GONE\" Missing,\n    Full \"FULL\" Busy,\n}\nfn f() { \"LATER\" }\n";
        assert_eq!(table(source, "reasons! {", "}"), set(&["FULL", "GONE"]));
        let source =
            "pub const NAMES: &[(u16, &str)] = &[\n    (1, \"DENIED\"),\n    (2, \"STALE\"),\n];\n\"X\"";
        assert_eq!(table(source, "pub const NAMES", "];"), set(&["DENIED", "STALE"]));
    }

    #[test]
    fn a_missing_page_and_an_orphan_are_both_named() {
        let found = differences(&set(&["GONE", "FULL"]), &set(&["FULL.md", "OLD.md", "notes.txt"]));
        let expected = [
            "docs/errors/GONE.md is missing",
            "docs/errors/OLD.md is of no reason",
            "docs/errors/notes.txt is of no reason",
        ];
        assert_eq!(found, expected);
        assert!(differences(&set(&["FULL"]), &set(&["FULL.md"])).is_empty());
    }

    #[test]
    fn a_source_without_its_table_is_an_error_and_not_a_pass() {
        let nowhere = Path::new(env!("CARGO_MANIFEST_DIR")).join("no-such-folder");
        assert!(run(&nowhere).unwrap_err().contains("rejection.rs"));
        assert!(table("fn main() {}", "reasons! {", "}").is_empty());
    }

    #[test]
    fn both_tables_of_this_project_are_found() {
        let root = crate::root();
        let (rejections, begin, end) = REJECTIONS;
        let rejections = table(&read(&root.join(rejections)).unwrap(), begin, end);
        assert!(
            rejections.contains("DENIED") && rejections.contains("EFFECTIVE_DATE_UNFIT"),
            "{rejections:?}"
        );
        let reasons = reasons(&root).unwrap();
        assert!(reasons.contains("PROGRAM_NOT_FOUND") && reasons.is_superset(&rejections), "{reasons:?}");
    }
}
