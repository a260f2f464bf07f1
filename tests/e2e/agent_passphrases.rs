//! Encryption as a user turns it on: what opens what, who is let in, and what becomes of wrong passphrases.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::agent::{AGENT_SOON, Agent};
use crate::support::estate::Estate;
use crate::support::fleet::text;
use crate::support::runs::{Wanted, encrypted};
use crate::support::seen::seen;
use crate::support::{eventually, skip, wait_until};

const PASSPHRASE: &str = "grün, 42 ✓";
const SECOND: &str = "another one";

/// A machine with one backup before it was encrypted, and one after.
struct Ground {
    agent: Agent,
    source: PathBuf,
    configuration: i64,
    plain: i64,
    sealed: i64,
    estate: Estate,
}

impl Ground {
    fn new(estate: Estate) -> Self {
        let agent = estate.agent("web-a");
        let source = estate.planted("source", 7, 4);
        let configuration = estate.configure(&agent, &source, &json!({}));
        let plain = estate.api.complete(configuration);
        estate.api.encrypt(agent.id, PASSPHRASE);
        let sealed = estate.api.complete(configuration);
        Self { agent, source, configuration, plain, sealed, estate }
    }

    /// What the agent's user says became of a request, by the server's own log.
    #[track_caller]
    fn outcome(&self, answer: &Value) -> String {
        eventually("the agent says what became of it", AGENT_SOON, || self.told(answer))
    }

    fn told(&self, answer: &Value) -> Option<String> {
        let (guid, log) = (text(answer), self.estate.server.log());
        let told = log.lines().find(|line| line.contains(&guid) && (line.contains("Succeeded") || line.contains("Failed")))?;
        Some(if told.contains("Succeeded") { "succeeded".to_owned() } else { "failed".to_owned() })
    }

    #[track_caller]
    fn change(&self, old: &str, new: &str) -> String {
        let hex = |passphrase| self.estate.api.encrypted_for(self.agent.id, passphrase);
        let body = json!({"MachineAgentId": self.agent.id, "OldEncryptedPasswordHex": hex(old), "NewEncryptedPasswordHex": hex(new)});
        self.outcome(&self.estate.api.post("/agent/changeencryption", &body).expect(200).json())
    }

    #[track_caller]
    fn expect_restored(&self, wanted: &Wanted<'_>) {
        self.estate.api.restore(wanted);
        assert_eq!(seen(&wanted.path.join(self.source.strip_prefix("/").expect("a whole path"))), seen(&self.source));
    }

    /// Whether the passphrase opens what is written now, for stock restic.
    fn opens(&self, passphrase: &str) -> Option<bool> {
        let opened = self.estate.opened(self.agent.id).pop().expect("a generation");
        assert!(opened.password.is_none(), "no password of an encrypted generation is the server's");
        opened.restic(passphrase).map(|restic| restic.run(&["snapshots"]).exit == 0)
    }
}

#[test]
fn from_then_on_only_the_passphrase_opens_backups() {
    Estate::on_each_catalog(|estate| {
        let ground = Ground::new(estate);
        let api = &ground.estate.api;
        for (backup, is_encrypted) in [(ground.plain, false), (ground.sealed, true)] {
            assert_eq!(api.get(&format!("/backup/{backup}")).json()["IsEncrypted"], is_encrypted);
            let target = ground.estate.path(&format!("target {backup}"));
            // Its own machine keeps the passphrase.
            ground.expect_restored(&Wanted::all(backup, ground.agent.id, &target));
        }
        let opened = ground.estate.opened(ground.agent.id);
        assert_eq!(opened.len(), 2);
        let Some(restic) = opened[1].restic(PASSPHRASE) else { return skip("restic is not installed") };
        restic.ok(&["check", "--read-data"]);
        assert_eq!(
            [ground.opens(PASSPHRASE), ground.opens(opened[0].password.as_deref().expect("of the server"))],
            [Some(true), Some(false)]
        );
    });
}

#[test]
fn another_machine_needs_the_passphrase_and_its_own_key() {
    let ground = Ground::new(Estate::new());
    let other = ground.estate.agent("web-b");
    let end = |name: &str, password: Option<String>| {
        let target = ground.estate.path(name);
        let wanted = Wanted { destination: other.id, password, ..Wanted::all(ground.sealed, ground.agent.id, &target) };
        let restore = ground.estate.api.begin_restore(&wanted);
        let (state, report) = ground.estate.api.await_end(restore);
        assert!(state == "Completed" || !target.exists(), "nothing is written where nothing is opened");
        (state, text(&report["Reason"]), text(&report["Diagnostics"]))
    };
    let for_key_of = |agent: i64, passphrase: &str| Some(ground.estate.api.encrypted_for(agent, passphrase));
    assert_eq!(end("right", for_key_of(other.id, PASSPHRASE)).0, "Completed");
    let place = ground.estate.path("right").join(ground.source.strip_prefix("/").expect("a whole path"));
    assert_eq!(seen(&place), seen(&ground.source));
    for (name, password) in [("wrong", for_key_of(other.id, "wrong")), ("key", for_key_of(ground.agent.id, PASSPHRASE)), ("none", None)] {
        let (state, reason, diagnostics) = end(name, password);
        assert_eq!((state.as_str(), reason.as_str()), ("Failed", "InvalidPassword"), "{name}: {diagnostics}");
        assert!(diagnostics.contains("PublicKey"), "{name}: {diagnostics}");
    }
    // A backup of before needs none.
    let target = ground.estate.path("plain");
    ground.expect_restored(&Wanted { destination: other.id, ..Wanted::all(ground.plain, ground.agent.id, &target) });
}

#[test]
fn a_passphrase_is_changed_by_whoever_knows_the_old_one() {
    Estate::on_each_catalog(|estate| {
        let mut ground = Ground::new(estate);
        assert_eq!(ground.change("not it", SECOND), "failed");
        if let Some(opens) = ground.opens(PASSPHRASE) {
            assert!(opens && ground.opens(SECOND) == Some(false));
        }
        assert_eq!(ground.change(PASSPHRASE, SECOND), "succeeded");
        if let Some(opens) = ground.opens(SECOND) {
            assert!(opens && ground.opens(PASSPHRASE) == Some(false));
        }
        ground.agent.restart();
        std::fs::write(ground.source.join("new"), "since").expect("a file is written");
        let third = ground.estate.api.complete(ground.configuration);
        let target = ground.estate.path("target");
        ground.expect_restored(&Wanted::all(third, ground.agent.id, &target));
    });
}

#[test]
fn what_is_no_passphrase_sets_none() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    estate.api.await_online(agent.id);
    let modulus = text(&estate.api.agent(agent.id)["PublicKey"]["ModulusHex"]);
    let garbage = ["00".repeat(256), encrypted(&modulus, b""), encrypted(&modulus, b"\xff\xfe")];
    for hex in garbage {
        let body = json!({"MachineAgentId": agent.id, "EncryptedPasswordHex": hex});
        let guid = text(&estate.api.post("/agent/encrypt", &body).expect(200).json());
        wait_until("the agent refuses", AGENT_SOON, || {
            estate.server.log().lines().any(|line| line.contains(&guid) && line.contains("Failed"))
        });
        assert_eq!(estate.api.agent(agent.id)["IsEncrypted"], false);
    }
    assert!(!agent.state().join("passphrase").exists());
    let source = estate.planted("source", 1, 0);
    let configuration = estate.configure(&agent, &source, &json!({}));
    estate.api.complete(configuration);
    assert_eq!(estate.opened(agent.id).len(), 1, "no generation was begun");
}

#[test]
fn five_wrong_passphrases_an_hour_are_all_there_are() {
    let mut ground = Ground::new(Estate::new());
    for _ in 0..5 {
        assert_eq!(ground.change("not it", SECOND), "failed");
    }
    let hex = ground.estate.api.encrypted_for(ground.agent.id, PASSPHRASE);
    let verify = json!({"MachineAgentId": ground.agent.id, "EncryptedPasswordHex": hex, "BackupId": ground.sealed});
    let late = ground.estate.api.post("/agent/verifyvolumepassword", &verify);
    assert!(late.expect(413).header("retry-after").is_some());
    ground.estate.advance(std::time::Duration::from_secs(3_700));
    let right = ground.estate.api.post("/agent/verifyvolumepassword", &verify).expect(200).json();
    assert_eq!(ground.outcome(&right), "succeeded");
    let wrong = json!({"MachineAgentId": ground.agent.id, "BackupId": ground.sealed, "EncryptedPasswordHex": ground.estate.api.encrypted_for(ground.agent.id, "x")});
    let wrong = ground.estate.api.post("/agent/verifyvolumepassword", &wrong).expect(200).json();
    assert_eq!(ground.outcome(&wrong), "failed");
}

/// A crash at each request of an encryption and of a change: afterwards one passphrase opens the vault, the agent has it, and nobody else.
#[test]
fn a_crash_in_the_middle_of_a_change_leaves_one_passphrase() {
    let mut ground = Ground::new(Estate::new());
    let mut current = PASSPHRASE.to_owned();
    // All of them at night, until one comes that a change does not make.
    let points = if crate::support::is_nightly() { 100 } else { 6 };
    let mut met = 0;
    for number in 0..points {
        let next = format!("passphrase {number}");
        let hex = |passphrase: &str| ground.estate.api.encrypted_for(ground.agent.id, passphrase);
        let body =
            json!({"MachineAgentId": ground.agent.id, "OldEncryptedPasswordHex": hex(&current), "NewEncryptedPasswordHex": hex(&next)});
        ground.estate.proxy.gate().hold("", number + 1);
        let answer = ground.estate.api.post("/agent/changeencryption", &body).expect(200).json();
        let gate = ground.estate.proxy.gate();
        let is_met = eventually("it is met or done", AGENT_SOON, || {
            let is_told = ground.told(&answer).is_some();
            let is_held = gate.is_holding();
            (is_held || is_told).then_some(!is_told)
        });
        if is_met {
            ground.agent.kill();
            ground.estate.break_line();
            ground.agent.start();
        }
        gate.open();
        assert_eq!(ground.outcome(&answer), "succeeded", "after request {number}");
        current = next;
        if !is_met {
            break;
        }
        met += 1;
        if let Some(opens) = ground.opens(&current) {
            assert!(opens, "after request {number}");
        }
    }
    assert!((6..100).contains(&met), "{met} requests");
    let last = ground.estate.api.complete(ground.configuration);
    ground.expect_restored(&Wanted::all(last, ground.agent.id, Path::new(&ground.estate.path("target"))));
}
