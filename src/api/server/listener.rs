//! One place that is listened on, and what arrives there.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tracing::debug;

use super::super::ApiError;
use super::super::connection::say_goodbye;
use super::socket::{self, SocketFile};
use crate::config::{self, Listen};
use crate::peer::Peer;
use crate::tls::{Certificate, Files, TlsError};

/// Bytes to a client and back.
pub(in crate::api) type Stream = Either<Either<TcpStream, UnixStream>, Box<TlsStream<TcpStream>>>;

/// A place could not be listened on.
#[derive(Debug)]
pub struct BindError {
    /// The place as it was configured.
    pub place: Listen,
    /// What is the matter with it.
    pub source: NotBound,
}

/// Why a place could not be listened on.
#[derive(Debug, thiserror::Error)]
pub enum NotBound {
    /// What the system said.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The library of TLS refuses.
    #[error(transparent)]
    Library(#[from] tokio_rustls::rustls::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        let source = match &self.source {
            NotBound::Io(source) => source,
            other => return write!(f, "{place}: {other}"),
        };
        let is_socket = matches!(place, Listen::Unix(_));
        match source.kind() {
            io::ErrorKind::AddrInUse if is_socket => write!(f, "{place}: another program listens there"),
            io::ErrorKind::AddrInUse => write!(f, "{place}: the port is taken by another program"),
            io::ErrorKind::AddrNotAvailable => write!(f, "{place}: this machine does not have the address"),
            io::ErrorKind::PermissionDenied if is_socket => write!(f, "{place}: not allowed to make it"),
            io::ErrorKind::PermissionDenied => write!(f, "{place}: not allowed to listen on this port"),
            io::ErrorKind::AlreadyExists => write!(f, "{place}: there is a file that is no socket"),
            io::ErrorKind::NotFound => write!(f, "{place}: its directory does not exist"),
            _ => write!(f, "{place}: cannot be listened on: {source}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// A place that is listened on.
#[derive(Debug)]
pub(super) struct Listener {
    /// With the real port.
    pub(super) place: Listen,
    socket: Socket,
}

enum Socket {
    Plain(TcpListener),
    Tls(TcpListener, TlsAcceptor),
    // The file goes first, so that nobody finds one that does not answer.
    Unix { _file: SocketFile, listener: UnixListener },
}

/// A connection that was accepted.
pub(in crate::api) struct Arrived {
    /// Who it is.
    pub(in crate::api) peer: Peer,
    raw: Raw,
}

enum Raw {
    Tcp(TcpStream),
    Tls(TcpStream, TlsAcceptor),
    Unix(UnixStream),
}

/// All places of a configuration, and the certificate if one of them needs it.
///
/// # Errors
/// The first place that cannot be listened on.
pub(super) async fn bind_all(
    settings: &config::Api,
) -> Result<(Vec<Listener>, Option<Arc<Certificate>>), BindError> {
    let mut certificate = None;
    let mut listeners = Vec::new();
    for place in &settings.listen {
        let listener = Listener::bind(place, settings, &mut certificate).await;
        listeners.push(listener.map_err(|source| BindError { place: place.clone(), source })?);
    }
    Ok((listeners, certificate))
}

impl Listener {
    async fn bind(
        place: &Listen,
        settings: &config::Api,
        certificate: &mut Option<Arc<Certificate>>,
    ) -> Result<Self, NotBound> {
        let socket = match place {
            Listen::Plain(address) => Socket::Plain(TcpListener::bind(address).await?),
            Listen::Tls(address) => {
                let certificate = match certificate {
                    Some(certificate) => certificate.clone(),
                    None => certificate.insert(Arc::new(files(settings)?.read()?)).clone(),
                };
                Socket::Tls(TcpListener::bind(address).await?, certificate.acceptor()?)
            }
            Listen::Unix(path) => Socket::unix(path, settings).await?,
        };
        let place = match &socket {
            Socket::Plain(listener) => Listen::Plain(listener.local_addr()?),
            Socket::Tls(listener, _) => Listen::Tls(listener.local_addr()?),
            Socket::Unix { .. } => place.clone(),
        };
        Ok(Self { place, socket })
    }

    /// The next connection.
    ///
    /// # Errors
    /// As accept(2).
    pub(super) async fn accept(&self) -> io::Result<Arrived> {
        match &self.socket {
            Socket::Plain(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok(Arrived { peer: address.into(), raw: Raw::Tcp(stream) })
            }
            Socket::Tls(listener, acceptor) => {
                let (stream, address) = listener.accept().await?;
                Ok(Arrived { peer: address.into(), raw: Raw::Tls(stream, acceptor.clone()) })
            }
            Socket::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred().ok().map(|credentials| credentials.uid());
                Ok(Arrived { peer: Peer::Unix { uid }, raw: Raw::Unix(stream) })
            }
        }
    }
}

fn files(settings: &config::Api) -> Result<Files, TlsError> {
    settings.tls_files().ok_or_else(|| TlsError {
        file: "api.tls_certificate".into(),
        why: "and api.tls_key are needed for an address of TLS".into(),
    })
}

impl Socket {
    async fn unix(path: &Path, settings: &config::Api) -> io::Result<Self> {
        let (file, listener) = socket::bind(path, settings.socket_mode).await?;
        Ok(Self::Unix { _file: file, listener })
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Tls(..) => "Tls",
            Self::Unix { .. } => "Unix",
        })
    }
}

impl Arrived {
    /// Makes it one that HTTP is spoken on. `None`: the client has gone, or does not speak TLS where it should.
    /// Takes as long as the client likes: the caller limits it.
    pub(in crate::api) async fn open(self) -> Option<Stream> {
        let peer = self.peer;
        let tcp = match &self.raw {
            Raw::Tcp(stream) | Raw::Tls(stream, _) => Some(stream),
            Raw::Unix(_) => None,
        };
        // An answer is written at once; waiting for more would only delay it.
        if let Some(Err(error)) = tcp.map(|stream| stream.set_nodelay(true)) {
            debug!(%peer, %error, "TCP_NODELAY was refused");
        }
        match self.raw {
            Raw::Tcp(stream) => Some(Either::Left(Either::Left(stream))),
            Raw::Unix(stream) => Some(Either::Left(Either::Right(stream))),
            Raw::Tls(stream, acceptor) => {
                let mut first = [0];
                // A handshake begins with 22 (RFC 8446, 5.1), a request with the letter of a method.
                if stream.peek(&mut first).await.is_ok_and(|_| first[0].is_ascii_uppercase()) {
                    debug!(%peer, "HTTP without TLS where TLS is spoken");
                    let hint = "this address speaks TLS: ask for https://";
                    say_goodbye(stream, &ApiError::invalid_request(hint)).await;
                    return None;
                }
                match acceptor.accept(stream).await {
                    Ok(stream) => Some(Either::Right(Box::new(stream))),
                    Err(error) => {
                        debug!(%peer, %error, "TLS was not agreed on");
                        None
                    }
                }
            }
        }
    }
}
