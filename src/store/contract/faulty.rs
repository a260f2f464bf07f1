//! Blobs that fail once, when they are told to, with the error of a broken disk.

use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use crate::store::blobs::memory::When;
use crate::store::blobs::{BlobError, BlobKey, BlobReader, Blobs, Found, Space, Staged};

/// What fails next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    Publish(When),
    Copy,
    Remove,
}

type Next = Arc<Mutex<Option<Failure>>>;

/// Hands everything on, but for one call.
pub(super) struct FaultyBlobs {
    inner: Arc<dyn Blobs>,
    next: Next,
}

/// Tells the blobs to fail.
#[derive(Clone, Default)]
pub(super) struct Switch(Next);

impl Switch {
    pub(super) fn around(&self, inner: Arc<dyn Blobs>) -> Arc<dyn Blobs> {
        Arc::new(FaultyBlobs { inner, next: Arc::clone(&self.0) })
    }

    /// `None` makes everything work again.
    pub(super) fn set(&self, failure: Option<Failure>) {
        *self.0.lock().expect("nothing panics while it holds the switch") = failure;
    }
}

/// EIO, once, where `failure` was asked for.
fn fail_once(next: &Next, failure: Failure) -> Result<(), BlobError> {
    let mut next = next.lock().expect("nothing panics while it holds the switch");
    if *next != Some(failure) {
        return Ok(());
    }
    *next = None;
    Err(BlobError::new("failing as a test wants it", Errno::IO))
}

impl Blobs for FaultyBlobs {
    fn stage(&self) -> Result<Box<dyn Staged>, BlobError> {
        Ok(Box::new(FaultyStaged { inner: self.inner.stage()?, next: Arc::clone(&self.next) }))
    }

    fn open(&self, key: &BlobKey) -> Result<Box<dyn BlobReader>, BlobError> {
        self.inner.open(key)
    }

    fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        fail_once(&self.next, Failure::Remove)?;
        self.inner.remove(key)
    }

    fn walk(&self, visit: &mut dyn FnMut(Found) -> bool) -> Result<(), BlobError> {
        self.inner.walk(visit)
    }

    fn space(&self) -> Result<Space, BlobError> {
        self.inner.space()
    }

    fn clear_staging(&self) -> Result<u64, BlobError> {
        self.inner.clear_staging()
    }

    fn put_control(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        fail_once(&self.next, Failure::Copy)?;
        self.inner.put_control(name, bytes)
    }

    fn get_control(&self, name: &str) -> Result<Vec<u8>, BlobError> {
        self.inner.get_control(name)
    }

    fn list_control(&self) -> Result<Vec<String>, BlobError> {
        self.inner.list_control()
    }

    fn remove_control(&self, name: &str) -> Result<(), BlobError> {
        self.inner.remove_control(name)
    }
}

struct FaultyStaged {
    inner: Box<dyn Staged>,
    next: Next,
}

impl Staged for FaultyStaged {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.inner.write(bytes)
    }

    fn publish(self: Box<Self>, key: &BlobKey) -> Result<(), BlobError> {
        let Self { inner, next } = *self;
        fail_once(&next, Failure::Publish(When::BeforeBlob))?;
        inner.publish(key)?;
        fail_once(&next, Failure::Publish(When::AfterBlob))
    }
}
