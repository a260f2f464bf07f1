//! The store's promises as functions, run against memory and disk × SQLite and PostgreSQL.

mod at_once;
mod faulty;
mod lives;
mod locks;
mod look_ups;
mod machine;
mod machine_model;
mod machine_steps;
mod random_lives;
mod reconciliation;
mod recovery;
mod rig;
mod scrubbing;
mod tokens;
mod told_hides;
mod uploads;
mod user_copies;
mod users;
mod vault_lives;
mod vaults;

use rig::{BlobsKind, CatalogKind, Rig};

/// Runs each promise against every pair of backends.
macro_rules! on_every_backend {
    ($($module:ident :: $promise:ident),* $(,)?) => {
        on_every_backend!(@pair memory_sqlite, Memory, Sqlite, $($module::$promise),*);
        on_every_backend!(@pair memory_postgres, Memory, Postgres, $($module::$promise),*);
        on_every_backend!(@pair disk_sqlite, Disk, Sqlite, $($module::$promise),*);
        on_every_backend!(@pair disk_postgres, Disk, Postgres, $($module::$promise),*);
    };
    (@pair $pair:ident, $blobs:ident, $catalog:ident, $($module:ident :: $promise:ident),*) => {
        mod $pair {
            use super::{BlobsKind, CatalogKind, Rig};
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    if let Some(rig) = Rig::new(BlobsKind::$blobs, CatalogKind::$catalog).await {
                        super::$module::$promise(rig).await;
                    }
                }
            )*
        }
    };
}

on_every_backend![
    uploads::a_stored_file_reads_back_whole_and_in_ranges,
    uploads::a_second_put_of_a_name_is_refused_and_leaves_nothing,
    uploads::of_many_uploads_of_one_name_exactly_one_wins,
    uploads::an_upload_in_flight_is_unseen_and_dropping_it_frees_its_space,
    uploads::wrong_sizes_and_digests_store_nothing,
    uploads::the_quota_counts_what_is_promised_and_judges_again_in_the_commit,
    uploads::a_commit_goes_on_when_its_caller_has_gone,
    uploads::disabling_the_account_breaks_an_upload,
    uploads::a_disk_error_ends_writing_and_leaves_reading,
    uploads::creation_rises_while_the_clock_stands,
    uploads::a_failed_commit_leaves_its_blob_for_adoption,
    lives::a_file_ends_at_its_time_and_its_name_is_free_a_day_later,
    lives::raising_lengthens_lives_and_lowering_shortens_none,
    lives::a_clock_that_jumps_ahead_ends_nothing_until_it_is_accepted,
    lives::sessions_end_after_24_hours_and_are_remembered_for_30_days,
    lives::rotating_disabling_and_removing_end_sessions_at_once,
    lives::the_101st_session_ends_the_oldest,
    lives::no_session_is_made_with_a_password_that_was_rotated_meanwhile,
    lives::a_retention_lowered_while_the_bytes_come_holds_for_them,
    lives::a_row_stays_doomed_until_its_bytes_are_gone,
    lives::a_disk_error_while_removing_ends_writing,
    lives::a_missing_blob_of_a_due_file_is_no_damage,
    lives::an_ended_file_is_remembered_for_400_days,
    lives::a_clock_of_1970_begins_at_the_release,
    lives::a_store_with_files_and_no_time_begins_at_the_newest_of_them,
    look_ups::a_look_up_is_one_statement_whatever_it_finds,
    recovery::a_blob_without_a_row_is_adopted_as_it_was,
    recovery::second_copies_go_and_other_bytes_are_quarantined,
    recovery::blobs_of_an_unknown_account_wait_for_its_return,
    recovery::a_row_without_its_blob_is_damaged_and_never_dropped,
    recovery::damage_breaks_the_download_and_a_clean_check_takes_the_mark_off,
    recovery::an_older_catalog_takes_accounts_and_retentions_from_the_newest_copy,
    reconciliation::a_whole_copy_is_not_given_up_for_a_damaged_one,
    reconciliation::of_two_whole_copies_the_one_with_the_longer_life_is_kept,
    reconciliation::an_old_catalog_gives_back_a_name_that_was_used_again,
    reconciliation::a_blob_that_cannot_be_read_is_tried_again,
    reconciliation::a_rebuild_never_takes_what_was_set_aside,
    reconciliation::a_raise_on_an_old_catalog_outlives_the_newer_copy,
    reconciliation::whoever_the_newer_copy_shuts_out_loses_the_sessions_of_the_old_catalog,
    reconciliation::the_copies_of_the_newest_changes_are_kept,
    scrubbing::scrub_reads_what_is_due_marks_damage_and_takes_the_mark_off,
    scrubbing::a_mark_that_is_younger_than_the_reading_stays,
    scrubbing::a_scrub_ends_where_files_cannot_be_told_now,
    vaults::a_hidden_file_is_gone_for_clients_and_there_in_views,
    vaults::a_view_begins_with_creation_and_ends_before_the_deletion,
    vaults::a_view_is_neither_of_the_future_nor_older_than_the_retention,
    vaults::hidden_bytes_go_by_the_retention_and_two_days_later,
    vaults::raising_the_retention_holds_for_what_is_hidden,
    vaults::a_clock_that_jumps_ahead_takes_nothing_hidden,
    vaults::a_revival_makes_exactly_that_state_live_and_can_be_undone,
    vaults::hides_are_listed_in_bursts,
    vaults::the_same_bytes_take_the_place_of_a_damaged_file,
    vaults::an_upload_of_unknown_length_is_bounded,
    vaults::files_of_a_vault_that_is_removed_are_hidden,
    vaults::hidden_bytes_are_scrubbed,
    vault_lives::views_are_what_the_model_says,
    locks::a_lock_ends_when_it_is_given_up_or_after_an_hour,
    locks::of_more_than_200_locks_the_oldest_go,
    locks::locks_are_taken_while_nothing_can_be_written,
    told_hides::a_lost_catalog_brings_no_hidden_file_back,
    told_hides::an_older_catalog_hides_what_the_copies_tell,
    told_hides::an_older_catalog_follows_a_name_from_file_to_file,
    told_hides::a_removed_vault_is_hidden_whatever_catalog_is_left,
    told_hides::many_copies_are_told_once_more_in_fewer,
    users::the_first_user_of_a_tenant_owns_it_and_later_ones_observe,
    users::new_tenants_are_numbered_from_100000_and_no_number_is_given_twice,
    users::a_name_has_one_user_and_no_id_comes_back,
    users::a_change_holds_at_once_and_a_missing_user_is_not_found,
    users::secrets_are_kept_as_hashes_alone,
    users::a_login_costs_one_statement_whoever_it_names,
    tokens::a_token_lasts_24_hours_and_is_forgotten_then,
    tokens::other_roles_hold_for_tokens_that_are_there,
    tokens::rotating_disabling_moving_and_removing_end_tokens_at_once,
    tokens::no_token_is_made_for_a_user_that_was_changed_meanwhile,
    tokens::the_1001st_token_ends_the_oldest,
    tokens::of_a_rotation_and_logins_at_one_time_no_token_of_the_old_secrets_is_left,
    user_copies::a_lost_catalog_gets_its_users_back_and_no_number_twice,
    user_copies::an_older_catalog_follows_the_users_of_the_newest_copy,
    user_copies::a_copy_from_before_there_were_users_takes_none_away,
];
