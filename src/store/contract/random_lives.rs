//! Thousands of random lives against a model of a few lines (D17).

use std::collections::BTreeMap;

use super::rig::{BlobsKind, CatalogKind, Rig, put};
use crate::figure::figure;
use crate::model::instant::{DAY_MICROS, Instant, SECOND_MICROS};
use crate::model::retention::Retention;
use crate::store::accounts::AccountChange;
use crate::store::list::ListQuery;

/// Uploads under way at once.
const AT_ONCE: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_random_lives_end_as_the_model_says_on_sqlite() {
    follow_the_model(CatalogKind::Sqlite, 20, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_random_lives_end_as_the_model_says_on_postgresql() {
    follow_the_model(CatalogKind::Postgres, 10, 200).await;
}

async fn follow_the_model(catalog: CatalogKind, steps: u64, files_a_step: u64) {
    let Some(rig) = Rig::new(BlobsKind::Memory, catalog).await else { return };
    let mut seed = Instant::from_micros(crate::clock::Clock::system().wall().micros()).micros().unsigned_abs();
    let first_seed = seed;
    // The model: a file's days are the largest since its creation; it ends that many days after it.
    let mut lives: BTreeMap<String, (Instant, i64)> = BTreeMap::new();
    let mut days = Retention::MIN.days();
    for step in 0..steps {
        let spread = random(&mut seed, 40 * 86_400) * SECOND_MICROS;
        rig.pass(spread).await;
        let before_hold = rig.store.now().plus_micros(-DAY_MICROS);
        rig.expire_due().await.expect("expiry runs");
        lives.retain(|_, (from, days)| before_hold < from.plus_micros(*days * DAY_MICROS));
        if random(&mut seed, 2) == 0 {
            days = 30 + random(&mut seed, 336);
            let retention = Some(Retention::from_days(days).expect("30 to 365"));
            let change = AccountChange { retention, ..AccountChange::default() };
            rig.store.change_account(&rig.account.id, change).await.expect("the account exists");
            lives.values_mut().for_each(|life| life.1 = life.1.max(days));
        }
        for name in store_files(&rig, step, files_a_step).await {
            lives.insert(name, (Instant::from_seconds(rig.store.now().seconds()), days));
        }
        let now = rig.store.now();
        let alive = |(from, days): &(Instant, i64)| now < from.plus_micros(*days * DAY_MICROS);
        let wanted: Vec<&String> = lives.iter().filter(|(_, life)| alive(life)).map(|(name, _)| name).collect();
        let listed = listed(&rig).await;
        assert!(listed.iter().collect::<Vec<_>>() == wanted, "seed {first_seed}, step {step}: the list differs from the model");
        assert_eq!(rig.keys().len(), lives.len(), "seed {first_seed}, step {step}: other bytes are kept than the model says");
    }
    let text = format!("{} lives against the model: 0 differences", steps * files_a_step);
    figure("D17", &format!("store, {catalog:?}"), &text, Some(first_seed));
}

async fn store_files(rig: &Rig, step: u64, count: u64) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|n| format!("/{step:03}/{n:04}")).collect();
    for batch in names.chunks(AT_ONCE) {
        let uploads = batch.iter().map(|name| put(&rig.store, &rig.account, name, name.as_bytes()));
        for outcome in futures_util::future::join_all(uploads).await {
            outcome.expect("the name is free");
        }
    }
    names
}

async fn listed(rig: &Rig) -> Vec<String> {
    let (account, mut query, mut names) = (rig.fresh_account().await, ListQuery::default(), Vec::new());
    loop {
        let page = rig.store.list(&account, &query).await.expect("the catalog answers");
        names.extend(page.files.iter().map(|file| file.name.to_string()));
        match page.next {
            Some(next) => query.after = next,
            None => return names,
        }
    }
}

/// The next number below `limit`, by SplitMix64.
pub(super) fn random(seed: &mut u64, limit: u64) -> i64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    i64::try_from((mixed ^ (mixed >> 31)) % limit).expect("limits are small")
}
