//! `tests/fixtures/vectors/state.json`: a small log, the state hash and conflict id that it must give, and the root of
//! its leaves, for ever. `baselines.json`: the same log going on with two named points.
//!
//! With `RADSLAG_WRITE_VECTORS=1` the file is written if it is not there. One that exists is never written again: a
//! difference means that the format was broken. `check.py` beside the file checks it without this code.

use std::fs;
use std::path::PathBuf;

use radslag_core::command::{Choice, Draft, expectations, resolve};
use radslag_core::digest::Digest;
use radslag_core::event::{Base, Change, EventBody, PartyKind};
use radslag_core::field::FieldKey;
use radslag_core::fold;
use radslag_core::id::{DeviceId, EntityId, EpochId, EventId, MemberId, Position, ProgramId};
use radslag_core::record::{Entry, Facts, First, Recorded, RejectedFacts};
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_core::view;
use radslag_trust::leaf::{LeafOutcome, LogLeaf};
use radslag_trust::merkle;
use serde_json::{Value, json};

use super::town::{HUDDINGE, NACKA, Town, dated, day, text};

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn sixteen(first: u8, last: u8) -> [u8; 16] {
    let mut bytes = [first; 16];
    bytes[15] = last;
    bytes
}

fn entity(n: u8) -> EntityId {
    EntityId::from_slice(&sixteen(0xe0, n)).unwrap()
}

/// Ids fall in another order than positions, so that whoever sorts by the wrong one is found out.
fn event(n: u8) -> EventId {
    EventId::from_slice(&sixteen(n.wrapping_mul(0x6b), n)).unwrap()
}

/// The town's writer, whose ids are all fixed here.
struct Scribe {
    town: Town,
    last: u8,
}

impl Scribe {
    fn new() -> Self {
        let mut town = Town::empty("5f0c6d1e-58d3-4c83-9f41-0d5a35a1b1a4".parse::<ProgramId>().unwrap());
        for (n, device) in (1..).zip(&mut town.devices) {
            device.id = DeviceId::from_slice(&sixteen(0xd0, n)).unwrap();
            device.member = MemberId::from_slice(&sixteen(0xa0, n)).unwrap();
        }
        Self { town, last: 0 }
    }

    fn author(&mut self, who: usize, base: Base, mut draft: Draft) -> EventBody {
        self.last += 1;
        draft.event = Some(event(self.last));
        self.town.author(who, base, draft)
    }

    fn write_from(&mut self, who: usize, base: Base, draft: Draft) {
        let body = self.author(who, base, draft);
        self.town.land(&body, None).unwrap();
    }

    fn write(&mut self, who: usize, draft: Draft) {
        let base = self.town.look(who);
        self.write_from(who, base, draft);
    }

    fn found(&mut self) {
        let created = Change::ProgramCreated { log_key: [1; 32], device_key: [2; 32], rules: 1 };
        self.write(HUDDINGE, Draft::new(created).with_text(Slot::TITLE, "Utvecklingsprogram"));
        for who in [HUDDINGE, NACKA] {
            let device = self.town.devices[who].clone();
            let admitted = Change::OrganisationAdmitted { org_id: device.org.clone(), party: None };
            self.write(HUDDINGE, Draft::new(admitted));
            let admitted = Change::MemberAdmitted { member_id: device.member, org_id: device.org.clone() };
            self.write(HUDDINGE, Draft::new(admitted).with_text(Slot::MEMBER_NAME, "Anna Be"));
        }
        self.write(NACKA, Town::enrolment(&self.town.devices[NACKA]));
    }

    fn plan(&mut self) {
        // The ids of parent and child fall in another order than their additions.
        let (party, area, subgoal, activity) = (entity(9), entity(3), entity(2), entity(1));
        let order_key = "i".to_owned();
        let added =
            Change::PartyAdded { party, kind: PartyKind::Municipality, organisation: None, source: None };
        self.write(HUDDINGE, Draft::new(added).with_text(Slot::NAME, "Nacka"));
        let added = Change::AreaAdded { area, order_key: order_key.clone(), source: None };
        self.write(HUDDINGE, Draft::new(added).with_text(Slot::TITLE, "Boende"));
        let added = Change::SubgoalAdded { subgoal, area, order_key: order_key.clone(), source: None };
        self.write(HUDDINGE, Draft::new(added).with_text(Slot::TITLE, "Bygg mer"));
        let responsible = vec![party];
        let added =
            Change::ActivityAdded { activity, subgoal, order_key, responsible, lead: None, source: None };
        self.write(HUDDINGE, Draft::new(added).with_text(Slot::TITLE, "Markinventering"));
    }
}

/// A conflict that is settled, an equal value in another spelling, a rejection, a restore that loses the last two records
/// and gets them back, and a conflict that is open because two costs apply from the same later day.
fn log() -> Town {
    scribe().town
}

/// The same log with a point before the restore and one after it named.
fn log_with_baselines() -> Town {
    let mut scribe = scribe();
    let epoch = scribe.town.state.epoch();
    let head = scribe.town.state.head();
    let effective_on = day("2026-03-01");
    let before = Change::BaselineSet { epoch: EpochId::default(), position: Position::new(9), effective_on };
    scribe.write(NACKA, Draft::new(before).with_text(Slot::BASELINE_NAME, "Remiss"));
    let after = Change::BaselineSet { epoch, position: head, effective_on: day("2027-01-01") };
    scribe.write(HUDDINGE, Draft::new(after).with_text(Slot::BASELINE_NAME, "Beslutad 2026"));
    scribe.town
}

fn scribe() -> Scribe {
    let mut scribe = Scribe::new();
    let (activity, party) = (entity(1), entity(9));
    let next_year = day("2027-01-01");
    scribe.found();
    scribe.plan();
    let forms = [HUDDINGE, NACKA].map(|who| scribe.town.look(who));
    let [ours, theirs] = forms;
    scribe.write_from(NACKA, theirs, text(activity, FieldKey::Comment, "I vår"));
    scribe.write_from(HUDDINGE, ours, text(activity, FieldKey::Comment, "I höst"));
    let conflict = scribe.town.conflict(activity, FieldKey::Comment).unwrap();
    let settled = resolve(&conflict, &Choice::Take(conflict.sides[0].event)).unwrap();
    let mut strict = text(activity, FieldKey::Comment, "Aldrig");
    strict.expect = vec![expectations(&scribe.town.state, scribe.town.today(), activity, FieldKey::Comment)];
    scribe.write(HUDDINGE, settled);
    let stale = scribe.author(NACKA, theirs, strict);
    scribe.town.land(&stale, None).unwrap_err();
    scribe.town.pass(2);
    scribe.write(HUDDINGE, dated(text(activity, FieldKey::Cost, "5000000 SEK\n50 000 kr"), next_year));
    let cut = scribe.town.state.head();
    let title = |words| text(activity, FieldKey::Title, words);
    scribe.write(HUDDINGE, title("Inventering av bost\u{e4}der"));
    scribe.write_from(NACKA, theirs, title("Inventering av bosta\u{308}der"));
    let seen = scribe.town.look(HUDDINGE);
    scribe.town.pass(1);
    let lost = scribe.town.restore(cut);
    let opened = scribe.town.log.pop().unwrap();
    scribe.reopen(&opened);
    // It stands where the view before the restore ended, which therefore only seems to hold it.
    scribe.write_from(NACKA, theirs, title("Bostadsinventering"));
    for record in &lost {
        let first = First { epoch: EpochId::default(), position: record.position };
        scribe.town.land(record.body().unwrap(), Some(first)).unwrap();
    }
    scribe.write_from(HUDDINGE, seen, title("Inventering av bost\u{e4}der"));
    scribe.write_from(HUDDINGE, seen, Draft::new(Change::ResponsibleUnassigned { activity, party }));
    scribe.write_from(
        NACKA,
        theirs,
        dated(text(activity, FieldKey::Cost, "6000000 SEK\n60 000 kr"), next_year),
    );
    scribe
}

impl Scribe {
    /// The same opening with the ids of this log.
    fn reopen(&mut self, opened: &Recorded) {
        let mut opened = opened.clone();
        self.last += 1;
        opened.event_id = event(self.last);
        opened.body_hash = Digest::of(opened.event_id.bytes());
        let Entry::Accepted { body, .. } = &mut opened.entry else { panic!("an epoch is never rejected") };
        body.event_id = opened.event_id;
        if let Change::EpochOpened { epoch_id, .. } = &mut body.change {
            *epoch_id = EpochId::from_slice(&sixteen(0xf0, 1)).unwrap();
        }
        self.town.log.push(opened);
        let program = self.town.state.program_id();
        self.town.state = super::town::folded(program, radslag_core::state::Keep::Sides, &self.town.log);
    }
}

fn key_of(entity: EntityId, field: FieldKey) -> Value {
    json!({ "entity_id": hex(entity.bytes()), "field": field.number(), "qualifier": hex(field.qualifier().bytes()) })
}

fn accepted_event(body: &EventBody) -> Value {
    let takes = match &body.change {
        Change::ConflictResolved { take, .. } => take.map(|take| hex(take.bytes())),
        _ => None,
    };
    let opens = match &body.change {
        Change::EpochOpened { epoch_id, cut_position, .. } => {
            json!({ "epoch_id": hex(epoch_id.bytes()), "cut": cut_position.get() })
        }
        _ => Value::Null,
    };
    let adds = fold::addition(body)
        .map(|added| json!({ "entity_id": hex(added.entity.bytes()), "kind": added.kind.number() }));
    let base = body.base;
    let mut event = json!({
        "kind": body.kind,
        "device_id": hex(body.device_id.bytes()),
        "device_seq": body.device_seq.get(),
        "base": { "epoch_id": hex(base.epoch.bytes()), "position": base.position.get(), "seq": base.seq.get() },
        "effective_on": body.effective_on.map(CivilDate::days),
        "adds": adds,
        "writes": fold::field_writes(body).iter().map(|write| key_of(write.entity, write.field)).collect::<Vec<_>>(),
        "takes": takes,
        "opens": opens,
    });
    if let Change::BaselineSet { epoch, position, effective_on } = &body.change {
        let (epoch, position) = (hex(epoch.bytes()), position.get());
        let names = json!({ "epoch_id": epoch, "position": position, "effective_on": effective_on.days() });
        event["names"] = names;
    }
    event
}

fn accepted_facts(facts: &Facts) -> Value {
    let pair = |(field, event): &(FieldKey, EventId)| {
        let qualifier = hex(field.qualifier().bytes());
        json!({ "field": field.number(), "qualifier": qualifier, "event_id": hex(event.bytes()) })
    };
    let first =
        |first: First| json!({ "epoch_id": hex(first.epoch.bytes()), "position": first.position.get() });
    json!({
        "recorded_on": facts.recorded_on.days(),
        "applies_on": facts.applies_on.map(CivilDate::days),
        "equal_to": facts.equal_to.iter().map(pair).collect::<Vec<_>>(),
        "first": facts.first.map(first),
    })
}

fn rejected_facts(facts: &RejectedFacts) -> Value {
    json!({
        "recorded_on": facts.recorded_on.days(),
        "device_id": hex(facts.device_id.bytes()),
        "device_seq": facts.device_seq.get(),
        "base_epoch": hex(facts.base_epoch.bytes()),
        "reason": facts.reason.number(),
    })
}

/// Signatures are not what this vector is about: each record has bytes of its own that stand for one.
fn leaf(record: &Recorded) -> LogLeaf {
    let (outcome, facts) = match &record.entry {
        Entry::Accepted { facts, .. } => (LeafOutcome::Accepted, facts.encode()),
        Entry::Rejected(facts) => (LeafOutcome::Rejected, facts.encode()),
    };
    LogLeaf {
        outcome,
        position: record.position,
        recorded_at: record.recorded_at,
        event_id: record.event_id,
        body_hash: record.body_hash,
        signature_hash: Digest::of(&record.position.get().to_be_bytes()),
        facts_hash: Digest::of(&facts),
    }
}

fn record_json(record: &Recorded) -> Value {
    let (outcome, facts, event) = match &record.entry {
        Entry::Accepted { body, facts } => ("accepted", accepted_facts(facts), accepted_event(body)),
        Entry::Rejected(facts) => ("rejected", rejected_facts(facts), Value::Null),
    };
    let leaf = leaf(record);
    json!({
        "outcome": outcome,
        "position": record.position.get(),
        "recorded_at": record.recorded_at.micros(),
        "event_id": hex(record.event_id.bytes()),
        "body_hash": hex(leaf.body_hash.bytes()),
        "signature_hash": hex(leaf.signature_hash.bytes()),
        "facts": facts,
        "event": event,
        "leaf_hash": hex(leaf.hash().bytes()),
    })
}

fn kept(town: &Town) -> Vec<Value> {
    let mut kept = Vec::new();
    for (id, entity) in town.state.entities() {
        for field in entity.fields.keys() {
            let mut key = key_of(id, *field);
            let events: Vec<String> = town.sides(id, *field).iter().map(|event| hex(event.bytes())).collect();
            key["events"] = json!(events);
            kept.push(key);
        }
    }
    kept
}

/// Compares a log with the vector of that name.
fn check(name: &str, about: &str, town: &Town) {
    let leaves: Vec<Digest> = town.log.iter().map(|record| leaf(record).hash()).collect();
    let conflicts = view::conflicts(&town.state);
    let conflicts = conflicts.iter().map(|conflict| {
        let mut key = key_of(conflict.entity, conflict.field);
        key["conflict_id"] = json!(hex(conflict.id.bytes()));
        key
    });
    let made = json!({
        "about": about,
        "program_id": hex(town.state.program_id().bytes()),
        "records": town.log.iter().map(record_json).collect::<Vec<_>>(),
        "root": hex(merkle::root(&leaves).bytes()),
        "kept": kept(town),
        "conflicts": conflicts.collect::<Vec<_>>(),
        "state_hash": hex(town.state.hash().bytes()),
    });
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vectors").join(name);
    if std::env::var_os("RADSLAG_WRITE_VECTORS").is_some() && !path.exists() {
        fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let held: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(made, held, "{name} is for ever, and these rules no longer make it");
}

#[test]
fn a_small_log_has_the_state_hash_of_the_vector() {
    let about =
        "docs/format.md, Records and log leaves, State hash, Conflict id; dates are days since 1970-01-01";
    check("state.json", about, &log());
}

#[test]
fn a_log_with_baselines_has_the_state_hash_of_its_vector() {
    let about = "docs/format.md, State hash, with baselines; dates are days since 1970-01-01";
    check("baselines.json", about, &log_with_baselines());
}

#[test]
fn the_log_of_the_vector_has_what_it_is_there_for() {
    let town = log();
    let open: Vec<FieldKey> = view::conflicts(&town.state).iter().map(|conflict| conflict.field).collect();
    assert_eq!(open, [FieldKey::Title, FieldKey::Cost]);
    assert_eq!(town.log.iter().filter(|record| record.body().is_none()).count(), 1);
    assert_eq!(town.state.epochs().len(), 1);
    let register = |field| town.state.register(entity(1), field).unwrap().writes();
    // The edit after the restore covers what it had seen before it and nothing else, and says what that said.
    let [unseen, edit] = register(FieldKey::Title) else { panic!("the title has two sides") };
    assert_eq!(unseen.position.get() + 3, edit.position.get());
    assert!(unseen.position <= edit.base.position && edit.class != edit.event);
    assert_eq!(register(FieldKey::Comment).len(), 1);
    assert_eq!(register(FieldKey::Responsible(entity(9))).len(), 1);
}
