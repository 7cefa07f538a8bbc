//! One client's connection: reads commands, writes replies and events.
//!
//! Like a real listener it is one thread of control: while command bytes are waiting, no event is
//! written, and a client that does not read stops its own commands too.

use super::Shared;
use super::handle::Seen;
use super::queue::{Fate, Queue};
use crate::sim::events::Event;
use crate::sim::session::{MAX_COMMAND, Outcome, Request, Session};
use crate::sim::subscription::{Format, Subscription};
use crate::sim::text;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

/// What a client comes by.
pub(crate) trait Line: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Small answers leave at once.
    fn prepare(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// When it is dropped, what is on its way is lost.
    fn reset(&self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Line for TcpStream {
    fn prepare(&self) -> std::io::Result<()> {
        self.set_nodelay(true)
    }

    fn reset(&self) -> std::io::Result<()> {
        socket2::SockRef::from(self).set_linger(Some(Duration::ZERO))
    }
}

/// A reset of it is an end: losing what is on its way is left to the network.
impl Line for DuplexStream {}

/// Bytes of events written at once.
const BATCH: usize = 64 * 1024;

/// What a connection has been told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Run,
    /// Neither reads nor writes, and stays open.
    Stall,
    /// Ends, properly.
    Cut,
    /// Ends with a reset.
    Reset,
}

/// What others see of a connection.
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) mode: watch::Sender<Mode>,
    subscription: Mutex<Subscription>,
    queue: Mutex<Queue>,
    wake: Notify,
}

/// An event's frames, written once for all who want them.
pub(crate) struct Frames<'a> {
    event: &'a Event,
    plain: Option<Bytes>,
    json: Option<Bytes>,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(event: &'a Event) -> Self {
        Self { event, plain: None, json: None }
    }

    fn get(&mut self, format: Format) -> Bytes {
        let event = self.event;
        match format {
            Format::Plain => self.plain.get_or_insert_with(|| event.plain().into()).clone(),
            Format::Json => self.json.get_or_insert_with(|| event.json().into()).clone(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    /// Takes a new client in.
    pub(crate) fn open<S: Line>(stream: S, shared: &Arc<Shared>) {
        let (mode, told) = watch::channel(Mode::Run);
        let connection = shared.act(|state, _| {
            let connection = Arc::new(Connection {
                id: state.next_connection,
                mode,
                subscription: Mutex::default(),
                queue: Mutex::new(Queue::new(shared.queue)),
                wake: Notify::new(),
            });
            state.next_connection += 1;
            state.connections.insert(connection.id, Arc::clone(&connection));
            connection
        });
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let id = connection.id;
            let mut client = Client {
                stream,
                told,
                connection,
                shared: Arc::clone(&shared),
                session: Session::default(),
                input: Vec::new(),
                replies: VecDeque::new(),
                closing: false,
            };
            // Why a client went away is nobody's concern here.
            let _ = client.run().await;
            shared.act(|state, _| state.connections.remove(&id));
        });
    }

    /// An event for this client, if it wants it.
    pub(crate) fn offer(&self, event: &Event, frames: &mut Frames<'_>) {
        let format = {
            let subscription = locked(&self.subscription);
            if !subscription.wants(event) {
                return;
            }
            subscription.format
        };
        let fate = locked(&self.queue).push(frames.get(format));
        match fate {
            Fate::Queued => self.wake.notify_one(),
            Fate::Lost => {}
            Fate::GivenUp => {
                self.mode.send_replace(Mode::Cut);
            }
        }
    }

    /// Whether this connection listens to events.
    pub(crate) fn listens(&self) -> bool {
        locked(&self.subscription).listens()
    }

    /// Events waiting and events lost.
    pub(crate) fn queued(&self) -> (usize, usize) {
        let queue = locked(&self.queue);
        (queue.len(), queue.lost())
    }
}

struct Client<S> {
    stream: S,
    told: watch::Receiver<Mode>,
    connection: Arc<Connection>,
    shared: Arc<Shared>,
    session: Session,
    input: Vec<u8>,
    /// Answers and when they may be sent.
    replies: VecDeque<(Instant, Vec<u8>)>,
    closing: bool,
}

impl<S: Line> Client<S> {
    async fn run(&mut self) -> std::io::Result<()> {
        self.stream.prepare()?;
        let rude = self.shared.lock().faults.rude;
        if rude {
            return self.write(text::rude_rejection()).await;
        }
        self.write(text::auth_request()).await?;
        while self.turn().await? {}
        if *self.told.borrow() == Mode::Reset {
            return self.stream.reset();
        }
        self.stream.shutdown().await
    }

    /// One look around: orders first, then due answers, commands, events. False: the end.
    async fn turn(&mut self) -> std::io::Result<bool> {
        let mode = *self.told.borrow_and_update();
        match mode {
            Mode::Cut | Mode::Reset => return Ok(false),
            Mode::Stall => return Ok(self.told.changed().await.is_ok()),
            Mode::Run => {}
        }
        let now = Instant::now();
        let held = self.shared.lock().faults.held;
        if !held && self.replies.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, frames)) = self.replies.pop_front() else { return Ok(true) };
            self.write(frames).await?;
            return Ok(!(self.closing && self.replies.is_empty()));
        }
        if !self.closing
            && let Some(request) = Request::take(&mut self.input)
        {
            self.execute(&request);
            return Ok(true);
        }
        let due = self.replies.front().map(|(due, _)| *due).filter(|_| !held);
        let quiet = self.replies.is_empty();
        tokio::select! {
            biased;
            changed = self.told.changed() => Ok(changed.is_ok()),
            read = self.stream.read_buf(&mut self.input), if !self.closing => {
                Ok(read? > 0 && self.input.len() <= MAX_COMMAND)
            }
            () = sleep_until(due.unwrap_or(now)), if due.is_some() => Ok(true),
            () = self.connection.wake.notified(), if quiet => {
                self.write_events().await?;
                Ok(true)
            }
        }
    }

    fn execute(&mut self, request: &Request) {
        let (session, connection) = (&mut self.session, &self.connection);
        let (outcome, delay) = self.shared.act(|state, now| {
            let text = request.text();
            let trap = state.faults.trap(&text);
            let lateness = state.faults.lateness(&text);
            state.remember(Seen { connection: connection.id, text });
            if let Some(trap) = &trap {
                state.tell(trap.which, Mode::Cut);
            }
            let cut = *connection.mode.borrow() != Mode::Run;
            if cut && trap.is_some_and(|trap| !trap.executed) {
                return (Outcome::default(), Duration::ZERO);
            }
            let mut subscription = locked(&connection.subscription);
            let mut outcome = match state.faults.instead(&request.text()) {
                Some(frames) => Outcome { frames, close: false },
                None => session.answer(request, &state.keeper, &mut subscription, &mut state.world, now),
            };
            outcome.frames = state.faults.spoil(outcome.frames);
            (outcome, lateness)
        });
        self.closing = outcome.close;
        self.replies.push_back((Instant::now() + delay, outcome.frames));
    }

    async fn write_events(&mut self) -> std::io::Result<()> {
        let batch = locked(&self.connection.queue).take(BATCH);
        if locked(&self.connection.queue).len() > 0 {
            // More than one batch: come back after having looked for commands.
            self.connection.wake.notify_one();
        }
        self.write(batch).await
    }

    /// Writes, unless the connection is cut meanwhile.
    async fn write(&mut self, bytes: Vec<u8>) -> std::io::Result<()> {
        tokio::select! {
            biased;
            written = self.stream.write_all(&bytes) => written,
            _ = self.told.wait_for(|mode| matches!(mode, Mode::Cut | Mode::Reset)) => Ok(()),
        }
    }
}
