//! Commands that act on members: mute, deaf, hold, floor, levels, digits, kick.

use super::World;
use super::conference::{Answer, Handled, Syntax, atoi, say};
use super::room::Seat;
use std::io::Write as _;

/// No headers before or after `Action`.
pub(crate) const NONE: [&[(&str, &str)]; 2] = [&[], &[]];

impl World {
    /// One command for one member.
    pub(crate) fn for_member(&mut self, seat: Seat, word: &str, rest: &[&str], out: &mut Answer) -> Handled {
        let Some(member) = self.member(seat.0, seat.1) else { return Ok(()) };
        let (id, speak) = (member.id, member.speak);
        match word {
            "mute" => self.set_mute(seat, true, out),
            "unmute" => self.set_mute(seat, false, out),
            "tmute" => self.set_mute(seat, speak, out),
            "deaf" | "undeaf" => self.set_deaf(seat, word == "deaf", out),
            "hold" | "unhold" => self.set_hold(seat, word == "hold", out),
            "energy" | "agc" | "volume_in" | "volume_out" => self.level(seat, word, rest, out),
            "floor" => self.take_floor(seat, out),
            "get-uuid" => out.extend_from_slice(member.call.as_bytes()),
            "kick" | "hup" => self.kick(seat, word, out),
            "dtmf" => match rest.first() {
                Some(digits) => {
                    say!(out, "+OK sent {digits} to {id}\n");
                    let spot = ("conference_api.c", "conference_api_sub_dtmf", 1049);
                    self.fire_member(seat, spot, "dtmf-member", [&[], &[("Digits", digits)]]);
                }
                None => say!(out, "-ERR Invalid input!\n"),
            },
            _ => return Err(Syntax),
        }
        Ok(())
    }

    /// Fires even if nothing changes. Whoever was talking is not any more, and no `stop-talking` follows.
    fn set_mute(&mut self, seat: Seat, mute: bool, out: &mut Answer) {
        let tick = self.options.tick;
        let Some(member) = self.member_mut(seat.0, seat.1) else { return };
        member.speak = !mute;
        member.talking &= !mute;
        let (id, voice) = (member.id, member.voice);
        if mute {
            say!(out, "+OK mute {id}\n");
            self.fire_member(seat, ("conference_api.c", "conference_api_sub_mute", 339), "mute-member", NONE);
        } else {
            say!(out, "+OK unmute {id}\n");
            let spot = ("conference_api.c", "conference_api_sub_unmute", 492);
            self.fire_member(seat, spot, "unmute-member", NONE);
            if voice {
                self.schedule(2 * tick, super::Task::Voice(seat.0, seat.1));
            }
        }
    }

    fn set_deaf(&mut self, seat: Seat, deaf: bool, out: &mut Answer) {
        let Some(member) = self.member_mut(seat.0, seat.1) else { return };
        member.hear = !deaf;
        let id = member.id;
        let (word, function, line) = match deaf {
            true => ("deaf", "conference_api_sub_deaf", 797),
            false => ("undeaf", "conference_api_sub_undeaf", 839),
        };
        say!(out, "+OK {word} {id}\n");
        self.fire_member(seat, ("conference_api.c", function, line), &format!("{word}-member"), NONE);
    }

    /// The event says `Hear: true`, `Speak: true` still; only lists hide both while the member is on hold.
    fn set_hold(&mut self, seat: Seat, hold: bool, out: &mut Answer) {
        let tick = self.options.tick;
        let Some(member) = self.member_mut(seat.0, seat.1) else { return };
        member.hold = hold;
        member.talking &= !hold;
        let (id, voice) = (member.id, member.voice);
        let (word, function, line) = match hold {
            true => ("hold", "conference_api_sub_hold", 440),
            false => ("unhold", "conference_api_sub_unhold", 389),
        };
        say!(out, "+OK {word} {id}\n");
        self.fire_member(seat, ("conference_api.c", function, line), &format!("{word}-member"), NONE);
        if !hold && voice {
            self.schedule(2 * tick, super::Task::Voice(seat.0, seat.1));
        }
    }

    /// Reads a level, or sets it and tells.
    fn level(&mut self, seat: Seat, word: &str, rest: &[&str], out: &mut Answer) {
        let new = rest.first().map(|text| atoi(text));
        let Some(member) = self.member_mut(seat.0, seat.1) else { return };
        let id = member.id;
        let (value, action, header, function, line) = match word {
            "energy" => {
                member.energy_level = new.map_or(member.energy_level, |v| v.clamp(0, 20_000));
                (member.energy_level, "energy-level-member", "Energy-Level", "energy", 1228)
            }
            "volume_in" => {
                member.volume_in = new.map_or(member.volume_in, |v| v.clamp(-4, 4));
                (member.volume_in, "volume-in-member", "Volume-Level", "volume_in", 1574)
            }
            "volume_out" => {
                member.volume_out = new.map_or(member.volume_out, |v| v.clamp(-4, 4));
                (member.volume_out, "volume-out-member", "Volume-Level", "volume_out", 1609)
            }
            _ => (new.unwrap_or(0), "agc-level-member", "Agc-Level", "agc", 1324),
        };
        match word {
            "energy" => say!(out, "Energy {id} = {value}\n"),
            "volume_in" => say!(out, "+OK Volume IN {id} = {value}\n"),
            "volume_out" => say!(out, "+OK Volume OUT {id} = {value}\n"),
            _ => say!(out, "Agc {id} = {value}\n"),
        }
        if new.is_some() {
            let function: &'static str = match function {
                "energy" => "conference_api_sub_energy",
                "volume_in" => "conference_api_sub_volume_in",
                "volume_out" => "conference_api_sub_volume_out",
                _ => "conference_api_sub_agc",
            };
            let spot = ("conference_api.c", function, line);
            self.fire_member(seat, spot, action, [&[], &[(header, &value.to_string())]]);
        }
    }

    /// The holder gives the floor up; nobody else can take it from him.
    fn take_floor(&mut self, seat: Seat, out: &mut Answer) {
        let Some(id) = self.member(seat.0, seat.1).map(|m| m.id) else { return };
        let Some(room) = self.rooms.get_mut(&seat.0) else { return };
        match room.floor {
            Some(holder) if holder != id => return say!(out, "-ERR floor is held by {holder}\n"),
            Some(_) => {
                room.floor = None;
                say!(out, "+OK floor none\n");
                self.fire_floor(seat.0, Some(id), None);
            }
            None => {
                room.floor = Some(id);
                say!(out, "+OK floor {id}\n");
                self.fire_floor(seat.0, None, None);
            }
        }
        self.schedule_tick(seat.0);
    }

    /// Out of the conference: the reply and this event now, `del-member` a moment later.
    fn kick(&mut self, seat: Seat, word: &str, out: &mut Answer) {
        let Some(id) = self.member(seat.0, seat.1).map(|m| m.id) else { return };
        if word == "kick" {
            say!(out, "+OK kicked {id}\n");
            self.fire_member(seat, ("conference_api.c", "conference_api_sub_kick", 902), "kick-member", NONE);
        } else {
            say!(out, "+OK hup {id}\n");
            self.fire_member(seat, ("conference_api.c", "conference_api_sub_hup", 871), "hup-member", NONE);
        }
        self.send_out(seat);
    }
}
