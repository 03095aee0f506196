//! Beginning from a snapshot: chunk by chunk into the store, so that a cut download goes on where it was, and checked as a whole
//! before anything is built on it.

use std::sync::Arc;

use prost::Message as _;
use radslag_core::digest::Digest;
use radslag_core::id::Position;
use radslag_engine::snapshot::{CHUNK, LARGEST, check};
use radslag_log::{Commit, RowChange};
use radslag_proto::api::v1 as api;
use radslag_proto::log::v1;

use crate::error::ClientError;
use crate::remote::Remote;
use crate::replica::Replica;
use crate::snapshot::{self, HELD, Rows, row};

/// A download as far as it has come.
struct Download {
    held: v1::HeldSnapshot,
    chunks: Vec<Vec<u8>>,
    /// What an earlier download left, to be taken away with the first chunk of this one.
    stale: Vec<RowChange>,
}

impl Replica {
    /// Fetches a snapshot of the programme and begins from it. Only a replica that holds nothing yet begins so; what an earlier call
    /// has fetched is not fetched again. `log_key` is the key that the server says its logs are signed with. `progress` hears the
    /// chunks held and the chunks there are.
    ///
    /// # Errors
    /// The server has gone (what came so far is kept), has no snapshot, or sent one that does not hold (nothing of it is kept).
    pub async fn begin_from_snapshot(
        &mut self,
        remote: &Remote,
        log_key: &[u8; 32],
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Position, ClientError> {
        let program = self.settings.program;
        let rows = Rows::read(self.disk().as_ref(), program)?;
        let mut download = Download::resumed(rows, program);
        let request = api::GetSnapshotRequest {
            program_id: program.to_string(),
            from_chunk: u32::try_from(download.chunks.len()).unwrap_or(u32::MAX),
            snapshot_id: download.held.snapshot_id.clone(),
        };
        let answer = remote.sync().get_snapshot(request).await;
        let mut stream = answer.map_err(|status| remote.declined(status))?.into_inner();
        loop {
            let message = stream.message().await.map_err(|status| remote.declined(status))?;
            let cut = || ClientError::NoAnswer { server: remote.server().to_owned(), source: None };
            let frame = message.ok_or_else(cut)?;
            if !frame.manifest.is_empty() {
                self.finish_download(download, frame, log_key)?;
                return Ok(self.ledger.state.head());
            }
            self.keep_chunk(&mut download, frame)?;
            progress(count(&download.chunks), u64::from(download.held.chunks));
        }
    }

    /// Whether a snapshot has been fetched in part: a later call goes on from there.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn snapshot_is_under_way(&self) -> Result<bool, ClientError> {
        let rows = Rows::read(self.disk().as_ref(), self.settings.program)?;
        Ok(rows.held.is_some_and(|held| held.manifest.is_empty()))
    }

    /// Lets go of a snapshot that was fetched in part, because the history is fetched from the first record instead.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn forget_snapshot_under_way(&self) -> Result<(), ClientError> {
        let program = self.settings.program;
        let rows = Rows::read(self.disk().as_ref(), program)?.forget(program);
        Ok(self.disk().commit(Commit { appends: Vec::new(), rows })?)
    }

    fn keep_chunk(
        &self,
        download: &mut Download,
        frame: api::GetSnapshotResponse,
    ) -> Result<(), ClientError> {
        let program = self.settings.program;
        let mut changes = Vec::new();
        if frame.snapshot_id != download.held.snapshot_id {
            download.begin(&frame, program);
            changes.append(&mut download.stale);
            changes.push(RowChange::Put(row(program, HELD), download.held.encode_to_vec()));
        }
        let expected = download.chunks.len();
        if usize::try_from(frame.chunk) != Ok(expected) || frame.chunk >= download.held.chunks {
            let what = format!("the server sent chunk {} of a snapshot instead of {expected}", frame.chunk);
            return Err(ClientError::Unverified(what));
        }
        let whole = Digest::of(&frame.bytes).bytes().as_slice() == frame.digest.as_slice();
        if !whole || frame.bytes.len() > CHUNK || expected * CHUNK > LARGEST {
            let what = format!("chunk {expected} of the server's snapshot is damaged");
            return Err(ClientError::Unverified(what));
        }
        let number = count(&download.chunks) + 1;
        changes.push(RowChange::Put(row(program, number), frame.bytes.clone()));
        self.disk().commit(Commit { appends: Vec::new(), rows: changes })?;
        tracing::debug!(chunk = frame.chunk, of = download.held.chunks, "kept a chunk of the snapshot");
        download.chunks.push(frame.bytes);
        Ok(())
    }

    /// All chunks are there: they are checked as a whole, and only then is it written that the replica begins from them.
    fn finish_download(
        &mut self,
        mut download: Download,
        frame: api::GetSnapshotResponse,
        log_key: &[u8; 32],
    ) -> Result<(), ClientError> {
        let program = self.settings.program;
        let named = frame.snapshot_id == download.held.snapshot_id
            && Digest::of(&frame.manifest).bytes().as_slice() == frame.snapshot_id.as_slice();
        let checked = if named {
            check(program, log_key, &frame.manifest, &frame.signature, &download.chunks)
                .map_err(|error| error.to_string())
        } else {
            Err("the server's snapshot is not the one that it named".to_owned())
        };
        if let Err(what) = checked {
            // Nothing was built on it; kept, it would be in the way of a right one.
            let rows = Rows::read(self.disk().as_ref(), program)?.forget(program);
            self.disk().commit(Commit { appends: Vec::new(), rows })?;
            return Err(ClientError::Unverified(what));
        }
        download.held.manifest = frame.manifest;
        download.held.signature = frame.signature;
        let held = RowChange::Put(row(program, HELD), download.held.encode_to_vec());
        self.disk().commit(Commit { appends: Vec::new(), rows: vec![held] })?;
        let opened = snapshot::open(self.disk(), program, None)?;
        self.log = Arc::clone(&opened.log);
        self.ledger = opened.ledger;
        self.provisional = opened.provisional;
        Ok(())
    }
}

impl Download {
    fn resumed(rows: Rows, program: radslag_core::id::ProgramId) -> Self {
        let stale = rows.forget(program);
        Self { held: rows.held.unwrap_or_default(), chunks: rows.chunks, stale }
    }

    /// Another snapshot than the one that was under way.
    fn begin(&mut self, frame: &api::GetSnapshotResponse, program: radslag_core::id::ProgramId) {
        // What this very call has stored of the other one goes too.
        let stored = 1..=count(&self.chunks);
        self.stale.extend(stored.map(|number| RowChange::Delete(row(program, number))));
        self.chunks.clear();
        self.held = v1::HeldSnapshot {
            snapshot_id: frame.snapshot_id.clone(),
            chunks: frame.chunks,
            ..v1::HeldSnapshot::default()
        };
    }
}

fn count(chunks: &[Vec<u8>]) -> u64 {
    u64::try_from(chunks.len()).unwrap_or(u64::MAX)
}
