//! What a test or the demo does with a switch: people, truth, faults, waiting.

use super::connection::Mode;
use super::{Shared, Switch, accept, bind};
use crate::sim::dice::Dice;
use crate::sim::events::Event;
use crate::sim::faults::{Disorder, Predicate, Trap};
use crate::sim::world::{Caller, Rejected, RoomTruth, World};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// A command that has been received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Which connection brought it; they are numbered from 1.
    pub connection: u64,
    /// All its lines.
    pub text: String,
}

/// Which connections are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those that have subscribed to events.
    Events,
    /// Those that have not.
    Commands,
    /// This one.
    Only(u64),
}

/// People and truth.
impl Switch {
    /// Where it listens; a switch in memory has no such place.
    pub fn addr(&self) -> SocketAddr {
        self.addr.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// Somebody calls and enters a conference. Gives the call's id.
    pub fn join(&self, room: &str, caller: Caller) -> Result<String, Rejected> {
        self.shared.act(|state, now| state.world.join(now, room, caller))
    }

    /// Somebody calls and waits in the dialplan. Gives the call's id.
    pub fn call(&self, caller: Caller) -> Result<String, Rejected> {
        self.shared.act(|state, now| state.world.call(now, caller))
    }

    /// Somebody hangs up.
    pub fn leave(&self, call: &str) -> Result<(), Rejected> {
        self.shared.act(|state, now| state.world.leave(now, call))
    }

    /// Somebody calls, and the dialplan parks the call, as `CHANNEL_PARK` tells. Gives the call's id.
    pub fn park(&self, caller: Caller) -> Result<String, Rejected> {
        self.shared.act(|state, now| state.world.park(now, caller))
    }

    /// Somebody presses keys, all at this moment.
    pub fn press(&self, call: &str, keys: &str) -> Result<(), Rejected> {
        self.shared.act(|state, now| state.world.press(now, call, keys))
    }

    /// Somebody hangs up, as [`leave`](Self::leave) says of those in a conference.
    pub fn hang_up(&self, call: &str) -> Result<(), Rejected> {
        self.leave(call)
    }

    /// Whom a call is bridged to by the application `bridge`: its dial string.
    pub fn bridged(&self, call: &str) -> Option<String> {
        self.shared.lock().world.bridged(call)
    }

    /// The files that have been recorded on this switch, by their paths.
    pub fn files(&self) -> Vec<String> {
        self.shared.lock().world.files()
    }

    /// Somebody begins or ends speaking.
    pub fn talk(&self, call: &str, speaking: bool) -> Result<(), Rejected> {
        self.shared.act(|state, now| state.world.talk(now, call, speaking))
    }

    /// Somebody else (another controller, an operator) gives a command; gives the answer.
    pub fn api(&self, line: &str) -> String {
        let answer = self.shared.act(|state, now| state.world.api(now, line));
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Whatever else can be done to a world; its events are sent as always.
    pub fn world<R>(&self, act: impl FnOnce(&mut World, u64) -> R) -> R {
        self.shared.act(|state, now| act(&mut state.world, now))
    }

    /// Who is in which conference, now.
    pub fn truth(&self) -> Vec<RoomTruth> {
        self.shared.lock().world.rooms()
    }

    /// The `Core-UUID` of this run.
    pub fn core_uuid(&self) -> String {
        self.shared.lock().world.core_uuid().to_owned()
    }

    /// Every command received so far, the password too.
    pub fn commands(&self) -> Vec<Seen> {
        self.shared.lock().seen.iter().cloned().collect()
    }

    /// The connections that are open.
    pub fn connections(&self) -> Vec<u64> {
        self.shared.lock().connections.keys().copied().collect()
    }

    /// Events that wait for one client, and events it has lost because too many waited.
    pub fn queued(&self, connection: u64) -> (usize, usize) {
        self.shared.lock().connections.get(&connection).map_or((0, 0), |c| c.queued())
    }

    /// Has everything seen that is fired from now on, before any fault. It is called in the middle of the
    /// switch's work and must not turn to it.
    pub fn witness(&self, sees: impl FnMut(&Event) + Send + 'static) {
        self.shared.lock().witness = Some(Box::new(sees));
    }

    /// Events lost by [`drop_events`](Self::drop_events) and [`drop_events_if`](Self::drop_events_if).
    pub fn dropped(&self) -> usize {
        self.shared.lock().faults.dropped
    }
}

/// Waiting: each of these ends as soon as it is true, and never by itself.
impl Switch {
    /// Until the conferences are as wanted.
    pub async fn until(&self, mut wanted: impl FnMut(&[RoomTruth]) -> bool) {
        self.wait(|shared| wanted(&shared.lock().world.rooms()).then_some(())).await;
    }

    /// Until a command fits, counting those received before. Gives the first that does.
    pub async fn until_command(&self, mut fits: impl FnMut(&Seen) -> bool) -> Seen {
        self.wait(|shared| shared.lock().seen.iter().find(|seen| fits(seen)).cloned()).await
    }

    /// Until a call is asked for keys, the how many-eth time from 1.
    pub async fn until_asked(&self, call: &str, nth: usize) {
        self.wait(|shared| (shared.lock().world.questions(call) == (nth, true)).then_some(())).await;
    }

    /// Until there is no such call any more.
    pub async fn until_gone(&self, call: &str) {
        self.wait(|shared| (!shared.lock().world.has_call(call)).then_some(())).await;
    }

    /// Until so many connections are open.
    pub async fn until_connections(&self, count: usize) {
        self.wait(|shared| (shared.lock().connections.len() == count).then_some(())).await;
    }

    /// Until so many connections listen to events.
    pub async fn until_listeners(&self, count: usize) {
        let listening = |shared: &Shared| shared.lock().connections.values().filter(|c| c.listens()).count();
        self.wait(|shared| (listening(shared) == count).then_some(())).await;
    }

    pub(super) async fn wait<R>(&self, mut ready: impl FnMut(&Shared) -> Option<R>) -> R {
        let mut changes = self.shared.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(result) = ready(&self.shared) {
                return result;
            }
            // The sender lives in `shared`, so this cannot fail while `self` is there.
            let _ = changes.changed().await;
        }
    }
}

/// Misbehaviour.
impl Switch {
    /// Ends connections properly.
    pub fn cut(&self, which: Which) {
        self.tell(which, Mode::Cut);
    }

    /// Ends connections with a reset: what was on its way is lost.
    pub fn reset(&self, which: Which) {
        self.tell(which, Mode::Reset);
    }

    /// Connections stay open, but nothing is read or written any more.
    pub fn stall(&self, which: Which) {
        self.tell(which, Mode::Stall);
    }

    /// Stalled connections go on.
    pub fn resume(&self, which: Which) {
        self.tell(which, Mode::Run);
    }

    /// The next events are lost for everybody.
    pub fn drop_events(&self, count: usize) {
        self.shared.lock().faults.drop_next = count;
    }

    /// Events that fit are lost for everybody, until [`keep_events`](Self::keep_events).
    pub fn drop_events_if(&self, lost: impl Fn(&Event) -> bool + Send + 'static) {
        let lost: Predicate = Box::new(lost);
        self.shared.lock().faults.drop_if = Some(lost);
    }

    /// No more events are lost.
    pub fn keep_events(&self) {
        let mut state = self.shared.lock();
        state.faults.drop_next = 0;
        state.faults.drop_if = None;
    }

    /// Events that come within 20 ms are mixed up, each by less than `window` places.
    pub fn reorder(&self, window: usize, seed: u64) {
        self.keep_order();
        self.shared.act(|state, _| state.faults.disorder = Some(Disorder::new(window, seed)));
    }

    /// Events are in order again.
    pub fn keep_order(&self) {
        self.shared.act(|state, _| {
            state.flush();
            state.faults.disorder = None;
        });
    }

    /// No password is right any more, or the right one is again.
    pub fn refuse_password(&self, refuse: bool) {
        self.shared.lock().keeper.refuse = refuse;
    }

    /// Every answer comes so much later. They do not wait for each other, as on a long line.
    pub fn delay_replies(&self, delay: Duration) {
        let mut state = self.shared.lock();
        state.faults.delay = delay;
        state.faults.late = None;
    }

    /// Commands are executed at once; of their answers a tenth comes up to so much later, and the others on
    /// that connection wait behind.
    pub fn delay_some_replies(&self, longest: Duration, seed: u64) {
        self.shared.lock().faults.late = Some((longest, Dice::new(seed)));
    }

    /// Commands that hold `part` are never answered, and those behind them on the same connection neither: the
    /// switch is stuck in it.
    pub fn hang_at(&self, part: &str) {
        self.shared.lock().faults.hangs = Some(part.to_owned());
    }

    /// Connections are cut at a command that holds `part`, after so many others, once it has been executed or
    /// before.
    pub fn cut_at(&self, part: &str, passes: usize, executed: bool, which: Which) {
        let trap = Trap { part: part.to_owned(), passes, executed, which };
        self.shared.lock().faults.traps.push(trap);
    }

    /// Commands cut no more connections.
    pub fn cut_no_more(&self) {
        self.shared.lock().faults.traps.clear();
    }

    /// Commands are executed, but their answers wait until [`release_replies`](Self::release_replies).
    pub fn hold_replies(&self) {
        self.shared.lock().faults.held = true;
    }

    /// Answers that wait are sent, in order, and later ones wait no more.
    pub fn release_replies(&self) {
        let mut state = self.shared.lock();
        state.faults.held = false;
        for connection in state.connections.values() {
            // Says nothing new, but has everybody look again.
            connection.mode.send_modify(|_| ());
        }
    }

    /// Every event comes twice, or once again.
    pub fn repeat_events(&self, repeat: bool) {
        self.shared.lock().faults.repeat = repeat.then(|| (1.0, Dice::new(1)));
    }

    /// That share of events comes twice.
    pub fn repeat_some_events(&self, share: f64, seed: u64) {
        self.shared.lock().faults.repeat = Some((share, Dice::new(seed)));
    }

    /// The next command that holds `part`, mostly an `api` one, is not executed but answered with these words.
    pub fn answer_instead(&self, part: &str, words: impl Into<Vec<u8>>) {
        self.shared.lock().faults.instead.push((part.to_owned(), words.into()));
    }

    /// Commands are executed again and answered, whatever other words were wanted.
    pub fn answer_truly(&self) {
        let mut state = self.shared.lock();
        state.faults.instead.clear();
        state.faults.garbage.clear();
    }

    /// The next command is answered with these bytes and nothing else.
    pub fn answer_garbage(&self, garbage: impl Into<Vec<u8>>) {
        self.shared.lock().faults.garbage.push_back(garbage.into());
    }

    /// New clients are sent away before they can say anything.
    pub fn rude_rejection(&self, rude: bool) {
        self.shared.lock().faults.rude = rude;
    }

    /// The next answer to an `api` command is padded to that many bytes (with blanks behind it).
    pub fn oversize(&self, bytes: usize) {
        self.shared.lock().faults.oversize = Some(bytes);
    }

    /// The switch is restarted: connections cut, everybody gone, a new `Core-UUID`, ids from 1 again.
    pub fn restart(&self) {
        self.shared.act(|state, now| {
            for connection in state.connections.values() {
                connection.mode.send_replace(Mode::Cut);
            }
            if let Some(disorder) = &mut state.faults.disorder {
                // What the earlier run had not sent nobody sends.
                disorder.flush();
            }
            state.world.restart(now);
        });
    }

    /// New clients are refused by the operating system; those that are there stay.
    pub async fn stop_listening(&self) {
        self.shared.lock().listening = false;
        let task = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // It ends with "cancelled", as asked; then its socket is closed.
            let _ = task.await;
        }
    }

    /// Listens again, on the same port.
    pub async fn listen_again(&self) -> std::io::Result<()> {
        self.stop_listening().await;
        if let Some(addr) = self.addr {
            let task = tokio::spawn(accept(bind(addr)?, Arc::clone(&self.shared)));
            *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        }
        self.shared.lock().listening = true;
        Ok(())
    }

    fn tell(&self, which: Which, mode: Mode) {
        self.shared.lock().tell(which, mode);
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.driver.abort();
        if let Some(task) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        self.tell(Which::All, Mode::Cut);
    }
}
