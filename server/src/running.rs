//! Starting and stopping: the store, the key, the engine, the address; and the same backwards.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use radslag_engine::clock::{Clock, SystemClock, SystemIds};
use radslag_engine::engine::{Engine, Options};
use radslag_log::EventLog;
use radslag_log_sled::{OpenOptions, SledLog};
use radslag_trust::keys::DeviceKey;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
#[cfg(unix)]
use crate::control::Control;
use crate::error::StartError;
use crate::fresh;
use crate::guard;
use crate::host::Host;
use crate::log_key;
use crate::metrics::{self, Metrics};
use crate::port::{self, Gate, Incoming, Port};
use crate::rpc::{self, Health};
use crate::tls::{Tls, TlsError, TlsFiles};

/// How long calls that are under way at the end may take, and how long readers of the store may after that.
const GRACE: Duration = Duration::from_secs(5);

/// A server that answers calls. Dropping it stops it without waiting for anything; [`Running::shutdown`] is the orderly way.
pub struct Running {
    addr: SocketAddr,
    engine: Arc<Engine>,
    host: Arc<Host>,
    health: Health,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
    tls: Option<Arc<Tls>>,
    metrics: Option<Telling>,
    left: mpsc::Receiver<Infallible>,
    store: Option<Arc<SledLog>>,
    #[cfg(unix)]
    control: Option<Control>,
}

/// Opens the store in `config.data` and serves it on `config.listen`. Must be called within a tokio runtime.
///
/// # Errors
/// [`StartError`] with what is so; its hint says what to do.
pub async fn start(config: Config) -> Result<Running, StartError> {
    // Before the store, which may take its time to open.
    let tls = open_tls(&config)?;
    let for_opening = config.clone();
    let opened = tokio::task::spawn_blocking(move || {
        guard::own(&for_opening.data)?;
        guard::closed(&for_opening.data)?;
        fresh::refuse_unservable(&for_opening.data)?;
        let store = Arc::new(open_store(&for_opening)?);
        let key = log_key::load_or_make(&for_opening.data, &SystemIds)?;
        let engine = open_engine(&for_opening, Arc::clone(&store) as _, key, Arc::new(SystemClock))?;
        Ok((store, engine))
    });
    let (store, engine) = opened.await.unwrap_or(Err(StartError::CutShort))?;
    serve(&config, engine, Some(store), tls).await
}

/// Serves a store that is open already, such as one in memory. `config.data` is not touched.
///
/// # Errors
/// As for [`start`].
pub async fn start_on(
    config: Config,
    log: Arc<dyn EventLog>,
    log_key: DeviceKey,
    clock: Arc<dyn Clock>,
) -> Result<Running, StartError> {
    let tls = open_tls(&config)?;
    let for_opening = config.clone();
    let opened = tokio::task::spawn_blocking(move || open_engine(&for_opening, log, log_key, clock));
    let engine = opened.await.unwrap_or(Err(StartError::CutShort))?;
    serve(&config, engine, None, tls).await
}

fn open_tls(config: &Config) -> Result<Option<Arc<Tls>>, TlsError> {
    config.tls.as_ref().map(|files| Tls::open(files).map(Arc::new)).transpose()
}

pub(crate) fn open_store(config: &Config) -> Result<SledLog, StartError> {
    log_key::make_data_dir(&config.data)
        .map_err(|source| StartError::DataDir { dir: config.data.clone(), source })?;
    let options =
        OpenOptions { cache_bytes: config.cache_mib.saturating_mul(1 << 20), ..OpenOptions::default() };
    SledLog::open(&config.data, options).map_err(|error| StartError::opening(&config.data, error))
}

pub(crate) fn open_engine(
    config: &Config,
    log: Arc<dyn EventLog>,
    log_key: DeviceKey,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Engine>, StartError> {
    let options = Options { open_enrolment: config.open_enrolment(), queue: config.queue, log_key };
    let engine = Engine::open(log, clock, options)?;
    if config.accept_clock {
        engine.timekeeper().accept();
    }
    let standing = engine.clock_standing(None);
    if !standing.records() {
        tracing::error!(%standing, "nothing is recorded: set the clock right, or restart with --accept-clock");
    }
    for programme in engine.programmes() {
        // Replicas pinned the key; checkpoints by another would look like a forged log.
        if *programme.published().state.log_key() != engine.log_key() {
            return Err(StartError::OtherLogKey { program: programme.id() });
        }
    }
    Ok(Arc::new(engine))
}

async fn serve(
    config: &Config,
    engine: Arc<Engine>,
    store: Option<Arc<SledLog>>,
    tls: Option<Arc<Tls>>,
) -> Result<Running, StartError> {
    let (listener, addr) = bind(config.listen).await?;
    let metrics_listener = metrics_listener(config).await?;
    let (stop, stopped) = watch::channel(false);
    let heartbeat = Duration::from_millis(config.heartbeat_ms);
    let port = Port::new(&config.limits);
    let (host, left) = Host::new(Arc::clone(&engine), stopped, heartbeat);
    let host = Arc::new(host);
    let (health, routes) = rpc::services(&host).await;
    let incoming = Incoming::new(listener, Arc::clone(&port));
    let metrics = metrics_listener.map(|(listener, addr)| {
        tracing::info!(%addr, "metrics are told");
        let task = tokio::spawn(metrics::serve(listener, Arc::clone(&host), Arc::clone(&port)));
        Telling { addr, task }
    });
    let gate = Gate::new(routes, port);
    let served = tokio::spawn(port::serve(incoming, tls.clone(), gate, host.stopping()));
    if tls.is_none() && !config.open_enrolment() {
        tracing::warn!(%addr, "no TLS: whoever is on the way reads and changes what is said; give it a certificate, or a proxy that has one");
    }
    // A store in memory has no directory, and nobody backs it up.
    #[cfg(unix)]
    let control = store.as_ref().and_then(|_| listen_for_backups(&config.data, &host));
    tracing::info!(%addr, tls = tls.is_some(), open_enrolment = config.open_enrolment(), version = crate::VERSION, "serving");
    Ok(Running {
        addr,
        engine,
        host,
        health,
        stop,
        served,
        tls,
        metrics,
        left,
        store,
        #[cfg(unix)]
        control,
    })
}

async fn metrics_listener(config: &Config) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    match config.metrics {
        Metrics::Off => Ok(None),
        Metrics::On(address) => bind(address).await.map(Some),
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressTaken { address },
        _ => StartError::Address { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let addr = listener.local_addr().map_err(refused)?;
    Ok((listener, addr))
}

/// A server without its control socket serves all the same; it is backed up when it does not run.
#[cfg(unix)]
fn listen_for_backups(data: &Path, host: &Arc<Host>) -> Option<Control> {
    Control::listen(data, host)
        .inspect_err(|error| {
            tracing::warn!(%error, "there is no control socket: `radslagd backup` works when this server does not run");
        })
        .ok()
}

/// Tells metrics until it is dropped: nothing of it is worth waiting for.
struct Telling {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// The address that metrics are told on, if they are.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|telling| telling.addr)
    }

    /// The address it listens on, with the port that was found where 0 was asked for.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address as a client takes it: `http://127.0.0.1:7420`, or `https://` over TLS.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// Shows whoever connects from now on the certificate in `files`. A server without TLS does nothing.
    ///
    /// # Errors
    /// It cannot be served; then the one that was shown before still is.
    pub fn reload_certificate(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload(files))
    }

    /// The writer and the programmes.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Takes no more connections, ends the streams, answers what is under way, writes what is queued, and closes the store. Afterwards
    /// the data directory and the port are free.
    pub async fn shutdown(mut self) {
        tracing::info!(addr = %self.addr, "shutting down");
        self.health.stop().await;
        self.stop.send_replace(true);
        if tokio::time::timeout(GRACE, &mut self.served).await.is_err() {
            tracing::warn!("a client does not let go of its connection; it is cut off");
            self.served.abort();
        }
        #[cfg(unix)]
        if let Some(control) = self.control.take() {
            control.ended().await;
        }
        let engine = Arc::clone(&self.engine);
        let drained = tokio::task::spawn_blocking(move || engine.close()).await;
        self.host.close();
        if tokio::time::timeout(GRACE, self.left.recv()).await.is_err() {
            tracing::warn!("a read of the store is still under way; the store closes when it ends");
        }
        let (engine, store) = (self.engine, self.store);
        let closed = tokio::task::spawn_blocking(move || {
            drop(engine);
            close_store(store);
        });
        if drained.is_err() || closed.await.is_err() {
            tracing::error!("the store was not closed in order; what was acknowledged is on disk");
        }
        tracing::info!("stopped");
    }
}

fn close_store(store: Option<Arc<SledLog>>) {
    // Where somebody still holds it, it closes when they let go.
    if let Some(Err(error)) = store.and_then(Arc::into_inner).map(SledLog::close) {
        tracing::error!(%error, "the store did not note its end; what was acknowledged is on disk");
    }
}
