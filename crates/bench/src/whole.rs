//! Reading a whole log as it is served, with its Merkle root computed on the way and held against the server's checkpoint.

use std::time::{Duration, Instant};

use radslag_client::remote::Remote;
use radslag_core::digest::Digest;
use radslag_core::id::{EventId, Position, ProgramId};
use radslag_core::time::Instant as RecordedAt;
use radslag_proto::api::v1 as api;
use radslag_proto::api::v1::subscribe_response::Frame;
use radslag_proto::log::v1;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::{PublicKey, Signature};
use radslag_trust::leaf::{LeafOutcome, LogLeaf};
use radslag_trust::merkle::Frontier;

use crate::Failed;

/// What was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    pub(crate) records: u64,
    pub(crate) elapsed: Duration,
}

/// What is asked for: everything, and then the end.
pub(crate) fn request(program: ProgramId) -> api::SubscribeRequest {
    api::SubscribeRequest {
        program_id: program.to_string(),
        until_caught_up: true,
        ..api::SubscribeRequest::default()
    }
}

/// Reads the log, shows every record, and fails where the root is not the one that the server signed.
pub(crate) async fn read(
    remote: &Remote,
    program: ProgramId,
    each: impl FnMut(&v1::Record) + Send,
) -> Result<Whole, Failed> {
    let mut checker = Checker::new(remote, program, each).await?;
    let began = Instant::now();
    let mut stream = remote.sync().subscribe(request(program)).await?.into_inner();
    while let Some(message) = stream.message().await? {
        checker.take(message)?;
    }
    Ok(Whole { records: checker.finish()?, elapsed: began.elapsed() })
}

/// What is done with the messages of a stream, wherever they come from.
pub(crate) struct Checker<F> {
    program: ProgramId,
    key: PublicKey,
    tree: Tree,
    checkpoint: Option<String>,
    each: F,
}

impl<F: FnMut(&v1::Record)> Checker<F> {
    /// For a log of this server.
    pub(crate) async fn new(remote: &Remote, program: ProgramId, each: F) -> Result<Self, Failed> {
        let key: [u8; 32] =
            remote.hello("").await?.log_key.try_into().map_err(|_| "the server's key is not 32 bytes")?;
        let key = PublicKey::from_bytes(&key)?;
        Ok(Self { program, key, tree: Tree::default(), checkpoint: None, each })
    }

    /// The next message.
    pub(crate) fn take(&mut self, message: api::SubscribeResponse) -> Result<(), Failed> {
        match message.frame {
            Some(Frame::Events(events)) => self.tree.take(&events, &mut self.each)?,
            Some(Frame::CaughtUp(caught_up)) => self.checkpoint = Some(caught_up.checkpoint),
            Some(Frame::Heartbeat(_)) | None => {}
            Some(Frame::MustRefetch(refetch)) => {
                return Err(format!("the server has another log: {}", refetch.reason).into());
            }
        }
        Ok(())
    }

    /// How many records there were; an error where their root is not the checkpoint's.
    pub(crate) fn finish(&self) -> Result<u64, Failed> {
        let note = self.checkpoint.as_deref().ok_or("the stream ended before it had caught up")?;
        let checkpoint = Checkpoint::verify(note, self.program, &self.key)?;
        let frontier = &self.tree.frontier;
        if (checkpoint.size, checkpoint.root) != (frontier.size(), frontier.root()) {
            return Err(format!("the root over {} records is not the checkpoint's", frontier.size()).into());
        }
        Ok(frontier.size())
    }
}

/// The tree as far as it was read.
#[derive(Default)]
struct Tree {
    frontier: Frontier,
    /// The signature that the last record came under, by the bundle's position.
    signature: Option<(u64, Digest)>,
}

impl Tree {
    fn take(&mut self, events: &api::Events, each: &mut impl FnMut(&v1::Record)) -> Result<(), Failed> {
        let mut bundles = events.bundles.iter();
        for frame in &events.records {
            let record = frame.record.as_ref().ok_or("a frame without its record")?;
            let signature = match self.signature {
                Some((position, signature)) if position == record.bundle_position => signature,
                _ => {
                    let bundle = bundles.find(|bundle| bundle.position == record.bundle_position);
                    let bundle = bundle.ok_or("a record without its bundle")?;
                    let signature =
                        Signature::from_slice(&bundle.signature).ok_or("a signature of another size")?;
                    let digest = signature.digest();
                    self.signature = Some((bundle.position, digest));
                    digest
                }
            };
            self.frontier.append(leaf(record, signature)?.hash());
            each(record);
        }
        Ok(())
    }
}

/// The leaf of a record, with the body's hash computed anew.
fn leaf(record: &v1::Record, signature_hash: Digest) -> Result<LogLeaf, Failed> {
    let wrong = |what: &str| format!("record {}: {what}", record.position);
    let stated = Digest::from_slice(&record.body_hash).ok_or_else(|| wrong("the body's hash is not one"))?;
    let (outcome, body_hash) = match record.outcome() {
        v1::Outcome::Accepted => (LeafOutcome::Accepted, Digest::of(&record.body)),
        // The body of a declined event is not kept.
        v1::Outcome::Rejected => (LeafOutcome::Rejected, stated),
        v1::Outcome::Unspecified => return Err(wrong("no outcome").into()),
    };
    if body_hash != stated {
        return Err(wrong("the body is not the one that was recorded").into());
    }
    Ok(LogLeaf {
        outcome,
        position: Position::new(record.position),
        recorded_at: RecordedAt::from_micros(record.recorded_at),
        event_id: EventId::from_slice(&record.event_id).ok_or_else(|| wrong("the event's id is not one"))?,
        body_hash,
        signature_hash,
        facts_hash: Digest::of(&record.facts),
    })
}
