//! Looking up who asks: the same work for what exists and for what does not.

use std::path::Path;

use super::rig::Rig;
use crate::model::access::{AccountId, Secret};
use crate::model::instant::DAY_MICROS;
use crate::model::retention::Retention;
use crate::store::accounts::AccountChange;
use crate::store::catalog::{CatalogError, Connection, Row, Value};
use crate::store::sessions;
use crate::store::visit::{self, Asked};

type Result<T> = std::result::Result<T, CatalogError>;

/// A connection that counts what it is asked, and the rows that it answers with.
struct Counting<'a> {
    inner: &'a mut dyn Connection,
    work: Work,
}

/// What a look-up costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Work {
    pub statements: usize,
    pub rows: usize,
}

impl Connection for Counting<'_> {
    fn execute(&mut self, statement: &str, values: &[Value]) -> Result<u64> {
        self.work.statements += 1;
        self.inner.execute(statement, values)
    }

    fn query(&mut self, statement: &str, values: &[Value]) -> Result<Vec<Row>> {
        self.work.statements += 1;
        let rows = self.inner.query(statement, values)?;
        self.work.rows += rows.len();
        Ok(rows)
    }

    fn script(&mut self, statements: &str) -> Result<()> {
        self.work.statements += 1;
        self.inner.script(statements)
    }

    fn begin(&mut self) -> Result<()> {
        self.inner.begin()
    }

    fn commit(&mut self) -> Result<()> {
        self.inner.commit()
    }

    fn rollback(&mut self) -> Result<()> {
        self.inner.rollback()
    }

    fn wall_micros(&mut self) -> Result<Option<i64>> {
        self.inner.wall_micros()
    }

    fn copy_to(&mut self, path: &Path) -> Result<()> {
        self.inner.copy_to(path)
    }
}

/// What `look_up` finds, and what it costs.
pub(super) async fn counted<T, F>(rig: &Rig, look_up: F) -> (T, Work)
where
    T: Send + 'static,
    F: FnOnce(&mut dyn Connection) -> Result<T> + Send + 'static,
{
    let count = move |inner: &mut dyn Connection| {
        let mut counting = Counting { inner, work: Work::default() };
        Ok((look_up(&mut counting)?, counting.work))
    };
    rig.store.read(count).await.expect("the catalog answers")
}

pub(super) async fn a_look_up_costs_the_same_whatever_it_finds(rig: Rig) {
    let change = AccountChange { retention: Some(Retention::from_days(90).expect("in range")), ..AccountChange::default() };
    rig.store.change_account(&rig.account.id, change).await.expect("the account exists");
    let unknown: AccountId = if rig.account.id.as_str() == "ZZZZZZ" { "AAAAAA" } else { "ZZZZZZ" }.parse().expect("a good id");
    for (id, is_known) in [(rig.account.id.clone(), true), (unknown, false)] {
        let look_up = move |connection: &mut dyn Connection| visit::look_up(connection, &id, &Asked::Nothing, |_| true);
        let (found, work) = counted(&rig, look_up).await;
        assert_eq!((found.is_some(), work), (is_known, Work { statements: 1, rows: 2 }), "an account with two spans of retention");
        assert!(found.is_none_or(|visit| visit.account.retention.spans().len() == 2), "with its whole history");
    }
    let ended = rig.store.make_session(&rig.account).await.expect("a session can be made");
    rig.pass(2 * DAY_MICROS).await;
    let live = rig.store.make_session(&rig.account).await.expect("a session can be made");
    for token in [live, ended, Secret::random()] {
        let (hash, now) = (token.hash(), rig.store.now());
        assert_eq!(counted(&rig, move |connection| sessions::look_up(connection, &hash, now)).await.1, Work { statements: 1, rows: 2 });
    }
}
