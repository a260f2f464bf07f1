//! What an intake promises: the order, no more than its buffers, a turn that ends, and errors that are heard.

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
        for _ in 0..BUFFERS / 2 {
            let_go.send(()).expect("it waits");
        }
        next.await.expect("it goes on when half of them are empty, and not only at the end of the run");
    }
    for _ in BUFFERS / 2..BUFFERS {
        let_go.send(()).expect("it waits");
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
    assert!(!intake.queue.lock().is_watched, "the next full buffer begins a run");
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

/// The last buffer of a run can come back full before the run is over.
#[tokio::test]
async fn whoever_waits_for_a_buffer_when_a_run_has_ended_begins_the_next() {
    let mut intake = intake(kept(usize::MAX));
    intake.buffers = BUFFERS;
    intake.queue.lock().full = std::iter::repeat_n(vec![7], BUFFERS).collect();
    assert!(intake.empty_buffer().await.expect("there is room").is_empty());
    assert_eq!(intake.rest().await.expect("there is room").bytes.len(), BUFFERS);
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
