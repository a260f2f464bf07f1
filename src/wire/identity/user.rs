//! A user and its roles, as the identity service shows them.

use serde::Serialize;

use crate::model::role::Role;
use crate::model::user::User;

#[derive(Serialize)]
pub(super) struct RoleOut<'a> {
    id: &'a str,
    name: &'a str,
    description: &'static str,
}

#[derive(Serialize)]
struct Body<'a> {
    user: UserOut<'a>,
}

#[derive(Serialize)]
struct UserOut<'a> {
    id: String,
    username: &'a str,
    name: &'a str,
    enabled: bool,
    #[serde(rename = "RAX-AUTH:defaultRegion")]
    default_region: &'a str,
    #[serde(rename = "RAX-AUTH:domainId")]
    tenant: &'a str,
    created: String,
}

/// One user by itself, without a final newline. `regions` as in a login's answer.
pub fn user(user: &User, regions: &[String]) -> String {
    let shown = UserOut {
        id: user.id.to_string(),
        username: user.name.as_str(),
        name: user.name.as_str(),
        enabled: !user.disabled,
        default_region: regions.first().map_or("", String::as_str),
        tenant: user.tenant.as_str(),
        created: user.created_at.rfc3339_millis(),
    };
    serde_json::to_string(&Body { user: shown }).expect("text is always JSON")
}

pub(super) fn roles(user: &User) -> Vec<RoleOut<'_>> {
    user.roles.as_slice().iter().map(role).collect()
}

/// The numbers are the service's where it had one for all, else ours; clients go by the names.
fn role(role: &Role) -> RoleOut<'_> {
    let (id, description) = match role {
        Role::Owner => ("3", "Account owner"),
        Role::Member => ("2", "May log in"),
        Role::BackupAdmin => ("101", "Cloud Backup: create, read, update, delete"),
        Role::BackupCreator => ("102", "Cloud Backup: create, read, update"),
        Role::BackupObserver => ("103", "Cloud Backup: read"),
        Role::Admin => ("111", "All services: create, read, update, delete"),
        Role::Observer => ("112", "All services: read"),
        Role::Foreign(name) => (name.as_str(), "Unknown here"),
    };
    RoleOut { id, name: role.as_str(), description }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::instant::Instant;
    use crate::model::role::Roles;

    pub fn ada() -> User {
        let hash = crate::model::access::Secret::presented("x").hash();
        User {
            id: 71,
            name: "ada".parse().expect("a good name"),
            tenant: "5501".parse().expect("a good tenant"),
            roles: Roles::first(),
            api_key: hash,
            password: hash,
            disabled: false,
            created_at: Instant::from_seconds(1_772_366_400),
        }
    }

    #[test]
    fn a_user_is_shown_without_any_secret() {
        let expected = concat!(
            r#"{"user":{"id":"71","username":"ada","name":"ada","enabled":true,"RAX-AUTH:defaultRegion":"DFW","#,
            r#""RAX-AUTH:domainId":"5501","created":"2026-03-01T12:00:00.000Z"}}"#
        );
        assert_eq!(user(&ada(), &["DFW".to_owned()]), expected);
    }

    #[test]
    fn every_role_is_shown_by_its_name_and_an_id_of_its_own() {
        let names = "cloudbackup:admin,cloudbackup:creator,cloudbackup:observer,admin,observer,identity:default,compute:admin";
        let user = User { roles: Roles::parse(names).expect("good roles"), ..ada() };
        let shown = roles(&user);
        assert_eq!(shown.iter().map(|role| role.name).collect::<Vec<_>>().join(","), names);
        let ids: std::collections::BTreeSet<&str> = shown.iter().map(|role| role.id).collect();
        assert_eq!(ids.len(), shown.len());
    }
}
