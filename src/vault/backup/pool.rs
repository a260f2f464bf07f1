//! The jobs of the workers. Chunks go before files, so that a large file is never further ahead of them than the queue is long.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};

use super::job::{ChunkJob, Chunks, FileJob, Job};
use crate::vault::chunk::MAX_BYTES;

/// Files that wait; they are open.
const WAITING_FILES: usize = 128;
/// Bytes of chunks that wait.
const WAITING_BYTES: usize = MAX_BYTES;
/// A file that is longer is read by one worker and saved by all.
pub(super) const WHOLE_BYTES: u64 = 2 << 20;

#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
    /// There is more to do, or nothing more will come.
    more: Condvar,
    /// There is room for files.
    room: Condvar,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<ChunkJob>,
    chunk_bytes: usize,
    files: VecDeque<FileJob>,
    large_files: VecDeque<FileJob>,
    /// One large file is read at a time: a second one would need its buffers, too.
    is_reading_large: bool,
    is_closed: bool,
    is_stopped: bool,
}

const NO_PANIC: &str = "nothing panics while it holds the jobs";

impl Pool {
    /// Waits while many files wait. `false` where the run was stopped.
    pub(super) fn push_file(&self, job: FileJob) -> bool {
        let is_full = |state: &mut State| state.files.len() + state.large_files.len() >= WAITING_FILES && !state.is_stopped;
        let mut state = self.room.wait_while(self.state.lock().expect(NO_PANIC), is_full).expect(NO_PANIC);
        if state.is_stopped {
            return false;
        }
        if job.stamp.size_bytes > WHOLE_BYTES {
            state.large_files.push_back(job);
        } else {
            state.files.push_back(job);
        }
        drop(state);
        self.more.notify_one();
        true
    }

    /// Gives a chunk back where enough of them wait: then its bringer is to save it, and with it one that waits. After a stop, too: nobody
    /// takes it any more, and its file would never end for those who wait for it.
    pub(super) fn offer_chunk(&self, job: ChunkJob) -> Option<Chunks> {
        let mut state = self.state.lock().expect(NO_PANIC);
        if state.is_stopped || state.chunk_bytes + job.bytes.len() > WAITING_BYTES {
            return Some(state.with_one_that_waits(job));
        }
        state.chunk_bytes += job.bytes.len();
        state.chunks.push_back(job);
        drop(state);
        self.more.notify_one();
        None
    }

    /// Waits for something to do. `None` when there is no more.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state.lock().expect(NO_PANIC);
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(job) = state.take() {
                drop(state);
                self.room.notify_one();
                return Some(job);
            }
            if state.is_closed && !state.is_reading_large {
                return None;
            }
            state = self.more.wait(state).expect(NO_PANIC);
        }
    }

    /// The large file that [`Self::next`] gave out is read to its end.
    pub(super) fn large_is_read(&self) {
        self.state.lock().expect(NO_PANIC).is_reading_large = false;
        self.more.notify_all();
    }

    /// No more files come.
    pub(super) fn close(&self) {
        self.state.lock().expect(NO_PANIC).is_closed = true;
        self.more.notify_all();
    }

    /// What waits is given up, and with it the promises in it: whoever waits for them is told that there is nothing.
    pub(super) fn stop(&self) {
        let mut state = self.state.lock().expect(NO_PANIC);
        state.is_stopped = true;
        let given_up = (std::mem::take(&mut state.files), std::mem::take(&mut state.large_files), std::mem::take(&mut state.chunks));
        drop(state);
        drop(given_up);
        self.more.notify_all();
        self.room.notify_all();
    }
}

impl State {
    fn take(&mut self) -> Option<Job> {
        if let Some(job) = self.take_chunk(MAX_BYTES) {
            return Some(Job::Chunks(self.with_one_that_waits(job)));
        }
        if !self.is_reading_large
            && let Some(job) = self.large_files.pop_front()
        {
            self.is_reading_large = true;
            return Some(Job::LargeFile(job));
        }
        self.files.pop_front().map(Job::File)
    }

    /// The chunk that has waited longest, unless it is longer than `most`.
    fn take_chunk(&mut self, most: usize) -> Option<ChunkJob> {
        let job = self.chunks.pop_front_if(|job| job.bytes.len() <= most)?;
        self.chunk_bytes -= job.bytes.len();
        Some(job)
    }

    /// Both together are not longer than the longest chunk, so that a worker holds no more than that.
    fn with_one_that_waits(&mut self, job: ChunkJob) -> Chunks {
        match self.take_chunk(MAX_BYTES - job.bytes.len()) {
            Some(other) => Chunks::Two([job, other]),
            None => Chunks::One(job),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::super::job::{LargeFile, Promise};
    use super::*;
    use crate::vault::source::stamp::Stamp;
    use crate::vault::tree::{Content, Metadata, Node};

    #[test]
    fn a_chunk_that_comes_after_the_stop_goes_back_to_its_bringer() {
        let (pool, file) = (Pool::default(), Arc::new(LargeFile::new()));
        let chunk = || ChunkJob { file: Arc::clone(&file), number: file.begin_chunk(), bytes: Bytes::from_static(b"chunk") };
        assert!(pool.offer_chunk(chunk()).is_none());
        pool.stop();
        assert!(pool.offer_chunk(chunk()).is_some(), "nobody would ever take it");
    }

    fn file_job(size_bytes: u64) -> FileJob {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size_bytes).unwrap();
        let stamp = Stamp::of(&rustix::fs::fstat(&file).unwrap());
        let node =
            Node { name: b"file".to_vec(), content: Content::File { size_bytes, chunks: Vec::new() }, metadata: Metadata::default() };
        FileJob { path: "file".into(), node, file, stamp, promise: Promise::new().0 }
    }

    #[test]
    fn one_worker_reads_a_large_file_and_all_others_save_it() {
        let pool = Pool::default();
        for size_bytes in [WHOLE_BYTES + 1, WHOLE_BYTES + 1, WHOLE_BYTES] {
            assert!(pool.push_file(file_job(size_bytes)));
        }
        let file = Arc::new(LargeFile::new());
        let offer = || {
            let bytes = Bytes::from(vec![0; MAX_BYTES / 2]);
            pool.offer_chunk(ChunkJob { file: Arc::clone(&file), number: file.begin_chunk(), bytes })
        };
        assert!(matches!(pool.next(), Some(Job::LargeFile(_))), "before any short one: it takes longest");
        for _ in 0..2 {
            assert!(offer().is_none() && offer().is_none());
            assert!(matches!(pool.next(), Some(Job::Chunks(_))), "its chunks before any other file");
        }
        assert!(matches!(pool.next(), Some(Job::File(_))), "no second large one meanwhile");
        pool.large_is_read();
        assert!(matches!(pool.next(), Some(Job::LargeFile(_))));
        pool.large_is_read();
        pool.close();
        assert!(pool.next().is_none());
    }

    /// Their numbers.
    fn numbers(chunks: Option<Chunks>) -> Vec<usize> {
        match chunks {
            None => Vec::new(),
            Some(Chunks::One(job)) => vec![job.number],
            Some(Chunks::Two(jobs)) => jobs.map(|job| job.number).to_vec(),
        }
    }

    #[test]
    fn chunks_go_by_twos_which_are_no_longer_than_the_longest() {
        let (pool, file) = (Pool::default(), Arc::new(LargeFile::new()));
        let offer = |length| {
            let bytes = Bytes::from(vec![0; length]);
            numbers(pool.offer_chunk(ChunkJob { file: Arc::clone(&file), number: file.begin_chunk(), bytes }))
        };
        let next = || match pool.next() {
            Some(Job::Chunks(chunks)) => numbers(Some(chunks)),
            _ => panic!("there is a chunk"),
        };
        const HALF: usize = MAX_BYTES / 2;
        const KEPT: Vec<usize> = Vec::new();
        assert_eq!([offer(HALF), offer(HALF)], [KEPT, KEPT]);
        assert_eq!(next(), [0, 1]);
        assert_eq!([offer(HALF + 1), offer(HALF - 1)], [KEPT, KEPT]);
        assert_eq!(offer(1), [4, 2], "its bringer saves it with the one that waits longest");
        assert_eq!(offer(HALF), KEPT, "there is room again");
        assert_eq!(offer(HALF + 2), [6], "with the one that waits longest it would be too long");
        assert_eq!(next(), [3, 5]);
        assert_eq!([offer(1), offer(MAX_BYTES)], [KEPT, vec![8]]);
        assert_eq!([next(), offer(MAX_BYTES), offer(1), next()], [vec![7], KEPT, vec![10], vec![9]]);
    }
}
