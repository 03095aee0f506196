//! Handing in: receipts, retries, refusals, a full queue.

use std::sync::Arc;

use radslag_core::id::ProgramId;
use radslag_engine::clock::SystemClock;
use radslag_log::MemoryLog;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::answer::Answer;
use radslag_proto::status::Reason;
use radslag_server::Config;
use tonic::Code;

use crate::harness::{Device, GatedLog, Town, accepted, config, in_memory, on, reason, refused};

#[tokio::test]
async fn a_retry_in_any_grouping_gets_the_receipts_of_the_first_time() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let events = [town.device.retitle(town.activity, "a"), town.device.retitle(town.area, "b")];
    let first = client.push(town.device.sign(&events)).await;
    assert_eq!(first.answers[0].event_id, events[0].id.to_string());
    for (index, event) in events.iter().enumerate() {
        let retry = client.push(town.device.sign(std::slice::from_ref(event))).await;
        let Some(Answer::Duplicate(duplicate)) = &retry.answers[0].answer else { panic!("{retry:?}") };
        let Some(api::duplicate::Receipt::Accepted(receipt)) = &duplicate.receipt else {
            panic!("{retry:?}")
        };
        let landed = accepted(&first.answers[index]).unwrap();
        assert_eq!((receipt.position, &receipt.leaf_hash), (landed.position, &landed.leaf_hash));
        assert_eq!(receipt.recorded_at, landed.recorded_at);
    }
    assert_eq!(client.head(town.program).await, 8);
    let again = client.admin.create_program(town.creation_request()).await.unwrap().into_inner();
    assert!(again.answers.iter().all(|answer| matches!(answer.answer, Some(Answer::Duplicate(_)))));
    assert_eq!(again.answers.len(), 6);
}

#[tokio::test]
async fn what_is_not_authentic_changes_nothing() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let before = client.get(town.program, None).await;
    let event = town.device.retitle(town.activity, "Lunchmöte");

    let mut forged = town.device.sign(std::slice::from_ref(&event));
    forged.signature[0] ^= 1;
    let mut stranger = Device::new(town.program, "haninge");
    let foreign = stranger.retitle(town.activity, "Falskt");
    let mut altered = event.clone();
    altered.values[0].bytes = b"Middag".to_vec();
    let mut bare = event.clone();
    bare.values.clear();
    let mut elsewhere = town.device.clone();
    elsewhere.program = ProgramId::from_slice(&[7; 16]).unwrap();
    // Signed by the right device for the right programme, but the body says another.
    let other = elsewhere.retitle(town.activity, "Annat");
    let cases = [
        (forged, "BAD_SIGNATURE"),
        (stranger.sign(&[foreign]), "DEVICE_NOT_ENROLLED"),
        (town.device.sign(&[altered]), "VALUE_MISMATCH"),
        (town.device.sign(&[bare]), "VALUE_MISMATCH"),
        (town.device.sign(&[other]), "WRONG_PROGRAM"),
    ];
    for (bundle, expected) in cases {
        let answer = client.push(bundle).await;
        assert_eq!(answer.answers.len(), 1);
        assert_eq!(refused(&answer.answers[0]), Some(expected));
        assert_eq!(answer.head.unwrap().position, 6);
    }
    assert_eq!(client.get(town.program, None).await, before);
    // Nothing was consumed: the honest event still lands under its number.
    let answer = client.push(town.device.sign(&[event])).await;
    assert_eq!(accepted(&answer.answers[0]).unwrap().position, 7);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_has_an_answer_without_an_id() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let mut event = town.device.retitle(town.activity, "Lunchmöte");
    event.body = vec![0xff; 9];
    let answer = client.push(town.device.sign(&[event])).await;
    assert_eq!(refused(&answer.answers[0]), Some("UNDECODABLE"));
    assert_eq!(answer.answers[0].event_id, "");
}

#[tokio::test]
async fn a_call_that_cannot_be_taken_as_a_whole_is_an_error() {
    let (_running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;

    let unknown = Town::plan([9; 32]);
    let request = api::PushRequest { bundle: Some(unknown.creation), request_id: String::new() };
    let status = client.sync.push(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::NotFound, Reason::ProgramNotFound));

    let bundle = api::Bundle { program_id: "abc".to_owned(), ..town.creation.clone() };
    let request = api::PushRequest { bundle: Some(bundle), request_id: "7".to_owned() };
    let status = client.sync.push(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let named: Vec<String> = reason(&status).violations.into_iter().map(|(path, _)| path).collect();
    assert_eq!(named, ["request_id", "bundle.program_id"]);

    let other_key = Town::plan([1; 32]);
    let status = client.admin.create_program(other_key.creation_request()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::PermissionDenied, Reason::CreationDenied));

    let mut fresh = Device::new(town.program, "haninge");
    let change = radslag_core::event::Change::ProgramCreated {
        log_key: client.log_key().await,
        device_key: *fresh.key.public().bytes(),
        rules: 1,
    };
    let event = fresh.write(change, &[(radslag_core::value::Slot::TITLE, "Kupp")]);
    let request = api::CreateProgramRequest { bundle: Some(fresh.sign(&[event])), request_id: String::new() };
    let status = client.admin.create_program(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::AlreadyExists, Reason::ProgramExists));
    assert_eq!(client.head(town.program).await, 6);
}

#[tokio::test]
async fn a_server_that_others_reach_begins_no_programmes() {
    let config = Config { listen: "0.0.0.0:0".parse().unwrap(), ..config() };
    let (running, mut client) = on(config, Arc::new(MemoryLog::new()), Arc::new(SystemClock)).await;
    let town = Town::plan(client.log_key().await);
    let status = client.admin.create_program(town.creation_request()).await.unwrap_err();
    assert_eq!(reason(&status).reason, Reason::CreationDenied);
    assert!(running.engine().programmes().is_empty());
}

#[tokio::test]
async fn a_full_queue_turns_away_at_once_and_a_retry_lands() {
    let log = Arc::new(GatedLog::new());
    let config = Config { queue: 1, ..config() };
    let (running, mut client) = on(config, Arc::clone(&log) as _, Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    let events = [town.device.retitle(town.activity, "a"), town.device.retitle(town.activity, "b")];
    let request =
        |event| api::PushRequest { bundle: Some(town.device.sign(&[event])), request_id: String::new() };
    let [first, second] = events.map(request);

    log.close();
    let push = |request: &api::PushRequest| {
        let (mut sync, request) = (client.sync.clone(), request.clone());
        tokio::spawn(async move { sync.push(request).await })
    };
    let writing = push(&first);
    log.waiting.notified().await;
    // The writer is busy and one place is free: of two, one waits and one is turned away.
    let (mut one, mut two) = (push(&second), push(&second));
    let (turned_away, waiting) = tokio::select! {
        done = &mut one => (done, two),
        done = &mut two => (done, one),
    };
    let status = turned_away.unwrap().unwrap_err();
    assert_eq!((status.code(), reason(&status).reason), (Code::ResourceExhausted, Reason::QueueFull));
    assert!(reason(&status).retry_after.is_some());

    log.open();
    assert!(accepted(&writing.await.unwrap().unwrap().into_inner().answers[0]).is_some());
    assert!(accepted(&waiting.await.unwrap().unwrap().into_inner().answers[0]).is_some());
    let retried = client.push(second.bundle.unwrap()).await;
    assert!(matches!(retried.answers[0].answer, Some(Answer::Duplicate(_))));
    assert_eq!(client.head(town.program).await, 8);
    running.shutdown().await;
}

#[tokio::test]
async fn what_is_queued_when_the_server_goes_down_is_still_written() {
    let log = Arc::new(GatedLog::new());
    let (running, mut client) = on(config(), Arc::clone(&log) as _, Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    let event = town.device.retitle(town.activity, "a");
    log.close();
    let bundle = town.device.sign(&[event]);
    let mut pushing = client.clone();
    let pushed = tokio::spawn(async move { pushing.push(bundle).await });
    log.waiting.notified().await;
    let down = tokio::spawn(running.shutdown());
    log.open();
    assert!(accepted(&pushed.await.unwrap().answers[0]).is_some());
    down.await.unwrap();
    let (_running, mut client) = on(config(), log, Arc::new(SystemClock)).await;
    assert_eq!(client.head(town.program).await, 7);
}

#[tokio::test]
async fn a_creation_larger_than_one_commit_lands_whole() {
    let (running, mut client) = in_memory().await;
    let log_key = client.log_key().await;
    let town = Town::plan(log_key);
    let program = town.program;
    let mut device = Device::new(program, "haninge");
    let created = radslag_core::event::Change::ProgramCreated {
        log_key,
        device_key: *device.key.public().bytes(),
        rules: 1,
    };
    let mut events = vec![device.write(created, &[(radslag_core::value::Slot::TITLE, "Stort")])];
    events.extend(device.admit("Anna"));
    let text = "å".repeat(30_000);
    for _ in 0..12 {
        events.push(device.retitle(program.into(), &text));
    }
    let request = api::CreateProgramRequest { bundle: Some(device.sign(&events)), request_id: String::new() };
    let answer = client.admin.create_program(request.clone()).await.unwrap().into_inner();
    assert_eq!(
        answer.answers.iter().filter_map(accepted).map(|r| r.position).collect::<Vec<_>>(),
        (1..=15).collect::<Vec<u64>>()
    );
    assert_eq!(answer.head.unwrap().position, 15);
    let again = client.admin.create_program(request).await.unwrap().into_inner();
    assert!(again.answers.iter().all(|answer| matches!(answer.answer, Some(Answer::Duplicate(_)))));
    radslag_engine::ledger::Ledger::verify(running.engine().log().as_ref(), program).unwrap();
}

#[tokio::test]
async fn half_a_group_is_refused_and_the_writer_goes_on() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let plain = town.device.clone();
    let mut event = town.device.retitle(town.activity, "Lunchmöte");
    let mut body = radslag_proto::convert::event::decode_body(&event.body).unwrap();
    let id = radslag_core::id::GroupId::from_slice(&[5; 16]).unwrap();
    body.group = Some(radslag_core::event::Group { id, index: 0, size: 2 });
    event.body = radslag_proto::convert::event::encode_body(&body).unwrap();
    let answer = client.push(town.device.sign(std::slice::from_ref(&event))).await;
    assert_eq!(refused(&answer.answers[0]), Some("GROUP_INCOMPLETE"));
    assert_eq!(answer.answers.len(), 1);
    town.device = plain;
    let whole = town.device.retitle(town.activity, "Middag");
    let answer = client.push(town.device.sign(&[whole])).await;
    assert!(accepted(&answer.answers[0]).is_some(), "{answer:?}");
}
