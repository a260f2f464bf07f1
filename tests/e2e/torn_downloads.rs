//! Downloads that break off at any byte and are resumed by ordinary clients: the file in the end is the file that was stored (D20).

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::account::Account;
use crate::support::clock::{DAY, HOUR, TestClock};
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::random;
use crate::support::{SOON, is_nightly, program, skip, tree, wait_until};

/// Hands connections on to the server and cuts the answers of the next ones after so many bytes.
struct Cutter {
    port: u16,
    cuts: Arc<Mutex<VecDeque<u64>>>,
}

impl Cutter {
    fn before(server: &TestServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let (cuts, upstream) = (Arc::new(Mutex::new(VecDeque::new())), server.port());
        let queue = Arc::clone(&cuts);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let most = queue.lock().expect("nobody panics while holding the cuts").pop_front().unwrap_or(u64::MAX);
                std::thread::spawn(move || hand_on(client, upstream, most));
            }
        });
        Self { port, cuts }
    }

    /// The next connections are cut after these bytes; those that follow are not.
    fn cut(&self, cuts: impl IntoIterator<Item = u64>) {
        *self.cuts.lock().expect("nobody panics while holding the cuts") = cuts.into_iter().collect();
    }
}

/// Both ways at once; the answer for `most` bytes, then the client finds the connection closed, or reset, as the number is even.
fn hand_on(client: TcpStream, upstream: u16, most: u64) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else { return };
    let (mut asks, mut hears) = (client.try_clone().expect("a descriptor"), server.try_clone().expect("a descriptor"));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut asks, &mut hears);
        let _ = hears.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut (&server).take(most), &mut &client);
    if most.is_multiple_of(2) {
        let _ = rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO));
    }
    let _ = (&client).flush();
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

fn run(program: &str, arguments: &[&str], url: &str) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap_or_else(|error| panic!("{program}: {error}")).success()
}

/// Downloads with one program, resuming until it is done.
fn fetch(program: &str, url: &str, folder: &Path) {
    let (folder, file) = (folder.display().to_string(), folder.join("file").display().to_string());
    match program {
        "curl" => {
            let arguments = ["-q", "-sS", "-C", "-", "-o", &file];
            assert!((0..20).any(|_| run("curl", &arguments, url)), "curl ends within 20 tries");
        }
        "wget" => {
            let arguments = ["-q", "-c", "-t", "20", "--waitretry=0", "--auth-no-challenge", "-P", &folder];
            assert!((0..20).any(|_| run("wget", &arguments, url)), "wget ends");
        }
        _ => {
            let arguments = ["-q", "-c", "-x4", "-s4", "-k1M", "--max-tries=20", "--retry-wait=0", "--file-allocation=none", "-d", &folder];
            assert!((0..20).any(|_| run("aria2c", &arguments, url)), "aria2 ends");
        }
    }
}

#[test]
fn resumed_downloads_are_the_stored_file() {
    for tool in ["curl", "wget", "aria2c"] {
        if program(&[tool]).is_none() {
            return skip(&format!("{tool} is not installed"));
        }
    }
    let server = TestServer::start();
    let account = server.account();
    let bytes = tree::bytes(1, 4_321_987);
    account.store("/file", &bytes);
    let cutter = Cutter::before(&server);
    let mut seed = 0x5EED_0020;
    let first_seed = seed;
    let rounds = if is_nightly() { 1_000 } else { 100 };
    let mut cut = 0;
    for round in 0..rounds {
        let tool = ["curl", "wget", "aria2c"][round % 3];
        // aria2 opens four connections at once: each is cut.
        let cuts = if tool == "aria2c" { 4 } else { 1 + random(&mut seed, 2) };
        let most = if tool == "aria2c" { bytes.len() / 4 } else { bytes.len() };
        cutter.cut((0..cuts).map(|_| random(&mut seed, most as u64)));
        cut += cuts;
        let folder = tempfile::tempdir().expect("a temporary folder");
        fetch(tool, &format!("http://{}@localhost:{}/file", account.credentials(), cutter.port), folder.path());
        let got = std::fs::read(folder.path().join("file")).expect("the download is there");
        assert!(got == bytes, "round {round}, {tool}, seed {first_seed:#x}: {} bytes that differ", got.len());
    }
    let text = format!("{rounds} downloads by curl, wget and aria2, {cut} connections cut at random bytes: all right in the end");
    figure("D20", "resume", &text, Some(first_seed));
}

/// The answer to a range from the middle on, with one more header.
fn resume(server: &TestServer, account: &Account, header: &str) -> (u16, Vec<u8>) {
    let mut raw = Raw::connect(server);
    let basic = account.basic();
    raw.send(format!("GET /file HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nRange: bytes=5000-\r\n{header}\r\n"));
    let answer = raw.answer(SOON).expect("an answer");
    (answer.head.status, answer.body)
}

#[test]
fn a_resumed_download_never_mixes_two_files_of_one_name() {
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = server.account();
    let (old, new) = (tree::bytes(1, 10_000), tree::bytes(2, 10_000));
    account.store("/file", &old);
    let same = format!("If-Range: \"{}\"\r\n", tree::sha256(&old));
    assert_eq!(resume(&server, &account, ""), (206, old[5000..].to_vec()));
    assert_eq!(resume(&server, &account, &same), (206, old[5000..].to_vec()));
    // For a day after its end nobody else has the name: a client that names no version is told that the file is gone.
    for _ in 0..2 {
        clock.advance(if account.get("/file").status() == 200 { 30 * DAY } else { 23 * HOUR });
        account.put("/file", &new).expect(405);
        assert_eq!(resume(&server, &account, "").0, 404);
        assert_eq!(resume(&server, &account, &same).0, 404);
    }
    clock.advance(HOUR);
    wait_until("the name is free", SOON, || account.put("/file", &new).status() == 201);
    assert_eq!(resume(&server, &account, &same), (200, new), "the version that was asked for is gone: the new file, whole");
    figure("D20", "expiry and reuse between the parts", "0 mixed files: 404 for 24 h, then If-Range gives the new file whole", None);
}
