//! One run of a program: what it is given, and what became of it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value as Json;

/// A command that has not run yet. Its environment is empty but for what the operating system needs, the home that the test
/// gives it, and `LANG=C`.
pub struct CliRun {
    command: Command,
    words: String,
}

impl CliRun {
    /// A run of `program` in the folder `dir`, with keys and the like under `home`.
    pub fn new(program: &Path, dir: &Path, home: &Path) -> Self {
        let mut command = Command::new(program);
        command.env_clear().current_dir(dir).stdin(Stdio::null());
        for name in ["PATH", "SYSTEMROOT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", home).env("RADSLAG_HOME", home).env("LANG", "C");
        let words = program.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { command, words: words.unwrap_or_default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.words.push_str(&format!(" {:?}", arg.as_ref()));
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: AsRef<OsStr>>(self, args: &[T]) -> Self {
        args.iter().fold(self, Self::arg)
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sends stdout somewhere else.
    #[must_use]
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Starts it and leaves it running; stdout and stderr can be read.
    ///
    /// # Panics
    /// It does not start.
    pub fn spawn(mut self) -> Child {
        let spawned = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        spawned.unwrap_or_else(|error| panic!("{} does not start: {error}", self.words))
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// It does not start, or says something that is not UTF-8.
    pub fn run(mut self) -> Outcome {
        let ended = self.command.output();
        let output = ended.unwrap_or_else(|error| panic!("{} does not start: {error}", self.words));
        Outcome::of(self.words, output)
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Outcome {
    /// The command.
    pub words: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// All of its stdout.
    pub out: String,
    /// All of its stderr.
    pub err: String,
}

impl Outcome {
    /// What a process left behind.
    ///
    /// # Panics
    /// It said something that is not UTF-8.
    pub fn of(words: String, output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("our programs write UTF-8");
        Self { words, code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It must have ended with this exit code. What fails says `error:`, and one that a person can do something about says what.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        let said = ["error:", "fel:"].iter().any(|word| self.err.contains(word));
        assert!(code == 0 || said, "{self}");
        self
    }

    /// It must have done what was asked.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn done(self) -> Self {
        self.exits(0)
    }

    /// It must have said this somewhere.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text) || self.err.contains(text), "{self}\ndoes not say {text:?}");
        self
    }

    /// Every JSON object of stdout, one a line.
    ///
    /// # Panics
    /// A line is not one.
    #[track_caller]
    pub fn objects(&self) -> Vec<Json> {
        let mut objects = Vec::new();
        for line in self.out.lines() {
            match serde_json::from_str::<Json>(line) {
                Ok(object) if object.is_object() => objects.push(object),
                _ => panic!("{self}\nis not JSON: {line}"),
            }
        }
        objects
    }

    /// The one JSON object of stdout.
    ///
    /// # Panics
    /// There is none, or there are several.
    #[track_caller]
    pub fn object(&self) -> Json {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{self}");
        objects.remove(0)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ended with {:?}\nstdout: {}\nstderr: {}", self.words, self.code, self.out, self.err)
    }
}
