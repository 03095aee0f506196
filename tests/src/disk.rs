//! A disk of its own whose power can be cut and which can be full: an ext4 file system in a file, mounted.
//!
//! The cut is `EXT4_IOC_SHUTDOWN` without a log flush: what the kernel had not written, its journal and its page cache, is dropped, as if
//! the plug were pulled. It wants root, loop devices, ext4 and Python.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

// The same number that _IOR('X', 125, __u32) gives; the flag 2 is EXT4_GOING_FLAGS_NOLOGFLUSH.
const CUT: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// An ext4 file system in a file, mounted.
#[derive(Debug)]
pub struct Disk {
    dir: TempDir,
}

impl Disk {
    /// A disk of so many MiB; none, with the reason on stderr, where there can be none.
    ///
    /// # Panics
    /// There can be none though `RADSLAG_REQUIRE_POWER_CUT` says that there must.
    #[allow(clippy::print_stderr, reason = "a skipped test says why to its reader")]
    pub fn or_skip(mib: u64) -> Option<Self> {
        match Self::make(mib) {
            Ok(disk) => Some(disk),
            Err(reason) => {
                assert!(std::env::var_os("RADSLAG_REQUIRE_POWER_CUT").is_none(), "{reason}");
                eprintln!("skipped, there can be no disk of our own here: {reason}");
                None
            }
        }
    }

    fn make(mib: u64) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let disk = Self { dir };
        let image = std::fs::File::create(disk.image()).map_err(|error| error.to_string())?;
        image.set_len(mib << 20).map_err(|error| error.to_string())?;
        std::fs::create_dir(disk.mounted()).map_err(|error| error.to_string())?;
        run(Command::new("python3").args(["-c", "import fcntl"]))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()))?;
        disk.mount()?;
        // A dry run, so that a kernel that cannot be told to shut a file system down is a reason to skip and not a failure.
        disk.try_cut()?;
        disk.unmount()?;
        disk.mount()?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// Where it is mounted.
    pub fn mounted(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(self.image()).arg(self.mounted()))
    }

    fn unmount(&self) -> Result<(), String> {
        run(Command::new("umount").arg(self.mounted()))
    }

    fn try_cut(&self) -> Result<(), String> {
        run(Command::new("python3").args(["-c", CUT]).arg(self.mounted()))
    }

    /// Cuts the power. Whoever writes there fails from now on.
    ///
    /// # Panics
    /// It cannot be cut.
    #[track_caller]
    pub fn cut(&self) {
        self.try_cut().expect("the dry run went well");
    }

    /// Turns the power on again. Nobody may have anything open there.
    ///
    /// # Panics
    /// Somebody has, or the file system does not recover.
    #[track_caller]
    pub fn turn_on(&self) {
        self.unmount().expect("nobody uses it any more");
        self.mount().expect("ext4 recovers by its journal");
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
