//! Where a new access URL goes: shown once, on standard output or into a file for its owner alone.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::super::console::Console;
use super::super::failure::Failure;
use crate::config::ServerConfig;
use crate::model::access::AccessUrl;

/// `HOST[:PORT]` for access URLs: of `public_url`, else this machine at the port of `address`.
pub fn authority(config: &ServerConfig, address: SocketAddr) -> String {
    let from_url = |url: &String| url.split_once("://").map(|(_, rest)| rest.trim_end_matches('/').to_owned());
    config.public_url.as_ref().and_then(from_url).unwrap_or_else(|| format!("localhost:{}", address.port()))
}

/// Where the access URL will go. A file is made before the password is, so that no password is made in vain; dropped
/// without [`Destination::deliver`], the file goes away again.
pub enum Destination {
    StandardOutput,
    File { path: PathBuf, file: File, is_delivered: bool },
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

    /// Hands the access URL over, with `json` around it for machines.
    pub fn deliver(mut self, url: &AccessUrl, json: serde_json::Value, console: &mut Console) -> Result<(), Failure> {
        let delivered = match &mut self {
            Self::StandardOutput => {
                let text = if console.json { with_url(json, url).to_string() } else { url.reveal() };
                console.hand_over(&format!("{text}\n"))
            }
            Self::File { path, file, is_delivered } => {
                let written = writeln!(file, "{}", url.reveal()).and_then(|()| file.sync_all());
                *is_delivered = written.is_ok();
                let failed = |error| Failure::because(format!("cannot write {}", path.display()), &error);
                let shown = path.display();
                written.map_err(failed).and_then(|()| console.answer_either(&json, || format!("The access URL is in {shown}\n")))
            }
        };
        delivered.map_err(|failure| failure.with_hint("the access URL is lost: `strongroom account rotate` makes a new one"))
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if let Self::File { path, is_delivered: false, .. } = self {
            drop(std::fs::remove_file(path));
        }
    }
}

fn with_url(mut json: serde_json::Value, url: &AccessUrl) -> serde_json::Value {
    if let Some(fields) = json.as_object_mut() {
        fields.insert("access_url".to_owned(), url.reveal().into());
    }
    json
}

#[cfg(test)]
mod tests {
    use super::super::super::console::tests::console;
    use super::*;
    use crate::model::access::Secret;

    const SHOWN: &str = "https://Y21R3P:Mj313x2D1OyrTSpy@localhost:8443/";

    fn url() -> AccessUrl {
        let account = "Y21R3P".parse().expect("a good id");
        AccessUrl::new(account, Secret::presented("Mj313x2D1OyrTSpy"), "localhost:8443".to_owned())
    }

    #[test]
    fn a_script_reads_the_access_url_alone() {
        let (mut console, answers, _) = console("", false, false);
        let destination = Destination::prepare(None).expect("standard output is there");
        destination.deliver(&url(), serde_json::json!({}), &mut console).expect("it is written");
        assert_eq!(answers.text(), format!("{SHOWN}\n"));
    }

    #[test]
    fn a_machine_reads_an_object() {
        let (mut console, answers, _) = console("", false, true);
        let destination = Destination::prepare(None).expect("standard output is there");
        destination.deliver(&url(), serde_json::json!({"account": "Y21R3P"}), &mut console).expect("it is written");
        assert_eq!(answers.text(), format!("{{\"access_url\":\"{SHOWN}\",\"account\":\"Y21R3P\"}}\n"));
    }

    #[test]
    fn a_file_is_for_its_owner_alone_and_never_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("access-url");
        let (mut console, answers, _) = console("", false, false);
        Destination::prepare(Some(&path)).expect("it is new").deliver(&url(), serde_json::json!({}), &mut console).expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), format!("{SHOWN}\n"));
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert!(!answers.text().contains("Mj313x2D1OyrTSpy"));
        assert!(Destination::prepare(Some(&path)).is_err());
        assert!(path.exists());
    }

    #[test]
    fn no_file_stays_where_no_account_was_made() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("access-url");
        drop(Destination::prepare(Some(&path)).expect("it is new"));
        assert!(!path.exists());
    }
}
