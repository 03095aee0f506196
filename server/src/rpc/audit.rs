//! `AuditService`: who changed what, when and why.

use std::collections::BTreeSet;
use std::sync::Arc;

use radslag_core::as_of::{AsOf, Recorded as AsRecorded};
use radslag_core::diff;
use radslag_core::event::Change;
use radslag_core::fold;
use radslag_core::history::{self, FieldChange, Told};
use radslag_core::id::{EntityId, Position, ProgramId};
use radslag_core::record::{Entry, Recorded};
use radslag_core::state::State;
use radslag_core::value::Slot;
use radslag_core::view::ProgramView;
use radslag_engine::engine::{Engine, Programme};
use radslag_engine::ledger::read_record;
use radslag_engine::read::Reading;
use radslag_engine::trail::{self, After};
use radslag_log::ReadLimit;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::audit_service_server::AuditService;
use radslag_proto::convert::time::timestamp;
use radslag_proto::status::{ApiError, Reason};
use tonic::{Request, Response, Status};

use super::failure::Answer;
use super::page::{self, Page, Question, Token};
use super::point::{Asked, basis};
use super::request::Fields;
use super::shape::{self, Shape};
use super::{Api, point, programme};

#[tonic::async_trait]
impl AuditService for Api {
    async fn list_history(
        &self,
        request: Request<api::ListHistoryRequest>,
    ) -> Result<Response<api::ListHistoryResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.id("program_id", &request.program_id);
        let entity = fields.id("entity_id", &request.entity_id);
        let size = fields.page_size(request.page_size);
        let (Some(program), Some(entity), Some(size)) = (program, entity, size) else {
            return Err(fields.into_failure().into());
        };
        let token = request.page_token;
        let read = self.reading(move |engine| list_history(engine, program, entity, size, &token));
        Ok(Response::new(read.await?))
    }

    async fn get_blame(
        &self,
        request: Request<api::GetBlameRequest>,
    ) -> Result<Response<api::GetBlameResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.id("program_id", &request.program_id);
        let as_of = fields.as_of("as_of", request.as_of.as_ref());
        let (Some(program), Some(as_of)) = (program, as_of) else { return Err(fields.into_failure().into()) };
        let read = self.reading(move |engine| {
            let programme = programme(engine, program)?;
            let read = point::read(engine, &programme, as_of)?;
            let values = engine.past_of(&programme, &read.reading);
            let lines = blame(&Shape::new(&read.reading, &values));
            Ok(api::GetBlameResponse { lines, basis: Some(read.basis()) })
        });
        Ok(Response::new(read.await?))
    }

    async fn get_diff(
        &self,
        request: Request<api::GetDiffRequest>,
    ) -> Result<Response<api::GetDiffResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.id("program_id", &request.program_id);
        let from = fields.required("from", request.from.as_ref());
        let from = from.and_then(|from| fields.as_of("from", Some(from)));
        let to = fields.as_of("to", request.to.as_ref());
        let (Some(program), Some(from), Some(to)) = (program, from, to) else {
            return Err(fields.into_failure().into());
        };
        let read = self.reading(move |engine| get_diff(engine, program, from, to));
        Ok(Response::new(read.await?))
    }

    async fn list_log(
        &self,
        request: Request<api::ListLogRequest>,
    ) -> Result<Response<api::ListLogResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.id("program_id", &request.program_id);
        let size = fields.page_size(request.page_size);
        let (Some(program), Some(size)) = (program, size) else { return Err(fields.into_failure().into()) };
        let token = request.page_token;
        let read = self.reading(move |engine| list_log(engine, program, size, &token));
        Ok(Response::new(read.await?))
    }
}

/// A question in pages: the point that all of them are read at, and where this one begins.
struct Paged {
    programme: Arc<Programme>,
    question: Question,
    reading: Reading,
    after: u128,
}

impl Paged {
    fn read(engine: &Engine, call: &str, program: ProgramId, entity: EntityId, token: &str) -> Answer<Self> {
        let programme = programme(engine, program)?;
        let reading = engine.read_at(&programme, AsOf::default())?;
        let question = Question::new(call, program, entity, reading.state.epoch());
        let Some(token) = Token::decode(token, question)? else {
            return Ok(Self { programme, question, reading, after: 0 });
        };
        let after = token.after;
        let head = reading.state.head();
        if token.position > head || token.position == Position::ZERO {
            return Err(page::invalid());
        }
        let reading = if token.position == head {
            reading
        } else {
            let then = AsOf { recorded: AsRecorded::Position(token.position), effective: None };
            engine.read_at(&programme, then)?
        };
        Ok(Self { programme, question, reading, after })
    }

    /// The last record that the answer rests on.
    fn head(&self) -> Position {
        self.reading.state.head()
    }

    /// The token of the page after `last`, where there is more.
    fn next(&self, last: u128, more: bool) -> String {
        let token = Token { position: self.head(), after: last };
        if more { token.encode(self.question) } else { String::new() }
    }
}

fn list_history(
    engine: &Engine,
    program: ProgramId,
    entity: EntityId,
    size: usize,
    token: &str,
) -> Answer<api::ListHistoryResponse> {
    let paged = Paged::read(engine, "ListHistory", program, entity, token)?;
    if paged.reading.state.entity(entity).is_none() {
        return Err(ApiError::new(
            Reason::EntityNotFound,
            format!("there is no entity {entity} in the programme"),
        )
        .with_resource("entity", entity.to_string())
        .into());
    }
    let log = engine.log().as_ref();
    // One more than a page holds tells whether there is another.
    let most = size.saturating_add(1);
    let ledger = paged.programme.as_ref();
    let found =
        trail::changes_of(log, ledger, entity, Told::AsRecorded, paged.head(), place(paged.after)?, most)?;
    let places = found.iter().map(|(change, _)| (change.event, change.position));
    let values = engine.past_at(&paged.programme, places);
    let shape = Shape::new(&paged.reading, &values);
    let mut changes = Page::new(size);
    let mut last = After::default();
    for (change, after) in &found {
        if changes.is_full() {
            break;
        }
        changes.push(field_change(&shape, change));
        last = *after;
    }
    let next_page_token = paged.next(number(last), changes.len() < found.len());
    Ok(api::ListHistoryResponse {
        changes: changes.into_items(),
        next_page_token,
        basis: Some(basis(&paged.reading)),
    })
}

/// Where a page of changes begins, as a token says it: a position, and how many changes of its record were given.
fn place(after: u128) -> Answer<After> {
    let position = u64::try_from(after >> 32).map_err(|_| page::invalid())?;
    let changes = usize::try_from(after & u128::from(u32::MAX)).map_err(|_| page::invalid())?;
    Ok(After { position: Position::new(position), changes })
}

fn number(after: After) -> u128 {
    let changes = u32::try_from(after.changes).unwrap_or(u32::MAX);
    u128::from(after.position.get()) << 32 | u128::from(changes)
}

fn field_change(shape: &Shape<'_>, change: &FieldChange) -> api::FieldChange {
    let shown =
        |content: &Option<_>| content.as_ref().and_then(|content| shape.content(change.field, content));
    api::FieldChange {
        event_id: change.event.to_string(),
        position: change.position.get(),
        kind: change.kind.clone(),
        entity_id: change.entity.to_string(),
        field: shape::field(change.field),
        before: shown(&change.before),
        after: shown(&change.after),
        written: shape.content(change.field, &change.written),
        author: Some(shape.author(change.member, &change.org, change.device)),
        authored_at: Some(timestamp(change.authored_at)),
        recorded_at: Some(timestamp(change.recorded_at)),
        applies_on: change.applies_on.to_string(),
        reason: shape.text(change.event, Slot::REASON),
        decision: shape.text(change.event, Slot::DECISION),
        conflict_before: change.conflict_before,
        conflict_after: change.conflict_after,
        party_id: shape::party_of(change.field),
    }
}

fn blame(shape: &Shape<'_>) -> Vec<api::BlameLine> {
    let mut lines = Vec::new();
    for entity in in_order(shape.state(), &shape.view()) {
        let fields = history::blame(shape.state(), entity, shape.day());
        if fields.is_empty() {
            continue;
        }
        let title = shape.title(entity);
        lines.extend(fields.into_iter().map(|line| api::BlameLine {
            entity_id: entity.to_string(),
            title: title.clone(),
            field: shape::field(line.field),
            side: Some(shape.side(line.field, line.shown)),
            in_conflict: line.in_conflict,
            party_id: shape::party_of(line.field),
        }));
    }
    lines
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

fn get_diff(engine: &Engine, program: ProgramId, from: Asked, to: Asked) -> Answer<api::GetDiffResponse> {
    let programme = programme(engine, program)?;
    let (earlier, later) = (point::read(engine, &programme, from)?, point::read(engine, &programme, to)?);
    let before = engine.past_of(&programme, &earlier.reading);
    let after = engine.past_of(&programme, &later.reading);
    let (old, new) = (Shape::new(&earlier.reading, &before), Shape::new(&later.reading, &after));
    let changes = diff::diff(&old.view(), &new.view());
    Ok(api::GetDiffResponse {
        changes: changes.into_iter().map(|change| new.difference(change)).collect(),
        from: Some(earlier.basis()),
        to: Some(later.basis()),
    })
}

fn list_log(engine: &Engine, program: ProgramId, size: usize, token: &str) -> Answer<api::ListLogResponse> {
    let paged = Paged::read(engine, "ListLog", program, EntityId::default(), token)?;
    let limit = ReadLimit { records: size, bytes: 1 << 20 };
    let mut last = u64::try_from(paged.after).map_err(|_| page::invalid())?;
    let stored = engine.log().read(program, Position::new(last).next(), limit)?;
    let shown = stored.iter().take_while(|record| record.position <= paged.head().get());
    let records: Vec<Recorded> = shown.map(read_record).collect::<Result<_, _>>()?;
    let values =
        engine.past_at(&paged.programme, records.iter().map(|record| (record.event_id, record.position)));
    let shape = Shape::new(&paged.reading, &values);
    let mut lines = Page::new(size);
    for record in &records {
        if lines.is_full() {
            break;
        }
        last = record.position.get();
        lines.push(log_line(&shape, record));
    }
    let next_page_token = paged.next(last.into(), last < paged.head().get());
    Ok(api::ListLogResponse {
        lines: lines.into_items(),
        next_page_token,
        basis: Some(basis(&paged.reading)),
    })
}

fn log_line(shape: &Shape<'_>, record: &Recorded) -> api::LogLine {
    let line = api::LogLine {
        position: record.position.get(),
        event_id: record.event_id.to_string(),
        recorded_at: Some(timestamp(record.recorded_at)),
        ..api::LogLine::default()
    };
    match &record.entry {
        Entry::Accepted { body, .. } => {
            let touched = fold::touched(body);
            api::LogLine {
                kind: body.kind.clone(),
                author: Some(shape.author(body.actor_id, &body.org_id, body.device_id)),
                authored_at: Some(timestamp(body.authored_at)),
                title: match body.change {
                    Change::BaselineSet { .. } => shape.text(body.event_id, Slot::BASELINE_NAME),
                    _ => touched.first().map(|entity| shape.title(*entity)).unwrap_or_default(),
                },
                entity_ids: touched.iter().map(ToString::to_string).collect(),
                reason: shape.text(body.event_id, Slot::REASON),
                decision: shape.text(body.event_id, Slot::DECISION),
                ..line
            }
        }
        Entry::Rejected(facts) => api::LogLine {
            rejected: true,
            rejection: facts.reason.name().to_owned(),
            author: Some(api::Author { device_id: facts.device_id.to_string(), ..api::Author::default() }),
            ..line
        },
    }
}
