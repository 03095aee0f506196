//! The bytes of facts read back, and nothing else reads.

use proptest::prelude::*;
use radslag_core::field::FieldKey;
use radslag_core::id::{DeviceId, DeviceSeq, EntityId, EpochId, EventId, Position};
use radslag_core::record::{Facts, First, RejectedFacts};
use radslag_core::rejection::RejectionCode;
use radslag_core::time::CivilDate;

use super::history::tries;

fn date() -> impl Strategy<Value = CivilDate> {
    (CivilDate::FIRST.days()..=CivilDate::LAST.days()).prop_map(|days| CivilDate::from_days(days).unwrap())
}

fn field() -> impl Strategy<Value = FieldKey> {
    let numbers = prop::sample::select(vec![1_u16, 2, 3, 4, 5, 7, 16, 17, 18, 19]);
    let plain = numbers.prop_map(|number| FieldKey::from_number(number, EntityId::default()).unwrap());
    let responsible = any::<[u8; 15]>().prop_map(|bytes| {
        let mut id = [1; 16];
        id[1..].copy_from_slice(&bytes);
        FieldKey::Responsible(EntityId::from_slice(&id).unwrap())
    });
    prop_oneof![3 => plain, 1 => responsible]
}

fn event() -> impl Strategy<Value = EventId> {
    any::<[u8; 16]>().prop_map(|bytes| EventId::from_slice(&bytes).unwrap())
}

fn first() -> impl Strategy<Value = First> {
    (any::<[u8; 16]>(), any::<u64>()).prop_map(|(epoch, position)| First {
        epoch: EpochId::from_slice(&epoch).unwrap(),
        position: Position::new(position),
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let equal_to = prop::collection::vec((field(), event()), 0..6);
    (date(), prop::option::of(date()), equal_to, prop::option::of(first())).prop_map(
        |(recorded_on, applies_on, equal_to, first)| Facts { recorded_on, applies_on, equal_to, first },
    )
}

fn rejected() -> impl Strategy<Value = RejectedFacts> {
    (date(), any::<[u8; 16]>(), any::<u64>(), any::<[u8; 16]>(), any::<u16>()).prop_map(
        |(recorded_on, device, seq, epoch, reason)| RejectedFacts {
            recorded_on,
            device_id: DeviceId::from_slice(&device).unwrap(),
            device_seq: DeviceSeq::new(seq),
            base_epoch: EpochId::from_slice(&epoch).unwrap(),
            reason: RejectionCode::new(reason),
        },
    )
}

proptest! {
    #![proptest_config(tries(256))]

    #[test]
    fn facts_read_back_as_they_were_written(facts in facts(), rejected in rejected()) {
        prop_assert_eq!(Facts::decode(&facts.encode()), Ok(facts));
        prop_assert_eq!(RejectedFacts::decode(&rejected.encode()), Ok(rejected));
    }

    /// A leaf commits to the bytes, so no two byte strings may read as the same facts.
    #[test]
    fn what_reads_as_facts_is_what_they_are_written_as(
        facts in facts(),
        rejected in rejected(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        garbage in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        for mut bytes in [facts.encode(), rejected.encode(), garbage] {
            for _ in 0..2 {
                if let Ok(read) = Facts::decode(&bytes) {
                    prop_assert_eq!(read.encode(), bytes.clone());
                }
                if let Ok(read) = RejectedFacts::decode(&bytes) {
                    prop_assert_eq!(read.encode(), bytes.clone());
                }
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
        }
    }

    #[test]
    fn facts_that_are_cut_short_or_too_long_do_not_read(
        facts in facts(),
        rejected in rejected(),
        at in any::<prop::sample::Index>(),
    ) {
        let whole = facts.encode();
        prop_assert!(Facts::decode(&whole[..at.index(whole.len())]).is_err());
        prop_assert!(Facts::decode(&[whole.as_slice(), &[0]].concat()).is_err());
        prop_assert!(RejectedFacts::decode(&whole).is_err());
        let whole = rejected.encode();
        prop_assert!(RejectedFacts::decode(&whole[..at.index(whole.len())]).is_err());
        prop_assert!(RejectedFacts::decode(&[whole.as_slice(), &[0]].concat()).is_err());
        prop_assert!(Facts::decode(&whole).is_err());
    }
}
