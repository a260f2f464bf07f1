//! The list: its exact text, its order, its pages.

use crate::support::account::listed;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::{SOON, tree};

#[test]
fn the_list_is_an_array_with_one_object_a_line() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        let empty = account.get("/");
        assert_eq!(empty.expect(200).text().trim(), "[]");
        account.store("/b%20%22quoted%22%20%5C%20%C3%A9", b"xyz");
        account.store("/a", b"");
        let answer = account.get("/");
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{answer:?}");
        let text = answer.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[3]), (4, "[", "]"), "{text}");
        assert!(lines[1].starts_with("{\"name\":\"/a\",\"size\":0,\"createtime\":") && lines[1].ends_with("},"), "{text}");
        assert!(
            lines[2].starts_with("{\"name\":\"/b \\\"quoted\\\" \\\\ é\",\"size\":3,\"createtime\":") && lines[2].ends_with('}'),
            "{text}"
        );
        let names: Vec<&str> = ["\"name\":", "\"size\":", "\"createtime\":", "\"deletetime\":", "\"sha256\":"].to_vec();
        let places: Vec<usize> = names.iter().map(|name| lines[1].find(name).expect("every field is there")).collect();
        assert!(places.is_sorted(), "{text}");
        assert!(!text.contains("damaged"), "only damaged files say so");
        let by_head = account.head("/");
        by_head.expect(200).expect_body(b"");
    }
}

#[test]
fn createtime_is_now_and_deletetime_follows_the_retention() {
    let server = TestServer::start();
    let account = server.add_account(&["--retention", "90"]);
    let now = || i64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs()).expect("this century");
    let before = now();
    account.store("/a", b"x");
    let file = account.list().remove(0);
    assert!((before..=now()).contains(&file.createtime), "{file:?}");
    assert_eq!(file.deletetime, Some(file.createtime + 90 * 86_400));
}

#[test]
fn files_of_a_vault_are_kept_for_ever() {
    let server = TestServer::start();
    let vault = server.add_account(&["--kind", "vault"]);
    assert_eq!(vault.get("/").expect(200).text().trim(), "[]");
}

#[test]
fn prefix_after_and_limit_cut_the_list() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        for name in ["/a/1", "/a/2", "/a/3", "/a0", "/b/1", "/B", "/%C3%A9", "/b%25"] {
            account.store(name, name);
        }
        let names = |query: &str| -> Vec<String> {
            let answer = account.get(&format!("/{query}"));
            listed(answer.expect(200)).into_iter().map(|file| file.name).collect()
        };
        assert_eq!(names(""), ["/B", "/a/1", "/a/2", "/a/3", "/a0", "/b%", "/b/1", "/é"]);
        assert_eq!(names("?prefix=/a/"), ["/a/1", "/a/2", "/a/3"]);
        assert_eq!(names("?prefix=%2Fa%2F&after=/a/1"), ["/a/2", "/a/3"]);
        assert_eq!(names("?after=/b%25"), ["/b/1", "/é"]);
        assert_eq!(names("?prefix=/%C3%A9"), ["/é"]);
        assert_eq!(names("?prefix=/nothing"), Vec::<String>::new());
        assert_eq!(names("?limit=2"), ["/B", "/a/1"]);
        let answer = account.get("/?prefix=/a/&limit=2");
        let link = answer.expect(200).header("link").expect("more follow").to_owned();
        assert!(link.ends_with("rel=\"next\""), "{link}");
        let next = link.trim_start_matches('<').split('>').next().expect("a link has a target").to_owned();
        let query = &next[next.find('?').expect("a link has a query")..];
        assert_eq!(names(query), ["/a/3"]);
        account.get("/?prefix=/a/&limit=3").expect(200).expect_no_header("link");
        for query in ["?limit=x", "?limit=-1", "?limit=", "?limit=99999999999999999999"] {
            account.get(&format!("/{query}")).expect_plain_refusal(400);
        }
    }
}

#[test]
fn walking_by_links_meets_every_file_once() {
    let server = TestServer::start();
    let account = server.account();
    for number in 0..25 {
        account.store(&format!("/{number:02}%20%26%3D%2B"), b"");
    }
    let (mut path, mut seen) = ("/?limit=4".to_owned(), Vec::new());
    loop {
        let answer = account.get(&path);
        seen.extend(listed(answer.expect(200)).into_iter().map(|file| file.name));
        let Some(link) = answer.header("link") else { break };
        let target = link.trim_start_matches('<').split('>').next().expect("a target");
        path = format!("/{}", &target[target.find('?').expect("a query")..]);
    }
    assert_eq!(seen, account.names());
    assert_eq!(seen.len(), 25);
}

#[test]
fn an_upload_in_flight_is_invisible() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        let mut raw = Raw::connect(&server);
        let bytes = tree::bytes(1, 400_000);
        let head = format!("PUT /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: 400000\r\n\r\n", account.basic());
        raw.send(head).send(&bytes[..399_999]);
        crate::support::wait_until("bytes have arrived", SOON, || {
            server.staging_files().iter().any(|path| path.metadata().is_ok_and(|data| data.len() > 0))
        });
        assert_eq!(account.names(), Vec::<String>::new());
        account.get("/a").expect(404);
        account.head("/a").expect(404);
        assert_eq!(server.blobs(&account).len(), 0);
        raw.send(&bytes[399_999..]);
        assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(201));
        account.expect_file("/a", &bytes);
    }
}

#[test]
fn a_browser_gets_a_page_and_everybody_else_json() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/a.tar", b"x");
    let browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = account.get_with(browser, "/");
    assert!(page.expect(200).header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
    page.expect_words("/a.tar").expect_words("<!doctype html>");
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")), "{page:?}");
    assert!(!page.text().contains("<script"), "the page works without JavaScript");
    for accept in ["*/*", "application/json", "application/json, text/html;q=0.5", ""] {
        let answer = account.get_with(&format!("Accept: {accept}"), "/");
        assert_eq!(listed(answer.expect(200)).len(), 1, "{accept}");
    }
}

#[test]
fn the_page_filters_by_its_query() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/db/monday.sql", b"x");
    account.store("/etc/tuesday.tar", b"x");
    let page = account.get_with("Accept: text/html", "/?filter=MONDAY");
    page.expect(200).expect_words("monday.sql");
    assert!(!page.text().contains("tuesday.tar"), "{page:?}");
}
