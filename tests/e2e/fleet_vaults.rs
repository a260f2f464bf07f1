//! What an agent's key opens, and what somebody who stole it cannot do.

use serde_json::json;

use crate::support::SOON;
use crate::support::fleet::{Api, TestAgent, text};
use crate::support::raw::Raw;
use crate::support::repository;
use crate::support::server::TestServer;
use crate::support::tree::sha256;
use crate::support::user::User;

#[test]
fn an_agents_key_opens_its_own_vault_and_nothing_else() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let agent = TestAgent::register(&api, "web-a");
        let other = TestAgent::register(&api, "web-b");
        let name = agent.store("data", "some bytes");
        agent.call("GET", &format!("/vault/{name}"), None).expect(200).expect_body(b"some bytes");
        other.call("GET", &format!("/vault/{name}"), None).expect(404);
        for path in
            ["/vault/config", "/vault/", "/vault/g0/config", "/vault/gx/config", "/vault/@2026-11-20/g1/config", "/vault/../g1/config"]
        {
            agent.call("GET", path, None).expect(404);
        }
        agent.call("GET", "/restores/1/vault/g1/config", None).expect(404);
        let forged = TestAgent { key: other.key.replace('=', "A"), ..agent.clone() };
        forged.call("GET", "/work", None).expect(401);
        api.site.curl::<&str>(&[], "/agent/v1/work").expect(401);
    }
}

#[test]
fn an_older_process_of_an_agent_is_told_to_end_whatever_it_calls() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let older = TestAgent::register(&api, "web-a");
        let name = older.store("data", "some bytes");
        let mut newer = older.clone();
        newer.start_up(&json!({}));
        assert!(newer.incarnation > older.incarnation);
        for (method, path, body) in calls(&name) {
            older.call(method, &path, body).expect(409);
        }
        newer.call("GET", &format!("/vault/{name}"), None).expect(200);
        // A program that knows the repository API alone.
        let key = format!("Authorization: Bearer {}", newer.key);
        api.site.curl(&["-H", &key], &format!("/agent/v1/vault/{name}")).expect(200);
        api.site.curl(&["-H", &key], "/agent/v1/work").expect(400);
        assert_eq!(newer.work()["limits"], json!({"report_bytes": 8 << 20, "errors": 1000, "error_bytes": 2048, "wait_seconds": 60}));
    }
}

/// Calls that say which process makes them, one of each kind.
fn calls(name: &str) -> [(&'static str, String, Option<&'static str>); 5] {
    [
        ("GET", "/work".to_owned(), None),
        ("POST", "/runs/1".to_owned(), Some(r#"{"attempt":1,"state":"queued"}"#)),
        ("GET", format!("/vault/{name}"), None),
        ("POST", format!("/vault/g1/data/{}", sha256(b"x")), Some("x")),
        ("GET", format!("/restores/1/vault/{name}"), None),
    ]
}

/// Only a catalog of before can know less than its agents. To end would leave their machines without backups.
#[test]
fn a_process_that_the_catalog_has_not_heard_of_is_told_to_start_up_anew_and_not_to_end() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let mut agent = TestAgent::register(&api, "web-a");
        let name = agent.store("data", "some bytes");
        let known = agent.incarnation;
        for ahead in [1, i64::MAX - known] {
            agent.incarnation = known + ahead;
            for (method, path, body) in calls(&name) {
                let told = agent.call(method, &path, body);
                told.expect(503).expect_header("retry-after", "1");
                assert!(told.text().contains("POST startup"), "{}", told.text());
            }
        }
        agent.start_up(&json!({}));
        agent.call("GET", &format!("/vault/{name}"), None).expect(200);
    }
}

#[test]
fn a_poll_is_woken_by_what_is_wanted_and_not_by_the_agents_own_words() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let agent = TestAgent::register(&api, "web-a");
        let configuration = api.configure(&agent, &json!({}));
        let backup = api.start(configuration);
        let tag = || agent.call("GET", "/work", None).header("etag").expect("a tag").to_owned();
        let before = tag();
        agent.begin(backup);
        assert_eq!(tag(), before, "its own words");
        let known = ["-H", &format!("If-None-Match: {before}"), "-H", &format!("Authorization: Bearer {}", agent.key)].map(str::to_owned);
        let incarnation = ["-H".to_owned(), format!("Strongroom-Incarnation: {}", agent.incarnation)];
        let arguments: Vec<String> = known.into_iter().chain(incarnation).collect();
        let site = api.site.clone();
        let poll = std::thread::spawn(move || site.curl(&arguments, "/agent/v1/work?wait=60"));
        api.post("/backup/action-requested", &json!({"Action": "StopManual", "Id": backup})).expect(204);
        let woken = poll.join().expect("the poll ends");
        assert_eq!(woken.expect(200).json()["runs"][0]["stop"], json!(true));
        assert_ne!(tag(), before);
        agent.call("GET", "/work?wait=0", None).expect(200);
    }
}

#[test]
fn a_stolen_agent_key_takes_nothing_away() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let agent = TestAgent::register(&api, "web-a");
        agent.call("POST", "/vault/g1/config", Some("a config")).expect(200);
        let (data, key) = (agent.store("data", "some bytes"), agent.store("keys", "a key"));
        let configuration = api.configure(&agent, &json!({}));
        let backup = api.back_up(&agent, configuration);
        let snapshot = format!("g1/snapshots/{}", sha256(format!("snapshot of run {backup}").as_bytes()));
        for name in [&data, &key, &snapshot, "g1/config", &format!("g1/index/{}", "a".repeat(64))] {
            agent.call("DELETE", &format!("/vault/{name}"), None).expect(403);
        }
        agent.call("POST", "/vault/g1/config", Some("another config")).expect(403);
        agent.call("POST", &format!("/vault/{data}"), Some("garbage")).expect(400);
        let lock = agent.store("locks", "a lock");
        agent.call("DELETE", &format!("/vault/{lock}"), None).expect(200);
        // A cleanup that nobody ordered is no run of this agent's, and one that was is no leave to forget what is needed.
        agent.say(1, "in_progress", &json!({})).expect(404);
        let cleanup = api.put("/cleanup/startrequested", &json!({"MachineAgentId": agent.id})).expect(200).text();
        agent.call("DELETE", &format!("/vault/{snapshot}"), None).expect(403);
        agent.begin(cleanup.parse().expect("a number"));
        agent.call("DELETE", &format!("/vault/{snapshot}"), None).expect(403);
        agent.call("DELETE", "/vault/g1/config", None).expect(403);
        agent.call("DELETE", &format!("/vault/{key}"), None).expect(403);
        assert_eq!(api.get(&format!("/backup/report/{backup}")).json()["CanRestore"], json!(true));
    }
}

#[test]
fn a_cleanup_that_hides_half_of_a_vault_waits_for_somebody() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let agent = TestAgent::register(&api, "web-a");
        let names: Vec<String> = (0..4).map(|number| agent.store("data", &format!("{number}{}", "x".repeat(10_000)))).collect();
        let cleanup = api.put("/cleanup/startrequested", &json!({"MachineAgentId": agent.id})).expect(200).text();
        let id: i64 = cleanup.parse().expect("a number");
        agent.begin(id);
        let hide = |name: &String| agent.call("DELETE", &format!("/vault/{name}"), None).status();
        assert_eq!([hide(&names[0]), hide(&names[1]), hide(&names[2]), hide(&names[3])], [200, 200, 403, 403]);
        assert_eq!(agent.wanted(id).expect("it is live")["is_halted"], json!(true));
        server.run(&["fleet", "accept", &agent.id.to_string()]).expect_exit(0);
        assert_eq!([hide(&names[2]), hide(&names[3])], [200, 200]);
        agent.say(id, "completed", &json!({})).expect(200);
        server.run(&["fleet", "accept", &agent.id.to_string()]).expect_exit(1);
        assert_eq!(text(&api.get(&format!("/cleanup/report/{id}")).json()["State"]), "Completed");
    }
}

#[test]
fn a_restore_reads_its_pinned_vault_whatever_is_deleted_under_it() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let (agent, other) = (TestAgent::register(&api, "web-a"), TestAgent::register(&api, "web-b"));
        let configuration = api.configure(&agent, &json!({}));
        let data = agent.store("data", "some bytes");
        let backup = api.back_up(&agent, configuration);
        let wanted = json!({
            "BackupId": backup, "BackupMachineId": agent.id, "DestinationMachineId": other.id, "DestinationPath": "/here", "OverwriteFiles": true,
        });
        let restore = api.put("/restore", &wanted).expect(200).json()["RestoreId"].as_i64().expect("an id");
        api.post("/restore/action-requested", &json!({"Action": "StartManual", "Id": restore})).expect(204);
        other.say(restore, "queued", &json!({})).expect(200);
        let pinned = format!("/restores/{restore}/vault/{data}");
        other.call("GET", &pinned, None).expect(200).expect_body(b"some bytes");
        api.post("/agent/delete", &json!({"MachineAgentId": agent.id})).expect(204);
        other.call("GET", &pinned, None).expect(200).expect_body(b"some bytes");
        other.call("HEAD", &pinned, None).expect(200);
        other.call("POST", &format!("/restores/{restore}/vault/g1/data/{}", sha256(b"x")), Some("x")).expect(403);
        other.call("DELETE", &pinned, None).expect(403);
        agent.call("GET", &pinned, None).expect(410);
        for state in ["preparing", "in_progress", "completed"] {
            other.say(restore, state, &json!({})).expect(200);
        }
        other.call("GET", &pinned, None).expect(404);
    }
}

#[test]
fn a_deleted_agent_is_gone_by_its_own_id_and_can_be_had_back() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let agent = TestAgent::register(&api, "web-a");
        let configuration = api.configure(&agent, &json!({"Frequency": "Hourly", "HourInterval": 6}));
        let data = agent.store("data", "some bytes");
        let backup = api.back_up(&agent, configuration);
        api.post("/agent/delete", &json!({"MachineAgentId": agent.id})).expect(204).expect_body(b"");
        let gone = agent.call("GET", "/work", None);
        assert_eq!((gone.status(), &gone.json()["gone"]["details"]), (410, &json!(agent.id.to_string())));
        agent.call("GET", &format!("/vault/{data}"), None).expect(410);
        api.get(&format!("/agent/{}", agent.id)).expect(404);
        api.post("/agent/delete", &json!({"MachineAgentId": agent.id})).expect(403);
        let kept = api.get(&format!("/backup-configuration/{configuration}")).expect(200).json();
        assert_eq!((&kept["IsDeleted"], &kept["IsActive"]), (&json!(true), &json!(false)));
        assert_eq!(api.get(&format!("/backup/report/{backup}")).json()["CanRestore"], json!(false));
        server.run(&["fleet", "revive", &agent.id.to_string()]).expect_exit(0);
        agent.call("GET", &format!("/vault/{data}"), None).expect(200).expect_body(b"some bytes");
        assert_eq!(api.get(&format!("/backup/report/{backup}")).json()["CanRestore"], json!(true));
        let back = api.get(&format!("/backup-configuration/{configuration}")).expect(200).json();
        assert_eq!((&back["IsDeleted"], &back["IsActive"], back["NextScheduledRunTime"].is_string()), (&json!(false), &json!(true), true));
    }
}

/// Without the agent, without any Cloud Backup client: what the operator is handed opens the vault for stock restic.
#[test]
fn the_operator_opens_a_vault_for_stock_restic() {
    let server = TestServer::start();
    let api = Api::new(&server);
    let agent = TestAgent::register(&api, "web-a");
    let opened = server.run(&["fleet", "open", &agent.id.to_string(), "--json"]).expect_exit(0);
    let json: serde_json::Value = serde_json::from_str(&opened.out).expect("JSON");
    let (repository, password) = (text(&json["repositories"][0]["repository"]), text(&json["repositories"][0]["password"]));
    assert_eq!(password, text(&agent.work()["vault"]["generations"][0]["password"]), "what the agent is told");
    let url = repository.strip_prefix("rest:").expect("a REST repository").to_owned();
    let account = crate::support::account::Account::from_access_url(server.site(), url.trim_end_matches("g1/")).expect("an access URL");
    repository::stored(&account, "/g1/data/", b"by its access URL");
    agent.call("GET", &format!("/vault/g1/data/{}", sha256(b"by its access URL")), None).expect(200);
    let lines = server.run(&["fleet", "open", &agent.id.to_string()]).expect_exit(0).out;
    assert!(
        lines.contains("export RESTIC_REPOSITORY=rest:https") && lines.contains(&format!("export RESTIC_PASSWORD={password}")),
        "{lines}"
    );
    account.get("/").expect(401);
    assert!(!server.log().contains(&password), "a secret in the log");
}

#[test]
fn fleet_check_names_what_is_not_backed_up() {
    let server = TestServer::start();
    let api = Api::new(&server);
    let none = server.run(&["fleet", "check"]).expect_exit(0);
    assert!(none.out.starts_with("There are no agents"), "{none:?}");
    let agent = TestAgent::register(&api, "web-a");
    let bare = server.run(&["fleet", "check"]).expect_exit(3);
    assert!(bare.out.contains("nothing is backed up: no active configuration"), "{bare:?}");
    let configuration = api.configure(&agent, &json!({}));
    let old = server.run(&["fleet", "check"]).expect_exit(3);
    assert!(old.out.contains(&format!("configuration {configuration} (www nightly) has no young backup: there is none")), "{old:?}");
    api.back_up(&agent, configuration);
    assert_eq!(server.run(&["fleet", "check"]).expect_exit(0).out, "Every agent is backed up\n");
    server.run(&["fleet", "check", "--older-than", "0m"]).expect_exit(3);
    let listed = server.run(&["fleet", "list"]).expect_exit(0).out;
    assert!(listed.contains("web-a") && listed.contains("online") && listed.contains("5501"), "{listed}");
    assert!(!server.run(&["fleet", "list", "--tenant", "other"]).out.contains("web-a"));
}

#[test]
fn no_answer_of_the_api_carries_a_credential() {
    let server = TestServer::start();
    let user = User::add(&server, "ada", &["--tenant", "5501"]);
    let api = Api::of(&user);
    let agent = TestAgent::register(&api, "web-a");
    let configuration = api.configure(&agent, &json!({}));
    let backup = api.back_up(&agent, configuration);
    let secrets = [text(&agent.work()["vault"]["generations"][0]["password"]), agent.key.clone(), user.api_key.clone(), user.password];
    for path in [
        "/user/agents".to_owned(),
        format!("/agent/{}", agent.id),
        "/backup-configuration".to_owned(),
        format!("/backup/{backup}"),
        format!("/backup/report/{backup}"),
        "/backup/availableforrestore".to_owned(),
        "/activity".to_owned(),
        "/nothing".to_owned(),
    ] {
        let answer = api.get(&path).text();
        assert!(secrets.iter().all(|secret| !answer.contains(secret)), "{path}: {answer}");
    }
    let log = server.log();
    assert!(secrets.iter().chain([&api.token]).all(|secret| !log.contains(secret)), "a secret in the log");
}

/// Machines behind one address, each with a poll that it holds.
#[test]
fn agents_do_not_count_among_the_connections_of_their_address() {
    let server = crate::support::setup::Setup::new().set("connections_per_address", 2).start();
    let api = Api::new(&server);
    let agent = TestAgent::register(&api, "web-a");
    let work = format!(
        "GET /agent/v1/work HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nStrongroom-Incarnation: {}\r\n\r\n",
        agent.key, agent.incarnation
    );
    let polls: Vec<Raw> = (0..6)
        .map(|number| {
            let mut raw = Raw::connect(&server);
            raw.send(&work);
            assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(200), "{number}");
            raw
        })
        .collect();
    let others: Vec<Raw> = (0..2).map(|_| Raw::connect(&server)).collect();
    let mut third = Raw::connect(&server);
    assert_eq!(third.answer(SOON).map(|answer| answer.head.status), Some(429), "strangers count as before");
    drop((polls, others));
}

#[test]
fn what_completes_a_backup_and_what_a_cleanup_packs_may_pass_the_quota_by_a_tenth() {
    for server in TestServer::each_catalog() {
        let api = Api::new(&server);
        let agent = TestAgent::register(&api, "web-a");
        let account =
            text(&serde_json::from_str::<serde_json::Value>(&server.run(&["fleet", "list", "--json"]).out).expect("JSON")[0]["account"]);
        // A file counts 4 KiB for each of the three segments of its name.
        server.run(&["account", "set", &account, "--quota", "1 MiB"]).expect_exit(0);
        let post = |kind: &str, letter: &str, length: usize| {
            let bytes = letter.repeat(length);
            agent.call("POST", &format!("/vault/g1/{kind}/{}", sha256(bytes.as_bytes())), Some(&bytes)).status()
        };
        for letter in "ABCDEFGHI".split_terminator("").skip(1) {
            assert_eq!(post("data", letter, 100_000), 200);
        }
        assert_eq!(post("data", "b", 50_000), 507);
        assert_eq!([post("index", "c", 50_000), post("snapshots", "d", 100), post("keys", "e", 100)], [200; 3]);
        assert_eq!(post("index", "f", 90_000), 507, "a tenth and no more");
        let cleanup: i64 =
            api.put("/cleanup/startrequested", &json!({"MachineAgentId": agent.id})).expect(200).text().parse().expect("an id");
        assert_eq!(post("data", "g", 1_000), 200);
        agent.begin(cleanup);
        agent.say(cleanup, "completed", &json!({})).expect(200);
        assert_eq!(post("data", "h", 1_000), 507);
    }
}
