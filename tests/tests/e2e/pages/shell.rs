//! A bash that a page is typed into: line by line, each to its end, with a server that is waited for as a reader would.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use radslag_tests::{radslag, radslagd};
use tempfile::TempDir;

/// A line that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the shell says after a line, with its exit code.
const DONE: &str = "\u{1e}done ";
/// What a server says when it is up.
const LISTENS: &str = "listens on http://127.0.0.1:";
/// Folders of the system that a page names; they stand in the test's own folder instead.
const ELSEWHERE: &[&str] = &["/mnt/backup", "/var/lib/radslag", "/var/backups", "/etc/radslag"];

/// What a line said.
pub(super) struct Said {
    pub(super) line: String,
    pub(super) printed: Vec<String>,
}

/// A shell that runs. Dropped, it and all that it has started are killed.
pub(super) struct Shell {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// The server's port, 0 until one was there.
    port: u16,
    pub(super) transcript: Vec<Said>,
    // Last, so that nothing runs in it any more.
    dir: TempDir,
}

impl Shell {
    /// A shell in a folder of its own where the samples and the programs lie as in a checkout that was built.
    pub(super) fn in_a_checkout(root: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (home, release) = (dir.path().join("checkout"), dir.path().join("checkout/target/release"));
        fs::create_dir_all(&release).unwrap();
        symlink(root.join("samples"), home.join("samples")).unwrap();
        for program in [radslag(), radslagd()] {
            symlink(&program, release.join(program.file_name().unwrap())).unwrap();
        }
        for place in ELSEWHERE {
            fs::create_dir_all(dir.path().join(&place[1..])).unwrap();
        }
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc"]).current_dir(&home).env_clear().process_group(0);
        let path = std::env::var_os("PATH").unwrap_or_default();
        // A free port, until there is one to keep.
        command.env("PATH", path).env("LANG", "C").env("RADSLAG_LISTEN", "127.0.0.1:0");
        command
            .env("HOME", dir.path())
            .env("RADSLAG_HOME", dir.path().join("home"))
            .env("TMPDIR", dir.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash is there");
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (heard, lines) = sync_channel(1024);
        // Ends with the shell and all that it has started, or when nobody hears any more.
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| heard.send(line)));
        let stdin = child.stdin.take().unwrap();
        let mut shell = Self { child, stdin, lines, port: 0, transcript: Vec::new(), dir };
        shell.run("exec 2>&1");
        shell
    }

    /// Back to the folder where every section of a page begins.
    pub(super) fn goes_home(&mut self) {
        self.run(&format!("cd '{}'", self.dir.path().join("checkout").display()));
    }

    /// Types a line of a page and waits until it has ended; a server until it listens, in the foreground until it has ended again. `number`
    /// is the block's: an empty folder `NEW` is one for each block.
    pub(super) fn types(&mut self, line: &str, number: usize) -> (i32, Vec<String>) {
        let typed = self.for_here(line, number);
        if let Some(place) = self.outside(&typed) {
            panic!(
                "{line}\nnames {place}, which is not the test's own: give it a place in ELSEWHERE of tests/tests/e2e/pages/shell.rs, or the \
                 line in NOT_RUN"
            );
        }
        let serves = is_server(line);
        let (code, mut printed) = if line == "kill $!" {
            // A reader is slower than a server that ends.
            self.run("kill $! && { wait $!; true; }")
        } else if serves && !line.ends_with('&') {
            self.run(&format!("{typed} &"))
        } else {
            self.run(&typed)
        };
        if serves && code == 0 {
            self.is_up(&mut printed);
            if !line.ends_with('&') {
                self.run("kill $! && { wait $!; true; }");
            }
        }
        self.transcript.push(Said { line: line.to_owned(), printed: printed.clone() });
        (code, printed)
    }

    fn for_here(&self, line: &str, number: usize) -> String {
        let mut line = line.replace("127.0.0.1:7420", &format!("127.0.0.1:{}", self.port));
        for place in ELSEWHERE {
            line = line.replace(place, &format!("{}{place}", self.dir.path().display()));
        }
        let words =
            line.split(' ').map(|word| if word == "NEW" { format!("new-{number}") } else { word.to_owned() });
        words.collect::<Vec<_>>().join(" ")
    }

    /// A path of this machine that a line names. What a page tells an operator to do to their machine is not done to this one.
    fn outside<'a>(&self, line: &'a str) -> Option<&'a str> {
        let own = self.dir.path().to_str().expect("temporary folders have plain names");
        let words = line.split(|letter: char| letter.is_whitespace() || "=\"'<>:;()".contains(letter));
        // Of an address the part after the colon begins with two.
        let mut paths = words.filter(|word| word.starts_with('/') && !word.starts_with("//"));
        paths.find(|word| !word.starts_with(own) && *word != "/dev/null")
    }

    /// Waits until the server says where it listens, and keeps that address from then on.
    fn is_up(&mut self, printed: &mut Vec<String>) {
        while !printed.iter().any(|line| line.contains(LISTENS)) {
            let line = self.next();
            // What a shell says of a job that has ended.
            assert!(!line.contains("error:"), "the server does not come up: {line}");
            printed.push(line);
        }
        let port = printed.iter().find_map(|line| line.split(LISTENS).nth(1)).unwrap();
        self.port = port.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap();
        let here = format!("127.0.0.1:{}", self.port);
        self.run(&format!("export RADSLAG_LISTEN={here} RADSLAG_SERVER=http://{here}"));
    }

    /// What a line prints, and its exit code.
    fn run(&mut self, line: &str) -> (i32, Vec<String>) {
        // Braces keep variables and jobs in this shell; a program that reads must not take the next line for its input.
        writeln!(self.stdin, "{{ {line}\n}} </dev/null; printf '\\n{DONE}%s\\n' \"$?\"").unwrap();
        let mut printed: Vec<String> = Vec::new();
        loop {
            let next = self.next();
            if let Some(code) = next.strip_prefix(DONE) {
                if printed.last().is_some_and(String::is_empty) {
                    printed.pop();
                }
                return (code.parse().unwrap(), printed);
            }
            printed.push(next);
        }
    }

    fn next(&mut self) -> String {
        let heard = self.lines.recv_timeout(PATIENCE);
        let last = self.transcript.last().map_or("", |said| said.line.as_str());
        heard.unwrap_or_else(|_| panic!("the shell says nothing any more, after {last:?}"))
    }
}

/// Whether a line starts a server, which goes on until it is told to end.
fn is_server(line: &str) -> bool {
    let mut words = line.trim_end_matches('&').split_whitespace();
    let other = |word| {
        ["config", "check", "backup", "restore", "compact", "--help", "-h", "--version", "-V"].contains(&word)
    };
    words.next() == Some("radslagd") && (words.clone().any(|word| word == "serve") || !words.any(other))
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Its group: the shell, and the servers that it has started.
        let _ = Command::new("sh")
            .args(["-c", &format!("kill -KILL -{}", self.child.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.wait();
    }
}

#[test]
fn a_line_that_names_a_folder_of_the_machine_is_not_typed() {
    let shell = Shell::in_a_checkout(Path::new(env!("CARGO_MANIFEST_DIR")));
    for outside in ["install radslagd /usr/local/bin/", "cat </etc/passwd", "radslagd --data=/srv/x serve"] {
        assert!(shell.outside(outside).is_some(), "{outside}");
    }
    for own in [
        "radslagd check --data /var/lib/radslag",
        "curl http://127.0.0.1:7420/metrics",
        "radslag log 2>/dev/null",
    ] {
        assert_eq!(shell.outside(&shell.for_here(own, 1)), None, "{own}");
    }
}
