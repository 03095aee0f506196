//! Many at once, and worse than that: the server goes on for everybody else.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use prost::bytes::Bytes;
use radslag_proto::api::v1 as api;
use radslag_proto::status::Reason;
use radslag_server::Limits;
use tokio::net::TcpStream;

use crate::harness::{Client, Town, accepted};
use crate::port::limited;
use crate::raw::{HELLO, PUSH, Raw, announced, closed, framed, reason_of, soon};

#[tokio::test]
async fn whoever_gives_up_calls_as_fast_as_they_can_loses_the_connection() {
    let (running, mut client) = limited(Limits { resets: 50, ..Limits::default() }).await;
    let mut town = Town::begin(&mut client).await;
    let mut raw = Raw::to(running.addr()).await.unwrap();
    let hello = framed(&api::HelloRequest::default());
    let mut ended = false;
    for _ in 0..100_000 {
        // Without its end the request is never answered, so that every reset gives up a call.
        let Ok(mut call) = raw.begin(HELLO, hello.slice(..1), false).await else {
            ended = true;
            break;
        };
        // Given up once it is on its way: what is given up before is never sent.
        tokio::task::yield_now().await;
        call.request.send_reset(h2::Reason::CANCEL);
        tokio::task::yield_now().await;
    }
    assert!(ended, "a hundred thousand calls were begun and given up");
    let event = town.device.retitle(town.activity, "Lunchmöte");
    assert!(accepted(&client.push(town.device.sign(&[event])).await.answers[0]).is_some());
    running.shutdown().await;
}

#[tokio::test]
async fn readers_who_take_nothing_hold_up_nobody() {
    let (running, mut client) = limited(Limits::default()).await;
    let mut town = Town::begin(&mut client).await;
    let program_id = town.program.to_string();
    let subscribe = framed(&api::SubscribeRequest { program_id: program_id.clone(), ..Default::default() });
    let read = framed(&api::GetProgramRequest { program_id: program_id.clone(), as_of: None });
    let snapshot = framed(&api::GetSnapshotRequest { program_id, ..Default::default() });
    let mut deaf = Vec::new();
    for _ in 0..20 {
        let (mut raw, mut calls) = (Raw::deaf(running.addr()).await, Vec::new());
        for (path, request) in [
            ("/radslag.api.v1.SyncService/Subscribe", &subscribe),
            ("/radslag.api.v1.ProgramService/GetProgram", &read),
            ("/radslag.api.v1.SyncService/GetSnapshot", &snapshot),
        ] {
            calls.push(raw.begin(path, request.clone(), true).await.unwrap());
        }
        deaf.push((raw, calls));
    }
    let text = "å".repeat(30_000);
    for _ in 0..4 {
        let revise = |_| town.device.revise(town.activity, radslag_core::field::FieldKey::Comment, &text);
        let events: Vec<_> = (0..15).map(revise).collect();
        let answer = client.push(town.device.sign(&events)).await;
        assert!(answer.answers.iter().all(|answer| accepted(answer).is_some()));
    }
    assert_eq!(client.head(town.program).await, 66);
    drop(deaf);
    drop(client);
}

/// A server of its own, which is stopped when this is dropped.
#[cfg(unix)]
struct Child {
    process: std::process::Child,
    address: SocketAddr,
    url: String,
    _data: tempfile::TempDir,
}

#[cfg(unix)]
impl Child {
    /// Starts `radslagd` after a command of the shell.
    fn after(command: &str, variables: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{command}; exec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_radslagd"));
        shell
            .args(["serve", "--log", "error", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path().join("data"));
        shell.env_remove("RADSLAG_CONFIG").envs(variables.iter().copied());
        let mut process = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("radslagd listens on ").unwrap().split_once(',').unwrap().0.to_owned();
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        Self { process, address, url, _data: data }
    }

    async fn client(&self) -> Client {
        let endpoint = tonic::transport::Endpoint::from_shared(self.url.clone()).unwrap();
        Client::on(endpoint.connect().await.unwrap())
    }

    /// The most memory that it ever had, in KiB.
    #[cfg(target_os = "linux")]
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

#[cfg(unix)]
impl Drop for Child {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn more_connections_than_descriptors_are_a_flood_that_passes() {
    const DESCRIPTORS: usize = 64;
    let patience = ("RADSLAG_LIMITS_FIRST_CALL_MS", "200");
    let mut server = Child::after(&format!("ulimit -n {DESCRIPTORS}"), &[patience]);
    let mut client = server.client().await;
    let mut town = Town::begin(&mut client).await;
    let connect = |_| std::net::TcpStream::connect(server.address).unwrap();
    let flood: Vec<std::net::TcpStream> = (0..4 * DESCRIPTORS).map(connect).collect();
    let event = town.device.retitle(town.activity, "Lunchmöte");
    assert!(accepted(&client.push(town.device.sign(&[event])).await.answers[0]).is_some());
    for socket in flood {
        socket.set_nonblocking(true).unwrap();
        closed(&mut TcpStream::from_std(socket).unwrap()).await;
    }
    let mut after = Raw::to(server.address).await.unwrap();
    assert!(after.is_served().await);
    assert_eq!(client.head(town.program).await, 7);
    assert!(server.process.try_wait().unwrap().is_none(), "it is still there");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn requests_that_never_end_hold_no_more_than_there_is_room_for() {
    const CONNECTIONS: usize = 20;
    const STREAMS: usize = 100;
    const PART: usize = 250_000;
    let server = Child::after(":", &[("RADSLAG_LIMITS_IN_FLIGHT_MIB", "16")]);
    let mut client = server.client().await;
    let mut town = Town::begin(&mut client).await;
    let before = server.peak();
    let part = Bytes::from([announced(1 << 20), vec![0; PART]].concat());
    let (mut flood, mut turned_away, mut held) = (Vec::new(), 0, Vec::new());
    for _ in 0..CONNECTIONS {
        let mut raw = Raw::to(server.address).await.unwrap();
        for _ in 0..STREAMS {
            held.push(raw.begin(PUSH, part.clone(), false).await.unwrap());
        }
        flood.push(raw);
    }
    // Most of them are told so; the few that found room are left as they are.
    let mut waiting = tokio::task::JoinSet::new();
    for call in held {
        waiting.spawn(call.status());
    }
    while turned_away < CONNECTIONS * STREAMS - 16 {
        let status = soon(waiting.join_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(reason_of(&status), Reason::Overloaded);
        turned_away += 1;
    }
    let event = town.device.retitle(town.activity, "Lunchmöte");
    assert!(accepted(&client.push(town.device.sign(&[event])).await.answers[0]).is_some());
    let grown = server.peak() - before;
    let sent = CONNECTIONS * STREAMS * PART / 1_024;
    assert!(grown < 100 * 1_024, "of {sent} KiB that came, it held {grown}");
}

/// A load tool that is not ours: Debian's `nghttp2-client`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_load_tool_is_answered_call_by_call_in_steady_memory() {
    const CALLS: usize = 6_000;
    let load = |url: &str, request: &std::path::Path, calls: usize| {
        let mut tool = Command::new("h2load");
        tool.args(["-n", &calls.to_string(), "-c", "100", "-m", "20", "-d"]).arg(request);
        tool.args(["-H", "content-type: application/grpc", "-H", "te: trailers"])
            .arg(format!("{url}{HELLO}"));
        tool.stdin(Stdio::null()).output()
    };
    let server = Child::after(":", &[]);
    let mut client = server.client().await;
    let mut town = Town::begin(&mut client).await;
    let dir = tempfile::tempdir().unwrap();
    let request = dir.path().join("hello");
    std::fs::write(&request, framed(&api::HelloRequest::default())).unwrap();
    let warm = match load(&server.url, &request, CALLS / 10) {
        Ok(warm) => warm,
        Err(error) => return eprintln!("skipped, there is no load tool here: h2load: {error}"),
    };
    assert!(warm.status.success());
    let before = server.peak();
    let said = load(&server.url, &request, CALLS).unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(&format!("{CALLS} succeeded, 0 failed, 0 errored, 0 timeout")), "{said}");
    let event = town.device.retitle(town.activity, "Lunchmöte");
    assert!(accepted(&client.push(town.device.sign(&[event])).await.answers[0]).is_some());
    let grown = server.peak() - before;
    assert!(grown < 32 * 1_024, "it grew by {grown} KiB: {said}");
}
