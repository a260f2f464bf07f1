//! TLS: what is spoken and what is not, as scanners see it, and certificates that change while everybody is connected.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::write_private;
use crate::support::{SOON, is_nightly, program, skip, skip_nightly, tls, wait_until};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn ask_for_h2c(authorization: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    )
}

#[test]
fn nothing_but_http_1_is_spoken() {
    let (plain, secure) = (TestServer::start(), Setup::new().tls().start());
    let (mut refused, mut tried) = (0, 0);
    let basic = plain.account().basic();
    for _ in 0..50 {
        tried += 2;
        let (received, is_closed) = { Raw::connect(&plain).send(PREFACE).received_until_closed(SOON) };
        refused += usize::from(is_closed && !received.starts_with(b"\0\0"));
        let head = Raw::connect(&plain).send(ask_for_h2c(&basic)).head(SOON).expect("an answer");
        refused += usize::from(head.status == 200 && head.header("upgrade").is_none());
    }
    let root = [tls::own_certificate(&secure.data())];
    let connect = || TcpStream::connect(("127.0.0.1", secure.port())).expect("the server takes a connection");
    for protocols in [&["h2"][..], &["h2c"], &["h3", "h2"], &["spdy/3.1"], &["http/1.0"]] {
        for _ in 0..10 {
            tried += 1;
            refused += usize::from(tls::connect(&tls::client(&root, protocols), connect()).is_err());
        }
    }
    for protocols in [&["h2", "http/1.1"][..], &["http/1.1"], &[]] {
        tried += 1;
        let mut stream = tls::connect(&tls::client(&root, protocols), connect()).expect("HTTP/1.1 is spoken");
        let agreed = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
        refused += usize::from(agreed.is_none_or(|name| name == b"http/1.1"));
        let head = tls::ask(&mut stream, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert!(head.is_err() || head.is_ok_and(|head| head.status >= 400), "the preface is no request within TLS either");
    }
    figure("S5", "HTTP/2", &format!("{refused} of {tried} attempts by ALPN, preface and upgrade came to HTTP/1.1 or to nothing"), None);
    assert_eq!(refused, tried);
}

/// What `sslscan` says is on.
#[test]
fn a_scanner_finds_modern_tls_and_nothing_else() {
    let Some(tool) = program(&["sslscan"]) else { return skip("sslscan is not installed") };
    let server = Setup::new().tls().start();
    let output = Command::new(tool).args(["--no-colour", &format!("127.0.0.1:{}", server.port())]).output().expect("the scanner runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for version in ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"] {
        assert!(said.lines().any(|line| line.starts_with(version) && line.ends_with("disabled")), "{version}: {said}");
    }
    for version in ["TLSv1.2", "TLSv1.3"] {
        assert!(said.lines().any(|line| line.starts_with(version) && line.ends_with("enabled")), "{version}: {said}");
    }
    assert!(said.contains("Session renegotiation not supported") && !said.contains("Compression enabled"), "{said}");
    let heart = said.lines().filter(|line| line.contains("vulnerable to heartbleed"));
    assert!(heart.clone().count() == 2 && heart.clone().all(|line| line.contains("not vulnerable")), "{said}");
    let suites: Vec<&str> = said.lines().filter(|line| line.starts_with("Accepted") || line.starts_with("Preferred")).collect();
    assert!(suites.len() >= 4, "{said}");
    for suite in &suites {
        assert!(suite.contains("GCM") || suite.contains("CHACHA20"), "authenticated encryption: {suite}");
        assert!(suite.contains("TLSv1.3") || suite.contains("ECDHE-"), "forward secrecy: {suite}");
    }
    let answer = server.account().get("/");
    assert!(answer.header("strict-transport-security").is_some_and(|value| value.starts_with("max-age=")), "{answer:?}");
    figure("S6", "sslscan", &format!("TLS 1.2 and 1.3 alone, {} suites, all with AEAD and forward secrecy", suites.len()), None);
}

#[test]
fn a_thorough_scanner_blames_nothing_but_the_private_authority() {
    if !is_nightly() {
        return skip_nightly("testssl.sh takes minutes");
    }
    let Some(tool) = program(&["testssl", "testssl.sh"]) else { return skip("testssl.sh is not installed") };
    let server = Setup::new().tls().start();
    let file = server.home().join("findings.json");
    let mut command = Command::new(tool);
    command.args(["--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--jsonfile"]).arg(&file);
    let output = command.arg(format!("https://localhost:{}/", server.port())).stdin(Stdio::null()).output().expect("the scanner runs");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let findings: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let word = |finding: &serde_json::Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let bad: Vec<String> = findings
        .iter()
        .filter(|finding| !["OK", "INFO", "DEBUG"].contains(&word(finding, "severity").as_str()))
        .filter(|finding| !OF_A_PRIVATE_AUTHORITY.iter().any(|id| word(finding, "id").starts_with(id)))
        .filter(|finding| !(word(finding, "id") == HANGS_UP && word(finding, "finding").contains("connect problem")))
        .map(|finding| format!("{} {}: {}", word(finding, "severity"), word(finding, "id"), word(finding, "finding")))
        .collect();
    figure("S6", "testssl.sh", &format!("{} findings, {} above INFO but for the private authority", findings.len(), bad.len()), None);
    assert!(findings.len() > 100, "{text}");
    assert!(bad.is_empty(), "{bad:#?}");
}

/// The scanner's client leaves when the handshake is over. Whether the session's ticket, which comes next, is there by then is a matter
/// of luck; without it the second connection is not even tried. [`a_client_that_stays_resumes_its_session`] tells what this cannot.
const HANGS_UP: &str = "sessionresumption_ticket";

#[test]
fn a_client_that_stays_resumes_its_session() {
    let Some(tool) = program(&["openssl"]) else { return skip("openssl is not installed") };
    let server = Setup::new().tls().start();
    let (address, session) = (format!("127.0.0.1:{}", server.port()), server.home().join("session"));
    let connect = |version: &str, option: &str, until: &[&str]| {
        let mut command = Command::new(&tool);
        command.args(["s_client", "-connect", &address, version, option]).arg(&session);
        let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the client runs");
        let mut lines = BufReader::new(client.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let said = lines.find(|line| until.iter().any(|begin| line.starts_with(begin)));
        drop(client.stdin.take());
        lines.for_each(drop);
        client.wait().expect("the client ends");
        said.unwrap_or_default()
    };
    for version in ["-tls1_2", "-tls1_3"] {
        assert_eq!(connect(version, "-sess_out", &["SSL-Session:"]), "SSL-Session:", "{version}");
        let said = connect(version, "-sess_in", &["New, ", "Reused, "]);
        assert!(said.starts_with("Reused, "), "{version}: {said}");
    }
}

/// A third scanner, which `tests/run` installs beside its other tools.
#[test]
fn a_third_scanner_finds_no_weakness() {
    if !is_nightly() {
        return skip_nightly("sslyze tries every cipher suite that there is");
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/sslyze");
    if !tools.is_dir() {
        return skip("sslyze is not installed");
    }
    let server = Setup::new().tls().start();
    let file = server.home().join("scan.json");
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", tools).args(["-m", "sslyze", "--quiet", "--json_out"]).arg(&file);
    command.args(["--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--compression", "--early_data"]);
    command.args(["--openssl_ccs", "--heartbleed", "--reneg", "--robot"]);
    let ran = command.arg(format!("127.0.0.1:{}", server.port())).stdin(Stdio::null()).output().expect("the scanner runs");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let scan: serde_json::Value = serde_json::from_str(&text).expect("the scan is JSON");
    let results = &scan["server_scan_results"][0]["scan_result"];
    let of = |name: &str| &results[name]["result"];
    for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] {
        assert_eq!(of(&format!("{version}_cipher_suites"))["accepted_cipher_suites"], serde_json::json!([]), "{version}");
    }
    let modern = ["tls_1_2", "tls_1_3"]
        .map(|version| of(&format!("{version}_cipher_suites"))["accepted_cipher_suites"].as_array().map_or(0, Vec::len));
    let no = [
        ("tls_compression", "supports_compression"),
        ("tls_1_3_early_data", "supports_early_data"),
        ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection"),
        ("heartbleed", "is_vulnerable_to_heartbleed"),
        ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos"),
    ];
    for (name, weakness) in no {
        assert_eq!(of(name)[weakness], false, "{weakness}");
    }
    assert!(of("robot")["robot_result"].as_str().is_some_and(|found| found.starts_with("NOT_VULNERABLE")), "{}", of("robot"));
    figure(
        "S6",
        "sslyze",
        &format!("{modern:?} suites of TLS 1.2 and 1.3, none of before; {} weaknesses looked for, 0 found", no.len() + 1),
        None,
    );
    assert!(modern.iter().all(|count| *count > 0), "{modern:?}");
}

/// Findings that say only that nobody else has signed the certificate, or what the scanner itself lacks.
const OF_A_PRIVATE_AUTHORITY: [&str; 10] = [
    "engine_problem",
    "cert_chain_of_trust",
    "cert_revocation",
    "cert_ocsp",
    "cert_caIssuers",
    "cert_extlifeSpan",
    "cert_validityPeriod",
    "cert_trust",
    "DNS_CAArecord",
    "overall_grade",
];

#[test]
fn certificates_change_under_load_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pair = |year| (tls::write_pair(folder.path(), year), std::fs::read(folder.path().join("key.pem")).expect("the key"));
    let (first, second, expired) = (pair(2080), pair(2081), pair(2020));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("PEM is text");
    let setup = Setup::new().tls().set("tls_certificate", "cert.pem").set("tls_key", "key.pem");
    let mut server = setup.file("cert.pem", &first.0).file("key.pem", &first.1).start();
    server.expect_error("the TLS certificate is not reloaded");
    let (stop, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = tls::client(&[first.0.clone(), second.0.clone()], &["http/1.1"]);
    let port = server.port();
    let ask = || {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("the server takes a connection");
        let mut stream = tls::connect(&client, socket).expect("every handshake succeeds");
        let shown = stream.conn.peer_certificates().and_then(|chain| chain.first().map(|leaf| leaf.to_vec())).expect("a certificate");
        let head = tls::ask(&mut stream, "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("an answer");
        assert_eq!(head.status, 200);
        asked.fetch_add(1, Ordering::Relaxed);
        shown
    };
    let put = |pair: (&[u8], &[u8])| {
        write_private(&server.home().join("key.pem"), pair.1);
        write_private(&server.home().join("cert.pem"), pair.0);
        let reloads = || server.log().matches("settings are reloaded").count() + server.log().matches("settings are not reloaded").count();
        let before = reloads();
        server.signal(Signal::HUP);
        wait_until("the reload is logged", SOON, || reloads() > before);
    };
    let swaps = if is_nightly() { 100 } else { 10 };
    std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        ask();
                        // Four hands, a hundred requests a second.
                        std::thread::sleep(Duration::from_millis(40));
                    }
                })
            })
            .collect();
        for swap in 0..swaps {
            let (new, old) = if swap % 2 == 0 { (&second, &first) } else { (&first, &second) };
            put((&new.0, &new.1));
            let shown = ask();
            assert!(text(&new.0) == pem(&shown) && text(&old.0) != pem(&shown), "the next connection sees the new pair");
            let before = asked.load(Ordering::Relaxed);
            wait_until("others have connected meanwhile", SOON, || asked.load(Ordering::Relaxed) >= before + 30);
        }
        let good = ask();
        let half = &first.0[..first.0.len() - 60];
        for (what, bad) in [
            ("half a certificate", (half, &*first.1)),
            ("another's key", (&*first.0, &*second.1)),
            ("an ended one", (&*expired.0, &*expired.1)),
            ("nothing", (b"", b"")),
        ] {
            put(bad);
            assert_eq!(ask(), good, "{what}: the old pair stays");
        }
        stop.store(true, Ordering::Relaxed);
        crowd.into_iter().for_each(|hand| hand.join().expect("no handshake failed"));
    });
    assert_eq!(server.log().matches("the TLS certificate is not reloaded").count(), 4, "each bad pair is an error in the log");
    let asked = asked.load(Ordering::Relaxed);
    figure(
        "S6",
        "swap",
        &format!("{swaps} swaps and 4 bad pairs under {asked} handshakes: 0 failed, each bad pair left the old one and an error"),
        None,
    );
}

/// As `rcgen` writes a certificate.
fn pem(der: &[u8]) -> String {
    let encoded = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is text")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
