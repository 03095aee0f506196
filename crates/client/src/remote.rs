//! The connection to a server: connecting, and telling apart "nothing there", "not ours" and "declined".

use std::error::Error;
use std::time::Duration;

use radslag_proto::api::v1::admin_service_client::AdminServiceClient;
use radslag_proto::api::v1::audit_service_client::AuditServiceClient;
use radslag_proto::api::v1::program_service_client::ProgramServiceClient;
use radslag_proto::api::v1::sync_service_client::SyncServiceClient;
use radslag_proto::api::v1::{HelloRequest, HelloResponse, ListProgramsRequest};
use radslag_proto::status::from_status;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::error::ClientError;

/// The largest message taken from a server: a frame of a stream with room to spare.
const MAX_MESSAGE: usize = 8 << 20;
const CONNECT: Duration = Duration::from_secs(10);

/// A connection to a Rådslag server.
#[derive(Clone, Debug)]
pub struct Remote {
    server: String,
    channel: Channel,
}

impl Remote {
    /// Connects and makes sure that a Rådslag server answers.
    ///
    /// # Errors
    /// The address is none, nothing answers there, or something else does.
    pub async fn connect(server: &str) -> Result<Self, ClientError> {
        match Self::greet(server).await {
            // A server that ends right now hangs up just as a stranger does. Only the stranger is there when asked again.
            Err(ClientError::NotOurServer { .. }) => Self::greet(server).await,
            answered => answered,
        }
    }

    async fn greet(server: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::BadAddress(server.to_owned());
        if !server.starts_with("http://") {
            return Err(bad());
        }
        let endpoint = Endpoint::from_shared(server.to_owned()).map_err(|_| bad())?;
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(45))
            .keep_alive_timeout(Duration::from_secs(20));
        let no_answer = |source| ClientError::NoAnswer { server: server.to_owned(), source: Some(source) };
        let channel = endpoint.connect().await.map_err(|error| no_answer(Box::new(error)))?;
        let remote = Self { server: server.to_owned(), channel };
        // Whoever takes connections and says nothing is as good as not there.
        let answer = tokio::time::timeout(CONNECT, remote.hello("")).await;
        let answer = answer.map_err(|elapsed| no_answer(Box::new(elapsed)))?;
        answer.map_err(|error| remote.not_ours(error))?;
        Ok(remote)
    }

    /// A first call that fails without one of our reasons was answered by somebody else.
    fn not_ours(&self, error: ClientError) -> ClientError {
        match error {
            ClientError::NoAnswer { source, .. } => ClientError::NotOurServer {
                server: self.server.clone(),
                what: source.map_or_else(|| "no answer".to_owned(), |source| root_cause(&*source)),
            },
            other => other,
        }
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The audit calls.
    pub fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// The sync calls.
    pub fn sync(&self) -> SyncServiceClient<Channel> {
        SyncServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    /// The admin calls.
    pub fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone()).max_encoding_message_size(MAX_MESSAGE)
    }

    /// The reading calls.
    pub fn programs(&self) -> ProgramServiceClient<Channel> {
        ProgramServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE)
    }

    /// Asks where a log stands; an empty id asks about the server alone.
    ///
    /// # Errors
    /// The server declines or has gone.
    pub async fn hello(&self, program_id: &str) -> Result<HelloResponse, ClientError> {
        let request = HelloRequest { program_id: program_id.to_owned(), verified_position: 0 };
        let answer = self.sync().hello(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| self.declined(status))
    }

    /// All programmes of the server: id, title and position.
    ///
    /// # Errors
    /// The server declines or has gone.
    pub async fn list_programs(&self) -> Result<Vec<(String, String, u64)>, ClientError> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListProgramsRequest { page_size: 0, page_token };
            let answer = self.programs().list_programs(request).await;
            let page = answer.map_err(|status| self.declined(status))?.into_inner();
            found.extend(page.programs.into_iter().map(|one| (one.program_id, one.title, one.position)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }

    /// What a status of the server means.
    pub fn declined(&self, status: Status) -> ClientError {
        if let Some(error) = from_status(&status) {
            return ClientError::Api(Box::new(error));
        }
        match status.code() {
            Code::Unimplemented | Code::InvalidArgument | Code::NotFound => {
                ClientError::NotOurServer { server: self.server.clone(), what: status.message().to_owned() }
            }
            _ => ClientError::NoAnswer { server: self.server.clone(), source: Some(Box::new(status)) },
        }
    }
}

/// What is at the bottom of an error, in its own words.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
