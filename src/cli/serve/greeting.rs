//! What a server says on standard output: one line when it accepts connections, and on a first start what to paste.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::super::console::Console;
use super::first_start::FirstAccount;
use crate::config::Config;

/// A file that every machine has, for a start outside a checkout.
const ANY_FILE: &str = "/etc/hosts";

/// Says it. A server whose standard output is gone serves on; where that loses the first access URL, the log says what to do.
pub fn greet(config: &Config, address: SocketAddr, first: Option<&FirstAccount>, console: &mut Console) {
    let sample = if Path::new("README.md").is_file() { "README.md" } else { ANY_FILE };
    let text = text(config, address, first, sample);
    let said = if first.is_some() { console.hand_over(&text) } else { console.answer(&text) };
    if let (Err(_), Some(first)) = (said, first) {
        tracing::error!(account.id = %first.id, "the first access URL could not be printed: `strongroom account rotate` makes a new one");
    }
}

fn text(config: &Config, address: SocketAddr, first: Option<&FirstAccount>, sample: &str) -> String {
    let mut text = format!("Serving {}\n", here(config, address));
    if let Some(first) = first {
        let _ = write!(text, "\nThe first account, shown only now:\n\n{}\n\n", first.url.reveal());
        let _ = write!(text, "Put a file, list, get it back:\n\n{}", lines_to_paste(config, address, first, sample));
    }
    text
}

/// The server's URL as seen from its own machine.
fn here(config: &Config, address: SocketAddr) -> String {
    let scheme = if config.server.plain_http { "http" } else { "https" };
    let ip = address.ip().to_canonical();
    let is_localhost = ip.is_unspecified() || ip == std::net::Ipv4Addr::LOCALHOST || ip == std::net::Ipv6Addr::LOCALHOST;
    if is_localhost { format!("{scheme}://localhost:{}/", address.port()) } else { format!("{scheme}://{address}/") }
}

/// Three lines that work as pasted where the server was started.
fn lines_to_paste(config: &Config, address: SocketAddr, first: &FirstAccount, sample: &str) -> String {
    let is_self_signed = !config.server.plain_http && config.server.tls_certificate.is_none();
    let trust = if is_self_signed { format!(" --cacert {}", quoted(&config.store.data.join("tls/cert.pem"))) } else { String::new() };
    // The self-signed certificate is for this machine; a configured one is for the public name.
    let public = config.server.public_url.clone().filter(|_| config.server.tls_certificate.is_some());
    let url = public.unwrap_or_else(|| here(config, address));
    let curl = format!("curl{trust} -u {}:{} {url}", first.id, first.password.reveal());
    let name = sample.rsplit_once('/').map_or(sample, |(_, name)| name);
    format!("{curl} -T {sample}\n{curl}\n{curl}{name} -o restored-{name}\n")
}

/// The path as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    if text.bytes().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::super::super::console::tests::console;
    use super::*;
    use crate::config::Flags;
    use crate::model::access::{AccessUrl, Secret};

    fn config(values: &[(&'static str, &str)]) -> Config {
        let values = values.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        Config::load(&Flags { config_file: Some("config.example.toml".into()), values }).expect("good settings").0
    }

    fn first() -> FirstAccount {
        let (id, password): (crate::model::access::AccountId, _) =
            ("Y21R3P".parse().expect("a good id"), Secret::presented("Mj313x2D1OyrTSpy"));
        let url = AccessUrl::new(id.clone(), password.clone(), "localhost:8443".to_owned());
        FirstAccount { id, password, url }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("a good address")
    }

    #[test]
    fn a_start_says_one_line() {
        let (mut console, answers, _) = console("", false, false);
        greet(&config(&[]), address("[::]:49152"), None, &mut console);
        assert_eq!(answers.text(), "Serving https://localhost:49152/\n");
    }

    #[test]
    fn the_line_names_an_address_that_answers() {
        for (listen, plain, url) in [
            ("[::]:8443", "false", "https://localhost:8443/"),
            ("0.0.0.0:8443", "false", "https://localhost:8443/"),
            ("127.0.0.1:8443", "true", "http://localhost:8443/"),
            ("[::1]:8443", "true", "http://localhost:8443/"),
            ("127.0.0.2:8443", "true", "http://127.0.0.2:8443/"),
            ("192.0.2.7:8443", "false", "https://192.0.2.7:8443/"),
        ] {
            assert_eq!(here(&config(&[("listen", listen), ("plain_http", plain)]), address(listen)), url);
        }
    }

    #[test]
    fn a_first_start_says_what_to_paste() {
        assert_eq!(
            text(&config(&[]), address("[::]:8443"), Some(&first()), "README.md"),
            "Serving https://localhost:8443/\n\
             \n\
             The first account, shown only now:\n\
             \n\
             https://Y21R3P:Mj313x2D1OyrTSpy@localhost:8443/\n\
             \n\
             Put a file, list, get it back:\n\
             \n\
             curl --cacert data/tls/cert.pem -u Y21R3P:Mj313x2D1OyrTSpy https://localhost:8443/ -T README.md\n\
             curl --cacert data/tls/cert.pem -u Y21R3P:Mj313x2D1OyrTSpy https://localhost:8443/\n\
             curl --cacert data/tls/cert.pem -u Y21R3P:Mj313x2D1OyrTSpy https://localhost:8443/README.md -o restored-README.md\n"
        );
    }

    #[test]
    fn pasted_lines_follow_the_certificate() {
        let lines = |values: &[(&'static str, &str)]| lines_to_paste(&config(values), address("[::1]:80"), &first(), ANY_FILE);
        let plain = lines(&[("plain_http", "true"), ("listen", "[::1]:80")]);
        assert!(plain.starts_with("curl -u Y21R3P:Mj313x2D1OyrTSpy http://localhost:80/ -T /etc/hosts\n"), "{plain}");
        assert!(plain.ends_with("http://localhost:80/hosts -o restored-hosts\n"), "{plain}");
        let public = lines(&[("tls_certificate", "c"), ("tls_key", "k"), ("public_url", "https://backup.example.com")]);
        assert!(public.starts_with("curl -u Y21R3P:Mj313x2D1OyrTSpy https://backup.example.com/ -T"), "{public}");
        let odd = lines(&[("data", "/srv/it's here")]);
        assert!(odd.starts_with(r"curl --cacert '/srv/it'\''s here/tls/cert.pem' -u"), "{odd}");
    }
}
