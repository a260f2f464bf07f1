//! What a walk does with an entry that is no folder.

use super::links::Name;
use super::{Place, Planned, Walk};
use crate::vault::failure::Failure;
use crate::vault::id::Id;
use crate::vault::pack::BlobKind;
use crate::vault::target::{Attributes, Existing, Overwrite, Placed, Special, Target, Trouble};
use crate::vault::tree::{Content, Node};

impl Walk<'_> {
    /// Lists a file, makes anything else; what cannot be done is told.
    pub(super) fn entry(&self, planned: &mut Planned, folder: u32, node: Node) {
        if self.make_folder(planned, folder).is_none() {
            return;
        }
        let existing = if self.options.overwrite.looks() { self.existing(planned, folder, &node.name) } else { Ok(None) };
        let existing = match existing {
            Ok(existing) => existing,
            Err(error) => return self.fail(planned, folder, &node.name, |path| Failure::of_io(path, "look", &error)),
        };
        let stays = existing.is_some_and(|existing| !self.options.overwrite.replaces(&existing, node.metadata.modified));
        match &node.content {
            Content::Folder { .. } | Content::Socket => {}
            Content::File { chunks, .. } => self.file(planned, folder, &node, chunks, existing, stays),
            Content::Other(kind) => {
                self.fail(planned, folder, &node.name, |path| Failure::of(path, "make", format!("it is of an unknown kind: {kind}")));
            }
            _ if stays => self.tally.skipped.add(1),
            Content::Symlink { target } => self.special(planned, folder, &node, Special::Symlink { target }),
            Content::BlockDevice { device } => self.special(planned, folder, &node, Special::BlockDevice { device: *device }),
            Content::CharDevice { device } => self.special(planned, folder, &node, Special::CharDevice { device: *device }),
            Content::Fifo => self.special(planned, folder, &node, Special::Fifo),
        }
    }

    fn special(&self, planned: &mut Planned, folder: u32, node: &Node, special: Special<'_>) {
        if let Some(target) = self.target.filter(|_| !self.options.dry_run) {
            if self.link_special(planned, target, folder, node) {
                self.tally.others.add(1);
                return;
            }
            let mut troubles = Vec::new();
            let made = self.placed(planned, target, folder, &node.name, |placed| {
                placed.make(special, &Attributes::from(&node.metadata), target.owner(), &mut troubles)
            });
            let is_made = made.is_ok();
            for Trouble { doing, error } in troubles.into_iter().chain(made.err()) {
                self.fail(planned, folder, &node.name, |path| Failure::of_io(path, doing, &error));
            }
            if !is_made {
                return;
            }
            planned.links.is_first_special(node, folder);
        }
        self.tally.others.add(1);
    }

    /// Gives what was made already a further name. Where that does not work, as on file systems without links of symlinks, the entry is
    /// made for itself.
    fn link_special(&self, planned: &Planned, target: &Target, folder: u32, node: &Node) -> bool {
        let Some((first, name)) = planned.links.first_special(node) else { return false };
        let Ok(first) = self.open(planned, first) else { return false };
        self.placed(planned, target, folder, &node.name, |placed| placed.link((&first, name), false)).is_ok()
    }

    fn placed(
        &self,
        planned: &Planned,
        target: &Target,
        folder: u32,
        name: &[u8],
        put: impl FnOnce(&Placed<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let within = self.open(planned, folder).map_err(|error| Trouble { doing: "open folder", error })?;
        // Files have the numbers from 0, and no restore has as many files.
        let temporary = target.temporaries().name(u64::MAX);
        put(&Placed { folder: &within, name, temporary: &temporary, replace: self.options.overwrite != Overwrite::Never })
    }

    fn file(&self, planned: &mut Planned, folder: u32, node: &Node, chunks: &[Id], existing: Option<Existing>, stays: bool) {
        let first = planned.links.first(node, chunks);
        if stays {
            self.tally.skipped.add(1);
            self.tally.bytes_skipped.add(node.size_bytes());
            if first.is_none() {
                let kept = planned.links.kept(folder, &node.name, &node.metadata);
                planned.links.is_first(node, chunks, kept);
            }
        } else if let Some(first) = first {
            planned.links.add(folder, &node.name, &node.metadata, first);
        } else if let Some(file) = self.chunks(planned, folder, node, chunks, existing) {
            planned.links.is_first(node, chunks, Name::Filled(file));
        }
    }

    /// Lists a file that is to be filled. A chunk that is nowhere costs it.
    fn chunks(&self, planned: &mut Planned, folder: u32, node: &Node, chunks: &[Id], existing: Option<Existing>) -> Option<u32> {
        let first_place = planned.places.len();
        let (mut offset, file) = (0_u64, planned.files.records.len());
        for id in chunks {
            let known = planned.blobs.number(id);
            let blob = known.or_else(|| self.source.index.find(BlobKind::Data, *id).map(|place| planned.blobs.add(&place)));
            let Some(blob) = blob else {
                planned.places.truncate(first_place);
                self.fail(planned, folder, &node.name, |path| Failure::of(path, "find", format!("chunk {} is in no pack", id.short())));
                return None;
            };
            planned.places.push(Place { blob, file, offset });
            offset += planned.blobs.plain_length(blob);
        }
        // A file that changed while it was saved may be so: its bytes are worth more than its size.
        if offset != node.size_bytes() {
            let why = format!("its chunks have {offset} bytes, and it should have {}", node.size_bytes());
            self.fail(planned, folder, &node.name, |path| Failure::of(path, "add up chunks", why));
        }
        let count = u32::try_from(chunks.len()).expect("a tree of so many chunks is no blob");
        planned.files.push(folder, &node.name, &node.metadata, offset, count);
        planned.bytes += offset;
        if chunks.is_empty() {
            planned.empty.push(file);
        } else if self.options.overwrite == Overwrite::IfChanged && existing.is_some_and(|existing| existing.is_file) {
            planned.candidates.push((file, first_place..planned.places.len()));
        }
        Some(file)
    }
}
