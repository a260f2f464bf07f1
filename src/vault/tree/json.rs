//! The text of a tree.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Content, Metadata, Node, Time, Tree, Xattr, mode, quote};
use crate::vault::id::Id;

#[derive(Serialize, Deserialize)]
struct TreeJson<'a> {
    #[serde(borrow)]
    nodes: Option<Vec<NodeJson<'a>>>,
}

#[derive(Serialize, Deserialize)]
struct NodeJson<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_zero_u32")]
    mode: u32,
    #[serde(with = "time", default)]
    mtime: Time,
    #[serde(with = "time", default)]
    atime: Time,
    #[serde(with = "time", default)]
    ctime: Time,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    user: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    group: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_zero")]
    inode: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    device_id: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    size: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    links: u64,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    linktarget: Cow<'a, str>,
    #[serde(with = "base64", default, skip_serializing_if = "Option::is_none")]
    linktarget_raw: Option<Vec<u8>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    extended_attributes: Option<Vec<XattrJson<'a>>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    device: u64,
    #[serde(default)]
    content: Option<Cow<'a, [Id]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subtree: Option<Id>,
}

#[derive(Serialize, Deserialize)]
struct XattrJson<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(with = "base64", default)]
    value: Option<Vec<u8>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero_u32(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

pub(super) fn to_bytes(tree: &Tree) -> Vec<u8> {
    let nodes = Some(tree.nodes.iter().map(of_node).collect());
    let mut bytes = serde_json::to_vec(&TreeJson { nodes }).expect("a tree has no keys but texts");
    bytes.push(b'\n');
    bytes
}

pub(super) fn parse(bytes: &[u8]) -> Result<Tree, serde_json::Error> {
    let tree: TreeJson<'_> = serde_json::from_slice(bytes)?;
    let nodes = tree.nodes.unwrap_or_default().into_iter().map(to_node).collect::<Result<_, _>>()?;
    Ok(Tree { nodes })
}

fn of_node(node: &Node) -> NodeJson<'_> {
    let metadata = &node.metadata;
    let mut json = NodeJson {
        name: quote::quote(&node.name),
        kind: kind_of(&node.content),
        mode: mode::to_go(metadata.mode, &node.content),
        mtime: metadata.modified,
        atime: metadata.accessed,
        ctime: metadata.changed,
        uid: metadata.uid,
        gid: metadata.gid,
        user: Cow::Borrowed(&metadata.user),
        group: Cow::Borrowed(&metadata.group),
        inode: metadata.inode,
        device_id: metadata.device_id,
        size: node.size_bytes(),
        links: metadata.links,
        linktarget: Cow::default(),
        linktarget_raw: None,
        extended_attributes: (!metadata.xattrs.is_empty()).then(|| metadata.xattrs.iter().map(of_xattr).collect()),
        device: 0,
        content: None,
        subtree: None,
    };
    match &node.content {
        Content::File { chunks, .. } => json.content = Some(Cow::Borrowed(chunks)),
        Content::Folder { tree } => json.subtree = *tree,
        Content::BlockDevice { device } | Content::CharDevice { device } => json.device = *device,
        Content::Symlink { target } => {
            json.linktarget = String::from_utf8_lossy(target);
            json.linktarget_raw = std::str::from_utf8(target).is_err().then(|| target.clone());
        }
        Content::Fifo | Content::Socket | Content::Other(_) => {}
    }
    json
}

fn kind_of(content: &Content) -> Cow<'_, str> {
    Cow::Borrowed(match content {
        Content::File { .. } => "file",
        Content::Folder { .. } => "dir",
        Content::Symlink { .. } => "symlink",
        Content::BlockDevice { .. } => "dev",
        Content::CharDevice { .. } => "chardev",
        Content::Fifo => "fifo",
        Content::Socket => "socket",
        Content::Other(kind) => kind,
    })
}

/// Names of attributes are UTF-8 in practice; restic keeps no others.
fn of_xattr(xattr: &Xattr) -> XattrJson<'_> {
    XattrJson { name: String::from_utf8_lossy(&xattr.name), value: Some(xattr.value.clone()) }
}

fn to_node(json: NodeJson<'_>) -> Result<Node, serde_json::Error> {
    let content = match &*json.kind {
        "file" => Content::File { size_bytes: json.size, chunks: json.content.map(Cow::into_owned).unwrap_or_default() },
        "dir" => Content::Folder { tree: json.subtree },
        "symlink" => Content::Symlink { target: json.linktarget_raw.unwrap_or_else(|| json.linktarget.into_owned().into_bytes()) },
        "dev" => Content::BlockDevice { device: json.device },
        "chardev" => Content::CharDevice { device: json.device },
        "fifo" => Content::Fifo,
        "socket" => Content::Socket,
        other => Content::Other(other.to_owned()),
    };
    let metadata = Metadata {
        mode: mode::from_go(json.mode),
        modified: json.mtime,
        accessed: json.atime,
        changed: json.ctime,
        uid: json.uid,
        gid: json.gid,
        user: json.user.into_owned(),
        group: json.group.into_owned(),
        inode: json.inode,
        device_id: json.device_id,
        links: json.links,
        xattrs: json.extended_attributes.unwrap_or_default().into_iter().map(to_xattr).collect(),
    };
    let name = quote::unquote(&json.name).map_err(serde::de::Error::custom)?;
    Ok(Node { name, content, metadata })
}

fn to_xattr(json: XattrJson<'_>) -> Xattr {
    Xattr { name: json.name.into_owned().into_bytes(), value: json.value.unwrap_or_default() }
}

/// Times as RFC 3339 with as many digits of a second as are needed.
mod time {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Time, Timestamp};

    /// The first second of the year 0.
    const YEAR_0: i64 = -62_167_219_200;

    pub(super) fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        let nanos = i32::try_from(time.nanos).unwrap_or_default();
        let nearest = if time.seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let timestamp = Timestamp::new(time.seconds, nanos).unwrap_or(nearest);
        let first = Timestamp::from_second(YEAR_0).expect("jiff begins earlier");
        timestamp.max(first).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let timestamp = Timestamp::deserialize(deserializer)?;
        let (seconds, nanos) = (timestamp.as_second(), timestamp.subsec_nanosecond());
        // Before 1970 the fraction counts backwards.
        let (seconds, nanos) = if nanos < 0 { (seconds - 1, nanos + 1_000_000_000) } else { (seconds, nanos) };
        Ok(Time { seconds, nanos: u32::try_from(nanos).expect("a fraction of a second") })
    }
}

/// Bytes as Go writes them: standard base64 with padding, `null` for none.
mod base64 {
    use super::{Cow, Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&data_encoding::BASE64.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
        text.map(|text| data_encoding::BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)).transpose()
    }
}
