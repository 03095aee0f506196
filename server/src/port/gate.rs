//! Every call passes here: counted, in time, with no more in memory than there is room for, and with a typed error where it fails.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use prost::bytes::{Buf as _, Bytes};
use radslag_proto::status::{ApiError, Reason};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::service::Routes;
use tonic::{Code, Status};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::budget::Taken;
use super::line::{Answer, Call};
use super::{Limit, Line, Port};
use crate::limits::Limits;

/// The largest request: a push. What calls that only ask take is less, and theirs to say.
const LARGEST_REQUEST: usize = crate::rpc::PUSH_MESSAGE + PREFIX;
/// What stands before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// How much of an answer the connection is given at once.
const BLOCK: usize = 16 << 10;

/// The calls whose answers are streams that last as long as their readers like.
const STREAMS: [&str; 3] = [
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The call whose answer is a stream of what others read too (`docs/adr/0015`).
const LENT: &str = "/radslag.api.v1.SyncService/Subscribe";
/// The call whose answer is a stream of large messages.
const DOWNLOAD: &str = "/radslag.api.v1.SyncService/GetSnapshot";

fn answer_of(path: &str) -> Answer {
    match path {
        LENT => Answer::Lent,
        DOWNLOAD => Answer::Download,
        path if STREAMS.contains(&path) => Answer::Stream,
        _ => Answer::Once,
    }
}

/// All services, behind the limits.
#[derive(Clone)]
pub(crate) struct Gate {
    routes: Routes,
    port: Arc<Port>,
}

impl Gate {
    pub(crate) const fn new(routes: Routes, port: Arc<Port>) -> Self {
        Self { routes, port }
    }

    pub(super) fn limits(&self) -> &Limits {
        self.port.limits()
    }

    /// Answers a call that came on a connection.
    pub(super) fn call(
        &self,
        line: &Arc<Line>,
        request: http::Request<Incoming>,
    ) -> BoxFuture<http::Response<Body>, Infallible> {
        let answer = answer_of(request.uri().path());
        let begun = line.begin(answer).and_then(|call| {
            let bytes = self.port.bytes.take(0).ok_or(Limit::InFlight)?;
            let (call, bytes) = (Mutex::new(call), Mutex::new(bytes));
            Ok(Arc::new(Held { port: Arc::clone(&self.port), call, bytes }))
        });
        let held = match begun {
            Ok(held) => held,
            Err(limit) => {
                self.port.meet(limit);
                return Box::pin(std::future::ready(Ok(overloaded(limit).into_http())));
            }
        };
        let span = tracing::info_span!("call", method = request.uri().path(), request_id = Empty);
        let time = self.port.call_time().min(asked_time(request.headers()).unwrap_or(Duration::MAX));
        let counted =
            |inner| Body::new(Asked { inner, held: Arc::clone(&held), prefix: Vec::new(), seen: 0 });
        let answering = self.routes.clone().call(request.map(counted));
        let answered = async move {
            let Ok(answered) = tokio::time::timeout(time, answering).await else {
                held.answered();
                held.port.meet(Limit::CallTime);
                let late = "the call took too long; whether something of it was recorded is not known";
                return Ok(Status::from(ApiError::new(Reason::DeadlinePassed, late)).into_http());
            };
            held.answered();
            let response = typed(answered?);
            Ok(response.map(|inner| Body::new(Given { inner, held, answer, given: 0, rest: Bytes::new() })))
        };
        Box::pin(answered.instrument(span))
    }
}

/// How long the caller waits at most, if they say so: up to eight digits and a unit.
fn asked_time(headers: &http::HeaderMap) -> Option<Duration> {
    let said = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = said.split_at_checked(said.len().checked_sub(1)?)?;
    let number: u64 = if digits.len() <= 8 { digits.parse().ok()? } else { return None };
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// What a call holds until it is over: its place, and room for its bytes.
struct Held {
    port: Arc<Port>,
    // Both touched by the request's body and by the answer's, never at once for long.
    call: Mutex<Call>,
    bytes: Mutex<Taken>,
}

impl Held {
    fn answered(&self) {
        self.call.lock().unwrap_or_else(PoisonError::into_inner).answered();
    }

    /// The connection has taken something of the answer.
    fn taken(&self) {
        self.call.lock().unwrap_or_else(PoisonError::into_inner).taken();
    }

    fn give_back(&self, count: usize) {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).shrink_by(count);
    }

    fn grow(&self, grow: impl FnOnce(&mut Taken) -> bool) -> Result<(), Status> {
        if grow(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        self.port.meet(Limit::InFlight);
        Err(overloaded(Limit::InFlight))
    }
}

/// The request's body, which takes room for what it brings before it is passed on.
struct Asked {
    inner: Incoming,
    held: Arc<Held>,
    /// The beginning of the first message, until its length is known: that much will be held of it.
    prefix: Vec<u8>,
    seen: usize,
}

impl Asked {
    fn count(&mut self, data: &Bytes) -> Result<(), Status> {
        let missing = PREFIX - self.prefix.len();
        self.prefix.extend_from_slice(&data[..missing.min(data.len())]);
        self.seen = self.seen.saturating_add(data.len());
        let announced = match self.prefix.get(1..PREFIX) {
            Some(mut length) => {
                usize::try_from(length.get_u32()).unwrap_or(usize::MAX).saturating_add(PREFIX)
            }
            None => 0,
        };
        let size = announced.max(self.seen);
        if size > LARGEST_REQUEST {
            self.held.port.meet(Limit::RequestSize);
            return Err(too_large(&format!("{size} bytes, at most {LARGEST_REQUEST}")));
        }
        self.held.grow(|bytes| bytes.grow_to(size))
    }
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = ready!(Pin::new(&mut self.inner).poll_frame(context));
        let Some(frame) = polled.transpose().map_err(|error| Status::from_error(error.into()))? else {
            return Poll::Ready(None);
        };
        if let Some(data) = frame.data_ref() {
            self.count(data)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The answer's body. While it is there, the call is under way, and there is room for what is left of its message. It gives the
/// connection a block at a time: what that has taken is its own to keep, and it takes no more than it has room for.
struct Given {
    inner: Body,
    held: Arc<Held>,
    answer: Answer,
    /// What was taken from the answer and is not given yet.
    rest: Bytes,
    /// How much room is held for it.
    given: usize,
}

impl Given {
    fn block(&mut self) -> Bytes {
        let most = self.rest.len().min(BLOCK);
        self.rest.split_to(most)
    }
}

impl HttpBody for Given {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.rest.is_empty() {
            self.held.taken();
            return Poll::Ready(Some(Ok(Frame::data(self.block()))));
        }
        let given = std::mem::take(&mut self.given);
        self.held.give_back(given);
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(context)?) else {
            return Poll::Ready(None);
        };
        let data = match frame.into_data() {
            Ok(data) if self.answer != Answer::Lent => data,
            Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
            Err(other) => return Poll::Ready(Some(Ok(other))),
        };
        let given = data.len();
        if let Err(full) = self.held.grow(|bytes| bytes.grow_by(given)) {
            // Told in the trailers, as every error after the headers is.
            self.inner = Body::empty();
            let mut trailers = http::HeaderMap::new();
            full.add_header(&mut trailers)?;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        (self.given, self.rest) = (given, data);
        self.held.taken();
        Poll::Ready(Some(Ok(Frame::data(self.block()))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() { self.inner.size_hint() } else { SizeHint::default() }
    }
}

fn overloaded(limit: Limit) -> Status {
    let said = match limit {
        Limit::CallsPerAddress => "there are too many calls under way from this address",
        _ => "the server has too much under way",
    };
    ApiError::new(Reason::Overloaded, said).with_metadata("limit", limit.name()).into()
}

fn too_large(size: &str) -> Status {
    ApiError::new(Reason::OverLimit, format!("the request is too large: {size}")).into()
}

/// What tonic says of a request that it cannot read comes without a reason; it gets one. So does nothing else: an unknown call is
/// `UNIMPLEMENTED`, as every gRPC server says it.
fn typed(response: http::Response<Body>) -> http::Response<Body> {
    let bare = Status::from_header_map(response.headers()).filter(|status| status.details().is_empty());
    let status = match bare {
        Some(status) if status.code() == Code::OutOfRange => too_large(status.message()),
        Some(status) if status.code() == Code::Internal => {
            let said = format!("the request cannot be read: {}", status.message());
            ApiError::new(Reason::InvalidRequest, said).into()
        }
        _ => return response,
    };
    status.into_http()
}
