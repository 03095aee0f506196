//! WHEN: how a point in time is written on the command line.

use jiff::Timestamp;
use jiff::civil::DateTime;
use radslag_client::clock::{day_of, stockholm};
use radslag_core::as_of::Recorded;
use radslag_core::id::Position;
use radslag_core::time::{CivilDate, Instant};

use crate::error::CliError;

/// Reads a point: `2019-04-10`, RFC 3339 (without an offset: Europe/Stockholm, the later of a doubled hour),
/// `yesterday`, or a position `@4123`.
pub fn parse(text: &str, now: Instant) -> Result<Recorded, CliError> {
    if let Some(number) = text.strip_prefix('@') {
        let position = number.parse().map_err(|_| wrong(text))?;
        return Ok(Recorded::Position(Position::new(position)));
    }
    if matches!(text, "yesterday" | "igår") {
        let day = CivilDate::from_days(day_of(now).days() - 1).ok_or_else(|| wrong(text))?;
        return Ok(Recorded::Day(day));
    }
    if let Ok(day) = text.parse::<CivilDate>() {
        return Ok(Recorded::Day(day));
    }
    let dated = text.get(..10).is_some_and(|day| day.parse::<CivilDate>().is_ok());
    if !dated {
        return Err(wrong(text));
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(Recorded::Instant(Instant::from_micros(timestamp.as_microsecond())));
    }
    let local: DateTime = text.parse().map_err(|_| wrong(text))?;
    let zoned = stockholm().to_ambiguous_zoned(local).later().map_err(|_| wrong(text))?;
    Ok(Recorded::Instant(Instant::from_micros(zoned.timestamp().as_microsecond())))
}

/// Reads the day that an option names.
pub fn day(option: &str, text: &str) -> Result<CivilDate, CliError> {
    text.parse().map_err(|_| {
        CliError::usage(format!(
            "{option} {text:?} is not a day: write 2027-01-01, between 1900-01-01 and 2199-12-31"
        ))
    })
}

fn wrong(text: &str) -> CliError {
    CliError::usage(format!(
        "{text:?} is not a point in time: write 2019-04-10, 2019-04-10T12:00:00, yesterday, a position such as @12, or a name that radslag baseline list has"
    ))
}

/// An instant as RFC 3339 in UTC with microseconds: what `WHEN` takes back.
pub fn rfc3339(instant: Instant) -> String {
    let timestamp = Timestamp::from_microsecond(instant.micros()).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{timestamp:.6}")
}

/// An instant as people read it: day and minute in Europe/Stockholm.
pub fn local(instant: Instant) -> String {
    let timestamp = Timestamp::from_microsecond(instant.micros()).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(stockholm()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Recorded {
        parse(text, Instant::from_micros(0)).unwrap()
    }

    fn instant(text: &str) -> Recorded {
        Recorded::Instant(Instant::from_micros(text.parse::<Timestamp>().unwrap().as_microsecond()))
    }

    #[test]
    fn points_are_read_as_the_manual_says() {
        assert_eq!(at("@12"), Recorded::Position(Position::new(12)));
        assert_eq!(at("2019-04-10"), Recorded::Day("2019-04-10".parse().unwrap()));
        assert_eq!(at("yesterday"), Recorded::Day("1969-12-31".parse().unwrap()));
        assert_eq!(at("2019-04-10T12:00:00.5Z"), instant("2019-04-10T12:00:00.5Z"));
        assert_eq!(at("2019-04-10T12:00:00+02:00"), instant("2019-04-10T10:00:00Z"));
        assert_eq!(at("2019-07-10T12:00:00"), instant("2019-07-10T10:00:00Z"));
        // The doubled hour means the later one.
        assert_eq!(at("2019-10-27T02:30:00"), instant("2019-10-27T01:30:00Z"));
    }

    #[test]
    fn what_is_no_point_is_a_usage_error() {
        for text in
            ["2019-02-29", "2019-13-01", "10 april", "@", "@x", "", "2019-02-30T10:00:00Z", "1850-01-01"]
        {
            assert_eq!(parse(text, Instant::from_micros(0)).unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
