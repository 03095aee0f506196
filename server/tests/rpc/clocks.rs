//! Both clocks: the day that is read at the head, what an answer rests on, and which questions are closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use radslag_core::event::{Change, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::{EpochId, Position};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::Slot;
use radslag_engine::clock::{Clock, SystemClock};
use radslag_log::MemoryLog;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::as_of::Recorded;
use radslag_proto::convert::time::{instant, timestamp};
use radslag_proto::status::Reason;
use tonic::Code;

use crate::harness::{Client, GatedLog, Town, accepted, at, config, in_memory, on, reason};

/// A clock that a test sets.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Instant {
        // Time goes on a little whenever somebody looks.
        Instant::from_micros(self.0.fetch_add(10, Ordering::SeqCst))
    }
}

/// So many minutes after midnight in Greenwich.
fn micros(day: &str, minutes: i64) -> i64 {
    let day: CivilDate = day.parse().unwrap();
    (i64::from(day.days()) * 24 * 60 + minutes) * 60_000_000
}

fn asks(recorded: Recorded) -> Option<api::AsOf> {
    Some(api::AsOf { recorded: Some(recorded), effective_on: String::new() })
}

fn cost(answer: &api::GetProgramResponse) -> String {
    let program = answer.program.as_ref().unwrap();
    program.areas[0].subgoals[0].activities[0].cost.as_ref().unwrap().raw.clone()
}

fn open(answer: &api::GetProgramResponse) -> Vec<api::OpenReason> {
    answer.basis.as_ref().unwrap().open().collect()
}

async fn hello(client: &mut Client, town: &Town) -> api::HelloResponse {
    let request = api::HelloRequest { program_id: town.program.to_string(), verified_position: 0 };
    client.sync.hello(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn what_was_decided_for_a_day_applies_from_that_day_whether_or_not_anybody_writes() {
    let clock = Arc::new(SetClock(AtomicI64::new(micros("2026-03-01", 12 * 60))));
    let (_running, mut client) = on(config(), Arc::new(MemoryLog::new()), Arc::clone(&clock) as _).await;
    let mut town = Town::begin(&mut client).await;
    let change =
        Change::FieldRevised { entity: town.activity, field: FieldKey::Cost, value: NewValue::Sealed };
    let from = Some("2026-04-01".parse().unwrap());
    let event = town.device.write_dated(change, &[(Slot::COST, "7000000 SEK\n70 000 kr")], from);
    client.push(town.device.sign(&[event])).await;

    let before = client.get(town.program, None).await;
    let basis = before.basis.clone().unwrap();
    assert_eq!((cost(&before).as_str(), basis.effective_on.as_str()), ("50 000 kr", "2026-03-01"));
    assert_eq!(open(&before), [api::OpenReason::Effective], "the day is not over");
    // In the evening of 31 March in Greenwich it is April in Stockholm.
    clock.0.store(micros("2026-03-31", 22 * 60 + 30), Ordering::SeqCst);
    let after = client.get(town.program, None).await;
    assert_eq!(after.basis.as_ref().unwrap().effective_on, "2026-04-01");
    assert_eq!(cost(&after), "70 000 kr");

    let again = client.get(town.program, asks(Recorded::Basis(basis.clone()))).await;
    assert_eq!((&again.program, open(&again)), (&before.program, vec![]));
    assert_eq!(again.basis.unwrap(), api::Basis { open: vec![], ..basis });
}

#[tokio::test]
async fn the_same_basis_gives_the_same_answer_whatever_is_written_meanwhile() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let asked = client.get(town.program, None).await;
    let basis = asked.basis.clone().unwrap();
    let on_it = asks(Recorded::Basis(basis.clone()));
    let first = client.get(town.program, on_it.clone()).await;
    assert_eq!(first.program, asked.program);
    let change =
        Change::FieldRevised { entity: town.activity, field: FieldKey::Cost, value: NewValue::Sealed };
    let late = Some("2001-01-01".parse().unwrap());
    let late = town.device.write_dated(change, &[(Slot::COST, "1000 SEK\n10 kr")], late);
    let title = town.device.retitle(town.activity, "Lunchmöte");
    client.push(town.device.sign(&[late, title])).await;
    assert_eq!(client.get(town.program, on_it).await, first);

    let refusal = async |client: &mut Client, basis| {
        let as_of = asks(Recorded::Basis(basis));
        let request = api::GetProgramRequest { program_id: town.program.to_string(), as_of };
        client.programs.get_program(request).await.unwrap_err()
    };
    let ahead = refusal(&mut client, api::Basis { position: 99, ..basis.clone() }).await;
    assert_eq!((ahead.code(), reason(&ahead).reason), (Code::OutOfRange, Reason::PositionAhead));
    // A position that the log has, and one that a restore took from it.
    for position in [basis.position, 99] {
        let epoch_id = town.program.to_string();
        let foreign = refusal(&mut client, api::Basis { epoch_id, position, ..basis.clone() }).await;
        assert_eq!(
            (foreign.code(), reason(&foreign).reason),
            (Code::FailedPrecondition, Reason::ForeignEpoch)
        );
    }
}

#[tokio::test]
async fn the_records_and_the_history_at_the_head_are_told_for_today_in_every_page() {
    let clock = Arc::new(SetClock(AtomicI64::new(micros("2026-11-02", 12 * 60))));
    let (_running, mut client) = on(config(), Arc::new(MemoryLog::new()), Arc::clone(&clock) as _).await;
    let mut town = Town::begin(&mut client).await;
    let change =
        Change::FieldRevised { entity: town.activity, field: FieldKey::Title, value: NewValue::Sealed };
    let from = Some("2027-01-01".parse().unwrap());
    let event = town.device.write_dated(change, &[(Slot::TITLE, "Lunchmöte")], from);
    client.push(town.device.sign(&[event])).await;
    clock.0.store(micros("2027-01-05", 12 * 60), Ordering::SeqCst);

    let program_id = town.program.to_string();
    let mut log = api::ListLogRequest { program_id: program_id.clone(), page_size: 6, ..Default::default() };
    let first = client.audit.list_log(log.clone()).await.unwrap().into_inner();
    let entity_id = town.activity.to_string();
    let mut history =
        api::ListHistoryRequest { program_id, entity_id, page_size: 2, ..api::ListHistoryRequest::default() };
    let changes = client.audit.list_history(history.clone()).await.unwrap().into_inner();
    let day = ("2027-01-05", vec![api::OpenReason::Effective]);
    for basis in [first.basis.as_ref().unwrap(), changes.basis.as_ref().unwrap()] {
        assert_eq!((basis.effective_on.as_str(), basis.open().collect()), day);
    }
    // All pages are one answer, also over midnight.
    clock.0.store(micros("2027-01-06", 12 * 60), Ordering::SeqCst);
    (log.page_token, history.page_token) = (first.next_page_token, changes.next_page_token.clone());
    let second = client.audit.list_log(log).await.unwrap().into_inner();
    assert_eq!(second.lines[0].title, "Lunchmöte", "the activity's title today");
    let more = client.audit.list_history(history).await.unwrap().into_inner();
    for basis in [second.basis.unwrap(), more.basis.unwrap()] {
        assert_eq!(basis.effective_on, "2027-01-05");
    }
}

#[tokio::test]
async fn a_named_point_is_asked_for_by_its_id_and_listed_with_its_name() {
    let (_running, mut client) = in_memory().await;
    let mut town = Town::begin(&mut client).await;
    let effective_on = "2199-01-01".parse().unwrap();
    let change = Change::BaselineSet { epoch: EpochId::default(), position: Position::new(6), effective_on };
    let texts = [(Slot::BASELINE_NAME, "Beslutad 2019"), (Slot::DECISION, "KS-2019/123")];
    let named = town.device.write(change, &texts);
    let title = town.device.retitle(town.activity, "Lunchmöte");
    client.push(town.device.sign(&[named.clone(), title])).await;

    let by_name = asks(Recorded::BaselineId(named.id.to_string()));
    let answer = client.get(town.program, by_name.clone()).await;
    let basis = answer.basis.clone().unwrap();
    assert_eq!((basis.position, basis.effective_on.as_str(), open(&answer)), (6, "2199-01-01", vec![]));
    let title = |answer: &api::GetProgramResponse| {
        answer.program.as_ref().unwrap().areas[0].subgoals[0].activities[0].title.clone()
    };
    assert_eq!(title(&answer), "Frukostmöte");
    let on_a_day = api::AsOf { effective_on: "2001-01-01".to_owned(), ..by_name.unwrap() };
    let on_a_day = client.get(town.program, Some(on_a_day)).await.basis.unwrap();
    assert_eq!((on_a_day.position, on_a_day.effective_on.as_str()), (6, "2001-01-01"));

    let program = client.get(town.program, None).await.program.unwrap();
    let [baseline] = &program.baselines[..] else { panic!("one point has a name") };
    assert_eq!((baseline.name.as_str(), baseline.decision.as_str()), ("Beslutad 2019", "KS-2019/123"));
    assert_eq!((baseline.basis.clone().unwrap(), baseline.position), (basis, 7));
    assert_eq!(baseline.author.as_ref().unwrap().member, "Anna Be");
    let request =
        api::ListLogRequest { program_id: town.program.to_string(), ..api::ListLogRequest::default() };
    let log = client.audit.list_log(request).await.unwrap().into_inner();
    assert_eq!((log.lines[6].kind.as_str(), log.lines[6].title.as_str()), ("baseline_set", "Beslutad 2019"));

    let unknown = asks(Recorded::BaselineId(town.program.to_string()));
    let request = api::GetProgramRequest { program_id: town.program.to_string(), as_of: unknown };
    let missing = client.programs.get_program(request).await.unwrap_err();
    assert_eq!((missing.code(), reason(&missing).reason), (Code::NotFound, Reason::EntityNotFound));
    // One that names a record that is not there is declined, and the log says so.
    let ahead = Change::BaselineSet { epoch: EpochId::default(), position: Position::new(99), effective_on };
    let ahead = town.device.write(ahead, &[(Slot::BASELINE_NAME, "Sen")]);
    let answer = client.push(town.device.sign(&[ahead])).await;
    let Some(api::answer::Answer::Rejected(rejected)) = &answer.answers[0].answer else {
        panic!("{answer:?}")
    };
    assert_eq!(rejected.reason, "POINT_MISSING");
}

#[tokio::test]
async fn an_instant_is_open_while_a_record_that_belongs_to_it_is_in_flight() {
    let log = Arc::new(GatedLog::new());
    let (_running, mut client) = on(config(), Arc::clone(&log) as _, Arc::new(SystemClock)).await;
    let mut town = Town::begin(&mut client).await;
    let idle = hello(&mut client, &town).await.closed_to.unwrap();
    assert_eq!(open(&client.get(town.program, asks(Recorded::Instant(idle))).await), []);

    log.close();
    let event = town.device.retitle(town.activity, "Lunchmöte");
    let (bundle, mut pusher) = (town.device.sign(&[event]), client.clone());
    let pushed = tokio::spawn(async move { pusher.push(bundle).await });
    log.waiting.notified().await;
    let asked = asks(Recorded::Instant(timestamp(SystemClock.now())));
    let answer = client.get(town.program, asked.clone()).await;
    assert_eq!(answer.basis.as_ref().unwrap().position, 6);
    assert_eq!(open(&answer), [api::OpenReason::Recorded], "its record has an instant already");
    let closed_to = instant(&hello(&mut client, &town).await.closed_to.unwrap()).unwrap();
    let until_then = client.get(town.program, asks(Recorded::Instant(timestamp(closed_to)))).await;
    assert_eq!(open(&until_then), []);

    log.open();
    let answer = pushed.await.unwrap();
    let recorded_at = accepted(&answer.answers[0]).unwrap().recorded_at.unwrap();
    assert!(instant(&recorded_at).unwrap() > closed_to, "what was closed stays as it was");
    let answer = client.get(town.program, asked).await;
    assert_eq!((answer.basis.as_ref().unwrap().position, open(&answer)), (7, vec![]));
    let then = client.get(town.program, asks(Recorded::Instant(timestamp(closed_to)))).await;
    assert_eq!(then, until_then);
    // A day is closed once it is over, and a position always is.
    let day = |text: &str| asks(Recorded::LocalDate(text.to_owned()));
    assert_eq!(open(&client.get(town.program, day("2199-01-01")).await), [api::OpenReason::Recorded]);
    assert_eq!(open(&client.get(town.program, day("2001-01-01")).await), []);
    assert_eq!(open(&client.get(town.program, at(7)).await), []);
}

#[tokio::test]
async fn a_clock_that_steps_back_does_not_open_again_what_was_closed() {
    let clock = Arc::new(SetClock(AtomicI64::new(micros("2026-03-01", 12 * 60))));
    let (_running, mut client) = on(config(), Arc::new(MemoryLog::new()), Arc::clone(&clock) as _).await;
    let mut town = Town::begin(&mut client).await;
    clock.0.store(micros("2026-03-01", 13 * 60), Ordering::SeqCst);
    let closed_to = hello(&mut client, &town).await.closed_to.unwrap();
    assert!(instant(&closed_to).unwrap().micros() >= micros("2026-03-01", 13 * 60));
    clock.0.store(micros("2026-03-01", 12 * 60 + 58), Ordering::SeqCst);
    let event = town.device.retitle(town.activity, "Lunchmöte");
    let answer = client.push(town.device.sign(&[event])).await;
    let recorded_at = accepted(&answer.answers[0]).unwrap().recorded_at.unwrap();
    assert!(instant(&recorded_at).unwrap() > instant(&closed_to).unwrap());
    let then = client.get(town.program, asks(Recorded::Instant(closed_to))).await;
    assert_eq!((then.basis.as_ref().unwrap().position, open(&then)), (6, vec![]));
}
