//! A new access URL: what it names, and how it is handed over.

use std::net::SocketAddr;

use super::super::destination::Delivery;
use crate::config::ServerConfig;
use crate::model::access::AccessUrl;

/// `HOST[:PORT]` for access URLs: of `public_url`, else this machine at the port of `address`.
pub fn authority(config: &ServerConfig, address: SocketAddr) -> String {
    let from_url = |url: &String| url.split_once("://").map(|(_, rest)| rest.trim_end_matches('/').to_owned());
    config.public_url.as_ref().and_then(from_url).unwrap_or_else(|| format!("localhost:{}", address.port()))
}

/// The access URL alone, or as one member more of `json`.
pub fn delivery(url: &AccessUrl, json: serde_json::Value) -> Delivery {
    Delivery {
        what: "The access URL",
        hint: "the access URL is lost: `strongroom account rotate` makes a new one",
        text: url.reveal(),
        secrets: vec![("access_url", url.reveal())],
        json,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::console::tests::console;
    use super::super::super::destination::Destination;
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
        destination.deliver(delivery(&url(), serde_json::json!({})), &mut console).expect("it is written");
        assert_eq!(answers.text(), format!("{SHOWN}\n"));
    }

    #[test]
    fn a_machine_reads_an_object() {
        let (mut console, answers, _) = console("", false, true);
        let destination = Destination::prepare(None).expect("standard output is there");
        destination.deliver(delivery(&url(), serde_json::json!({"account": "Y21R3P"})), &mut console).expect("it is written");
        assert_eq!(answers.text(), format!("{{\"access_url\":\"{SHOWN}\",\"account\":\"Y21R3P\"}}\n"));
    }

    #[test]
    fn a_file_is_for_its_owner_alone_and_never_replaced() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("access-url");
        let (mut console, answers, _) = console("", false, false);
        let destination = Destination::prepare(Some(&path)).expect("it is new");
        destination.deliver(delivery(&url(), serde_json::json!({})), &mut console).expect("written");
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
