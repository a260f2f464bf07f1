//! Folders of the target by their numbers, opened when they are needed, a bounded number at once.

use std::io;
use std::sync::{Arc, Mutex};

use super::recent::Recent;
use super::records::Records;
use crate::vault::target::{Folder, Target};

/// How many folders are kept open.
const MOST: usize = 64;
/// How much of a path one call takes: less than the 4096 bytes of the kernel.
const LONGEST_STEP: usize = 3000;

pub(super) struct OpenFolders {
    root: Arc<Folder>,
    recent: Mutex<Recent<Folder>>,
}

impl OpenFolders {
    pub(super) fn new(target: &Target) -> Self {
        Self { root: Arc::clone(target.root()), recent: Mutex::new(Recent::new(MOST)) }
    }

    /// The folder of this number, from the nearest one above it that is open; it has to be there. Any depth will do.
    pub(super) fn get(&self, folders: &Records, number: u32) -> io::Result<Arc<Folder>> {
        let mut recent = self.recent.lock().expect("nobody panics while holding it");
        let (mut at, mut below) = (number, Vec::new());
        let mut from = loop {
            if at == 0 {
                break Arc::clone(&self.root);
            }
            if let Some(folder) = recent.get(at) {
                break folder;
            }
            below.push(at);
            at = folders.folder(at);
        };
        let mut path = Vec::new();
        while let Some(step) = below.pop() {
            path.extend_from_slice(folders.name(step));
            // A checked name alone always fits.
            let next_is_too_long = below.last().is_some_and(|next| path.len() + folders.name(*next).len() >= LONGEST_STEP);
            if below.is_empty() || next_is_too_long {
                from = Arc::new(from.open(&path)?);
                recent.put(step, Arc::clone(&from));
                path.clear();
            } else {
                path.push(b'/');
            }
        }
        Ok(from)
    }
}
