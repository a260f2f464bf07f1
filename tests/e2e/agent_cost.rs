//! What an agent costs its machine: memory and time while nothing happens, and what a backup through it adds to the backup alone.

use std::time::Instant;

use serde_json::json;

use crate::support::agent::AGENT_SOON;
use crate::support::client::Client;
use crate::support::estate::Estate;
use crate::support::figure::figure;
use crate::support::restic::vault;
use crate::support::{SOON, is_nightly, tree, wait_until};

/// Fields of `/proc/PID/status`, in KiB.
fn memory_kib(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the agent runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field is there");
    line.split_whitespace().find_map(|word| word.parse().ok()).expect("a number")
}

/// Processor time in milliseconds.
fn processor_ms(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the agent runs");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name ends").split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number")).sum();
    // Linux counts a hundred a second.
    ticks * 10
}

/// A poll every 30 seconds in idle: 20 of them are ten minutes.
#[test]
fn an_idle_agent_costs_next_to_nothing() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.planted("source", 1, 8);
    let configuration = estate.configure(&agent, &source, &json!({}));
    estate.api.complete(configuration);
    estate.api.await_online(agent.id);
    estate.proxy.gate().take_passed();
    let before = processor_ms(agent.pid());
    for round in 1..=20 {
        estate.api.post("/user/wakeupagents", &json!({})).expect(200);
        wait_until("a poll follows", SOON, || estate.proxy.gate().count("GET /agent/v1/work") >= round);
    }
    let took = processor_ms(agent.pid()) - before;
    let (resident, own) = (memory_kib(agent.pid(), "VmRSS:"), memory_kib(agent.pid(), "RssAnon:"));
    let text = format!("{took} ms of processor time for 20 polls, {own} KiB of its own memory, {resident} KiB resident");
    figure("P8", "idle agent", &text, None);
    // 0.1 % of ten minutes are 600 ms. A debug build maps several times the code.
    assert!(took <= 600, "{text}");
    assert!(own < 20 << 10, "{text}");
}

#[test]
fn a_backup_by_the_agent_is_no_slower_than_the_backup_alone() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.path("source");
    std::fs::create_dir(&source).expect("a folder is made");
    let megabytes = if is_nightly() { 400 } else { 60 };
    for number in 0..megabytes {
        std::fs::write(source.join(number.to_string()), tree::bytes(number, 1 << 20)).expect("a file is written");
    }
    let configuration = estate.configure(&agent, &source, &json!({}));
    estate.api.await_online(agent.id);
    let began = Instant::now();
    let backup = estate.api.start(configuration);
    wait_until("it is taken", AGENT_SOON, || estate.api.run_state(backup) != "StartRequested");
    let taken = began.elapsed();
    estate.api.await_completed(backup);
    let through_agent = began.elapsed() - taken;
    let account = vault(&estate.server);
    let client = Client::at(format!("http://{}:{}@127.0.0.1:{}/", account.user, account.password, estate.proxy.port()));
    client.ok(&["init"]);
    let began = Instant::now();
    client.backup(&source);
    let alone = began.elapsed();
    let text = format!("{megabytes} MB: {through_agent:.2?} by the agent, {alone:.2?} by the command, taken after {taken:.2?}");
    figure("P8", "backup by the agent", &text, None);
    assert!(through_agent < alone * 3 / 2 + std::time::Duration::from_secs(1), "{text}");
}
