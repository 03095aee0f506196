//! What the server tells of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use radslag_engine::clock::SystemClock;
use radslag_log::MemoryLog;
use radslag_proto::api::v1 as api;
use radslag_proto::status::Reason;
use radslag_server::{Config, Limits, Metrics, Running};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{GatedLog, Town, accepted, config, on, reason, refused};
use crate::raw::{closed, soon};

pub(crate) async fn get(running: &Running, request: &str) -> String {
    let mut socket = TcpStream::connect(running.metrics_addr().unwrap()).await.unwrap();
    socket.write_all(format!("{request} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut said = String::new();
    soon(socket.read_to_string(&mut said)).await.unwrap();
    said
}

pub(crate) async fn scrape(running: &Running) -> BTreeMap<String, f64> {
    let said = get(running, "GET /metrics").await;
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.contains("version=0.0.4"), "{said}");
    let (_, text) = said.split_once("\r\n\r\n").unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn metrics_tell_what_was_pushed_refused_followed_and_turned_away() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let config = Config { metrics: Metrics::On("127.0.0.1:0".parse().unwrap()), limits, ..config() };
    let (running, mut client) = on(config, Arc::new(MemoryLog::new()), Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    let event = town.device.retitle(town.activity, "Lunchmöte");
    assert!(accepted(&client.push(town.device.sign(&[event])).await.answers[0]).is_some());
    let mut stranger = crate::harness::Device::new(town.program, "botkyrka");
    let event = stranger.retitle(town.activity, "Middag");
    assert_eq!(refused(&client.push(stranger.sign(&[event])).await.answers[0]), Some("DEVICE_NOT_ENROLLED"));
    let request = api::SubscribeRequest { program_id: town.program.to_string(), ..Default::default() };
    let stream = client.sync.subscribe(request).await.unwrap();
    closed(&mut TcpStream::connect(running.addr()).await.unwrap()).await;

    let told = scrape(&running).await;
    let value = |name: &str| *told.get(name).unwrap_or_else(|| panic!("no {name} in {told:?}"));
    let program = town.program;
    for (name, expected) in [
        ("radslag_append_seconds_count", 2.0),
        ("radslag_commit_seconds_count", 2.0),
        ("radslag_commit_records_sum", 7.0),
        ("radslag_commit_records_bucket{le=\"1\"}", 1.0),
        ("radslag_commit_records_bucket{le=\"+Inf\"}", 2.0),
        ("radslag_queue_depth", 0.0),
        (&format!("radslag_records{{program=\"{program}\"}}"), 7.0),
        (&format!("radslag_conflicts_open{{program=\"{program}\"}}"), 0.0),
        ("radslag_events_total{outcome=\"accepted\",reason=\"\"}", 7.0),
        ("radslag_events_total{outcome=\"refused\",reason=\"DEVICE_NOT_ENROLLED\"}", 1.0),
        ("radslag_subscribers", 1.0),
        ("radslag_connections_open", 1.0),
        ("radslag_calls_open", 1.0),
        ("radslag_limits_met_total{limit=\"connections\"}", 1.0),
        ("radslag_limits_met_total{limit=\"idle\"}", 0.0),
    ] {
        assert!((value(name) - expected).abs() < f64::EPSILON, "{name} is {}", value(name));
    }
    assert!(value("radslag_append_seconds_sum") > 0.0);
    assert!(get(&running, "GET /").await.starts_with("HTTP/1.1 404 "));
    assert!(get(&running, "HEAD /health").await.ends_with("\r\n\r\n"), "a head has no body");
    assert!(get(&running, "POST /metrics").await.starts_with("HTTP/1.1 405 "));
    drop(stream);
    running.shutdown().await;
}

#[tokio::test]
async fn writing_that_has_stopped_is_no_health_and_reading_goes_on() {
    let log = Arc::new(GatedLog::new());
    let config = Config { metrics: Metrics::On("127.0.0.1:0".parse().unwrap()), ..config() };
    let (running, mut client) = on(config, Arc::clone(&log) as _, Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    assert!(get(&running, "GET /health").await.ends_with("\r\n\r\nok\n"));
    log.break_down();
    // The first is in doubt, and all after it are declined.
    for _ in 0..2 {
        let event = town.device.retitle(town.activity, "Lunchmöte");
        let bundle = Some(town.device.sign(&[event]));
        let pushed = client.sync.push(api::PushRequest { bundle, request_id: String::new() }).await;
        assert_eq!(reason(&pushed.unwrap_err()).reason, Reason::WritesStopped);
    }
    let said = get(&running, "GET /health").await;
    assert!(said.starts_with("HTTP/1.1 503 ") && said.contains("writes have stopped"), "{said}");
    assert_eq!(client.head(town.program).await, 6);
    assert!(get(&running, "POST /health").await.starts_with("HTTP/1.1 405 "));
    running.shutdown().await;
}

#[tokio::test]
async fn the_dashboard_asks_for_nothing_that_is_not_told() {
    let config = Config { metrics: Metrics::On("127.0.0.1:0".parse().unwrap()), ..config() };
    let (running, _client) = on(config, Arc::new(MemoryLog::new()), Arc::new(SystemClock)).await;
    let told = get(&running, "GET /metrics").await;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana.json");
    let dashboard = std::fs::read_to_string(path).unwrap();
    let names = dashboard.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let asked: Vec<&str> = names.filter(|name| name.starts_with("radslag_")).collect();
    assert!(asked.len() > 10, "{asked:?}");
    for name in asked {
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(told.contains(&format!("# TYPE {family} ")), "{name} is not told");
    }
    running.shutdown().await;
}
