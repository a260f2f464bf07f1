//! A tree with one of everything that a backup keeps, made small or large.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::tree::bytes;

/// Files of all sizes, of `megabytes` together, and odd ones beside them.
pub fn plant(root: &Path, seed: u64, megabytes: usize) {
    let folder = root.join("folder/deep");
    std::fs::create_dir_all(&folder).expect("a folder is made");
    for number in 0..40_usize {
        let path = folder.join(format!("small {number}"));
        std::fs::write(path, bytes(seed + number as u64, number * 531)).expect("a file is written");
    }
    for number in 0..megabytes / 4 {
        std::fs::write(root.join(format!("large {number}")), bytes(seed * 1_000 + number as u64, 4 << 20)).expect("a file is written");
    }
    let sparse = std::fs::File::create(root.join("sparse")).expect("a file is made");
    sparse.write_all_at(&bytes(seed, 100_000), 9 << 20).expect("it is written");
    sparse.set_len(24 << 20).expect("it grows");
    drop(sparse);
    std::fs::write(root.join("empty"), "").expect("a file is written");
    std::fs::hard_link(root.join("sparse"), folder.join("another name")).expect("a link is made");
    symlink("../nowhere", root.join("dangling")).expect("a link is made");
    std::fs::write(root.join(OsStr::from_bytes(b"latin \xe9 \n\"\\")), "odd").expect("a file is written");
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("fifo"), rustix::fs::Mode::RUSR).expect("a FIFO is made");
    let odd = root.join("odd");
    std::fs::write(&odd, "odd").expect("a file is written");
    let file = std::fs::File::open(&odd).expect("it is there");
    let attribute = rustix::fs::fsetxattr(&file, "user.strongroom", b"\0value\xff", rustix::fs::XattrFlags::empty());
    attribute.expect("the temporary folder keeps attributes");
    std::fs::set_permissions(&odd, std::fs::Permissions::from_mode(0o4751)).expect("a mode is set");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789)).expect("a time is set");
    let time = SystemTime::UNIX_EPOCH + Duration::new(987_654_321, 987_654_321);
    std::fs::File::open(&folder).and_then(|folder| folder.set_modified(time)).expect("a time is set");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o750)).expect("a mode is set");
}
