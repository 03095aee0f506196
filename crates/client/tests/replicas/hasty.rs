//! A server that says of the first streams that they must begin again, and then answers as the real one behind it does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use radslag_client::remote::Remote;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::api::v1::sync_service_server::{SyncService, SyncServiceServer};
use tonic::codegen::{BoxStream, tokio_stream};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// When each stream was asked for.
pub(crate) type Asked = Arc<Mutex<Vec<Instant>>>;

struct Hasty {
    real: Remote,
    refetches: usize,
    backoff_ms: u32,
    asked: Asked,
}

/// Puts one before a real server, on a port of its own, for as long as the runtime lives.
pub(crate) async fn before(real: Remote, refetches: usize, backoff_ms: u32) -> (Remote, Asked) {
    let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = format!("http://{}", incoming.local_addr().unwrap());
    let asked = Asked::default();
    let service = SyncServiceServer::new(Hasty { real, refetches, backoff_ms, asked: Arc::clone(&asked) });
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    (Remote::connect(&url).await.unwrap(), asked)
}

#[tonic::async_trait]
impl SyncService for Hasty {
    type SubscribeStream = BoxStream<api::SubscribeResponse>;
    type GetSnapshotStream = Streaming<api::GetSnapshotResponse>;

    async fn hello(
        &self,
        request: Request<api::HelloRequest>,
    ) -> Result<Response<api::HelloResponse>, Status> {
        self.real.sync().hello(request.into_inner()).await
    }

    async fn push(&self, request: Request<api::PushRequest>) -> Result<Response<api::PushResponse>, Status> {
        self.real.sync().push(request.into_inner()).await
    }

    async fn subscribe(
        &self,
        request: Request<api::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let earlier = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(Instant::now());
            asked.len() - 1
        };
        if earlier < self.refetches {
            let reason = "POSITION_AHEAD".to_owned();
            let frame =
                Frame::MustRefetch(api::MustRefetch { reason, common: None, backoff_ms: self.backoff_ms });
            let message = api::SubscribeResponse { frame: Some(frame), covered_to: None };
            return Ok(Response::new(Box::pin(tokio_stream::once(Ok(message)))));
        }
        let stream = self.real.sync().subscribe(request.into_inner()).await?.into_inner();
        Ok(Response::new(Box::pin(stream)))
    }

    async fn get_snapshot(
        &self,
        request: Request<api::GetSnapshotRequest>,
    ) -> Result<Response<Self::GetSnapshotStream>, Status> {
        self.real.sync().get_snapshot(request.into_inner()).await
    }
}
