//! Mail that waits: one server sends it, it is tried for three days, and what ended is forgotten.

use super::fleet_rig::{Machine, mails};
use super::rig::Rig;
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, SECOND_MICROS};
use crate::store::Store;
use crate::store::fleet::{ClaimedMail, MailFate};

const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;

async fn claim(store: &Store) -> Option<ClaimedMail> {
    store.claim_mail().await.expect("the catalog answers")
}

/// One mail waits.
async fn write_one(rig: &Rig) {
    Machine::new(rig).await.back_up(rig).await;
    assert_eq!(mails(rig).await.len(), 1);
}

pub(super) async fn of_two_servers_one_sends_a_mail(rig: Rig) {
    write_one(&rig).await;
    let second = rig.second_store().await;
    let (one, two) = tokio::join!(claim(&rig.store), claim(&second));
    assert_ne!(one.is_some(), two.is_some(), "{one:?} {two:?}");
    let first = one.or(two).expect("one of them has it");
    rig.pass(9 * MINUTE_MICROS).await;
    assert_eq!((claim(&rig.store).await, claim(&second).await), (None, None), "its server may be at it");
    rig.pass(MINUTE_MICROS).await;
    second.tick_time().await.expect("the clocks can be read");
    let again = claim(&second).await.expect("its server has died");
    assert_eq!((again.id, again.message_id.as_str(), again.tries), (first.id, first.message_id.as_str(), 2));
    assert_eq!(rig.store.note_mail_failed(&first, true).await.expect("the catalog answers"), MailFate::GivenUp);
    second.note_mail_sent(&again).await.expect("the catalog answers");
    rig.pass(DAY_MICROS).await;
    assert_eq!(claim(&rig.store).await, None, "what one gave up late another has sent");
    let sent = "SELECT id FROM mails WHERE sent_at IS NOT NULL AND given_up_at IS NULL";
    assert_eq!(rig.store.read(|connection| connection.query(sent, &[])).await.expect("rows").len(), 1);
}

pub(super) async fn a_mail_is_tried_less_and_less_often_and_for_three_days(rig: Rig) {
    write_one(&rig).await;
    let began = rig.store.now();
    let mut waits = Vec::new();
    loop {
        let mail = claim(&rig.store).await.expect("it is due");
        match rig.store.note_mail_failed(&mail, false).await.expect("the catalog answers") {
            MailFate::Waits(until) => {
                let wait = until.micros_since(rig.store.now());
                assert!(claim(&rig.store).await.is_none(), "not before its time");
                rig.pass(wait - SECOND_MICROS).await;
                assert!(claim(&rig.store).await.is_none(), "not before its time");
                rig.pass(SECOND_MICROS).await;
                waits.push(wait / MINUTE_MICROS);
            }
            MailFate::GivenUp => break,
        }
    }
    assert_eq!(waits[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]);
    assert!(waits[11..].iter().all(|wait| *wait == 360), "{waits:?}");
    let tried = rig.store.now().micros_since(began);
    assert!((3 * DAY_MICROS..3 * DAY_MICROS + 6 * HOUR_MICROS).contains(&tried), "{tried}");
    rig.pass(DAY_MICROS).await;
    assert_eq!(claim(&rig.store).await, None);
}

pub(super) async fn what_is_refused_for_good_is_given_up_at_once(rig: Rig) {
    write_one(&rig).await;
    let mail = claim(&rig.store).await.expect("it is due");
    assert_eq!(rig.store.note_mail_failed(&mail, true).await.expect("the catalog answers"), MailFate::GivenUp);
    rig.pass(DAY_MICROS).await;
    assert_eq!(claim(&rig.store).await, None);
}

pub(super) async fn a_mail_that_is_given_back_was_not_tried(rig: Rig) {
    write_one(&rig).await;
    let mail = claim(&rig.store).await.expect("it is due");
    rig.store.give_mail_back(&mail).await.expect("the catalog answers");
    let second = rig.second_store().await;
    let again = claim(&second).await.expect("the next server has it at once");
    assert_eq!(again, ClaimedMail { now: again.now, ..mail });
}

pub(super) async fn mail_that_ended_is_forgotten_after_90_days(rig: Rig) {
    let machine = Machine::new(&rig).await;
    for _ in 0..3 {
        machine.back_up(&rig).await;
    }
    rig.store.note_mail_sent(&claim(&rig.store).await.expect("it is due")).await.expect("the catalog answers");
    rig.store.note_mail_failed(&claim(&rig.store).await.expect("it is due"), true).await.expect("the catalog answers");
    rig.pass(90 * DAY_MICROS - SECOND_MICROS).await;
    rig.store.forget_mails().await.expect("the catalog answers");
    assert_eq!(mails(&rig).await.len(), 3);
    rig.pass(SECOND_MICROS).await;
    rig.store.forget_mails().await.expect("the catalog answers");
    assert_eq!(mails(&rig).await.len(), 1, "what still waits stays");
}
