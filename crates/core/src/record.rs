//! What the log holds: an event with the place, time and facts that the one writer gave it.

use crate::digest::Digest;
use crate::event::EventBody;
use crate::field::FieldKey;
use crate::id::{DeviceId, DeviceSeq, EntityId, EpochId, EventId, Position};
use crate::rejection::RejectionCode;
use crate::time::{CivilDate, Instant};

/// Where a record stood before a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// The epoch it was first recorded in.
    pub epoch: EpochId,
    /// Its position there.
    pub position: Position,
}

/// What the writer decided about an accepted event; the log leaf commits to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The day of `recorded_at` in Europe/Stockholm.
    pub recorded_on: CivilDate,
    /// The date of the event's writes when the author stated none; none when it writes no field.
    pub applies_on: Option<CivilDate>,
    /// For each field written, the earliest kept write with an equal value, where there is one.
    pub equal_to: Vec<(FieldKey, EventId)>,
    /// Where the record stood before a restore.
    pub first: Option<First>,
}

/// What remains of an event that the rules declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedFacts {
    /// The day of `recorded_at` in Europe/Stockholm.
    pub recorded_on: CivilDate,
    /// The device whose number it used up.
    pub device_id: DeviceId,
    /// The number.
    pub device_seq: DeviceSeq,
    /// The epoch of the event's base.
    pub base_epoch: EpochId,
    /// Why.
    pub reason: RejectionCode,
}

/// An accepted event or what is left of a rejected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The rules took it.
    Accepted {
        /// What the author said.
        body: Box<EventBody>,
        /// What the writer decided.
        facts: Facts,
    },
    /// The rules declined it.
    Rejected(RejectedFacts),
}

/// One record of a log, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place, gapless from 1.
    pub position: Position,
    /// When the writer took it; strictly after the record before it.
    pub recorded_at: Instant,
    /// The event's id.
    pub event_id: EventId,
    /// SHA-256 of the body's bytes.
    pub body_hash: Digest,
    /// What became of it.
    pub entry: Entry,
}

impl Recorded {
    /// The day of `recorded_at` in Europe/Stockholm.
    pub fn recorded_on(&self) -> CivilDate {
        match &self.entry {
            Entry::Accepted { facts, .. } => facts.recorded_on,
            Entry::Rejected(facts) => facts.recorded_on,
        }
    }

    /// The device that wrote it.
    pub fn device(&self) -> DeviceId {
        match &self.entry {
            Entry::Accepted { body, .. } => body.device_id,
            Entry::Rejected(facts) => facts.device_id,
        }
    }

    /// The body of an accepted event.
    pub fn body(&self) -> Option<&EventBody> {
        match &self.entry {
            Entry::Accepted { body, .. } => Some(body),
            Entry::Rejected(_) => None,
        }
    }
}

/// Facts that are not what `docs/format.md` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the facts of the record are damaged at byte {at}")]
pub struct FactsError {
    /// Where reading stopped.
    pub at: usize,
}

const NO_DATE: i32 = i32::MIN;

impl Facts {
    /// The bytes that the log leaf commits to (`docs/format.md`, "Facts").
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1];
        out.extend(self.recorded_on.days().to_be_bytes());
        out.extend(self.applies_on.map_or(NO_DATE, CivilDate::days).to_be_bytes());
        let count = u16::try_from(self.equal_to.len()).expect("an event writes fewer than 65 536 fields");
        out.extend(count.to_be_bytes());
        for (field, event) in &self.equal_to {
            out.extend(field.number().to_be_bytes());
            out.extend(field.qualifier().bytes());
            out.extend(event.bytes());
        }
        match &self.first {
            None => out.push(0),
            Some(first) => {
                out.push(1);
                out.extend(first.epoch.bytes());
                out.extend(first.position.get().to_be_bytes());
            }
        }
        out
    }

    /// Reads what [`Facts::encode`] wrote; anything else is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, FactsError> {
        let mut reader = Reader { bytes, at: 0 };
        reader.tag(1)?;
        let recorded_on = reader.date()?.ok_or(FactsError { at: 1 })?;
        let applies_on = reader.date()?;
        let count = u16::from_be_bytes(reader.take()?);
        let mut equal_to = Vec::new();
        for _ in 0..count {
            let number = u16::from_be_bytes(reader.take()?);
            let qualifier = EntityId::new(uuid::Uuid::from_bytes(reader.take()?));
            let field = FieldKey::from_number(number, qualifier).ok_or(reader.wrong())?;
            equal_to.push((field, EventId::new(uuid::Uuid::from_bytes(reader.take()?))));
        }
        let first = match u8::from_be_bytes(reader.take()?) {
            0 => None,
            1 => Some(First {
                epoch: EpochId::new(uuid::Uuid::from_bytes(reader.take()?)),
                position: Position::new(u64::from_be_bytes(reader.take()?)),
            }),
            _ => return Err(reader.wrong()),
        };
        reader.end()?;
        Ok(Self { recorded_on, applies_on, equal_to, first })
    }
}

impl RejectedFacts {
    /// The bytes that the log leaf commits to (`docs/format.md`, "Facts").
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![2];
        out.extend(self.recorded_on.days().to_be_bytes());
        out.extend(self.device_id.bytes());
        out.extend(self.device_seq.get().to_be_bytes());
        out.extend(self.base_epoch.bytes());
        out.extend(self.reason.number().to_be_bytes());
        out
    }

    /// Reads what [`RejectedFacts::encode`] wrote; anything else is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, FactsError> {
        let mut reader = Reader { bytes, at: 0 };
        reader.tag(2)?;
        let facts = Self {
            recorded_on: reader.date()?.ok_or(FactsError { at: 1 })?,
            device_id: DeviceId::new(uuid::Uuid::from_bytes(reader.take()?)),
            device_seq: DeviceSeq::new(u64::from_be_bytes(reader.take()?)),
            base_epoch: EpochId::new(uuid::Uuid::from_bytes(reader.take()?)),
            reason: RejectionCode::new(u16::from_be_bytes(reader.take()?)),
        };
        reader.end()?;
        Ok(facts)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn wrong(&self) -> FactsError {
        FactsError { at: self.at }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FactsError> {
        let rest = self.bytes.get(self.at..).ok_or(self.wrong())?;
        let taken = rest.first_chunk::<N>().ok_or(self.wrong())?;
        self.at += N;
        Ok(*taken)
    }

    fn tag(&mut self, expected: u8) -> Result<(), FactsError> {
        if self.take::<1>()? == [expected] { Ok(()) } else { Err(FactsError { at: 0 }) }
    }

    fn date(&mut self) -> Result<Option<CivilDate>, FactsError> {
        let days = i32::from_be_bytes(self.take()?);
        if days == NO_DATE {
            return Ok(None);
        }
        CivilDate::from_days(days).map(Some).ok_or(self.wrong())
    }

    fn end(&self) -> Result<(), FactsError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.wrong()) }
    }
}
