//! Callers that do what no client of ours does: sockets without a protocol, and HTTP/2 without manners.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use prost::Message;
use prost::bytes::Bytes;
use radslag_proto::api::v1 as api;
use radslag_proto::status::{Reason, from_status};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::codegen::http::{Request, Response};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A SETTINGS frame that sets nothing.
pub(crate) const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
pub(crate) const HELLO: &str = "/radslag.api.v1.SyncService/Hello";
pub(crate) const PUSH: &str = "/radslag.api.v1.SyncService/Push";

pub(crate) const LIST: &str = "/radslag.api.v1.ProgramService/ListPrograms";

/// Longer than anything here takes. What is waited for ends it, not the time.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it never came")
}

/// Waits until the other end has closed, whatever it says before.
pub(crate) async fn closed(socket: &mut TcpStream) {
    let mut said = Vec::new();
    // Hanging up on somebody who still talks is an error for them.
    let end = soon(socket.read_to_end(&mut said)).await;
    drop(end);
}

/// A message as gRPC frames it.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let mut bytes = announced(body.len());
    bytes.extend(body);
    bytes.into()
}

/// The beginning of a message of that length.
pub(crate) fn announced(length: usize) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes
}

/// A connection without a client.
pub(crate) struct Raw {
    send: SendRequest<Bytes>,
    ended: JoinHandle<Result<(), h2::Error>>,
}

/// A call on it, whose request may go on.
pub(crate) struct RawCall {
    pub(crate) request: SendStream<Bytes>,
    answer: ResponseFuture,
}

impl Raw {
    pub(crate) async fn to(address: SocketAddr) -> Result<Self, h2::Error> {
        let socket = TcpStream::connect(address).await.unwrap();
        Self::on(socket, &h2::client::Builder::new()).await
    }

    /// From another address of this machine.
    #[cfg(target_os = "linux")]
    pub(crate) async fn from(own: [u8; 4], address: SocketAddr) -> Result<Self, h2::Error> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((own, 0))).unwrap();
        Self::on(socket.connect(address).await.unwrap(), &h2::client::Builder::new()).await
    }

    /// One who takes nothing: no stream has room for a byte.
    pub(crate) async fn deaf(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        Self::on(socket, h2::client::Builder::new().initial_window_size(0)).await.unwrap()
    }

    async fn on(socket: TcpStream, builder: &h2::client::Builder) -> Result<Self, h2::Error> {
        let (send, connection) = builder.handshake(socket).await?;
        Ok(Self { send, ended: tokio::spawn(connection) })
    }

    /// Begins a call with some bytes of its request.
    pub(crate) async fn begin(&mut self, path: &str, bytes: Bytes, last: bool) -> Result<RawCall, h2::Error> {
        self.send_off(asking(path), bytes, last).await
    }

    async fn send_off(
        &mut self,
        request: Request<()>,
        bytes: Bytes,
        last: bool,
    ) -> Result<RawCall, h2::Error> {
        poll_fn(|context| self.send.poll_ready(context)).await?;
        let (answer, mut request) = self.send.send_request(request, false)?;
        if last || !bytes.is_empty() {
            request.send_data(bytes, last)?;
        }
        Ok(RawCall { request, answer })
    }

    /// What the server says of a request with one more header; whether it ends is said.
    pub(crate) async fn ask_with(
        &mut self,
        path: &str,
        (name, value): (&'static str, &str),
        bytes: Bytes,
        last: bool,
    ) -> Result<Status, h2::Error> {
        let mut request = asking(path);
        request.headers_mut().insert(name, value.parse().unwrap());
        self.send_off(request, bytes, last).await?.status().await
    }

    /// What the server says of a whole request.
    pub(crate) async fn ask(&mut self, path: &str, bytes: Bytes) -> Result<Status, h2::Error> {
        self.begin(path, bytes, true).await?.status().await
    }

    /// Whether the server answers.
    pub(crate) async fn is_served(&mut self) -> bool {
        let hello = framed(&api::HelloRequest::default());
        soon(self.ask(HELLO, hello)).await.is_ok_and(|status| status.code() == tonic::Code::Ok)
    }

    /// Waits until the server ends it, and holds on to it for as long.
    pub(crate) async fn hung_up_on(&mut self) -> Result<(), h2::Error> {
        soon(&mut self.ended).await.unwrap()
    }
}

fn asking(path: &str) -> Request<()> {
    let request = Request::post(format!("http://localhost{path}"));
    request.header("content-type", "application/grpc").header("te", "trailers").body(()).unwrap()
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.ended.abort();
    }
}

impl RawCall {
    /// What HTTP says.
    pub(crate) async fn http_status(self) -> Result<u16, h2::Error> {
        Ok(soon(self.answer).await?.status().as_u16())
    }

    /// What the server says, in the headers or the trailers.
    pub(crate) async fn status(self) -> Result<Status, h2::Error> {
        let Self { request, answer } = self;
        let answered: Response<RecvStream> = soon(answer).await?;
        if let Some(status) = Status::from_header_map(answered.headers()) {
            return Ok(status);
        }
        let mut body = answered.into_body();
        while let Some(data) = soon(body.data()).await {
            body.flow_control().release_capacity(data?.len())?;
        }
        let trailers = soon(body.trailers()).await?.unwrap();
        drop(request);
        Ok(Status::from_header_map(&trailers).unwrap())
    }
}

/// The reason that a status carries.
pub(crate) fn reason_of(status: &Status) -> Reason {
    from_status(status).unwrap_or_else(|| panic!("no reason in {status:?}")).reason
}
