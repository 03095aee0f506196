//! What a replica does with the answers of a real server: what waiting cures stays queued, what it does not goes to
//! quarantine, and what a server would refuse is never queued.

use std::time::Duration;

use radslag_client::ClientError;
use radslag_client::author::Act;
use radslag_client::clock::{IdSource as _, SystemIds};
use radslag_client::quarantine::FOLLOWS_REFUSED;
use radslag_client::resubmit::Resubmission;
use radslag_core::command::Draft;
use radslag_core::event::{Base, Change, Expectation, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceSeq, EntityId, EpochId, Position};
use radslag_core::value::Slot;
use radslag_core::verdict::Refusal;
use radslag_core::view;
use radslag_proto::api::v1 as api;
use radslag_sync::exchange::Cursor;

use crate::desk::{admission, area, begun, copy, enrolment, joined, queue, replica, retitle, serve, sync};
use crate::hasty;

#[tokio::test]
async fn a_server_that_is_behind_gets_nothing_and_everything_stays_queued() {
    let (dir, data, mut haninge) = begun().await;
    let older = dir.path().join("older");
    copy(&data, &older);
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let first = retitle(&haninge, "Ett");
    queue(&mut haninge, vec![first]).unwrap();
    sync(&mut haninge, &remote).await;
    let second = retitle(&haninge, "Två");
    queue(&mut haninge, vec![second]).unwrap();
    let (behind, its_remote) = serve(&older, "127.0.0.1:0").await;
    let error = haninge.push(&its_remote, |_, _| {}).await.unwrap_err();
    assert!(matches!(&error, ClientError::Unverified(what) if what.contains("lacks changes")), "{error}");
    assert_eq!((haninge.outbox.len(), haninge.quarantine().unwrap().len()), (1, 0));
    behind.shutdown().await;
    sync(&mut haninge, &remote).await;
    running.shutdown().await;
}

#[tokio::test]
async fn a_device_that_may_not_enrol_now_stays_queued_until_it_may() {
    let (dir, data, haninge) = begun().await;
    let (closed, remote) = serve(&data, "0.0.0.0:0").await;
    let mut huddinge = replica(&dir.path().join("huddinge"), haninge.settings.program, "huddinge");
    huddinge.pull(&remote, |_, _| {}).await.unwrap();
    let mut drafts = vec![enrolment(&huddinge)];
    drafts.extend(admission(&huddinge));
    queue(&mut huddinge, drafts).unwrap();
    let error = huddinge.push(&remote, |_, _| {}).await.unwrap_err();
    assert!(matches!(&error, ClientError::Refused { reason, .. } if reason == "ENROLMENT_CLOSED"), "{error}");
    assert_eq!((huddinge.outbox.len(), huddinge.quarantine().unwrap().len()), (3, 0));
    closed.shutdown().await;
    let (open, remote) = serve(&data, "127.0.0.1:0").await;
    sync(&mut huddinge, &remote).await;
    open.shutdown().await;
}

#[tokio::test]
async fn what_is_refused_for_good_takes_the_rest_with_it_and_all_of_it_can_be_handed_in_again() {
    let (dir, data, haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let mut huddinge = joined(&dir, &remote, haninge.settings.program).await;
    let first = retitle(&huddinge, "Ett");
    let first = queue(&mut huddinge, vec![first]).unwrap()[0];
    let (bostad, added) = area("Bostad");
    let group = queue(&mut huddinge, vec![added, area("Skola").1]).unwrap();
    let second = retitle(&huddinge, "Två");
    queue(&mut huddinge, vec![second]).unwrap();

    // The text has gone bad in memory, so all of it is refused at the first.
    huddinge.outbox[0].values[0].bytes.push(b'!');
    let tally = huddinge.push(&remote, |_, _| {}).await.unwrap();
    assert!(tally.refused.unwrap().starts_with("VALUE_MISMATCH"));
    assert_eq!((tally.quarantined, huddinge.outbox.len()), (4, 0));
    let held = huddinge.quarantined().unwrap();
    assert_eq!(held[0].body.event_id, first);
    assert_eq!((held[0].reason.as_str(), &held[0].cause), ("VALUE_MISMATCH", &None));
    assert_eq!([held[1].body.event_id, held[2].body.event_id], group[..]);
    for follower in &held[1..] {
        assert_eq!(follower.reason, FOLLOWS_REFUSED);
        let cause = follower.cause.as_ref().unwrap();
        assert_eq!(cause.event, first);
        assert!(cause.why.starts_with("VALUE_MISMATCH: "), "{cause:?}");
        assert!(follower.detail.contains(&first.short()), "{}", follower.detail);
        assert!(!follower.rejected && follower.since.is_some());
    }

    // Its numbers are free again; what is handed in anew continues the chain and covers what it covered before.
    let numbers = held.iter().map(|held| held.number).collect();
    let again = huddinge.resubmit(&Resubmission { numbers, ..Resubmission::default() }).unwrap();
    assert_eq!(again.len(), 4);
    assert_eq!(huddinge.outbox[0].body.device_seq, held[0].body.device_seq);
    assert_eq!(huddinge.outbox[3].body.base.seq, huddinge.outbox[2].body.device_seq);
    let places: Vec<_> = huddinge.outbox.iter().filter_map(|event| event.body.group).collect();
    assert_eq!((places.len(), places[0].id), (2, places[1].id));
    assert_ne!(Some(places[0]), held[1].body.group);
    sync(&mut huddinge, &remote).await;
    assert_eq!(view::conflicts(&huddinge.ledger.state).len(), 0);
    assert!(huddinge.ledger.state.entity(bostad).is_some());
    assert_eq!(huddinge.quarantine().unwrap().len(), 0);
    let own = EntityId::from(huddinge.settings.program);
    let sides = huddinge.ledger.state.register(own, FieldKey::Title).unwrap();
    assert_eq!(sides.sides(huddinge.ledger.state.today().unwrap(), &[]).len(), 1);
    running.shutdown().await;
}

#[tokio::test]
async fn what_would_be_declined_again_is_named_and_nothing_changes() {
    let (dir, data, haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let mut huddinge = joined(&dir, &remote, haninge.settings.program).await;
    let (bostad, added) = area("Bostad");
    queue(&mut huddinge, vec![added]).unwrap();
    let revised = Change::FieldRevised { entity: bostad, field: FieldKey::Goal, value: NewValue::Sealed };
    queue(&mut huddinge, vec![Draft::new(revised).with_text(Slot::GOAL, "Fler")]).unwrap();
    huddinge.outbox[0].values[0].bytes.push(b'!');
    huddinge.push(&remote, |_, _| {}).await.unwrap();
    // Without the area its goal has nowhere to stand.
    huddinge.discard(&[1]).unwrap();
    let error = huddinge.resubmit(&Resubmission { numbers: vec![2], ..Resubmission::default() }).unwrap_err();
    assert!(matches!(&error, ClientError::DeclinedAgain { number: 2, .. }), "{error}");
    assert_eq!((huddinge.outbox.len(), huddinge.quarantine().unwrap().len()), (0, 1));
    running.shutdown().await;
}

#[tokio::test]
async fn what_a_server_would_refuse_is_not_queued() {
    let (_dir, data, mut haninge) = begun().await;
    let (running, remote) = serve(&data, "127.0.0.1:0").await;
    let landed = retitle(&haninge, "Noll");
    queue(&mut haninge, vec![landed]).unwrap();
    sync(&mut haninge, &remote).await;
    running.shutdown().await;
    let entity = EntityId::from(haninge.settings.program);
    let refusal = |error: ClientError| match error {
        ClientError::WouldBeRefused(refusal) => *refusal,
        other => panic!("{other}"),
    };

    let long = "å".repeat(33_000);
    let draft = retitle(&haninge, &long);
    assert!(matches!(queue(&mut haninge, vec![draft]), Err(ClientError::TooLarge { .. })));
    let many: Vec<Draft> = (0..501).map(|_| area("x").1).collect();
    assert!(matches!(queue(&mut haninge, many), Err(ClientError::TooLarge { .. })));
    let big: Vec<Draft> = (0..9).map(|_| retitle(&haninge, &"å".repeat(15_000))).collect();
    assert!(matches!(queue(&mut haninge, big), Err(ClientError::TooLarge { .. })));

    // Values that the field does not take, or that are one too few or too many.
    let empty = Draft::new(retitle(&haninge, "").change);
    assert!(matches!(refusal(queue(&mut haninge, vec![empty]).unwrap_err()), Refusal::Undecodable(_)));
    let extra = retitle(&haninge, "Ett").with_text(Slot::GOAL, "Två");
    assert!(matches!(refusal(queue(&mut haninge, vec![extra]).unwrap_err()), Refusal::Undecodable(_)));
    let bytes = Draft::new(retitle(&haninge, "x").change).with_value(Slot::TITLE, vec![0xff]);
    assert!(matches!(refusal(queue(&mut haninge, vec![bytes]).unwrap_err()), Refusal::ValueMismatch(_)));
    let mut insisting = retitle(&haninge, "Ett");
    let expected = Expectation { entity, field: FieldKey::Title, sides: Vec::new() };
    insisting.expect = vec![expected; 65];
    assert!(matches!(refusal(queue(&mut haninge, vec![insisting]).unwrap_err()), Refusal::Undecodable(_)));

    // Bases that nobody can have.
    let base = haninge.base();
    let mut with = |base: Base| {
        let draft = retitle(&haninge, "Ett");
        haninge.queue(base, vec![draft], &Act::default(), false).unwrap_err()
    };
    let ahead = Base { position: Position::new(base.position.get() + 1), ..base };
    assert!(matches!(refusal(with(ahead)), Refusal::BaseAhead { .. }));
    let open = Base { position: Position::ZERO, ..base };
    assert!(matches!(refusal(with(open)), Refusal::ViewNotClosed { .. }));
    let own = Base { seq: DeviceSeq::new(base.seq.get() + 1), ..base };
    assert!(matches!(refusal(with(own)), Refusal::Undecodable(_)));
    assert_eq!((haninge.outbox.len(), haninge.quarantine().unwrap().len()), (0, 0));
}

#[tokio::test]
async fn a_server_that_is_put_right_meanwhile_is_no_alarm_and_is_left_alone_for_as_long_as_it_asks() {
    let (_dir, data, mut haninge) = begun().await;
    let (_running, real) = serve(&data, "127.0.0.1:0").await;
    let drafts = vec![retitle(&haninge, "Programmet")];
    queue(&mut haninge, drafts).unwrap();
    let (remote, asked) = hasty::before(real, 1, 30).await;
    haninge.sync(&remote, |_, _| {}).await.unwrap();
    assert_eq!(haninge.outbox.len(), 0);
    let asked = asked.lock().unwrap();
    assert!(asked[1] - asked[0] >= Duration::from_millis(30), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_says_twice_that_its_log_does_not_go_on_is_an_alarm() {
    let (_dir, data, mut haninge) = begun().await;
    let (_running, real) = serve(&data, "127.0.0.1:0").await;
    let (remote, asked) = hasty::before(real, 2, 1).await;
    let error = haninge.pull(&remote, |_, _| {}).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Unverified(_)) && error.to_string().contains("lacks changes"),
        "{error}"
    );
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_points_to_no_earlier_place_is_an_alarm_so_that_asking_ends() {
    let (_dir, _data, haninge) = begun().await;
    let state = &haninge.ledger.state;
    let asked = Cursor { epoch: state.epoch(), position: state.head() };
    let told = |reason: &str, epoch: EpochId, position: Position| {
        let common = api::Cursor { epoch_id: epoch.to_string(), position: position.get() };
        haninge.ask_instead(
            asked,
            &api::MustRefetch { reason: reason.to_owned(), common: Some(common), backoff_ms: 0 },
        )
    };
    let before = Position::new(asked.position.get() - 1);
    let instead = told("FOREIGN_EPOCH", asked.epoch, before).unwrap();
    assert_eq!((instead.epoch, instead.position), (asked.epoch, before));
    for (reason, epoch, position) in [
        ("FOREIGN_EPOCH", asked.epoch, asked.position),
        ("FOREIGN_EPOCH", EpochId::new(SystemIds.random_id()), before),
        ("POSITION_AHEAD", asked.epoch, before),
    ] {
        let error = told(reason, epoch, position).unwrap_err();
        assert!(matches!(error, ClientError::Unverified(_)), "{error}");
    }
}
