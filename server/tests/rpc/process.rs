//! `radslagd` as a process: what it prints and how it exits.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Output, Stdio};

pub(crate) fn radslagd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radslagd"));
    for name in [
        "DATA",
        "LISTEN",
        "LOG",
        "QUEUE",
        "CACHE_MIB",
        "HEARTBEAT_MS",
        "METRICS",
        "TLS_CERT",
        "TLS_KEY",
        "CONFIG",
    ] {
        command.env_remove(format!("RADSLAG_{name}"));
    }
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    (status.code(), text(&stdout), text(&stderr))
}

#[test]
fn config_prints_what_is_in_force_and_where_it_comes_from() {
    let mut command = radslagd();
    command.args(["config", "--data", "här"]);
    command.env("RADSLAG_QUEUE", "7").env("RADSLAG_LIMITS_CONNECTIONS", "9");
    let (code, stdout, stderr) = run(&mut command);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "data = \"här\"                          # flag",
            "listen = \"127.0.0.1:7420\"             # default",
            "log = \"info\"                          # default",
            "queue = 7                             # environment variable RADSLAG_QUEUE",
            "cache_mib = 64                        # default",
            "heartbeat_ms = 25000                  # default",
            "metrics = \"off\"                       # default",
            "otlp = \"off\"                          # default",
            "tls_cert = \"off\"                      # default",
            "tls_key = \"off\"                       # default",
            "limits.connections = 9                # environment variable RADSLAG_LIMITS_CONNECTIONS",
            "limits.connections_per_address = 512  # default",
            "limits.streams_per_connection = 128   # default",
            "limits.calls = 4096                   # default",
            "limits.calls_per_address = 2048       # default",
            "limits.in_flight_mib = 64             # default",
            "limits.header_bytes = 16384           # default",
            "limits.resets = 256                   # default",
            "limits.handshake_ms = 5000            # default",
            "limits.first_call_ms = 10000          # default",
            "limits.idle_ms = 300000               # default",
            "limits.call_ms = 60000                # default",
            "# beginning programmes and enrolling devices is open: it listens on loopback only",
            "# no TLS is spoken",
        ]
    );
}

#[test]
fn a_mistake_in_the_configuration_is_a_usage_error_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("radslagd.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    let (code, stdout, stderr) = run(radslagd().arg("--config").arg(&file));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("error: the configuration file "), "{stderr}");
    assert!(stderr.contains("caused by: ") && stderr.contains("unknown field `lisen`"), "{stderr}");
    assert!(stderr.contains("\n\nhint: "), "{stderr}");

    let (code, _, stderr) = run(radslagd().env("RADSLAG_LISTEN", "localhost"));
    assert_eq!(code, Some(2));
    assert!(
        stderr.starts_with("error: listen is \"localhost\" by environment variable RADSLAG_LISTEN: "),
        "{stderr}"
    );
    assert_eq!(run(radslagd().args(["serve", "--listen", "localhost"])).0, Some(2));
    assert_eq!(run(radslagd().arg("serv")).0, Some(2));
}

#[test]
fn what_is_not_there_yet_says_so() {
    let (code, stdout, stderr) = run(radslagd().arg("compact"));
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("error: ") && stderr.contains("not in this release yet"), "{stderr}");
}

#[test]
fn a_check_of_nothing_fails_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, _, stderr) = run(radslagd().args(["check", "--data"]).arg(&data));
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: there is no store in "), "{stderr}");
    assert!(!data.exists());
}

#[cfg(unix)]
#[test]
fn it_serves_until_it_is_told_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let serve = |listen: &str| {
        let mut command = radslagd();
        command.args(["serve", "--log", "warn", "--listen", listen, "--data"]).arg(&data);
        command
    };
    let mut server = serve("127.0.0.1:0").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line.strip_prefix("radslagd listens on http://127.0.0.1:").unwrap();
    let (port, rest) = address.split_once(", data in ").unwrap();
    assert!(port.parse::<u16>().unwrap() > 0);
    assert_eq!(rest.trim_end(), data.display().to_string());

    let (code, _, stderr) = run(&mut serve("127.0.0.1:0"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("is already in use by another radslag or radslagd\n\nhint: "), "{stderr}");

    let told = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");

    let (code, stdout, stderr) = run(radslagd().args(["check", "--data"]).arg(&data));
    assert_eq!((code, stdout.as_str()), (Some(0), "the store holds no programme\n"), "{stderr}");
}
