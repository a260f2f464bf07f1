//! Start, stop, reload: what runs is finished, what is new is refused, and a bad setting changes nothing.

use rustix::process::Signal;

use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, tree, wait_until};

fn begin_put(server: &TestServer, name: &str, length: usize) -> Raw {
    let mut raw = Raw::connect(server);
    let basic = server.account().basic();
    raw.send(format!(
        "PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(raw.head(SOON).map(|head| head.status), Some(100), "{name} is admitted");
    raw
}

#[test]
fn sigterm_lets_running_transfers_end_and_takes_nothing_new() {
    for mut server in TestServer::each_catalog() {
        let account = server.account();
        let bytes = tree::bytes(1, 2 << 20);
        let large = tree::bytes(2, 24 << 20);
        account.store("/large", &large);
        let mut uploads: Vec<Raw> = (0..8).map(|number| begin_put(&server, &format!("/{number}"), bytes.len())).collect();
        for raw in &mut uploads {
            raw.send(&bytes[..1 << 20]);
        }
        let mut download = Raw::connect(&server);
        download.send(format!("GET /large HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
        assert_eq!(download.head(SOON).map(|head| head.status), Some(200));
        let idle = &mut Raw::connect(&server);
        let port = server.port();
        server.signal(Signal::TERM);
        wait_until("no new connection is taken", SOON, || Raw::try_connect(port).is_none());
        assert!(idle.is_closed_within(SOON), "an idle connection is closed");
        assert!(server.is_running(), "transfers are running");
        for raw in &mut uploads {
            raw.send(&bytes[1 << 20..]);
            assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(201), "{}", server.log());
        }
        assert!(download.take(large.len(), SOON).expect("the whole download") == large);
        drop((uploads, download));
        assert_eq!(server.await_end(SOON).code(), Some(0), "{}", server.log());
        server.start_again();
        for number in 0..8 {
            account.expect_file(&format!("/{number}"), &bytes);
        }
    }
}

#[test]
fn transfers_that_do_not_end_are_cut_after_the_grace_and_leave_nothing() {
    let mut server = Setup::new().set("shutdown_seconds", 1).start();
    let account = server.account();
    let mut raw = begin_put(&server, "/endless", 1000);
    raw.send(b"some");
    server.signal(Signal::TERM);
    assert_eq!(server.await_end(SOON).code(), Some(0), "{}", server.log());
    assert_eq!(server.staging_files().len(), 0);
    server.start_again();
    assert_eq!(account.names(), Vec::<String>::new());
    account.store("/endless", b"the name is free");
}

#[test]
fn sigint_is_an_orderly_end_too() {
    let mut server = TestServer::start();
    server.account().store("/a", b"x");
    server.signal(Signal::INT);
    assert_eq!(server.await_end(SOON).code(), Some(0), "{}", server.log());
    server.start_again();
    server.account().expect_file("/a", b"x");
}

#[test]
fn a_restart_in_the_middle_breaks_only_what_was_unfinished() {
    for mut server in TestServer::each_catalog() {
        let account = server.account();
        account.store("/before", b"x");
        let mut raw = begin_put(&server, "/middle", 100_000);
        raw.send(tree::bytes(1, 50_000));
        server.kill();
        server.expect_error("did not end cleanly");
        server.start_again();
        wait_until("the torso is gone", SOON, || server.staging_files().is_empty());
        assert_eq!(account.names(), ["/before"]);
        account.store("/middle", tree::bytes(1, 100_000));
        account.expect_file("/before", b"x");
        account.expect_file("/middle", &tree::bytes(1, 100_000));
    }
}

#[test]
fn only_the_first_start_prints_an_access_url() {
    let mut server = TestServer::start();
    let account = server.account();
    assert!(server.printed()[0].starts_with("Serving http://localhost:"), "{:?}", server.printed());
    server.restart();
    assert_eq!(server.printed().len(), 1, "{:?}", server.printed());
    assert!(!server.log().contains(&account.password), "no password in the log");
    account.get("/").expect(200);
}

#[test]
fn sighup_takes_new_limits_and_refuses_bad_ones() {
    let mut server = Setup::new().tls().file("config.toml", b"").start();
    server.expect_error("config");
    server.expect_error("settings");
    let account = server.account();
    let config = server.home().join("config.toml");
    account.store("/before", tree::bytes(1, 2000));
    std::fs::write(&config, "max_file_bytes = 1000\n").expect("the config is written");
    server.signal(Signal::HUP);
    wait_until("the new limit is in force", SOON, || account.put("/large", tree::bytes(1, 1001)).status() == 413);
    std::fs::write(&config, "max_file_bytes = 5000\nno_such_setting = 1\n").expect("the config is written");
    let said = server.log().len();
    server.signal(Signal::HUP);
    wait_until("the refusal is in the log", SOON, || server.log()[said..].contains("no_such_setting"));
    account.put("/large", tree::bytes(1, 1001)).expect(413);
    std::fs::write(&config, "max_file_bytes = 5000\ncatalog_readers = 9\n").expect("the config is written");
    server.signal(Signal::HUP);
    server.await_log("catalog_readers");
    account.store("/large", tree::bytes(1, 1001));
}

/// A self-signed certificate and its key in PEM.
fn certificate_and_key() -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate is made");
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

#[test]
fn sighup_takes_a_new_certificate_and_keeps_the_old_one_when_the_new_is_bad() {
    let (first, first_key) = certificate_and_key();
    let own = Setup::new().tls().set("tls_certificate", "own.pem").set("tls_key", "own.key");
    let mut server = own.file("own.pem", first.as_bytes()).file("own.key", first_key.as_bytes()).start();
    for part in ["certificate", "not reloaded"] {
        server.expect_error(part);
    }
    let account = server.account();
    let (pem, key) = (server.home().join("own.pem"), server.home().join("own.key"));
    account.get("/").expect(200);
    let (second, second_key) = certificate_and_key();
    // Half written; whole, but with the key of another; no certificate at all.
    for (bad, bad_key) in [(&first[..first.len() / 2], &first_key), (second.as_str(), &first_key), ("nonsense", &second_key)] {
        tree::write_private(&pem, bad.as_bytes());
        tree::write_private(&key, bad_key.as_bytes());
        let said = server.log().len();
        server.signal(Signal::HUP);
        wait_until("the refusal is in the log", SOON, || server.log()[said..].contains("ERROR"));
        // The client goes on trusting the first, which is still served.
        tree::write_private(&pem, first.as_bytes());
        account.get("/").expect(200);
    }
    tree::write_private(&pem, second.as_bytes());
    tree::write_private(&key, second_key.as_bytes());
    server.signal(Signal::HUP);
    wait_until("the new certificate is served", SOON, || account.get("/").status() == 200);
}

#[test]
fn files_of_the_store_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Setup::new().tls().start();
    let account = server.account();
    account.store("/db/dump", b"x");
    server.run(&["account", "set", &account.user, "--description", "db"]).expect_exit(0);
    let mode = |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&server.data()), 0o700);
    let certificate = server.site().certificate.clone().expect("a certificate");
    // The certificate is public: clients need it.
    for file in tree::files_below(&server.data()).into_iter().filter(|file| *file != certificate) {
        assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
    }
}

#[test]
fn health_needs_no_password_and_stands_outside_every_account() {
    let server = TestServer::start();
    let account = server.account();
    let health = server.site().curl::<&str>(&[], "/health");
    health.expect(200);
    assert!(!health.text().contains(&account.user), "{health:?}");
    account.get("/health").expect(404);
    account.store("/health", b"a name like any other");
    account.expect_file("/health", b"a name like any other");
    server.site().curl::<&str>(&[], "/health").expect(200);
    server.site().curl(&["-X", "PUT", "--data-binary", "x"], "/health").expect_no_header("location");
    assert_eq!(account.names(), ["/health"]);
}

#[test]
fn metrics_are_served_on_their_own_address_and_name_nobody() {
    let port = crate::support::postgres::free_port();
    let server = Setup::new().set("metrics_listen", format!("127.0.0.1:{port}")).start();
    let account = server.account();
    account.store("/secret-name", b"x");
    account.make_session();
    account.get("/metrics").expect(404);
    server.site().curl::<&str>(&[], "/metrics").expect(401);
    let metrics = crate::support::curl::curl([format!("http://127.0.0.1:{port}/metrics")]);
    let text = metrics.expect(200).text();
    assert!(text.contains("# TYPE") && text.contains("requests"), "{text}");
    for secret in [&account.user, &account.password, "secret-name", "/session/"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_connection_cap_does_not_stop_the_others() {
    let server = Setup::new().set("connections_per_address", 20).start();
    let account = server.account();
    account.store("/a", b"x");
    let mut held: Vec<Raw> = (0..40).map(|_| Raw::connect(&server)).collect();
    // From another address of this machine the server still answers.
    account.curl(&["--interface", "127.0.0.3"], "/a").expect(200).expect_body(b"x");
    held.clear();
    wait_until("the first address is served again", SOON, || account.get("/a").status() == 200);
}

/// Processor time that the server has used, in seconds.
fn processor_seconds(server: &TestServer) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("the server runs");
    let after_name = stat.rsplit(") ").next().expect("a split has a last part");
    let ticks = after_name.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().expect("a number"));
    ticks.sum::<f64>() / 100.0
}

#[test]
fn running_out_of_descriptors_is_survived() {
    let Some(_) = crate::support::program(&["prlimit"]) else { return crate::support::skip("prlimit is not installed") };
    let mut server = Setup::new().under(&["prlimit", "--nofile=256:256"]).set("connections_per_address", 1_000).start();
    for part in ["accept", "descriptor", "Too many open files"] {
        server.expect_error(part);
    }
    let account = server.account();
    account.store("/a", b"x");
    let mut uploads: Vec<Raw> = (0..16).map(|number| begin_put(&server, &format!("/running/{number}"), 10)).collect();
    let mut held: Vec<Raw> = (0..400).filter_map(|_| Raw::try_connect(server.port())).collect();
    let (began, before) = (std::time::Instant::now(), processor_seconds(&server));
    // The figure is of time that passes: a loop that spins shows in it.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let busy = (processor_seconds(&server) - before) / began.elapsed().as_secs_f64();
    assert!(busy < 0.2, "{busy} of a processor is used while nothing can be accepted");
    for upload in &mut uploads {
        upload.send(b"0123456789");
        assert_eq!(upload.answer(SOON).map(|answer| answer.head.status), Some(201), "an upload that runs is finished");
    }
    held.clear();
    let began = std::time::Instant::now();
    wait_until("service is back", SOON, || account.get("/a").status() == 200);
    let back = began.elapsed();
    assert!(back < std::time::Duration::from_secs(2), "service is back after {back:?}");
    let percent = busy * 100.0;
    let text = format!("256 descriptors, 400 clients: {percent:.0} % of a core, 16 of 16 running uploads finished, back in {back:.0?}");
    figure("D12", "descriptors", &text, None);
}
