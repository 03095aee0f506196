//! gRPC alone: a unary call whose answer is its request. Every caller has a connection of its own, as in the scenario.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::body::Body;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Context, Poll, Service, http};
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::Failed;
use crate::measure::{Bound, Cell, Gate};

const PATH: &str = "/radslag.bench.EchoService/Echo";

/// Measures `callers` at once with `payload`.
pub(crate) async fn run(bound: Bound, callers: usize, payload: &[u8]) -> Result<Cell, Failed> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tokio::spawn(Server::builder().add_service(EchoService).serve_with_incoming(incoming));
    let measured = measure(&url, bound, callers, payload).await;
    server.abort();
    measured
}

async fn measure(url: &str, bound: Bound, callers: usize, payload: &[u8]) -> Result<Cell, Failed> {
    let mut channels = Vec::with_capacity(callers);
    for _ in 0..callers {
        channels.push(Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true).connect().await?);
    }
    let gate = Arc::new(Gate::open(bound));
    let mut tasks = JoinSet::new();
    for channel in channels {
        tasks.spawn(work(channel, payload.to_vec(), Arc::clone(&gate)));
    }
    let mut calls = Vec::new();
    while let Some(done) = tasks.join_next().await {
        calls.extend(done??);
    }
    Ok(Cell::new("echo", callers, 1, gate.elapsed(), calls))
}

async fn work(channel: Channel, payload: Vec<u8>, gate: Arc<Gate>) -> Result<Vec<Duration>, Failed> {
    let mut client = tonic::client::Grpc::new(channel);
    let mut calls = Vec::new();
    while gate.admits(1) {
        let request = Request::new(payload.clone());
        let sent = Instant::now();
        client.ready().await?;
        let codec = ProstCodec::<Vec<u8>, Vec<u8>>::default();
        let answer = client.unary(request, PathAndQuery::from_static(PATH), codec).await?;
        calls.push(sent.elapsed());
        if *answer.get_ref() != payload {
            return Err("the echo is not what was called".into());
        }
    }
    Ok(calls)
}

/// What a generated service would be.
#[derive(Clone, Copy)]
struct EchoService;

impl NamedService for EchoService {
    const NAME: &'static str = "radslag.bench.EchoService";
}

impl UnaryService<Vec<u8>> for EchoService {
    type Response = Vec<u8>;
    type Future = std::future::Ready<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

impl Service<http::Request<Body>> for EchoService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<Vec<u8>, Vec<u8>>::default());
        Box::pin(async move { Ok(grpc.unary(Self, request).await) })
    }
}
