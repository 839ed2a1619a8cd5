//! The promises that every backend keeps, as functions that its tests call.
//!
//! A backend implements [`Backend`] and writes `storage::contract!(MyBackend::new());`
//! in a test module (feature `contract` outside this crate): each promise becomes a test of its own.

mod begun;
mod directory;
mod fixture;
mod inbox;
mod journal;
mod listing;
mod outbox;
mod rewrites;
mod timers;
mod waits;

use crate::{Blobs, Directory, Journal, Outbox};

pub use begun::*;
pub use directory::*;
pub use fixture::*;
pub use inbox::*;
pub use journal::*;
pub use listing::*;
pub use outbox::*;
pub use rewrites::*;
pub use timers::*;
pub use waits::*;

/// How the suite gets at a backend. One value stands for one place where a store lies.
pub trait Backend {
    /// The store.
    type Store: Journal + Directory + Blobs + Outbox;

    /// Opens the store, empty at the first time.
    fn open(&self) -> Self::Store;

    /// Loses the process that has it open without a farewell and opens it again:
    /// what was acknowledged is there, and whoever had it holds stale leases.
    fn crash(&self, store: Self::Store) -> Self::Store;
}

/// One test for each promise, over a fresh backend made by the expression.
#[macro_export]
macro_rules! contract {
    ($backend:expr) => {
        $crate::contract!($backend;
            acknowledged_entries_are_there_after_a_crash
            entries_read_back_as_they_were_written_and_in_order
            each_batch_of_a_group_stands_alone
            a_batch_with_another_head_is_refused_and_leaves_nothing
            a_batch_whose_positions_have_a_gap_is_refused
            a_lease_from_before_a_takeover_is_stale
            a_session_that_was_never_made_takes_no_batches
            a_session_of_another_tenant_takes_no_batches
            a_deleted_session_takes_no_batches_and_reads_as_empty
            what_rides_along_becomes_durable_in_order
            what_rides_along_alone_is_answered_soon
            an_idempotency_key_is_found_after_a_crash
            an_expired_idempotency_key_is_reaped_and_a_fresh_one_stays
            plugin_state_is_kept_by_tenant_plugin_owner_and_key
            the_scan_finds_only_turns_that_run
            a_batch_without_entries_changes_the_rest
            an_input_waits_until_it_is_taken
            inputs_wait_in_the_order_of_their_numbers
            a_refused_batch_changes_no_inbox
            inputs_go_with_their_session
            a_rewritten_entry_reads_as_its_new_form_everywhere
            rewrites_stand_or_fall_with_their_batch
            an_entry_that_is_not_stored_cannot_be_rewritten
            lists_leave_out_tombstones_however_many_there_are
            lists_agree_with_a_plain_model_after_rewrites
            a_wait_is_found_until_it_is_over
            a_page_of_waits_never_tears_a_session
            due_waits_are_read_in_pages
            a_refused_batch_changes_no_wait
            what_was_deleted_waits_for_nothing
            a_blob_is_found_by_its_tenant_alone
            a_blob_goes_with_the_last_session_that_holds_it
            a_probe_is_answered
            names_are_unique_within_tenant_kind_and_scope
            a_name_is_free_as_soon_as_its_holder_is_deleted
            second_names_are_unique_and_can_move
            an_update_of_another_version_is_refused
            records_are_listed_by_age_in_pages
            records_are_listed_from_the_newest_on_in_pages
            what_is_thought_of_an_agent_goes_with_it
            a_deleted_agent_takes_its_sessions_along_at_once
            a_deleted_tenant_takes_everything_along_at_once
            a_tool_is_named_once_by_its_id_and_once_by_its_name
            a_time_comes_until_it_is_moved_or_taken_away
            times_that_have_come_are_read_in_pages
            a_time_may_be_set_before_its_record
            what_was_deleted_has_no_time
            a_session_may_be_written_before_its_record
            a_session_that_was_begun_and_given_up_leaves_nothing
            what_was_begun_before_a_crash_is_given_up
            a_session_is_begun_once_and_for_its_tenant_alone
            reaping_ends_and_leaves_the_living_alone
            a_page_of_entries_begins_anywhere
            a_list_leaves_out_what_is_internal
            a_list_jumps_over_hidden_runs_unless_asked
            a_page_says_whether_more_follows
            lists_agree_with_a_plain_model
            what_a_batch_puts_out_waits_in_order_and_a_refused_one_puts_out_nothing
            what_waits_outlives_a_crash_and_its_session
            settled_rows_are_gone_for_ever_and_their_ids_too
            the_outbox_says_when_it_was_filled
        );
    };
    ($backend:expr; $($promise:ident)+) => { $(
        #[tokio::test]
        async fn $promise() {
            $crate::contract::$promise(&$backend).await;
        }
    )+ };
}
