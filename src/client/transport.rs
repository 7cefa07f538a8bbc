//! Bytes to the API and back, whichever way.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::{Address, Way};
use crate::tls::Trust;

/// A host that does not even refuse is given up after this.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A connection of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// Connects. A certificate has to come from the roots of the file, or of the system if there is none.
///
/// # Errors
/// As the system says, or that it took too long.
pub(super) async fn connect(address: &Address, roots: Option<&Path>) -> io::Result<Box<dyn Stream>> {
    let connecting = async {
        Ok(match &address.way {
            Way::Tcp(host, port) => Box::new(tcp(host, *port).await?) as Box<dyn Stream>,
            Way::Tls(host, port) => {
                let trust = Trust::load(roots).map_err(io::Error::other)?;
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let stream = tcp(host, *port).await?;
                Box::new(trust.connector().connect(name, stream).await?)
            }
            Way::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    };
    timeout(CONNECT_WITHIN, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
