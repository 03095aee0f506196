//! Instants as timestamps of the api, and days as text.

use prost_types::Timestamp;
use radslag_core::time::{CivilDate, Instant};

use super::{ConvertError, ensure, wrong};

const MICROS: i64 = 1_000_000;

/// The instant as a timestamp.
pub fn timestamp(instant: Instant) -> Timestamp {
    let seconds = instant.micros().div_euclid(MICROS);
    let micros = instant.micros().rem_euclid(MICROS);
    let nanos = i32::try_from(micros * 1_000).expect("less than a second has fewer than 2^31 nanoseconds");
    Timestamp { seconds, nanos }
}

/// The timestamp as an instant. What is finer than a microsecond is cut off, so "up to this instant" stays true.
pub fn instant(timestamp: &Timestamp) -> Result<Instant, ConvertError> {
    ensure((0..1_000_000_000).contains(&timestamp.nanos), "has nanoseconds outside 0 to 999999999")?;
    let micros = timestamp.seconds.checked_mul(MICROS);
    let micros = micros.and_then(|whole| whole.checked_add(i64::from(timestamp.nanos / 1_000)));
    micros.map(Instant::from_micros).ok_or_else(|| wrong("is out of range"))
}

/// Reads a day of the api: `2019-04-10`, 1900 to 2199. `path` is the field's.
pub fn parse_date(path: &str, text: &str) -> Result<CivilDate, ConvertError> {
    text.parse().map_err(|_| ConvertError::new(path, "is not a date between 1900-01-01 and 2199-12-31"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_before_and_after_1970_read_back() {
        for micros in [0, 1, -1, 999_999, -1_000_000, 1_554_883_200_123_456, i64::MIN + 999_999, i64::MAX] {
            let there = timestamp(Instant::from_micros(micros));
            assert!((0..1_000_000_000).contains(&there.nanos));
            assert_eq!(instant(&there).unwrap().micros(), micros);
        }
    }

    #[test]
    fn a_timestamp_that_is_no_instant_is_an_error() {
        assert!(instant(&Timestamp { seconds: i64::MAX, nanos: 0 }).is_err());
        assert!(instant(&Timestamp { seconds: 0, nanos: -1 }).is_err());
        assert!(instant(&Timestamp { seconds: 0, nanos: 1_000_000_000 }).is_err());
        assert_eq!(instant(&Timestamp { seconds: 1, nanos: 1_999 }).unwrap().micros(), 1_000_001);
    }
}
