//! Sends the mail that waits in the catalog, one after the other, until the stop.
//!
//! Nothing waits for it: whoever writes a mail has committed long before, and a mail server that is dead or slow costs only the
//! time of this one task. Each mail is claimed first, so that of several servers on one catalog one sends it. One that was handed over
//! just when the server died may be sent again; its Message-ID is the same.

mod letter;
mod smtp;

use std::time::Duration;

use lettre::Address;

use crate::config::mail::MailConfig;
use crate::shutdown::Shutdown;
use crate::store::fleet::{ClaimedMail, MailFate};
use crate::store::{Error, Store, chain};
use smtp::{Fault, Line, Route};

/// How often somebody looks whether a mail waits.
const PERIOD: Duration = Duration::from_secs(1);
/// The pause after a mail server or a catalog that did not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// What is being sent at the stop gets this long.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why mail cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("mail_from is no address")]
    From(#[from] lettre::address::AddressError),
    #[error("the mail server's certificate could not be checked with these authorities")]
    Tls(#[from] lettre::transport::smtp::Error),
}

/// Knows the mail server and who sends.
pub struct Mailer {
    route: Route,
    from: Address,
    /// What the mail server did not do when it was last asked; said once, until it works again.
    trouble: Option<String>,
}

/// How one mail fared.
enum Fared {
    Sent,
    Failed(Fault),
    /// The stop came first.
    GivenBack,
}

impl Mailer {
    pub fn new(config: &MailConfig) -> Result<Self, MailError> {
        Ok(Self { route: Route::new(config)?, from: config.from.parse()?, trouble: None })
    }

    /// Returns seconds after the stop, whatever the mail server does.
    pub async fn run(mut self, store: Store, shutdown: Shutdown) {
        let mut stopping = shutdown.clone();
        while !shutdown.is_stopping() {
            let pause = match self.send_waiting(&store, &shutdown).await {
                Ok(true) => PERIOD,
                Ok(false) => PAUSE,
                Err(error) => {
                    if !matches!(error, Error::WritesSuspended { .. }) {
                        tracing::warn!(error = %chain(&error), "mail that waits could not be looked for; it is tried again");
                    }
                    PAUSE
                }
            };
            tokio::select! {
                () = stopping.stopped() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Sends what waits, on one connection while that lasts; `false` where the mail server is in trouble.
    async fn send_waiting(&mut self, store: &Store, shutdown: &Shutdown) -> Result<bool, Error> {
        let mut line = None;
        while !shutdown.is_stopping() {
            let Some(mail) = store.claim_mail().await? else { break };
            let fared = self.until_stop(&mut line, &mail, shutdown).await;
            if !self.note(store, &mail, fared).await? {
                return Ok(false);
            }
        }
        if let Some(line) = line {
            line.close().await;
        }
        Ok(true)
    }

    async fn until_stop(&self, line: &mut Option<Line>, mail: &ClaimedMail, shutdown: &Shutdown) -> Fared {
        let mut stopping = shutdown.clone();
        let out_of_time = async {
            stopping.stopped().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            sent = self.send(line, mail) => sent.map_or_else(Fared::Failed, |()| Fared::Sent),
            () = out_of_time => Fared::GivenBack,
        }
    }

    async fn send(&self, line: &mut Option<Line>, mail: &ClaimedMail) -> Result<(), Fault> {
        let letter = letter::letter(&self.from, mail).map_err(|why| Fault::Refused { why, is_final: true })?;
        let mut open = match line.take() {
            Some(open) => open,
            None => self.route.connect().await?,
        };
        let sent = open.send(&letter).await;
        // After a refusal the library has hung up.
        *line = sent.is_ok().then_some(open);
        sent
    }

    /// Notes how it fared; `false` where the mail server is in trouble.
    async fn note(&mut self, store: &Store, mail: &ClaimedMail, fared: Fared) -> Result<bool, Error> {
        match fared {
            Fared::GivenBack => store.give_mail_back(mail).await.map(|()| true),
            Fared::Sent => {
                store.note_mail_sent(mail).await?;
                self.works_again();
                tracing::info!(mail.id, mail.recipient, "a mail was sent");
                Ok(true)
            }
            Fared::Failed(Fault::Refused { why, is_final }) => {
                self.works_again();
                let fate = store.note_mail_failed(mail, is_final).await?;
                match fate {
                    MailFate::Waits(until) => {
                        tracing::warn!(
                            mail.id,
                            mail.recipient,
                            mail.tries,
                            why,
                            until = until.rfc3339(),
                            "a mail was not taken; it is tried again"
                        );
                    }
                    MailFate::GivenUp => say_given_up(mail, &why),
                }
                Ok(true)
            }
            Fared::Failed(Fault::Server(why)) => {
                if store.note_mail_failed(mail, false).await? == MailFate::GivenUp {
                    say_given_up(mail, &why);
                }
                if self.trouble.as_ref() != Some(&why) {
                    tracing::warn!(error = why, "the mail server takes no mail; it is tried again");
                    self.trouble = Some(why);
                }
                Ok(false)
            }
        }
    }

    fn works_again(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!("the mail server takes mail again");
        }
    }
}

fn say_given_up(mail: &ClaimedMail, why: &str) {
    tracing::error!(mail.id, mail.recipient, mail.subject, mail.tries, why, "a mail is given up: its recipient does not hear of it");
}
