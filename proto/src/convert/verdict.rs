//! What became of a pushed event, on the wire and back.

use radslag_core::digest::Digest;
use radslag_core::id::{DeviceSeq, EventId, Position};
use radslag_core::rejection::{NAMES, RejectionCode};
use radslag_core::verdict::{Landing, Receipt, Refusal, RejectionReceipt, Verdict};

use super::id::{digest, parse_id, parse_optional_id};
use super::time::{instant, timestamp};
use super::{At, ConvertError, required, wrong};
use crate::api::v1 as api;

/// The answer for an event; `event` is none when its body could not be read.
pub fn encode_answer(event: Option<EventId>, verdict: &Verdict) -> api::Answer {
    use api::answer::Answer;
    let answer = match verdict {
        Verdict::Accepted(receipt) => Answer::Accepted(encode_receipt(receipt)),
        Verdict::DuplicateAccepted(receipt) => Answer::Duplicate(api::Duplicate {
            receipt: Some(api::duplicate::Receipt::Accepted(encode_receipt(receipt))),
        }),
        Verdict::DuplicateRejected(receipt) => Answer::Duplicate(api::Duplicate {
            receipt: Some(api::duplicate::Receipt::Rejected(encode_rejection(receipt))),
        }),
        Verdict::Rejected(receipt) => Answer::Rejected(encode_rejection(receipt)),
        Verdict::Refused(refusal) => {
            Answer::Refused(api::Refused { reason: refusal.name().to_owned(), detail: refusal.to_string() })
        }
        Verdict::DeviceForked { landed } => {
            Answer::DeviceForked(api::DeviceForked { landed_event_id: landed.to_string() })
        }
        Verdict::Gap { expected } => Answer::Gap(api::Gap { expected_device_seq: expected.get() }),
        Verdict::RetryLater { after_ms } => Answer::RetryLater(api::RetryLater { after_ms: *after_ms }),
    };
    api::Answer { event_id: event.map(|event| event.to_string()).unwrap_or_default(), answer: Some(answer) }
}

/// Reads an answer: the event that it is about, if it says, and what became of it.
pub fn decode_answer(answer: &api::Answer) -> Result<(Option<EventId>, Verdict), ConvertError> {
    use api::answer::Answer;
    let event = parse_optional_id("event_id", &answer.event_id)?;
    let verdict = match required(answer.answer.as_ref()).at("answer")? {
        Answer::Accepted(receipt) => Verdict::Accepted(decode_receipt(receipt).at("accepted")?),
        Answer::Duplicate(duplicate) => match required(duplicate.receipt.as_ref()).at("duplicate.receipt")? {
            api::duplicate::Receipt::Accepted(receipt) => {
                Verdict::DuplicateAccepted(decode_receipt(receipt).at("duplicate.accepted")?)
            }
            api::duplicate::Receipt::Rejected(receipt) => {
                Verdict::DuplicateRejected(decode_rejection(receipt).at("duplicate.rejected")?)
            }
        },
        Answer::Rejected(receipt) => Verdict::Rejected(decode_rejection(receipt).at("rejected")?),
        Answer::Refused(refused) => Verdict::Refused(Refusal::Other {
            reason: refused.reason.clone(),
            detail: refused.detail.clone(),
        }),
        Answer::DeviceForked(forked) => Verdict::DeviceForked {
            landed: parse_id("device_forked.landed_event_id", &forked.landed_event_id)?,
        },
        Answer::Gap(gap) => Verdict::Gap { expected: DeviceSeq::new(gap.expected_device_seq) },
        Answer::RetryLater(later) => Verdict::RetryLater { after_ms: later.after_ms },
    };
    Ok((event, verdict))
}

fn encode_receipt(receipt: &Receipt) -> api::Accepted {
    let landing = match receipt.landing {
        Landing::Unsaid => api::Landing::Unspecified,
        Landing::Clean => api::Landing::Clean,
        Landing::OpenedConflict => api::Landing::OpenedConflict,
        Landing::AppliedToRetired => api::Landing::AppliedToRetired,
    };
    api::Accepted {
        position: receipt.position.get(),
        recorded_at: Some(timestamp(receipt.recorded_at)),
        leaf_hash: receipt.leaf_hash.bytes().to_vec(),
        landing: landing.into(),
    }
}

fn decode_receipt(receipt: &api::Accepted) -> Result<Receipt, ConvertError> {
    let leaf_hash: Digest = digest(&receipt.leaf_hash).at("leaf_hash")?;
    Ok(Receipt {
        position: Position::new(receipt.position),
        recorded_at: instant(required(receipt.recorded_at.as_ref()).at("recorded_at")?)?,
        leaf_hash,
        landing: match api::Landing::try_from(receipt.landing) {
            Ok(api::Landing::Clean) => Landing::Clean,
            Ok(api::Landing::OpenedConflict) => Landing::OpenedConflict,
            Ok(api::Landing::AppliedToRetired) => Landing::AppliedToRetired,
            Ok(api::Landing::Unspecified) | Err(_) => Landing::Unsaid,
        },
    })
}

fn encode_rejection(receipt: &RejectionReceipt) -> api::Rejected {
    api::Rejected {
        position: receipt.position.get(),
        reason: receipt.reason.name().to_owned(),
        detail: receipt.detail.clone(),
        current_sides: receipt.current_sides.iter().map(ToString::to_string).collect(),
    }
}

fn decode_rejection(receipt: &api::Rejected) -> Result<RejectionReceipt, ConvertError> {
    let named = NAMES.iter().find(|(_, name)| *name == receipt.reason);
    let sides = receipt.current_sides.iter().map(|side| parse_id("current_sides", side));
    Ok(RejectionReceipt {
        position: Position::new(receipt.position),
        reason: named.map_or(RejectionCode::new(0), |(number, _)| RejectionCode::new(*number)),
        detail: if receipt.detail.is_empty() && named.is_none() {
            return Err(wrong("a rejection without a reason"));
        } else {
            receipt.detail.clone()
        },
        current_sides: sides.collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use radslag_core::time::Instant;

    use super::*;
    use crate::convert::samples::uuid_id;

    #[test]
    fn every_answer_reads_back() {
        let receipt = Receipt {
            position: Position::new(7),
            recorded_at: Instant::from_micros(1_500_000_000_123_456),
            leaf_hash: Digest::of(b"leaf"),
            landing: Landing::OpenedConflict,
        };
        let rejection = RejectionReceipt {
            position: Position::new(8),
            reason: RejectionCode::new(2),
            detail: "changed".to_owned(),
            current_sides: vec![uuid_id(3)],
        };
        let refusal = Refusal::Other { reason: "BASE_AHEAD".to_owned(), detail: "ahead".to_owned() };
        let verdicts = [
            Verdict::Accepted(receipt),
            Verdict::DuplicateAccepted(receipt),
            Verdict::DuplicateRejected(rejection.clone()),
            Verdict::Rejected(rejection),
            Verdict::Refused(refusal),
            Verdict::DeviceForked { landed: uuid_id(4) },
            Verdict::Gap { expected: DeviceSeq::new(3) },
            Verdict::RetryLater { after_ms: 20 },
        ];
        for verdict in verdicts {
            let read = decode_answer(&encode_answer(Some(uuid_id(9)), &verdict)).unwrap();
            assert_eq!(read, (Some(uuid_id(9)), verdict));
        }
        assert!(decode_answer(&api::Answer::default()).is_err());
    }
}
