//! A vault's place in memory, which a test changes as it likes. Clones are the same place.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use strongroom::vault::backend::content::Content;
use strongroom::vault::backend::{Backend, Kind, Listed, Name};
use strongroom::vault::error::Error;

pub type Files = HashMap<Name, Bytes>;

#[derive(Clone, Default)]
pub struct Held(Arc<Mutex<Files>>);

impl Held {
    pub fn holding(files: Files) -> Self {
        Self(Arc::new(Mutex::new(files)))
    }

    pub fn files(&self) -> Files {
        self.0.lock().expect("nobody panics").clone()
    }

    pub fn set(&self, files: Files) {
        *self.0.lock().expect("nobody panics") = files;
    }
}

impl Backend for Held {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn create(&self) -> Result<(), Error> {
        Ok(())
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        let files = self.0.lock().expect("nobody panics");
        let listed = files.iter().filter_map(|(name, bytes)| match name {
            Name::Of(of, id) if *of == kind => Some(Listed { id: *id, size_bytes: bytes.len() as u64 }),
            _ => None,
        });
        Ok(listed.collect())
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.read(name, None).map(|bytes| bytes.len() as u64)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        let files = self.0.lock().expect("nobody panics");
        let bytes = files.get(&name).ok_or_else(|| Error::NotFound(name.to_string()))?;
        match range {
            None => Ok(bytes.to_vec().into()),
            Some(range) if range.end > bytes.len() as u64 => Err(Error::damaged(name.to_string(), "it is too short")),
            Some(range) => {
                let [start, end] = [range.start, range.end].map(|place| usize::try_from(place).expect("it fits"));
                Ok(bytes[start..end].to_vec().into())
            }
        }
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        self.0.lock().expect("nobody panics").insert(name, bytes);
        Ok(())
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.0.lock().expect("nobody panics").remove(&name);
        Ok(())
    }

    fn lists_at_once(&self) -> bool {
        true
    }
}
