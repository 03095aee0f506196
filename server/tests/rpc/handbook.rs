//! `docs/operating.md` says what is so: its table, its configurations, its certificates, and the unit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{radslagd, run};

const BEGIN: &str = "<!-- reference -->\n";
const END: &str = "<!-- end of reference -->\n";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn handbook() -> String {
    fs::read_to_string(docs("operating.md")).unwrap()
}

/// The blocks of this language.
fn blocks(language: &str) -> Vec<String> {
    let text = handbook();
    let fence = format!("```{language}\n");
    let blocks = text.split(fence.as_str()).skip(1);
    blocks.map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

#[test]
fn the_table_of_settings_is_what_the_program_prints() {
    let (code, table, err) = run(radslagd().args(["config", "--reference"]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let text = handbook();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (stands, after) = rest.split_once(END).unwrap();
    if std::env::var_os("RADSLAG_WRITE_REFERENCE").is_some() {
        fs::write(docs("operating.md"), format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        stands, table,
        "write it anew: RADSLAG_WRITE_REFERENCE=1 cargo test -p radslag-server handbook"
    );
    // Every setting but a limit has a flag of its name.
    let (_, help, _) = run(radslagd().arg("--help"));
    let keys = table.lines().skip(2).filter_map(|line| line.split('`').nth(1));
    for key in keys.filter(|key| !key.starts_with("limits.")) {
        assert!(help.contains(&format!("--{} ", key.replace('_', "-"))), "{key} has no flag");
        assert!(help.contains(&format!("RADSLAG_{}", key.to_uppercase())), "{key} has no variable");
    }
}

#[test]
fn its_configurations_are_valid() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("radslagd.toml");
    let configurations = blocks("toml");
    assert_eq!(configurations.len(), 2);
    for configuration in configurations {
        fs::write(&file, &configuration).unwrap();
        let (code, out, err) = run(radslagd().args(["config", "--config"]).arg(&file));
        // The certificate is that of the machine that it is written for.
        let lacks = configuration.contains("tls_cert");
        assert_eq!(code, Some(i32::from(lacks)), "{configuration}{err}");
        assert_eq!(lacks, err.contains("/etc/radslag/server.pem cannot be read"), "{err}");
        let from_file = out.lines().filter(|line| line.contains("# file ")).count();
        assert_eq!(from_file, configuration.lines().count(), "{out}");
    }
}

#[test]
fn the_image_is_built_with_the_toolchain_and_set_up_by_settings_that_there_are() {
    let read = |name: &str| fs::read_to_string(docs("..").join(name)).unwrap();
    let image = read("Containerfile");
    let toolchain = read("rust-toolchain.toml");
    let channel =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    // Any other would fetch this one while it builds.
    assert!(image.contains(&format!("FROM docker.io/library/rust:{channel}-")), "{image}");
    let settings: Vec<&str> = image.lines().filter_map(|line| line.strip_prefix("ENV ")).collect();
    assert!(!settings.is_empty());
    let mut command = radslagd();
    command.arg("config").envs(settings.iter().map(|setting| setting.split_once('=').unwrap()));
    let (code, out, err) = run(&mut command);
    assert_eq!(code, Some(0), "{err}");
    for setting in settings {
        let (variable, value) = setting.split_once('=').unwrap();
        let taken = out.lines().any(|line| line.contains(value) && line.ends_with(variable));
        assert!(taken, "{setting} sets nothing: {out}");
    }
    // What is copied from the first image is what was built there.
    for program in ["radslagd", "radslag"] {
        assert!(
            image.contains(&format!("--bin {program}"))
                && image.contains(&format!("/src/target/release/{program}"))
        );
    }
}

#[cfg(unix)]
#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says why to its reader")]
fn its_certificates_can_be_served() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    let works = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no openssl");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = blocks("sh").concat();
    assert_eq!(script.lines().count(), 5, "{script}");
    let made = Command::new("sh").args(["-ec", &script]).current_dir(dir.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut config = radslagd();
    config.current_dir(dir.path()).args(["config", "--tls-cert", "server.pem", "--tls-key", "server.key"]);
    let (code, out, err) = run(&mut config);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.ends_with("# TLS is spoken: the certificate and its key can be served\n"), "{out}");
    let mut command = radslagd();
    command.current_dir(dir.path()).args([
        "serve",
        "--log",
        "off",
        "--listen",
        "127.0.0.1:0",
        "--data",
        "data",
    ]);
    command.args(["--tls-cert", "server.pem", "--tls-key", "server.key"]).stdout(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("https://")).map(str::to_owned);
    let shown = address.map(|address| {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-CAfile", "ca.pem", "-verify_return_error", "-alpn", "h2", "-connect"]);
        client
            .arg(address.trim_end_matches(','))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    });
    server.kill().unwrap();
    server.wait().unwrap();
    let shown = shown.unwrap_or_else(|| panic!("it does not listen: {line}"));
    let said = String::from_utf8_lossy(&shown.stdout);
    assert!(said.contains("Verify return code: 0 (ok)") && said.contains("ALPN protocol: h2"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says why to its reader")]
fn the_unit_holds_before_systemd() {
    let unit = fs::read_to_string(docs("radslagd.service")).unwrap();
    let program = radslagd().get_program().to_str().unwrap().to_owned();
    let start = "ExecStart=/usr/local/bin/radslagd ";
    assert!(unit.contains(start), "{unit}");
    let works = Command::new("systemd-analyze").arg("--version").output();
    if !works.is_ok_and(|works| works.status.success()) {
        eprintln!("skipped: there is no systemd-analyze");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("radslagd.service");
    // The program is where it was built, and not installed.
    fs::write(&file, unit.replace(start, &format!("ExecStart={program} "))).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    let about_ours: Vec<&str> = said.lines().filter(|line| line.contains("radslagd")).collect();
    assert!(verified.status.success() && about_ours.is_empty(), "{said}");
}
