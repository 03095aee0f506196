//! Everything that reads bytes from elsewhere, given whatever bytes: it answers, and what it takes it gives back as it was. `cargo test`
//! runs each on seeds and thousands of inputs made from them; `fuzz/` wraps each for `cargo fuzz`.

use std::fs;
use std::path::Path;

use prost::Message as _;
use radslag_client::form::Form;
use radslag_core::basis::Basis;
use radslag_core::digest::Digest;
use radslag_core::id::ProgramId;
use radslag_core::parse::cost::parse_cost;
use radslag_core::parse::time::parse_time;
use radslag_core::state::{Keep, State};
use radslag_engine::check::{Keys, check_bundle};
use radslag_engine::ledger::Ledger;
use radslag_engine::snapshot::Snapshot;
use radslag_proto::api::v1 as api;
use radslag_proto::convert::bundle::{decode_bundle, decode_landed_bundle, encode_bundle, encode_event};
use radslag_proto::convert::event::{decode_body, encode_body};
use radslag_proto::convert::record::decode_record;
use radslag_proto::convert::snapshot::{decode_state, encode_state};
use radslag_proto::convert::verdict::decode_answer;
use radslag_proto::log::v1;
use radslag_trust::bundle::sign_bundle;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::DeviceKey;

use crate::dice::Dice;

/// One reader of bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: that of its seeds and of its `fuzz` target.
    pub name: &'static str,
    /// Reads the bytes. It panics where something is not as it must be.
    pub read: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "event_body", read: event_body },
    Target { name: "bundle", read: bundle },
    Target { name: "landed_bundle", read: landed_bundle },
    Target { name: "record", read: record },
    Target { name: "state", read: state },
    Target { name: "snapshot", read: snapshot },
    Target { name: "answer", read: answer },
    Target { name: "table", read: table },
    Target { name: "text", read: text },
];

/// The bytes that an author signed.
pub fn event_body(bytes: &[u8]) {
    let Ok(body) = decode_body(bytes) else { return };
    // A later release may have written more than this one knows; what it knows it reads again.
    if let Ok(again) = encode_body(&body) {
        assert_eq!(decode_body(&again).as_ref(), Ok(&body));
    }
}

/// A bundle as it is pushed, with its signature and its values.
pub fn bundle(bytes: &[u8]) {
    let Ok(message) = api::Bundle::decode(bytes) else { return };
    let Ok(pushed) = decode_bundle(Some(message)) else { return };
    // Nobody's key has signed what falls out of dice.
    let _ = check_bundle(pushed.clone(), None, &[7; 32], &Keys::default());
    let _ = check_bundle(pushed, Some([8; 32]), &[7; 32], &Keys::default());
}

/// A signature as a log keeps it.
pub fn landed_bundle(bytes: &[u8]) {
    let Ok(message) = v1::Bundle::decode(bytes) else { return };
    let _ = decode_landed_bundle(&message);
}

/// A record of a log, which is then folded.
pub fn record(bytes: &[u8]) {
    let Ok(message) = v1::Record::decode(bytes) else { return };
    let Ok(record) = decode_record(&message) else { return };
    let program = record.body().map(|body| body.program_id).unwrap_or_default();
    let mut state = State::new(program, Keep::Sides);
    state.apply(&record);
    let _ = state.hash();
}

/// A folded state.
pub fn state(bytes: &[u8]) {
    let Ok(message) = v1::Snapshot::decode(bytes) else { return };
    let Ok(state) = decode_state(&message) else { return };
    if let Some(again) = encode_state(&state) {
        assert_eq!(decode_state(&again).map(|again| again.hash()).ok(), Some(state.hash()));
    }
}

/// A snapshot that a replica may begin from.
pub fn snapshot(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::decode(bytes) else { return };
    let _ = snapshot.to_ledger();
    assert!(Snapshot::decode(&snapshot.encode()).is_ok());
}

/// A server's answer about one event.
pub fn answer(bytes: &[u8]) {
    let Ok(message) = api::Answer::decode(bytes) else { return };
    let _ = decode_answer(&message);
}

/// A table to import.
pub fn table(bytes: &[u8]) {
    for sheet in [radslag_table::read_csv(bytes), radslag_table::read_json(bytes)].into_iter().flatten() {
        sheet.to_table().not_understood();
    }
    let Ok(table) = radslag_table::read(bytes) else { return };
    let written = radslag_table::write(Some(&table.layout), &table.to_export());
    // What was taken in without a loss comes back byte for byte.
    assert_eq!(written.ok().as_deref(), Some(bytes));
}

/// What people type or hand over as text.
pub fn text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = parse_cost(text);
    let _ = parse_time(text);
    let _ = text.parse::<Basis>();
    let _ = text.parse::<Form>();
    let _ = Checkpoint::verify(text, ProgramId::default(), &DeviceKey::from_seed([7; 32]).public());
}

/// What each of them is tried with first: what a real log holds, and what somebody once stumbled over (`tests/fixtures/fuzz`).
///
/// # Panics
/// The fixtures are not there.
pub fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let records = golden(&fixtures);
    let bodies = records.iter().map(|record| record.body.clone()).filter(|body| !body.is_empty());
    let mut seeds: Vec<Vec<u8>> = match target.name {
        "event_body" => bodies.collect(),
        "bundle" => bodies.map(|body| pushed(body).encode_to_vec()).collect(),
        "landed_bundle" => {
            let bundle = |position| v1::Bundle { position, device_id: vec![1; 16], ..v1::Bundle::default() };
            (1..4).map(|position| bundle(position).encode_to_vec()).collect()
        }
        "record" => records.iter().map(prost::Message::encode_to_vec).collect(),
        "state" => folded(&records)
            .iter()
            .filter_map(|ledger| encode_state(&ledger.state))
            .map(|state| state.encode_to_vec())
            .collect(),
        "snapshot" => folded(&records)
            .into_iter()
            .map(|ledger| {
                let Ledger { state, fences, frontier, .. } = ledger;
                let last = records[usize::try_from(state.head().get()).unwrap_or(1) - 1].clone();
                Snapshot { state, fences, frontier, values: Vec::new(), last }.encode()
            })
            .collect(),
        "answer" => {
            let rejected =
                api::Answer { event_id: ProgramId::default().to_string(), ..api::Answer::default() };
            vec![rejected.encode_to_vec()]
        }
        "table" => vec![fs::read(crate::town::sample()).expect("the sample is there")],
        _ => TEXTS.iter().map(|text| text.as_bytes().to_vec()).collect(),
    };
    if let Ok(found) = fs::read_dir(fixtures.join("fuzz").join(target.name)) {
        seeds.extend(found.filter_map(|entry| fs::read(entry.ok()?.path()).ok()));
    }
    seeds
}

/// Texts of every sort that is read.
const TEXTS: &[&str] = &[
    "525 000 kr",
    "50-100 tkr/år",
    "1,5 Mkr",
    "våren 2019",
    "v. 12",
    "april-maj",
    "@98/2026-11-24/r0/v1",
    "98.12.d3df318b.6adef326.dbfa",
    "radslag/x\n12\nAAAA\n\n— radslag/x AAAA\n",
];

/// The records of the golden log.
fn golden(fixtures: &Path) -> Vec<v1::Record> {
    let bytes = fs::read(fixtures.join("log/v1/records.bin")).expect("the golden log is there");
    let (mut rest, mut records) = (bytes.as_slice(), Vec::new());
    while let Ok(record) = v1::Record::decode_length_delimited(&mut rest) {
        records.push(record);
    }
    records
}

/// The golden log folded, in thirds.
fn folded(records: &[v1::Record]) -> Vec<Ledger> {
    let decoded: Vec<_> = records.iter().filter_map(|record| decode_record(record).ok()).collect();
    let program = decoded[0].body().map(|body| body.program_id).unwrap_or_default();
    let upto = |count: usize| {
        let mut ledger = Ledger::new(program);
        decoded[..count].iter().for_each(|record| ledger.note(record, record.body_hash));
        ledger
    };
    [decoded.len() / 3, decoded.len() * 2 / 3, decoded.len()].map(upto).to_vec()
}

/// A bundle of one event, signed.
fn pushed(body: Vec<u8>) -> api::Bundle {
    let (program, device) =
        decode_body(&body).map(|body| (body.program_id, body.device_id)).unwrap_or_default();
    let key = DeviceKey::from_seed([7; 32]);
    let signature = sign_bundle(&key, program, device, &[Digest::of(&body)]);
    encode_bundle(program, device, signature.bytes(), vec![encode_event(body, &[])])
}

/// An input made from a seed, and perhaps from another one.
pub fn mutated(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..1 + dice.below(4) {
        let (at, length) = (dice.below(bytes.len() + 1), dice.below(12));
        let end = (at + length).min(bytes.len());
        match dice.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.splice(at..at, (0..length).map(|_| 0xFF).collect::<Vec<_>>()).for_each(drop),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece).for_each(drop);
            }
            4 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                bytes.splice(at.., other[from..].to_vec()).for_each(drop);
            }
            5 => bytes[at..end].fill(0),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many inputs are made for each.
    const INPUTS: usize = 10_000;

    #[test]
    fn whatever_is_read_is_answered() {
        for target in TARGETS {
            let seeds = seeds(target);
            assert!(!seeds.is_empty(), "{}", target.name);
            seeds.iter().for_each(|seed| (target.read)(seed));
            let mut dice = Dice::new(target.name.len() as u64);
            for number in 0..crate::rounds::rounds("RADSLAG_FUZZ_INPUTS", INPUTS) {
                let input = mutated(&mut dice, &seeds);
                let read = std::panic::catch_unwind(|| (target.read)(&input));
                assert!(read.is_ok(), "{} stumbles over input {number}: {input:?}", target.name);
            }
        }
    }

    #[test]
    fn the_seeds_are_read_for_what_they_are() {
        let read = |name: &str| {
            let target = TARGETS.iter().find(|target| target.name == name).unwrap();
            seeds(target)
        };
        assert!(read("event_body").iter().all(|seed| decode_body(seed).is_ok()));
        for seed in read("snapshot") {
            Snapshot::decode(&seed).unwrap();
        }
        assert!(
            read("state").iter().all(|seed| decode_state(&v1::Snapshot::decode(&seed[..]).unwrap()).is_ok())
        );
        let bundles = read("bundle");
        assert!(bundles.iter().all(|seed| decode_bundle(api::Bundle::decode(&seed[..]).ok()).is_ok()));
    }
}
