//! GET and HEAD: headers, ranges, conditions, and bytes that are never wrong.

use std::os::unix::fs::FileExt as _;

use crate::support::answer::Answer;
use crate::support::server::TestServer;
use crate::support::tree;

#[test]
fn a_download_says_everything_about_the_file() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        let bytes = tree::bytes(1, 100_000);
        account.store("/data.tar.gz", &bytes);
        let listed = account.list().remove(0);
        let (get, head) = (account.get("/data.tar.gz"), account.head("/data.tar.gz"));
        get.expect(200).expect_body(&bytes);
        head.expect(200).expect_body(b"");
        for answer in [&get, &head] {
            answer.expect_header("content-length", "100000").expect_header("accept-ranges", "bytes");
            answer.expect_header("etag", &format!("\"{}\"", tree::sha256(&bytes)));
            answer.expect_header("repr-digest", &tree::repr_digest(&bytes));
            answer.expect_header("cache-control", "private, no-transform").expect_header("x-content-type-options", "nosniff");
            let ends = listed.deletetime.expect("an archive's file ends").to_string();
            answer.expect_header("x-delete-time", &ends).expect_no_header("content-encoding");
            let modified = httpdate::parse_http_date(answer.header("last-modified").expect("a date")).expect("an HTTP date");
            let seconds = modified.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
            assert_eq!(i64::try_from(seconds), Ok(listed.createtime));
        }
    }
}

#[test]
fn types_follow_the_extension() {
    let server = TestServer::start();
    let account = server.account();
    for (name, kind) in [
        ("/a.tar", "application/x-tar"),
        ("/a.txt", "text/plain"),
        ("/a.json", "application/json"),
        ("/a.unheard-of", "application/octet-stream"),
        ("/plain", "application/octet-stream"),
    ] {
        account.store(name, b"x");
        let answer = account.get(name);
        assert!(answer.header("content-type").is_some_and(|value| value.starts_with(kind)), "{answer:?}");
    }
}

#[test]
fn unknown_names_are_404_and_bad_ones_400() {
    let server = TestServer::start();
    let account = server.account();
    account.get("/nothing").expect_plain_refusal(404);
    account.head("/nothing").expect(404).expect_body(b"");
    for path in ["/a%2Fb", "/a//b", "/a/../b", "/a%00", "/a/"] {
        account.get(path).expect_plain_refusal(400);
    }
}

#[test]
fn ranges_give_the_bytes_that_were_asked_for() {
    let server = TestServer::start();
    let account = server.account();
    let bytes = tree::bytes(2, 2_500_000);
    account.store("/a", &bytes);
    let size = bytes.len();
    let whole = 0..size;
    for (range, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=5-9", 5..10),
        ("BYTES=5-9", 5..10),
        ("bytes=1048570-1048580", 1_048_570..1_048_581),
        ("bytes=2499999-", 2_499_999..size),
        ("bytes=100-99999999999", 100..size),
        ("bytes=100-18446744073709551615", 100..size),
        ("bytes=-1", size - 1..size),
        ("bytes=-2500000", whole.clone()),
        ("bytes=-99999999", whole.clone()),
        ("bytes=0-", whole),
    ] {
        let answer = account.get_with(&format!("Range: {range}"), "/a");
        answer.expect(206).expect_body(&bytes[expected.clone()]);
        let said = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
        answer.expect_header("content-range", &said).expect_header("content-length", &expected.len().to_string());
    }
    for range in ["bytes=2500000-", "bytes=2500000-2500001", "bytes=-0", "bytes=99999999999-"] {
        let answer = account.get_with(&format!("Range: {range}"), "/a");
        answer.expect_plain_refusal(416).expect_header("content-range", &format!("bytes */{size}"));
    }
    for range in ["bytes=0-1,5-6", "bytes=9-5", "bytes=", "bytes=a-b", "bytes=-", "chunks=0-1", "0-1", "bytes=0-1;", "bytes=+1-2"] {
        account.get_with(&format!("Range: {range}"), "/a").expect(200).expect_body(&bytes).expect_no_header("content-range");
    }
    let head = account.curl(&["-I", "-H", "Range: bytes=5-9"], "/a");
    assert!([200, 206].contains(&head.status()), "{head:?}");
}

#[test]
fn an_empty_file_has_no_range() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/empty", b"");
    account.get("/empty").expect(200).expect_body(b"").expect_header("content-length", "0");
    account.get_with("Range: bytes=0-", "/empty").expect(416).expect_header("content-range", "bytes */0");
}

#[test]
fn conditions_are_judged_as_the_rfc_says() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/a", b"0123456789");
    let etag = format!("\"{}\"", tree::sha256(b"0123456789"));
    let date = account.get("/a").header("last-modified").expect("a date").to_owned();
    let (old, late) = ("Thu, 01 Jan 2015 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT");
    let ask = |headers: &[String]| {
        let arguments: Vec<&str> = headers.iter().flat_map(|header| ["-H", header.as_str()]).collect();
        account.curl(&arguments, "/a")
    };
    for (headers, status) in [
        (vec![format!("If-None-Match: {etag}")], 304),
        (vec![format!("If-None-Match: W/{etag}")], 304),
        (vec![format!("If-None-Match: \"x\", {etag}")], 304),
        (vec!["If-None-Match: *".to_owned()], 304),
        (vec!["If-None-Match: \"x\"".to_owned()], 200),
        (vec![format!("If-Modified-Since: {date}")], 304),
        (vec![format!("If-Modified-Since: {late}")], 304),
        (vec![format!("If-Modified-Since: {old}")], 200),
        (vec!["If-Modified-Since: yesterday".to_owned()], 200),
        // The digest is the better witness: the date is not asked.
        (vec!["If-None-Match: \"x\"".to_owned(), format!("If-Modified-Since: {late}")], 200),
        (vec![format!("If-Match: {etag}")], 200),
        (vec!["If-Match: *".to_owned()], 200),
        (vec!["If-Match: \"x\"".to_owned()], 412),
        (vec![format!("If-Match: W/{etag}")], 412),
        (vec![format!("If-Unmodified-Since: {old}")], 412),
        (vec![format!("If-Unmodified-Since: {late}")], 200),
        (vec!["Range: bytes=0-4".to_owned(), format!("If-Range: {etag}")], 206),
        (vec!["Range: bytes=0-4".to_owned(), "If-Range: \"x\"".to_owned()], 200),
        (vec!["Range: bytes=0-4".to_owned(), format!("If-Range: W/{etag}")], 200),
        (vec!["Range: bytes=0-4".to_owned(), format!("If-Range: {old}")], 200),
        (vec!["Range: bytes=0-4".to_owned(), format!("If-None-Match: {etag}")], 304),
    ] {
        let answer = ask(&headers);
        assert_eq!(answer.status(), status, "{headers:?}: {answer:?}");
        if status == 304 {
            answer.expect_body(b"").expect_header("etag", &etag);
        }
    }
}

/// What a person sees of a damaged file: a transfer that breaks, whatever was sent of it before.
#[track_caller]
fn expect_broken(answer: Answer) -> Answer {
    assert!([18, 52, 56].contains(&answer.exit), "a damaged file is not taken for good: {answer:?}");
    answer
}

#[test]
fn a_damaged_file_breaks_the_transfer_and_is_marked() {
    for mut server in TestServer::each_catalog() {
        server.expect_error("damage");
        let account = server.account();
        let bytes = tree::bytes(5, 3_500_000);
        for name in ["/flipped", "/cut", "/longer", "/zeroed", "/good"] {
            account.store(name, &bytes);
        }
        for blob in server.blobs(&account) {
            let file = std::fs::File::options().write(true).open(&blob).expect("the blob is opened");
            let name = blob.display().to_string();
            let done = match name {
                name if name.contains("/flipped@") => file.write_all_at(&[bytes[2_200_000] ^ 1], 2_200_000),
                name if name.contains("/cut@") => file.set_len(3_499_999),
                name if name.contains("/longer@") => file.set_len(3_500_001),
                name if name.contains("/zeroed@") => file.write_all_at(&[0; 4096], 0),
                _ => Ok(()),
            };
            done.expect("the blob is harmed");
        }
        let flipped = expect_broken(account.get("/flipped"));
        assert!(flipped.body.len() <= 2 << 20, "nothing from the bad block on was sent: {}", flipped.body.len());
        assert!(bytes.starts_with(&flipped.body), "what was sent before is right");
        for name in ["/cut", "/zeroed", "/longer"] {
            assert_eq!(expect_broken(account.get(name)).body, b"", "nothing of {name} is sent");
        }
        // Ranges are checked as well: the good block is served, the bad one is not.
        account.get_with("Range: bytes=0-99", "/flipped").expect(206).expect_body(&bytes[..100]);
        expect_broken(account.get_with("Range: bytes=2200001-2200002", "/flipped"));
        account.expect_file("/good", &bytes);
        let damaged: Vec<String> = account.list().into_iter().filter(|file| file.damaged).map(|file| file.name).collect();
        assert_eq!(damaged, ["/cut", "/flipped", "/longer", "/zeroed"]);
        assert!(server.log().contains("ERROR"), "a damage is an error in the log");
    }
}

#[test]
fn a_lost_blob_is_no_empty_file() {
    let mut server = TestServer::start();
    server.expect_error("damage");
    let account = server.account();
    account.store("/a", b"precious");
    std::fs::remove_file(&server.blobs(&account)[0]).expect("the blob is removed");
    assert_eq!(expect_broken(account.get("/a")).body, b"");
    assert!(account.list()[0].damaged, "the file is listed, and marked");
    account.put("/a", b"other").expect(405);
}
