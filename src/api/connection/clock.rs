//! What a connection is doing and until when it may.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until};

use super::super::server::Stream;
use super::super::traffic::Counted;
use super::Limits;

/// What a connection is doing; the diagram is in [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for a request.
    Idle,
    /// Receives the head of one.
    Head,
    /// Reads its body or makes the answer.
    Busy,
    /// Sends an answer piece by piece.
    Sending,
}

/// The phase, its end, and whom to tell of a new end.
pub(super) struct Clock {
    now: Mutex<Now>,
    idle_timeout: Duration,
    header_timeout: Duration,
}

struct Now {
    phase: Phase,
    deadline: Option<Instant>,
    /// Whether the last answer has left hyper's buffer as far as is known.
    is_answer_sent: bool,
    /// Of the connection's task, if it waits for no deadline at all.
    waker: Option<Waker>,
}

impl Clock {
    /// The clock of a connection that was accepted just now. It has not earned the patience that an
    /// idle one has, but is not told off either: some clients connect before they need to.
    pub(super) fn new(limits: &Limits) -> Self {
        let deadline = Some(Instant::now() + limits.header_timeout);
        Self {
            now: Mutex::new(Now { phase: Phase::Idle, deadline, is_answer_sent: true, waker: None }),
            idle_timeout: limits.idle_timeout,
            header_timeout: limits.header_timeout,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        // Nothing that could panic is done under the lock.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes to a phase, from whichever.
    pub(super) fn enter(&self, phase: Phase) {
        let deadline = match phase {
            // Who takes no piece for so long is not there any more.
            Phase::Idle | Phase::Sending => Some(Instant::now() + self.idle_timeout),
            Phase::Head => Some(Instant::now() + self.header_timeout),
            Phase::Busy => None,
        };
        let mut now = self.lock();
        (now.phase, now.deadline) = (phase, deadline);
        if matches!(phase, Phase::Busy | Phase::Sending) {
            now.is_answer_sent = false;
        }
        let waker = now.waker.take();
        drop(now);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Bytes arrived: the end of idleness.
    fn heard(&self) {
        let is_idle = self.lock().phase == Phase::Idle;
        if is_idle {
            self.enter(Phase::Head);
        }
    }

    /// hyper flushes the socket when its own buffer is empty.
    fn flushed(&self) {
        let mut now = self.lock();
        if matches!(now.phase, Phase::Idle | Phase::Head) {
            now.is_answer_sent = true;
        }
    }

    /// Whether bytes written past hyper would not land in the middle of an answer.
    pub(super) fn is_answer_sent(&self) -> bool {
        self.lock().is_answer_sent
    }

    /// Resolves when a phase lasts too long, to that phase. To be polled after the connection, whose
    /// polling changes the phase.
    pub(super) async fn expired(&self) -> Phase {
        let mut sleep = pin!(sleep_until(Instant::now()));
        poll_fn(|cx| {
            let (phase, deadline) = {
                let mut now = self.lock();
                if now.deadline.is_none() {
                    now.waker = Some(cx.waker().clone());
                }
                (now.phase, now.deadline)
            };
            let Some(deadline) = deadline else { return Poll::Pending };
            if sleep.deadline() != deadline {
                sleep.as_mut().reset(deadline);
            }
            sleep.as_mut().poll(cx).map(|()| phase)
        })
        .await
    }
}

/// Held by all that is still to be done for a request; when the last one is gone, the connection is
/// idle.
pub(in crate::api) struct Errand(Arc<Clock>);

impl Errand {
    /// Something to do, from now on.
    pub(super) fn begin(clock: &Arc<Clock>) -> Arc<Self> {
        clock.enter(Phase::Busy);
        Arc::new(Self(Arc::clone(clock)))
    }

    /// One more piece of the answer is on its way.
    pub(super) fn goes_on(&self) {
        self.0.enter(Phase::Sending);
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

/// The socket; tells the clock when it hears something, and keeps its place among the connections.
pub(super) struct Watched {
    stream: Stream,
    clock: Arc<Clock>,
    _place: OwnedSemaphorePermit,
    _open: Counted,
}

impl Watched {
    pub(super) fn new(stream: Stream, place: OwnedSemaphorePermit, open: Counted, clock: Arc<Clock>) -> Self {
        Self { stream, clock, _place: place, _open: open }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.clock.heard();
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        if result.is_ready() {
            self.clock.flushed();
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
