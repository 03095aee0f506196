//! Chance from a seed, the same on every machine, and the clock and ids that come from it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use radslag_client::clock::{Clock, IdSource};
use radslag_core::time::Instant;

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Sixty-four bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).expect("it is below a usize")
    }

    /// True in so many of a hundred throws.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// One machine's clock: the world's time, and how wrong this machine is.
#[derive(Clone, Debug)]
pub struct SimClock {
    world: Arc<AtomicI64>,
    wrong_by: Arc<AtomicI64>,
}

impl SimClock {
    /// A clock that is right.
    pub fn new(world: &Arc<AtomicI64>) -> Self {
        Self { world: Arc::clone(world), wrong_by: Arc::new(AtomicI64::new(0)) }
    }

    /// Sets it wrong by so many days.
    pub fn jump(&self, days: i64) {
        self.wrong_by.store(days * 86_400_000_000, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant::from_micros(self.world.load(Ordering::Relaxed) + self.wrong_by.load(Ordering::Relaxed))
    }
}

/// Ids, keys and salts that come from a seed.
#[derive(Debug)]
pub struct SimIds(Mutex<Dice>);

impl SimIds {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(Dice::new(seed)))
    }
}

impl IdSource for SimIds {
    fn random16(&self) -> [u8; 16] {
        let mut dice = self.0.lock().expect("nothing panics while it holds the dice");
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&dice.roll().to_be_bytes());
        bytes[8..].copy_from_slice(&dice.roll().to_be_bytes());
        bytes
    }

    fn random32(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.random16());
        bytes[16..].copy_from_slice(&self.random16());
        bytes
    }
}
