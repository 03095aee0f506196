//! One log and its writer, without threads. Every push is one commit, and the log can be restored to any of them.

use radslag_core::event::Base;
use radslag_core::id::{EpochId, EventId, Position};
use radslag_core::time::Instant;
use radslag_core::verdict::Verdict;
use radslag_engine::admit::{Ground, Working};
use radslag_engine::check::{Keys, check_bundle};
use radslag_engine::epoch::{NewEpoch, Opened};
use radslag_engine::ledger::{Ledger, LedgerError};
use radslag_log::{Append, Commit, EventLog, MemoryLog};
use radslag_proto::convert::bundle::PushedBundle;
use radslag_proto::log::v1;
use radslag_trust::keys::DeviceKey;

use crate::desk::{Desk, Written, program, sixteen};

pub(crate) struct Server {
    pub(crate) log: MemoryLog,
    pub(crate) published: Ledger,
    working: Working,
    pub(crate) commits: Vec<Append>,
    pub(crate) key: DeviceKey,
    pub(crate) now: Instant,
    pub(crate) open_enrolment: bool,
    opened: u64,
}

impl Server {
    pub(crate) fn new() -> Self {
        let published = Ledger::new(program());
        Self {
            log: MemoryLog::new(),
            working: Working::new(&published),
            published,
            commits: Vec::new(),
            key: DeviceKey::from_seed([0x55; 32]),
            now: Instant::from_micros(1_772_323_200_000_000),
            open_enrolment: true,
            opened: 0,
        }
    }

    /// A programme with one activity, begun by the first of these devices and joined by the others.
    pub(crate) fn with(desks: &mut [Desk]) -> Self {
        let mut server = Self::new();
        let log_key = *server.key.public().bytes();
        for (index, desk) in desks.iter_mut().enumerate() {
            let drafts = if index == 0 { desk.begin(log_key) } else { desk.join() };
            let events = desk.write_all(server.base(desk), server.now, drafts);
            let verdicts = server.push(desk.sign(&events));
            assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accepted(_))), "{verdicts:?}");
        }
        server
    }

    /// What a device sees that has caught up.
    pub(crate) fn base(&self, desk: &Desk) -> Base {
        Base { epoch: self.published.state.epoch(), position: self.published.state.head(), seq: desk.seq }
    }

    pub(crate) fn head(&self) -> Position {
        self.published.state.head()
    }

    pub(crate) fn push(&mut self, bundle: PushedBundle) -> Vec<Verdict> {
        let enrolled = self.published.key_of(bundle.device);
        let checked = match check_bundle(bundle, enrolled, self.key.public().bytes(), &Keys::default()) {
            Ok(checked) => checked,
            Err(refusal) => return vec![Verdict::Refused(refusal)],
        };
        self.now = Instant::from_micros(self.now.micros() + 1_000);
        let (verdicts, end) = self
            .working
            .admit(
                &ground(&self.log, &self.published, self.open_enrolment, self.now),
                &checked,
                0,
                usize::MAX,
            )
            .unwrap();
        assert_eq!(end, checked.events.len());
        self.commit();
        verdicts
    }

    pub(crate) fn hand_in(&mut self, desk: &Desk, events: &[Written]) -> Vec<Verdict> {
        self.push(desk.sign(events))
    }

    pub(crate) fn open_epoch(&mut self) -> Result<Opened, LedgerError> {
        self.opened += 1;
        let new = NewEpoch {
            event: EventId::from_slice(&sixteen(0xfe, self.opened)).unwrap(),
            epoch: EpochId::from_slice(&sixteen(0xee, self.opened)).unwrap(),
        };
        self.open_as(new)
    }

    pub(crate) fn open_as(&mut self, new: NewEpoch) -> Result<Opened, LedgerError> {
        let ground = ground(&self.log, &self.published, self.open_enrolment, self.now);
        let opened = self.working.open_epoch(&ground, new, &self.key)?;
        self.commit();
        Ok(opened)
    }

    fn commit(&mut self) {
        let working = &mut self.working;
        if working.records.is_empty() {
            return;
        }
        let frontier = &working.ledger.frontier;
        let append = Append {
            program: program(),
            records: std::mem::take(&mut working.records),
            bundles: std::mem::take(&mut working.bundles),
            head: v1::Head {
                position: working.ledger.state.head().get(),
                recorded_at: working.ledger.state.recorded_at().micros(),
                frontier: frontier.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
            },
            root: frontier.root(),
        };
        self.commits.push(append.clone());
        self.log.commit(Commit { appends: vec![append], rows: Vec::new() }).unwrap();
        for (record, leaf) in std::mem::take(&mut working.pending) {
            self.published.note(&record, leaf);
        }
        working.published();
    }

    /// The log as it was after so many commits, as a backup has it, with no epoch opened yet.
    pub(crate) fn restore(&mut self, commits: usize) {
        self.commits.truncate(commits);
        self.log = MemoryLog::new();
        for append in &self.commits {
            self.log.commit(Commit { appends: vec![append.clone()], rows: Vec::new() }).unwrap();
        }
        self.published = Ledger::replay(&self.log, program()).unwrap();
        self.working = Working::new(&self.published);
    }

    pub(crate) fn verify(&self) -> Result<Ledger, LedgerError> {
        Ledger::verify(&self.log, program())
    }
}

fn ground<'a>(log: &'a MemoryLog, published: &'a Ledger, open_enrolment: bool, now: Instant) -> Ground<'a> {
    Ground { log, published, open_enrolment, now }
}
