//! Replicas that began from right and from wrong snapshots, with a writer in this process and no network.

use std::path::Path;

use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Base, Change, NewValue, Standing};
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, EventId, MemberId, ProgramId};
use radslag_core::value::Slot;
use radslag_core::verdict::Verdict;
use radslag_engine::clock::{IdSource as _, SystemClock, SystemIds};
use radslag_engine::engine::{Engine, Options};
use radslag_engine::snapshot::SignedSnapshot;
use radslag_log::MemoryLog;
use radslag_proto::convert::bundle::{PushedBundle, PushedEvent};
use radslag_trust::bundle::sign_bundle;
use radslag_trust::keys::DeviceKey;

use super::*;
use crate::author::{Act, Chain, author};
use crate::settings::Settings;

/// A log with a writer, and the device that writes.
struct Office {
    log: Arc<MemoryLog>,
    engine: Engine,
    settings: Settings,
    key: DeviceKey,
    chain: Chain,
}

fn log_key() -> DeviceKey {
    DeviceKey::from_seed([8; 32])
}

impl Office {
    async fn begin() -> Self {
        let log = Arc::new(MemoryLog::new());
        let options = Options { open_enrolment: true, queue: 8, log_key: log_key() };
        let engine =
            Engine::open(Arc::clone(&log) as Arc<dyn EventLog>, Arc::new(SystemClock), options).unwrap();
        let settings = Settings {
            server: "http://127.0.0.1:1".to_owned(),
            ca: None,
            program: ProgramId::new(SystemIds.random_id()),
            org: "haninge".parse().unwrap(),
            member: MemberId::new(SystemIds.random_id()),
            name: "Anna Be".to_owned(),
            device: DeviceId::new(SystemIds.random_id()),
        };
        let key = DeviceKey::from_seed(SystemIds.random32());
        let chain = Chain { seq: DeviceSeq::ZERO, hash: Digest::ZERO };
        let mut office = Self { log, engine, settings, key, chain };
        let (member_id, org_id) = (office.settings.member, office.settings.org.clone());
        let created = Change::ProgramCreated {
            log_key: *log_key().public().bytes(),
            device_key: *office.key.public().bytes(),
            rules: radslag_core::judge::RULES,
        };
        let bundle = office.sign(vec![
            Draft::new(created).with_text(Slot::TITLE, "Södertörn"),
            Draft::new(Change::OrganisationAdmitted { org_id: org_id.clone(), party: None }),
            Draft::new(Change::MemberAdmitted { member_id, org_id }).with_text(Slot::MEMBER_NAME, "Anna Be"),
        ]);
        office.engine.create(bundle).await.unwrap();
        office
    }

    /// What is there now, all of it.
    fn sight(&self) -> Base {
        let head = self.engine.programme(self.settings.program).map_or(Position::ZERO, |own| own.head());
        Base { position: head, seq: self.chain.seq, ..Base::default() }
    }

    fn sign(&mut self, drafts: Vec<Draft>) -> PushedBundle {
        self.sign_from(self.sight(), drafts)
    }

    fn sign_from(&mut self, base: Base, drafts: Vec<Draft>) -> PushedBundle {
        let now = radslag_engine::clock::Clock::now(&SystemClock);
        let act = Act::default();
        let authored =
            author(&self.settings, &SystemIds, now, base, self.chain, drafts, &act, false).unwrap();
        let hashes: Vec<Digest> = authored.iter().map(|event| event.hash).collect();
        let last = authored.last().unwrap();
        self.chain = Chain { seq: last.body.device_seq, hash: last.hash };
        let signature = sign_bundle(&self.key, self.settings.program, self.settings.device, &hashes);
        let event = |event: crate::author::Authored| PushedEvent {
            body_bytes: event.bytes,
            values: Ok(event.values),
            stood: None,
        };
        PushedBundle {
            program: self.settings.program,
            device: self.settings.device,
            signature: *signature.bytes(),
            events: authored.into_iter().map(event).collect(),
            absent: Vec::new(),
            checkpoints: Vec::new(),
        }
    }

    /// Writes the programme's title as somebody who looked at `base`; gives the event.
    async fn retitle(&mut self, base: Base, change: Change, title: &str) -> EventId {
        let bundle = self.sign_from(base, vec![Draft::new(change).with_text(Slot::TITLE, title)]);
        let pushed = self.engine.push(bundle).await.unwrap();
        assert!(matches!(pushed.verdicts[..], [Verdict::Accepted(_)]), "{:?}", pushed.verdicts);
        let programme = self.engine.programme(self.settings.program).unwrap();
        programme.published().fences.of(self.settings.device).last_event()
    }

    async fn add_area(&mut self, title: &str) {
        let area = EntityId::new(SystemIds.random_id());
        let added = Change::AreaAdded { area, order_key: "i".to_owned(), source: None };
        let bundle = self.sign(vec![Draft::new(added).with_text(Slot::TITLE, title)]);
        self.engine.push(bundle).await.unwrap();
    }

    fn snapshot(&self) -> Snapshot {
        let programme = self.engine.programme(self.settings.program).unwrap();
        Snapshot::of(self.log.as_ref(), &programme.published()).unwrap()
    }

    fn after(&self, position: Position) -> Batch {
        read_whole_bundles(self.log.as_ref(), self.settings.program, position.next(), TAIL).unwrap()
    }

    /// A replica in `dir` that begins from this snapshot.
    fn replica(&self, dir: &Path, snapshot: &Snapshot) -> Replica {
        let made = make(self, dir);
        let signed = SignedSnapshot::sign(snapshot, &log_key());
        let held = v1::HeldSnapshot {
            snapshot_id: signed.id.bytes().to_vec(),
            chunks: 1,
            manifest: signed.manifest,
            signature: signed.signature.bytes().to_vec(),
            contradicted: String::new(),
        };
        let program = self.settings.program;
        let rows = vec![
            RowChange::Put(row(program, HELD), held.encode_to_vec()),
            RowChange::Put(row(program, 1), signed.chunks.concat()),
        ];
        made.log.commit(Commit { appends: Vec::new(), rows }).unwrap();
        made.close().unwrap();
        open(dir)
    }
}

fn make(office: &Office, dir: &Path) -> Replica {
    let key = DeviceKey::from_seed([7; 32]);
    Replica::make(dir, &office.settings, &key, Arc::new(SystemClock), Arc::new(SystemIds)).unwrap()
}

fn open(dir: &Path) -> Replica {
    Replica::open(dir, Arc::new(SystemClock), Arc::new(SystemIds)).unwrap()
}

/// As a pull does it: verified, stored, taken in.
fn take(replica: &mut Replica, batch: Batch) {
    let mut ledger = replica.ledger.clone();
    store(replica.log.as_ref(), &mut ledger, batch).unwrap();
    replica.ledger = ledger;
}

fn cut(mut batch: Batch, up_to: Position) -> Batch {
    batch.records.retain(|frame| frame.record.position <= up_to.get());
    batch.bundles.retain(|bundle| bundle.position <= up_to.get());
    batch
}

/// As a fetch does it, up to the snapshot.
fn fetch(replica: &Replica, office: &Office, up_to: Position) -> Ledger {
    let mut history = Ledger::new(office.settings.program);
    let batch = cut(office.after(Position::ZERO), up_to);
    store(replica.disk().as_ref(), &mut history, batch).unwrap();
    history
}

#[tokio::test]
async fn what_was_pulled_meanwhile_stands_behind_the_history_in_the_end() {
    let mut office = Office::begin().await;
    let snapshot = office.snapshot();
    let dir = tempfile::tempdir().unwrap();
    let mut replica = office.replica(dir.path(), &snapshot);
    office.add_area("Näringsliv").await;
    office.add_area("Bostäder").await;
    take(&mut replica, office.after(snapshot.state.head()));
    let (head, hash) = (replica.ledger.state.head(), replica.ledger.state.hash());

    // A new process finds the same, still without a past.
    replica.close().unwrap();
    let mut replica = open(dir.path());
    assert_eq!((replica.ledger.state.head(), replica.ledger.state.hash()), (head, hash));
    let missing = replica.verify().unwrap_err();
    assert!(matches!(&missing, ClientError::Log(error) if matches!(**error, LogError::NotHeld { .. })));

    let history = fetch(&replica, &office, snapshot.state.head());
    let provisional = replica.provisional.clone().unwrap();
    replica.settle(&provisional, history).unwrap();
    drop(provisional);
    assert!(replica.provisional.is_none());
    assert_eq!(replica.verify().unwrap().position, head);
    replica.close().unwrap();
    let replica = open(dir.path());
    assert_eq!((replica.ledger.state.head(), replica.ledger.state.hash()), (head, hash));
    assert!(replica.provisional.is_none());
    assert_eq!(Rows::read(replica.disk().as_ref(), office.settings.program).unwrap().chunks.len(), 0);
}

#[tokio::test]
async fn a_move_that_was_cut_is_finished_by_the_next_process() {
    let mut office = Office::begin().await;
    let snapshot = office.snapshot();
    let dir = tempfile::tempdir().unwrap();
    let mut replica = office.replica(dir.path(), &snapshot);
    for title in ["Näringsliv", "Bostäder", "Miljö"] {
        office.add_area(title).await;
        let batch = office.after(replica.ledger.state.head());
        take(&mut replica, batch);
    }
    let (head, hash) = (replica.ledger.state.head(), replica.ledger.state.hash());
    // The history and the first record after it have moved; then the power went.
    let mut history = fetch(&replica, &office, snapshot.state.head());
    let first = history.state.head().next();
    let batch = cut(office.after(history.state.head()), first);
    store(replica.disk().as_ref(), &mut history, batch).unwrap();
    replica.close().unwrap();

    let replica = open(dir.path());
    assert!(replica.provisional.is_none());
    assert_eq!((replica.ledger.state.head(), replica.ledger.state.hash()), (head, hash));
    assert_eq!(replica.verify().unwrap().position, head);
}

#[tokio::test]
async fn a_resolution_of_sides_before_the_snapshot_is_taken_and_verified_later() {
    let mut office = Office::begin().await;
    let title = FieldKey::Title;
    let entity = EntityId::from(office.settings.program);
    let revised = || Change::FieldRevised { entity, field: title, value: NewValue::Sealed };
    let blind = office.sight();
    let one = office.retitle(blind, revised(), "Södertörn 2030").await;
    let two = office.retitle(blind, revised(), "Södertörn 2040").await;
    let both = office.sight();
    office.retitle(both, revised(), "Södertörn 2050").await;
    let snapshot = office.snapshot();
    let kept = snapshot.state.register(entity, title).unwrap().writes();
    assert!(kept.iter().all(|write| write.event != one && write.event != two), "both are covered");

    // Somebody who was offline settles what had been settled meanwhile; a replica without a past cannot know.
    let mut settles = vec![one, two];
    settles.sort_unstable();
    let settled =
        Change::ConflictResolved { entity, field: title, settles, take: None, stands: Standing::Sealed };
    office.retitle(both, settled, "Södertörn 2035").await;
    let dir = tempfile::tempdir().unwrap();
    let mut replica = office.replica(dir.path(), &snapshot);
    let batch = office.after(snapshot.state.head());
    take(&mut replica, batch);
    let programme = office.engine.programme(office.settings.program).unwrap();
    assert_eq!(replica.ledger.state.hash(), programme.published().state.hash());
    let history = fetch(&replica, &office, snapshot.state.head());
    let provisional = replica.provisional.clone().unwrap();
    replica.settle(&provisional, history).unwrap();
    replica.verify().unwrap();
}

#[tokio::test]
async fn a_snapshot_that_the_history_contradicts_is_an_alarm_that_stays() {
    let mut office = Office::begin().await;
    office.add_area("Näringsliv").await;
    let right = office.snapshot();
    // The state hash does not see what a text says, so only the history can tell.
    let mut wrong = right.clone();
    let value = wrong.values.iter_mut().flat_map(|carried| &mut carried.values);
    let value = value.into_iter().find(|value| value.bytes == "Näringsliv".as_bytes()).unwrap();
    value.bytes = "Bostäder".into();
    let dir = tempfile::tempdir().unwrap();
    let mut replica = office.replica(dir.path(), &wrong);
    let history = fetch(&replica, &office, right.state.head());
    let provisional = replica.provisional.clone().unwrap();
    let alarm = replica.settle(&provisional, history).unwrap_err();
    drop(provisional);
    assert!(alarm.is_damage() && alarm.to_string().contains("a value is another one"), "{alarm}");
    replica.close().unwrap();

    let replica = open(dir.path());
    let provisional = replica.provisional.as_ref().unwrap();
    assert!(provisional.contradicted.is_some(), "the next process knows");
    assert!(!provisional.held.manifest.is_empty(), "the signed claim is kept as proof");
    assert_eq!(provisional.fetched, right.state.head());
    assert!(replica.check_not_contradicted().is_err(), "nothing more is built on it");
}
