//! Takes from a server what serving does not need: other files, other programs, new privileges.
//!
//! Landlock restricts the calling thread and those that it starts, so this comes before the first of them; what root starts for
//! somebody else has become that user by then. A kernel without it is said so, once: the server serves all the same.

use std::error::Error;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _,
};

use crate::config::{CatalogTarget, Config, Layers};
use crate::store::home;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the standard library reads to know how many threads to start, the clock to tell one boot from the next, and the allocator
/// before it gives memory back.
const OF_THE_SYSTEM: [&str; 5] =
    ["/proc/self/cgroup", "/proc/self/mountinfo", "/sys/fs/cgroup", "/proc/sys/kernel/random/boot_id", "/proc/sys/vm/overcommit_memory"];

/// What finding a PostgreSQL server or a mail server by its name, and believing its certificate, takes.
const OF_NAMES_AND_AUTHORITIES: [&str; 17] = [
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/var/lib/ca-certificates",
];

/// Where config files are looked for again at SIGHUP.
const STANDARD_CONFIG: &str = "/etc/strongroom";

/// Gives up, for good, all that `config` does not ask for. Makes the data directory where it is missing.
pub fn enter(config: &Config, layers: &Layers) {
    if !config.sandbox {
        return tracing::warn!("the sandbox is off: a fault in this server could reach whatever its user can");
    }
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        tracing::warn!(%error, "this kernel does not let a process refuse new privileges");
    }
    match restrict(&config.store.data, &readable(config, layers)) {
        Ok(()) => tracing::info!("sandboxed: no file but its own and no other program can be opened"),
        Err(error) => tracing::warn!(%error, "no sandbox: this kernel has no Landlock of Linux 5.19 or later"),
    }
}

fn restrict(data: &Path, readable: &[PathBuf]) -> Outcome<()> {
    home::make(data)?;
    let ruleset = Ruleset::default()
        // The first version of Landlock forbids to move a file from one folder to another, which is how an upload is published.
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V2))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .create()?;
    let never = AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock | AccessFs::MakeFifo | AccessFs::MakeSym;
    let own = ruleset.add_rule(PathBeneath::new(PathFd::new(data)?, AccessFs::from_all(ABI::V5) & !(never | AccessFs::IoctlDev)))?;
    readable.iter().try_fold(own, |ruleset, path| with_readable(ruleset, path))?.restrict_self()?;
    Ok(())
}

/// What is not there, or not for us, needs no permission.
fn with_readable(ruleset: RulesetCreated, path: &Path) -> Outcome<RulesetCreated> {
    match PathFd::new(path) {
        Ok(opened) => Ok(ruleset.add_rule(PathBeneath::new(opened, AccessFs::ReadFile | AccessFs::ReadDir))?),
        Err(_) => Ok(ruleset),
    }
}

/// Files and folders that are read while serving. Of the files that the settings name it is the folder, because a renewed one
/// is a new file, and the folder of what a link leads to.
fn readable(config: &Config, layers: &Layers) -> Vec<PathBuf> {
    let named = ["tls_certificate", "tls_key", "catalog_file", "vault_secret", "smtp_password_file", "smtp_ca_file"]
        .map(|name| PathBuf::from(&layers.get(name).text));
    let named = named.into_iter().chain(layers.file.clone()).chain(of_tests()).filter(|path| !path.as_os_str().is_empty());
    let mut all: Vec<PathBuf> =
        named.flat_map(|path| [Some(folder(&path)), path.canonicalize().ok().map(|real| folder(&real))]).flatten().collect();
    all.push(STANDARD_CONFIG.into());
    all.extend(OF_THE_SYSTEM.map(PathBuf::from));
    if matches!(config.store.catalog, CatalogTarget::Postgres(_)) || config.mail.is_some() {
        all.extend(OF_NAMES_AND_AUTHORITIES.map(PathBuf::from));
        all.extend(["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().filter_map(std::env::var_os).map(PathBuf::from));
    }
    all
}

fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => ".".into(),
    }
}

/// The files by which tests move the clock.
fn of_tests() -> Vec<PathBuf> {
    let variables: &[&str] = if cfg!(debug_assertions) { &["STRONGROOM_TEST_CLOCK", "FAKETIME_TIMESTAMP_FILE"] } else { &[] };
    variables.iter().filter_map(std::env::var_os).map(PathBuf::from).collect()
}
