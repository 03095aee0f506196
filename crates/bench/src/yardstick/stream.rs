//! gRPC alone: a stream of messages that lie ready in the memory of a process of its own.

use std::path::Path;
use std::time::{Duration, Instant};

use tonic::Request;
use tonic::codegen::Bytes;
use tonic::codegen::http::uri::PathAndQuery;

use super::wire::{self, Raw, STREAM};
use crate::Failed;
use crate::process::{Process, Role};

/// A process that streams the messages of a file.
pub(crate) struct Bare(Process);

/// What came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Through {
    pub(crate) messages: usize,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

impl Bare {
    pub(crate) fn start(messages: &Path) -> Result<Self, Failed> {
        Ok(Self(Process::start(&Role::Stream { messages: messages.to_owned() })?))
    }

    /// Reads all of them once, and shows each.
    pub(crate) async fn read(
        &self,
        mut each: impl FnMut(Bytes) -> Result<(), Failed>,
    ) -> Result<Through, Failed> {
        let path = PathAndQuery::from_static(STREAM);
        let mut client = tonic::client::Grpc::new(wire::connect(&self.0.url).await?);
        client.ready().await?;
        let began = Instant::now();
        let answer = client.server_streaming(Request::new(Bytes::new()), path, Raw).await?;
        let (mut stream, mut messages, mut bytes) = (answer.into_inner(), 0, 0);
        while let Some(message) = stream.message().await? {
            messages += 1;
            bytes += message.len() as u64;
            each(message)?;
        }
        Ok(Through { messages, bytes, elapsed: began.elapsed() })
    }
}
