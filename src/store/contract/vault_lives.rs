//! Random lives of a vault against a model: puts, deletions, revivals and time, in any order; then every instant is looked at again.

use std::collections::BTreeMap;

use super::random_lives::random;
use super::rig::{Rig, name};
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, Instant, SECOND_MICROS};
use crate::model::view::View;
use crate::store::list::ListQuery;

/// Small, so that names meet often.
const NAMES: u64 = 6;
const STEPS: usize = 60;
const VAULTS: usize = 6;

/// A row as the model has it.
struct Life {
    name: String,
    content: String,
    created_at: Instant,
    hidden_at: Option<Instant>,
    /// When it was hidden, and came back.
    absences: Vec<(Instant, Instant)>,
}

impl Life {
    fn is_seen(&self, at: Instant) -> bool {
        let is_absent = self.absences.iter().any(|(from, until)| *from <= at && at < *until);
        self.created_at <= at && self.hidden_at.is_none_or(|hidden_at| hidden_at > at) && !is_absent
    }
}

/// Everything that was ever stored in one vault.
#[derive(Default)]
struct Model(Vec<Life>);

impl Model {
    fn live(&mut self, name: &str) -> Option<&mut Life> {
        self.0.iter_mut().find(|life| life.name == name && life.hidden_at.is_none())
    }

    fn seen(&self, at: Instant) -> BTreeMap<&str, &str> {
        self.0.iter().filter(|life| life.is_seen(at)).map(|life| (life.name.as_str(), life.content.as_str())).collect()
    }

    fn revive(&mut self, at: Instant, now: Instant) {
        for life in &mut self.0 {
            if life.hidden_at.is_none() && !life.is_seen(at) {
                life.hidden_at = Some(now);
            }
        }
        let back: Vec<usize> = (0..self.0.len()).filter(|&index| self.0[index].is_seen(at) && self.0[index].hidden_at.is_some()).collect();
        for index in back {
            let hidden_at = self.0[index].hidden_at.take().expect("it was hidden");
            self.0[index].absences.push((hidden_at, now));
        }
    }
}

/// Every instant between two steps is looked at at the end, as long as the retention reaches.
pub(super) async fn views_are_what_the_model_says(mut rig: Rig) {
    let mut seed = crate::clock::Clock::system().wall().micros().unsigned_abs();
    let (first_seed, mut views, mut differences) = (seed, 0, 0);
    for vault in 0..VAULTS {
        rig.take_vault().await;
        let (mut model, mut instants) = (Model::default(), Vec::new());
        for step in 0..STEPS {
            rig.pass(SECOND_MICROS).await;
            let path = format!("/data/{}", random(&mut seed, NAMES));
            match random(&mut seed, 10) {
                0..=3 => store(&rig, &mut model, &path, format!("{vault} {step}")).await,
                4..=6 => hide(&rig, &mut model, &path).await,
                7 if !instants.is_empty() => {
                    let at = instants[usize::try_from(random(&mut seed, instants.len() as u64)).expect("few")];
                    if rig.store.revive(&rig.fresh_account().await, at).await.is_ok() {
                        model.revive(at, rig.store.now());
                    }
                }
                8 => rig.pass(random(&mut seed, 24) * HOUR_MICROS).await,
                _ => drop(rig.expire_due().await.expect("expiry runs")),
            }
            rig.pass(SECOND_MICROS).await;
            instants.push(rig.store.now().plus_micros(-SECOND_MICROS / 2));
        }
        rig.pass(random(&mut seed, 20) * DAY_MICROS).await;
        rig.expire_due().await.expect("expiry runs");
        for at in instants {
            let account = rig.fresh_account().await;
            if rig.store.check_view(&account, View::At(at)).is_ok() {
                views += 1;
                differences += usize::from(!is_as_told(&rig, &model, at).await);
            }
        }
    }
    crate::figure::figure(
        "vault",
        "random lives",
        &format!("{views} views of 6 vaults against the model: {differences} differences"),
        None,
    );
    assert_eq!(differences, 0, "of {views} views, seed {first_seed}");
}

async fn store(rig: &Rig, model: &mut Model, path: &str, content: String) {
    let stored = rig.put(path, content.as_bytes()).await;
    assert_eq!(stored.is_ok(), model.live(path).is_none(), "{path}");
    if let Ok(file) = stored {
        model.0.push(Life { name: path.to_owned(), content, created_at: file.created_at, hidden_at: None, absences: Vec::new() });
    }
}

async fn hide(rig: &Rig, model: &mut Model, path: &str) {
    let hidden = rig.store.hide(&rig.fresh_account().await, &name(path)).await.expect("the catalog answers");
    let life = model.live(path);
    assert_eq!(hidden, life.is_some(), "{path}");
    if let Some(life) = life {
        life.hidden_at = Some(rig.store.now());
    }
}

/// Names by both lists, and the bytes of each.
async fn is_as_told(rig: &Rig, model: &Model, at: Instant) -> bool {
    let account = rig.fresh_account().await;
    let query = ListQuery { view: View::At(at), ..ListQuery::default() };
    let listed = rig.store.list(&account, &query).await.expect("the catalog answers").files;
    let folder = rig.store.list_folder(&account, View::At(at), "/data/", None).await.expect("the catalog answers").entries;
    let told = model.seen(at);
    let mut found = BTreeMap::new();
    for file in &listed {
        let same = rig.store.find_in(&account, View::At(at), &file.name).await.expect("the catalog answers");
        assert_eq!(same.as_ref().map(|same| &same.id), Some(&file.id));
        let bytes = rig.read(file).await.expect("what a view shows can be read");
        found.insert(file.name.as_str(), String::from_utf8(bytes).expect("it is text"));
    }
    let is_same = found.len() == told.len() && told.iter().all(|(name, content)| found.get(name).is_some_and(|bytes| bytes == content));
    is_same && folder.len() == listed.len()
}
