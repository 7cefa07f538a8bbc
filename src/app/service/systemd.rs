//! The socket of systemd, and what is said there, in order.
//!
//! ```text
//! daemon ──try──▶ a queue with an end ──▶ a thread ──▶ NOTIFY_SOCKET
//! ```
//!
//! Invariant: whoever does not read his socket holds up nobody. A datagram to a full one blocks (unix(7)), so it is sent
//! by a thread that nobody waits for, and a full queue loses what is said.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// So many words wait to be read.
const WAITING: usize = 64;
/// Of what is said again and again no more than so many: there is room for what is said once.
const REPEATED: usize = WAITING / 2;
/// So long the end waits for systemd to have read that it comes.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Where systemd is told how it is going. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(in crate::app) struct Systemd {
    /// None: nobody wants to know.
    line: Option<Arc<Line>>,
    /// Whether it was said to be ready; held while something about it is said.
    is_ready: Arc<Mutex<bool>>,
}

#[derive(Debug)]
struct Line {
    words: SyncSender<Word>,
    waiting: Arc<AtomicUsize>,
    /// Whether that was told.
    has_lost: AtomicBool,
}

/// What is sent in one datagram.
#[derive(Debug)]
enum Word {
    Said(String),
    /// Everything before it was sent.
    Flush(oneshot::Sender<()>),
}

impl Systemd {
    /// That of this process, if it has one.
    pub(in crate::app) fn of_process() -> Self {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Self::default();
        }
        let (words, said) = sync_channel(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let taken = waiting.clone();
        // Detached: the process ends without it.
        match std::thread::Builder::new().name("notify".into()).spawn(move || send(&said, &taken)) {
            Ok(_) => {
                let line = Line { words, waiting, has_lost: AtomicBool::new(false) };
                Self { line: Some(Arc::new(line)), ..Self::default() }
            }
            Err(error) => {
                tracing::error!("systemd will not be told how it is going: {error}");
                Self::default()
            }
        }
    }

    /// Ready, for the first time, and how it is going.
    pub(in crate::app) fn ready(&self, status: &str) {
        let mut is_ready = self.is_ready.lock().unwrap_or_else(PoisonError::into_inner);
        *is_ready = true;
        self.say(&[NotifyState::Ready, NotifyState::Status(status)], WAITING);
    }

    /// The configuration is read again; [`reloaded`](Self::reloaded) ends it. Before it is ready that is part of
    /// the start, and nothing is said: false.
    #[must_use]
    pub(in crate::app) fn reloading(&self) -> bool {
        let is_ready = self.is_ready.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_ready {
            match NotifyState::monotonic_usec_now() {
                Ok(now) => self.say(&[NotifyState::Reloading, now], WAITING),
                Err(error) => tracing::warn!("systemd cannot be told of the reload: {error}"),
            }
        }
        *is_ready
    }

    /// It was read, and how it is going.
    pub(in crate::app) fn reloaded(&self, status: &str) {
        self.say(&[NotifyState::Ready, NotifyState::Status(status)], WAITING);
    }

    /// A new status, and food for the watchdog.
    pub(in crate::app) fn how_it_goes(&self, status: Option<&str>, is_fed: bool) {
        let mut states = Vec::new();
        states.extend(status.map(NotifyState::Status));
        states.extend(is_fed.then_some(NotifyState::Watchdog));
        if !states.is_empty() {
            self.say(&states, REPEATED);
        }
    }

    /// It is going to end.
    pub(in crate::app) fn stopping(&self) {
        self.say(&[NotifyState::Stopping, NotifyState::Status("stopping")], WAITING);
    }

    /// Waits until everything was sent, but not for long.
    pub(in crate::app) async fn heard(&self) {
        let Some(line) = &self.line else { return };
        let (sent, heard) = oneshot::channel();
        if line.words.try_send(Word::Flush(sent)).is_ok() && timeout(LAST_WORD, heard).await.is_err() {
            tracing::warn!("systemd does not read how it is going");
        }
    }

    fn say(&self, states: &[NotifyState<'_>], room: usize) {
        let Some(line) = &self.line else { return };
        let text = states.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let has_room = line.waiting.fetch_add(1, Ordering::Relaxed) < room;
        let is_lost = !has_room || line.words.try_send(Word::Said(text)).is_err();
        if is_lost {
            line.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        if is_lost && !line.has_lost.swap(true, Ordering::Relaxed) {
            tracing::warn!("systemd does not read how it is going: it is not told everything");
        }
    }
}

/// Sends what is said, one after the other, until nobody says anything any more.
fn send(said: &Receiver<Word>, waiting: &AtomicUsize) {
    for word in said {
        match word {
            Word::Said(text) => {
                if let Err(error) = sd_notify::notify(&[NotifyState::Custom(&text)]) {
                    tracing::warn!("systemd cannot be told how it is going: {error}");
                }
                waiting.fetch_sub(1, Ordering::Relaxed);
            }
            // Whoever waited may have given up.
            Word::Flush(sent) => drop(sent.send(())),
        }
    }
}

#[cfg(test)]
impl Systemd {
    /// One that nobody reads but a test; it gives what was said since it was asked last.
    pub(in crate::app) fn of_test() -> (Self, impl Fn() -> String) {
        let (words, said) = sync_channel(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let taken = waiting.clone();
        let line = Line { words, waiting, has_lost: AtomicBool::new(false) };
        let heard = move || {
            taken.store(0, Ordering::Relaxed);
            let said = said.try_iter().map(|word| match word {
                Word::Said(text) => text,
                Word::Flush(_) => String::new(),
            });
            said.collect::<Vec<_>>().concat()
        };
        (Self { line: Some(Arc::new(line)), ..Self::default() }, heard)
    }
}
