//! From a connection to the disk. While the connection fills one buffer, a blocking thread takes the full ones in, one after the other,
//! for as long as there are any: waking a thread for each of them is what a fast upload would wait for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinError, JoinHandle};

use super::blobs::BlobError;

/// Buffers of one intake, the one that is filled counted in.
const BUFFERS: usize = 4;

/// Buffers that a thread takes in before another intake may have its place.
const RUN_BUFFERS: usize = 64;

/// What takes buffers in, on a blocking thread.
pub(super) trait TakeIn: Send + 'static {
    fn take_in(&mut self, bytes: &[u8]) -> Result<(), BlobError>;
}

/// Why nothing more is taken in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error(transparent)]
    Disk(BlobError),
    #[error("the thread that took the bytes in panicked")]
    Panic(#[from] JoinError),
    #[error("an intake went on after it had failed")]
    Before,
}

/// Bytes on their way into `S`, in their order. Dropping it drops `S`, on its thread where a run is under way.
pub(super) struct Intake<S> {
    taker: Taker<S>,
    queue: Arc<Queue>,
    /// The buffer that is filled. It is handed over with `buffer_bytes` in it.
    buffer: Vec<u8>,
    buffer_bytes: usize,
    /// Buffers there are.
    buffers: usize,
    /// Places on blocking threads.
    places: Arc<Semaphore>,
}

/// How a run ended, with the taker.
type Ended<S> = (Box<S>, Result<(), BlobError>);

/// Where the taker is: at rest, or on a blocking thread, or lost with it.
enum Taker<S> {
    Idle(Box<S>),
    Busy(JoinHandle<Ended<S>>),
    Failed,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when enough buffers are empty.
    emptied: Notify,
}

#[derive(Default)]
struct Waiting {
    full: VecDeque<Vec<u8>>,
    empty: Vec<Vec<u8>>,
    /// Whether a thread will look at `full` again, or has failed.
    is_watched: bool,
}

impl<S: TakeIn> Intake<S> {
    /// For `most_bytes`, in buffers of at most `buffer_bytes`.
    pub(super) fn new(taker: Box<S>, places: Arc<Semaphore>, buffer_bytes: usize, most_bytes: u64) -> Self {
        let room = usize::try_from(most_bytes).unwrap_or(buffer_bytes).min(buffer_bytes);
        Self { taker: Taker::Idle(taker), queue: Arc::default(), buffer: Vec::with_capacity(room), buffer_bytes, buffers: 1, places }
    }

    /// Takes the next bytes, and waits where `BUFFERS` are full.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Lost> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.buffer_bytes - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == self.buffer_bytes {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    /// Waits until all buffers that were full have been taken in, and gives the taker out: [`Self::put_back`] it before the next write.
    pub(super) async fn rest(&mut self) -> Result<Box<S>, Lost> {
        loop {
            let taker = self.taker_at_rest().await?;
            if self.queue.lock().full.is_empty() {
                return Ok(taker);
            }
            self.begin_run(taker).await;
        }
    }

    pub(super) fn put_back(&mut self, taker: Box<S>) {
        self.taker = Taker::Idle(taker);
    }

    /// The taker, which has all that was written but the bytes that come with it.
    pub(super) async fn finish(mut self) -> Result<(Box<S>, Vec<u8>), Lost> {
        Ok((self.rest().await?, self.buffer))
    }

    async fn hand_over(&mut self) -> Result<(), Lost> {
        let full = std::mem::take(&mut self.buffer);
        let is_watched = {
            let mut waiting = self.queue.lock();
            waiting.full.push_back(full);
            waiting.is_watched
        };
        if !is_watched {
            let taker = self.taker_at_rest().await?;
            self.begin_run(taker).await;
        }
        self.buffer = self.empty_buffer().await?;
        Ok(())
    }

    async fn empty_buffer(&mut self) -> Result<Vec<u8>, Lost> {
        loop {
            if let Some(empty) = self.queue.lock().empty.pop() {
                return Ok(empty);
            }
            if self.buffers < BUFFERS {
                self.buffers += 1;
                return Ok(Vec::with_capacity(self.buffer_bytes));
            }
            match std::mem::replace(&mut self.taker, Taker::Failed) {
                Taker::Busy(mut run) => {
                    let ended = tokio::select! {
                        biased;
                        () = self.queue.emptied.notified() => None,
                        ended = &mut run => Some(ended),
                    };
                    self.taker = match ended {
                        Some(ended) => Taker::Idle(taken_in(ended)?),
                        None => Taker::Busy(run),
                    };
                }
                Taker::Idle(taker) => self.begin_run(taker).await,
                Taker::Failed => return Err(Lost::Before),
            }
        }
    }

    async fn taker_at_rest(&mut self) -> Result<Box<S>, Lost> {
        match std::mem::replace(&mut self.taker, Taker::Failed) {
            Taker::Idle(taker) => Ok(taker),
            Taker::Busy(run) => taken_in(run.await),
            Taker::Failed => Err(Lost::Before),
        }
    }

    async fn begin_run(&mut self, mut taker: Box<S>) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the places are never closed");
        let queue = Arc::clone(&self.queue);
        queue.lock().is_watched = true;
        self.taker = Taker::Busy(tokio::task::spawn_blocking(move || {
            let _place = place;
            let outcome = queue.run(&mut *taker);
            (taker, outcome)
        }));
    }
}

fn taken_in<S>(ended: Result<Ended<S>, JoinError>) -> Result<Box<S>, Lost> {
    let (taker, outcome) = ended?;
    outcome.map_err(Lost::Disk)?;
    Ok(taker)
}

impl Queue {
    fn run(&self, taker: &mut impl TakeIn) -> Result<(), BlobError> {
        for _ in 0..RUN_BUFFERS {
            let next = {
                let mut waiting = self.lock();
                let next = waiting.full.pop_front();
                waiting.is_watched = next.is_some();
                next
            };
            let Some(mut buffer) = next else { return Ok(()) };
            taker.take_in(&buffer)?;
            buffer.clear();
            let mut waiting = self.lock();
            waiting.empty.push(buffer);
            if waiting.empty.len() >= BUFFERS / 2 {
                self.emptied.notify_one();
            }
        }
        self.lock().is_watched = false;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
