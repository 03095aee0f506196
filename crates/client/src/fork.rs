//! A copied replica: two machines with one key and one chain of numbers. The one that notices becomes a device of its own.
//!
//! It writes what never landed anew, under new ids, numbers and salts, with the same entities and what each author had seen. The
//! switch is one commit: a crash before it leaves everything as it was, and after it the files follow when the replica is opened.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Authority, Base, Change};
use radslag_core::id::{DeviceId, DeviceSeq, EventId, GroupId, Position};
use radslag_core::record::{Entry, Recorded};
use radslag_log::{Commit, MAX_COMMIT_BYTES, RowChange, RowKey, RowKind};
use radslag_proto::log::v1::{HandedIn, OwnDevice, SeenFork};
use radslag_trust::keys::DeviceKey;

use crate::again::{Old, Placed, Renamed};
use crate::author::{Act, Authored, Chain, check_group, seal};
use crate::error::ClientError;
use crate::quarantine::Refused;
use crate::remote::Remote;
use crate::replica::Replica;
use crate::resubmit::{draft, group_of};
use crate::setting::{HANDED_IN, OWN_DEVICE, REMEMBERED, SEEN_FORK};
use crate::settings::{Settings, key_path, load_key_at, save_key_at};

/// Rows of one device stand below this many of the next one's.
const GENERATION: u32 = 40;

/// What becoming a device of its own did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDevice {
    /// The device that another machine writes as.
    pub old: DeviceId,
    /// The device that this replica writes as from now on.
    pub new: DeviceId,
    /// The event of the other machine that showed it.
    pub other: EventId,
    /// How many changes were written anew.
    pub rewritten: usize,
}

/// The number of an outbox row.
pub(crate) const fn row_number(generation: u64, seq: DeviceSeq) -> u64 {
    (generation << GENERATION) | seq.get()
}

/// Whether an outbox row is of this device, not left over from an earlier one or meant for a later one.
pub(crate) const fn is_current(generation: u64, number: u64) -> bool {
    number >> GENERATION == generation
}

/// Where a replica's keys and settings are kept beside its log.
#[derive(Clone, Debug)]
pub enum Keys {
    /// In files of its folder.
    Folder(PathBuf),
    /// With whoever keeps the log, by device.
    Held(Arc<Mutex<BTreeMap<DeviceId, [u8; 32]>>>),
}

impl Keys {
    /// Puts the key of a device to be beside the one in use.
    fn put(&self, current: DeviceId, new: DeviceId, key: &DeviceKey) -> Result<(), ClientError> {
        match self {
            Self::Folder(folder) => {
                sweep_keys(folder, current);
                save_key_at(&key_to_be(folder, new), key)
            }
            Self::Held(keys) => {
                held(keys).insert(new, key.seed());
                Ok(())
            }
        }
    }

    /// The key that was put there.
    fn take(&self, device: DeviceId) -> Result<DeviceKey, ClientError> {
        match self {
            Self::Folder(folder) => load_key_at(&key_to_be(folder, device)),
            Self::Held(keys) => {
                let seed = held(keys).get(&device).copied();
                let missing = || ClientError::Unverified(format!("the key of device {device} is missing"));
                seed.map(DeviceKey::from_seed).ok_or_else(missing)
            }
        }
    }

    /// Makes it the one in use.
    fn switch(&self, device: DeviceId) -> Result<(), ClientError> {
        let Self::Folder(folder) = self else { return Ok(()) };
        let to = key_path(folder);
        fs::rename(key_to_be(folder, device), &to).map_err(|source| ClientError::Io { path: to, source })
    }

    fn save(&self, settings: &Settings) -> Result<(), ClientError> {
        match self {
            Self::Folder(folder) => settings.save(folder),
            Self::Held(_) => Ok(()),
        }
    }
}

fn held(keys: &Mutex<BTreeMap<DeviceId, [u8; 32]>>) -> MutexGuard<'_, BTreeMap<DeviceId, [u8; 32]>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a key lies until its device is this replica's.
fn key_to_be(folder: &Path, device: DeviceId) -> PathBuf {
    folder.join(format!("device-{device}.key"))
}

impl Replica {
    /// Whether a record of the log is by this replica's device and was not written here.
    pub(crate) fn is_foreign(&self, record: &Recorded) -> Result<bool, ClientError> {
        let (device, again) = match &record.entry {
            // What a restore lost and somebody handed in again was written here once.
            Entry::Accepted { body, facts } => (body.device_id, facts.first.is_some()),
            Entry::Rejected(facts) => (facts.device_id, false),
        };
        if device != self.settings.device || again {
            return Ok(false);
        }
        Ok(self.quarantined()?.iter().all(|held| held.body.event_id != record.event_id))
    }

    /// The change that notes another machine's event.
    pub(crate) fn put_fork(&self, other: EventId) -> RowChange {
        let device_id = self.settings.device.bytes().to_vec();
        self.put_setting(SEEN_FORK, &SeenFork { device_id, event_id: other.bytes().to_vec() })
    }

    /// Notes another machine's event, so that the next push makes this replica a device of its own.
    pub(crate) fn note_fork(&self, other: EventId) -> Result<(), ClientError> {
        Ok(self.log.commit(Commit { appends: Vec::new(), rows: vec![self.put_fork(other)] })?)
    }

    /// The event that shows that another machine writes as this replica's device; none while nothing shows it.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn fork(&self) -> Result<Option<EventId>, ClientError> {
        let seen: Option<SeenFork> = self.setting(SEEN_FORK)?;
        let own = seen.filter(|seen| seen.device_id == self.settings.device.bytes());
        Ok(own.and_then(|seen| EventId::from_slice(&seen.event_id)))
    }

    /// Becomes a device of its own after another machine was seen to write as this one.
    ///
    /// # Errors
    /// The server does not let devices enrol themselves, or has gone; everything stays queued.
    pub async fn renew(&mut self, remote: &Remote, other: EventId) -> Result<NewDevice, ClientError> {
        let hello = remote.hello(&self.settings.program.to_string()).await?;
        if !hello.open_enrolment {
            return Err(ClientError::Forked { device: self.settings.device, other });
        }
        self.become_new_device(other)
    }

    /// Becomes a device of its own, and writes anew what waits in the outbox. Nothing of it may have landed: whatever did must
    /// have been pulled before.
    ///
    /// # Errors
    /// The key or the store cannot be written; then the replica is what it was, or becomes the new device when it is opened.
    pub fn become_new_device(&mut self, other: EventId) -> Result<NewDevice, ClientError> {
        let old = self.settings.device;
        let new = DeviceId::new(self.ids.random_id());
        let key = DeviceKey::from_seed(self.ids.random32());
        let settings = Settings { device: new, ..self.settings.clone() };
        let events = self.rewrite(&settings, &key)?;
        self.keys.put(old, new, &key)?;
        let generation = self.generation + 1;
        self.stage(generation, &events)?;
        let rows = self.switch(generation, new, &key)?;
        self.log.commit(Commit { appends: Vec::new(), rows })?;
        let rewritten = events.len() - 1;
        self.outbox = events;
        self.follow_device()?;
        self.lost_numbers = self.read_lost_numbers()?;
        Ok(NewDevice { old, new, other, rewritten })
    }

    /// The enrolment of the new device, and after it everything that waits.
    fn rewrite(&self, settings: &Settings, key: &DeviceKey) -> Result<Vec<Authored>, ClientError> {
        let olds = self.never_landed();
        let now = self.clock.now();
        let mut renamed = Renamed::default();
        for old in &olds {
            let id = self.ids.event_id(old.body.authored_at);
            renamed.events.insert(old.body.event_id, EventId::new(id));
            if let Some(group) = old.body.group {
                renamed.groups.entry(group.id).or_insert_with(|| GroupId::new(self.ids.random_id()));
            }
        }
        let enrolled = Change::DeviceEnrolled {
            device_id: settings.device,
            public_key: *key.public().bytes(),
            member_id: settings.member,
            org_id: settings.org.clone(),
            authority: Authority::Open,
        };
        // It says nothing about any field, so it needs to have seen nothing; then no later base is behind it.
        let base = Base { epoch: self.ledger.state.epoch(), position: Position::ZERO, seq: DeviceSeq::ZERO };
        let chain = Chain { seq: DeviceSeq::ZERO, hash: Digest::ZERO };
        let (ids, act) = (self.ids.as_ref(), Act::default());
        let first = seal(settings, ids, now, base, chain, Draft::new(enrolled), &act, None)?;
        let mut since = self.since(&olds, settings.device)?;
        since.enrolled(first.body.device_seq);
        let mut events = vec![first];
        let mut placed: Vec<Placed<'_>> = Vec::new();
        for old in &olds {
            let last = events.last().expect("the enrolment is the first of them");
            let chain = Chain { seq: last.body.device_seq, hash: last.hash };
            let base = since.base(old, settings.device, &placed);
            let draft = draft(old, &renamed, renamed.expect(&old.body.expect));
            let group = group_of(old, &olds, &renamed);
            // When it was written has not changed, nor from which day it applies.
            let event = seal(settings, ids, old.body.authored_at, base, chain, draft, &act, group)?;
            placed.push(Placed { seq: event.body.device_seq, old });
            events.push(event);
        }
        check_group(&events)?;
        Ok(events)
    }

    /// What waits, without the enrolment of the device that is given up. Its numbers stand for other events on the other
    /// machine from the first one on.
    fn never_landed(&self) -> Vec<Old> {
        // Nor do those that a restore took stand for sure for what they stood for here.
        let lost = self.lost_numbers.map(|lost| lost.first);
        let refused_from = self.outbox.first().map(|first| {
            let seq = first.body.device_seq;
            Refused { event: first.body.event_id, seq: lost.map_or(seq, |lost| lost.min(seq)) }
        });
        let own =
            self.outbox.iter().filter(|event| !matches!(event.body.change, Change::DeviceEnrolled { .. }));
        let old = |event: &Authored| Old {
            number: 0,
            body: event.body.clone(),
            values: event.values.clone(),
            refused_from,
        };
        own.map(old).collect()
    }

    /// Writes the rows of the device to be, where nobody reads them yet.
    fn stage(&self, generation: u64, events: &[Authored]) -> Result<(), ClientError> {
        let mut commit = Commit::default();
        for event in events {
            let row = self.put_outbox_in(generation, event);
            let next = Commit { appends: Vec::new(), rows: vec![row] };
            if commit.bytes() + next.bytes() > MAX_COMMIT_BYTES {
                self.log.commit(std::mem::take(&mut commit))?;
            }
            commit.rows.extend(next.rows);
        }
        Ok(self.log.commit(commit)?)
    }

    /// The changes that make the replica the new device.
    fn switch(
        &self,
        generation: u64,
        device: DeviceId,
        key: &DeviceKey,
    ) -> Result<Vec<RowChange>, ClientError> {
        let device_id = device.bytes().to_vec();
        let public_key = key.public().bytes().to_vec();
        let own = OwnDevice { device_id: device_id.clone(), public_key, generation };
        let mut rows = vec![
            self.put_setting(OWN_DEVICE, &own),
            self.put_setting(HANDED_IN, &HandedIn { device_id, device_seq: 0 }),
            RowChange::Delete(self.setting_row(SEEN_FORK)),
        ];
        for (number, _) in self.log.rows(self.settings.program, RowKind::Setting)? {
            if number >= REMEMBERED {
                rows.push(RowChange::Delete(self.setting_row(number)));
            }
        }
        Ok(rows)
    }

    /// Makes key, settings and rows those of the device that the store names, where it names one.
    pub(crate) fn follow_device(&mut self) -> Result<(), ClientError> {
        let Some(own): Option<OwnDevice> = self.setting(OWN_DEVICE)? else { return Ok(()) };
        let damaged = |what: &str| ClientError::Unverified(format!("the replica's device: {what}"));
        let device = DeviceId::from_slice(&own.device_id).ok_or_else(|| damaged("not an id"))?;
        self.generation = own.generation;
        if self.key.public().bytes()[..] != own.public_key {
            let key = self.keys.take(device)?;
            if key.public().bytes()[..] != own.public_key {
                return Err(damaged("the key beside it is another one"));
            }
            self.keys.switch(device)?;
            self.key = key;
        }
        if self.settings.device != device {
            self.settings.device = device;
            self.keys.save(&self.settings)?;
        }
        self.sweep_rows()
    }

    /// Takes away rows of earlier devices, and of one that never came to be.
    fn sweep_rows(&self) -> Result<(), ClientError> {
        let program = self.settings.program;
        let rows = self.log.rows(program, RowKind::Outbox)?.into_iter();
        let left = rows.map(|(number, _)| number).filter(|number| !is_current(self.generation, *number));
        let left = left.map(|number| RowChange::Delete(RowKey { program, kind: RowKind::Outbox, number }));
        Ok(self.log.commit(Commit { appends: Vec::new(), rows: left.collect() })?)
    }
}

/// Takes away keys of devices that never came to be: a crash came between.
fn sweep_keys(folder: &Path, device: DeviceId) {
    let own = key_to_be(folder, device);
    let Ok(files) = fs::read_dir(folder) else { return };
    for path in files.filter_map(Result::ok).map(|file| file.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("device-") && name.ends_with(".key") && path != own {
            // One that stays is in nobody's way.
            let _ = fs::remove_file(&path);
        }
    }
}
