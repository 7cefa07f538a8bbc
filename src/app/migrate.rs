//! `convened migrate`: brings the schema of the database up to date.

use super::database;
use crate::cli::{Failure, Printed};
use crate::config::Config;

/// Opens the database, which does it, and tells what was done.
///
/// # Errors
/// If the database cannot be opened, or a daemon that runs on it prevents the change.
pub async fn migrate(config: Config) -> Result<Printed, Failure> {
    let store = database::open_beside(&config).await?;
    let version = store.schema_version();
    store.close().await;
    let url = config.database.url_without_password();
    let stdout = if version.was == version.is {
        format!("{url}: is up to date (schema version {})", version.is)
    } else {
        format!("{url}: schema version {}, was {}", version.is, version.was)
    };
    Ok(Printed { stdout, stderr: String::new() })
}
