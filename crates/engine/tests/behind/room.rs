//! A store without room: nothing that was not written is acknowledged, and with room the writer goes on as if nothing had been.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use radslag_core::digest::Digest;
use radslag_core::event::Base;
use radslag_core::id::EpochId;
use radslag_core::verdict::Verdict;
use radslag_engine::clock::SystemClock;
use radslag_engine::engine::{Engine, EngineError, Options};
use radslag_engine::ledger::Ledger;
use radslag_log::{Around, Commit, EventLog, LogError, MemoryLog};
use radslag_proto::convert::bundle::PushedBundle;
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;

use crate::NOW;
use crate::desk::{Desk, Written, comment, entity, program};

/// A store that takes so many commits with records and no more.
struct Tight {
    log: MemoryLog,
    left: AtomicUsize,
}

impl Around for Tight {
    fn inner(&self) -> &dyn EventLog {
        &self.log
    }

    fn commit_around(&self, commit: Commit) -> Result<(), LogError> {
        let taken = |left: usize| left.checked_sub(1);
        let refused = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_err();
        if refused && !commit.appends.is_empty() {
            return Err(LogError::NoRoom { wanted: 2, left: 1 });
        }
        self.log.commit(commit)
    }
}

#[tokio::test]
async fn what_there_was_no_room_for_is_not_there_and_lands_later_once() {
    let log = Arc::new(Tight { log: MemoryLog::new(), left: AtomicUsize::new(usize::MAX) });
    let options = Options { open_enrolment: true, queue: 8, log_key: DeviceKey::from_seed([0x55; 32]) };
    let engine = Engine::open(Arc::clone(&log) as _, Arc::new(SystemClock), options).unwrap();
    let (mut desk, mut other) = (Desk::new(1), Desk::new(2));
    let begin = desk.begin(engine.log_key());
    let events = desk.write_all(Base::default(), NOW, begin);
    engine.create(desk.sign(&events)).await.unwrap();
    let join = other.join();
    let joined = other.write_all(Base::default(), NOW, join);
    let before = engine.push(other.sign(&joined)).await.unwrap().head;
    let base = |desk: &Desk| Base { epoch: EpochId::default(), position: before, seq: desk.seq };
    let head = || engine.programme(program()).unwrap().head();
    let no_room = |error: &EngineError| matches!(error, EngineError::NoRoom(_));

    // More than one commit holds: the first part lands, and the rest does not.
    let drafts = (0..12).map(|n| comment(entity(3), &format!("{n} {}", "x".repeat(60_000)))).collect();
    let large = desk.write_all(base(&desk), NOW, drafts);
    let small = other.write(base(&other), NOW, comment(entity(3), "Liten"));
    let (large, small) = (desk.sign(&large), other.sign(&[small]));
    log.left.store(1, Ordering::Relaxed);
    assert!(no_room(&engine.push(large.clone()).await.unwrap_err()));
    let landed = head();
    assert!(landed > before && landed.get() < before.get() + 12, "{landed}");
    let both = tokio::join!(engine.push(large.clone()), engine.push(small.clone()));
    assert!(no_room(&both.0.unwrap_err()) && no_room(&both.1.unwrap_err()));
    assert_eq!(head(), landed);

    log.left.store(usize::MAX, Ordering::Relaxed);
    let both = tokio::join!(engine.push(small), engine.push(large));
    assert!(matches!(both.0.unwrap().verdicts[..], [Verdict::Accepted(_)]));
    let verdicts = both.1.unwrap().verdicts;
    let again = |verdict: &&Verdict| matches!(verdict, Verdict::DuplicateAccepted(_));
    assert_eq!(u64::try_from(verdicts.iter().filter(again).count()).unwrap(), landed.get() - before.get());
    assert!(verdicts.iter().all(|verdict| again(&verdict) || matches!(verdict, Verdict::Accepted(_))));
    assert_eq!(head().get(), before.get() + 13);
    engine.close();
    let replayed = Ledger::replay(log.as_ref(), program()).unwrap();
    assert_eq!(replayed.state, engine.programme(program()).unwrap().published().state);
}

/// A bundle of one event and 499 members that are not handed in.
fn beside_others(desk: &Desk, event: Written) -> PushedBundle {
    let gone: Vec<(u32, Digest)> =
        (1..500_u32).map(|index| (index, Digest::of(&index.to_be_bytes()))).collect();
    let own = Digest::of(&event.bytes);
    let hashes: Vec<Digest> = [own].into_iter().chain(gone.iter().map(|(_, hash)| *hash)).collect();
    let signature = *sign_bundle(&desk.key, program(), desk.id, &hashes).bytes();
    PushedBundle { signature, absent: gone, ..desk.sign(&[event]) }
}

/// A bundle is stored whole, with the digest of every member that was not handed in: many of them are a large commit of small events.
#[tokio::test]
async fn bundles_whose_members_are_not_there_fit_a_commit_too() {
    let log = Arc::new(MemoryLog::new());
    let options = Options { open_enrolment: true, queue: 100, log_key: DeviceKey::from_seed([0x55; 32]) };
    let (engine, mut writer) =
        Engine::open_by_hand(Arc::clone(&log) as _, Arc::new(SystemClock), options).unwrap();
    let engine = Arc::new(engine);
    let mut desk = Desk::new(1);
    let begin = desk.begin(engine.log_key());
    let events = desk.write_all(Base::default(), NOW, begin);
    let first = desk.sign(&events);
    let creation = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.create(first).await }
    });
    while !writer.turn() {
        tokio::task::yield_now().await;
    }
    let head = creation.await.unwrap().unwrap().head;

    let mut pushes = Vec::new();
    for n in 0..60_u8 {
        let base = Base { epoch: EpochId::default(), position: head, seq: desk.seq };
        let event = desk.write(base, NOW, comment(entity(3), &n.to_string()));
        let bundle = beside_others(&desk, event);
        let engine = Arc::clone(&engine);
        pushes.push(tokio::spawn(async move { engine.push(bundle).await }));
    }
    while engine.queued() < pushes.len() {
        tokio::task::yield_now().await;
    }
    while writer.turn() {}
    for push in pushes {
        let pushed = push.await.unwrap().unwrap();
        assert!(matches!(pushed.verdicts[..], [Verdict::Accepted(_)]), "{:?}", pushed.verdicts);
    }
    assert_eq!(log.head(program()).unwrap().unwrap().position, head.get() + 60);
}
