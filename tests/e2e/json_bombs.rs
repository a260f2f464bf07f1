//! JSON that was made to hurt whoever parses it. Nothing in the Backup API does: to a PUT it is bytes, to a POST it is nothing.

use std::time::Duration;

use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::{SOON, is_nightly, tree};

pub fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let depth = 100_000;
    let members: Vec<String> = (0..1_000_000).map(|number| format!("\"{number}\":0")).collect();
    vec![
        ("arrays in arrays", [vec![b'['; depth], vec![b']'; depth]].concat()),
        ("objects in objects", [b"{\"a\":".repeat(depth), b"1".to_vec(), vec![b'}'; depth]].concat()),
        ("1 MiB and a byte", [b"\"".to_vec(), vec![b'x'; (1 << 20) - 1], b"\"".to_vec()].concat()),
        ("a key twice", b"{\"method\":\"GET\",\"method\":\"MAKESESSION\"}".to_vec()),
        ("a number without end", b"{\"a\":1e400,\"b\":-1e999999999}".to_vec()),
        ("half a pair", b"{\"a\":\"\\ud800\",\"b\":\"\\udc00\\ud800\"}".to_vec()),
        ("a million members", format!("{{{}}}", members.join(",")).into_bytes()),
        ("no UTF-8", b"{\"a\":\"\xff\xfe\"}".to_vec()),
        ("a long number", [b"{\"a\":".to_vec(), vec![b'9'; 500_000], b"}".to_vec()].concat()),
    ]
}

/// CPU time that the server has used.
pub fn cpu(server: &TestServer) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("the server runs");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|&at| fields[at].parse::<u64>().ok()).sum();
    // A tick is a hundredth of a second on every Linux that we run on.
    Duration::from_millis(ticks * 10)
}

#[test]
fn json_is_bytes_to_a_put_and_nothing_to_anything_else() {
    let server = TestServer::start();
    let account = server.account();
    let rounds = if is_nightly() { 50 } else { 5 };
    let (mut refused, mut dearest) = (0, Duration::ZERO);
    for (index, (what, bomb)) in bombs().iter().enumerate() {
        let before = cpu(&server);
        for _ in 0..rounds {
            for (request, statuses) in
                [("POST /", [405, 413]), ("POST /a", [405, 413]), ("POST /nobody", [401, 413]), ("GET /missing", [404, 413])]
            {
                let basic = if request.ends_with("nobody") { "Basic eDp5".to_owned() } else { account.basic() };
                let mut raw = Raw::connect(&server);
                raw.send(format!(
                    "{request} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    bomb.len()
                ));
                raw.send(bomb);
                let status = raw.answer(SOON).map(|answer| answer.head.status);
                assert!(status.is_some_and(|status| statuses.contains(&status)), "{request} with {what}: {status:?}");
                refused += 1;
            }
        }
        dearest = dearest.max((cpu(&server) - before) / (rounds * 4));
        let name = format!("/bomb-{index}.json");
        account.put_with(&["-H", "Content-Type: application/json"], &name, bomb).expect(201);
        account.expect_file(&name, bomb);
    }
    assert_eq!(account.names().len(), bombs().len());
    assert!(dearest < Duration::from_millis(50), "{dearest:?} of CPU for one");
    figure(
        "S20",
        "JSON bombs",
        &format!(
            "{refused} refused at {dearest:?} of CPU at most, {} kept as bytes; no JSON is taken before the control plane",
            bombs().len()
        ),
        None,
    );
}

/// The figure above says that no JSON is taken: this is what makes it true. The agent channel, and the Cloud Backup API with a parser of
/// its own, are given the bombs in `control_bombs.rs`.
#[test]
fn nothing_else_parses_json_of_a_client() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = tree::files_below(&root);
    let parsing = ["serde_json::from", "serde_json::Deserializer", "Json<", "Deserialize"];
    let found: Vec<String> = files
        .iter()
        .filter(|path| path.starts_with(root.join("server")) && !path.starts_with(root.join("server/agent_channel")))
        .flat_map(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let product = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            parsing.iter().filter(move |word| product.contains(**word)).map(move |word| format!("{}: {word}", path.display()))
        })
        .collect();
    assert!(files.len() > 100);
    assert_eq!(found, Vec::<String>::new(), "JSON of a client is parsed: give it the bombs, with 400 or 413 for each");
}
