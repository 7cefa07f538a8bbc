//! The file of a unix socket: made, given its permissions, taken away at the end.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::config::SocketMode;

/// The file, which goes when this is dropped; unless somebody else has put another one in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

/// Listens. A socket that a dead process has left behind is replaced.
///
/// # Errors
/// As the system says; `AddrInUse` if somebody answers there, `AlreadyExists` if it is no socket.
pub(super) async fn bind(path: &Path, mode: SocketMode) -> io::Result<(SocketFile, UnixListener)> {
    if let Ok(found) = std::fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        match UnixStream::connect(path).await {
            // Nobody holds it any more.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let listener = UnixListener::bind(path)?;
    let made = std::fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), identity: (made.dev(), made.ino()) };
    // Nobody needs more than to write (unix(7)), and until here nobody could who may not: a umask that lets
    // everybody write is the operator's own doing.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode.0))?;
    Ok((file, listener))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = std::fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity)
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(%error, file = %self.path.display(), "the socket cannot be taken away");
        }
    }
}
