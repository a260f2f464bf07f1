//! Where a secret that is shown once goes: on standard output, or into a file for its owner alone.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::console::Console;
use super::failure::Failure;

/// Where the secret will go. A file is made before the secret is, so that none is made in vain; dropped without
/// [`Destination::deliver`], the file goes away again.
pub enum Destination {
    StandardOutput,
    File { path: PathBuf, file: File, is_delivered: bool },
}

/// What is handed over.
pub struct Delivery {
    /// What it is, for people: `The access URL`.
    pub what: &'static str,
    /// What to do where nobody got it.
    pub hint: &'static str,
    /// The secret as people and files get it, without the last line's end.
    pub text: String,
    /// The same as members of an object.
    pub secrets: Vec<(&'static str, String)>,
    /// What else machines read.
    pub json: serde_json::Value,
}

impl Destination {
    /// Never replaces a file.
    pub fn prepare(to: Option<&Path>) -> Result<Self, Failure> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let Some(path) = to else { return Ok(Self::StandardOutput) };
        let made = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = made.map_err(|error| {
            Failure::because(format!("cannot make the file {}", path.display()), &error).with_hint("name a file that does not exist yet")
        })?;
        Ok(Self::File { path: path.to_owned(), file, is_delivered: false })
    }

    /// Hands the secret over, with an object around it for machines.
    pub fn deliver(mut self, delivery: Delivery, console: &mut Console) -> Result<(), Failure> {
        let Delivery { what, hint, text, secrets, mut json } = delivery;
        let delivered = match &mut self {
            Self::StandardOutput if console.json => {
                for (name, secret) in secrets {
                    json[name] = secret.into();
                }
                console.hand_over(&format!("{json}\n"))
            }
            Self::StandardOutput => console.hand_over(&format!("{text}\n")),
            Self::File { path, file, is_delivered } => {
                let written = writeln!(file, "{text}").and_then(|()| file.sync_all());
                *is_delivered = written.is_ok();
                let failed = |error| Failure::because(format!("cannot write {}", path.display()), &error);
                let shown = path.display();
                written.map_err(failed).and_then(|()| console.answer_either(&json, || format!("{what} is in {shown}\n")))
            }
        };
        delivered.map_err(|failure| failure.with_hint(hint))
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if let Self::File { path, is_delivered: false, .. } = self {
            drop(std::fs::remove_file(path));
        }
    }
}
