//! `strongroom user`: what it prints, how it ends, and that it works beside a server.

use serde_json::{Value, json};

use crate::support::server::TestServer;
use crate::support::user::User;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn user_add_prints_the_secrets_alone_and_never_again() {
    for server in TestServer::each_catalog() {
        let ran = server.run(&["user", "add", "ada"]).expect_exit(0);
        let lines: Vec<&str> = ran.out.lines().collect();
        let [api_key, password] = lines[..] else { panic!("two lines: {ran:?}") };
        let (api_key, password) =
            (api_key.strip_prefix("api_key=").expect("a key"), password.strip_prefix("password=").expect("a password"));
        assert!(api_key.len() == 32 && api_key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{ran:?}");
        assert!(password.len() == 22 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{ran:?}");
        assert!(ran.complaint.contains("100000") && ran.complaint.contains("identity:user-admin"), "{ran:?}");
        let user = User {
            site: server.site().clone(),
            name: "ada".into(),
            tenant: "100000".into(),
            api_key: api_key.into(),
            password: password.into(),
        };
        user.log_in().expect(200);
        let shown = server.run(&["user", "show", "ada"]).expect_exit(0).out;
        for part in ["ada", "100000", "identity:user-admin", "open", "live tokens  1"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        let listed = server.run(&["user", "list"]).expect_exit(0).out;
        let again = server.run(&["user", "add", "ada"]).expect_exit(1);
        assert!(again.complaint.contains("a user ada already") && again.out.is_empty(), "{again:?}");
        for text in [shown, listed, server.run(&["user", "show", "ada", "--json"]).out] {
            assert!(!text.contains(api_key) && !text.contains(password), "{text}");
        }
    }
}

#[test]
fn the_first_user_of_a_tenant_owns_it_unless_told_otherwise() {
    let server = TestServer::start();
    for (words, tenant, roles) in [
        (&["a"][..], "100000", json!(["identity:user-admin"])),
        (&["b"], "100001", json!(["identity:user-admin"])),
        (&["c", "--tenant", "100001"], "100001", json!(["cloudbackup:observer"])),
        (
            &["d", "--tenant", "acme", "--role", "cloudBackup:Creator", "--role", "OBSERVER"],
            "acme",
            json!(["cloudbackup:creator", "observer"]),
        ),
        (&["e", "--tenant", "acme"], "acme", json!(["cloudbackup:observer"])),
    ] {
        let user = parsed(&server.run(&[&["user", "add", "--json"], words].concat()).expect_exit(0).out);
        assert_eq!((&user["tenant"], &user["roles"]), (&json!(tenant), &roles), "{words:?}");
    }
    let users = parsed(&server.run(&["user", "list", "--json"]).expect_exit(0).out);
    let names: Vec<&str> = users.as_array().expect("an array").iter().map(|user| user["user"].as_str().expect("a name")).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}

#[test]
fn secrets_go_into_a_file_of_ones_own_where_one_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = TestServer::start();
    let file = server.home().join("secrets.txt");
    let path = file.display().to_string();
    let ran = server.run(&["user", "add", "ada", "--to", &path]).expect_exit(0);
    let text = std::fs::read_to_string(&file).expect("the file is there");
    assert!(text.starts_with("api_key=") && text.lines().count() == 2, "{text}");
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let api_key = text.lines().next().and_then(|line| line.strip_prefix("api_key=")).expect("a key");
    assert!(!ran.out.contains(api_key) && !ran.complaint.contains(api_key), "{ran:?}");
    server.run(&["user", "add", "bob", "--to", &path]).expect_exit(1);
    assert!(!server.run(&["user", "list"]).out.contains("bob"), "no secret is made in vain");
}

#[test]
fn a_rotation_prints_new_secrets_and_ends_the_old_ones() {
    for server in TestServer::each_catalog() {
        let ada = User::add(&server, "ada", &[]);
        let renewed = User::from_json(&server, &server.run(&["user", "rotate", "ada", "--json"]).expect_exit(0).out);
        assert!(renewed.api_key != ada.api_key && renewed.password != ada.password && renewed.tenant == ada.tenant);
        ada.log_in().expect(401);
        renewed.log_in().expect(200);
    }
}

#[test]
fn wrong_usage_ends_with_2_and_unknown_users_with_1() {
    let server = TestServer::start();
    User::add(&server, "ada", &[]);
    for words in [
        &["user", "add", "b", "--role", "identity:user-admin", "--role", "observer"][..],
        &["user", "add", "b", "--role", "owner"],
        &["user", "add", "b", "--tenant", "activity"],
        &["user", "add", "b c"],
        &["user", "set", "ada"],
        &["user", "remove", "ada"],
    ] {
        let ran = server.run(words).expect_exit(2);
        assert!(ran.out.is_empty() && !ran.complaint.is_empty(), "{ran:?}");
    }
    for words in [&["show"][..], &["rotate"], &["disable"], &["enable"], &["remove", "--yes"], &["set", "--role", "observer"]] {
        // Names are told apart by case.
        let ran = server.run(&[&["user", words[0], "Ada"], &words[1..]].concat()).expect_exit(1);
        assert!(ran.complaint.contains("no user Ada") && ran.complaint.contains("user list") && ran.out.is_empty(), "{ran:?}");
    }
    assert_eq!(parsed(&server.run(&["user", "list", "--json"]).out).as_array().map(Vec::len), Some(1));
}

#[test]
fn each_change_is_noted_without_a_secret() {
    let server = TestServer::start();
    let ada = User::add(&server, "ada", &["--tenant", "5501"]);
    let rotated = User::from_json(&server, &server.run(&["user", "rotate", "ada", "--json"]).expect_exit(0).out);
    for words in [&["set", "--role", "observer"][..], &["disable"], &["enable"], &["remove", "--yes"]] {
        server.run(&[&["user", words[0], "ada"], &words[1..]].concat()).expect_exit(0);
    }
    let text = std::fs::read_to_string(server.data().join("audit.log")).expect("there is an audit log");
    let notes: Vec<Value> = text.lines().map(parsed).filter(|note| note["details"]["user"] == "ada").collect();
    let actions: Vec<&str> = notes.iter().map(|note| note["action"].as_str().expect("an action")).collect();
    assert_eq!(actions, ["user add", "user rotate", "user set", "user disable", "user enable", "user remove"]);
    for secret in [ada.api_key, ada.password, rotated.api_key, rotated.password] {
        assert!(!text.contains(&secret), "a secret is noted");
    }
}

#[test]
fn users_outlive_their_catalog() {
    let mut server = TestServer::start();
    let ada = User::add(&server, "ada", &["--tenant", "5501"]);
    let bob = User::add(&server, "bob", &[]);
    server.run(&["user", "disable", "bob"]).expect_exit(0);
    let token = ada.token();
    server.stop();
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(server.data().join(format!("catalog.db{suffix}"))));
    }
    let ran = server.run(&["catalog", "rebuild"]).expect_exit(0);
    assert!(ran.complaint.contains("tokens"), "what is lost is named: {ran:?}");
    server.start_again();
    ada.look_with(&token).expect(401);
    assert_eq!(ada.log_in().expect(200).json()["access"]["token"]["tenant"]["id"], "5501");
    bob.log_in().expect(403);
    let new = User::add(&server, "cyd", &[]);
    assert_eq!(new.tenant, "100001", "no number is given twice");
}
