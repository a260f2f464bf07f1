//! Check: every blob against its row now, as fast as the disk reads, for the operator.

use super::blobs::{BlobKey, Found};
use super::verify::{self, Finding};
use super::{Result, Store, rows};
use crate::model::access::AccountId;
use crate::model::instant::Instant;
use crate::model::stored_file::{BlobId, StoredFile};

/// What to check.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckRequest {
    /// Only this account's files.
    pub account: Option<AccountId>,
    /// Only that each blob is there with the right size; nothing is read.
    pub quick: bool,
}

/// How far a check has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CheckProgress {
    pub files: u64,
    pub bytes: u64,
    pub all_files: u64,
    pub all_bytes: u64,
}

/// One thing an operator should look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub account: Option<AccountId>,
    /// The file's name, or a path below `blobs/`.
    pub name: String,
    pub why: String,
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckReport {
    pub files: u64,
    pub bytes: u64,
    pub damaged: Vec<Problem>,
    /// Blobs that fit no row: kept, never shown, never deleted.
    pub quarantined: Vec<Problem>,
    /// What is under `blobs/` and was not written by a strongroom.
    pub foreign: Vec<Problem>,
}

impl Store {
    /// Checks live and hidden files, marks what it finds, and lists what fits no row. `progress` is called after each file.
    pub async fn check(&self, request: &CheckRequest, progress: &mut (dyn FnMut(CheckProgress) + Send)) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        let (all_files, all_bytes) = self.count_files(request.account.clone()).await?;
        let mut after = String::new();
        loop {
            let batch = self.files_after(request.account.clone(), after).await?;
            let Some(last) = batch.last() else { break };
            after = last.id.as_str().to_owned();
            let mut whole = Vec::new();
            for file in batch {
                if let Some(why) = self.check_one(&file, request.quick, &mut whole).await? {
                    report.damaged.push(Problem { account: Some(file.account.clone()), name: file.name.to_string(), why });
                }
                report.files += 1;
                report.bytes += file.size_bytes;
                progress(CheckProgress { files: report.files, bytes: report.bytes, all_files, all_bytes });
            }
            self.mark_whole(whole).await?;
        }
        report.quarantined = self.quarantined(request.account.clone()).await?;
        if request.account.is_none() {
            report.foreign = self.foreign().await?;
        }
        Ok(report)
    }

    /// Why the file is damaged, where it is; a damaged one is marked, a whole one is noted in `whole`.
    async fn check_one(&self, file: &StoredFile, quick: bool, whole: &mut Vec<(BlobId, Instant)>) -> Result<Option<String>> {
        let (key, size_bytes, began) = (BlobKey::of(file), file.size_bytes, self.now());
        let finding = self
            .blocking(move |blobs| {
                if quick {
                    return verify::look(blobs, &key, size_bytes);
                }
                Some(verify::read_whole(blobs, &key, Some(size_bytes), &mut |_| true))
            })
            .await?;
        let Some(finding) = finding else { return Ok(file.damaged_at.map(|at| format!("found damaged on {}", at.rfc3339()))) };
        if !self.is_kept(file).await? {
            return Ok(None);
        }
        if matches!(finding, Finding::Whole { .. }) {
            whole.push((file.id.clone(), began));
            return Ok(None);
        }
        self.note_finding(file, &finding).await?;
        Ok(match finding {
            Finding::Whole { .. } => None,
            Finding::Missing | Finding::Damaged(_) | Finding::Unreadable(_) => Some(finding.words().to_owned()),
            Finding::Unknown(why) => Some(format!("could not be checked: {why}")),
        })
    }

    /// Whether the row still promises the bytes: a life may end during a check.
    pub(super) async fn is_kept(&self, file: &StoredFile) -> Result<bool> {
        let id = file.id.clone();
        let row = self.read(move |connection| rows::file_of_blob(connection, None, &id)).await?;
        Ok(row.is_some_and(|row| row.state == file.state))
    }

    async fn count_files(&self, account: Option<AccountId>) -> Result<(u64, u64)> {
        let condition = if account.is_some() { "AND account = $1" } else { "" };
        let statement =
            format!("SELECT COUNT(*), COALESCE(CAST(SUM(size) AS BIGINT), 0) FROM files WHERE state IN ('live', 'hidden') {condition}");
        self.read_at_length(move |connection| {
            let values: Vec<_> = account.iter().map(|id| id.as_str().into()).collect();
            let found = connection.query(&statement, &values)?;
            let count = |column| found.first().map_or(Ok(0), |row| row.int(column)).map(|number| u64::try_from(number).unwrap_or(0));
            Ok((count(0)?, count(1)?))
        })
        .await
    }

    /// The next live and hidden files by blob id.
    pub(super) async fn files_after(&self, account: Option<AccountId>, after: String) -> Result<Vec<StoredFile>> {
        let (columns, condition) = (rows::FILE_COLUMNS, if account.is_some() { "AND account = $2" } else { "" });
        let statement =
            format!("SELECT {columns} FROM files WHERE random > $1 AND state IN ('live', 'hidden') {condition} ORDER BY random LIMIT 1000");
        self.read(move |connection| {
            let mut values = vec![after.into()];
            values.extend(account.iter().map(|id| id.as_str().into()));
            connection.query(&statement, &values)?.iter().map(|row| rows::file(row, None)).collect()
        })
        .await
    }

    /// At most 1,000 blobs that are quarantined, or that wait because they cannot be read.
    async fn quarantined(&self, account: Option<AccountId>) -> Result<Vec<Problem>> {
        let (columns, condition) = (rows::FILE_COLUMNS, if account.is_some() { "AND account = $1" } else { "" });
        let statement = format!(
            "SELECT {columns}, why FROM files WHERE state <> 'live' AND (state = 'quarantined' OR state = 'checking' AND why IS NOT NULL) \
             {condition} ORDER BY random LIMIT 1000"
        );
        self.read_at_length(move |connection| {
            let values: Vec<_> = account.iter().map(|id| id.as_str().into()).collect();
            let found = connection.query(&statement, &values)?;
            let problems = found.iter().map(|row| {
                let (file, why) = (rows::file(row, None)?, row.optional_text(11)?.unwrap_or("it fits no row"));
                let name = BlobKey::of(&file).to_path();
                Ok(Problem { account: Some(file.account), name, why: why.to_owned() })
            });
            problems.collect()
        })
        .await
    }

    /// At most 1,000 things under `blobs/` that are foreign or cannot be read.
    async fn foreign(&self) -> Result<Vec<Problem>> {
        let found = self
            .blocking(|blobs| {
                let mut foreign = Vec::new();
                let problem = |name, why| Problem { account: None, name, why };
                let outcome = blobs.walk(&mut |found| {
                    match found {
                        Found::Blob { .. } => {}
                        Found::Foreign { path } => foreign.push(problem(path, "not written by a strongroom".to_owned())),
                        Found::Unreadable { path, why } => foreign.push(problem(path, format!("it cannot be read: {why}"))),
                    }
                    foreign.len() < 1000
                });
                outcome.map(|()| foreign)
            })
            .await?;
        found.map_err(|error| super::Error::Unavailable(error.into()))
    }
}
