//! The one connection of a thread: opened when it is needed, closed when it can no longer be trusted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::CatalogError;
use super::engine::{Engine, Role, Standing, Target};

/// Shared by all threads of one catalog.
pub(super) struct Source {
    pub(super) target: Target,
    /// Connections lost so far. When one is lost, its neighbours probably are too (the server restarted), so every thread asks
    /// its own connection whether it still answers before it trusts it with the next job.
    losses: AtomicU64,
}

impl Source {
    pub(super) fn new(target: Target) -> Self {
        Self { target, losses: AtomicU64::new(0) }
    }
}

pub(super) struct Slot {
    source: Arc<Source>,
    role: Role,
    engine: Option<Box<dyn Engine>>,
    losses_seen: u64,
}

impl Slot {
    pub(super) fn new(source: Arc<Source>, role: Role) -> Self {
        Self { source, role, engine: None, losses_seen: 0 }
    }

    /// The connection, opened if there is none. `Fault::Unavailable` where that fails for now.
    pub(super) fn ready(&mut self) -> Result<&mut dyn Engine, CatalogError> {
        let losses = self.source.losses.load(Ordering::SeqCst);
        if losses != self.losses_seen && self.engine.as_mut().is_some_and(|engine| !engine.is_alive()) {
            self.engine = None;
        }
        self.losses_seen = losses;
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => self.source.target.connect(self.role)?,
        };
        Ok(self.engine.insert(engine).as_mut())
    }

    /// The connection as it was left by the last call; `None` when it was closed.
    pub(super) fn current(&mut self) -> Option<&mut dyn Engine> {
        // A match, because a closure would not let the object's lifetime shrink.
        match &mut self.engine {
            Some(engine) => Some(engine.as_mut()),
            None => None,
        }
    }

    /// Rolls back what a failed transaction left; closes the connection where that cannot be done for certain.
    pub(super) fn roll_back(&mut self) {
        if self.current().is_some_and(|engine| engine.standing() != Standing::Lost && engine.rollback().is_err()) {
            self.close();
        }
        self.close_if_lost();
    }

    pub(super) fn close_if_lost(&mut self) {
        if self.current().is_some_and(|engine| engine.standing() == Standing::Lost) {
            self.close();
        }
    }

    /// Closes the connection; the next job opens a new one.
    pub(super) fn close(&mut self) {
        tracing::warn!(role = ?self.role, "a connection to the catalog is closed; the next call opens another");
        self.source.losses.fetch_add(1, Ordering::SeqCst);
        self.engine = None;
    }
}
