//! Records of a log: what the writer made of an event, checked against itself. Places in the Merkle tree and signatures are
//! checked by whoever verifies.

use radslag_core::digest::Digest;
use radslag_core::id::{EventId, Position};
use radslag_core::record::{Entry, Facts, FactsError, Recorded, RejectedFacts};
use radslag_core::time::Instant;

use super::event::decode_body;
use super::field::{Outcome, outcome_from_wire, outcome_to_wire};
use super::id::{Id, digest, id};
use super::{At, ConvertError, ensure, wrong};
use crate::log::v1 as wire;

/// Reads a record: position from 1, facts in the bytes of `docs/format.md`, and for an accepted event a body whose hash
/// and event id are the record's. The bundle that it names is not part of the answer.
pub fn decode_record(record: &wire::Record) -> Result<Recorded, ConvertError> {
    ensure(record.position >= 1, "is 0, a log counts from 1").at("position")?;
    let event_id: EventId = id(&record.event_id).at("event_id")?;
    let body_hash = digest(&record.body_hash).at("body_hash")?;
    let entry = match outcome_from_wire(record.outcome).at("outcome")? {
        Outcome::Accepted => read_accepted(record, event_id, body_hash)?,
        Outcome::Rejected => read_rejected(record)?,
    };
    Ok(Recorded {
        position: Position::new(record.position),
        recorded_at: Instant::from_micros(record.recorded_at),
        event_id,
        body_hash,
        entry,
    })
}

fn read_accepted(record: &wire::Record, event_id: EventId, body_hash: Digest) -> Result<Entry, ConvertError> {
    ensure(Digest::of(&record.body) == body_hash, "is not the SHA-256 of the body").at("body_hash")?;
    let body = decode_body(&record.body).at("body")?;
    ensure(body.event_id == event_id, "is not the body's").at("event_id")?;
    let facts = Facts::decode(&record.facts).map_err(damaged).at("facts")?;
    let ascends = facts.equal_to.windows(2).all(|pair| pair[0].0 < pair[1].0);
    ensure(ascends, "name fields that do not ascend").at("facts")?;
    Ok(Entry::Accepted { body: Box::new(body), facts })
}

fn read_rejected(record: &wire::Record) -> Result<Entry, ConvertError> {
    ensure(record.body.is_empty(), "is there though the event was rejected").at("body")?;
    RejectedFacts::decode(&record.facts).map_err(damaged).at("facts").map(Entry::Rejected)
}

fn damaged(error: FactsError) -> ConvertError {
    wrong(format!("are damaged at byte {}", error.at))
}

/// The message for a record. `body` is what the author signed, kept only for an accepted event; the bundle is named by
/// the position of its first member that landed, and `bundle_index` counts all its members from 0.
pub fn encode_record(
    recorded: &Recorded,
    body: Vec<u8>,
    bundle_position: Position,
    bundle_index: u32,
) -> wire::Record {
    let (outcome, facts, body) = match &recorded.entry {
        Entry::Accepted { facts, .. } => (Outcome::Accepted, facts.encode(), body),
        Entry::Rejected(facts) => (Outcome::Rejected, facts.encode(), Vec::new()),
    };
    wire::Record {
        position: recorded.position.get(),
        outcome: outcome_to_wire(outcome).into(),
        recorded_at: recorded.recorded_at.micros(),
        event_id: recorded.event_id.to_vec(),
        body_hash: recorded.body_hash.bytes().to_vec(),
        facts,
        body,
        bundle_position: bundle_position.get(),
        bundle_index,
    }
}

#[cfg(test)]
mod tests {
    use radslag_core::field::FieldKey;
    use radslag_core::id::{DeviceId, DeviceSeq, EpochId};
    use radslag_core::record::First;
    use radslag_core::rejection::RejectionCode;
    use radslag_core::time::CivilDate;

    use super::*;
    use crate::convert::event::encode_body;
    use crate::convert::samples;

    fn accepted() -> (Recorded, Vec<u8>) {
        let body = samples::bodies().remove(6);
        let bytes = encode_body(&body).unwrap();
        let facts = Facts {
            recorded_on: CivilDate::from_days(18_000).unwrap(),
            applies_on: CivilDate::from_days(18_001),
            equal_to: vec![(FieldKey::Title, samples::event(1)), (FieldKey::Cost, samples::event(2))],
            first: Some(First { epoch: samples::uuid_id(9), position: Position::new(3) }),
        };
        let recorded = Recorded {
            position: Position::new(7),
            recorded_at: Instant::from_micros(1_555_200_000_000_000),
            event_id: body.event_id,
            body_hash: Digest::of(&bytes),
            entry: Entry::Accepted { body: Box::new(body), facts },
        };
        (recorded, bytes)
    }

    fn rejected() -> Recorded {
        let facts = RejectedFacts {
            recorded_on: CivilDate::from_days(18_000).unwrap(),
            device_id: samples::uuid_id::<DeviceId>(4),
            device_seq: DeviceSeq::new(2),
            base_epoch: EpochId::default(),
            reason: RejectionCode::new(2),
        };
        let (accepted, _) = accepted();
        Recorded { entry: Entry::Rejected(facts), ..accepted }
    }

    #[test]
    fn records_read_back_and_a_rejected_one_keeps_no_body() {
        let (recorded, bytes) = accepted();
        let message = encode_record(&recorded, bytes.clone(), Position::new(6), 1);
        assert_eq!((message.bundle_position, message.bundle_index), (6, 1));
        assert_eq!(message.body, bytes);
        assert_eq!(decode_record(&message), Ok(recorded));

        let message = encode_record(&rejected(), bytes, Position::new(6), 1);
        assert!(message.body.is_empty());
        assert_eq!(decode_record(&message), Ok(rejected()));
    }

    #[test]
    fn a_record_that_contradicts_itself_says_where() {
        let (recorded, bytes) = accepted();
        let good = encode_record(&recorded, bytes.clone(), Position::new(6), 1);
        type Spoil = fn(&mut wire::Record);
        let cases: [(Spoil, &str); 9] = [
            (|r| r.position = 0, "position"),
            (|r| r.outcome = 0, "outcome"),
            (|r| r.outcome = 3, "outcome"),
            (|r| r.event_id = vec![7; 16], "event_id"),
            (|r| r.event_id.clear(), "event_id"),
            (|r| r.body_hash[0] ^= 1, "body_hash"),
            (|r| r.facts.push(0), "facts"),
            (|r| r.facts = Vec::new(), "facts"),
            (|r| r.body.push(0), "body_hash"),
        ];
        for (spoil, path) in cases {
            let mut record = good.clone();
            spoil(&mut record);
            assert_eq!(decode_record(&record).unwrap_err().path, path);
        }
        let mut record = encode_record(&rejected(), Vec::new(), Position::new(6), 1);
        record.body = bytes;
        assert_eq!(decode_record(&record).unwrap_err().path, "body");
    }

    #[test]
    fn a_body_that_cannot_be_read_is_named_inside_its_record() {
        let (recorded, _) = accepted();
        let mut record = encode_record(&recorded, vec![0x82, 0x01, 0x02, 0x08, 0x01], Position::new(6), 1);
        record.body_hash = Digest::of(&record.body).bytes().to_vec();
        assert!(decode_record(&record).unwrap_err().path.starts_with("body."));
    }

    #[test]
    fn equal_writes_that_do_not_ascend_are_damage() {
        let (mut recorded, bytes) = accepted();
        if let Entry::Accepted { facts, .. } = &mut recorded.entry {
            facts.equal_to.reverse();
        }
        let record = encode_record(&recorded, bytes, Position::new(6), 1);
        assert_eq!(decode_record(&record).unwrap_err().path, "facts");
    }
}
