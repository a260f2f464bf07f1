//! The document that lists the versions of the Cloud Backup API: there is one.

use serde::Serialize;

#[derive(Serialize)]
struct Version {
    id: &'static str,
    status: &'static str,
    updated: &'static str,
    links: [Link; 1],
}

#[derive(Serialize)]
struct Link {
    rel: &'static str,
    href: String,
}

#[derive(Serialize)]
struct AllVersions {
    versions: [Version; 1],
}

#[derive(Serialize)]
struct OneVersion {
    version: Version,
}

/// All versions at this origin, which is `https://HOST[:PORT]`.
pub fn versions(origin: &str) -> String {
    json(&AllVersions { versions: [v1_0(origin)] })
}

/// The one version, as it is asked for by itself.
pub fn version(origin: &str) -> String {
    json(&OneVersion { version: v1_0(origin) })
}

/// The day is that of the service's own last change of v1.0.
fn v1_0(origin: &str) -> Version {
    let links = [Link { rel: "self", href: format!("{origin}/v1.0/") }];
    Version { id: "v1.0", status: "CURRENT", updated: "2015-09-09T00:00:00Z", links }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("text is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_have_what_clients_look_for() {
        let object = r#"{"id":"v1.0","status":"CURRENT","updated":"2015-09-09T00:00:00Z","links":[{"rel":"self","href":"https://backup.example.net/v1.0/"}]}"#;
        let origin = "https://backup.example.net";
        assert_eq!(versions(origin), format!(r#"{{"versions":[{object}]}}"#));
        assert_eq!(version(origin), format!(r#"{{"version":{object}}}"#));
    }
}
