//! The high-water mark: which positions were acknowledged, noted beside the database. sled can lose its tail without a word; then
//! the mark knows. [`crate::format`] has its bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::Path;

use radslag_core::digest::Digest;
use radslag_core::id::{Position, ProgramId};
use radslag_log::LogError;

const NAMES: [&str; 2] = ["acknowledged.0", "acknowledged.1"];
const MAGIC: &[u8] = b"radslag/acknowledged/v1\n";

/// What was acknowledged of one log: its last position and the root there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) position: Position,
    pub(crate) root: Digest,
}

/// The marks of all logs.
pub(crate) type Marks = BTreeMap<ProgramId, Mark>;

/// The two slots, open for writing.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    slots: [File; 2],
    generation: u64,
}

enum Slot {
    Missing,
    Torn,
    Whole(u64, Marks),
}

impl Acknowledged {
    /// Opens or makes the slots and reads the newer one; no marks when there are none to read, which on a store with records means that
    /// somebody took them away.
    pub(crate) fn open(dir: &Path) -> Result<(Self, Option<Marks>), LogError> {
        let read = [read(&dir.join(NAMES[0]))?, read(&dir.join(NAMES[1]))?];
        if matches!(read, [Slot::Torn, Slot::Torn]) {
            return Err(LogError::damaged(format!("neither {} nor {} can be read", NAMES[0], NAMES[1])));
        }
        let newest = read
            .into_iter()
            .filter_map(|slot| match slot {
                Slot::Whole(generation, marks) => Some((generation, marks)),
                Slot::Missing | Slot::Torn => None,
            })
            .max_by_key(|(generation, _)| *generation);
        let (generation, marks) = match newest {
            Some((generation, marks)) => (generation, Some(marks)),
            None => (0, None),
        };
        Ok((Self { slots: [make(&dir.join(NAMES[0]))?, make(&dir.join(NAMES[1]))?], generation }, marks))
    }

    /// The generation of the mark that stands; zero before the first.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Writes the marks over the older slot and syncs it. The names were synced with the directory when the store was opened.
    pub(crate) fn write(&mut self, marks: &Marks) -> Result<(), LogError> {
        let generation = self.generation + 1;
        // Even generations stand in slot 0, odd ones in slot 1: the newer slot is never the one that is written.
        let slot = if generation.is_multiple_of(2) { &mut self.slots[0] } else { &mut self.slots[1] };
        let bytes = encode(generation, marks);
        slot.rewind()?;
        slot.write_all(&bytes)?;
        slot.set_len(u64::try_from(bytes.len()).expect("a length fits 64 bits"))?;
        slot.sync_data()?;
        self.generation = generation;
        Ok(())
    }

    /// Slots that cannot be written.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        let full = || File::options().write(true).open("/dev/full").unwrap();
        Self { slots: [full(), full()], generation: 0 }
    }
}

fn make(path: &Path) -> Result<File, LogError> {
    Ok(File::options().create(true).write(true).truncate(false).open(path)?)
}

fn read(path: &Path) -> Result<Slot, LogError> {
    match fs::read(path) {
        Ok(bytes) if bytes.is_empty() => Ok(Slot::Missing),
        Ok(bytes) => {
            Ok(decode(&bytes).map_or(Slot::Torn, |(generation, marks)| Slot::Whole(generation, marks)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Slot::Missing),
        Err(error) => Err(error.into()),
    }
}

fn encode(generation: u64, marks: &Marks) -> Vec<u8> {
    let count = u32::try_from(marks.len()).expect("a store has fewer than four thousand million programmes");
    let mut bytes = MAGIC.to_vec();
    bytes.extend(generation.to_be_bytes());
    bytes.extend(count.to_be_bytes());
    for (program, mark) in marks {
        bytes.extend(program.bytes());
        bytes.extend(mark.position.get().to_be_bytes());
        bytes.extend(mark.root.bytes());
    }
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u64, Marks)> {
    let (checked, sum) = bytes.split_last_chunk()?;
    if crc32fast::hash(checked) != u32::from_be_bytes(*sum) {
        return None;
    }
    let (generation, rest) = checked.strip_prefix(MAGIC)?.split_first_chunk()?;
    let (count, mut rest) = rest.split_first_chunk()?;
    let mut marks = Marks::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let (program, tail) = rest.split_first_chunk::<16>()?;
        let (position, tail) = tail.split_first_chunk()?;
        let (root, tail) = tail.split_first_chunk()?;
        let mark = Mark { position: Position::new(u64::from_be_bytes(*position)), root: Digest::new(*root) };
        marks.insert(ProgramId::from_slice(program)?, mark);
        rest = tail;
    }
    rest.is_empty().then_some((u64::from_be_bytes(*generation), marks))
}

#[cfg(test)]
mod tests {
    use radslag_log::conformance::sample;

    use super::*;

    fn marks(position: u64) -> Marks {
        let mark = |n| Mark { position: Position::new(n), root: Digest::of(&[n.to_be_bytes()[7]]) };
        [(sample::program(1), mark(position)), (sample::program(2), mark(9))].into()
    }

    fn stored(dir: &Path) -> Option<Marks> {
        Acknowledged::open(dir).unwrap().1
    }

    #[test]
    fn the_last_mark_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(stored(dir.path()), None);
        for position in 1..6 {
            let (mut file, _) = Acknowledged::open(dir.path()).unwrap();
            file.write(&marks(position)).unwrap();
            file.write(&marks(position + 100)).unwrap();
            assert_eq!(stored(dir.path()), Some(marks(position + 100)));
        }
        let (mut file, _) = Acknowledged::open(dir.path()).unwrap();
        file.write(&Marks::new()).unwrap();
        assert_eq!(stored(dir.path()), Some(Marks::new()));
    }

    #[test]
    fn a_torn_slot_leaves_the_mark_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, _) = Acknowledged::open(dir.path()).unwrap();
        for position in 1..=4 {
            file.write(&marks(position)).unwrap();
        }
        // Generation 4 stands in slot 0.
        let path = dir.path().join(NAMES[0]);
        let whole = fs::read(&path).unwrap();
        for torn in [&whole[..whole.len() - 1], &whole[..10], &[whole.as_slice(), &[0]].concat()] {
            fs::write(&path, torn).unwrap();
            assert_eq!(stored(dir.path()), Some(marks(3)));
        }
        fs::write(dir.path().join(NAMES[1]), b"nonsense").unwrap();
        assert!(matches!(Acknowledged::open(dir.path()), Err(LogError::Damaged { .. })));
    }
}
