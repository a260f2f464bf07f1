//! What opens the backup.

use super::{Stored, report, run, texts, with};
use crate::agent::state::KeyPair;
use crate::model::access::Secret;
use crate::wire::channel::run::RunReport;

const PASSPHRASE: &str = "canary of the vault";

fn stored() -> Stored {
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("file"), "bytes").unwrap();
    Stored::of(source.path())
}

fn restored(stored: &Stored, ciphertext: Option<String>) -> RunReport {
    let target = tempfile::tempdir().unwrap();
    report(stored, &with(run(stored, target.path()), |job| *job.encrypted_password = ciphertext))
}

#[test]
fn what_the_server_holds_needs_no_password() {
    let report = restored(&stored(), None);
    assert_eq!(texts(&report), ("completed", None, None));
    assert_eq!((report.files_done, report.bytes_done, report.error_count), (1, 5, 0));
}

#[test]
fn a_password_of_the_server_that_does_not_open_is_not_told_as_a_users_mistake() {
    let mut stored = stored();
    stored.generation.password = Some(Secret::presented("wrong"));
    let report = restored(&stored, None);
    assert_eq!((report.state.as_str(), report.reason.as_deref()), ("failed", Some("MissingPassword")));
}

#[test]
fn an_encrypted_backup_opens_with_what_came_encrypted_for_this_agent_even_where_the_server_has_forgotten_it() {
    let mut stored = stored().encrypted();
    let ciphertext = KeyPair::of_tests().encrypt(PASSPHRASE);
    assert_eq!(restored(&stored, Some(ciphertext.clone())).state, "completed");
    stored.secrets.ciphertext = Some(ciphertext);
    assert_eq!(restored(&stored, None).state, "completed");
}

#[test]
fn the_vaults_own_agent_needs_none_and_tries_all_that_it_keeps() {
    let mut stored = stored().encrypted();
    stored.secrets.passphrases = ["old", PASSPHRASE].map(Secret::presented).to_vec();
    assert_eq!(restored(&stored, None).state, "completed");
}

#[test]
fn whatever_does_not_open_ends_in_the_same_way_and_names_no_secret() {
    let mut stored = stored().encrypted();
    let wrong = KeyPair::of_tests().encrypt("wrong");
    let others = KeyPair::generate().encrypt(PASSPHRASE);
    let mut reports =
        [Some(wrong), Some(others), Some("0".repeat(512)), Some(String::new()), None].map(|text| restored(&stored, text)).to_vec();
    // Own passphrases are not tried where another one was given.
    stored.secrets.passphrases = vec![Secret::presented(PASSPHRASE)];
    reports.push(restored(&stored, Some(KeyPair::of_tests().encrypt("wrong"))));
    let note = "the password does not open the backup: encrypt it with the restore's PublicKey, which is the destination agent's, not \
                with that of availableforrestore";
    for report in &reports {
        assert_eq!(texts(report), ("failed", Some("InvalidPassword"), Some(note)));
        assert_eq!(report, &reports[0]);
        assert!(!format!("{report:?}").contains("canary"));
    }
}
