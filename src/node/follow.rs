//! The event connection: subscribed, read, applied. It waits for nothing but its socket.
//!
//! While there is none, and until everything has been listed again, the graces of the node's conferences
//! run out here too: the writer is here, and no traffic is needed for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::backoff::Backoff;
use super::connection::{Connection, Lost};
use super::fences::{Heard, SUBCLASS};
use super::figures::Unreadable;
use super::handle::Shared;
use super::jobs::{RINGING, RINGING_ID};
use super::keep::tell_trouble;
use super::translate::Translator;
use crate::esl::{Command, Event, Frame, Names, Value};
use crate::model::{ListedConference, Moment};
use crate::pulse::Pulse;
use crate::registry::{Aged, NodeCondition, Odd, Publish, Reconciled, Scope, Writer};

/// What was asked for beside the events.
#[derive(Debug)]
pub(super) enum Answered {
    /// A list.
    List(Compare),
    /// Whose a conference is by the channel of its first member; `None`: that has no tag.
    Tag { instance: Arc<str>, call_id: Arc<str>, account: Option<Box<str>> },
}

/// A list to be compared with what is known.
#[derive(Debug)]
pub(super) struct Compare {
    /// The conference it is a list of; `None` is all of the node.
    pub(super) conference: Option<Arc<str>>,
    pub(super) listed: Vec<ListedConference>,
    pub(super) mark: crate::registry::Mark,
    /// The event connection that the mark was made on.
    pub(super) connection: u64,
    /// After it everything that runs on the node is known.
    pub(super) completes: bool,
    /// Dropped if the connection is not the same any more.
    pub(super) compared: oneshot::Sender<Reconciled>,
}

pub(super) struct Follower<P> {
    shared: Arc<Shared>,
    writer: Writer<P>,
    answered: mpsc::Receiver<Answered>,
    /// Fences that were sent and have not been seen.
    missed: mpsc::Receiver<Heard>,
    translator: Translator,
    others: Names<7>,
    /// Whether this connection has told which run of the switch it is.
    core_known: bool,
    /// When something was heard last.
    heard_at: Option<Moment>,
    pulse: Pulse,
}

impl<P: Publish> Follower<P> {
    pub(super) fn new(
        shared: Arc<Shared>,
        writer: Writer<P>,
        answered: mpsc::Receiver<Answered>,
        missed: mpsc::Receiver<Heard>,
        pulse: Pulse,
    ) -> Self {
        let others = Names::new([
            "Event-Name",
            "Event-Subclass",
            "Fence-ID",
            "Event-Sequence",
            "Uptime-msec",
            "Job-UUID",
            RINGING_ID,
        ]);
        let (core_known, heard_at) = (false, None);
        let translator = Translator::with_variables(&shared.settings.variable_prefixes);
        Self { shared, writer, answered, missed, translator, others, core_known, heard_at, pulse }
    }

    /// Follows the node for ever.
    pub(super) async fn run(&mut self) {
        let shared = self.shared.clone();
        let mut backoff = shared.backoff();
        loop {
            let lost = match self.meanwhile(subscribe(&shared)).await {
                Ok(connection) => {
                    let number = shared.connections.load(Ordering::Relaxed) + 1;
                    let session = tracing::error_span!("session", node = &*shared.name, number);
                    self.session(connection, &mut backoff).instrument(session).await
                }
                Err(lost) => lost,
            };
            tell_trouble(&self.shared, "event connection", &self.shared.event_trouble, &lost);
            let wait = if lost.needs_somebody() { backoff.longest() } else { backoff.step() };
            self.meanwhile(tokio::time::sleep(wait)).await;
        }
    }

    /// From the login to the loss of a connection.
    async fn session(&mut self, mut connection: Connection, backoff: &mut Backoff) -> Lost {
        self.connected();
        let lost = self.read(&mut connection, backoff).await;
        self.disconnected(&lost);
        lost
    }

    /// Waits for something while no events come, and lets the graces run out.
    async fn meanwhile<T>(&mut self, something: impl Future<Output = T>) -> T {
        tokio::pin!(something);
        loop {
            let aging = self.ages_at(self.shared.outside.now());
            tokio::select! {
                biased;
                done = &mut something => return done,
                () = tokio::time::sleep_until(aging.unwrap_or_else(Instant::now)), if aging.is_some() => {
                    self.age(self.shared.outside.now());
                }
                () = self.pulse.due() => {}
            }
        }
    }

    /// The node is not followed any more: what ran there is gone, and so is the node.
    pub(super) fn take_away(&mut self) {
        self.shared.connection.store(0, Ordering::Release);
        self.shared.fences.give_up();
        self.writer.take_away(self.shared.outside.now());
        tracing::info!(node = &*self.shared.name, "not followed any more");
    }

    /// When conferences become stale or gone, unless everything is listed before.
    fn ages_at(&self, now: Moment) -> Option<Instant> {
        let at_ms = self.writer.ages_at_ms()?;
        Some(Instant::now() + Duration::from_millis(at_ms.saturating_sub(now.monotonic_ms)))
    }

    fn age(&mut self, now: Moment) {
        if let Some(aged) = self.writer.age(now) {
            self.tell_aged(aged);
        }
    }

    fn tell_aged(&self, aged: Aged) {
        let (node, conferences) = (&*self.shared.name, aged.conferences);
        match aged.condition {
            NodeCondition::Gone => {
                tracing::warn!(
                    node,
                    conferences,
                    "out of reach for too long: its conferences are taken for gone"
                );
            }
            _ => tracing::warn!(node, conferences, "out of reach: its conferences are marked as stale"),
        }
    }

    fn connected(&mut self) {
        self.core_known = false;
        let number = self.shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.connection.store(number, Ordering::Release);
        let after = self.shared.event_trouble.clear();
        tracing::info!(
            node = &*self.shared.name,
            address = self.shared.settings.node.address,
            after,
            "connected"
        );
        self.shared.look.at_everything();
    }

    fn disconnected(&mut self, lost: &Lost) {
        self.shared.connection.store(0, Ordering::Release);
        self.shared.fences.give_up();
        // A connection that died without a word has told nothing since it was heard last.
        let now = self.shared.outside.now();
        let lost_at = if lost.is_silence() { self.heard_at.unwrap_or(now) } else { now };
        if let Some(aged) = self.writer.lose(lost_at) {
            self.tell_aged(aged);
        }
        self.age(now);
    }

    /// Reads one connection to its end.
    async fn read(&mut self, connection: &mut Connection, backoff: &mut Backoff) -> Lost {
        let silence = self.shared.settings.heartbeat_timeout();
        let mut heard = Instant::now();
        self.heard_at = Some(self.shared.outside.now());
        loop {
            self.pulse.beat();
            let now = self.shared.outside.now();
            loop {
                match connection.decode() {
                    Ok(Some(frame)) => {
                        // A switch that lets us in and tells nothing is not tried faster for it.
                        backoff.reset();
                        if let Err(lost) = self.frame(frame, now) {
                            return lost;
                        }
                    }
                    Ok(None) => break,
                    Err(lost) => return lost,
                }
            }
            // Here and not only beside the socket, which may never have nothing to read.
            self.age(now);
            let aging = self.ages_at(now);
            tokio::select! {
                biased;
                Some(answered) = self.answered.recv() => self.answered(answered),
                read = connection.fill() => {
                    if let Err(lost) = read {
                        return lost;
                    }
                    self.shared.fences.heard();
                    heard = Instant::now();
                    self.heard_at = Some(self.shared.outside.now());
                }
                // Behind the reading: what has come by now counts.
                Some(since) = self.missed.recv() => {
                    if since == self.shared.heard() {
                        return Lost::Deaf(self.shared.settings.command_timeout());
                    }
                }
                () = tokio::time::sleep_until(heard + silence) => return Lost::Mute(silence),
                () = tokio::time::sleep_until(aging.unwrap_or(heard)), if aging.is_some() => {}
                () = self.pulse.due() => {}
            }
        }
    }

    fn frame(&mut self, frame: Frame, now: Moment) -> Result<(), Lost> {
        match frame {
            Frame::Event(event) => return self.event(&event, now),
            Frame::TooLarge { content_type, length, limit } => {
                self.shared.figures.unreadable(Unreadable::TooLarge);
                let node = &*self.shared.name;
                tracing::warn!(
                    node,
                    content_type,
                    length,
                    limit,
                    "an event is larger than allowed and was lost: listing everything"
                );
                self.shared.look.at_everything();
            }
            Frame::DisconnectNotice(text) => {
                let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
                return Err(Lost::Closed(Some(String::from_utf8_lossy(first).into_owned())));
            }
            Frame::AuthRequest | Frame::RudeRejection(_) => {
                return Err(Lost::Protocol("a login began again in the middle".into()));
            }
            Frame::CommandReply(headers) => {
                let reply = headers.reply_text();
                if !reply.starts_with("+OK") {
                    let (node, reply) = (&*self.shared.name, &*reply);
                    tracing::warn!(
                        node,
                        reply,
                        "FreeSWITCH does not tell of its jobs: what becomes of a dialled call is known late"
                    );
                }
            }
            Frame::ApiResponse(_) | Frame::Other(_) => {}
        }
        Ok(())
    }

    fn event(&mut self, event: &Event, now: Moment) -> Result<(), Lost> {
        if !self.core_known {
            self.learn_core(event, now);
        }
        match self.translator.conference_event(event) {
            Some(event) => {
                self.shared.figures.event(event.kind, now);
                if let Some(odd) = self.writer.apply(&event, now) {
                    let (node, conference) = (&*self.shared.name, &*event.conference);
                    tracing::debug!(node, conference, ?odd, "listing it again");
                    match odd {
                        Odd::Misnamed => self.shared.look.at_misnamed(),
                        _ => self.shared.look.at(conference),
                    }
                }
            }
            None => self.other_event(event, now)?,
        }
        self.shared.outside.stepped(&|| self.writer.check());
        Ok(())
    }

    /// The first event of a connection tells which run of the switch it is.
    fn learn_core(&mut self, event: &Event, now: Moment) {
        let Some(core) = event.get("Core-UUID").map(Value::text) else { return };
        self.core_known = true;
        if self.shared.told().core.as_deref() != Some(&*core) {
            self.shared.figures.started_anew();
        }
        if self.writer.begin_core(&core, now) {
            let node = &*self.shared.name;
            tracing::warn!(node, "FreeSWITCH was started anew: its earlier conferences are gone");
            self.shared.figures.started_anew();
        }
        self.shared.told().core = Some(core.into_owned());
    }

    fn other_event(&self, event: &Event, now: Moment) -> Result<(), Lost> {
        let fields = event.fields(&self.others);
        if let Some(uptime_ms) = fields.get(4).and_then(Value::number) {
            // A heartbeat.
            let core = event.get("Core-UUID").map(Value::text);
            if core.is_some() && core.as_deref() != self.shared.told().core.as_deref() {
                // Through a relay that keeps our side open; all that was told by the other run ends with it.
                return Err(Lost::Closed(Some("another run of the switch goes on in its place".into())));
            }
            self.shared.figures.up_for(uptime_ms, now);
            self.shared.figures.events_per_s(now);
        }
        if let Some(job) = fields.get(5).filter(|_| fields.get(0).is_some_and(|name| name.raw() == JOB_ENDED))
        {
            self.shared.jobs.ended(&job.text(), || String::from_utf8_lossy(event.body()).into_owned());
        }
        let subclass = fields.get(1).map(Value::bytes);
        if subclass.as_deref() == Some(b"conference::maintenance") {
            self.shared.figures.unreadable(Unreadable::Event);
        }
        if let Some(job) = fields.get(6).filter(|_| subclass.as_deref() == Some(RINGING.as_bytes())) {
            self.shared.jobs.rings(&job.text());
        }
        let is_fence = fields.get(1).is_some_and(|subclass| subclass.bytes() == SUBCLASS.as_bytes());
        if is_fence && let Some(id) = fields.get(2) {
            let sequence = fields.get(3).and_then(Value::number).unwrap_or(0);
            self.shared.fences.seen(&id.text(), self.writer.mark(sequence, now));
        }
        Ok(())
    }

    fn answered(&mut self, answered: Answered) {
        match answered {
            Answered::List(compare) => self.compare(compare),
            Answered::Tag { instance, call_id, account } => {
                self.writer.tagged(&instance, &call_id, account.as_deref());
            }
        }
    }

    fn compare(&mut self, compare: Compare) {
        if compare.connection != self.shared.connection.load(Ordering::Acquire) {
            return;
        }
        let scope = compare.conference.as_deref().map_or(Scope::Node, Scope::Conference);
        let now = self.shared.outside.now();
        let result = self.writer.reconcile(scope, &compare.listed, compare.mark, now);
        if compare.completes {
            self.writer.listed(now);
        }
        self.shared.outside.stepped(&|| self.writer.check());
        // Who asked may have stopped waiting; the comparison is done all the same.
        let _ = compare.compared.send(result);
    }
}

/// The name of the event that ends a `bgapi` job (mod_event_socket.c, `api_exec`).
const JOB_ENDED: &[u8] = b"BACKGROUND_JOB";

/// Connects and asks for the events that are followed. Behind `CUSTOM` all words are subclasses.
async fn subscribe(shared: &Shared) -> Result<Connection, Lost> {
    let mut connection = Connection::open(&shared.settings, &*shared.outside).await?;
    let line = format!("event plain HEARTBEAT CUSTOM conference::maintenance {SUBCLASS}");
    let asked = connection.ask(Command::line(&line)?);
    let within = shared.settings.connect_timeout();
    let silent = |_| Lost::Silent { during: "subscribing", after: within };
    let reply = tokio::time::timeout(within, asked).await.map_err(silent)??.text();
    if !reply.starts_with("+OK") {
        return Err(Lost::Denied { what: "its events", reply });
    }
    // By itself: FreeSWITCH refuses the whole of a command if a part of it is not allowed.
    connection.tell(Command::line(&format!("event plain BACKGROUND_JOB CUSTOM {RINGING}"))?).await?;
    Ok(connection)
}
