//! The lock that keeps a second daemon from the same database.
//!
//! Owns: `FILE.lock`, an advisory lock with the holder's pid as text. SQLite's own locks allow two
//! daemons on one file, and both would then control the same conferences.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The lock, held until it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct FileLock(#[allow(dead_code, reason = "it is held, not used")] File);

/// Why the lock is not ours.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process has it; its pid, unless it has not been written yet.
    Held(Option<u32>),
    /// The file cannot be opened, locked or written.
    Io(io::Error),
}

impl FileLock {
    /// Takes the lock at once or not at all.
    pub(super) fn take(path: &Path) -> Result<Self, LockError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(read_pid(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        write_pid(&mut file).map_err(LockError::Io)?;
        Ok(Self(file))
    }
}

/// The file is never removed: whoever had opened it just before would then lock a file nobody sees.
fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
