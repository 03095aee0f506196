//! The connection to a server: connecting, and telling apart "nothing there", "not ours" and "declined".

use std::error::Error as _;
use std::path::Path;
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
use crate::settings::Settings;
use crate::tls::{self, Distrust, Fault};

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
    /// Connects and makes sure that a Rådslag server answers. Over TLS the authorities of this computer are trusted.
    ///
    /// # Errors
    /// The address is none, nothing answers there, or something else does, or somebody who is not trusted.
    pub async fn connect(server: &str) -> Result<Self, ClientError> {
        Self::connect_trusting(server, None).await
    }

    /// Connects to the server of a replica, as its settings say.
    ///
    /// # Errors
    /// As for [`Remote::connect_trusting`].
    pub async fn of(settings: &Settings) -> Result<Self, ClientError> {
        Self::connect_trusting(&settings.server, settings.ca.as_deref()).await
    }

    /// As [`Remote::connect`]; over TLS the authorities in the PEM file `ca` are trusted and no others, where it is named.
    ///
    /// # Errors
    /// As for [`Remote::connect`], and the file cannot be used.
    pub async fn connect_trusting(server: &str, ca: Option<&Path>) -> Result<Self, ClientError> {
        let bad = || ClientError::BadAddress(server.to_owned());
        let safe = server.starts_with("https://");
        if !safe && !server.starts_with("http://") {
            return Err(bad());
        }
        let endpoint = Endpoint::from_shared(server.to_owned()).map_err(|_| bad())?;
        let mut endpoint = endpoint
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(45))
            .keep_alive_timeout(Duration::from_secs(20));
        if safe {
            let distrust = |why| ClientError::Distrusted { server: server.to_owned(), why };
            let none = |_| distrust(Distrust::NoAuthorities);
            endpoint = endpoint.tls_config(tls::config(ca, CONNECT)?).map_err(none)?;
        }
        let no_answer = |source| ClientError::NoAnswer { server: server.to_owned(), source: Some(source) };
        let channel = match endpoint.connect().await {
            Ok(channel) => channel,
            Err(error) if safe => return Err(no_tls(server, endpoint.uri(), error).await),
            Err(error) => return Err(no_answer(Box::new(error))),
        };
        let remote = Self { server: server.to_owned(), channel };
        // Whoever takes connections and says nothing is as good as not there.
        let answer = tokio::time::timeout(CONNECT, remote.hello("")).await;
        // A stranger who hangs up at once, again and again, takes as long as one who says nothing.
        match answer.unwrap_or_else(|elapsed| Err(no_answer(Box::new(elapsed)))) {
            Ok(_) => Ok(remote),
            // A server that ends right now hangs up just as a stranger does; only the stranger says something else when asked anew.
            Err(ClientError::NoAnswer { source, .. }) if !safe => {
                let server = server.to_owned();
                Err(match spoken(endpoint.uri()).await {
                    Spoken::Tls => ClientError::SpeaksTls { server },
                    Spoken::SomethingElse => ClientError::NotOurServer { server, what: NO_HTTP2.to_owned() },
                    Spoken::Http2 | Spoken::Nothing => ClientError::NoAnswer { server, source },
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

/// Why no connection over TLS came about.
async fn no_tls(server: &str, address: &Uri, error: tonic::transport::Error) -> ClientError {
    let server = server.to_owned();
    match tls::fault(&error) {
        Some(Fault::Distrust(why)) => ClientError::Distrusted { server, why },
        Some(Fault::NoTls) => ClientError::SpeaksNoTls { server },
        Some(Fault::NoHttp2) => ClientError::NotOurServer { server, what: NO_HTTP2.to_owned() },
        // A server that hangs up on what it does not understand may do so before anybody has read what it said.
        None => match spoken(address).await {
            Spoken::Http2 => ClientError::SpeaksNoTls { server },
            _ => ClientError::NoAnswer { server, source: Some(Box::new(error)) },
        },
    }
}

const NO_HTTP2: &str = "it does not speak HTTP/2";

/// What answers somebody who speaks HTTP/2 without TLS.
enum Spoken {
    /// The same: it begins with its settings (RFC 9113, 3.4).
    Http2,
    /// An alert of TLS (RFC 8446, 5.1).
    Tls,
    /// Anything else.
    SomethingElse,
    /// Nothing, or not in time.
    Nothing,
}

async fn spoken(address: &Uri) -> Spoken {
    let asked = tokio::time::timeout(CONNECT, first_bytes(address)).await;
    // Of HTTP/2 a frame's length, and its type; of TLS the sort of record, and its version.
    const SETTINGS: u8 = 4;
    match asked.ok().flatten() {
        None => Spoken::Nothing,
        Some([0x15, 3, ..]) => Spoken::Tls,
        Some([_, _, _, SETTINGS]) => Spoken::Http2,
        Some(_) => Spoken::SomethingElse,
    }
}

/// The first that is said at an address; none where it is less.
async fn first_bytes(address: &Uri) -> Option<[u8; 4]> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let usual = if address.scheme_str() == Some("https") { 443 } else { 80 };
    let (host, port) = (address.host()?, address.port_u16().unwrap_or(usual));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut connection = TcpStream::connect((host, port)).await.ok()?;
    connection.write_all(PREFACE).await.ok()?;
    let mut begins = [0; 4];
    connection.read_exact(&mut begins).await.ok()?;
    Some(begins)
}
