//! Handing in a bundle, to a programme or as the begin of one.

use radslag_core::id::{EventId, Position, ProgramId};
use radslag_core::verdict::Verdict;
use radslag_engine::engine::{Engine, EngineError, Pushed};
use radslag_proto::api::v1 as api;
use radslag_proto::convert::bundle::{LogCursor, PushedBundle, encode_cursor};
use radslag_proto::convert::event::decode_body;
use radslag_proto::convert::verdict::encode_answer;
use radslag_proto::limits;

use super::failure::{Answer, Failure};
use super::request::Fields;
use super::{Api, blocking};
use crate::host::Host;

/// Reading so few bodies is not worth the way to another thread.
const FEW: usize = 8;

/// What a bundle is handed in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// A programme that is there.
    Programme,
    /// A new one.
    NewProgramme,
}

impl Api {
    /// One answer for each event up to the one that stopped the push, and the end of the log after it.
    pub(super) async fn hand_in(
        &self,
        bundle: Option<api::Bundle>,
        request_id: &str,
        to: To,
    ) -> Answer<(Vec<api::Answer>, api::Cursor)> {
        let mut fields = Fields::default();
        let request_id = fields.request_id(request_id);
        let bundle = fields.bundle(bundle);
        let (Some(request_id), Some(bundle)) = (request_id, bundle) else {
            return Err(fields.into_failure());
        };
        if !request_id.is_empty() {
            tracing::Span::current().record("request_id", request_id);
        }
        let engine = self.host.engine()?;
        let (program, device) = (bundle.program, bundle.device);
        let (bundle, ids) = with_event_ids(&self.host, bundle).await?;
        let events = ids.len();
        let pushed = match to {
            To::Programme => engine.push(bundle).await,
            To::NewProgramme => create(&engine, bundle).await,
        };
        let pushed = pushed.map_err(|error| {
            let failure = Failure::from(error);
            self.host.tally().count_failed(failure.reason());
            failure
        })?;
        self.host.tally().count(&pushed.verdicts);
        let answers: Vec<api::Answer> =
            ids.into_iter().zip(&pushed.verdicts).map(|(id, verdict)| encode_answer(id, verdict)).collect();
        let head = head_after(&engine, program, &pushed);
        let landed = pushed.verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Accepted(_))).count();
        tracing::info!(%program, %device, events, landed, answers = answers.len(), head = head.position.get(), "pushed");
        Ok((answers, encode_cursor(&head)))
    }
}

async fn create(engine: &Engine, bundle: PushedBundle) -> Result<Pushed, EngineError> {
    // There is no other check of who the caller is. A retry of what the operator began still gets its receipts.
    if !engine.open_enrolment() && engine.programme(bundle.program).is_err() {
        let denied = "a server that listens on more than loopback begins none; begin it there first";
        return Err(EngineError::CreationDenied(denied.to_owned()));
    }
    engine.create(bundle).await
}

/// The epoch of the head, and never less of it than the caller's own events.
fn head_after(engine: &Engine, program: ProgramId, pushed: &Pushed) -> LogCursor {
    let Ok(programme) = engine.programme(program) else {
        return LogCursor { epoch: Default::default(), position: pushed.head };
    };
    let published = programme.published();
    let epoch = published.state.epoch();
    LogCursor { epoch, position: pushed.head.max(published.state.head()).max(Position::ZERO) }
}

/// The id of every event whose body can be read.
async fn with_event_ids(host: &Host, bundle: PushedBundle) -> Answer<(PushedBundle, Vec<Option<EventId>>)> {
    if bundle.events.len() <= FEW {
        let ids = event_ids(&bundle);
        return Ok((bundle, ids));
    }
    blocking(host, move || {
        let ids = event_ids(&bundle);
        Ok((bundle, ids))
    })
    .await
}

fn event_ids(bundle: &PushedBundle) -> Vec<Option<EventId>> {
    // More than a push may hold are refused as a whole, with one answer.
    let events = bundle.events.iter().take(limits::PUSH_EVENTS);
    events.map(|event| decode_body(&event.body_bytes).ok().map(|body| body.event_id)).collect()
}
