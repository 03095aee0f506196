//! `AdminService`: beginning a programme.

use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::admin_service_server::AdminService;
use tonic::{Request, Response, Status};

use super::Api;
use super::hand_in::To;

#[tonic::async_trait]
impl AdminService for Api {
    async fn create_program(
        &self,
        request: Request<api::CreateProgramRequest>,
    ) -> Result<Response<api::CreateProgramResponse>, Status> {
        let request = request.into_inner();
        let (answers, head) = self.hand_in(request.bundle, &request.request_id, To::NewProgramme).await?;
        Ok(Response::new(api::CreateProgramResponse { answers, head: Some(head) }))
    }
}
