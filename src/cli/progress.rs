//! The bar of long work: rate and time left on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of bytes.
pub fn bar(is_watched: bool) -> ProgressBar {
    let target = if is_watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{bar:30} {percent}% of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left");
    ProgressBar::with_draw_target(Some(0), target).with_style(style.expect("the template is well formed"))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn progress_is_drawn_for_people_only() {
        assert!(bar(false).is_hidden());
    }
}
