//! Opens the database that the configuration names.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::Failure;
use crate::config::{Config, Database};
use crate::store::url::Engine;
use crate::store::{OpenError, PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store};

/// For the daemon. An SQLite file is locked, so that a second daemon is kept out; a PostgreSQL server
/// may be away just now.
pub(super) async fn open(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(match settings(&config.database)? {
        Settings::Sqlite(settings) => Arc::new(SqliteStore::open(settings).await.map_err(refused)?),
        Settings::Postgres(settings) => {
            Arc::new(PostgresStore::open_or_wait(&settings).await.map_err(refused)?)
        }
    })
}

/// For a command beside a running daemon.
pub(super) async fn open_beside(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    Ok(match settings(&config.database)? {
        Settings::Sqlite(settings) => Arc::new(SqliteStore::open_beside(settings).await.map_err(refused)?),
        Settings::Postgres(settings) => Arc::new(PostgresStore::open(&settings).await.map_err(refused)?),
    })
}

enum Settings {
    Sqlite(SqliteSettings),
    Postgres(PostgresSettings),
}

fn settings(database: &Database) -> Result<Settings, Failure> {
    let timeout = Duration::from_millis(database.timeout_ms);
    match database.engine() {
        Some(Engine::Sqlite(path)) => Ok(Settings::Sqlite(SqliteSettings {
            readers: database.connections,
            busy_timeout: timeout,
            ..SqliteSettings::new(path)
        })),
        Some(Engine::Postgres(url)) => {
            let password = database.read_password();
            let password =
                password.map_err(|error| Failure::Config(format!("database.password_file: {error}")))?;
            let connections = database.connections;
            Ok(Settings::Postgres(PostgresSettings {
                password,
                connections,
                timeout,
                ..PostgresSettings::new(url)
            }))
        }
        // The configuration was checked.
        None => Err(Failure::Config("database.url: expected sqlite://PATH or postgres://...".into())),
    }
}

/// Starting again does not help: somebody has to give another file, rights, or stop the other daemon.
/// Unless it is the server that does not answer.
fn refused(error: OpenError) -> Failure {
    let text = format!("database.url: {error}");
    if error.may_pass() { Failure::Other(anyhow::Error::msg(text)) } else { Failure::Config(text) }
}
