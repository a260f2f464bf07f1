//! Every interleaving of publish, commit, adopt, expire and remove, with a crash anywhere (D22).
//!
//! Two PUTs of one name race with two reconcilers, expiry and the remover. Each step is what one transaction or one system
//! call does; what the rows then say is written as in `commit.rs`, `reconcile.rs` and `expire.rs`.

use crate::figure::figure;
use stateright::{Checker, Model, Property};

/// The two uploads, and the blobs that they make.
const PUTS: usize = 2;
const RECONCILERS: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
enum Row {
    Live,
    Checking,
    Doomed,
    Quarantined,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Put {
    Receiving,
    Published,
    Acknowledged,
    /// Refused, in doubt, or dead: nothing was promised.
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Reconciler {
    Idle,
    /// It came upon a blob that had no row.
    Saw(usize),
    /// The blob has a `checking` row and is about to be read.
    Opened(usize),
    /// The blob was read and is whole.
    Verified(usize),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    blobs: [bool; PUTS],
    /// Rows as (blob, state), sorted.
    rows: Vec<(usize, Row)>,
    puts: [Put; PUTS],
    reconcilers: [Reconciler; RECONCILERS],
    /// A doomed blob that is unlinked and whose row is still there.
    unlinked: Option<usize>,
    expired: [bool; PUTS],
}

#[derive(Clone, PartialEq, Eq, Debug)]

enum Step {
    Publish(usize),
    Commit(usize),
    /// The commit happens, and its answer is lost.
    CommitUnheard(usize),
    See(usize, usize),
    InsertChecking(usize),
    TakeUpChecking(usize, usize),
    Read(usize),
    Judge(usize),
    Expire(usize),
    Unlink(usize),
    DeleteRow,
    Crash,
}

struct Life {
    /// Whether the catalog keeps one row a blob at most.
    unique_blob: bool,
    same_bytes: bool,
}

impl World {
    fn states_of(&self, blob: usize) -> impl Iterator<Item = Row> {
        self.rows.iter().filter(move |row| row.0 == blob).map(|row| row.1)
    }

    fn has_row(&self, blob: usize) -> bool {
        self.states_of(blob).next().is_some()
    }

    fn holder(&self) -> Option<usize> {
        self.rows.iter().find(|row| row.1 == Row::Live).map(|row| row.0)
    }

    /// Changes one row of the blob from one state to another; false where there is none.
    fn change(&mut self, blob: usize, from: Row, to: Row) -> bool {
        let found = self.rows.iter_mut().find(|row| **row == (blob, from));
        let changed = found.map(|row| row.1 = to).is_some();
        self.rows.sort_unstable();
        changed
    }

    fn insert(&mut self, blob: usize, state: Row) {
        self.rows.push((blob, state));
        self.rows.sort_unstable();
    }
}

impl Life {
    /// The PUT's transaction. True where it may be acknowledged.
    fn commit(&self, world: &mut World, blob: usize) -> bool {
        let blocked = self.unique_blob && world.has_row(blob);
        if world.holder().is_none() && !blocked {
            world.insert(blob, Row::Live);
            return true;
        }
        if world.holder().is_none() && world.change(blob, Row::Checking, Row::Live) {
            return true;
        }
        if world.states_of(blob).any(|state| state == Row::Live) {
            return true;
        }
        if !blocked {
            world.insert(blob, Row::Doomed);
        } else {
            world.change(blob, Row::Checking, Row::Doomed);
        }
        false
    }

    fn judge(&self, world: &mut World, blob: usize) {
        let verdict = match world.holder() {
            None => Row::Live,
            Some(holder) if holder == blob => return,
            Some(_) if self.same_bytes => Row::Doomed,
            Some(_) => Row::Quarantined,
        };
        world.change(blob, Row::Checking, verdict);
    }

    fn crash(world: &mut World) {
        for put in &mut world.puts {
            if matches!(put, Put::Receiving | Put::Published) {
                *put = Put::Over;
            }
        }
        world.reconcilers = [Reconciler::Idle; RECONCILERS];
        world.unlinked = None;
    }
}

impl Model for Life {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            blobs: [false; PUTS],
            rows: Vec::new(),
            puts: [Put::Receiving; PUTS],
            reconcilers: [Reconciler::Idle; RECONCILERS],
            unlinked: None,
            expired: [false; PUTS],
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        // A life lasts 30 days; a commit refuses an upload that was published a day ago or longer, and a reconciler forgets what
        // it began to read so long ago.
        let reading = |reconciler: &Reconciler| matches!(reconciler, Reconciler::Opened(_) | Reconciler::Verified(_));
        let in_flight = world.puts.contains(&Put::Published) || world.reconcilers.iter().any(reading);
        for blob in 0..PUTS {
            match world.puts[blob] {
                Put::Receiving => steps.push(Step::Publish(blob)),
                Put::Published => steps.extend([Step::Commit(blob), Step::CommitUnheard(blob)]),
                Put::Acknowledged | Put::Over => {}
            }
            for state in world.states_of(blob) {
                match state {
                    Row::Live if !in_flight => steps.push(Step::Expire(blob)),
                    Row::Doomed if world.unlinked.is_none() => steps.push(Step::Unlink(blob)),
                    _ => {}
                }
            }
        }
        for (who, reconciler) in world.reconcilers.iter().enumerate() {
            match reconciler {
                Reconciler::Idle => {
                    steps.extend((0..PUTS).filter(|blob| world.blobs[*blob] && !world.has_row(*blob)).map(|blob| Step::See(who, blob)));
                    let checking = world.rows.iter().filter(|row| row.1 == Row::Checking);
                    steps.extend(checking.map(|row| Step::TakeUpChecking(who, row.0)));
                }
                Reconciler::Saw(_) => steps.push(Step::InsertChecking(who)),
                Reconciler::Opened(_) => steps.push(Step::Read(who)),
                Reconciler::Verified(_) => steps.push(Step::Judge(who)),
            }
        }
        if world.unlinked.is_some() {
            steps.push(Step::DeleteRow);
        }
        steps.push(Step::Crash);
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        match step {
            Step::Publish(blob) => {
                world.blobs[blob] = true;
                world.puts[blob] = Put::Published;
            }
            Step::Commit(blob) => {
                let stored = self.commit(&mut world, blob);
                world.puts[blob] = if stored { Put::Acknowledged } else { Put::Over };
            }
            Step::CommitUnheard(blob) => {
                self.commit(&mut world, blob);
                world.puts[blob] = Put::Over;
            }
            Step::See(who, blob) => world.reconcilers[who] = Reconciler::Saw(blob),
            Step::TakeUpChecking(who, blob) => world.reconcilers[who] = Reconciler::Opened(blob),
            Step::InsertChecking(who) => {
                let Reconciler::Saw(blob) = world.reconcilers[who] else { return None };
                let blocked = self.unique_blob && world.has_row(blob);
                if !blocked {
                    world.insert(blob, Row::Checking);
                }
                world.reconcilers[who] = if blocked { Reconciler::Idle } else { Reconciler::Opened(blob) };
            }
            Step::Read(who) => {
                let Reconciler::Opened(blob) = world.reconcilers[who] else { return None };
                if !world.blobs[blob] {
                    world.rows.retain(|row| *row != (blob, Row::Checking));
                }
                world.reconcilers[who] = if world.blobs[blob] { Reconciler::Verified(blob) } else { Reconciler::Idle };
            }
            Step::Judge(who) => {
                let Reconciler::Verified(blob) = world.reconcilers[who] else { return None };
                self.judge(&mut world, blob);
                world.reconcilers[who] = Reconciler::Idle;
            }
            Step::Expire(blob) => {
                world.change(blob, Row::Live, Row::Doomed);
                world.expired[blob] = true;
            }
            Step::Unlink(blob) => {
                world.blobs[blob] = false;
                world.unlinked = Some(blob);
            }
            Step::DeleteRow => {
                let blob = world.unlinked.take()?;
                world.rows.retain(|row| *row != (blob, Row::Doomed));
            }
            Step::Crash => Self::crash(&mut world),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an acknowledged file is live until it expires", |_, world: &World| {
                (0..PUTS).all(|blob| {
                    let promised = world.puts[blob] == Put::Acknowledged && !world.expired[blob];
                    !promised || (world.blobs[blob] && world.states_of(blob).any(|state| state == Row::Live))
                })
            }),
            Property::always("a live row has its blob", |_, world: &World| {
                world.rows.iter().all(|(blob, state)| *state != Row::Live || world.blobs[*blob])
            }),
            Property::always("a name has one live row at most", |_, world: &World| {
                world.rows.iter().filter(|row| row.1 == Row::Live).count() <= 1
            }),
            Property::sometimes("both uploads were acknowledged, one after the other's end", |_, world: &World| {
                world.puts.iter().all(|put| *put == Put::Acknowledged)
            }),
        ]
    }
}

#[test]
fn no_interleaving_loses_an_acknowledged_file() {
    for same_bytes in [false, true] {
        let checker = Life { unique_blob: true, same_bytes }.checker().spawn_bfs().join();
        checker.assert_properties();
        let part = if same_bytes { "model, same bytes" } else { "model, other bytes" };
        figure("D22", part, &format!("{} states of 2 uploads and 2 reconcilers, 0 bad", checker.unique_state_count()), None);
    }
}

/// The control: without the unique blob column the checker must find the loss.
#[test]
fn without_a_unique_blob_column_a_file_is_lost() {
    let checker = Life { unique_blob: false, same_bytes: false }.checker().spawn_bfs().join();
    assert!(checker.discovery("a live row has its blob").is_some());
    figure("D22", "⊖ model without the unique blob column", "a loss is found", None);
}
