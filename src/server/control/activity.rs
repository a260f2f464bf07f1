//! The history of runs.

use super::{Answer, Call, Unknown, json, judged};
use crate::store::fleet::ActivityEntry;
use crate::wire::control::activity::{ActivityObject, Shown};

impl Call<'_> {
    pub(super) async fn list_activity(&self, agent: Option<i64>) -> Answer {
        let entries = judged(self.store().activity(self.tenant(), agent).await?, Unknown::NotFound)?;
        Ok(json(&entries.iter().map(object).collect::<Vec<_>>()))
    }
}

fn object(entry: &ActivityEntry) -> ActivityObject<'_> {
    let shown = Shown {
        configuration_name: &entry.configuration_name,
        configuration_is_deleted: entry.configuration_is_deleted,
        source: (&entry.source.0, &entry.source.1),
        destination: (&entry.destination.0, &entry.destination.1),
    };
    ActivityObject::of(&entry.run, shown)
}
