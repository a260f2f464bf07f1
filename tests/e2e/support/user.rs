//! A user of the Cloud Backup API, as its clients log in.

use serde_json::{Value, json};

use super::account::Site;
use super::answer::Answer;
use super::server::TestServer;

/// Whoever knows an API key and a password.
#[derive(Clone, Debug)]
pub struct User {
    pub site: Site,
    pub name: String,
    pub tenant: String,
    pub api_key: String,
    pub password: String,
}

impl User {
    /// Made by the command line; `arguments` follow the name.
    #[track_caller]
    pub fn add(server: &TestServer, name: &str, arguments: &[&str]) -> Self {
        let ran = server.run(&[&["user", "add", name, "--json"], arguments].concat()).expect_exit(0);
        Self::from_json(server, &ran.out)
    }

    /// From what `user add` and `user rotate` print with `--json`.
    #[track_caller]
    pub fn from_json(server: &TestServer, text: &str) -> Self {
        let object: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        let member = |name: &str| object[name].as_str().unwrap_or_else(|| panic!("{name} in {text}")).to_owned();
        Self {
            site: server.site().clone(),
            name: member("user"),
            tenant: member("tenant"),
            api_key: member("api_key"),
            password: member("password"),
        }
    }

    pub fn by_api_key(&self) -> Value {
        json!({"auth": {"RAX-KSKEY:apiKeyCredentials": {"username": self.name, "apiKey": self.api_key}}})
    }

    pub fn by_password(&self) -> Value {
        json!({"auth": {"passwordCredentials": {"username": self.name, "password": self.password}}})
    }

    pub fn log_in(&self) -> Answer {
        post_tokens(&self.site, &self.by_api_key())
    }

    /// A fresh token.
    #[track_caller]
    pub fn token(&self) -> String {
        token_of(self.log_in().expect(200))
    }

    /// Whether a token is one of a live session, by a call that takes nothing but a token.
    pub fn look_with(&self, token: &str) -> Answer {
        self.site.curl(&["-H", &format!("X-Auth-Token: {token}")], &format!("/v2.0/users?name={}", self.name))
    }
}

/// `POST /v2.0/tokens` as plain curl sends it, form-encoded by name.
pub fn post_tokens(site: &Site, body: &Value) -> Answer {
    site.curl(&["--data-binary", &body.to_string()], "/v2.0/tokens")
}

/// The body that tells a token again.
pub fn by_token(token: &str, tenant: &str) -> Value {
    json!({"auth": {"tenantId": tenant, "token": {"id": token}}})
}

#[track_caller]
pub fn token_of(answer: &Answer) -> String {
    let token = answer.json()["access"]["token"]["id"].as_str().unwrap_or_else(|| panic!("a token in {answer:?}")).to_owned();
    assert!(token.len() == 32 && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{token}");
    token
}
