//! What systemd hears of the process (`sd_notify(3)`). Started by anything else, nobody hears it.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The service manager.
pub(super) struct Systemd {
    said: String,
    /// How often it wants a sign of life, and when the next is due.
    beat: Option<(Duration, Instant)>,
}

impl Systemd {
    /// Says that the process is ready.
    pub fn ready(now: Instant) -> Self {
        let mut micros = 0;
        let is_asked = sd_notify::watchdog_enabled(false, &mut micros);
        // Twice as often as it has to be, as `sd_watchdog_enabled(3)` advises.
        let period = Duration::from_micros(micros / 2);
        notify(&[NotifyState::Ready]);
        Self { said: String::new(), beat: (is_asked && !period.is_zero()).then_some((period, now)) }
    }

    /// Says what the process does, where that is news, and that it lives, where that is due.
    pub fn tell(&mut self, status: &str, now: Instant) {
        if status != self.said {
            notify(&[NotifyState::Status(status)]);
            status.clone_into(&mut self.said);
        }
        if let Some((period, next)) = &mut self.beat
            && *next <= now
        {
            notify(&[NotifyState::Watchdog]);
            *next = now + *period;
        }
    }

    /// When the next sign of life is due.
    pub fn next_beat(&self) -> Option<Instant> {
        self.beat.map(|(_, next)| next)
    }
}

/// Says that the process ends.
pub(super) fn stopping(status: &str) {
    notify(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
