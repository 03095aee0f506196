//! `radslagd backup DIR`: every log of a data directory, as it stands when the backup begins, in a fresh store with the log's key beside it.
//!
//! A server that runs reads its published log out on its control socket and is held up by nothing; this process writes. Where no server
//! runs, the same is read from the store. Either way the root of what was written must be that of the log.

use std::path::Path;

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_engine::ledger::values_at;
use radslag_log::{EventLog, LogError, ReadLimit, StoredRecord, check};
use radslag_log_sled::{OpenOptions, SledLog};
use radslag_proto::log::v1;
use radslag_proto::log::v1::backup_frame::Frame;

use crate::error::StartError;
use crate::fresh::{self, Fresh, Purpose};
use crate::guard;
use crate::log_key;
use crate::recovery::RecoveryError;
use crate::transfer::Transfer;

/// How much of a log is read at once, and about how large a frame becomes.
const PART: ReadLimit = ReadLimit { records: 2_000, bytes: 1 << 20 };

/// One programme's log, backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// The programme.
    pub program: ProgramId,
    /// Its last record in the backup.
    pub position: Position,
    /// The Merkle root up to there.
    pub root: Digest,
}

/// How far a backup has come with one programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The programme.
    pub program: ProgramId,
    /// The last record that is written.
    pub position: Position,
    /// The last record that will be.
    pub of: Position,
}

/// Backs the data directory in `data` up into `dir`, which must be empty, not there, or hold what an earlier try left. A server may be
/// running on it.
///
/// # Errors
/// There is no store or no key, somebody else has it open, the server went away, or the backup cannot be written.
pub fn backup(
    data: &Path,
    dir: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Vec<BackedUp>, RecoveryError> {
    if !data.join("db").is_file() {
        return Err(StartError::NoStore { dir: data.to_owned() }.into());
    }
    fresh::refuse_unfinished(data)?;
    let key = log_key::load(data)?.ok_or_else(|| StartError::NoLogKey { dir: data.to_owned() })?;
    let source = Source::open(data)?;
    let fresh = Fresh::begin(dir, Purpose::Backup, &[data]).map_err(|error| match error {
        StartError::StoreInTheWay { dir } => RecoveryError::BackupInTheWay { dir },
        StartError::DataDir { dir, source } => RecoveryError::BackupDenied { dir, source },
        StartError::InsideTheCopy { dir } => RecoveryError::BackupInside { dir },
        other => other.into(),
    })?;
    let to = SledLog::open(dir, OpenOptions::default())?;
    let mut taking = Taking { to: &to, current: None, done: Vec::new() };
    source.read_out(|frame| taking.take(frame, &mut progress))?;
    let done = taking.done;
    to.close()?;
    log_key::save(dir, &key)?;
    fresh.done()?;
    Ok(done)
}

/// Where the log is read from.
enum Source {
    /// The control socket of the server that runs.
    #[cfg(unix)]
    Running(crate::control::Client),
    /// The store, which nobody else has open.
    Stopped(SledLog),
}

impl Source {
    fn open(data: &Path) -> Result<Self, RecoveryError> {
        #[cfg(unix)]
        if let Some(client) = crate::control::Client::connect(data) {
            return Ok(Self::Running(client));
        }
        guard::own(data)?;
        match SledLog::open(data, OpenOptions::default()) {
            Err(LogError::InUse { dir }) => Err(RecoveryError::NobodyAnswers { dir }),
            opened => Ok(Self::Stopped(opened.map_err(|error| StartError::opening(data, error))?)),
        }
    }

    fn read_out(self, each: impl FnMut(Frame) -> Result<(), RecoveryError>) -> Result<(), RecoveryError> {
        match self {
            #[cfg(unix)]
            Self::Running(client) => client.read_out(each),
            Self::Stopped(log) => {
                read_out(&log, each)?;
                Ok(log.close()?)
            }
        }
    }
}

/// Reads out every log of a store as it stands now; what is recorded meanwhile is not part of it. At most a part is in memory.
///
/// # Errors
/// The store does not answer, or `each` does not take a frame.
pub(crate) fn read_out<E: From<LogError>>(
    log: &dyn EventLog,
    mut each: impl FnMut(Frame) -> Result<(), E>,
) -> Result<(), E> {
    let mut heads = Vec::new();
    for program in log.programs()? {
        heads.extend(log.head(program)?.map(|head| (program, head)));
    }
    for (program, head) in heads {
        let (mut next, end) = (1, head.position);
        each(Frame::Begin(v1::BackupBegin { program_id: program.bytes().to_vec(), head: Some(head) }))?;
        while next <= end {
            let part = part(log, program, next, end)?;
            next += u64::try_from(part.records.len()).unwrap_or(u64::MAX);
            each(Frame::Records(part))?;
        }
    }
    each(Frame::Whole(v1::BackupWhole {}))
}

/// Records from `next` on, at least one, with values and bundles.
fn part(log: &dyn EventLog, program: ProgramId, next: u64, end: u64) -> Result<v1::TailRecords, LogError> {
    let records = log.read(program, Position::new(next), PART)?;
    let (mut part, mut bytes) = (v1::TailRecords::default(), 0);
    let mut values = log.values_from(program, Position::new(next))?.peekable();
    for record in records {
        let at = Position::new(record.position);
        // Values and bundles are not in the limit of a read: one event has up to 64 KiB of the ones, and 500 digests in the other.
        if record.position > end || bytes > PART.bytes {
            break;
        }
        if record.bundle_position == record.position
            && let Some(bundle) = log.bundle(program, at)?
        {
            bytes += bundle.encoded_len();
            part.bundles.push(bundle);
        }
        let stored = StoredRecord { record, values: values_at(&mut values, at)? };
        bytes += stored.bytes();
        part.records.push(v1::TailRecord { record: Some(stored.record), values: stored.values });
    }
    if part.records.is_empty() {
        return Err(LogError::damaged_at(program, Position::new(next), "the record is missing"));
    }
    Ok(part)
}

/// What was said so far, on its way into the backup.
struct Taking<'a> {
    to: &'a SledLog,
    current: Option<(Transfer, v1::Head)>,
    done: Vec<BackedUp>,
}

impl Taking<'_> {
    fn take(&mut self, frame: Frame, progress: &mut impl FnMut(Progress)) -> Result<(), RecoveryError> {
        let unknown =
            || RecoveryError::Declined { what: "it said what this release does not know".to_owned() };
        match frame {
            Frame::Begin(begin) => {
                self.finish()?;
                let program = ProgramId::from_slice(&begin.program_id).ok_or_else(unknown)?;
                self.current = Some((Transfer::new(program), begin.head.ok_or_else(unknown)?));
            }
            Frame::Records(part) => {
                let (transfer, head) = self.current.as_mut().ok_or_else(unknown)?;
                let mut bundles = part.bundles.into_iter().peekable();
                for one in part.records {
                    let record = one.record.ok_or_else(unknown)?;
                    let bundle = bundles.next_if(|bundle| bundle.position == record.position);
                    transfer.add(self.to, StoredRecord { record, values: one.values }, bundle)?;
                }
                let (program, position) = (transfer.program(), transfer.position());
                progress(Progress { program, position, of: Position::new(head.position) });
            }
            Frame::Whole(v1::BackupWhole {}) => self.finish()?,
            Frame::Failed(what) => return Err(RecoveryError::Declined { what }),
        }
        Ok(())
    }

    /// The programme that began last is whole: it must be what the store said.
    fn finish(&mut self) -> Result<(), RecoveryError> {
        let Some((mut transfer, head)) = self.current.take() else { return Ok(()) };
        transfer.commit(self.to)?;
        let (program, position, root) = (transfer.program(), transfer.position(), transfer.root());
        if position.get() != head.position || check::frontier_root(&head) != Some(root) {
            return Err(RecoveryError::Differs { program, position });
        }
        self.done.push(BackedUp { program, position, root });
        Ok(())
    }
}
