//! The calls: one file for each service, and what they share.
//!
//! A handler reads its request (`request`), asks the engine off the async threads, and shapes the answer (`shape`). It decides nothing
//! about programmes.

mod admin;
mod audit;
mod body;
mod door;
mod encoded;
mod failure;
mod feed;
mod filtered;
mod frame;
mod hand_in;
mod page;
mod point;
mod program;
mod request;
mod shape;
mod shelf;
mod snapshot;
mod sync;

use std::sync::Arc;

use radslag_core::id::ProgramId;
use radslag_engine::engine::{Engine, EngineError, Programme};
use radslag_proto::api::v1::admin_service_server::{self, AdminServiceServer};
use radslag_proto::api::v1::audit_service_server::{self, AuditServiceServer};
use radslag_proto::api::v1::program_service_server::{self, ProgramServiceServer};
use radslag_proto::api::v1::sync_service_server::{self, SyncServiceServer};
use radslag_proto::status::{ApiError, Reason};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::host::{Host, Lease};
use door::Door;
use failure::{Answer, Failure};

pub(crate) use filtered::AllPlaces;
pub(crate) use shelf::Shelf;

/// The largest message taken with a bundle in it: the format's 1 MiB of bodies and values, and what frames them.
pub(crate) const PUSH_MESSAGE: usize = 2 << 20;
/// The largest message taken by a call that only asks.
const ASKING_MESSAGE: usize = 64 << 10;
/// The largest message sent; what clients take unless they say otherwise.
const SENT_MESSAGE: usize = 4 << 20;

/// All services.
#[derive(Clone)]
struct Api {
    host: Arc<Host>,
}

impl Api {
    /// Does what blocks, such as reading the store, off the async threads.
    async fn reading<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Lease) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let engine = self.host.engine()?;
        blocking(&self.host, move || work(&engine)).await
    }
}

/// Does what blocks off the async threads, so much of it at once as there is room for: whoever hangs up while they wait for their turn
/// leaves no work behind.
async fn blocking<T: Send + 'static>(
    host: &Host,
    work: impl FnOnce() -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let turn = host.turn().await;
    let span = tracing::Span::current();
    let work = move || {
        let _turn = turn;
        span.in_scope(work)
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "a read was cut short");
        Err(ApiError::new(Reason::Internal, "a read was cut short").into())
    })
}

/// A programme that has a record; one that is just being begun is not there yet.
fn programme(engine: &Engine, id: ProgramId) -> Answer<Arc<Programme>> {
    let programme = engine.programme(id)?;
    if programme.head().get() == 0 {
        return Err(Failure::from(EngineError::ProgramNotFound(id)));
    }
    Ok(programme)
}

/// The names of the services, for health checks; the empty one stands for all.
const SERVICES: [&str; 5] = [
    "",
    program_service_server::SERVICE_NAME,
    sync_service_server::SERVICE_NAME,
    audit_service_server::SERVICE_NAME,
    admin_service_server::SERVICE_NAME,
];

/// What health checks are told.
pub(crate) struct Health(HealthReporter);

impl Health {
    async fn set(&self, status: ServingStatus) {
        for service in SERVICES {
            self.0.set_service_status(service, status).await;
        }
    }

    /// From now on, health checks are told to go elsewhere.
    pub(crate) async fn stop(&self) {
        self.set(ServingStatus::NotServing).await;
    }
}

/// All services of a host, with health and reflection.
pub(crate) async fn services(host: &Arc<Host>) -> (Health, Routes) {
    let api = Api { host: Arc::clone(host) };
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let health = Health(reporter);
    health.set(ServingStatus::Serving).await;
    let programs = ProgramServiceServer::new(api.clone())
        .max_decoding_message_size(ASKING_MESSAGE)
        .max_encoding_message_size(SENT_MESSAGE);
    let sync = SyncServiceServer::new(api.clone())
        .max_decoding_message_size(PUSH_MESSAGE)
        .max_encoding_message_size(SENT_MESSAGE);
    let audit = AuditServiceServer::new(api.clone())
        .max_decoding_message_size(ASKING_MESSAGE)
        .max_encoding_message_size(SENT_MESSAGE);
    let admin = AdminServiceServer::new(api)
        .max_decoding_message_size(PUSH_MESSAGE)
        .max_encoding_message_size(SENT_MESSAGE);
    let services = Routes::new(programs)
        .add_service(Door(sync))
        .add_service(audit)
        .add_service(admin)
        .add_service(health_service.max_decoding_message_size(ASKING_MESSAGE))
        .add_service(reflection().build_v1().expect(COMPILED_IN).max_decoding_message_size(ASKING_MESSAGE))
        .add_service(
            reflection().build_v1alpha().expect(COMPILED_IN).max_decoding_message_size(ASKING_MESSAGE),
        );
    (health, services.prepare())
}

const COMPILED_IN: &str = "the descriptors were compiled together with this program";

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(radslag_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
