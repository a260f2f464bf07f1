//! Several servers on one catalog.

use std::collections::BTreeSet;

use super::fleet::{Fleet, MINUTE, hourly, settings, update};
use super::rig::Rig;
use crate::model::instant::HOUR_MICROS;
use crate::model::run::RunState as S;
use crate::store::Store;

const ROUNDS: i64 = 6;

async fn servers(fleet: &Fleet) -> Vec<Store> {
    vec![fleet.store().clone(), fleet.rig.second_store().await, fleet.rig.second_store().await]
}

/// All tick at one time, twice.
async fn tick_all(servers: &[Store], micros: i64) {
    let ticks = servers.iter().chain(servers).cloned().map(|server| tokio::spawn(async move { server.tick_fleet(micros).await }));
    for tick in ticks.collect::<Vec<_>>() {
        tick.await.expect("no tick panics").expect("the fleet ticks");
    }
}

pub(super) async fn three_servers_make_each_due_run_once(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let servers = servers(&fleet).await;
    let mut configurations = Vec::new();
    for machine in ["web-b", "web-c", "web-d"] {
        let agent = fleet.register(machine).await;
        for number in 0..12 {
            configurations.push(fleet.configure_as(agent, settings(&format!("number {number}"), hourly(1 + number % 2))).await);
        }
    }
    for _ in 0..ROUNDS {
        fleet.rig.pass(HOUR_MICROS).await;
        tick_all(&servers, HOUR_MICROS).await;
    }
    fleet.pass(0).await;
    for (place, configuration) in configurations.into_iter().enumerate() {
        let every = if place % 2 == 0 { 1 } else { 2 };
        let runs = fleet.backups(configuration).await;
        let instants: BTreeSet<_> = runs.iter().map(|run| run.due_at).collect();
        assert_eq!((runs.len(), instants.len()), (usize::try_from(ROUNDS / every).expect("few"), runs.len()), "every {every} h");
        assert!(runs.iter().filter(|run| run.state.is_waiting()).count() <= 1);
    }
}

/// While one server's tick would call a run missed, its agent takes it at another server.
pub(super) async fn a_run_that_was_taken_is_never_missed_whichever_server_ticks(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let servers = servers(&fleet).await;
    for number in 0..20 {
        fleet.configure(&format!("number {number}"), hourly(1)).await;
    }
    for round in 0..ROUNDS {
        fleet.pass(if round == 0 { HOUR_MICROS } else { 45 * MINUTE }).await;
        let wanted = fleet.store().work_of(fleet.agent).await.expect("the catalog answers").runs;
        assert_eq!(wanted.len(), 20);
        fleet.rig.pass(15 * MINUTE).await;
        let agent = fleet.agent;
        let takers = wanted.iter().map(|run| run.id).zip(servers[1..].iter().cycle().cloned());
        let takers = takers.map(|(run, server)| tokio::spawn(async move { (run, server.report_run(agent, run, update(S::Queued)).await) }));
        let mut tick = None;
        for taker in takers.collect::<Vec<_>>() {
            let (run, outcome) = taker.await.expect("no report panics");
            let is_taken = outcome.expect("the catalog answers").expect("it is in order").is_some();
            // It begins while they come in, of whom the first is in time.
            if tick.is_none() {
                assert!(is_taken, "nobody has ticked yet");
                let ticking = servers[0].clone();
                tick = Some(tokio::spawn(async move { ticking.tick_fleet(15 * MINUTE).await }));
            }
            let state = fleet.state(run).await;
            assert_eq!(state, if is_taken { S::Queued } else { S::Missed });
        }
        tick.expect("there are twenty").await.expect("no tick panics").expect("the fleet ticks");
        for run in wanted {
            if fleet.state(run.id).await == S::Queued {
                fleet.say_all(run.id, &[S::Preparing, S::Failed]).await;
            }
        }
    }
}
