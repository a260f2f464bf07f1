//! Which file system keeps a folder.

use std::path::Path;

/// File systems that no other machine writes to, by their numbers in statfs(2) and the kernel's `linux/magic.h`; the last two are those of
/// ZFS and bcachefs, in their own sources.
const OF_ONE_MACHINE: [u32; 8] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0xf2f5_2010, // F2FS
    0x0102_1994, // tmpfs
    0x794c_7630, // overlayfs
    0x2fc1_2fc1,
    0xca45_1a4e,
];

/// Whether the folder lies on a file system of which it is known that no other machine writes to it.
pub fn is_of_one_machine(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|found| is_known(found.f_type as u64))
}

/// The number has 32 bits, whatever the machine's type for it; that may have a sign.
fn is_known(number: u64) -> bool {
    OF_ONE_MACHINE.contains(&((number & u64::from(u32::MAX)) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_of_several_machines_or_is_not_there_is_not_of_one() {
        assert!(is_of_one_machine(Path::new("/dev/shm")));
        assert!(is_known(0x9123_683e) && is_known(0xffff_ffff_9123_683e), "with a sign and without");
        const NFS_CIFS_SMB2_FUSE_CEPH_9P: [u64; 6] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x00c3_6400, 0x0102_1997];
        assert!(!NFS_CIFS_SMB2_FUSE_CEPH_9P.into_iter().any(is_known));
        assert!(!is_of_one_machine(Path::new("/proc")) && !is_of_one_machine(Path::new("/dev/shm/not there")));
    }
}
