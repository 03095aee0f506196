//! The server of a simulated world: the real engine with its writer turned by hand, on a disk that can crash.

use std::sync::Arc;

use radslag_core::id::{EventId, Position, ProgramId};
use radslag_core::verdict::Verdict;
use radslag_engine::check::{Keys, check_bundle};
use radslag_engine::engine::{Engine, EngineError, Options, Programme, Pushed, Writer};
use radslag_engine::epoch::NewEpoch;
use radslag_engine::ledger::read_whole_bundles;
use radslag_log::{EventLog, MemoryLog, ReadLimit};
use radslag_proto::api::v1 as api;
use radslag_proto::convert::bundle::{LogCursor, decode_bundle, encode_cursor};
use radslag_proto::convert::event::decode_body;
use radslag_proto::convert::value::encode_values;
use radslag_proto::convert::verdict::encode_answer;
use radslag_proto::status::Reason;
use radslag_sync::exchange::Cursor;
use radslag_sync::feed::{Feed, Misplaced, Step, locate};
use radslag_trust::keys::DeviceKey;

use super::dice::SimClock;
use super::net::Call;
use super::store::Disk;

/// Small, so that a stream is several frames and can break between them.
const FRAME: ReadLimit = ReadLimit { records: 12, bytes: 64 << 10 };

type Reply = tokio::sync::oneshot::Receiver<Result<Pushed, EngineError>>;

/// A push that the writer has not answered yet.
struct Waiting {
    from: usize,
    call: Call,
    events: Vec<Option<EventId>>,
    reply: Reply,
}

/// A server.
pub struct Server {
    /// Its disk.
    pub disk: Arc<Disk>,
    /// Its clock.
    pub clock: SimClock,
    program: ProgramId,
    key: [u8; 32],
    engine: Engine,
    writer: Writer,
    waiting: Vec<Waiting>,
}

/// What became of a call.
pub enum Answered {
    /// These are the answers.
    Answers(usize, Call, Vec<api::Answer>),
    /// The call failed as a whole.
    Failed(usize, Call),
}

impl Server {
    /// Starts on a disk.
    pub fn start(disk: Arc<Disk>, clock: SimClock, program: ProgramId, key: [u8; 32]) -> Self {
        let (engine, writer) = open(&disk, &clock, key);
        Self { disk, clock, program, key, engine, writer, waiting: Vec::new() }
    }

    /// Goes down and comes back: all that is not on disk is gone. Returns the calls that nobody will answer.
    pub fn restart(&mut self) -> Vec<(usize, Call)> {
        self.disk.recover();
        let (engine, writer) = open(&self.disk, &self.clock, self.key);
        self.engine = engine;
        self.writer = writer;
        self.waiting.drain(..).map(|waiting| (waiting.from, waiting.call)).collect()
    }

    /// Is restored from a copy of its disk, and opens an epoch.
    ///
    /// # Errors
    /// The epoch cannot be opened.
    pub fn restore(&mut self, copy: MemoryLog, new: NewEpoch) -> Result<Vec<(usize, Call)>, String> {
        self.disk = Arc::new(Disk::with(copy));
        let unanswered = self.restart();
        let mut opened = self.engine.enqueue_epoch(self.program, new).map_err(|error| error.to_string())?;
        self.turn();
        match opened.try_recv() {
            Ok(Ok(_)) => Ok(unanswered),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Why the log cannot be followed from a place, if it cannot.
    pub fn misplaced(&self, after: Cursor) -> Option<api::MustRefetch> {
        let programme = self.programme()?;
        let (reason, common) = match locate(&programme.published().state, after).err()? {
            Misplaced::Ahead => (Reason::PositionAhead, None),
            Misplaced::ForeignEpoch(common) => (Reason::ForeignEpoch, common),
        };
        let common = common.map(|at| encode_cursor(&LogCursor { epoch: at.epoch, position: at.position }));
        Some(api::MustRefetch { reason: reason.name().to_owned(), common, backoff_ms: 0 })
    }

    /// The programme, once there is one.
    pub fn programme(&self) -> Option<Arc<Programme>> {
        self.engine.programme(self.program).ok()
    }

    /// Takes a bundle: queues it, or says at once what became of the call.
    pub fn push(&mut self, from: usize, call: Call, bundle: api::Bundle) -> Option<Answered> {
        let Ok(bundle) = decode_bundle(Some(bundle)) else { return Some(Answered::Failed(from, call)) };
        let events: Vec<_> =
            bundle.events.iter().map(|e| decode_body(&e.body_bytes).ok().map(|body| body.event_id)).collect();
        let programme = self.programme();
        let enrolled = programme.as_ref().and_then(|p| p.published().key_of(bundle.device));
        match check_bundle(bundle, enrolled, &self.engine.log_key(), &Keys::default()) {
            // Nothing in it is authentic.
            Err(refusal) => {
                let answers = encode(&events, &[Verdict::Refused(refusal)]);
                Some(Answered::Answers(from, call, answers))
            }
            Ok(checked) => {
                let Ok(reply) = self.engine.enqueue(checked, programme) else {
                    return Some(Answered::Failed(from, call));
                };
                self.waiting.push(Waiting { from, call, events, reply });
                None
            }
        }
    }

    /// The writer takes all that is queued. A commit that fails takes the server down and up again.
    pub fn turn(&mut self) -> (Vec<Answered>, bool) {
        while self.writer.turn() {}
        let mut answered = Vec::new();
        let mut down = false;
        for mut waiting in self.waiting.drain(..) {
            let (from, call) = (waiting.from, waiting.call);
            match waiting.reply.try_recv() {
                Ok(Ok(pushed)) => {
                    answered.push(Answered::Answers(from, call, encode(&waiting.events, &pushed.verdicts)));
                }
                Ok(Err(EngineError::WritesStopped { .. })) => {
                    down = true;
                    answered.push(Answered::Failed(from, call));
                }
                Ok(Err(_)) | Err(_) => answered.push(Answered::Failed(from, call)),
            }
        }
        (answered, down)
    }

    /// The next frame of a stream; none when it is over.
    pub fn next_frame(&self, feed: &mut Feed) -> Option<api::subscribe_response::Frame> {
        use api::subscribe_response::Frame;
        let programme = self.programme()?;
        match feed.step(programme.head()) {
            Step::Send { after, .. } => {
                let batch = read_whole_bundles(self.disk.as_ref(), self.program, after.next(), FRAME).ok()?;
                let last = batch.records.last()?.record.position;
                feed.sent(Position::new(last));
                let records = batch.records.into_iter().map(|frame| api::RecordFrame {
                    record: Some(frame.record),
                    values: encode_values(&frame.values),
                });
                Some(Frame::Events(api::Events { records: records.collect(), bundles: batch.bundles }))
            }
            Step::CaughtUp => {
                feed.told();
                let cursor =
                    LogCursor { epoch: programme.published().state.epoch(), position: programme.head() };
                let checkpoint = self.engine.checkpoint(&programme);
                Some(Frame::CaughtUp(api::CaughtUp { head: Some(encode_cursor(&cursor)), checkpoint }))
            }
            Step::Wait | Step::End => None,
        }
    }
}

fn encode(events: &[Option<EventId>], verdicts: &[Verdict]) -> Vec<api::Answer> {
    events.iter().zip(verdicts).map(|(event, verdict)| encode_answer(*event, verdict)).collect()
}

fn open(disk: &Arc<Disk>, clock: &SimClock, key: [u8; 32]) -> (Engine, Writer) {
    let options = Options { open_enrolment: true, queue: 1024, log_key: DeviceKey::from_seed(key) };
    let log: Arc<dyn EventLog> = Arc::clone(disk) as Arc<dyn EventLog>;
    let opened = Engine::open_by_hand(log, Arc::new(clock.clone()), options)
        .expect("what was committed can be opened again");
    // Plans set the clock by years; whoever starts this server takes it for right.
    opened.0.timekeeper().accept();
    opened
}
