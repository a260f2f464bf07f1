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
/// So many pieces are kept though nobody uses as many.
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
    /// No more are kept than are in use, so that memory goes back after a crowd has gone.
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut state = self.home.state();
        state.in_use -= 1;
        bytes.clear();
        state.free.push(bytes);
        let kept = state.in_use.max(KEPT);
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

    #[test]
    fn no_more_is_kept_than_is_in_use() {
        let pieces = Arc::new(Pieces::default());
        let mut crowd: Vec<Piece> = (0..AMPLE).map(|_| pieces.take()).collect();
        assert!(!pieces.are_ample() && pieces.take_spare().is_none());
        crowd.truncate(100);
        assert!(pieces.are_ample() && pieces.take_spare().is_some());
        assert_eq!(pieces.state().free.len(), 100);
        crowd.clear();
        assert_eq!(pieces.state().free.len(), KEPT);
    }
}
