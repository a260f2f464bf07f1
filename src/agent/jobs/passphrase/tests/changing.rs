//! `change_password`, killed after each step.

use super::{Machine, answer_by, answered_in_two_lives, generation, request};
use crate::agent::channel::Outcome::{Failed, Succeeded, Taken};
use crate::agent::jobs::OwnVault;
use crate::agent::jobs::passphrase::Request;

fn vault(highest: i64) -> OwnVault {
    OwnVault { generations: (1..=highest).map(|number| generation(number, number > 1)).collect() }
}

fn change(old: &str, new: &str) -> Request {
    request("change_password", new, Some(old))
}

/// Two encrypted generations; the higher one has two keys of the old passphrase.
fn template() -> Machine {
    let machine = Machine::new();
    machine.init(2, &["old"]);
    machine.init(3, &["old", "old"]);
    machine
}

#[test]
fn wherever_a_change_is_cut_it_ends_with_the_new_passphrase_alone() {
    let (template, request) = (template(), change("old", "new"));
    for makes_the_last in [false, true] {
        let mut steps = 0;
        loop {
            let machine = Machine::like(&template, "old");
            let is_killed = answered_in_two_lives(&machine, &vault(3), &request, steps, makes_the_last);
            for generation in [2, 3] {
                let found = (machine.opens(generation, "new"), machine.opens(generation, "old"), machine.keys(generation));
                assert_eq!(found, (true, false, 1), "{generation} {steps} {makes_the_last}");
            }
            assert_eq!(machine.said().last(), Some(&Succeeded), "{steps} {makes_the_last}");
            assert_eq!(machine.kept().last().map(String::as_str), Some("new"), "{steps} {makes_the_last}");
            if !is_killed {
                assert_eq!((machine.said(), machine.kept()), (vec![Taken, Succeeded], vec!["new".to_owned()]));
                break;
            }
            steps += 1;
        }
        // Taken, kept, a key and one less, a key and two less, succeeded, accepted.
        assert_eq!(steps, 9);
    }
}

#[test]
fn at_every_moment_a_kept_passphrase_opens_every_generation() {
    let template = template();
    for steps in 0..9 {
        let machine = Machine::like(&template, "old");
        machine.die_after(steps, false);
        assert!(answer_by(&machine, &vault(3), &change("old", "new")).is_err());
        for generation in [2, 3] {
            assert!(machine.kept().iter().any(|kept| machine.opens(generation, kept)), "{generation} {steps}");
        }
    }
}

#[test]
fn a_wrong_old_passphrase_and_one_that_was_encrypted_for_another_key_change_nothing_alike() {
    let machine = Machine::like(&template(), "old");
    let undecipherable = Request { old_encrypted_password: Some("0".repeat(512)), ..change("old", "new") };
    let none = Request { old_encrypted_password: None, ..change("old", "new") };
    let unset = Request { encrypted_password: "0".repeat(512), ..change("old", "new") };
    // The new one is the present one: that alone proves nothing.
    let all = [change("wrong", "new"), undecipherable, none, unset, change("wrong", "old")];
    for request in &all {
        answer_by(&machine, &vault(3), request).expect("it is answered");
    }
    assert_eq!(machine.said(), [Taken, Failed].repeat(all.len()));
    assert_eq!(machine.kept(), ["old"]);
    assert!(machine.opens(2, "old") && machine.opens(3, "old") && machine.keys(3) == 2);
}

#[test]
fn a_change_to_the_same_passphrase_leaves_the_keys_alone() {
    let machine = Machine::like(&template(), "old");
    answer_by(&machine, &vault(3), &change("old", "old")).expect("it is answered");
    assert_eq!((machine.said(), machine.kept()), (vec![Taken, Succeeded], vec!["old".to_owned()]));
    assert_eq!((machine.keys(2), machine.keys(3)), (1, 2));
}

#[test]
fn a_change_after_one_whose_end_was_not_noted_does_not_drop_what_opens_the_vault() {
    let template = Machine::new();
    template.init(2, &["second"]);
    for steps in 0..3 {
        let machine = Machine::like(&template, "first");
        machine.keep_beside("second");
        machine.die_after(steps, false);
        assert!(answer_by(&machine, &vault(2), &change("second", "third")).is_err());
        assert!(machine.kept().contains(&"second".to_owned()), "{steps}");
    }
}

#[test]
fn a_generation_that_the_old_passphrase_does_not_open_is_left_alone() {
    let machine = Machine::new();
    machine.init(2, &["of somebody else"]);
    machine.init(3, &["old"]);
    answer_by(&machine, &vault(3), &change("old", "new")).expect("it is answered");
    assert_eq!(machine.said(), [Taken, Succeeded]);
    assert!(machine.opens(2, "of somebody else") && machine.keys(2) == 1);
    assert!(machine.opens(3, "new") && !machine.opens(3, "old"));
}
