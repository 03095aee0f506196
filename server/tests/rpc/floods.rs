//! Many at once, and worse than that: the server goes on for everybody else.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use radslag_proto::api::v1 as api;
use radslag_server::Limits;

use crate::harness::{Town, accepted};
use crate::port::limited;
use crate::raw::{HELLO, Raw, framed};

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

/// A server of its own with room for few descriptors, which is stopped when this is dropped.
#[cfg(unix)]
struct Small(std::process::Child);

#[cfg(unix)]
impl Drop for Small {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn more_connections_than_descriptors_are_a_flood_that_passes() {
    const DESCRIPTORS: usize = 64;
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\""));
    command.arg(env!("CARGO_BIN_EXE_radslagd")).args(["serve", "--log", "error", "--listen", "127.0.0.1:0"]);
    command.arg("--data").arg(dir.path().join("data"));
    command.env_remove("RADSLAG_CONFIG").env("RADSLAG_LIMITS_FIRST_CALL_MS", "200");
    let mut server = Small(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.strip_prefix("radslagd listens on ").unwrap().split_once(',').unwrap().0.to_owned();
    let address: std::net::SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();

    let endpoint = tonic::transport::Endpoint::from_shared(url).unwrap();
    let mut client = crate::harness::Client::on(endpoint.connect().await.unwrap());
    let mut town = Town::begin(&mut client).await;
    let flood: Vec<TcpStream> = (0..4 * DESCRIPTORS).map(|_| TcpStream::connect(address).unwrap()).collect();
    let event = town.device.retitle(town.activity, "Lunchmöte");
    assert!(accepted(&client.push(town.device.sign(&[event])).await.answers[0]).is_some());
    for socket in flood {
        let mut socket = tokio::net::TcpStream::from_std({
            socket.set_nonblocking(true).unwrap();
            socket
        })
        .unwrap();
        crate::raw::closed(&mut socket).await;
    }
    let mut after = Raw::to(address).await.unwrap();
    assert!(after.is_served().await);
    assert_eq!(client.head(town.program).await, 7);
    assert!(server.0.try_wait().unwrap().is_none(), "it is still there");
}
