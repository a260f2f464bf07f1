//! Mail that waits to be sent. Of several servers on one catalog whoever moves a mail's time on has it to itself for a while; it stays
//! until a server took it, and what was sent or given up is remembered for 90 days.

use super::{Rows, next_id, requests};
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, Instant, SECOND_MICROS};
use crate::store::catalog::{Connection, Row, Value};
use crate::store::{Result, Store};

/// Longer than any try takes: a server that died in the midst keeps a mail no longer from the others.
const LEASE_MICROS: i64 = 10 * MINUTE_MICROS;
/// The wait after the first try that failed; each further one is twice as long.
const FIRST_WAIT_MICROS: i64 = MINUTE_MICROS;
const LAST_WAIT_MICROS: i64 = 6 * HOUR_MICROS;
/// From its first try on a mail is tried for so long.
const TRIED_MICROS: i64 = 3 * DAY_MICROS;
const REMEMBERED_MICROS: i64 = 90 * DAY_MICROS;
const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;

/// A mail to be, for one recipient.
pub(super) struct Letter<'a> {
    /// What it is about: there is one mail for each reference and recipient.
    pub reference: &'a str,
    pub recipient: &'a str,
    /// One line.
    pub subject: &'a str,
    pub body: &'a str,
    pub due_at: Instant,
}

/// A mail that this server, and no other, tries to send now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedMail {
    pub id: i64,
    pub recipient: String,
    /// The same at every try, so that two that arrive are known to be one. Without its brackets.
    pub message_id: String,
    pub subject: String,
    pub body: String,
    /// Which try this is.
    pub tries: i64,
    pub first_try_at: Instant,
    /// When it was claimed.
    pub now: Instant,
}

/// What becomes of a mail that could not be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailFate {
    /// It is tried again then.
    Waits(Instant),
    GivenUp,
}

impl Store {
    /// The mail that has waited longest. For ten minutes no other server tries it.
    pub async fn claim_mail(&self) -> Result<Option<ClaimedMail>> {
        let now = self.now();
        let waiting = format!("SELECT id FROM mails WHERE {WAITING} AND due_at <= $1 LIMIT 1");
        if self.read(move |connection| connection.query(&waiting, &[now.micros().into()])).await?.is_empty() {
            return Ok(None);
        }
        let statement = format!(
            "UPDATE mails SET due_at = $2, tries = tries + 1, first_try_at = COALESCE(first_try_at, $1) \
             WHERE id = (SELECT id FROM mails WHERE {WAITING} AND due_at <= $1 ORDER BY due_at, id LIMIT 1) AND {WAITING} AND due_at <= $1 \
             RETURNING id, recipient, message_id, subject, body, tries, first_try_at"
        );
        self.write(move |connection| {
            let values = [now.micros().into(), now.plus_micros(LEASE_MICROS).micros().into()];
            connection.query(&statement, &values)?.first().map(|row| claimed(row, now)).transpose()
        })
        .await
    }

    pub async fn note_mail_sent(&self, mail: &ClaimedMail) -> Result<()> {
        let (id, now) = (mail.id, self.now());
        self.write(move |connection| {
            connection.execute("UPDATE mails SET sent_at = $2 WHERE id = $1", &[id.into(), now.micros().into()]).map(drop)
        })
        .await
    }

    /// It is tried again after a while that grows with each try, up to six hours; for three days, or not at all where `is_final`.
    pub async fn note_mail_failed(&self, mail: &ClaimedMail, is_final: bool) -> Result<MailFate> {
        let now = self.now();
        let is_over = is_final || now.micros_since(mail.first_try_at) >= TRIED_MICROS;
        let fate = if is_over { MailFate::GivenUp } else { MailFate::Waits(now.plus_micros(wait_micros(mail.tries))) };
        let (column, at) = match fate {
            MailFate::GivenUp => ("given_up_at", now),
            MailFate::Waits(until) => ("due_at", until),
        };
        self.note_try(mail, format!("{column} = $3"), vec![at.micros().into()]).await?;
        Ok(fate)
    }

    /// Gives a mail back that was not tried to the end, because this server stops.
    pub async fn give_mail_back(&self, mail: &ClaimedMail) -> Result<()> {
        self.note_try(mail, "tries = tries - 1, due_at = $3".to_owned(), vec![mail.now.micros().into()]).await
    }

    /// Of a claim that another server holds by now nothing is noted.
    async fn note_try(&self, mail: &ClaimedMail, set: String, values: Vec<Value>) -> Result<()> {
        let statement = format!("UPDATE mails SET {set} WHERE id = $1 AND tries = $2 AND {WAITING}");
        let values: Vec<Value> = [mail.id.into(), mail.tries.into()].into_iter().chain(values).collect();
        self.write(move |connection| connection.execute(&statement, &values).map(drop)).await
    }

    pub(in crate::store) async fn forget_mails(&self) -> Result<()> {
        let old = self.now().plus_micros(-REMEMBERED_MICROS);
        self.write(move |connection| {
            connection.execute("DELETE FROM mails WHERE sent_at <= $1 OR given_up_at <= $1", &[old.micros().into()]).map(drop)
        })
        .await
    }
}

/// SQL for mails that are still to be sent.
const WAITING: &str = "sent_at IS NULL AND given_up_at IS NULL";

fn claimed(row: &Row, now: Instant) -> Rows<ClaimedMail> {
    Ok(ClaimedMail {
        id: row.int(0)?,
        recipient: row.text(1)?.to_owned(),
        message_id: row.text(2)?.to_owned(),
        subject: row.text(3)?.to_owned(),
        body: row.text(4)?.to_owned(),
        tries: row.int(5)?,
        first_try_at: Instant::from_micros(row.int(6)?),
        now,
    })
}

/// One minute after the first try, then twice as long each time, six hours at most.
fn wait_micros(tries: i64) -> i64 {
    let doublings = u32::try_from(tries - 1).unwrap_or(0).min(16);
    (FIRST_WAIT_MICROS << doublings).min(LAST_WAIT_MICROS)
}

/// Notes a mail, once for its reference and recipient.
pub(super) fn enqueue(connection: &mut dyn Connection, letter: &Letter<'_>, now: Instant) -> Rows<()> {
    let id = next_id(connection)?;
    let statement = "INSERT INTO mails (id, reference, recipient, message_id, subject, body, created_at, due_at, tries) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) ON CONFLICT DO NOTHING";
    let values = [
        id.into(),
        letter.reference.into(),
        letter.recipient.into(),
        format!("{}@strongroom", requests::guid()).into(),
        letter.subject.into(),
        letter.body.into(),
        now.micros().into(),
        letter.due_at.micros().into(),
    ];
    connection.execute(statement, &values).map(drop)
}

/// Takes back what was to be told of missed backups later: nobody waits for it any more. `condition` finds the runs, with `$1`.
pub(super) fn withdraw(connection: &mut dyn Connection, condition: &str, value: i64, now: Instant) -> Rows<()> {
    let statement = format!(
        "DELETE FROM mails WHERE {WAITING} AND tries = 0 AND due_at > $2 \
         AND reference IN (SELECT 'run ' || id || ' ' || attempt FROM runs WHERE {condition} AND state = 'Missed')"
    );
    connection.execute(&statement, &[value.into(), now.micros().into()]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_a_minute_to_six_hours() {
        let minutes = |tries| wait_micros(tries) / MINUTE_MICROS;
        assert_eq!([1, 2, 3, 9, 10, 11, 1000].map(minutes), [1, 2, 4, 256, 360, 360, 360]);
    }
}
