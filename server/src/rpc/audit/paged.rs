//! An answer in pages that are all read where the first was.

use std::sync::Arc;

use radslag_core::id::{EntityId, Position, ProgramId};
use radslag_engine::engine::{Engine, Programme};
use radslag_proto::api::v1 as api;

use super::super::failure::Answer;
use super::super::page::{self, Pin, Question, Token};
use super::super::point::{self, Asked, Read};
use super::programme;

/// A call's question.
pub(super) struct Asks<'a> {
    /// The call's name.
    pub(super) call: &'static str,
    /// The programme.
    pub(super) program: ProgramId,
    /// What of it; nothing in particular unless the call is about one entity.
    pub(super) entity: EntityId,
    /// The earlier point, where there are two.
    pub(super) from: Option<(Asked, Option<&'a api::AsOf>)>,
    /// The point, as it was read and as it was sent.
    pub(super) to: (Asked, Option<&'a api::AsOf>),
    /// From the page before; empty for the first.
    pub(super) token: &'a str,
}

/// A page of an answer that is read at one point, or at two.
pub(super) struct Paged {
    pub(super) programme: Arc<Programme>,
    question: Question,
    pub(super) from: Option<Read>,
    pub(super) to: Read,
    /// What the page before ended with.
    pub(super) after: u128,
}

impl Paged {
    pub(super) fn read(engine: &Engine, asks: &Asks<'_>) -> Answer<Self> {
        let programme = programme(engine, asks.program)?;
        let (epoch, head) = {
            let published = programme.published();
            (published.state.epoch(), published.state.head())
        };
        let points: Vec<_> = asks.from.iter().chain([&asks.to]).map(|(_, sent)| *sent).collect();
        let question = Question::about(asks.call, asks.program, asks.entity, epoch, &points);
        let token = Token::decode(asks.token, question)?;
        if token.is_some_and(|token| token.from.position > head || token.to.position > head) {
            return Err(page::invalid());
        }
        let from = asks.from.map(|(from, _)| {
            let pinned = token.map(|token| token.from);
            point::read(engine, &programme, from, pinned)
        });
        let from = from.transpose()?;
        let to = point::read(engine, &programme, asks.to.0, token.map(|token| token.to))?;
        Ok(Self { programme, question, from, to, after: token.map_or(0, |token| token.after) })
    }

    /// The last record that the answer rests on.
    pub(super) fn head(&self) -> Position {
        self.to.reading.state.head()
    }

    /// The token of the page after `last`, where there is more.
    pub(super) fn next(&self, last: u128, more: bool) -> String {
        let from = self.from.as_ref().map_or_else(Pin::default, Read::pin);
        let token = Token { from, to: self.to.pin(), after: last };
        if more { token.encode(self.question) } else { String::new() }
    }
}
