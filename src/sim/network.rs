//! The network between a client and a switch in memory: in pieces, late, broken in the middle.
//!
//! What it does is drawn from its seed. It owns what becomes of bytes; what they say, and everything that
//! a switch itself does wrong, is left to [`super::faults`].

use super::dice::Dice;
use super::switch::Switch;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// The most that passes at once.
const PIECE: usize = 16 << 10;

/// How a network behaves. The default is perfect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weather {
    /// The share of attempts to connect that are refused.
    pub refuses: f64,
    /// The share of connections that break, each after a number of bytes of its own.
    pub breaks: f64,
    /// Bytes pass in pieces of up to so many; 0: in large ones.
    pub piece: usize,
    /// Up to so much time passes between two pieces towards the client.
    pub lag: Duration,
}

/// One network. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Network {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    weather: Weather,
    dice: Dice,
    connections: u64,
    /// Which connection breaks after how many bytes, whatever the weather.
    doomed: Option<(u64, usize)>,
    broken: u64,
    log: Option<(Instant, Vec<u8>)>,
}

/// The client's end of a connection.
#[derive(Debug)]
pub struct Wire {
    state: Arc<Mutex<State>>,
    inner: DuplexStream,
    number: u64,
    /// It breaks after so many more bytes.
    left: Option<usize>,
    /// It breaks with an error and not with an end.
    rudely: bool,
    late: Option<Pin<Box<Sleep>>>,
    scratch: Vec<u8>,
}

impl Network {
    /// A network that is perfect until it is told otherwise.
    pub fn new(seed: u64) -> Self {
        let state = State {
            weather: Weather::default(),
            dice: Dice::new(seed),
            connections: 0,
            doomed: None,
            broken: 0,
            log: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// From now on, for connections that are there too.
    pub fn set(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// The connection of that number, counted from 1, breaks after so many bytes.
    pub fn break_at(&self, connection: u64, bytes: usize) {
        self.state().doomed = Some((connection, bytes));
    }

    /// How often bytes have met a broken connection.
    pub fn broken(&self) -> u64 {
        self.state().broken
    }

    /// Writes down what passes, from now on.
    pub fn record(&self) {
        self.state().log = Some((Instant::now(), Vec::new()));
    }

    /// What has passed: when, on which connection, which way, which bytes.
    pub fn recorded(&self) -> Vec<u8> {
        self.state().log.take().map(|(_, bytes)| bytes).unwrap_or_default()
    }

    /// Connects to a switch.
    pub fn dial(&self, switch: &Switch) -> io::Result<Wire> {
        let mut state = self.state();
        let Weather { refuses, breaks, .. } = state.weather;
        if state.dice.chance(refuses) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        // As often within the login as within the first thousand events.
        let left = state.dice.chance(breaks).then(|| {
            let magnitude = 4 + state.dice.below(17);
            state.dice.below(1 << magnitude) as usize
        });
        let rudely = state.dice.chance(0.5);
        state.connections += 1;
        let number = state.connections;
        let doomed = state.doomed.filter(|(doomed, _)| *doomed == number);
        let left = doomed.map(|(_, bytes)| bytes).or(left);
        drop(state);
        let inner = switch.dial()?;
        Ok(Wire {
            state: self.state.clone(),
            inner,
            number,
            left,
            rudely,
            late: None,
            scratch: vec![0; PIECE],
        })
    }
}

/// Nothing behind the lock is left half-done by a panic that matters here.
fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    /// How many bytes may pass now; `None`: it is broken.
    fn piece(&self, wanted: usize) -> Option<usize> {
        let mut state = locked(&self.state);
        let longest = if state.weather.piece == 0 { PIECE } else { state.weather.piece };
        let piece = if longest == PIECE { PIECE } else { 1 + state.dice.below(longest as u64) as usize };
        let doomed = state.doomed.is_some_and(|(doomed, _)| doomed == self.number);
        let left = self.left.filter(|_| doomed || state.weather.breaks > 0.0).unwrap_or(usize::MAX);
        state.broken += u64::from(left == 0);
        (left > 0).then(|| piece.min(wanted).min(left).min(PIECE))
    }

    fn passed(&mut self, way: u8, bytes: &[u8]) {
        self.left = self.left.map(|left| left.saturating_sub(bytes.len()));
        let mut state = locked(&self.state);
        if let Some((began, log)) = &mut state.log {
            let head = format!("\n[{} {} {}] ", began.elapsed().as_millis(), self.number, char::from(way));
            log.extend_from_slice(head.as_bytes());
            log.extend_from_slice(bytes);
        }
        if way == b'<' && state.weather.lag > Duration::ZERO {
            // Most pieces follow each other at once; now and then there is a long wait.
            let lag = state.weather.lag.mul_f64(state.dice.below(1_000) as f64 / 1_000.0);
            let lag = if state.dice.chance(0.1) { lag } else { lag / 50 };
            drop(state);
            self.late = Some(Box::pin(sleep(lag)));
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(late) = &mut this.late {
            ready!(late.as_mut().poll(cx));
            this.late = None;
        }
        let Some(piece) = this.piece(buf.remaining()) else {
            return Poll::Ready(if this.rudely {
                Err(io::ErrorKind::ConnectionReset.into())
            } else {
                Ok(())
            });
        };
        let mut scratch = std::mem::take(&mut this.scratch);
        let mut part = ReadBuf::new(scratch.get_mut(..piece).unwrap_or_default());
        let read = Pin::new(&mut this.inner).poll_read(cx, &mut part);
        if let Poll::Ready(Ok(())) = read {
            buf.put_slice(part.filled());
            this.passed(b'<', part.filled());
        }
        this.scratch = scratch;
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some(piece) = this.piece(bytes.len()) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let bytes = bytes.get(..piece).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut this.inner).poll_write(cx, bytes))?;
        this.passed(b'>', bytes.get(..written).unwrap_or(bytes));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
