//! The record that opens an epoch: who makes it, what it says, and what is not believed.

use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::Change;
use radslag_core::id::{DeviceId, EpochId, EventId, Position};
use radslag_core::record::{Entry, Facts, First, Recorded};
use radslag_core::verdict::Verdict;
use radslag_engine::clock::{SystemClock, SystemIds};
use radslag_engine::engine::{Engine, EngineError, Options};
use radslag_engine::epoch::NewEpoch;
use radslag_engine::ledger::{Batch, FramedRecord, Ledger, LedgerError, read_record, read_whole_bundles};
use radslag_log::{EventLog, MemoryLog, ReadLimit};
use radslag_proto::convert::event::encode_body;
use radslag_proto::convert::record::encode_record;
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;

use crate::desk::{Desk, comment, entity, program, sixteen};
use crate::server::Server;

const ALL: ReadLimit = ReadLimit { records: 1_000, bytes: 1 << 20 };

fn desks() -> [Desk; 2] {
    [Desk::new(1), Desk::new(2)]
}

#[test]
fn an_epoch_says_where_the_log_was_cut_and_everybody_can_check_it() {
    let mut desks = desks();
    let mut server = Server::with(&mut desks);
    let (head, root) = (server.head(), server.published.frontier.root());
    let opened = server.open_epoch().unwrap();
    assert_eq!((opened.cut, opened.position, opened.cut_root), (head, head.next(), root));
    let ledger = server.verify().unwrap();
    assert_eq!(ledger.state.epoch(), opened.epoch);
    assert_eq!(ledger.state.epochs()[0].cut, head);
    let edit = desks[1].write(server.base(&desks[1]), server.now, comment(entity(3), "Efter"));
    assert!(matches!(server.hand_in(&desks[1], &[edit])[..], [Verdict::Accepted(_)]));
    let again = server.open_epoch().unwrap();
    assert_eq!(server.verify().unwrap().state.epochs().len(), 2);
    assert_eq!(again.cut, server.head().previous());
}

#[test]
fn an_epoch_is_not_opened_with_another_key_before_the_first_record_or_under_used_ids() {
    let mut empty = Server::new();
    assert!(matches!(empty.open_epoch(), Err(LedgerError::Forged { .. })));
    let mut server = Server::with(&mut desks());
    let first = server.open_epoch().unwrap();
    let event = server.published.index.iter().find(|(_, at)| **at == first.position).map(|(id, _)| *id);
    let fresh = EventId::from_slice(&sixteen(0xfe, 99)).unwrap();
    for new in [
        NewEpoch { event: fresh, epoch: first.epoch },
        NewEpoch { event: fresh, epoch: EpochId::default() },
        NewEpoch { event: event.unwrap(), epoch: EpochId::from_slice(&[9; 16]).unwrap() },
    ] {
        assert!(matches!(server.open_as(new), Err(LedgerError::Forged { .. })));
    }
    server.key = DeviceKey::from_seed([1; 32]);
    assert!(matches!(server.open_epoch(), Err(LedgerError::Forged { .. })));
    assert_eq!(server.head(), first.position);
}

#[test]
fn nobody_pushes_an_epoch_and_no_device_takes_the_logs_place() {
    let mut desks = desks();
    let mut server = Server::with(&mut desks);
    let head = server.head();
    let opened = Change::EpochOpened {
        epoch_id: EpochId::from_slice(&[9; 16]).unwrap(),
        cut_position: head,
        cut_root: server.published.frontier.root(),
    };
    let event = desks[1].write(server.base(&desks[1]), server.now, Draft::new(opened.clone()));
    assert!(matches!(server.hand_in(&desks[1], &[event])[..], [Verdict::Rejected(_)]));
    // Even with the log's own key, the log's records do not come by a push.
    let mut log = Desk::new(0x55);
    log.key = server.key.clone();
    log.id = DeviceId::default();
    let event = log.write(server.base(&log), server.now, Draft::new(opened));
    assert!(matches!(server.hand_in(&log, &[event])[..], [Verdict::Refused(_)]));
    let mut zero = Desk::new(9);
    zero.id = DeviceId::default();
    let drafts = zero.join();
    let events = zero.write_all(server.base(&zero), server.now, drafts);
    assert!(matches!(server.hand_in(&zero, &events[..1])[..], [Verdict::Refused(_)]));
    assert_eq!(server.head(), head.next());
    assert!(server.published.state.epochs().is_empty());
    server.verify().unwrap();
}

/// The log's last batch with the opening record, changed and signed anew by the log.
fn altered(server: &Server, change: impl FnOnce(&mut Recorded)) -> Result<Vec<Recorded>, LedgerError> {
    let head = server.head();
    let before = {
        let log = MemoryLog::new();
        for append in &server.commits[..server.commits.len() - 1] {
            let commit = radslag_log::Commit { appends: vec![append.clone()], rows: Vec::new() };
            log.commit(commit).unwrap();
        }
        log
    };
    let mut batch = read_whole_bundles(&server.log, program(), head, ALL).unwrap();
    let mut record = read_record(&batch.records[0].record).unwrap();
    change(&mut record);
    let Entry::Accepted { body, .. } = &record.entry else { panic!("an epoch is never rejected") };
    let bytes = encode_body(body).unwrap();
    record.body_hash = Digest::of(&bytes);
    let signature = sign_bundle(&server.key, program(), body.device_id, &[record.body_hash]);
    batch.bundles[0].signature = signature.bytes().to_vec();
    batch.bundles[0].device_id = body.device_id.bytes().to_vec();
    let stored = encode_record(&record, bytes, head, 0);
    let batch = Batch { records: vec![FramedRecord { record: stored, values: Vec::new() }], ..batch };
    Ledger::replay(&before, program()).unwrap().take_in(&before, batch)
}

fn epoch(record: &mut Recorded) -> &mut Change {
    let Entry::Accepted { body, .. } = &mut record.entry else { panic!("an epoch is never rejected") };
    &mut body.change
}

#[test]
fn an_epoch_that_the_log_signed_is_still_checked_against_the_log() {
    let mut server = Server::with(&mut desks());
    let first = server.open_epoch().unwrap();
    server.open_epoch().unwrap();
    assert_eq!(altered(&server, |_| {}).unwrap().len(), 1);
    type Spoil = fn(&mut Recorded, EpochId);
    let spoils: [(Spoil, &str); 8] = [
        (
            |r, _| {
                if let Change::EpochOpened { cut_position, .. } = epoch(r) {
                    *cut_position = Position::new(3)
                }
            },
            "the epoch was not cut at the record before it",
        ),
        (
            |r, _| {
                if let Change::EpochOpened { cut_root, .. } = epoch(r) {
                    *cut_root = Digest::of(b"")
                }
            },
            "the root at the epoch's cut is not that of the records up to it",
        ),
        (
            |r, first| {
                if let Change::EpochOpened { epoch_id, .. } = epoch(r) {
                    *epoch_id = first
                }
            },
            "the epoch's id is used",
        ),
        (
            |r, _| {
                if let Entry::Accepted { body, .. } = &mut r.entry {
                    body.device_seq = body.device_seq.next()
                }
            },
            "the log would have opened the epoch in other words",
        ),
        (
            |r, _| {
                if let Entry::Accepted { body, .. } = &mut r.entry {
                    body.base.position = Position::ZERO
                }
            },
            "the log would have opened the epoch in other words",
        ),
        (
            |r, _| {
                if let Entry::Accepted { body, .. } = &mut r.entry {
                    body.org_id = "huddinge".parse().unwrap()
                }
            },
            "the log would have opened the epoch in other words",
        ),
        (
            |r, _| {
                if let Entry::Accepted { facts, .. } = &mut r.entry {
                    *facts = Facts { applies_on: Some(facts.recorded_on), ..facts.clone() }
                }
            },
            "its facts are not what the rules give",
        ),
        (
            |r, _| {
                if let Entry::Accepted { body, .. } = &mut r.entry {
                    body.kind = "rules_adopted".to_owned();
                    body.change = Change::RulesAdopted { version: 2 };
                }
            },
            "it adopts version 2 of the rules, which this release does not have",
        ),
    ];
    for (spoil, why) in spoils {
        let answer = altered(&server, |record| spoil(record, first.epoch));
        let Err(LedgerError::Forged { what, .. }) = answer else { panic!("{why}: it was believed") };
        assert_eq!(what, why);
    }
    let by_a_device = altered(&server, |record| {
        let Entry::Accepted { body, .. } = &mut record.entry else { return };
        body.device_id = Desk::new(1).id;
    });
    assert!(by_a_device.is_err());
    server.key = DeviceKey::from_seed([1; 32]);
    let by_another_key = altered(&server, |_| {});
    let Err(LedgerError::Forged { what, .. }) = by_another_key else { panic!("it was believed") };
    assert!(what.starts_with("the signature is not by the key"), "{what}");
}

/// An edit that was lost to a restore and handed in again, with the old place that its facts claim.
fn claimed(first: First) -> Result<Vec<Recorded>, LedgerError> {
    let mut desks = desks();
    let mut server = Server::with(&mut desks);
    let commits = server.commits.len();
    let edit = desks[1].write(server.base(&desks[1]), server.now, comment(entity(3), "Förlorad"));
    let edit = [edit];
    assert!(matches!(server.hand_in(&desks[1], &edit)[..], [Verdict::Accepted(_)]));
    server.restore(commits);
    server.open_epoch().unwrap();
    assert!(matches!(server.hand_in(&desks[1], &edit)[..], [Verdict::Accepted(_)]));
    server.verify().unwrap();
    let mut batch = read_whole_bundles(&server.log, program(), server.head(), ALL).unwrap();
    let mut record = read_record(&batch.records[0].record).unwrap();
    let Entry::Accepted { facts, .. } = &mut record.entry else { panic!("the edit was accepted") };
    facts.first = Some(first);
    batch.records[0].record = encode_record(&record, edit[0].bytes.clone(), record.position, 0);
    server.restore(commits + 1);
    server.published.clone().take_in(&server.log, batch)
}

#[test]
fn a_lost_edit_lands_again_and_may_only_claim_a_place_that_a_restore_took() {
    let head = Server::with(&mut desks()).head();
    let stood = |epoch, position| First { epoch, position };
    let first = EpochId::default();
    assert_eq!(claimed(stood(first, head.next())).unwrap().len(), 1);
    // Kept by the restore, and in an epoch that the log never had.
    for claim in [stood(first, head), stood(EpochId::from_slice(&[9; 16]).unwrap(), head.next())] {
        let Err(LedgerError::Forged { what, .. }) = claimed(claim) else { panic!("it was believed") };
        assert_eq!(what, "no restore took the place where it is said to have stood");
    }
}

#[tokio::test]
async fn the_engine_opens_an_epoch_behind_what_was_queued_and_it_survives_a_restart() {
    let mut desks = desks();
    let server = Server::with(&mut desks);
    let log = std::sync::Arc::new(MemoryLog::new());
    for append in &server.commits {
        log.commit(radslag_log::Commit { appends: vec![append.clone()], rows: Vec::new() }).unwrap();
    }
    let options = |key: &DeviceKey| Options { open_enrolment: true, queue: 8, log_key: key.clone() };
    let start = |key: &DeviceKey| {
        let log: std::sync::Arc<dyn EventLog> = log.clone();
        Engine::open(log, std::sync::Arc::new(SystemClock), options(key)).unwrap()
    };
    let engine = start(&server.key);
    let edit = desks[1].write(server.base(&desks[1]), server.now, comment(entity(3), "Före"));
    let push = engine.push(desks[1].sign(&[edit]));
    let (pushed, opened) = tokio::join!(push, engine.open_epoch(program(), &SystemIds));
    assert!(matches!(pushed.unwrap().verdicts[..], [Verdict::Accepted(_)]));
    let opened = opened.unwrap();
    assert_eq!(engine.programme(program()).unwrap().head(), opened.position);
    assert_eq!(engine.programme(program()).unwrap().published().state.epoch(), opened.epoch);
    engine.close();
    let late = engine.open_epoch(program(), &SystemIds).await;
    assert!(matches!(late, Err(EngineError::ShuttingDown)));
    let engine = start(&server.key);
    assert_eq!(engine.programme(program()).unwrap().published().state.epoch(), opened.epoch);
    Ledger::verify(log.as_ref(), program()).unwrap();
    let other = start(&DeviceKey::from_seed([1; 32]));
    assert!(matches!(other.open_epoch(program(), &SystemIds).await, Err(EngineError::Damaged(_))));
}
