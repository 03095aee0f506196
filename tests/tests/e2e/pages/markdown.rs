//! Finds the blocks of a page, and says which of them are typed into a shell.

/// The first words of lines that are typed.
const PROGRAMS: &[&str] = &[
    "apt-get",
    "cargo",
    "cat",
    "cd",
    "chmod",
    "chown",
    "cmp",
    "cp",
    "curl",
    "diff",
    "docker",
    "echo",
    "export",
    "git",
    "grep",
    "groupadd",
    "head",
    "install",
    "journalctl",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "openssl",
    "pip",
    "podman",
    "printf",
    "python3",
    "radslag",
    "radslagd",
    "rm",
    "rustup",
    "sha256sum",
    "sudo",
    "systemctl",
    "tail",
    "tar",
    "tee",
    "test",
    "useradd",
    "wait",
];

/// The fences of what is typed.
const SHELLS: &[&str] = &["sh", "bash", "console", "shell"];

/// Lines that stand apart: indented by four spaces, or between fences.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The first of them in the page, from 1.
    pub(super) line: usize,
    /// The heading of the second level above it.
    pub(super) section: String,
    /// What the fence says, where there is one.
    fence: Option<String>,
    /// The lines without what makes them a block.
    pub(super) lines: Vec<String>,
}

impl Block {
    /// What is typed, one command each, or none where the block is something else. A line that ends with a backslash goes on, and a text
    /// after `<<WORD` belongs to its command.
    pub(super) fn commands(&self) -> Option<Vec<String>> {
        let typed = match self.fence.as_deref() {
            Some(language) => SHELLS.contains(&language),
            None => self.lines.iter().find(|line| !line.starts_with('#')).is_some_and(|line| is_typed(line)),
        };
        if !typed {
            return None;
        }
        let mut commands: Vec<String> = Vec::new();
        let mut goes_on = false;
        let mut ends_text: Option<String> = None;
        for line in &self.lines {
            if let (Some(end), Some(command)) = (&ends_text, commands.last_mut()) {
                *command = format!("{command}\n{line}");
                if line == end {
                    ends_text = None;
                }
                continue;
            }
            let prompted = line.strip_prefix("$ ");
            // Under a prompt the other lines are what was printed.
            if self.fence.as_deref() == Some("console") && prompted.is_none() {
                continue;
            }
            let line = prompted.unwrap_or(line).trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let part = line.strip_suffix('\\').map_or(line, str::trim_end);
            match commands.last_mut().filter(|_| goes_on) {
                Some(command) => *command = format!("{command} {part}"),
                None => commands.push(part.to_owned()),
            }
            goes_on = line.ends_with('\\');
            ends_text = text_end(line);
        }
        Some(commands)
    }

    /// Whether it says by its fence that it is something else than commands.
    pub(super) fn is_quoted(&self) -> bool {
        self.fence.as_deref().is_some_and(|language| !language.is_empty() && !SHELLS.contains(&language))
    }
}

/// The line that ends a text which a command takes from the lines after it.
fn text_end(line: &str) -> Option<String> {
    let word = line.split_once("<<")?.1.split_whitespace().next()?;
    Some(word.trim_matches(['\'', '"', '-']).to_owned())
}

fn is_typed(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    let variable = word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    });
    variable || PROGRAMS.contains(&word)
}

/// Every block of a page, in order.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut section = String::new();
    let mut fenced = false;
    // Whether a line that is indented belongs to the block before it.
    let mut open = false;
    let mut blank_before = true;
    for (index, line) in page.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            fenced = !fenced;
            open = false;
            if fenced {
                let fence = Some(language.trim().to_owned());
                found.push(Block { line: index + 2, section: section.clone(), fence, lines: Vec::new() });
            }
        } else if fenced {
            found.last_mut().expect("a fence has begun a block").lines.push(line.to_owned());
        } else if let Some(text) = line.strip_prefix("    ") {
            if open {
                let block = found.last_mut().expect("an open block is there");
                block.lines.extend(blank_before.then(String::new));
                block.lines.push(text.to_owned());
            } else if blank_before {
                let lines = vec![text.to_owned()];
                found.push(Block { line: index + 1, section: section.clone(), fence: None, lines });
                open = true;
            }
        } else if !line.trim().is_empty() {
            open = false;
            if let Some(heading) = line.strip_prefix("## ") {
                heading.clone_into(&mut section);
            }
        }
        blank_before = line.trim().is_empty();
    }
    found
}

#[test]
fn a_text_that_a_command_takes_belongs_to_it() {
    let page = "```sh\ncat > a.toml <<'END'\nlisten = \"x\"\n\n# not left out\nEND\nradslagd config\n```\n\n```toml\na = 1\n```\n";
    let found = blocks(page);
    let commands = found[0].commands().unwrap();
    assert_eq!(commands, ["cat > a.toml <<'END'\nlisten = \"x\"\n\n# not left out\nEND", "radslagd config"]);
    assert_eq!(blocks("```console\n$ radslag show\nsaid\n```\n")[0].commands().unwrap(), ["radslag show"]);
    assert!(found[1].commands().is_none() && found[1].is_quoted() && !found[0].is_quoted());
}

#[test]
fn blocks_are_found_with_their_lines_and_commands() {
    let page = "## One\n\ntext\n    not a block\n\n    radslag show\n    NAME=1 \\\n      true\n\n    cd x\n\nsays:\n\n    a table\n\n```sh\n$ \
                kill 1 # it\n```\n\n```text\n    radslag\n```\n";
    let found = blocks(page);
    let lines: Vec<usize> = found.iter().map(|block| block.line).collect();
    assert_eq!(lines, [6, 14, 17, 21]);
    let commands: Vec<_> = found.iter().map(Block::commands).collect();
    let typed = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>());
    assert_eq!(
        commands,
        [typed(&["radslag show", "NAME=1 true", "cd x"]), None, typed(&["kill 1 # it"]), None]
    );
    assert!(found.iter().all(|block| block.section == "One"));
}
