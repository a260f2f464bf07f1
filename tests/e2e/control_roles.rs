//! Who may call what of the Cloud Backup API: every operation for every role, for other tenants, without a token; one table.

use std::collections::BTreeSet;

use http::Method;
use strongroom::server::control::operation::{Operation, split};

use crate::support::clock::{DAY, TestClock};
use crate::support::fleet::Api;
use crate::support::raw::RawAnswer;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::talk::Talk;
use crate::support::user::User;

/// Whom the table lets do it: observers and everybody above, creators and everybody above, administrators and owners.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Least {
    Observer,
    Creator,
    Admin,
}
use Least::{Admin, Creator, Observer};

/// A request, who may make it, what it answers, and what it answers about what is another tenant's or nobody's; 0 where it names
/// nothing.
pub type Row = (&'static str, &'static str, Least, u16, u16);

const CONFIGURATION: &str =
    r#"{"MachineAgentId":<agent>,"BackupConfigurationName":"<new-name>","Frequency":"Manually","VersionRetention":0}"#;
const PASSWORDS: &str = r#"{"MachineAgentId":<vault>,"OldEncryptedPasswordHex":"<hex>","NewEncryptedPasswordHex":"<hex>"}"#;
const MIGRATION: &str = r#"{"SourceMachineAgentId":<new-agent>,"DestinationMachineAgentId":<new-agent>}"#;
const RESTORE: &str =
    r#"{"BackupId":<backup>,"BackupMachineId":<agent>,"DestinationMachineId":<agent>,"DestinationPath":"/x","OverwriteFiles":false}"#;

pub const TABLE: [Row; 40] = [
    ("GET /agent/<agent>", "", Observer, 200, 404),
    ("POST /agent/enable", r#"{"MachineAgentId":<agent>,"Enable":true}"#, Creator, 204, 403),
    ("POST /agent/encrypt", r#"{"MachineAgentId":<agent>,"EncryptedPasswordHex":"<hex>"}"#, Creator, 200, 403),
    ("POST /agent/changeencryption", PASSWORDS, Admin, 200, 403),
    ("POST /agent/verifyvolumepassword", r#"{"MachineAgentId":<vault>,"EncryptedPasswordHex":"<hex>"}"#, Creator, 200, 403),
    ("POST /agent/delete", r#"{"MachineAgentId":<new-agent>}"#, Admin, 204, 403),
    ("DELETE /user/agents/<new-agent>", "", Admin, 204, 404),
    ("PUT /agent/migratevault", MIGRATION, Admin, 200, 403),
    ("POST /agent/<agent>", r#"{"UseServiceNet":true}"#, Creator, 200, 403),
    ("GET /agent/server/<host>", "", Observer, 200, 404),
    ("PUT /agent/logging", r#"{"MachineAgentId":<agent>,"LoggingLevelId":3}"#, Creator, 200, 403),
    ("GET /agent/logging/<agent>", "", Observer, 200, 404),
    ("GET /user/agents", "", Observer, 200, 0),
    ("POST /user/wakeupagents", "", Creator, 200, 0),
    ("POST /backup-configuration", CONFIGURATION, Creator, 200, 404),
    ("PUT /backup-configuration/<configuration>", r#"{"IsActive":true}"#, Creator, 200, 404),
    ("GET /backup-configuration/<configuration>", "", Observer, 200, 404),
    ("GET /backup-configuration", "", Observer, 200, 0),
    ("GET /backup-configuration/system/<agent>", "", Observer, 200, 404),
    ("POST /backup-configuration/enable/<configuration>", r#"{"Enable":true}"#, Creator, 200, 404),
    ("DELETE /backup-configuration/<new-configuration>", "", Admin, 200, 404),
    ("POST /backup/action-requested", r#"{"Action":"StartManual","Id":<configuration>}"#, Creator, 200, 404),
    ("POST /backup/action-requested", r#"{"Action":"StopManual","Id":<new-backup>}"#, Creator, 204, 404),
    ("GET /backup/<backup>", "", Observer, 200, 404),
    ("GET /backup/completed/<configuration>", "", Observer, 200, 404),
    ("GET /backup/report/<backup>", "", Observer, 200, 404),
    ("GET /backup/availableforrestore", "", Observer, 200, 0),
    ("PUT /restore", RESTORE, Creator, 200, 403),
    ("PUT /restore/<backup>", RESTORE, Creator, 200, 403),
    ("POST /restore", r#"{"RestoreId":<restore>}"#, Creator, 204, 404),
    ("PUT /restore/files", r#"{"ParentId":<restore>,"FilePath":"/a","Filter":1,"FileItemType":0}"#, Creator, 200, 404),
    ("GET /restore/files/<restore>", "", Observer, 200, 404),
    ("DELETE /restore/files/<new-restore>", "", Creator, 204, 404),
    ("POST /restore/action-requested", r#"{"Action":"StartManual","Id":<new-restore>}"#, Creator, 204, 404),
    ("GET /restore/<restore>", "", Observer, 200, 404),
    ("GET /restore/report/<ended>", "", Observer, 200, 404),
    ("GET /activity", "", Observer, 200, 0),
    ("GET /system/activity/<agent>", "", Observer, 200, 404),
    ("PUT /cleanup/startrequested", r#"{"MachineAgentId":<new-agent>}"#, Creator, 200, 404),
    ("GET /cleanup/report/<cleanup>", "", Observer, 200, 404),
];

/// Whoever asks, with the most that the roles allow.
const ASKERS: [(&[&str], Option<Least>); 9] = [
    (&["identity:default"], None),
    (&["cloudbackup:observer"], Some(Observer)),
    (&["observer"], Some(Observer)),
    (&["identity:default", "Observer"], Some(Observer)),
    (&["cloudbackup:creator"], Some(Creator)),
    (&["cloudBackup:Creator", "observer"], Some(Creator)),
    (&["cloudbackup:admin"], Some(Admin)),
    (&["observer", "admin"], Some(Admin)),
    (&["identity:user-admin"], Some(Admin)),
];

const NO_ROLE: &str = r#"{"forbidden":{"code":403,"message":"None of your roles allows this.","details":""}}"#;
const WRONG_TENANT: &str = r#"{"forbidden":{"code":403,"message":"The tenant in the URL is not the token's.","details":""}}"#;
const NO_TOKEN: &str = r#"{"unauthorized":{"code":401,"message":"The token is missing, unknown, expired or revoked. POST /v2.0/tokens makes a new one.","details":""}}"#;

/// Asks what the row asks; `path` makes another spelling of its path.
fn ask(talk: &mut Talk, token: Option<&str>, request: &str, path: impl Fn(&str) -> String, body: &str) -> RawAnswer {
    let (method, target) = request.split_once(' ').expect("a method and a path");
    let token = token.map_or_else(String::new, |token| format!("X-Auth-Token: {token}\r\n"));
    let body = (!body.is_empty()).then_some(body.as_bytes());
    talk.ask(method, &format!("/v1.0{}", path(target)), &token, body)
}

fn stage(server: &TestServer, name: &str, tenant: &str) -> Stage {
    Stage::of(Api::of(&User::add(server, name, &["--tenant", tenant])))
}

#[test]
fn every_operation_answers_every_role_as_the_matrix_says() {
    let server = TestServer::start();
    let (stage, mut talk) = (stage(&server, "ada", "5501"), Talk::with(&server));
    let mut wrong = Vec::new();
    for (place, (roles, most)) in ASKERS.iter().enumerate() {
        let mut arguments = vec!["--tenant", "5501"];
        arguments.extend(roles.iter().flat_map(|role| ["--role", role]));
        let token = User::add(&server, &format!("user{place}"), &arguments).token();
        for (request, body, least, status, _) in &TABLE {
            let is_allowed = most.is_some_and(|most| most >= *least);
            // What nobody may do uses nothing up.
            let stage =
                |text: &str| if is_allowed { stage.fill(text) } else { stage.fill(&text.replace("<new-", "<").replace("<name>", "x")) };
            let answer = ask(&mut talk, Some(&token), &stage(request), str::to_owned, &stage(body));
            let expected = if is_allowed { *status } else { 403 };
            let is_said = is_allowed != (answer.text() == NO_ROLE);
            if answer.head.status != expected || !is_said {
                wrong.push(format!("{request} {body} by {roles:?}: {} {}", answer.head.status, answer.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_anothers_is_as_good_as_not_there() {
    let server = TestServer::start();
    let (stage, others, mut talk) = (stage(&server, "ada", "5501"), stage_of_other(&server), Talk::with(&server));
    let wanted = |stage: &Stage| stage.agent.call("GET", "/work", None).header("etag").expect("a tag").to_owned();
    let before = wanted(&others);
    let mut wrong = Vec::new();
    for (request, body, _, status, foreign) in &TABLE {
        let nobodys = |text: &str| {
            let named = ["agent", "vault", "configuration", "backup", "restore", "ended", "cleanup", "host"];
            let filled = named
                .iter()
                .fold(text.replace("<new-name>", "x").replace("<new-", "<"), |text, name| text.replace(&format!("<{name}>"), "2147483647"));
            stage.fill(&filled)
        };
        let expected = if *foreign == 0 { *status } else { *foreign };
        for (whose, request, body) in
            [("another's", stage_kept(&others, request), stage_kept(&others, body)), ("nobody's", nobodys(request), nobodys(body))]
        {
            let answer = ask(&mut talk, Some(&stage.api.token), &request, str::to_owned, &body);
            let text = answer.text();
            let is_told = *foreign == 0 && text.contains("5502");
            if answer.head.status != expected || is_told || text == NO_ROLE {
                wrong.push(format!("{request} {body}, {whose}: {} {text}", answer.head.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(wanted(&others), before, "nobody wakes another tenant's agent");
    let seen = |path: &str| others.api.get(path).expect(200).json();
    assert_eq!(seen("/user/agents")[0]["IsDisabled"], false, "nothing of the other tenant was changed");
    assert_eq!(seen("/activity").as_array().map(Vec::len), Some(4));
    others.api.delete(&stage_kept(&others, "/backup-configuration/<configuration>")).expect(200);
}

fn stage_of_other(server: &TestServer) -> Stage {
    stage(server, "bob", "5502")
}

#[test]
fn own_things_do_not_mix_with_anothers() {
    let server = TestServer::start();
    let (stage, others) = (stage(&server, "ada", "5501"), stage_of_other(&server));
    let mut talk = Talk::with(&server);
    let (backup, agent) = (stage.fill("<backup>"), stage.fill("<agent>"));
    let (their_agent, their_backup) = (others.fill("<agent>"), others.fill("<backup>"));
    let restore = stage.fill("<restore>");
    for (request, body, status) in [
        ("PUT /restore", RESTORE.replacen("<agent>", &agent, 1).replace("<agent>", &their_agent).replace("<backup>", &backup), 403),
        ("PUT /restore", RESTORE.replacen("<agent>", &their_agent, 1).replace("<agent>", &agent).replace("<backup>", &backup), 400),
        ("PUT /restore", RESTORE.replace("<agent>", &agent).replace("<backup>", &their_backup), 403),
        ("POST /restore", format!(r#"{{"RestoreId":{restore},"DestinationMachineId":{their_agent}}}"#), 404),
        ("POST /restore", format!(r#"{{"RestoreId":{restore},"BackupId":{their_backup}}}"#), 404),
        ("PUT /agent/migratevault", format!(r#"{{"SourceMachineAgentId":{their_agent},"DestinationMachineAgentId":{agent}}}"#), 403),
        ("PUT /agent/migratevault", format!(r#"{{"SourceMachineAgentId":{agent},"DestinationMachineAgentId":{their_agent}}}"#), 403),
    ] {
        let answer = ask(&mut talk, Some(&stage.api.token), request, str::to_owned, &body);
        assert_eq!(answer.head.status, status, "{request} {body}: {}", answer.text());
    }
}

#[test]
fn every_path_has_its_spellings_and_the_tenant_in_it_has_to_be_the_tokens() {
    let server = TestServer::start();
    let (stage, mut talk) = (stage(&server, "ada", "5501"), Talk::with(&server));
    let token = stage.api.token.clone();
    for (request, body, _, status, _) in &TABLE {
        for (before, after) in [("/5501", ""), ("", "/"), ("/5501", "/"), ("", ".json"), ("/5501", ".json"), ("", ".json/"), ("", "?x=1&y")]
        {
            let answer = ask(&mut talk, Some(&token), &stage.fill(request), |path| format!("{before}{path}{after}"), &stage.fill(body));
            assert_eq!(answer.head.status, *status, "{request} with {before} {after}: {}", answer.text());
        }
        let kept = |text: &str| stage.fill(&text.replace("<new-", "<").replace("<name>", "x"));
        for tenant in ["5502", "055", "x", "Agent", "%35%35%30%31"] {
            let answer = ask(&mut talk, Some(&token), &kept(request), |path| format!("/{tenant}{path}"), &kept(body));
            assert_eq!((answer.head.status, answer.text()), (403, WRONG_TENANT.to_owned()), "{request} for {tenant}");
        }
        for (before, after) in [("", "//"), ("/", ""), ("", "/x"), ("/5501/5501", ""), ("", ".xml")] {
            // A host's name may hold anything but a slash.
            if request.contains("<host>") && after == ".xml" {
                continue;
            }
            let answer = ask(&mut talk, Some(&token), &kept(request), |path| format!("{before}{path}{after}"), &kept(body));
            let status = answer.head.status;
            assert!([403, 404, 405].contains(&status), "{request} with {before} {after}: {status} {}", answer.text());
        }
    }
}

#[test]
fn nothing_opens_without_a_live_token() {
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let (stage, mut talk) = (stage(&server, "ada", "5501"), Talk::with(&server));
    let expired = stage.api.token.clone();
    clock.advance(DAY);
    server.run(&["user", "rotate", "ada"]).expect_exit(0);
    let bob = User::add(&server, "bob", &["--tenant", "5501", "--role", "admin"]);
    let revoked = bob.token();
    server.run(&["user", "disable", "bob"]).expect_exit(0);
    let unknown = "0123456789abcdef0123456789abcdef";
    for (request, body, ..) in &TABLE {
        let kept = |text: &str| stage_kept(&stage, text);
        for token in [None, Some(expired.as_str()), Some(&revoked), Some(unknown), Some("")] {
            let answer = ask(&mut talk, token, &kept(request), str::to_owned, &kept(body));
            assert_eq!((answer.head.status, answer.text()), (401, NO_TOKEN.to_owned()), "{request} with {token:?}");
            assert!(answer.head.header("www-authenticate").is_some_and(|line| !line.contains("Basic")), "{:?}", answer.head);
        }
    }
}

/// The text filled with what is there, so that the request uses nothing up.
pub fn stage_kept(stage: &Stage, text: &str) -> String {
    stage.fill(&text.replace("<new-", "<").replace("<name>", "x"))
}

/// A name for each operation. One that is new fails to build here: give it a name, and a row in the table above.
pub const fn place(operation: &Operation) -> &'static str {
    use Operation as O;
    match operation {
        O::ShowAgent(_) => "show-agent",
        O::EnableAgent => "enable-agent",
        O::EncryptAgent => "encrypt-agent",
        O::ChangeEncryption => "change-encryption",
        O::DeleteAgent => "delete-agent",
        O::DeleteAgentById(_) => "delete-agent-by-id",
        O::MigrateVault => "migrate-vault",
        O::ChangeBehavior(_) => "change-behavior",
        O::ShowAgentOfHost(_) => "show-agent-of-host",
        O::ChangeLogLevel => "change-log-level",
        O::ShowLogLevel(_) => "show-log-level",
        O::VerifyPassword => "verify-password",
        O::ListAgents => "list-agents",
        O::WakeAgents => "wake-agents",
        O::CreateConfiguration => "create-configuration",
        O::UpdateConfiguration(_) => "update-configuration",
        O::ShowConfiguration(_) => "show-configuration",
        O::ListConfigurations => "list-configurations",
        O::ListConfigurationsOfAgent(_) => "list-configurations-of-agent",
        O::EnableConfiguration(_) => "enable-configuration",
        O::DeleteConfiguration(_) => "delete-configuration",
        O::RequestBackupAction => "request-backup-action",
        O::ShowBackup(_) => "show-backup",
        O::ListCompletedBackups(_) => "list-completed-backups",
        O::ShowBackupReport(_) => "show-backup-report",
        O::ListRestorePoints => "list-restore-points",
        O::CreateRestore(None) => "create-restore",
        O::CreateRestore(Some(_)) => "create-restore-of-backup",
        O::UpdateRestore => "update-restore",
        O::AddRestoreFile => "add-restore-file",
        O::ListRestoreFiles(_) => "list-restore-files",
        O::DeleteRestore(_) => "delete-restore",
        O::RequestRestoreAction => "request-restore-action",
        O::ShowRestore(_) => "show-restore",
        O::ShowRestoreReport(_) => "show-restore-report",
        O::ListActivity => "list-activity",
        O::ListActivityOfAgent(_) => "list-activity-of-agent",
        O::StartCleanup => "start-cleanup",
        O::ShowCleanupReport(_) => "show-cleanup-report",
    }
}

#[test]
fn every_operation_has_a_row() {
    let mut found = BTreeSet::new();
    for (request, ..) in &TABLE {
        let (method, path) = request.split_once(" /").expect("a method and a path");
        let filled = path.split('/').map(|segment| if segment.starts_with('<') { "7" } else { segment }).collect::<Vec<_>>().join("/");
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let operation = Operation::of(&method, &split(&filled).1).unwrap_or_else(|miss| panic!("{request}: {miss:?}"));
        found.insert(place(&operation));
    }
    let all = "add-restore-file change-behavior change-encryption change-log-level create-configuration create-restore create-restore-of-backup \
               delete-agent delete-agent-by-id delete-configuration delete-restore enable-agent enable-configuration encrypt-agent list-activity \
               list-activity-of-agent list-agents list-completed-backups list-configurations list-configurations-of-agent list-restore-files \
               list-restore-points migrate-vault request-backup-action request-restore-action show-agent show-agent-of-host show-backup \
               show-backup-report show-cleanup-report show-configuration show-log-level show-restore show-restore-report start-cleanup \
               update-configuration update-restore verify-password wake-agents";
    assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), all, "an operation has no row");
}
