//! Thousands of random requests with a valid token: every refusal is a fault object, and nothing is the server's fault.

use serde_json::{Value, json};

use crate::control_roles::{TABLE, stage_kept};
use crate::support::fleet::Api;
use crate::support::raw::RawAnswer;
use crate::support::server::TestServer;
use crate::support::stage::Stage;
use crate::support::talk::Talk;
use crate::support::{is_nightly, say};

/// SplitMix64.
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).expect("it is below a usize")
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn is_one_of(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
const MEMBERS: [&str; 44] = [
    "MachineAgentId",
    "MachineId",
    "Enable",
    "Enabled",
    "EncryptedPasswordHex",
    "OldEncryptedPasswordHex",
    "NewEncryptedPasswordHex",
    "SourceMachineAgentId",
    "DestinationMachineAgentId",
    "UseServiceNet",
    "BackupDataCenter",
    "LoggingLevelId",
    "Action",
    "Id",
    "EncryptedPassword",
    "BackupId",
    "BackupMachineId",
    "DestinationMachineId",
    "DestinationPath",
    "OverwriteFiles",
    "RestoreId",
    "RestoreStateId",
    "BackupConfigurationId",
    "ParentId",
    "FilePath",
    "Filter",
    "FileItemType",
    "FilePathEncoded",
    "FileId",
    "BackupConfigurationName",
    "IsActive",
    "VersionRetention",
    "MissedBackupActionId",
    "Frequency",
    "StartTimeHour",
    "StartTimeMinute",
    "StartTimeAmPm",
    "DayOfWeekId",
    "HourInterval",
    "TimeZoneId",
    "NotifyRecipients",
    "NotifySuccess",
    "Inclusions",
    "Exclusions",
];
const IDS: [&str; 14] =
    ["0", "-1", "7", "2147483647", "2147483648", "9223372036854775807", "x", "%00", "%ff", "%2e%2e", "enable", "a.json", "ä", "1%2F2"];
const WORDS: [&str; 22] = [
    "",
    " ",
    "\u{0}",
    "StartManual",
    "StopManual",
    "Daily",
    "Weekly",
    "Hourly",
    "Manually",
    "AM",
    "PM",
    "UTC",
    "Europe/Berlin",
    "/srv/x",
    "/",
    r"C:\x",
    "L3g=",
    "ops@example.net",
    "true",
    "Include",
    "Folder",
    "\u{feff}\u{202e}'\";--",
];

/// Path segments that stand for nothing are ids, known or strange.
fn target(dice: &mut Dice, stage: &Stage, template: &str) -> String {
    let kept = |text: &str| stage_kept(stage, text);
    let mut path: Vec<String> = template.split('/').map(|segment| kept(segment).replace(' ', "%20")).collect();
    if dice.is_one_of(4) {
        let place = 1 + dice.below(path.len() - 1);
        path[place] = if dice.is_one_of(8) { "z".repeat(2000) } else { dice.one(&IDS).replace('ä', "%C3%A4") };
    }
    if dice.is_one_of(8) {
        path.push(dice.one(&IDS).replace('ä', "%C3%A4"));
    }
    let ends = ["", "", "", "", "/", ".json", "?Filter=1", "?Filter=%00&FileItemType=x", "?&=&?", "//"];
    let starts = ["", "", "", "/5501", "/5502"];
    format!("{}{}{}", dice.one(&starts), path.join("/"), dice.one(&ends))
}

fn value(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth > 2 { 8 } else { 11 }) {
        0 => Value::Null,
        1 => Value::Bool(dice.is_one_of(2)),
        2 => json!(dice.below(13)),
        3 => dice
            .one(&[json!(-1), json!(i64::MAX), json!(i64::MIN), json!(u64::MAX), json!(1e308), json!(0.5), json!(-0.0), json!(1e15)])
            .clone(),
        4 | 5 => Value::from(*dice.one(&WORDS)),
        6 => Value::from(*dice.one(naughty_strings::BLNS)),
        7 => Value::from(dice.one(&["9".repeat(40), "ab".repeat(256), "x".repeat(3000), "/ä".repeat(300)]).as_str()),
        8 => (0..dice.below(4)).map(|_| value(dice, depth + 1)).collect(),
        9 => (0..dice.below(4)).map(|_| item(dice)).collect(),
        _ => object(dice, depth + 1),
    }
}

fn object(dice: &mut Dice, depth: usize) -> Value {
    (0..dice.below(6)).map(|_| ((*dice.one(&MEMBERS)).to_owned(), value(dice, depth))).collect::<serde_json::Map<_, _>>().into()
}

fn item(dice: &mut Dice) -> Value {
    json!({"FilePath": format!("/srv/{}", dice.below(5)), "FileItemType": dice.below(3), "FilePathEncoded": if dice.is_one_of(4) { "L3Nydi//" } else { "" }})
}

/// What a client would send, with some members replaced; or garbage.
fn body(dice: &mut Dice, stage: &Stage, template: &str) -> Vec<u8> {
    if dice.is_one_of(12) {
        return (0..dice.below(60)).map(|_| *dice.one(b"{}[]\",:'0e-\\u\x00\xff tfn=&%")).collect();
    }
    let mut body: Value = serde_json::from_str(&stage_kept(stage, template)).unwrap_or_else(|_| object(dice, 0));
    if template.contains("VersionRetention") {
        body = stage.configuration(&json!({}));
    }
    for _ in 0..dice.below(4) {
        let member = match body.as_object().filter(|_| dice.is_one_of(2)) {
            Some(members) if !members.is_empty() => members.keys().nth(dice.below(members.len())).expect("it has so many").clone(),
            _ => (*dice.one(&MEMBERS)).to_owned(),
        };
        body[member] = value(dice, 0);
    }
    body.to_string().into_bytes()
}

/// Whether the answer is one of the API's own.
pub fn is_sound(method: &str, answer: &RawAnswer) -> bool {
    let status = answer.head.status;
    if method == "HEAD" || status < 400 {
        return [200, 204, 404, 405, 403, 501].contains(&status)
            && (answer.body.is_empty() || serde_json::from_slice::<Value>(&answer.body).is_ok());
    }
    let Ok(fault) = serde_json::from_slice::<Value>(&answer.body) else { return false };
    let inner = fault.as_object().filter(|fault| fault.len() == 1).and_then(|fault| fault.values().next());
    let is_fault = inner.is_some_and(|inner| {
        inner["code"] == status
            && inner["message"].as_str().is_some_and(|text| text.ends_with('.') || text.len() > 10)
            && inner["details"].is_string()
    });
    let leaks = ["SELECT ", "panicked", "src/", "/tmp/", "catalog.db"].iter().any(|inside| answer.text().contains(inside));
    is_fault && !leaks && (status < 500 || status == 501) && answer.head.header("content-type") == Some("application/json; charset=utf-8")
}

/// Method, target below `/v1.0`, body.
pub fn request(dice: &mut Dice, stage: &Stage) -> Option<(&'static str, String, Vec<u8>)> {
    let (request, template, ..) = dice.one(&TABLE);
    let (usual, path) = request.split_once(' ').expect("a method and a path");
    let method = if dice.is_one_of(6) { *dice.one(&METHODS) } else { usual };
    let (target, body) = (target(dice, stage, path), body(dice, stage, template));
    // What ends the stage's own agents ends the rest of the test.
    let is_end = ["/agent/delete", "/user/agents/<new-agent>", "/agent/migratevault"].contains(&path);
    (!is_end || dice.is_one_of(20)).then_some((method, target, body))
}

#[test]
fn no_request_is_the_servers_fault() {
    let (seed, count) = (0xC0_117_801, if is_nightly() { 30_000 } else { 2_000 });
    say(&format!("seed {seed:#x}"));
    for server in TestServer::each_catalog() {
        let stage = Stage::of(Api::new(&server));
        let (mut dice, mut talk) = (Dice(seed), Talk::with(&server));
        let token = format!("X-Auth-Token: {}\r\n", stage.api.token);
        for number in 0..count {
            let Some((method, target, body)) = request(&mut dice, &stage) else { continue };
            let sent = (method != "GET" && method != "HEAD").then_some(body.as_slice());
            let answer = talk.ask(method, &format!("/v1.0{target}"), &token, sent);
            let told = || format!("{number}: {method} {target} {}: {:?} {}", String::from_utf8_lossy(&body), answer.head, answer.text());
            assert!(is_sound(method, &answer), "{}", told());
        }
        for path in ["/user/agents", "/backup-configuration", "/backup/availableforrestore", "/activity"] {
            stage.api.get(path).expect(200).json();
        }
    }
}
