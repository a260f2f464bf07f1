//! `GET work`: all that is wanted of an agent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MAX_BODY_BYTES, MAX_WAIT_SECONDS, state_text};
use crate::model::access::Secret;
use crate::model::run_record::{MAX_ERROR_BYTES, MAX_ERRORS};
use crate::model::selection::{Item, ItemPath, ItemType, Selection};
use crate::model::work::{Job, VaultView, Wanted, WantedRequest, WantedRun};

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    pub agent_id: i64,
    pub is_disabled: bool,
    pub log_level: String,
    pub limits: Limits,
    pub vault: Vault,
    pub runs: Vec<Run>,
    pub requests: Vec<Request>,
}

/// What the channel takes of an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Of a report's body.
    pub report_bytes: usize,
    /// Errors that a report lists, and bytes of each of their texts.
    pub errors: usize,
    pub error_bytes: usize,
    /// No poll is held longer.
    pub wait_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { report_bytes: MAX_BODY_BYTES, errors: MAX_ERRORS, error_bytes: MAX_ERROR_BYTES, wait_seconds: MAX_WAIT_SECONDS }
    }
}

/// The repositories of a vault, the highest is written to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vault {
    pub generations: Vec<Generation>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its repository is `gN`.
    pub number: i64,
    pub is_encrypted: bool,
    /// Its repository was made: without a `config` something is lost.
    pub is_ready: bool,
    /// What opens it, where that is the server's to give.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "revealed", deserialize_with = "presented")]
    pub password: Option<Secret>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub id: i64,
    pub attempt: i64,
    pub state: String,
    /// It is to be stopped.
    pub stop: bool,
    #[serde(flatten)]
    pub job: JobText,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobText {
    Backup {
        configuration_id: i64,
        name: String,
        is_scheduled: bool,
        prescript: String,
        postscript: String,
        inclusions: Vec<Path>,
        exclusions: Vec<Path>,
        /// `gN/snapshots/ID`
        parent: Option<String>,
    },
    Restore {
        backup_id: i64,
        /// `gN/snapshots/ID`
        snapshot: String,
        /// For the agent's key, in hexadecimal digits.
        encrypted_password: Option<String>,
        destination_path: String,
        overwrite: bool,
        inclusions: Vec<Path>,
        exclusions: Vec<Path>,
        /// The source's.
        vault: Vault,
    },
    Cleanup {
        /// Exactly these, `gN/snapshots/ID`.
        forget: Vec<String>,
        is_halted: bool,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Path {
    pub path: String,
    /// Base64 of the name's bytes, where they are no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_encoded: Option<String>,
    /// `File`, `Folder` or `Database`; what is on the disk counts.
    pub item_type: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub id: String,
    /// `encrypt`, `change_password` or `verify_password`.
    pub kind: String,
    pub is_taken: bool,
    pub encrypted_password: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_encrypted_password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

/// What opens a generation of a vault account, where the server may know it.
pub type Opens<'a> = &'a dyn Fn(&str, i64) -> Secret;

impl Work {
    pub fn of(wanted: &Wanted, opens: Opens<'_>) -> Self {
        Self {
            agent_id: wanted.agent.id,
            is_disabled: wanted.agent.is_disabled,
            log_level: wanted.agent.log_level.as_str().to_ascii_lowercase(),
            limits: Limits::default(),
            vault: Vault::of(&wanted.vault, opens),
            runs: wanted.runs.iter().map(|run| Run::of(run, opens)).collect(),
            requests: wanted.requests.iter().map(Request::of).collect(),
        }
    }
}

impl Vault {
    fn of(vault: &VaultView, opens: Opens<'_>) -> Self {
        let generation = |known: &crate::model::work::Generation| Generation {
            number: known.number,
            is_encrypted: known.is_encrypted,
            is_ready: known.is_ready,
            password: (!known.is_encrypted).then(|| opens(&vault.account, known.number)),
        };
        Self { generations: vault.generations.iter().map(generation).collect() }
    }
}

impl Run {
    /// Whether nobody has taken it yet.
    pub fn is_waiting(&self) -> bool {
        super::parse_state(&self.state).is_some_and(crate::model::run::RunState::is_waiting)
    }

    pub fn of(run: &WantedRun, opens: Opens<'_>) -> Self {
        Self { id: run.id, attempt: run.attempt, state: state_text(run.state), stop: run.stops(), job: JobText::of(&run.job, opens) }
    }
}

impl JobText {
    fn of(job: &Job, opens: Opens<'_>) -> Self {
        let bare = |name: &String| name.trim_start_matches('/').to_owned();
        match job {
            Job::Backup { configuration, name, is_scheduled, prescript, postscript, selection, parent } => Self::Backup {
                configuration_id: *configuration,
                name: name.clone(),
                is_scheduled: *is_scheduled,
                prescript: prescript.clone(),
                postscript: postscript.clone(),
                inclusions: paths(&selection.inclusions),
                exclusions: paths(&selection.exclusions),
                parent: parent.as_ref().map(bare),
            },
            Job::Restore { backup, snapshot, ciphertext, destination_path, overwrites, selection, vault, .. } => Self::Restore {
                backup_id: *backup,
                snapshot: bare(snapshot),
                encrypted_password: ciphertext.as_deref().map(|bytes| data_encoding::HEXLOWER.encode(bytes)),
                destination_path: destination_path.clone(),
                overwrite: *overwrites,
                inclusions: paths(&selection.inclusions),
                exclusions: paths(&selection.exclusions),
                vault: Vault::of(vault, opens),
            },
            Job::Cleanup { forget, is_halted } => Self::Cleanup { forget: forget.iter().map(bare).collect(), is_halted: *is_halted },
        }
    }
}

impl Request {
    fn of(request: &WantedRequest) -> Self {
        let hex = |bytes: &Vec<u8>| data_encoding::HEXLOWER.encode(bytes);
        Self {
            id: request.guid.clone(),
            kind: request.kind.as_str().to_owned(),
            is_taken: request.is_taken,
            encrypted_password: hex(&request.ciphertext),
            old_encrypted_password: request.old_ciphertext.as_ref().map(hex),
            generation: request.generation,
        }
    }
}

/// The one place where a vault's password is text, on its way to its agent.
fn revealed<S: Serializer>(password: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    password.as_ref().map(Secret::reveal).serialize(serializer)
}

fn presented<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| Secret::presented(&text)))
}

fn paths(items: &[Item]) -> Vec<Path> {
    let path = |item: &Item| Path {
        path: item.path.as_str().to_owned(),
        path_encoded: item.path.raw().map(|raw| STANDARD.encode(raw)),
        item_type: item.item_type.as_str().to_owned(),
    };
    items.iter().map(path).collect()
}

/// The selection of these lists; `None` where a path is none.
pub fn selection(inclusions: &[Path], exclusions: &[Path]) -> Option<Selection> {
    let item = |path: &Path| {
        let raw = path.path_encoded.as_ref().map(|text| STANDARD.decode(text)).transpose().ok()?;
        Some(Item { file_id: 0, item_type: ItemType::parse(&path.item_type)?, path: ItemPath::parse(&path.path, raw).ok()? })
    };
    let items = |paths: &[Path]| paths.iter().map(item).collect::<Option<Vec<_>>>();
    Some(Selection { inclusions: items(inclusions)?, exclusions: items(exclusions)? })
}
