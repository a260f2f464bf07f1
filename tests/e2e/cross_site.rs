//! Pages elsewhere that would use what the browser knows: under a name of their own that leads here, or by forms and fetches.

use std::io::{Read as _, Write as _};

use crate::support::browser::Browser;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, wait_until};

const PUBLIC: &str = "http://backup.example.com:8443/";

fn ask(server: &TestServer, request: &str, host: &str, authorization: &str) -> u16 {
    let mut raw = Raw::connect(server);
    let authorization = if authorization.is_empty() { String::new() } else { format!("Authorization: {authorization}\r\n") };
    raw.send(format!("{request} HTTP/1.1\r\nHost: {host}\r\n{authorization}Content-Length: 0\r\n\r\n"));
    raw.head(SOON).map_or(0, |head| head.status)
}

#[test]
fn a_host_that_is_not_ours_is_421_once_ours_is_known() {
    let server = Setup::new().set("public_url", PUBLIC).start();
    let account = server.account();
    account.store("/a", b"x");
    let session = account.make_session();
    let basic = account.basic();
    let foreign = [
        "evil.example",
        "evil.example:8443",
        "backup.example.com.evil.example",
        "192.0.2.7:8443",
        "10.0.0.1",
        "[2001:db8::1]:8443",
        "localhost.evil.example",
    ];
    let ours = [
        "backup.example.com:8443",
        "BACKUP.example.com",
        "backup.example.com:1",
        "localhost",
        "localhost:1",
        "127.0.0.1:8443",
        "[::1]:8443",
        "127.9.9.9",
    ];
    let requests = ["GET /", "GET /a", "PUT /foreign", "MAKESESSION /", "POST /?share", "OPTIONS /", "DELETE /a"];
    let mut asked = 0;
    for host in foreign {
        for request in requests {
            assert_eq!(ask(&server, request, host, &basic), 421, "{request} of {host}");
            assert_eq!(ask(&server, request, host, ""), 421, "{request} of {host} without credentials");
            asked += 2;
        }
        assert_eq!(ask(&server, &format!("GET {session}"), host, ""), 421, "a session of {host}");
        assert_eq!(ask(&server, "GET /health", host, ""), 200, "a balancer asks by address");
        asked += 1;
    }
    for host in ours {
        assert_eq!(ask(&server, "GET /a", host, &basic), 200, "{host}");
        assert_eq!(ask(&server, &format!("GET {session}"), host, ""), 200, "{host}");
    }
    let old = Raw::connect(&server).send(format!("GET /a HTTP/1.0\r\nAuthorization: {basic}\r\n\r\n")).head(SOON);
    assert_eq!(old.map(|head| head.status), Some(200), "no browser leaves the host out");
    let refused = account.get_with("Host: evil.example", "/a");
    refused.expect_plain_refusal(421);
    let careful = server.site().curl(&["-H", "Host: evil.example"], &session);
    careful.expect(421).expect_header("referrer-policy", "no-referrer").expect_header("cache-control", "no-store");
    assert_eq!(account.names(), ["/a"], "nothing was stored under a foreign host");
    figure(
        "S22",
        "foreign hosts",
        &format!("{asked} requests for {} foreign hosts: all 421; {} own hosts answered", foreign.len(), ours.len()),
        None,
    );
}

#[test]
fn without_a_public_url_every_host_may_be_meant() {
    let server = TestServer::start();
    let basic = server.account().basic();
    for host in ["anything.example", "localhost", "192.0.2.7:8443"] {
        assert_eq!(ask(&server, "GET /", host, &basic), 200, "{host}");
    }
}

#[test]
fn what_changes_something_comes_from_our_page_or_from_a_program() {
    let server = TestServer::start();
    let account = server.account();
    let ours = format!("Origin: {}", server.site().origin());
    let foreign: [&[&str]; 7] = [
        &["Sec-Fetch-Site: cross-site"],
        &["Sec-Fetch-Site: same-site"],
        &["Origin: https://elsewhere.example"],
        &["Origin: null"],
        &["Sec-Fetch-Site: cross-site", &ours],
        &["Sec-Fetch-Site: none", "Origin: https://elsewhere.example"],
        &["Origin: https://localhost.elsewhere.example"],
    ];
    let own: [&[&str]; 4] = [&[], &["Sec-Fetch-Site: same-origin"], &[&ours], &["Sec-Fetch-Site: none"]];
    let ask = |arguments: &[&str], headers: &[&str], path: &str| {
        let mut all = arguments.to_vec();
        headers.iter().for_each(|header| all.extend(["-H", header]));
        account.curl(&all, path).status()
    };
    let makers: [(&[&str], &str); 3] =
        [(&["-X", "POST", "-H", "X-HTTP-Method-Override: MAKESESSION"], "/"), (&["-X", "MAKESESSION"], "/"), (&["-X", "POST"], "/?share")];
    for headers in foreign {
        for (arguments, path) in makers {
            assert_eq!(ask(arguments, headers, path), 403, "{arguments:?} {headers:?}");
        }
        assert_eq!(ask(&["-X", "PUT", "--data-binary", "x"], headers, "/foreign"), 403, "{headers:?}");
    }
    for (index, headers) in own.iter().enumerate() {
        for (arguments, path) in makers {
            assert!([204, 303].contains(&ask(arguments, headers, path)), "{arguments:?} {headers:?}");
        }
        assert_eq!(ask(&["-X", "PUT", "--data-binary", "x"], headers, &format!("/own/{index}")), 201, "{headers:?}");
    }
    let elsewhere = account.get_with("Sec-Fetch-Site: cross-site", "/own/0");
    elsewhere.expect(200).expect_header("cross-origin-resource-policy", "same-origin").expect_no_header("access-control-allow-origin");
    assert_eq!(account.names().len(), own.len(), "nothing was stored for another site");
    figure(
        "S22",
        "other origins",
        &format!("{} state-changing requests of other origins: all 403; {} of ours answered", foreign.len() * 4, own.len() * 4),
        None,
    );
}

/// Serves a page without any policy, from another origin, for as long as the test runs.
fn page_of_an_attacker() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().expect("its address").port());
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let page = "<!DOCTYPE html><title>elsewhere</title><body>x</body>";
            // A browser that asks for nothing, or has gone, needs no answer.
            let _ = socket.read(&mut [0; 4096]);
            let _ = write!(
                socket,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    url
}

/// A browser that knows the password, on a page of another origin that tries what it can.
#[test]
fn a_page_elsewhere_gets_nothing_with_the_browsers_own_password() {
    let Some(browser) = Browser::start() else { return };
    let server = TestServer::start();
    let account = server.account();
    account.store("/a", b"secret");
    browser.goto(&account.url("/"));
    assert!(browser.text().contains('a'), "the browser has used the password");
    browser.goto(&page_of_an_attacker());
    let target = server.site().origin();
    browser.evaluate(&format!(
        "window.outcomes = []; \
         const note = (what) => [() => outcomes.push(what + ' done'), () => outcomes.push(what + ' refused')]; \
         fetch('{target}/a', {{credentials: 'include'}}).then(...note('read')); \
         fetch('{target}/stolen', {{method: 'PUT', body: 'x', credentials: 'include'}}).then(...note('put')); \
         fetch('{target}/?share', {{method: 'POST', credentials: 'include'}}).then(...note('share'));"
    ));
    wait_until("all three were tried", SOON, || browser.evaluate("return outcomes.length") == 3);
    let outcomes = browser.evaluate("return outcomes.sort().join(', ')");
    assert_eq!(outcomes, "put refused, read refused, share refused");
    browser.evaluate(&format!(
        "const form = document.createElement('form'); form.method = 'post'; form.action = '{target}/?share'; \
         document.body.append(form); form.submit();"
    ));
    wait_until("the form was answered", SOON, || browser.url().starts_with(&target) || browser.url().starts_with("chrome-error"));
    assert!(!browser.url().contains("/session/"), "a form elsewhere made a session: {}", browser.url());
    assert_eq!(account.names(), ["/a"]);
    figure("S22", "browser", "fetch, PUT, POST and a form of another origin: 0 read, 0 stored, 0 sessions", None);
}
