//! restic's REST protocol, request by request: what is stored, listed, read and deleted in a vault.

use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::repository::{delete, path, post, stored};
use crate::support::restic::vault;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::{self, sha256};
use crate::support::{SOON, wait_until};

const V2: &str = "application/vnd.x.restic.rest.v2";

#[test]
fn a_repository_is_made_written_and_read_as_the_protocol_says() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        for prefix in ["/", "/web/", "/a/b.c/d_e/f-g/"] {
            account.head(&format!("{prefix}config")).expect(404);
            account.curl(&["-X", "POST"], &format!("{prefix}?create=true")).expect(200).expect_body(b"");
            account.curl(&["-X", "POST"], prefix).expect_plain_refusal(400).expect_words("create=true");
            account.head(&format!("{prefix}config")).expect(404);
            post(&account, &format!("{prefix}config"), b"the config").expect(200).expect_body(b"");
            account.curl(&["-X", "POST"], &format!("{prefix}?create=true")).expect(200);
            account.get(&format!("{prefix}config")).expect(200).expect_body(b"the config");
            account.head(&format!("{prefix}config")).expect(200).expect_header("content-length", "10");
            for kind in ["data", "index", "snapshots", "keys"] {
                let folder = format!("{prefix}{kind}/");
                account.get(&folder).expect(200).expect_body(b"[]");
                let path = stored(&account, &folder, kind.as_bytes());
                account.get(&path).expect(200).expect_body(kind.as_bytes());
                account.head(&path).expect(200).expect_header("content-length", &kind.len().to_string());
                account.get(folder.trim_end_matches('/')).expect(404);
                server.expect_blob(&account, &path, kind.as_bytes());
            }
        }
        account.curl(&["-X", "POST"], "/web?create=true").expect(200);
        account.get("/web/").expect_plain_refusal(405).expect_header("allow", "POST");
        account.head("/a/b.c/d_e/f-g/").expect(405).expect_header("allow", "POST");
        account.get("/other/").expect(404);
        assert_eq!(account.names().len(), 3 * 5);
    }
}

#[test]
fn ranges_have_exactly_the_asked_length() {
    let server = TestServer::start();
    let account = vault(&server);
    let bytes = tree::bytes(7, 3_000_000);
    let path = stored(&account, "/data/", &bytes);
    for (range, part) in
        [("0-0", 0..1), ("5-1048580", 5..1_048_581), ("2999990-", 2_999_990..3_000_000), ("1000000-1999999", 1_000_000..2_000_000)]
    {
        let answer = account.get_with(&format!("Range: bytes={range}"), &path);
        answer.expect(206).expect_header("content-length", &part.len().to_string()).expect_body(&bytes[part]);
    }
    account.get_with("Range: bytes=3000000-", &path).expect(416);
    account.get_with("Range: bytes=0-4", &format!("/data/{}", "a".repeat(64))).expect(404);
}

#[test]
fn lists_are_oldest_first_in_both_versions() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        let mut ids = Vec::new();
        for number in 0..20_u8 {
            ids.push((stored(&account, "/keys/", &vec![number; usize::from(number)])[6..].to_owned(), number));
        }
        stored(&account, "/web/keys/", b"of another repository");
        stored(&account, "/data/", b"of another type");
        let names: Vec<String> = ids.iter().map(|(id, _)| format!("\"{id}\"")).collect();
        let answer = account.get("/keys/");
        answer.expect(200).expect_header("content-type", "application/vnd.x.restic.rest.v1");
        answer.expect_body(format!("[{}]", names.join(",")).as_bytes());
        let entries: Vec<String> = ids.iter().map(|(id, size)| format!("{{\"name\":\"{id}\",\"size\":{size}}}")).collect();
        let answer = account.get_with(&format!("Accept: {V2}"), "/keys/");
        answer.expect(200).expect_header("content-type", V2).expect_body(format!("[{}]", entries.join(",")).as_bytes());
        account.head("/keys/").expect(200).expect_header("content-type", "application/vnd.x.restic.rest.v1");
        account.get("/never/index/").expect(200).expect_body(b"[]");
    }
}

#[test]
fn a_list_says_that_it_names_all_that_was_answered_before() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        stored(&account, "/keys/", b"a key");
        stored(&account, "/locks/", b"a lock");
        for path in ["/keys/", "/locks/", "/never/index/"] {
            for version in ["*/*", V2] {
                let answer = account.get_with(&format!("Accept: {version}"), path);
                answer.expect_header("strongroom-consistency", "strong").expect_header("cache-control", "no-store");
            }
            account.head(path).expect_header("strongroom-consistency", "strong");
        }
    }
}

#[test]
fn a_config_is_written_once_and_never_deleted() {
    let server = TestServer::start();
    let account = vault(&server);
    post(&account, "/config", b"first").expect(200);
    post(&account, "/config", b"first").expect(200);
    post(&account, "/config", b"other").expect_plain_refusal(403).expect_words("another prefix").expect_words("copy");
    delete(&account, "/config").expect_plain_refusal(403);
    delete(&account, "/web/config").expect_plain_refusal(403);
    account.expect_file("/config", b"first");
    post(&account, "/big/config", &[0; 65_537]).expect_plain_refusal(413);
    post(&account, "/big/config", &[0; 65_536]).expect(200);
    assert_eq!(account.names(), ["/big/config", "/config"]);
}

#[test]
fn of_several_posts_of_one_name_one_blob_is_kept_and_everybody_hears_so() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        let bytes = tree::bytes(3, 200_000);
        let path = path("/data/", &bytes);
        for _ in 0..4 {
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| post(&account, &path, &bytes).expect(200).status());
                }
            });
            wait_until("one blob is left of all", SOON, || server.blobs(&account).len() == 1);
            account.expect_file(&path, &bytes);
        }
    }
}

#[test]
fn what_is_deleted_is_hidden_and_can_be_stored_again() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        let path = stored(&account, "/data/", b"bytes");
        delete(&account, &path).expect(200);
        delete(&account, &path).expect(200);
        account.get(&path).expect(404);
        account.head(&path).expect(404);
        account.get("/data/").expect_body(b"[]");
        server.expect_blob(&account, &path, b"bytes");
        let shown = server.run(&["account", "show", &account.user, "--json"]).expect_exit(0).out;
        assert!(shown.contains("\"hidden_bytes\":5") && shown.contains("\"live_bytes\":0"), "{shown}");
        stored(&account, "/data/", b"bytes");
        account.expect_file(&path, b"bytes");
        assert_eq!(server.blobs(&account).len(), 2);
    }
}

/// Whoever watches the server sees an attack while it runs.
#[test]
fn deletions_are_counted() {
    let port = crate::support::postgres::free_port();
    let server = Setup::new().set("metrics_listen", format!("127.0.0.1:{port}")).start();
    let account = vault(&server);
    let paths: Vec<String> = (0..3_u8).map(|number| stored(&account, "/data/", &[number])).collect();
    for path in paths.iter().chain(&paths) {
        delete(&account, path).expect(200);
    }
    let metrics = crate::support::curl::curl([format!("http://127.0.0.1:{port}/metrics")]).expect(200).text();
    assert!(metrics.contains("strongroom_hidden_files_total 3\n"), "{metrics}");
}

/// A client that has not heard an answer sends the same again.
#[test]
fn a_lost_answer_costs_nothing() {
    let server = TestServer::start();
    let account = vault(&server);
    for number in 0..100_u64 {
        let bytes = tree::bytes(number + 1, 30_000);
        let path = path("/data/", &bytes);
        let mut raw = Raw::connect(&server);
        raw.send(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n",
            account.basic(),
            bytes.len()
        ));
        raw.send(&bytes);
        if number % 2 == 0 {
            raw.reset();
        }
        post(&account, &path, &bytes).expect(200);
        account.expect_file(&path, &bytes);
    }
    assert_eq!(account.names().len(), 100);
    wait_until("one blob is left of each", SOON, || server.blobs(&account).len() == 100);
    figure("vault", "lost answers", "100 of 100 sent again, each stored once", None);
}

#[test]
fn locks_come_and_go_and_are_no_files() {
    let server = TestServer::start();
    let account = vault(&server);
    server.run(&["account", "set", &account.user, "--quota", "1 B"]).expect_exit(0);
    let path = stored(&account, "/locks/", b"a lock");
    account.get(&path).expect(200).expect_body(b"a lock");
    account.get_with(&format!("Accept: {V2}"), "/locks/").expect_body(format!("[{{\"name\":\"{}\",\"size\":6}}]", &path[7..]).as_bytes());
    assert_eq!(account.names(), Vec::<String>::new());
    delete(&account, &path).expect(200);
    delete(&account, &path).expect(200);
    account.get(&path).expect(404);
    account.get("/locks/").expect_body(b"[]");
    assert!(server.blobs(&account).is_empty());
    post(&account, &format!("/data/{}", sha256(b"x")), b"x").expect_plain_refusal(507).expect_words("quota");
}

#[test]
fn a_session_reads_and_takes_locks_that_nobody_keeps() {
    let server = TestServer::start();
    let account = vault(&server);
    post(&account, "/web/config", b"config").expect(200);
    let path = stored(&account, "/web/data/", b"bytes");
    let lock = stored(&account, "/web/locks/", b"the owner's lock");
    let session = account.make_session();
    let at = |path: &str| format!("{}{path}", session.trim_end_matches('/'));
    let curl = |arguments: &[&str], path: &str| server.site().curl(arguments, &at(path));
    curl(&[], "/web/config").expect(200).expect_body(b"config");
    curl(&["-I"], "/web/config").expect(200).expect_header("content-length", "6");
    curl(&["-H", "Range: bytes=1-2"], &path).expect(206).expect_body(b"yt");
    curl(&[], "/web/data/").expect(200).expect_body(format!("[\"{}\"]", &path[10..]).as_bytes());
    curl(&[], "/web/locks/").expect(200).expect_body(b"[]");
    curl(&[], &lock).expect(404);
    curl(&["-X", "POST", "--data-binary", "x"], &format!("/web/locks/{}", sha256(b"x"))).expect(200);
    curl(&["-X", "DELETE"], &lock).expect(200);
    account.get(&lock).expect(200);
    assert_eq!(account.get("/web/locks/").text().matches('"').count(), 2, "nothing was kept");
    curl(&["-X", "POST", "--data-binary", "x"], &format!("/web/data/{}", sha256(b"x"))).expect(405);
    curl(&["-X", "DELETE"], &path).expect(405);
    curl(&["-X", "POST"], "/web/?create=true").expect(405);
    account.expect_file(&path, b"bytes");
}

#[test]
fn nothing_is_lost_that_was_answered_before_a_crash() {
    let mut server = TestServer::start();
    let account = vault(&server);
    let (kept, hidden) = (stored(&account, "/data/", b"kept"), stored(&account, "/data/", b"hidden"));
    delete(&account, &hidden).expect(200);
    post(&account, "/config", b"config").expect(200);
    server.kill();
    server.start_again();
    account.expect_file(&kept, b"kept");
    account.expect_file("/config", b"config");
    account.get(&hidden).expect(404);
}
