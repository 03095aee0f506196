//! When the server's log was restored to an earlier end: where it and the replica's log part, and what is kept of the rest.
//!
//! The replica's log is rewound to the last record that both have, once the record after it is shown to open an epoch with
//! the replica's own root at its cut. What it held beyond stays in rows, with what proves where it stood, and is handed in
//! again by the exchange that follows.

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::event::{Base, Change};
use radslag_core::id::{DeviceSeq, EpochId, Position};
use radslag_core::record::{Entry, Recorded};
use radslag_core::value::Value;
use radslag_engine::ledger::{Batch, FramedRecord, Ledger, Signatures, leaf_hash, read_record};
use radslag_log::{Commit, MAX_COMMIT_BYTES, ReadLimit, Rewind, RowChange, RowKey, RowKind};
use radslag_proto::api::v1 as api;
use radslag_proto::convert::bundle::LogCursor;
use radslag_proto::convert::value::{decode_values, encode_values};
use radslag_proto::log::v1;
use radslag_sync::exchange::Cursor;
use radslag_trust::checkpoint::Checkpoint;
use radslag_trust::keys::{PublicKey, Signature};
use radslag_trust::merkle::{Continuation, Frontier};

use crate::author::{Authored, Chain};
use crate::error::ClientError;
use crate::replica::Replica;
use crate::setting::{CHECKPOINTS, LOST_NUMBERS};

/// Where the rows of one lost tail begin: its number, and in the lower bits the position; at 0 stands what they share.
const TAIL: u32 = 40;
/// How many records are read in one go.
const STEP: ReadLimit = ReadLimit { records: 500, bytes: 1 << 20 };

fn unverified(what: impl Into<String>) -> ClientError {
    ClientError::Unverified(what.into())
}

/// A record that this replica held and that the restored log lacks.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// The row that it is kept in.
    pub number: u64,
    /// The epoch in which it stood.
    pub epoch: EpochId,
    /// As it was stored.
    pub stored: v1::Record,
    /// As it reads.
    pub record: Recorded,
    /// Its values.
    pub values: Vec<Value>,
    /// The bundle that begins with it.
    pub bundle: Option<v1::Bundle>,
    /// Whether the server refused it; then it is in quarantine.
    pub refused: bool,
}

impl Lost {
    /// Its event, where it is one that can be handed in again: accepted, and not the log's own.
    pub(crate) fn event(&self) -> Option<Authored> {
        let Entry::Accepted { body, .. } = &self.record.entry else { return None };
        let (bytes, hash) = (self.stored.body.clone(), self.record.body_hash);
        let event = Authored { body: body.as_ref().clone(), bytes, hash, values: self.values.clone() };
        (!event.body.device_id.is_zero()).then_some(event)
    }

    fn encode(&self) -> Vec<u8> {
        let row = v1::LostRecord {
            epoch_id: self.epoch.bytes().to_vec(),
            record: Some(self.stored.clone()),
            values: encode_values(&self.values),
            bundle: self.bundle.clone(),
            refused: self.refused,
        };
        row.encode_to_vec()
    }
}

/// What was held beyond one cut.
#[derive(Clone, Debug)]
pub(crate) struct LostTail {
    /// Which of the tails.
    pub number: u64,
    /// Where both logs part.
    pub cut: Position,
    /// The Merkle tree as it was: what both logs have in common, and the records after it.
    pub tree: Continuation,
    /// Checkpoints that were verified, one for each epoch.
    pub checkpoints: Vec<String>,
    /// In order, gapless after the cut.
    pub records: Vec<Lost>,
}

/// The own numbers that stood in a log which was restored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LostNumbers {
    /// The first of them.
    pub first: DeviceSeq,
    /// The end of the own chain, as it was.
    pub last: Chain,
}

/// What a replica went back from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parted {
    /// The last record that both logs have.
    pub cut: Position,
    /// The last record that this replica held.
    pub held: Position,
    /// The epoch that the restored log opened.
    pub epoch: EpochId,
}

impl LostTail {
    /// The row of what its records share.
    pub(crate) fn first_row(&self) -> u64 {
        self.number << TAIL
    }
}

impl Replica {
    pub(crate) fn lost_row(&self, number: u64) -> RowKey {
        RowKey { program: self.settings.program, kind: RowKind::Lost, number }
    }

    /// The change that writes a lost record anew.
    pub(crate) fn put_lost(&self, lost: &Lost) -> RowChange {
        RowChange::Put(self.lost_row(lost.number), lost.encode())
    }

    /// Reads what is kept of lost tails.
    pub(crate) fn read_lost(&self) -> Result<Vec<LostTail>, ClientError> {
        let mut tails: Vec<LostTail> = Vec::new();
        let mut signature = None;
        for (number, bytes) in self.log.rows(self.settings.program, RowKind::Lost)? {
            let bad = |what: String| unverified(format!("row {number} of what was lost is damaged: {what}"));
            if number.trailing_zeros() >= TAIL {
                let row = v1::LostTail::decode(bytes.as_slice()).map_err(|error| bad(error.to_string()))?;
                let cut = frontier(&row.cut.unwrap_or_default()).ok_or_else(|| bad("its cut".to_owned()))?;
                let (checkpoints, records) = (row.checkpoints, Vec::new());
                let (number, at) = (number >> TAIL, Position::new(cut.size()));
                signature = None;
                tails.push(LostTail {
                    number,
                    cut: at,
                    tree: Continuation::after(cut),
                    checkpoints,
                    records,
                });
                continue;
            }
            let lost = read_lost(number, &bytes).map_err(bad)?;
            if let Some(bundle) = &lost.bundle {
                signature = Signature::from_slice(&bundle.signature);
            }
            let leaf = signature.map(|signature| leaf_hash(&lost.record, &signature));
            let tail = tails.last_mut().filter(|tail| tail.number == number >> TAIL);
            let tail = tail.ok_or_else(|| bad("nothing says where it stood".to_owned()))?;
            tail.tree.append(leaf.ok_or_else(|| bad("the signature it came under is missing".to_owned()))?);
            tail.records.push(lost);
        }
        Ok(tails)
    }

    /// The numbers of this device that stood in a log which was restored.
    pub(crate) fn read_lost_numbers(&self) -> Result<Option<LostNumbers>, ClientError> {
        let Some(lost): Option<v1::LostNumbers> = self.setting(LOST_NUMBERS)? else { return Ok(None) };
        let own = lost.device_id == self.settings.device.bytes();
        let hash = Digest::from_slice(&lost.last_body_hash).filter(|_| own);
        Ok(hash.map(|hash| LostNumbers {
            first: DeviceSeq::new(lost.first_seq),
            last: Chain { seq: DeviceSeq::new(lost.last_seq), hash },
        }))
    }

    /// Keeps a checkpoint that was verified over all that is held: the last one of each epoch.
    pub(crate) fn keep_checkpoint(&self, note: &str) -> Result<(), ClientError> {
        let mut kept: v1::Checkpoints = self.setting(CHECKPOINTS)?.unwrap_or_default();
        let origin = note.lines().next();
        match kept.notes.last_mut() {
            Some(last) if last == note => return Ok(()),
            Some(last) if last.lines().next() == origin => note.clone_into(last),
            _ => kept.notes.push(note.to_owned()),
        }
        let rows = vec![self.put_setting(CHECKPOINTS, &kept)];
        Ok(self.log.commit(Commit { appends: Vec::new(), rows })?)
    }

    /// From where to ask a server that says that `asked` is no place of its log.
    ///
    /// # Errors
    /// Its log cannot be one that was restored from this replica's.
    pub fn ask_instead(&self, asked: Cursor, refetch: &api::MustRefetch) -> Result<Cursor, ClientError> {
        let state = &self.ledger.state;
        let common = refetch.common.as_ref().map(radslag_proto::convert::bundle::decode_cursor).transpose();
        let common = common.map_err(|error| unverified(format!("the server's cursor: {error}")))?;
        // Each question lies before the last one, in an earlier epoch or at an earlier position: no server can have it go on for ever.
        let instead = match common {
            Some(LogCursor { epoch, position }) => {
                (epoch == asked.epoch && position < asked.position).then_some(Cursor { epoch, position })
            }
            // It has never heard of the epoch: the one before may be known.
            None => state.epochs().iter().position(|epoch| epoch.id == asked.epoch).map(|index| Cursor {
                epoch: index.checked_sub(1).map_or(EpochId::default(), |before| state.epochs()[before].id),
                position: state.epochs()[index].cut.min(asked.position),
            }),
        };
        let restored = refetch.reason == "FOREIGN_EPOCH";
        instead.filter(|_| restored).ok_or_else(|| crate::exchange::refetch(refetch, state.head()))
    }

    /// Goes back to `cut`, where `events` show that the server's log opens an epoch. What was held beyond is kept in rows.
    ///
    /// # Errors
    /// The record after the cut does not open an epoch on what is held there: the log is another one, and nothing changes. Or the
    /// store does not take it: then the replica is to be opened anew, and goes on.
    pub fn rewind(&mut self, cut: Position, events: api::Events) -> Result<Parted, ClientError> {
        let held = self.ledger.state.head();
        if cut >= held || cut == Position::ZERO {
            return Err(unverified(format!("the server's log parts from this replica's at {cut} of {held}")));
        }
        let ledger = self.ledger_at(cut)?;
        let epoch = opens_epoch(&ledger, self.log.as_ref(), events)?;
        if self.ledger.state.epochs().iter().any(|known| known.id == epoch) {
            return Err(unverified(format!(
                "the server's log parts from this replica's in the middle of epoch {epoch}"
            )));
        }
        let mut tail = self.tail_after(&ledger)?;
        let numbers = self.lost_numbers_after(&ledger);
        let mut stale = self.caches()?;
        while let Some(part) = tail.take_part() {
            let mut rows = vec![RowChange::Put(self.lost_row(tail.number << TAIL), tail.encode(&part.head))];
            rows.extend(numbers.iter().map(|numbers| self.put_setting(LOST_NUMBERS, numbers)));
            rows.append(&mut stale);
            rows.extend(part.records.iter().map(|lost| self.put_lost(lost)));
            self.log.rewind(Rewind { program: self.settings.program, head: part.head, rows })?;
        }
        self.ledger = match &self.provisional {
            Some(_) => ledger,
            // With caches, which are made anew.
            None => Ledger::open(self.log.as_ref(), self.settings.program)?,
        };
        self.lost = self.read_lost()?;
        self.lost_numbers = self.read_lost_numbers()?;
        Ok(Parted { cut, held, epoch })
    }

    /// The changes that take away what is kept for looking back: some of it is about records that are about to go.
    fn caches(&self) -> Result<Vec<RowChange>, ClientError> {
        use RowKind::{Backdated, Index, Resume, ResumePart, State, StatePart, Trail};
        let program = self.settings.program;
        let mut changes = Vec::new();
        if self.provisional.is_some() {
            // What there is of it is about the history before the snapshot.
            return Ok(changes);
        }
        for kind in [Index, State, StatePart, Resume, ResumePart, Trail, Backdated] {
            let rows = self.log.rows(program, kind)?.into_iter();
            changes.extend(rows.map(|(number, _)| RowChange::Delete(RowKey { program, kind, number })));
        }
        Ok(changes)
    }

    /// The own numbers that do not stand in the log any more once it ends with `ledger`.
    fn lost_numbers_after(&self, ledger: &Ledger) -> Option<v1::LostNumbers> {
        let last = self.confirmed_chain()?;
        let first = ledger.fences.of(self.settings.device).last_seq().next();
        let first = self.lost_numbers.map_or(first, |before| before.first.min(first));
        Some(v1::LostNumbers {
            device_id: self.settings.device.bytes().to_vec(),
            first_seq: first.get(),
            last_seq: last.seq.get(),
            last_body_hash: last.hash.bytes().to_vec(),
        })
    }

    /// The programme as it was at a record that is held.
    pub(crate) fn ledger_at(&self, cut: Position) -> Result<Ledger, ClientError> {
        let mut ledger = match &self.provisional {
            Some(provisional) if cut < provisional.position() => {
                return Err(unverified(format!(
                    "the server's log was restored to position {cut}, before the snapshot that this replica began from; \
                     make a new replica with `radslag init`, and keep this folder for what it has not handed in"
                )));
            }
            Some(provisional) => provisional.snapshot.to_ledger(),
            None => Ledger::new(self.settings.program),
        };
        ledger.replay_to(self.log.as_ref(), cut)?;
        Ok(ledger)
    }

    fn tail_after(&self, ledger: &Ledger) -> Result<Unwinding, ClientError> {
        let kept: v1::Checkpoints = self.setting(CHECKPOINTS)?.unwrap_or_default();
        // One that a crash cut short goes on: its first records are in rows already.
        let head = self.ledger.state.head();
        let checkpoints = kept.notes.into_iter().filter(|note| self.is_of_this_line(note)).collect();
        let root = self.ledger.frontier.root();
        let begun = self.lost.last().filter(|tail| tail.cut == head && tail.tree.before().root() == root);
        let number = begun.or(self.lost.last()).map_or(1, |tail| tail.number + u64::from(begun.is_none()));
        let checkpoints = begun.map_or(checkpoints, |tail| tail.checkpoints.clone());
        let mut unwinding = Unwinding { number, checkpoints, bundles: Vec::new() };
        let (mut frontier, mut signatures) = (ledger.frontier.clone(), Signatures::default());
        let mut next = ledger.state.head().next();
        while next <= head {
            for stored in self.log.read(self.settings.program, next, STEP)? {
                let lost = self.lost_record(number, stored)?;
                let signature = signatures.of(self.log.as_ref(), self.settings.program, &lost.stored)?;
                let leaf = leaf_hash(&lost.record, &signature);
                next = lost.record.position.next();
                unwinding.add(lost, &frontier, ledger.state.recorded_at().micros());
                frontier.append(leaf);
            }
        }
        Ok(unwinding)
    }

    /// Whether a checkpoint that was kept is of the log as it is held: one of an earlier epoch may reach past where that epoch was cut,
    /// into records that a restore took.
    fn is_of_this_line(&self, note: &str) -> bool {
        let state = &self.ledger.state;
        let Ok(key) = PublicKey::from_bytes(state.log_key()) else { return false };
        let Ok(checkpoint) = Checkpoint::verify(note, self.settings.program, &key) else { return false };
        let base =
            Base { epoch: checkpoint.epoch, position: Position::new(checkpoint.size), seq: DeviceSeq::ZERO };
        state.vouched(&base) == Some(Position::new(checkpoint.size))
    }

    fn lost_record(&self, number: u64, stored: v1::Record) -> Result<Lost, ClientError> {
        let record = read_record(&stored)?;
        let at = record.position;
        let values = decode_values(&self.log.values(self.settings.program, at)?)
            .map_err(|error| unverified(format!("a value of position {at}: {error}")))?;
        let begins = stored.bundle_position == stored.position;
        let bundle = if begins { self.log.bundle(self.settings.program, at)? } else { None };
        let mut epochs = self.ledger.state.epochs().iter().rev();
        let epoch = epochs.find(|epoch| epoch.cut < at).map_or(EpochId::default(), |epoch| epoch.id);
        Ok(Lost { number: number << TAIL | at.get(), epoch, stored, record, values, bundle, refused: false })
    }
}

fn frontier(head: &v1::Head) -> Option<Frontier> {
    let hashes: Option<Vec<Digest>> = head.frontier.iter().map(|hash| Digest::from_slice(hash)).collect();
    Frontier::from_parts(head.position, hashes?).ok()
}

fn read_lost(number: u64, bytes: &[u8]) -> Result<Lost, String> {
    let row = v1::LostRecord::decode(bytes).map_err(|error| error.to_string())?;
    let stored = row.record.ok_or("it holds no record")?;
    let record = read_record(&stored).map_err(|error| error.to_string())?;
    let values = decode_values(&row.values).map_err(|error| error.to_string())?;
    let epoch = EpochId::from_slice(&row.epoch_id).ok_or("its epoch is no id")?;
    Ok(Lost { number, epoch, stored, record, values, bundle: row.bundle, refused: row.refused })
}

/// The epoch that the first of these records opens, on top of what is held.
fn opens_epoch(
    ledger: &Ledger,
    log: &dyn radslag_log::EventLog,
    events: api::Events,
) -> Result<EpochId, ClientError> {
    let at = ledger.state.head();
    let other = || {
        unverified(format!(
            "the server's log does not continue this replica's: it has another change at position {}, and no restore says so",
            at.next()
        ))
    };
    let first = events.records.into_iter().next().and_then(|frame| frame.record).ok_or_else(other)?;
    let opened = read_record(&first)?;
    let epoch = match opened.body().map(|body| &body.change) {
        Some(Change::EpochOpened { epoch_id, .. }) => *epoch_id,
        _ => return Err(other()),
    };
    let bundles = events.bundles.into_iter().filter(|bundle| bundle.position == first.position).collect();
    let batch = Batch { records: vec![FramedRecord { record: first, values: Vec::new() }], bundles };
    // Signature, cut and root: all that makes it the log's own word on this very prefix.
    ledger.clone().take_in(log, batch)?;
    Ok(epoch)
}

/// A tail on its way from the log into rows, the last bundle first.
struct Unwinding {
    number: u64,
    checkpoints: Vec<String>,
    bundles: Vec<Part>,
}

/// Records that leave the log in one commit, and its end without them.
struct Part {
    head: v1::Head,
    records: Vec<Lost>,
}

impl Unwinding {
    fn add(&mut self, lost: Lost, before: &Frontier, first_before: i64) {
        if lost.stored.bundle_position == lost.stored.position || self.bundles.is_empty() {
            let last = self.bundles.last().and_then(|part| part.records.last());
            let head = v1::Head {
                position: before.size(),
                recorded_at: last.map_or(first_before, |last| last.record.recorded_at.micros()),
                frontier: before.hashes().iter().map(|hash| hash.bytes().to_vec()).collect(),
            };
            self.bundles.push(Part { head, records: Vec::new() });
        }
        let part = self.bundles.last_mut().expect("there is one: it was pushed above");
        part.records.push(lost);
    }

    fn encode(&self, head: &v1::Head) -> Vec<u8> {
        let (cut, checkpoints) = (Some(head.clone()), self.checkpoints.clone());
        v1::LostTail { cut, checkpoints }.encode_to_vec()
    }

    /// The last bundles, as many as fit a commit.
    fn take_part(&mut self) -> Option<Part> {
        let mut part = self.bundles.pop()?;
        let size = |part: &Part| part.records.iter().map(|lost| lost.encode().len() + 64).sum::<usize>();
        let mut bytes = size(&part);
        while let Some(before) = self.bundles.last() {
            bytes += size(before);
            if bytes > MAX_COMMIT_BYTES / 2 {
                break;
            }
            let before = self.bundles.pop().expect("it was looked at");
            part =
                Part { head: before.head, records: before.records.into_iter().chain(part.records).collect() };
        }
        Some(part)
    }
}
