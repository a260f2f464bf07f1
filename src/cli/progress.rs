//! The bar of long work: rate and time left on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::vault::progress::Progress;

/// A bar of bytes.
pub fn bar(is_watched: bool) -> ProgressBar {
    let target = if is_watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{bar:30} {percent}% of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left");
    ProgressBar::with_draw_target(Some(0), target).with_style(style.expect("the template is well formed"))
}

/// A bar of bytes that the vault engine moves.
pub struct EngineBar(ProgressBar);

impl EngineBar {
    pub fn new(is_watched: bool) -> Self {
        Self(bar(is_watched))
    }

    pub fn end(self) {
        self.0.finish_and_clear();
    }
}

impl Progress for EngineBar {
    fn found(&self, _files: u64, bytes: u64) {
        self.0.inc_length(bytes);
    }

    fn did(&self, _files: u64, bytes: u64) {
        self.0.inc(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn progress_is_drawn_for_people_only() {
        assert!(bar(false).is_hidden());
    }
}
