//! The open port: who says nothing, who comes too often, who asks for too much. The others go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::bytes::Bytes;
use radslag_engine::clock::SystemClock;
use radslag_log::MemoryLog;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::status::Reason;
use radslag_server::{Config, Limits, Running};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::Code;

use crate::harness::{Client, GatedLog, Town, config, on, reason};
use crate::raw::{HELLO, LIST, PREFACE, PUSH, Raw, SETTINGS, announced, closed, framed, reason_of, soon};

pub(crate) async fn limited(limits: Limits) -> (Running, Client) {
    on(Config { limits, ..config() }, Arc::new(MemoryLog::new()), Arc::new(SystemClock)).await
}

fn hello() -> Bytes {
    framed(&api::HelloRequest::default())
}

/// Until somebody new is served: a place comes back a moment after its connection has ended.
pub(crate) async fn served_again(running: &Running) -> Raw {
    let again = async {
        loop {
            if let Ok(mut raw) = Raw::to(running.addr()).await
                && raw.is_served().await
            {
                return raw;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(again).await
}

#[tokio::test]
async fn whoever_connects_and_does_not_call_is_hung_up_on() {
    const PATIENCE: Duration = Duration::from_millis(100);
    let (running, _client) = limited(Limits { first_call_ms: 100, ..Limits::default() }).await;
    let began = Instant::now();
    let mut waiting = Vec::new();
    for said in [&b""[..], &PREFACE[..10], PREFACE, &[PREFACE, SETTINGS].concat()] {
        let mut socket = TcpStream::connect(running.addr()).await.unwrap();
        socket.write_all(said).await.unwrap();
        waiting.push(tokio::spawn(async move {
            closed(&mut socket).await;
            Instant::now()
        }));
    }
    let mut calls = Raw::to(running.addr()).await.unwrap();
    assert!(calls.is_served().await);
    for socket in waiting {
        assert!(socket.await.unwrap() - began >= PATIENCE, "nobody is hung up on before their time");
    }
    assert!(calls.is_served().await, "who has called is not");
    running.shutdown().await;
}

#[tokio::test]
async fn a_connection_without_a_call_ends_in_time_and_one_that_follows_does_not() {
    let limits = Limits { idle_ms: 100, ..Limits::default() };
    let config = Config { limits, heartbeat_ms: 5, ..config() };
    let (running, mut client) = on(config, Arc::new(MemoryLog::new()), Arc::new(SystemClock)).await;
    let town = Town::begin(&mut client).await;
    let request = api::SubscribeRequest { program_id: town.program.to_string(), ..Default::default() };
    let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
    let mut idle = Raw::to(running.addr()).await.unwrap();
    assert!(idle.is_served().await);
    let began = Instant::now();
    // It is told so, rather than cut off.
    idle.hung_up_on().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(100));
    let mut beats = 0;
    while beats < 3 {
        let frame = soon(stream.message()).await.unwrap().unwrap().frame;
        beats += u32::from(matches!(frame, Some(Frame::Heartbeat(_))));
    }
    drop(stream);
    running.shutdown().await;
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_is_turned_away_until_one_is_free() {
    let (running, mut client) = limited(Limits { connections: 3, ..Limits::default() }).await;
    let mut first = Raw::to(running.addr()).await.unwrap();
    let mut second = Raw::to(running.addr()).await.unwrap();
    assert!(first.is_served().await && second.is_served().await);
    for _ in 0..100 {
        let mut turned_away = TcpStream::connect(running.addr()).await.unwrap();
        closed(&mut turned_away).await;
    }
    assert!(first.is_served().await && second.is_served().await);
    client.log_key().await;
    drop(second);
    let mut third = served_again(&running).await;
    assert!(first.is_served().await && third.is_served().await);
    running.shutdown().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_has_no_more_than_its_places_and_takes_none_of_others() {
    const OTHER: [u8; 4] = [127, 0, 0, 9];
    let (running, mut client) = limited(Limits { connections_per_address: 2, ..Limits::default() }).await;
    let mut first = Raw::to(running.addr()).await.unwrap();
    assert!(first.is_served().await);
    let mut turned_away = TcpStream::connect(running.addr()).await.unwrap();
    closed(&mut turned_away).await;
    let mut neighbour = Raw::from(OTHER, running.addr()).await.unwrap();
    assert!(neighbour.is_served().await && first.is_served().await);
    client.log_key().await;
    drop(first);
    assert!(served_again(&running).await.is_served().await);
    running.shutdown().await;
}

#[tokio::test]
async fn a_request_that_is_too_large_is_a_typed_error_before_it_has_come() {
    let (running, mut client) = limited(Limits::default()).await;
    let mut raw = Raw::to(running.addr()).await.unwrap();
    for (path, length) in [(PUSH, 1 << 30), (LIST, 1 << 30), (PUSH, (2 << 20) + 1), (LIST, (64 << 10) + 1)] {
        let call = raw.begin(path, announced(length).into(), false).await.unwrap();
        let status = call.status().await.unwrap();
        assert_eq!((status.code(), reason_of(&status)), (Code::InvalidArgument, Reason::OverLimit), "{path}");
        assert!(status.message().contains("bytes"), "{status}");
    }
    // A length that comes byte by byte is a length.
    let mut call = raw.begin(PUSH, Bytes::new(), false).await.unwrap();
    for byte in announced(1 << 30) {
        call.request.send_data(vec![byte].into(), false).unwrap();
    }
    assert_eq!(reason_of(&call.status().await.unwrap()), Reason::OverLimit);

    let request = api::GetProgramRequest { program_id: "x".repeat(100_000), as_of: None };
    let status = client.programs.get_program(request).await.unwrap_err();
    assert_eq!(reason(&status).reason, Reason::OverLimit);
    assert!(raw.is_served().await);
    running.shutdown().await;
}

#[tokio::test]
async fn a_header_that_is_too_long_is_told_so() {
    let (running, _client) = limited(Limits { header_bytes: 1_000, ..Limits::default() }).await;
    let mut raw = Raw::to(running.addr()).await.unwrap();
    let path = format!("{HELLO}?{}", "x".repeat(2_000));
    let call = raw.begin(&path, hello(), true).await.unwrap();
    assert_eq!(call.http_status().await.unwrap(), 431);
    assert!(raw.is_served().await);
    running.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_a_typed_error() {
    let (running, _client) = limited(Limits::default()).await;
    let mut raw = Raw::to(running.addr()).await.unwrap();
    let compressed: &[u8] = &[1, 0, 0, 0, 1, 0];
    let nonsense: &[u8] = &[0, 0, 0, 0, 3, 0xff, 0xff, 0xff];
    for bytes in [compressed, nonsense, &[][..]] {
        let status = raw.ask(HELLO, Bytes::from_static(bytes)).await.unwrap();
        assert_eq!((status.code(), reason_of(&status)), (Code::InvalidArgument, Reason::InvalidRequest));
    }
    // Whatever it would come to unpacked: nothing is unpacked.
    for encoding in ["gzip", "zstd"] {
        let header = ("grpc-encoding", encoding);
        let status = raw.ask_with(HELLO, header, Bytes::from_static(compressed), true).await.unwrap();
        assert_eq!(status.code(), Code::Unimplemented, "{status}");
    }
    let status = raw.ask("/radslag.api.v1.SyncService/Goodbye", hello()).await.unwrap();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(raw.is_served().await);
    running.shutdown().await;
}

#[tokio::test]
async fn what_requests_hold_together_is_bounded_and_the_next_is_told_to_wait() {
    let (running, _client) = limited(Limits { in_flight_mib: 1, ..Limits::default() }).await;
    let mut raw = Raw::to(running.addr()).await.unwrap();
    let one = raw.begin(PUSH, announced(900_000).into(), false).await.unwrap();
    let two = raw.begin(PUSH, announced(900_000).into(), false).await.unwrap();
    let (mut one, mut two) = (Box::pin(one.status()), Box::pin(two.status()));
    // Only one of them finds room; which one is not said.
    let (turned_away, holding) = tokio::select! {
        status = one.as_mut() => (status, two),
        status = two.as_mut() => (status, one),
    };
    let status = turned_away.unwrap();
    let told = reason(&status);
    assert_eq!((status.code(), told.reason), (Code::ResourceExhausted, Reason::Overloaded));
    assert_eq!(told.metadata["limit"], "in_flight");
    assert!(told.retry_after.is_some());
    drop(holding);
    assert!(raw.is_served().await);
    let room = async {
        loop {
            let call = raw.begin(PUSH, [announced(900_000), vec![0; 899_999]].concat().into(), false).await;
            let mut call = call.unwrap();
            call.request.send_data(vec![0].into(), true).unwrap();
            if reason_of(&call.status().await.unwrap()) == Reason::InvalidRequest {
                break;
            }
        }
    };
    soon(room).await;
    running.shutdown().await;
}

#[tokio::test]
async fn what_answers_hold_together_is_bounded_too() {
    let (running, mut client) = limited(Limits { in_flight_mib: 1, ..Limits::default() }).await;
    let mut town = Town::begin(&mut client).await;
    let text = "å".repeat(30_000);
    for _ in 0..4 {
        let revise = |_| town.device.revise(town.activity, radslag_core::field::FieldKey::Comment, &text);
        let events: Vec<_> = (0..5).map(revise).collect();
        assert_eq!(client.push(town.device.sign(&events)).await.answers.len(), 5);
    }
    // A history with twenty values, over 1 MB.
    let request = api::ListHistoryRequest {
        program_id: town.program.to_string(),
        entity_id: town.activity.to_string(),
        ..Default::default()
    };
    let status = client.audit.list_history(request).await.unwrap_err();
    assert_eq!(reason(&status).reason, Reason::Overloaded);
    assert_eq!(client.head(town.program).await, 26, "smaller ones go on");
    running.shutdown().await;
}

#[tokio::test]
async fn more_calls_than_are_taken_are_told_to_wait_until_one_ends() {
    let (running, mut client) = limited(Limits { calls: 2, ..Limits::default() }).await;
    let town = Town::begin(&mut client).await;
    let request = api::SubscribeRequest { program_id: town.program.to_string(), ..Default::default() };
    let first = client.sync.subscribe(request.clone()).await.unwrap();
    let second = client.sync.subscribe(request.clone()).await.unwrap();
    let status = client.sync.subscribe(request.clone()).await.unwrap_err();
    let told = reason(&status);
    assert_eq!((told.reason, told.metadata["limit"].as_str()), (Reason::Overloaded, "calls"));
    assert!(told.retry_after.is_some());
    drop(second);
    let again = async {
        loop {
            match client.sync.subscribe(request.clone()).await {
                Ok(stream) => return stream,
                Err(status) => assert_eq!(reason(&status).reason, Reason::Overloaded),
            }
        }
    };
    drop((soon(again).await, first));
    running.shutdown().await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_answered_all_the_same() {
    let limits = Limits { call_ms: 100, ..Limits::default() };
    let log = Arc::new(GatedLog::new());
    let config = Config { limits, ..config() };
    let (running, mut client) = on(config, Arc::clone(&log) as _, Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    // One whose request never comes.
    let mut raw = Raw::to(running.addr()).await.unwrap();
    let call = raw.begin(PUSH, announced(100).into(), false).await.unwrap();
    assert_eq!(reason_of(&call.status().await.unwrap()), Reason::DeadlinePassed);
    // One whose disk does not answer.
    log.close();
    let bundle = town.device.retitle(town.activity, "Lunchmöte");
    let request = api::PushRequest {
        bundle: Some(town.device.sign(std::slice::from_ref(&bundle))),
        request_id: String::new(),
    };
    let status = client.sync.push(request.clone()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::Unavailable, Reason::DeadlinePassed));
    assert!(reason(&status).retry_after.is_some());
    log.open();
    let landed = async {
        while client.head(town.program).await < 7 {
            tokio::task::yield_now().await;
        }
    };
    soon(landed).await;
    let again = client.sync.push(request).await.unwrap().into_inner();
    assert!(matches!(again.answers[0].answer, Some(api::answer::Answer::Duplicate(_))));
    running.shutdown().await;
}

#[tokio::test]
async fn a_caller_who_says_how_long_they_wait_is_answered_by_then() {
    let (running, _client) = limited(Limits::default()).await;
    let mut raw = Raw::to(running.addr()).await.unwrap();
    // The request never comes; without the header it would be waited for a minute.
    let header = ("grpc-timeout", "50m");
    let status = raw.ask_with(PUSH, header, announced(100).into(), false).await.unwrap();
    assert_eq!((status.code(), reason_of(&status)), (Code::Unavailable, Reason::DeadlinePassed));
    running.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_ends_its_connection_and_no_other() {
    let (running, mut client) = limited(Limits { call_ms: 100, ..Limits::default() }).await;
    let town = Town::begin(&mut client).await;
    let mut deaf = Raw::deaf(running.addr()).await;
    let call = deaf.begin(HELLO, hello(), true).await.unwrap();
    assert!(call.status().await.is_err(), "it is cut off");
    drop(deaf.hung_up_on().await);
    assert_eq!(client.head(town.program).await, 6);
    running.shutdown().await;
}
