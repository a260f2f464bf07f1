//! Nothing to administer is on the public port, and nobody gets in by a password that everybody knows.

use std::net::TcpStream;

use crate::support::curl::curl;
use crate::support::figure::figure;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, eventually};

const HIDDEN: [&str; 21] = [
    "/metrics",
    "/admin",
    "/admin/",
    "/debug",
    "/debug/pprof",
    "/debug/vars",
    "/status",
    "/server-status",
    "/actuator",
    "/actuator/env",
    "/console",
    "/api",
    "/api/v1/users",
    "/setup",
    "/install",
    "/login",
    "/config",
    "/.env",
    "/.git/HEAD",
    "/healthz",
    "/@/",
];

const WELL_KNOWN: [&str; 16] = [
    "admin:admin",
    "admin:password",
    "admin:",
    "root:root",
    "root:",
    "root:toor",
    "user:user",
    "test:test",
    "guest:guest",
    "strongroom:strongroom",
    "minioadmin:minioadmin",
    "postgres:postgres",
    ":",
    "admin:changeme",
    "AAAAAA:AAAAAAAAAAAAAAAAAAAAAA",
    "Y21R3P:Mj313x2D1OyrTSpy",
];

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("its address").port()
}

#[test]
fn the_public_port_has_no_administration_and_no_default_password() {
    let metrics = free_port();
    let server = Setup::new().set("metrics_listen", format!("127.0.0.1:{metrics}")).start();
    let account = server.account();
    for path in HIDDEN {
        for method in ["GET", "POST"] {
            server.site().curl(&["-X", method], path).expect(401);
        }
        let owned = account.get(path);
        assert!([400, 404].contains(&owned.status()), "to an account {path} is a name like any other: {owned:?}");
    }
    for credentials in WELL_KNOWN {
        server.site().curl(&["-u", credentials], "/").expect(401);
    }
    let health = server.site().curl::<&str>(&[], "/health");
    health.expect(200).expect_body(b"ok\n");
    let scraped = eventually("metrics are served", SOON, || {
        let answer = curl([format!("http://127.0.0.1:{metrics}/metrics")]);
        (answer.status() == 200).then_some(answer)
    });
    for secret in [&account.user, &account.password] {
        assert!(!scraped.text().contains(secret.as_str()), "{scraped:?}");
    }
    for path in ["/", "/health", "/debug", "/metrics/x"] {
        assert_eq!(curl([format!("http://127.0.0.1:{metrics}{path}")]).status(), 404, "{path}");
    }
    figure(
        "S32",
        "admin surface",
        &format!("{} paths × 2 methods: 401; {} well-known passwords: 401; metrics on loopback alone", HIDDEN.len(), WELL_KNOWN.len()),
        None,
    );
}

#[test]
fn metrics_are_refused_on_every_address_that_others_can_reach() {
    let mut server = TestServer::start();
    let refusals = ["0.0.0.0:9443", "[::]:9443", "192.0.2.7:9443"].map(|address| server.run(&["serve", "--metrics-listen", address]));
    for ran in refusals {
        assert_eq!(ran.exit, 2, "{ran:?}");
        assert!(ran.complaint.contains("loopback"), "{ran:?}");
    }
    server.restart();
    let status = std::fs::read_to_string(format!("/proc/{}/net/tcp", server.pid())).expect("the server runs");
    assert!(status.lines().count() > 1);
    assert!(TcpStream::connect(("127.0.0.1", 9443)).is_err(), "without the setting nobody listens for scrapes");
}

/// An account is made by whoever can run commands as the store's owner; the first start makes one, whose password nobody else has seen.
#[test]
fn two_first_starts_make_two_passwords_and_none_is_made_by_a_request() {
    let (one, other) = (TestServer::start(), TestServer::start());
    assert_ne!(one.account().password, other.account().password);
    assert_ne!(one.account().user, other.account().user);
    for path in ["/register", "/signup", "/users", "/"] {
        one.site().curl(&["-X", "POST", "-d", "user=x&password=y"], path).expect(401);
    }
    let listed = one.run(&["account", "list", "--json"]).expect_exit(0);
    assert_eq!(listed.out.matches("\"description\"").count(), 1, "{listed:?}");
}
