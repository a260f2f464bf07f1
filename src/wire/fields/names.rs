//! What a member may be called.

/// One name, or several of which the first that is found counts: `"Id"` or `["Enable", "Enabled"]`.
pub trait Names {
    fn names(&self) -> &[&str];
}

impl Names for &str {
    fn names(&self) -> &[&str] {
        std::slice::from_ref(self)
    }
}

impl<const N: usize> Names for [&str; N] {
    fn names(&self) -> &[&str] {
        self
    }
}

impl<T: Names> Names for &T {
    fn names(&self) -> &[&str] {
        (*self).names()
    }
}
