//! Random lives of files against a model of ten lines: puts, raised and lowered retentions, time that passes, restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::account::Account;
use crate::support::clock::{DAY, SECOND, TestClock};
use crate::support::figure::figure;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::random;
use crate::support::{is_nightly, say};

/// What should be so: the days of now, and of each file the second of its creation and the most days since.
struct Model {
    days: i64,
    now: i64,
    files: BTreeMap<String, (i64, i64)>,
    /// Names whose life is over.
    ended: BTreeSet<String>,
    /// Names whose life was over when the retention was raised: the raise finds them as long as expiry has not.
    doubtful: BTreeSet<String>,
}

impl Model {
    fn set_days(&mut self, days: i64) {
        self.forget_ended();
        self.doubtful.append(&mut self.ended);
        self.days = days;
        self.files.values_mut().for_each(|(_, most)| *most = days.max(*most));
    }

    fn forget_ended(&mut self) {
        let now = self.now;
        let over = self.files.extract_if(.., |_, (created, days)| now >= *created + *days * 86_400);
        self.ended.extend(over.map(|(name, _)| name));
    }
}

#[track_caller]
fn expect_as_modelled(account: &Account, model: &mut Model, story: &str) {
    model.forget_ended();
    let listed: BTreeMap<String, (i64, Option<i64>)> = account
        .list()
        .into_iter()
        .filter(|file| !model.doubtful.contains(&file.name))
        .map(|file| (file.name, (file.createtime, file.deletetime)))
        .collect();
    let expected: BTreeMap<String, (i64, Option<i64>)> =
        model.files.iter().map(|(name, (created, days))| (name.clone(), (*created, Some(created + days * 86_400)))).collect();
    assert_eq!(listed, expected, "{story}");
}

#[test]
fn lives_end_as_the_model_says() {
    let clock = TestClock::new();
    for (catalog, mut server) in ["SQLite", "PostgreSQL"].into_iter().zip(Setup::new().clock(&clock).each_catalog()) {
        let account = server.account();
        let mut seed = 0x5EED_0017;
        say(&format!("seed {seed:#x}"));
        account.store("/first", b"");
        let start = account.list()[0].createtime;
        let mut model = Model {
            days: 30,
            now: start,
            files: BTreeMap::from([("/first".to_owned(), (start, 30))]),
            ended: BTreeSet::new(),
            doubtful: BTreeSet::new(),
        };
        let mut story = String::new();
        for step in 0..if is_nightly() { 2000 } else { 60 } {
            match random(&mut seed, 8) {
                0..=2 => {
                    account.store(&format!("/{step}"), b"");
                    model.files.insert(format!("/{step}"), (model.now, model.days));
                    story.push_str(&format!(" put/{step}"));
                }
                3 => {
                    let days = 30 + i64::try_from(random(&mut seed, 336)).expect("small");
                    set_days(&server, &account, days);
                    model.set_days(days);
                    story.push_str(&format!(" set={days}"));
                }
                4 if step % 3 == 0 => server.restart(),
                5 => {
                    // To the very edge of the life that ends next: there until the last second, gone with it.
                    let Some(end) = model.files.values().map(|(created, days)| created + days * 86_400).min() else { continue };
                    let span = Duration::from_secs(u64::try_from(end - model.now - 1).expect("it lies ahead"));
                    pass(&clock, &mut model, span);
                    expect_as_modelled(&account, &mut model, &format!("{story} edge-1"));
                    pass(&clock, &mut model, SECOND);
                }
                _ => pass(&clock, &mut model, DAY * u32::try_from(random(&mut seed, 20)).expect("small") + SECOND),
            }
            expect_as_modelled(&account, &mut model, &story);
        }
        let steps = if is_nightly() { 2000 } else { 60 };
        let text = format!("{steps} steps: there at deletetime - 1 s, gone at deletetime, 0 differences");
        figure("D17", &format!("through HTTP, {catalog}"), &text, Some(0x5EED_0017));
    }
}

fn pass(clock: &TestClock, model: &mut Model, span: Duration) {
    clock.advance(span);
    model.now += i64::try_from(span.as_secs()).expect("small");
}

fn set_days(server: &TestServer, account: &Account, days: i64) {
    server.run(&["account", "set", &account.user, "--retention", &days.to_string()]).expect_exit(0);
}
