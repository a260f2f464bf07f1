//! What is wrong with a body, in words for the client.

/// A body that cannot be acted on. Its text is public: it names members, never their contents.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct WireError {
    pub message: String,
}

impl WireError {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
