//! Packs between those who fill them and those who store them; a bounded number.
//!
//! Each gets its name first, the SHA-256 of its bytes. Two messages at once take less time than one after the other, so whoever hashes a
//! chunk hashes as much of a pack beside it. Where nobody does that soon, where everybody waits for a pack to be stored, and where the
//! processor gains nothing by it, whoever is to store a pack names it.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::vault::id::Id;
use crate::vault::pack::FinishedPack;
use crate::vault::two_hashes::{Begun, is_faster};

pub(super) struct UnderWay {
    most: usize,
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    unnamed: VecDeque<Unnamed>,
    named: VecDeque<Named>,
    /// Those that are being finished, hashed or stored.
    in_hand: usize,
    /// Who waits for room.
    held_up: usize,
    is_closed: bool,
    is_stopped: bool,
}

/// A pack, and how much of it is hashed.
struct Unnamed {
    pack: FinishedPack,
    begun: Begun,
}

/// A pack and its name.
pub(super) struct Named {
    pub id: Id,
    pub pack: FinishedPack,
}

const NO_PANIC: &str = "nothing panics while it holds the packs";

impl UnderWay {
    /// Not more than `most` packs at once; who stores them waits for `patience` until others have hashed one.
    pub(super) fn new(most: usize, patience: Duration) -> Self {
        Self { most, patience, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes a pack once there is room for it. `false` after a stop.
    pub(super) fn push(&self, pack: impl FnOnce() -> FinishedPack) -> bool {
        let mut state = self.lock();
        if state.count() >= self.most {
            state.held_up += 1;
            self.changed.notify_all();
            let is_full = |state: &mut State| state.count() >= self.most && !state.is_stopped;
            state = self.changed.wait_while(state, is_full).expect(NO_PANIC);
            state.held_up -= 1;
        }
        if state.is_stopped {
            return false;
        }
        state.in_hand += 1;
        drop(state);
        let unnamed = Unnamed { pack: pack(), begun: Begun::new() };
        let mut state = self.lock();
        state.in_hand -= 1;
        state.unnamed.push_back(unnamed);
        drop(state);
        self.changed.notify_all();
        true
    }

    /// The id of these bytes, and beside it a part of a pack's name. `None` where no pack waits for that.
    pub(super) fn hash_beside(&self, bytes: &[u8]) -> Option<Id> {
        let mut state = self.lock();
        let Unnamed { pack, mut begun } = state.unnamed.pop_front_if(|_| is_faster())?;
        state.in_hand += 1;
        drop(state);
        let id = Id::of_beside(bytes, &mut begun, &pack.bytes);
        let is_nearly_done = begun.is_nearly_done(&pack.bytes);
        let mut state = self.lock();
        state.in_hand -= 1;
        if is_nearly_done {
            state.named.push_back(Unnamed { pack, begun }.name());
        } else {
            state.unnamed.push_front(Unnamed { pack, begun });
        }
        drop(state);
        self.changed.notify_all();
        Some(id)
    }

    /// The next pack to be stored: [`Self::stored`] is to follow. `None` when no more can come.
    pub(super) fn next(&self) -> Option<Named> {
        let mut state = self.lock();
        let mut is_late = false;
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(named) = state.named.pop_front() {
                state.in_hand += 1;
                return Some(named);
            }
            if (is_late || !is_faster() || state.held_up > 0 || state.is_closed)
                && let Some(unnamed) = state.unnamed.pop_front()
            {
                state.in_hand += 1;
                drop(state);
                return Some(unnamed.name());
            }
            if state.is_closed {
                return None;
            }
            if state.count() == 0 {
                state = self.changed.wait(state).expect(NO_PANIC);
            } else {
                let (again, waited) = self.changed.wait_timeout(state, self.patience).expect(NO_PANIC);
                (state, is_late) = (again, waited.timed_out());
            }
        }
    }

    /// There is room for another pack.
    pub(super) fn stored(&self) {
        self.lock().in_hand -= 1;
        self.changed.notify_all();
    }

    /// No more packs come, and nobody hashes beside them any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Nothing more is stored, after what is being stored now.
    pub(super) fn stop(&self) {
        self.lock().is_stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }
}

impl State {
    fn count(&self) -> usize {
        self.unnamed.len() + self.named.len() + self.in_hand
    }
}

impl Unnamed {
    fn name(self) -> Named {
        let Self { pack, begun } = self;
        Named { id: Id::of_rest(begun, &pack.bytes), pack }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn pack(bytes: &'static [u8]) -> FinishedPack {
        FinishedPack { bytes: Bytes::from_static(bytes), blobs: Vec::new() }
    }

    #[track_caller]
    fn expect(named: Option<Named>, bytes: &[u8]) {
        let named = named.expect("a pack");
        assert_eq!((named.id, &named.pack.bytes[..]), (Id::of(bytes), bytes));
    }

    static LONG: [u8; 1_000] = [7; 1_000];
    /// Longer than a test may take.
    const EVER: Duration = Duration::from_hours(1);

    #[test]
    fn a_pack_is_named_beside_chunks_part_by_part() {
        let packs = UnderWay::new(2, EVER);
        assert_eq!(packs.hash_beside(b"nobody waits"), None);
        assert!(packs.push(|| pack(&LONG)));
        if !is_faster() {
            eprintln!("NOT TESTED: this processor has no instructions for SHA-256");
            return;
        }
        for chunk in [&LONG[..300], &LONG[..1], &[3; 600]] {
            assert!(packs.lock().named.is_empty());
            assert_eq!(packs.hash_beside(chunk), Some(Id::of(chunk)));
        }
        assert!(packs.lock().named.is_empty(), "a block is left");
        assert_eq!(packs.hash_beside(&LONG), Some(Id::of(&LONG)));
        assert_eq!(packs.lock().named.len(), 1);
        assert_eq!(packs.hash_beside(b"it has its name"), None);
        expect(packs.next(), &LONG);
        packs.stored();
        assert_eq!(packs.lock().count(), 0);
    }

    #[test]
    fn a_pack_that_nobody_hashes_is_named_by_who_stores_it() {
        let packs = UnderWay::new(1, Duration::from_millis(1));
        assert!(packs.push(|| pack(&LONG)));
        packs.hash_beside(&LONG[..500]);
        expect(packs.next(), &LONG);
    }

    #[test]
    fn who_waits_for_a_pack_gets_it_as_soon_as_it_has_its_name() {
        let packs = UnderWay::new(1, if is_faster() { EVER } else { Duration::ZERO });
        std::thread::scope(|scope| {
            let next = scope.spawn(|| packs.next());
            assert!(packs.push(|| pack(&LONG)));
            packs.hash_beside(&LONG);
            expect(next.join().expect("no panic"), &LONG);
        });
    }

    #[test]
    fn who_waits_for_room_gets_it_as_soon_as_a_pack_is_stored_though_nobody_hashes() {
        let packs = UnderWay::new(1, EVER);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..200 {
                    assert!(packs.push(|| pack(&LONG[number..])));
                }
                packs.close();
            });
            for number in 0..200 {
                expect(packs.next(), &LONG[number..]);
                packs.stored();
            }
            assert!(packs.next().is_none());
        });
    }

    #[test]
    fn a_stop_ends_both_sides() {
        let packs = UnderWay::new(1, EVER);
        assert!(packs.push(|| pack(b"one")));
        std::thread::scope(|scope| {
            let held_up = scope.spawn(|| packs.push(|| pack(b"two")));
            packs.stop();
            assert!(!held_up.join().expect("no panic"));
        });
        assert!(packs.next().is_none());
    }

    #[test]
    fn what_waits_when_no_more_comes_is_stored_at_once() {
        let packs = UnderWay::new(2, EVER);
        assert!(packs.push(|| pack(b"one")) && packs.push(|| pack(b"two")));
        packs.close();
        expect(packs.next(), b"one");
        expect(packs.next(), b"two");
        assert!(packs.next().is_none());
    }
}
