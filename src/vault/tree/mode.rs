//! The mode of a node: Go's `os.FileMode`, whose bits above the permissions are not those of `st_mode` (Go's package `io/fs`).

use super::Content;

const FOLDER: u32 = 1 << 31;
const SYMLINK: u32 = 1 << 27;
const DEVICE: u32 = 1 << 26;
const FIFO: u32 = 1 << 25;
const SOCKET: u32 = 1 << 24;
const SETUID: u32 = 1 << 23;
const SETGID: u32 = 1 << 22;
const CHAR_DEVICE: u32 = 1 << 21;
const STICKY: u32 = 1 << 20;

/// Three bits of `st_mode` and the bits that Go has for them.
const SPECIAL: [(u32, u32); 3] = [(0o4000, SETUID), (0o2000, SETGID), (0o1000, STICKY)];

pub(super) fn to_go(mode: u32, content: &Content) -> u32 {
    let kind = match content {
        Content::File { .. } | Content::Other(_) => 0,
        Content::Folder { .. } => FOLDER,
        Content::Symlink { .. } => SYMLINK,
        Content::BlockDevice { .. } => DEVICE,
        Content::CharDevice { .. } => DEVICE | CHAR_DEVICE,
        Content::Fifo => FIFO,
        Content::Socket => SOCKET,
    };
    SPECIAL.iter().filter(|(ours, _)| mode & ours != 0).fold(mode & 0o777 | kind, |go, (_, bit)| go | bit)
}

pub(super) fn from_go(go: u32) -> u32 {
    SPECIAL.iter().filter(|(_, bit)| go & bit != 0).fold(go & 0o777, |mode, (ours, _)| mode | ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_and_the_three_bits_above_them_come_back() {
        for mode in 0..=0o7777 {
            assert_eq!(from_go(to_go(mode, &Content::Fifo)), mode);
        }
        // As restic 0.14 writes /tmp and a setuid program.
        assert_eq!(to_go(0o1777, &Content::Folder { tree: None }), 2_148_532_735);
        assert_eq!(to_go(0o4755, &Content::File { size_bytes: 0, chunks: Vec::new() }), 8_389_101);
    }
}
