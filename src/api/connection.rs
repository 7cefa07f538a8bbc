//! One connection: hyper, and the timeouts that it does not have.
//!
//! ```text
//!            first byte              head complete
//!   Idle ───────────────▶ Head ─────────────────────▶ Busy ──┐
//!    ▲  idle_timeout: closed  header_timeout: 408, closed     │ no limit here: body and answer
//!    └────────────────────────────────────────────────────────┘ have their own
//!                      answer handed over
//! ```
//!
//! An answer in pieces goes from `Busy` to `Sending`, where each piece must be taken within
//! idle_timeout.
//!
//! hyper's own header timeout runs while a connection is idle too, so one number would have to serve
//! for both; and it closes without a word.

mod clock;
mod reply;

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::dispatch::{Tasks, raw_refusal};
use super::server::Arrived;
use super::traffic::Counted;
use super::{Api, ApiError, Gate, Limits};
use crate::peer::Peer;
pub(super) use clock::Errand;
use clock::{Clock, Phase, Watched};
use reply::Reply;

/// For a client to read a refusal that hyper does not send, and to close.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// At the end of the grace, for a refusal to be made and written.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Serves one connection to its end. After `stop` it finishes the request in flight and closes.
///
/// The permit is given back when the socket closes, also if a handler has taken it over.
pub(super) async fn serve<C: Gate>(
    arrived: Arrived,
    permit: OwnedSemaphorePermit,
    api: Arc<Api<C>>,
    tasks: Tasks,
    stop: CancellationToken,
) {
    let (peer, limits) = (arrived.peer, api.limits().clone());
    let open = Counted::new(&api.traffic().open);
    // The handshake of TLS counts as the head of a first request that does not come.
    let stream = tokio::select! {
        opened = timeout(limits.header_timeout, arrived.open()) => match opened {
            Ok(Some(stream)) => stream,
            Ok(None) => return,
            Err(_) => return debug!(%peer, "TLS was not agreed on in time"),
        },
        () = stop.cancelled() => return,
    };
    let clock = Arc::new(Clock::new(&limits));
    let io = TokioIo::new(Watched::new(stream, permit, open, Arc::clone(&clock)));
    let kill = tasks.kill.clone();
    let service = Requests { api, peer, tasks, clock: Arc::clone(&clock) };
    let mut connection = http1_with(&limits).serve_connection(io, service).with_upgrades();
    let mut expired = pin!(clock.expired());
    let mut is_stopping = false;
    loop {
        let next = tokio::select! {
            biased;
            ended = &mut connection => Next::Ended(ended),
            phase = &mut expired => Next::Expired(phase),
            () = stop.cancelled(), if !is_stopping => Next::Stop,
            () = kill.cancelled() => Next::Kill,
        };
        match next {
            Next::Ended(ended) => return log_end(peer, ended),
            Next::Kill => {
                // Its request is being refused in these moments; who asked shall hear it.
                let _ = timeout(LAST_WORDS, &mut connection).await;
                return;
            }
            Next::Stop => {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            Next::Expired(Phase::Head) if clock.is_answer_sent() => {
                debug!(%peer, "the head of a request did not arrive in time");
                if let Some(parts) = connection.into_parts() {
                    say_goodbye(parts.io.into_inner(), &ApiError::request_timeout()).await;
                }
                return;
            }
            // Nothing is owed to an idle client, and one that does not read its answer gets no more.
            Next::Expired(_) => return,
        }
    }
}

enum Next {
    Ended(hyper::Result<()>),
    Expired(Phase),
    Stop,
    Kill,
}

fn http1_with(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Who has said all he had to say and shut his side down waits for the answer (`nc -N`).
    builder.half_close(true);
    // The clock does both timeouts.
    builder.header_read_timeout(None);
    // The buffer holds a head and takes bodies in pieces; hyper refuses one of less than 8 KiB.
    builder.max_header_size(limits.max_header_bytes).max_buf_size(limits.max_header_bytes.max(1 << 16));
    builder
}

fn log_end(peer: Peer, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        // The other end's doing: broken off, or no HTTP. Nothing to be done about it here.
        debug!(%peer, %error, "a connection ended");
    }
}

/// Writes a refusal on a connection that hyper does not have, and closes it so that the other end can
/// read it.
pub(super) async fn say_goodbye(mut stream: impl AsyncRead + AsyncWrite + Unpin, refusal: &ApiError) {
    let farewell = async {
        stream.write_all(&raw_refusal(refusal)).await?;
        stream.shutdown().await?;
        // Closed with unread bytes, the connection would be reset and the refusal be lost.
        let mut unread = [0; 4096];
        while stream.read(&mut unread).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Who does not listen in time does not hear it.
    let _ = timeout(FAREWELL, farewell).await;
}

/// hyper's view of [`Api::answer`].
struct Requests<C: Gate> {
    api: Arc<Api<C>>,
    peer: Peer,
    tasks: Tasks,
    clock: Arc<Clock>,
}

impl<C: Gate> Service<http::Request<Incoming>> for Requests<C> {
    type Response = http::Response<Reply>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let errand = Errand::begin(&self.clock);
        let answer =
            Arc::clone(&self.api).answer(request, self.peer, self.tasks.clone(), Arc::clone(&errand));
        Box::pin(async move { Ok(answer.await.map(|content| Reply::new(content, errand))) })
    }
}
