//! Memory for the bytes of downloads, used again and again. Pieces come and go on many threads; each thread's share of the
//! allocator would keep what its busiest moment needed.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

/// How many bytes a piece holds.
pub(super) const PIECE_BYTES: usize = 64 << 10;
/// While fewer pieces are in use than this, 24 MiB in all, downloads hold whole blocks and have the next one read ahead. With more
/// downloads than that each holds a few pieces.
pub(super) const AMPLE: usize = 384;
/// So many pieces are kept when nobody uses any.
const KEPT: usize = 32;

/// The pieces of one store.
#[derive(Default)]
pub(super) struct Pieces(Mutex<State>);

#[derive(Default)]
struct State {
    free: Vec<Vec<u8>>,
    in_use: usize,
}

/// Bytes in memory that goes back when they are dropped.
pub(super) struct Piece {
    bytes: Vec<u8>,
    home: Arc<Pieces>,
}

impl Pieces {
    /// Room for [`PIECE_BYTES`], empty.
    pub(super) fn take(self: &Arc<Self>) -> Piece {
        self.take_from(self.state())
    }

    /// The same for whoever can do without; `None` where memory is not ample.
    pub(super) fn take_spare(self: &Arc<Self>) -> Option<Piece> {
        let state = self.state();
        (state.in_use < AMPLE).then(|| self.take_from(state))
    }

    fn take_from(self: &Arc<Self>, mut state: MutexGuard<'_, State>) -> Piece {
        state.in_use += 1;
        let free = state.free.pop();
        drop(state);
        Piece { bytes: free.unwrap_or_else(|| Vec::with_capacity(PIECE_BYTES)), home: Arc::clone(self) }
    }

    /// Whether a download may hold more than it is sending.
    pub(super) fn are_ample(&self) -> bool {
        self.state().in_use < AMPLE
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it holds the pieces")
    }
}

impl Piece {
    /// What is to be filled.
    pub(super) const fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for Piece {
    /// While a crowd lasts, all that it used a moment ago is kept: what goes back and comes again comes from another part of the allocator,
    /// and the first part keeps its memory, too. It goes back when nobody downloads any more; and what a crowd larger than most leaves
    /// behind, as soon as it is more than is in use.
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut state = self.home.state();
        state.in_use -= 1;
        bytes.clear();
        state.free.push(bytes);
        let kept = if state.in_use == 0 { KEPT } else { state.in_use.max(AMPLE) };
        state.free.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pieces: &Arc<Pieces>) -> Bytes {
        let mut piece = pieces.take();
        piece.bytes_mut().extend_from_slice(b"bytes");
        piece.into_bytes()
    }

    #[test]
    fn memory_is_used_again_and_holds_nothing_of_before() {
        let pieces = Arc::new(Pieces::default());
        let before = filled(&pieces);
        let place = before.as_ptr();
        drop(before);
        let mut again = pieces.take();
        assert_eq!((again.len(), again.bytes_mut().as_ptr()), (0, place));
    }

    #[test]
    fn a_slice_keeps_its_piece() {
        let pieces = Arc::new(Pieces::default());
        let whole = filled(&pieces);
        let part = whole.slice(1..3);
        drop(whole);
        drop(filled(&pieces));
        assert_eq!((&part[..], pieces.state().in_use), (&b"yt"[..], 1));
    }

    fn crowd(pieces: &Arc<Pieces>, count: usize) -> Vec<Piece> {
        (0..count).map(|_| pieces.take()).collect()
    }

    #[test]
    fn memory_is_ample_until_a_crowd_uses_it() {
        let pieces = Arc::new(Pieces::default());
        let mut crowd = crowd(&pieces, AMPLE);
        assert!(!pieces.are_ample() && pieces.take_spare().is_none());
        crowd.truncate(100);
        assert!(pieces.are_ample() && pieces.take_spare().is_some());
    }

    /// Symptom that this prevents: a crowd whose use went up and down took memory again and again, each time from another part of the
    /// allocator, until 32 downloads held 75 MB of which they used 25.
    #[test]
    fn a_crowd_that_ebbs_and_returns_takes_no_new_memory() {
        let pieces = Arc::new(Pieces::default());
        let mut first = crowd(&pieces, AMPLE);
        let mut places: Vec<*const u8> = first.iter().map(|piece| piece.bytes.as_ptr()).collect();
        first.truncate(1);
        let second = crowd(&pieces, AMPLE - 1);
        let mut again: Vec<*const u8> = first.iter().chain(&second).map(|piece| piece.bytes.as_ptr()).collect();
        places.sort_unstable();
        again.sort_unstable();
        assert_eq!(places, again);
    }

    #[test]
    fn memory_goes_back_when_a_crowd_has_gone() {
        let pieces = Arc::new(Pieces::default());
        let mut crowd = crowd(&pieces, 4 * AMPLE);
        crowd.truncate(2 * AMPLE - 1);
        assert_eq!(pieces.state().free.len(), 2 * AMPLE - 1, "no more than is in use");
        crowd.truncate(1);
        assert_eq!(pieces.state().free.len(), AMPLE, "as much as a usual crowd uses");
        crowd.clear();
        assert_eq!(pieces.state().free.len(), KEPT, "next to nothing");
    }
}
