//! Hello, and following a log: catch-up, live, cursors that do not fit, frames of a good size.

use std::sync::Arc;

use prost::Message as _;
use radslag_core::id::{EpochId, ProgramId};
use radslag_core::value::Slot;
use radslag_engine::clock::{IdSource as _, SystemClock, SystemIds};
use radslag_engine::ledger::Ledger;
use radslag_log::MemoryLog;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::status::Reason;
use radslag_server::Config;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::PublicKey;
use tonic::Streaming;

use crate::harness::{Client, Town, accepted, config, in_memory, on, reason};

async fn next(stream: &mut Streaming<api::SubscribeResponse>) -> Option<Frame> {
    stream.message().await.unwrap().map(|message| message.frame.unwrap())
}

fn positions(events: &api::Events) -> Vec<u64> {
    events.records.iter().map(|frame| frame.record.as_ref().unwrap().position).collect()
}

pub(crate) fn asking(
    program: ProgramId,
    after: Option<api::Cursor>,
    until_caught_up: bool,
) -> api::SubscribeRequest {
    api::SubscribeRequest { program_id: program.to_string(), after, until_caught_up, filter: None }
}

pub(crate) fn cursor(position: u64) -> Option<api::Cursor> {
    Some(api::Cursor { epoch_id: EpochId::default().to_string(), position })
}

#[tokio::test]
async fn hello_tells_about_the_server_and_about_a_programme() {
    let (_running, mut client) = in_memory().await;
    let server = client.sync.hello(api::HelloRequest::default()).await.unwrap().into_inner();
    assert_eq!((server.min_protocol, server.max_protocol, server.rules), (1, 1, 0));
    assert_eq!(server.limits.unwrap().push_events, 500);
    assert!(server.open_enrolment && server.head.is_none() && server.checkpoint.is_empty());

    let town = Town::begin(&mut client).await;
    let request = api::HelloRequest { program_id: town.program.to_string(), verified_position: 99 };
    let hello = client.sync.hello(request).await.unwrap().into_inner();
    assert_eq!((hello.rules, hello.head), (1, cursor(6)));
    let key = PublicKey::from_bytes(&hello.log_key.try_into().unwrap()).unwrap();
    assert_eq!(Checkpoint::verify(&hello.checkpoint, town.program, &key).unwrap().size, 6);

    let request = api::HelloRequest { program_id: "abc".to_owned(), verified_position: 0 };
    let status = client.sync.hello(request).await.unwrap_err();
    assert_eq!(reason(&status).violations[0].0, "program_id");
}

#[tokio::test]
async fn a_subscriber_catches_up_once_and_then_sees_what_lands() {
    let (running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let request = asking(town.program, None, false);
    let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
    let Some(Frame::Events(events)) = next(&mut stream).await else { panic!("records come first") };
    assert_eq!(positions(&events), [1, 2, 3, 4, 5, 6]);
    assert_eq!(events.bundles.len(), 1);
    assert_eq!(events.records[0].values.len(), 1);
    let Some(Frame::CaughtUp(caught_up)) = next(&mut stream).await else { panic!("then the end") };
    assert_eq!(caught_up.head, cursor(6));
    let key = PublicKey::from_bytes(&client.log_key().await).unwrap();
    let checkpoint = Checkpoint::verify(&caught_up.checkpoint, town.program, &key).unwrap();
    assert_eq!(checkpoint.size, 6);

    for title in ["a", "b"] {
        let event = town.device.retitle(town.activity, title);
        let answer = client.push(town.device.sign(&[event])).await;
        let landed = accepted(&answer.answers[0]).unwrap().position;
        let Some(Frame::Events(events)) = next(&mut stream).await else { panic!("news are records") };
        assert_eq!(positions(&events), [landed]);
        assert_eq!(events.bundles[0].position, landed);
    }
    let (down, end) = tokio::join!(running.shutdown(), stream.message());
    let () = down;
    assert_eq!(reason(&end.unwrap_err()).reason, Reason::ShuttingDown);
}

#[tokio::test]
async fn a_reader_that_wants_no_more_than_the_end_gets_it_and_is_done() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    for (after, expected) in
        [(None, Some(vec![1, 2, 3, 4, 5, 6])), (cursor(4), Some(vec![5, 6])), (cursor(6), None)]
    {
        let request = asking(town.program, after, true);
        let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
        if let Some(expected) = expected {
            let Some(Frame::Events(events)) = next(&mut stream).await else { panic!("records come first") };
            assert_eq!(positions(&events), expected);
            assert_eq!(events.bundles.len(), 1, "also where the cursor stands inside the bundle");
        }
        assert!(matches!(next(&mut stream).await, Some(Frame::CaughtUp(_))));
        assert_eq!(next(&mut stream).await, None);
    }
}

#[tokio::test]
async fn a_cursor_of_another_log_must_be_fetched_anew() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    let foreign = |position| Some(api::Cursor { epoch_id: SystemIds.random_id().to_string(), position });
    for (after, expected) in
        [(cursor(7), "POSITION_AHEAD"), (foreign(3), "FOREIGN_EPOCH"), (foreign(0), "FOREIGN_EPOCH")]
    {
        let request = asking(town.program, after, false);
        let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
        let Some(Frame::MustRefetch(refetch)) = next(&mut stream).await else { panic!("{expected}") };
        assert_eq!(refetch.reason, expected);
        assert!(refetch.backoff_ms > 0, "everybody is told so at once");
        assert_eq!(next(&mut stream).await, None);
    }
    let after = Some(api::Cursor { epoch_id: "abc".to_owned(), position: 1 });
    let request = asking(town.program, after, false);
    let status = client.sync.subscribe(request).await.unwrap_err();
    assert_eq!(reason(&status).violations[0].0, "after.epoch_id");
}

#[tokio::test]
async fn a_stream_with_nothing_to_say_says_that_it_lives() {
    let config = Config { heartbeat_ms: 5, ..config() };
    let (_running, mut client) = on(config, Arc::new(MemoryLog::new()), Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    let request = asking(town.program, cursor(6), false);
    let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
    assert!(matches!(next(&mut stream).await, Some(Frame::CaughtUp(_))));
    for _ in 0..3 {
        let Some(Frame::Heartbeat(heartbeat)) = next(&mut stream).await else { panic!("it is silent") };
        assert_eq!(heartbeat.head, cursor(6));
    }
    let event = town.device.retitle(town.activity, "Lunchmöte");
    client.push(town.device.sign(&[event])).await;
    // Those that were under way come first.
    let mut seen = next(&mut stream).await;
    while let Some(Frame::Heartbeat(_)) = seen {
        seen = next(&mut stream).await;
    }
    let Some(Frame::Events(events)) = seen else { panic!("{seen:?}") };
    assert_eq!(positions(&events), [7]);
}

#[tokio::test]
async fn large_values_make_more_frames_and_no_bundle_is_cut() {
    let (running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let text = "å".repeat(30_000);
    for _ in 0..3 {
        let revise = |_| town.device.revise(town.activity, radslag_core::field::FieldKey::Comment, &text);
        let events: Vec<_> = (0..15).map(revise).collect();
        assert_eq!(events[0].values[0].slot, Slot::COMMENT);
        let answer = client.push(town.device.sign(&events)).await;
        assert!(answer.answers.iter().all(|answer| accepted(answer).is_some()));
    }
    let request = asking(town.program, None, true);
    let mut stream = client.sync.subscribe(request).await.unwrap().into_inner();
    let (mut seen, mut frames) = (Vec::new(), 0);
    while let Some(Frame::Events(events)) = next(&mut stream).await {
        assert!(events.encoded_len() < 2 << 20);
        let named = events.records.iter().map(|frame| frame.record.as_ref().unwrap().bundle_position);
        let named: std::collections::BTreeSet<u64> = named.collect();
        assert_eq!(named, events.bundles.iter().map(|bundle| bundle.position).collect());
        assert!(seen.last().is_none_or(|last| events.bundles[0].position > *last), "a bundle was cut");
        seen.extend(positions(&events));
        frames += 1;
    }
    assert_eq!(seen, (1..=51).collect::<Vec<u64>>());
    assert!(frames >= 3, "{frames}");
    Ledger::verify(running.engine().log().as_ref(), town.program).unwrap();
}

#[tokio::test]
async fn a_reader_who_stops_holds_up_nobody_else() {
    let (running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let mut idle = client.clone();
    let (live, to_the_end) = (asking(town.program, None, false), asking(town.program, None, true));
    let never_read = idle.sync.subscribe(live).await.unwrap().into_inner();
    let text = "å".repeat(30_000);
    for _ in 0..4 {
        let revise = |_| town.device.revise(town.activity, radslag_core::field::FieldKey::Comment, &text);
        let events: Vec<_> = (0..15).map(revise).collect();
        assert_eq!(client.push(town.device.sign(&events)).await.answers.len(), 15);
    }
    // On a connection of its own: what waits for the idle reader fills the other's window.
    let mut other = Client::of(&running).await;
    let mut stream = other.sync.subscribe(to_the_end).await.unwrap().into_inner();
    let mut last = 0;
    while let Some(Frame::Events(events)) = next(&mut stream).await {
        last = *positions(&events).last().unwrap();
    }
    assert_eq!(last, 66);
    drop(never_read);
}
