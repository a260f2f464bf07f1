//! The answer to a login: the token, where the services are, and who the user is. The order of the members is the service's.

use serde::Serialize;

use super::user::{RoleOut, roles};
use crate::model::access::Secret;
use crate::model::instant::Instant;
use crate::model::user::{Credential, TenantId, User};

/// What an answer is made of.
pub struct Access<'a> {
    pub token: &'a Secret,
    pub ends_at: Instant,
    pub authenticated_by: Credential,
    pub user: &'a User,
    /// In upper case; at least one, the first is the user's own.
    pub regions: &'a [String],
    /// `https://HOST[:PORT]`, without a final slash.
    pub origin: &'a str,
}

#[derive(Serialize)]
struct Body<'a> {
    access: AccessOut<'a>,
}

#[derive(Serialize)]
struct AccessOut<'a> {
    token: TokenOut<'a>,
    #[serde(rename = "serviceCatalog")]
    service_catalog: [Service<'a>; 2],
    user: UserOut<'a>,
}

#[derive(Serialize)]
struct TokenOut<'a> {
    id: &'a str,
    expires: String,
    tenant: TenantOut<'a>,
    #[serde(rename = "RAX-AUTH:authenticatedBy")]
    authenticated_by: [&'static str; 1],
}

#[derive(Serialize)]
struct TenantOut<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    endpoints: Vec<Endpoint<'a>>,
}

#[derive(Serialize)]
struct Endpoint<'a> {
    region: &'a str,
    #[serde(rename = "tenantId")]
    tenant: &'a str,
    #[serde(rename = "publicURL")]
    public_url: String,
    #[serde(rename = "internalURL", skip_serializing_if = "Option::is_none")]
    internal_url: Option<String>,
}

#[derive(Serialize)]
struct UserOut<'a> {
    id: String,
    name: &'a str,
    #[serde(rename = "RAX-AUTH:defaultRegion")]
    default_region: &'a str,
    roles: Vec<RoleOut<'a>>,
}

/// The body in one line, without a final newline. It holds the token: never log it.
pub fn access(access: &Access<'_>) -> String {
    let Access { user, regions, .. } = access;
    let body = Body {
        access: AccessOut {
            token: token(access),
            service_catalog: [backup(access), files(access)],
            user: UserOut {
                id: user.id.to_string(),
                name: user.name.as_str(),
                default_region: regions.first().map_or("", String::as_str),
                roles: roles(user),
            },
        },
    };
    serde_json::to_string(&body).expect("text is always JSON")
}

fn token<'a>(access: &Access<'a>) -> TokenOut<'a> {
    let tenant = access.user.tenant.as_str();
    TokenOut {
        id: access.token.reveal(),
        expires: access.ends_at.rfc3339_millis(),
        tenant: TenantOut { id: tenant, name: tenant },
        authenticated_by: [match access.authenticated_by {
            Credential::ApiKey => "APIKEY",
            Credential::Password => "PASSWORD",
        }],
    }
}

/// One client cuts the address at its last slash, so none stands at its end.
fn backup<'a>(access: &Access<'a>) -> Service<'a> {
    let tenant = &access.user.tenant;
    let endpoint = |region| endpoint(region, tenant, format!("{}/v1.0/{tenant}", access.origin), false);
    Service { name: "cloudBackup", kind: "rax:backup", endpoints: access.regions.iter().map(endpoint).collect() }
}

/// What containers of backups are named after; nothing is fetched there.
fn files<'a>(access: &Access<'a>) -> Service<'a> {
    let tenant = &access.user.tenant;
    let endpoint = |region| endpoint(region, tenant, format!("{}/v1/{tenant}", access.origin), true);
    Service { name: "cloudFiles", kind: "object-store", endpoints: access.regions.iter().map(endpoint).collect() }
}

fn endpoint<'a>(region: &'a String, tenant: &'a TenantId, url: String, is_internal_too: bool) -> Endpoint<'a> {
    Endpoint { region, tenant: tenant.as_str(), internal_url: is_internal_too.then(|| url.clone()), public_url: url }
}

#[cfg(test)]
mod tests {
    use super::super::user::tests::ada;
    use super::*;

    #[test]
    fn the_answer_is_the_services_to_the_letter() {
        let (token, user) = (Secret::presented("8c1f0f6e4a5b4c7d9e0f112233445566"), ada());
        let regions = ["DFW", "ORD"].map(str::to_owned);
        let shown = access(&Access {
            token: &token,
            ends_at: Instant::from_seconds(1_772_366_400),
            authenticated_by: Credential::ApiKey,
            user: &user,
            regions: &regions,
            origin: "https://backup.example.net",
        });
        let expected = concat!(
            r#"{"access":{"token":{"id":"8c1f0f6e4a5b4c7d9e0f112233445566","expires":"2026-03-01T12:00:00.000Z","#,
            r#""tenant":{"id":"5501","name":"5501"},"RAX-AUTH:authenticatedBy":["APIKEY"]},"serviceCatalog":["#,
            r#"{"name":"cloudBackup","type":"rax:backup","endpoints":["#,
            r#"{"region":"DFW","tenantId":"5501","publicURL":"https://backup.example.net/v1.0/5501"},"#,
            r#"{"region":"ORD","tenantId":"5501","publicURL":"https://backup.example.net/v1.0/5501"}]},"#,
            r#"{"name":"cloudFiles","type":"object-store","endpoints":["#,
            r#"{"region":"DFW","tenantId":"5501","publicURL":"https://backup.example.net/v1/5501","internalURL":"https://backup.example.net/v1/5501"},"#,
            r#"{"region":"ORD","tenantId":"5501","publicURL":"https://backup.example.net/v1/5501","internalURL":"https://backup.example.net/v1/5501"}]}],"#,
            r#""user":{"id":"71","name":"ada","RAX-AUTH:defaultRegion":"DFW","#,
            r#""roles":[{"id":"3","name":"identity:user-admin","description":"Account owner"}]}}}"#,
        );
        assert_eq!(shown, expected);
    }
}
