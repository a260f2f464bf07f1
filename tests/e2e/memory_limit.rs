//! Many large transfers in little memory: the kernel's own limit judges (D13).

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::figure::figure;
use crate::support::setup::Setup;
use crate::support::{is_nightly, program, skip_nightly, skip_without_root};

const LIMIT: u64 = 128 << 20;
const TRANSFERS: u64 = 64;
const LENGTH: u64 = 256 << 20;

/// A memory group of the kernel, version 1; removed at the end.
struct Group(PathBuf);

impl Group {
    /// `None` where nobody may make one.
    fn new() -> Option<Self> {
        let path = PathBuf::from(format!("/sys/fs/cgroup/memory/strongroom-test-{}", std::process::id()));
        std::fs::create_dir(&path).ok()?;
        let group = Self(path);
        std::fs::write(group.0.join("memory.limit_in_bytes"), LIMIT.to_string()).ok()?;
        Some(group)
    }

    fn kills(&self) -> u64 {
        let told = std::fs::read_to_string(self.0.join("memory.oom_control")).expect("the group tells");
        let line = told.lines().find_map(|line| line.strip_prefix("oom_kill ")).expect("kills are counted");
        line.parse().expect("a number")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It can be removed once its last process has been waited for.
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn curl(arguments: &[&str]) -> Child {
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "-f"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().expect("curl runs")
}

#[test]
fn many_transfers_fit_into_128_mebibytes() {
    if !is_nightly() {
        return skip_nightly("64 uploads and 64 downloads in 128 MiB");
    }
    let Some(group) = Group::new().filter(|_| program(&["sh"]).is_some()) else {
        return skip_without_root("only root makes a memory group");
    };
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.0.display());
    let server = Setup::new().under(&["sh", "-c", &enter]).start();
    let account = server.account();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let zeros = folder.path().join("zeros");
    std::fs::File::create(&zeros).and_then(|file| file.set_len(LENGTH)).expect("a sparse file");
    let zeros = zeros.display().to_string();
    account.put_file(&[], "/stored", zeros.as_ref()).expect(201);
    let mut running: Vec<Child> = (0..TRANSFERS)
        .flat_map(|number| {
            let (up, down) = (account.url(&format!("/up/{number}")), account.url("/stored"));
            [curl(&["-T", &zeros, &up]), curl(&["-o", "/dev/null", &down])]
        })
        .collect();
    let failed = running.iter_mut().filter_map(|child| child.wait().ok()).filter(|ended| !ended.success()).count();
    assert_eq!((failed, group.kills()), (0, 0), "transfers that failed, and kills for want of memory");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its highest is told");
    let most_kib: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    let bound_kib = (32 << 10) + 2 * TRANSFERS * (2 << 10);
    assert!(most_kib <= bound_kib, "{most_kib} KiB");
    assert_eq!(account.names().len(), 1 + usize::try_from(TRANSFERS).expect("small"));
    let text = format!(
        "{TRANSFERS} uploads and {TRANSFERS} downloads of 256 MiB in 128 MiB: 0 kills, 0 failures, at most {most_kib} KiB resident"
    );
    figure("D13", "memory group of 128 MiB", &text, None);
    drop(server);
    drop(group);
}
