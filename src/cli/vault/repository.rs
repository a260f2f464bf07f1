//! Which repository is meant, and how it is reached: what all commands of a repository take.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::session::{Session, failed};
use super::{maker, password, signals};
use crate::cli::arguments::span;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::vault::backend::location::Location;
use crate::vault::backend::options::{Options, Pin, Trust};
use crate::vault::backend::{Backend, open_for_work};
use crate::vault::cancel::Cancel;
use crate::vault::config::Version;
use crate::vault::repository::Repository;

#[derive(clap::Args)]
#[command(next_help_heading = "Repository")]
pub struct RepositoryArgs {
    /// Where the repository is: an access URL, rest:URL, or a folder [env: STRONGROOM_REPOSITORY]
    ///
    /// Other users of this machine can see the command line, and an access URL holds a password: where there are any, put it into a
    /// file and name that with --repository-file, or into the environment. It is never printed.
    #[arg(short, long, visible_alias = "repo", value_name = "REPOSITORY")]
    repository: Option<OsString>,
    /// A file that says where the repository is [env: STRONGROOM_REPOSITORY_FILE]
    #[arg(long, value_name = "FILE", conflicts_with = "repository")]
    repository_file: Option<PathBuf>,
    /// A file with the password [env: STRONGROOM_PASSWORD_FILE]
    ///
    /// Without one, the password is taken from STRONGROOM_PASSWORD, or asked for. White space around it does not count.
    #[arg(short, long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Believe a server by this PEM file of certificates instead of the system's
    #[arg(long, visible_alias = "cacert", value_name = "FILE", env = "STRONGROOM_CA_FILE", hide_env_values = true, conflicts_with = "pin")]
    ca_file: Option<PathBuf>,
    /// Believe the one server whose certificate has this SHA-256, whatever else it says
    #[arg(long, value_name = "SHA256", env = "STRONGROOM_PIN", hide_env_values = true)]
    pin: Option<Pin>,
    /// KiB per second of all uploads together; 0 is no limit
    #[arg(long, value_name = "KIB", default_value_t = 0, env = "STRONGROOM_LIMIT_UPLOAD", hide_env_values = true)]
    limit_upload: u32,
    /// KiB per second of all downloads together; 0 is no limit
    #[arg(long, value_name = "KIB", default_value_t = 0, env = "STRONGROOM_LIMIT_DOWNLOAD", hide_env_values = true)]
    limit_download: u32,
    /// Where somebody else's lock is in the way, try for so long, such as 30m or 2h
    #[arg(long, value_name = "DURATION", value_parser = span, env = "STRONGROOM_RETRY_LOCK", hide_env_values = true)]
    retry_lock: Option<Duration>,
    /// Take no lock: for reading alone
    #[arg(long)]
    no_lock: bool,
}

impl RepositoryArgs {
    /// Makes the repository.
    pub fn init(&self, version: Version, console: &mut Console) -> Result<Session, Failure> {
        let location = self.location()?;
        let password = password::first(self.password_file.as_deref(), console)?;
        let cancel = Cancel::default();
        let backend = self.backend(&location, &cancel)?;
        signals::obey(&cancel)?;
        let made = Repository::init(backend, &password, version, maker::this());
        let repository = made.map_err(|error| failed("cannot make a repository", &error, &location))?;
        Ok(self.session(repository, cancel, location))
    }

    /// Opens it. From here on a signal cancels.
    pub fn open(&self, console: &mut Console) -> Result<Session, Failure> {
        let location = self.location()?;
        let password = password::existing(self.password_file.as_deref(), console)?;
        let cancel = Cancel::default();
        let backend = self.backend(&location, &cancel)?;
        signals::obey(&cancel)?;
        let opened = Repository::open(backend, &password);
        let repository = opened.map_err(|error| failed("cannot open the repository", &error, &location))?;
        Ok(self.session(repository, cancel, location))
    }

    /// Wrong usage where a lock is needed and none is to be taken.
    pub fn insist_on_lock(&self, is_dry_run: bool) -> Result<(), Failure> {
        if self.no_lock && !is_dry_run {
            return Err(
                Failure::usage("--no-lock is for reading alone: this changes the repository").with_hint("add --dry-run, or leave it out")
            );
        }
        Ok(())
    }

    fn session(&self, repository: Repository, cancel: Cancel, location: Location) -> Session {
        Session::new(repository, cancel, location, self.retry_lock.unwrap_or_default(), self.no_lock)
    }

    fn backend(&self, location: &Location, cancel: &Cancel) -> Result<Box<dyn Backend>, Failure> {
        let trust = match (&self.ca_file, self.pin) {
            (Some(file), _) => Trust::CaFile(file.clone()),
            (None, Some(pin)) => Trust::Pin(pin),
            (None, None) => Trust::System,
        };
        let options = Options {
            trust,
            limit_upload_kib: self.limit_upload,
            limit_download_kib: self.limit_download,
            cancel: cancel.clone(),
            ..Options::default()
        };
        open_for_work(location, &options).map_err(|error| failed("cannot reach the repository", &error, location))
    }

    fn location(&self) -> Result<Location, Failure> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = match (&self.repository, &self.repository_file) {
            (Some(text), _) => text.clone(),
            (None, Some(file)) => of_file(file)?,
            (None, None) => match (variable("STRONGROOM_REPOSITORY"), variable("STRONGROOM_REPOSITORY_FILE")) {
                (Some(text), _) => text,
                (None, Some(file)) => of_file(Path::new(&file))?,
                (None, None) => {
                    let failure = Failure::usage("no repository is named");
                    return Err(failure.with_hint("name one with -r, --repository-file or STRONGROOM_REPOSITORY"));
                }
            },
        };
        Location::parse(text).map_err(|error| Failure::usage(error.to_string()))
    }
}

/// White space around it, such as the last line's end, does not count.
fn of_file(file: &Path) -> Result<OsString, Failure> {
    let read = std::fs::read(file);
    let bytes = read.map_err(|error| Failure::because(format!("cannot read the repository's place from {}", file.display()), &error))?;
    let text = OsStr::from_bytes(bytes.trim_ascii());
    if text.is_empty() {
        return Err(Failure::usage(format!("{} is empty", file.display())));
    }
    Ok(OsString::from_vec(text.as_bytes().to_vec()))
}
