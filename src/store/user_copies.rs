//! Users as the small copies hold them: hashes only.

use serde::{Deserialize, Serialize};

use super::catalog::{CatalogError, Connection};
use super::users;
use crate::model::access::SecretHash;
use crate::model::instant::Instant;
use crate::model::role::Roles;
use crate::model::user::User;

type Result<T> = std::result::Result<T, CatalogError>;

/// The counters whose numbers are never given twice.
const COUNTERS: [&str; 2] = ["users", "tenants"];

/// All users, and the last numbers that were given out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct UserCopies {
    users: Vec<UserCopy>,
    counters: Vec<(String, i64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct UserCopy {
    id: i64,
    name: String,
    tenant: String,
    roles: String,
    /// SHA-256, in hexadecimal digits.
    api_key_sha256: String,
    password_sha256: String,
    disabled: bool,
    created_at: i64,
}

/// What the catalog holds now.
pub(super) fn snapshot(connection: &mut dyn Connection) -> Result<UserCopies> {
    let users = users::all(connection)?.iter().map(UserCopy::of).collect();
    let counters = COUNTERS
        .iter()
        .map(|name| {
            let found = connection.query("SELECT value FROM counters WHERE name = $1", &[(*name).into()])?;
            Ok(((*name).to_owned(), found.first().map_or(Ok(0), |row| row.int(0))?))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(UserCopies { users, counters })
}

/// Puts a newer copy's users in place of the catalog's: missing ones are made, changed ones replaced, removed ones removed. Whoever
/// is changed in any way loses the tokens, and logs in again. Says what was brought.
pub(super) fn load(connection: &mut dyn Connection, copies: &UserCopies) -> Result<Vec<String>> {
    let wanted: Vec<User> = copies.users.iter().filter_map(UserCopy::to_user).collect();
    let known = users::all(connection)?;
    let mut brought = Vec::new();
    // Before any is made: a name may have gone from one user to another.
    for old in &known {
        match wanted.iter().find(|user| user.id == old.id) {
            Some(user) if user == old => {}
            Some(user) => {
                brought.push(format!("changes of user {}", user.name));
                users::remove(connection, old.id)?;
            }
            None => {
                brought.push(format!("the removal of user {}", old.name));
                users::remove(connection, old.id)?;
            }
        }
    }
    for user in &wanted {
        match known.iter().find(|old| old.id == user.id) {
            Some(old) if old == user => continue,
            Some(_) => {}
            None => brought.push(format!("user {}", user.name)),
        }
        users::insert(connection, user)?;
    }
    for (name, value) in copies.counters.iter().filter(|(name, _)| COUNTERS.contains(&name.as_str())) {
        users::raise(connection, name, *value)?;
    }
    Ok(brought)
}

impl UserCopy {
    fn of(user: &User) -> Self {
        let hex = |hash: &SecretHash| data_encoding::HEXLOWER.encode(hash.as_bytes());
        Self {
            id: user.id,
            name: user.name.to_string(),
            tenant: user.tenant.to_string(),
            roles: user.roles.to_string(),
            api_key_sha256: hex(&user.api_key),
            password_sha256: hex(&user.password),
            disabled: user.disabled,
            created_at: user.created_at.micros(),
        }
    }

    fn to_user(&self) -> Option<User> {
        Some(User {
            id: self.id,
            name: self.name.parse().ok()?,
            tenant: self.tenant.parse().ok()?,
            roles: Roles::parse(&self.roles)?,
            api_key: SecretHash::from_digest(self.api_key_sha256.parse().ok()?),
            password: SecretHash::from_digest(self.password_sha256.parse().ok()?),
            disabled: self.disabled,
            created_at: Instant::from_micros(self.created_at),
        })
    }
}
