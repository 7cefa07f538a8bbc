//! Opens the database that the configuration names.

use std::sync::Arc;

use crate::cli::Failure;
use crate::config::Config;
use crate::store::{OpenError, SqliteSettings, SqliteStore, Store};

/// For the daemon: with the lock that keeps a second one out.
pub(super) async fn open(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::new(SqliteStore::open(settings(config)?).await.map_err(refused)?))
}

/// For a command beside a running daemon.
pub(super) async fn open_beside(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(Arc::new(SqliteStore::open_beside(settings(config)?).await.map_err(refused)?))
}

fn settings(config: &Config) -> Result<SqliteSettings, Failure> {
    let path = config.database.sqlite_path();
    let path = path.ok_or_else(|| Failure::Config("database.url: expected sqlite://PATH".into()))?;
    Ok(SqliteSettings::new(path))
}

/// Starting again does not help: somebody has to give another file, rights, or stop the other daemon.
fn refused(error: OpenError) -> Failure {
    Failure::Config(format!("database.url: {error}"))
}
