//! The Cloud Backup API while the catalog is away, and behind another name.

use std::sync::Arc;

use crate::control_answers::{AGENT, with};
use crate::control_roles::{TABLE, stage_kept};
use crate::support::fleet::Api;
use crate::support::openapi::expect_documented;
use crate::support::postgres;
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::told::Scene;
use crate::support::{SOON, wait_until};

#[test]
fn every_call_says_when_to_come_again_while_the_catalog_is_away() {
    let Some(database) = postgres::private_database() else { return };
    let database = Arc::new(database);
    let server = Setup::new().database(Arc::clone(&database)).start();
    let stage = Stage::of(Api::new(&server));
    let requests = TABLE.map(|(request, body, ..)| (stage_kept(&stage, request), stage_kept(&stage, body)));
    database.stop_engine();
    let message = "The store cannot be reached just now. Try again in a moment.";
    let fault = format!(r#"{{"serviceUnavailable":{{"code":503,"message":"{message}","details":""}}}}"#);
    for (request, body) in &requests {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let answer = stage.api.call(method, path, (!body.is_empty()).then_some(body));
        answer.expect_fault(503, &fault).expect_header("retry-after", "10");
        expect_documented(method, &format!("/v1.0{path}"), 503, &answer.text());
    }
    stage.api.get("/help/apihealth").expect(200);
    stage.api.get("/help/health").expect_fault(503, &fault);
    database.start_engine();
    wait_until("service is back", SOON, || stage.api.get("/user/agents").status() == 200);
    stage.api.get("/help/health").expect(200);
}

#[test]
fn a_vault_is_named_under_the_servers_public_address() {
    let scene = Scene::start(Setup::new().set("public_url", "https://backup.example.net/"));
    scene.get("/agent/1001").is(200, &with(AGENT, &[("ORIGIN", "https://backup.example.net")]));
}
