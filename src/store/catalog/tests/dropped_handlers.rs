//! The control of D24b: the same dropped handlers, with a pool of connections that they call themselves. A transaction that was
//! dropped in the middle stays open and swallows what the next handler does on that connection.

use std::sync::{Arc, Mutex};

use futures_util::poll;
use tokio_postgres::{Client, NoTls};

use super::bed::Bed;
use crate::figure::figure;

type Pool = Arc<Mutex<Vec<Client>>>;

/// A connection on loan; given back when dropped, as a pool does.
struct Loan {
    pool: Pool,
    client: Option<Client>,
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.pool.lock().unwrap().extend(self.client.take());
    }
}

/// Inserts `id`, the odd ones inside a transaction of their own.
async fn insert(pool: Pool, id: i64) -> bool {
    let client = pool.lock().unwrap().pop();
    let loan = Loan { pool, client };
    let Some(client) = &loan.client else { return false };
    let statement = format!("INSERT INTO things (id) VALUES ({id})");
    if id % 2 == 0 {
        return client.batch_execute(&statement).await.is_ok();
    }
    client.batch_execute("BEGIN").await.is_ok()
        && client.batch_execute(&statement).await.is_ok()
        && client.batch_execute("COMMIT").await.is_ok()
}

#[test]
fn a_pool_that_handlers_call_themselves_loses_rows_that_were_answered_ok() {
    let Some(bed) = Bed::postgres() else { return };
    let (answered, lost) = bed.wait(async {
        let looker = connect(&bed).await;
        let pool = Pool::default();
        let (mut answered, mut lost) = (0, 0);
        for id in 0..2_000 {
            if pool.lock().unwrap().is_empty() {
                let client = connect(&bed).await;
                pool.lock().unwrap().push(client);
            }
            let mut work = Box::pin(insert(Arc::clone(&pool), id));
            if id % 3 == 0 {
                // Its client goes away after some polls.
                for _ in 0..=id % 4 {
                    if poll!(&mut work).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                continue;
            }
            if work.await {
                answered += 1;
                let seen = looker.query(&format!("SELECT id FROM things WHERE id = {id}"), &[]).await.unwrap();
                lost += usize::from(seen.is_empty());
            }
        }
        (answered, lost)
    });
    assert!(lost > 0, "the control shows no loss: then the test beside it shows nothing, either");
    figure("D24b", "⊖ called from the handlers", &format!("{lost} of {answered} rows answered Ok were not there"), None);
}

async fn connect(bed: &Bed) -> Client {
    let (client, connection) = tokio_postgres::connect(bed.postgres_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
