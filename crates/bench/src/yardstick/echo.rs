//! gRPC alone: a unary call whose answer is its request, to a process of its own. Every caller has a connection of its own, as in
//! the scenario. Signed, the caller signs each call anew and the other side verifies it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::Request;
use tonic::codegen::Bytes;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use super::wire::{self, ECHO, Raw};
use crate::Failed;
use crate::measure::{Bound, Cell, Gate};
use crate::process::{Process, Role};

/// Measures `callers` at once with calls of `payload`, which holds so many events.
pub(crate) async fn run(
    bound: Bound,
    callers: usize,
    batch: usize,
    payload: &Bytes,
    signed: bool,
) -> Result<Cell, Failed> {
    let process = Process::start(if signed { &Role::SignedEcho } else { &Role::Echo })?;
    let mut channels = Vec::with_capacity(callers);
    for _ in 0..callers {
        channels.push(wire::connect(&process.url).await?);
    }
    let gate = Arc::new(Gate::open(bound));
    let mut tasks = JoinSet::new();
    for channel in channels {
        tasks.spawn(work(channel, payload.clone(), batch, signed, Arc::clone(&gate)));
    }
    let mut calls = Vec::new();
    while let Some(done) = tasks.join_next().await {
        calls.extend(done??);
    }
    let scenario = if signed { "signed-echo" } else { "echo" };
    Ok(Cell::new(scenario, callers, batch, gate.elapsed(), calls))
}

async fn work(
    channel: Channel,
    payload: Bytes,
    batch: usize,
    signed: bool,
    gate: Arc<Gate>,
) -> Result<Vec<Duration>, Failed> {
    let mut client = tonic::client::Grpc::new(channel);
    let key = wire::key();
    let mut calls = Vec::new();
    while gate.admits(batch) {
        let sent = Instant::now();
        let message = if signed { wire::signed(&key, &payload) } else { payload.clone() };
        client.ready().await?;
        let request = Request::new(message.clone());
        let answer = client.unary(request, PathAndQuery::from_static(ECHO), Raw).await?;
        calls.push(sent.elapsed());
        if *answer.get_ref() != message {
            return Err("the echo is not what was called".into());
        }
    }
    Ok(calls)
}
