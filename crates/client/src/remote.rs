//! The connection to a server: connecting, and telling apart "nothing there", "not ours" and "declined".

use std::error::Error as _;
use std::time::Duration;

use radslag_proto::api::v1::admin_service_client::AdminServiceClient;
use radslag_proto::api::v1::audit_service_client::AuditServiceClient;
use radslag_proto::api::v1::program_service_client::ProgramServiceClient;
use radslag_proto::api::v1::sync_service_client::SyncServiceClient;
use radslag_proto::api::v1::{HelloRequest, HelloResponse, ListProgramsRequest};
use radslag_proto::status::from_status;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};
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
        match answer.map_err(|elapsed| no_answer(Box::new(elapsed)))? {
            Ok(_) => Ok(remote),
            // A server that ends right now hangs up just as a stranger does; only the stranger says something else when asked anew.
            Err(ClientError::NoAnswer { source, .. }) => {
                let asked = tokio::time::timeout(CONNECT, speaks_something_else(endpoint.uri())).await;
                Err(if asked.unwrap_or(false) {
                    let what = "it does not speak HTTP/2".to_owned();
                    ClientError::NotOurServer { server: server.to_owned(), what }
                } else {
                    ClientError::NoAnswer { server: server.to_owned(), source }
                })
            }
            Err(error) => Err(error),
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
        // What was sent has no source, and one of our servers says its reason. In front of one, a proxy says that it is away.
        let sent = status.source().is_none();
        match status.code() {
            Code::Unimplemented | Code::InvalidArgument | Code::NotFound if sent => {
                ClientError::NotOurServer { server: self.server.clone(), what: status.message().to_owned() }
            }
            _ => ClientError::NoAnswer { server: self.server.clone(), source: Some(Box::new(status)) },
        }
    }
}

/// Whether what answers at an address begins with something else than an HTTP/2 server does, which is its settings (RFC 9113,
/// 3.4). Nothing at all is no answer.
async fn speaks_something_else(address: &Uri) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const SETTINGS: u8 = 4;
    let (host, port) = (address.host().unwrap_or_default(), address.port_u16().unwrap_or(80));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let Ok(mut connection) = TcpStream::connect((host, port)).await else { return false };
    if connection.write_all(PREFACE).await.is_err() {
        return false;
    }
    // A frame's length, and its type.
    let mut begins = [0; 4];
    connection.read_exact(&mut begins).await.is_ok() && begins[3] != SETTINGS
}
