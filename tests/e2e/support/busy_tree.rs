//! A tree that somebody writes while it is read, made so that a file of two moments can be told from one of one moment.
//!
//! A file consists of blocks of 4 KiB that carry its number, their own number and a generation. It is written anew block by block, from
//! its beginning on, each time one generation higher. So at any one moment no block is of a later generation than the one before it, and
//! all are of at most two: whatever was put together from two moments has a rise, a wider span, or two files' numbers.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::tree::random;

pub const BLOCK_BYTES: usize = 4096;

pub struct BusyTree {
    root: PathBuf,
    seed: u64,
    files: Vec<Busy>,
    made: u64,
    pub edits: u64,
}

/// One file, as its writer knows it.
struct Busy {
    name: String,
    number: u64,
    generation: u64,
    blocks: u64,
}

impl BusyTree {
    pub fn plant(root: &Path, seed: u64) -> Self {
        let mut tree = Self { root: root.to_owned(), seed, files: Vec::new(), made: 0, edits: 0 };
        std::fs::create_dir_all(root).expect("a folder is made");
        for blocks in [0, 1, 2, 16, 100, 300, 700, 1_500, 4_000, 6_000] {
            tree.add(blocks);
        }
        tree
    }

    fn add(&mut self, blocks: u64) {
        let name = format!("file {}", self.made);
        let mut file = Busy { name, number: self.made, generation: 0, blocks };
        self.made += 1;
        file.write_anew(&self.root);
        self.files.push(file);
    }

    /// One edit after another, until `stop` is raised.
    pub fn edit_until(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.edit();
        }
    }

    fn edit(&mut self) {
        self.edits += 1;
        let count = self.files.len() as u64;
        // Half of all edits are of the largest file: its reading takes longest.
        let largest = (0..self.files.len()).max_by_key(|at| self.files[*at].blocks).expect("there are files");
        let any = usize::try_from(random(&mut self.seed, count)).expect("it fits");
        let at = if random(&mut self.seed, 2) == 0 { largest } else { any };
        let kind = random(&mut self.seed, 10);
        let root = self.root.clone();
        let file = &mut self.files[at];
        match kind {
            0..=4 => file.write_anew(&root),
            5 => {
                let less = random(&mut self.seed, file.blocks + 1);
                let open = file.open(&root);
                open.set_len(less * BLOCK_BYTES as u64).expect("it is cut");
                (less..file.blocks).for_each(|block| file.write_block(&open, block));
            }
            6 => {
                let more = file.blocks + 1 + random(&mut self.seed, 200);
                let open = file.open(&root);
                (file.blocks..more).for_each(|block| file.write_block(&open, block));
                file.blocks = more;
            }
            7 => {
                let other = usize::try_from(random(&mut self.seed, count)).expect("it fits");
                self.swap_names(at, other);
            }
            8 => {
                let file = self.files.swap_remove(at);
                std::fs::remove_file(root.join(&file.name)).expect("it is removed");
                self.add(file.blocks.max(1));
            }
            _ => {
                // The same length and new bytes under the same name, in another inode.
                file.generation += 1;
                let beside = root.join("beside");
                let open = File::create(&beside).expect("a file is made");
                (0..file.blocks).for_each(|block| file.write_block(&open, block));
                std::fs::rename(beside, root.join(&file.name)).expect("it is renamed");
            }
        }
    }

    fn swap_names(&mut self, one: usize, other: usize) {
        if one == other {
            return;
        }
        let path = |at: usize| self.root.join(&self.files[at].name);
        let flags = rustix::fs::RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(rustix::fs::CWD, path(one), rustix::fs::CWD, path(other), flags).expect("names are exchanged");
        let (first, second) = (self.files[one].name.clone(), self.files[other].name.clone());
        (self.files[one].name, self.files[other].name) = (second, first);
    }
}

impl Busy {
    fn open(&self, root: &Path) -> File {
        File::options().create(true).truncate(false).write(true).open(root.join(&self.name)).expect("it is opened")
    }

    /// Block by block: a reader may come between any two.
    fn write_anew(&mut self, root: &Path) {
        self.generation += 1;
        let file = self.open(root);
        (0..self.blocks).for_each(|block| self.write_block(&file, block));
    }

    fn write_block(&self, file: &File, block: u64) {
        let mut bytes = [0_u8; BLOCK_BYTES];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..16].copy_from_slice(&block.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.generation.to_le_bytes());
        file.write_all_at(&bytes, block * BLOCK_BYTES as u64).expect("a block is written");
    }
}

/// Why these bytes cannot be those of one file at one moment.
pub fn mixture(bytes: &[u8]) -> Option<String> {
    if !bytes.len().is_multiple_of(BLOCK_BYTES) {
        return Some(format!("{} bytes are no whole number of blocks", bytes.len()));
    }
    let word = |block: &[u8], at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("eight bytes"));
    let blocks: Vec<(u64, u64, u64)> = bytes.chunks(BLOCK_BYTES).map(|block| (word(block, 0), word(block, 8), word(block, 16))).collect();
    let (first_number, _, highest) = *blocks.first()?;
    let (_, _, lowest) = *blocks.last()?;
    for (at, &(number, block, generation)) in blocks.iter().enumerate() {
        if number != first_number || block != at as u64 {
            return Some(format!("block {at} is block {block} of file {number}, and the first one of file {first_number}"));
        }
        if at > 0 && generation > blocks[at - 1].2 {
            return Some(format!("block {at} is of generation {generation}, the one before it of {}", blocks[at - 1].2));
        }
    }
    (highest - lowest > 1).then(|| format!("generations {lowest} to {highest}"))
}
