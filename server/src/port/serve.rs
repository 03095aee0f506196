//! Serving connections: HTTP/2 on each in a task of its own, until it ends, is due, or the server stops.
//!
//! It is tonic's own transport but for what that cannot be told: how much of an answer may wait for a slow reader, and when a
//! connection has been silent for too long.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming as Body;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tonic::codegen::http::Request;

use super::incoming::{Incoming, Listener};
use super::{Gate, Limit, Line};
use crate::host::Stopping;
use crate::limits::Limits;
use crate::tls::{Shaken, Tls};

/// A caller who does not answer a ping that comes this often, for this long, is gone.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(45);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// What may be on its way on a connection to calls that do not take it yet.
const WINDOW: u32 = 256 << 10;
/// What of an answer may wait for a reader whose socket stands still.
const SEND_BUFFER: usize = 128 << 10;
/// How many streams may be reset before they were even looked at; then the connection ends.
const UNSEEN_RESETS: usize = 20;
/// How many errors with single streams a connection may have; then it ends.
const STREAM_ERRORS: usize = 64;
/// How long a caller has to let go of a connection that is idle.
const PARTING: Duration = Duration::from_secs(5);

type Builder = http2::Builder<TokioExecutor>;

/// Takes connections until the server stops, and then waits until all of them have ended. Dropped, it ends them at once.
pub(crate) async fn serve<L: Listener + Unpin>(
    mut incoming: Incoming<L>,
    tls: Option<Arc<Tls>>,
    gate: Gate,
    mut stopping: Stopping,
) {
    let builder = builder(gate.limits());
    let mut open = JoinSet::new();
    let told = stopping.clone();
    loop {
        tokio::select! {
            () = stopping.wait() => break,
            // Those that have ended are not kept.
            Some(ended) = open.join_next(), if !open.is_empty() => note(ended),
            Some((io, line)) = incoming.next() => {
                open.spawn(admitted(io, line, tls.clone(), gate.clone(), builder.clone(), told.clone()));
            }
        }
    }
    // Nobody is left waiting at a port that takes nobody any more.
    drop(incoming);
    while let Some(ended) = open.join_next().await {
        note(ended);
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended badly");
    }
}

fn builder(limits: &Limits) -> Builder {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_concurrent_streams(limits.streams_per_connection)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        .max_local_error_reset_streams(STREAM_ERRORS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}

/// Somebody who was let in: over TLS where the server speaks it, which they have to begin in time.
async fn admitted(
    io: TcpStream,
    line: Arc<Line>,
    tls: Option<Arc<Tls>>,
    gate: Gate,
    builder: Builder,
    stopping: Stopping,
) {
    match tls {
        None => connection(io, line, gate, builder, stopping).await,
        Some(tls) => {
            if let Some(io) = shake_hands(io, &line, &tls, gate.limits(), stopping.clone()).await {
                connection(io, line, gate, builder, stopping).await;
            }
        }
    }
}

async fn shake_hands(
    io: TcpStream,
    line: &Line,
    tls: &Tls,
    limits: &Limits,
    mut stopping: Stopping,
) -> Option<Shaken> {
    let patience = Duration::from_millis(limits.handshake_ms);
    let late = tokio::select! {
        shaken = tls.accept(io) => match shaken {
            Ok(io) => return Some(io),
            Err(error) => {
                line.port().fail_handshake();
                tracing::debug!(%error, "a TLS handshake failed");
                return None;
            }
        },
        () = stopping.wait() => return None,
        () = tokio::time::sleep(patience) => Limit::Handshake,
        // Whoever may not take as long for all that comes before a call.
        limit = line.overdue() => limit,
    };
    line.port().meet(late);
    None
}

/// One connection, until it ends or has to.
async fn connection<I: AsyncRead + AsyncWrite + Unpin + 'static>(
    io: I,
    line: Arc<Line>,
    gate: Gate,
    builder: Builder,
    mut stopping: Stopping,
) {
    let service = service_fn({
        let line = Arc::clone(&line);
        move |request: Request<Body>| gate.call(&line, request)
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(io), service));
    let limit = tokio::select! {
        ended = serving.as_mut() => return log(ended),
        () = stopping.wait() => None,
        limit = line.overdue() => Some(limit),
    };
    if let Some(limit) = limit {
        line.port().meet(limit);
        if limit != Limit::Idle {
            return;
        }
    } else if !line.spoke() {
        // Whoever has said nothing is not waited for at the end.
        return;
    }
    serving.as_mut().graceful_shutdown();
    if limit.is_none() {
        // The server says for how long it waits for callers at its end.
        return log(serving.await);
    }
    match tokio::time::timeout(PARTING, serving).await {
        Ok(ended) => log(ended),
        Err(_) => tracing::debug!("a caller does not let go of an idle connection"),
    }
}

fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
