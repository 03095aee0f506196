//! Where an answer that carries a body of its own gets it: in place of the one that tonic would encode.

use std::convert::Infallible;

use radslag_proto::api::v1::sync_service_server::{self, SyncServiceServer};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Context, Poll, Service, http};
use tonic::server::NamedService;

use super::Api;
use super::body::Instead;

/// `SyncService`, whose streams have bodies of their own.
#[derive(Clone)]
pub(super) struct Door(pub(super) SyncServiceServer<Api>);

impl NamedService for Door {
    const NAME: &'static str = sync_service_server::SERVICE_NAME;
}

impl Service<http::Request<Body>> for Door {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            let instead = response.extensions_mut().remove::<Instead>();
            Ok(match instead.and_then(|instead| instead.take()) {
                Some(own) => response.map(|_| Body::new(own)),
                None => response,
            })
        })
    }
}
