//! `encrypt`, killed after each step.

use super::{Machine, answer_by, answered_in_two_lives, generation, request};
use crate::agent::channel::Outcome::{Failed, Succeeded, Taken};
use crate::agent::jobs::OwnVault;

fn vault() -> OwnVault {
    OwnVault { generations: vec![generation(1, false)] }
}

#[test]
fn wherever_encrypting_is_cut_it_ends_with_a_repository_that_the_kept_passphrase_alone_opens() {
    let request = request("encrypt", "canary passphrase", None);
    for makes_the_last in [false, true] {
        let mut steps = 0;
        loop {
            let machine = Machine::new();
            let is_killed = answered_in_two_lives(&machine, &vault(), &request, steps, makes_the_last);
            let found = (machine.opens(2, "canary passphrase"), machine.keys(2), machine.kept());
            assert_eq!(found, (true, 1, vec!["canary passphrase".to_owned()]), "{steps} {makes_the_last}");
            assert_eq!(machine.said().last(), Some(&Succeeded), "{steps} {makes_the_last}");
            if !is_killed {
                assert_eq!(machine.said(), [Taken, Succeeded]);
                break;
            }
            steps += 1;
        }
        // Taken, kept, key, configuration, accepted, succeeded.
        assert_eq!(steps, 6);
    }
}

#[test]
fn what_was_not_encrypted_for_this_agent_changes_nothing() {
    let machine = Machine::new();
    for bad in ["", "00", &"0".repeat(512)] {
        let request = super::super::Request { encrypted_password: bad.to_owned(), ..request("encrypt", "x", None) };
        answer_by(&machine, &vault(), &request).expect("it is answered");
    }
    assert_eq!(machine.said(), [Taken, Failed, Taken, Failed, Taken, Failed]);
    assert_eq!(machine.kept(), Vec::<String>::new());
    assert!(!machine.opens(2, "x") && machine.keys(2) == 0);
}

#[test]
fn a_repository_that_is_there_and_opens_with_another_passphrase_stays_as_it_is() {
    let machine = Machine::new();
    machine.init(2, &["of somebody else"]);
    answer_by(&machine, &vault(), &request("encrypt", "canary passphrase", None)).expect("it is answered");
    assert_eq!((machine.said(), machine.kept()), (vec![Taken, Failed], Vec::new()));
    assert!(machine.opens(2, "of somebody else") && !machine.opens(2, "canary passphrase"));
}
