//! Why a call came to nothing, as far as the agent acts on it.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::vault::backend::rest::line::{Answer, Cause, Trouble};
use crate::vault::backend::rest::refusal::retry_after;

/// Why a call came to nothing. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// 410 with this agent's own id: it was deleted.
    #[error("the agent was deleted")]
    Deleted,
    /// 401: a wrong host, an older catalog, a proxy. An outage, whatever it says.
    #[error("the server does not know this agent: {0}")]
    Unknown(String),
    /// 409: a newer process is up, another machine, or a report out of order.
    #[error("{0}")]
    Conflict(String),
    /// The server will not do it if asked again.
    #[error("the server refuses: {status}: {said}")]
    Refused { status: StatusCode, said: String },
    /// The server is not the one that is trusted.
    #[error("{0}")]
    Distrusted(String),
    /// It may go better later: in `after`, where the server said so.
    #[error("the server cannot be reached")]
    Unavailable { source: Cause, after: Option<Duration> },
    #[error("cancelled")]
    Cancelled,
}

impl CallError {
    pub(super) fn passing(why: impl Into<Cause>) -> Self {
        Self::Unavailable { source: why.into(), after: None }
    }

    /// What an answer that is no success means to the agent of this id.
    pub(super) fn of_answer(answer: &Answer, agent: i64) -> Self {
        let (status, fault) = (answer.status, Fault::of(answer));
        let said = fault.message.clone().unwrap_or_else(|| status.to_string());
        match status {
            StatusCode::GONE if agent > 0 && fault.details == Some(agent.to_string()) => Self::Deleted,
            StatusCode::UNAUTHORIZED => Self::Unknown(said),
            StatusCode::CONFLICT => Self::Conflict(said),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Self::wait(said, answer),
            // The API's word for too often is 413 with a time.
            StatusCode::PAYLOAD_TOO_LARGE if retry_after(&answer.headers).is_some() => Self::wait(said, answer),
            // Of a host that is no server of ours, or a proxy before it.
            _ if !fault.is_one || status.is_server_error() || status.is_redirection() => Self::wait(said, answer),
            _ => Self::Refused { status, said },
        }
    }

    fn wait(said: String, answer: &Answer) -> Self {
        Self::Unavailable { source: format!("{}: {said}", answer.status).into(), after: retry_after(&answer.headers) }
    }
}

impl From<Trouble> for CallError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Cancelled => Self::Cancelled,
            Trouble::Distrusted(why) => Self::Distrusted(why),
            Trouble::Broken(cause) => Self::passing(cause),
            Trouble::Cut { received_bytes, cause } => Self::passing(format!("the answer ended after {received_bytes} bytes: {cause}")),
        }
    }
}

/// `{"kind": {"code": …, "message": …, "details": …}}`
#[derive(Default)]
struct Fault {
    is_one: bool,
    message: Option<String>,
    details: Option<String>,
}

impl Fault {
    fn of(answer: &Answer) -> Self {
        let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&answer.body) else { return Self::default() };
        let Some(fault) = body.values().next().filter(|fault| fault["code"] == answer.status.as_u16()) else { return Self::default() };
        let text = |name: &str| fault[name].as_str().map(|text| text.chars().filter(|letter| !letter.is_control()).take(300).collect());
        Self { is_one: true, message: text("message"), details: text("details") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> CallError {
        let answer = Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: http::HeaderMap::new(),
            body: body.as_bytes().to_vec().into(),
        };
        CallError::of_answer(&answer, 4101)
    }

    #[test]
    fn only_410_with_the_agents_own_id_means_deleted() {
        let gone =
            |details: &str| format!(r#"{{"gone": {{"code": 410, "message": "Agent {details} was deleted.", "details": "{details}"}}}}"#);
        assert!(matches!(of(410, &gone("4101")), CallError::Deleted));
        for (status, body) in [(410, gone("4102").as_str()), (410, ""), (410, "<html>"), (404, "<html>"), (502, ""), (302, "")] {
            let error = of(status, body);
            let is_passing = matches!(error, CallError::Unavailable { .. } | CallError::Refused { .. });
            assert!(is_passing, "{status} {body}: {error:?}");
        }
        assert!(matches!(of(401, "anything"), CallError::Unknown(_)));
    }

    #[test]
    fn what_is_no_fault_of_ours_is_an_outage() {
        assert!(matches!(of(404, "nothing here"), CallError::Unavailable { .. }));
        let ours = r#"{"itemNotFound": {"code": 404, "message": "Run 7 is none of agent 4101."}}"#;
        assert!(matches!(of(404, ours), CallError::Refused { said, .. } if said.starts_with("Run 7")));
    }
}
