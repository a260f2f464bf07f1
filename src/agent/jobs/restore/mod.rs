//! A restore: files of a snapshot, made again below a folder or where they were. The snapshot may be another machine's: its vault is read
//! as it stood when the restore was accepted, without a lock.
//!
//! What it promises: a password that opens nothing, and a ciphertext that is none of ours, end in the same way. Nothing is written
//! outside of the destination; no file has its name before it is whole; what cannot be restored costs that file alone and is listed, and
//! so is what was asked for and is not in the backup. Folders that lie above what is restored and are there already stay as they are. What
//! was restored before the process ended is restored again.

mod chosen;
mod ending;
mod errors;
mod failed;
mod opening;
mod order;
#[cfg(test)]
mod tests;
mod told;

use self::chosen::Chosen;
use self::failed::Failed;
use self::opening::{Secrets, open};
use self::order::Order;
use self::told::Told;
use super::{Counted, Ended, Reporter, Tools};
use crate::agent::state::{KeyPair, StateError};
use crate::model::access::Secret;
use crate::model::run::RunState;
use crate::vault::backend::{Backend, Kind};
use crate::vault::error::Error;
use crate::vault::restore::{self as engine, Options, Source};
use crate::vault::snapshot::Snapshot;
use crate::wire::channel::work::Run;

/// Does the restore `run`; its job is a restore.
pub fn restore(tools: &Tools, run: &Run, reporter: &Reporter) -> Ended {
    let secrets = OfState { tools, run };
    let place = |generation| tools.vaults.of_restore(run.id, generation, &reporter.leash);
    restore_from(&place, &secrets, run, reporter)
}

/// The place of a generation's repository.
type PlaceOf<'a> = &'a dyn Fn(i64) -> Result<Box<dyn Backend>, Error>;

fn restore_from(place: PlaceOf<'_>, secrets: &dyn Secrets, run: &Run, reporter: &Reporter) -> Ended {
    work(place, secrets, run, reporter).unwrap_or_else(|failed| failed.ended(reporter))
}

fn work(place: PlaceOf<'_>, secrets: &dyn Secrets, run: &Run, reporter: &Reporter) -> Result<Ended, Failed> {
    reporter.step(RunState::Preparing, Counted::default())?;
    let cancel = reporter.leash.cancel();
    let order = Order::parse(&run.job)?;
    let repository = open(place, secrets, &order)?;
    let snapshot = Snapshot::parse(&repository.read_file(Kind::Snapshot, order.snapshot)?, &order.snapshot)?;
    let index = repository.load_index(cancel)?.index;
    let chosen = Chosen::new(&order.selection, &snapshot);
    let options = Options { filter: &|path, node| chosen.decide(path, node), overwrite: order.overwrite, ..Options::default() };
    let told = Told::new(reporter);
    let source = Source { repository: &repository, index: &index };
    let report = engine::restore(source, snapshot.tree, &order.target, &options, cancel, &told);
    Ok(ending::ended(reporter, report, &chosen, told.end()))
}

/// What the state folder knows.
struct OfState<'a> {
    tools: &'a Tools,
    run: &'a Run,
}

impl Secrets for OfState<'_> {
    fn key_pair(&self) -> Result<KeyPair, StateError> {
        self.tools.state.key_pair()
    }

    fn kept_ciphertext(&self) -> Option<String> {
        self.tools.state.journal().ciphertext(self.run.id, self.run.attempt)
    }

    fn passphrases(&self) -> Result<Vec<Secret>, StateError> {
        Ok(self.tools.state.passphrases().all()?.iter().map(|passphrase| Secret::presented(passphrase)).collect())
    }
}
