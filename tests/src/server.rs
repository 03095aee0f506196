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
        let said = stderr_of(data);
        let stderr =
            File::options().create(true).append(true).open(&said).expect("the test's folder can be written");
        let mut command = Command::new(radslagd());
        command.env_clear().args(["serve", "--log", "info", "--listen", listen, "--data"]).arg(data);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("radslagd starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        // Ends with the line or with the process, so nothing waits for ever.
        let read = stdout.read_line(&mut line);
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let Some(url) = url else {
            let ended = child.kill().and_then(|()| child.wait());
            panic!(
                "radslagd did not listen on {listen}: {read:?}, {ended:?}: {}",
                fs::read_to_string(said).unwrap_or_default()
            );
        };
        Self { child, url: url.trim_end_matches(',').to_owned(), _stdout: stdout }
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

    /// Asks it to end and waits until it has.
    ///
    /// # Panics
    /// It does not end in order.
    #[track_caller]
    pub fn stop(mut self) {
        let ended = self.terminate();
        assert!(ended.success(), "the server ended with {ended}");
    }

    #[cfg(unix)]
    fn terminate(&mut self) -> ExitStatus {
        // A builtin of every shell, where no `kill` is installed.
        let told = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(told.is_ok_and(|told| told.success()), "the server takes no signal");
        self.child.wait().expect("the server is our child")
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

fn stderr_of(data: &Path) -> PathBuf {
    data.with_extension("stderr")
}
