//! PUT: what is stored, under which names, and what is on disk after it.

use crate::support::server::TestServer;
use crate::support::tree;

#[test]
fn a_put_file_is_answered_listed_served_and_lies_on_disk() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        let bytes = tree::bytes(1, 1_500_000);
        let answer = account.put("/db/dump.sql.gz", &bytes);
        answer.expect(201).expect_body(b"Stored /db/dump.sql.gz\n");
        answer.expect_header("etag", &format!("\"{}\"", tree::sha256(&bytes)));
        answer.expect_header("repr-digest", &tree::repr_digest(&bytes));
        let location = answer.header("location").expect("a location");
        assert!(location.ends_with("/db/dump.sql.gz") && !location.contains(&account.password), "{location}");
        account.expect_file("/db/dump.sql.gz", &bytes);
        server.expect_blob(&account, "/db/dump.sql.gz", &bytes);
        let list = account.list();
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].name.as_str(), list[0].size), ("/db/dump.sql.gz", 1_500_000));
        assert_eq!(list[0].sha256, tree::sha256(&bytes));
        assert_eq!(list[0].deletetime, Some(list[0].createtime + 30 * 86_400));
    }
}

#[test]
fn empty_tiny_and_block_sized_files_come_back_whole() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        for length in [0, 1, 4095, 4096, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20] {
            let (name, bytes) = (format!("/{length}"), tree::bytes(length as u64, length));
            account.store(&name, &bytes);
            account.expect_file(&name, &bytes);
            server.expect_blob(&account, &name, &bytes);
        }
    }
}

#[test]
fn second_put_of_same_name_is_refused_and_the_first_stays() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        account.store("/a", b"first");
        for other in [&b"second"[..], b"first", b""] {
            let answer = account.put("/a", other);
            answer.expect_plain_refusal(405).expect_header("allow", "GET, HEAD").expect_words("replaced");
            answer.expect_header("etag", &format!("\"{}\"", tree::sha256(b"first")));
            answer.expect_header("repr-digest", &tree::repr_digest(b"first"));
        }
        account.expect_file("/a", b"first");
        server.expect_blob(&account, "/a", b"first");
        assert_eq!(server.blobs(&account).len(), 1);
    }
}

#[test]
fn a_client_that_asks_for_a_new_name_hears_412_when_it_is_taken() {
    let server = TestServer::start();
    let account = server.account();
    account.put_with(&["-H", "If-None-Match: *"], "/a", b"1").expect(201);
    account.put_with(&["-H", "If-None-Match: *"], "/a", b"2").expect_plain_refusal(412);
    account.expect_file("/a", b"1");
}

#[test]
fn every_rule_for_names_is_kept_and_said() {
    let server = TestServer::start();
    let account = server.account();
    let (long, deep) = (format!("/{}", "x".repeat(768)), "/a".repeat(33));
    let bad = [
        ("/", "name"),
        ("/a/", "end with /"),
        ("/a//b", "empty"),
        ("//a", "empty"),
        ("/a/./b", "segment"),
        ("/../a", "segment"),
        ("/a/%2e%2e/b", "segment"),
        ("/a%2fb", "%2F"),
        ("/a%2Fb", "%2F"),
        ("/a%00b", "control"),
        ("/a%0Ab", "control"),
        ("/a%1f", "control"),
        ("/a%7F", "control"),
        ("/a%FF", "UTF-8"),
        ("/%c0%ae", "UTF-8"),
        ("/%ed%a0%80", "UTF-8"),
        ("/a%4", "hexadecimal"),
        ("/a%zz", "hexadecimal"),
        (&long, "768"),
        (&deep, "32"),
    ];
    for (path, words) in bad {
        let answer = account.curl(&["-X", "PUT", "-H", "Content-Type:", "--data-binary", "x"], path);
        if path == "/" {
            // Nobody can name the root: whether that is a bad name or a method that `/` does not have, nothing is stored.
            assert!([400, 405].contains(&answer.status()), "{answer:?}");
        } else {
            answer.expect_plain_refusal(400).expect_words(words);
        }
    }
    assert_eq!(account.names(), Vec::<String>::new());
    assert_eq!(server.blobs(&account).len(), 0);
}

#[test]
fn names_are_decoded_once_and_compared_byte_by_byte() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        let (long, deep) = (format!("/{}", "x".repeat(767)), "/a".repeat(32));
        let wide = format!("/{}", "%C3%A9".repeat(383));
        let names = [
            ("/a", "/a"),
            ("/A", "/A"),
            ("/a/b.tar", "/a/b.tar"),
            ("/a+b", "/a+b"),
            ("/a%20b", "/a b"),
            ("/%2541", "/%41"),
            ("/100%25", "/100%"),
            ("/a@b", "/a@b"),
            ("/.hidden/...", "/.hidden/..."),
            ("/a%5Cb", "/a\\b"),
            ("/%C3%A9", "/é"),
            ("/e%CC%81", "/e\u{301}"),
            ("/%E2%80%AEgnp.exe", "/\u{202E}gnp.exe"),
            ("/a%22b%3C%3E%27", "/a\"b<>'"),
            (&long, &long),
            (&deep, &deep),
        ];
        for (index, (path, _)) in names.iter().enumerate() {
            account.store(path, index.to_string());
        }
        account.store(&wide, "wide");
        for (index, (path, name)) in names.iter().enumerate() {
            account.expect_file(path, index.to_string().as_bytes());
            assert!(account.names().contains(&(*name).to_owned()), "{name}");
        }
        account.expect_file(&wide, b"wide");
        assert_eq!(server.blobs(&account).len(), names.len() + 1);
        let mut sorted = account.names();
        sorted.sort();
        assert_eq!(account.names(), sorted, "the list is in the order of bytes");
    }
}

#[test]
fn the_query_is_no_part_of_a_name() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/a?version=1", b"x");
    assert_eq!(account.names(), ["/a"]);
    account.get("/a?anything").expect(200).expect_body(b"x");
    account.put("/a?version=2", b"y").expect(405);
    account.get("/a%3Fversion=1").expect(404);
}

#[test]
fn files_of_one_account_are_nothing_to_another() {
    let server = TestServer::start();
    let (mine, theirs) = (server.account(), server.add_account(&[]));
    mine.store("/a", b"mine");
    theirs.get("/a").expect(404);
    assert_eq!(theirs.names(), Vec::<String>::new());
    theirs.store("/a", b"theirs");
    mine.expect_file("/a", b"mine");
    theirs.expect_file("/a", b"theirs");
}

#[test]
fn uploads_of_a_vault_do_not_come_by_put() {
    let server = TestServer::start();
    let vault = server.add_account(&["--kind", "vault"]);
    vault.put("/config", b"x").expect_plain_refusal(405).expect_words("restic");
    assert_eq!(vault.names(), Vec::<String>::new());
}

#[test]
fn other_methods_are_refused_and_nothing_is_deleted() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/a", b"kept");
    for method in ["DELETE", "POST", "PATCH", "MOVE", "COPY", "MKCOL", "PROPFIND", "LOCK", "BREW"] {
        let answer = account.curl(&["-X", method], "/a");
        answer.expect_plain_refusal(405);
        let allowed = answer.header("allow").expect("a 405 says what is allowed");
        assert!(allowed.contains("GET") && allowed.contains("HEAD"), "{allowed}");
    }
    for path in ["/", "/a"] {
        let answer = account.curl(&["-X", "OPTIONS"], path);
        answer.expect(204).expect_body(b"");
        assert!(answer.header("allow").is_some_and(|allowed| allowed.contains("GET")), "{answer:?}");
    }
    account.expect_file("/a", b"kept");
}
