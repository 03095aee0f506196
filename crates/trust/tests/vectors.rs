//! The vectors of `docs/format.md`: fixed inputs and the bytes that must come out of them, for ever.
//!
//! With `RADSLAG_WRITE_VECTORS=1` a file that does not exist yet is written. One that exists is never written again:
//! a difference means that the format was broken. `check.py` beside the files checks them without this code.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

use std::fs;
use std::path::PathBuf;

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, EpochId, EventId, Position, ProgramId};
use radslag_core::record::{Facts, First, RejectedFacts};
use radslag_core::rejection::RejectionCode;
use radslag_core::time::{CivilDate, Instant};
use radslag_core::value::Slot;
use radslag_proto::event::v1 as proto;
use radslag_trust::bundle::{bundle_leaf, bundle_root, sign_bundle, signed_bytes, verify_bundle};
use radslag_trust::checkpoint::{Checkpoint, key_hash};
use radslag_trust::keys::DeviceKey;
use radslag_trust::leaf::{LeafOutcome, LogLeaf};
use radslag_trust::merkle::{Frontier, inclusion_path, leaf_hash, root, verify_inclusion};
use radslag_trust::value::value_digest;
use serde_json::{Value, json};

const DEVICE_SEED: [u8; 32] = *b"a seed that only the vectors use";
const LOG_SEED: [u8; 32] = *b"a log's seed, for vectors only!!";
const TITLE: &str = "Utvecklingsprogram för Södertörn";
const TITLE_SALT: [u8; 16] = *b"salt of a title!";

fn program() -> ProgramId {
    "5f0c6d1e-58d3-4c83-9f41-0d5a35a1b1a4".parse().unwrap()
}

fn device() -> DeviceId {
    "c2a9e6d4-7f10-4b8e-a3d5-9e61f0b7c812".parse().unwrap()
}

fn event(n: u8) -> EventId {
    let mut bytes = *b"\x01\x6b\xc4\x10\x2d\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x00";
    bytes[15] = n;
    EventId::from_slice(&bytes).unwrap()
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

fn hexes(digests: &[Digest]) -> Vec<String> {
    digests.iter().map(|digest| hex(digest.bytes())).collect()
}

/// Holds `made` against the file, or writes the file when it is asked for and not there.
fn check(name: &str, made: &Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vectors");
    let path = folder.join(format!("{name}.json"));
    if std::env::var_os("RADSLAG_WRITE_VECTORS").is_some() && !path.exists() {
        let text = serde_json::to_string_pretty(made).unwrap() + "\n";
        fs::write(&path, text).unwrap();
    }
    let kept: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(*made, kept, "{name}.json is for ever, and these rules no longer make it");
}

#[test]
fn values_have_the_digests_of_the_vectors() {
    let cases: [(u8, Slot, [u8; 16], &[u8]); 6] = [
        (1, Slot::TITLE, TITLE_SALT, TITLE.as_bytes()),
        (2, Slot::COST, [0xff; 16], "5000000 SEK\n50 000 kr".as_bytes()),
        (2, Slot::COMMENT, *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", b""),
        // Decomposed letters are hashed as typed: NFC is for comparing.
        (2, Slot::REASON, [0x11; 16], "A\u{30a}rsmo\u{308}te".as_bytes()),
        (3, Slot::FILE_DIGEST, [0x22; 16], &[0xab; 32]),
        // Two bytes of slot and two of length, none of them zero.
        (3, Slot::new(0x0102), [0x33; 16], &[b'x'; 0x0304]),
    ];
    let cases = cases.map(|(n, slot, salt, bytes)| {
        json!({
            "program_id": hex(program().bytes()),
            "event_id": hex(event(n).bytes()),
            "slot": slot.get(),
            "salt": hex(salt),
            "bytes": hex(bytes),
            "digest": hex(value_digest(program(), event(n), slot, &salt, bytes).bytes()),
        })
    });
    check("values", &json!({ "about": "docs/format.md, Values and their digests", "cases": cases }));
}

/// The first two bodies of a programme, as its creator's device writes them.
fn real_bodies() -> Vec<Vec<u8>> {
    let title = value_digest(program(), event(1), Slot::TITLE, &TITLE_SALT, TITLE.as_bytes());
    let created = proto::EventBody {
        event_id: event(1).bytes().to_vec(),
        program_id: program().bytes().to_vec(),
        actor_id: vec![0x44; 16],
        org_id: "huddinge".to_owned(),
        device_id: device().bytes().to_vec(),
        device_seq: 1,
        prev: vec![0; 32],
        base: Some(proto::Base { epoch: vec![0; 16], position: 0, seq: 0 }),
        authored_at: 1_562_763_600_000_000,
        kind: "program_created".to_owned(),
        schema_version: 1,
        must_understand: true,
        digests: vec![proto::ValueDigest { slot: 1, digest: title.bytes().to_vec() }],
        change: Some(proto::event_body::Change::ProgramCreated(proto::ProgramCreated {
            log_key: DeviceKey::from_seed(LOG_SEED).public().bytes().to_vec(),
            device_key: DeviceKey::from_seed(DEVICE_SEED).public().bytes().to_vec(),
            rules: 1,
        })),
        ..Default::default()
    };
    let first = created.encode_to_vec();
    let admitted = proto::EventBody {
        event_id: event(2).bytes().to_vec(),
        device_seq: 2,
        prev: Digest::of(&first).bytes().to_vec(),
        base: Some(proto::Base { epoch: vec![0; 16], position: 0, seq: 1 }),
        authored_at: 1_562_763_600_000_001,
        kind: "organisation_admitted".to_owned(),
        digests: Vec::new(),
        change: Some(proto::event_body::Change::OrganisationAdmitted(proto::OrganisationAdmitted {
            org_id: "huddinge".to_owned(),
            party_id: Vec::new(),
        })),
        ..created
    };
    vec![first, admitted.encode_to_vec()]
}

fn bundle(about: &str, bodies: &[Vec<u8>]) -> Value {
    let key = DeviceKey::from_seed(DEVICE_SEED);
    let hashes: Vec<Digest> = bodies.iter().map(|body| Digest::of(body)).collect();
    let leaves: Vec<Digest> = hashes.iter().map(|hash| bundle_leaf(*hash)).collect();
    let size = u32::try_from(bodies.len()).unwrap();
    let signature = sign_bundle(&key, program(), device(), &hashes);
    assert_eq!(verify_bundle(&key.public(), program(), device(), &hashes, &signature), Ok(()));
    json!({
        "about": about,
        "seed": hex(key.seed()),
        "public_key": hex(key.public().bytes()),
        "key_id": hex(key.public().key_id().bytes()),
        "program_id": hex(program().bytes()),
        "device_id": hex(device().bytes()),
        "bodies": bodies.iter().map(hex).collect::<Vec<_>>(),
        "leaves": hexes(&leaves),
        "root": hex(bundle_root(&leaves).bytes()),
        "signed_bytes": hex(signed_bytes(program(), device(), size, bundle_root(&leaves))),
        "signature": hex(signature.bytes()),
    })
}

#[test]
fn bundles_have_the_signatures_of_the_vectors() {
    let seven: Vec<Vec<u8>> = (1..=7).map(|n| vec![n; usize::from(n)]).collect();
    let cases = [
        bundle("the first two events of a programme", &real_bodies()),
        bundle("one event: the root is its leaf", &real_bodies()[..1]),
        bundle("seven bodies of any bytes", &seven),
    ];
    check("bundles", &json!({ "about": "docs/format.md, A signed bundle", "cases": cases }));
}

fn entity(n: u8) -> EntityId {
    EntityId::from_slice(&[n; 16]).unwrap()
}

fn day(text: &str) -> CivilDate {
    text.parse().unwrap()
}

fn accepted_facts(facts: &Facts) -> Value {
    let pair = |(field, event): &(FieldKey, EventId)| json!({ "field": field.number(), "qualifier": hex(field.qualifier().bytes()), "event_id": hex(event.bytes()) });
    json!({
        "recorded_on": facts.recorded_on.days(),
        "applies_on": facts.applies_on.map(CivilDate::days),
        "equal_to": facts.equal_to.iter().map(pair).collect::<Vec<_>>(),
        "first": facts.first.map(|f| json!({ "epoch_id": hex(f.epoch.bytes()), "position": f.position.get() })),
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

fn leaf(outcome: LeafOutcome, position: u64, facts: &Value, encoded: &[u8]) -> Value {
    let n = u8::try_from(position % 100).unwrap();
    let recorded_at = Instant::from_micros(1_562_763_600_123_456 + i64::from(n));
    let body = real_bodies()[0].clone();
    let signature = DeviceKey::from_seed(DEVICE_SEED).sign(&[n]);
    let leaf = LogLeaf {
        outcome,
        position: Position::new(position),
        recorded_at,
        event_id: event(n),
        body_hash: Digest::of(&body),
        signature_hash: signature.digest(),
        facts_hash: Digest::of(encoded),
    };
    json!({
        "outcome": match outcome { LeafOutcome::Accepted => "accepted", LeafOutcome::Rejected => "rejected" },
        "position": position,
        "recorded_at": recorded_at.micros(),
        "event_id": hex(event(n).bytes()),
        "body": hex(body),
        "signature": hex(signature.bytes()),
        "facts": facts,
        "facts_bytes": hex(encoded),
        "log_leaf": hex(leaf.bytes()),
        "leaf_hash": hex(leaf.hash().bytes()),
    })
}

#[test]
fn records_have_the_leaves_of_the_vectors() {
    let recorded_on = day("2019-07-10");
    let plain = Facts { recorded_on, applies_on: None, equal_to: Vec::new(), first: None };
    let full = Facts {
        recorded_on,
        applies_on: Some(day("1900-01-01")),
        equal_to: vec![(FieldKey::Title, event(1)), (FieldKey::Responsible(entity(0x55)), event(2))],
        first: Some(First { epoch: EpochId::from_slice(&[0x66; 16]).unwrap(), position: Position::new(7) }),
    };
    let declined = RejectedFacts {
        recorded_on,
        device_id: device(),
        device_seq: DeviceSeq::new(0x0102_0304_0506),
        base_epoch: EpochId::default(),
        reason: RejectionCode::new(2),
    };
    let cases = [
        leaf(LeafOutcome::Accepted, 1, &accepted_facts(&plain), &plain.encode()),
        leaf(LeafOutcome::Accepted, 3_000_000_002, &accepted_facts(&full), &full.encode()),
        leaf(LeafOutcome::Rejected, 3, &rejected_facts(&declined), &declined.encode()),
    ];
    check("leaves", &json!({ "about": "docs/format.md, Records and log leaves, Facts", "cases": cases }));
}

/// The leaves of the public Certificate Transparency vectors, so that the roots can be looked up elsewhere.
fn tree_data() -> [&'static [u8]; 8] {
    [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ]
}

#[test]
fn trees_have_the_roots_of_the_vectors() {
    let hashes = tree_data().map(leaf_hash);
    let mut frontier = Frontier::new();
    let mut sizes = Vec::new();
    for size in 0..=hashes.len() {
        assert_eq!(frontier.root(), root(&hashes[..size]));
        let paths: Vec<_> = (0..size).map(|n| hexes(&inclusion_path(&hashes[..size], n).unwrap())).collect();
        sizes.push(json!({
            "size": size,
            "root": hex(frontier.root().bytes()),
            "frontier": hexes(frontier.hashes()),
            "inclusion_paths": paths,
        }));
        if let Some(next) = hashes.get(size) {
            frontier.append(*next);
        }
    }
    let path = inclusion_path(&hashes, 5).unwrap();
    assert_eq!(verify_inclusion(hashes[5], 5, 8, &path, frontier.root()), Ok(()));
    let made = json!({
        "about": "RFC 6962: the root, the frontier and the path of each leaf at sizes 0 to 8",
        "leaf_data": tree_data().map(hex),
        "leaf_hashes": hexes(&hashes),
        "sizes": sizes,
    });
    check("merkle", &made);
}

#[test]
fn checkpoints_have_the_notes_of_the_vectors() {
    let key = DeviceKey::from_seed(LOG_SEED);
    let epoch: EpochId = "b7e2a1d0-3c4f-4e5a-8b6d-7f8091a2b3c4".parse().unwrap();
    let cases = [(EpochId::default(), 0), (EpochId::default(), 7), (epoch, 8)].map(|(epoch, size)| {
        let root = root(&tree_data().map(leaf_hash)[..size]);
        let checkpoint = Checkpoint { program: program(), epoch, size: u64::try_from(size).unwrap(), root };
        let note = checkpoint.sign(&key);
        assert_eq!(Checkpoint::verify(&note, program(), &key.public()), Ok(checkpoint));
        json!({
            "seed": hex(key.seed()),
            "public_key": hex(key.public().bytes()),
            "key_hash": hex(key_hash(&checkpoint.origin(), &key.public())),
            "program_id": hex(program().bytes()),
            "epoch_id": hex(epoch.bytes()),
            "size": size,
            "root": hex(root.bytes()),
            "note": note,
        })
    });
    check("checkpoint", &json!({ "about": "docs/format.md, Checkpoints", "cases": cases }));
}
