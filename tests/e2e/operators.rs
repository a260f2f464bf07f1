//! The operator at a terminal, in a script, and in a directory of somebody else's.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, program, skip, tree, wait_until};

/// `sudo -u strongroom strongroom …` failed in every directory that only its caller may enter.
#[test]
fn commands_work_in_a_directory_that_their_user_cannot_enter() {
    let server = TestServer::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |prepare: &str| {
        // Root enters every directory, unless it gives the privilege away.
        let mut command = match rustix::process::geteuid().is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search", "sh"]);
                command
            }
            false => Command::new("sh"),
        };
        let script = format!("{prepare}; exec \"$0\" config check --data \"$1\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_strongroom")]).arg(server.data()).current_dir(folder.path());
        let output = command.stdin(Stdio::null()).output().expect("a shell runs");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).expect("the folder is opened again");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let beyond = run("chmod 000 .");
    assert_eq!(beyond.0, Some(0), "{beyond:?}");
    let unreadable = run("echo 'scrub_days = 9' > config.toml; chmod 000 config.toml");
    assert_eq!(unreadable.0, Some(2), "a file that is there counts: {unreadable:?}");
    assert!(unreadable.1.contains("config.toml"), "{unreadable:?}");
}

#[test]
fn check_of_an_account_reads_its_files_alone_and_an_unknown_one_is_an_error() {
    for server in TestServer::each_catalog() {
        let (one, other) = (server.account(), server.add_account(&[]));
        one.store("/a", b"x");
        other.store("/b", b"y");
        other.store("/c", b"z");
        let ran = server.run(&["check", "--account", &other.user, "--json"]).expect_exit(0);
        let report: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        assert_eq!(report["files"], 2, "{ran:?}");
        server.run(&["account", "remove", &other.user, "--yes"]).expect_exit(0);
        let removed = server.run(&["check", "--account", &other.user]).expect_exit(0);
        assert!(removed.out.contains("2 files"), "its files live on: {removed:?}");
        let unknown = server.run(&["check", "--account", "ZZZZZZ"]).expect_exit(1);
        assert!(unknown.complaint.contains("no account ZZZZZZ") && unknown.complaint.contains("hint:"), "{unknown:?}");
    }
}

#[test]
fn a_secret_that_nobody_took_is_a_failure() {
    let server = TestServer::start();
    let account = server.account();
    for words in [&["account", "add"][..], &["account", "add", "--json"], &["account", "rotate", &account.user]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = server.command().args(words).arg("--data").arg(server.data()).stdin(Stdio::null()).stdout(writer).output();
        let output = output.expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains("account rotate"), "the way out is named: {said}");
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = server.command().args(["account", "list", "--data"]).arg(server.data()).stdout(writer).output();
    assert_eq!(output.expect("the binary runs").status.code(), Some(0), "what can be asked for again is no loss");
}

#[test]
fn config_check_says_what_serve_would_refuse() {
    let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate is made");
    let (good, other) = (pair(), pair());
    let server = Setup::new().tls().start();
    let (pem, key) = (server.home().join("own.pem"), server.home().join("own.key"));
    let check = |certificate: &str, private: &str, mode: u32| {
        std::fs::write(&pem, certificate).expect("a file is written");
        tree::write_private(&key, private.as_bytes());
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("its mode");
        server.run(&["config", "check", "--tls-certificate", "own.pem", "--tls-key", "own.key"])
    };
    let (certificate, private) = (good.cert.pem(), good.signing_key.serialize_pem());
    check(&certificate, &private, 0o600).expect_exit(0);
    for (ran, words) in [
        (check(&certificate, &other.signing_key.serialize_pem(), 0o600), "does not belong"),
        (check("nonsense", &private, 0o600), "own.pem"),
        (check(&certificate, "nonsense", 0o600), "own.key"),
        (check(&certificate, &private, 0o644), "everybody"),
    ] {
        assert!(ran.exit == 1 && ran.complaint.contains(words), "{words}: {ran:?}");
    }
    server.run(&["config", "check"]).expect_exit(0);
    let own = server.data().join("tls/key.pem");
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    assert!(server.run(&["config", "check"]).expect_exit(1).complaint.contains("everybody"));
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o600)).expect("its mode");
}

#[test]
fn every_change_is_noted_with_who_made_it_and_without_secrets() {
    let server = TestServer::start();
    let first = server.account();
    let account = server.add_account(&["--description", "the db host"]);
    let user = account.user.as_str();
    let commands: [&[&str]; 6] = [
        &["account", "set", user, "--retention", "90"],
        &["account", "rotate", user],
        &["account", "disable", user, "--reason", "two\u{202e}ways"],
        &["account", "enable", user],
        &["account", "remove", user, "--yes"],
        &["clock", "accept"],
    ];
    let secrets: Vec<String> = commands.iter().map(|words| server.run(words).expect_exit(0).out).collect();
    server.run(&["account", "list"]).expect_exit(0);
    server.run(&["account", "disable", "ZZZZZZ", "--reason", "unknown"]).expect_exit(1);
    let path = server.data().join("audit.log");
    assert_eq!(path.metadata().expect("there is a log").permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).expect("it is read");
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let seen: Vec<(&str, Option<&str>)> =
        lines.iter().map(|line| (line["action"].as_str().expect("an action"), line["account"].as_str())).collect();
    let mine = Some(user);
    let expected = [
        ("account add", Some(first.user.as_str())),
        ("account add", mine),
        ("account set", mine),
        ("account rotate", mine),
        ("account disable", mine),
        ("account enable", mine),
        ("account remove", mine),
        ("clock accept", None),
    ];
    assert_eq!(seen, expected, "{text}");
    for line in &lines {
        assert_eq!(line["by"]["uid"], rustix::process::getuid().as_raw(), "{line}");
        assert!(line["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
    }
    let rotated = secrets[1].trim().rsplit(':').next().and_then(|rest| rest.split('@').next()).unwrap_or_default().to_owned();
    for secret in [&first.password, &account.password, &rotated] {
        assert!(!secret.is_empty() && !text.contains(secret.as_str()), "{text}");
    }
}

#[test]
fn every_command_answers_in_json() {
    let mut server = TestServer::start();
    let account = server.account();
    account.store("/a", b"x");
    let user = account.user;
    let json = |server: &TestServer, words: &[&str]| {
        let ran = server.run(&[words, &["--json"]].concat()).expect_exit(0);
        let value = serde_json::from_str::<serde_json::Value>(&ran.out).unwrap_or_else(|error| panic!("{words:?}: {error} in {ran:?}"));
        assert!(value.is_object() || value.is_array(), "{words:?}: {value}");
    };
    let copy = server.home().join("copy.db").display().to_string();
    for words in [
        &["account", "add"][..],
        &["account", "add", "--to", "url.txt"],
        &["account", "list"],
        &["account", "show", &user, "--ended"],
        &["account", "set", &user, "--quota", "1GiB"],
        &["account", "rotate", &user],
        &["account", "disable", &user, "--reason", "a test"],
        &["account", "enable", &user],
        &["account", "remove", &user, "--yes"],
        &["check"],
        &["check", "--quick"],
        &["catalog", "backup", &copy],
        &["clock", "accept"],
        &["config", "show"],
        &["config", "check"],
    ] {
        json(&server, words);
    }
    server.stop();
    for part in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        drop(std::fs::remove_file(server.data().join(part)));
    }
    json(&server, &["catalog", "rebuild"]);
    server.start_again();
}

/// What a command draws on a terminal.
fn on_a_terminal(server: &TestServer, words: &str) -> Option<(Option<i32>, String)> {
    let Some(script) = program(&["script"]) else {
        skip("script is not installed");
        return None;
    };
    let line = format!("'{}' {words} --data '{}'", env!("CARGO_BIN_EXE_strongroom"), server.data().display());
    let mut command = server.command();
    let surroundings: Vec<_> = command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    command = Command::new(script);
    command.env_clear().envs(surroundings.into_iter().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir(server.home());
    let output = command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().expect("script runs");
    Some((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[test]
fn long_work_draws_a_bar_on_a_terminal_and_nothing_elsewhere() {
    let mut server = TestServer::start();
    let account = server.account();
    for number in 0..4 {
        account.store(&format!("/{number}"), tree::bytes(number, 8 << 20));
    }
    let Some((exit, drawn)) = on_a_terminal(&server, "check") else { return };
    assert!(exit == Some(0) && drawn.contains("% of 32.00 MiB"), "{exit:?} {drawn:?}");
    let piped = server.run(&["check"]).expect_exit(0);
    assert!(!piped.complaint.contains("% of") && !piped.out.contains("% of"), "{piped:?}");
    server.stop();
    for part in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        drop(std::fs::remove_file(server.data().join(part)));
    }
    let (exit, drawn) = on_a_terminal(&server, "catalog rebuild").expect("script is installed");
    assert!(exit == Some(0) && drawn.contains("100% of 32.00 MiB"), "{exit:?} {drawn:?}");
    server.start_again();
    assert_eq!(account.names().len(), 4);
}

#[test]
fn a_rebuild_that_leaves_something_out_ends_with_3() {
    let mut server = TestServer::start();
    server.expect_error("damage");
    let account = server.account();
    account.store("/good", b"good");
    account.store("/bad", b"bad");
    server.stop();
    let bad = server.blobs(&account).into_iter().find(|path| path.display().to_string().contains("/bad@")).expect("the blob");
    std::fs::write(&bad, b"BAD").expect("the blob is harmed");
    for part in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        drop(std::fs::remove_file(server.data().join(part)));
    }
    let rebuilt = server.run(&["catalog", "rebuild"]).expect_exit(3);
    assert!(rebuilt.complaint.contains("1 blobs") && rebuilt.complaint.contains("strongroom check"), "{rebuilt:?}");
    let checked = server.run(&["check"]).expect_exit(3);
    assert!(checked.out.contains("quarantined") && checked.out.contains("bad@"), "{checked:?}");
    let of_account = server.run(&["check", "--account", &account.user]).expect_exit(3);
    assert!(of_account.out.contains("bad@"), "{of_account:?}");
    assert_eq!(std::fs::read(&bad).expect("it is left alone"), b"BAD");
    server.start_again();
    assert_eq!(account.names(), ["/good"]);
}

#[test]
fn a_server_beside_a_rebuild_is_refused_and_a_rebuild_beside_a_server() {
    let mut server = TestServer::start();
    let account = server.account();
    account.store("/a", b"x");
    let beside = server.run(&["catalog", "rebuild"]).expect_exit(1);
    assert!(beside.complaint.contains(&server.pid().to_string()), "it names who holds the store: {beside:?}");
    account.expect_file("/a", b"x");
    server.stop();
    // A blob that takes a while to read: all holes, under the digest of something else.
    let blob = server.blobs(&account).remove(0);
    let name = blob.file_name().expect("a name").to_string_lossy().replace("a@", "b@");
    let (start, random) = name.rsplit_once('-').expect("a key ends with its random part");
    let twin = blob.with_file_name(format!("{start}-{}", random.chars().rev().collect::<String>()));
    std::fs::File::create(&twin).and_then(|file| file.set_len(64 << 30)).expect("a sparse file");
    let mut rebuild = server.command();
    let mut rebuild = rebuild.args(["catalog", "rebuild", "--data"]).arg(server.data()).stdout(Stdio::null()).spawn().expect("it runs");
    let is_moved =
        || std::fs::read_dir(server.data()).expect("a folder").flatten().any(|entry| entry.path().extension() == Some("old".as_ref()));
    wait_until("the old catalog is moved aside", SOON, is_moved);
    let refused = server.start_in_vain();
    assert!(refused.exit == 1 && refused.complaint.contains(&rebuild.id().to_string()), "{refused:?}");
    rebuild.kill().and_then(|()| rebuild.wait().map(drop)).expect("the rebuild is ended");
    std::fs::remove_file(&twin).expect("the blob is removed");
    for part in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        drop(std::fs::remove_file(server.data().join(part)));
    }
    server.run(&["catalog", "rebuild"]).expect_exit(0);
    server.start_again();
    account.expect_file("/a", b"x");
}

#[test]
fn standard_output_has_the_greeting_alone_whatever_is_logged() {
    let mut server = Setup::new().set("log_level", "trace").tls().start();
    let account = server.account();
    account.store("/a", b"x");
    let printed = server.printed();
    let is_greeting = |line: &String| {
        line.is_empty()
            || ["Serving https://", "The first account", "https://", "Put a file", "curl "].iter().any(|start| line.starts_with(start))
    };
    assert!(printed.iter().all(is_greeting), "{printed:?}");
    server.restart();
    account.expect_file("/a", b"x");
    account.make_session();
    assert!(server.log().contains("TRACE") || server.log().contains("DEBUG"), "everything is logged");
    server.stop();
    let printed = server.printed();
    assert!(printed.len() == 1 && printed[0].starts_with("Serving https://localhost:"), "{printed:?}");
    server.start_again();
}

#[test]
fn the_certificate_names_the_machine_and_its_addresses() {
    let server = Setup::new().tls().start();
    let (account, port) = (server.account(), server.port());
    account.store("/a", b"x");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("the machine has a name").trim().to_lowercase();
    let addresses = Command::new("hostname").arg("-I").output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let names =
        addresses.unwrap_or_default().split_whitespace().map(str::to_owned).chain([host, "localhost".to_owned()]).collect::<Vec<_>>();
    let certificate = server.site().certificate.clone().expect("a certificate").display().to_string();
    for name in names.iter().filter(|name| !name.starts_with("fe80")) {
        let bracketed = if name.contains(':') { format!("[{name}]") } else { name.clone() };
        let way = format!("{bracketed}:{port}:127.0.0.1:{port}");
        let url = format!("https://{bracketed}:{port}/a");
        let user = account.credentials();
        let answer = crate::support::curl::curl(["-u", &user, "--cacert", &certificate, "--connect-to", &way, &url]);
        answer.expect(200).expect_body(b"x");
    }
    assert!(server.log().contains("made a self-signed TLS certificate"));
    assert!(!server.log().contains("addresses of this machine cannot be read"), "{}", server.log());
}

#[test]
fn connections_in_all_have_a_limit() {
    let server = Setup::new().set("connections", 8).start();
    let account = server.account();
    account.store("/a", b"x");
    let mut held: Vec<_> = (0..8).map(|_| crate::support::raw::Raw::connect(&server)).collect();
    let mut ninth = crate::support::raw::Raw::connect(&server);
    let refused = ninth.head(SOON).map(|head| (head.status, head.header("retry-after").map(str::to_owned)));
    assert_eq!(refused, Some((503, Some("5".to_owned()))));
    assert!(ninth.is_closed_within(Duration::from_secs(5)));
    held.clear();
    wait_until("there are places again", SOON, || account.get("/a").status() == 200);
}
