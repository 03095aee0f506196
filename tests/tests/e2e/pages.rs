//! What README.md and docs/ tell a reader to type is typed here, in bash, in order, with the real programs, and what README.md says
//! that they print is compared with what they print.
//!
//! A page that gets new commands needs nothing here where they work in the folder that [`BEFORE`] makes. What cannot be run (it needs
//! root, a package manager, ten minutes) is named in [`NOT_RUN`] with the reason.

mod inline;
mod likeness;
mod markdown;
mod shell;

use std::fs;
use std::path::{Path, PathBuf};

use likeness::Known;
use markdown::{Block, blocks};
use shell::Shell;

/// Commands that are not run: the page (any, when empty), how the line begins, and why not.
const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "cargo run --release --bin radslag -- quickstart", ".ci/run runs it"),
    ("README.md", "cargo build --release", "the programs that were built for this test take its place"),
    ("README.md", "cargo test --workspace", "this is it"),
    ("CONTRIBUTING.md", "cargo build", "whoever runs this has"),
    ("CONTRIBUTING.md", "cargo test --workspace", "this is it"),
    ("CONTRIBUTING.md", "cargo xtask ci", "it runs this"),
    (
        "docs/performance.md",
        "cargo run --release -p radslag-bench",
        "crates/bench/tests/bench.rs runs every scenario",
    ),
    ("docs/operating.md", "cd radslag", "it goes into the clone"),
    (
        "docs/operating.md",
        "cargo build --release",
        "the programs that were built for this test take its place",
    ),
    (
        "docs/operating.md",
        "openssl ",
        "needs openssl; tests/tests/e2e/tls.rs makes certificates with a library",
    ),
    ("docs/operating.md", "chmod 600 server.key", "openssl makes it"),
    ("docs/api.md", "", "tests/python/client_test.py runs the page"),
    ("", "sudo ", "needs a machine of its own"),
    ("", "useradd ", "needs a machine of its own"),
    ("", "groupadd ", "needs a machine of its own"),
    ("", "systemctl ", "needs a machine of its own"),
    ("", "journalctl ", "needs a machine of its own"),
    ("", "docker ", "needs a container engine and a network"),
    ("", "podman ", "needs a container engine and a network"),
    ("", "apt-get ", "needs root and a network"),
    ("", "git clone ", "needs a network"),
];

/// Pages whose indented blocks are formulas and examples.
const SHOWN: &[&str] = &["docs/format.md", "docs/json.md"];

/// Commands that are meant to fail: the page, the line, which time it stands there (from 0), and its exit code.
const ENDS_WITH: &[(&str, &str, usize, i32)] = &[
    // The server is down.
    ("README.md", "radslag --replica huddinge sync", 0, 4),
    // One line differs.
    ("README.md", "diff before.tsv now.tsv", 0, 1),
];

/// What README.md says in its sentences that a command prints.
const QUOTED: &[&str] = &[
    "radslagd listens on http://127.0.0.1:7420",
    "13 headings, 21 sub-goals, 32 activities, 525 000 kr; 26 of 32 activities lack a cost",
    "queued, not synced: 806831df   (radslag sync sends)",
    "already imported: nothing recorded",
];

/// What a reader of any page has: a server's folder with a programme, two replicas, the log's key, the programs and the samples.
const BEFORE: &[&str] = &[
    "export RADSLAG_SERVER=http://127.0.0.1:7420 PATH=\"$PWD/target/release:$PATH\"",
    "radslagd --log warn serve --data radslag-data &",
    "PROGRAM=$(radslag program create --import samples/sodertorn-2019.tsv kansli | cut -d' ' -f1)",
    "radslag init --program \"$PROGRAM\" --org haninge --member Håkan haninge",
    "radslag init --program \"$PROGRAM\" --org huddinge --member Anna huddinge",
    "kill $!",
    "cp radslag-data/log.key log.key",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// README.md, CONTRIBUTING.md and every page beneath docs/ that `wanted` takes, with their names.
fn pages(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let root = root();
    let mut names = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for folder in ["docs", "docs/errors"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let markdown = Path::new(&name).extension().is_some_and(|extension| extension == "md");
            names.extend(markdown.then(|| format!("{folder}/{name}")));
        }
    }
    names.sort();
    names.retain(|name| wanted(name));
    names
        .into_iter()
        .map(|name| (fs::read_to_string(root.join(&name)).unwrap(), name))
        .map(|(text, name)| (name, text))
        .collect()
}

fn reason_not_to_run(page: &str, line: &str) -> Option<&'static str> {
    let fits = |(of, beginning, _): &&(&str, &str, &str)| {
        (of.is_empty() || *of == page) && line.starts_with(beginning)
    };
    NOT_RUN.iter().find(fits).map(|(.., why)| *why)
}

/// A page that is being followed.
struct Reader<'a> {
    page: &'a str,
    shell: Option<Shell>,
    known: Known,
    /// What was printed since the page last said what is printed.
    since: Vec<String>,
    typed: Vec<String>,
}

impl Reader<'_> {
    /// Types every command of a block.
    fn follow(&mut self, number: usize, block: &Block, commands: &[String]) {
        for written in commands {
            let time = self.typed.iter().filter(|before| *before == written).count();
            self.typed.push(written.clone());
            if reason_not_to_run(self.page, written).is_some() {
                continue;
            }
            let place = format!("{}, line {}: {written}", self.page, block.line);
            let line = self
                .known
                .put_in(written)
                .unwrap_or_else(|id| panic!("{place}\nnothing before it has printed {id}, which it names"));
            let expected = ENDS_WITH
                .iter()
                .find(|(page, of, at, _)| (*page, *of, *at) == (self.page, written.as_str(), time));
            let shell = self.shell.get_or_insert_with(begin);
            let (code, printed) = shell.types(&line, number);
            assert_eq!(
                code,
                expected.map_or(0, |(.., code)| *code),
                "{place}\nended so; it said:\n{}\n\nMend the page or what it tells to type. What cannot be run here stands in NOT_RUN \
                 of tests/tests/e2e/pages.rs with the reason; what is meant to fail, in ENDS_WITH.",
                printed.join("\n")
            );
            self.since.extend(printed);
        }
    }

    /// Compares a block that is no command with what was printed since the last one.
    fn compare(&mut self, block: &Block) {
        for paragraph in block.lines.split(|line| line.trim().is_empty()) {
            let found = self.known.find(paragraph, &self.since);
            assert!(
                found,
                "{}, line {}: what stands there is not what the commands before it print.\nthe page:\n{}\n\nprinted:\n{}\n\nIf it is \
                 a command, name its program in PROGRAMS of tests/tests/e2e/pages/markdown.rs.",
                self.page,
                block.line,
                paragraph.join("\n"),
                self.since.join("\n")
            );
        }
        self.since.clear();
    }
}

/// A shell in a folder that looks like a checkout, with what [`BEFORE`] makes.
fn begin() -> Shell {
    let mut shell = Shell::in_a_checkout(&root());
    for line in BEFORE {
        let (code, printed) = shell.types(line, 0);
        assert_eq!(code, 0, "{line}\n{}", printed.join("\n"));
    }
    shell
}

/// Follows a page to its end; gives its shell where something was typed, and every line that the page has.
fn follow(page: &str, text: &str) -> (Option<Shell>, Vec<String>) {
    let mut reader =
        Reader { page, shell: None, known: Known::default(), since: Vec::new(), typed: Vec::new() };
    let mut section = String::new();
    for (number, block) in blocks(text).iter().enumerate() {
        if block.section != section {
            section.clone_from(&block.section);
            reader.since.clear();
            if let Some(shell) = &mut reader.shell {
                shell.goes_home();
            }
        }
        match block.commands() {
            Some(commands) => reader.follow(number + 1, block, &commands),
            None if page == "README.md" => reader.compare(block),
            None => assert!(
                block.is_quoted() || SHOWN.contains(&page),
                "{page}, line {}: is this typed, or shown? Name the program of a command in PROGRAMS of tests/tests/e2e/pages/markdown.rs, \
                 give what is shown a fence with its language, or name a page that only shows in SHOWN of tests/tests/e2e/pages.rs:\n{}",
                block.line,
                block.lines.join("\n")
            ),
        }
    }
    (reader.shell, reader.typed)
}

#[test]
fn every_command_of_the_readme_works_and_prints_what_it_says() {
    let (_, text) = pages(|name| name == "README.md").remove(0);
    let (shell, typed) = follow("README.md", &text);
    let shell = shell.unwrap();
    for quoted in QUOTED {
        assert!(text.contains(quoted), "README.md does not say {quoted:?} any more; take it out of QUOTED");
        assert!(
            likeness::printed_somewhere(quoted, shell.transcript.iter().flat_map(|said| &said.printed)),
            "README.md says {quoted:?}, which nothing prints"
        );
    }
    let said =
        |beginning: &str| shell.transcript.iter().find(|said| said.line.starts_with(beginning)).unwrap();
    // "`cmp` is silent", "`diff` shows one line".
    assert_eq!(said("cmp ").printed, Vec::<String>::new());
    assert_eq!(said("diff before.tsv").printed.iter().filter(|line| line.starts_with('>')).count(), 1);
    for (page, line, ..) in ENDS_WITH {
        assert!(
            *page != "README.md" || typed.iter().any(|typed| typed == line),
            "README.md has no {line:?}; take it out of ENDS_WITH"
        );
    }
}

#[test]
fn every_command_of_the_other_pages_works() {
    for (page, text) in pages(|name| name != "README.md") {
        follow(&page, &text);
    }
}

#[test]
fn every_line_that_is_not_run_still_stands_on_its_page() {
    let pages = pages(|_| true);
    for (page, beginning, why) in NOT_RUN.iter().filter(|(page, ..)| !page.is_empty()) {
        let (_, text) = pages
            .iter()
            .find(|(name, _)| name == page)
            .unwrap_or_else(|| panic!("there is no {page}: {why}"));
        let stands =
            blocks(text).iter().filter_map(Block::commands).flatten().any(|line| line.starts_with(beginning));
        assert!(stands, "{page} has no command {beginning:?} any more; take it out of NOT_RUN");
    }
}

#[test]
fn every_command_that_is_named_in_a_sentence_exists_with_its_flags() {
    let mut wrong = Vec::new();
    let mut helps = inline::Helps::default();
    for (page, text) in pages(|_| true) {
        for span in inline::spans(&text) {
            wrong.extend(helps.wrong_with(&span).map(|what| format!("{page}: `{span}`: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
