//! Remembered outcomes and strangers: a retry is answered as the first time, whatever happened in between; who has no key in
//! the log consumes nothing and holds up nobody.

use std::sync::Arc;
use std::time::Duration;

use radslag_core::event::{Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_engine::clock::SystemClock;
use radslag_log::{EventLog, MemoryLog};
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::answer::Answer;
use radslag_proto::convert::event::{decode_body, encode_body};
use radslag_server::Config;

use crate::harness::{Client, Device, GatedLog, Town, Written, accepted, config, entity, on, refused};

/// How long a stranger may wait at a busy server before the test is over.
const PATIENCE: Duration = Duration::from_secs(20);

fn rejected(answer: &api::Answer) -> Option<(u64, &str)> {
    match answer.answer.as_ref()? {
        Answer::Rejected(receipt) => Some((receipt.position, &receipt.reason)),
        _ => None,
    }
}

fn duplicate(answer: &api::Answer) -> &api::duplicate::Receipt {
    let Some(Answer::Duplicate(duplicate)) = &answer.answer else { panic!("{answer:?}") };
    duplicate.receipt.as_ref().unwrap()
}

/// An event without values, whose author has said it is another one's.
fn under_the_id_of(other: &Written, device: &mut Device, town: &Town) -> Written {
    let change =
        Change::FieldRevised { entity: town.activity, field: FieldKey::Comment, value: NewValue::Cleared };
    let mut event = device.write(change, &[]);
    let mut body = decode_body(&event.body).unwrap();
    body.event_id = other.id;
    event.body = encode_body(&body).unwrap();
    event.id = other.id;
    event
}

#[tokio::test]
async fn every_outcome_is_remembered_across_a_restart() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let (running, mut client) = on(config(), Arc::clone(&log), Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    let events = [town.device.retitle(town.activity, "a"), town.device.retitle(entity(), "b")];
    let first = client.push(town.device.sign(&events)).await;
    let landed = accepted(&first.answers[0]).unwrap().clone();
    let declined = rejected(&first.answers[1]).unwrap();
    assert_eq!(declined, (8, "ENTITY_MISSING"));
    // Somebody changes the field meanwhile: the outcome is that of the time.
    let mut neighbour = town.neighbour(&mut client).await;
    let later = neighbour.retitle(town.activity, "c");
    let later = neighbour.sign(&[later]);
    let told = client.push(later.clone()).await;

    let retried = client.push(town.device.sign(&events)).await;
    running.shutdown().await;
    let (_running, mut client) = on(config(), log, Arc::new(SystemClock)).await;
    let after_restart = client.push(town.device.sign(&events)).await;
    assert_eq!(retried.answers, after_restart.answers);
    let api::duplicate::Receipt::Accepted(receipt) = duplicate(&after_restart.answers[0]) else {
        panic!("{after_restart:?}")
    };
    assert_eq!(receipt, &landed, "the same receipt, with what landing meant");
    let again = client.push(later).await;
    let api::duplicate::Receipt::Accepted(receipt) = duplicate(&again.answers[0]) else {
        panic!("{again:?}")
    };
    assert_eq!(Some(receipt), accepted(&told.answers[0]));
    let api::duplicate::Receipt::Rejected(receipt) = duplicate(&after_restart.answers[1]) else {
        panic!("{after_restart:?}")
    };
    assert_eq!((receipt.position, receipt.reason.as_str()), declined);
    assert_eq!(client.head(town.program).await, after_restart.head.unwrap().position);
}

#[tokio::test]
async fn an_id_that_is_used_again_for_something_else_is_rejected_and_both_outcomes_are_remembered() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
    let (running, mut client) = on(config(), Arc::clone(&log), Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    let event = town.device.retitle(town.activity, "a");
    let own = client.push(town.device.sign(std::slice::from_ref(&event))).await;
    let own = accepted(&own.answers[0]).unwrap().position;
    // By its own author, and by somebody who has read it in the log.
    let mut neighbour = town.neighbour(&mut client).await;
    let mut author = town.device.clone();
    let by_author = [under_the_id_of(&event, &mut author, &town)];
    let by_neighbour = [under_the_id_of(&event, &mut neighbour, &town)];
    let reused = [(author.sign(&by_author), 11), (neighbour.sign(&by_neighbour), 12)];
    for (bundle, position) in &reused {
        let answer = client.push(bundle.clone()).await;
        assert_eq!(rejected(&answer.answers[0]), Some((*position, "ID_REUSED")));
    }
    running.shutdown().await;
    let (_running, mut client) = on(config(), log, Arc::new(SystemClock)).await;
    for (bundle, position) in &reused {
        let answer = client.push(bundle.clone()).await;
        let api::duplicate::Receipt::Rejected(receipt) = duplicate(&answer.answers[0]) else {
            panic!("{answer:?}")
        };
        assert_eq!((receipt.position, receipt.reason.as_str()), (*position, "ID_REUSED"));
    }
    let again = client.push(town.device.sign(&[event])).await;
    let api::duplicate::Receipt::Accepted(receipt) = duplicate(&again.answers[0]) else {
        panic!("{again:?}")
    };
    assert_eq!(receipt.position, own);
    assert_eq!(client.head(town.program).await, 12);
    let shown = client.get(town.program, None).await;
    assert!(format!("{shown:?}").contains("\"a\""), "the first of the id stands: {shown:?}");
}

/// What a stranger can send, and the refusal that each gets.
fn nuisance(town: &Town, honest: &Written) -> Vec<(api::Bundle, &'static str)> {
    let mut stranger = Device::new(town.program, "haninge");
    let foreign = stranger.retitle(town.activity, "Falskt");
    let unknown = stranger.sign(&[foreign]);
    let mut joining = Device::new(town.program, "haninge");
    let joined = joining.join("Ingen");
    let enrolling = joining.sign(&joined);
    // Under somebody else's name, with a key of its own.
    let mut posing = Device::new(town.program, "haninge");
    posing.id = town.device.id;
    let forged = posing.sign(std::slice::from_ref(honest));
    let mut many = Device::new(town.program, "haninge");
    let events: Vec<Written> = (0..501).map(|_| many.retitle(town.activity, "x")).collect();
    vec![
        (unknown, "DEVICE_NOT_ENROLLED"),
        (enrolling, "ENROLMENT_CLOSED"),
        (forged, "BAD_SIGNATURE"),
        (many.sign(&events), "OVER_LIMIT"),
    ]
}

#[tokio::test]
async fn a_stranger_consumes_nothing_and_holds_up_nobody() {
    let log = Arc::new(GatedLog::new());
    let (running, mut client) = on(config(), Arc::clone(&log) as _, Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    running.shutdown().await;
    // Reachable by anybody, so that devices do not enrol themselves; the queue has one place.
    let config = Config { listen: "0.0.0.0:0".parse().unwrap(), queue: 1, ..config() };
    let (running, mut client) = on(config, Arc::clone(&log) as _, Arc::new(SystemClock)).await;
    let events = [town.device.retitle(town.activity, "a"), town.device.retitle(town.activity, "b")];
    let nuisance = nuisance(&town, &events[0]);

    log.close();
    let push = |client: &Client, bundle: api::Bundle| {
        let mut client = client.clone();
        tokio::spawn(async move { client.push(bundle).await })
    };
    let first = push(&client, town.device.sign(&events[..1]));
    log.waiting.notified().await;
    // The writer is busy. Strangers are answered all the same, and none of them takes the one place that is left.
    for _ in 0..20 {
        for (bundle, reason) in &nuisance {
            let answered = tokio::select! {
                answer = client.push(bundle.clone()) => Some(answer),
                // An honest push would be turned away: the stranger has taken its place.
                () = tokio::time::sleep(PATIENCE) => None,
            };
            let answer = answered.unwrap_or_else(|| {
                log.open();
                panic!("{reason}: a stranger waits for the writer")
            });
            assert_eq!(answer.answers.len(), 1, "{answer:?}");
            assert_eq!(refused(&answer.answers[0]), Some(*reason));
            assert_eq!(answer.head.unwrap().position, 6);
        }
    }
    let second = push(&client, town.device.sign(&events[1..]));
    log.open();
    assert_eq!(accepted(&first.await.unwrap().answers[0]).unwrap().position, 7);
    assert_eq!(accepted(&second.await.unwrap().answers[0]).unwrap().position, 8);
    // Nothing is remembered of any of them either.
    for (bundle, reason) in nuisance {
        assert_eq!(refused(&client.push(bundle).await.answers[0]), Some(reason));
    }
    assert_eq!(client.head(town.program).await, 8);
    running.shutdown().await;
}
