//! Values and their digests: what ties the text that travels beside a body to the body that was signed.

use std::collections::{BTreeMap, BTreeSet};

use radslag_core::digest::{Digest, Hasher};
use radslag_core::event::ValueDigest;
use radslag_core::id::{EventId, ProgramId};
use radslag_core::value::{Slot, Value};

/// Values that are not exactly those that the body's digests speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The body has two digests for one slot.
    #[error("the body has more than one digest in slot {}", slot.get())]
    RepeatedDigest {
        /// The slot.
        slot: Slot,
    },
    /// A digest came without its value.
    #[error("the value in slot {} is missing", slot.get())]
    Missing {
        /// The slot.
        slot: Slot,
    },
    /// A value came without a digest, or a second time.
    #[error("the value in slot {} is one too many", slot.get())]
    Extra {
        /// The slot.
        slot: Slot,
    },
    /// The salt is sixteen zero bytes: the digest could be guessed back to the value.
    #[error("the salt of the value in slot {} is all zero", slot.get())]
    ZeroSalt {
        /// The slot.
        slot: Slot,
    },
    /// The salt was used by another value of the event.
    #[error("the salt of the value in slot {} was used twice", slot.get())]
    RepeatedSalt {
        /// The slot of the second use.
        slot: Slot,
    },
    /// The value is not the one whose digest was signed.
    #[error("the value in slot {} does not match its digest", slot.get())]
    Mismatch {
        /// The slot.
        slot: Slot,
    },
}

/// The digest under which a body commits to a value (`docs/format.md`, "Values and their digests").
///
/// `bytes` are within the format's limit for an event, 64 KiB; the length is hashed as four bytes.
pub fn value_digest(program: ProgramId, event: EventId, slot: Slot, salt: &[u8; 16], bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new("radslag/value/v1\n");
    hasher.put(program.bytes()).put(event.bytes()).put_u16(slot.get()).put(salt);
    hasher.put_count(bytes.len()).put(bytes);
    hasher.finish()
}

/// Checks that there is exactly one value for each digest, none missing and none extra, each with a salt of its own.
///
/// # Errors
/// The first thing wrong, with its slot.
pub fn check_values(
    program: ProgramId,
    event: EventId,
    digests: &[ValueDigest],
    values: &[Value],
) -> Result<(), ValueError> {
    let mut open = BTreeMap::new();
    for ValueDigest { slot, digest } in digests {
        if open.insert(*slot, *digest).is_some() {
            return Err(ValueError::RepeatedDigest { slot: *slot });
        }
    }
    let mut salts = BTreeSet::new();
    for Value { slot, salt, bytes } in values {
        let slot = *slot;
        // Each digest is answered once, so that a second value for it is extra.
        let expected = open.remove(&slot).ok_or(ValueError::Extra { slot })?;
        if *salt == [0; 16] {
            return Err(ValueError::ZeroSalt { slot });
        }
        if !salts.insert(salt) {
            return Err(ValueError::RepeatedSalt { slot });
        }
        if value_digest(program, event, slot, salt, bytes) != expected {
            return Err(ValueError::Mismatch { slot });
        }
    }
    open.keys().next().map_or(Ok(()), |slot| Err(ValueError::Missing { slot: *slot }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> ProgramId {
        ProgramId::from_slice(&[1; 16]).unwrap()
    }

    fn event() -> EventId {
        EventId::from_slice(&[2; 16]).unwrap()
    }

    fn value(slot: Slot, salt: u8, text: &str) -> Value {
        Value { slot, salt: [salt; 16], bytes: text.as_bytes().to_vec() }
    }

    fn digest(value: &Value) -> ValueDigest {
        let digest = value_digest(program(), event(), value.slot, &value.salt, &value.bytes);
        ValueDigest { slot: value.slot, digest }
    }

    fn check(digests: &[ValueDigest], values: &[Value]) -> Result<(), ValueError> {
        check_values(program(), event(), digests, values)
    }

    #[test]
    fn values_that_match_are_taken_in_any_order() {
        let title = value(Slot::TITLE, 1, "Delmål");
        let reason = value(Slot::REASON, 2, "");
        let digests = [digest(&title), digest(&reason)];
        assert_eq!(check(&digests, &[title.clone(), reason.clone()]), Ok(()));
        assert_eq!(check(&digests, &[reason, title]), Ok(()));
        assert_eq!(check(&[], &[]), Ok(()));
    }

    #[test]
    fn there_is_exactly_one_value_for_each_digest() {
        let title = value(Slot::TITLE, 1, "a");
        let time = value(Slot::TIME, 2, "b");
        let digests = [digest(&title), digest(&time)];
        let missing = Err(ValueError::Missing { slot: Slot::TIME });
        assert_eq!(check(&digests, std::slice::from_ref(&title)), missing);
        let extra = Err(ValueError::Extra { slot: Slot::TIME });
        assert_eq!(check(&digests[..1], &[title.clone(), time.clone()]), extra);
        let again = value(Slot::TITLE, 3, "a");
        let twice = Err(ValueError::Extra { slot: Slot::TITLE });
        assert_eq!(check(&digests, &[title.clone(), again, time]), twice);
        let repeated = Err(ValueError::RepeatedDigest { slot: Slot::TITLE });
        assert_eq!(check(&[digests[0], digests[0]], &[title]), repeated);
    }

    #[test]
    fn a_zero_salt_and_a_salt_used_twice_are_refused() {
        let zero = value(Slot::COMMENT, 0, "a");
        let refused = Err(ValueError::ZeroSalt { slot: Slot::COMMENT });
        assert_eq!(check(&[digest(&zero)], &[zero]), refused);
        let pair = [value(Slot::TITLE, 7, "a"), value(Slot::COST, 7, "b")];
        let refused = Err(ValueError::RepeatedSalt { slot: Slot::COST });
        assert_eq!(check(&[digest(&pair[0]), digest(&pair[1])], &pair), refused);
    }

    #[test]
    fn a_digest_holds_for_one_value_in_one_slot_of_one_event() {
        let signed = value(Slot::GOAL, 9, "500'invånare");
        let digests = [digest(&signed)];
        let mismatch = Err(ValueError::Mismatch { slot: Slot::GOAL });
        let other_text = Value { bytes: b"600'invanare".to_vec(), ..signed.clone() };
        assert_eq!(check(&digests, &[other_text]), mismatch);
        let other_salt = Value { salt: [8; 16], ..signed.clone() };
        assert_eq!(check(&digests, &[other_salt]), mismatch);
        let other_event = EventId::from_slice(&[3; 16]).unwrap();
        assert_eq!(check_values(program(), other_event, &digests, std::slice::from_ref(&signed)), mismatch);
        let other_program = ProgramId::from_slice(&[3; 16]).unwrap();
        assert_eq!(check_values(other_program, event(), &digests, std::slice::from_ref(&signed)), mismatch);
        let other_slot = Value { slot: Slot::NAME, ..signed };
        let digests = [ValueDigest { slot: Slot::NAME, ..digests[0] }];
        assert_eq!(check(&digests, &[other_slot]), Err(ValueError::Mismatch { slot: Slot::NAME }));
    }
}
