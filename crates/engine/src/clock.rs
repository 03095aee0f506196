//! Time, ids and salts: where they come from, and the one place that knows Europe/Stockholm.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use radslag_core::time::{CivilDate, Instant};
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Instant;

    /// How long since some moment that does not change while this process runs, by a clock that nobody sets and that goes on while
    /// the machine sleeps; none where there is no such clock.
    fn steady(&self) -> Option<Duration> {
        None
    }
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::from_micros(Timestamp::now().as_microsecond())
    }

    fn steady(&self) -> Option<Duration> {
        since_boot()
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Option<Duration> {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(Duration::new(u64::try_from(since.tv_sec).ok()?, u32::try_from(since.tv_nsec).ok()?))
}

// The standard library's clock may stand still while the machine sleeps, which would look like a clock that was set.
#[cfg(not(target_os = "linux"))]
const fn since_boot() -> Option<Duration> {
    None
}

/// Makes ids, keys and salts.
pub trait IdSource: Send + Sync + 'static {
    /// Sixteen bytes that nobody can guess.
    fn random16(&self) -> [u8; 16];
    /// Thirty-two bytes that nobody can guess.
    fn random32(&self) -> [u8; 32];

    /// A random UUID (version 4).
    fn random_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random16()).into_uuid()
    }

    /// A UUID that sorts by the time it was made (version 7).
    fn event_id(&self, now: Instant) -> Uuid {
        let millis = u64::try_from(now.micros() / 1000).unwrap_or(0);
        let mut random = [0; 10];
        random.copy_from_slice(&self.random16()[..10]);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    fn random16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        bytes
    }

    fn random32(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        bytes
    }
}

/// The time zone of every civil date in the log.
pub fn stockholm() -> TimeZone {
    TimeZone::get("Europe/Stockholm").expect("the time zone database is compiled in")
}

/// The day of an instant in Europe/Stockholm, kept within the years that can be written.
pub fn day_of(instant: Instant) -> CivilDate {
    // A zone's offset changes seldom, but looking the zone up costs more than using it.
    thread_local! {
        static ZONE: TimeZone = stockholm();
    }
    const DAY: i64 = 86_400_000_000;
    let first = (i64::from(CivilDate::FIRST.days()) - 1) * DAY;
    let last = (i64::from(CivilDate::LAST.days()) + 2) * DAY;
    let clamped = instant.micros().clamp(first, last);
    let timestamp = Timestamp::from_microsecond(clamped).unwrap_or(Timestamp::UNIX_EPOCH);
    ZONE.with(|zone| CivilDate::clamped(zone.to_datetime(timestamp).date()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_changes_at_midnight_in_stockholm_winter_and_summer() {
        let day = |text: &str| {
            day_of(Instant::from_micros(text.parse::<Timestamp>().unwrap().as_microsecond())).to_string()
        };
        assert_eq!(day("2019-01-10T22:59:59Z"), "2019-01-10");
        assert_eq!(day("2019-01-10T23:00:00Z"), "2019-01-11");
        assert_eq!(day("2019-07-10T21:59:59Z"), "2019-07-10");
        assert_eq!(day("2019-07-10T22:00:00Z"), "2019-07-11");
        assert_eq!(day_of(Instant::from_micros(i64::MAX)), CivilDate::LAST);
        assert_eq!(day_of(Instant::from_micros(i64::MIN)), CivilDate::FIRST);
    }
}
