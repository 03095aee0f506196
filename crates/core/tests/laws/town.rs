//! A programme with one writer and three devices. Records are made as the writer makes them: judged, then applied.
//!
//! Nothing is signed and no sequence is checked here; devices number their events and close their views by themselves.

use std::collections::BTreeMap;

use radslag_core::command::Draft;
use radslag_core::digest::Digest;
use radslag_core::event::{Authority, Base, Change, EventBody, NewValue, PartyKind, ValueDigest};
use radslag_core::field::FieldKey;
use radslag_core::fold::{self, FieldWrite};
use radslag_core::id::{
    DeviceId, DeviceSeq, EntityId, EpochId, EventId, MemberId, OrgId, Position, ProgramId,
};
use radslag_core::judge::{Landing, MemoryPast, judge};
use radslag_core::record::{Entry, Facts, First, Recorded, RejectedFacts};
use radslag_core::register::Write;
use radslag_core::rejection::Rejection;
use radslag_core::state::{Keep, State};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::Slot;
use radslag_core::view::{self, Conflict};

const DAY: i64 = 86_400_000_000;

pub(crate) const HUDDINGE: usize = 0;
pub(crate) const NACKA: usize = 1;
pub(crate) const HANINGE: usize = 2;

/// Dice that always fall the same way for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(n).unwrap()).unwrap()
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn sixteen(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.roll().to_be_bytes());
        bytes[8..].copy_from_slice(&self.roll().to_be_bytes());
        bytes
    }
}

/// One device and what it has shown its people so far.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) member: MemberId,
    pub(crate) org: OrgId,
    /// The number of its last event, sent or not.
    pub(crate) seq: DeviceSeq,
    /// How many days its clock is off.
    pub(crate) clock_off: i32,
    /// What it showed, one view after the other. Every form was opened in one of them.
    pub(crate) views: Vec<Base>,
}

impl Device {
    pub(crate) fn view(&self) -> Base {
        self.views.last().copied().unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Town {
    pub(crate) state: State,
    pub(crate) past: MemoryPast,
    pub(crate) log: Vec<Recorded>,
    pub(crate) devices: Vec<Device>,
    pub(crate) areas: Vec<EntityId>,
    pub(crate) subgoals: Vec<EntityId>,
    pub(crate) activities: Vec<EntityId>,
    pub(crate) parties: Vec<EntityId>,
    pub(crate) now: Instant,
    ids: Dice,
}

pub(crate) fn day(text: &str) -> CivilDate {
    text.parse().unwrap()
}

pub(crate) fn day_of(at: Instant) -> CivilDate {
    CivilDate::from_days(i32::try_from(at.micros().div_euclid(DAY)).unwrap()).unwrap()
}

pub(crate) fn text(entity: EntityId, field: FieldKey, text: &str) -> Draft {
    let draft = Draft::new(Change::FieldRevised { entity, field, value: NewValue::Sealed });
    draft.with_value(field.slot().unwrap(), text.as_bytes().to_vec())
}

pub(crate) fn dated(mut draft: Draft, on: CivilDate) -> Draft {
    draft.effective_on = Some(on);
    draft
}

fn org(name: &str) -> OrgId {
    name.parse().unwrap()
}

impl Town {
    /// A log without records, on 1 March 2026.
    pub(crate) fn empty(program: ProgramId) -> Self {
        let mut ids = Dice(0x5047_4f52);
        let names = ["huddinge", "nacka", "haninge"];
        let devices = names.map(|name| Device {
            id: DeviceId::from_slice(&ids.sixteen()).unwrap(),
            member: MemberId::from_slice(&ids.sixteen()).unwrap(),
            org: org(name),
            seq: DeviceSeq::ZERO,
            clock_off: 0,
            views: Vec::new(),
        });
        Self {
            state: State::new(program, Keep::Sides),
            past: MemoryPast::default(),
            log: Vec::new(),
            devices: devices.to_vec(),
            areas: Vec::new(),
            subgoals: Vec::new(),
            activities: Vec::new(),
            parties: Vec::new(),
            now: Instant::from_micros(i64::from(day("2026-03-01").days()) * DAY),
            ids,
        }
    }

    /// A programme of two areas, two sub-goals, two activities and three parties; everybody is enrolled.
    pub(crate) fn new() -> Self {
        let mut town = Self::empty(ProgramId::from_slice(&[0x77; 16]).unwrap());
        town.enrol_everybody();
        for name in ["Huddinge", "Nacka", "Södertörn"] {
            let party = town.fresh();
            let added =
                Change::PartyAdded { party, kind: PartyKind::Municipality, organisation: None, source: None };
            town.write(HUDDINGE, Draft::new(added).with_text(Slot::NAME, name)).unwrap();
            town.parties.push(party);
        }
        for n in ["1", "2"] {
            let (area, subgoal, activity) = (town.fresh(), town.fresh(), town.fresh());
            let added = Change::AreaAdded { area, order_key: n.to_owned(), source: None };
            let added =
                Draft::new(added).with_text(Slot::TITLE, "Boende").with_text(Slot::GOAL, "Fler bor här");
            town.write(HUDDINGE, added).unwrap();
            let added = Change::SubgoalAdded { subgoal, area, order_key: n.to_owned(), source: None };
            town.write(HUDDINGE, Draft::new(added).with_text(Slot::TITLE, "Bygg mer")).unwrap();
            let order_key = n.to_owned();
            let responsible = vec![town.parties[0]];
            let added =
                Change::ActivityAdded { activity, subgoal, order_key, responsible, lead: None, source: None };
            town.write(HUDDINGE, Draft::new(added).with_text(Slot::TITLE, "Markinventering")).unwrap();
            town.areas.push(area);
            town.subgoals.push(subgoal);
            town.activities.push(activity);
        }
        town
    }

    pub(crate) fn enrol_everybody(&mut self) {
        let created = Change::ProgramCreated { log_key: [1; 32], device_key: [2; 32], rules: 1 };
        self.write(HUDDINGE, Draft::new(created).with_text(Slot::TITLE, "Program för Södertörn")).unwrap();
        for who in [HUDDINGE, NACKA, HANINGE] {
            let device = self.devices[who].clone();
            let admitted = Change::OrganisationAdmitted { org_id: device.org.clone(), party: None };
            self.write(HUDDINGE, Draft::new(admitted)).unwrap();
            let admitted = Change::MemberAdmitted { member_id: device.member, org_id: device.org.clone() };
            self.write(HUDDINGE, Draft::new(admitted).with_text(Slot::MEMBER_NAME, "Anna Be")).unwrap();
            if who != HUDDINGE {
                self.write(who, Self::enrolment(&device)).unwrap();
            }
        }
    }

    pub(crate) fn enrolment(device: &Device) -> Draft {
        Draft::new(Change::DeviceEnrolled {
            device_id: device.id,
            public_key: [3; 32],
            member_id: device.member,
            org_id: device.org.clone(),
            authority: Authority::Open,
        })
    }

    pub(crate) fn fresh(&mut self) -> EntityId {
        EntityId::from_slice(&self.ids.sixteen()).unwrap()
    }

    pub(crate) fn activity(&self) -> EntityId {
        self.activities[0]
    }

    pub(crate) fn today(&self) -> CivilDate {
        day_of(self.now)
    }

    /// The day that many days from now.
    pub(crate) fn in_days(&self, days: i32) -> CivilDate {
        CivilDate::from_days(self.today().days() + days).unwrap()
    }

    pub(crate) fn pass(&mut self, days: i32) {
        self.now = Instant::from_micros(i64::from(self.in_days(days).days()) * DAY);
    }

    /// The device catches up; what it then shows.
    pub(crate) fn look(&mut self, who: usize) -> Base {
        let base =
            Base { epoch: self.state.epoch(), position: self.state.head(), seq: self.devices[who].seq };
        self.devices[who].views.push(base);
        base
    }

    /// An event as its device makes it, in a form that was opened at `base`. The device shows it from then on.
    pub(crate) fn author(&mut self, who: usize, base: Base, draft: Draft) -> EventBody {
        let event_id = draft.event.unwrap_or_else(|| EventId::from_slice(&self.ids.sixteen()).unwrap());
        let device = &mut self.devices[who];
        device.seq = device.seq.next();
        device.views.push(Base { seq: device.seq, ..device.view() });
        let digests =
            draft.values.iter().map(|(slot, bytes)| ValueDigest { slot: *slot, digest: Digest::of(bytes) });
        let body = EventBody {
            event_id,
            program_id: self.state.program_id(),
            actor_id: device.member,
            org_id: device.org.clone(),
            device_id: device.id,
            device_seq: device.seq,
            prev: Digest::ZERO,
            base,
            authored_at: Instant::from_micros(self.now.micros() + i64::from(device.clock_off) * DAY),
            effective_on: draft.effective_on,
            group: None,
            expect: draft.expect,
            kind: draft.change.kind().unwrap_or("unheard_of").to_owned(),
            schema_version: 1,
            must_understand: true,
            digests: digests.collect(),
            change: draft.change,
        };
        for (slot, bytes) in draft.values {
            self.past.values.insert(event_id, slot, bytes);
        }
        body
    }

    /// Judges an event and records what became of it.
    pub(crate) fn land(&mut self, body: &EventBody, first: Option<First>) -> Result<EventId, Rejection> {
        let landing = self.landing(body, first);
        let verdict = judge(&self.state, &self.past, body, landing);
        self.record(body, verdict.as_ref());
        verdict.map(|_| body.event_id)
    }

    /// Judges the members one after the other, each in sight of those before it; one rejection is that of all.
    pub(crate) fn land_group(&mut self, bodies: &[EventBody]) -> Result<(), Rejection> {
        let mut scratch = self.clone();
        let mut verdict = Ok(());
        let mut all = Vec::new();
        for body in bodies {
            let landing = scratch.landing(body, None);
            match judge(&scratch.state, &scratch.past, body, landing) {
                Ok(facts) => {
                    scratch.record(body, Ok(&facts));
                    all.push(facts);
                }
                Err(rejection) => {
                    verdict = Err(rejection);
                    break;
                }
            }
        }
        for (index, body) in bodies.iter().enumerate() {
            self.record(body, verdict.as_ref().map(|()| &all[index]));
        }
        verdict
    }

    fn landing(&self, body: &EventBody, first: Option<First>) -> Landing {
        Landing {
            position: self.state.head().next(),
            recorded_at: Instant::from_micros(self.now.micros() + 1),
            recorded_on: self.today(),
            authored_on: day_of(body.authored_at),
            first,
        }
    }

    fn record(&mut self, body: &EventBody, verdict: Result<&Facts, &Rejection>) {
        let entry = match verdict {
            Ok(facts) => Entry::Accepted { body: Box::new(body.clone()), facts: facts.clone() },
            Err(rejection) => Entry::Rejected(RejectedFacts {
                recorded_on: self.today(),
                device_id: body.device_id,
                device_seq: body.device_seq,
                base_epoch: body.base.epoch,
                reason: rejection.code(),
            }),
        };
        self.now = Instant::from_micros(self.now.micros() + 1);
        let record = Recorded {
            position: self.state.head().next(),
            recorded_at: self.now,
            event_id: body.event_id,
            body_hash: Digest::of(body.event_id.bytes()),
            entry,
        };
        self.state.apply(&record);
        if verdict.is_ok() {
            self.past.records.insert(body.event_id, record.clone());
        }
        self.log.push(record);
    }

    /// The log is restored as it was at `cut`; what it had after that is returned.
    pub(crate) fn restore(&mut self, cut: Position) -> Vec<Recorded> {
        let lost = self.log.split_off(usize::try_from(cut.get()).unwrap());
        self.state = folded(self.state.program_id(), Keep::Sides, &self.log);
        for record in &lost {
            self.past.records.remove(&record.event_id);
        }
        let epoch_id = EpochId::from_slice(&self.ids.sixteen()).unwrap();
        let opened = Change::EpochOpened { epoch_id, cut_position: cut, cut_root: Digest::ZERO };
        let mut body = self.author(HUDDINGE, Base::default(), Draft::new(opened));
        self.devices[HUDDINGE].views.pop();
        self.devices[HUDDINGE].seq = self.devices[HUDDINGE].seq.previous();
        // The log's own record: no member and no device wrote it.
        body.device_id = DeviceId::default();
        body.device_seq = DeviceSeq::ZERO;
        let facts = Facts { recorded_on: self.today(), applies_on: None, equal_to: Vec::new(), first: None };
        self.record(&body, Ok(&facts));
        lost
    }

    pub(crate) fn write_from(&mut self, who: usize, base: Base, draft: Draft) -> Result<EventId, Rejection> {
        let body = self.author(who, base, draft);
        self.land(&body, None)
    }

    /// Writes in sight of everything.
    pub(crate) fn write(&mut self, who: usize, draft: Draft) -> Result<EventId, Rejection> {
        let base = self.look(who);
        self.write_from(who, base, draft)
    }

    /// What the log says of an event's first write.
    pub(crate) fn written(&self, event: EventId) -> Write {
        let record = &self.past.records[&event];
        let Entry::Accepted { body, facts } = &record.entry else { panic!("{event} was rejected") };
        let FieldWrite { content, .. } = fold::field_writes(body).remove(0);
        fold::write_of(record, body, facts, content, body.device_seq)
    }

    pub(crate) fn sides(&self, entity: EntityId, field: FieldKey) -> Vec<EventId> {
        let register = self.state.register(entity, field);
        let sides =
            register.map(|r| r.sides(self.state.today().unwrap(), self.state.epochs())).unwrap_or_default();
        sides.iter().map(|side| side.event).collect()
    }

    pub(crate) fn shown(&self, entity: EntityId, field: FieldKey, day: CivilDate) -> Option<EventId> {
        self.state.shown(entity, field, day).map(|write| write.event)
    }

    pub(crate) fn in_conflict(&self, entity: EntityId, field: FieldKey) -> bool {
        self.conflict(entity, field).is_some()
    }

    pub(crate) fn conflict(&self, entity: EntityId, field: FieldKey) -> Option<Conflict<'_>> {
        view::conflicts(&self.state).into_iter().find(|c| c.entity == entity && c.field == field)
    }
}

/// The state that these records make.
pub(crate) fn folded(program: ProgramId, keep: Keep, log: &[Recorded]) -> State {
    let mut state = State::new(program, keep);
    for record in log {
        state.apply(record);
    }
    state
}

/// Where each accepted event's writes are looked for: what its author meant to change, told without the fold's help.
pub(crate) fn meant(body: &EventBody) -> Vec<(EntityId, FieldKey)> {
    let has = |slot: Slot| body.digests.iter().any(|digest| digest.slot == slot);
    let values = |entity: EntityId| {
        let fields = [
            (Slot::TITLE, FieldKey::Title),
            (Slot::GOAL, FieldKey::Goal),
            (Slot::COMMENT, FieldKey::Comment),
            (Slot::TIME, FieldKey::Time),
            (Slot::COST, FieldKey::Cost),
            (Slot::NAME, FieldKey::Name),
        ];
        fields
            .into_iter()
            .filter(|(slot, _)| has(*slot))
            .map(move |(_, field)| (entity, field))
            .collect::<Vec<_>>()
    };
    let added = |entity, more: &[FieldKey]| {
        let more = more.iter().map(|field| (entity, *field));
        values(entity).into_iter().chain([(entity, FieldKey::Life)]).chain(more).collect::<Vec<_>>()
    };
    match &body.change {
        Change::ProgramCreated { .. } => values(body.program_id.into()),
        Change::AreaAdded { area, .. } => added(*area, &[FieldKey::Place]),
        Change::SubgoalAdded { subgoal, .. } => added(*subgoal, &[FieldKey::Place]),
        Change::ActivityAdded { activity, responsible, lead, .. } => {
            let mut more = vec![FieldKey::Place];
            more.extend(lead.map(|_| FieldKey::Lead));
            more.extend(responsible.iter().map(|party| FieldKey::Responsible(*party)));
            added(*activity, &more)
        }
        Change::PartyAdded { party, organisation, .. } => {
            added(*party, organisation.map(|_| FieldKey::Organisation).as_slice())
        }
        Change::FieldRevised { entity, field, .. } | Change::ConflictResolved { entity, field, .. } => {
            vec![(*entity, *field)]
        }
        Change::ResponsibleAssigned { activity, party }
        | Change::ResponsibleUnassigned { activity, party } => {
            vec![(*activity, FieldKey::Responsible(*party))]
        }
        Change::Placed { entity, .. } => vec![(*entity, FieldKey::Place)],
        Change::Retired { entity, .. } | Change::Restored { entity } => vec![(*entity, FieldKey::Life)],
        _ => Vec::new(),
    }
}

/// The day of every write, the days around them, and today: between two of these nothing changes.
pub(crate) fn days_of_interest(log: &[Recorded]) -> Vec<CivilDate> {
    let mut days: BTreeMap<i32, CivilDate> = BTreeMap::new();
    for record in log {
        let Entry::Accepted { body, facts } = &record.entry else { continue };
        for date in [body.effective_on, facts.applies_on, Some(record.recorded_on())].into_iter().flatten() {
            for near in [date.days() - 1, date.days()] {
                days.extend(CivilDate::from_days(near).map(|day| (near, day)));
            }
        }
    }
    days.into_values().collect()
}
