//! What a client of a vault knows stays where it belongs: passwords, the access URL, and all that is backed up (A7).

use std::path::{Path, PathBuf};

use crate::support::account::Account;
use crate::support::canary::{Places, expect_nowhere, files, found};
use crate::support::client::{Client, text};
use crate::support::figure::figure;
use crate::support::proxy::Proxy;
use crate::support::ran::Ran;
use crate::support::restic::vault;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{program, skip, tree};

const PASSWORD: &str = "Canary-Of-The-Repository-7f3a91";
const SECOND: &str = "Canary-Of-The-Second-Key-c05d22";
const WRONG: &str = "Canary-That-Opens-Nothing-99e1b0";
/// In a file, in the file's name, and as a target of a link.
const CONTENT: &str = "Canary-Of-What-Is-Backed-Up-4d21";

/// A client that gets its secrets from files alone, and what it has said.
struct Careful {
    client: Client,
    url: PathBuf,
    password: PathBuf,
    said: Places,
    execs: PathBuf,
}

impl Careful {
    fn run(&mut self, words: &[&str], exit: i32) {
        let (url, password) = (self.url.clone(), self.password.clone());
        self.run_with(words, &[], text(&url), text(&password), exit);
    }

    /// Everything that there is to be said, wherever it can be asked for.
    fn run_with(&mut self, words: &[&str], environment: &[(&str, &str)], url: &str, password: &str, exit: i32) {
        let arguments = [words, &["--repository-file", url, "--password-file", password, "-vvv"]].concat();
        let mut command = self.client.command(&arguments);
        command.env_remove("STRONGROOM_REPOSITORY").env_remove("STRONGROOM_PASSWORD");
        command.env("RUST_LOG", "trace").env("STRONGROOM_LOG_LEVEL", "trace").env("RUST_BACKTRACE", "full");
        command.env("TMPDIR", self.client.home()).envs(environment.iter().copied());
        let ran = Ran::of(&command.output().expect("it runs")).expect_exit(exit);
        self.said.push((words.join(" "), [ran.out, ran.complaint].concat().into_bytes()));
    }
}

fn source(home: &Path) -> PathBuf {
    let source = home.join("source");
    std::fs::create_dir(&source).expect("a folder is made");
    let content = format!("{CONTENT} ").repeat(2_000);
    std::fs::write(source.join(CONTENT), content).expect("a file is written");
    std::os::unix::fs::symlink(CONTENT, source.join("link")).expect("a link is made");
    source
}

/// All that a user does, and some that goes wrong, over a line that is recorded.
fn live(server: &TestServer, account: &Account, home: &Path, is_tls: bool) -> (Careful, Places, Vec<u8>) {
    let proxy = Proxy::to(server.port());
    let scheme = if is_tls { "https" } else { "http" };
    let url_of = |password: &str| format!("{scheme}://{}:{password}@localhost:{}/", account.user, proxy.port());
    let file = |name: &str, words: &str| {
        let path = home.join(name);
        tree::write_private(&path, words.as_bytes());
        path
    };
    let (url, password, wrong) = (file("url", &url_of(&account.password)), file("password", PASSWORD), file("wrong", WRONG));
    let (second, wrong_url) = (file("second", SECOND), file("wrong-url", &url_of(WRONG)));
    let source = source(home);
    let execs = home.join("execs");
    // Only what starts programs is looked at: no program is started at all, so nobody is handed an environment.
    let words = ["strace", "-f", "--seccomp-bpf", "-s", "100000", "-v", "-A", "-o", text(&execs), "-e", "trace=execve,execveat"];
    let client = Client::at("nowhere").under(&words);
    let mut careful = Careful { client, url, password, said: Places::new(), execs };
    proxy.record();
    let ca = server.data().join("tls/cert.pem");
    let by_file: &[&str] = if is_tls { &["--ca-file", text(&ca)] } else { &[] };
    let with = |words: &[&'static str]| [words, by_file].concat();
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
    let (target, lines) = (home.join("target"), text(&source).to_owned());
    for (command, exit) in [
        (words(&["init"]), 0),
        (words(&["init"]), 1),
        (words(&["backup", &lines, "--tag", CONTENT]), 0),
        (words(&["backup", &lines, text(&home.join("missing"))]), 3),
        (words(&["snapshots"]), 0),
        (words(&["restore", "latest", "--target", text(&target)]), 0),
        (words(&["check", "--read-data"]), 0),
        (words(&["key", "add", "--new-password-file", text(&second)]), 0),
        (words(&["key", "list"]), 0),
        (words(&["forget", "--keep-last", "1", "--prune"]), 0),
        (words(&["unlock"]), 0),
    ] {
        let command: Vec<&str> = command.iter().map(String::as_str).chain(by_file.iter().copied()).collect();
        careful.run(&command, exit);
    }
    // From the environment, with a wrong password, with a wrong account, and to a server that is gone.
    let (url, password) = (text(&careful.url).to_owned(), text(&careful.password).to_owned());
    careful.run_with(&with(&["snapshots"]), &[("STRONGROOM_PASSWORD", PASSWORD)], &url, &password, 0);
    careful.run_with(&with(&["snapshots"]), &[], &url, text(&wrong), 1);
    careful.run_with(&with(&["snapshots"]), &[], text(&wrong_url), &password, 1);
    careful.run_with(&with(&["snapshots"]), &[], text(&file("bad-url", &url_of(WRONG).replace("://", ":/"))), &password, 2);
    // What is in the target is what was backed up: it belongs there.
    std::fs::remove_dir_all(&target).expect("the target is there");
    let execs = std::fs::read_to_string(&careful.execs).expect("the log");
    let started = execs.lines().filter(|line| line.contains("execve") && line.contains(" = 0")).count();
    assert_eq!(started, careful.said.len(), "no program but the client itself is started\n{execs}");
    let mut said = std::mem::take(&mut careful.said);
    // Its arguments and its environment, as it was started.
    said.push(("arguments".to_owned(), execs.into_bytes()));
    files(&mut said, careful.client.home());
    (careful, said, proxy.recorded())
}

/// The judge of the test below, against what it must not let pass.
#[test]
fn a_secret_is_found_in_every_spelling() {
    let secret = "Canary-of-the-judge-12345";
    for before in ["", "a", "ab", "USER:", "\u{1}\u{2}"] {
        let text = format!("{before}{secret}:after");
        for told in [
            text.clone(),
            text.to_uppercase(),
            data_encoding::BASE64.encode(text.as_bytes()),
            data_encoding::HEXLOWER.encode(text.as_bytes()),
        ] {
            let place = vec![("a place".to_owned(), told.clone().into_bytes())];
            assert!(found(&[secret], &place).is_some(), "{told}");
        }
    }
    expect_nowhere(&[secret], &vec![("a place".to_owned(), b"nothing of it".to_vec())]);
}

#[test]
fn secrets_of_a_vault_are_in_no_log_no_file_no_argument_and_not_on_the_line() {
    if program(&["strace"]).is_none() {
        return skip("strace is not installed");
    }
    let mut looked_at = 0;
    for is_tls in [true, false] {
        let setup = Setup::new().set("log_level", "trace");
        let server = if is_tls { setup.tls() } else { setup }.start();
        let account = vault(&server);
        let home = tempfile::tempdir().expect("a temporary folder");
        let (_careful, said, line) = live(&server, &account, home.path(), is_tls);
        let mut at_rest = Places::new();
        files(&mut at_rest, &server.data());
        at_rest.push(("the server's log".to_owned(), server.log_bytes()));
        assert!(line.len() > 10_000 && at_rest.len() > 10 && said.len() >= 16);
        let line = vec![("the line".to_owned(), line)];
        let own = [PASSWORD, SECOND, WRONG];
        // The environment was given one of them: there it belongs, and it is looked for everywhere else.
        let (given, other): (Places, Places) = said.into_iter().partition(|(place, _)| place == "arguments");
        looked_at += expect_nowhere(&[SECOND, WRONG, &account.password, CONTENT], &without_tag(given));
        looked_at += expect_nowhere(&[&own[..], &[&account.password]].concat(), &other);
        looked_at += expect_nowhere(&[PASSWORD, SECOND, CONTENT, &account.password], &at_rest);
        looked_at += expect_nowhere(&[PASSWORD, SECOND, CONTENT], &line);
        if is_tls {
            looked_at += expect_nowhere(&[WRONG, &account.password], &line);
        }
    }
    let text = format!(
        "repository passwords, access URL, names and bytes of files: 0 hits in {looked_at} bytes of arguments, output, client's files, server's data and log, line; no child process"
    );
    figure("A7", "vault", &text, None);
}

/// The arguments without the tag that the test itself put there.
fn without_tag(places: Places) -> Places {
    let cut = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace(&format!("\"--tag\", \"{CONTENT}\""), "").into_bytes();
    places.into_iter().map(|(place, bytes)| (place, cut(bytes))).collect()
}
