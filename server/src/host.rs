//! What the calls hold on to: the engine for as long as a call lasts, and no longer than the server lives.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use radslag_engine::engine::{Engine, EngineError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::metrics::Tally;
use crate::rpc::{AllPlaces, Shelf};

/// How many calls read the store at once. More would only wait for the same disk and the same few cores.
const READING_AT_ONCE: usize = 64;

/// A hold on the engine. When the last one is let go, whoever waits to close the store is told.
#[derive(Clone)]
pub(crate) struct Lease {
    // Dropped in this order: the engine is free before anybody is told so.
    engine: Arc<Engine>,
    _held: mpsc::Sender<Infallible>,
}

impl Deref for Lease {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

/// What all calls share.
pub(crate) struct Host {
    // Taken away at the end, so that a connection that outlives the server does not keep the store open.
    engine: RwLock<Option<Lease>>,
    stop: watch::Receiver<bool>,
    heartbeat: Duration,
    shelf: Shelf,
    places: AllPlaces,
    turns: Arc<Semaphore>,
    tally: Tally,
}

impl Host {
    /// A host, and the receiver that ends when all leases are let go. `heartbeat` is how long a stream stays silent.
    pub(crate) fn new(
        engine: Arc<Engine>,
        stop: watch::Receiver<bool>,
        heartbeat: Duration,
    ) -> (Self, mpsc::Receiver<Infallible>) {
        let (held, left) = mpsc::channel(1);
        let engine = RwLock::new(Some(Lease { engine, _held: held }));
        let (shelf, places) = (Shelf::default(), AllPlaces::default());
        let turns = Arc::new(Semaphore::new(READING_AT_ONCE));
        (Self { engine, stop, heartbeat, shelf, places, turns, tally: Tally::default() }, left)
    }

    /// How long a stream stays silent when there is nothing new.
    pub(crate) const fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// A turn to do what blocks.
    pub(crate) async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.turns).acquire_owned().await.expect("nobody closes it")
    }

    /// What is counted.
    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The frames that several readers want.
    pub(crate) const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// What stood where, for those who follow an area.
    pub(crate) const fn places(&self) -> &AllPlaces {
        &self.places
    }

    /// The engine, for one call.
    pub(crate) fn engine(&self) -> Result<Lease, EngineError> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        engine.clone().ok_or(EngineError::ShuttingDown)
    }

    /// Gives out no more leases.
    pub(crate) fn close(&self) {
        self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Tells when the server stops.
    pub(crate) fn stopping(&self) -> Stopping {
        Stopping(self.stop.clone())
    }
}

/// Tells when the server stops.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Whether the server stops.
    pub(crate) fn is_so(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the server stops; a server that was dropped has stopped too.
    pub(crate) async fn wait(&mut self) {
        if self.0.wait_for(|stopped| *stopped).await.is_err() {
            tracing::debug!("the server was dropped without being shut down");
        }
    }
}
