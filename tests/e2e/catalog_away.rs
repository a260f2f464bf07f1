//! A catalog that does not answer: everybody hears 503 with a time to try again, nobody loses anything, and service comes back.

use crate::support::answer::Answer;
use crate::support::postgres;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::user::User;
use crate::support::{SOON, tree, wait_until};

#[track_caller]
fn expect_later(answer: &Answer) {
    answer.expect_plain_refusal(503);
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{answer:?}");
}

#[test]
fn while_the_catalog_is_away_everybody_hears_503_and_when() {
    let Some(database) = postgres::private_database() else { return };
    let database = std::sync::Arc::new(database);
    let server = Setup::new().database(std::sync::Arc::clone(&database)).start();
    let account = server.account();
    let bytes = tree::bytes(1, 100_000);
    account.store("/a", &bytes);
    let session = account.make_session();
    server.site().curl::<&str>(&[], "/health").expect(200);
    let ada = User::add(&server, "ada", &[]);
    let token = ada.token();
    database.stop_engine();
    let (wrong, unknown) = (account.with_password("wrongwrongwrongwrongwr"), server.site());
    for path in ["/", "/a", "/nothing"] {
        expect_later(&account.get(path));
        // Neither is told from the right one: nobody knows.
        expect_later(&wrong.get(path));
    }
    expect_later(&account.put("/b", b"x"));
    expect_later(&account.curl(&["-X", "DELETE"], "/a"));
    expect_later(&account.curl(&["-X", "MAKESESSION"], "/"));
    expect_later(&unknown.curl::<&str>(&[], &session));
    expect_later(&unknown.curl::<&str>(&[], &format!("{session}a")));
    expect_later(&unknown.curl::<&str>(&[], "/health"));
    unknown.curl::<&str>(&[], "/").expect(401);
    let nobody = User { name: "nobody".to_owned(), ..ada.clone() };
    let store_is_away = "The store cannot be reached just now. Try again in a moment.";
    let fault = format!(r#"{{"serviceUnavailable":{{"code":503,"message":"{store_is_away}"}}}}"#);
    for answer in [ada.log_in(), nobody.log_in(), ada.look_with(&token), ada.look_with("unknown")] {
        answer.expect_fault(503, &fault).expect_header("retry-after", "10");
    }
    database.start_engine();
    wait_until("service is back", SOON, || account.get("/a").status() == 200);
    account.expect_file("/a", &bytes);
    account.put("/b", b"x").expect(201);
    ada.look_with(&token).expect(200);
    wait_until("health is back", SOON, || unknown.curl::<&str>(&[], "/health").status() == 200);
    assert_eq!(account.names(), ["/a", "/b"]);
}

#[test]
fn a_damaged_read_is_counted() {
    let port = postgres::free_port();
    let mut server = Setup::new().set("metrics_listen", format!("127.0.0.1:{port}")).start();
    server.expect_error("damage");
    let account = server.account();
    account.store("/a", tree::bytes(1, 3_000_000));
    let damaged = |server: &TestServer| {
        assert!(server.port() > 0);
        let text = crate::support::curl::curl([format!("http://127.0.0.1:{port}/metrics")]).expect(200).text();
        let line = text.lines().find(|line| line.starts_with("strongroom_damaged_reads_total ")).expect("it is counted").to_owned();
        line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a number")
    };
    assert_eq!(damaged(&server), 0);
    let blob = server.blobs(&account).remove(0);
    let mut bytes = std::fs::read(&blob).expect("the blob is read");
    bytes[2_500_000] ^= 1;
    std::fs::write(&blob, bytes).expect("the blob is harmed");
    assert_ne!(account.get("/a").exit, 0, "the transfer is broken");
    assert_eq!(damaged(&server), 1);
    account.get_with("Range: bytes=0-99", "/a").expect(206);
    assert_ne!(account.get_with("Range: bytes=2400000-2600000", "/a").exit, 0, "a range is checked as well");
    assert_eq!(damaged(&server), 2);
}
