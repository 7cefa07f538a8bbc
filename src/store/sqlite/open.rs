//! Opening a database: look at the file, lock it, bring the schema up to date.
//!
//! Owns: every way in which that can fail, each with its own error. What is not certainly ours is not
//! written to.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{ConnectOptions, SqliteConnection};

use super::super::{OpenError, SchemaVersion, StoreError, StoreErrorKind};
use super::failure::{result_code, store_error};
use super::lock::{FileLock, LockError};
use super::writer::Writer;
use super::{SqliteSettings, SqliteStore, connection};

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/sqlite/migrations");

/// `PRAGMA application_id` of our databases, set by the first migration: "conv".
const APPLICATION_ID: i64 = 0x636f_6e76;

/// The first bytes of every SQLite file.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

pub(super) async fn for_daemon(settings: SqliteSettings) -> Result<SqliteStore, OpenError> {
    let path = prepare(&settings.path)?;
    let lock = FileLock::take(&lock_path(&path)).map_err(|error| locked(&path, error, false))?;
    let mut writer = connect(&path, &settings).await?;
    let schema = migrate(&path, &mut writer).await?;
    Ok(store(path, &settings, schema, writer, Some(lock)))
}

pub(super) async fn beside_a_daemon(settings: SqliteSettings) -> Result<SqliteStore, OpenError> {
    let path = prepare(&settings.path)?;
    let (schema, writer) = match current(&path, &settings).await? {
        Some(writer) => (SchemaVersion { was: newest(), is: newest() }, writer),
        None => {
            // Held only while the schema is changed.
            let _lock = FileLock::take(&lock_path(&path)).map_err(|error| locked(&path, error, true))?;
            let mut writer = connect(&path, &settings).await?;
            (migrate(&path, &mut writer).await?, writer)
        }
    };
    Ok(store(path, &settings, schema, writer, None))
}

fn store(
    path: PathBuf,
    settings: &SqliteSettings,
    schema: SchemaVersion,
    writer: SqliteConnection,
    lock: Option<FileLock>,
) -> SqliteStore {
    let readers = connection::readers(&path, settings);
    let writer = Writer::new(connection::writing(&path, settings), writer);
    SqliteStore { path, schema, writer, readers, lock: Mutex::new(lock) }
}

/// Creates the file if need be, and answers its one true path: two daemons that name it by different
/// symbolic links must meet at the same lock.
fn prepare(path: &Path) -> Result<PathBuf, OpenError> {
    let inaccessible = |source| OpenError::NotAccessible { path: path.to_owned(), source };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => return Err(OpenError::NotAFile { path: path.to_owned() }),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound && !directory.is_dir() => {
            return Err(OpenError::DirectoryMissing { path: directory.to_owned() });
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(inaccessible(error)),
    }
    // SQLite gives the WAL the mode of the database.
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(inaccessible)?;
    // SQLite would find out as well, but only after a lock file was put beside a file that is not ours.
    let mut magic = Vec::with_capacity(MAGIC.len());
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(inaccessible)?;
    if !magic.is_empty() && magic != MAGIC {
        return Err(OpenError::NotADatabase { path: path.to_owned() });
    }
    let path = fs::canonicalize(path).map_err(inaccessible)?;
    if magic.is_empty() {
        sync_directory_of(&path).map_err(inaccessible)?;
    }
    Ok(path)
}

/// A new file is there after a power cut only if its directory was synced.
fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    PathBuf::from(name)
}

fn locked(path: &Path, error: LockError, older: bool) -> OpenError {
    match error {
        LockError::Held(pid) if older => OpenError::Older { path: path.to_owned(), pid },
        LockError::Held(pid) => OpenError::InUse { path: path.to_owned(), pid },
        LockError::Io(source) => OpenError::NotAccessible { path: lock_path(path), source },
    }
}

async fn connect(path: &Path, settings: &SqliteSettings) -> Result<SqliteConnection, OpenError> {
    let mut writer =
        connection::writing(path, settings).connect().await.map_err(|error| failed(path, error))?;
    let ours = is_ours(&mut writer).await.map_err(|error| failed(path, error))?;
    if ours { Ok(writer) } else { Err(OpenError::Foreign { database: named(path) }) }
}

/// Ours is what bears our mark, and what has nothing in it yet (sqlx makes its own table first).
async fn is_ours(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let id: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name <> '_sqlx_migrations'",
    )
    .fetch_one(connection)
    .await?;
    Ok(id == APPLICATION_ID || (id == 0 && tables == 0))
}

/// A connection to a database that needs no change, or none if it does.
async fn current(path: &Path, settings: &SqliteSettings) -> Result<Option<SqliteConnection>, OpenError> {
    if fs::metadata(path).is_ok_and(|found| found.len() == 0) {
        return Ok(None);
    }
    let mut writer = connect(path, settings).await?;
    match version(path, &mut writer).await? {
        version if version > newest() => Err(newer(path, version)),
        version => Ok((version == newest()).then_some(writer)),
    }
}

/// The last change that was made to the schema; 0 if there was none.
async fn version(path: &Path, connection: &mut SqliteConnection) -> Result<i64, OpenError> {
    let applied: Result<Option<i64>, _> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(connection).await;
    match applied {
        Ok(version) => Ok(version.unwrap_or(0)),
        // The table is not there: a new file, or a daemon that was killed at its very first start.
        Err(error) if result_code(&error) == 1 => Ok(0),
        Err(error) => Err(failed(path, error)),
    }
}

fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

async fn migrate(path: &Path, writer: &mut SqliteConnection) -> Result<SchemaVersion, OpenError> {
    let was = version(path, writer).await?;
    MIGRATIONS.run_direct(None, writer, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => newer(path, version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failed(path, error),
        other => {
            let source = StoreError::new(StoreErrorKind::Damaged, other);
            OpenError::Failed { database: named(path), source }
        }
    })?;
    Ok(SchemaVersion { was, is: newest() })
}

fn newer(path: &Path, version: i64) -> OpenError {
    OpenError::Newer { database: named(path), version, known: newest() }
}

fn failed(path: &Path, error: sqlx::Error) -> OpenError {
    match result_code(&error) {
        26 => OpenError::NotADatabase { path: path.to_owned() },
        _ => OpenError::Failed { database: named(path), source: store_error(error) },
    }
}

fn named(path: &Path) -> String {
    path.display().to_string()
}
