//! Every call of the Cloud Backup API v1.0, by method and path, and what it asks of its caller.

use http::Method;

use crate::model::role::Rights;

/// One call; ids are those of the path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    ShowAgent(i64),
    EnableAgent,
    EncryptAgent,
    ChangeEncryption,
    DeleteAgent,
    DeleteAgentById(i64),
    MigrateVault,
    ChangeBehavior(i64),
    /// By host server id.
    ShowAgentOfHost(String),
    ChangeLogLevel,
    ShowLogLevel(i64),
    VerifyPassword,
    ListAgents,
    WakeAgents,
    CreateConfiguration,
    UpdateConfiguration(i64),
    ShowConfiguration(i64),
    ListConfigurations,
    ListConfigurationsOfAgent(i64),
    EnableConfiguration(i64),
    DeleteConfiguration(i64),
    RequestBackupAction,
    ShowBackup(i64),
    ListCompletedBackups(i64),
    ShowBackupReport(i64),
    ListRestorePoints,
    /// With the backup's id where the path has one.
    CreateRestore(Option<i64>),
    UpdateRestore,
    AddRestoreFile,
    ListRestoreFiles(i64),
    DeleteRestore(i64),
    RequestRestoreAction,
    ShowRestore(i64),
    ShowRestoreReport(i64),
    ListActivity,
    ListActivityOfAgent(i64),
    StartCleanup,
    ShowCleanupReport(i64),
}

/// Why a path and a method are no call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Miss {
    NoPath,
    /// The path takes these methods.
    BadMethod(&'static str),
    /// A call that the original had and this server has not.
    NotBuilt,
}

/// First segments after the version that are no tenant.
const RESOURCES: [&str; 9] = ["activity", "agent", "backup", "backup-configuration", "cleanup", "help", "restore", "system", "user"];

/// Splits the path below `/v1.0/` into the tenant, where it names one, and the segments of the resource. One slash at the end and
/// `.json` after the last segment say nothing.
pub fn split(path: &str) -> (Option<&str>, Vec<&str>) {
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_suffix(".json").unwrap_or(path);
    let mut segments: Vec<&str> = path.split('/').collect();
    let tenant = segments.first().copied().filter(|first| !RESOURCES.contains(first) && *first != "browse");
    if tenant.is_some() {
        segments.remove(0);
    }
    (tenant, segments)
}

impl Operation {
    /// Literal segments win over ids; an id that is no positive integer is no path of ours.
    pub fn of(method: &Method, segments: &[&str]) -> Result<Self, Miss> {
        use Operation as O;
        let by_method = |table: &[(&str, &dyn Fn() -> Self)], allow: &'static str| {
            table.iter().find(|(name, _)| *name == method.as_str()).map(|(_, make)| make()).ok_or(Miss::BadMethod(allow))
        };
        let only = |name: &'static str, operation: Self| if method.as_str() == name { Ok(operation) } else { Err(Miss::BadMethod(name)) };
        match segments {
            ["agent", "enable"] => only("POST", O::EnableAgent),
            ["agent", "encrypt"] => only("POST", O::EncryptAgent),
            ["agent", "changeencryption"] => only("POST", O::ChangeEncryption),
            ["agent", "delete"] => only("POST", O::DeleteAgent),
            ["agent", "migratevault"] => only("PUT", O::MigrateVault),
            ["agent", "logging"] => only("PUT", O::ChangeLogLevel),
            ["agent", "logging", agent] => only("GET", O::ShowLogLevel(id(agent)?)),
            ["agent", "verifyvolumepassword"] => only("POST", O::VerifyPassword),
            ["agent", "server", host] => only("GET", O::ShowAgentOfHost((*host).to_owned())),
            ["agent", "events" | "requestlog" | "logfiles" | "busy" | "configuration", ..] => Err(Miss::NotBuilt),
            ["browse", ..] | ["backup-configuration", "list", ..] => Err(Miss::NotBuilt),
            ["agent", agent] => {
                let agent = id(agent)?;
                by_method(&[("GET", &|| O::ShowAgent(agent)), ("POST", &|| O::ChangeBehavior(agent))], "GET, POST")
            }
            ["user", "agents"] => only("GET", O::ListAgents),
            ["user", "agents", agent] => only("DELETE", O::DeleteAgentById(id(agent)?)),
            ["user", "wakeupagents"] => only("POST", O::WakeAgents),
            ["backup-configuration"] => by_method(&[("GET", &|| O::ListConfigurations), ("POST", &|| O::CreateConfiguration)], "GET, POST"),
            ["backup-configuration", "system", agent] => only("GET", O::ListConfigurationsOfAgent(id(agent)?)),
            ["backup-configuration", "enable", configuration] => only("POST", O::EnableConfiguration(id(configuration)?)),
            ["backup-configuration", configuration] => {
                let it = id(configuration)?;
                let table: [(&str, &dyn Fn() -> Self); 3] = [
                    ("GET", &|| O::ShowConfiguration(it)),
                    ("PUT", &|| O::UpdateConfiguration(it)),
                    ("DELETE", &|| O::DeleteConfiguration(it)),
                ];
                by_method(&table, "GET, PUT, DELETE")
            }
            ["backup", "action-requested"] => only("POST", O::RequestBackupAction),
            ["backup", "completed", configuration] => only("GET", O::ListCompletedBackups(id(configuration)?)),
            ["backup", "report", backup] => only("GET", O::ShowBackupReport(id(backup)?)),
            ["backup", "availableforrestore"] => only("GET", O::ListRestorePoints),
            ["backup", backup] => only("GET", O::ShowBackup(id(backup)?)),
            ["restore"] => by_method(&[("PUT", &|| O::CreateRestore(None)), ("POST", &|| O::UpdateRestore)], "PUT, POST"),
            ["restore", "files"] => only("PUT", O::AddRestoreFile),
            ["restore", "files", restore] => {
                let restore = id(restore)?;
                by_method(&[("GET", &|| O::ListRestoreFiles(restore)), ("DELETE", &|| O::DeleteRestore(restore))], "GET, DELETE")
            }
            ["restore", "report", restore] => only("GET", O::ShowRestoreReport(id(restore)?)),
            ["restore", "action-requested"] => only("POST", O::RequestRestoreAction),
            ["restore", restore] => {
                let it = id(restore)?;
                by_method(&[("GET", &|| O::ShowRestore(it)), ("PUT", &|| O::CreateRestore(Some(it)))], "GET, PUT")
            }
            ["activity"] => only("GET", O::ListActivity),
            ["system", "activity", agent] => only("GET", O::ListActivityOfAgent(id(agent)?)),
            ["cleanup", "startrequested"] => only("PUT", O::StartCleanup),
            ["cleanup", "report", cleanup] => only("GET", O::ShowCleanupReport(id(cleanup)?)),
            _ => Err(Miss::NoPath),
        }
    }

    /// What the caller must be allowed to do at least.
    pub const fn rights(&self) -> Rights {
        use Operation as O;
        match self {
            O::ShowAgent(_)
            | O::ShowAgentOfHost(_)
            | O::ShowLogLevel(_)
            | O::ListAgents
            | O::ShowConfiguration(_)
            | O::ListConfigurations
            | O::ListConfigurationsOfAgent(_)
            | O::ShowBackup(_)
            | O::ListCompletedBackups(_)
            | O::ShowBackupReport(_)
            | O::ListRestorePoints
            | O::ListRestoreFiles(_)
            | O::ShowRestore(_)
            | O::ShowRestoreReport(_)
            | O::ListActivity
            | O::ListActivityOfAgent(_)
            | O::ShowCleanupReport(_) => Rights::Read,
            O::EnableAgent
            | O::EncryptAgent
            | O::ChangeBehavior(_)
            | O::ChangeLogLevel
            | O::VerifyPassword
            | O::WakeAgents
            | O::CreateConfiguration
            | O::UpdateConfiguration(_)
            | O::EnableConfiguration(_)
            | O::RequestBackupAction
            | O::CreateRestore(_)
            | O::UpdateRestore
            | O::AddRestoreFile
            | O::DeleteRestore(_)
            | O::RequestRestoreAction
            | O::StartCleanup => Rights::Create,
            O::ChangeEncryption | O::DeleteAgent | O::DeleteAgentById(_) | O::MigrateVault | O::DeleteConfiguration(_) => Rights::Delete,
        }
    }
}

fn id(text: &str) -> Result<i64, Miss> {
    let is_plain = !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| is_plain && *id > 0 && *id <= i64::from(i32::MAX)).ok_or(Miss::NoPath)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: &str) -> Result<Operation, Miss> {
        Operation::of(&Method::from_bytes(method.as_bytes()).expect("a method"), &split(path).1)
    }

    #[test]
    fn the_tenant_is_optional_and_no_resource_is_one() {
        assert_eq!(split("5501/user/agents"), (Some("5501"), vec!["user", "agents"]));
        for path in ["user/agents", "user/agents/", "user/agents.json", "user/agents.json/"] {
            assert_eq!(split(path), (None, vec!["user", "agents"]), "{path}");
        }
        for resource in RESOURCES {
            assert_eq!(split(resource).0, None, "{resource}");
        }
        assert_eq!(split("5501"), (Some("5501"), vec![]));
        assert_eq!(split("user/agents//").1, ["user", "agents", ""], "one slash, not two");
    }

    #[test]
    fn literal_segments_win_and_other_ids_are_no_path() {
        assert_eq!(of("POST", "agent/enable"), Ok(Operation::EnableAgent));
        assert_eq!(of("GET", "agent/7"), Ok(Operation::ShowAgent(7)));
        assert_eq!(of("GET", "agent/enable"), Err(Miss::BadMethod("POST")));
        for id in ["0", "-1", "+1", "x", "1x", "01a", "2147483648", "99999999999999999999", "%31"] {
            assert_eq!(of("GET", &format!("agent/{id}")), Err(Miss::NoPath), "{id}");
            assert_eq!(of("GET", &format!("backup-configuration/{id}")), Err(Miss::NoPath), "{id}");
        }
        assert_eq!(of("GET", "agent/2147483647"), Ok(Operation::ShowAgent(2_147_483_647)));
    }

    #[test]
    fn other_methods_are_told_what_works_and_what_is_not_built_says_so() {
        assert_eq!(of("DELETE", "agent/7"), Err(Miss::BadMethod("GET, POST")));
        assert_eq!(of("POST", "agent/server/x"), Err(Miss::BadMethod("GET")));
        assert_eq!(of("PATCH", "backup-configuration/7"), Err(Miss::BadMethod("GET, PUT, DELETE")));
        for path in ["agent/events", "agent/events/5", "agent/busy", "browse/7", "backup-configuration/list/7", "5501/browse/7"] {
            assert_eq!(of("GET", path), Err(Miss::NotBuilt), "{path}");
        }
        for path in ["", "user", "help/me", "backup", "agents", "restore/files/7/8"] {
            assert_eq!(of("GET", path), Err(Miss::NoPath), "{path}");
        }
    }
}
