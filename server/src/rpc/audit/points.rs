//! Blame and differences: what is read at one point or two, in pages that are all pinned to where the first was read.

use std::collections::BTreeSet;
use std::sync::Arc;

use radslag_core::history;
use radslag_core::id::{EntityId, Position, ProgramId};
use radslag_core::report::{End, tell};
use radslag_core::state::State;
use radslag_core::view::ProgramView;
use radslag_engine::engine::{Engine, Programme};
use radslag_proto::api::v1 as api;

use super::super::failure::Answer;
use super::super::page::{self, Page, Pinned, Question, Token};
use super::super::point::{self, Asked, Read};
use super::super::shape::{self, Shape};
use super::programme;

/// Which page is wanted.
pub(super) struct Wanted {
    /// The most items.
    pub(super) size: usize,
    /// From the page before; empty for the first.
    pub(super) token: String,
}

/// A page of an answer that is read at one point, or at two.
struct Paged {
    programme: Arc<Programme>,
    question: Question,
    from: Option<Read>,
    to: Read,
    index: usize,
}

impl Paged {
    fn read(
        engine: &Engine,
        call: &str,
        program: ProgramId,
        (from, to): (Option<Asked>, Asked),
        points: &[Option<&api::AsOf>],
        wanted: &Wanted,
    ) -> Answer<Self> {
        let programme = programme(engine, program)?;
        let (epoch, head) = {
            let published = programme.published();
            (published.state.epoch(), published.state.head())
        };
        let question = Question::about(call, program, EntityId::default(), epoch, points);
        let Some(token) = Token::decode(&wanted.token, question)? else {
            let from = from.map(|from| point::read(engine, &programme, from)).transpose()?;
            let to = point::read(engine, &programme, to)?;
            return Ok(Self { programme, question, from, to, index: 0 });
        };
        let pinned = Pinned::unpack(token.after)?;
        if token.position > head || pinned.from > head {
            return Err(page::invalid());
        }
        let earlier = |_| point::read_again(engine, &programme, pinned.from, pinned.from_day);
        let from = from.map(earlier).transpose()?;
        let to = point::read_again(engine, &programme, token.position, pinned.day)?;
        Ok(Self { programme, question, from, to, index: pinned.index })
    }

    /// The token of the page after this one, where there is more.
    fn next(&self, given: usize, all: usize) -> String {
        let index = self.index.saturating_add(given);
        if index >= all {
            return String::new();
        }
        let from = self.from.as_ref().map(|from| &from.reading);
        let pinned = Pinned {
            from: from.map_or(Position::ZERO, |from| from.state.head()),
            from_day: from.and_then(|from| from.day),
            day: self.to.reading.day,
            index,
        };
        Token { position: self.to.reading.state.head(), after: pinned.pack() }.encode(self.question)
    }
}

/// The items of a page, from those that it begins after.
fn fill<T, M: prost::Message>(all: &[T], paged: &Paged, size: usize, shape: impl Fn(&T) -> M) -> Page<M> {
    let mut page = Page::new(size);
    for item in all.iter().skip(paged.index) {
        if page.is_full() {
            break;
        }
        page.push(shape(item));
    }
    page
}

/// Every field with its last author.
pub(super) fn blame(
    engine: &Engine,
    program: ProgramId,
    asked: Asked,
    as_of: Option<&api::AsOf>,
    wanted: &Wanted,
) -> Answer<api::GetBlameResponse> {
    let paged = Paged::read(engine, "GetBlame", program, (None, asked), &[as_of], wanted)?;
    let values = engine.past_of(&paged.programme, &paged.to.reading);
    let shape = Shape::new(&paged.to.reading, &values);
    let entities = in_order(shape.state(), &shape.view());
    let fields: Vec<history::BlameLine<'_>> =
        entities.into_iter().flat_map(|entity| history::blame(shape.state(), entity, shape.day())).collect();
    let page = fill(&fields, &paged, wanted.size, |line| api::BlameLine {
        entity_id: line.entity.to_string(),
        title: shape.title(line.entity),
        field: shape::field(line.field),
        side: Some(shape.side(line.field, line.shown)),
        in_conflict: line.in_conflict,
        party_id: shape::party_of(line.field),
    });
    let next_page_token = paged.next(page.len(), fields.len());
    Ok(api::GetBlameResponse { lines: page.into_items(), basis: Some(paged.to.basis()), next_page_token })
}

/// Every entity in the programme's order, then the parties, then what was retired: it has an author too.
fn in_order(state: &State, view: &ProgramView) -> Vec<EntityId> {
    let mut order = vec![EntityId::from(state.program_id())];
    for area in &view.areas {
        order.push(area.id);
        for subgoal in &area.subgoals {
            order.push(subgoal.id);
            order.extend(subgoal.activities.iter().map(|activity| activity.id));
        }
    }
    order.extend(view.parties.iter().map(|party| party.id));
    let shown: BTreeSet<EntityId> = order.iter().copied().collect();
    order.extend(state.entities().map(|(id, _)| id).filter(|id| !shown.contains(id)));
    order
}

/// What changed between two points.
pub(super) fn diff(
    engine: &Engine,
    program: ProgramId,
    [from, to]: [Asked; 2],
    points: [Option<&api::AsOf>; 2],
    wanted: &Wanted,
) -> Answer<api::GetDiffResponse> {
    let paged = Paged::read(engine, "GetDiff", program, (Some(from), to), &points, wanted)?;
    let earlier = paged.from.as_ref().unwrap_or(&paged.to);
    let then = engine.past_of(&paged.programme, &earlier.reading);
    let now = engine.past_of(&paged.programme, &paged.to.reading);
    let (old, new) = (Shape::new(&earlier.reading, &then), Shape::new(&paged.to.reading, &now));
    let (before, after) = (old.view(), new.view());
    let from = End { state: old.state(), day: old.day(), view: &before };
    let to = End { state: new.state(), day: new.day(), view: &after };
    let changes = radslag_core::diff::diff(&before, &after);
    let page = fill(&changes, &paged, wanted.size, |change| new.difference(tell(change.clone(), &from, &to)));
    let next_page_token = paged.next(page.len(), changes.len());
    Ok(api::GetDiffResponse {
        changes: page.into_items(),
        from: Some(earlier.basis()),
        to: Some(paged.to.basis()),
        next_page_token,
        cost_before: Some(shape::cost_sum(&before.cost)),
        cost_after: Some(shape::cost_sum(&after.cost)),
    })
}
