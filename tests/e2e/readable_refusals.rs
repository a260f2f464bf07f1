//! A refusal that closes at once over a client that is still sending reaches it as a broken pipe. Here every client that does not
//! wait for 100 reads the status.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::server::TestServer;
use crate::support::{is_nightly, program, skip, tree};

/// What a client was answered, as it says itself; its whole complaint where that is no status.
type Put<'a> = Box<dyn Fn(&Account, &str, &Path) -> String + 'a>;

fn curl(account: &Account, path: &str, file: &Path) -> String {
    let answer = account.put_file(&["-H", "Expect:"], path, file);
    if answer.exit == 0 { answer.status().to_string() } else { format!("{answer:?}") }
}

/// The status of the last head that a log of headers shows.
fn status_in(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let heads = text.match_indices("HTTP/1.1 ").filter_map(|(at, mark)| text.get(at + mark.len()..at + mark.len() + 3));
    heads.last().map_or_else(|| text.clone(), str::to_owned)
}

fn wget(account: &Account, path: &str, file: &Path) -> String {
    let mut command = Command::new("wget");
    command.args(["--server-response", "--tries=1", "--auth-no-challenge", "--method=PUT", "-O", "-"]);
    command.arg(format!("--user={}", account.user)).arg(format!("--password={}", account.password));
    command.arg(format!("--body-file={}", file.display())).arg(format!("{}{path}", account.site.origin()));
    status_in(&command.output().expect("wget is installed"))
}

/// It can send a file by POST alone, which nothing takes: 405 whatever the name.
fn wget2(account: &Account, path: &str, file: &Path) -> String {
    let mut command = Command::new("wget2");
    command.args(["--server-response", "--tries=1", "--http2=off", "-O", "-"]);
    command.arg(format!("--header=Authorization: {}", account.basic()));
    command.arg(format!("--post-file={}", file.display())).arg(format!("{}{path}", account.site.origin()));
    status_in(&command.output().expect("wget2 is installed"))
}

fn python(account: &Account, path: &str, file: &Path) -> String {
    let script = "import http.client, sys\n\
        host, path, auth, name = sys.argv[1:]\n\
        c = http.client.HTTPConnection(host)\n\
        c.request('PUT', path, open(name, 'rb').read(), {'Authorization': auth})\n\
        print(c.getresponse().status)\n";
    let mut command = Command::new("python3");
    command.args(["-c", script, &host(account), path, &account.basic()]).arg(file);
    said(&command.output().expect("python3 is installed"))
}

const JAVA: &str = "import java.net.*; import java.net.http.*; import java.nio.file.*;\n\
    public class Put { public static void main(String[] a) throws Exception {\n\
    var request = HttpRequest.newBuilder(new URI(a[0])).header(\"Authorization\", a[1])\n\
    .PUT(HttpRequest.BodyPublishers.ofFile(Path.of(a[2]))).build();\n\
    var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();\n\
    System.out.println(client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode()); } }\n";

/// The class, compiled once; `None` where there is no Java to compile it with.
fn java_class(folder: &Path) -> Option<PathBuf> {
    let compiler = program(&["javac"])?;
    std::fs::write(folder.join("Put.java"), JAVA).expect("the program is written");
    let done = Command::new(compiler).current_dir(folder).arg("Put.java").stderr(Stdio::null()).status().expect("the compiler runs");
    done.success().then(|| folder.to_owned())
}

fn java(classes: &Path, account: &Account, path: &str, file: &Path) -> String {
    let mut command = Command::new("java");
    command.arg("-cp").arg(classes).args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "Put"]);
    command.arg(format!("{}{path}", account.site.origin())).arg(account.basic()).arg(file);
    said(&command.output().expect("Java runs"))
}

fn host(account: &Account) -> String {
    account.site.origin().replace("http://", "")
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if text.is_empty() { String::from_utf8_lossy(&output.stderr).into_owned() } else { text }
}

#[test]
fn clients_that_do_not_wait_read_the_refusal() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/taken", b"x");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("big");
    std::fs::write(&file, tree::bytes(2, 100_000_000)).expect("the upload is written");
    let classes = java_class(folder.path());
    let mut clients: Vec<(&str, Put)> = vec![("curl", Box::new(curl)), ("wget", Box::new(wget)), ("http.client", Box::new(python))];
    match program(&["wget2"]) {
        Some(_) => clients.push(("wget2", Box::new(wget2))),
        None => skip("wget2 is not installed"),
    }
    if let Some(classes) = &classes {
        clients.push(("HttpClient", Box::new(move |account: &Account, path: &str, file: &Path| java(classes, account, path, file))));
    }
    let wrong = account.with_password("wrongwrongwrongwrongwr");
    let refusals = [(&account, "/taken", "405"), (&wrong, "/free", "401"), (&account, "/a//b", "400")];
    // Each client reads a hundred refusals a night.
    let rounds = if is_nightly() { 34 } else { 2 };
    let mut told = Vec::new();
    let mut missed = Vec::new();
    for (name, put) in &clients {
        let mut read = 0;
        for (sender, path, status) in (0..rounds).flat_map(|_| refusals) {
            let status = if *name == "wget2" && status == "400" { "405" } else { status };
            let seen = put(sender, path, &file);
            if seen == status {
                read += 1;
            } else {
                missed.push(format!("{name}, {path}: {seen}"));
            }
        }
        told.push(format!("{name} {read}/{}", rounds * refusals.len()));
    }
    figure("S17", "100 MB, no Expect", &format!("refusals read by {}", told.join(", ")), None);
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!(account.names(), ["/taken"]);
    assert_eq!(server.blobs(&account).len(), 1);
}
