//! One entry, as it is listed.

use serde_json::{Value, json};

use crate::cli::table::visible;
use crate::cli::vault::moment;
use crate::vault::tree::{Content, Node, Time};

/// Mode, owner, group, size, time and path, as `ls -l` has them.
pub(super) fn long(path: &str, node: &Node) -> String {
    let metadata = &node.metadata;
    let owner = |name: &str, number: u32| if name.is_empty() { number.to_string() } else { visible(name) };
    let (user, group) = (owner(&metadata.user, metadata.uid), owner(&metadata.group, metadata.gid));
    let target = match &node.content {
        Content::Symlink { target } => format!(" -> {}", visible(&String::from_utf8_lossy(target))),
        _ => String::new(),
    };
    let time = timestamp(metadata.modified).map(moment::shown).unwrap_or_default();
    format!("{}{} {user:>8} {group:>8} {:>12} {time} {path}{target}", letter(node), permissions(metadata.mode), node.size_bytes())
}

/// Names that are no UTF-8 become their nearest text.
pub(super) fn as_json(path: &[u8], node: &Node) -> Value {
    let metadata = &node.metadata;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let time = |time: Time| timestamp(time).map(|time| time.to_string());
    let mut value = json!({
        "path": text(path),
        "name": text(&node.name),
        "type": kind(node),
        "mode": metadata.mode,
        "permissions": format!("{}{}", letter(node), permissions(metadata.mode)),
        "uid": metadata.uid,
        "gid": metadata.gid,
        "user": metadata.user,
        "group": metadata.group,
        "mtime": time(metadata.modified),
        "atime": time(metadata.accessed),
        "ctime": time(metadata.changed),
        "inode": metadata.inode,
    });
    match &node.content {
        Content::File { size_bytes, .. } => value["size"] = json!(size_bytes),
        Content::Symlink { target } => value["linktarget"] = json!(text(target)),
        _ => {}
    }
    value
}

fn timestamp(time: Time) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.seconds, i32::try_from(time.nanos).ok()?).ok()
}

fn kind(node: &Node) -> &str {
    match &node.content {
        Content::File { .. } => "file",
        Content::Folder { .. } => "dir",
        Content::Symlink { .. } => "symlink",
        Content::BlockDevice { .. } => "dev",
        Content::CharDevice { .. } => "chardev",
        Content::Fifo => "fifo",
        Content::Socket => "socket",
        Content::Other(name) => name,
    }
}

const fn letter(node: &Node) -> char {
    match &node.content {
        Content::File { .. } => '-',
        Content::Folder { .. } => 'd',
        Content::Symlink { .. } => 'l',
        Content::BlockDevice { .. } => 'b',
        Content::CharDevice { .. } => 'c',
        Content::Fifo => 'p',
        Content::Socket => 's',
        Content::Other(_) => '?',
    }
}

/// `rwxr-xr-x`, with `s` and `t` where `ls` has them.
fn permissions(mode: u32) -> String {
    let three = |shift: u32, special: u32, letter: char| {
        let bit = |bit: u32, letter: char| if mode >> shift & bit != 0 { letter } else { '-' };
        let last = match (mode & special != 0, bit(1, 'x')) {
            (true, 'x') => letter,
            (true, _) => letter.to_ascii_uppercase(),
            (false, plain) => plain,
        };
        [bit(4, 'r'), bit(2, 'w'), last]
    };
    [three(6, 0o4000, 's'), three(3, 0o2000, 's'), three(0, 0o1000, 't')].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::permissions;

    #[test]
    fn permissions_are_written_as_ls_does() {
        for (mode, text) in [(0o755, "rwxr-xr-x"), (0o4755, "rwsr-xr-x"), (0o2640, "rw-r-S---"), (0o1777, "rwxrwxrwt"), (0, "---------")] {
            assert_eq!(permissions(mode), text);
        }
    }
}
