//! What a taken server could still do: nothing beyond its own files.

use rustix::process::Signal;

use crate::support::figure::figure;
use crate::support::postgres;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{program, skip, tls, tree};

/// A server whose health check tries to get out.
fn escaping(setup: Setup) -> Setup {
    setup.fault("escape", &format!("return({})", std::process::id()))
}

/// What it says of each attempt.
fn attempts(server: &TestServer) -> Vec<String> {
    let answer = server.site().curl::<&str>(&[], "/health");
    let text = answer.expect(200).text();
    let attempts: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(attempts.len(), 6, "{text}");
    attempts
}

/// Threads that may not gain privileges, and all of them.
fn without_new_privileges(server: &TestServer) -> (usize, usize) {
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.pid())).expect("the server runs");
    let states: Vec<bool> = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok())
        .map(|status| status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"])))
        .collect();
    (states.iter().filter(|bound| **bound).count(), states.len())
}

fn is_here() -> bool {
    std::fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|modules| modules.contains("landlock"))
}

#[test]
fn a_server_opens_no_file_and_no_program_but_its_own() {
    for server in escaping(Setup::new()).each_catalog() {
        let account = server.account();
        account.store("/a", tree::bytes(1, 3 << 20));
        if !server.log().contains("sandboxed") {
            assert!(!is_here(), "this kernel has Landlock\n{}", server.log());
            return skip("this kernel has no Landlock");
        }
        let attempts = attempts(&server);
        let refused = attempts.iter().filter(|attempt| attempt.ends_with(" PermissionDenied")).count();
        assert_eq!(refused, attempts.len(), "{attempts:?}");
        assert_eq!(server.log().matches("escape").count(), attempts.len(), "each attempt is logged");
        let (bound, threads) = without_new_privileges(&server);
        assert_eq!(bound, threads, "threads without new privileges");
        account.expect_file("/a", &tree::bytes(1, 3 << 20));
        let session = account.make_session();
        server.site().curl::<&str>(&[], &session).expect(200);
        server.run(&["account", "list"]).expect_exit(0);
        let what = "read, list, write, make, execute, trace";
        figure(
            "S24",
            "escapes",
            &format!("{refused} of {} attempts refused ({what}); {bound} of {threads} threads with no_new_privs", attempts.len()),
            None,
        );
    }
}

/// The control: it is the sandbox that refuses.
#[test]
fn without_the_sandbox_the_same_attempts_succeed() {
    let server = escaping(Setup::new().set("sandbox", false)).start();
    let done = attempts(&server).iter().filter(|attempt| attempt.ends_with(" done")).count();
    assert!(server.log().contains("the sandbox is off"), "{}", server.log());
    let scratch = std::env::temp_dir().join(format!("strongroom-escape-{}", server.pid()));
    drop(std::fs::remove_file(&scratch));
    drop(std::fs::remove_dir(scratch.with_extension("folder")));
    figure("S24", "control", &format!("with the sandbox off {done} of 6 attempts succeed"), None);
    assert!(done >= 5, "{done}");
}

#[test]
fn certificates_and_settings_are_read_again_from_their_folders() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pair = |year| (tls::write_pair(folder.path(), year), std::fs::read(folder.path().join("key.pem")).expect("the key"));
    let (first, second) = (pair(2080), pair(2081));
    // As certbot keeps them: a link in one folder to a file in another.
    let (live, archive) = (tempfile::tempdir().expect("a temporary folder"), tempfile::tempdir().expect("a temporary folder"));
    let renew = |number: u32, pair: &(Vec<u8>, Vec<u8>)| {
        for (name, bytes) in [("cert", &pair.0), ("key", &pair.1)] {
            let (file, link) = (archive.path().join(format!("{name}{number}.pem")), live.path().join(format!("{name}.pem")));
            tree::write_private(&file, bytes);
            drop(std::fs::remove_file(&link));
            std::os::unix::fs::symlink(file, link).expect("a link is made");
        }
    };
    renew(1, &first);
    let file = |name: &str| live.path().join(name).display().to_string();
    let setup = Setup::new().tls().set("tls_certificate", file("cert.pem")).set("tls_key", file("key.pem"));
    let server = setup.file("config.toml", b"header_seconds = 16\n").start();
    let account = server.account();
    account.store("/a", b"x");
    renew(2, &second);
    let settings = server.home().join("config.toml");
    std::fs::write(server.home().join("new"), "header_seconds = 17\nscrub_days = 7\n").expect("written");
    std::fs::rename(server.home().join("new"), settings).expect("an editor replaces the file");
    server.signal(Signal::HUP);
    server.await_log("settings are reloaded");
    server.await_log("this setting has changed and waits for a restart");
    account.expect_file("/a", b"x");
    let config = tls::client(&[second.0], &["http/1.1"]);
    let socket = std::net::TcpStream::connect(("127.0.0.1", server.port())).expect("the server takes a connection");
    tls::connect(&config, socket).expect("the renewed certificate is shown");
}

#[test]
fn a_kernel_without_landlock_is_said_so_and_serves() {
    if program(&["strace"]).is_none() {
        return skip("strace is not installed");
    }
    for error in ["ENOSYS", "EOPNOTSUPP", "EPERM"] {
        let fault = format!("inject=landlock_create_ruleset:error={error}");
        let server = escaping(Setup::new().under(&[
            "strace",
            "-D",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=landlock_create_ruleset",
            "-e",
            &fault,
        ]))
        .start();
        let account = server.account();
        account.store("/a", b"x");
        account.expect_file("/a", b"x");
        let log = server.log();
        assert_eq!(log.lines().filter(|line| line.contains("WARN") && line.contains("no Landlock")).count(), 1, "{error}: {log}");
        assert!(!log.contains("sandboxed"), "{error}: {log}");
    }
    figure("S24", "older kernel", "served with one warning in the log where the kernel has no Landlock (3 errors injected)", None);
}

#[test]
fn a_catalog_on_postgres_is_reached_from_within() {
    let Some(database) = postgres::fresh_database() else { return };
    let server = Setup::new().file("catalog-url", database.url().as_bytes()).set("catalog_file", "catalog-url").start();
    let account = server.account();
    account.store("/a", b"x");
    account.expect_file("/a", b"x");
    assert!(server.log().contains("sandboxed") || !is_here(), "{}", server.log());
}
