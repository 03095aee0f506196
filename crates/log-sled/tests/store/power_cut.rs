//! The power goes: what the kernel had not written is gone, and what was acknowledged must be there.
//!
//! An ext4 file system in a file is shut down under the writing process (`EXT4_IOC_SHUTDOWN` without a log flush: its journal and page cache are
//! dropped, as if the plug were pulled), mounted anew and compared. The counter-proof does the same with the fdatasync left out and must find loss:
//! a cut that finds nothing there proves nothing here. Where root, loop devices, ext4 or Python are missing the tests say so and pass, unless
//! `RADSLAG_REQUIRE_POWER_CUT` is set. `RADSLAG_POWER_CUT_ROUNDS` sets the number of rounds.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::child::{Child, Role, verify};

// The same number that _IOR('X', 125, __u32) gives; the flag 2 is EXT4_GOING_FLAGS_NOLOGFLUSH.
const CUT: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

#[test]
fn nothing_acknowledged_is_lost_to_a_power_cut() {
    let Some(disk) = disk_or_skip() else { return };
    let store = disk.mounted().join("store");
    for round in 0..rounds() {
        let acknowledged = disk.cut_while(Role::Append, &store, 5 + round * 61 % 173);
        assert!(acknowledged > 0, "round {round}: nothing was acknowledged");
        let head = verify(&store);
        let stands = head.as_ref().is_ok_and(|head| *head >= acknowledged);
        assert!(stands, "round {round}: {acknowledged} acknowledged, found {head:?}");
        eprintln!("round {round}: {acknowledged} acknowledged, {head:?} found");
    }
}

#[test]
fn without_the_sync_a_power_cut_does_lose_what_was_acknowledged() {
    let Some(disk) = disk_or_skip() else { return };
    for round in 0..rounds() {
        // A store of its own each time: the one before is broken, that is the point.
        let store = disk.mounted().join(format!("store-{round}"));
        let acknowledged = disk.cut_while(Role::AppendWithoutSync, &store, 5 + round * 61 % 173);
        let head = verify(&store);
        eprintln!("round {round}, not synced: {acknowledged} acknowledged, {head:?} found");
        if !head.is_ok_and(|head| head >= acknowledged) {
            return;
        }
    }
    panic!("no round lost anything: the cut is not a cut");
}

fn rounds() -> usize {
    std::env::var("RADSLAG_POWER_CUT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5)
}

fn disk_or_skip() -> Option<Disk> {
    match Disk::make() {
        Ok(disk) => Some(disk),
        Err(reason) => {
            assert!(std::env::var_os("RADSLAG_REQUIRE_POWER_CUT").is_none(), "{reason}");
            eprintln!("skipped, the power cannot be cut here: {reason}");
            None
        }
    }
}

/// An ext4 file system in a file, mounted.
struct Disk {
    dir: TempDir,
}

impl Disk {
    fn make() -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let disk = Self { dir };
        let image = std::fs::File::create(disk.image()).map_err(|error| error.to_string())?;
        image.set_len(256 << 20).map_err(|error| error.to_string())?;
        std::fs::create_dir(disk.mounted()).map_err(|error| error.to_string())?;
        run(Command::new("python3").args(["-c", "import fcntl"]))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()))?;
        disk.mount()?;
        // A dry run, so that a kernel that cannot be told to shut a file system down is a reason to skip and not a failure.
        disk.cut()?;
        disk.unmount()?;
        disk.mount()?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn mounted(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(self.image()).arg(self.mounted()))
    }

    fn unmount(&self) -> Result<(), String> {
        run(Command::new("umount").arg(self.mounted()))
    }

    fn cut(&self) -> Result<(), String> {
        run(Command::new("python3").args(["-c", CUT]).arg(self.mounted()))
    }

    /// Cuts the power after some commits of a child and turns it on again; gives the last acknowledged position.
    fn cut_while(&self, role: Role, store: &Path, commits: usize) -> u64 {
        let mut child = Child::start(role, store);
        let alive = child.wait_for_acknowledgements(commits);
        assert!(alive, "the child ended by itself: {}", child.said);
        self.cut().expect("the dry run went well");
        child.kill();
        self.unmount().expect("nobody uses it any more");
        self.mount().expect("ext4 recovers by its journal");
        child.acknowledged
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A test that failed half way may leave it busy or not mounted at all.
        let _ = run(Command::new("umount").arg("-l").arg(self.mounted()));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{name}: {}", said.trim())) }
}
