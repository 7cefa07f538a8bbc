//! Stands between a store and the server, and breaks a connection off in the moment of a commit.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::postgres::Postgres;

/// When it breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The server never hears of it.
    BeforeCommit,
    /// The server does it, but its answer is lost.
    AfterCommit,
}

/// A socket beside the server's.
pub(crate) struct Doorkeeper {
    folder: tempfile::TempDir,
    server: PathBuf,
    next: Arc<Mutex<Option<When>>>,
}

/// PostgreSQL's name of a socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

impl Doorkeeper {
    pub(crate) async fn before(server: &Postgres) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket");
        let door = Self { folder, server: server.folder().to_owned(), next: Arc::default() };
        let (socket, next) = (door.server.join(SOCKET), Arc::clone(&door.next));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, socket.clone(), Arc::clone(&next)));
            }
        });
        door
    }

    /// The server's URL with this door in place of its own.
    pub(crate) fn url(&self, url: &str) -> String {
        let (base, _) = url.split_once('?').expect("a URL with a host");
        format!("{base}?host={}", self.folder.path().display())
    }

    /// Breaks the connection off at the next commit.
    pub(crate) fn cut(&self, when: When) {
        *self.next.lock().expect("no panic") = Some(when);
    }
}

async fn pass(client: UnixStream, socket: impl AsRef<Path>, next: Arc<Mutex<Option<When>>>) {
    let server = UnixStream::connect(socket).await.expect("the server");
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        let said = &buffer[..length];
        // A simple query: `Q`, its length, its text.
        let commits = said.starts_with(b"Q") && said.windows(6).any(|part| part == b"COMMIT");
        let cut = if commits { next.lock().expect("no panic").take() } else { None };
        if cut == Some(When::BeforeCommit) {
            break;
        }
        if cut == Some(When::AfterCommit) {
            // Nothing comes back any more.
            back.abort();
        }
        if to_server.write_all(said).await.is_err() || cut.is_some() {
            break;
        }
    }
    back.abort();
}
