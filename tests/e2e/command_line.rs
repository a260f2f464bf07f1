//! The operator's commands on the real binary: what they print, how they end, and that they work beside a server.

use crate::support::account::Account;
use crate::support::server::TestServer;
use crate::support::setup::Setup;

#[test]
fn account_add_prints_the_access_url_alone_and_never_again() {
    for server in TestServer::each_catalog() {
        let ran = server.run(&["account", "add", "--retention", "60", "--quota", "10GB", "--description", "the db host"]).expect_exit(0);
        assert_eq!(ran.out.lines().count(), 1, "{ran:?}");
        let account = Account::from_access_url(server.site(), ran.out.trim()).expect("an access URL");
        assert!(ran.out.contains("@localhost:"), "{ran:?}");
        account.store("/a", b"x");
        let shown = server.run(&["account", "show", &account.user]).expect_exit(0).out;
        for part in [account.user.as_str(), "60", "the db host", "archive"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains(&account.password));
        let listed = server.run(&["account", "list", "--json"]).expect_exit(0).out;
        let accounts: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        assert_eq!(accounts.as_array().map(Vec::len), Some(2), "{listed}");
    }
}

#[test]
fn changes_take_effect_on_the_next_request() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        account.store("/a", b"x");
        server.run(&["account", "set", &account.user, "--quota", "1KiB"]).expect_exit(0);
        account.put("/b", b"y").expect(507);
        server.run(&["account", "set", &account.user, "--quota", "none"]);
        server.run(&["account", "set", &account.user, "--quota", "1GiB"]).expect_exit(0);
        account.store("/b", b"y");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_unknown_things_with_1() {
    let server = TestServer::start();
    for words in [&["no-such-command"][..], &["account", "add", "--kind", "other"], &["--no-such-flag"], &["account"]] {
        server.run(words).expect_exit(2);
    }
    for words in [&["account", "show", "ZZZZZZ"][..], &["account", "rotate", "ZZZZZZ"], &["account", "disable", "ZZZZZZ", "--reason", "x"]]
    {
        let ran = server.run(words).expect_exit(1);
        assert!(ran.complaint.contains("ZZZZZZ") && ran.out.is_empty(), "{ran:?}");
    }
    let help = server.command().arg("--help").output().expect("the binary runs");
    assert_eq!(help.status.code(), Some(0));
}

#[test]
fn commands_before_the_first_start_say_what_to_do() {
    let mut server = TestServer::start();
    server.stop();
    let empty = server.home().join("elsewhere");
    let output = server.command().args(["account", "list", "--data"]).arg(&empty).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("serve"), "{output:?}");
    assert!(!empty.join("catalog.db").exists(), "a look changes nothing");
    server.start_again();
}

#[test]
fn commands_work_without_a_running_server() {
    let mut server = TestServer::start();
    server.stop();
    let account = server.add_account(&["--retention", "100"]);
    server.start_again();
    account.store("/a", b"x");
    assert_eq!(account.list()[0].deletetime, Some(account.list()[0].createtime + 100 * 86_400));
}

#[test]
fn settings_are_checked_before_anything_is_made() {
    let mut server = TestServer::start();
    server.stop();
    let fresh = server.home().join("fresh");
    for (name, value, words) in [
        ("STRONGROOM_LISTEN", "nonsense", "listen"),
        ("STRONGROOM_LISTEN", "192.0.2.1:8443", "plain_http"),
        ("STRONGROOM_HEADER_SECONDS", "0", "header_seconds"),
        ("STRONGROOM_MAX_FILE_BYTES", "5368709121", "max_file_bytes"),
        ("STRONGROOM_PUBLIC_URL", "https://host/path", "public_url"),
        ("STRONGROOM_CATALOG", "mysql://x", "catalog"),
    ] {
        let output = server.command().env(name, value).args(["serve", "--data"]).arg(&fresh).output().expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!([Some(1), Some(2)].contains(&output.status.code()), "{name}={value}: {output:?}");
        assert!(said.contains(words), "{name}={value}: {said}");
        assert!(!fresh.exists(), "{name}={value}");
    }
    server.start_again();
}

#[test]
fn the_catalog_password_is_shown_nowhere() {
    let server = TestServer::start();
    let url = "postgres://someone:canarypassword@127.0.0.1:1/none";
    let show = server.command().env("STRONGROOM_CATALOG", url).args(["config", "show"]).output().expect("the binary runs");
    let fresh = server.home().join("fresh");
    let serve = server.command().env("STRONGROOM_CATALOG", url).args(["serve", "--data"]).arg(fresh).output().expect("the binary runs");
    assert_eq!(serve.status.code(), Some(1), "{serve:?}");
    for output in [show, serve] {
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!said.contains("canarypassword"), "{said}");
    }
}

#[test]
fn the_certificate_made_at_start_is_good_for_curl_and_wget() {
    let server = Setup::new().tls().start();
    let account = server.account();
    account.store("/a", b"x");
    account.expect_file("/a", b"x");
    let strange = crate::support::curl::curl(["-u", &account.credentials(), &format!("{}/a", server.site().origin())]);
    assert_eq!((strange.exit, strange.status()), (60, 0), "nobody trusts it unasked: {strange:?}");
    let by_address = format!("https://127.0.0.1:{}/a", server.port());
    let certificate = server.site().certificate.clone().expect("a certificate").display().to_string();
    let answer = crate::support::curl::curl(["-u", &account.credentials(), "--cacert", &certificate, &by_address]);
    answer.expect(200).expect_body(b"x");
    assert!(answer.header("strict-transport-security").is_some(), "{answer:?}");
    let old = crate::support::curl::curl(["-u", &account.credentials(), "--cacert", &certificate, "--tls-max", "1.1", &by_address]);
    assert_ne!(old.exit, 0, "only TLS 1.2 and 1.3: {old:?}");
    for version in ["--tlsv1.2", "--tlsv1.3", "--http2"] {
        let answer = account.curl(&[version], "/a");
        assert_eq!(answer.expect(200).heads.last().map(|head| head.version.as_str()), Some("HTTP/1.1"), "{version}");
    }
}

#[test]
fn plain_http_on_the_tls_port_is_refused_in_words_or_closed() {
    let server = Setup::new().tls().start();
    let answer = crate::support::curl::curl([format!("http://localhost:{}/", server.port())]);
    assert_ne!(answer.status(), 200, "{answer:?}");
    let account = server.account();
    account.store("/still-serving", b"x");
}
