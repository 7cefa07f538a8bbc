//! The applications of the dialplan (mod_dptools.c): how they begin, what keys and time mean to them, and what
//! they leave behind when they are broken off.

use super::conference::{atoi, split_words};
use super::people::Door;
use super::running::{Begun, Doing, Step};
use super::sound::{UNWRITABLE, is_missing, length};
use super::{Task, World};

/// What the switch knows of an application.
pub(crate) struct App {
    /// The call is answered early for it (no `SAF_SUPPORT_NOMEDIA`).
    pub(crate) needs_media: bool,
    /// It is executed even for a call that has ended (`SAF_ZOMBIE_EXEC`).
    pub(crate) without_channel: bool,
}

/// `None`: the call is hung up with DESTINATION_OUT_OF_ORDER.
pub(crate) fn known(app: &str) -> Option<App> {
    let (needs_media, without_channel) = match app {
        "playback" | "play_and_get_digits" | "record" | "conference" => (true, false),
        "answer" | "pre_answer" | "park" | "sleep" | "hangup" | "bridge" | "flush_dtmf" | "ring_ready" => {
            (false, false)
        }
        "set" | "unset" | "multiset" | "export" | "eval" | "log" | "info" => (false, true),
        _ => return None,
    };
    Some(App { needs_media, without_channel })
}

/// A number that a client has sent; a day in milliseconds is enough for anything here.
fn number(text: &str) -> u64 {
    u64::try_from(atoi(text)).unwrap_or(0).min(86_400_000)
}

/// When the caller has sent his ACK to the answer (µs): then variables change their places.
const ACK: u64 = 20_000;

impl World {
    /// Begins an application that is on top of the stack.
    pub(crate) fn begin(&mut self, uuid: &str, step: &Step) -> Begun {
        match step.app.as_str() {
            "answer" => self.answer(uuid),
            "pre_answer" => self.pre_answer(uuid),
            "set" | "export" => self.set_one(uuid, &step.data),
            "multiset" => {
                for one in split_words(&step.data, 64) {
                    self.set_one(uuid, &one);
                }
            }
            "unset" => self.set_on(uuid, &step.data, ""),
            "hangup" => {
                let cause = if step.data.is_empty() { "NORMAL_CLEARING" } else { &step.data };
                self.end(uuid, cause);
            }
            "flush_dtmf" => {
                if let Some(call) = self.calls.get_mut(uuid) {
                    call.thread.keys.clear();
                }
            }
            "park" => return self.begin_park(uuid),
            "playback" => return self.begin_playback(uuid, &step.data),
            "play_and_get_digits" => return self.begin_digits(uuid, &step.data),
            "record" => return self.begin_record(uuid, &step.data),
            "sleep" => {
                return Begun::Goes(Doing::Sleeps, Some(number(&step.data) * 1000));
            }
            "conference" => return self.begin_conference(uuid, &step.data),
            "bridge" => return self.begin_bridge(&step.data),
            _ => {}
        }
        Begun::Over
    }

    pub(crate) fn set_on(&mut self, uuid: &str, name: &str, value: &str) {
        if let Some(call) = self.calls.get_mut(uuid) {
            call.set_variable(name, value);
        }
    }

    /// `name=value`, or `name,value` if there is no `=` (`base_set`).
    fn set_one(&mut self, uuid: &str, text: &str) {
        let (name, value) = text.split_once('=').or_else(|| text.split_once(',')).unwrap_or((text, ""));
        self.set_on(uuid, name, value);
    }

    pub(crate) fn pre_answer(&mut self, uuid: &str) {
        let now = self.now.to_string();
        let Some(call) = self.calls.get_mut(uuid).filter(|call| !call.has_media()) else { return };
        call.channel.set("Answer-State", "early");
        call.channel.set("Channel-Call-State", "EARLY");
        call.channel.set("Caller-Channel-Progress-Media-Time", now);
        super::sip::media(call);
        call.set_variable("endpoint_disposition", "EARLY MEDIA");
    }

    pub(crate) fn answer(&mut self, uuid: &str) {
        let now = self.now.to_string();
        let Some(call) = self.calls.get_mut(uuid).filter(|call| !call.is_answered()) else { return };
        if !call.has_media() {
            super::sip::media(call);
        }
        call.channel.set("Answer-State", "answered");
        call.channel.set("Channel-Call-State", "ACTIVE");
        call.channel.set("Caller-Channel-Answered-Time", now);
        call.set_variable("endpoint_disposition", "ANSWER");
        self.schedule(ACK, Task::Acked { call: uuid.to_owned() });
    }

    /// `CHANNEL_PARK`, then nothing. `park_timeout` (seconds, and after a colon a cause) is read once; the
    /// switch counts whole seconds of its clock (switch_ivr.c, `switch_ivr_park`).
    fn begin_park(&mut self, uuid: &str) -> Begun {
        let now = self.now;
        let Some(call) = self.calls.get_mut(uuid) else { return Begun::Over };
        if call.thread.stack.iter().any(|running| matches!(running.doing, Doing::Parks(_))) {
            // "Cannot park channels that are under control already."
            return Begun::Over;
        }
        let timeout = call.text_variable("park_timeout");
        call.set_variable("park_timeout", "");
        let cause = timeout.as_deref().and_then(|text| text.split_once(':')).map(|(_, cause)| cause);
        let cause = cause.unwrap_or("NORMAL_CLEARING").to_owned();
        let seconds = timeout.filter(|text| atoi(text) >= 0).map(|text| number(&text));
        let after = seconds.map(|seconds| ((now / 1_000_000 + seconds) * 1_000_000).saturating_sub(now));
        self.fire_parked(uuid);
        Begun::Goes(Doing::Parks(cause), after)
    }

    fn begin_playback(&mut self, uuid: &str, file: &str) -> Begun {
        self.set_on(uuid, "playback_terminator_used", "");
        if self.is_leaving(uuid) || file.is_empty() {
            self.respond(uuid, "PLAYBACK ERROR");
            return Begun::Over;
        }
        if is_missing(file) {
            self.respond(uuid, "FILE NOT FOUND");
            return Begun::Over;
        }
        Begun::Goes(Doing::Plays, length(file))
    }

    /// `record <path> [<limit in seconds>] [<threshold>] [<seconds of silence>]`. The limit is compared with
    /// whole seconds and has to be exceeded.
    fn begin_record(&mut self, uuid: &str, data: &str) -> Begun {
        let now = self.now;
        let words = split_words(data, 4);
        let Some(path) = words.first() else { return Begun::Over };
        let number = |at: usize| words.get(at).map_or(0, |word| number(word));
        self.set_on(uuid, "playback_terminator_used", "");
        if self.is_leaving(uuid) || path.starts_with(UNWRITABLE) {
            self.end(uuid, "DESTINATION_OUT_OF_ORDER");
            return Begun::Over;
        }
        self.files.insert(path.clone());
        self.set_on(uuid, "silence_hits_exhausted", "false");
        let limit = match number(1) {
            0 => None,
            limit => Some(((now / 1_000_000 + limit + 1) * 1_000_000).saturating_sub(now)),
        };
        let silence = (number(2) > 0).then(|| if number(3) > 0 { number(3) } else { 3 } * 1_000_000);
        let quiet = silence.filter(|_| self.calls.get(uuid).is_some_and(|call| !call.thread.voice));
        let after = [limit, quiet].into_iter().flatten().min();
        Begun::Goes(Doing::Records { limit: limit.map(|after| now + after), silence }, after)
    }

    /// The call is answered and takes a seat; turned away, the application ends. A PIN is not asked for here:
    /// whoever has none is turned away.
    fn begin_conference(&mut self, uuid: &str, data: &str) -> Begun {
        let door = Door::parse(data);
        self.answer(uuid);
        let begins = self.find_room(&door.room).is_none();
        if self.is_leaving(uuid) || (begins && door.flags.join_only) || self.enter(uuid, &door).is_err() {
            return Begun::Over;
        }
        Begun::Goes(Doing::Confers, None)
    }

    /// A call to somebody who has a fate has that; everybody else answers at once.
    fn begin_bridge(&self, data: &str) -> Begun {
        match self.fate_of(data) {
            Some(None) => Begun::Goes(Doing::Bridges { established: false, fate: String::new() }, None),
            Some(Some((after, fate))) => {
                Begun::Goes(Doing::Bridges { established: false, fate }, Some(after))
            }
            None => Begun::Goes(Doing::Bridges { established: true, fate: String::new() }, None),
        }
    }

    /// Whom a call is bridged to: the dial string.
    pub fn bridged(&self, uuid: &str) -> Option<String> {
        let stack = &self.calls.get(uuid)?.thread.stack;
        let bridge = |doing: &Doing| matches!(doing, Doing::Bridges { established: true, .. });
        stack.iter().find(|running| bridge(&running.doing)).map(|running| running.step.data.clone())
    }

    /// The files that were recorded, by `record` and in conferences.
    pub fn files(&self) -> Vec<String> {
        self.files.iter().cloned().collect()
    }

    fn is_leaving(&self, uuid: &str) -> bool {
        self.calls.get(uuid).is_none_or(|call| call.thread.leaving || call.hangup.is_some())
    }

    pub(crate) fn respond(&mut self, uuid: &str, response: &str) {
        self.set_on(uuid, "current_application_response", response);
    }

    /// What is known of a sound that has ended. How much of it was read before it was heard is not known.
    pub(crate) fn played(&mut self, uuid: &str, began: u64) {
        let millis = self.now.saturating_sub(began) / 1000;
        let Some(call) = self.calls.get_mut(uuid) else { return };
        call.set_variable("playback_last_offset_pos", (millis * 8).to_string());
        call.set_variable("playback_seconds", (millis / 1000).to_string());
        call.set_variable("playback_ms", millis.to_string());
        call.set_variable("playback_samples", (millis * 8).to_string());
    }

    fn recorded(&mut self, uuid: &str, began: u64) {
        let millis = self.now.saturating_sub(began) / 1000;
        let size = (millis * 16 + 44).to_string();
        let Some(call) = self.calls.get_mut(uuid) else { return };
        call.set_variable("record_record_file_size", &size);
        call.set_variable("record_file_size", &size);
        call.set_variable("record_seconds", (millis / 1000).to_string());
        call.set_variable("record_ms", millis.to_string());
        call.set_variable("record_samples", (millis * 8).to_string());
    }

    /// The end of the innermost application by itself, or its next step. True if it has ended.
    pub(crate) fn time_is_up(&mut self, uuid: &str) -> bool {
        let now = self.now;
        let Some(top) = self.top(uuid) else { return false };
        let began = top.began;
        match &mut top.doing {
            Doing::Parks(cause) => {
                let cause = cause.clone();
                self.end(uuid, &cause);
                return true;
            }
            Doing::Plays => {
                self.played(uuid, began);
                self.respond(uuid, "FILE PLAYED");
            }
            Doing::Records { limit, .. } => {
                let silent = limit.is_none_or(|limit| now < limit);
                if silent {
                    self.set_on(uuid, "silence_hits_exhausted", "true");
                }
                self.recorded(uuid, began);
            }
            Doing::Asks(_) => return self.digits_due(uuid),
            Doing::Bridges { established, fate } if fate.is_empty() => {
                *established = true;
                return false;
            }
            Doing::Bridges { fate, .. } => {
                let fate = fate.clone();
                self.set_on(uuid, "originate_disposition", &fate);
                let goes_on = self.calls.get(uuid).and_then(|call| call.is_true("continue_on_fail"));
                // switch_channel.c, `switch_channel_handle_cause`.
                if goes_on != Some(true) && fate != "NO_ANSWER" && fate != "NO_USER_RESPONSE" {
                    self.end(uuid, &fate);
                }
            }
            Doing::Begins | Doing::Sleeps | Doing::Confers => {}
        }
        self.finish(uuid);
        true
    }

    /// Keys that wait are looked at by the innermost application. True if that was its end.
    pub(crate) fn look_at_keys(&mut self, uuid: &str) -> bool {
        let Some(top) = self.top(uuid) else { return false };
        match &top.doing {
            Doing::Begins => return false,
            // Lost.
            Doing::Parks(_) | Doing::Confers | Doing::Bridges { .. } => {
                while self.next_key_of(uuid).is_some() {}
                return false;
            }
            Doing::Plays | Doing::Records { .. } => return self.look_for_terminator(uuid),
            Doing::Asks(_) => return self.digits_keys(uuid),
            // It ends and leaves the key to the next.
            Doing::Sleeps => {
                if self.calls.get(uuid).is_none_or(|call| call.thread.keys.is_empty()) {
                    return false;
                }
            }
        }
        self.finish(uuid);
        true
    }

    /// Keys in the middle of a sound are lost, but for the one that ends it (mod_dptools.c, `on_dtmf`).
    fn look_for_terminator(&mut self, uuid: &str) -> bool {
        let named = self.calls.get(uuid).and_then(|call| call.text_variable("playback_terminators"));
        let terminators = match named.as_deref() {
            None => "*",
            Some("any") => "1234567890*#",
            Some("none") => "",
            Some(named) => named,
        };
        while let Some(key) = self.next_key_of(uuid) {
            if terminators.contains(key) {
                self.set_on(uuid, "playback_terminator_used", &key.to_string());
                self.cut_sound(uuid);
                return true;
            }
        }
        false
    }

    /// A file that is played or recorded ends before its time, as if it were over.
    fn cut_sound(&mut self, uuid: &str) {
        let Some(top) = self.top(uuid) else { return };
        let (began, plays) = (top.began, matches!(top.doing, Doing::Plays));
        if plays {
            self.played(uuid, began);
            self.respond(uuid, "FILE PLAYED");
        } else {
            self.recorded(uuid, began);
        }
        self.finish(uuid);
    }

    /// `uuid_break` meets the innermost application, if that looks for it. True if that was its end.
    pub(crate) fn hear_break(&mut self, uuid: &str) -> bool {
        let Some(call) = self.calls.get_mut(uuid).filter(|call| call.thread.broken) else { return false };
        match call.thread.stack.last().map(|top| &top.doing) {
            Some(Doing::Plays | Doing::Records { .. }) => {
                call.thread.broken = false;
                self.cut_sound(uuid);
                true
            }
            Some(Doing::Sleeps) => {
                call.thread.broken = false;
                self.finish(uuid);
                true
            }
            Some(Doing::Asks(_)) => self.digits_break(uuid),
            _ => false,
        }
    }

    /// The innermost application finds its channel gone, or on its way elsewhere.
    pub(crate) fn interrupt(&mut self, uuid: &str) {
        let Some(top) = self.top(uuid) else { return };
        let began = top.began;
        match &top.doing {
            Doing::Plays => {
                self.played(uuid, began);
                self.respond(uuid, "PLAYBACK ERROR");
            }
            Doing::Records { .. } => {
                self.recorded(uuid, began);
                // `record_function` does not ask why the channel is not ready: a transfer ends the call.
                self.end(uuid, "DESTINATION_OUT_OF_ORDER");
            }
            Doing::Asks(_) => self.digits_interrupted(uuid),
            _ => {}
        }
    }

    /// A caller begins or ends making himself heard, outside of a conference.
    pub(crate) fn hear_voice(&mut self, uuid: &str, speaking: bool) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(uuid) else { return };
        call.thread.voice = speaking;
        let Some(Doing::Records { limit, silence: Some(silence) }) =
            call.thread.stack.last().map(|top| top.doing.clone())
        else {
            return;
        };
        let limit = limit.map(|limit| limit.saturating_sub(now));
        let after = [limit, (!speaking).then_some(silence)].into_iter().flatten().min();
        self.wait(uuid, after);
    }

    /// The caller's ACK is there: what it brings is set anew.
    pub(crate) fn acked(&mut self, uuid: &str) {
        if let Some(call) = self.calls.get_mut(uuid) {
            super::sip::ack(call);
        }
    }
}
