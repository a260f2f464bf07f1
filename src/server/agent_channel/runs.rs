//! `POST runs/ID`: how far a run is. The answer is the run as it is to be done, or null where nothing of it is wanted any more.

use serde::Serialize;

use super::{Answer, caller, json, judged, read};
use crate::server::fault::ApiFault;
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::work::Run;

#[derive(Serialize)]
struct Reported {
    run: Option<Run>,
}

pub async fn report(head: &RequestHead, id: i64, body: &mut RequestBody) -> Answer {
    let agent = caller::newest(head).await?;
    let sent: RunReport = read(head, body).await?;
    let update = sent.into_model().map_err(|error| ApiFault::bad_request(error.message))?;
    let run = judged(head.context.store.report_run(agent.id, id, update).await?)?;
    let opens = |account: &str, generation: i64| head.context.vault_secret.password(account, generation);
    Ok(json(&Reported { run: run.map(|run| Run::of(&run, &opens)) }))
}
