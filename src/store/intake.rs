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

/// Bytes on their way into `S`, in their order. Dropping it takes in what was handed over, and then drops `S`.
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
    /// Whether a thread will look at `full` again.
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

    /// Waits until all buffers that were full have been taken in, and gives the taker out; `put_back` it before the next `write`.
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
            taker.take_in(&buffer).inspect_err(|_| self.lock().is_watched = false)?;
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
mod tests {
    use std::io;
    use std::sync::mpsc::{self, Receiver};

    use futures_util::poll;

    use super::*;

    const BUFFER_BYTES: usize = 8;

    /// Keeps what it takes in, each buffer after a word that it may.
    struct Kept {
        bytes: Vec<u8>,
        may: Option<Receiver<()>>,
        /// How many buffers it takes before its disk is full.
        room: usize,
    }

    impl TakeIn for Kept {
        fn take_in(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
            if let Some(may) = &self.may {
                may.recv().expect("the test lets it go on");
            }
            self.room = self.room.checked_sub(1).ok_or_else(|| BlobError::new("writing", io::Error::from(io::ErrorKind::StorageFull)))?;
            self.bytes.extend_from_slice(bytes);
            Ok(())
        }
    }

    fn kept(room: usize) -> Box<Kept> {
        Box::new(Kept { bytes: Vec::new(), may: None, room })
    }

    fn intake<S: TakeIn>(taker: Box<S>) -> Intake<S> {
        Intake::new(taker, Arc::new(Semaphore::new(1)), BUFFER_BYTES, u64::MAX)
    }

    #[tokio::test]
    async fn bytes_arrive_in_their_order_however_they_come() {
        let all: Vec<u8> = (0..=255).cycle().take(4000).collect();
        for portion in [1, 3, BUFFER_BYTES, 100, 4000] {
            let mut intake = intake(kept(usize::MAX));
            for bytes in all.chunks(portion) {
                intake.write(bytes).await.expect("there is room");
            }
            let (taker, last) = intake.finish().await.expect("there is room");
            assert_eq!([taker.bytes, last].concat(), all, "in portions of {portion}");
        }
    }

    #[tokio::test]
    async fn whoever_is_faster_than_the_disk_waits_for_it() {
        let (let_go, may) = mpsc::channel();
        let mut intake = intake(Box::new(Kept { bytes: Vec::new(), may: Some(may), room: usize::MAX }));
        intake.write(&[1; BUFFER_BYTES * (BUFFERS - 1)]).await.expect("so many buffers there are");
        {
            let mut next = std::pin::pin!(intake.write(&[2; BUFFER_BYTES]));
            assert!(poll!(&mut next).is_pending(), "there are no more buffers than that");
            for _ in 0..BUFFERS {
                let_go.send(()).expect("it waits");
            }
            next.await.expect("there is room");
        }
        assert!(intake.buffers <= BUFFERS);
        let (taker, last) = intake.finish().await.expect("there is room");
        assert_eq!((taker.bytes.len(), last.len()), (BUFFER_BYTES * BUFFERS, 0));
    }

    #[tokio::test]
    async fn at_rest_it_has_all_that_was_handed_over_and_goes_on_when_put_back() {
        let mut intake = intake(kept(usize::MAX));
        intake.write(&[1; BUFFER_BYTES * 3 + 1]).await.expect("there is room");
        let taker = intake.rest().await.expect("there is room");
        assert_eq!(taker.bytes.len(), BUFFER_BYTES * 3);
        intake.put_back(taker);
        intake.write(&[2; BUFFER_BYTES]).await.expect("there is room");
        let (taker, last) = intake.finish().await.expect("there is room");
        assert_eq!((taker.bytes.len(), last), (BUFFER_BYTES * 4, vec![2]));
    }

    /// Else an upload that is always faster than its disk would keep the place of another for ever.
    #[test]
    fn a_run_ends_when_its_turn_is_over() {
        let queue = Queue::default();
        queue.lock().is_watched = true;
        queue.lock().full = std::iter::repeat_n(vec![7], RUN_BUFFERS + 3).collect();
        let mut taker = kept(usize::MAX);
        queue.run(&mut *taker).expect("there is room");
        let waiting = queue.lock();
        assert_eq!((taker.bytes.len(), waiting.full.len(), waiting.is_watched), (RUN_BUFFERS, 3, false));
    }

    #[tokio::test]
    async fn what_a_run_has_left_is_taken_in_by_the_next() {
        let mut intake = intake(kept(usize::MAX));
        intake.queue.lock().full = std::iter::repeat_n(vec![7], RUN_BUFFERS * 2 + 3).collect();
        assert_eq!(intake.rest().await.expect("there is room").bytes.len(), RUN_BUFFERS * 2 + 3);
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_nothing_more_is_taken_in() {
        let mut intake = intake(kept(2));
        let outcome = loop {
            if let Err(lost) = intake.write(&[1; BUFFER_BYTES]).await {
                break lost;
            }
        };
        assert!(matches!(outcome, Lost::Disk(error) if error.source.kind() == io::ErrorKind::StorageFull));
        assert!(matches!(intake.rest().await, Err(Lost::Before)));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_for_whoever_waits() {
        struct Broken;
        impl TakeIn for Broken {
            fn take_in(&mut self, _: &[u8]) -> Result<(), BlobError> {
                panic!("broken");
            }
        }
        let mut waiting = intake(Box::new(Broken));
        let outcome = waiting.write(&[1; BUFFER_BYTES * (BUFFERS + 1)]).await;
        assert!(matches!(outcome, Err(Lost::Panic(_))));
        let mut resting = intake(Box::new(Broken));
        resting.write(&[1; BUFFER_BYTES]).await.expect("nobody waits for it yet");
        assert!(matches!(resting.finish().await, Err(Lost::Panic(_))));
    }
}
