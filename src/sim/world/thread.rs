//! A call's thread: the dialplan it follows, the application it is in, what was sent to it.
//!
//! ```text
//! plan:  set ─▶ set ─▶ park                     what the dialplan still holds
//! stack:               park ─▶ playback         applications one in another: a message executes inside
//! mail:                        set, hangup      messages that wait while `event-lock` holds
//! ```
//! An application that is in the middle looks at its messages, too; without `event-lock` the next message is
//! executed inside the one before, which stands still meanwhile (switch_ivr.c, `switch_ivr_parse_event`;
//! tried on a FreeSWITCH 1.11.3-dev, as everything that `callin.jsonl` does not show).
//!
//! Rule of this file and of `apps`, `digits`: only those who come from outside (a task, a command, a key, the
//! end of a seat) end with [`attend`](World::attend); whoever is called by it returns to it.

use super::running::{Begun, Doing, Route, Running, Step};
use super::{Task, World};
use std::collections::VecDeque;

/// How long a thread needs to see a message (µs). Waking it is not polled for.
const MOMENT: u64 = 1_000;
/// So many messages may wait (switch_core_pvt.h, `SWITCH_EVENT_QUEUE_LEN`).
const MAIL: usize = 256;

/// What a call does and will do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thread {
    /// The dialplan is being followed; without that nothing of a call happens here.
    pub(crate) alive: bool,
    pub(crate) plan: VecDeque<Step>,
    pub(crate) stack: Vec<Running>,
    mail: VecDeque<Message>,
    /// Keys that nobody has looked at.
    pub(crate) keys: VecDeque<char>,
    /// Keys that somebody has looked at: `digits_dialed`.
    pub(crate) dialled: String,
    /// `uuid_break`: the next sound ends at once.
    pub(crate) broken: bool,
    /// The caller makes himself heard, outside of a conference.
    pub(crate) voice: bool,
    /// What was executed last, for `show channels`.
    pub(crate) last: Step,
    /// The call was told to go elsewhere: what is in the middle ends, what was sent comes to nothing.
    pub(crate) leaving: bool,
    /// Where it was told to go there is nothing.
    nowhere: bool,
    /// How often keys were asked for.
    pub(crate) questions: usize,
}

impl Thread {
    /// A call that follows this dialplan from its beginning.
    pub(crate) fn following(plan: VecDeque<Step>) -> Self {
        Self { alive: true, plan, ..Self::default() }
    }
}

/// What `sendmsg` has brought.
#[derive(Debug, Clone, Default)]
struct Message {
    command: String,
    step: Step,
    uuid: Option<String>,
    cause: String,
    locked: bool,
}

impl World {
    /// `sendmsg`: the text of the reply. The call's thread looks at the message a moment later.
    pub fn message(&mut self, now: u64, uuid: &str, headers: &[(String, String)]) -> String {
        self.advance(now);
        let header = |name: &str| {
            let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let Some(call) = self.calls.get_mut(uuid).filter(|call| call.hangup.is_none()) else {
            return format!("-ERR invalid session id [{uuid}]");
        };
        if call.thread.mail.len() == MAIL {
            return "-ERR memory error".to_owned();
        }
        let text = |name: &str| header(name).unwrap_or_default();
        call.thread.mail.push_back(Message {
            command: text("call-command"),
            step: Step { app: text("execute-app-name"), data: text("execute-app-arg") },
            uuid: header("Event-UUID"),
            cause: text("hangup-cause"),
            locked: header("event-lock").is_some_and(|value| value == "true"),
        });
        self.wake(uuid, MOMENT);
        "+OK".to_owned()
    }

    /// The call's thread looks around after that time.
    pub(crate) fn wake(&mut self, uuid: &str, after: u64) {
        self.schedule(after, Task::Attend { call: uuid.to_owned() });
    }

    /// The call goes on: with its messages, with what it is in, with its dialplan, or to its end.
    pub(crate) fn attend(&mut self, uuid: &str) {
        loop {
            let Some(call) = self.calls.get_mut(uuid).filter(|call| call.thread.alive) else { return };
            let ended = call.hangup.is_some() || call.thread.leaving;
            if ended && call.seat.is_some() {
                // Its member leaves first.
                return;
            }
            let thread = &mut call.thread;
            if ended && !thread.stack.is_empty() {
                self.break_off(uuid);
                continue;
            }
            thread.leaving = false;
            if call.hangup.is_some() {
                return self.fire_hangup(uuid);
            }
            let listens = !thread.stack.is_empty() && !thread.stack.iter().any(|running| running.locked);
            if listens && let Some(message) = thread.mail.pop_front() {
                self.obey(uuid, message);
            } else if !thread.stack.is_empty() {
                if !self.resume(uuid) {
                    return;
                }
            } else if let Some(step) = thread.plan.pop_front() {
                self.arrive(uuid);
                self.enter_app(uuid, step, None);
            } else {
                let cause = if thread.nowhere { "NO_ROUTE_DESTINATION" } else { "NORMAL_CLEARING" };
                self.end(uuid, cause);
            }
        }
    }

    /// A call is in an application already; nothing is told of how it came there.
    pub(crate) fn is_in(&mut self, uuid: &str, step: Step, doing: Doing) {
        let (key, began) = (self.next_key(), self.now);
        let Some(call) = self.calls.get_mut(uuid) else { return };
        let thread = &mut call.thread;
        thread.alive = true;
        if thread.stack.last().is_some_and(|top| matches!(top.doing, Doing::Begins)) {
            // It is about to be told.
            return;
        }
        thread.last = step.clone();
        thread.stack.push(Running {
            key,
            step,
            uuid: None,
            sent: false,
            locked: false,
            began,
            due: None,
            left: None,
            doing,
        });
    }

    /// The innermost application of a call that has ended or goes elsewhere ends, then what was sent is tried:
    /// an application that needs no channel is executed even now (`SAF_ZOMBIE_EXEC`).
    fn break_off(&mut self, uuid: &str) {
        self.interrupt(uuid);
        self.finish(uuid);
        while let Some(call) = self.calls.get_mut(uuid) {
            if call.thread.stack.is_empty() {
                // What is left is for whatever comes next, if anything does.
                return;
            }
            let Some(message) = call.thread.mail.pop_front() else { return };
            self.obey(uuid, message);
            // What was begun all the same comes to nothing.
            if self.calls.get(uuid).is_some_and(|call| call.thread.stack.last().is_some_and(|top| top.sent)) {
                self.interrupt(uuid);
                self.finish(uuid);
            }
        }
    }

    fn obey(&mut self, uuid: &str, message: Message) {
        match message.command.as_str() {
            "execute" if !message.step.app.is_empty() => {
                self.enter_app(uuid, message.step, Some((message.uuid, message.locked)));
            }
            "hangup" => {
                let cause = if message.cause.is_empty() { "NORMAL_CLEARING" } else { &message.cause };
                self.end(uuid, cause);
            }
            // "Invalid Command!" in the switch's log.
            _ => {}
        }
    }

    /// Executes an application: it ends at once, or is on top of the stack afterwards.
    fn enter_app(&mut self, uuid: &str, step: Step, sent: Option<(Option<String>, bool)>) {
        let known = super::apps::known(&step.app);
        let Some(call) = self.calls.get(uuid) else { return };
        if call.hangup.is_some() && !known.as_ref().is_some_and(|app| app.without_channel) {
            return;
        }
        let Some(known) = known else { return self.end(uuid, "DESTINATION_OUT_OF_ORDER") };
        if known.needs_media {
            self.pre_answer(uuid);
        }
        let (key, began) = (self.next_key(), self.now);
        let Some(call) = self.calls.get_mut(uuid) else { return };
        let step = Step { data: call.expanded(&step.data), ..step };
        if sent.is_some() {
            call.set_variable("current_loop", "1");
            call.set_variable("total_loops", "1");
        }
        call.set_variable("current_application_data", &step.data);
        call.set_variable("current_application", &step.app);
        call.set_variable("current_application_response", "");
        let thread = &mut call.thread;
        thread.last = step.clone();
        thread.broken = false;
        if let Some(below) = thread.stack.last_mut().filter(|below| !matches!(below.doing, Doing::Parks(_))) {
            below.left = below.due.take().map(|due| due.saturating_sub(began));
        }
        let (sent, (event, locked)) = (sent.is_some(), sent.unwrap_or_default());
        let doing = Doing::Begins;
        let running = Running {
            key,
            step: step.clone(),
            uuid: event,
            sent,
            locked,
            began,
            due: None,
            left: None,
            doing,
        };
        thread.stack.push(running);
        match self.begin(uuid, &step) {
            Begun::Over => self.finish(uuid),
            Begun::Goes(doing, after) => {
                if let Some(top) = self.top(uuid) {
                    top.doing = doing;
                }
                self.wait(uuid, after);
            }
        }
    }

    /// The innermost application.
    pub(crate) fn top(&mut self, uuid: &str) -> Option<&mut Running> {
        self.calls.get_mut(uuid)?.thread.stack.last_mut()
    }

    /// The innermost application waits so long, or until something happens.
    pub(crate) fn wait(&mut self, uuid: &str, after: Option<u64>) {
        let now = self.now;
        let Some(top) = self.top(uuid) else { return };
        top.due = after.map(|after| now.saturating_add(after));
        let key = top.key;
        if let Some(after) = after {
            self.schedule(after, Task::AppDue { call: uuid.to_owned(), key });
        }
    }

    /// What is on top goes on after something else has ended, and looks at the keys. True if that was its end.
    fn resume(&mut self, uuid: &str) -> bool {
        let now = self.now;
        let Some(top) = self.top(uuid) else { return false };
        if let Some(left) = top.left.take() {
            self.wait(uuid, Some(left));
        } else if matches!(top.doing, Doing::Parks(_)) && top.due.is_some_and(|due| due <= now) {
            // Its time has run out while it was not looking.
            return self.time_is_up(uuid);
        }
        self.look_at_keys(uuid)
    }

    /// The time of an application has come, unless it has been given another one or stands still.
    pub(crate) fn app_due(&mut self, uuid: &str, key: u64) {
        let now = self.now;
        let due = self.top(uuid).is_some_and(|top| top.key == key && top.due.is_some_and(|due| due <= now));
        if due && self.is_ready(uuid) {
            self.time_is_up(uuid);
            self.attend(uuid);
        }
    }

    /// The innermost application has ended: `CHANNEL_EXECUTE_COMPLETE`.
    pub(crate) fn finish(&mut self, uuid: &str) {
        let Some(running) = self.calls.get_mut(uuid).and_then(|call| call.thread.stack.pop()) else { return };
        let sent = running.sent;
        self.fire_executed(uuid, running);
        if let Some(call) = self.calls.get_mut(uuid).filter(|_| sent) {
            call.set_variable("current_loop", "");
            call.set_variable("total_loops", "");
        }
    }

    /// The seat of a call is empty: whatever is inside the conference ends, then the conference.
    pub(crate) fn leave_seat(&mut self, uuid: &str) {
        while let Some(top) = self.top(uuid) {
            let conference = matches!(top.doing, Doing::Confers);
            self.interrupt(uuid);
            self.finish(uuid);
            if conference {
                break;
            }
        }
        self.attend(uuid);
    }

    /// A call leaves what it is in for another dialplan.
    pub(crate) fn reroute(&mut self, uuid: &str, route: Route) {
        let Some(call) = self.calls.get_mut(uuid) else { return };
        let thread = &mut call.thread;
        (thread.plan, thread.nowhere) = (route.plan, route.nowhere);
        thread.keys.clear();
        thread.leaving = !thread.stack.is_empty();
        // A call that the switch has made follows no dialplan until now.
        thread.alive = true;
    }

    /// Somebody presses keys, all at this moment. What they mean is up to what the call is in.
    pub fn press(&mut self, now: u64, uuid: &str, keys: &str) -> Result<(), super::Rejected> {
        self.advance(now);
        let call = self.calls.get_mut(uuid).filter(|call| call.hangup.is_none());
        let call = call.ok_or(super::Rejected::NoSuchCall)?;
        // Before there is media there is nothing that could bring a key.
        if call.has_media() {
            let known = keys.chars().filter(|key| "0123456789*#ABCDabcd".contains(*key));
            call.thread.keys.extend(known);
            if self.is_ready(uuid) && self.look_at_keys(uuid) {
                self.attend(uuid);
            }
        }
        Ok(())
    }

    /// The next key, which is looked at now.
    pub(crate) fn next_key_of(&mut self, uuid: &str) -> Option<char> {
        let thread = &mut self.calls.get_mut(uuid)?.thread;
        let key = thread.keys.pop_front()?;
        thread.dialled.push(key);
        Some(key)
    }

    /// `uuid_break [all]`.
    pub(crate) fn break_sound(&mut self, uuid: &str, all: bool) {
        let Some(call) = self.calls.get_mut(uuid) else { return };
        if all {
            call.thread.mail.clear();
        }
        call.thread.broken = true;
        if self.is_ready(uuid) && self.hear_break(uuid) {
            self.attend(uuid);
        }
    }
}
