//! Blame and differences: what is read at one point or two, in pages that are all pinned to where the first was read.

use std::collections::BTreeSet;

use radslag_core::history;
use radslag_core::id::EntityId;
use radslag_core::report::{End, tell};
use radslag_core::state::State;
use radslag_core::view::ProgramView;
use radslag_engine::engine::Engine;
use radslag_proto::api::v1 as api;

use super::super::failure::Answer;
use super::super::page::{self, Page};
use super::super::shape::{self, Shape};
use super::paged::Paged;

/// The items of a page, from those that it begins after.
fn fill<T, M: prost::Message>(
    all: &[T],
    paged: &Paged,
    size: usize,
    shape: impl Fn(&T) -> M,
) -> Answer<(Vec<M>, String)> {
    let begin = usize::try_from(paged.after).map_err(|_| page::invalid())?;
    let mut page = Page::new(size);
    for item in all.iter().skip(begin) {
        if page.is_full() {
            break;
        }
        page.push(shape(item));
    }
    let end = begin.saturating_add(page.len());
    let next = paged.next(u128::try_from(end).unwrap_or(u128::MAX), end < all.len());
    Ok((page.into_items(), next))
}

/// Every field with its last author.
pub(super) fn blame(engine: &Engine, paged: &Paged, size: usize) -> Answer<api::GetBlameResponse> {
    let values = engine.past_of(&paged.programme, &paged.to.reading);
    let shape = Shape::new(&paged.to.reading, &values);
    let entities = in_order(shape.state(), &shape.view());
    let fields: Vec<history::BlameLine<'_>> =
        entities.into_iter().flat_map(|entity| history::blame(shape.state(), entity, shape.day())).collect();
    let (lines, next_page_token) = fill(&fields, paged, size, |line| api::BlameLine {
        entity_id: line.entity.to_string(),
        title: shape.title(line.entity),
        field: shape::field(line.field),
        side: Some(shape.side(line.field, line.shown)),
        in_conflict: line.in_conflict,
        party_id: shape::party_of(line.field),
    })?;
    Ok(api::GetBlameResponse { lines, basis: Some(paged.to.basis()), next_page_token })
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
pub(super) fn diff(engine: &Engine, paged: &Paged, size: usize) -> Answer<api::GetDiffResponse> {
    let earlier = paged.from.as_ref().unwrap_or(&paged.to);
    let then = engine.past_of(&paged.programme, &earlier.reading);
    let now = engine.past_of(&paged.programme, &paged.to.reading);
    let (old, new) = (Shape::new(&earlier.reading, &then), Shape::new(&paged.to.reading, &now));
    let (before, after) = (old.view(), new.view());
    let from = End { state: old.state(), day: old.day(), view: &before };
    let to = End { state: new.state(), day: new.day(), view: &after };
    let changes = radslag_core::diff::diff(&before, &after);
    let (changes, next_page_token) =
        fill(&changes, paged, size, |change| new.difference(tell(change.clone(), &from, &to)))?;
    Ok(api::GetDiffResponse {
        changes,
        from: Some(earlier.basis()),
        to: Some(paged.to.basis()),
        next_page_token,
        cost_before: Some(shape::cost_sum(&before.cost)),
        cost_after: Some(shape::cost_sum(&after.cost)),
    })
}
