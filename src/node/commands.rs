//! The command connection: pipelined, matched first in, first out.
//!
//! FreeSWITCH executes `api` commands of one connection in order and answers in order, so that the n-th
//! reply belongs to the n-th command. Somebody who stopped waiting keeps his place: his reply is dropped
//! when it comes, and not handed to the next one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::codec::Decoder as _;

use super::backoff::Backoff;
use super::connection::{Connection, Lost};
use crate::esl::{Command, Forbidden, Frame, Headers};

/// Commands that may wait to be sent; beyond that a caller waits for a place, within his deadline.
const WAITING: usize = 1_024;
/// Commands that may be on their way; beyond that sending waits for replies.
const IN_FLIGHT: usize = 4_096;
/// Bytes gathered into one write.
const BATCH: usize = 64 << 10;

/// What FreeSWITCH answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What an `api` command printed.
    Printed(Bytes),
    /// The answer to any other command, and to an `api` command that the user is not allowed.
    Replied(Headers),
    /// The answer was longer than the limit, in octets.
    TooLarge {
        /// What it has.
        length: u64,
        /// What is allowed.
        limit: u64,
    },
}

impl Reply {
    /// The reply in a frame; frames that answer nothing give `None`.
    pub(super) fn of(frame: Frame) -> Result<Option<Self>, Lost> {
        Ok(Some(match frame {
            Frame::ApiResponse(printed) => Self::Printed(printed),
            Frame::CommandReply(headers) => Self::Replied(headers),
            // It has its place in the line, whatever it says.
            Frame::TooLarge { content_type, length, limit }
                if content_type == "api/response" || content_type == "command/reply" =>
            {
                Self::TooLarge { length, limit }
            }
            Frame::DisconnectNotice(text) | Frame::RudeRejection(text) => {
                let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
                return Err(Lost::Closed(Some(String::from_utf8_lossy(first).into_owned())));
            }
            Frame::AuthRequest => return Err(Lost::Protocol("auth/request after the login".into())),
            Frame::Other(headers) => {
                let kind = headers.get("Content-Type").unwrap_or_default();
                return Err(Lost::Protocol(format!("something that is no answer: Content-Type {kind:?}")));
            }
            Frame::Event(_) | Frame::TooLarge { .. } => return Ok(None),
        }))
    }

    /// The reply as text, whatever kind it is.
    pub fn text(&self) -> String {
        match self {
            Self::Printed(printed) => String::from_utf8_lossy(printed).into_owned(),
            Self::Replied(headers) => headers.reply_text().into_owned(),
            Self::TooLarge { length, limit } => format!("{length} octets, more than the {limit} allowed"),
        }
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no connection: the command was not sent.
    #[error("there is no connection to the node")]
    Unavailable,
    /// The connection broke after it was sent, or may have been: the outcome is unknown.
    #[error("the connection broke before the reply came")]
    Interrupted,
    /// No reply in time: the outcome is unknown.
    #[error("the node did not answer in time")]
    Timeout,
    /// It cannot be sent.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

struct Request {
    command: Command,
    reply: oneshot::Sender<Result<Reply, CommandError>>,
}

/// Sends commands; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Commands {
    requests: mpsc::Sender<Request>,
    connected: watch::Receiver<bool>,
    doubted: broadcast::Sender<Doubt>,
    answers: Arc<AtomicU64>,
}

/// Why somebody has lost his faith in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The answers are those of other commands.
    Mixed,
    /// No answer for so long, and nothing was heard on the event connection either.
    Dead(Duration),
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.command.fmt(f)
    }
}

impl Commands {
    /// The two ends: one for everybody, one for the task that has the connection.
    pub(super) fn new() -> (Self, Pipeline) {
        let (requests, waiting) = mpsc::channel(WAITING);
        let (connection, connected) = watch::channel(false);
        let (doubted, answers) = (broadcast::Sender::new(1), Arc::new(AtomicU64::new(0)));
        let pipeline = Pipeline { waiting, connection, doubted: doubted.clone(), answers: answers.clone() };
        (Self { requests, connected, doubted, answers }, pipeline)
    }

    pub(super) fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Waits until there is a connection.
    pub(super) async fn connected(&self) {
        let mut connected = self.connected.clone();
        // An error means that the task has ended; then nobody waits for long.
        let _ = connected.wait_for(|connected| *connected).await;
    }

    /// How often something was read on command connections.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// The connection is of no use any more: it is made anew, and who waits learns that the outcome is unknown.
    pub(super) fn doubt(&self, why: Doubt) {
        // Nobody listens while there is no connection; then there is nothing to doubt.
        let _ = self.doubted.send(why);
    }

    /// Sends a command and waits for its reply.
    pub(super) async fn send(&self, command: Command, within: Duration) -> Result<Reply, CommandError> {
        if !self.is_connected() {
            return Err(CommandError::Unavailable);
        }
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            let sent = self.requests.send(Request { command, reply }).await;
            sent.map_err(|_| CommandError::Unavailable)?;
            answer.await.unwrap_or(Err(CommandError::Interrupted))
        };
        tokio::time::timeout(within, exchange).await.unwrap_or(Err(CommandError::Timeout))
    }
}

/// The other end: takes the commands to FreeSWITCH while there is a connection.
pub(super) struct Pipeline {
    waiting: mpsc::Receiver<Request>,
    connection: watch::Sender<bool>,
    doubted: broadcast::Sender<Doubt>,
    answers: Arc<AtomicU64>,
}

impl Pipeline {
    /// Serves one connection to its end. The backoff begins anew once a command has been answered.
    pub(super) async fn run(
        &mut self,
        connection: Connection,
        stuck_after: Duration,
        backoff: &mut Backoff,
    ) -> Lost {
        let mut in_flight = VecDeque::new();
        self.connection.send_replace(true);
        let lost = self.pump(connection, &mut in_flight, stuck_after, backoff).await;
        self.connection.send_replace(false);
        // Whoever waits learns at once; dropping his sender says "interrupted".
        drop(in_flight);
        self.refuse_waiting();
        lost
    }

    /// Waits before the next attempt, without letting anybody wait for it.
    pub(super) async fn pause(&mut self, time: Duration) {
        let end = tokio::time::sleep(time);
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return,
                request = self.waiting.recv() => match request {
                    Some(request) => refuse(request),
                    None => return end.await,
                },
            }
        }
    }

    fn refuse_waiting(&mut self) {
        while let Ok(request) = self.waiting.try_recv() {
            refuse(request);
        }
    }

    async fn pump(
        &mut self,
        connection: Connection,
        in_flight: &mut VecDeque<InFlight>,
        stuck_after: Duration,
        backoff: &mut Backoff,
    ) -> Lost {
        let (stream, mut decoder, mut received) = connection.into_parts();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut to_send = BytesMut::new();
        // A reply that has got lost shifts all that follow: each of them comes too late, for ever.
        let mut timely = Instant::now();
        // Doubts of the connection before do not count.
        let mut doubts = self.doubted.subscribe();
        loop {
            let stuck = (!in_flight.is_empty()).then(|| timely + stuck_after);
            // What is bounded goes first, so that nothing is kept from its turn.
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(stuck.unwrap_or_else(Instant::now)), if stuck.is_some() => {
                    return Lost::Stuck(stuck_after);
                }
                Ok(doubt) = doubts.recv() => {
                    return match doubt {
                        Doubt::Mixed => Lost::Protocol("commands get the answers of others".into()),
                        Doubt::Dead(after) => Lost::Dead(after),
                    };
                }
                written = writer.write_buf(&mut to_send), if !to_send.is_empty() => {
                    if let Err(error) = written {
                        return Lost::Broken(error);
                    }
                }
                request = self.waiting.recv(), if in_flight.len() < IN_FLIGHT && to_send.len() < BATCH => {
                    let Some(request) = request else { return Lost::Closed(None) };
                    if in_flight.is_empty() {
                        timely = Instant::now();
                    }
                    take(request, &mut to_send, in_flight);
                    while to_send.len() < BATCH && in_flight.len() < IN_FLIGHT && let Ok(request) = self.waiting.try_recv() {
                        take(request, &mut to_send, in_flight);
                    }
                }
                read = reader.read_buf(&mut received) => {
                    match read {
                        Ok(0) => return Lost::Closed(None),
                        Ok(_) => {
                            self.answers.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => return Lost::Broken(error),
                    }
                    loop {
                        match decoder.decode(&mut received) {
                            Ok(Some(frame)) => match answer(frame, in_flight) {
                                Ok(heard) => {
                                    backoff.reset();
                                    timely = if heard { Instant::now() } else { timely };
                                }
                                Err(lost) => return lost,
                            },
                            Ok(None) => break,
                            Err(error) => return error.into(),
                        }
                    }
                }
            }
        }
    }
}

struct InFlight {
    /// An `api` command: only such a one prints something.
    prints: bool,
    reply: oneshot::Sender<Result<Reply, CommandError>>,
}

fn refuse(request: Request) {
    // Who has stopped waiting does not care.
    let _ = request.reply.send(Err(CommandError::Unavailable));
}

/// Puts a command in line, unless nobody waits for it any more.
fn take(request: Request, to_send: &mut BytesMut, in_flight: &mut VecDeque<InFlight>) {
    if !request.reply.is_closed() {
        to_send.extend_from_slice(request.command.wire());
        in_flight.push_back(InFlight { prints: request.command.is_api(), reply: request.reply });
    }
}

/// Gives a reply to the one who is first in line. Says whether he was still waiting.
fn answer(frame: Frame, in_flight: &mut VecDeque<InFlight>) -> Result<bool, Lost> {
    let Some(reply) = Reply::of(frame)? else { return Ok(false) };
    match in_flight.pop_front() {
        // An answer has got lost, and each that follows would go to the wrong one.
        Some(command) if !command.prints && matches!(reply, Reply::Printed(_)) => {
            Err(Lost::Protocol(format!("the answer of another command: {}", shortened(&reply.text()))))
        }
        Some(command) => Ok(command.reply.send(Ok(reply)).is_ok()),
        None => Err(Lost::Protocol(format!("a reply that nobody asked for: {}", shortened(&reply.text())))),
    }
}

/// So much of an answer that a log line can hold it.
fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}
