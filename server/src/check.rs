//! `radslagd check`: verifies every log of a store that no server has open. The logs are only read.

use std::path::Path;

use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_engine::ledger::{Ledger, LedgerError};
use radslag_log::EventLog as _;
use radslag_log_sled::{OpenOptions, SledLog};

use crate::error::StartError;
use crate::fresh;

/// One programme's log, checked.
#[derive(Debug)]
pub struct Checked {
    /// The programme.
    pub program: ProgramId,
    /// Its last record and Merkle root when everything holds, else the first thing that does not.
    pub outcome: Result<(Position, Digest), LedgerError>,
}

/// Verifies every programme in a data directory: signatures, sequences, values, the rules' verdicts and the Merkle root.
///
/// # Errors
/// There is no store, its restore or backup is not finished, it is in use, or it does not open.
pub fn check(data: &Path) -> Result<Vec<Checked>, StartError> {
    // Opening makes a store where nothing is; a mistyped directory should not become one.
    if !data.join("db").is_file() {
        return Err(StartError::NoStore { dir: data.to_owned() });
    }
    fresh::refuse_unfinished(data)?;
    let log = SledLog::open(data, OpenOptions::default())?;
    let mut all = Vec::new();
    for program in log.programs()? {
        let verified = Ledger::verify(&log, program);
        let outcome = verified.map(|ledger| (ledger.state.head(), ledger.frontier.root()));
        all.push(Checked { program, outcome });
    }
    log.close()?;
    Ok(all)
}
