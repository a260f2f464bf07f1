//! A repository that was made to do harm, restored through the binary under strace: no call names anything outside of the target (A3).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use strongroom::vault::id::Id;
use strongroom::vault::tree::{Content, Node, Xattr};

use crate::support::client::{Client, answer, failures, text};
use crate::support::figure::figure;
use crate::support::forged::{Forged, linked, node, symlink};
use crate::support::seen::{Seen, seen};
use crate::support::{program, skip};

/// Names that are none, or that lead elsewhere.
const NAMES: [&[u8]; 21] = [
    b"",
    b".",
    b"..",
    b"/",
    b"//",
    b"../outside/x",
    b"../../outside/x",
    b"/tmp/strongroom-evil",
    b"./x",
    b"a/b",
    b"a/",
    b"/a",
    b"..//x",
    b"a/../../outside/x",
    b"folder/../../outside/x",
    b"../../../../../../../../../../tmp/strongroom-evil",
    b"\0",
    b"a\0b",
    b"..\0",
    b"../outside/secret\0.txt",
    &[b'n'; 256],
];

/// The tree, and how many of its entries mean harm.
fn evil(forged: &mut Forged) -> (Id, usize) {
    let mut nodes: Vec<Node> = NAMES.iter().map(|name| forged.file(name, b"evil")).collect();
    let beyond = NAMES[5..8].iter().map(|name| symlink(name, "../outside"));
    nodes.extend(beyond);
    for name in &NAMES[..8] {
        let inner = forged.file(b"inner", b"evil");
        nodes.push(forged.folder(name, vec![inner]));
    }
    // Through links: of the snapshot, of the target, of a folder that becomes one, up and absolute.
    for (name, target) in [("up", ".."), ("out", "../outside"), ("root", "/"), ("self", "."), ("file", "../outside/secret")] {
        nodes.push(symlink(name.as_bytes(), target));
        let (inner, secret) = (forged.file(b"inner", b"evil"), forged.file(b"secret", b"evil"));
        nodes.push(forged.folder(name.as_bytes(), vec![inner, secret]));
    }
    for name in ["there", "there-file"] {
        let inner = forged.file(b"inner", b"evil");
        nodes.push(forged.folder(name.as_bytes(), vec![inner]));
    }
    // Over a link to a file outside, and over a name that is linked to it.
    nodes.push(forged.file(b"over", b"evil"));
    // Hard links: the first name becomes a link, the second one would go where that leads.
    let first = linked(forged.file(b"hard", b"evil"), 9);
    nodes.push(first.clone());
    nodes.push(symlink(b"hard", "../outside/secret"));
    nodes.push(Node { name: b"hard-2".to_vec(), ..first.clone() });
    nodes.push(Node { name: b"../outside/hard".to_vec(), ..first.clone() });
    nodes.push(Node { name: b"/tmp/strongroom-evil".to_vec(), ..first });
    // Devices, and programs of other people.
    nodes.push(node(b"disk", Content::BlockDevice { device: 0x0801 }));
    nodes.push(node(b"memory", Content::CharDevice { device: 0x0101 }));
    nodes.push(node(b"../outside/disk", Content::BlockDevice { device: 0x0801 }));
    nodes.push(node(b"../outside/fifo", Content::Fifo));
    nodes.push(node(b"door", Content::Other("door".to_owned())));
    let mut setuid = forged.file(b"setuid", b"#!/bin/sh");
    (setuid.metadata.mode, setuid.metadata.uid) = (0o6777, 12_345);
    nodes.push(setuid);
    let mut capable = forged.file(b"capable", b"#!/bin/sh");
    capable.metadata.xattrs = vec![Xattr { name: b"no.such.space".to_vec(), value: vec![1; 100] }];
    nodes.push(capable);
    // Sizes that are not those of the chunks, and a hole that is larger than any disk.
    let ten = forged.chunk(b"ten bytes.");
    for size_bytes in [0, 3, 11, 1 << 40, u64::MAX] {
        nodes.push(node(format!("size {size_bytes:020}").as_bytes(), Content::File { size_bytes, chunks: vec![ten] }));
    }
    // Twins by case and by form.
    for name in ["Twin", "twin", "\u{e9}", "e\u{301}", "twin"] {
        nodes.push(forged.file(name.as_bytes(), name.as_bytes()));
    }
    // A folder that is in itself cannot be named; one that nobody stored, and very many in one another can.
    nodes.push(node(b"nowhere", Content::Folder { tree: Some(Id::of(b"nothing")) }));
    let mut deep = forged.file(b"deepest", b"here");
    for _ in 0..1_000 {
        deep = forged.folder(b"d", vec![deep]);
    }
    nodes.push(Node { name: b"deep".to_vec(), ..deep });
    let count = nodes.len();
    nodes.push(forged.file(b"zz good", b"good"));
    (forged.tree(nodes), count)
}

/// Calls that name a path.
const CALLS: &str = "trace=open,openat,openat2,creat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,mkdir,mkdirat,mknod,mknodat,\
                     unlink,unlinkat,rmdir,chmod,fchmodat,?fchmodat2,chown,lchown,fchownat,utimensat,utime,utimes,truncate,setxattr,lsetxattr,removexattr,lremovexattr,chdir,chroot,mount";

#[test]
fn a_hostile_restore_touches_nothing_outside_of_its_target() {
    if program(&["strace"]).is_none() {
        return skip("strace is not installed");
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let base = home.path().canonicalize().expect("a whole path");
    let (target, outside) = (base.join("target"), base.join("outside"));
    for folder in [&target, &outside] {
        std::fs::create_dir(folder).expect("a folder is made");
    }
    std::fs::write(outside.join("secret"), "secret").expect("a file is written");
    for (name, leads) in [("there", "../outside"), ("there-file", "../outside/secret"), ("over", "../outside/secret")] {
        std::os::unix::fs::symlink(leads, target.join(name)).expect("a link is made");
    }
    let mut forged = Forged::new();
    let (root, count) = evil(&mut forged);
    forged.store(base.join("repository"), "correct horse", root);
    let (before, repository) = (beside(&base), listing(&base.join("repository")));
    let log = base.join("strace");
    let client =
        Client::at(base.join("repository")).under(&["strace", "--seccomp-bpf", "-f", "-y", "-s", "5000", "-e", CALLS, "-o", text(&log)]);

    let ran = client.run(&["restore", "latest", "--target", text(&target), "--no-lock"]).expect_exit(3);
    let refused = failures(&answer(&ran)).len();
    let mut after = beside(&base);
    after.remove("strace".as_bytes());
    assert_eq!(after, before, "what is beside the target");
    assert_eq!(listing(&base.join("repository")), repository);
    assert!(!Path::new("/tmp/strongroom-evil").exists());
    assert_eq!(std::fs::read(target.join("zz good")).expect("it is there"), b"good");
    assert!(target.join("deep").is_dir());
    let log = std::fs::read_to_string(&log).expect("the log");
    let (mut seen_calls, mut writing) = (BTreeMap::<String, u64>::new(), 0);
    let mut open = BTreeMap::new();
    for line in log.lines() {
        // What a call opened, on the line of its beginning or of its end.
        if let Some((number, path)) = line.rsplit_once(" = ").and_then(|(_, result)| result.split_once('<')) {
            open.insert(number.to_owned(), path.trim_end_matches('>').to_owned());
        }
        let Some(call) = Call::parse(line) else { continue };
        *seen_calls.entry(call.name.to_owned()).or_default() += 1;
        if call.is_writing() {
            writing += 1;
            assert!(call.is_below(&target, &open), "outside of {}: {line}", target.display());
        }
    }
    assert!(writing > 2_000 && seen_calls.contains_key("mkdirat"), "{writing}: {seen_calls:?}");
    assert!(refused >= 40, "{refused} of {count}: {}", ran.complaint);
    let text =
        format!("{count} hostile entries, {refused} refused and named; {writing} calls that write under strace: 0 outside of the target");
    figure("A3", "hostile restore", &text, None);
}

/// Everything beside the target and the repository.
fn beside(base: &Path) -> Seen {
    let mut all = seen(base);
    all.retain(|name, _| !name.is_empty() && !name.starts_with(b"target") && !name.starts_with(b"repository"));
    all
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    crate::support::tree::files_below(folder)
}

/// One line of the log: `PID name(arguments) = result`.
struct Call<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> Call<'a> {
    /// A call that another thread interrupted in the log names its paths in its first part.
    fn parse(line: &'a str) -> Option<Self> {
        let (_, call) = line.split_once(' ')?;
        let (name, arguments) = call.trim_start().split_once('(')?;
        name.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(Self { name, arguments })
    }

    /// Opening for reading alone changes nothing.
    fn is_writing(&self) -> bool {
        let is_open = self.name.starts_with("open");
        !is_open || ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| self.arguments.contains(flag))
    }

    /// Each path is one name below a descriptor of a folder in the target, or a descriptor's own.
    fn is_below(&self, target: &Path, open: &BTreeMap<String, String>) -> bool {
        // What has no name yet is linked by its descriptor's own.
        if let Some((first, rest)) = self.arguments.strip_prefix("AT_FDCWD<").and_then(|_| self.arguments.split_once("\", "))
            && self.name == "linkat"
            && !rest.starts_with("AT_FDCWD")
        {
            let linked = Call { name: "fchmodat", arguments: &format!("{first}\"") };
            return linked.is_below(target, open) && Call { name: "mkdirat", arguments: rest }.is_below(target, open);
        }
        let mut folders = Vec::new();
        for part in self.arguments.split(", ") {
            if let Some((number, path)) = part.split_once('<')
                && (number == "AT_FDCWD" || number.bytes().all(|byte| byte.is_ascii_digit()))
            {
                folders.push((number, path.trim_end_matches(|end| end != '>').trim_end_matches('>')));
            }
        }
        let is_in = |path: &str| path == text(target) || path.starts_with(&format!("{}/", text(target)));
        let names = self.arguments.split('"').skip(1).step_by(2);
        // A link's own text may be anything.
        let names = names.skip(usize::from(self.name == "symlinkat"));
        let is_name = |name: &str| !name.contains('/') && name != "..";
        let by_descriptor =
            !folders.is_empty() && folders.iter().all(|(number, path)| *number != "AT_FDCWD" && is_in(path)) && names.clone().all(is_name);
        // What is open for its path alone has no other name than this.
        let is_open = |name: &str| name.strip_prefix("/proc/self/fd/").and_then(|number| open.get(number)).is_some_and(|path| is_in(path));
        // The target itself is made by its path.
        by_descriptor || names.clone().count() == 1 && names.clone().all(|name| name == text(target) || is_open(name))
    }
}

/// The judge of the test above, against calls that it must not let pass.
#[test]
fn calls_that_name_something_outside_are_seen() {
    let target = Path::new("/t/target");
    let open = BTreeMap::from([("7".to_owned(), "/t/outside".to_owned()), ("8".to_owned(), "/t/target/x".to_owned())]);
    for (line, is_below) in [
        (r#"9 openat2(4</t/target>, "x", {flags=O_WRONLY|O_CREAT|O_EXCL}, 24) = 5</t/target/x>"#, true),
        (r#"9 openat2(4</t/target>, "../x", {flags=O_WRONLY|O_CREAT|O_EXCL}, 24) = 5</t/x>"#, false),
        (r#"9 openat2(4</t/target>, "..", {flags=O_WRONLY|O_CREAT|O_EXCL}, 24 <unfinished ...>"#, false),
        (r#"9 openat(AT_FDCWD</t>, "/etc/passwd", O_WRONLY) = 5</etc/passwd>"#, false),
        (r#"9 openat2(4</t/outside>, "x", {flags=O_WRONLY|O_CREAT}, 24) = 5</t/outside/x>"#, false),
        (r#"9 linkat(4</t/target>, "x", 5</t/target/y>, "z", 0) = 0"#, true),
        (r#"9 linkat(4</t/target>, "x", 5</t/outside>, "z", 0) = 0"#, false),
        (r#"9 linkat(4</t/target>, "x", AT_FDCWD</t>, "/t/z", 0) = 0"#, false),
        (r#"9 linkat(8</t/target/#1>(deleted), "", 4</t/target>, "x", AT_EMPTY_PATH) = 0"#, true),
        (r#"9 linkat(7</t/outside>, "", 4</t/target>, "x", AT_EMPTY_PATH) = 0"#, false),
        (r#"9 linkat(AT_FDCWD</t>, "/proc/self/fd/8", 4</t/target>, "x", AT_SYMLINK_FOLLOW) = 0"#, true),
        (r#"9 linkat(AT_FDCWD</t>, "/proc/self/fd/7", 4</t/target>, "x", AT_SYMLINK_FOLLOW) = 0"#, false),
        (r#"9 linkat(AT_FDCWD</t>, "/proc/self/fd/8", 4</t/outside>, "x", AT_SYMLINK_FOLLOW) = 0"#, false),
        (r#"9 linkat(AT_FDCWD</t>, "/proc/self/fd/8", AT_FDCWD</t>, "x", AT_SYMLINK_FOLLOW) = 0"#, false),
        (r#"9 renameat2(4</t/target>, "x", 4</t/target>, "../z", 0) = 0"#, false),
        (r#"9 symlinkat("../outside", 4</t/target>, "x") = 0"#, true),
        (r#"9 symlinkat("x", 4</t/target>, "../outside/x") = 0"#, false),
        (r#"9 fchmodat(AT_FDCWD</t>, "/proc/self/fd/8", 0644) = 0"#, true),
        (r#"9 fchmodat(AT_FDCWD</t>, "/proc/self/fd/7", 0644) = 0"#, false),
        (r#"9 mkdir("/t/target", 0700) = 0"#, true),
        (r#"9 mkdir("/t/target-2", 0700) = 0"#, false),
    ] {
        let call = Call::parse(line).expect("a call");
        assert_eq!((call.is_writing(), call.is_below(target, &open)), (true, is_below), "{line}");
    }
    let reading = Call::parse(r#"9 openat(AT_FDCWD</t>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 5</etc/passwd>"#).expect("a call");
    assert!(!reading.is_writing());
}
