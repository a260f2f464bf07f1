//! Pauses of random length: who failed together must not come back together.

use std::time::Duration;

/// In 0 to 1; the mean where the system gives no randomness.
pub fn random() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

/// Between half of a pause and all of it; `random` is in 0 to 1.
pub fn part_of(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(random.mul_add(0.5, 0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_of_half_their_length_to_all_of_it() {
        let pause = Duration::from_secs(8);
        assert_eq!([0.0, 0.5, 1.0].map(|random| part_of(pause, random).as_secs()), [4, 6, 8]);
        assert_eq!(part_of(Duration::ZERO, 1.0), Duration::ZERO);
    }

    #[test]
    fn no_two_numbers_are_alike() {
        let numbers = [(); 4].map(|()| random());
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)), "{numbers:?}");
        assert!(numbers.iter().any(|number| *number != numbers[0]), "{numbers:?}");
    }
}
