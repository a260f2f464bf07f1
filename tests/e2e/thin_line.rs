//! Lines that lose packets, are thin, or break: a transfer ends right or fails cleanly, and nothing of a dead one stays (D29).

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{eventually, is_nightly, program, skip, skip_nightly, skip_without_root, tree, wait_until};

const TRANSFERS: u64 = 25;
/// What the server waits for a client that says nothing.
const IDLE_SECONDS: u64 = 10;

/// A network of its own with one line: the loopback interface, which can be made as bad as any.
struct Network(String);

impl Network {
    /// `None` where nobody may make one.
    fn new() -> Option<Self> {
        let network = Self(format!("strongroom-test-{}", std::process::id()));
        (run("ip", &["netns", "add", &network.0]) && network.does("ip", &["link", "set", "lo", "up"])).then_some(network)
    }

    fn does(&self, program: &str, arguments: &[&str]) -> bool {
        run("ip", &[&["netns", "exec", &self.0, program], arguments].concat())
    }

    #[track_caller]
    fn must(&self, words: &str) {
        let words: Vec<&str> = words.split(' ').collect();
        assert!(self.does(words[0], &words[1..]), "{words:?}");
    }

    /// Drops what a rule of nftables says, from now on.
    fn drop_packets(&self, rule: &str) {
        self.must("nft add table ip t");
        self.must("nft add chain ip t c { type filter hook input priority 0 ; }");
        self.must(&format!("nft add rule ip t c {rule} drop"));
    }

    fn drop_nothing(&self) {
        self.must("nft delete table ip t");
    }

    fn curl(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, "curl", "-q", "-sS", "-f", "--max-time", "300"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("curl runs")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        run("ip", &["netns", "delete", &self.0]);
    }
}

fn run(program: &str, arguments: &[&str]) -> bool {
    let done = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

/// Those that the server holds, without the catalog's: its readers open theirs when each is first needed.
fn descriptors(server: &TestServer) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("its descriptors can be listed");
    let targets = open.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| !target.to_string_lossy().contains("/catalog.db")).count()
}

/// One transfer: what curl said in the end is what is so. True where it succeeded.
struct Transfer {
    name: String,
    file: std::path::PathBuf,
    is_upload: bool,
    curl: Child,
}

fn begin(network: &Network, account: &Account, folder: &std::path::Path, part: &str, number: u64, length: usize) -> Transfer {
    let (is_upload, file) = (number.is_multiple_of(2), folder.join(format!("{part}-{number}")));
    let name = if is_upload { format!("/{part}/{number}") } else { "/stored".to_owned() };
    let (url, path) = (account.url(&name), file.display().to_string());
    if is_upload {
        std::fs::write(&file, tree::bytes(number + 1, length)).expect("a file is written");
    }
    let curl = if is_upload { network.curl(&["-T", &path, &url]) } else { network.curl(&["-o", &path, &url]) };
    Transfer { name, file, is_upload, curl }
}

/// Waits for all; returns how many succeeded. What is said to be done is right.
fn end(transfers: Vec<Transfer>, stored: &[u8]) -> (Vec<(String, Vec<u8>)>, usize) {
    let (mut kept, mut done) = (Vec::new(), 0);
    for mut transfer in transfers {
        let ended = eventually("a transfer ends", Duration::from_secs(400), || transfer.curl.try_wait().expect("it can be waited for"));
        if !ended.success() {
            continue;
        }
        done += 1;
        let bytes = std::fs::read(&transfer.file).expect("the file is there");
        if transfer.is_upload {
            kept.push((transfer.name, bytes));
        } else {
            assert!(bytes == stored, "a download that ended well is the file");
        }
    }
    (kept, done)
}

#[test]
fn transfers_over_bad_lines_end_right_or_fail_cleanly() {
    if !is_nightly() {
        return skip_nightly("transfers over lines that lose, are thin, and break");
    }
    if ["ip", "tc", "nft"].iter().any(|tool| program(&[tool]).is_none()) {
        return skip("ip, tc and nft are needed");
    }
    let Some(network) = Network::new() else { return skip_without_root("only root makes networks") };
    let words = ["ip", "netns", "exec", &network.0];
    let server = Setup::new().under(&words).set("progress_seconds", IDLE_SECONDS).set("idle_seconds", IDLE_SECONDS).start();
    let account = server.account();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stored = tree::bytes(7, 600_000);
    let first = folder.path().join("first");
    std::fs::write(&first, &stored).expect("a file is written");
    let mut put = network.curl(&["-T", &first.display().to_string(), &account.url("/stored")]);
    assert!(put.wait().expect("curl ends").success());
    let before = descriptors(&server);
    let mut kept = vec![("/stored".to_owned(), stored.clone())];
    let mut told = Vec::new();
    let start =
        |part: &str| (0..TRANSFERS).map(|number| begin(&network, &account, folder.path(), part, number, 600_000)).collect::<Vec<_>>();
    let mut finish = |part: &str, transfers| {
        let (stored_now, done) = end(transfers, &stored);
        kept.extend(stored_now);
        told.push(format!("{part} {done}/{TRANSFERS}"));
    };

    network.drop_packets("numgen random mod 100 < 20");
    finish("20 % lost", start("loss"));
    network.drop_nothing();

    network.must("tc qdisc add dev lo root tbf rate 1mbit burst 128kb latency 400ms");
    let transfers = start("thin");
    // A partition in the middle: shorter than the patience of either side, then the rest goes through.
    std::thread::sleep(Duration::from_secs(5));
    network.must("tc qdisc del dev lo root");
    finish("1 Mbit/s", transfers);

    network.must("tc qdisc add dev lo root tbf rate 1mbit burst 128kb latency 400ms");
    let transfers = start("partition");
    std::thread::sleep(Duration::from_secs(2));
    network.drop_packets("tcp dport 0-65535");
    std::thread::sleep(Duration::from_secs(60));
    let half_open = descriptors(&server);
    assert!(half_open <= before + 2, "half-open connections are gone after the idle time: {half_open}, {before} before");
    network.drop_nothing();
    network.must("tc qdisc del dev lo root");
    finish("60 s of nothing", transfers);

    network.must("tc qdisc add dev lo root tbf rate 1mbit burst 128kb latency 400ms");
    let transfers = start("down");
    std::thread::sleep(Duration::from_secs(2));
    network.must("ip link set lo down");
    std::thread::sleep(Duration::from_secs(IDLE_SECONDS + 5));
    network.must("ip link set lo up");
    network.must("tc qdisc del dev lo root");
    finish("link down", transfers);

    wait_until("nothing of a dead transfer stays", Duration::from_secs(IDLE_SECONDS + 10), || {
        server.staging_files().is_empty() && descriptors(&server) <= before + 2
    });
    for (name, bytes) in &kept {
        server.expect_blob(&account, name, bytes);
    }
    server.run(&["check"]).expect_exit(0);
    figure("D29", "bad lines", &format!("ended well: {}; all others failed cleanly, 0 wrong, 0 half-open left", told.join(", ")), None);
}
