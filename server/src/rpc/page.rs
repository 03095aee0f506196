//! Pages: how large they get, and the tokens that continue them.
//!
//! A token belongs to one question and is pinned to a point, so that all pages together are one answer. It is checked, not secret:
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
const VERSION: u8 = 2;
const PIN: usize = 8 + 4;
const LEN: usize = 1 + 16 + 2 * PIN + 16 + 4;
/// No day that can be written.
const NO_DAY: i32 = i32::MAX;

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

/// A point that the first page of an answer was read at, and so all of them are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pin {
    /// The last record.
    pub(super) position: Position,
    /// The day; none where there was no record.
    pub(super) day: Option<CivilDate>,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// The earlier point of an answer that has two.
    pub(super) from: Pin,
    /// The point of an answer that has one.
    pub(super) to: Pin,
    /// What the page before ended with: a count, a position or an id.
    pub(super) after: u128,
}

impl Token {
    /// The token as text.
    pub(super) fn encode(&self, question: Question) -> String {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.push(VERSION);
        bytes.extend(question.0);
        for pin in [self.from, self.to] {
            bytes.extend(pin.position.get().to_be_bytes());
            bytes.extend(pin.day.map_or(NO_DAY, CivilDate::days).to_be_bytes());
        }
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

fn read(text: &str, question: Question) -> Option<Token> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (said, check) = bytes.split_last_chunk::<4>()?;
    let rest = said.strip_prefix(&[VERSION])?.strip_prefix(&question.0)?;
    let (from, rest) = rest.split_first_chunk::<PIN>()?;
    let (to, after) = rest.split_first_chunk::<PIN>()?;
    let after: &[u8; 16] = after.try_into().ok()?;
    if check_of(said) != *check {
        return None;
    }
    Some(Token { from: read_pin(from)?, to: read_pin(to)?, after: u128::from_be_bytes(*after) })
}

fn read_pin(bytes: &[u8; PIN]) -> Option<Pin> {
    let (position, day) = bytes.split_first_chunk::<8>()?;
    let day = match i32::from_be_bytes(day.try_into().ok()?) {
        NO_DAY => None,
        days => Some(CivilDate::from_days(days)?),
    };
    Some(Pin { position: Position::new(u64::from_be_bytes(*position)), day })
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
        let most = Position::new(u64::MAX);
        for day in [None, Some(CivilDate::FIRST), Some(CivilDate::LAST)] {
            let (from, to) = (Pin { position: most, day }, Pin { position: most, day: None });
            for (from, to) in [(from, to), (to, from)] {
                let token = Token { from, to, after: u128::MAX - 7 };
                let text = token.encode(question("ListLog"));
                assert_eq!(Token::decode(&text, question("ListLog")).unwrap(), Some(token));
                assert!(Token::decode(&text, question("ListHistory")).is_err());
            }
        }
        assert_eq!(Token::decode("", question("ListLog")).unwrap(), None);
        let pin = [Position::ZERO.get().to_be_bytes().as_slice(), &(i32::MAX - 1).to_be_bytes()].concat();
        assert_eq!(read_pin(pin.first_chunk().unwrap()), None, "no such day");
    }

    #[test]
    fn a_token_with_any_character_changed_is_none() {
        let text = Token { from: Pin::default(), to: Pin::default(), after: 100 }.encode(question("ListLog"));
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
