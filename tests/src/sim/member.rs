//! A municipality of a simulated world: the real replica, and a person who edits, opens forms and decides conflicts.

use std::sync::{Arc, Mutex};

use radslag_client::author::Act;
use radslag_client::clock::{Clock as _, IdSource as _};
use radslag_client::error::ClientError;
use radslag_client::fork::Keys;
use radslag_client::replica::{Replica, View};
use radslag_client::settings::Settings;
use radslag_client::steps::Tally;
use radslag_core::command::{self, Among, Choice, Draft, To};
use radslag_core::digest::Digest;
use radslag_core::event::{Base, Change, Expectation, NewValue};
use radslag_core::field::FieldKey;
use radslag_core::id::{EntityId, EpochId, EventId, Position};
use radslag_core::parse::cost::parse_cost;
use radslag_core::record::{Entry, Recorded};
use radslag_core::state::{EntityKind, State};
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_core::view;
use radslag_engine::clock::day_of;
use radslag_engine::ledger::read_record;
use radslag_log::{EventLog, ReadLimit};
use radslag_sync::exchange::{Cursor, Exchange};
use radslag_trust::keys::DeviceKey;

use super::dice::{SimClock, SimIds};
use super::net::Call;
use super::plan::Touch;
use super::store::Disk;

/// What a person could see when they began to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// In the log of this epoch
    pub epoch: EpochId,
    /// every record up to here.
    pub confirmed: Position,
    /// And these, which waited in the outbox, or had been lost to a restore.
    pub waiting: Vec<EventId>,
}

/// A form that was opened and not saved yet.
#[derive(Clone, Debug)]
pub struct Form {
    base: Base,
    shown: Shown,
    target: (EntityId, FieldKey),
    expect: Expectation,
}

/// An exchange that is under way.
pub struct Talk {
    /// The replica's end of it.
    pub exchange: Exchange,
    /// What it has done.
    pub tally: Tally,
    /// The call that is waited for.
    pub call: Call,
    /// Where the server's log parted from the replica's, while that is looked into.
    pub rejoin: Option<Cursor>,
}

/// What was written, before it is queued.
pub struct Writing {
    /// What the person was looking at.
    pub base: Base,
    /// What that was.
    pub shown: Shown,
    /// What they wrote.
    pub drafts: Vec<Draft>,
}

/// A municipality.
pub struct Member {
    /// Its disk.
    pub disk: Arc<Disk>,
    /// Its clock.
    pub clock: SimClock,
    /// Its key.
    pub seed: [u8; 32],
    /// Its replica.
    pub replica: Replica,
    /// The exchange under way.
    pub talk: Option<Talk>,
    /// The form that is open.
    pub form: Option<Form>,
    /// Its confirmed records, each as it was first shown: SHA-256 of the record.
    pub confirmed: Vec<Digest>,
    /// Whether its disk was ever copied, or is a copy.
    pub copied: bool,
    keys: Keys,
    ids: Arc<SimIds>,
}

impl Member {
    /// Opens a replica on a disk.
    pub fn open(
        disk: Arc<Disk>,
        clock: SimClock,
        settings: &Settings,
        seed: [u8; 32],
        ids: Arc<SimIds>,
    ) -> Result<Self, String> {
        Self::open_with(disk, clock, settings, seed, Keys::Held(Arc::default()), ids)
    }

    fn open_with(
        disk: Arc<Disk>,
        clock: SimClock,
        settings: &Settings,
        seed: [u8; 32],
        keys: Keys,
        ids: Arc<SimIds>,
    ) -> Result<Self, String> {
        let replica = open(&disk, &clock, settings, seed, &keys, &ids)?;
        let seed = replica.key.seed();
        let mut member = Self {
            disk,
            clock,
            seed,
            replica,
            talk: None,
            form: None,
            confirmed: vec![],
            copied: false,
            keys,
            ids,
        };
        member.look()?;
        Ok(member)
    }

    /// The machine goes down and comes back: the store is as it is, everything else is gone.
    pub fn restart(&mut self) -> Result<(), String> {
        self.disk.recover();
        let settings = self.replica.settings.clone();
        self.replica = open(&self.disk, &self.clock, &settings, self.seed, &self.keys, &self.ids)?;
        self.seed = self.replica.key.seed();
        self.talk = None;
        self.form = None;
        self.look()
    }

    /// The same disk in another machine.
    pub fn copy(&mut self) -> Result<Self, String> {
        self.copied = true;
        let keys = match &self.keys {
            Keys::Held(keys) => {
                Keys::Held(Arc::new(Mutex::new(keys.lock().expect("nobody panics here").clone())))
            }
            folder @ Keys::Folder(_) => folder.clone(),
        };
        let disk = Arc::new(Disk::with(self.disk.log().copy()));
        let (clock, ids) = (self.clock.clone(), Arc::clone(&self.ids));
        let mut copy = Self::open_with(disk, clock, &self.replica.settings, self.seed, keys, ids)?;
        copy.copied = true;
        Ok(copy)
    }

    /// Looks at what is confirmed: nothing that was shown once may ever change.
    pub fn look(&mut self) -> Result<(), String> {
        let head = self.replica.ledger.state.head();
        // A restored server is the one reason to take back what was shown.
        if self.replica.parted_at() == Some(head) {
            self.confirmed.truncate(usize::try_from(head.get()).map_err(|error| error.to_string())?);
        }
        let mut digests = Vec::with_capacity(self.confirmed.len());
        let from = Position::new(self.confirmed.len() as u64);
        for record in records(self.disk.as_ref(), &self.replica, from.max(Position::new(1))) {
            digests.push((record.position, Digest::of(&prost::Message::encode_to_vec(&record))));
        }
        for (position, digest) in digests {
            let index = usize::try_from(position - 1).map_err(|error| error.to_string())?;
            match self.confirmed.get(index) {
                Some(shown) if *shown != digest => {
                    return Err(format!("law 5: position {position} was shown as another record"));
                }
                Some(_) => {}
                None => self.confirmed.push(digest),
            }
        }
        if self.replica.ledger.state.head().get() == self.confirmed.len() as u64 {
            Ok(())
        } else {
            Err("law 5: the replica's programme is not that of its records".to_owned())
        }
    }

    /// What its person sees now.
    pub fn shown(&self) -> Shown {
        Shown {
            epoch: self.replica.ledger.state.epoch(),
            confirmed: self.replica.ledger.state.head(),
            waiting: self.replica.unconfirmed(),
        }
    }

    fn today(&self) -> CivilDate {
        day_of(self.clock.now())
    }

    /// Edits what is seen now.
    pub fn edit(&self, touch: Touch, count: u8) -> Option<Writing> {
        let view = self.replica.view();
        let drafts: Vec<Draft> = (0..u16::from(count))
            .filter_map(|index| {
                let touch = Touch { what: touch.what + 3 * index, ..touch };
                let target = target(&view.state, touch.what)?;
                let expect = touch.strict.then(|| expectation(&view, target));
                self.draft(&view.state, target, touch, expect)
            })
            .collect();
        (!drafts.is_empty()).then(|| Writing { base: self.replica.base(), shown: self.shown(), drafts })
    }

    /// Opens a form.
    pub fn open_form(&mut self, what: u16) {
        let view = self.replica.view();
        let Some(target) = target(&view.state, what) else { return };
        let expect = expectation(&view, target);
        self.form = Some(Form { base: self.replica.base(), shown: self.shown(), target, expect });
    }

    /// Saves the form that is open: on the base that it was opened with.
    pub fn save_form(&mut self, touch: Touch) -> Option<Writing> {
        let form = self.form.take()?;
        let expect = touch.strict.then_some(form.expect);
        let draft = self.draft(&self.replica.ledger.state, form.target, touch, expect)?;
        let at_saving = radslag_core::broken::is(radslag_core::broken::Variant::BaseAtSaving);
        let base = if at_saving { self.replica.base() } else { form.base };
        Some(Writing { base, shown: form.shown, drafts: vec![draft] })
    }

    /// Decides a conflict that is seen now.
    pub fn resolve(&self, pick: u8) -> Option<Writing> {
        let view = self.replica.view();
        let open = view::conflicts(&view.state);
        let conflict = open.get(usize::from(pick) % open.len().max(1))?;
        let side = &conflict.sides[usize::from(pick / 16) % conflict.sides.len()];
        let text = matches!(conflict.field, FieldKey::Title | FieldKey::Comment | FieldKey::Time);
        let choice = if text && pick.is_multiple_of(3) {
            Choice::Value(To::Text(format!("enligt möte {}", pick % 4)))
        } else {
            Choice::Take(side.event)
        };
        let draft = command::resolve(conflict, &choice).ok()?;
        Some(Writing { base: self.replica.base(), shown: self.shown(), drafts: vec![draft] })
    }

    /// Queues what was written.
    pub fn queue(&mut self, writing: Writing) -> Result<Vec<EventId>, ClientError> {
        let grouped = writing.drafts.len() > 1;
        let act = Act { reason: grouped.then(|| "enligt beslut".to_owned()), decision: None };
        self.replica.queue(writing.base, writing.drafts, &act, grouped)
    }

    fn draft(
        &self,
        state: &State,
        target: (EntityId, FieldKey),
        touch: Touch,
        expect: Option<Expectation>,
    ) -> Option<Draft> {
        let mut draft = self.change(state, target, touch.value)?;
        let day = touch.dated.and_then(|days| CivilDate::from_days(self.today().days() + i32::from(days)));
        if !matches!(draft.change, Change::ActivityAdded { .. }) {
            draft.effective_on = day;
            draft.expect = expect.into_iter().collect();
        }
        Some(draft)
    }

    fn change(&self, state: &State, (entity, field): (EntityId, FieldKey), value: u8) -> Option<Draft> {
        const TEXTS: [&str; 5] =
            ["Seminarium", "Seminarium i mars", "Möte med näringslivet", "Löpande", "v. 12"];
        const COSTS: [&str; 4] = ["1000 kr", "2 000 kr", "1 000 kr", "15 tkr"];
        let nth = usize::from(value);
        let parties = of_kind(state, EntityKind::Party);
        let party = *parties.get(nth / 2 % parties.len().max(1))?;
        let revised = |value| Draft::new(Change::FieldRevised { entity, field, value });
        Some(match field {
            FieldKey::Comment if value.is_multiple_of(7) => revised(NewValue::Cleared),
            FieldKey::Cost => {
                let cost = parse_cost(COSTS[nth % COSTS.len()]).ok()?;
                revised(NewValue::Sealed).with_value(Slot::COST, cost.to_value_bytes())
            }
            FieldKey::Lead => revised(NewValue::Party(party)),
            FieldKey::Responsible(party) if value.is_multiple_of(2) => {
                Draft::new(Change::ResponsibleAssigned { activity: entity, party })
            }
            FieldKey::Responsible(party) => {
                Draft::new(Change::ResponsibleUnassigned { activity: entity, party })
            }
            FieldKey::Life if value.is_multiple_of(2) => {
                Draft::new(Change::Retired { entity, merged_into: None })
            }
            FieldKey::Life => Draft::new(Change::Restored { entity }),
            FieldKey::Place => {
                let subgoals = of_kind(state, EntityKind::Subgoal);
                let subgoal = *subgoals.get(nth % subgoals.len().max(1))?;
                let among = if value.is_multiple_of(2) { Among::First } else { Among::Last };
                if value.is_multiple_of(5) {
                    let kind = EntityKind::Activity;
                    let order_key =
                        command::order_key(state, self.today(), subgoal, kind, Among::Last, None).ok()?;
                    let added = Change::ActivityAdded {
                        activity: EntityId::new(self.ids.random_id()),
                        subgoal,
                        order_key,
                        responsible: vec![party],
                        lead: None,
                        source: None,
                    };
                    return Some(Draft::new(added).with_text(Slot::TITLE, TEXTS[nth % TEXTS.len()]));
                }
                command::place(state, self.today(), entity, subgoal, among).ok()?
            }
            _ => revised(NewValue::Sealed).with_text(field.slot()?, TEXTS[nth % TEXTS.len()]),
        })
    }
}

fn open(
    disk: &Arc<Disk>,
    clock: &SimClock,
    settings: &Settings,
    seed: [u8; 32],
    keys: &Keys,
    ids: &Arc<SimIds>,
) -> Result<Replica, String> {
    let log: Arc<dyn EventLog> = Arc::clone(disk) as Arc<dyn EventLog>;
    let (clock, ids) = (Arc::new(clock.clone()), Arc::clone(ids));
    let opened = Replica::on(log, settings.clone(), DeviceKey::from_seed(seed), keys.clone(), clock, ids);
    opened.map_err(|error| format!("restart: a replica cannot be opened again: {error}"))
}

/// A replica's stored records from a position on.
fn records(log: &dyn EventLog, replica: &Replica, from: Position) -> Vec<radslag_proto::log::v1::Record> {
    let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    log.read(replica.settings.program, from, all).expect("a disk in memory can be read")
}

/// Everything that a disk's log holds.
pub fn recorded(log: &dyn EventLog, program: radslag_core::id::ProgramId) -> Result<Vec<Recorded>, String> {
    let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    let stored = log.read(program, Position::new(1), all).map_err(|error| error.to_string())?;
    stored.iter().map(|record| read_record(record).map_err(|error| error.to_string())).collect()
}

/// The device that wrote a record.
pub fn device_of(record: &Recorded) -> radslag_core::id::DeviceId {
    match &record.entry {
        Entry::Accepted { body, .. } => body.device_id,
        Entry::Rejected(facts) => facts.device_id,
    }
}

fn of_kind(state: &State, kind: EntityKind) -> Vec<EntityId> {
    state.entities().filter(|(_, entity)| entity.kind == kind).map(|(id, _)| id).collect()
}

/// One of a few fields of a few activities.
fn target(state: &State, what: u16) -> Option<(EntityId, FieldKey)> {
    let activities = of_kind(state, EntityKind::Activity);
    let what = usize::from(what);
    let activity = *activities.get(what % 3 % activities.len().max(1))?;
    let field = match what / 3 % 8 {
        0 => FieldKey::Title,
        1 => FieldKey::Comment,
        2 => FieldKey::Time,
        3 => FieldKey::Cost,
        4 => FieldKey::Lead,
        5 => FieldKey::Responsible(*of_kind(state, EntityKind::Party).first()?),
        6 => FieldKey::Life,
        _ => FieldKey::Place,
    };
    Some((activity, field))
}

/// The sides as the person sees them.
fn expectation(view: &View<'_>, (entity, field): (EntityId, FieldKey)) -> Expectation {
    command::expectations(&view.state, view.day(), entity, field)
}
