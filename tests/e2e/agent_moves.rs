//! Vaults that change hands: to a new agent, away with a deleted one and back.

use std::path::PathBuf;

use serde_json::json;

use crate::support::agent::{AGENT_SOON, Agent};
use crate::support::estate::Estate;
use crate::support::fleet::text;
use crate::support::runs::Wanted;
use crate::support::seen::seen;
use crate::support::wait_until;

struct Ground {
    agent: Agent,
    source: PathBuf,
    configuration: i64,
    backup: i64,
    estate: Estate,
}

impl Ground {
    fn new(estate: Estate) -> Self {
        let agent = estate.agent("web-a");
        let source = estate.planted("source", 11, 4);
        let configuration = estate.configure(&agent, &source, &json!({}));
        let backup = estate.api.complete(configuration);
        Self { agent, source, configuration, backup, estate }
    }

    #[track_caller]
    fn expect_restored(&self, name: &str, source: i64, destination: i64) {
        let target = self.estate.path(name);
        self.estate.api.restore(&Wanted { destination, ..Wanted::all(self.backup, source, &target) });
        assert_eq!(seen(&target.join(self.source.strip_prefix("/").expect("a whole path"))), seen(&self.source));
    }
}

#[test]
fn a_migrated_vault_goes_on_under_its_new_agent() {
    Estate::on_each_catalog(|estate| {
        let ground = Ground::new(estate);
        let api = &ground.estate.api;
        let new = ground.estate.agent("web-b");
        api.await_online(new.id);
        let ids = json!({"SourceMachineAgentId": ground.agent.id, "DestinationMachineAgentId": new.id});
        api.put("/agent/migratevault", &ids).expect(200).expect_body(b"");
        ground.expect_restored("by source", ground.agent.id, new.id);
        ground.expect_restored("by destination", new.id, new.id);
        let theirs = ground.estate.configure(&new, &ground.source, &json!({"BackupConfigurationName": "goes on"}));
        let second = api.complete(theirs);
        let stored = text(&api.any_report(second)["BytesBackedUp"]);
        assert!(stored.ends_with("bytes") || stored.ends_with("KB"), "what the vault has is not stored again: {stored}");
        // The old one begins anew, in a vault of its own.
        let shown = api.get(&format!("/backup-configuration/{}", ground.configuration)).expect(200).json();
        assert_eq!(shown["IsActive"], false);
        api.post(&format!("/backup-configuration/enable/{}", ground.configuration), &json!({"Enable": true})).expect(200);
        let anew = api.complete(ground.configuration);
        assert!(text(&api.any_report(anew)["BytesBackedUp"]).ends_with("MB"));
        for agent in [ground.agent.id, new.id] {
            if let Some(restic) = ground.estate.opened(agent)[0].restic("") {
                restic.ok(&["check", "--read-data"]);
            }
        }
    });
}

#[test]
fn a_deleted_agent_comes_back_with_everything() {
    Estate::on_each_catalog(|estate| {
        let mut ground = Ground::new(estate);
        let id = ground.agent.id;
        ground.estate.api.post("/agent/delete", &json!({"MachineAgentId": id})).expect(204);
        ground.agent.await_end();
        ground.estate.api.get(&format!("/agent/{id}")).expect(404);
        // Started again, it finds that it is still deleted, and leaves its keys alone.
        let again = ground.agent.start_in_vain();
        assert!(again.complaint.contains("deleted") || again.complaint.contains("not registered"), "{again:?}");
        ground.estate.server.run(&["fleet", "revive", &id.to_string()]).expect_exit(0);
        ground.agent.start();
        ground.estate.api.await_online(id);
        wait_until("it is noted that the server knows it", AGENT_SOON, || ground.agent.bootstrap()["IsRegistered"] == true);
        ground.expect_restored("target", id, id);
        ground.estate.api.complete(ground.configuration);
    });
}

/// A restore on another machine that began before.
#[test]
fn a_deletion_takes_nothing_from_under_a_restore() {
    let mut ground = Ground::new(Estate::new());
    let other = ground.estate.agent("web-b");
    let target = ground.estate.path("target");
    ground.estate.proxy.gate().hold("GET /agent/v1/restores/", 3);
    let wanted = Wanted { destination: other.id, ..Wanted::all(ground.backup, ground.agent.id, &target) };
    let restore = ground.estate.api.begin_restore(&wanted);
    ground.estate.proxy.gate().await_held();
    ground.estate.api.post("/agent/delete", &json!({"MachineAgentId": ground.agent.id})).expect(204);
    ground.agent.await_end();
    ground.estate.proxy.gate().open();
    ground.estate.api.await_completed(restore);
    assert_eq!(seen(&target.join(ground.source.strip_prefix("/").expect("a whole path"))), seen(&ground.source));
}
