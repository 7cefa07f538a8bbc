//! The statements that both engines understand.
//!
//! This file and those below it are modules of each engine: sqlx's queries are typed by their database,
//! and generic bounds would be longer than the statements. They take from the engine around them the
//! type of a connection, the meaning of an error, and what differs: how accounts are locked and numbers
//! written. Leaves transactions to the engine.
//!
//! Placeholders are `$1`, which SQLite takes as well.

#[path = "statements/credentials.rs"]
pub(super) mod credentials;
#[path = "statements/documents.rs"]
pub(super) mod documents;
#[path = "statements/ledger.rs"]
pub(super) mod ledger;
#[path = "statements/transfer.rs"]
pub(super) mod transfer;

use super::{Connection, damaged, insert_numbers, lock_accounts, store_error};
