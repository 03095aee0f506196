//! A `radslagd` that runs: started, stopped in order, or killed where it stands.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use crate::binaries::radslagd;

/// A server process that listens. Dropped, it is killed.
pub struct Server {
    child: Child,
    url: String,
    // Kept open: a server whose stdout is closed would notice.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a server on `data` and waits until it says where it listens. Its log goes to a file beside the data.
    ///
    /// # Panics
    /// It does not come up; then with what it said.
    #[track_caller]
    pub fn start(data: &Path, listen: &str) -> Self {
        Self::try_start(data, listen, "")
            .unwrap_or_else(|said| panic!("radslagd did not listen on {listen}: {said}"))
    }

    /// As [`Server::start`], after some words of the shell, such as `ulimit -n 64;` or a program to run it under.
    ///
    /// # Errors
    /// It does not come up: how it ended, and what it said from this start on.
    ///
    /// # Panics
    /// The test's own folder cannot be used.
    pub fn try_start(data: &Path, listen: &str, under: &str) -> Result<Self, String> {
        let said = stderr_of(data);
        let stderr =
            File::options().create(true).append(true).open(&said).expect("the test's folder can be written");
        let before = stderr.metadata().map_or(0, |file| file.len());
        let mut command = if under.is_empty() {
            Command::new(radslagd())
        } else {
            let exec = if under.trim_end().ends_with(';') { "exec " } else { "" };
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(format!("{under} {exec}\"$0\" \"$@\"")).arg(radslagd());
            shell
        };
        command.env_clear().args(["serve", "--log", "info", "--listen", listen, "--data"]).arg(data);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("radslagd starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        // Ends with the line or with the process, so nothing waits for ever.
        let read = stdout.read_line(&mut line);
        let url = line.split_whitespace().find(|word| word.starts_with("http"));
        let Some(url) = url else {
            let ended = child.wait();
            let all = fs::read(said).unwrap_or_default();
            let now = all.get(usize::try_from(before).unwrap_or(0)..).unwrap_or_default();
            return Err(format!("{read:?}, {ended:?}: {}", String::from_utf8_lossy(now)));
        };
        Ok(Self { child, url: url.trim_end_matches(',').to_owned(), _stdout: stdout })
    }

    /// Its address, as clients take it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it with SIGKILL and waits until it is gone.
    ///
    /// # Panics
    /// It had ended by itself.
    #[track_caller]
    pub fn crash(mut self) {
        assert!(matches!(self.child.try_wait(), Ok(None)), "the server had ended before it was killed");
        self.end();
    }

    /// Asks it to end and waits until it has; gives how.
    pub fn end_in_order(mut self) -> ExitStatus {
        self.terminate()
    }

    #[cfg(unix)]
    fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().expect("the server is our child")
    }

    /// Sends it a signal by its name.
    ///
    /// # Panics
    /// It takes none.
    #[cfg(unix)]
    #[track_caller]
    pub fn signal(&self, name: &str) {
        // A builtin of every shell, where no `kill` is installed.
        let told = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(told.is_ok_and(|told| told.success()), "the server takes no signal");
    }

    #[cfg(not(unix))]
    fn terminate(&mut self) -> ExitStatus {
        // There is no signal for it: what it acknowledged is on disk either way.
        self.end();
        ExitStatus::default()
    }

    fn end(&mut self) {
        // Only fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a server on `data` writes its log.
pub(crate) fn stderr_of(data: &Path) -> PathBuf {
    data.with_extension("stderr")
}
