//! What the log says of changes that cannot be taken back: who, what, from where; and nothing of it where they are refused.

use crate::support::fleet::Api;
use crate::support::server::TestServer;
use crate::support::stage::Stage;
use crate::support::user::User;

#[test]
fn who_ends_or_moves_something_is_in_the_log() {
    let server = TestServer::start();
    let stage = Stage::of(Api::of(&User::add(&server, "ada", &["--tenant", "5501"])));
    let observer = Api::of(&User::add(&server, "otto", &["--tenant", "5501", "--role", "observer"]));
    for (request, body, what) in [
        ("POST /agent/enable", r#"{"MachineAgentId":<agent>,"Enable":false}"#, "agent disabled"),
        ("POST /agent/enable", r#"{"MachineAgentId":<agent>,"Enable":true}"#, "agent enabled"),
        ("POST /agent/encrypt", r#"{"MachineAgentId":<agent>,"EncryptedPasswordHex":"<hex>"}"#, "encrypt"),
        (
            "POST /agent/changeencryption",
            r#"{"MachineAgentId":<vault>,"OldEncryptedPasswordHex":"<hex>","NewEncryptedPasswordHex":"<hex>"}"#,
            "change_password",
        ),
        ("POST /agent/delete", r#"{"MachineAgentId":<new-agent>}"#, "agent deleted"),
        ("DELETE /user/agents/<new-agent>", "", "agent deleted"),
        ("PUT /agent/migratevault", r#"{"SourceMachineAgentId":<new-agent>,"DestinationMachineAgentId":<new-agent>}"#, "vault migrated"),
        ("DELETE /backup-configuration/<new-configuration>", "", "backup configuration deleted"),
    ] {
        let (request, body) = (stage.fill(request), stage.fill(body));
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let body = (!body.is_empty()).then_some(body.as_str());
        let before = server.log().len();
        observer.call(method, path, body).expect(403);
        assert!(!server.log()[before..].contains("strongroom::audit"), "{request}: nothing was changed");
        let answer = stage.api.call(method, path, body);
        assert!([200, 204].contains(&answer.status()), "{request}: {answer:?}");
        let log = server.log();
        let line = log[before..].lines().find(|line| line.contains("strongroom::audit") && line.contains(what));
        let line = line.unwrap_or_else(|| panic!("{request} is in the log: {}", &log[before..]));
        for part in ["ada", "5501", "127.0.0.1"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains("0a0a0a") && !line.contains(&stage.api.token), "{line}");
    }
}
