//! Commands that are not about a conference: the switch, its calls, `hash`; and `bgapi` jobs.

use super::conference::{Answer, say};
use super::{Task, World};
use crate::sim::text;
use std::io::Write as _;

/// `FreeSWITCH-Version`.
pub(crate) const VERSION: &str = "1.11.3-dev+git~20260821T141014Z~cc93a683ca~64bit";

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
            "eval" => return self.eval(arguments),
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
                Some(verb) => self.call_command(verb, arguments, &mut out),
                None => say!(out, "-ERR {command} Command not found!\n"),
            },
        }
        out
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
}
