//! Pages: how large they get, and the tokens that continue them.
//!
//! A token belongs to one question and is pinned to a position, so that all pages together are one answer. It is checked, not secret:
//! whoever makes one up gets at most another part of an answer that they may ask for anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use radslag_core::digest::{Digest, Hasher};
use radslag_core::id::{EntityId, EpochId, Position, ProgramId};
use radslag_core::time::CivilDate;
use radslag_proto::api::v1 as api;
use radslag_proto::status::{ApiError, Reason};

use super::failure::{Answer, Failure};

/// A page ends when it holds this much, whatever its size, so that it fits a message.
const PAGE_BYTES: usize = 1 << 20;
const VERSION: u8 = 1;
const LEN: usize = 1 + 16 + 8 + 16 + 4;

/// Which question a token continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question([u8; 16]);

impl Question {
    /// A call's question about a programme, and perhaps one entity of it, in one life of its log.
    pub(super) fn new(call: &str, program: ProgramId, entity: EntityId, epoch: EpochId) -> Self {
        Self::about(call, program, entity, epoch, &[])
    }

    /// The same about certain points, which every page has to ask for.
    pub(super) fn about(
        call: &str,
        program: ProgramId,
        entity: EntityId,
        epoch: EpochId,
        points: &[Option<&api::AsOf>],
    ) -> Self {
        let mut hasher = Hasher::new("radslag/page/v1\n");
        hasher.put_count(call.len()).put(call.as_bytes());
        hasher.put(program.bytes()).put(entity.bytes()).put(epoch.bytes());
        for point in points.iter().flat_map(|point| point.map(prost::Message::encode_to_vec)) {
            hasher.put_count(point.len()).put(&point);
        }
        let digest = hasher.finish();
        Self(*digest.bytes().first_chunk().expect("a digest has more than 16 bytes"))
    }
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The position that the first page was read at; zero where the answer has none.
    pub(super) position: Position,
    /// What the page before ended with: a count, a position or an id.
    pub(super) after: u128,
}

impl Token {
    /// The token as text.
    pub(super) fn encode(&self, question: Question) -> String {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.push(VERSION);
        bytes.extend(question.0);
        bytes.extend(self.position.get().to_be_bytes());
        bytes.extend(self.after.to_be_bytes());
        bytes.extend(check_of(&bytes));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the token of a question; none where the text is empty.
    pub(super) fn decode(text: &str, question: Question) -> Answer<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        read(text, question).map(Some).ok_or_else(invalid)
    }
}

/// Where the pages of an answer were first read, beside the position of its token: packed into `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pinned {
    /// The earlier point's last record, for an answer that has two points.
    pub(super) from: Position,
    /// The day that it is read for; none where it has no record.
    pub(super) from_day: Option<CivilDate>,
    /// The day of the token's own position.
    pub(super) day: Option<CivilDate>,
    /// How many items the pages before had.
    pub(super) index: usize,
}

/// Positions are kept in 48 bits, days in 17, which hold all days that can be written and none.
const POSITION_BITS: u32 = 48;
const DAY_BITS: u32 = 17;

impl Pinned {
    /// The number that says all of it.
    pub(super) fn pack(&self) -> u128 {
        let mut packed = u128::try_from(self.index).unwrap_or_default();
        for day in [self.day, self.from_day] {
            packed = packed << DAY_BITS | pack_day(day);
        }
        packed << POSITION_BITS | u128::from(self.from.get())
    }

    /// Reads what [`Pinned::pack`] wrote.
    pub(super) fn unpack(packed: u128) -> Answer<Self> {
        let bits = |shift: u32, bits: u32| packed >> shift & ((1 << bits) - 1);
        let day = |shift| unpack_day(bits(shift, DAY_BITS)).ok_or_else(invalid);
        let index = packed >> (POSITION_BITS + 2 * DAY_BITS);
        Ok(Self {
            from: Position::new(u64::try_from(bits(0, POSITION_BITS)).map_err(|_| invalid())?),
            from_day: day(POSITION_BITS)?,
            day: day(POSITION_BITS + DAY_BITS)?,
            index: usize::try_from(index).map_err(|_| invalid())?,
        })
    }
}

fn pack_day(day: Option<CivilDate>) -> u128 {
    day.map_or(0, |day| u128::from(day.days().abs_diff(CivilDate::FIRST.days())) + 1)
}

/// None for what is no day; a day that is none is some nothing.
fn unpack_day(packed: u128) -> Option<Option<CivilDate>> {
    if packed == 0 {
        return Some(None);
    }
    let days = i32::try_from(packed - 1).ok()? + CivilDate::FIRST.days();
    CivilDate::from_days(days).map(Some)
}

fn read(text: &str, question: Question) -> Option<Token> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (said, check) = bytes.split_last_chunk::<4>()?;
    let rest = said.strip_prefix(&[VERSION])?.strip_prefix(&question.0)?;
    let (position, after) = rest.split_first_chunk::<8>()?;
    let after: &[u8; 16] = after.try_into().ok()?;
    (check_of(said) == *check).then(|| Token {
        position: Position::new(u64::from_be_bytes(*position)),
        after: u128::from_be_bytes(*after),
    })
}

fn check_of(bytes: &[u8]) -> [u8; 4] {
    *Digest::of(bytes).bytes().first_chunk().expect("a digest has more than 4 bytes")
}

/// The error of a token that was not given for this question.
pub(super) fn invalid() -> Failure {
    let what = "was not given for this question";
    ApiError::new(Reason::InvalidPageToken, "the page token was not given for this question")
        .with_violation("page_token", what)
        .into()
}

/// A page as it fills.
pub(super) struct Page<T> {
    size: usize,
    bytes: usize,
    items: Vec<T>,
}

impl<T: prost::Message> Page<T> {
    /// An empty page for `size` items.
    pub(super) const fn new(size: usize) -> Self {
        Self { size, bytes: 0, items: Vec::new() }
    }

    /// Whether the next item belongs on the next page.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.size || self.bytes >= PAGE_BYTES
    }

    /// Adds an item.
    pub(super) fn push(&mut self, item: T) {
        self.bytes += item.encoded_len();
        self.items.push(item);
    }

    /// How many items it holds.
    pub(super) const fn len(&self) -> usize {
        self.items.len()
    }

    /// The items.
    pub(super) fn into_items(self) -> Vec<T> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(call: &str) -> Question {
        Question::new(call, ProgramId::default(), EntityId::default(), EpochId::default())
    }

    #[test]
    fn a_token_reads_back_for_its_own_question_only() {
        let token = Token { position: Position::new(u64::MAX), after: u128::MAX - 7 };
        let text = token.encode(question("ListLog"));
        assert_eq!(Token::decode(&text, question("ListLog")).unwrap(), Some(token));
        assert!(Token::decode(&text, question("ListHistory")).is_err());
        assert_eq!(Token::decode("", question("ListLog")).unwrap(), None);
    }

    #[test]
    fn what_pages_are_pinned_to_reads_back() {
        let most = Position::new((1 << 48) - 1);
        for from_day in [None, Some(CivilDate::FIRST), Some(CivilDate::LAST)] {
            for day in [None, Some(CivilDate::FIRST), Some(CivilDate::LAST)] {
                let pinned = Pinned { from: most, from_day, day, index: 1 << 30 };
                assert_eq!(Pinned::unpack(pinned.pack()).unwrap(), pinned);
            }
        }
        assert!(Pinned::unpack(((1 << 17) - 1) << 48).is_err(), "no such day");
    }

    #[test]
    fn a_token_with_any_character_changed_is_none() {
        let text = Token { position: Position::new(7), after: 100 }.encode(question("ListLog"));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(Token::decode(&other, question("ListLog")).is_err(), "{at}");
            assert!(Token::decode(&text[..at], question("ListLog")).is_err() || at == 0, "{at}");
        }
        assert!(Token::decode("å", question("ListLog")).is_err());
    }
}
