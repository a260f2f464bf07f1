//! Ids that an older catalog gives out again.

use super::{Told, backup, key, queued};
use crate::agent::runner::lanes::{Order, Taken};

#[test]
fn an_id_that_an_older_catalog_gives_out_again_is_another_run_once_the_server_knows_that_it_was_used() {
    let mut told = Told::new();
    told.has([backup(1)]);
    told.done(1);
    told.lanes.said(key(1));
    assert_eq!(told.list([backup(1)]), "ask anew", "that list may be older than the report");
    assert_eq!(told.list([backup(1)]), "start up anew", "this one is not");
    assert_eq!(told.list([backup(1)]), "take 1");
    told.taken([queued(backup(1))]);
    told.done(1);
    told.lanes.said(key(1));
    assert_eq!(told.list([backup(1)]), "ask anew");
    assert_eq!(told.list([]), "");
    assert_eq!(told.list([backup(1)]), "take 1", "it was gone in between");
}

#[test]
fn a_run_begins_with_the_state_in_which_it_was_met() {
    let mut told = Told::new();
    told.list([backup(1)]);
    let orders = told.lanes.taken(key(1), Taken::Yes(Box::new(queued(backup(1)))), told.now);
    assert!(matches!(&orders[..], [Order::Start(run, ..)] if run.is_waiting()), "nothing can be in the vault of it");
}
