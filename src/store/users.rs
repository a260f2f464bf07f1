//! Users of the Cloud Backup API: made, changed, opened and closed by the operator, read by every login.

use super::catalog::{CatalogError, Connection, Fault, Row};
use super::{Error, Result, Store, tokens};
use crate::model::access::{Secret, SecretHash};
use crate::model::digest::Sha256Digest;
use crate::model::instant::Instant;
use crate::model::role::Roles;
use crate::model::user::{TenantId, User, UserName};

type CatalogResult<T> = std::result::Result<T, CatalogError>;

/// The columns that [`user`] reads, in its order.
pub(super) const COLUMNS: &str =
    "users.id, users.name, users.tenant, users.roles, users.api_key, users.password, users.disabled, users.created_at";
/// How many they are.
pub(super) const COLUMN_COUNT: usize = 8;

/// What an operator says of a new user.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: UserName,
    /// `None`: a new tenant, numbered from 100000.
    pub tenant: Option<TenantId>,
    /// `None`: owner where the tenant has no user yet, else observer.
    pub roles: Option<Roles>,
}

/// What an operator changes; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    pub tenant: Option<TenantId>,
    pub roles: Option<Roles>,
}

/// What a user logs in with, which nothing can show again.
#[derive(Debug)]
pub struct UserSecrets {
    /// 32 hexadecimal digits.
    pub api_key: Secret,
    /// 22 letters and digits.
    pub password: Secret,
}

impl UserSecrets {
    fn random() -> Self {
        Self { api_key: Secret::random_hex(), password: Secret::random() }
    }

    fn hashes(&self) -> [SecretHash; 2] {
        [self.api_key.hash(), self.password.hash()]
    }
}

impl Store {
    /// All users, in the order in which they were made.
    pub async fn users(&self) -> Result<Vec<User>> {
        self.read(all).await
    }

    pub async fn user(&self, name: &UserName) -> Result<Option<User>> {
        let name = name.clone();
        self.read(move |connection| named(connection, &name)).await
    }

    /// The user of a name that a stranger may have made up. One that nobody has costs as much time as one that somebody has, or the
    /// time of an answer would tell which users there are: the first user stands in for it.
    pub async fn user_of_stranger(&self, name: &str) -> Result<Option<User>> {
        // What cannot be a name is looked for under one that nobody can have.
        let name = name.parse().map_or_else(|_| "-".to_owned(), |name: UserName| name.to_string());
        self.read(move |connection| of_stranger(connection, &name)).await
    }

    /// Makes a user; `None` where the name is taken. The default of tenant and roles is decided with the catalog at one moment.
    pub async fn add_user(&self, new: NewUser) -> Result<Option<(User, UserSecrets)>> {
        let (secrets, now) = (UserSecrets::random(), self.now());
        let [api_key, password] = secrets.hashes();
        let added = self
            .change_control(move |connection| {
                if named(connection, &new.name)?.is_some() {
                    return Ok(None);
                }
                let tenant = match &new.tenant {
                    Some(tenant) => tenant.clone(),
                    None => new_tenant(connection)?,
                };
                reserve(connection, &tenant)?;
                let default = if has_users(connection, &tenant)? { Roles::later() } else { Roles::first() };
                let roles = new.roles.clone().unwrap_or(default);
                let id = next(connection, "users")?;
                let user = User { id, name: new.name.clone(), tenant, roles, api_key, password, disabled: false, created_at: now };
                insert(connection, &user)?;
                Ok(Some(user))
            })
            .await?;
        Ok(added.map(|user| (user, secrets)))
    }

    /// Other roles hold at once, for the tokens that are there, too; another tenant ends them, since they were made for the old one.
    pub async fn change_user(&self, name: &UserName, change: UserChange) -> Result<User> {
        self.change_known_user(name, move |connection, user| {
            let roles = change.roles.as_ref().unwrap_or(&user.roles);
            let tenant = change.tenant.as_ref().unwrap_or(&user.tenant);
            let values = [user.id.into(), tenant.as_str().into(), roles.to_string().into()];
            connection.execute("UPDATE users SET tenant = $2, roles = $3 WHERE id = $1", &values)?;
            reserve(connection, tenant)?;
            if *tenant == user.tenant { Ok(()) } else { tokens::end_all(connection, user.id) }
        })
        .await
    }

    /// A new API key and a new password; the old ones and all tokens end at once.
    pub async fn rotate_user(&self, name: &UserName) -> Result<(User, UserSecrets)> {
        let secrets = UserSecrets::random();
        let [api_key, password] = secrets.hashes();
        let user = self
            .change_known_user(name, move |connection, user| {
                let values = [user.id.into(), api_key.as_bytes()[..].into(), password.as_bytes()[..].into()];
                connection.execute("UPDATE users SET api_key = $2, password = $3 WHERE id = $1", &values)?;
                tokens::end_all(connection, user.id)
            })
            .await?;
        Ok((user, secrets))
    }

    /// Refuses its logins and ends its tokens at once.
    pub async fn disable_user(&self, name: &UserName) -> Result<User> {
        self.change_known_user(name, |connection, user| {
            connection.execute("UPDATE users SET disabled = 1 WHERE id = $1", &[user.id.into()])?;
            tokens::end_all(connection, user.id)
        })
        .await
    }

    pub async fn enable_user(&self, name: &UserName) -> Result<User> {
        let statement = "UPDATE users SET disabled = 0 WHERE id = $1";
        self.change_known_user(name, move |connection, user| connection.execute(statement, &[user.id.into()]).map(drop)).await
    }

    /// Forgets the user and ends its tokens at once; its tenant's machines and backups stay. The name becomes free, the id never does.
    pub async fn remove_user(&self, name: &UserName) -> Result<()> {
        let name = name.clone();
        let removed = self
            .change_control(move |connection| {
                let Some(user) = named(connection, &name)? else { return Ok(false) };
                remove(connection, user.id)?;
                Ok(true)
            })
            .await?;
        removed.then_some(()).ok_or(Error::NotFound)
    }

    /// Changes a user that there is, in one transaction, and writes the small copy.
    async fn change_known_user<F>(&self, name: &UserName, mut apply: F) -> Result<User>
    where
        F: FnMut(&mut dyn Connection, &User) -> CatalogResult<()> + Send + 'static,
    {
        let name = name.clone();
        let changed = self
            .change_control(move |connection| {
                let Some(user) = named(connection, &name)? else { return Ok(None) };
                apply(connection, &user)?;
                named(connection, &name)
            })
            .await?;
        changed.ok_or(Error::NotFound)
    }
}

/// A user row; further columns may follow.
pub(super) fn user(row: &Row) -> CatalogResult<User> {
    let broken = |what: &str| CatalogError::new(Fault::Failed, format!("a user's {what} in the catalog is none of ours"));
    let hash = |column, what| row.bytes(column).and_then(|bytes| Sha256Digest::from_slice(bytes).map_err(|_| broken(what)));
    Ok(User {
        id: row.int(0)?,
        name: row.text(1)?.parse().map_err(|_| broken("name"))?,
        tenant: row.text(2)?.parse().map_err(|_| broken("tenant"))?,
        roles: Roles::parse(row.text(3)?).ok_or_else(|| broken("set of roles"))?,
        api_key: SecretHash::from_digest(hash(4, "API key")?),
        password: SecretHash::from_digest(hash(5, "password")?),
        disabled: row.int(6)? != 0,
        created_at: Instant::from_micros(row.int(7)?),
    })
}

pub(super) fn all(connection: &mut dyn Connection) -> CatalogResult<Vec<User>> {
    connection.query(&format!("SELECT {COLUMNS} FROM users ORDER BY id"), &[])?.iter().map(user).collect()
}

fn named(connection: &mut dyn Connection, name: &UserName) -> CatalogResult<Option<User>> {
    let found = connection.query(&format!("SELECT {COLUMNS} FROM users WHERE name = $1"), &[name.as_str().into()])?;
    found.first().map(user).transpose()
}

pub(super) fn of_stranger(connection: &mut dyn Connection, name: &str) -> CatalogResult<Option<User>> {
    // No id is below the least, so the greater of the two is the one that is asked for, where there is one.
    let statement = format!(
        "SELECT {COLUMNS} FROM users WHERE id = (SELECT MAX(id) FROM \
         (SELECT id FROM users WHERE name = $1 UNION ALL SELECT MIN(id) FROM users) AS candidates)"
    );
    let read = connection.query(&statement, &[name.into()])?.first().map(user).transpose()?;
    Ok(read.filter(|user| user.name.as_str() == name))
}

pub(super) fn insert(connection: &mut dyn Connection, user: &User) -> CatalogResult<()> {
    let statement = "INSERT INTO users (id, name, tenant, roles, api_key, password, disabled, tokens_made, created_at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)";
    let values = [
        user.id.into(),
        user.name.as_str().into(),
        user.tenant.as_str().into(),
        user.roles.to_string().into(),
        user.api_key.as_bytes()[..].into(),
        user.password.as_bytes()[..].into(),
        i64::from(user.disabled).into(),
        user.created_at.micros().into(),
    ];
    connection.execute(statement, &values).map(drop)
}

/// The row first: whoever makes a token at this moment holds it, and its token is there before all are ended, or it finds no row.
pub(super) fn remove(connection: &mut dyn Connection, id: i64) -> CatalogResult<()> {
    connection.execute("DELETE FROM users WHERE id = $1", &[id.into()])?;
    tokens::end_all(connection, id)
}

fn has_users(connection: &mut dyn Connection, tenant: &TenantId) -> CatalogResult<bool> {
    Ok(!connection.query("SELECT id FROM users WHERE tenant = $1 LIMIT 1", &[tenant.as_str().into()])?.is_empty())
}

/// The next number of a counter, which no other gets.
fn next(connection: &mut dyn Connection, counter: &str) -> CatalogResult<i64> {
    let raised = connection.query("UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value", &[counter.into()])?;
    raised.first().ok_or_else(|| CatalogError::new(Fault::Failed, format!("the counter {counter} is missing")))?.int(0)
}

/// A tenant that has no users.
fn new_tenant(connection: &mut dyn Connection) -> CatalogResult<TenantId> {
    loop {
        let tenant = TenantId::numbered(next(connection, "tenants")?);
        if !has_users(connection, &tenant)? {
            return Ok(tenant);
        }
    }
}

/// Numbers above are not given to new tenants by counting: whoever was named such a one keeps his backups to himself, even after his
/// users are gone.
const MOST_RESERVED: i64 = 1_000_000_000;

/// Keeps the number of a tenant that an operator named from being given to another.
fn reserve(connection: &mut dyn Connection, tenant: &TenantId) -> CatalogResult<()> {
    match tenant.number().filter(|number| *number < MOST_RESERVED) {
        Some(number) => raise(connection, "tenants", number),
        None => Ok(()),
    }
}

/// Lets a counter go on after `least`.
pub(super) fn raise(connection: &mut dyn Connection, counter: &str, least: i64) -> CatalogResult<()> {
    let statement = "UPDATE counters SET value = $2 WHERE name = $1 AND value < $2";
    connection.execute(statement, &[counter.into(), least.into()]).map(drop)
}
