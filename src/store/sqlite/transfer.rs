//! Everything out of the file, and into it: what is one transaction.

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::mpsc;

use super::super::{Exported, ImportError, Imported, StoreError, StoreErrorKind};
use super::failure::store_error;
use super::statements::transfer;
use super::writer::Writer;

pub(super) async fn export(pool: &SqlitePool, to: mpsc::Sender<Exported>) -> Result<(), StoreError> {
    if pool.is_closed() {
        return Err(StoreError::new(StoreErrorKind::Closed, "the store was closed"));
    }
    // A connection of its own: an export may take minutes, and one that is given up half-way takes
    // its transaction along.
    let options = SqliteConnectOptions::clone(&pool.connect_options());
    let mut reader = options.connect().await.map_err(store_error)?;
    let outcome = async {
        // The first statement that reads fixes the moment, the end of the connection ends it.
        sqlx::query("BEGIN").execute(&mut reader).await?;
        transfer::send_all(&mut reader, &to).await
    };
    let outcome = outcome.await;
    reader.close().await.ok();
    outcome.map_err(store_error)
}

pub(super) async fn import(
    writer: &Writer,
    batch: &[Exported],
    replace: bool,
) -> Result<Vec<Imported>, ImportError> {
    let mut transaction = writer.begin().await?;
    let outcome = transfer::import(transaction.connection(), batch, replace).await;
    transaction.finish(outcome).await
}
