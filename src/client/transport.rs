//! Bytes to the API and back, whichever way.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::{Address, Way};

/// A host that does not even refuse is given up after this.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A connection of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// Connects.
///
/// # Errors
/// As the system says, or that it took too long.
pub(super) async fn connect(address: &Address) -> io::Result<Box<dyn Stream>> {
    match &address.way {
        Way::Tcp(host, port) => {
            let connecting = TcpStream::connect((host.as_str(), *port));
            let stream = timeout(CONNECT_WITHIN, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}
