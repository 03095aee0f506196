//! `radslagd check`: verifies every log of a store that no server has open. The logs are only read.

use std::path::Path;

use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_engine::ledger::{Ledger, LedgerError};
use radslag_log::EventLog as _;
use radslag_log_sled::{OpenOptions, SledLog};

use crate::error::StartError;
use crate::fresh;
use crate::guard;
use crate::log_key;

/// One programme's log, checked.
#[derive(Debug)]
pub struct Checked {
    /// The programme.
    pub program: ProgramId,
    /// Its last record and Merkle root when everything holds, else the first thing that does not.
    pub outcome: Result<(Position, Digest), LedgerError>,
}

/// A data directory, checked.
#[derive(Debug)]
pub struct CheckedStore {
    /// Its programmes.
    pub programmes: Vec<Checked>,
    /// Whether a server could sign for them: the log's key is there, is closed to others, and is the one that each was begun with.
    pub key: Result<(), StartError>,
}

/// Verifies every programme in a data directory: signatures, sequences, values, the rules' verdicts and the Merkle root; then that the log's key is theirs.
///
/// # Errors
/// There is no store, its restore or backup is not finished, it is in use, or it does not open.
pub fn check(data: &Path) -> Result<CheckedStore, StartError> {
    // Opening makes a store where nothing is; a mistyped directory should not become one.
    if !data.join("db").is_file() {
        return Err(StartError::NoStore { dir: data.to_owned() });
    }
    guard::own(data)?;
    fresh::refuse_unfinished(data)?;
    let log =
        SledLog::open(data, OpenOptions::default()).map_err(|error| StartError::opening(data, error))?;
    let mut programmes = Vec::new();
    let mut keys = Vec::new();
    for program in log.programs()? {
        let verified = Ledger::verify(&log, program);
        if let Ok(ledger) = &verified {
            keys.push((program, *ledger.state.log_key()));
        }
        let outcome = verified.map(|ledger| (ledger.state.head(), ledger.frontier.root()));
        programmes.push(Checked { program, outcome });
    }
    log.close()?;
    Ok(CheckedStore { programmes, key: check_key(data, &keys) })
}

fn check_key(data: &Path, keys: &[(ProgramId, [u8; 32])]) -> Result<(), StartError> {
    let Some(key) = log_key::load(data)? else {
        // A server that never served anything makes one when it does.
        return if keys.is_empty() { Ok(()) } else { Err(StartError::NoLogKey { dir: data.to_owned() }) };
    };
    match keys.iter().find(|(_, begun_with)| begun_with != key.public().bytes()) {
        Some((program, _)) => Err(StartError::OtherLogKey { program: *program }),
        None => Ok(()),
    }
}
