//! One list of stories, run against every store.
//!
//! A story gets a fresh store and knows nothing of the engine behind it. A new engine adds one module
//! at the end of this file, and nothing else.

#[path = "store_battery/audit.rs"]
mod audit;
#[path = "store_battery/keys.rs"]
mod keys;
#[path = "store_battery/lists.rs"]
mod lists;
#[path = "store_battery/numbers.rs"]
mod numbers;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "store_battery/tokens.rs"]
mod tokens;
#[path = "store_battery/transfer.rs"]
mod transfer;
#[path = "store_battery/writes.rs"]
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use convened::documents::{Document, Documents};
use convened::store::{AccountId, Clock, Store};
use serde_json::Value;

/// What a story plays in.
struct Stage {
    store: Arc<dyn Store>,
    documents: Documents,
    clock: Clock,
    now: Arc<AtomicU64>,
    account: AccountId,
    other: AccountId,
}

impl Stage {
    fn new(store: Arc<dyn Store>) -> Self {
        let now = Arc::new(AtomicU64::new(1_700_000_000));
        let shown = Arc::clone(&now);
        let clock = Clock::new(move || UNIX_EPOCH + Duration::from_secs(shown.load(Ordering::SeqCst)));
        Self {
            documents: Documents::new(Arc::clone(&store), clock.clone()),
            store,
            clock,
            now,
            account: account("acme"),
            other: account("other"),
        }
    }

    fn time_goes_by(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    async fn create(&self, data: Value) -> Document {
        self.documents.create(&self.account, data).await.expect("the document is created")
    }

    async fn get(&self, id: &str) -> Document {
        self.documents.get(&self.account, id).await.expect("the document is there")
    }
}

fn account(text: &str) -> AccountId {
    text.parse().expect("an account id")
}

macro_rules! stories {
    ($make:path) => {
        stories! { $make;
            writes::every_write_changes_the_revision_and_keeps_when_it_was_made,
            writes::a_deleted_document_is_answered_once_and_then_not_found,
            writes::another_accounts_document_is_not_found_whatever_is_tried,
            writes::a_stale_revision_is_a_conflict_and_a_stale_etag_a_failed_precondition,
            writes::a_condition_that_holds_lets_the_write_happen,
            writes::two_writers_at_once_leave_one_whole_document,
            writes::of_fifty_conditional_writes_at_once_one_succeeds,
            writes::fifty_unconditional_patches_at_once_all_count,
            writes::a_write_that_is_given_up_happens_whole_or_not_at_all,
            writes::a_write_that_fails_midway_leaves_nothing_and_the_next_one_works,
            writes::text_that_looks_like_sql_is_only_text,
            numbers::two_hundred_creates_of_one_number_leave_exactly_one,
            numbers::a_number_in_use_is_named_and_nothing_is_written,
            numbers::a_number_is_taken_whatever_the_role_of_the_other,
            numbers::a_number_is_free_when_its_document_gives_it_up_or_goes,
            numbers::two_documents_that_swap_numbers_at_once_never_share_one,
            numbers::two_accounts_may_have_the_same_number,
            numbers::a_number_leads_to_its_document_and_role,
            lists::pages_come_in_order_of_ids_and_meet_without_gap,
            lists::a_page_goes_on_where_a_deleted_document_was,
            lists::a_page_of_large_documents_is_short_and_the_next_one_goes_on,
            lists::documents_are_found_by_name_and_owner,
            lists::an_accounts_list_has_no_others_documents,
            lists::owners_are_told_for_documents_of_any_account,
            tokens::a_token_opens_its_account_with_its_scopes,
            tokens::what_is_no_token_is_unknown,
            tokens::an_api_key_opens_nothing_but_is_exchanged_for_a_token,
            tokens::a_token_from_a_key_ends_with_the_key,
            tokens::an_expired_token_is_refused_from_that_second_on,
            tokens::a_revocation_elsewhere_counts_for_the_next_request,
            tokens::what_was_revoked_stays_so_without_a_database,
            tokens::a_revoked_key_takes_its_tokens_along,
            tokens::use_is_noted_at_most_once_a_minute,
            tokens::tokens_from_keys_are_forgotten_a_day_after_their_end,
            tokens::without_a_database_known_tokens_stay_good_for_a_while,
            tokens::nothing_shown_or_stored_holds_a_secret,
            transfer::an_export_has_everything_once_and_keys_before_their_tokens,
            transfer::an_export_is_of_one_moment_although_somebody_writes,
            transfer::an_export_ends_with_its_receiver_and_disturbs_nobody,
            transfer::what_is_imported_is_there_as_it_was,
            transfer::importing_again_changes_nothing,
            transfer::what_differs_is_refused_by_name_unless_it_may_be_replaced,
            transfer::a_refusal_names_the_place_and_leaves_nothing_of_the_batch,
            transfer::numbers_move_within_a_batch_whatever_its_order,
            transfer::a_document_twice_in_a_batch_ends_as_the_last,
            transfer::an_import_takes_no_revocation_back_and_forgets_no_use,
            transfer::the_version_of_the_schema_is_told,
            audit::what_was_done_is_read_back_newest_first_in_pages_that_meet,
            audit::rows_are_found_by_action_call_and_time,
            audit::a_log_has_no_rows_of_another_account_or_conference,
            audit::three_thousand_rows_are_added_at_once,
            audit::an_append_that_is_given_up_adds_all_rows_or_none,
            audit::only_what_is_old_goes_and_in_batches,
            keys::of_a_hundred_claims_at_once_one_takes_the_key,
            keys::keys_of_two_credentials_or_accounts_are_two_keys,
            keys::an_answer_is_kept_for_its_claim_and_no_other,
            keys::a_key_that_is_given_back_is_free_for_anything,
            keys::an_old_use_does_not_count_and_is_forgotten,
            keys::a_key_that_is_taken_and_given_back_by_many_is_never_twos,
        }
    };
    ($make:path; $($room:ident::$story:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let (store, _kept) = $make().await;
                crate::$room::$story(&crate::Stage::new(store)).await;
            }
        )*
    };
}

mod sqlite {
    use std::sync::Arc;

    use convened::store::{SqliteSettings, SqliteStore, Store};
    use tempfile::TempDir;

    async fn fresh() -> (Arc<dyn Store>, TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = SqliteSettings::new(directory.path().join("convened.db"));
        (Arc::new(SqliteStore::open(settings).await.expect("a store")), directory)
    }

    stories!(fresh);
}

mod postgresql {
    use std::sync::Arc;

    use convened::store::{PostgresSettings, PostgresStore, Store};

    use crate::postgres::Postgres;

    async fn fresh() -> (Arc<dyn Store>, Arc<Postgres>) {
        let server = Postgres::shared().await;
        let settings = PostgresSettings::new(server.database().await);
        (Arc::new(PostgresStore::open(&settings).await.expect("a store")), server)
    }

    stories!(fresh);
}
