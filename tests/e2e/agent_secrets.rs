//! What an agent knows stays where it belongs: its key, the vault's passwords, a user's passphrase, and all that is backed up (A7).

use std::path::Path;

use serde_json::json;

use crate::support::canary::{Places, expect_nowhere, files, found};
use crate::support::estate::Estate;
use crate::support::figure::figure;
use crate::support::fleet::text;
use crate::support::may_look_inside;
use crate::support::runs::Wanted;

const PASSPHRASE: &str = "Canary-Of-The-Passphrase-51be77";
const NEXT: &str = "Canary-Of-The-Next-Passphrase-0c4e";
const WRONG: &str = "Canary-That-Opens-Nothing-99e1b0";
/// In a file, and in its name.
const CONTENT: &str = "Canary-Of-What-Is-Backed-Up-4d21";

#[test]
fn no_secret_of_an_agent_is_anywhere_but_in_its_own_files() {
    let estate = Estate::new();
    let mut agent = estate.registered("web-a").with(&["-vvv"]);
    agent.start();
    let source = estate.path("source");
    std::fs::create_dir(&source).expect("a folder is made");
    std::fs::write(source.join(CONTENT), format!("{CONTENT} ").repeat(2_000)).expect("a file is written");
    estate.proxy.record();
    estate.api.put("/agent/logging", &json!({"MachineAgentId": agent.id, "LoggingLevelId": "All"})).expect(200);
    let configuration = estate.configure(&agent, &source, &json!({"Inclusions": [{"FilePath": &source, "FileItemType": "Folder"}]}));
    estate.api.complete(configuration);
    let server_held = estate.opened(agent.id)[0].password.clone().expect("the server's");
    estate.api.encrypt(agent.id, PASSPHRASE);
    let sealed = estate.api.complete(configuration);
    change(&estate, agent.id, WRONG, NEXT);
    change(&estate, agent.id, PASSPHRASE, NEXT);
    let other = estate.agent("web-b");
    for (number, passphrase) in [WRONG, NEXT].into_iter().enumerate() {
        let (target, password) = (estate.path(&format!("target {number}")), Some(estate.api.encrypted_for(other.id, passphrase)));
        let wanted = Wanted { destination: other.id, password, ..Wanted::all(sealed, agent.id, &target) };
        let restore = estate.api.begin_restore(&wanted);
        estate.api.await_end(restore);
    }
    let traffic = ("the line".to_owned(), estate.proxy.recorded());
    let mut looked = 0;
    // Passphrases cross no line and reach no server in any form but encrypted for a key. The agent's key and the server's password do.
    let key = text(&agent.bootstrap()["AgentKey"]);
    let mut away: Places = vec![traffic, ("the server's log".to_owned(), estate.server.log_bytes())];
    files(&mut away, &estate.server.data());
    looked += expect_nowhere(&[PASSPHRASE, NEXT, WRONG, CONTENT], &away);
    // The vault's account is opened by the operator alone, so its data are all that the server keeps of what is backed up.
    let mut kept: Places = vec![("the server's log".to_owned(), estate.server.log_bytes())];
    files(&mut kept, &estate.server.data().join("blobs"));
    looked += expect_nowhere(&[&key, &server_held], &kept);
    let mut said: Places = [&agent, &other].map(|agent| (format!("log of {}", agent.id), agent.log().into_bytes())).to_vec();
    if may_look_inside() {
        for name in ["cmdline", "environ"] {
            for pid in [agent.pid(), other.pid()] {
                let path = format!("/proc/{pid}/{name}");
                said.push((path.clone(), std::fs::read(path).expect("root reads it")));
            }
        }
    }
    let api_key = estate.user.api_key.as_str();
    looked += expect_nowhere(&[PASSPHRASE, NEXT, WRONG, CONTENT, &key, &server_held, api_key], &said);
    own_files(&agent, &[&server_held, WRONG, CONTENT, api_key, PASSPHRASE]);
    own_files(&other, &[&server_held, WRONG, CONTENT, api_key, PASSPHRASE, NEXT]);
    figure("A7", "agent", &format!("no secret in {looked} bytes of traffic, logs, arguments, environments and files"), None);
}

#[track_caller]
fn change(estate: &Estate, agent: i64, old: &str, new: &str) {
    let hex = |passphrase| estate.api.encrypted_for(agent, passphrase);
    let body = json!({"MachineAgentId": agent, "OldEncryptedPasswordHex": hex(old), "NewEncryptedPasswordHex": hex(new)});
    let guid = text(&estate.api.post("/agent/changeencryption", &body).expect(200).json());
    let is_told = |line: &str| line.contains(&guid) && (line.contains("Succeeded") || line.contains("Failed"));
    crate::support::wait_until("the change is told", crate::support::agent::AGENT_SOON, || estate.server.log().lines().any(is_told));
}

/// Secrets that are not even its own state's.
#[track_caller]
fn own_files(agent: &crate::support::agent::Agent, secrets: &[&str]) {
    let mut places = Places::new();
    files(&mut places, agent.state());
    assert_eq!(found(secrets, &places), None);
    let leftovers = |folder: &Path| crate::support::tree::files_below(folder).len();
    assert!(leftovers(&agent.state().join("cache")) < 1000);
}
