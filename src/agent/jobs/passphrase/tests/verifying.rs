//! `verify_password`, and what is printed of passphrases.

use super::{Machine, answer_by, generation, request};
use crate::agent::channel::Outcome::{Failed, Succeeded};
use crate::agent::jobs::OwnVault;
use crate::agent::jobs::passphrase::Request;

fn vault() -> OwnVault {
    OwnVault { generations: vec![generation(1, false), generation(2, true), generation(3, true)] }
}

#[test]
fn a_passphrase_is_tried_on_the_generation_of_its_backup_or_on_the_one_that_is_written_to() {
    let machine = Machine::new();
    machine.init(2, &["second"]);
    machine.init(3, &["third"]);
    let ask = |passphrase: &str, generation| Request { generation, ..request("verify_password", passphrase, None) };
    let undecipherable = Request { encrypted_password: "0".repeat(512), ..ask("", None) };
    for (request, outcome) in [
        (ask("third", None), Succeeded),
        (ask("second", None), Failed),
        (ask("second", Some(2)), Succeeded),
        (ask("third", Some(2)), Failed),
        // That one is not encrypted.
        (ask("third", Some(1)), Succeeded),
        (undecipherable, Failed),
    ] {
        let before = machine.said().len();
        answer_by(&machine, &vault(), &request).expect("it is answered");
        // Nothing is changed, so nothing is taken.
        assert_eq!(machine.said()[before..], [outcome]);
    }
    assert_eq!(machine.kept(), Vec::<String>::new());
    let plain = OwnVault { generations: vec![generation(1, false)] };
    answer_by(&machine, &plain, &ask("third", None)).expect("it is answered");
    assert_eq!(machine.said().last(), Some(&Failed));
}

#[test]
fn an_error_leaves_the_request_open() {
    let machine = Machine::new();
    let request = request("verify_password", "canary passphrase", None);
    let later = answer_by(&machine, &vault(), &request).expect_err("there is no repository");
    assert_eq!(machine.said(), []);
    assert!(format!("{later:?}").contains("there is no repository") || format!("{later:?}").contains("NoRepository"), "{later:?}");
}

/// Keeps what is logged on this thread.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<String>>);

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write as _;
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn no_passphrase_is_in_an_error_or_in_the_log() {
    let log = Log::default();
    let mut printed = String::new();
    tracing::subscriber::with_default(log.clone(), || {
        let machine = Machine::new();
        let vault = OwnVault { generations: vec![generation(1, false)] };
        for (steps, kind) in [(9, "encrypt"), (2, "encrypt"), (1, "encrypt"), (9, "verify_password"), (9, "change_password")] {
            machine.die_after(steps, false);
            let request = request(kind, "canary", Some("canary"));
            printed += &format!("{:?}", answer_by(&machine, &vault, &request));
            machine.revive();
        }
        let encrypted = OwnVault { generations: vec![generation(2, true)] };
        for steps in [1, 9] {
            machine.die_after(steps, false);
            printed += &format!("{:?}", answer_by(&machine, &encrypted, &request("change_password", "canary2", Some("canary"))));
            machine.revive();
        }
    });
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.contains("encrypt") && logged.contains("Succeeded"), "{logged}");
    assert!(!logged.contains("canary") && !printed.contains("canary"), "{logged} {printed}");
}
