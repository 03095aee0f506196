//! One signature alone, as a device makes it for a bundle of one event and as the server checks it.

use std::time::Instant;

use radslag_core::digest::Digest;
use radslag_core::id::{DeviceId, ProgramId};
use radslag_engine::clock::{IdSource as _, SystemIds};
use radslag_trust::bundle::{sign_bundle, verify_bundle};

use super::wire;
use crate::Failed;
use crate::measure::Cell;

/// So many are enough to know.
const MOST: u64 = 2_000;

/// How long signing takes, and how long verifying.
pub(crate) fn run() -> Result<[Cell; 2], Failed> {
    let (program, device) = (ProgramId::new(SystemIds.random_id()), DeviceId::new(SystemIds.random_id()));
    let (key, public) = (wire::key(), wire::key().public());
    let (mut signs, mut verifies) = (Vec::new(), Vec::new());
    for number in 0..MOST {
        let hashes = [Digest::of(&number.to_be_bytes())];
        let began = Instant::now();
        let signature = sign_bundle(&key, program, device, &hashes);
        signs.push(began.elapsed());
        let began = Instant::now();
        verify_bundle(&public, program, device, &hashes, &signature)?;
        verifies.push(began.elapsed());
    }
    let cell = |name, calls: Vec<_>| Cell::new(name, 1, 1, calls.iter().sum(), calls);
    Ok([cell("sign", signs), cell("verify", verifies)])
}
