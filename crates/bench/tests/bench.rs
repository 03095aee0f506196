//! Every scenario runs, as a process with a server process of its own, and counts what it was asked for.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs the program in a folder of its own and gives the lines that it says; afterwards nothing is left in that folder.
fn lines(arguments: &[&str]) -> Vec<Value> {
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    let lines = lines_in(dir.path(), arguments);
    let left = std::fs::read_dir(dir.path()).expect("the folder is there").count();
    assert_eq!(left, 0, "a measurement leaves nothing behind");
    lines
}

fn lines_in(dir: &Path, arguments: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radslag-bench"));
    let ran = command.args(arguments).arg("--dir").arg(dir).output().expect("the program runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&ran.stderr));
    said.lines().map(|line| serde_json::from_str(line).expect("a line is a JSON object")).collect()
}

fn cells<'a>(lines: &'a [Value], scenario: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["scenario"] == scenario).collect()
}

fn ratios(lines: &[Value]) -> &Value {
    &lines.last().expect("something was said")["ratios"]
}

#[test]
fn pushes_are_counted_and_held_against_their_parts() {
    let arguments =
        ["push", "--events", "400", "--writers", "1,8", "--batch", "1,10,100", "--programmes", "1,3"];
    let lines = lines(&arguments);
    let pushes = cells(&lines, "push");
    assert_eq!(pushes.len(), 12);
    for cell in &pushes {
        assert_eq!(cell["events"], 400, "{cell}");
        assert_eq!(cell["refused"], 0);
        assert!(cell["server_peak_rss_mib"].as_u64().unwrap() > 0, "{cell}");
        assert!(cell["disk_bytes_per_event"].as_f64().unwrap() > 0.0, "{cell}");
        assert!(cell["raw_bytes_per_event"].as_f64().unwrap() > 100.0, "{cell}");
        assert!(cell["p99_us"].as_f64() >= cell["p50_us"].as_f64(), "{cell}");
    }
    for yardstick in ["echo", "signed-echo"] {
        assert!(cells(&lines, yardstick).iter().all(|cell| cell["events"] == 400), "{yardstick}");
        assert_eq!(cells(&lines, yardstick).len(), 6);
    }
    assert_eq!(cells(&lines, "sled").len(), 3);
    for yardstick in ["fdatasync-4k", "fdatasync-64k", "sign", "verify"] {
        assert_eq!(cells(&lines, yardstick).len(), 1, "{yardstick}");
    }
    for hot in
        ["hot-different-fields-apart", "hot-different-fields", "hot-same-field-apart", "hot-same-field"]
    {
        assert_eq!(cells(&lines, hot)[0]["refused"], 0, "{hot}");
    }
    let ratios = ratios(&lines);
    let names = [
        "push_1x1_p50_to_sled_commit_2_echo_sign_verify",
        "push_8x100_to_sled_batches_of_100",
        "push_8x1_programmes_3_to_1",
        "push_8x10_to_signed_echo",
        "hot_same_field_to_apart",
        "disk_bytes_to_signed_bytes",
    ];
    for name in names {
        assert!(ratios[name]["value"].as_f64().unwrap() > 0.0, "{name}: {ratios}");
    }
}

#[test]
fn a_whole_log_is_read_with_its_root() {
    let lines = lines(&["catchup", "--events", "4000", "--reads", "2"]);
    let (reads, bare) = (cells(&lines, "catchup"), cells(&lines, "stream"));
    assert_eq!((reads.len(), bare.len()), (2, 2));
    assert!(reads[0]["events"].as_u64().unwrap() >= 4_000);
    assert_eq!(reads[0]["bytes"], bare[1]["bytes"]);
    assert!(ratios(&lines)["catchup_to_bare_stream"]["value"].as_f64().unwrap() > 0.0);
}

#[test]
fn every_event_is_delivered_to_every_subscriber() {
    let lines = lines(&["live", "--events", "200", "--subscribers", "1,3", "--pace", "2000"]);
    let cells = cells(&lines, "live");
    let counted: Vec<(u64, u64)> = cells
        .iter()
        .map(|cell| (cell["events"].as_u64().unwrap(), cell["deliveries"].as_u64().unwrap()))
        .collect();
    assert_eq!(counted, [(200, 200), (200, 200), (200, 600), (200, 600)]);
    assert!(ratios(&lines)["live_3_at_2000_per_s_p99_to_push_p50"]["value"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_server_that_was_stopped_or_killed_answers_again() {
    let lines = lines(&["restart", "--events", "2000", "--times", "2"]);
    for scenario in ["restart-after-stop", "restart-after-kill"] {
        let cell = cells(&lines, scenario)[0];
        assert_eq!(cell["times"], 2);
        assert!(cell["events"].as_u64().unwrap() >= 2_000);
        assert!(cell["first_receipt_p50_ms"].as_f64() >= cell["first_answer_p50_ms"].as_f64(), "{cell}");
    }
}

#[test]
fn eight_municipalities_work_and_every_edit_lands() {
    let lines = lines(&["mixed", "--events", "80", "--activities", "8"]);
    assert_eq!(cells(&lines, "mixed")[0]["events"], 80);
    assert_eq!(cells(&lines, "mixed-edit")[0]["times"], 80);
    for scenario in ["mixed-sync", "mixed-read", "mixed-export"] {
        assert_eq!(cells(&lines, scenario)[0]["times"], 16, "{scenario}");
    }
}

#[test]
fn a_history_is_read_whole() {
    let lines = lines(&["history", "--changes", "600", "--reads", "3"]);
    let whole = cells(&lines, "history-whole")[0];
    assert_eq!(whole["reads"], 3);
    assert!(whole["changes"].as_u64().unwrap() >= 600);
    assert!(cells(&lines, "history-first-page")[0]["changes"].as_u64().unwrap() <= 100);
}

#[test]
fn looking_back_and_a_new_replica_are_measured_too() {
    let asked = ["as-of", "--events", "2000", "--against", "1000", "--activities", "8", "--reads", "2"];
    assert_eq!(lines(&asked).len(), 3);
    assert_eq!(lines(&["bootstrap", "--events", "3000"])[0]["activities"], 2_008);
    let followed =
        lines(&["followers", "--subscribers", "4", "--stopped", "2", "--events", "100", "--warm", "100"]);
    assert_eq!(followed[2]["subscribers"], 4);
}

#[test]
fn a_server_elsewhere_is_measured_without_what_it_uses() {
    let data = tempfile::tempdir().expect("a folder for temporary files");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let config = radslag_server::Config {
        data: data.path().to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        ..radslag_server::Config::default()
    };
    let server = runtime.block_on(radslag_server::start(config)).expect("the server starts");
    let url = server.url();
    let lines = lines(&["push", "--server", &url, "--events", "20", "--writers", "2", "--batch", "1"]);
    runtime.block_on(server.shutdown());
    let pushes = cells(&lines, "push");
    assert_eq!(pushes.len(), 2);
    assert!(pushes.iter().all(|cell| cell["events"] == 20 && cell["server_cpu_s"].is_null()));
}
