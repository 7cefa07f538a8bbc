//! What can go wrong with a store, as types that answer questions.
//!
//! Owns: telling a full disk from a read-only one, and a refusal (the caller's doing) from a failure
//! (the database's). Leaves to the caller what to say about it to whom.

use std::path::PathBuf;

use super::ImportError;

/// The database failed: this call did nothing (but see [`StoreErrorKind::Unconfirmed`]), the next one
/// may work.
#[derive(Debug, thiserror::Error)]
#[error("the database {}: {source}", kind.says())]
pub struct StoreError {
    kind: StoreErrorKind,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// In which way the database failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// No room: of the disk, or by the ceiling in the settings.
    DiskFull,
    /// The file or its file system may not be written.
    ReadOnly,
    /// Another process held its lock longer than we wait.
    Busy,
    /// Reading or writing the file failed.
    Io,
    /// What is in the file makes no sense; a case for the backup.
    Damaged,
    /// The server cannot be reached, or stopped answering.
    Unreachable,
    /// The server stopped answering in the moment of the commit: the write may have happened.
    Unconfirmed,
    /// The store was closed.
    Closed,
    /// Anything else; a mistake of ours.
    Internal,
}

impl StoreErrorKind {
    fn says(self) -> &'static str {
        match self {
            Self::DiskFull => "has no room",
            Self::ReadOnly => "may not be written",
            Self::Busy => "is locked by another process",
            Self::Io => "cannot be read or written",
            Self::Damaged => "is damaged",
            Self::Unreachable => "does not answer",
            Self::Unconfirmed => "did not confirm a write, which may have happened or not",
            Self::Closed => "is closed",
            Self::Internal => "refused a statement",
        }
    }
}

impl StoreError {
    /// An error of this kind with what lies behind it.
    pub(crate) fn new(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { kind, source: source.into() }
    }

    /// A document whose text is no JSON object: somebody else wrote it.
    pub(crate) fn damaged_document(id: &str, why: impl std::fmt::Display) -> Self {
        Self::new(StoreErrorKind::Damaged, format!("document {id}: {why}"))
    }

    /// In which way it failed.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the same call may work later, without a change of program or data: 503 rather than 500.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        !matches!(self.kind, StoreErrorKind::Internal | StoreErrorKind::Damaged)
    }

    /// Whether a write may have happened all the same.
    #[must_use]
    pub fn is_unconfirmed(&self) -> bool {
        self.kind == StoreErrorKind::Unconfirmed
    }

    /// Whether there was no room.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        self.kind == StoreErrorKind::DiskFull
    }

    /// Whether the file may not be written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.kind == StoreErrorKind::ReadOnly
    }
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another document of the account has this number.
    #[error("the number {0} is in use")]
    NumberInUse(String),
    /// There is no such document in that account.
    #[error("no such document")]
    Missing,
    /// The document has another revision than expected.
    #[error("the revision is {current} now")]
    Revision {
        /// The one it has.
        current: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a transaction does not commit.
pub(super) trait Ending: From<StoreError> {
    /// Whether the database failed, rather than that it was not as it had to be for this write.
    fn is_failure(&self) -> bool;
}

impl Ending for StoreError {
    fn is_failure(&self) -> bool {
        true
    }
}

impl Ending for WriteError {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

impl Ending for ImportError {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

/// Why a database could not be opened. Each text names the file and says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is not there.
    #[error("{}: the directory of the database does not exist", path.display())]
    DirectoryMissing {
        /// The directory.
        path: PathBuf,
    },
    /// The path names something that is no regular file.
    #[error("{}: is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be opened for reading and writing.
    #[error("{}: cannot be opened for reading and writing: {source}", path.display())]
    NotAccessible {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no SQLite database.
    #[error("{}: is not an SQLite database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of some other program; it is left alone.
    #[error("{database}: is a database, but not one of convened")]
    Foreign {
        /// Its path, or its URL without the password.
        database: String,
    },
    /// A newer program has written it.
    #[error(
        "{database}: has schema version {version}, this program knows only {known}; install the newer one"
    )]
    Newer {
        /// Its path, or its URL without the password.
        database: String,
        /// The version it has.
        version: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The schema must be changed first, and a daemon that runs on it prevents that.
    #[error("{}: is used by an older convened with pid {}; restart that first", path.display(), pid_text(*pid))]
    Older {
        /// The file.
        path: PathBuf,
        /// The daemon.
        pid: Option<u32>,
    },
    /// Another daemon has it.
    #[error("{}: is in use by the convened with pid {}", path.display(), pid_text(*pid))]
    InUse {
        /// The file.
        path: PathBuf,
        /// The daemon; unknown in the instant in which it takes the lock.
        pid: Option<u32>,
    },
    /// The URL is none.
    #[error("{reason}")]
    BadUrl {
        /// What is wrong with it, without any part of it that may be secret.
        reason: String,
    },
    /// The server answers, but one of us refuses the other: the password, the name of the database,
    /// rights, a certificate.
    #[error("{database}: is refused: {reason}")]
    Refused {
        /// Its URL without the password.
        database: String,
        /// What the server said, or what is wrong with its certificate.
        reason: String,
    },
    /// Text of every language must fit into it.
    #[error("{database}: has the encoding {encoding}; create the database with ENCODING 'UTF8'")]
    Encoding {
        /// Its path, or its URL without the password.
        database: String,
        /// The encoding that it has.
        encoding: String,
    },
    /// It is a database of ours, but it cannot be brought up.
    #[error("{database}: {source}")]
    Failed {
        /// Its path, or its URL without the password.
        database: String,
        /// What the database said.
        source: StoreError,
    },
}

fn pid_text(pid: Option<u32>) -> String {
    pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
}

impl OpenError {
    /// Whether another process has the database, so that starting again at once is of no use.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. } | Self::Older { .. })
    }

    /// Whether trying again later may do: a server that does not answer.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Failed { source, .. } if source.kind() == StoreErrorKind::Unreachable)
    }
}
