//! Copies are written, and joined before they become many.

use super::super::catalog::{CatalogError, Connection, Row};
use super::super::{Error, Result, Store, chain, rows};
use super::{Absence, HidesCopy, Told, hides_copies};

/// Files that one copy tells of.
const COPY_ROWS: usize = 10_000;
/// More copies than this are told once more in fewer.
const MANY: usize = 64;

impl Store {
    /// Tells of every hide and return that no copy tells yet.
    pub(in super::super) async fn tell_hides(&self) -> Result<()> {
        loop {
            let number = match self.read(|connection| connection.query("SELECT random FROM untold_hides LIMIT 1", &[])).await?.is_empty() {
                true => return Ok(()),
                false => self.next_number().await?,
            };
            let (files, absences) = self.read(untold).await?;
            let is_last = files.len() < COPY_ROWS;
            self.put_hides(number, files.iter().flatten().cloned().collect(), absences).await?;
            self.note_told(files.into_iter().flatten().collect()).await?;
            if is_last {
                return self.tell_again_if_many().await;
            }
        }
    }

    /// Tells of them now, where that can be: what could not be told now is told by the next server that runs.
    pub(in super::super) async fn tell_hides_soon(&self) {
        if let Err(error) = self.tell_hides().await {
            tracing::warn!(error = %chain(&error), "what was hidden could not be told in the small copies yet");
        }
    }

    /// Forgets to tell of what is still as it was told.
    async fn note_told(&self, files: Vec<Told>) -> Result<()> {
        self.write(move |connection| {
            let gone = "DELETE FROM untold_hides WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.random = untold_hides.random)";
            connection.execute(gone, &[])?;
            let done = "DELETE FROM untold_hides WHERE random = $1 AND EXISTS (SELECT 1 FROM files WHERE files.random = untold_hides.random \
                        AND COALESCE(files.hidden_at, 0) = $2)";
            files.iter().try_for_each(|file| {
                connection.execute(done, &[file.random.as_str().into(), file.hidden_at.unwrap_or(0).into()]).map(drop)
            })
        })
        .await
    }

    async fn tell_again_if_many(&self) -> Result<()> {
        let many = self.blocking(hides_copies).await?.map_err(|error| Error::Unavailable(error.into()))?;
        if many.len() > MANY { self.tell_all_again(many).await } else { Ok(()) }
    }

    /// Tells of all that is hidden now in new copies, then lets `old` go. What is hidden or comes back meanwhile is untold, so a copy of
    /// a higher number tells it.
    async fn tell_all_again(&self, old: Vec<String>) -> Result<()> {
        let mut after = String::new();
        loop {
            let (number, from) = (self.next_number().await?, after.clone());
            let statement = format!(
                "SELECT random, created_at, hidden_at FROM files WHERE state <> 'live' AND state = 'hidden' AND random > $1 \
                 ORDER BY random LIMIT {COPY_ROWS}"
            );
            let files =
                self.read(move |connection| connection.query(&statement, &[from.into()])?.iter().map(told).collect::<ToldRows>()).await?;
            let Some(last) = files.last().and_then(Option::as_ref) else { break };
            after.clone_from(&last.random);
            self.put_hides(number, files.into_iter().flatten().collect(), Vec::new()).await?;
        }
        self.tell_absences_again().await?;
        let removed = self.blocking(move |blobs| old.iter().try_for_each(|name| blobs.remove_control(name))).await?;
        removed.map_err(|error| self.blob_write_failed(error, 0))
    }

    async fn tell_absences_again(&self) -> Result<()> {
        let mut after = (String::new(), 0);
        loop {
            let (number, from) = (self.next_number().await?, after.clone());
            let statement = format!(
                "SELECT random, from_at, until_at FROM absences WHERE random >= $1 AND (random > $1 OR from_at > $2) \
                 ORDER BY random, from_at LIMIT {COPY_ROWS}"
            );
            let values = [from.0.into(), from.1.into()];
            let absences =
                self.read(move |connection| connection.query(&statement, &values)?.iter().map(absence).collect::<AbsenceRows>()).await?;
            let Some((random, from_at, _)) = absences.last() else { return Ok(()) };
            after = (random.clone(), *from_at);
            self.put_hides(number, Vec::new(), absences).await?;
        }
    }

    /// Taken before what a copy tells is read: whatever changes later is told under a higher one.
    async fn next_number(&self) -> Result<i64> {
        let statement = "UPDATE counters SET value = value + 1 WHERE name = 'hides' RETURNING value";
        self.write(move |connection| connection.query(statement, &[])?.first().map_or(Ok(0), |row| row.int(0))).await
    }

    async fn put_hides(&self, number: i64, files: Vec<Told>, absences: Vec<Absence>) -> Result<()> {
        if files.is_empty() && absences.is_empty() {
            return Ok(());
        }
        let store_id = self.read(|connection| rows::get(connection, "store_id")).await?.unwrap_or_default();
        let copy = HidesCopy { format: 1, store_id, number, files, absences };
        let (name, bytes) = copy.encode().map_err(|error| Error::Internal(error.into()))?;
        let outcome = self.blocking(move |blobs| blobs.put_control(&name, &bytes)).await?;
        outcome.map_err(|error| self.blob_write_failed(error, 0))
    }
}

type ToldRows = std::result::Result<Vec<Option<Told>>, CatalogError>;
type AbsenceRows = std::result::Result<Vec<Absence>, CatalogError>;

/// The next files that no copy tells, with `None` for one that has gone, and when they were hidden before.
fn untold(connection: &mut dyn Connection) -> std::result::Result<(Vec<Option<Told>>, Vec<Absence>), CatalogError> {
    let files = format!(
        "SELECT untold_hides.random, files.created_at, files.hidden_at FROM untold_hides \
         LEFT JOIN files ON files.random = untold_hides.random ORDER BY untold_hides.random LIMIT {COPY_ROWS}"
    );
    let absences = format!(
        "SELECT random, from_at, until_at FROM absences WHERE random IN (SELECT random FROM untold_hides ORDER BY random LIMIT {COPY_ROWS}) \
         ORDER BY random, from_at"
    );
    let files = connection.query(&files, &[])?.iter().map(told).collect::<ToldRows>()?;
    let absences = connection.query(&absences, &[])?.iter().map(absence).collect::<AbsenceRows>()?;
    Ok((files, absences))
}

fn told(row: &Row) -> std::result::Result<Option<Told>, CatalogError> {
    let Some(created_at) = row.optional_int(1)? else { return Ok(None) };
    Ok(Some(Told { random: row.text(0)?.to_owned(), created_at, hidden_at: row.optional_int(2)? }))
}

fn absence(row: &Row) -> std::result::Result<Absence, CatalogError> {
    Ok((row.text(0)?.to_owned(), row.int(1)?, row.int(2)?))
}
