//! The store's promises as functions, run against memory and disk × SQLite and PostgreSQL.

mod at_once;
mod chance;
mod faulty;
mod fleet;
mod fleet_agents;
mod fleet_bounds;
mod fleet_clocks;
mod fleet_copies;
mod fleet_migration;
mod fleet_missed;
mod fleet_passwords;
mod fleet_random;
mod fleet_restores;
mod fleet_retention;
mod fleet_rig;
mod fleet_runs;
mod fleet_schedules;
mod fleet_servers;
mod fleet_watchdog;
mod lives;
mod locks;
mod look_ups;
mod machine;
mod machine_model;
mod machine_steps;
mod mails;
mod outbox;
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
    look_ups::a_look_up_costs_the_same_whatever_it_finds,
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
    mails::the_flags_say_which_ends_are_mailed,
    mails::each_recipient_gets_one_mail_of_each_attempt,
    mails::a_mail_says_what_was_done,
    mails::names_are_those_that_the_run_was_taken_with,
    mails::far_less_than_before_is_mailed_as_a_failure_is,
    mails::a_restore_tells_the_recipients_of_its_backup,
    mails::what_is_missed_is_mailed_once_and_then_once_a_day_until_a_success,
    mails::a_reminder_counts_by_the_schedule_and_not_by_when_it_was_noticed,
    mails::action_2_tells_of_a_missed_backup_at_the_next_scheduled_time,
    mails::nobody_hears_of_what_is_disabled_or_gone,
    mails::what_becomes_of_an_agent_is_told_to_all_its_recipients,
    mails::without_a_mail_server_nothing_is_written,
    outbox::of_two_servers_one_sends_a_mail,
    outbox::a_mail_is_tried_less_and_less_often_and_for_three_days,
    outbox::what_is_refused_for_good_is_given_up_at_once,
    outbox::a_mail_that_is_given_back_was_not_tried,
    outbox::mail_that_ended_is_forgotten_after_90_days,
    fleet_restores::a_restore_is_changed_only_before_it_is_started,
    fleet_restores::a_restore_may_start_again_from_each_end_and_older_attempts_are_dropped,
    fleet_restores::a_restore_whose_stop_is_not_answered_is_stopped_after_ten_minutes,
    fleet_restores::a_restore_that_was_never_started_goes_after_90_days,
    fleet_restores::a_live_restore_is_not_deleted_and_an_ended_one_stays_in_the_history,
    fleet_restores::a_cleanup_goes_through_its_states_alone,
    fleet_runs::a_backup_goes_through_its_states_in_order_and_repeats_change_nothing,
    fleet_runs::only_the_agent_of_a_run_reports_it_and_only_the_tenant_sees_it,
    fleet_runs::a_stop_ends_at_once_what_waits_and_asks_for_what_is_taken,
    fleet_runs::a_stop_without_an_answer_ends_after_ten_minutes_of_service,
    fleet_runs::what_ended_before_the_stop_was_seen_is_what_it_came_to,
    fleet_runs::a_start_is_skipped_while_another_waits_and_waits_while_another_runs,
    fleet_runs::what_cannot_run_is_not_started,
    fleet_runs::a_backup_without_its_snapshot_in_the_vault_has_failed,
    fleet_runs::a_backup_that_found_less_than_half_says_so,
    fleet_runs::edits_reach_what_waits_and_never_what_is_taken,
    fleet_runs::deactivating_stops_what_is_not_taken,
    fleet_runs::a_disabled_agent_finishes_what_it_stores_and_starts_nothing,
    fleet_watchdog::a_start_waits_24_hours_of_service_and_is_missed_then,
    fleet_watchdog::a_silent_agent_loses_what_it_has_after_30_minutes_of_service,
    fleet_watchdog::a_run_that_stands_still_for_6_hours_is_given_up,
    fleet_watchdog::a_cleanup_that_has_to_wait_is_not_given_up,
    fleet_watchdog::a_late_backup_is_recorded_once_and_stands_for_the_catch_up,
    fleet_watchdog::a_late_backup_calls_off_a_catch_up_that_waits,
    fleet_watchdog::a_late_backup_that_the_start_brought_back_is_not_listed_twice,
    fleet_watchdog::a_passphrase_that_nobody_takes_is_erased,
    fleet_clocks::no_change_of_daylight_saving_time_loses_or_doubles_a_run,
    fleet_clocks::no_clock_ends_a_schedule_or_runs_it_twice,
    fleet_schedules::a_due_instant_becomes_one_run_and_the_next_is_planned,
    fleet_schedules::an_instant_that_finds_another_run_waiting_is_skipped,
    fleet_schedules::after_days_without_a_server_one_run_stands_for_all_that_passed,
    fleet_schedules::grace_counts_only_the_time_that_a_server_ran,
    fleet_schedules::a_clock_that_was_set_back_takes_back_what_it_had_planned,
    fleet_schedules::nothing_runs_of_what_is_inactive_disabled_or_deleted,
    fleet_schedules::the_hourly_grid_stays_until_the_schedule_changes,
    fleet_schedules::an_edit_takes_no_instant_away_that_has_come,
    fleet_missed::however_many_were_missed_one_backup_makes_them_good,
    fleet_missed::nothing_is_made_good_where_the_next_time_is_soon_enough,
    fleet_missed::a_catch_up_that_is_missed_itself_is_owed_again,
    fleet_missed::a_backup_that_was_lost_is_made_good_and_one_that_failed_is_not,
    fleet_missed::a_backup_that_goes_well_pays_what_is_owed,
    fleet_missed::what_nobody_wants_any_more_is_not_made_good,
    fleet_servers::three_servers_make_each_due_run_once,
    fleet_servers::a_run_that_was_taken_is_never_missed_whichever_server_ticks,
    fleet_agents::a_key_makes_one_agent_and_opens_it_for_its_tenant_alone,
    fleet_agents::a_machine_that_takes_over_ends_the_old_key_and_what_was_meant_for_it,
    fleet_agents::a_start_tells_the_machine_and_ids_go_on_beyond_what_it_has_seen,
    fleet_agents::backups_that_only_the_vault_knows_are_brought_back_once,
    fleet_agents::a_deleted_agent_has_no_vault_no_key_and_nothing_to_restore,
    fleet_agents::the_last_run_of_a_deleted_agent_may_end_and_then_its_vault_is_hidden,
    fleet_agents::a_revived_agent_is_what_it_was,
    fleet_agents::a_wake_up_reaches_the_agents_of_the_tenant,
    fleet_passwords::a_newer_request_replaces_one_that_was_not_taken,
    fleet_passwords::encryption_begins_with_the_agents_word_and_never_ends,
    fleet_passwords::passphrases_are_erased_with_the_end_of_their_request,
    fleet_passwords::five_wrong_passphrases_an_hour_are_enough,
    fleet_migration::what_stands_in_the_way_of_a_migration_is_refused,
    fleet_migration::a_migrated_vault_belongs_to_its_new_agent_with_all_its_backups,
    fleet_migration::backups_that_were_migrated_outlive_the_agent_that_made_them,
    fleet_retention::superseded_backups_expire_after_their_days_and_the_newest_never,
    fleet_retention::the_present_retention_is_that_of_all_backups,
    fleet_retention::while_expiry_is_paused_nothing_expires_and_nothing_is_forgotten,
    fleet_retention::a_damaged_snapshot_is_neither_offered_nor_forgotten_without_an_heir,
    fleet_retention::a_cleanup_forgets_exactly_what_no_backup_needs,
    fleet_retention::weekly_cleanups_come_round_alone_and_spread_over_the_week,
    fleet_retention::a_snapshot_that_vanished_is_told_once_until_it_is_back,
    fleet_retention::runs_are_remembered_for_90_days_after_they_were_of_use,
    fleet_bounds::nothing_but_locks_is_deleted_without_an_order,
    fleet_bounds::keys_are_deleted_only_while_the_passphrase_is_being_changed,
    fleet_bounds::a_cleanup_halts_at_half_of_the_vault_until_somebody_accepts_it,
    fleet_copies::a_lost_catalog_gets_its_fleet_back_and_goes_on,
    fleet_copies::an_older_catalog_follows_the_fleet_of_the_newest_copy,
    fleet_copies::a_copy_from_before_there_was_a_fleet_takes_nothing_away,
    fleet_copies::no_copy_holds_what_opens_anything,
    fleet_random::whatever_happens_the_rules_of_states_hold,
];
