//! What the machine is, and by what it is known again.

use crate::wire::channel::Facts;

/// As a registration or start-up tells it. What cannot be found out is empty.
pub fn facts() -> Facts {
    todo!("core")
}

/// SHA-256 over machine-id and DMI product UUID, in hexadecimal digits: another one means another machine, or a clone.
pub fn fingerprint() -> String {
    todo!("core")
}
