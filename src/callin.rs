//! Callers are let in: number, PIN, conference.
//!
//! ```text
//! dialplan parks ─▶ claim ─▶ whose? which conference? ─▶ dialogue ─▶ locks, places ─▶ transfer ─▶ seen in it
//!                     │              └ nobody's            └ refused     └ refused        └ not seen: hung up
//!                     └ another daemon has it
//! ```
//!
//! * `dialogue`: what is asked and what comes of it, without I/O. `entrance`: what a document says of it.
//! * `prompts`: what is heard. `guesses`: too many wrong PINs. `places`: `max_participants`.
//! * `attend`, `line`: one call from its parking to its end, with `claims`, `looking`, `entering`, `refusing` for the
//!   steps of it and `joining` for the commands of the transfer.
//! * `arrivals`: who has been seen in a conference. `waiting`: members without a moderator. `tickets`: calls that go to
//!   another node.
//!
//! Invariant: nobody counts as in a conference until the registry says so. Invariant: digits are in no log, no event and
//! no answer.

mod arrivals;
mod attend;
mod claims;
mod dialogue;
mod entering;
mod entrance;
mod figures;
mod guesses;
mod joining;
mod line;
mod looking;
mod places;
mod prompts;
mod refusing;
mod tickets;
mod waiting;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actions::words::{Places as MediaPlaces, Template};
use crate::auth::AccountId;
use crate::config;
use crate::documents::Documents;
use crate::hub::Hub;
use crate::model::{CallNews, ParkedCall};
use crate::node::{CallSink, CommandError, Node, call_word};
use crate::registry::{ChangeKind, Registry};
use crate::switchboard::Switchboard;

pub use dialogue::Refusal;
pub use figures::Figures;
pub use waiting::Waiting;

use arrivals::Arrivals;
use attend::After;
use guesses::{Guesses, Limits};
use line::Patience;
use places::Places;
use prompts::Prompts;
use tickets::Tickets;

/// News of a call that wait for its dialogue; each application tells one, so more would be none of ours.
const NEWS: usize = 64;

/// After how many seconds each it is looked for calls: more than once, because FreeSWITCH's list of channels is a
/// database that lags behind (switch_core_sqldb.c).
const LOOKS: [u64; 4] = [0, 1, 4, 15];

/// What it works with.
pub struct Parts {
    /// Who is in which conference.
    pub registry: Arc<Registry>,
    /// Conference documents.
    pub documents: Documents,
    /// Acts in conferences.
    pub switchboard: Arc<Switchboard>,
    /// Tells what happens.
    pub hub: Hub,
    /// What documents may have played.
    pub media: MediaPlaces,
    /// How a SIP URI is called, for calls that go to another node.
    pub uri: Template,
    /// The account of what is nobody's.
    pub default_account: Option<AccountId>,
    /// This daemon's name, by which it claims calls.
    pub daemon: String,
    /// Members without a moderator.
    pub waiting: Arc<Waiting>,
}

/// Lets callers in. Cheap to clone.
#[derive(Clone)]
pub struct CallIn(Arc<Inner>);

struct Inner {
    parts: Parts,
    config: config::Callin,
    prompts: Prompts,
    patience: Patience,
    domains: HashMap<String, AccountId>,
    /// By node: where calls for its conferences go.
    sip_uris: ArcSwap<HashMap<Arc<str>, String>>,
    /// Caller ids that are not let in.
    banned: ArcSwap<Vec<String>>,
    /// Calls in a dialogue, by node and call.
    calls: DashMap<(Arc<str>, Arc<str>), mpsc::Sender<CallNews>>,
    /// How many of them are asked something.
    attended: AtomicUsize,
    /// How many are told why they are not let in.
    refused: AtomicUsize,
    /// For its own tasks.
    me: Weak<Self>,
    guesses: Guesses,
    places: Places,
    tickets: Tickets,
    arrivals: Arrivals,
    figures: Figures,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl CallIn {
    /// Begins to let callers in on these nodes.
    pub fn start(parts: Parts, config: &config::Config, nodes: &[Node], stop: &CancellationToken) -> Self {
        let callin = config.callin.clone();
        let (millis, secs) = (Duration::from_millis, Duration::from_secs);
        let limits = Limits {
            most: callin.max_wrong_pins as usize,
            window: secs(callin.wrong_pin_window_s),
            lockout: secs(callin.lockout_s),
        };
        let inner = Arc::new_cyclic(|me| Inner {
            prompts: Prompts::new(config.prompts.clone(), &callin.language),
            patience: Patience {
                prompt: millis(callin.prompt_timeout_ms),
                answer: millis(callin.answer_timeout_ms),
                digit: millis(callin.digit_timeout_ms),
            },
            domains: callin.accounts_of_domains().collect(),
            sip_uris: ArcSwap::default(),
            banned: ArcSwap::default(),
            calls: DashMap::new(),
            attended: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            me: me.clone(),
            guesses: Guesses::new(limits),
            places: Places::default(),
            tickets: Tickets::default(),
            arrivals: Arrivals::default(),
            figures: Figures::default(),
            tasks: TaskTracker::new(),
            stop: stop.clone(),
            parts,
            config: callin,
        });
        let callin = Self(inner);
        callin.configure(config);
        callin.0.tasks.spawn(callin.clone().watch());
        for node in nodes {
            callin.follow(node);
        }
        callin
    }

    /// Takes over what may change while it runs: `callin.banned`, and where calls for a node go.
    pub fn configure(&self, config: &config::Config) {
        let sip_uris = config
            .node
            .iter()
            .filter_map(|node| Some((Arc::from(node.name.as_str()), node.sip_uri.clone()?)));
        self.0.sip_uris.store(Arc::new(sip_uris.collect()));
        self.0.banned.store(Arc::new(config.callin.banned.clone()));
    }

    /// Lets callers in on one more node, as long as it is followed.
    pub fn follow(&self, node: &Node) {
        let following = node.follow_calls(Arc::new(self.clone()), node.stopped().clone());
        self.0.tasks.spawn(async move {
            if let Err(error) = following.await {
                tracing::error!("a call connection ended by itself: {error}");
            }
        });
    }

    /// What came of callers.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// How many callers are in a dialogue.
    #[must_use]
    pub fn dialogues(&self) -> usize {
        self.0.calls.len()
    }

    /// Waits until everything has ended; it does when the token it was started with is cancelled. Callers who are in a
    /// dialogue stay parked, for whoever takes them up.
    pub async fn stopped(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Hears who joins and leaves.
    async fn watch(self) {
        let inner = &self.0;
        let mut changes = inner.parts.hub.listen();
        loop {
            let change = tokio::select! {
                () = inner.stop.cancelled() => return,
                change = changes.recv() => change,
            };
            match change {
                Ok(change) => {
                    if let (ChangeKind::Joined, Some((participant, _))) = (change.kind, &change.participant) {
                        inner.arrivals.joined(&participant.call_id, &change);
                    }
                    inner.waited(&change);
                }
                Err(RecvError::Lagged(_)) => {
                    inner.arrivals.missed();
                    inner.settle_all();
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Whether a parked call is for us.
    fn is_ours(&self, call: &ParkedCall) -> bool {
        call.is_marked || self.0.config.contexts.iter().any(|context| **context == *call.context)
    }

    /// Begins a dialogue, unless there is one with that call.
    fn take(&self, node: &Node, call: ParkedCall) -> bool {
        let key = (node.name().clone(), call.call_id.clone());
        if call_word(&call.call_id).is_err() {
            // It can be neither asked nor hung up: the dialplan's park_timeout ends it.
            tracing::warn!(
                node = &**node.name(),
                call = &*call.call_id,
                "a call with such an id cannot be spoken of to FreeSWITCH"
            );
            return true;
        }
        let (sender, news) = mpsc::channel(NEWS);
        match self.0.calls.entry(key) {
            dashmap::Entry::Occupied(_) => return false,
            dashmap::Entry::Vacant(free) => drop(free.insert(sender)),
        }
        let (callin, inner, node) = (self.clone(), self.0.clone(), node.clone());
        self.0.tasks.spawn(async move {
            let stop = node.stopped().clone();
            let key = (node.name().clone(), call.call_id.clone());
            let attended = inner.clone().attend(node.clone(), call, news);
            let after = stop.run_until_cancelled(attended).await;
            inner.calls.remove(&key);
            if after == Some(After::Waits) {
                callin.look_soon(&node);
            }
        });
        true
    }

    /// Looks for calls as soon as the switch takes commands.
    fn look_soon(&self, node: &Node) {
        let (callin, node) = (self.clone(), node.clone());
        self.0.tasks.spawn(async move {
            let stop = node.stopped().clone();
            let looking = async {
                for wait in LOOKS {
                    tokio::time::sleep(Duration::from_secs(wait)).await;
                    node.commands_connected().await;
                    if let Err(error) = callin.look(&node).await {
                        tracing::warn!(node = &**node.name(), "it is not known which calls wait: {error}");
                    }
                }
            };
            stop.run_until_cancelled(looking).await;
        });
    }

    /// Looks for calls that have waited since before, and for those that are gone.
    async fn look(&self, node: &Node) -> Result<(), CommandError> {
        let known: HashSet<Arc<str>> = self.of(node.name());
        let channels = node.channels().await?;
        let there: HashSet<&str> = channels.iter().map(|channel| channel.uuid.as_str()).collect();
        for call in known.iter().filter(|call| !there.contains(&***call)) {
            // The list is a database that lags behind: one that has just come may not be in it.
            if node.call(call).await?.is_none() {
                self.tell(node, CallNews::HungUp { call_id: call.clone() });
            }
        }
        let mut taken = 0;
        for channel in channels.iter().filter(|channel| !known.contains(channel.uuid.as_str())) {
            let in_context = self.0.config.contexts.contains(&channel.context);
            // Whoever has been taken before is marked, whatever he hears just now: what he is asked next comes
            // behind it. In a context of ours he has to wait.
            if matches!(channel.application.as_str(), "conference" | "bridge") {
                continue;
            }
            let Some(call) = node.call(&channel.uuid).await? else { continue };
            if call.is_marked || (in_context && channel.application == "park") {
                taken += 1;
                self.take(node, call);
            }
        }
        if taken > 0 {
            tracing::info!(node = &**node.name(), calls = taken, "callers who have waited are taken up");
        }
        Ok(())
    }

    fn of(&self, node: &Arc<str>) -> HashSet<Arc<str>> {
        let all = self.0.calls.iter();
        all.filter(|entry| entry.key().0 == *node).map(|entry| entry.key().1.clone()).collect()
    }

    fn tell(&self, node: &Node, news: CallNews) {
        let key = (node.name().clone(), news.call_id().clone());
        let Some(call) = self.0.calls.get(&key).map(|call| call.clone()) else { return };
        if call.try_send(news).is_err() {
            tracing::debug!(
                node = &**node.name(),
                call = &*key.1,
                "more happens to a call than was asked for"
            );
        }
    }
}

impl CallSink for CallIn {
    fn connected(&self, node: &Node) {
        for call_id in self.of(node.name()) {
            self.tell(node, CallNews::Missed { call_id });
        }
        self.look_soon(node);
    }

    fn heard(&self, node: &Node, news: CallNews) {
        match news {
            CallNews::Parked(call) => {
                if self.is_ours(&call) && !self.take(node, call.clone()) {
                    self.tell(node, CallNews::Parked(call));
                }
            }
            news => self.tell(node, news),
        }
    }
}

/// One more or less in a count, for as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    /// `None` if there are so many already.
    fn below(counter: &'a AtomicUsize, most: usize) -> Option<Self> {
        let counted =
            counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < most).then_some(now + 1));
        counted.ok().map(|_| Self(counter))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
