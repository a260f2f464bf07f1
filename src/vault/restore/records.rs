//! Entries of a restore, about 60 bytes each beside their names: a restore of millions of files keeps all of them until its end.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use crate::vault::target::Attributes;
use crate::vault::tree::{Metadata, Time, Xattr};

/// Entries by number.
#[derive(Default)]
pub(super) struct Records {
    records: Vec<Record>,
    names: Vec<u8>,
    xattrs: Vec<Box<[Xattr]>>,
}

struct Record {
    name_at: u64,
    modified: i64,
    accessed: i64,
    modified_nanos: u32,
    accessed_nanos: u32,
    folder: u32,
    uid: u32,
    gid: u32,
    xattrs: u32,
    name_len: u16,
    mode: u16,
}

const NO_XATTRS: u32 = u32::MAX;

impl Records {
    /// Adds an entry of a folder; its number. Names must have passed [`crate::vault::target::check_name`].
    pub(super) fn push(&mut self, folder: u32, name: &[u8], metadata: &Metadata) -> u32 {
        let number = u32::try_from(self.records.len()).expect("memory ends before four thousand million entries");
        let xattrs = if metadata.xattrs.is_empty() {
            NO_XATTRS
        } else {
            self.xattrs.push(metadata.xattrs.clone().into_boxed_slice());
            u32::try_from(self.xattrs.len() - 1).expect("not more than entries")
        };
        self.records.push(Record {
            name_at: self.names.len() as u64,
            modified: metadata.modified.seconds,
            accessed: metadata.accessed.seconds,
            modified_nanos: metadata.modified.nanos,
            accessed_nanos: metadata.accessed.nanos,
            folder,
            uid: metadata.uid,
            gid: metadata.gid,
            xattrs,
            name_len: u16::try_from(name.len()).expect("a checked name is short"),
            mode: u16::try_from(metadata.mode & 0o7777).expect("twelve bits"),
        });
        self.names.extend_from_slice(name);
        number
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.records.len()).expect("no more than that were pushed")
    }

    pub(super) fn name(&self, number: u32) -> &[u8] {
        let record = &self.records[number as usize];
        let at = usize::try_from(record.name_at).expect("names are in memory");
        &self.names[at..at + usize::from(record.name_len)]
    }

    /// The number of the folder that it is in.
    pub(super) fn folder(&self, number: u32) -> u32 {
        self.records[number as usize].folder
    }

    pub(super) fn attributes(&self, number: u32) -> Attributes<'_> {
        let record = &self.records[number as usize];
        Attributes {
            mode: record.mode.into(),
            uid: record.uid,
            gid: record.gid,
            modified: Time { seconds: record.modified, nanos: record.modified_nanos },
            accessed: Time { seconds: record.accessed, nanos: record.accessed_nanos },
            xattrs: if record.xattrs == NO_XATTRS { &[] } else { &self.xattrs[record.xattrs as usize] },
        }
    }

    /// Of folders, where number 0 is the target itself: the path of an entry in the folder of this number, with a slash in front.
    pub(super) fn path_of(&self, mut folder: u32, name: &[u8]) -> PathBuf {
        let mut names = vec![name];
        while folder != 0 {
            names.push(self.name(folder));
            folder = self.folder(folder);
        }
        let mut path = Vec::new();
        for name in names.iter().rev().filter(|name| !name.is_empty()) {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        PathBuf::from(OsString::from_vec(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_no_more_memory_than_is_promised() {
        assert!(size_of::<Record>() <= 56, "{}", size_of::<Record>());
    }

    #[test]
    fn what_was_put_in_comes_back() {
        let mut folders = Records::default();
        let xattrs = vec![Xattr { name: b"user.x".to_vec(), value: b"y".to_vec() }];
        let metadata = Metadata { mode: 0o4755, uid: 1, gid: u32::MAX, xattrs: xattrs.clone(), ..Metadata::default() };
        assert_eq!(folders.push(0, b"", &Metadata::default()), 0);
        let a = folders.push(0, b"a", &metadata);
        let b = folders.push(a, b"\xff", &Metadata::default());
        assert_eq!((folders.name(b), folders.folder(b), folders.len()), (&b"\xff"[..], a, 3));
        let attributes = folders.attributes(a);
        assert_eq!((attributes.mode, attributes.uid, attributes.gid, attributes.xattrs), (0o4755, 1, u32::MAX, xattrs.as_slice()));
        assert_eq!(folders.path_of(b, b"f").into_os_string().into_vec(), b"/a/\xff/f");
        assert_eq!(folders.path_of(0, b""), PathBuf::from("/"));
    }
}
