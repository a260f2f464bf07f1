//! Every interleaving of two publishes into one folder and of what takes files and the empty folder away (S28).
//!
//! The steps are the system calls of `publish.rs` and `removal.rs` on a disk of one folder; what is remembered of it is asked of the
//! real [`DurableFolders`], each of whose calls is one step.

use std::collections::HashSet;
use std::sync::Mutex;

use stateright::{Checker as _, Model, Property};

use super::{DurableFolders, Memory, Moment};
use crate::figure::figure;

const FOLDER: &str = "A";
const PUBLISHERS: usize = 2;
/// One file of before, and what the publishers bring.
const FILES: usize = 1 + PUBLISHERS;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Publisher {
    Idle,
    /// It knows how many removals there were when it began.
    Began(u64),
    /// It holds the folder that was the so-manieth of its name.
    Opened(u64, u8),
    Named(u64),
    /// Nobody remembers the folder as durable.
    Asked(u64),
    Synced(u64),
    Acknowledged,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Remover {
    Idle,
    Unlinked,
    FolderTried,
    Over,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    /// Folders of the name that were made so far.
    made: u8,
    is_there: bool,
    /// Whether the entry of the folder that is there has been synced.
    is_durable: bool,
    files: [bool; FILES],
    is_remembered: bool,
    removals: u64,
    publishers: [Publisher; PUBLISHERS],
    /// Each takes the file of its number.
    removers: [Remover; PUBLISHERS],
}

impl World {
    /// Asks the real memory, and keeps what it remembers then.
    fn ask<T>(&mut self, ask: impl FnOnce(&DurableFolders, &mut Self) -> T) -> T {
        let paths: HashSet<String> = self.is_remembered.then(|| FOLDER.to_owned()).into_iter().collect();
        let folders = DurableFolders(Mutex::new(Memory { bytes: paths.len() * FOLDER.len(), paths, removals: self.removals }));
        let answer = ask(&folders, self);
        (self.is_remembered, self.removals) = (folders.holds(FOLDER), folders.now().0);
        answer
    }

    fn sync_the_folder_above(&mut self) {
        self.is_durable = self.is_there;
    }

    fn remove_folder_if_empty(&mut self) -> Result<(), ()> {
        if !self.is_there || self.files.contains(&true) {
            return Err(());
        }
        self.is_there = false;
        Ok(())
    }
}

struct Races {
    /// The mistake of the control: to ask for the number of removals only when the folder is to be remembered.
    asks_late: bool,
}

impl Races {
    fn publish(&self, world: &mut World, who: usize) {
        world.publishers[who] = match world.publishers[who] {
            Publisher::Idle => Publisher::Began(world.ask(|folders, _| folders.now().0)),
            Publisher::Began(began) if world.is_there => Publisher::Opened(began, world.made),
            Publisher::Began(began) => {
                (world.made, world.is_there, world.is_durable) = (world.made + 1, true, false);
                Publisher::Began(began)
            }
            Publisher::Opened(began, folder) if world.is_there && world.made == folder => {
                world.files[1 + who] = true;
                Publisher::Named(began)
            }
            Publisher::Opened(began, _) => Publisher::Began(began),
            Publisher::Named(began) => {
                if world.ask(|folders, _| folders.holds(FOLDER)) {
                    Publisher::Acknowledged
                } else {
                    Publisher::Asked(began)
                }
            }
            Publisher::Asked(began) => {
                world.sync_the_folder_above();
                Publisher::Synced(began)
            }
            Publisher::Synced(began) => {
                let asks_late = self.asks_late;
                world.ask(|folders, _| folders.add(&[FOLDER], if asks_late { folders.now() } else { Moment(began) }));
                Publisher::Acknowledged
            }
            Publisher::Acknowledged => Publisher::Acknowledged,
        };
    }

    fn remove(world: &mut World, who: usize) {
        world.removers[who] = match world.removers[who] {
            Remover::Idle => {
                world.files[who] = false;
                Remover::Unlinked
            }
            Remover::Unlinked => {
                // Where it fails a file is there, or another remover was first.
                let _ = world.ask(|folders, world| folders.remove(FOLDER, || world.remove_folder_if_empty()));
                Remover::FolderTried
            }
            Remover::FolderTried | Remover::Over => {
                world.sync_the_folder_above();
                Remover::Over
            }
        };
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Publish(usize),
    Remove(usize),
}

impl Model for Races {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let before = |is_remembered| World {
            made: 1,
            is_there: true,
            is_durable: true,
            files: [true, false, false],
            is_remembered,
            removals: 0,
            publishers: [Publisher::Idle; PUBLISHERS],
            removers: [Remover::Idle; PUBLISHERS],
        };
        vec![before(true), before(false)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        let publishes = (0..PUBLISHERS).filter(|who| world.publishers[*who] != Publisher::Acknowledged);
        let removes = (0..PUBLISHERS).filter(|who| match world.removers[*who] {
            Remover::Idle => world.files[*who],
            Remover::Unlinked | Remover::FolderTried => true,
            Remover::Over => false,
        });
        steps.extend(publishes.map(Step::Publish).chain(removes.map(Step::Remove)));
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        match step {
            Step::Publish(who) => self.publish(&mut world, who),
            Step::Remove(who) => Self::remove(&mut world, who),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an acknowledged file is in a folder that a power cut leaves", |_, world: &World| {
                let is_lost = |who: usize| world.publishers[who] == Publisher::Acknowledged && world.files[1 + who] && !world.is_durable;
                !(0..PUBLISHERS).any(is_lost)
            }),
            Property::sometimes("the folder is made three times", |_, world: &World| world.made == 3),
            Property::sometimes("a folder that was made again is remembered", |_, world: &World| {
                world.made == 2 && world.is_remembered && world.publishers == [Publisher::Acknowledged; PUBLISHERS]
            }),
        ]
    }
}

#[test]
fn no_interleaving_acknowledges_a_file_in_a_folder_that_is_not_durable() {
    let checker = Races { asks_late: false }.checker().spawn_bfs().join();
    checker.assert_properties();
    let text = format!("{} states of 2 publishes and 2 removals, 0 bad", checker.unique_state_count());
    figure("S28", "which folders are durable", &text, None);
}

/// The control: whoever counts removals too late is caught.
#[test]
fn counting_removals_too_late_loses_a_file() {
    let checker = Races { asks_late: true }.checker().spawn_bfs().join();
    assert!(checker.discovery("an acknowledged file is in a folder that a power cut leaves").is_some());
    figure("S28", "⊖ removals counted too late", "a loss is found", None);
}
