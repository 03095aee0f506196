//! Records that no writer would make: `apply` takes them all, and so does everything that reads a state.

use proptest::prelude::*;
use radslag_core::digest::Digest;
use radslag_core::event::{
    Authority, Base, Change, EventBody, Expectation, NewValue, PartyKind, Source, Standing, ValueDigest,
};
use radslag_core::field::FieldKey;
use radslag_core::history;
use radslag_core::id::{
    DeviceId, DeviceSeq, EntityId, EpochId, EventId, MemberId, OrgId, Position, ProgramId,
};
use radslag_core::judge::{Landing, judge};
use radslag_core::record::{Entry, Facts, First, Recorded, RejectedFacts};
use radslag_core::rejection::RejectionCode;
use radslag_core::state::{Keep, State};
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::Slot;
use radslag_core::view;

use super::history::{history, steps, tries};
use super::town::Dice;

/// Sixteen bytes of a handful, so that what is said of one thing meets what is said of another.
fn bytes(dice: &mut Dice) -> [u8; 16] {
    dice.pick(&[[0; 16], [1; 16], [2; 16], [3; 16], [0x77; 16], [0xff; 16]])
}

fn entity(dice: &mut Dice) -> EntityId {
    EntityId::from_slice(&bytes(dice)).unwrap()
}

fn event(dice: &mut Dice) -> EventId {
    EventId::from_slice(&bytes(dice)).unwrap()
}

fn number(dice: &mut Dice) -> u64 {
    let any = dice.roll();
    dice.pick(&[0, 1, 2, 3, 7, u64::MAX, any])
}

fn micros(dice: &mut Dice) -> Instant {
    let any = dice.roll().cast_signed();
    Instant::from_micros(dice.pick(&[i64::MIN, -1, 0, 1, i64::MAX, any]))
}

fn date(dice: &mut Dice) -> CivilDate {
    let any = CivilDate::from_days(i32::try_from(dice.below(80_000)).unwrap()).unwrap();
    dice.pick(&[CivilDate::FIRST, CivilDate::LAST, any])
}

fn field(dice: &mut Dice) -> FieldKey {
    let party = entity(dice);
    let fields = [
        FieldKey::Title,
        FieldKey::Goal,
        FieldKey::Comment,
        FieldKey::Time,
        FieldKey::Cost,
        FieldKey::Name,
        FieldKey::Lead,
        FieldKey::Organisation,
        FieldKey::Place,
        FieldKey::Life,
        FieldKey::Responsible(party),
    ];
    dice.pick(&fields)
}

fn key(dice: &mut Dice) -> String {
    dice.pick(&["", "0", "i", "ÅÄÖ", "zzz"]).to_owned()
}

fn standing(dice: &mut Dice) -> Standing {
    match dice.below(7) {
        0 => Standing::Sealed,
        1 => Standing::SealedIn(event(dice)),
        2 => Standing::Cleared,
        3 => Standing::Party(entity(dice)),
        4 => Standing::Place { parent: entity(dice), order_key: key(dice) },
        5 => Standing::Life { retired: dice.chance(50), merged_into: dice.chance(50).then(|| entity(dice)) },
        _ => Standing::Responsible(dice.chance(50)),
    }
}

fn change(dice: &mut Dice) -> Change {
    let source = dice.chance(50).then(|| Source { import: event(dice), line: 0 });
    let org_id: OrgId = dice.pick(&["huddinge", "nacka", "x"]).parse().unwrap();
    match dice.below(21) {
        0 => Change::ProgramCreated { log_key: [9; 32], device_key: [0; 32], rules: u32::MAX },
        1 => Change::OrganisationAdmitted { org_id, party: Some(entity(dice)) },
        2 => Change::MemberAdmitted { member_id: MemberId::from_slice(&bytes(dice)).unwrap(), org_id },
        3 => Change::DeviceEnrolled {
            device_id: DeviceId::from_slice(&bytes(dice)).unwrap(),
            public_key: [0; 32],
            member_id: MemberId::from_slice(&bytes(dice)).unwrap(),
            org_id,
            authority: Authority::Steward,
        },
        4 => Change::AreaAdded { area: entity(dice), order_key: key(dice), source },
        5 => Change::SubgoalAdded { subgoal: entity(dice), area: entity(dice), order_key: key(dice), source },
        6 => Change::ActivityAdded {
            activity: entity(dice),
            subgoal: entity(dice),
            order_key: key(dice),
            responsible: vec![entity(dice), entity(dice), entity(dice)],
            lead: Some(entity(dice)),
            source,
        },
        7 => Change::PartyAdded {
            party: entity(dice),
            kind: PartyKind::Network,
            organisation: Some(entity(dice)),
            source,
        },
        8..11 => {
            let value = [NewValue::Sealed, NewValue::Cleared, NewValue::Party(entity(dice))];
            Change::FieldRevised { entity: entity(dice), field: field(dice), value: dice.pick(&value) }
        }
        11 => Change::ResponsibleAssigned { activity: entity(dice), party: entity(dice) },
        12 => Change::ResponsibleUnassigned { activity: entity(dice), party: entity(dice) },
        13 => Change::Placed { entity: entity(dice), parent: entity(dice), order_key: key(dice) },
        14 => Change::Retired { entity: entity(dice), merged_into: Some(entity(dice)) },
        15 => Change::Restored { entity: entity(dice) },
        16 => Change::ConflictResolved {
            entity: entity(dice),
            field: field(dice),
            settles: vec![event(dice), event(dice)],
            take: dice.chance(50).then(|| event(dice)),
            stands: standing(dice),
        },
        17 => Change::EpochOpened {
            epoch_id: EpochId::from_slice(&bytes(dice)).unwrap(),
            cut_position: Position::new(number(dice)),
            cut_root: Digest::ZERO,
        },
        18 => Change::RulesAdopted { version: 0 },
        19 => Change::BaselineSet {
            epoch: EpochId::from_slice(&bytes(dice)).unwrap(),
            position: Position::new(number(dice)),
            effective_on: CivilDate::LAST,
        },
        _ if dice.chance(50) => Change::SourceImported { dialect: String::new() },
        _ => Change::Unknown,
    }
}

fn body(dice: &mut Dice) -> EventBody {
    let slots = [Slot::TITLE, Slot::COST, Slot::NAME, Slot::new(0), Slot::new(u16::MAX)];
    let digests =
        slots.into_iter().filter(|_| dice.chance(50)).map(|slot| ValueDigest { slot, digest: Digest::ZERO });
    let digests = digests.collect();
    EventBody {
        event_id: event(dice),
        program_id: ProgramId::from_slice(&bytes(dice)).unwrap(),
        actor_id: MemberId::from_slice(&bytes(dice)).unwrap(),
        org_id: dice.pick(&["huddinge", "nacka", "x"]).parse().unwrap(),
        device_id: DeviceId::from_slice(&bytes(dice)).unwrap(),
        device_seq: DeviceSeq::new(number(dice)),
        prev: Digest::ZERO,
        base: Base {
            epoch: EpochId::from_slice(&bytes(dice)).unwrap(),
            position: Position::new(number(dice)),
            seq: DeviceSeq::new(number(dice)),
        },
        authored_at: micros(dice),
        effective_on: dice.chance(50).then(|| date(dice)),
        group: None,
        expect: vec![Expectation { entity: entity(dice), field: field(dice), sides: vec![event(dice)] }],
        kind: String::new(),
        schema_version: 0,
        must_understand: dice.chance(50),
        digests,
        change: change(dice),
    }
}

fn record(dice: &mut Dice, next: Position) -> Recorded {
    let any = Position::new(number(dice));
    let entry = if dice.chance(10) {
        Entry::Rejected(RejectedFacts {
            recorded_on: date(dice),
            device_id: DeviceId::default(),
            device_seq: DeviceSeq::ZERO,
            base_epoch: EpochId::default(),
            reason: RejectionCode::new(0),
        })
    } else {
        let first = First {
            epoch: EpochId::from_slice(&bytes(dice)).unwrap(),
            position: Position::new(number(dice)),
        };
        let facts = Facts {
            recorded_on: date(dice),
            applies_on: dice.chance(50).then(|| date(dice)),
            equal_to: vec![(field(dice), event(dice)), (field(dice), event(dice))],
            first: dice.chance(30).then_some(first),
        };
        Entry::Accepted { body: Box::new(body(dice)), facts }
    };
    Recorded {
        position: if dice.chance(85) { next } else { any },
        recorded_at: micros(dice),
        event_id: event(dice),
        body_hash: Digest::ZERO,
        entry,
    }
}

/// Everything that reads a state, asked once.
fn read(state: &State, values: &dyn radslag_core::value::Values, day: CivilDate) {
    state.hash();
    view::conflicts(state);
    view::program(state, values, day);
    for (id, _) in state.entities() {
        history::blame(state, id, day);
    }
}

proptest! {
    #![proptest_config(tries(48))]

    #[test]
    fn apply_takes_any_record_at_all(honest in steps(), dice in prop::collection::vec(any::<u64>(), 1..80)) {
        let town = history(&honest[..honest.len() / 4]);
        for keep in [Keep::Sides, Keep::Everything] {
            let mut states = [State::new(ProgramId::default(), keep), town.state.clone()];
            for state in &mut states {
                for seed in &dice {
                    let record = record(&mut Dice(*seed), state.head().next());
                    let before = state.clone();
                    let changes = history::step(state, &record);
                    if record.position != before.head().next() {
                        prop_assert_eq!(&*state, &before);
                    } else {
                        prop_assert_eq!(state.head(), record.position);
                        prop_assert!(record.body().is_some() || changes.is_empty());
                    }
                }
                read(state, &town.past, CivilDate::LAST);
                read(state, &town.past, town.today());
            }
        }
    }

    #[test]
    fn judging_answers_whatever_it_is_asked(honest in steps(), dice in prop::collection::vec(any::<u64>(), 1..80)) {
        let mut town = history(&honest[..honest.len() / 4]);
        for seed in &dice {
            let mut dice = Dice(*seed);
            let mut body = body(&mut dice);
            // Otherwise nearly everything would stop at the door.
            let device = dice.pick(&[0, 1, 2]);
            body.device_id = town.devices[device].id;
            body.actor_id = town.devices[device].member;
            body.org_id = town.devices[device].org.clone();
            if dice.chance(70) {
                body.expect.clear();
            }
            let landing = Landing {
                position: town.state.head().next(),
                recorded_at: micros(&mut dice),
                recorded_on: date(&mut dice),
                authored_on: date(&mut dice),
                first: None,
            };
            let verdict = judge(&town.state, &town.past, &body, landing);
            prop_assert_eq!(&verdict, &judge(&town.state, &town.past, &body, landing));
            if let Ok(facts) = verdict {
                let position = landing.position;
                let entry = Entry::Accepted { body: Box::new(body.clone()), facts };
                let (event_id, body_hash) = (body.event_id, Digest::ZERO);
                town.state.apply(&Recorded { position, recorded_at: landing.recorded_at, event_id, body_hash, entry });
            }
        }
    }
}
