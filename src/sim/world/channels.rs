//! Commands for calls: `uuid_*` and `show channels` (mod_commands.c).

use super::conference::{Answer, say, split_words};
use super::{RoomKey, World};
use crate::sim::text;
use std::io::Write as _;

const NO_CHANNEL: &str = "-ERR No such channel!\n";

impl World {
    /// `uuid_<verb>`.
    pub(crate) fn call_command(&mut self, verb: &str, arguments: &str, out: &mut Answer) {
        let (usage, least) = match verb {
            "exists" => ("", 0),
            "kill" => ("<uuid> [cause]", 1),
            "getvar" => ("<uuid> <var>", 2),
            "setvar" => ("<uuid> <var> [value]", 2),
            "setvar_multi" => ("<uuid> <var>=<value>;<var>=<value>...", 2),
            "transfer" => ("<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]", 2),
            "break" => ("<uuid> [all]", 1),
            "dump" => ("<uuid> [format]", 1),
            _ => return say!(out, "-ERR uuid_{verb} Command not found!\n"),
        };
        let words = split_words(arguments, if verb == "setvar" { 3 } else { 6 });
        let uuid = words.first().cloned().unwrap_or_default();
        let known = self.calls.get(&uuid).is_some_and(|call| call.hangup.is_none());
        if verb == "exists" {
            return say!(out, "{known}");
        }
        if words.len() < least {
            return say!(out, "-USAGE: {usage}\n");
        }
        if !known {
            say!(out, "{NO_CHANNEL}");
            if verb == "setvar_multi" {
                say!(out, "-USAGE: {usage}\n");
            }
            return;
        }
        let word = |at: usize| words.get(at).map_or("", String::as_str);
        match verb {
            "kill" => {
                let cause = if word(1).is_empty() { "NORMAL_CLEARING" } else { word(1) };
                say!(out, "+OK\n");
                self.hang_up(&uuid, cause);
            }
            "getvar" => {
                let value = self.calls.get(&uuid).and_then(|call| call.variable(word(1)));
                out.extend_from_slice(value.unwrap_or(b"_undef_"));
            }
            "setvar" => {
                self.set_from_outside(&uuid, word(1), word(2));
                say!(out, "+OK\n");
            }
            "setvar_multi" => {
                let pairs = arguments.split_once(' ').map_or("", |(_, pairs)| pairs);
                self.set_many(&uuid, pairs, usage, out);
            }
            "transfer" => {
                // Which leg is meant makes no difference: there is one.
                let from = if word(1).starts_with('-') { 2 } else { 1 };
                self.transfer_to(&uuid, words.get(from..).unwrap_or_default());
                say!(out, "+OK\n");
            }
            "break" => {
                self.break_sound(&uuid, word(1).contains("all"));
                say!(out, "+OK\n");
            }
            _ => *out = self.dump(&uuid, word(1)),
        }
    }

    fn set_from_outside(&mut self, uuid: &str, name: &str, value: &str) {
        let Some(call) = self.calls.get_mut(uuid) else { return };
        call.set_variable(name, value);
        if call.seat.is_some() {
            call.show_presence_data();
        }
    }

    /// `name=value;name=value`; a name alone unsets it.
    fn set_many(&mut self, uuid: &str, pairs: &str, usage: &str, out: &mut Answer) {
        let mut set = false;
        for pair in split_words(&format!("^^;{pairs}"), 64) {
            let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
            if name.is_empty() {
                say!(out, "-ERR No variable specified\n");
            } else {
                self.set_from_outside(uuid, name, value);
                set = true;
            }
        }
        if set {
            say!(out, "+OK\n");
        } else {
            say!(out, "-USAGE: {usage}\n");
        }
    }

    /// `show channels as json`. Each call is one row; the other leg of a call is not there.
    pub(crate) fn show(&self, words: &[&str], out: &mut Answer) {
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
        // What was executed last, even if it is over: nobody tells that what is around it goes on.
        let last = &call.thread.last;
        let seat = call.seat.and_then(|(key, _)| room(key)).filter(|_| !call.thread.alive);
        let (application, data) = match seat {
            Some(room) => ("conference", room),
            None => (last.app.as_str(), last.data.clone()),
        };
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
        // Noted when the transfer was under way.
        put("dest", call.sent_to.clone().map_or_else(|| text("Caller-Destination-Number"), Into::into));
        put("application", application.into());
        put("application_data", data.into());
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
        put("callstate", text("Channel-Call-State"));
        put("callee_name callee_num callee_direction call_uuid sent_callee_name sent_callee_num", "".into());
        put("initial_cid_name", text("Caller-Orig-Caller-ID-Name"));
        put("initial_cid_num", text("Caller-Orig-Caller-ID-Number"));
        put("initial_ip_addr", text("Caller-Network-Addr"));
        put("initial_dest", call.destination.clone().into());
        put("initial_dialplan", "XML".into());
        put("initial_context", call.context.clone().into());
        serde_json::Value::Object(row)
    }
}
