//! Requests answered on a machine that can be killed after each of its steps: each file that is stored in a vault or removed from it, each
//! change of the kept passphrases, each word to the server.

mod changing;
mod encrypting;
mod machine;
mod verifying;

use self::machine::{Machine, generation, request};
use super::answer_by;
use super::generation::make;
use crate::agent::channel::Outcome;
use crate::agent::jobs::OwnVault;
use crate::vault::error::Error;
use crate::vault::keys::Password;

/// Answers, and is killed after so many steps; then once more by the next process. False where it was not killed.
fn answered_in_two_lives(machine: &Machine, vault: &OwnVault, request: &super::Request, steps: usize, makes_the_last: bool) -> bool {
    machine.die_after(steps, makes_the_last);
    if answer_by(machine, vault, request).is_ok() {
        return false;
    }
    machine.revive();
    // What the server lists by then.
    if machine.said().last().is_none_or(|last| *last == Outcome::Taken) {
        let again = super::Request { is_taken: machine.said().contains(&Outcome::Taken), ..request.clone() };
        answer_by(machine, vault, &again).expect("nobody kills it this time");
    }
    true
}

#[test]
fn a_generation_is_made_once_and_again_is_the_same() {
    let machine = Machine::new();
    let place = || super::Means::place(&machine, 1);
    let password = Password::new("of the server");
    // Killed after the key, and after the configuration.
    for steps in 0..2 {
        machine.die_after(steps, false);
        assert!(make(&place, &password).is_err());
        machine.revive();
    }
    for _ in 0..2 {
        make(&place, &password).expect("it is made, or was");
    }
    assert_eq!((machine.opens(1, "of the server"), machine.keys(1)), (true, 1));
    assert!(matches!(make(&place, &Password::new("another")), Err(Error::WrongPassword)));
    assert_eq!(machine.keys(1), 1);
}

#[test]
fn a_request_of_a_kind_that_is_not_known_fails() {
    let machine = Machine::new();
    let request = request("forget_password", "x", None);
    answer_by(&machine, &OwnVault { generations: vec![generation(1, false)] }, &request).expect("it is answered");
    assert_eq!(machine.said(), [Outcome::Failed]);
}
