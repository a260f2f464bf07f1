//! What a user of the Cloud Backup API may do: roles, and the rights that they add up to.
//!
//! The spellings are the service's own and match whatever their case. A role that we do not know is one of another service, or of a
//! newer strongroom: it is kept, shown, and grants nothing. Only the command line refuses it, because there it is a slip of the pen.

use std::fmt;
use std::str::FromStr;

/// A role by its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// `identity:user-admin`: the owner of a tenant.
    Owner,
    /// `cloudbackup:admin`
    BackupAdmin,
    /// `cloudbackup:creator`
    BackupCreator,
    /// `cloudbackup:observer`
    BackupObserver,
    /// `admin`, of all services.
    Admin,
    /// `observer`, of all services.
    Observer,
    /// `identity:default`: who has this alone may log in, and nothing else.
    Member,
    /// One that we do not know, in lower case.
    Foreign(String),
}

/// What somebody may do, the least first: who may do more may do all before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rights {
    None,
    Read,
    /// Read, create and change.
    Create,
    /// All of it.
    Delete,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a role is identity:user-admin, cloudbackup:admin, cloudbackup:creator, cloudbackup:observer, admin, observer or identity:default")]
pub struct RoleError;

/// The roles of one user: at least one, each once, in a fixed order. An owner holds no other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Roles(Vec<Role>);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RolesError {
    #[error("a user has at least one role")]
    Missing,
    #[error("identity:user-admin may do everything, so it is held alone")]
    NotAlone,
}

const KNOWN: [Role; 7] =
    [Role::Owner, Role::BackupAdmin, Role::BackupCreator, Role::BackupObserver, Role::Admin, Role::Observer, Role::Member];

impl Role {
    /// The role of this name; one that nobody here knows is kept as it is.
    pub fn of(name: &str) -> Self {
        name.parse().unwrap_or_else(|_| Self::Foreign(name.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Owner => "identity:user-admin",
            Self::BackupAdmin => "cloudbackup:admin",
            Self::BackupCreator => "cloudbackup:creator",
            Self::BackupObserver => "cloudbackup:observer",
            Self::Admin => "admin",
            Self::Observer => "observer",
            Self::Member => "identity:default",
            Self::Foreign(name) => name,
        }
    }

    const fn rights(&self) -> Rights {
        match self {
            Self::Owner | Self::BackupAdmin | Self::Admin => Rights::Delete,
            Self::BackupCreator => Rights::Create,
            Self::BackupObserver | Self::Observer => Rights::Read,
            Self::Member | Self::Foreign(_) => Rights::None,
        }
    }
}

impl FromStr for Role {
    type Err = RoleError;

    /// A role that we know, in whatever case.
    fn from_str(text: &str) -> Result<Self, RoleError> {
        KNOWN.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(text)).ok_or(RoleError)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Roles {
    pub fn new(mut roles: Vec<Role>) -> Result<Self, RolesError> {
        roles.sort();
        roles.dedup();
        match roles.as_slice() {
            [] => Err(RolesError::Missing),
            [_, _, ..] if roles.contains(&Role::Owner) => Err(RolesError::NotAlone),
            _ => Ok(Self(roles)),
        }
    }

    /// What was written by `Display`; `None` where that is no set of roles.
    pub fn parse(text: &str) -> Option<Self> {
        Self::new(text.split(',').filter(|name| !name.is_empty()).map(Role::of).collect()).ok()
    }

    /// What a tenant's first user gets, and what every other.
    pub fn first() -> Self {
        Self(vec![Role::Owner])
    }

    pub fn later() -> Self {
        Self(vec![Role::BackupObserver])
    }

    pub fn as_slice(&self) -> &[Role] {
        &self.0
    }

    /// The union of what each grants.
    pub fn rights(&self) -> Rights {
        self.0.iter().map(Role::rights).max().unwrap_or(Rights::None)
    }
}

impl fmt::Display for Roles {
    /// `cloudbackup:admin,observer`
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Role::as_str).collect();
        out.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(names: &str) -> Rights {
        Roles::parse(names).expect("good roles").rights()
    }

    #[test]
    fn each_role_grants_what_the_service_says_whatever_its_case() {
        for (name, granted) in [
            ("identity:user-admin", Rights::Delete),
            ("cloudbackup:admin", Rights::Delete),
            ("admin", Rights::Delete),
            ("cloudbackup:creator", Rights::Create),
            ("cloudbackup:observer", Rights::Read),
            ("observer", Rights::Read),
            ("identity:default", Rights::None),
            ("compute:admin", Rights::None),
        ] {
            assert_eq!(rights(name), granted, "{name}");
            assert_eq!(rights(&name.to_uppercase()), granted, "{name}");
        }
        assert_eq!("cloudBackup:Creator".parse(), Ok(Role::BackupCreator));
        assert!(Rights::None < Rights::Read && Rights::Read < Rights::Create && Rights::Create < Rights::Delete);
    }

    #[test]
    fn with_several_roles_the_more_powerful_wins() {
        assert_eq!(rights("observer,cloudbackup:admin"), Rights::Delete);
        assert_eq!(rights("cloudbackup:creator,cloudbackup:observer"), Rights::Create);
        assert_eq!(rights("identity:default,observer"), Rights::Read);
        assert_eq!(rights("compute:admin,identity:default"), Rights::None);
    }

    #[test]
    fn unknown_roles_are_kept_and_refused_where_they_are_typed() {
        assert_eq!(Role::of("Compute:Admin"), Role::Foreign("compute:admin".to_owned()));
        assert_eq!(Roles::parse("compute:admin,observer").expect("good roles").to_string(), "observer,compute:admin");
        for odd in ["", "cloudbackup", "cloudbackup:", "cloudbackup:owner", "user-admin", " admin"] {
            assert_eq!(odd.parse::<Role>(), Err(RoleError), "{odd:?}");
        }
    }

    #[test]
    fn an_owner_holds_no_other_role_and_nobody_holds_none() {
        assert_eq!(Roles::new(vec![Role::Owner, Role::Observer]), Err(RolesError::NotAlone));
        assert_eq!(Roles::new(Vec::new()), Err(RolesError::Missing));
        assert_eq!(Roles::new(vec![Role::Owner, Role::Owner]), Ok(Roles::first()));
        assert_eq!(Roles::parse(&Roles::later().to_string()), Some(Roles::later()));
    }
}
