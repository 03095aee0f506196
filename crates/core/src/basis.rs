//! What an answer rests on, and whether the question that it answers may be answered otherwise later.
//!
//! A basis names a point on both clocks for good: the same basis gives the same facts in every release, and the same bytes in the
//! same view version. A question need not: "now" and "up to noon today" are answered as far as is known.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::as_of::Recorded;
use crate::event::Base;
use crate::id::{DeviceSeq, EpochId, Position};
use crate::state::State;
use crate::time::{CivilDate, Instant};
use crate::view::VIEW_VERSION;

/// What an answer rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The epoch of `position`.
    pub epoch: EpochId,
    /// The last record read; zero for none.
    pub position: Position,
    /// The day that values are read for; none when no record was read.
    pub effective_on: Option<CivilDate>,
    /// How many redactions were applied to values.
    pub redactions: u32,
    /// The version of the parsers and layouts.
    pub view_version: u32,
}

impl Basis {
    /// The basis of whoever reads `state` for `day`.
    pub fn of(state: &State, day: Option<CivilDate>) -> Self {
        Self {
            epoch: state.epoch(),
            position: state.head(),
            effective_on: day,
            // This release forgets nothing.
            redactions: 0,
            view_version: VIEW_VERSION,
        }
    }

    /// Whether a log still has the records that the basis names: they may have been lost to a restore, or be those of another log.
    pub fn is_of(&self, log: &State) -> bool {
        let named = Base { epoch: self.epoch, position: self.position, seq: DeviceSeq::ZERO };
        log.vouched(&named) == Some(self.position)
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.effective_on.map_or_else(|| "-".to_owned(), |day| day.to_string());
        write!(f, "@{}/{day}/r{}/v{}", self.position, self.redactions, self.view_version)?;
        if self.epoch.is_zero() { Ok(()) } else { write!(f, "/{}", self.epoch) }
    }
}

/// A text that is not a basis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the basis of an answer")]
pub struct BasisError(pub String);

impl FromStr for Basis {
    type Err = BasisError;

    fn from_str(text: &str) -> Result<Self, BasisError> {
        read(text).ok_or_else(|| BasisError(text.to_owned()))
    }
}

fn read(text: &str) -> Option<Basis> {
    let mut parts = text.strip_prefix('@')?.split('/');
    let position = number(parts.next()?)?;
    let day = parts.next()?;
    let effective_on = if day == "-" { None } else { Some(day.parse().ok()?) };
    let redactions = number(parts.next()?.strip_prefix('r')?)?;
    let view_version = number(parts.next()?.strip_prefix('v')?)?;
    let epoch = match parts.next() {
        None => EpochId::default(),
        Some(id) => EpochId::new(Uuid::parse_str(id).ok()?),
    };
    let basis = Basis { epoch, position: Position::new(position), effective_on, redactions, view_version };
    // One basis has one text, so that texts can be compared.
    (parts.next().is_none() && basis.to_string() == text).then_some(basis)
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Why a question may be answered otherwise later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Open {
    /// Queued changes are in the answer, and no basis names them.
    Queued,
    /// More records may still belong to the time that was asked about.
    Recorded,
    /// The head was asked about, and a day that is not over: more may be written about it.
    Effective,
}

impl Open {
    /// The word in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Recorded => "recorded",
            Self::Effective => "effective",
        }
    }
}

/// Up to when no record will come any more, and what day it is: what tells an open question from a closed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// No record that is yet to come has a `recorded_at` up to here.
    pub closed_to: Instant,
    /// The day of that in Europe/Stockholm.
    pub closed_on: CivilDate,
    /// Today in Europe/Stockholm.
    pub today: CivilDate,
}

impl Closing {
    /// Whether the question that asks for `recorded` and is answered for `day` is open. A position, and what names one, never is.
    pub fn open(&self, recorded: Recorded, day: CivilDate) -> Option<Open> {
        match recorded {
            Recorded::Position(_) => None,
            Recorded::Instant(instant) => (instant > self.closed_to).then_some(Open::Recorded),
            Recorded::Day(asked) => (asked >= self.closed_on).then_some(Open::Recorded),
            Recorded::Head => (day >= self.today).then_some(Open::Effective),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_reads_back_and_nothing_else_does() {
        let epoch = EpochId::from_slice(&[0x5d; 16]).unwrap();
        for epoch in [EpochId::default(), epoch] {
            for effective_on in [None, Some("2026-11-24".parse().unwrap())] {
                let position = Position::new(4_123);
                let basis = Basis { epoch, position, effective_on, redactions: 2, view_version: 7 };
                assert_eq!(basis.to_string().parse(), Ok(basis));
            }
        }
        assert_eq!("@98/2026-11-24/r0/v1".parse::<Basis>().unwrap().position, Position::new(98));
        for text in [
            "",
            "@98",
            "@098/2026-11-24/r0/v1",
            "@+98/2026-11-24/r0/v1",
            "@98/2026-02-30/r0/v1",
            "@98/2026-11-24/r0/v1/",
            "@98/2026-11-24/r0",
            "98/2026-11-24/r0/v1",
            "@98/2026-11-24/r0/v1/00000000-0000-0000-0000-000000000000",
            "@99999999999999999999/2026-11-24/r0/v1",
        ] {
            assert!(text.parse::<Basis>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_question_is_open_where_more_may_still_belong_to_it() {
        let day = |text: &str| text.parse::<CivilDate>().unwrap();
        let at = Instant::from_micros;
        let closing =
            Closing { closed_to: at(1_000), closed_on: day("2026-11-24"), today: day("2026-11-25") };
        let open = |recorded, on: &str| closing.open(recorded, day(on));
        assert_eq!(open(Recorded::Position(Position::new(7)), "2199-12-31"), None);
        assert_eq!(open(Recorded::Instant(at(1_000)), "2199-12-31"), None);
        assert_eq!(open(Recorded::Instant(at(1_001)), "2026-11-24"), Some(Open::Recorded));
        assert_eq!(open(Recorded::Day(day("2026-11-23")), "2026-11-23"), None);
        assert_eq!(open(Recorded::Day(day("2026-11-24")), "2026-11-24"), Some(Open::Recorded));
        assert_eq!(open(Recorded::Head, "2026-11-24"), None);
        assert_eq!(open(Recorded::Head, "2026-11-25"), Some(Open::Effective));
    }
}
