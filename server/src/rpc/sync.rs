//! `SyncService`: where a log stands, handing in, following.

use std::sync::Arc;

use radslag_core::id::Position;
use radslag_core::state::State;
use radslag_engine::engine::{Cursor, Engine, Feed, Misplaced, Programme, locate};
use radslag_engine::timekeeper;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::sync_service_server::SyncService;
use radslag_proto::convert::bundle::{LogCursor, encode_cursor};
use radslag_proto::convert::time::timestamp;
use radslag_proto::limits;
use radslag_proto::status::{ApiError, Reason};
use tonic::{Request, Response, Status};

use super::body::Instead;
use super::failure::Failure;
use super::hand_in::To;
use super::request::Fields;
use super::{Api, feed, filtered, programme};

const PROTOCOL: u32 = 1;

#[tonic::async_trait]
impl SyncService for Api {
    // The frames travel in a body of their own; tonic is given none.
    type SubscribeStream = tokio_stream::Empty<Result<api::SubscribeResponse, Status>>;
    type GetSnapshotStream = super::snapshot::Frames;

    async fn hello(
        &self,
        request: Request<api::HelloRequest>,
    ) -> Result<Response<api::HelloResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.optional_id("program_id", &request.program_id);
        let Some(program) = program else { return Err(fields.into_failure().into()) };
        let engine = self.host.engine().map_err(Failure::from)?;
        let mut answer = about_the_server(&engine);
        if let Some(program) = program {
            let programme = programme(&engine, program)?;
            let standing = Standing::of(&engine, &programme);
            compare(&programme, standing.head.position, request.verified_position);
            answer.rules = standing.rules;
            answer.head = Some(encode_cursor(&standing.head));
            answer.clock = clock(engine.clock_standing(Some(&programme)));
            answer.checkpoint = standing.checkpoint;
            answer.closed_to = Some(timestamp(engine.closed_to(&programme)));
        }
        Ok(Response::new(answer))
    }

    async fn push(&self, request: Request<api::PushRequest>) -> Result<Response<api::PushResponse>, Status> {
        let request = request.into_inner();
        let (answers, head) = self.hand_in(request.bundle, &request.request_id, To::Programme).await?;
        Ok(Response::new(api::PushResponse { answers, head: Some(head) }))
    }

    async fn subscribe(
        &self,
        request: Request<api::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.id("program_id", &request.program_id);
        let after = fields.cursor("after", request.after.as_ref());
        let filter = fields.filter("filter", request.filter.as_ref());
        let (Some(program), Some(after), Some(filter)) = (program, after, filter) else {
            return Err(fields.into_failure().into());
        };
        let engine = self.host.engine().map_err(Failure::from)?;
        let programme = programme(&engine, program)?;
        filtered::check(&filter, &programme)?;
        let misplaced = after.and_then(|after| misplaced(&programme.published().state, after));
        let blocks = if let Some((reason, common)) = misplaced {
            feed::must_refetch(reason, common)
        } else {
            let start = after.map_or(Position::ZERO, |after| after.position);
            let (host, until_caught_up) = (Arc::clone(&self.host), request.until_caught_up);
            let feed = Feed::new(start, until_caught_up);
            let follow = feed::Follow { host, engine, programme, feed, filter };
            follow.begin(self.host.stopping())
        };
        let mut answer = Response::new(tokio_stream::empty());
        answer.extensions_mut().insert(Instead::new(blocks));
        Ok(answer)
    }

    async fn get_snapshot(
        &self,
        request: Request<api::GetSnapshotRequest>,
    ) -> Result<Response<Self::GetSnapshotStream>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let program = fields.id("program_id", &request.program_id);
        let continued = fields.digest("snapshot_id", &request.snapshot_id);
        let (Some(program), Some(continued)) = (program, continued) else {
            return Err(fields.into_failure().into());
        };
        let stopping = self.host.stopping();
        let ask = move |engine: &crate::host::Lease| {
            let programme = programme(engine, program)?;
            Ok(engine.snapshot(&programme, continued)?)
        };
        let Some(made) = self.reading(ask).await? else {
            let none = "the programme is too large for a snapshot; subscribe from position 1 instead";
            return Err(ApiError::new(Reason::NotYet, none).into());
        };
        Ok(Response::new(super::snapshot::send(made, continued, request.from_chunk, stopping)))
    }
}

fn clock(standing: timekeeper::Standing) -> i32 {
    let standing = match standing {
        timekeeper::Standing::Fit => api::ClockStanding::Fit,
        timekeeper::Standing::Behind(_) => api::ClockStanding::Behind,
        timekeeper::Standing::Ahead(_) | timekeeper::Standing::Outrun(_) => api::ClockStanding::Unfit,
    };
    standing.into()
}

/// A log's end with the checkpoint of exactly that end.
pub(super) struct Standing {
    pub(super) head: LogCursor,
    pub(super) rules: u32,
    pub(super) checkpoint: String,
}

impl Standing {
    /// Read until nothing was published between; a signature takes less time than a commit.
    pub(super) fn of(engine: &Engine, programme: &Programme) -> Self {
        loop {
            let (head, rules) = end_of(&programme.published().state);
            let checkpoint = engine.checkpoint(programme);
            if end_of(&programme.published().state).0 == head {
                return Self { head, rules, checkpoint };
            }
        }
    }
}

fn end_of(state: &State) -> (LogCursor, u32) {
    (LogCursor { epoch: state.epoch(), position: state.head() }, state.rules())
}

fn about_the_server(engine: &Engine) -> api::HelloResponse {
    let limit = |limit: usize| u32::try_from(limit).expect("the limits of the format fit 32 bits");
    api::HelloResponse {
        min_protocol: PROTOCOL,
        max_protocol: PROTOCOL,
        rules: 0,
        head: None,
        checkpoint: String::new(),
        limits: Some(api::Limits {
            event_bytes: limit(limits::EVENT_BYTES),
            push_events: limit(limits::PUSH_EVENTS),
            push_bytes: limit(limits::PUSH_BYTES),
            group_bytes: limit(limits::GROUP_BYTES),
        }),
        server_time: Some(timestamp(engine.clock().now())),
        log_key: engine.log_key().to_vec(),
        open_enrolment: engine.open_enrolment(),
        clock: clock(engine.clock_standing(None)),
        closed_to: None,
    }
}

/// A replica that verified more than there is has seen records that this log lost.
fn compare(programme: &Programme, head: Position, verified: u64) {
    if verified > head.get() {
        tracing::error!(
            program = %programme.id(), %head, verified,
            "a replica holds verified records past the head: this log has lost acknowledged changes"
        );
    }
}

/// Why a stream cannot go on after a cursor, if it cannot; and the last place that both logs have, where that can be said.
fn misplaced(state: &State, after: LogCursor) -> Option<(Reason, Option<LogCursor>)> {
    let LogCursor { epoch, position } = after;
    match locate(state, Cursor { epoch, position }) {
        Ok(()) => None,
        Err(Misplaced::Ahead) => Some((Reason::PositionAhead, None)),
        Err(Misplaced::ForeignEpoch(common)) => {
            let common = common.map(|common| LogCursor { epoch: common.epoch, position: common.position });
            Some((Reason::ForeignEpoch, common))
        }
    }
}
