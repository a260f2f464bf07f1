//! Secrets stay secret: not in logs, not in other processes' sight, not on disk; and nobody writes into our log.

use strongroom::config::{CatalogTarget, Origin, Value};
use strongroom::model::access::{AccessUrl, AccountId, Secret};
use strongroom::server::headers::basic;
use strongroom::server::route::Route;

use crate::support::account::Account;
use crate::support::answer::Answer;
use crate::support::curl::curl;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, postgres, program, skip, tree};

/// Whatever was said, kept or shown, by its place.
type Places = Vec<(String, Vec<u8>)>;

/// Every kind of request once, right and wrong; the pages and bodies that came back.
fn live(server: &TestServer, accounts: &[&Account], places: &mut Places) -> String {
    let mut shown = |what: &str, answer: &Answer| places.push((what.to_owned(), answer.body.clone()));
    for account in accounts {
        account.store("/a", b"x");
        account.get("/a").expect(200);
        shown("404", account.get("/nothing").expect(404));
        shown("405", account.put("/a", b"y").expect(405));
        shown("405", account.curl(&["-X", "BREW"], "/").expect(405));
        shown("400", account.put("//", b"y").expect(400));
        // A password in the wrong field, and in the wrong place.
        let swapped = Account { user: account.password.clone(), password: account.user.clone(), ..(*account).clone() };
        shown("401", swapped.get("/a").expect(401));
        shown("problem", account.get_with("Accept: application/problem+json", "/nothing").expect(404));
        shown("page", account.get_with("Accept: text/html", "/").expect(200));
        shown("error page", account.get_with("Accept: text/html", "/nothing").expect(404));
    }
    let session = accounts[0].make_session();
    shown("session", server.site().curl::<&str>(&[], &format!("{session}a")).expect(200));
    shown("404", server.site().curl::<&str>(&[], &format!("{session}nothing")).expect(404));
    shown("405", server.site().curl(&["-X", "PUT", "-d", "x"], &format!("{session}a")).expect(405));
    shown("session page", server.site().curl(&["-H", "Accept: text/html"], &session).expect(200));
    // A handler that panics while it holds the request.
    let health = server.site().curl(&["-H", &format!("Referer: {session}")], &format!("/health?{session}"));
    shown("panic", health.expect(500));
    session.trim_end_matches('/').rsplit('/').next().expect("a token").to_owned()
}

/// What commands show, what other processes see, what lies on the disk.
fn look_around(server: &TestServer, account: &Account, places: &mut Places) {
    for words in
        [&["account", "show", &account.user][..], &["account", "list", "--json"], &["config", "show"], &["config", "show", "--json"]]
    {
        let ran = server.run(words).expect_exit(0);
        places.push((words.join(" "), [ran.out, ran.complaint].concat().into_bytes()));
    }
    for name in ["cmdline", "environ"] {
        places.push((name.to_owned(), std::fs::read(format!("/proc/{}/{name}", server.pid())).unwrap_or_default()));
    }
    for file in tree::files_below(&server.data()) {
        places.push((file.display().to_string(), std::fs::read(&file).expect("the file is read")));
    }
    places.push(("log".to_owned(), server.log_bytes()));
}

fn expect_nowhere(places: &Places, secrets: &[String]) -> usize {
    for (place, bytes) in places {
        for secret in secrets {
            assert!(secret.len() >= 20);
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "a secret in {place}");
        }
    }
    places.len() * secrets.len()
}

fn secrets_of(accounts: &[&Account], token: String) -> Vec<String> {
    let encoded = |account: &&Account| account.basic()["Basic ".len()..].to_owned();
    accounts.iter().map(|account| account.password.clone()).chain(accounts.iter().map(encoded)).chain([token]).collect()
}

#[test]
fn no_secret_is_seen_anywhere_but_by_its_owner() {
    let metrics = postgres::free_port();
    let setup = Setup::new().set("log_level", "trace").set("metrics_listen", format!("127.0.0.1:{metrics}")).fault("escape", "panic");
    let mut server = setup.start();
    server.expect_error("panic");
    let account = server.account();
    let added = server.add_account(&["--description", "second"]);
    let mut places = Places::new();
    let token = live(&server, &[&account, &added], &mut places);
    let scraped = curl([format!("http://127.0.0.1:{metrics}/metrics")]);
    places.push(("metrics".to_owned(), scraped.expect(200).body.clone()));
    look_around(&server, &account, &mut places);
    let checked = expect_nowhere(&places, &secrets_of(&[&account, &added], token));
    assert!(server.log().contains(&account.user) && server.log().contains("panicked"), "the log at TRACE was really read");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("the server runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit of core files");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "no memory is ever left in a core file");
    figure(
        "S13",
        "SQLite",
        &format!("0 hits of {checked} looked for in {} places: log at TRACE, panic, metrics, pages, /proc, files", places.len()),
        None,
    );
}

#[test]
fn the_password_of_the_catalog_is_seen_nowhere() {
    let Some(database) = postgres::fresh_database() else { return };
    let canary = "canaryCANARY0123456789canary";
    let url = database.url().replacen("postgres://postgres", &format!("postgres://postgres:{canary}"), 1);
    assert!(url.contains(canary), "the URL holds the canary");
    let setup = Setup::new().file("catalog-url", url.as_bytes()).set("catalog_file", "catalog-url").set("log_level", "trace");
    let mut server = setup.fault("escape", "panic").start();
    server.expect_error("panic");
    let account = server.account();
    let mut places = Places::new();
    let token = live(&server, &[&account], &mut places);
    look_around(&server, &account, &mut places);
    let Some(dump) = program(&["pg_dump"]) else { return skip("pg_dump is not installed") };
    let dumped = std::process::Command::new(dump).arg("--inserts").arg(database.url()).output().expect("pg_dump runs");
    assert!(dumped.status.success() && String::from_utf8_lossy(&dumped.stdout).contains(&account.user), "the rows were really read");
    places.push(("rows".to_owned(), dumped.stdout));
    let mut secrets = secrets_of(&[&account], token);
    secrets.push(canary.to_owned());
    let checked = expect_nowhere(&places, &secrets);
    figure(
        "S13",
        "PostgreSQL",
        &format!("0 hits of {checked} looked for in {} places, rows of the catalog and its password among them", places.len()),
        None,
    );
}

/// Types that hold a secret, as `Debug` shows them: a line of the log may show any of them.
#[test]
fn every_type_that_holds_a_secret_prints_redacted() {
    let (secret, account) = (Secret::random(), AccountId::random());
    let mut headers = http::HeaderMap::new();
    let basic = data_encoding::BASE64.encode(format!("{account}:{}", secret.reveal()).as_bytes());
    headers.insert(http::header::AUTHORIZATION, format!("Basic {basic}").parse().expect("a header"));
    let login = basic::login(&headers);
    let path = format!("/session/{}/a", secret.reveal());
    let target = CatalogTarget::Postgres(format!("postgres://u:{}@localhost/d", secret.reveal()));
    let value = Value { text: secret.reveal().to_owned(), origin: Origin::Default };
    let url = AccessUrl::new(account, secret.clone(), "localhost".to_owned());
    let shown: [(&str, String); 7] = [
        ("Secret", format!("{secret:?}")),
        ("SecretHash", format!("{:?}", secret.hash())),
        ("AccessUrl", format!("{url:?}")),
        ("Login", format!("{login:?}")),
        ("Route", format!("{:?}", Route::of(&http::Method::GET, &path, &headers, &login))),
        ("CatalogTarget", format!("{target:?}")),
        ("Value", format!("{value:?}")),
    ];
    let hash = data_encoding::HEXLOWER.encode(secret.hash().as_bytes());
    for (name, text) in &shown {
        assert!(text.contains("redacted") && !text.contains(secret.reveal()) && !text.contains(&hash), "{name}: {text}");
    }
    figure("S13", "Debug", &format!("{} types that hold a secret print redacted", shown.len()), None);
}

/// A field that is named like a secret has a type that keeps it, or its struct would print it.
#[test]
fn no_field_holds_a_secret_as_plain_text() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in tree::files_below(&root).iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
        for line in std::fs::read_to_string(file).expect("a source file").lines() {
            let line = line.trim().trim_start_matches("pub ").trim_start_matches("pub(super) ").trim_start_matches("pub(crate) ");
            let Some((name, kind)) = line.split_once(": ") else { continue };
            let is_secret = ["password", "passphrase", "secret", "token", "access_url"].contains(&name);
            let is_plain = ["String,", "Option<String>,", "Vec<u8>,", "PathBuf,"].contains(&kind);
            if is_secret && is_plain {
                wrong.push(format!("{}: {line}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn control_characters_of_clients_never_reach_the_log_raw() {
    for format in ["text", "json"] {
        let server = Setup::new().set("log_level", "trace").set("log_format", format).start();
        inject(&server, format);
    }
}

/// What moves a cursor, ends a line, turns text around or hides it.
const HAZARDS: [char; 16] = [
    '\r', '\n', '\u{1b}', '\u{7}', '\u{8}', '\u{b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}',
    '\u{200f}', '\u{feff}', '\u{61c}',
];

fn inject(server: &TestServer, format: &str) {
    let account = server.account();
    account.put("/evil%0D%0AERROR%1B%5B31m", b"x").expect(400);
    account.store("/%E2%80%AEgnp.exe", b"x");
    account.get("/%E2%80%AEgnp.exe").expect(200);
    account.get("/%C2%85%C2%9B31m").expect(404);
    for header in ["User-Agent: \u{1b}[31mred", "User-Agent: \u{202e}live", "Referer: \u{9b}31m", "X-Forwarded-For: \u{1b}]0;x\u{7}"] {
        account.get_with(header, "/");
    }
    let mut sent = 12;
    for hazard in HAZARDS {
        let bytes = hazard.to_string().into_bytes();
        let encoded: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        account.put(&format!("/in{encoded}ERROR forged").replace(' ', "%20"), b"x");
        account.get(&format!("/?filter=in{encoded}&prefix=/{encoded}"));
        let user = data_encoding::BASE64.encode(&[b"in", &bytes[..], b":x"].concat());
        for (name, value) in [
            ("User-Agent", &bytes[..]),
            ("Referer", &bytes),
            ("X-Forwarded-For", &bytes),
            ("Authorization", format!("Basic {user}").as_bytes()),
        ] {
            let head = format!("GET /a{encoded} HTTP/1.1\r\nHost: localhost\r\n{name}: ");
            let mut raw = Raw::connect(server);
            raw.send([head.as_bytes(), value, b" ERROR forged\r\nConnection: close\r\n\r\n"].concat());
            assert!(raw.is_closed_within(SOON));
            sent += 1;
        }
        sent += 2;
    }
    server.run(&["account", "add", "--description", "a\u{1b}[31m\u{202e}b"]).expect_exit(2);
    let evil_user = data_encoding::BASE64.encode("\u{1b}[31m\r\nERROR forged line\u{202e}:x".as_bytes());
    let mut raw = Raw::connect(server);
    raw.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {evil_user}\r\n\r\n"));
    assert_eq!(raw.head(SOON).map(|head| head.status), Some(401));
    let mut raw = Raw::connect(server);
    raw.send("GET /\u{1b}[31m HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(raw.head(SOON).is_some_and(|head| [400, 401].contains(&head.status)));
    let log = server.log();
    assert!(log.lines().count() > 5, "something was logged");
    let raw_ones: Vec<char> = log.chars().filter(|char| *char != '\n' && (char.is_control() || HAZARDS.contains(char))).collect();
    assert!(raw_ones.is_empty(), "{raw_ones:?} in\n{log}");
    // A client's line would begin with its own words.
    let is_ours = |line: &&str| line.starts_with("20") || line.starts_with('{');
    let forged: Vec<&str> = log.lines().filter(|line| !is_ours(line)).collect();
    assert!(forged.is_empty(), "{forged:#?}");
    figure(
        "S23",
        format,
        &format!("{sent} hostile requests, {} lines of log, 0 raw control characters, 0 forged lines", log.lines().count()),
        None,
    );
}

#[test]
fn json_logs_are_one_object_a_line() {
    let server = Setup::new().set("log_format", "json").start();
    let account = server.account();
    account.store("/a%22b", b"x");
    account.get("/nothing").expect(404);
    let log = server.log();
    assert!(log.lines().count() >= 2, "{log}");
    for line in log.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value.get("level").is_some(), "{line}");
    }
    assert!(!log.contains(&account.password));
}

#[test]
fn programs_that_ask_for_it_get_problems_as_json() {
    let server = TestServer::start();
    let account = server.account();
    let answer = account.get_with("Accept: application/problem+json", "/nothing");
    answer.expect(404).expect_header("content-type", "application/problem+json");
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("the problem is JSON");
    assert_eq!(problem["status"], 404);
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
}
