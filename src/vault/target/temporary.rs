//! Names of files that are not whole yet. They are of one run and cannot be guessed, so that no backup holds an entry of that name.

use crate::vault::error::Error;

/// The names of one run.
pub struct Temporaries {
    run: String,
}

impl Temporaries {
    pub(super) fn random() -> Result<Self, Error> {
        let mut run = [0_u8; 8];
        getrandom::fill(&mut run).map_err(|error| Error::Unavailable { doing: "making a random name".to_owned(), source: error.into() })?;
        Ok(Self { run: data_encoding::HEXLOWER.encode(&run) })
    }

    /// The name for this number, which is the caller's; the same number is the same name.
    pub fn name(&self, number: u64) -> Vec<u8> {
        format!(".strongroom-{}-{number}", self.run).into_bytes()
    }
}
