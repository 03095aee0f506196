//! Opening a store, which is mostly distrust: what is found must be whole, in its place, and not less than was acknowledged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use prost::Message as _;
use radslag_core::id::{Position, ProgramId};
use radslag_log::{LogError, check};
use radslag_proto::log::v1;

use crate::acknowledged::{Acknowledged, Mark, Marks};
use crate::disk::Disk;
use crate::keeper::Standing;
use crate::{batch, format, lock, page};

/// How a store is opened. Write `OpenOptions { wait, ..OpenOptions::default() }`: options may be added.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// The most memory of sled's page cache, in bytes; 64 MiB by default. Small replicas take less.
    pub cache_bytes: u64,
    /// How long to wait for another process that has the store open; not at all by default.
    pub wait: Duration,
    /// Acknowledges commits that are not synced. They do not survive a power cut.
    #[cfg(feature = "skip-sync-for-tests")]
    pub skip_sync: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * 1024 * 1024,
            wait: Duration::ZERO,
            #[cfg(feature = "skip-sync-for-tests")]
            skip_sync: false,
        }
    }
}

impl OpenOptions {
    #[cfg(feature = "skip-sync-for-tests")]
    const fn skips_sync(self) -> bool {
        self.skip_sync
    }

    #[cfg(not(feature = "skip-sync-for-tests"))]
    const fn skips_sync(self) -> bool {
        false
    }
}

/// A store that was found in order.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) lock: fs::File,
    pub(crate) disk: Disk,
    pub(crate) acknowledged: Acknowledged,
    pub(crate) heads: BTreeMap<ProgramId, Standing>,
    /// Whether it says that it is of version 1: the first commit says otherwise.
    pub(crate) is_old: bool,
    /// The last record beside which version 1 of the format wrote, of each log that it wrote in.
    pub(crate) singles: BTreeMap<ProgramId, Position>,
}

/// Opens the store in `dir`, or makes one where nothing is.
pub(crate) fn open(dir: &Path, options: OpenOptions) -> Result<Opened, LogError> {
    fs::create_dir_all(dir)?;
    let lock = lock::take(dir, options.wait)?;
    let (mut acknowledged, marks) = Acknowledged::open(dir)?;
    let disk = Disk::open(dir, options.cache_bytes, options.skips_sync())?;
    if disk.is_empty()? {
        compare(&BTreeMap::new(), marks.as_ref().unwrap_or(&Marks::new()), |_| Ok(false))?;
        disk.write(batch::first())?;
    }
    let is_old = check_version(dir, &disk)?;
    let heads = load_heads(&disk)?;
    check_strays(&disk, &heads)?;
    match &marks {
        Some(marks) => {
            compare(&heads, marks, |program| was_rewound(&disk, program, acknowledged.generation()))?
        }
        None if heads.is_empty() => {}
        None => {
            tracing::warn!(dir = %dir.display(), "the high-water mark is missing; it begins anew at what is there")
        }
    }
    note(&mut acknowledged, &heads, marks.as_ref())?;
    let singles = last_singles(&disk, &heads)?;
    Ok(Opened { lock, disk, acknowledged, heads, is_old, singles })
}

fn last_singles(
    disk: &Disk,
    heads: &BTreeMap<ProgramId, Standing>,
) -> Result<BTreeMap<ProgramId, Position>, LogError> {
    let mut singles = BTreeMap::new();
    for &program in heads.keys() {
        let prefixes = [format::all_single_values(program), format::single_bundles(program)];
        for prefix in prefixes {
            let last = disk.last_stem_before(&format::after(&prefix), &prefix)?;
            if let Some(stem) = last.as_deref() {
                let short = || format::damaged(stem, "the key of a value or a bundle is too short");
                let last = format::position_of(stem).ok_or_else(short)?;
                let known = singles.entry(program).or_insert(last);
                *known = last.max(*known);
            }
        }
    }
    Ok(singles)
}

/// Whether an earlier version wrote it.
fn check_version(dir: &Path, disk: &Disk) -> Result<bool, LogError> {
    let bytes = disk.get_sealed(&format::version())?;
    let bytes = bytes.ok_or_else(|| LogError::damaged("the version of its format is missing"))?;
    let version = bytes.try_into().map(u32::from_be_bytes);
    match version {
        Ok(format::VERSION) => Ok(false),
        Ok(1) => Ok(true),
        Ok(version) if version > format::VERSION => {
            Err(LogError::Newer { dir: dir.to_owned(), version, supported: format::VERSION })
        }
        Ok(_) | Err(_) => Err(LogError::damaged("the version of its format is none that ever was")),
    }
}

fn load_heads(disk: &Disk) -> Result<BTreeMap<ProgramId, Standing>, LogError> {
    let mut heads = BTreeMap::new();
    for sealed in disk.sealed(&format::heads()) {
        let (stem, bytes) = sealed?;
        let wrong = |what| format::damaged(&stem, what);
        let program = format::program_of(&stem).ok_or_else(|| wrong("the key of a head is too short"))?;
        let head = v1::Head::decode(bytes.as_slice()).map_err(|_| wrong("the head does not decode"))?;
        let last = last_record(disk, program)?.ok_or_else(|| wrong("there is a head without a record"))?;
        check::head_after(&head, &last).map_err(wrong)?;
        let root = check::frontier_root(&head).ok_or_else(|| wrong("the frontier has no root"))?;
        heads.insert(program, Standing { head, root });
    }
    Ok(heads)
}

fn last_record(disk: &Disk, program: ProgramId) -> Result<Option<v1::Record>, LogError> {
    let prefix = format::records(program);
    let Some(stem) = disk.last_stem_before(&format::after(&prefix), &prefix)? else { return Ok(None) };
    let first =
        format::position_of(&stem).ok_or_else(|| format::damaged(&stem, "the key of a page is too short"))?;
    let bytes =
        disk.get(&stem)?.ok_or_else(|| format::damaged(&stem, "the first piece of a page is missing"))?;
    Ok(page::unpack(program, first, &bytes)?.pop())
}

/// Records of a programme that has no head are damage: head and records are written together.
fn check_strays(disk: &Disk, heads: &BTreeMap<ProgramId, Standing>) -> Result<(), LogError> {
    let mut previous = None;
    while let Some(program) = disk.next_with_records(previous)? {
        if !heads.contains_key(&program) {
            return Err(LogError::damaged_in(program, "there are records without a head"));
        }
        previous = Some(program);
    }
    Ok(())
}

/// More than was acknowledged is well: a commit was durable and the process gone before it was noted. Less is not.
fn compare(
    heads: &BTreeMap<ProgramId, Standing>,
    marks: &Marks,
    excused: impl Fn(ProgramId) -> Result<bool, LogError>,
) -> Result<(), LogError> {
    for (&program, &Mark { position: acknowledged, root }) in marks {
        let standing = heads.get(&program);
        let has = standing.map_or(Position::ZERO, |standing| Position::new(standing.head.position));
        if has < acknowledged && !(has > Position::ZERO && excused(program)?) {
            return Err(LogError::Behind { program, has, acknowledged });
        }
        if has == acknowledged && standing.is_some_and(|standing| standing.root != root) {
            return Err(LogError::damaged_at(program, has, "the root is not the one that was acknowledged"));
        }
    }
    Ok(())
}

/// Whether a log was rewound under just this mark, and the process gone before it wrote the next one.
fn was_rewound(disk: &Disk, program: ProgramId, generation: u64) -> Result<bool, LogError> {
    let rewound = disk.get_sealed(&format::rewound(program))?;
    Ok(rewound.is_some_and(|bytes| bytes == generation.to_be_bytes()))
}

/// What is found is shown from now on, so it counts as acknowledged.
fn note(
    acknowledged: &mut Acknowledged,
    heads: &BTreeMap<ProgramId, Standing>,
    marks: Option<&Marks>,
) -> Result<(), LogError> {
    let found: Marks = heads.iter().map(|(program, standing)| (*program, standing.mark())).collect();
    if marks == Some(&found) { Ok(()) } else { acknowledged.write(&found) }
}
