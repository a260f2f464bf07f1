//! Mail while the mail server is down, slow, or does not want it: backups go on, and whoever waits for mail gets it in the end.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::SOON;
use crate::support::clock::{DAY, HOUR, TestClock};
use crate::support::fleet::{Api, TestAgent};
use crate::support::mail::MailSetup;
use crate::support::server::TestServer;

const MINUTE: Duration = Duration::from_secs(60);

/// A backup that `recipients` are to hear of, and what another one takes.
fn back_up(server: &TestServer, recipients: &str) -> (Api, TestAgent, i64) {
    let api = Api::new(server);
    let agent = TestAgent::register(&api, "web-a");
    let wanted = json!({"NotifyRecipients": recipients, "NotifySuccess": true});
    let configuration = api.configure(&agent, &wanted);
    api.back_up(&agent, configuration);
    (api, agent, configuration)
}

#[test]
fn mail_waits_for_a_server_that_is_down_and_is_sent_once() {
    let Some(mut mail) = MailSetup::new().later() else { return };
    let clock = TestClock::new();
    let mut server = mail.setup().clock(&clock).start();
    let (api, agent, configuration) = back_up(&server, "ops@example.net");
    server.await_log("the mail server takes no mail; it is tried again");
    server.restart();
    mail.start();
    clock.advance(MINUTE);
    let found = mail.expect(1);
    assert_eq!(found[0].header("Subject"), "[Strongroom] Completed: www nightly on web-a");
    server.await_log("a mail was sent");
    server.restart();
    clock.advance(HOUR);
    // What is sent after it would come after it again, too.
    api.back_up(&agent, configuration);
    let found = mail.expect(2);
    assert_ne!(found[0].header("Message-ID"), found[1].header("Message-ID"));
}

#[test]
fn one_that_comes_back_is_said_so() {
    let Some(mut mail) = MailSetup::new().later() else { return };
    let clock = TestClock::new();
    let server = mail.setup().clock(&clock).start();
    back_up(&server, "ops@example.net");
    server.await_log("the mail server takes no mail; it is tried again");
    mail.start();
    clock.advance(MINUTE);
    server.await_log("the mail server takes mail again");
    assert_eq!(server.log().matches("takes no mail").count(), 1, "said once");
    mail.expect(1);
}

#[test]
fn what_is_refused_for_now_is_tried_again_and_what_is_refused_for_good_is_not() {
    let refusals = MailSetup::new()
        .refuse("later@example.net", &["451 4.7.1 come back later"])
        .refuse("nobody@example.net", &["550 5.1.1 no such user", "550 5.1.1 no such user"]);
    let Some(mail) = refusals.start() else { return };
    let clock = TestClock::new();
    let mut server = mail.setup().clock(&clock).start();
    server.expect_error("a mail is given up");
    back_up(&server, "nobody@example.net, o..ps@example.net, later@example.net, ops@example.net");
    let found = mail.expect(1);
    assert_eq!(found[0].to, "ops@example.net", "the others do not keep it back");
    server.await_log("come back later");
    clock.advance(MINUTE);
    let found = mail.expect(2);
    assert_eq!(found[1].to, "later@example.net");
    clock.advance(DAY);
    let given_up: Vec<String> =
        server.log().lines().filter(|line| line.contains("ERROR") && line.contains("a mail is given up")).map(str::to_owned).collect();
    assert_eq!(given_up.len(), 2, "{given_up:?}");
    assert!(given_up[0].contains("nobody@example.net") && given_up[0].contains("no such user"), "{given_up:?}");
    assert!(given_up[1].contains("o..ps@example.net") && given_up[1].contains("no address"), "{given_up:?}");
}

#[test]
fn mail_is_given_up_after_three_days_with_an_error() {
    let Some(mail) = MailSetup::new().later() else { return };
    let clock = TestClock::new();
    let mut server = mail.setup().clock(&clock).start();
    server.expect_error("a mail is given up");
    back_up(&server, "ops@example.net");
    server.await_log("the mail server takes no mail; it is tried again");
    clock.advance(3 * DAY);
    server.await_log("a mail is given up");
}

/// The kernel takes its connections, and nobody answers.
#[test]
fn a_mail_server_that_says_nothing_delays_neither_backups_nor_the_stop() {
    let Some(mut mail) = MailSetup::new().later() else { return };
    let silent = std::net::TcpListener::bind(("127.0.0.1", mail.port())).expect("its port is free");
    let mut server = mail.setup().start();
    let began = Instant::now();
    let (api, agent, configuration) = back_up(&server, "ops@example.net");
    let (open, _) = silent.accept().expect("the mail server is being asked");
    api.back_up(&agent, configuration);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(server.stop().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(server.errors(), Vec::<String>::new());
    drop((open, silent));
    mail.start();
    server.start_again();
    // Also the one that was being sent: it was given back, and does not wait for its claim to end.
    mail.expect(2);
}
