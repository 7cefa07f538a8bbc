//! What people do: call, join, talk, leave. It is told to the world by whoever drives it.

use super::call::{Caller, channel_lines};
use super::room::{Recording, Seat};
use super::running::{Doing, Step};
use super::sound::length;
use super::{Call, Flags, Member, Playback, Room, RoomKey, Task, Thread, World};

/// Why somebody was not let in. The switch itself says nothing about it: no event, no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The conference is locked.
    #[error("the conference is locked")]
    Locked,
    /// It has `max_members` already.
    #[error("the conference is full")]
    Full,
    /// The PIN was wrong or missing.
    #[error("the PIN is wrong")]
    Pin,
    /// There is a call of that id already.
    #[error("a call of that id exists")]
    CallExists,
    /// No such call.
    #[error("no such call")]
    NoSuchCall,
}

/// A conference as a dial string names it: `name@profile+pin+flags{a|b}`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door {
    pub(crate) room: String,
    pub(crate) profile: String,
    pub(crate) pin: String,
    pub(crate) flags: Flags,
}

impl Door {
    /// The flags are cut first, then the PIN at the first `+`, then the profile at the last `@`.
    pub(crate) fn parse(text: &str) -> Self {
        let (rest, flags) = match text.split_once("+flags{") {
            Some((rest, flags)) => (rest, Flags::parse(flags.split('}').next().unwrap_or(""))),
            None => (text, Flags::default()),
        };
        let (rest, pin) = rest.split_once('+').unwrap_or((rest, ""));
        let (room, profile) = rest.rsplit_once('@').unwrap_or((rest, "default"));
        Self { room: room.trim_start().to_owned(), profile: profile.to_owned(), pin: pin.to_owned(), flags }
    }
}

impl World {
    /// Somebody calls and enters a conference at once. Gives the call's id.
    pub fn join(&mut self, now: u64, room: &str, caller: Caller) -> Result<String, Rejected> {
        self.advance(now);
        let door = Door {
            room: room.to_owned(),
            profile: caller.profile.clone(),
            pin: caller.pin.clone(),
            flags: caller.flags,
        };
        let uuid = self.new_call(caller, Some(&door))?;
        if let Err(why) = self.enter(&uuid, &door) {
            self.calls.remove(&uuid);
            return Err(why);
        }
        Ok(uuid)
    }

    /// Somebody calls and is in no conference yet: a call that has been parked for a while, and answered. Gives
    /// the call's id.
    pub fn call(&mut self, now: u64, caller: Caller) -> Result<String, Rejected> {
        self.advance(now);
        self.new_call(caller.stays_up(), None)
    }

    /// Somebody calls; the dialplan sets the caller's [variables](Caller::variable) and parks the call. Nobody
    /// has answered it: it rings. Gives the call's id.
    pub fn park(&mut self, now: u64, caller: Caller) -> Result<String, Rejected> {
        self.advance(now);
        let variables: Vec<_> = caller.variables.clone();
        let uuid =
            self.new_call(Caller { variables: Vec::new(), stays_up: false, ..caller.clone() }, None)?;
        let Some(call) = self.calls.get_mut(&uuid) else { return Err(Rejected::NoSuchCall) };
        call.rings();
        call.variables = super::sip::ringing(&caller, &uuid, self.sessions, self.now);
        let set = variables.into_iter().map(|(name, value)| Step::new("set", format!("{name}={value}")));
        let plan = set.chain([Step::new("park", "")]).collect();
        call.thread = Thread::following(plan);
        self.attend(&uuid);
        Ok(uuid)
    }

    /// Somebody hangs up; who has not been answered yet takes his call back.
    pub fn leave(&mut self, now: u64, call: &str) -> Result<(), Rejected> {
        self.advance(now);
        let uuid = call;
        let call = self.calls.get_mut(uuid).filter(|call| call.hangup.is_none());
        let call = call.ok_or(Rejected::NoSuchCall)?;
        let (cause, disposition) = match call.is_answered() {
            true => ("NORMAL_CLEARING", "recv_bye"),
            false => ("ORIGINATOR_CANCEL", "recv_cancel"),
        };
        if call.seat.is_none() && call.variable("session_id").is_some() {
            call.set_variable("sip_hangup_disposition", disposition);
        }
        self.hang_up(uuid, cause);
        Ok(())
    }

    /// Somebody begins or ends speaking. FreeSWITCH tells about it unless the member is muted or on hold.
    pub fn talk(&mut self, now: u64, call: &str, speaking: bool) -> Result<(), Rejected> {
        self.advance(now);
        if !self.has_call(call) {
            return Err(Rejected::NoSuchCall);
        }
        let Some(seat) = self.seat(call) else {
            self.hear_voice(call, speaking);
            return Ok(());
        };
        let Some(member) = self.member_mut(seat.0, seat.1) else { return Err(Rejected::NoSuchCall) };
        member.voice = speaking;
        if speaking {
            self.start_talking(seat);
        } else {
            self.stop_talking(seat);
        }
        Ok(())
    }

    fn new_call(&mut self, caller: Caller, door: Option<&Door>) -> Result<String, Rejected> {
        let uuid = caller.uuid.clone().unwrap_or_else(|| self.dice.uuid());
        if self.calls.contains_key(&uuid) {
            return Err(Rejected::CallExists);
        }
        self.sessions += 1;
        let drawn = 26 + self.dice.below(8);
        self.burn(drawn);
        let mut call = Call {
            uuid: uuid.clone(),
            channel: channel_lines(&caller, &uuid, self.now),
            name: caller.name.clone(),
            number: caller.number.clone(),
            variables: Vec::new(),
            created: self.now,
            inbound: !caller.outbound,
            destination: caller.destination.clone(),
            context: caller.context.clone(),
            member_id: None,
            seat: None,
            sent_to: None,
            hangup: None,
            thread: super::Thread::default(),
        };
        let verbose = door.is_none_or(|door| self.options.verbose_profiles.contains(&door.profile));
        if verbose {
            let dialled = door.map(|d| format!("{}@{}", d.room, d.profile)).unwrap_or_default();
            call.variables = super::sip::variables(&caller, &uuid, &dialled, self.sessions, self.now);
        } else {
            call.set_variable("uuid", &uuid);
        }
        for (name, value) in &caller.variables {
            call.set_variable(name, value);
        }
        self.calls.insert(uuid.clone(), call);
        if caller.stays_up {
            self.is_in(&uuid, Step::new("park", ""), Doing::Parks(String::new()));
        }
        Ok(uuid)
    }

    /// A call meets the door of a conference: the checks, then a seat.
    pub(crate) fn enter(&mut self, uuid: &str, door: &Door) -> Result<(), Rejected> {
        let call = self.calls.get(uuid).ok_or(Rejected::NoSuchCall)?;
        let enforce = call.is_true("conference_enforce_security").unwrap_or(call.inbound);
        if let Some(room) = self.find_room(&door.room).and_then(|key| self.rooms.get(&key)) {
            if enforce && !room.pin.is_empty() && room.pin != door.pin {
                return Err(Rejected::Pin);
            }
            if enforce && room.locked {
                return Err(Rejected::Locked);
            }
            if room.max_members > 0 && room.size() as u64 >= room.max_members && !door.flags.ghost {
                return Err(Rejected::Full);
            }
        }
        let key = match self.find_room(&door.room) {
            Some(key) => key,
            None => self.open_room(uuid, door),
        };
        self.take_seat(uuid, key, door.flags);
        Ok(())
    }

    fn open_room(&mut self, creator: &str, door: &Door) -> RoomKey {
        let verbose = self.options.verbose_profiles.contains(&door.profile);
        let known = verbose || self.options.profiles.contains(&door.profile);
        let profile = if known { door.profile.as_str() } else { "none" };
        let key = self.next_key();
        let mut room =
            Room::new(&door.room, self.dice.uuid(), &self.options.identity.domain, profile, self.now);
        room.verbose = verbose;
        if let Some(call) = self.calls.get_mut(creator) {
            call.show_presence_data();
            for (name, value) in &call.variables {
                if let Some(name) = name.strip_prefix("confvar_") {
                    room.set_variable(name, &String::from_utf8_lossy(value));
                }
            }
        }
        let max = self.calls.get(creator).and_then(|c| c.text_variable("conference_max_members"));
        // One is refused as foolish.
        room.max_members = max.and_then(|m| m.parse().ok()).filter(|max| *max != 1).unwrap_or(0);
        self.names.insert(door.room.clone(), key);
        self.rooms.insert(key, room);
        self.fire_create(key, creator);
        key
    }

    fn take_seat(&mut self, uuid: &str, key: RoomKey, flags: Flags) {
        let id = match self.calls.get(uuid).and_then(|call| call.member_id) {
            Some(id) => id,
            None => self.next_member_id(),
        };
        let member = Member {
            hear: !flags.deaf,
            speak: !flags.mute,
            mute_detect: flags.mute_detect,
            moderator: flags.moderator,
            ghost: flags.ghost,
            endconf: flags.endconf,
            mandatory_endconf: flags.mandatory_endconf,
            listed_from: self.now + self.options.list_lag,
            ..Member::new(id, uuid, self.now)
        };
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let place = room.seat_member(member);
        let (name, conference, domain, verbose) =
            (room.name.clone(), room.uuid.clone(), room.domain.clone(), room.verbose);
        let profile = room.profile.clone();
        if !self.following {
            let data = if profile == "default" { name.clone() } else { format!("{name}@{profile}") };
            self.is_in(uuid, Step::new("conference", data), Doing::Confers);
        }
        let Some(call) = self.calls.get_mut(uuid) else { return };
        call.member_id = Some(id);
        call.seat = Some((key, place));
        call.show_presence_data();
        call.channel.set("Channel-State-Number", "4");
        call.channel.set("Channel-Read-Codec-Name", "L16");
        call.channel.set("Channel-Read-Codec-Bit-Rate", "128000");
        if verbose || call.variable("session_id").is_some() {
            let number = String::from_utf8_lossy(&call.number).into_owned();
            call.set_variable("conference_name", &name);
            call.set_variable("app_session_uuid", &conference);
            call.set_variable("read_codec", "L16");
            call.set_variable("read_rate", "8000");
            call.set_variable("conference_member_id", id.to_string());
            call.set_variable("conference_moderator", flags.moderator.to_string());
            call.set_variable("conference_ghost", flags.ghost.to_string());
            call.set_variable("conference_uuid", &conference);
            call.set_variable("conference_call_key", format!("conference_{name}_{domain}_{number}"));
        }
        self.burn(1);
        let spot = ("conference_member.c", "conference_member_add", 962);
        self.fire_member((key, place), spot, "add-member", [&[], &[]]);
        self.play_enter_sound(key, uuid);
        self.schedule_tick(key);
    }

    /// The sound at the door, the caller's own or the conference's: heard only when somebody is there to hear
    /// it (conference_member.c, `conference_member_add`).
    fn play_enter_sound(&mut self, key: RoomKey, uuid: &str) {
        let own = self.calls.get(uuid).and_then(|call| call.text_variable("conference_enter_sound"));
        let Some(room) = self.rooms.get(&key).filter(|room| room.enter_sound.on && room.size() > 1) else {
            return;
        };
        let file = own.unwrap_or_else(|| room.enter_sound.file.clone());
        self.play_at_door(key, &file);
    }

    /// The caller's own sound when it leaves is played whatever the conference's setting
    /// (conference_member.c, `conference_member_del`).
    pub(crate) fn play_own_exit_sound(&mut self, key: RoomKey, place: super::Place) {
        let call = self.member(key, place).and_then(|member| self.calls.get(&member.call));
        if let Some(file) = call.and_then(|call| call.text_variable("conference_exit_sound")) {
            self.play_at_door(key, &file);
        }
    }

    /// The conference's sound for those who have none of their own, if somebody is left to hear it.
    pub(crate) fn play_exit_sound(&mut self, key: RoomKey, member: &Member) {
        let own = self.calls.get(&member.call).is_some_and(|c| c.variable("conference_exit_sound").is_some());
        let Some(room) = self.rooms.get(&key).filter(|room| room.exit_sound.on && !room.members.is_empty())
        else {
            return;
        };
        if !own {
            let file = room.exit_sound.file.clone();
            self.play_at_door(key, &file);
        }
    }

    /// A file at the door that does not exist is told as any other.
    pub(crate) fn play_at_door(&mut self, key: RoomKey, file: &str) {
        if file.is_empty() {
            return;
        }
        if super::sound::is_missing(file) {
            let extra = [("File", file), ("Async", "false"), ("Error", "File could not be played")];
            let spot = ("conference_file.c", "conference_file_play", 268);
            return self.fire_room(key, spot, "play-file", &extra);
        }
        self.begin_playing(key, file, None, false);
    }

    /// The call ends; a member leaves its conference a moment later. False if there is no such call.
    pub(crate) fn hang_up(&mut self, uuid: &str, cause: &str) -> bool {
        let known = self.calls.get(uuid).filter(|call| call.hangup.is_none());
        let Some((alive, seated)) = known.map(|call| (call.thread.alive, call.seat.is_some())) else {
            return false;
        };
        self.end(uuid, cause);
        if alive {
            self.attend(uuid);
        } else if !seated {
            self.calls.remove(uuid);
        }
        true
    }

    /// Marks a call as ended; its thread finds out.
    pub(crate) fn end(&mut self, uuid: &str, cause: &str) {
        let Some(call) = self.calls.get_mut(uuid).filter(|call| call.hangup.is_none()) else { return };
        let cause = super::causes::named(cause);
        call.hangup = Some(cause.to_owned());
        call.channel.set("Channel-State-Number", "10");
        call.channel.set("Answer-State", "hangup");
        call.channel.set_after("Answer-State", "Hangup-Cause", cause);
        if let Some(seat) = call.seat {
            self.send_out(seat);
        }
    }

    /// The member's thread is told to end.
    pub(crate) fn send_out(&mut self, seat: Seat) {
        let reserved = self.reserve();
        let wait = self.options.departure + self.dice.below(self.options.departure_jitter);
        let Some(member) = self.member_mut(seat.0, seat.1) else { return };
        member.kicked |= member.transfer.is_none();
        if !member.departing {
            member.departing = true;
            member.reserved = reserved;
            self.schedule(wait, Task::Depart(seat.0, seat.1));
        }
    }

    pub(crate) fn begin_playing(
        &mut self,
        key: RoomKey,
        file: &str,
        member: Option<u64>,
        asynchronous: bool,
    ) {
        let playback = self.next_key();
        let heard = length(file).unwrap_or(3_600_000_000);
        // FreeSWITCH counts what it has read of a tone, which is twice of what is heard, as recorded.
        let read_millis = heard / if file.starts_with("tone_stream://") { 500 } else { 1000 };
        let started = self.now;
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let file = file.to_owned();
        room.playing.push(Playback { key: playback, file, member, started, read_millis, asynchronous });
        self.schedule(heard, Task::PlayDone(key, playback));
    }

    pub(crate) fn recording(&self, key: RoomKey, path: &str) -> Option<&Recording> {
        self.rooms.get(&key)?.recordings.iter().find(|r| r.path == path)
    }
}
