//! `GET /metrics` for Prometheus and `GET /health` for whoever watches, on an address of its own. It says how much and how long, and nothing of what is in a programme; its
//! callers are not known, so the address is one that only they reach.

mod tally;
mod text;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use radslag_core::id::ProgramId;
use radslag_engine::engine::Engine;
use radslag_proto::status::Reason;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::codegen::http::{Method, Request, Response, StatusCode, header};

use crate::host::Host;
use crate::port::Port;
use text::Text;

pub(crate) use tally::Tally;

/// How many are answered at once; more wait.
const AT_ONCE: usize = 4;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits after taking a connection failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Where metrics are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Metrics {
    /// Nowhere.
    #[default]
    Off,
    /// On this address; port 0 takes any free one.
    On(SocketAddr),
}

impl FromStr for Metrics {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::On).map_err(|error| format!("it is neither off nor an address: {error}"))
    }
}

impl TryFrom<String> for Metrics {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::On(address) => address.fmt(f),
        }
    }
}

/// Answers until it is dropped.
pub(crate) async fn serve(listener: TcpListener, host: Arc<Host>, port: Arc<Port>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let turn = Arc::clone(&turns).acquire_owned().await.expect("nobody closes it");
        let io = match listener.accept().await {
            Ok((io, _)) => io,
            Err(error) => {
                tracing::debug!(%error, "metrics are asked for, and no connection can be taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (host, port) = (Arc::clone(&host), Arc::clone(&port));
        tokio::spawn(async move {
            let _turn = turn;
            let service = service_fn(|request| answer(request, Arc::clone(&host), Arc::clone(&port)));
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(io), service);
            match tokio::time::timeout(PATIENCE, serving).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "who asked for metrics has gone"),
                Err(_) => tracing::debug!("whoever asks for metrics takes too long"),
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    host: Arc<Host>,
    port: Arc<Port>,
) -> Result<Response<String>, Infallible> {
    let health = match request.uri().path() {
        "/metrics" => false,
        "/health" => true,
        _ => return Ok(said(StatusCode::NOT_FOUND, "there are /metrics and /health\n".to_owned())),
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(said(StatusCode::METHOD_NOT_ALLOWED, "both are for GET\n".to_owned()));
    }
    if health {
        return Ok(how_it_is(&host));
    }
    // The programmes are looked at for it, which takes as long as they are large.
    let told =
        tokio::task::spawn_blocking(move || host.engine().ok().map(|engine| tell(&engine, &host, &port)));
    Ok(match told.await {
        Ok(Some(text)) => said(StatusCode::OK, text),
        _ => unwell("the server is shutting down"),
    })
}

/// Whether it serves and records. What is wrong is for an operator: whoever only reads may go on all the same.
fn how_it_is(host: &Host) -> Response<String> {
    let Ok(engine) = host.engine() else { return unwell("the server is shutting down") };
    if host.stopping().is_so() {
        return unwell("the server is shutting down");
    }
    // The writer tells whoever pushes, and never takes it back.
    if host.tally().failed().contains_key(Reason::WritesStopped.name()) {
        return unwell("writes have stopped: the log says why; mend it and restart");
    }
    let clock = engine.clock_standing(None);
    if !clock.records() {
        return unwell(&format!("nothing is recorded: {clock}"));
    }
    said(StatusCode::OK, "ok\n".to_owned())
}

fn unwell(why: &str) -> Response<String> {
    said(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
}

fn said(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    // The version is that of Prometheus's format, and harmless where the text is another.
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn tell(engine: &Engine, host: &Host, port: &Port) -> String {
    let mut text = Text::default();
    let built = [([("version", crate::VERSION.to_owned())], 1)];
    text.of_each("radslag_build_info", "gauge", "Always 1; which build answers.", built);
    about_the_writer(&mut text, engine);
    about_programmes(&mut text, engine);
    about_callers(&mut text, host.tally(), port);
    text.into_string()
}

fn about_the_writer(text: &mut Text, engine: &Engine) {
    const MICROS: f64 = 1e6;
    let meter = engine.meter();
    text.histogram(
        "radslag_append_seconds",
        "From when a push was queued until it was acknowledged.",
        &meter.append.read(),
        MICROS,
    );
    text.histogram(
        "radslag_commit_seconds",
        "The time of a commit with its flush and its sync.",
        &meter.commit.read(),
        MICROS,
    );
    text.histogram("radslag_commit_records", "How many records a commit had.", &meter.records.read(), 1.0);
    text.gauge("radslag_queue_depth", "Pushes that wait for the writer.", engine.queued());
}

fn about_programmes(text: &mut Text, engine: &Engine) {
    let programmes: Vec<_> = engine
        .programmes()
        .iter()
        .map(|programme| {
            // Copied, so that the writer waits for no more than that: entities are shared.
            let state = programme.published().state.clone();
            (programme.id(), state.head().get(), state.conflicts().len())
        })
        .collect();
    let of = |id: &ProgramId| [("program", id.to_string())];
    let records = programmes.iter().map(|(id, records, _)| (of(id), records));
    text.of_each("radslag_records", "gauge", "Records in the log of a programme.", records);
    let open = programmes.iter().map(|(id, _, conflicts)| (of(id), conflicts));
    text.of_each("radslag_conflicts_open", "gauge", "Fields in conflict in a programme.", open);
}

fn about_callers(text: &mut Text, tally: &Tally, port: &Port) {
    let events = tally.events();
    let events = events.iter().map(|((fate, reason), count)| {
        ([("outcome", (*fate).to_owned()), ("reason", reason.clone())], count)
    });
    let help = "Events that were handed in, by what became of them and why.";
    text.of_each("radslag_events_total", "counter", help, events);
    let failed = tally.failed().into_iter().map(|(reason, count)| ([("reason", reason.to_owned())], count));
    let help = "Pushes that failed as a whole, by reason.";
    text.of_each("radslag_push_failures_total", "counter", help, failed);
    text.gauge("radslag_subscribers", "Streams that follow a log.", tally.subscribers());
    text.gauge("radslag_connections_open", "Connections that are open.", port.open_connections());
    let help = "TLS handshakes that failed: no trust in the certificate, or no TLS.";
    text.counter("radslag_handshakes_failed_total", help, port.failed_handshakes());
    text.gauge("radslag_calls_open", "Calls under way, streams among them.", port.open_calls());
    text.gauge("radslag_in_flight_bytes", "What requests and answers hold.", port.bytes_in_flight());
    let met = port.met().map(|(limit, times)| ([("limit", limit.name().to_owned())], times));
    let help = "How often a caller met a limit of docs/limits.md.";
    text.of_each("radslag_limits_met_total", "counter", help, met);
}
