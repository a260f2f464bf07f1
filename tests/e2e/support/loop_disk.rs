//! Real file systems on a loop device.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, unmount};

/// A file system of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileSystem {
    Ext4,
    Xfs,
    Btrfs,
}

impl FileSystem {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// About the smallest disk on which it lives.
    pub fn disk_bytes(self) -> u64 {
        match self {
            Self::Ext4 => 128 << 20,
            Self::Xfs => 320 << 20,
            Self::Btrfs => 256 << 20,
        }
    }

    /// Makes it at once and whole: nothing of it is written later, in the background.
    fn make(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => &["mkfs.ext4", "-q", "-F", "-N", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"],
            Self::Xfs => &["mkfs.xfs", "-q", "-f", "-K"],
            Self::Btrfs => &["mkfs.btrfs", "-q", "-f", "-K"],
        }
    }

    fn options(self) -> &'static str {
        match self {
            // Several copies of one disk are mounted beside each other.
            Self::Xfs => "loop,nouuid",
            Self::Ext4 | Self::Btrfs => "loop",
        }
    }

    /// Whether its tools are installed.
    pub fn is_installed(self) -> bool {
        super::program(&[self.make()[0]]).is_some()
    }
}

/// A mounted disk. Dropping it unmounts it, even from under whoever still uses it; its loop device goes with it.
pub struct LoopDisk {
    at: PathBuf,
}

impl LoopDisk {
    /// Whether this user may do any of this.
    pub fn is_possible() -> bool {
        rustix::process::geteuid().is_root() && Path::new("/dev/loop-control").exists() && Path::new("/dev/fuse").exists()
    }

    /// Makes a file system on `file` through a loop device, so that its flushes are seen there, and mounts it.
    pub fn make(file: &Path, kind: FileSystem, at: &Path) -> Self {
        let device = run(Command::new("losetup").args(["--find", "--show"]).arg(file)).expect("a loop device");
        let made = run(Command::new(kind.make()[0]).args(&kind.make()[1..]).arg(device.trim()));
        let freed = run(Command::new("losetup").arg("--detach").arg(device.trim()));
        made.and(freed).expect("a file system is made");
        Self::mount(file, kind, at).expect("a new file system is mounted")
    }

    /// Mounts the file system on `file`.
    pub fn mount(file: &Path, kind: FileSystem, at: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(at).expect("a folder is made");
        run(Command::new("mount").args(["-t", kind.name(), "-o", kind.options()]).arg(file).arg(at))?;
        Ok(Self { at: at.to_owned() })
    }

    /// Where it is mounted.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Mounts it anew with other options, such as `ro`.
    pub fn remount(&self, options: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.at)).expect("a mounted disk is remounted");
    }

    /// A power cut, ready to happen.
    pub fn prepare_cut(&self) -> Cut {
        // EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number; 2 is "without flushing the log".
        let script = "import fcntl,os,struct,sys; disk=os.open(sys.argv[1], os.O_RDONLY); print(flush=True); input(); \
                      fcntl.ioctl(disk, 0x8004587D, struct.pack('I', 2))";
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(&self.at).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("python3 runs");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        output.read_line(&mut String::new()).expect("it opens the disk");
        Cut { process }
    }

    /// Unmounts it and waits until it is written.
    pub fn unmount(self) {
        drop(self);
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        // A process that was killed a moment ago may hold it a little longer.
        let deadline = Instant::now() + Duration::from_secs(5);
        while unmount(&self.at, UnmountFlags::empty()) == Err(rustix::io::Errno::BUSY) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = unmount(&self.at, UnmountFlags::DETACH);
    }
}

/// Stops a file system as a power cut does: nothing more of it reaches the disk. ext4 and xfs know how.
pub struct Cut {
    process: Child,
}

impl Cut {
    /// Now.
    pub fn happen(mut self) {
        self.process.stdin.take().expect("a pipe").write_all(b"\n").expect("it waits");
        assert!(self.process.wait().expect("it ends").success(), "the file system shuts down");
    }
}

/// What a command printed, or what it complained of.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}
