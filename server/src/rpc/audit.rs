//! `AuditService`: who changed what, when and why. Here what is read along the log; what is read at points is in `points`.

mod paged;
mod points;

use radslag_core::event::Change;
use radslag_core::fold;
use radslag_core::history::{FieldChange, Told};
use radslag_core::id::{EntityId, Position};
use radslag_core::record::{Entry, Recorded};
use radslag_core::time::CivilDate;
use radslag_core::value::Slot;
use radslag_engine::engine::Engine;
use radslag_engine::ledger::read_record;
use radslag_engine::trail::{self, After};
use radslag_log::ReadLimit;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::audit_service_server::AuditService;
use radslag_proto::convert::time::timestamp;
use radslag_proto::status::{ApiError, Reason};
use tonic::{Request, Response, Status};

use super::failure::Answer;
use super::page::{self, Page};
use super::request::Fields;
use super::shape::{self, Shape};
use super::{Api, programme};
use paged::{Asks, Paged};

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
        let asked = fields.as_of("as_of", request.as_of.as_ref());
        let (Some(program), Some(entity), Some(size), Some(asked)) = (program, entity, size, asked) else {
            return Err(fields.into_failure().into());
        };
        let (as_of, token) = (request.as_of, request.page_token);
        let read = self.reading(move |engine| {
            let (call, to, token) = ("ListHistory", (asked, as_of.as_ref()), token.as_str());
            let paged = Paged::read(engine, &Asks { call, program, entity, from: None, to, token })?;
            list_history(engine, &paged, entity, size, asked.day())
        });
        Ok(Response::new(read.await?))
    }

    async fn get_blame(
        &self,
        request: Request<api::GetBlameRequest>,
    ) -> Result<Response<api::GetBlameResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.id("program_id", &request.program_id);
        let asked = fields.as_of("as_of", request.as_of.as_ref());
        let size = fields.page_size_or_all(request.page_size);
        let (Some(program), Some(asked), Some(size)) = (program, asked, size) else {
            return Err(fields.into_failure().into());
        };
        let (as_of, token) = (request.as_of, request.page_token);
        let read = self.reading(move |engine| {
            let (call, entity, token) = ("GetBlame", EntityId::default(), token.as_str());
            let to = (asked, as_of.as_ref());
            let paged = Paged::read(engine, &Asks { call, program, entity, from: None, to, token })?;
            points::blame(engine, &paged, size)
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
        let size = fields.page_size_or_all(request.page_size);
        let (Some(program), Some(from), Some(to), Some(size)) = (program, from, to, size) else {
            return Err(fields.into_failure().into());
        };
        let (points, token) = ([request.from, request.to], request.page_token);
        let read = self.reading(move |engine| {
            let (call, entity, token) = ("GetDiff", EntityId::default(), token.as_str());
            let (from, to) = (Some((from, points[0].as_ref())), (to, points[1].as_ref()));
            let paged = Paged::read(engine, &Asks { call, program, entity, from, to, token })?;
            points::diff(engine, &paged, size)
        });
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
        let asked = fields.as_of("as_of", request.as_of.as_ref());
        let (Some(program), Some(size), Some(asked)) = (program, size, asked) else {
            return Err(fields.into_failure().into());
        };
        let (as_of, token) = (request.as_of, request.page_token);
        let read = self.reading(move |engine| {
            let (call, entity, token) = ("ListLog", EntityId::default(), token.as_str());
            let to = (asked, as_of.as_ref());
            let paged = Paged::read(engine, &Asks { call, program, entity, from: None, to, token })?;
            list_log(engine, &paged, size)
        });
        Ok(Response::new(read.await?))
    }
}

fn list_history(
    engine: &Engine,
    paged: &Paged,
    entity: EntityId,
    size: usize,
    day: Option<CivilDate>,
) -> Answer<api::ListHistoryResponse> {
    let reading = &paged.to.reading;
    if reading.state.entity(entity).is_none() {
        return Err(ApiError::new(
            Reason::EntityNotFound,
            format!("there is no entity {entity} in the programme"),
        )
        .with_resource("entity", entity.to_string())
        .into());
    }
    let told = day.map_or(Told::AsRecorded, Told::For);
    let log = engine.log().as_ref();
    // One more than a page holds tells whether there is another.
    let most = size.saturating_add(1);
    let ledger = paged.programme.as_ref();
    let found = trail::changes_of(log, ledger, entity, told, paged.head(), place(paged.after)?, most)?;
    let places = found.iter().map(|(change, _)| (change.event, change.position));
    let values = engine.past_at(&paged.programme, places);
    let shape = Shape::new(reading, &values);
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
        basis: Some(paged.to.basis()),
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

fn list_log(engine: &Engine, paged: &Paged, size: usize) -> Answer<api::ListLogResponse> {
    let program = paged.programme.id();
    let limit = ReadLimit { records: size, bytes: 1 << 20 };
    let mut last = u64::try_from(paged.after).map_err(|_| page::invalid())?;
    let stored = engine.log().read(program, Position::new(last).next(), limit)?;
    let shown = stored.iter().take_while(|record| record.position <= paged.head().get());
    let records: Vec<Recorded> = shown.map(read_record).collect::<Result<_, _>>()?;
    let values =
        engine.past_at(&paged.programme, records.iter().map(|record| (record.event_id, record.position)));
    let shape = Shape::new(&paged.to.reading, &values);
    let mut lines = Page::new(size);
    for record in &records {
        if lines.is_full() {
            break;
        }
        last = record.position.get();
        lines.push(log_line(&shape, record));
    }
    let next_page_token = paged.next(last.into(), last < paged.head().get());
    Ok(api::ListLogResponse { lines: lines.into_items(), next_page_token, basis: Some(paged.to.basis()) })
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
