//! Restores: made, filled, started, stopped, shown.

use http::StatusCode;

use super::backups::Action;
use super::passwords::ciphertext;
use super::{Answer, Call, Unknown, empty, invalid, json, judged};
use crate::model::selection::{Filter, ItemPath, ItemType};
use crate::server::fault::ApiFault;
use crate::server::headers::query;
use crate::store::fleet::restore_start::SentPassword;
use crate::store::fleet::restores::{NewRestore, RestoreChange, RestoreView};
use crate::wire::control::item;
use crate::wire::control::restore::{RestoreObject, RestoreReport, Shown};

impl Call<'_> {
    /// `backup` is the id in the path, where an old client put it.
    pub(super) async fn create_restore(&self, backup: Option<i64>) -> Answer {
        let fields = self.fields()?;
        if !fields.is_present("DestinationPath") {
            return Err(ApiFault::bad_request("DestinationPath is required; null or \"\" means the original locations."));
        }
        let wanted = NewRestore {
            backup: match fields.int("BackupId").map_err(invalid)?.or(backup) {
                Some(backup) => backup,
                None => return Err(ApiFault::bad_request("BackupId is required.")),
            },
            source: fields.required_int("BackupMachineId").map_err(invalid)?,
            destination: fields.required_int("DestinationMachineId").map_err(invalid)?,
            destination_path: destination_path(fields.text("DestinationPath").map_err(invalid)?)?.unwrap_or_default(),
            overwrites: fields.required_bool("OverwriteFiles").map_err(invalid)?,
            datacenter: fields.text("BackupDataCenter").map_err(invalid)?.filter(|text| !text.is_empty()),
        };
        let view = judged(self.store().create_restore(self.tenant(), wanted).await?, Unknown::Forbidden)?;
        Ok(json(&RestoreObject::of(&view.run, shown(&view))))
    }

    pub(super) async fn update_restore(&self) -> Answer {
        let fields = self.fields()?;
        let id = fields.required_int("RestoreId").map_err(invalid)?;
        if fields.int("RestoreStateId").map_err(invalid)?.is_some_and(|state| !(0..=9).contains(&state)) {
            return Err(ApiFault::bad_request("RestoreStateId is 0 to 9."));
        }
        let path = if fields.is_present("DestinationPath") {
            Some(destination_path(fields.text("DestinationPath").map_err(invalid)?)?.unwrap_or_default())
        } else {
            None
        };
        let change = RestoreChange {
            backup: fields.int("BackupId").map_err(invalid)?,
            source: fields.int("BackupMachineId").map_err(invalid)?,
            destination: fields.int("DestinationMachineId").map_err(invalid)?,
            configuration: fields.int("BackupConfigurationId").map_err(invalid)?,
            destination_path: path,
            overwrites: fields.bool("OverwriteFiles").map_err(invalid)?,
            datacenter: fields.text("BackupDataCenter").map_err(invalid)?.filter(|text| !text.is_empty()),
        };
        judged(self.store().update_restore(self.tenant(), id, change).await?, Unknown::NotFound)?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn add_restore_file(&self) -> Answer {
        let fields = self.fields()?;
        let id = fields.required_int("ParentId").map_err(invalid)?;
        let filter = fields.required_text("Filter").map_err(invalid)?;
        let filter = Filter::parse(&filter).ok_or_else(|| ApiFault::bad_request("Filter is 1 (Include) or 2 (Exclude)."))?;
        let item = item::parse(&fields).map_err(invalid)?;
        let replaces = fields.int("FileId").map_err(invalid)?;
        judged(self.store().add_restore_item(self.tenant(), id, filter, item, replaces).await?, Unknown::NotFound)?;
        Ok(empty(StatusCode::OK))
    }

    /// `?Filter=` and `?FileItemType=` narrow the list.
    pub(super) async fn list_restore_files(&self, id: i64) -> Answer {
        let asked = |name: &str| {
            let pairs = query::pairs(self.head.query());
            pairs.into_iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty()).map(|(_, value)| value)
        };
        let filter = asked("Filter").map(|text| Filter::parse(&text).ok_or_else(|| ApiFault::bad_request("Filter is 1 or 2.")));
        let kind = asked("FileItemType").map(|text| ItemType::parse(&text).ok_or_else(|| ApiFault::bad_request("FileItemType is 0 to 2.")));
        let (filter, kind) = (filter.transpose()?, kind.transpose()?);
        let view = judged(self.store().restore(self.tenant(), id).await?, Unknown::NotFound)?;
        let selection = &view.settings.selection;
        let lists = [(&selection.inclusions, Filter::Include), (&selection.exclusions, Filter::Exclude)];
        let files: Vec<_> = lists
            .into_iter()
            .filter(|(_, of)| filter.is_none_or(|filter| filter == *of))
            .flat_map(|(list, of)| list.iter().zip(item::restore_files(list, of, id)))
            .filter(|(item, _)| kind.is_none_or(|kind| kind == item.item_type))
            .map(|(_, file)| file)
            .collect();
        Ok(json(&files))
    }

    pub(super) async fn delete_restore(&self, id: i64) -> Answer {
        judged(self.store().delete_restore(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn request_restore_action(&self) -> Answer {
        let fields = self.fields()?;
        let action = Action::parse(&fields.required_text("Action").map_err(invalid)?)?;
        let id = fields.required_int("Id").map_err(invalid)?;
        match action {
            Action::Start => {
                let password = fields.text("EncryptedPassword").map_err(invalid)?.filter(|text| !text.trim().is_empty());
                let password = password.map_or(SentPassword::Nothing, |text| {
                    ciphertext("EncryptedPassword", &text).map_or(SentPassword::Unusable, SentPassword::Ciphertext)
                });
                judged(self.store().start_restore(self.tenant(), id, password).await?, Unknown::NotFound)?;
            }
            Action::Stop => judged(self.store().stop_restore(self.tenant(), id).await?, Unknown::NotFound)?,
        }
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn show_restore(&self, id: i64) -> Answer {
        let view = judged(self.store().restore(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(json(&RestoreObject::of(&view.run, shown(&view))))
    }

    pub(super) async fn show_restore_report(&self, id: i64) -> Answer {
        let (view, report) = judged(self.store().restore_report(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(json(&RestoreReport::of(&view.run, &report, shown(&view))))
    }
}

/// An absolute path; `None` for the original places.
fn destination_path(text: Option<String>) -> Result<Option<String>, ApiFault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    ItemPath::parse(&text, None).map_err(|error| ApiFault::bad_request(format!("DestinationPath: {error}.")))?;
    Ok(Some(text))
}

fn shown(view: &RestoreView) -> Shown<'_> {
    Shown {
        settings: &view.settings,
        backup: &view.backup.run,
        configuration_name: &view.backup.configuration_name,
        source: &view.backup.agent,
        source_name: &view.backup.machine_name,
        destination: &view.destination,
        is_encrypted: view.is_encrypted,
    }
}
