//! A bandwidth that all requests of one place share.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Hands out turns so that no more than the limit is moved in the long run. One turn is never long: threads take turns.
pub struct Bucket {
    bytes_per_second: u64,
    /// When what was handed out so far will have been moved.
    free_at: Mutex<Option<Instant>>,
}

impl Bucket {
    /// 0 is no limit, so no bucket.
    pub fn of_kib(kib_per_second: u32) -> Option<Self> {
        (kib_per_second > 0).then(|| Self { bytes_per_second: u64::from(kib_per_second) * 1024, free_at: Mutex::new(None) })
    }

    /// How many bytes to move in one turn, at most `most`: a quarter of a second's worth.
    pub fn turn_bytes(&self, most: usize) -> usize {
        usize::try_from(self.bytes_per_second / 4).unwrap_or(most).min(most)
    }

    /// Takes a turn for this many bytes; they may be moved once the time that is returned has come.
    pub fn take(&self, now: Instant, bytes: usize) -> Instant {
        let mut free_at = self.free_at.lock().expect("nobody panics while holding it");
        let begin = free_at.map_or(now, |free_at| free_at.max(now));
        let nanos = (bytes as u128 * 1_000_000_000).div_ceil(u128::from(self.bytes_per_second));
        *free_at = Some(begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2)));
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_is_handed_out_however_many_ask() {
        let bucket = Bucket::of_kib(100).expect("a limit");
        let now = Instant::now();
        let turn = bucket.turn_bytes(1 << 20);
        assert_eq!(turn, 25 * 1024);
        for number in 0..40 {
            assert_eq!(bucket.take(now, turn), now + Duration::from_millis(250) * number);
        }
    }

    #[test]
    fn time_in_which_nothing_was_moved_is_not_saved_up() {
        let bucket = Bucket::of_kib(1).expect("a limit");
        let now = Instant::now();
        assert_eq!(bucket.take(now, 1024), now);
        let later = now + Duration::from_secs(100);
        assert_eq!(bucket.take(later, 1024), later);
        assert_eq!(bucket.take(later, 1024), later + Duration::from_secs(1));
    }

    #[test]
    fn zero_is_no_limit() {
        assert!(Bucket::of_kib(0).is_none());
        assert_eq!(Bucket::of_kib(u32::MAX).expect("a limit").turn_bytes(131_072), 131_072);
    }
}
