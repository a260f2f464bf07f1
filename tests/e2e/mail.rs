//! Mail about backups, restores and agents, from the API to a real mail server.

use serde_json::{Value, json};

use crate::support::fleet::{Api, TestAgent};
use crate::support::mail::{Mail, MailSetup};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{postgres, tree, wait_until};

const PASSWORD: &str = "canaryCANARY0123456789mail";

/// An agent, and a configuration that asks for mail of every kind.
fn machine(server: &TestServer, changes: Value) -> (Api, TestAgent, i64) {
    let api = Api::new(server);
    let agent = TestAgent::register(&api, "web-a");
    let mut wanted = json!({"NotifySuccess": true, "NotifyFailure": true});
    for (name, value) in changes.as_object().expect("an object of changes") {
        wanted[name] = value.clone();
    }
    let configuration = api.configure(&agent, &wanted);
    (api, agent, configuration)
}

fn fail(api: &Api, agent: &TestAgent, configuration: i64) {
    let backup = api.start(configuration);
    agent.begin(backup);
    let error = json!({"kind": 102, "path": "/srv/www/a\nb", "description": "Permission denied", "code": 13});
    agent.say(backup, "failed", &json!({"reason": "OutOfDiskSpace", "errors": [error]})).expect(200);
}

fn subjects(mails: &[Mail]) -> Vec<&str> {
    mails.iter().map(|mail| mail.header("Subject")).collect()
}

#[test]
fn backups_restores_and_agents_are_mailed() {
    let Some(mail) = MailSetup::new().start() else { return };
    let mut arrived = 0;
    for server in mail.setup().each_catalog() {
        let (api, agent, configuration) = machine(&server, json!({"NotifyRecipients": "ops@example.net"}));
        let backup = api.back_up(&agent, configuration);
        let found = mail.expect(arrived + 1);
        let first = &found[arrived];
        assert_eq!((first.from.as_str(), first.to.as_str()), ("backup@example.net", "ops@example.net"));
        assert_eq!(first.header("From"), "Strongroom <backup@example.net>");
        assert_eq!(first.header("To"), "ops@example.net");
        assert_eq!(first.header("Subject"), "[Strongroom] Completed: www nightly on web-a");
        assert_eq!(first.header("Auto-Submitted"), "auto-generated");
        assert!(first.header("Content-Type").starts_with("text/plain; charset=\"utf-8\""), "{first:?}");
        assert!(first.header("Message-ID").ends_with("@strongroom>") && first.header("Date").ends_with("+0000"), "{first:?}");
        assert!(first.text.starts_with("Strongroom\n\nBacked Up: www nightly on web-a\nStatus: Completed\nStarted: "), "{}", first.text);
        assert!(first.text.contains("\nSource: web-a\nFiles Searched: 412 (100 MB)\nErrors Encountered: 0\nReason: Success\n"));

        restore(&api, &agent, backup);
        let found = mail.expect(arrived + 2);
        assert!(found[arrived + 1].text.contains("\nDestination: /restore/here\nFiles Restored: 35 (18 MB)\n"), "{found:?}");

        fail(&api, &agent, configuration);
        let found = mail.expect(arrived + 3);
        let last = &found[arrived + 2];
        assert_eq!(last.header("Subject"), "[Strongroom] Failed: www nightly on web-a");
        assert!(last.text.contains("\nReason: OutOfDiskSpace\n"), "{}", last.text);
        assert!(last.text.contains("\nError: /srv/www/a b: Permission denied\n"), "{}", last.text);

        api.post("/agent/delete", &json!({"MachineAgentId": agent.id})).expect(204);
        let found = mail.expect(arrived + 4);
        assert_eq!(found[arrived + 3].header("Subject"), format!("[Strongroom] Agent {} on web-a was deleted", agent.id));
        assert!(server.log().lines().any(|line| line.contains("audit") && line.contains("agent deleted") && line.contains("ada")));
        arrived += 4;
    }
}

fn restore(api: &Api, agent: &TestAgent, backup: i64) {
    let wanted = json!({
        "BackupId": backup, "BackupMachineId": agent.id, "DestinationMachineId": agent.id, "DestinationPath": "/restore/here",
        "OverwriteFiles": false,
    });
    let restore = api.put("/restore", &wanted).expect(200).json()["RestoreId"].as_i64().expect("an id");
    let file = json!({"FilePath": "/srv/www/index.html", "Filter": "1", "ParentId": restore, "FileItemType": "0"});
    api.put("/restore/files", &file).expect(200);
    api.post("/restore/action-requested", &json!({"Action": "StartManual", "Id": restore})).expect(204);
    for state in ["queued", "preparing", "in_progress"] {
        agent.say(restore, state, &json!({})).expect(200);
    }
    agent.say(restore, "completed", &json!({"files_done": 35, "bytes_done": 18 << 20})).expect(200);
}

#[test]
fn disabling_and_deleting_are_mailed_and_audited() {
    let Some(mail) = MailSetup::new().start() else { return };
    let server = mail.setup().start();
    let (api, agent, configuration) = machine(&server, json!({}));
    for enabled in [false, true] {
        api.post("/agent/enable", &json!({"MachineAgentId": agent.id, "Enable": enabled})).expect(204);
    }
    api.delete(&format!("/backup-configuration/{configuration}")).expect(200);
    assert_eq!(
        subjects(&mail.expect(2)),
        [
            format!("[Strongroom] Agent {} on web-a was disabled", agent.id),
            format!("[Strongroom] Backup configuration {configuration} (www nightly) on web-a was deleted"),
        ]
    );
    for what in ["agent disabled", "agent enabled", "backup configuration deleted"] {
        let line = server.log().lines().find(|line| line.contains("audit") && line.contains(what)).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("{what} in {}", server.log()));
        assert!(line.contains("user=\"ada\"") && line.contains("address=127.0.0.1"), "{line}");
    }
}

#[test]
fn what_becomes_of_a_passphrase_and_a_vault_is_mailed_and_audited() {
    let Some(mail) = MailSetup::new().start() else { return };
    let server = mail.setup().start();
    let (api, agent, _) = machine(&server, json!({}));
    let other = TestAgent::register(&api, "web-b");
    let moved = json!({"SourceMachineAgentId": agent.id, "DestinationMachineAgentId": other.id});
    api.put("/agent/migratevault", &moved).expect(200);
    let asked = api.post("/agent/encrypt", &json!({"MachineAgentId": agent.id, "EncryptedPasswordHex": "5a".repeat(256)}));
    let guid = asked.expect(200).json().as_str().expect("a GUID").to_owned();
    for outcome in ["taken", "succeeded"] {
        agent.call("POST", &format!("/requests/{guid}"), Some(&json!({"outcome": outcome}).to_string())).expect(204);
    }
    assert_eq!(
        subjects(&mail.expect(2)),
        [
            format!("[Strongroom] Agent {} on web-a gave its vault to agent {}", agent.id, other.id),
            format!("[Strongroom] Agent {} on web-a is encrypted from now on", agent.id),
        ]
    );
    let log = server.log();
    for (what, who) in [("vault migrated", "user=\"ada\""), ("what=\"encrypt\"", "user=\"ada\""), ("outcome=Succeeded", &guid)] {
        let line = log.lines().find(|line| line.contains("audit") && line.contains(what)).unwrap_or_else(|| panic!("{what} in {log}"));
        assert!(line.contains(who) && line.contains("address=127.0.0.1"), "{line}");
    }
}

#[test]
fn recipients_are_needed_where_a_flag_is_set_and_are_bounded() {
    let server = Setup::new().start();
    let (api, agent, _) = machine(&server, json!({}));
    let many = |count: usize| (0..count).map(|number| format!("a{number}@example.net")).collect::<Vec<_>>().join(";");
    for (recipients, on_success, on_failure, status) in [
        ("", true, false, 400),
        (" , ;", false, true, 400),
        ("", false, false, 200),
        (many(100).as_str(), true, true, 200),
        (many(101).as_str(), true, true, 400),
    ] {
        let wanted = json!({
            "BackupConfigurationName": format!("for {} letters", recipients.len()), "NotifyRecipients": recipients,
            "NotifySuccess": on_success, "NotifyFailure": on_failure,
        });
        api.post("/backup-configuration", &crate::support::fleet::configuration(agent.id, &wanted)).expect(status);
    }
}

#[test]
fn a_name_that_holds_line_ends_is_refused_or_harmless() {
    let Some(mail) = MailSetup::new().start() else { return };
    let server = mail.setup().start();
    let (api, agent, _) = machine(&server, json!({}));
    let evil = json!({"BackupConfigurationName": "a\r\nBcc: eve@example.net\r\n\r\nhello", "NotifySuccess": true});
    let answer = api.post("/backup-configuration", &crate::support::fleet::configuration(agent.id, &evil));
    if answer.status() == 200 {
        let configuration = answer.json()["BackupConfigurationId"].as_i64().expect("an id");
        api.back_up(&agent, configuration);
        let found = mail.expect(1);
        assert!(found[0].headers.iter().all(|(name, _)| name != "Bcc"), "{found:?}");
        assert_eq!(found[0].header("Subject"), "[Strongroom] Completed: a  Bcc: eve@example.net    hello on web-a");
    }
    for recipients in ["ops@example.net\r\nBcc: eve@example.net", "ops", "a b@example.net", "@example.net"] {
        let wanted = json!({"BackupConfigurationName": "b", "NotifyRecipients": recipients});
        api.post("/backup-configuration", &crate::support::fleet::configuration(agent.id, &wanted)).expect(400);
    }
}

#[test]
fn tls_and_login_are_what_the_settings_say() {
    for kind in ["starttls", "at_once"] {
        let Some(mail) = MailSetup::new().tls(kind).login("ops", PASSWORD).start() else { return };
        let setup = mail.setup().file("password", PASSWORD.as_bytes()).set("smtp_user", "ops").set("smtp_password_file", "password");
        let server = setup.set("log_level", "trace").start();
        let (api, agent, configuration) = machine(&server, json!({}));
        api.back_up(&agent, configuration);
        let found = mail.expect(1);
        assert!(found[0].is_encrypted && found[0].login.as_deref() == Some("ops"), "{kind}: {found:?}");
        assert_unseen(&server, PASSWORD);
    }
}

#[test]
fn a_wrong_password_is_said_and_nothing_is_sent() {
    let Some(mail) = MailSetup::new().tls("at_once").login("ops", "another").start() else { return };
    let setup = mail.setup().file("password", PASSWORD.as_bytes()).set("smtp_user", "ops").set("smtp_password_file", "password");
    let server = setup.set("log_level", "trace").start();
    let (api, agent, configuration) = machine(&server, json!({}));
    api.back_up(&agent, configuration);
    server.await_log("it refuses smtp_user or the password (answer 535)");
    assert_eq!(mail.mails().len(), 0);
    assert_unseen(&server, PASSWORD);
}

/// Neither the password nor what SMTP makes of it.
fn assert_unseen(server: &TestServer, password: &str) {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("\0ops\0{password}"));
    let shown = server.run(&["config", "show"]).expect_exit(0);
    let files = tree::files_below(&server.data()).into_iter().map(|file| std::fs::read(file).expect("the file is read"));
    for bytes in files.chain([server.log_bytes(), shown.out.into_bytes()]) {
        for secret in [password, &encoded] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "the password is seen");
        }
    }
}

#[test]
fn a_server_with_a_wrong_certificate_gets_nothing() {
    for kind in ["starttls", "at_once"] {
        let Some(mail) = MailSetup::new().tls(kind).start() else { return };
        let other = tempfile::tempdir().expect("a temporary folder");
        crate::support::tls::write_pair(other.path(), 2080);
        let authorities = [String::new(), other.path().join("cert.pem").display().to_string()];
        for authority in authorities {
            let server = mail.setup().set("smtp_ca_file", &authority).start();
            let (api, agent, configuration) = machine(&server, json!({}));
            api.back_up(&agent, configuration);
            server.await_log("the mail server takes no mail");
            let log = server.log();
            let line = log.lines().find(|line| line.contains("the mail server takes no mail")).expect("it was there");
            assert!(line.contains("invalid peer certificate"), "{kind} {authority}: {line}");
            assert_eq!(mail.mails().len(), 0);
        }
    }
}

#[test]
fn a_server_that_offers_no_tls_gets_nothing() {
    let Some(mail) = MailSetup::new().start() else { return };
    let server = mail.setup().set("smtp", format!("smtp+starttls://localhost:{}", mail.port())).start();
    let (api, agent, configuration) = machine(&server, json!({}));
    api.back_up(&agent, configuration);
    server.await_log("STARTTLS is not supported");
    assert_eq!(mail.mails().len(), 0);
}

#[test]
fn two_servers_on_one_catalog_send_each_mail_once() {
    const MAILS: usize = 12;
    let Some(mail) = MailSetup::new().start() else { return };
    let Some(database) = postgres::fresh_database() else { return };
    let database = std::sync::Arc::new(database);
    let first = mail.setup().database(std::sync::Arc::clone(&database)).start();
    // The other one's data directory: of the same store.
    let data = tempfile::tempdir().expect("a temporary folder");
    let copied = std::process::Command::new("cp").arg("-a").arg(first.data().join(".")).arg(data.path()).status();
    assert!(copied.expect("cp runs").success());
    let second = mail.setup().database(database).data(data.path()).start_on_store(&first.account()).expect("it serves beside it");
    let (api, agent, configuration) = machine(&first, json!({}));
    for _ in 0..MAILS {
        fail(&api, &agent, configuration);
    }
    let found = mail.expect(MAILS);
    let ids: std::collections::BTreeSet<&str> = found.iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!(ids.len(), MAILS);
    let sent = |server: &TestServer| server.log().matches("a mail was sent").count();
    wait_until("both have noted what they sent", crate::support::SOON, || sent(&first) + sent(&second) == MAILS);
    mail.expect(MAILS);
}

#[test]
fn without_a_mail_server_the_log_says_so_once_and_nothing_waits() {
    let server = Setup::new().start();
    let (api, agent, configuration) = machine(&server, json!({}));
    let said = |server: &TestServer| server.log().matches("the setting `smtp` names no server").count();
    assert_eq!(said(&server), 0, "nobody waits for mail yet");
    api.back_up(&agent, configuration);
    fail(&api, &agent, configuration);
    assert_eq!(said(&server), 1);
    let catalog = rusqlite::Connection::open(server.data().join("catalog.db")).expect("the catalog opens");
    let count: i64 = catalog.query_row("SELECT COUNT(*) FROM mails", [], |row| row.get(0)).expect("it is read");
    assert_eq!(count, 0);
}
