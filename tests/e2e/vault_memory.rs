//! Memory and time do not grow with what is backed up: large files, holes, and very many small ones.

use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::support::client::{Client, below, text};
use crate::support::figure::figure;
use crate::support::{is_nightly, skip_nightly, tree};

const MOST_BYTES: u64 = 200 << 20;
const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Runs it to its end; the most memory that it had, as its system tells.
#[track_caller]
fn peak_bytes(client: &Client, arguments: &[&str]) -> u64 {
    let mut child = client.begin(arguments);
    let mut peak = 0;
    while child.try_wait().expect("it can be waited for").is_none() {
        peak = high_water(child.id()).unwrap_or_default().max(peak);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    client.end(child).expect_exit(0);
    assert!(peak > 0, "it was seen while it ran");
    peak
}

fn high_water(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

fn repository(home: &Path) -> Client {
    let client = Client::at(home.join("repository"));
    client.ok(&["init"]);
    client
}

/// A file of this length with so many parts of 16 MiB that are bytes and not holes.
fn sparse(at: &Path, length: u64, parts: u64) {
    let file = std::fs::File::create(at).expect("a file is made");
    file.set_len(length).expect("it has its length");
    for part in 0..parts {
        let offset = length / parts.max(1) * part + part * 4_099;
        file.write_all_at(&tree::bytes(part + 1, 16 << 20), offset).expect("a part is written");
    }
}

/// Backup and restore of one file.
fn one_file(length: u64, parts: u64) -> [u64; 2] {
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    std::fs::create_dir(&source).expect("a folder is made");
    sparse(&source.join("large"), length, parts);
    let client = repository(home.path());
    let backup = peak_bytes(&client, &["backup", text(&source)]);
    let target = home.path().join("target");
    let restore = peak_bytes(&client, &["restore", "latest", "--target", text(&target)]);
    let restored = below(&target, &source).join("large");
    assert!(is_same(&source.join("large"), &restored), "the file is the same");
    let [before, after] = [source.join("large"), restored].map(|path| std::fs::metadata(path).expect("it is there").blocks() * 512);
    assert!(after <= before + (parts + 1) * MIB, "holes are holes again: {after} bytes of {before}");
    [backup, restore]
}

/// Holes of both are passed over.
fn is_same(one: &Path, other: &Path) -> bool {
    let ran = std::process::Command::new("cmp").arg(one).arg(other).status();
    ran.expect("cmp runs").success()
}

#[test]
fn a_large_file_takes_no_more_memory_than_a_small_one() {
    let (length, parts) = if is_nightly() { (40 * GIB, 128) } else { (2 * GIB, 4) };
    let [backup, restore] = one_file(length, parts);
    let text = format!(
        "{} GiB sparse file with {} MiB of bytes: backup {} MiB, restore {} MiB at most (limit {})",
        length / GIB,
        parts * 16,
        backup / MIB,
        restore / MIB,
        MOST_BYTES / MIB
    );
    figure("vault memory", "large file", &text, None);
    assert!(backup < MOST_BYTES && restore < MOST_BYTES, "{text}");
}

#[test]
fn very_many_small_files_take_no_more_memory() {
    if !is_nightly() {
        return skip_nightly("backup and restore of 100,000 files");
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let source = home.path().join("source");
    for folder in 0..1_000_u64 {
        let folder_path: PathBuf = source.join(format!("{}/{folder}", folder % 10));
        std::fs::create_dir_all(&folder_path).expect("a folder is made");
        for file in 0..100_u64 {
            let number = folder * 100 + file;
            let length = usize::try_from(number % 8_192).expect("it fits");
            std::fs::write(folder_path.join(file.to_string()), tree::bytes(number, length)).expect("a file is written");
        }
    }
    let client = repository(home.path());
    let first = peak_bytes(&client, &["backup", text(&source)]);
    let again = peak_bytes(&client, &["backup", text(&source)]);
    let target = home.path().join("target");
    let restore = peak_bytes(&client, &["restore", "latest", "--target", text(&target)]);
    let same = std::process::Command::new("diff").args(["-rq", "--no-dereference"]).arg(&source).arg(below(&target, &source)).status();
    assert!(same.expect("diff runs").success());
    let text = format!("100,000 files: backup {} MiB, again {} MiB, restore {} MiB at most", first / MIB, again / MIB, restore / MIB);
    figure("vault memory", "many files", &text, None);
    assert!(first < MOST_BYTES && again < MOST_BYTES && restore < MOST_BYTES, "{text}");
}
