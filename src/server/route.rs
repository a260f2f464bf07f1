//! Every URL we answer, and the one place where a request becomes an answer.

use std::sync::Arc;

use http::StatusCode;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Response};
use hyper::body::Incoming;

use super::access_log::LoggedAccount;
use super::agent_channel;
use super::auth;
use super::context::{Context, Peer};
use super::control;
use super::error::ApiError;
use super::files::{get_visited, put_file};
use super::headers::accept::{self, error_form};
use super::headers::basic::{self, Login};
use super::headers::{host, same_origin};
use super::health::show_health;
use super::identity;
use super::list::{Viewer, get_list};
use super::operation::{Operation, allowed};
use super::reply::{self, Body};
use super::repository;
use super::request::RequestHead;
use super::request_body::RequestBody;
use super::sessions;
use super::token_auth;
use super::versions;
use crate::model::access::{AccountId, Secret};
use crate::model::account::Kind;
use crate::model::file_name::FileName;
use crate::model::view::View;
use crate::store::sessions::Session;
use crate::store::visit::{Asked, Visit};

/// Whose a URL is. No name is reserved: with Basic credentials every path is one of the account's, except those of sessions
/// that exist or existed, and those of the Cloud Backup API where a token comes along.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/session/` + 22 letters and digits + `/…`; `path` is what follows the token, with its `/`. The store knows whether
    /// there is such a session.
    Session { token: &'a str, path: &'a str },
    /// It carries Basic credentials, right or wrong.
    Account,
    /// `/health` without credentials.
    Health,
    /// Anything else below `/session/` without credentials.
    NoSession,
    /// Below `/v2.0/`, without Basic credentials or with a token beside them.
    Identity,
    /// Below `/v1.0/`, the same.
    Control,
    /// Below `/agent/v1/`, without Basic credentials.
    AgentChannel,
    /// The versions of the Cloud Backup API: `/v1.0` and `/v1.0/`, and `GET /` of a client that sends a token or names JSON.
    Versions,
    /// Whatever else carries no credentials.
    Login,
}

impl std::fmt::Debug for Route<'_> {
    /// The token opens the session.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session { path, .. } => write!(out, "Session {{ token: redacted, path: {path:?} }}"),
            Self::Account => out.write_str("Account"),
            Self::Health => out.write_str("Health"),
            Self::NoSession => out.write_str("NoSession"),
            Self::Identity => out.write_str("Identity"),
            Self::Control => out.write_str("Control"),
            Self::AgentChannel => out.write_str("AgentChannel"),
            Self::Versions => out.write_str("Versions"),
            Self::Login => out.write_str("Login"),
        }
    }
}

impl<'a> Route<'a> {
    /// `path` is still percent-encoded.
    pub fn of(method: &Method, path: &'a str, headers: &HeaderMap, login: &Login) -> Self {
        let session = path.strip_prefix("/session/").and_then(|rest| Some(rest.split_at(rest.find('/')?)));
        let is_below = |folder| path.starts_with(folder);
        let wins = token_auth::is_sent(headers) && (is_below("/v1.0/") || is_below("/v2.0/"));
        match (session, login) {
            (Some((token, path)), _) if Secret::is_well_formed(token) => Self::Session { token, path },
            (_, Login::Sent(_) | Login::Malformed) if !wins => Self::Account,
            _ if path == "/health" => Self::Health,
            _ if is_below_session(path) => Self::NoSession,
            _ if is_below("/v2.0/") => Self::Identity,
            _ if ["/v1.0", "/v1.0/"].contains(&path) || asks_for_versions(method, path, headers) => Self::Versions,
            _ if is_below("/v1.0/") => Self::Control,
            _ if is_below("/agent/v1/") => Self::AgentChannel,
            _ => Self::Login,
        }
    }
}

/// Browsers and wget name no JSON, and hear at this path that they need a password.
fn asks_for_versions(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    path == "/" && [Method::GET, Method::HEAD].contains(method) && (token_auth::is_sent(headers) || accept::names_json(headers))
}

/// Whether an answer about this path has to be as careful as one of a session: a token may stand in it.
pub fn is_below_session(path: &str) -> bool {
    path.starts_with("/session/")
}

/// Answers one request; never fails: what goes wrong is an answer, too.
pub async fn handle(context: Arc<Context>, peer: Peer, request: http::Request<Incoming>) -> Response<Body> {
    let (parts, incoming) = request.into_parts();
    let mut body = RequestBody::new(incoming, &parts);
    let head = RequestHead { context, peer, parts };
    let answer = Box::pin(answer(&head, &mut body)).await;
    let mut response = answer.into_response(&head);
    // After these two servers may disagree about what follows, so nothing follows.
    if head.headers().contains_key(TRANSFER_ENCODING) || head.method() == Method::CONNECT {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    body.leave(&head, &mut response);
    response
}

type Outcome = Result<Response<Body>, ApiError>;

/// An outcome and what is known of whom it is for.
struct Answer {
    outcome: Outcome,
    account: Option<AccountId>,
    /// The list that an error page leads back to.
    home: Option<String>,
    is_session: bool,
}

impl Answer {
    const fn to_nobody(outcome: Outcome) -> Self {
        Self { outcome, account: None, home: None, is_session: false }
    }

    const fn to_session(outcome: Outcome) -> Self {
        Self { outcome, account: None, home: None, is_session: true }
    }

    fn into_response(self, head: &RequestHead) -> Response<Body> {
        let mut response = self.outcome.unwrap_or_else(|error| {
            error.log();
            error.into_response(error_form(head.headers()), self.home.as_deref())
        });
        if self.is_session {
            reply::guard_session(response.headers_mut());
        }
        reply::guard(response.headers_mut(), head.peer.is_tls);
        if let Some(account) = self.account {
            response.extensions_mut().insert(LoggedAccount(account));
        }
        response
    }
}

async fn answer(head: &RequestHead, body: &mut RequestBody) -> Answer {
    if let Err(error) = host::check(&head.parts) {
        return Answer::to_nobody(Err(ApiError::bad_request(format!("The request is ambiguous: {error}.")).closing()));
    }
    let login = basic::login(head.headers());
    let route = Route::of(head.method(), head.path(), head.headers(), &login);
    // A balancer asks for the health of an address, whatever clients call it.
    if route != Route::Health && !head.context.links.serve(host::host(head.headers())) {
        let is_session = matches!(route, Route::Session { .. } | Route::NoSession);
        let outcome = Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, FOREIGN_HOST));
        return Answer { is_session, ..Answer::to_nobody(outcome) };
    }
    match route {
        Route::Session { token, path } => match sessions::find_session(head, token).await {
            Ok(Session::Unknown) if !matches!(login, Login::Absent) => answer_account(head, login, body).await,
            found => answer_session(head, found, token, path).await,
        },
        Route::Account => answer_account(head, login, body).await,
        Route::Health => Answer::to_nobody(show_health(head).await),
        Route::NoSession => Answer::to_session(sessions::without_slash(head)),
        Route::Identity => Answer::to_nobody(Ok(identity::answer(head, body).await)),
        Route::Control => Answer::to_nobody(Ok(control::answer(head, body).await)),
        Route::AgentChannel => Answer::to_nobody(Ok(agent_channel::answer(head, body).await)),
        Route::Versions if head.path() == "/" => Answer::to_nobody(Ok(versions::all(head))),
        Route::Versions => Answer::to_nobody(Ok(identity::answer_v1(head).await)),
        Route::Login => Answer::to_nobody(Err(auth::challenge())),
    }
}

async fn answer_session(head: &RequestHead, found: Result<Session, ApiError>, token: &str, path: &str) -> Answer {
    match found {
        Ok(Session::Live { account, ends_at }) => Answer {
            outcome: sessions::read_session(head, &account, ends_at, path).await,
            account: Some(account.id.clone()),
            home: Some(format!("/session/{token}/")),
            is_session: true,
        },
        Ok(Session::Ended) => Answer::to_session(Err(sessions::ended())),
        Ok(Session::Unknown) => Answer::to_session(Err(sessions::unknown())),
        Err(error) => Answer::to_session(Err(error)),
    }
}

async fn answer_account(head: &RequestHead, login: Login, body: &mut RequestBody) -> Answer {
    let operation = Operation::of(head.method(), head.path(), head.query(), head.headers());
    match auth::authenticate(head, login, asked(head, operation)).await {
        Err(error) => Answer::to_nobody(Err(error)),
        Ok(visit) => Answer {
            account: Some(visit.account.id.clone()),
            outcome: operate(head, operation, visit, body).await,
            home: Some("/".to_owned()),
            is_session: false,
        },
    }
}

/// What the catalog is asked for together with the account. A name that is none is refused later, in its turn.
fn asked(head: &RequestHead, operation: Operation) -> Asked {
    match (operation, FileName::from_url_path(head.path())) {
        (Operation::Put | Operation::Post, Ok(name)) => Asked::Row(name),
        (Operation::Get, Ok(name)) if head.method() == Method::GET => Asked::File(name),
        (Operation::Get, Ok(name)) => Asked::Row(name),
        _ => Asked::Nothing,
    }
}

async fn operate(head: &RequestHead, operation: Operation, visit: Visit, body: &mut RequestBody) -> Outcome {
    let account = &visit.account;
    let operation = operation.within(account.kind);
    if operation.changes() && !same_origin::is_allowed(head.headers(), &head.origin()) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, FOREIGN_PAGE));
    }
    match operation {
        Operation::List => get_list(head, account, View::Now, Viewer::Owner).await,
        Operation::Get if account.kind == Kind::Vault => repository::read(head, visit).await,
        Operation::Post => repository::post(head, visit, body).await,
        Operation::Delete => repository::delete(head, account).await,
        Operation::Get => get_visited(head, visit).await,
        Operation::Put => put_file(head, visit, body).await,
        Operation::MakeSession(maker) => sessions::make_session(head, account, maker).await,
        Operation::Options => Ok(reply::options(allowed(head.path(), account.kind))),
        Operation::Refused => Err(ApiError::not_allowed(allowed(head.path(), account.kind), REFUSED)),
    }
}

const FOREIGN_HOST: &str = "No server of this name is here. Use the host of the access URL; a proxy in front has to pass on the Host that it was \
                            asked for.";

const FOREIGN_PAGE: &str = "A page of another site asked for this, so it is refused. Ask from the list's own page, or with a program.";

const REFUSED: &str = "This method does nothing here: files are kept until they expire, and nobody can delete, move or change them. GET, HEAD \
                       and PUT work; POST / makes a session with X-HTTP-Method-Override: MAKESESSION.";

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "abcdefghijklmnopqrst12";

    fn headers(lines: &[(&'static str, &'static str)]) -> http::HeaderMap {
        lines.iter().map(|(name, line)| (name.parse().expect("a header's name"), HeaderValue::from_static(line))).collect()
    }

    fn routes(path: &str) -> [Route<'_>; 4] {
        routes_with(path, &[])
    }

    /// The same with more headers.
    fn routes_with<'a>(path: &'a str, more: &[(&'static str, &'static str)]) -> [Route<'a>; 4] {
        let logins = [&[][..], &[("authorization", "Bearer x")], &[("authorization", "Basic YTpi")], &[("authorization", "Basic")]];
        logins.map(|lines| {
            let headers = headers(&[lines, more].concat());
            Route::of(&Method::GET, path, &headers, &basic::login(&headers))
        })
    }

    /// Nobody, another scheme, Basic, malformed Basic.
    #[test]
    fn only_basic_credentials_open_the_name_space_and_only_a_session_comes_before() {
        let open = |route| [route, route, Route::Account, Route::Account];
        for path in ["/", "/a", "/healthy", "/session", "/sessions/x", "/metrics", "/v1", "/v2.0", "/v1.0x", "/v1.00/", "//v1.0/", "*", ""]
        {
            assert_eq!(routes(path), open(Route::Login), "{path}");
        }
        for (path, route) in [
            ("/v1.0", Route::Versions),
            ("/v1.0/", Route::Versions),
            ("/v1.0/5501", Route::Control),
            ("/v1.0//", Route::Control),
            ("/v1.0/user/agents", Route::Control),
            ("/v2.0/", Route::Identity),
            ("/v2.0/tokens", Route::Identity),
        ] {
            assert_eq!(routes(path), open(route), "{path}");
        }
        assert_eq!(routes("/health"), open(Route::Health));
        let (bare, long, deep) = (format!("/session/{TOKEN}"), format!("/session/{TOKEN}3/"), format!("/session/x/{TOKEN}/"));
        for path in ["/session/", "/session//", "/session/short/", "/session/abcdefghijklmnopqrst1-/", &bare, &long, &deep] {
            assert_eq!(routes(path), open(Route::NoSession), "{path}");
        }
        for rest in ["/", "/a/b", "//", "/session/"] {
            assert_eq!(routes(&format!("/session/{TOKEN}{rest}")), [Route::Session { token: TOKEN, path: rest }; 4], "{rest}");
        }
    }

    /// A token beside Basic credentials wins where the Cloud Backup API is, and nowhere else.
    #[test]
    fn a_token_wins_over_basic_credentials_below_the_apis_own_paths_alone() {
        let token = [("x-auth-token", "x")];
        for (path, route) in [
            ("/v1.0/", Route::Versions),
            ("/v1.0/5501/user/agents", Route::Control),
            ("/v2.0/tokens", Route::Identity),
            ("/v2.0/", Route::Identity),
        ] {
            assert_eq!(routes_with(path, &token), [route; 4], "{path}");
        }
        for (path, route) in [
            ("/", Route::Versions),
            ("/v1.0", Route::Versions),
            ("/a", Route::Login),
            ("/v2.0", Route::Login),
            ("/health", Route::Health),
            ("/session/x/", Route::NoSession),
        ] {
            assert_eq!(routes_with(path, &token), [route, route, Route::Account, Route::Account], "{path}");
        }
        let session = format!("/session/{TOKEN}/");
        assert_eq!(routes_with(&session, &token), [Route::Session { token: TOKEN, path: "/" }; 4]);
    }

    #[test]
    fn the_root_is_the_list_of_versions_for_programs_that_say_so() {
        let of = |method: &Method, line: (&'static str, &'static str)| Route::of(method, "/", &headers(&[line]), &Login::Absent);
        for line in
            [("x-auth-token", ""), ("x-auth-token", "nonsense"), ("accept", "application/json"), ("accept", "*/*, application/json")]
        {
            assert_eq!([of(&Method::GET, line), of(&Method::HEAD, line)], [Route::Versions; 2], "{line:?}");
            assert_eq!([of(&Method::POST, line), of(&Method::OPTIONS, line)], [Route::Login; 2], "{line:?}");
        }
        for line in [("accept", "*/*"), ("accept", "text/html,*/*;q=0.8"), ("accept", ""), ("x-auth-user", "ada")] {
            assert_eq!(of(&Method::GET, line), Route::Login, "{line:?}");
        }
        assert_eq!(routes_with("/", &[("accept", "application/json")])[2..], [Route::Account; 2], "the account's own list");
    }
}
