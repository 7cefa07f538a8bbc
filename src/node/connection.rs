//! One connection to mod_event_socket up to the point where it may be used.
//!
//! ```text
//! dial ─▶ auth/request ─▶ auth | userauth ─▶ +OK accepted ─▶ ready
//!            │ text/rude-rejection   │ -ERR invalid
//!            ▼                       ▼
//!         Rejected               Credentials
//! ```

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::Decoder as _;

use super::commands::Reply;
use super::handle::Settings;
use super::outside::{Outside, Stream};
use crate::config::PasswordError;
use crate::esl::{Command, DecodeError, Decoder, Forbidden, Frame};

/// Room for what a busy switch sends in one of its steps of 20 ms.
const BUFFER: usize = 256 << 10;

/// Why there is no connection, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("cannot connect: {0}")]
    Dial(std::io::Error),
    #[error("no answer within {} ms while {during}", after.as_millis())]
    Silent { during: &'static str, after: Duration },
    #[error("FreeSWITCH refuses user or password ({0}): check `password` and `user` of this node")]
    Credentials(String),
    #[error(
        "FreeSWITCH's access list refuses this machine ({0}): see apply-inbound-acl in event_socket.conf"
    )]
    Rejected(String),
    #[error("the password cannot be used: {0}")]
    Password(#[from] PasswordError),
    #[error("the password cannot be sent: {0}")]
    Unsendable(#[from] Forbidden),
    #[error("FreeSWITCH does not allow {what}: {reply}")]
    Denied { what: &'static str, reply: String },
    #[error("FreeSWITCH closed the connection{}", .0.as_ref().map(|why| format!(" ({why})")).unwrap_or_default())]
    Closed(Option<String>),
    #[error("the other side does not speak Event Socket: {0}")]
    Protocol(String),
    #[error("the connection broke: {0}")]
    Broken(std::io::Error),
    #[error("nothing was heard for {} s, not even a HEARTBEAT", .0.as_secs())]
    Mute(Duration),
    #[error("for {} ms neither the event of a command nor anything else was heard", .0.as_millis())]
    Deaf(Duration),
    #[error("for {} ms no command was answered and no event came", .0.as_millis())]
    Dead(Duration),
    #[error("no command was answered in time for {} s", .0.as_secs())]
    Stuck(Duration),
}

impl Lost {
    /// Whether it was noticed by nothing having come.
    pub(super) fn is_silence(&self) -> bool {
        matches!(self, Self::Mute(_) | Self::Deaf(_))
    }

    /// Whether trying again soon is of no use: somebody has to change something.
    pub(super) fn needs_somebody(&self) -> bool {
        matches!(
            self,
            Self::Credentials(_)
                | Self::Rejected(_)
                | Self::Password(_)
                | Self::Unsendable(_)
                | Self::Denied { .. }
        )
    }
}

impl From<DecodeError> for Lost {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Io(error) => Self::Broken(error),
            error => Self::Protocol(error.to_string()),
        }
    }
}

/// A connection that has logged in.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    decoder: Decoder,
    buffer: BytesMut,
}

impl Connection {
    /// Dials and logs in, all within the node's time to connect.
    pub(super) async fn open(settings: &Settings, outside: &dyn Outside) -> Result<Self, Lost> {
        let allowed = settings.connect_timeout();
        let silent = |during| move |_| Lost::Silent { during, after: allowed };
        let dialled = tokio::time::timeout(allowed, outside.dial(&settings.node.address));
        let stream = dialled.await.map_err(silent("connecting"))?.map_err(Lost::Dial)?;
        let mut connection =
            Self { stream, decoder: Decoder::new(settings.limits), buffer: BytesMut::with_capacity(BUFFER) };
        let login = connection.log_in(settings);
        tokio::time::timeout(allowed, login).await.map_err(silent("logging in"))??;
        Ok(connection)
    }

    async fn log_in(&mut self, settings: &Settings) -> Result<(), Lost> {
        match self.next().await? {
            Frame::AuthRequest => {}
            Frame::RudeRejection(text) => {
                return Err(Lost::Rejected(String::from_utf8_lossy(&text).trim().to_owned()));
            }
            frame => return Err(Lost::Protocol(format!("expected auth/request, found {frame:?}"))),
        }
        let password = settings.node.read_password()?;
        let command = match &settings.node.user {
            Some(user) => Command::userauth(user, password.expose())?,
            None => Command::auth(password.expose())?,
        };
        let reply = self.ask(command).await?.text();
        if reply.starts_with("+OK") { Ok(()) } else { Err(Lost::Credentials(reply)) }
    }

    /// Sends one command and waits for its reply. Events that come in between are lost: only for a
    /// connection that has not subscribed yet.
    pub(super) async fn ask(&mut self, command: Command) -> Result<Reply, Lost> {
        self.stream.write_all(command.wire()).await.map_err(Lost::Broken)?;
        loop {
            if let Some(reply) = Reply::of(self.next().await?)? {
                return Ok(reply);
            }
        }
    }

    /// Sends one command; its reply is for whoever reads on.
    pub(super) async fn tell(&mut self, command: Command) -> Result<(), Lost> {
        self.stream.write_all(command.wire()).await.map_err(Lost::Broken)
    }

    /// Waits for the next frame.
    async fn next(&mut self) -> Result<Frame, Lost> {
        loop {
            if let Some(frame) = self.decode()? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }

    /// A frame that has been received already.
    pub(super) fn decode(&mut self) -> Result<Option<Frame>, Lost> {
        Ok(self.decoder.decode(&mut self.buffer)?)
    }

    /// Reads what has come. Nothing is lost if the future is dropped.
    pub(super) async fn fill(&mut self) -> Result<usize, Lost> {
        match self.stream.read_buf(&mut self.buffer).await.map_err(Lost::Broken)? {
            0 => Err(Lost::Closed(None)),
            read => Ok(read),
        }
    }

    /// Takes it apart, for somebody who reads and writes at the same time.
    pub(super) fn into_parts(self) -> (Box<dyn Stream>, Decoder, BytesMut) {
        (self.stream, self.decoder, self.buffer)
    }
}
