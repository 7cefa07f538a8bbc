//! Everything out of the database, and into it: what is one transaction.

use sqlx::Connection;
use tokio::sync::mpsc;

use super::super::{Exported, ImportError, Imported, StoreError};
use super::connection::Connections;
use super::failure::store_error;
use super::statements::transfer;

pub(super) async fn export(connections: &Connections, to: mpsc::Sender<Exported>) -> Result<(), StoreError> {
    let mut reader = connections.apart().await?;
    let outcome = async {
        // A statement runs as long as its rows are taken, which may be slow for good reasons.
        sqlx::raw_sql(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
             BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        )
        .execute(&mut reader)
        .await?;
        transfer::send_all(&mut reader, &to).await
    };
    let outcome = outcome.await;
    reader.close().await.ok();
    outcome.map_err(store_error)
}

pub(super) async fn import(
    connections: &Connections,
    batch: &[Exported],
    replace: bool,
) -> Result<Vec<Imported>, ImportError> {
    let mut transaction = connections.begin().await?;
    let work = transfer::import(transaction.connection(), batch, replace);
    let outcome = connections.within_longer(work).await;
    transaction.finish(outcome).await
}
