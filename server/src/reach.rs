//! How far a log holds: verified from the first record on, to its end or to the last bundle before the first thing that does not hold.

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::{EpochId, Position, ProgramId};
use radslag_engine::ledger::{Batch, FramedRecord, Ledger, LedgerError, read_whole_bundles};
use radslag_log::{CHECKPOINTS, EventLog, ReadLimit, RowKey, RowKind};
use radslag_proto::convert::value::decode_values;
use radslag_proto::limits::PUSH_EVENTS;
use radslag_proto::log::v1;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::PublicKey;

/// How much is read at once.
const BULK: ReadLimit = ReadLimit { records: 2_000, bytes: 1 << 20 };

/// How far a log holds.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    /// The last record of the last bundle that holds.
    pub(crate) position: Position,
    /// The Merkle root up to there.
    pub(crate) root: Digest,
    /// The epoch there.
    pub(crate) epoch: EpochId,
    /// How many epochs were opened up to there.
    pub(crate) epochs: usize,
    /// The key that the programme was begun with.
    pub(crate) log_key: [u8; 32],
    /// What does not hold after that; none where that is the end of the log.
    pub(crate) stopped: Option<Box<LedgerError>>,
}

impl Reach {
    fn note(&mut self, ledger: &Ledger) {
        let state = &ledger.state;
        (self.position, self.root) = (state.head(), ledger.frontier.root());
        (self.epoch, self.epochs) = (state.epoch(), state.epochs().len());
        self.log_key = *state.log_key();
    }
}

/// Why verifying ended before the log did.
enum Stop {
    /// From here on nothing holds.
    Here(LedgerError),
    /// What was taken before cannot be believed either.
    Throughout(LedgerError),
}

/// Verifies a programme's log as far as it holds: signatures, sequences, values, the rules' verdicts, and the Merkle root, with that
/// stored at the end and with every checkpoint by the log's key that a replica keeps beside it.
///
/// # Errors
/// Not even the first bundle holds, or a root is another: a device signs nothing of what was rejected, so that the root alone shows it,
/// and does not show where.
pub(crate) fn reach(log: &dyn EventLog, program: ProgramId) -> Result<Reach, LedgerError> {
    let (mut ledger, mut reach) = (Ledger::new(program), Reach::default());
    let mut checkpoints = None;
    let stopped = loop {
        let batch = match bundles(log, program, reach.position.next()) {
            Err(error) => break Some(error),
            Ok(batch) => batch,
        };
        if batch.records.is_empty() {
            break None;
        }
        match take_bundles(log, &mut ledger, batch, &mut reach, &mut checkpoints) {
            Ok(()) => {}
            Err(Stop::Here(error)) => break Some(error),
            Err(Stop::Throughout(error)) => return Err(error),
        }
    };
    match stopped {
        Some(error) if reach.position == Position::ZERO => return Err(error),
        None if !ledger.is_that_of(log)? => {
            return Err(forged(
                &reach,
                "the Merkle root of the records is not the one stored with their end",
            ));
        }
        stopped => reach.stopped = stopped.map(Box::new),
    }
    Ok(reach)
}

/// Whole bundles from `next` on; where a record among them does not read, the first of them alone. Nothing at the end of the log.
///
/// # Errors
/// Not even the first bundle reads.
pub(crate) fn bundles(log: &dyn EventLog, program: ProgramId, next: Position) -> Result<Batch, LedgerError> {
    read_whole_bundles(log, program, next, BULK).or_else(|_| one_bundle(log, program, next))
}

/// The bundle that begins at `next`, with nothing read of what comes after it.
fn one_bundle(log: &dyn EventLog, program: ProgramId, next: Position) -> Result<Batch, LedgerError> {
    let Some(bundle) = log.bundle(program, next)? else {
        let what = "the signature it came under is missing".to_owned();
        return Err(LedgerError::Forged { position: next, what });
    };
    let absent = u32::try_from(bundle.absent.len()).unwrap_or(u32::MAX);
    let members = usize::try_from(bundle.size.saturating_sub(absent)).unwrap_or(usize::MAX);
    let most = ReadLimit { records: members.min(PUSH_EVENTS), bytes: usize::MAX };
    let mut records = Vec::new();
    for record in log.read(program, next, most)? {
        let at = Position::new(record.position);
        let values = decode_values(&log.values(program, at)?);
        let values = values.map_err(|error| LedgerError::Forged { position: at, what: error.to_string() })?;
        records.push(FramedRecord { record, values });
    }
    Ok(Batch { records, bundles: vec![bundle] })
}

/// Takes in one bundle after the other, so that what holds ends where one does.
fn take_bundles(
    log: &dyn EventLog,
    ledger: &mut Ledger,
    batch: Batch,
    reach: &mut Reach,
    checkpoints: &mut Option<Vec<Checkpoint>>,
) -> Result<(), Stop> {
    let mut records = batch.records.into_iter().peekable();
    for bundle in batch.bundles {
        let mut one = Batch::default();
        while let Some(frame) = records.next_if(|frame| frame.record.bundle_position == bundle.position) {
            one.records.push(frame);
        }
        one.bundles.push(bundle);
        ledger.take_in(log, one).map_err(Stop::Here)?;
        // The key that signed them is in the first record.
        if checkpoints.is_none() {
            *checkpoints = Some(kept_checkpoints(log, ledger).map_err(Stop::Throughout)?);
        }
        let here =
            |known: &&Checkpoint| known.size == ledger.frontier.size() && known.epoch == ledger.state.epoch();
        reach.note(ledger);
        if checkpoints.iter().flatten().filter(here).any(|known| known.root != reach.root) {
            return Err(Stop::Throughout(forged(
                reach,
                "the Merkle root is not the one that the log's key signed",
            )));
        }
    }
    match records.next() {
        Some(_) => Err(Stop::Here(forged(reach, "the record after it is in no bundle"))),
        None => Ok(()),
    }
}

/// The last checkpoint of each epoch that a replica verified.
fn kept_checkpoints(log: &dyn EventLog, ledger: &Ledger) -> Result<Vec<Checkpoint>, LedgerError> {
    let program = ledger.state.program_id();
    let wrong = |what: String| LedgerError::Forged { position: ledger.state.head(), what };
    let row = log.row(RowKey { program, kind: RowKind::Setting, number: CHECKPOINTS })?;
    let kept = v1::Checkpoints::decode(row.unwrap_or_default().as_slice());
    let kept = kept.map_err(|error| wrong(format!("its checkpoints do not read: {error}")))?;
    let key = PublicKey::from_bytes(ledger.state.log_key()).map_err(|error| wrong(error.to_string()))?;
    let verified = kept.notes.iter().map(|note| Checkpoint::verify(note, program, &key));
    let verified: Result<Vec<_>, _> = verified.collect();
    verified.map_err(|error| wrong(format!("a checkpoint that it keeps: {error}")))
}

fn forged(reach: &Reach, what: &str) -> LedgerError {
    LedgerError::Forged { position: reach.position, what: what.to_owned() }
}
