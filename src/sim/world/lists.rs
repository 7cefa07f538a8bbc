//! Lists of conferences and members: `json_list`, `xml_list`, `list`, `count`.
//!
//! Lists show what a member can do now: on hold it can neither hear nor speak. Events show the flags alone.

use super::cjson::Printer;
use super::conference::{Answer, Handled, say};
use super::room::Node;
use super::{Member, Room, RoomKey, World};
use crate::sim::text;
use std::io::Write as _;

impl World {
    /// `conference json_list` and the like, over all rooms. False if the word is none of them.
    pub(crate) fn list_all(&self, words: &[String], out: &mut Answer) -> bool {
        // The real order is that of a hash table; here the newest conference comes first.
        let rooms: Vec<&Room> = self.rooms.values().rev().filter(|room| !room.ended).collect();
        let second = words.get(1).map_or("", String::as_str);
        match words.first().map(String::as_str) {
            Some("json_list") => *out = self.json(&rooms, second != "compact"),
            Some("xml_list") => *out = self.xml(&rooms),
            Some("count") => say!(out, "{}", rooms.len()),
            Some("list") if second == "count" => say!(out, "{}", rooms.len()),
            Some("list") if rooms.is_empty() => say!(out, "+OK No active conferences.\n"),
            Some("list") => {
                for room in rooms {
                    let size = room.members.len();
                    let plural = if size == 1 { "" } else { "s" };
                    let flags = "running|answered|enforce_min|dynamic|exit_sound|enter_sound";
                    let locked = if room.locked { "locked|" } else { "" };
                    say!(out, "+OK Conference {} ({size} member{plural} rate: 8000 flags: ", room.name);
                    say!(out, "{locked}{flags})\n");
                    if second != "summary" {
                        self.lines(room, out);
                    }
                }
            }
            _ => return false,
        }
        true
    }

    /// The same for one room.
    pub(crate) fn list_one(&self, key: RoomKey, word: &str, args: &[&str], out: &mut Answer) -> Handled {
        let Some(room) = self.rooms.get(&key) else { return Ok(()) };
        match word {
            "json_list" => *out = self.json(&[room], args.first() != Some(&"compact")),
            "xml_list" => *out = self.xml(&[room]),
            "list" if args.first() != Some(&"count") => self.lines(room, out),
            _ => say!(out, "{}", room.size()),
        }
        Ok(())
    }

    /// `id;channel;uuid;name;number;flags;volume in;volume out;energy` per member.
    fn lines(&self, room: &Room, out: &mut Answer) {
        for (_, m) in room.listed(self.now) {
            let Some(call) = self.calls.get(&m.call) else { continue };
            let flags: Vec<&str> = [
                (m.hear && !m.hold, "hear"),
                (m.speak && !m.hold, "speak"),
                (m.talking, "talking"),
                (room.holds_floor(m), "floor"),
                (m.moderator, "moderator"),
            ]
            .into_iter()
            .filter_map(|(on, word)| on.then_some(word))
            .collect();
            say!(out, "{};", m.id);
            out.extend_from_slice(&call.channel_name());
            say!(out, ";{};", m.call);
            out.extend_from_slice(&call.name);
            out.push(b';');
            out.extend_from_slice(&call.number);
            say!(out, ";{};{};{};{}\n", flags.join("|"), m.volume_in, m.volume_out, m.energy_level);
        }
    }

    fn json(&self, rooms: &[&Room], formatted: bool) -> Vec<u8> {
        let members: usize = rooms.iter().map(|room| room.members.len()).sum();
        let mut p = Printer::new(formatted, 64 + rooms.len() * 800 + members * 720);
        p.array(|p| {
            for room in rooms {
                p.item();
                p.object(|p| self.json_room(p, room));
            }
        });
        p.finish()
    }

    fn json_room(&self, p: &mut Printer, room: &Room) {
        p.text("conference_name", room.name.as_bytes());
        p.number("member_count", room.size() as i64);
        p.number("ghost_count", room.ghosts as i64);
        p.number("rate", 8000);
        p.number("run_time", self.seconds_since(room.created));
        p.text("conference_uuid", room.uuid.as_bytes());
        for name in ["canvas_count", "max_bw_in", "force_bw_in", "video_floor_packets"] {
            p.number(name, 0);
        }
        p.boolean("locked", room.locked);
        for name in ["destruct", "wait_mod", "audio_always"] {
            p.boolean(name, false);
        }
        for name in ["running", "answered", "enforce_min"] {
            p.boolean(name, true);
        }
        p.boolean("bridge_to", false);
        p.boolean("dynamic", true);
        p.boolean("exit_sound", room.exit_sound.on);
        p.boolean("enter_sound", room.enter_sound.on);
        p.boolean("recording", !room.recordings.is_empty());
        for name in ["video_bridge", "video_floor_only", "video_rfc4579"] {
            p.boolean(name, false);
        }
        if room.max_members > 0 {
            p.number("max_members", i64::try_from(room.max_members).unwrap_or(i64::MAX));
        }
        p.key("variables");
        p.object(|p| {
            for (name, value) in &room.variables {
                p.text(name, value.as_bytes());
            }
        });
        p.key("members");
        p.array(|p| {
            for node in room.nodes(self.now) {
                p.item();
                p.object(|p| match node {
                    Node::Caller(member) => self.json_member(p, room, member),
                    Node::Recording(recording) => {
                        p.text("type", b"recording_node");
                        p.text("record_path", recording.path.as_bytes());
                        if recording.paused {
                            p.text("status", b"paused");
                        }
                        p.number("join_time", (recording.since / 1_000_000) as i64);
                    }
                });
            }
        });
    }

    fn json_member(&self, p: &mut Printer, room: &Room, m: &Member) {
        let (name, number) = self.caller_id(m);
        p.text("type", b"caller");
        p.number("id", m.id.into());
        p.key("flags");
        p.object(|p| {
            p.boolean("can_hear", m.hear && !m.hold);
            p.boolean("can_see", !m.hold);
            p.boolean("can_speak", m.speak && !m.hold);
            p.boolean("hold", m.hold);
            p.boolean("mute_detect", m.mute_detect);
            p.boolean("talking", m.talking);
            p.boolean("has_video", false);
            p.boolean("video_bridge", false);
            p.boolean("has_floor", room.holds_floor(m));
            p.boolean("is_moderator", m.moderator);
            p.boolean("end_conference", m.endconf);
            p.boolean("mandatory_member_end_conference", m.mandatory_endconf);
            p.boolean("pass_digits", false);
        });
        p.text("uuid", m.call.as_bytes());
        p.text("caller_id_name", name);
        p.text("caller_id_number", number);
        p.number("join_time", self.seconds_since(m.joined));
        p.number(
            "last_talking",
            m.last_talked.map_or(0, |t| if m.talking { 0 } else { self.seconds_since(t) }),
        );
        p.number("energy", m.energy_level);
        p.number("volume_in", m.volume_in);
        p.number("volume_out", m.volume_out);
        p.number("output-volume", m.volume_out);
        p.number("input-volume", m.volume_in);
    }

    fn xml(&self, rooms: &[&Room]) -> Vec<u8> {
        let mut out = b"<?xml version=\"1.0\"?>\n<conferences>\n".to_vec();
        if rooms.is_empty() {
            out = b"<?xml version=\"1.0\"?>\n<conferences/>\n".to_vec();
        }
        for room in rooms {
            self.xml_room(room, &mut out);
        }
        if !rooms.is_empty() {
            say!(out, "</conferences>\n");
        }
        out
    }

    fn xml_room(&self, room: &Room, out: &mut Answer) {
        say!(out, "  <conference name=\"{}\" member-count=\"{}\"", escaped(&room.name), room.size());
        say!(out, " ghost-count=\"{}\" rate=\"8000\" uuid=\"{}\"", room.ghosts, room.uuid);
        let true_if = |on: bool, name: &str| if on { format!(" {name}=\"true\"") } else { String::new() };
        say!(out, "{}", true_if(room.locked, "locked"));
        say!(out, " running=\"true\" answered=\"true\" enforce_min=\"true\" dynamic=\"true\"");
        say!(out, "{}", true_if(room.exit_sound.on, "exit_sound"));
        say!(out, "{}", true_if(room.enter_sound.on, "enter_sound"));
        if room.max_members > 0 {
            say!(out, " max_members=\"{}\"", room.max_members);
        }
        say!(out, "{}", true_if(!room.recordings.is_empty(), "recording"));
        say!(out, " run_time=\"{}\">\n", self.seconds_since(room.created));
        if room.variables.is_empty() {
            say!(out, "    <variables></variables>\n");
        } else {
            // The layout with variables was not recorded.
            say!(out, "    <variables>\n");
            for (name, value) in &room.variables {
                say!(out, "      <variable name=\"{}\" value=\"{}\"/>\n", escaped(name), escaped(value));
            }
            say!(out, "    </variables>\n");
        }
        say!(out, "    <members>\n");
        for node in room.nodes(self.now) {
            match node {
                Node::Caller(member) => self.xml_member(room, member, out),
                Node::Recording(recording) => {
                    let (path, since) = (escaped(&recording.path), recording.since / 1_000_000);
                    say!(out, "      <member type=\"recording_node\">\n");
                    say!(out, "        <record_path>{path}</record_path>\n");
                    say!(
                        out,
                        "        <join_time type=\"UNIX-epoch\">{since}</join_time>\n      </member>\n"
                    );
                }
            }
        }
        say!(out, "    </members>\n  </conference>\n");
    }

    fn xml_member(&self, room: &Room, m: &Member, out: &mut Answer) {
        let (caller_name, caller_number) = self.caller_id(m);
        say!(out, "      <member type=\"caller\">\n        <id>{}</id>\n        <flags>\n", m.id);
        for (name, on) in [
            ("can_hear", m.hear && !m.hold),
            ("can_see", !m.hold),
            ("can_speak", m.speak && !m.hold),
            ("mute_detect", m.mute_detect),
            ("talking", m.talking),
            ("hold", m.hold),
            ("has_video", false),
            ("video_bridge", false),
            ("has_floor", room.holds_floor(m)),
            ("is_moderator", m.moderator),
            ("end_conference", m.endconf),
            ("mandatory_member_end_conference", m.mandatory_endconf),
            ("is_ghost", m.ghost),
        ] {
            say!(out, "          <{name}>{on}</{name}>\n");
        }
        // Names are percent-encoded here, unlike in every other list.
        let (mut name, mut number) = (String::new(), String::new());
        text::encode_into(&mut name, caller_name);
        text::encode_into(&mut number, caller_number);
        say!(out, "        </flags>\n        <uuid>{}</uuid>\n", escaped(&m.call));
        say!(out, "        <caller_id_name>{name}</caller_id_name>\n");
        say!(out, "        <caller_id_number>{number}</caller_id_number>\n");
        say!(out, "        <join_time>{}</join_time>\n", self.seconds_since(m.joined));
        let last = m.last_talked.map_or("N/A".to_owned(), |t| self.seconds_since(t).to_string());
        say!(out, "        <last_talking>{last}</last_talking>\n");
        say!(out, "        <energy>{}</energy>\n", m.energy_level);
        say!(out, "        <volume_in>{}</volume_in>\n", m.volume_in);
        say!(out, "        <volume_out>{}</volume_out>\n", m.volume_out);
        say!(out, "        <output-volume>{}</output-volume>\n      </member>\n", m.volume_out);
    }

    fn caller_id(&self, member: &Member) -> (&[u8], &[u8]) {
        self.calls.get(&member.call).map_or((b"", b""), |call| (&call.name, &call.number))
    }

    /// Seconds as FreeSWITCH counts them: by the clock's whole seconds, not by what has passed.
    pub(crate) fn seconds_since(&self, then: u64) -> i64 {
        (self.now / 1_000_000).saturating_sub(then / 1_000_000) as i64
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
