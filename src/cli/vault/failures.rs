//! Entries that could not be saved or restored: a line each on standard error.

use serde_json::{Value, json};

use crate::cli::console::Console;
use crate::cli::table::visible;
use crate::vault::failure::Failure;

/// Lines at most; of more only the number is told. All that are kept are in the answer of `--json`.
const MOST_LINES: usize = 100;

/// Lists them: path, what was being done, why.
pub fn list(failures: &[Failure], left_out: u64, console: &mut Console) {
    for failure in failures.iter().take(MOST_LINES) {
        console.note(&visible(&format!("{}: {}: {}", failure.path.display(), failure.doing, failure.why)));
    }
    let more = count(failures, left_out).saturating_sub(MOST_LINES as u64);
    if more > 0 {
        console.note(&format!("and {more} more"));
    }
}

pub fn count(failures: &[Failure], left_out: u64) -> u64 {
    failures.len() as u64 + left_out
}

pub fn as_json(failures: &[Failure]) -> Value {
    let one = |failure: &Failure| {
        let path = failure.path.to_string_lossy();
        json!({ "path": path, "doing": failure.doing, "errno": failure.errno, "why": failure.why })
    };
    failures.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::console::tests::console;

    #[test]
    fn a_hundred_lines_are_shown_and_the_rest_is_counted() {
        let (mut console, _, notes) = console("", false, false);
        let failures: Vec<_> = (0..103).map(|number| Failure::of(format!("/a\x1b{number}"), "read", "damaged")).collect();
        list(&failures, 4, &mut console);
        let text = notes.text();
        assert_eq!(text.lines().count(), 101, "{text}");
        assert!(text.starts_with("/a\u{fffd}0: read: damaged\n") && text.ends_with("and 7 more\n"), "{text}");
    }
}
