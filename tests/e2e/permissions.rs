//! Who may do what: every route for everybody who could ask, as one table.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method};
use strongroom::server::headers::basic::login;
use strongroom::server::operation::Operation;
use strongroom::server::route::Route;
use strongroom::server::sessions::Maker;

use crate::support::SOON;
use crate::support::account::Account;
use crate::support::clock::{DAY, TestClock};
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

/// Whoever asks.
struct Asker {
    what: &'static str,
    authorization: Option<String>,
}

/// A request, and the status for: nobody, a wrong password, the owner, another account, a disabled one, a vault, a session
/// token as a user name, unknown credentials of another scheme.
type Line<'a> = (&'a str, &'a str, &'a str, [u16; 8]);

fn askers(server: &TestServer, token: &str) -> Vec<Asker> {
    let owner = server.account();
    let (other, disabled, vault) = (server.add_account(&[]), server.add_account(&[]), server.add_account(&["--kind", "vault"]));
    server.run(&["account", "disable", &disabled.user, "--reason", "a test"]).expect_exit(0);
    let as_token = Account { user: token.to_owned(), password: token.to_owned(), ..owner.clone() };
    let asker = |what, account: &Account| Asker { what, authorization: Some(account.basic()) };
    vec![
        Asker { what: "nobody", authorization: None },
        asker("wrong password", &owner.with_password("wrongwrongwrongwrongwr")),
        asker("owner", &owner),
        asker("other account", &other),
        asker("disabled account", &disabled),
        asker("vault", &vault),
        asker("session token as credentials", &as_token),
        Asker { what: "bearer", authorization: Some("Bearer abc".to_owned()) },
    ]
}

#[test]
fn every_route_answers_everybody_as_the_table_says() {
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let owner = server.account();
    owner.store("/a", b"x");
    let expired = owner.make_session();
    clock.advance(DAY + DAY / 24);
    let live = owner.make_session();
    let unknown = "/session/ABCDEFGHIJKLMNOPQRSTUV/".to_owned();
    let token = live.trim_end_matches('/').rsplit('/').next().expect("a token").to_owned();
    let askers = askers(&server, &token);
    let (live_a, live_b, expired_a) = (format!("{live}a"), format!("{live}b"), format!("{expired}a"));
    let key = format!("/keys/{}", "a".repeat(64));
    let override_header = "X-HTTP-Method-Override: MAKESESSION\r\n";
    let shut = |owner, other, vault| [401, 401, owner, other, 403, vault, 401, 401];
    let open = |status| [status; 8];
    let table: Vec<Line> = vec![
        ("GET", "/", "", shut(200, 200, 200)),
        ("HEAD", "/", "", shut(200, 200, 200)),
        ("OPTIONS", "/", "", shut(204, 204, 204)),
        ("POST", "/", override_header, shut(204, 204, 204)),
        ("MAKESESSION", "/", "", shut(204, 204, 204)),
        ("POST", "/?share", "", shut(303, 303, 303)),
        ("POST", "/", "", shut(405, 405, 400)),
        ("POST", "/?create=true", "", shut(405, 405, 200)),
        ("DELETE", "/", "", shut(405, 405, 400)),
        ("GET", "/a", "", shut(200, 404, 404)),
        ("HEAD", "/a", "", shut(200, 404, 404)),
        ("DELETE", "/a", "", shut(405, 405, 400)),
        ("DELETE", "/config", "", shut(405, 405, 403)),
        ("DELETE", &key, "", shut(405, 405, 200)),
        ("POST", "/a", "", shut(405, 405, 400)),
        ("POST", &key, "Content-Length: 0\r\n", shut(405, 405, 400)),
        ("GET", "/keys/", "", shut(400, 400, 200)),
        ("GET", "/@/", "", shut(400, 400, 200)),
        ("GET", "/@2100-01-01/config", "", shut(404, 404, 404)),
        ("PATCH", "/a", "", shut(405, 405, 405)),
        ("OPTIONS", "/a", "", shut(204, 204, 204)),
        ("GET", "/b", "", shut(404, 404, 404)),
        ("PUT", "/a", "If-None-Match: *\r\nContent-Length: 0\r\n", [401, 401, 412, 201, 403, 405, 401, 401]),
        ("GET", &live, "", open(200)),
        ("HEAD", &live, "", open(200)),
        ("GET", &live_a, "", open(200)),
        ("GET", &live_b, "", open(404)),
        ("PUT", &live_b, "Content-Length: 0\r\n", open(405)),
        ("DELETE", &live_a, "", open(405)),
        ("POST", &live, override_header, open(405)),
        ("MAKESESSION", &live, "", open(405)),
        ("OPTIONS", &live, "", open(204)),
        ("OPTIONS", &live_a, "", open(204)),
        ("OPTIONS", &expired, "", open(410)),
        ("OPTIONS", &unknown, "", [404, 401, 204, 204, 403, 204, 401, 404]),
        ("OPTIONS", "/health", "", [204, 401, 204, 204, 403, 204, 401, 204]),
        ("GET", &expired, "", open(410)),
        ("GET", &expired_a, "", open(410)),
        // With credentials it is a name of the account's, and one that ends with a slash; in a vault, a repository that is not there.
        ("GET", &unknown, "", [404, 401, 400, 400, 403, 404, 401, 404]),
        ("GET", "/health", "", [200, 401, 404, 404, 403, 404, 401, 200]),
        ("GET", "/metrics", "", shut(404, 404, 404)),
        ("GET", "/session/short/", "", [404, 401, 400, 400, 403, 404, 401, 404]),
        ("GET", "/nothing/here", "", shut(404, 404, 404)),
        // The Cloud Backup API: a token wins over a password below its paths; at the root the account's list does.
        ("GET", "/", "Accept: application/json\r\n", [200, 401, 200, 200, 403, 200, 401, 200]),
        ("GET", "/", "X-Auth-Token: x\r\n", [200, 401, 200, 200, 403, 200, 401, 200]),
        ("GET", "/v1.0/", "", [200, 401, 400, 400, 403, 404, 401, 200]),
        ("GET", "/v1.0/", "X-Auth-Token: x\r\n", open(200)),
        ("GET", "/v1.0/nothing", "X-Auth-Token: x\r\n", open(401)),
        ("GET", "/v1.0/nothing", "", shut(404, 404, 404)),
        ("GET", "/agent/v1/work", "", shut(404, 404, 404)),
        ("GET", "/agent/v1/nothing", "", [404, 401, 404, 404, 403, 404, 401, 404]),
        ("POST", "/v2.0/tokens", "Content-Length: 0\r\n", [400, 401, 405, 405, 403, 400, 401, 400]),
        ("GET", "/v2.0/users", "X-Auth-Token: x\r\n", open(401)),
    ];
    let mut wrong = Vec::new();
    for (method, path, headers, expected) in &table {
        for (asker, status) in askers.iter().zip(expected) {
            let seen = ask(&server, asker, method, path, headers);
            if seen != Some(*status) {
                wrong.push(format!("{method} {path} by {}: {seen:?}, not {status}", asker.what));
            }
        }
    }
    expect_every_route(&table);
    let asked = table.len() * askers.len();
    figure(
        "S14",
        "table",
        &format!("{} of {asked} answers as the table says ({} requests × {} askers)", asked - wrong.len(), table.len(), askers.len()),
        None,
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(owner.names(), ["/a"]);
    owner.expect_file("/a", b"x");
}

/// A name for each route and, where it is an account's, for what is done there. One that is new fails to build here: give it a
/// name, and rows in the table above.
fn place(route: Route, operation: Operation) -> &'static str {
    match route {
        Route::Session { .. } => "session",
        Route::Health => "health",
        Route::NoSession => "no session",
        Route::Login => "login",
        Route::Identity => "identity",
        Route::Control => "control",
        Route::AgentChannel => "agent channel",
        Route::Versions => "versions",
        Route::Account => match operation {
            Operation::List => "list",
            Operation::Get => "get",
            Operation::Put => "put",
            Operation::Post => "post",
            Operation::Delete => "delete",
            Operation::MakeSession(Maker::Program) => "make session",
            Operation::MakeSession(Maker::Page) => "share",
            Operation::Options => "options",
            Operation::Refused => "refused",
        },
    }
}

/// Every place has a row.
fn expect_every_route(table: &[Line]) {
    let mut found = BTreeSet::new();
    for (method, target, lines, _) in table {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        for (name, value) in lines.lines().filter_map(|line| line.split_once(": ")) {
            let name: http::HeaderName = name.parse().expect("a header's name");
            headers.insert(name, value.parse().expect("a header's value"));
        }
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let operation = Operation::of(&method, path, query, &headers);
        let mut somebody = headers.clone();
        somebody.insert(http::header::AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        found.extend([headers, somebody].map(|headers| place(Route::of(&method, path, &headers, &login(&headers)), operation)));
    }
    let all = "agent channel control delete get health identity list login make session no session options post put refused session share versions";
    assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), all, "a route has no row");
}

fn ask(server: &TestServer, asker: &Asker, method: &str, path: &str, headers: &str) -> Option<u16> {
    let mut raw = Raw::connect(server);
    let authorization = asker.authorization.as_ref().map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
    raw.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}{headers}\r\n"));
    raw.head(SOON).map(|head| head.status)
}

#[test]
fn options_says_what_works_where_nothing_but_reading_does() {
    let server = TestServer::start();
    let session = server.account().make_session();
    for path in [&*session, &format!("{session}a"), "/health"] {
        let answer = server.site().curl(&["-X", "OPTIONS"], path);
        answer.expect(204).expect_header("allow", "GET, HEAD, OPTIONS").expect_body(b"");
        server.site().curl(&["-X", "DELETE"], path).expect(405).expect_header("allow", "GET, HEAD, OPTIONS");
    }
}

#[test]
fn without_credentials_the_shared_port_answers_as_the_contract_says() {
    let server = TestServer::start();
    for header in ["Accept: */*", "Accept: text/html"] {
        let answer = server.site().curl(&["-H", header], "/");
        answer.expect(401).expect_header("www-authenticate", "Basic realm=\"Strongroom\", charset=\"UTF-8\"");
    }
    for path in ["/anything", "/sessions/x", "/favicon.ico", "/robots.txt", "/%zz", "/.git/config"] {
        let answer = server.site().curl::<&str>(&[], path);
        answer.expect(401);
    }
}
