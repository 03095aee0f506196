//! What an operator gets wrong, or finds at a start: clear words, the right exit code, and nothing left behind.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::process::{radslagd, run};

/// How a command ended, and what it said.
struct Said {
    code: Option<i32>,
    err: String,
}

impl Said {
    fn of(command: &mut Command) -> Self {
        let (code, out, err) = run(command);
        assert!(!err.contains("panicked"), "{err}");
        assert_eq!(out, "", "what went wrong is no data");
        Self { code, err }
    }

    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert!(self.err.contains("error: ") && self.err.contains("\n\nhint: "), "{}", self.err);
        self
    }

    #[track_caller]
    fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "{} does not say {words:?}", self.err);
        self
    }
}

fn serve(data: &Path) -> Command {
    let mut command = radslagd();
    command.args(["serve", "--log", "info", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command
}

/// A server that runs, and its log line by line.
struct Serving {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    lines: Receiver<String>,
    url: String,
}

impl Serving {
    fn begin(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap_or_else(|| {
            let said: Vec<String> = lines.iter().collect();
            panic!("it does not come up: {said:?}");
        });
        let url = url.trim_end_matches(',').to_owned();
        Self { child, _stdout: stdout, lines, url }
    }

    /// Waits until its log says so.
    #[track_caller]
    fn says(&self, words: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => before.push(line),
                Err(_) => panic!("never said {words:?}: {before:?}"),
            }
        }
    }

    fn signal(&self, name: &str) {
        let told = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(told.unwrap().success());
    }

    fn ends(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Only fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that any user may look into, and whether this test is root.
struct Place {
    dir: tempfile::TempDir,
    root: bool,
}

const NOBODY: u32 = 65_534;

impl Place {
    fn new() -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().metadata().unwrap().uid() == 0;
        mode(dir.path(), 0o755);
        Self { dir, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// As somebody to whom the operating system denies something. Root is denied nothing.
    fn denied<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        use std::os::unix::process::CommandExt as _;
        if self.root { command.uid(NOBODY).gid(NOBODY) } else { command }
    }

    /// Makes something theirs.
    fn theirs(&self, path: &Path) {
        if self.root {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_port_that_is_taken_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = radslagd();
    command.args(["serve", "--listen", &address, "--data"]).arg(dir.path().join("data"));
    Said::of(&mut command).exits(1).says(&format!("another program listens on {address}")).says("--listen");
    let mut command = serve(&dir.path().join("data"));
    command.args(["--metrics", &address]);
    Said::of(&mut command).exits(1).says(&format!("another program listens on {address}"));
    let mut command = radslagd();
    command.args(["serve", "--listen", "192.0.2.1:7420", "--data"]).arg(dir.path().join("data"));
    Said::of(&mut command)
        .exits(1)
        .says("the address 192.0.2.1:7420 cannot be listened on")
        .says("caused by: ");
}

#[test]
fn a_directory_that_cannot_be_made_or_written_is_named() {
    let place = Place::new();
    let closed = place.path("closed");
    fs::create_dir(&closed).unwrap();
    mode(&closed, 0o555);
    let data = closed.join("data");
    let said = Said::of(place.denied(&mut serve(&data))).exits(1);
    said.says(&format!("the data directory {} cannot be used", data.display())).says("Permission denied");
    fs::write(place.path("file"), "").unwrap();
    Said::of(&mut serve(&place.path("file/data"))).exits(1).says("file/data cannot be used");

    // A store that was made, and may not be written any more.
    let data = place.path("data");
    fs::create_dir(&data).unwrap();
    place.theirs(&data);
    mode(&data, 0o700);
    assert_eq!(Serving::begin(place.denied(&mut serve(&data))).ends(), Some(0));
    mode(&data, 0o500);
    let said = Said::of(place.denied(&mut serve(&data))).exits(1);
    said.says(&format!("the data directory {} cannot be used", data.display())).says("write to it");
    mode(&data, 0o700);
    mode(&data.join("db"), 0o400);
    Said::of(place.denied(&mut serve(&data))).exits(1).says("Permission denied").says("write to it");
    Said::of(place.denied(radslagd().args(["check", "--data"]).arg(&data)))
        .exits(1)
        .says("Permission denied");
    mode(&data.join("db"), 0o600);
    let mut backup = radslagd();
    let said = Said::of(place.denied(backup.arg("backup").arg(closed.join("1")).arg("--data").arg(&data)));
    said.exits(1).says("the backup cannot be written to").says("Permission denied");
    mode(&data.join("log.key"), 0);
    Said::of(place.denied(&mut serve(&data))).exits(1).says("log.key").says("chown");
}

#[test]
fn a_directory_that_is_open_to_others_is_closed_and_a_key_that_is_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    mode(&data, 0o755);
    assert_eq!(Serving::begin(&mut serve(&data)).ends(), Some(0));
    assert_eq!(mode_of(&data), 0o700);
    assert_eq!(mode_of(&data.join("log.key")), 0o600);
    for open in [0o750, 0o701, 0o722] {
        mode(&data, open);
        assert_eq!(Serving::begin(&mut serve(&data)).ends(), Some(0));
        assert_eq!(mode_of(&data), 0o700);
    }
    mode(&data.join("log.key"), 0o644);
    Said::of(&mut serve(&data)).exits(1).says("log.key is open to others (mode 644)").says("chmod 600");
    let (code, out, err) = run(radslagd().args(["check", "--data"]).arg(&data));
    assert_eq!((code, out.as_str()), (Some(1), "the store holds no programme\n"), "{err}");
    assert!(err.contains("log.key is open to others"), "{err}");
    mode(&data.join("log.key"), 0o600);
    assert_eq!(Serving::begin(&mut serve(&data)).ends(), Some(0));
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says why to its reader")]
fn what_belongs_to_another_user_is_not_touched() {
    let place = Place::new();
    if !place.root {
        eprintln!("skipped: only root can give files to another user");
        return;
    }
    let data = place.path("data");
    assert_eq!(Serving::begin(&mut serve(&data)).ends(), Some(0));
    place.theirs(&data);
    let words = format!("{} belongs to user {NOBODY}, and this radslagd is user 0", data.display());
    Said::of(&mut serve(&data)).exits(1).says(&words).says("chown -R");
    Said::of(radslagd().args(["check", "--data"]).arg(&data)).exits(1).says(&words);
    let backup = place.path("backup");
    Said::of(radslagd().arg("backup").arg(&backup).arg("--data").arg(&data)).exits(1).says(&words);
    assert!(!backup.exists());
    // The directory was given back, and a file in it was not.
    std::os::unix::fs::chown(&data, Some(0), Some(0)).unwrap();
    place.theirs(&data.join("log.key"));
    Said::of(&mut serve(&data)).exits(1).says("log.key belongs to user");
}

#[test]
fn a_configuration_that_is_half_written_or_cannot_be_read_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("radslagd.toml");
    let says = |text: &[u8], words: &str| {
        fs::write(&file, text).unwrap();
        for command in ["serve", "config", "check"] {
            Said::of(radslagd().arg(command).arg("--config").arg(&file)).exits(2).says(words);
        }
    };
    says(b"listen = \"127.0.0.1:0\"\ndata = \"/srv", "TOML parse error at line 2");
    says(b"[limits\nconnections = 9\n", "TOML parse error at line 1");
    says(b"[limits]\nconections = 9\n", "unknown field `conections`");
    says(b"queue = 7\nqueue = 8\n", "duplicate key");
    says(b"queue = \"many\"\n", "invalid type");
    says(b"\xff\xfe", "cannot be read");
    says(b"tls_key = \"/etc/radslag/server.key\"\n", "tls_key needs its certificate");
    fs::remove_file(&file).unwrap();
    Said::of(radslagd().args(["config", "--config"]).arg(&file))
        .exits(2)
        .says("cannot be read")
        .says("--config");
    Said::of(radslagd().args(["config", "--config"]).arg(dir.path())).exits(2).says("cannot be read");
    let misspelt = Said::of(radslagd().arg("config").env("RADSLAG_LIMITS_CONECTIONS", "9")).exits(2);
    misspelt.says("the environment variable RADSLAG_LIMITS_CONECTIONS is of no limit");
    // An empty one is a whole one.
    fs::write(&file, "").unwrap();
    assert_eq!(run(radslagd().args(["config", "--config"]).arg(&file)).0, Some(0));
}

#[test]
fn too_few_descriptors_to_start_with_are_said_before_anything_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let serve_under = |most: u32| {
        let mut shell = Command::new("sh");
        let server = radslagd();
        shell.arg("-c").arg(format!("ulimit -n {most}; exec \"$0\" \"$@\"")).arg(server.get_program());
        shell.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
        shell
    };
    let said = Said::of(&mut serve_under(20)).exits(1);
    said.says("this process may have 20 files open").says("LimitNOFILE");
    assert!(!data.exists());
    let serving = Serving::begin(&mut serve_under(32));
    serving.says("fewer connections than limits.connections says");
    // More callers than descriptors: those that are taken are served, and it still ends in order.
    let address = serving.url.trim_start_matches("http://").to_owned();
    let callers: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(&address).unwrap()).collect();
    serving.says("no connection can be taken for now; those that are open go on");
    drop(callers);
    assert_eq!(serving.ends(), Some(0));
}

#[test]
fn a_hangup_takes_up_what_it_can_and_says_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("radslagd.toml");
    fs::write(&file, "log = \"info\"\n").unwrap();
    let mut command = radslagd();
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file).arg("--data");
    let serving = Serving::begin(command.arg(dir.path().join("data")));
    serving.signal("HUP");
    serving.says("the configuration was read again");
    fs::write(&file, "log = \"info\"\nqueue = 9\n[limits]\ncalls = 5\n").unwrap();
    serving.signal("HUP");
    let line = serving.says("wait for a restart");
    assert!(line.contains("queue, limits.calls"), "{line}");
    fs::write(&file, "log = \"in").unwrap();
    serving.signal("HUP");
    let line = serving.says("is not valid; everything goes on as it was");
    assert!(line.contains("TOML parse error"), "{line}");
    fs::write(&file, "log = \"info,radslag_server=debug\"\n").unwrap();
    serving.signal("HUP");
    serving.says("the configuration was read again");
    // What only debug says is said from now on.
    let mut caller = TcpStream::connect(serving.url.trim_start_matches("http://")).unwrap();
    caller.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    serving.says("DEBUG");
    assert_eq!(serving.ends(), Some(0));
}

#[test]
fn a_service_manager_hears_when_it_serves_and_when_it_stops() {
    use std::os::unix::net::UnixDatagram;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let serving = Serving::begin(serve(&dir.path().join("data")).env("NOTIFY_SOCKET", &path));
    let mut heard = [0; 64];
    let length = socket.recv(&mut heard).unwrap();
    assert_eq!(&heard[..length], b"READY=1");
    assert_eq!(serving.ends(), Some(0));
    let length = socket.recv(&mut heard).unwrap();
    assert_eq!(&heard[..length], b"STOPPING=1");
    // One that is gone is nobody.
    drop(socket);
    let serving = Serving::begin(serve(&dir.path().join("data")).env("NOTIFY_SOCKET", &path));
    assert_eq!(serving.ends(), Some(0));
}

#[test]
fn version_names_the_commit() {
    let (code, out, _) = run(radslagd().arg("--version"));
    assert_eq!(code, Some(0));
    let expected = concat!("radslagd ", env!("CARGO_PKG_VERSION"), " (");
    let commit = out.strip_prefix(expected).and_then(|rest| rest.strip_suffix(")\n")).unwrap();
    let git = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    match git.ok().filter(|git| git.status.success()) {
        // Built for a release, or from sources that lie in somebody else's checkout.
        _ if option_env!("RADSLAG_COMMIT").is_some_and(|given| given == commit) => {}
        Some(git) => assert_eq!(commit, String::from_utf8(git.stdout).unwrap().trim()),
        None => assert_eq!(commit, "unknown commit"),
    }
}

#[test]
fn health_is_told_beside_metrics() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = serve(&dir.path().join("data"));
    let serving = Serving::begin(command.args(["--metrics", "127.0.0.1:0"]));
    let line = serving.says("metrics are told");
    let address = line.rsplit("addr=").next().unwrap().trim().to_owned();
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\r\n\r\nok\n"), "{said}");
    assert_eq!(serving.ends(), Some(0));
}
