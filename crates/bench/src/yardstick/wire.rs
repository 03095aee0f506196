//! tonic alone: messages are bytes, and nothing is read from them. The servers are what generated services would be.

use std::convert::Infallible;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;

use prost::bytes::{Buf as _, BufMut as _};
use radslag_trust::keys::{DeviceKey, PublicKey, Signature};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::tokio_stream::{self, Stream};
use tonic::codegen::{BoxFuture, Bytes, Context, Poll, Service, http};
use tonic::server::{NamedService, ServerStreamingService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use crate::Failed;
use crate::process::ended;

/// Where the echo is called.
pub(crate) const ECHO: &str = "/radslag.bench.Echo/Echo";
/// Where the stream is asked for.
pub(crate) const STREAM: &str = "/radslag.bench.Stream/Read";
/// How long a signature is.
const SIGNATURE: usize = 64;

/// A message is its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A connection, with the settings of a replica's.
pub(crate) async fn connect(url: &str) -> Result<Channel, Failed> {
    Ok(Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true).connect().await?)
}

/// The key that both ends of a signed echo know.
pub(crate) fn key() -> DeviceKey {
    DeviceKey::from_seed([7; 32])
}

/// The message of a signed echo: the signature, and what it signs.
pub(crate) fn signed(key: &DeviceKey, payload: &[u8]) -> Bytes {
    [key.sign(payload).bytes(), payload].concat().into()
}

/// Answers every call with its request, until the standard input ends.
pub(crate) async fn serve_echo(verify: bool) -> Result<(), Failed> {
    serve(Echo { key: verify.then(|| key().public()) }).await
}

/// Streams the messages that [`append_message`] wrote, until the standard input ends.
pub(crate) async fn serve_stream(file: &Path) -> Result<(), Failed> {
    let mut file = std::io::BufReader::new(std::fs::File::open(file)?);
    let mut messages = Vec::new();
    let mut length = [0; 4];
    while file.read_exact(&mut length).is_ok() {
        let mut message = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        file.read_exact(&mut message)?;
        messages.push(Bytes::from(message));
    }
    serve(Messages(messages.into())).await
}

/// Writes a message where [`serve_stream`] finds it.
pub(crate) fn append_message(file: &mut impl std::io::Write, message: &[u8]) -> Result<(), Failed> {
    file.write_all(&u32::try_from(message.len())?.to_be_bytes())?;
    Ok(file.write_all(message)?)
}

async fn serve<S>(service: S) -> Result<(), Failed>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(Server::builder().add_service(service).serve_with_incoming_shutdown(incoming, ended()).await?)
}

/// Answers with the request; with a key, only where the signature in front is by it.
#[derive(Clone)]
struct Echo {
    key: Option<PublicKey>,
}

impl Echo {
    fn answer(&self, message: Bytes) -> Result<Response<Bytes>, Status> {
        if let Some(key) = &self.key {
            let parts = message.split_at_checked(SIGNATURE);
            let parts = parts.and_then(|(signature, rest)| Some((Signature::from_slice(signature)?, rest)));
            let (signature, payload) = parts.ok_or_else(|| Status::invalid_argument("no signature"))?;
            key.verify(payload, &signature).map_err(|error| Status::unauthenticated(error.to_string()))?;
        }
        Ok(Response::new(message))
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "radslag.bench.Echo";
}

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        std::future::ready(self.answer(request.into_inner()))
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(echo, request).await) })
    }
}

/// Streams messages that it has.
#[derive(Clone)]
struct Messages(std::sync::Arc<[Bytes]>);

impl NamedService for Messages {
    const NAME: &'static str = "radslag.bench.Stream";
}

impl ServerStreamingService<Bytes> for Messages {
    type Response = Bytes;
    type ResponseStream = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let messages = std::sync::Arc::clone(&self.0);
        let all = (0..messages.len()).map(move |index| Ok(messages[index].clone()));
        std::future::ready(Ok(Response::new(Box::pin(tokio_stream::iter(all)))))
    }
}

impl Service<http::Request<Body>> for Messages {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let messages = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).server_streaming(messages, request).await) })
    }
}
