//! Opening a database: reach the server, look whether the database is fit, bring its schema up to date.
//!
//! Owns: the URL, the settings of a session, and every way in which opening can fail. Only "it does not
//! answer" is no reason not to start: the server may come up later than we do.

use std::fs::File;
use std::io::ErrorKind;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Error, PgConnection};
use tokio::time::timeout;

use super::super::{OpenError, SchemaVersion, StoreError, StoreErrorKind};
use super::PostgresSettings;
use super::failure::{sqlstate, store_error};

/// Noted under a name of our own: the database may be shared with programs that use sqlx as well.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("src/store/postgres/migrations");
    migrator.dangerous_set_table_name("convened_migrations");
    migrator
});

/// A change of the schema may rewrite a table, and several daemons may wait for one to do it.
const MIGRATION_LIMIT: Duration = Duration::from_secs(600);

/// The parameters that mean something to us; sqlx passes over others, and logs them with their values.
const PARAMETERS: [&str; 9] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "dbname", "user", "password"];

/// Those that name a file.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

/// The URL and what is set beside it.
pub(super) fn options(settings: &PostgresSettings) -> Result<PgConnectOptions, OpenError> {
    let bad = |reason: String| OpenError::BadUrl { reason };
    let (_, parameters) = settings.url.split_once('?').unwrap_or_default();
    for (name, value) in parameters.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
        if !name.is_empty() && !PARAMETERS.contains(&name) {
            return Err(bad(format!("has the parameter `{name}`; known are {}", PARAMETERS.join(", "))));
        }
        // Found out when connecting, it could not be told from a server that is away.
        if FILES.contains(&name) {
            let path = percent_decode_str(value).decode_utf8_lossy();
            File::open(&*path).map_err(|error| bad(format!("{name}: {path}: cannot be read: {error}")))?;
        }
    }
    // What sqlx says may repeat any part of the URL.
    let options = PgConnectOptions::from_str(&settings.url).map_err(|error| {
        let said = error.to_string();
        bad(if said.contains("ssl_mode") {
            "has another sslmode than disable, allow, prefer, require, verify-ca and verify-full".into()
        } else {
            let what = match said.contains("port") {
                true => "has a port that is no number of 1 to 65535",
                false => "is no URL",
            };
            format!(
                "{what}: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE; in a password, / ? # [ ] @ : \
                 and % must be percent-encoded"
            )
        })
    })?;
    let options = match &settings.password {
        Some(password) => options.password(password.expose()),
        None => options,
    };
    Ok(options.application_name("convened").disable_statement_logging())
}

/// A connection with the settings of ours.
pub(super) async fn connect(options: &PgConnectOptions, limit: Duration) -> Result<PgConnection, StoreError> {
    let mut connection = options.connect().await.map_err(store_error)?;
    // Not as startup options: a pooler between us and the server would refuse them. A server that was
    // told not to wait for its disk would lose what we acknowledge.
    // The server gives up before we do: who waits for somebody else's lock is told that the database is
    // busy, which is no outage for everybody. And who hangs in a transaction loses it before that.
    let settings = format!(
        "SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {};
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') = 'off'",
        (limit.as_millis() * 4 / 5).max(1),
        (limit.as_millis() / 2).max(1),
    );
    sqlx::raw_sql(AssertSqlSafe(settings)).execute(&mut connection).await.map_err(store_error)?;
    Ok(connection)
}

/// Looks at the database and brings its schema up to date.
pub(super) async fn bring_up(
    options: &PgConnectOptions,
    name: &str,
    limit: Duration,
) -> Result<SchemaVersion, OpenError> {
    let database = || name.to_owned();
    let connected = timeout(limit, options.connect()).await.unwrap_or_else(|_| {
        let text = format!("no answer within {limit:?}");
        Err(sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, text)))
    });
    let mut connection = connected.map_err(|error| failed(database(), error))?;
    let encoding: String = sqlx::query_scalar("SELECT current_setting('server_encoding')")
        .fetch_one(&mut connection)
        .await
        .map_err(|error| failed(database(), error))?;
    if encoding != "UTF8" {
        return Err(OpenError::Encoding { database: database(), encoding });
    }
    let was = version(&mut connection).await.map_err(|error| failed(database(), error))?;
    let migrated = timeout(MIGRATION_LIMIT, MIGRATIONS.run_direct(None, &mut connection, false)).await;
    let migrated = migrated.map_err(|_| {
        let text = format!("the schema could not be changed within {MIGRATION_LIMIT:?}");
        OpenError::Failed { database: database(), source: StoreError::new(StoreErrorKind::Busy, text) }
    })?;
    migrated.map_err(|error| not_migrated(database(), error))?;
    // It did its work; how it ends changes nothing.
    connection.close().await.ok();
    Ok(SchemaVersion { was, is: newest() })
}

/// The last change that was made to the schema; 0 if there was none.
async fn version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass('convened_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !is_there {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM convened_migrations")
        .fetch_one(connection)
        .await
}

fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

fn not_migrated(database: String, error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(version) => OpenError::Newer { database, version, known: newest() },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            // duplicate_table: there is a table of that name which we did not make.
            if sqlstate(&error) == "42P07" {
                OpenError::Foreign { database }
            } else {
                failed(database, error)
            }
        }
        other => OpenError::Failed { database, source: StoreError::new(StoreErrorKind::Damaged, other) },
    }
}

fn failed(database: String, error: sqlx::Error) -> OpenError {
    let code = sqlstate(&error);
    match &error {
        // Invalid authorization, no such database, no right to do it.
        Error::Database(said) if code.starts_with("28") || code == "3D000" || code == "42501" => {
            OpenError::Refused { database, reason: said.message().to_owned() }
        }
        // A certificate of the server or of ours. Waiting does not make it good.
        Error::Tls(reason) => OpenError::Refused { database, reason: reason.to_string() },
        Error::Io(reason) if reason.kind() == ErrorKind::InvalidData => {
            OpenError::Refused { database, reason: reason.to_string() }
        }
        _ => OpenError::Failed { database, source: store_error(error) },
    }
}

/// For a call that finds the server back, but not as it should be.
pub(super) fn as_store_error(error: OpenError) -> StoreError {
    match error {
        OpenError::Failed { source, .. } => source,
        other => StoreError::new(StoreErrorKind::Unreachable, other),
    }
}
