//! What kind of file system a device number stands for. The kernel is asked once for each.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// What a file system is to a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Ordinary,
    /// Gone when the machine restarts. devtmpfs says the same of itself.
    Memory,
    /// Made up by the kernel.
    Pseudo,
    /// Opening something there mounts another file system.
    Automount,
}

/// `linux/magic.h`, and the sources of those that are not in it.
const MEMORY: [u32; 2] = [
    0x0102_1994, // tmpfs, devtmpfs
    0x8584_58f6, // ramfs, and devtmpfs of a kernel without tmpfs
];
const AUTOMOUNT: u32 = 0x0187;
const PSEUDO: [u32; 32] = [
    0x9fa0,      // proc
    0x9fa1,      // openpromfs
    0x9fa2,      // usbfs
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x6165_676c, // pstore
    0xcafe_4a11, // bpf
    0x1980_0202, // mqueue
    0x9584_58f6, // hugetlbfs
    0x6265_6570, // configfs
    0x6573_5543, // fusectl
    0x4249_4e4d, // binfmt_misc
    0x6759_6969, // rpc_pipefs
    0x6e66_7364, // nfsd
    0x6e73_6673, // nsfs
    0x5049_4446, // pidfs
    0xde5e_81e4, // efivarfs
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0x5a3c_69f0, // apparmorfs
    0x534f_434b, // sockfs
    0x5049_5045, // pipefs
    0x0904_1934, // anonymous inodes
    0x0765_5821, // resctrl
    0xabba_1974, // xenfs
    0x6c6f_6f70, // binderfs
    0x444d_4142, // DMA buffers
];

/// What is known so far.
#[derive(Default)]
pub(super) struct FileSystems {
    known: RefCell<HashMap<u64, Kind>>,
    /// Most entries are of one device.
    last_ordinary: Cell<Option<u64>>,
}

impl FileSystems {
    /// The kind of `device`, on which the path lies. A path that cannot be asked, or has moved to another device, is taken for ordinary,
    /// and the next one is asked.
    pub fn kind_at(&self, path: &Path, device: u64) -> Kind {
        self.known(device).unwrap_or_else(|| {
            let opened = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
            let is_it = |fd: &_| rustix::fs::fstat(fd).is_ok_and(|stat| stat.st_dev == device);
            opened.ok().filter(is_it).map_or(Kind::Ordinary, |fd| self.kind_of(fd.as_fd(), device))
        })
    }

    /// The kind of `device`, on which the open file lies.
    pub fn kind_of(&self, fd: BorrowedFd<'_>, device: u64) -> Kind {
        self.known(device).unwrap_or_else(|| {
            let Ok(found) = rustix::fs::fstatfs(fd) else { return Kind::Ordinary };
            let kind = kind_of_magic(found.f_type as u64);
            self.known.borrow_mut().insert(device, kind);
            kind
        })
    }

    fn known(&self, device: u64) -> Option<Kind> {
        if self.last_ordinary.get() == Some(device) {
            return Some(Kind::Ordinary);
        }
        let kind = self.known.borrow().get(&device).copied();
        if kind == Some(Kind::Ordinary) {
            self.last_ordinary.set(Some(device));
        }
        kind
    }
}

/// The number has 32 bits, whatever the machine's type for it; that may have a sign.
fn kind_of_magic(magic: u64) -> Kind {
    let magic = (magic & u64::from(u32::MAX)) as u32;
    match magic {
        AUTOMOUNT => Kind::Automount,
        _ if MEMORY.contains(&magic) => Kind::Memory,
        _ if PSEUDO.contains(&magic) => Kind::Pseudo,
        _ => Kind::Ordinary,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn device(path: &str) -> u64 {
        std::fs::symlink_metadata(path).unwrap().dev()
    }

    #[test]
    fn what_the_kernel_makes_up_is_known_by_what_is_mounted() {
        let all = FileSystems::default();
        let kind = |path: &str| all.kind_at(Path::new(path), device(path));
        assert_eq!([kind("/proc"), kind("/proc/self/status"), kind("/sys")], [Kind::Pseudo; 3]);
        assert_eq!(kind(env!("CARGO_MANIFEST_DIR")), Kind::Ordinary);
    }

    #[test]
    fn a_number_with_a_sign_is_the_same_number() {
        let bpf = i64::from(0xcafe_4a11_u32 as i32) as u64;
        assert_eq!([kind_of_magic(bpf), kind_of_magic(0xcafe_4a11)], [Kind::Pseudo; 2]);
        assert_eq!(
            [kind_of_magic(0x0102_1994), kind_of_magic(0x187), kind_of_magic(0xef53)],
            [Kind::Memory, Kind::Automount, Kind::Ordinary]
        );
    }

    #[test]
    fn each_device_is_asked_once_and_a_path_that_cannot_be_asked_is_asked_again() {
        let all = FileSystems::default();
        let (proc, nowhere) = (device("/proc"), Path::new("/nowhere"));
        assert_eq!(all.kind_at(nowhere, proc), Kind::Ordinary);
        assert_eq!(all.kind_at(Path::new("/"), proc), Kind::Ordinary, "another device says nothing of this one");
        assert_eq!(all.kind_at(Path::new("/proc"), proc), Kind::Pseudo);
        assert_eq!(all.kind_at(nowhere, proc), Kind::Pseudo, "it is known");
    }
}
