//! Commands that a page names in its sentences: whether there is such a command, and whether it takes these flags.

use std::collections::BTreeMap;
use std::process::Command;

use radslag_tests::{radslag, radslagd};

/// What the programs say.
const SAID: &[&str] = &["radslagd listens on"];

/// Every `radslag …` and `radslagd …` between backticks, outside of fences.
pub(super) fn spans(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in page.lines() {
        fenced ^= line.starts_with("```");
        let outside = !fenced && !line.starts_with("```") && !line.starts_with("    ");
        let spans = line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|span| span.starts_with("radslag ") || span.starts_with("radslagd "));
        let named = spans.filter(|span| !SAID.iter().any(|said| span.starts_with(said)));
        found.extend(named.filter(|_| outside).map(str::to_owned));
    }
    found
}

/// The help of every command that was asked for.
#[derive(Default)]
pub(super) struct Helps(BTreeMap<Vec<String>, String>);

impl Helps {
    /// What is not so about a command, if anything.
    pub(super) fn wrong_with(&mut self, span: &str) -> Option<String> {
        let mut words = span.split_whitespace().map(|word| word.trim_matches(['[', ']', '…', ',']));
        let mut path = vec![words.next()?.to_owned()];
        let mut may_descend = true;
        for word in words.filter(|word| !word.is_empty()) {
            if let Some(flag) = word.strip_prefix("--") {
                let name = format!("--{}", flag.split('=').next().unwrap_or_default());
                if flag.is_empty() {
                    return None;
                }
                if !flags(self.help(&path)).any(|known| known == name) {
                    return Some(format!("`{}` has no {name}", path.join(" ")));
                }
                continue;
            }
            let commands = commands(self.help(&path));
            let is_command = commands.iter().any(|command| command == word)
                || (path.len() == 1 && may_descend && is_name(word) && is_hidden(&path[0], word));
            if may_descend && is_command {
                path.push(word.to_owned());
            } else if path.len() == 1 && may_descend && is_name(word) && !follows_a_flag(span, word) {
                return Some(format!("`{}` has no command {word}", path[0]));
            } else {
                may_descend = path.len() == 1;
            }
        }
        None
    }

    fn help(&mut self, path: &[String]) -> &str {
        self.0.entry(path.to_vec()).or_insert_with(|| {
            let program = if path[0] == "radslag" { radslag() } else { radslagd() };
            let output = Command::new(program).args(&path[1..]).arg("--help").output().unwrap();
            assert!(output.status.success(), "{path:?} --help: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        })
    }
}

/// Whether there is a command that the list in the help leaves out.
fn is_hidden(program: &str, word: &str) -> bool {
    let program = if program == "radslag" { radslag() } else { radslagd() };
    Command::new(program).args([word, "--help"]).output().unwrap().status.success()
}

/// Whether a word may be what a flag is set to.
fn follows_a_flag(span: &str, word: &str) -> bool {
    let words: Vec<&str> = span.split_whitespace().collect();
    words.windows(2).any(|pair| pair[1] == word && pair[0].starts_with("--"))
}

/// What may be a command: no placeholder, no text.
fn is_name(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

fn commands(help: &str) -> Vec<String> {
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = listed.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    named.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn flags(help: &str) -> impl Iterator<Item = String> {
    let words = help.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    words.filter(|word| word.starts_with("--")).map(str::to_owned)
}

#[test]
fn a_command_or_a_flag_that_is_not_there_is_named() {
    let mut helps = Helps::default();
    for fine in [
        "radslag show --mine",
        "radslag outbox resubmit N --effective DATE",
        "radslag --replica DIR edit TITLE --cost KR",
        "radslagd",
    ] {
        assert_eq!(helps.wrong_with(fine), None, "{fine}");
    }
    assert_eq!(helps.wrong_with("radslag paint"), Some("`radslag` has no command paint".to_owned()));
    assert_eq!(
        helps.wrong_with("radslag show --upside-down"),
        Some("`radslag show` has no --upside-down".to_owned())
    );
    assert_eq!(
        spans("a `radslag show` b\n```\n`radslag x`\n```\n`radslagd listens on it`"),
        ["radslag show"]
    );
}
