//! When a vault's files were hidden: bursts, each with the instant to open after an attack.

use super::catalog::{CatalogError, Row};
use super::{Result, Store};
use crate::model::account::Account;
use crate::model::instant::{Instant, SECOND_MICROS};

/// Hides with shorter pauses than this belong together.
const PAUSE_MICROS: i64 = 60 * SECOND_MICROS;
/// Rows of one read.
const PAGE_ROWS: usize = 1000;

/// Hides that followed each other closely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst {
    pub from: Instant,
    pub to: Instant,
    pub files: u64,
    pub bytes: u64,
}

impl Burst {
    /// The last instant at which all of its files were there.
    pub const fn before(&self) -> Instant {
        self.from.plus_micros(-1)
    }
}

impl Store {
    /// All bursts that can still be looked behind, newest first.
    pub async fn bursts(&self, account: &Account) -> Result<Vec<Burst>> {
        let (mut bursts, mut after) = (Vec::new(), Some((i64::MAX, String::new())));
        while let Some((at, random)) = after {
            let id = account.id.clone();
            let statement = format!(
                "SELECT hidden_at, size, random FROM files WHERE account = $1 AND state = 'hidden' AND hidden_at <= $2 \
                 AND (hidden_at < $2 OR random < $3) ORDER BY hidden_at DESC, random DESC LIMIT {PAGE_ROWS}"
            );
            let found = self
                .read(move |connection| {
                    let found = connection.query(&statement, &[id.as_str().into(), at.into(), random.as_str().into()])?;
                    found.iter().map(hide).collect::<std::result::Result<Vec<_>, _>>()
                })
                .await?;
            after = found.last().filter(|_| found.len() == PAGE_ROWS).map(|(at, _, random)| (at.micros(), random.clone()));
            found.iter().for_each(|(at, bytes, _)| join(&mut bursts, *at, *bytes));
        }
        let now = self.now();
        bursts.retain(|burst| account.retention.expires_at(burst.before(), burst.before()) > now);
        Ok(bursts)
    }
}

fn hide(row: &Row) -> std::result::Result<(Instant, u64, String), CatalogError> {
    Ok((Instant::from_micros(row.int(0)?), u64::try_from(row.int(1)?).unwrap_or(0), row.text(2)?.to_owned()))
}

/// Takes the next older hide in.
fn join(bursts: &mut Vec<Burst>, at: Instant, bytes: u64) {
    match bursts.last_mut().filter(|burst| burst.from.micros_since(at) < PAUSE_MICROS) {
        Some(burst) => *burst = Burst { from: at, files: burst.files + 1, bytes: burst.bytes.saturating_add(bytes), ..*burst },
        None => bursts.push(Burst { from: at, to: at, files: 1, bytes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_with_pauses_under_a_minute_are_one_burst() {
        let mut bursts = Vec::new();
        for second in [300, 241, 182, 122, 10] {
            join(&mut bursts, Instant::from_seconds(second), 5);
        }
        let burst = |from, to, files| Burst { from: Instant::from_seconds(from), to: Instant::from_seconds(to), files, bytes: files * 5 };
        assert_eq!(bursts, [burst(182, 300, 3), burst(122, 122, 1), burst(10, 10, 1)]);
        assert_eq!(bursts[0].before(), Instant::from_micros(182 * SECOND_MICROS - 1));
    }
}
