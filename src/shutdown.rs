//! One stop signal to every task, and waiting for them.

use tokio::sync::watch;

/// Held by whoever may stop the process.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

/// Held by every task that should end with it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

pub fn channel() -> (Stop, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Stop(sender), Shutdown(receiver))
}

impl Stop {
    /// Tells every task to end; more than once does no harm.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the stop was given, or when nobody is left who could give it.
    pub async fn stopped(&mut self) {
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}
