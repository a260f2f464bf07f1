//! The identity service: the three forms of a login, what they answer to the letter, and what is refused.

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::user::{User, by_token, post_tokens, token_of};

pub const UNAUTHORIZED: &str = r#"{"unauthorized":{"code":401,"message":"Unable to authenticate user with credentials provided."}}"#;
const UNREADABLE: &str =
    r#"{"badRequest":{"code":400,"message":"Invalid request body: unable to parse Auth data. Please review XML or JSON formatting"}}"#;

/// `2026-03-01T12:00:00.000Z`
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|letter| if letter.is_ascii_digit() { '9' } else { letter }).collect();
    shape == "9999-99-99T99:99:99.999Z"
}

/// The whole answer, in the order in which the service sends it.
fn expected(answer: &Answer, user: &User, origin: &str, by: &str, id: &str) -> String {
    let (token, tenant) = (token_of(answer), &user.tenant);
    let expires = answer.json()["access"]["token"]["expires"].as_str().expect("an end").to_owned();
    assert!(is_time(&expires), "{expires}");
    let name = &user.name;
    format!(
        concat!(
            r#"{{"access":{{"token":{{"id":"{token}","expires":"{expires}","tenant":{{"id":"{tenant}","name":"{tenant}"}},"#,
            r#""RAX-AUTH:authenticatedBy":["{by}"]}},"serviceCatalog":[{{"name":"cloudBackup","type":"rax:backup","endpoints":["#,
            r#"{{"region":"DFW","tenantId":"{tenant}","publicURL":"{origin}/v1.0/{tenant}"}}]}},"#,
            r#"{{"name":"cloudFiles","type":"object-store","endpoints":["#,
            r#"{{"region":"DFW","tenantId":"{tenant}","publicURL":"{origin}/v1/{tenant}","internalURL":"{origin}/v1/{tenant}"}}]}}],"#,
            r#""user":{{"id":"{id}","name":"{name}","RAX-AUTH:defaultRegion":"DFW","#,
            r#""roles":[{{"id":"3","name":"identity:user-admin","description":"Account owner"}}]}}}}}}"#,
        ),
        token = token,
        expires = expires,
        tenant = tenant,
        by = by,
        origin = origin,
        id = id,
        name = name,
    )
}

#[test]
fn all_three_forms_answer_as_the_service_did() {
    for server in TestServer::each_catalog() {
        let (ada, origin) = (User::add(&server, "ada", &["--tenant", "5501"]), server.site().origin());
        let first = ada.log_in();
        first.expect_fault(200, &expected(&first, &ada, &origin, "APIKEY", "1"));
        let second = post_tokens(server.site(), &ada.by_password());
        second.expect_fault(200, &expected(&second, &ada, &origin, "PASSWORD", "1"));
        assert_ne!(token_of(&first), token_of(&second));
        let again = post_tokens(server.site(), &by_token(&token_of(&first), "5501"));
        again.expect(200).expect_body(&first.body);
        let named = json!({"auth": {"tenantName": "5501", "token": {"id": token_of(&second)}}});
        post_tokens(server.site(), &named).expect(200).expect_body(&second.body);
    }
}

#[test]
fn a_tenant_beside_credentials_has_to_match() {
    let server = TestServer::start();
    let ada = User::add(&server, "ada", &["--tenant", "5501"]);
    let token = ada.token();
    for mut body in [ada.by_api_key(), ada.by_password(), by_token(&token, "5501")] {
        for member in ["tenantId", "tenantName"] {
            body["auth"][member] = "5501".into();
            post_tokens(server.site(), &body).expect(200);
            body["auth"][member] = "5502".into();
            post_tokens(server.site(), &body).expect_fault(401, UNAUTHORIZED);
            body["auth"][member] = "5501".into();
        }
    }
}

#[test]
fn wrong_logins_of_every_kind_are_one_answer() {
    for server in TestServer::each_catalog() {
        let ada = User::add(&server, "ada", &[]);
        let bob = User::add(&server, "bob", &[]);
        let wrong = |change: fn(&mut User, &User)| {
            let mut user = ada.clone();
            change(&mut user, &bob);
            [post_tokens(server.site(), &user.by_api_key()), post_tokens(server.site(), &user.by_password())]
        };
        let answers = [
            wrong(|user, _| user.name = "nobody".to_owned()),
            wrong(|user, _| user.name = "Ada".to_owned()),
            wrong(|user, _| user.name = "ada ".to_owned()),
            wrong(|user, _| user.name = "a\u{0}\n".to_owned()),
            wrong(|user, _| user.name = "x".repeat(10_000)),
            wrong(|user, bob| user.name.clone_from(&bob.name)),
            wrong(|user, _| std::mem::swap(&mut user.api_key, &mut user.password)),
            wrong(|user, _| (user.api_key, user.password) = (user.api_key.to_uppercase(), user.password.to_lowercase())),
            wrong(|user, _| (user.api_key, user.password) = (String::new(), String::new())),
        ];
        let unknown = ["", "0123456789abcdef0123456789abcdef"].map(|token| post_tokens(server.site(), &by_token(token, &ada.tenant)));
        let names = |answer: &Answer| -> Vec<String> {
            answer.heads.last().map(|head| head.headers.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default()
        };
        for answer in answers.iter().flatten().chain(&unknown) {
            answer.expect_fault(401, UNAUTHORIZED);
            assert_eq!(names(answer), names(&answers[0][0]));
            assert!(answer.header("www-authenticate").is_some_and(|line| !line.contains("Basic")), "no browser asks for a password");
        }
    }
}

#[test]
fn what_is_no_login_is_told_so_to_the_letter() {
    let server = TestServer::start();
    let deep = "[".repeat(100_000);
    for body in ["", "{", "null", "{}", r#"{"auth":{}}"#, r#"{"auth":{"token":"x"}}"#, "<auth/>", "username=ada&password=x", &deep] {
        server.site().curl(&["-X", "POST", "--data-binary", body], "/v2.0/tokens").expect_fault(400, UNREADABLE);
    }
    server.site().curl(&["-X", "POST"], "/v2.0/tokens").expect_fault(400, UNREADABLE);
}

#[test]
fn paths_and_types_are_read_as_leniently_as_clients_write_them() {
    let server = TestServer::start();
    let ada = User::add(&server, "ada", &[]);
    let body = ada.by_api_key().to_string();
    for kind in ["application/json", "application/json; charset=utf-8", "application/json;", "text/plain"] {
        let header = format!("Content-Type: {kind}");
        for path in ["/v2.0/tokens", "/v2.0/tokens/", "/v2.0/tokens?x=1"] {
            server.site().curl(&["-H", &header, "-H", "Accept;", "--data-binary", &body], path).expect(200);
        }
    }
    server.site().curl(&["-H", "Transfer-Encoding: chunked", "--data-binary", &body], "/v2.0/tokens").expect(200);
}

#[test]
fn other_methods_and_paths_are_faults_too() {
    let server = TestServer::start();
    let ada = User::add(&server, "ada", &[]);
    let token = format!("X-Auth-Token: {}", ada.token());
    for (method, path, allow) in
        [("GET", "/v2.0/tokens", "POST"), ("DELETE", "/v2.0/tokens/", "POST"), ("POST", "/v2.0/users", "GET, HEAD")]
    {
        let body = format!(r#"{{"badMethod":{{"code":405,"message":"This path takes {allow} alone."}}}}"#);
        server.site().curl(&["-X", method], path).expect_fault(405, &body).expect_header("allow", allow);
    }
    for path in ["/v2.0/", "/v2.0/tokens/x", "/v2.0/tenants", "/v2.0//tokens", "/v2.0/tokens//"] {
        let answer = server.site().curl(&["-H", &token], path);
        answer.expect_fault(404, r#"{"itemNotFound":{"code":404,"message":"There is no such path in this API."}}"#);
    }
}

#[test]
fn regions_and_the_public_url_make_the_catalog_of_services() {
    let server = Setup::new().set("public_url", "https://backup.example.net/").set("regions", "ord,Lon").start();
    let ada = User::add(&server, "ada", &["--tenant", "5501"]);
    let access = ada.log_in().expect(200).json();
    let services = &access["access"]["serviceCatalog"];
    let endpoint = |region: &str| json!({"region": region, "tenantId": "5501", "publicURL": "https://backup.example.net/v1.0/5501"});
    assert_eq!(services[0]["endpoints"], json!([endpoint("ORD"), endpoint("LON")]));
    assert_eq!((&services[0]["name"], &services[0]["type"]), (&json!("cloudBackup"), &json!("rax:backup")));
    let files: Vec<&Value> = services[1]["endpoints"].as_array().expect("endpoints").iter().collect();
    assert!(files.iter().all(|endpoint| endpoint["internalURL"] == "https://backup.example.net/v1/5501" && endpoint["tenantId"] == "5501"));
    assert_eq!(files.iter().map(|endpoint| endpoint["region"].as_str().expect("a region")).collect::<Vec<_>>(), ["ORD", "LON"]);
    assert_eq!(access["access"]["user"]["RAX-AUTH:defaultRegion"], "ORD");
}

#[test]
fn the_oldest_clients_log_in_with_headers() {
    for server in TestServer::each_catalog() {
        let ada = User::add(&server, "ada", &[]);
        let log_in = |name: &str, key: &str, path| {
            server.site().curl(&["-H", &format!("X-Auth-User: {name}"), "-H", &format!("X-Auth-Key: {key}")], path)
        };
        for path in ["/v1.0", "/v1.0/"] {
            let answer = log_in("ada", &ada.api_key, path);
            answer.expect(204).expect_body(b"").expect_header("cache-control", "no-store").expect_no_header("x-storage-url");
            ada.look_with(answer.header("x-auth-token").expect("a token")).expect(200);
            log_in("ada", &ada.password, path).expect_fault(401, UNAUTHORIZED).expect_no_header("x-auth-token");
            log_in("nobody", &ada.api_key, path).expect_fault(401, UNAUTHORIZED);
        }
        server.site().curl(&["-H", "X-Auth-User: ada"], "/v1.0").expect_fault(401, UNAUTHORIZED);
    }
}

#[test]
fn a_token_finds_the_users_of_its_own_tenant() {
    for server in TestServer::each_catalog() {
        let ada = User::add(&server, "ada@example.com", &["--tenant", "5501"]);
        User::add(&server, "bob", &["--tenant", "5501"]);
        User::add(&server, "cyd", &["--tenant", "7"]);
        let token = format!("X-Auth-Token: {}", ada.token());
        let find = |name: &str| server.site().curl(&["-H", &token], &format!("/v2.0/users?name={name}"));
        let found = find("ada%40example.com").expect(200).json();
        assert_eq!(found["user"]["username"], "ada@example.com");
        assert_eq!((&found["user"]["id"], &found["user"]["enabled"]), (&json!("1"), &json!(true)));
        assert_eq!(find("bob").expect(200).json()["user"]["RAX-AUTH:domainId"], "5501");
        let missing = r#"{"itemNotFound":{"code":404,"message":"There is no user of this name in your tenant."}}"#;
        for name in ["cyd", "nobody", "Bob", "a%00b", ""] {
            find(name).expect_fault(404, missing);
        }
        server.site().curl(&["-H", &token], "/v2.0/users").expect(400);
        let refused = r#"{"unauthorized":{"code":401,"message":"The token is missing, unknown, expired or revoked. POST /v2.0/tokens makes a new one."}}"#;
        for header in ["X-Other: x", "X-Auth-Token: 0123456789abcdef0123456789abcdef", "X-Auth-Token;"] {
            server.site().curl(&["-H", header], "/v2.0/users?name=bob").expect_fault(401, refused);
        }
        server.site().curl(&["-H", &token, "-H", &token], "/v2.0/users?name=bob").expect_fault(401, refused);
    }
}

#[test]
fn the_versions_are_listed_for_programs_and_browsers_are_asked_for_their_password() {
    let server = TestServer::start();
    let origin = server.site().origin();
    let object = format!(
        r#"{{"id":"v1.0","status":"CURRENT","updated":"2015-09-09T00:00:00Z","links":[{{"rel":"self","href":"{origin}/v1.0/"}}]}}"#
    );
    let all = format!(r#"{{"versions":[{object}]}}"#);
    for header in ["X-Auth-Token: nonsense", "Accept: application/json", "Accept: text/html, application/json;q=0.5"] {
        server.site().curl(&["-H", header], "/").expect_fault(200, &all);
    }
    for header in ["Accept: */*", "Accept: text/html", "Accept;"] {
        server
            .site()
            .curl(&["-H", header], "/")
            .expect(401)
            .expect_header("www-authenticate", "Basic realm=\"Strongroom\", charset=\"UTF-8\"");
    }
    for path in ["/v1.0", "/v1.0/"] {
        server.site().curl::<&str>(&[], path).expect_fault(200, &format!(r#"{{"version":{object}}}"#));
        server.site().curl(&["-X", "POST"], path).expect(405).expect_header("allow", "GET, HEAD");
    }
    server.site().curl(&["-I", "-H", "Accept: application/json"], "/").expect(200).expect_body(b"");
    server.account().get_with("Accept: application/json", "/").expect(200).expect_body(b"[]\n");
}

/// Whatever stands in an account keeps its name; a token decides where both come along.
#[test]
fn a_token_beside_a_password_wins_below_the_apis_paths_alone() {
    let server = TestServer::start();
    let (account, ada) = (server.account(), User::add(&server, "ada", &[]));
    for path in ["/v2.0/users", "/v1.0/user/agents", "/v1.0", "/a"] {
        account.store(path, path);
        account.expect_file(path, path.as_bytes());
    }
    let token = format!("X-Auth-Token: {}", ada.token());
    let found = account.get_with(&token, "/v2.0/users?name=ada");
    assert_eq!(found.expect(200).json()["user"]["name"], "ada");
    account.get_with(&token, "/v1.0/user/nothing").expect(404).expect_header("content-type", "application/json; charset=utf-8");
    for path in ["/a", "/v1.0"] {
        account.get_with(&token, path).expect(200).expect_body(path.as_bytes());
    }
    assert!(account.get_with(&token, "/").expect(200).json().is_array(), "the account's own list");
}
