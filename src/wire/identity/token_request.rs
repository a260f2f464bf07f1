//! The body of `POST /v2.0/tokens`, in three forms: API key, password, or a token that is there.

use serde_json::{Map, Value};

use crate::model::access::Secret;
use crate::model::user::{Credential, TenantId};

/// What a client logs in with. `Debug` shows no secret.
#[derive(Debug)]
pub enum Proof {
    /// A name and one of its secrets, as they were sent.
    Login { name: String, credential: Credential, secret: Secret },
    /// A token, to be told again.
    Token(Secret),
}

/// A request for a token.
#[derive(Debug)]
pub struct TokenRequest {
    pub proof: Proof,
    /// The tenants that were named beside it.
    tenants: Vec<String>,
}

impl TokenRequest {
    /// `None` for what is no such request. Exactly one of the three forms is wanted; members that nobody knows are passed over.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let auth = body.get("auth")?.as_object()?;
        let tenants = ["tenantId", "tenantName"].into_iter().filter_map(|name| tenant(auth, name)).collect::<Option<Vec<_>>>()?;
        let api_key = part(auth, "RAX-KSKEY:apiKeyCredentials").map(|part| login(part?, Credential::ApiKey));
        let password = part(auth, "passwordCredentials").map(|part| login(part?, Credential::Password));
        let token = part(auth, "token").map(|part| Some(Proof::Token(secret(part?, "id")?)));
        let mut proofs = [api_key, password, token].into_iter().flatten();
        let proof = proofs.next()??;
        proofs.next().is_none().then_some(Self { proof, tenants })
    }

    /// Whether every tenant that was named is this one. Ours have no other name than their id.
    pub fn is_for(&self, tenant: &TenantId) -> bool {
        self.tenants.iter().all(|named| named == tenant.as_str())
    }
}

/// A member that is there and not null: `Some(None)` where it is no object.
fn part<'a>(auth: &'a Map<String, Value>, name: &str) -> Option<Option<&'a Map<String, Value>>> {
    auth.get(name).filter(|value| !value.is_null()).map(Value::as_object)
}

/// A tenant that was named: text, or a number, as clients that took it for one send it; null and the empty text name none.
fn tenant(auth: &Map<String, Value>, name: &str) -> Option<Option<String>> {
    match auth.get(name)? {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(Some(text.clone())),
        Value::Number(number) => Some(Some(number.to_string())),
        _ => Some(None),
    }
}

fn login(part: &Map<String, Value>, credential: Credential) -> Option<Proof> {
    let name = part.get("username")?.as_str()?.to_owned();
    let member = match credential {
        Credential::ApiKey => "apiKey",
        Credential::Password => "password",
    };
    Some(Proof::Login { name, credential, secret: secret(part, member)? })
}

fn secret(part: &Map<String, Value>, name: &str) -> Option<Secret> {
    part.get(name)?.as_str().map(Secret::presented)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> Option<(String, String)> {
        match TokenRequest::parse(body.as_bytes())?.proof {
            Proof::Login { name, credential, secret } => Some((format!("{name} by {}", credential.as_str()), secret.reveal().to_owned())),
            Proof::Token(secret) => Some(("a token".to_owned(), secret.reveal().to_owned())),
        }
    }

    #[test]
    fn the_three_forms_are_understood() {
        for (body, who, secret) in [
            (r#"{"auth": {"RAX-KSKEY:apiKeyCredentials": {"username": "ada", "apiKey": "0123"}}}"#, "ada by api-key", "0123"),
            (r#"{"auth": {"passwordCredentials": {"username": "ada", "password": "s3cret"}}}"#, "ada by password", "s3cret"),
            (r#"{"auth": {"tenantId": "5501", "token": {"id": "abc"}}}"#, "a token", "abc"),
            (r#"{"auth": {"token": {"id": "abc"}, "passwordCredentials": null}, "more": 1}"#, "a token", "abc"),
        ] {
            assert_eq!(shown(body), Some((who.to_owned(), secret.to_owned())), "{body}");
        }
    }

    #[test]
    fn anything_else_is_no_request() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for body in [
            "",
            "null",
            "[]",
            "{",
            "{}",
            r#"{"auth": null}"#,
            r#"{"auth": []}"#,
            r#"{"auth": {}}"#,
            r#"{"Auth": {"token": {"id": "abc"}}}"#,
            r#"{"auth": {"Token": {"id": "abc"}}}"#,
            r#"{"auth": {"token": "abc"}}"#,
            r#"{"auth": {"token": {"id": 7}}}"#,
            r#"{"auth": {"token": {"id": null}}}"#,
            r#"{"auth": {"passwordCredentials": {"username": "ada"}}}"#,
            r#"{"auth": {"passwordCredentials": {"username": 7, "password": "x"}}}"#,
            r#"{"auth": {"passwordCredentials": {"Username": "ada", "password": "x"}}}"#,
            r#"{"auth": {"passwordCredentials": {"username": "ada", "apiKey": "x"}}}"#,
            r#"{"auth": {"RAX-KSKEY:apiKeyCredentials": {"username": "ada", "password": "x"}}}"#,
            r#"{"auth": {"tenantId": ["5501"], "token": {"id": "abc"}}}"#,
            r#"{"auth": {"token": {"id": "abc"}}} x"#,
            r#"{"auth": {"token": {"id": "abc"}, "passwordCredentials": {"username": "ada", "password": "x"}}}"#,
            "{'auth': {'token': {'id': 'abc'}}}",
            &deep,
        ] {
            assert!(TokenRequest::parse(body.as_bytes()).is_none(), "{body:.80}");
        }
        assert!(TokenRequest::parse(b"{\"auth\": {\"token\": {\"id\": \"\xff\"}}}").is_none());
    }

    #[test]
    fn every_tenant_that_is_named_has_to_match() {
        let is_for = |tenants: &str| {
            let body = format!(r#"{{"auth": {{{tenants}"token": {{"id": "abc"}}}}}}"#);
            TokenRequest::parse(body.as_bytes()).expect("a request").is_for(&"5501".parse().expect("a tenant"))
        };
        for good in
            ["", r#""tenantId": "5501","#, r#""tenantName": "5501","#, r#""tenantId": 5501,"#, r#""tenantId": null, "tenantName": "","#]
        {
            assert!(is_for(good), "{good}");
        }
        assert!(is_for(r#""tenantId": "5501", "tenantName": "5501","#));
        for bad in
            [r#""tenantId": "5502","#, r#""tenantName": "ada","#, r#""tenantId": "5501", "tenantName": "7","#, r#""tenantId": 5502,"#]
        {
            assert!(!is_for(bad), "{bad}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let body = r#"{"auth": {"passwordCredentials": {"username": "ada", "password": "s3cret"}}}"#;
        let shown = format!("{:?}", TokenRequest::parse(body.as_bytes()));
        assert!(shown.contains("redacted") && !shown.contains("s3cret"), "{shown}");
    }
}
