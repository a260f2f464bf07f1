//! What is done when all files have their bytes: further names of files, and then the metadata of folders, the deepest first, since
//! whatever is made in a folder changes its time, and its mode may forbid it.

use std::io;

use super::files::State;
use super::filling::Filling;
use super::walk::{Links, Made, Name};
use crate::vault::cancel::Cancel;
use crate::vault::failure::Failure;
use crate::vault::target::{Placed, Trouble};

/// Gives further names to files.
pub(super) fn link(filling: &Filling<'_>, links: &Links, cancel: &Cancel) {
    for number in 0..links.names.len() {
        let first = links.targets[number as usize];
        if cancel.is_raised() {
            return;
        }
        // The first name of a file that stays is here, too.
        if matches!(first, Name::Kept(first) if first == number) {
            continue;
        }
        match link_one(filling, links, number, first) {
            Ok(()) => filling.tally.others.add(1),
            Err(Trouble { doing, error }) => {
                let path = filling.folders.path_of(links.names.folder(number), links.names.name(number));
                filling.tally.fail(Failure::of_io(path, doing, &error));
            }
        }
    }
}

fn link_one(filling: &Filling<'_>, links: &Links, number: u32, first: Name) -> Result<(), Trouble> {
    let (records, first) = match first {
        Name::Filled(file) if filling.files.state(file) == State::Failed => {
            let error = io::Error::new(io::ErrorKind::NotFound, "the file that it is a further name of could not be restored");
            return Err(Trouble { doing: "link", error });
        }
        Name::Filled(file) => (&filling.files.records, file),
        Name::Kept(kept) => (&links.names, kept),
    };
    let open = |folder| filling.open_folders.get(filling.folders, folder).map_err(|error| Trouble { doing: "open folder", error });
    let (folder, within) = (open(records.folder(first))?, open(links.names.folder(number))?);
    let temporary = filling.target.temporaries().name(u64::MAX);
    let placed = Placed { folder: &within, name: links.names.name(number), temporary: &temporary, replace: filling.replace };
    placed.link((&folder, records.name(first)), true)
}

/// Puts their own metadata on folders.
pub(super) fn finish_folders(filling: &Filling<'_>, made: &[Made], cancel: &Cancel) {
    let folders = filling.folders;
    for folder in (1..folders.len()).rev().filter(|folder| made[*folder as usize] == Made::Yes) {
        if cancel.is_raised() {
            return;
        }
        let mut troubles = Vec::new();
        match filling.open_folders.get(folders, folder) {
            Ok(open) => open.finish(&folders.attributes(folder), filling.target.owner(), &mut troubles),
            Err(error) => troubles.push(Trouble { doing: "open folder", error }),
        }
        for Trouble { doing, error } in troubles {
            filling.tally.fail(Failure::of_io(folders.path_of(folder, b""), doing, &error));
        }
    }
}
