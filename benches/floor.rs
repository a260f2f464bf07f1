//! The floor: the system calls that keep a small file, and no HTTP, no hash, no catalog around them.
//!
//! Each thread writes a file, syncs it, gives it its name by `renameat2`, syncs the folder, and appends a record to a log whose
//! sync is shared by all that wait for it. `floor FOLDER THREADS SECONDS BYTES` prints what that brought as JSON.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Barrier, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, RenameFlags};

#[path = "figures.rs"]
mod figures;

/// About what a row and its keys take in a write-ahead log.
const RECORD: [u8; 512] = [b'r'; 512];

fn main() {
    let arguments: Vec<String> = std::env::args().filter(|word| word != "--bench").collect();
    let [_, folder, threads, seconds, bytes] = &arguments[..] else { panic!("floor FOLDER THREADS SECONDS BYTES") };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let floor = Floor::new(Path::new(folder));
    let content = vec![b'x'; usize::try_from(number(bytes)).expect("it fits memory")];
    let (threads, time) = (number(threads), Duration::from_secs(number(seconds)));
    let begin = Barrier::new(usize::try_from(threads).expect("a small number"));
    let began = Instant::now();
    let done: Vec<Vec<Duration>> = std::thread::scope(|scope| {
        let run = |thread| {
            let (floor, content, begin) = (&floor, &content, &begin);
            scope.spawn(move || {
                begin.wait();
                floor.keep_files(thread, content, Instant::now() + time)
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    figures::print(done.concat(), began.elapsed(), 0);
}

struct Floor {
    staging: OwnedFd,
    folder: PathBuf,
    log: Mutex<Log>,
    synced: Condvar,
    file: File,
}

/// The shared log: whoever finds nobody syncing syncs for all that wait.
#[derive(Default)]
struct Log {
    pending: Vec<u8>,
    appended: u64,
    synced: u64,
    is_syncing: bool,
}

impl Floor {
    fn new(folder: &Path) -> Self {
        for name in ["staging", "files"] {
            std::fs::create_dir_all(folder.join(name)).expect("the folder is made");
        }
        let file = File::create(folder.join("log")).expect("the log is made");
        let staging = open_folder(&folder.join("staging"));
        Self { staging, folder: folder.join("files"), log: Mutex::default(), synced: Condvar::new(), file }
    }

    fn keep_files(&self, thread: u64, content: &[u8], end: Instant) -> Vec<Duration> {
        let mut took = Vec::new();
        while Instant::now() < end {
            let began = Instant::now();
            self.keep(&format!("{}-{thread}-{}", std::process::id(), took.len()), content);
            took.push(began.elapsed());
        }
        took
    }

    fn keep(&self, name: &str, content: &[u8]) {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.staging, name, flags, Mode::RUSR | Mode::WUSR).expect("a staging file");
        let mut file = File::from(file);
        file.write_all(content).expect("written");
        file.sync_all().expect("synced");
        let folder = open_folder(&self.folder);
        rustix::fs::renameat_with(&self.staging, name, &folder, name, RenameFlags::NOREPLACE).expect("the name is new");
        rustix::fs::fsync(folder).expect("the folder is synced");
        self.log();
    }

    fn log(&self) {
        let mut log = self.log.lock().expect("no thread panics");
        log.pending.extend_from_slice(&RECORD);
        log.appended += 1;
        let mine = log.appended;
        while log.synced < mine {
            if log.is_syncing {
                log = self.synced.wait(log).expect("no thread panics");
                continue;
            }
            let (records, upto) = (std::mem::take(&mut log.pending), log.appended);
            log.is_syncing = true;
            drop(log);
            (&self.file).write_all(&records).expect("logged");
            self.file.sync_data().expect("synced");
            log = self.log.lock().expect("no thread panics");
            (log.synced, log.is_syncing) = (upto, false);
            self.synced.notify_all();
        }
    }
}

fn open_folder(path: &Path) -> OwnedFd {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("the folder opens")
}
