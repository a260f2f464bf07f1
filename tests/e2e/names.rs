//! Names that were made to climb out of the store, or to trip over somewhere on their way in and out.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use naughty_strings::BLNS;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use strongroom::model::file_name::FileName;
use strongroom::server::headers::query::Query;

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::random;
use crate::support::{SOON, is_nightly, program, skip, wait_until};

/// Ways to write one step up, and a slash.
const UP: [&str; 20] = [
    "..",
    ".%2e",
    "%2e%2e",
    "%2E.",
    "%252e%252e",
    "%c0%ae%c0%ae",
    "%c0%2e%c0%2e",
    "%e0%80%ae%e0%80%ae",
    "%uff0e%uff0e",
    "%EF%BC%8E%EF%BC%8E",
    "..;",
    "..%00",
    "..%20",
    "..%09",
    "....",
    "..%0d%0a",
    "%2e%2e%3b",
    "..%ff",
    ".%00.",
    "%f0%80%80%ae%f0%80%80%ae",
];
const SLASH: [&str; 12] = ["/", "//", "%2f", "%2F", "%5c", "%5C", "\\", "%252f", "%c0%af", "/./", "/.//", "%00/"];
const NEARLY_UP: [&str; 8] = ["..;", "....", "%252e%252e", "%EF%BC%8E%EF%BC%8E", "..%20", "%2e%2e%3b", "..%5c..", "~"];
const NEARLY_SLASH: [&str; 5] = ["/", "%5c", "%5C", "\\", "%252f"];
const GOALS: [&str; 10] = [
    "etc/passwd",
    "etc/shadow",
    "proc/self/environ",
    "root/.ssh/id_rsa",
    "data/catalog.db",
    "tls/key.pem",
    "STORE",
    ".staging/x",
    ".control/accounts",
    "windows/win.ini",
];

/// A path that steps up, each step in a way of its own, to a file that is there.
fn traversal(seed: &mut u64) -> String {
    fn pick<'a>(seed: &mut u64, from: &[&'a str]) -> &'a str {
        from[usize::try_from(random(seed, from.len() as u64)).expect("a small number")]
    }
    // Every other path is made of what is a name like any other, so that it has to be kept where it cannot climb.
    if random(seed, 2) == 0 {
        let steps: String = (0..=random(seed, 7)).map(|_| format!("{}{}", pick(seed, &NEARLY_UP), pick(seed, &NEARLY_SLASH))).collect();
        return format!("/{steps}{}/{}", pick(seed, &GOALS), random(seed, 1_000_000));
    }
    let lead = pick(seed, &["/", "//", "/a/", "/./", "/a%2f", "/%2f", "/\\", "/C:", "/file:", "/%00"]);
    let steps: String = (0..=random(seed, 7)).map(|_| format!("{}{}", pick(seed, &UP), pick(seed, &SLASH))).collect();
    let end = pick(seed, &["", "", "", "%00", "%00.txt", "/", "/.", "?", "#", "%20"]);
    format!("{lead}{steps}{}{end}", pick(seed, &GOALS))
}

/// Paths that the server's calls named, from a trace in which descriptors show what they stand for.
fn paths_in(trace: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for line in trace.lines() {
        let folder = line.split_once("<").and_then(|(_, rest)| rest.split_once('>')).map(|(folder, _)| folder).unwrap_or_default();
        for (index, quoted) in line.split('"').enumerate() {
            if index % 2 == 1 {
                paths.push(Path::new(folder).join(quoted));
            }
        }
    }
    paths
}

#[test]
fn no_name_leads_out_of_the_store() {
    if !crate::support::may_look_inside() {
        return;
    }
    let Some(_) = program(&["strace"]) else { return skip("strace is not installed") };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trace = folder.path().join("trace");
    let shown = trace.display().to_string();
    let traced = ["strace", "-D", "-f", "-y", "-q", "-s", "4096", "-e", "trace=%file", "-o", &shown];
    // One reader of the catalog: another would open it when a crowd comes, and look at each folder above it.
    let mut server = Setup::new().set("catalog_readers", 1).under(&traced).start();
    let account = server.account();
    // What comes before this name was opened at the start.
    account.store("/begun", b"x");
    let mut seed = 0x5EED_0057;
    let shown_seed = seed;
    let (mut asked, mut stored) = (0, BTreeMap::new());
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let mut raw = Raw::connect(&server);
    let basic = account.basic();
    while asked < 2000 {
        let path = traversal(&mut seed);
        let method = if asked % 2 == 0 { "GET" } else { "PUT" };
        let headers = if method == "PUT" { "Content-Length: 1\r\n\r\nx" } else { "\r\n" };
        raw.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\n{headers}"));
        asked += 1;
        let Some(answer) = raw.answer(SOON) else {
            // The parser ended the connection without an answer.
            raw = Raw::connect(&server);
            continue;
        };
        *statuses.entry(answer.head.status).or_default() += 1;
        assert!(matches!(answer.head.status, 400 | 404 | 405 | 201), "{method} {path}: {answer:?}");
        if answer.head.status == 201 {
            let location = answer.head.header("location").unwrap_or_default().to_owned();
            assert!(stored.insert(location, path.clone()).is_none(), "two paths were stored as one name: {path}");
        }
        if answer.head.header("connection") == Some("close") {
            raw = Raw::connect(&server);
        }
    }
    let names = account.names();
    assert_eq!(names.len(), stored.len() + 1);
    for name in &names {
        assert!(name.split('/').all(|segment| !matches!(segment, "." | "..")), "{name}");
    }
    let pid = server.pid();
    assert_eq!(server.stop().code(), Some(0));
    let read = || String::from_utf8_lossy(&std::fs::read(&trace).expect("the trace is read")).into_owned();
    wait_until("the trace is whole", SOON, || read().lines().any(|line| line.starts_with(&pid.to_string()) && line.contains("+++ exited")));
    let trace = read();
    let begun = trace.find("begun@").expect("the first upload has a key");
    let begun = begun + trace[begun..].find('\n').expect("more follows");
    let data = server.data().canonicalize().expect("the data directory is there");
    // Guarded time asks again and again which boot this is, and the allocator whether it may give memory back.
    let of_the_system = ["/proc/sys/kernel/random/boot_id", "/proc/sys/vm/overcommit_memory"];
    let is_ours = |path: &PathBuf| {
        if of_the_system.iter().any(|file| path.starts_with(file)) {
            return true;
        }
        let path = if path.is_absolute() { path.clone() } else { server.home().join(path) };
        path.starts_with(&data) && !path.components().any(|part| part == Component::ParentDir)
    };
    let paths = paths_in(&trace[begun..]);
    let outside: Vec<&PathBuf> = paths.iter().filter(|path| !is_ours(path)).collect();
    assert!(paths.len() > stored.len(), "uploads open files: {} paths were seen", paths.len());
    figure(
        "S7",
        "traversal",
        &format!(
            "{asked} paths asked for, {statuses:?}; {} paths in system calls, {} outside the data directory",
            paths.len(),
            outside.len()
        ),
        Some(shown_seed),
    );
    assert!(outside.is_empty(), "{outside:#?}");
}

/// The string as the path of a URL, each byte encoded.
fn encoded(text: &str) -> String {
    format!("/{}", text.bytes().map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02X}") }).collect::<String>())
}

/// The list of what broke other people's programs, and its relatives: long, deep, and cut at odd places.
fn naughty() -> Vec<String> {
    let mut all: Vec<String> = BLNS.iter().map(|&text| text.to_owned()).collect();
    all.extend(
        ["\u{202E}gnp.exe", "a\u{0}b", "\u{feff}bom", "é", "e\u{301}", "CON", "aux.txt", "x:y", "a\r\nb", "…", "%41", "+", "a b ", "~"]
            .map(str::to_owned),
    );
    all.extend([767, 768].map(|length| "x".repeat(length)));
    all.extend([31, 32, 33].map(|depth| vec!["d"; depth].join("/")));
    all.extend(["é".repeat(383), "\u{1F600}".repeat(191), format!("{}é", "x".repeat(766))]);
    all.sort();
    all.dedup();
    all
}

/// Puts the string as a name; whether it was stored.
fn put(raw: &mut Raw, account: &Account, text: &str) -> bool {
    let (path, basic) = (encoded(text), account.basic());
    raw.send(format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
    let answer = raw.answer(SOON).unwrap_or_else(|| panic!("no answer to {text:?}"));
    assert!(matches!(answer.head.status, 201 | 400), "{text:?}: {answer:?}");
    answer.head.status == 201
}

#[test]
fn naughty_strings_come_back_byte_for_byte_or_are_refused() {
    for server in if is_nightly() { TestServer::each_catalog().collect() } else { vec![TestServer::start()] } {
        let account = server.account();
        let strings = naughty();
        let mut raw = Raw::connect(&server);
        let kept: Vec<&String> = strings.iter().filter(|text| put(&mut raw, &account, text)).collect();
        let listed = account.names();
        for text in &kept {
            let path = encoded(text);
            raw.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
            let answer = raw.answer(SOON).expect("an answer");
            assert_eq!((answer.head.status, answer.body.as_slice()), (200, text.as_bytes()), "{text:?}");
            assert!(listed.contains(&format!("/{text}")), "{text:?} is listed as it was stored");
        }
        assert_eq!(listed.len(), kept.len());
        let is_valid = |text: &str| {
            let segments: Vec<&str> = text.split('/').collect();
            let fits = (1..=767).contains(&text.len()) && segments.len() <= 32;
            fits && !text.bytes().any(|byte| byte < 32 || byte == 127)
                && segments.iter().all(|segment| !matches!(*segment, "" | "." | ".."))
        };
        let wrong: Vec<&String> = strings.iter().filter(|text| kept.contains(text) != is_valid(text)).collect();
        assert!(wrong.is_empty(), "stored against the rules, or refused against them: {wrong:?}");
        pages_escape(&server, &account);
        figure(
            "S8",
            "names",
            &format!("{} strings: {} came back byte for byte, {} were refused", strings.len(), kept.len(), strings.len() - kept.len()),
            None,
        );
    }
}

/// Whatever the names, the page has only our own tags on it, and what is typed into its filter stays text.
fn pages_escape(server: &TestServer, account: &Account) {
    let session = account.make_session();
    let mut pages = vec![account.get_with("Accept: text/html", "/"), server.site().curl(&["-H", "Accept: text/html"], &session)];
    for text in BLNS.iter().filter(|text| text.contains(['<', '"', '\''])) {
        pages.push(account.get_with("Accept: text/html", &format!("/?filter={}", &encoded(text)[1..])));
        if pages.len() > 60 && !is_nightly() {
            break;
        }
    }
    for page in pages {
        let text = page.expect(200).text();
        for tag in text.split('<').skip(1) {
            let name: String = tag.chars().take_while(|char| char.is_ascii_alphanumeric() || "/!".contains(*char)).collect();
            assert!(OUR_TAGS.contains(&name.trim_start_matches('/')), "<{name} in {text}");
            let tag = tag.split('>').next().unwrap_or_default();
            // What was typed into the filter stands in its field again.
            assert!(name == "input" || !tag.contains(" on") && !tag.to_lowercase().contains("javascript:"), "<{tag}>");
        }
    }
}

const OUR_TAGS: [&str; 37] = [
    "!DOCTYPE", "html", "head", "meta", "title", "link", "style", "body", "header", "p", "svg", "rect", "circle", "path", "main", "div",
    "h1", "h2", "form", "button", "input", "table", "thead", "tbody", "tr", "th", "td", "bdi", "a", "strong", "time", "nav", "b",
    "section", "pre", "code", "span",
];

/// Paths that are nearly names: every kind of character, encoded in every way, between slashes.
fn paths() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        "[%./a-f0-9]{0,6}",
        "(%[0-9a-fA-F]{2}){1,4}",
        Just("..".to_owned()),
        Just("%2e%2E".to_owned()),
        Just("%2F".to_owned()),
        Just("%C3%A9".to_owned()),
        Just("x".repeat(760)),
    ];
    let segment = (prop_oneof![8 => Just("/"), 1 => Just("//"), 1 => Just("")], piece).prop_map(|(slash, piece)| format!("{slash}{piece}"));
    prop_oneof![4 => 1..5_usize, 1 => 28..36_usize]
        .prop_flat_map(move |count| proptest::collection::vec(segment.clone(), count))
        .prop_map(|all| all.concat())
}

#[test]
fn accepted_names_round_trip_and_none_steps_up() {
    const SEED: u64 = 0x5EED_0507;
    let cases = if is_nightly() { 1_000_000 } else { 100_000 };
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED.to_be_bytes().repeat(4));
    let accepted = std::cell::Cell::new(0_u32);
    let held = TestRunner::new_with_rng(config, random).run(&paths(), |path| {
        if let Ok(name) = FileName::from_url_path(&path) {
            accepted.set(accepted.get() + 1);
            prop_assert_eq!(FileName::from_url_path(&name.url_path()), Ok(name.clone()));
            prop_assert_eq!(FileName::parse(name.as_bytes()), Ok(name.clone()));
            prop_assert!(name.segments().all(|segment| !matches!(segment, "" | "." | "..")));
            prop_assert!((2..=768).contains(&name.as_bytes().len()) && name.segments().count() <= 32);
        }
        // A query is as near to a client as a path is.
        drop(Query::parse(path.trim_start_matches('/')));
        Ok(())
    });
    let accepted = accepted.get();
    figure("S7", "FileName", &format!("{cases} paths, {accepted} accepted, all of them round-trip; 0 panics"), Some(SEED));
    assert!(held.is_ok(), "{held:?}");
    assert!(accepted > cases / 100, "too few were accepted to say anything: {accepted}");
}
