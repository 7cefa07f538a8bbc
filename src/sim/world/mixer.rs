//! What happens by itself: the mixer gives the floor, members' threads end, files end, conferences end.

use super::people::Door;
use super::room::Seat;
use super::{Member, Place, RoomKey, Task, World};

impl World {
    pub(crate) fn perform(&mut self, task: Task) {
        match task {
            Task::Depart(room, place) => self.depart(room, place),
            Task::Tick(room) => self.tick(room),
            Task::Voice(room, place) => {
                if self.member(room, place).is_some_and(|m| m.voice) {
                    self.start_talking((room, place));
                }
            }
            Task::PlayDone(room, playback) => self.finish_playing(room, playback),
            Task::RecordStart(room, path) => self.recording_starts(room, &path),
            Task::RecordStop(room, path) => self.recording_stops(room, &path),
            Task::Destroy(room) => self.destroy(room),
            Task::Attend { call } => self.attend(&call),
            Task::AppDue { call, key } => self.app_due(&call, key),
            Task::Acked { call } => self.acked(&call),
            Task::Job { uuid, command, argument } => self.run_job(&uuid, &command, &argument),
            Task::Rings { call } => self.rings(&call),
            Task::Originated { call, cause } => self.originated(&call, &cause),
            Task::Dialled { room, job, endpoint, number, name } => {
                self.dialled(room, &job, &endpoint, &number, &name);
            }
        }
    }

    /// The mixer will look at the floor of that room.
    pub(crate) fn schedule_tick(&mut self, key: RoomKey) {
        if self.following {
            return;
        }
        let Some(room) = self.rooms.get_mut(&key).filter(|room| !room.tick_pending) else { return };
        room.tick_pending = true;
        let wait = self.options.tick + self.dice.below(self.options.departure_jitter);
        self.schedule(wait, Task::Tick(key));
    }

    /// An empty floor goes to the newest member, muted or not. A holder that is silent loses it to one
    /// that talks. FreeSWITCH also lets the louder of two talkers take it; without sound nobody is louder.
    fn tick(&mut self, key: RoomKey) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        room.tick_pending = false;
        if room.ended {
            return;
        }
        let candidates = || room.members.values().rev().filter(|m| !m.kicked);
        let holder = room.floor.and_then(|id| room.by_id.get(&id)).and_then(|place| room.members.get(place));
        let next = match holder {
            None => candidates().find(|m| m.talking).or_else(|| candidates().next()),
            Some(holder) if !holder.talking => candidates().find(|m| m.talking),
            Some(_) => None,
        };
        let Some(id) = next.map(|m| m.id) else { return };
        let old = room.floor.replace(id);
        let reserved = self.reserve();
        self.fire_floor(key, old, reserved);
    }

    /// A member is heard from now on, if it may speak.
    pub(crate) fn start_talking(&mut self, seat: Seat) {
        let (loudness, now) = (3_000 + self.dice.below(15_000), self.now);
        let Some(member) = self.member_mut(seat.0, seat.1) else { return };
        if !member.speak || member.hold || member.talking || member.kicked {
            return;
        }
        member.talking = true;
        member.talking_since = now;
        member.last_talked = Some(now);
        member.current_energy = loudness;
        let spot = ("conference_loop.c", "conference_loop_input", 1154);
        self.fire_member(seat, spot, "start-talking", [&[], &[]]);
        self.schedule_tick(seat.0);
    }

    /// A member is no longer heard. The numbers of `stop-talking` are made up from the duration.
    pub(crate) fn stop_talking(&mut self, seat: Seat) {
        let now = self.now;
        let Some(member) = self.member_mut(seat.0, seat.1).filter(|m| m.talking) else { return };
        member.talking = false;
        member.last_talked = Some(now);
        let millis = now.saturating_sub(member.talking_since) / 1000;
        let packets = (millis / 20).max(1);
        let hits = (packets / 2).max(1);
        let energy = member.current_energy as f64;
        member.current_energy = 0;
        let share = hits as f64 * 100.0 / packets as f64;
        let text = |number: f64| format!("{number:.6}");
        let numbers = [
            ("talking-gate-hits", hits.to_string()),
            ("talking-total-packets", packets.to_string()),
            ("talking-duration-ms", millis.to_string()),
            ("talking-average-energy", text(energy)),
            ("talking-delta-average", text(energy / 64.0)),
            ("talking-hit-on-percent", text(share)),
            ("talking-non-hit-ratio", text(100.0 / packets as f64)),
            ("talking-hit-off-percent", text(0.0)),
            ("talking-hit-off-differential", text(share)),
        ];
        let numbers: Vec<(&str, &str)> = numbers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let spot = ("conference_loop.c", "stop_talking_handler", 783);
        self.fire_member(seat, spot, "stop-talking", [&numbers, &[]]);
    }

    /// A member's thread ends: its files, the floor, its seat; then perhaps the conference.
    pub(crate) fn depart(&mut self, key: RoomKey, place: Place) {
        if self.member(key, place).is_none() {
            return;
        }
        self.play_own_exit_sound(key, place);
        self.silence_member(key, place);
        let Some(room) = self.rooms.get_mut(&key) else { return };
        if room.members.get(&place).is_some_and(|m| room.holds_floor(m)) {
            room.floor = None;
            self.fire_floor(key, None, None);
            self.schedule_tick(key);
        }
        let Some(member) = self.rooms.get_mut(&key).and_then(|room| room.unseat(place)) else { return };
        if let Some(call) = self.calls.get_mut(&member.call) {
            call.variables.retain(|(name, _)| name != "conference_call_key");
        }
        self.play_exit_sound(key, &member);
        self.burn(1);
        self.fire_leaver(key, &member);
        if let Some(call) = self.calls.get_mut(&member.call) {
            call.leave_seat();
        }
        if self.following {
            self.past.taken_out.insert(member.call.clone());
        }
        let Some(room) = self.rooms.get_mut(&key) else { return };
        room.relations.retain(|relation| relation.member != member.id);
        if member.endconf || room.members.is_empty() {
            self.end_room(key);
        }
        self.go_on(&member);
    }

    /// What becomes of the call behind a member that has left.
    fn go_on(&mut self, member: &Member) {
        let uuid = &member.call;
        let Some(call) = self.calls.get(uuid) else { return };
        let route = member.transfer.clone().filter(|_| call.hangup.is_none());
        if call.thread.alive {
            if let Some(route) = route.clone() {
                self.reroute(uuid, route);
            }
            self.leave_seat(uuid);
        } else {
            // A call of a recording: its dialplan is not known.
            self.arrive(uuid);
            let door = route.as_ref().and_then(|route| route.plan.back()).map(|step| Door::parse(&step.data));
            if door.is_none_or(|door| self.enter(uuid, &door).is_err()) {
                self.calls.remove(uuid);
            }
        }
        match self.seat(uuid) {
            Some((room, place)) if route.is_some() => {
                let Some(newcomer) = self.member_mut(room, place) else { return };
                newcomer.voice = member.voice;
                let wait = 2 * self.options.tick;
                self.schedule(wait, Task::Voice(room, place));
            }
            _ if self.calls.contains_key(uuid) => {}
            _ => {
                let drawn = 9 + self.dice.below(4);
                self.burn(drawn);
            }
        }
    }

    /// The conference ends: no command finds it any more, whoever is left is hung up.
    fn end_room(&mut self, key: RoomKey) {
        let Some(room) = self.rooms.get_mut(&key).filter(|room| !room.ended) else {
            return self.destroy_when_empty(key);
        };
        room.ended = true;
        let left: Vec<String> = room.members.values().rev().map(|m| m.call.clone()).collect();
        if self.names.get(&room.name) == Some(&key) {
            self.names.remove(&room.name);
        }
        for call in left {
            self.hang_up(&call, "NORMAL_CLEARING");
        }
        self.destroy_when_empty(key);
    }

    fn destroy_when_empty(&mut self, key: RoomKey) {
        if self.rooms.get(&key).is_some_and(|room| room.members.is_empty()) {
            let wait = self.options.tick + self.dice.below(self.options.departure_jitter);
            self.schedule(wait, Task::Destroy(key));
        }
    }

    /// The conference thread ends: recordings stop, then `conference-destroy`.
    fn destroy(&mut self, key: RoomKey) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        room.playing.clear();
        let paths: Vec<String> = room.recordings.iter().map(|r| r.path.clone()).collect();
        for path in paths {
            self.recording_stops(key, &path);
        }
        self.burn(1);
        let spot = ("mod_conference.c", "conference_thread_run", 863);
        self.fire_room(key, spot, "conference-destroy", &[]);
        if let Some(room) = self.rooms.remove(&key).filter(|_| self.following) {
            self.past.taken_out.insert(room.uuid);
        }
    }
}
