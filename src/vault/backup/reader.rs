//! What a worker does: reads files, cuts them, and saves their chunks.
//!
//! A file is read through the descriptor that the walk opened, as far as it was long then. One that is another afterwards is read
//! again; if it changes once more, what was read last is kept and the file is reported, for its bytes may be of two times.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use bytes::Bytes;

use super::ahead::read_ahead;
use super::job::{ChunkJob, Chunks, FileJob, Job, LargeFile};
use super::pool::{Pool, WHOLE_BYTES};
use super::report::Failures;
use super::saver::Saver;
use crate::vault::cancel::Cancel;
use crate::vault::chunk::{MAX_BYTES, first_chunk};
use crate::vault::error::Error;
use crate::vault::failure::Failure;
use crate::vault::id::Id;
use crate::vault::pack::BlobKind;
use crate::vault::parallel::OnPanic;
use crate::vault::progress::Progress;
use crate::vault::room::Home;
use crate::vault::source::metadata::{MetadataReader, Place};
use crate::vault::source::open::stamp_of;
use crate::vault::source::stamp::Stamp;
use crate::vault::tree::Node;

/// How often a file is read that changes meanwhile.
const READINGS: usize = 2;

/// What all workers of a run share.
pub(super) struct Worker<'a> {
    pub pool: &'a Pool,
    pub saver: &'a Saver<'a>,
    pub failures: &'a Failures,
    pub progress: &'a dyn Progress,
    pub cancel: &'a Cancel,
    /// Memory of what is read of large files.
    pub home: Arc<Home>,
    pub with_atime: bool,
}

/// Why a file is not, or not wholly, read: its own matter, or the run's.
enum Trouble {
    File(io::Error),
    Run(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Run(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl Worker<'_> {
    /// Works until there is nothing more to do.
    pub(super) fn run(&self) -> Result<(), Error> {
        // What this one was at is dropped with it.
        let _stop = OnPanic(|| self.pool.stop());
        let mut buffer = Vec::new();
        while let Some(job) = self.pool.next() {
            let go = self.cancel.check();
            let done = match job {
                Job::Chunks(chunks) => go.and_then(|()| self.save_chunks(chunks)),
                Job::File(job) => self.whole_file(job, &mut buffer, go),
                Job::LargeFile(job) => {
                    let done = self.large_file(job, go);
                    self.pool.large_is_read();
                    done
                }
            };
            if done.is_err() {
                self.pool.stop();
                return done;
            }
        }
        Ok(())
    }

    fn save_chunks(&self, chunks: Chunks) -> Result<(), Error> {
        match chunks {
            Chunks::One(job) => self.end_chunk(&job, self.saver.save(BlobKind::Data, &job.bytes)),
            Chunks::Two([one, other]) => {
                let [id, id_of_other] = self.saver.ids_of_two([&one.bytes, &other.bytes]);
                self.end_chunk(&one, self.saver.save_as(id, BlobKind::Data, &one.bytes))?;
                self.cancel.check()?;
                self.end_chunk(&other, self.saver.save_as(id_of_other, BlobKind::Data, &other.bytes))
            }
        }
    }

    fn end_chunk(&self, job: &ChunkJob, saved: Result<Id, Error>) -> Result<(), Error> {
        job.file.end_chunk(job.number, saved.as_ref().ok().copied());
        self.progress.did(0, job.bytes.len() as u64);
        saved.map(drop)
    }

    fn whole_file(&self, job: FileJob, buffer: &mut Vec<u8>, go: Result<(), Error>) -> Result<(), Error> {
        let read = go.map_err(Trouble::Run).and_then(|()| self.read_whole(&job, buffer));
        let (node, done) = self.settle(&job, read);
        job.promise.keep(node);
        self.progress.did(1, 0);
        done
    }

    fn large_file(&self, job: FileJob, go: Result<(), Error>) -> Result<(), Error> {
        let read = go.map_err(Trouble::Run).and_then(|()| self.read_large(&job));
        let (read, done) = self.settle(&job, read);
        match read {
            Some((large, node)) => large.end(node, job.promise),
            None => job.promise.keep(None),
        }
        self.progress.did(1, 0);
        done
    }

    /// A file's own trouble is listed, and the run goes on.
    fn settle<T>(&self, job: &FileJob, read: Result<T, Trouble>) -> (Option<T>, Result<(), Error>) {
        match read {
            Ok(value) => (Some(value), Ok(())),
            Err(Trouble::Run(error)) => (None, Err(error)),
            Err(Trouble::File(error)) => {
                self.fail(job, Failure::of_io(&job.path, "read", &error));
                (None, Ok(()))
            }
        }
    }

    fn fail(&self, job: &FileJob, failure: Failure) {
        self.progress.failed();
        job.promise.note(failure.clone());
        self.failures.push(failure);
    }

    /// A file of at most [`super::pool::WHOLE_BYTES`].
    fn read_whole(&self, job: &FileJob, buffer: &mut Vec<u8>) -> Result<Node, Trouble> {
        let mut stamp = job.stamp;
        for reading in 1..=READINGS {
            // What the system makes up has no length; it is read to its end.
            let most = if stamp.size_bytes == 0 { WHOLE_BYTES } else { stamp.size_bytes };
            (&job.file).rewind()?;
            buffer.clear();
            (&job.file).take(most).read_to_end(buffer)?;
            let after = stamp_of(&job.file)?;
            if self.is_settled(job, stamp, after, reading) {
                break;
            }
            stamp = after;
        }
        self.progress.did(0, buffer.len() as u64);
        let mut node = self.node_now(job, stamp)?;
        node.set_file(buffer.len() as u64, self.save_all(buffer)?);
        Ok(node)
    }

    /// Whether what was read is to be kept. What changes each time is told of.
    fn is_settled(&self, job: &FileJob, before: Stamp, after: Stamp, reading: usize) -> bool {
        if before != after && reading == READINGS {
            self.fail(job, Failure::of(&job.path, "read", "it changed while it was read; its bytes may be of two times"));
        }
        before == after || reading == READINGS
    }

    fn save_all(&self, mut bytes: &[u8]) -> Result<Vec<Id>, Error> {
        let mut ids = Vec::new();
        while !bytes.is_empty() {
            let (chunk, rest) = bytes.split_at(first_chunk(bytes));
            ids.push(self.saver.save(BlobKind::Data, chunk)?);
            bytes = rest;
        }
        Ok(ids)
    }

    /// The file with its chunks, which may not be saved yet, and its entry without them.
    fn read_large(&self, job: &FileJob) -> Result<(Arc<LargeFile>, Node), Trouble> {
        let mut stamp = job.stamp;
        let mut reading = 1;
        loop {
            let large = Arc::new(LargeFile::new());
            let size_bytes = self.cut(&job.file, stamp.size_bytes, &large)?;
            let after = stamp_of(&job.file)?;
            if self.is_settled(job, stamp, after, reading) {
                let mut node = self.node_now(job, stamp)?;
                node.set_file(size_bytes, Vec::new());
                return Ok((large, node));
            }
            stamp = after;
            reading += 1;
        }
    }

    /// Reads up to `most` bytes and makes jobs of their chunks. How many bytes there were.
    fn cut(&self, file: &File, most: u64, large: &Arc<LargeFile>) -> Result<u64, Trouble> {
        let (mut total, mut rest) = (0, Bytes::new());
        read_ahead(file, most, &self.home, |mut segment, is_last| {
            self.cancel.check()?;
            total += segment.as_ref().len() as u64;
            segment.put_before(&rest);
            let bytes = segment.share();
            let mut at = 0;
            while at < bytes.len() {
                let length = first_chunk(&bytes[at..]);
                // A chunk that goes to the end may go beyond it.
                if at + length == bytes.len() && length < MAX_BYTES && !is_last {
                    break;
                }
                self.hand_out(large, bytes.slice(at..at + length))?;
                at += length;
            }
            rest = bytes.slice(at..);
            Ok::<_, Trouble>(())
        })?;
        Ok(total)
    }

    /// Where enough chunks wait, this one is saved here, and one of those with it.
    fn hand_out(&self, large: &Arc<LargeFile>, bytes: Bytes) -> Result<(), Error> {
        let job = ChunkJob { file: Arc::clone(large), number: large.begin_chunk(), bytes };
        match self.pool.offer_chunk(job) {
            None => Ok(()),
            Some(chunks) => self.save_chunks(chunks),
        }
    }

    /// The entry as it was when its contents were read: that of the walk, where nothing has changed since. Its times are those of before
    /// the reading, whatever they are by now: the next run must see that the file has changed since its bytes were read.
    fn node_now(&self, job: &FileJob, stamp: Stamp) -> io::Result<Node> {
        if Stamp::of_node(&job.node) == Some(stamp) {
            return Ok(job.node.clone());
        }
        let stat = rustix::fs::fstat(&job.file)?;
        let mut metadata = MetadataReader::new(self.with_atime);
        let (mut node, failed) = metadata.node(job.node.name.clone(), &stat, Place::Open(job.file.as_fd()))?;
        (node.metadata.modified, node.metadata.changed) = (stamp.modified, stamp.changed);
        if let Some(error) = failed {
            self.fail(job, Failure::of_io(&job.path, "read extended attributes", &error));
        }
        Ok(node)
    }
}
