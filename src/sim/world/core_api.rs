//! Commands that are not about a conference: the switch, its calls, `hash`; and `bgapi` jobs.

use super::conference::{Answer, say, split_words};
use super::{RoomKey, Task, World};
use crate::sim::text;
use std::io::Write as _;

/// `FreeSWITCH-Version`.
pub(crate) const VERSION: &str = "1.11.3-dev+git~20260821T141014Z~cc93a683ca~64bit";
const NO_CHANNEL: &str = "-ERR No such channel!\n";

impl World {
    /// Executes an `api` command and gives its answer; an empty one becomes `-ERR no reply` on the wire.
    pub fn api(&mut self, now: u64, line: &str) -> Vec<u8> {
        self.advance(now);
        // Each command is an event of its own, with a number, that no conference controller listens to.
        self.burn(1);
        let (command, arguments) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        self.execute(command, arguments.trim())
    }

    /// `bgapi`: the job is executed by itself; its end is an event. Gives the job's id.
    pub fn bgapi(&mut self, now: u64, line: &str, job: Option<String>) -> String {
        self.advance(now);
        let uuid = job.unwrap_or_else(|| self.dice.uuid());
        let (command, argument) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        if command == "originate" && self.originate(&uuid, argument.trim()) {
            return uuid;
        }
        // A call that leads nowhere takes a moment to find that out.
        let wait = if command == "originate" { self.options.tick } else { 0 };
        let wait = wait + self.dice.below(self.options.job_jitter);
        let (command, argument) = (command.to_owned(), argument.trim().to_owned());
        self.schedule(wait, Task::Job { uuid: uuid.clone(), command, argument });
        uuid
    }

    /// Whether there is a call of that id.
    pub fn has_call(&self, uuid: &str) -> bool {
        self.calls.contains_key(uuid)
    }

    pub(crate) fn run_job(&mut self, uuid: &str, command: &str, argument: &str) {
        self.burn(1);
        let answer = self.execute(command, argument);
        self.job_ended(uuid, command, argument, answer);
    }

    /// The end of a job is an event with what it printed.
    pub(crate) fn job_ended(&mut self, uuid: &str, command: &str, argument: &str, answer: Answer) {
        let mut draft = self.draft("BACKGROUND_JOB", ("mod_event_socket.c", "api_exec", 1580));
        draft.lines.push("Job-UUID", uuid).push("Job-Command", command);
        if !argument.is_empty() {
            draft.lines.push("Job-Command-Arg", argument);
        }
        self.fire_with_body(draft, None, Some(answer));
    }

    fn execute(&mut self, command: &str, arguments: &str) -> Answer {
        let mut out = Answer::new();
        let words: Vec<&str> = arguments.split(' ').filter(|w| !w.is_empty()).collect();
        match command {
            "conference" => return self.conference(arguments),
            "version" => say!(
                out,
                "FreeSWITCH Version {} (git cc93a68 2026-08-21 14:10:14Z 64bit)\n",
                self.options.version
            ),
            "status" => self.status(&mut out),
            "uptime" => say!(out, "{}\n", self.now.saturating_sub(self.started) / 1_000_000),
            "global_getvar" => self.global(words.first().copied(), &mut out),
            "global_setvar" => match arguments.split_once('=') {
                Some((name, value)) => {
                    self.globals.insert(name.to_owned(), value.to_owned());
                    say!(out, "+OK\n");
                }
                None => say!(out, "-USAGE: <var>=<value> [=<value2>]\n"),
            },
            "hash" => self.hash(arguments, &mut out),
            "show" => self.show(&words, &mut out),
            "originate" => say!(out, "-ERR {}\n", super::originate::nowhere(arguments)),
            "hupall" => {
                let mut calls: Vec<String> = self.calls.keys().cloned().collect();
                calls.sort_unstable();
                for call in calls {
                    self.hang_up(&call, words.first().copied().unwrap_or("MANAGER_REQUEST"));
                }
                say!(out, "+OK hangup all channels\n");
            }
            _ => match command.strip_prefix("uuid_") {
                Some(verb) => self.call_command(verb, arguments, &words, &mut out),
                None => say!(out, "-ERR {command} Command not found!\n"),
            },
        }
        out
    }

    fn call_command(&mut self, verb: &str, arguments: &str, words: &[&str], out: &mut Answer) {
        let uuid = words.first().copied().unwrap_or("");
        let known = self.calls.get(uuid).is_some_and(|call| call.hangup.is_none());
        match verb {
            "exists" => say!(out, "{known}"),
            "kill" | "getvar" | "setvar" | "transfer" if !known => say!(out, "{NO_CHANNEL}"),
            "kill" => {
                self.hang_up(uuid, words.get(1).copied().unwrap_or("NORMAL_CLEARING"));
                say!(out, "+OK\n");
            }
            "getvar" => {
                let name = words.get(1).copied().unwrap_or("");
                let value = self.calls.get(uuid).and_then(|call| call.variable(name));
                out.extend_from_slice(value.unwrap_or(b"_undef_"));
            }
            "setvar" => {
                let name = words.get(1).copied().unwrap_or("");
                let value = arguments.splitn(3, ' ').nth(2).unwrap_or("").to_owned();
                if let Some(call) = self.calls.get_mut(uuid) {
                    call.set_variable(name, value);
                    if call.seat.is_some() {
                        call.show_presence_data();
                    }
                }
                say!(out, "+OK\n");
            }
            "transfer" => self.transfer_call(uuid, arguments, out),
            _ => say!(out, "-ERR uuid_{verb} Command not found!\n"),
        }
    }

    /// `uuid_transfer <uuid> 'set:a=b,conference:<room>...' inline`. Other dialplans lead nowhere here.
    fn transfer_call(&mut self, uuid: &str, arguments: &str, out: &mut Answer) {
        let words = split_words(arguments, 4);
        let inline = words.get(1).map_or("", String::as_str).to_owned();
        say!(out, "+OK\n");
        let mut target = None;
        for step in inline.split(',') {
            if let Some((name, value)) = step.strip_prefix("set:").and_then(|set| set.split_once('=')) {
                if let Some(call) = self.calls.get_mut(uuid) {
                    call.set_variable(name, value);
                }
            } else if let Some(room) = step.strip_prefix("conference:") {
                target = Some(room.to_owned());
            }
        }
        let Some(target) = target.filter(|_| words.get(2).is_some_and(|dialplan| dialplan == "inline"))
        else {
            self.hang_up(uuid, "NO_ROUTE_DESTINATION");
            return;
        };
        match self.seat(uuid) {
            Some(seat) => {
                self.mark_transfer(uuid, &inline, true);
                if let Some(member) = self.member_mut(seat.0, seat.1) {
                    member.transfer = Some(target);
                }
                self.send_out(seat);
            }
            None => {
                self.mark_transfer(uuid, &inline, false);
                if let Some(call) = self.calls.get_mut(uuid) {
                    // The dialplan ends behind the conference.
                    call.stays_up = false;
                }
                let wait = self.options.departure;
                self.schedule(wait, Task::Enter { call: uuid.to_owned(), target });
            }
        }
    }

    fn status(&self, out: &mut Answer) {
        let up = text::uptime(self.now.saturating_sub(self.started));
        let (calls, max) = (self.calls.len(), self.options.max_sessions);
        say!(out, "UP {up}\n");
        say!(out, "FreeSWITCH (Version 1.11.3-dev git cc93a68 2026-08-21 14:10:14Z 64bit) is ready\n");
        say!(out, "{} session(s) since startup\n", self.sessions);
        say!(out, "{calls} session(s) - peak {calls}, last 5min {calls} \n");
        say!(out, "0 session(s) per Sec out of max 500, peak 0, last 5min 0 \n");
        say!(out, "{max} session(s) max\nmin idle cpu 0.00/99.60\nCurrent Stack Size/Max 240K/8192K\n");
    }

    fn global(&self, name: Option<&str>, out: &mut Answer) {
        let who = &self.options.identity;
        let value = match name {
            Some("core_uuid") => self.core_uuid(),
            Some("hostname") => &who.hostname,
            Some("switchname") => &who.switchname,
            Some("domain") => &who.domain,
            Some("local_ip_v4") => &who.ipv4,
            Some("local_ip_v6") => &who.ipv6,
            Some(other) => self.globals.get(other).map_or("", String::as_str),
            None => "",
        };
        say!(out, "{value}");
    }

    /// mod_hash: `insert/realm/key/value`, `insert_ifempty/...`, `select/realm/key`, `delete/realm/key`.
    fn hash(&mut self, arguments: &str, out: &mut Answer) {
        let mut fields = arguments.splitn(4, '/');
        let mut next = || fields.next().filter(|text| !text.is_empty());
        let (Some(verb), Some(realm), Some(key)) = (next(), next(), next()) else {
            let usage = "[insert|insert_ifempty|delete|select]/<realm>/<key>/<value>";
            return say!(out, "-ERR Usage: hash {usage}\n");
        };
        let value = next();
        let at = format!("{realm}/{key}");
        match (verb, value) {
            ("insert_ifempty", Some(_)) if self.hash.contains_key(&at) => {
                say!(out, "-ERR key already exists\n");
            }
            ("insert" | "insert_ifempty", Some(value)) => {
                self.hash.insert(at, value.to_owned());
                say!(out, "+OK\n");
            }
            ("select", _) => say!(out, "{}", self.hash.get(&at).map_or("", String::as_str)),
            ("delete", _) if self.hash.remove(&at).is_some() => say!(out, "+OK\n"),
            ("delete", _) => say!(out, "-ERR Not found\n"),
            _ => say!(out, "-ERR Usage: hash {verb}/<realm>/<key>/<value>\n"),
        }
    }

    /// `show channels as json`. Each call is one row; the other leg of a call is not there.
    fn show(&self, words: &[&str], out: &mut Answer) {
        if words != ["channels", "as", "json"] {
            return say!(out, "\n{} total.\n", self.calls.len());
        }
        if self.calls.is_empty() {
            return say!(out, "{{\"row_count\":0}}");
        }
        let mut calls: Vec<_> = self.calls.values().collect();
        calls.sort_by_key(|call| (call.created, call.uuid.clone()));
        let rows: Vec<_> = calls.into_iter().map(|call| self.channel_row(call)).collect();
        let document = serde_json::json!({"row_count": rows.len(), "rows": rows});
        say!(out, "{document}");
    }

    fn channel_row(&self, call: &super::Call) -> serde_json::Value {
        let text = |name: &str| {
            String::from_utf8_lossy(&call.channel.get(name).unwrap_or_default()).into_owned().into()
        };
        let room = |key: RoomKey| self.rooms.get(&key).map(|r| format!("{}@{}", r.name, r.profile));
        let conference = call.seat.and_then(|(key, _)| room(key));
        let application = if conference.is_some() { "conference" } else { "park" };
        let direction = if call.inbound { "inbound" } else { "outbound" };
        let (created, epoch) = (text::date_local(call.created), (call.created / 1_000_000).to_string());
        let mut row = serde_json::Map::new();
        let mut put = |names: &str, value: serde_json::Value| {
            for name in names.split(' ') {
                row.insert(name.to_owned(), value.clone());
            }
        };
        put("uuid", call.uuid.clone().into());
        put("direction", direction.into());
        put("created", created.into());
        put("created_epoch", epoch.into());
        put("name", text("Channel-Name"));
        put("state", "CS_EXECUTE".into());
        put("cid_name", text("Caller-Caller-ID-Name"));
        put("cid_num", text("Caller-Caller-ID-Number"));
        put("ip_addr", text("Caller-Network-Addr"));
        put("dest", text("Caller-Destination-Number"));
        put("application", application.into());
        put("application_data", conference.unwrap_or_default().into());
        put("dialplan", text("Caller-Dialplan"));
        put("context", text("Caller-Context"));
        put("read_codec", text("Channel-Read-Codec-Name"));
        put("read_rate", "8000".into());
        put("read_bit_rate", text("Channel-Read-Codec-Bit-Rate"));
        put("write_codec", "PCMU".into());
        put("write_rate", "8000".into());
        put("write_bit_rate", "64000".into());
        put("secure", "".into());
        put("hostname", self.options.identity.switchname.clone().into());
        put("presence_id presence_data accountcode", "".into());
        put("callstate", "ACTIVE".into());
        put("callee_name callee_num callee_direction call_uuid sent_callee_name sent_callee_num", "".into());
        put("initial_cid_name", text("Caller-Orig-Caller-ID-Name"));
        put("initial_cid_num", text("Caller-Orig-Caller-ID-Number"));
        put("initial_ip_addr", text("Caller-Network-Addr"));
        put("initial_dest", call.destination.clone().into());
        put("initial_dialplan", "XML".into());
        put("initial_context", text("Caller-Context"));
        serde_json::Value::Object(row)
    }
}
