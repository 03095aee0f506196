//! How long to wait before asking a server again: never all at the same moment. The randomness comes in as an argument.

use std::time::Duration;

use radslag_proto::api::v1 as api;

/// However long a server asks to be left alone for, it is asked again after this.
const LONGEST: Duration = Duration::from_secs(60);

/// From `least` to twice as long, as `random` falls.
pub fn spread(least: Duration, random: [u8; 16]) -> Duration {
    let chance = u32::from(u16::from_be_bytes([random[0], random[1]]));
    least.saturating_add(least.saturating_mul(chance) / (u32::from(u16::MAX) + 1))
}

/// How long to wait after a server has said that a stream must begin again: at least as long as it asks for.
pub fn after(told: &api::MustRefetch, random: [u8; 16]) -> Duration {
    spread(Duration::from_millis(u64::from(told.backoff_ms)).min(LONGEST), random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_as_long_as_asked_for_and_at_most_twice_that() {
        let told = |backoff_ms| api::MustRefetch { backoff_ms, ..api::MustRefetch::default() };
        let (low, high) = ([0; 16], [255; 16]);
        assert_eq!(after(&told(500), low), Duration::from_millis(500));
        assert_eq!(after(&told(500), high).as_millis(), 999);
        let mut middle = [0; 16];
        middle[0] = 0x80;
        assert_eq!(after(&told(500), middle).as_millis(), 750);
        assert_eq!(after(&told(0), high), Duration::ZERO);
        assert!(after(&told(u32::MAX), high) <= 2 * LONGEST, "a server cannot send anybody away for weeks");
        assert_eq!(spread(Duration::MAX, low), Duration::MAX);
    }
}
