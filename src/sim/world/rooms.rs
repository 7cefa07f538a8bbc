//! Commands that act on a conference: lock, PIN, settings, variables, door sounds.

use super::conference::{Answer, Handled, Syntax, atoi, say};
use super::{RoomKey, World};
use std::io::Write as _;

impl World {
    /// Fires even if nothing changes.
    pub(crate) fn lock(&mut self, key: RoomKey, lock: bool, out: &mut Answer) -> Handled {
        let Some(room) = self.rooms.get_mut(&key) else { return Ok(()) };
        room.locked = lock;
        let state = if lock { "locked" } else { "unlocked" };
        say!(out, "+OK {} {state}\n", room.name);
        if lock {
            self.fire_room(key, ("conference_api.c", "conference_api_sub_lock", 3474), "lock", &[]);
        } else {
            self.fire_room(key, ("conference_api.c", "conference_api_sub_unlock", 3496), "unlock", &[]);
        }
        Ok(())
    }

    /// The answer repeats the PIN. No event.
    pub(crate) fn set_pin(&mut self, key: RoomKey, word: &str, args: &[&str], out: &mut Answer) -> Handled {
        let Some(room) = self.rooms.get_mut(&key) else { return Ok(()) };
        if word == "nopin" {
            room.pin.clear();
            say!(out, "+OK Pin for conference {} deleted\n", room.name);
            return Ok(());
        }
        match args.first() {
            Some(pin) if pin.bytes().all(|b| b.is_ascii_digit()) => {
                (*pin).clone_into(&mut room.pin);
                say!(out, "+OK Pin for conference {} set: {pin}\n", room.name);
            }
            _ => say!(out, "-ERR Invalid parameters:\n"),
        }
        Ok(())
    }

    /// A raw value; an unset one is empty, which becomes `-ERR no reply` on the wire.
    pub(crate) fn get(&mut self, key: RoomKey, args: &[&str], out: &mut Answer) -> Handled {
        let name = *args.first().ok_or(Syntax)?;
        let Some(room) = self.rooms.get(&key) else { return Ok(()) };
        match name {
            "run_time" => say!(out, "{}", self.seconds_since(room.created)),
            "count" => say!(out, "{}", room.size()),
            "count_ghosts" => say!(out, "{}", room.ghosts),
            "max_members" => say!(out, "{}", room.max_members),
            "rate" => say!(out, "8000"),
            "profile_name" => say!(out, "{}", room.profile),
            "is_locked" => say!(out, "{}", if room.locked { "locked" } else { "" }),
            "uuid" => say!(out, "{}", room.uuid),
            "wait_mod" => {}
            "sound_prefix" | "caller_id_name" | "caller_id_number" | "endconference_grace_time" => {
                let unset = if name == "endconference_grace_time" { "0" } else { "" };
                say!(out, "{}", room.settings.get(name).map_or(unset, String::as_str));
            }
            _ => return Err(Syntax),
        }
        Ok(())
    }

    /// Answers the old value.
    pub(crate) fn set(&mut self, key: RoomKey, args: &[&str], out: &mut Answer) -> Handled {
        let [name, value, ..] = args else { return Err(Syntax) };
        let Some(room) = self.rooms.get_mut(&key) else { return Ok(()) };
        match *name {
            "max_members" => {
                say!(out, "{}", room.max_members);
                match u64::try_from(atoi(value)) {
                    // One is refused as foolish.
                    Ok(1) | Err(_) => {}
                    Ok(max) => room.max_members = max,
                }
            }
            "sound_prefix" | "caller_id_name" | "caller_id_number" | "endconference_grace_time" => {
                let unset = if *name == "endconference_grace_time" { "0" } else { "" };
                let old = room.settings.insert((*name).to_owned(), (*value).to_owned());
                say!(out, "{}", old.as_deref().unwrap_or(unset));
            }
            _ => return Err(Syntax),
        }
        Ok(())
    }

    /// A variable is in each later event of the conference, without a prefix.
    pub(crate) fn variable(&mut self, key: RoomKey, word: &str, args: &[&str], out: &mut Answer) -> Handled {
        let name = *args.first().ok_or(Syntax)?;
        let Some(room) = self.rooms.get_mut(&key) else { return Ok(()) };
        if word == "getvar" {
            let value = room.variables.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
            say!(out, "{value}");
        } else {
            room.set_variable(name, &args.get(1..).unwrap_or_default().join(" "));
            say!(out, "+OK\n");
        }
        Ok(())
    }

    pub(crate) fn door_sound(
        &mut self,
        key: RoomKey,
        word: &str,
        args: &[&str],
        out: &mut Answer,
    ) -> Handled {
        let Some(what) = args.first().map(|what| what.to_ascii_lowercase()) else {
            say!(out, "-ERR Not enough args\n");
            return Err(Syntax);
        };
        let Some(room) = self.rooms.get_mut(&key) else { return Ok(()) };
        let side = if word == "enter_sound" { "enter" } else { "exit" };
        let sound = if side == "enter" { &mut room.enter_sound } else { &mut room.exit_sound };
        match what.as_str() {
            // `none` is `off`: the file stays.
            "on" | "off" | "none" => {
                sound.on = what == "on";
                let state = if sound.on { "on" } else { "off" };
                say!(out, "+OK {} {side} sounds {state} ({})\n", room.name, sound.file);
            }
            "file" => {
                let Some(file) = args.get(1) else {
                    say!(out, "-ERR No filename specified\n");
                    return Ok(());
                };
                if side == "exit" {
                    say!(out, "+OK Old exit sound: [{}]\n", sound.file);
                }
                say!(out, "+OK {} {side} sound file set to {file}\n", room.name);
                (*file).clone_into(&mut sound.file);
            }
            _ => {
                say!(out, "-ERR Bad args\n");
                return Err(Syntax);
            }
        }
        // The line of the exit sound's file was not recorded.
        let (function, line) = match (side, what.as_str()) {
            ("enter", "on") => ("conference_api_sub_enter_sound", 3571),
            ("enter", "file") => ("conference_api_sub_enter_sound", 3591),
            ("enter", _) => ("conference_api_sub_enter_sound", 3579),
            (_, "on") => ("conference_api_sub_exit_sound", 3520),
            (_, "file") => ("conference_api_sub_exit_sound", 3541),
            _ => ("conference_api_sub_exit_sound", 3528),
        };
        let action = match what.as_str() {
            "on" => format!("{side}-sounds-on"),
            "file" => format!("{side}-sound-file-changed"),
            _ => format!("{side}-sounds-off"),
        };
        self.fire_room(key, ("conference_api.c", function, line), &action, &[]);
        Ok(())
    }
}
