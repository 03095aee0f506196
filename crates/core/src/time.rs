//! Instants and civil dates as numbers. Converting one to the other needs a time zone and happens at the edges.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(i64);

impl Instant {
    /// Wraps microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }
}

/// A day of the calendar, kept as days since 1970-01-01. Between 1900-01-01 and 2199-12-31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate(i32);

/// A text or number that is not a day between 1900-01-01 and 2199-12-31.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a date between 1900-01-01 and 2199-12-31")]
pub struct DateError(pub String);

impl CivilDate {
    /// The first day that can be written: 1900-01-01.
    pub const FIRST: Self = Self(-25_567);
    /// The last day that can be written: 2199-12-31.
    pub const LAST: Self = Self(84_005);

    /// Wraps days since 1970-01-01 when they fall between 1900-01-01 and 2199-12-31.
    pub const fn from_days(days: i32) -> Option<Self> {
        if days >= Self::FIRST.0 && days <= Self::LAST.0 { Some(Self(days)) } else { None }
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The day that is nearest to `date` within the bounds.
    pub fn clamped(date: Date) -> Self {
        let epoch = Date::constant(1970, 1, 1);
        let days = (date - epoch).get_days();
        Self(days.clamp(Self::FIRST.0, Self::LAST.0))
    }

    /// The same day in the calendar library's type.
    pub fn date(self) -> Date {
        let span = jiff::Span::new().days(self.0);
        Date::constant(1970, 1, 1)
            .checked_add(span)
            .expect("1900 to 2199 lie within the calendar library's years")
    }
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

impl fmt::Debug for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CivilDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let wrong = || DateError(format!("{text:?}"));
        let shaped = text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        if !shaped {
            return Err(wrong());
        }
        let date: Date = text.parse().map_err(|_| wrong())?;
        let clamped = Self::clamped(date);
        if clamped.date() == date { Ok(clamped) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_back_and_the_bounds_hold() {
        for text in ["1900-01-01", "1969-12-31", "1970-01-01", "2020-02-29", "2199-12-31"] {
            assert_eq!(text.parse::<CivilDate>().unwrap().to_string(), text);
        }
        assert_eq!("1900-01-01".parse::<CivilDate>().unwrap(), CivilDate::FIRST);
        assert_eq!("2199-12-31".parse::<CivilDate>().unwrap(), CivilDate::LAST);
        for text in ["1899-12-31", "2200-01-01", "2019-02-29", "2019-2-1", "2019-04-10T00:00", "", "10 april"]
        {
            assert!(text.parse::<CivilDate>().is_err(), "{text}");
        }
    }
}
