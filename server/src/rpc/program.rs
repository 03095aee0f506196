//! `ProgramService`: what there is, and one programme at a point.

use radslag_core::id::{EntityId, EpochId, ProgramId};
use radslag_core::view;
use radslag_engine::clock::day_of;
use radslag_engine::engine::Engine;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::program_service_server::ProgramService;
use radslag_proto::convert::time::timestamp;
use tonic::{Request, Response, Status};

use super::failure::Answer;
use super::page::{self, Page, Pin, Question, Token};
use super::request::Fields;
use super::shape::Shape;
use super::{Api, point, programme};

#[tonic::async_trait]
impl ProgramService for Api {
    async fn list_programs(
        &self,
        request: Request<api::ListProgramsRequest>,
    ) -> Result<Response<api::ListProgramsResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let Some(size) = fields.page_size(request.page_size) else {
            return Err(fields.into_failure().into());
        };
        let answer = self.reading(move |engine| list(engine, size, &request.page_token)).await?;
        Ok(Response::new(answer))
    }

    async fn get_program(
        &self,
        request: Request<api::GetProgramRequest>,
    ) -> Result<Response<api::GetProgramResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.id("program_id", &request.program_id);
        let as_of = fields.as_of("as_of", request.as_of.as_ref());
        let (Some(program), Some(as_of)) = (program, as_of) else { return Err(fields.into_failure().into()) };
        let read = self.reading(move |engine| {
            let programme = programme(engine, program)?;
            let read = point::read(engine, &programme, as_of, None)?;
            let values = engine.past_of(&programme, &read.reading);
            let program = Shape::new(&read.reading, &values).program();
            Ok(api::GetProgramResponse { program: Some(program), basis: Some(read.basis()) })
        });
        Ok(Response::new(read.await?))
    }
}

/// Programmes come and titles change between two pages, so a page goes on after a programme, not after a number of them.
fn list(engine: &Engine, size: usize, token: &str) -> Answer<api::ListProgramsResponse> {
    let question =
        Question::new("ListPrograms", ProgramId::default(), EntityId::default(), EpochId::default());
    let token = Token::decode(token, question)?;
    let mut all: Vec<(ProgramId, api::ProgramSummary)> = engine
        .programmes()
        .iter()
        .filter_map(|programme| {
            // Cloned, because looking a title up takes the same lock again.
            let state = programme.published().state.clone();
            let today = day_of(engine.clock().now()).max(state.today()?);
            let title = view::title(&state, &engine.past(programme), programme.id().into(), today);
            let summary = api::ProgramSummary {
                program_id: programme.id().to_string(),
                title,
                position: state.head().get(),
                recorded_at: Some(timestamp(state.recorded_at())),
            };
            Some((programme.id(), summary))
        })
        .collect();
    all.sort_by_cached_key(|(id, summary)| (view::swedish_key(&summary.title), *id));
    let start = match token {
        None => 0,
        Some(token) => {
            let after = |(id, _): &(ProgramId, _)| id.uuid().as_u128() == token.after;
            all.iter().position(after).ok_or_else(page::invalid)? + 1
        }
    };
    let mut programs = Page::new(size);
    let mut last = None;
    let mut rest = all.into_iter().skip(start).peekable();
    while let Some((id, summary)) = rest.next_if(|_| !programs.is_full()) {
        last = Some(id);
        programs.push(summary);
    }
    let next = last.filter(|_| rest.peek().is_some());
    let next = next.map(|id| {
        let (from, to) = (Pin::default(), Pin::default());
        Token { from, to, after: id.uuid().as_u128() }.encode(question)
    });
    Ok(api::ListProgramsResponse {
        programs: programs.into_items(),
        next_page_token: next.unwrap_or_default(),
    })
}
