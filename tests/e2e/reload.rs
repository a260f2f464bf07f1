//! SIGHUP: what is good is taken, what is bad is named, and nothing is taken by half.

use rustix::process::Signal;

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, tree, wait_until};

/// Writes the config file, sends the signal, and waits for a line of the log that holds `part`.
fn reload(server: &TestServer, config: &str, part: &str) {
    std::fs::write(server.home().join("config.toml"), config).expect("the config is written");
    hang_up(server, part);
}

fn hang_up(server: &TestServer, part: &str) {
    let said = server.log().len();
    server.signal(Signal::HUP);
    wait_until(&format!("“{part}” in the log"), SOON, || server.log()[said..].contains(part));
}

#[test]
fn the_public_url_and_the_log_level_are_taken() {
    let server = Setup::new().file("config.toml", b"").start();
    let account = server.account();
    account.put("/a", b"x").expect(201).expect_header("location", &format!("{}/a", server.site().origin()));
    reload(&server, "public_url = \"https://backup.example.com/\"\nlog_level = \"warn\"\nscrub_days = 9\n", "scrub_days");
    let answer = account.put("/b", b"x");
    answer.expect(201).expect_header("location", "https://backup.example.com/b");
    let quiet = server.log().len();
    account.get("/b").expect(200);
    reload(&server, "public_url = \"https://other.example.com/\"\nlog_level = \"info\"\n", "settings are reloaded");
    assert!(!server.log()[quiet..].contains("path=\"/b\""), "nothing of info was logged meanwhile: {}", &server.log()[quiet..]);
    account.put("/c", b"x").expect_header("location", "https://other.example.com/c");
    server.await_log("path=\"/c\"");
}

/// The limits were taken, and the log said that everything stayed as it was; level and names of what waits were left out.
#[test]
fn a_bad_certificate_keeps_nothing_else_back() {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate is made");
    let own = Setup::new().tls().set("tls_certificate", "own.pem").set("tls_key", "own.key");
    let mut server = own.file("own.pem", pair.cert.pem().as_bytes()).file("own.key", pair.signing_key.serialize_pem().as_bytes()).start();
    server.expect_error("the TLS certificate is not reloaded");
    let account = server.account();
    let pem = server.home().join("own.pem");
    tree::write_private(&pem, b"nonsense");
    reload(&server, "max_file_bytes = 1000\nlog_level = \"debug\"\nscrub_days = 9\n", "scrub_days");
    let log = server.log();
    assert!(log.contains("the TLS certificate is not reloaded") && !log.contains("settings are not reloaded"), "{log}");
    tree::write_private(&pem, pair.cert.pem().as_bytes());
    account.put("/large", tree::bytes(1, 1001)).expect(413);
    wait_until("the new level is in force", SOON, || server.log().contains("DEBUG"));
}

/// A reload while the file was being replaced put every setting back to its default.
#[test]
fn a_config_file_that_is_gone_leaves_its_settings_in_force() {
    let mut server = Setup::new().file("config.toml", b"max_file_bytes = 1000\n").start();
    server.expect_error("settings are not reloaded");
    let account = server.account();
    let refused = |bytes: usize| assert_eq!(account.put("/large", tree::bytes(1, bytes)).status(), 413);
    refused(1001);
    std::fs::remove_file(server.home().join("config.toml")).expect("the file is removed");
    hang_up(&server, "is gone");
    refused(1001);
    reload(&server, "max_file_bytes = 2000\n", "settings are reloaded");
    refused(2001);
    account.store("/large", tree::bytes(1, 2000));
}
