//! Members that come and go by command: transfer, dial.

use super::call::{Caller, channel_lines};
use super::conference::{Answer, Handled, Syntax, say, split_words};
use super::people::Door;
use super::running::{Route, Step};
use super::{Call, RoomKey, Task, World};
use std::io::Write as _;

/// What FreeSWITCH says when a call leads nowhere. Only `loopback/...` leads anywhere here.
pub(crate) const NOWHERE: &str = "NORMAL_TEMPORARY_FAILURE";

impl World {
    /// `transfer <room[@profile]> <member>...`. The member keeps its id and loses its role, its mute and
    /// its deaf; `transfer` is fired now, the rest when its thread has ended.
    pub(crate) fn transfer(&mut self, key: RoomKey, args: &[&str], out: &mut Answer) -> Handled {
        let [target, selectors @ ..] = args else { return Err(Syntax) };
        if selectors.is_empty() {
            return Err(Syntax);
        }
        let name = self.rooms.get(&key).map(|room| room.name.clone()).unwrap_or_default();
        let dialled = if target.contains('@') { (*target).to_owned() } else { format!("{target}@default") };
        for selector in selectors {
            let Some(seat) = self.find_member(key, selector) else {
                say!(out, "-ERR No Member {selector} in conference {name}.\n");
                continue;
            };
            let Some(member) = self.member_mut(seat.0, seat.1) else { continue };
            let (id, call) = (member.id, member.call.clone());
            let plan = [Step::new("conference", &dialled)].into();
            member.transfer = Some(Route { plan, nowhere: false });
            say!(out, "+OK Member '{id}' sent to conference {target}.\n");
            self.mark_transfer(&call, &format!("conference:{dialled}"), "inline");
            let spot = ("conference_api.c", "conference_api_sub_transfer", 3704);
            let names = [("Old-Conference-Name", name.as_str()), ("New-Conference-Name", target)];
            self.fire_member(seat, spot, "transfer", [&names, &[]]);
            self.send_out(seat);
        }
        Ok(())
    }

    /// A call is told to go to `destination [dialplan]`: what it is in ends, then the other dialplan begins. The
    /// inline dialplan is the destination itself, `app:data,app:data`; any other leads nowhere here.
    pub(crate) fn transfer_to(&mut self, uuid: &str, words: &[String]) {
        let Some(destination) = words.first() else { return };
        let dialplan = words.get(1).map_or("XML", String::as_str);
        let nowhere = dialplan != "inline";
        let plan = if nowhere { Vec::new() } else { inline(destination) };
        self.mark_transfer(uuid, destination, dialplan);
        let route = Route { plan: plan.into(), nowhere };
        match self.seat(uuid) {
            Some(seat) => {
                if let Some(member) = self.member_mut(seat.0, seat.1) {
                    member.transfer = Some(route);
                }
                self.send_out(seat);
            }
            None => {
                self.reroute(uuid, route);
                self.wake(uuid, self.options.departure);
            }
        }
    }

    /// What a transfer leaves in the channel's headers. While it is under way the destination is the inline
    /// string and the dialled number is `Caller-RDNIS` (switch_ivr.c, `switch_ivr_session_transfer`).
    pub(crate) fn mark_transfer(&mut self, call: &str, destination: &str, dialplan: &str) {
        let (stamp, id) = (self.now / 1_000_000, self.dice.uuid());
        let now = self.now.to_string();
        let Some(call) = self.calls.get_mut(call) else { return };
        let source = format!("{stamp}:{id}:bl_xfer:{destination}/{}/{dialplan}", call.context);
        let number = call.destination.clone();
        call.channel.set("Caller-Dialplan", dialplan);
        call.channel.set_after("Caller-Source", "Caller-Transfer-Source", &source);
        call.channel.set("Caller-Profile-Index", "2");
        call.channel.set("Caller-Profile-Created-Time", now);
        call.channel.set("Channel-State-Number", "2");
        if call.seat.is_some() {
            call.channel.set("Channel-Read-Codec-Name", "PCMU");
            call.channel.set("Channel-Read-Codec-Bit-Rate", "64000");
        }
        call.channel.set("Caller-Destination-Number", destination);
        call.sent_to = Some(destination.to_owned());
        call.channel.set_after("Caller-Context", "Caller-RDNIS", &number);
        if call.variable("session_id").is_some() {
            call.set_variable("max_forwards", "69");
            call.set_variable("transfer_history", &source);
            call.set_variable("transfer_source", &source);
        }
    }

    /// A call has come to its new dialplan: the inline one gives it its number back
    /// (mod_dptools.c, `inline_dialplan_hunt`).
    pub(crate) fn arrive(&mut self, uuid: &str) {
        let Some(call) = self.calls.get_mut(uuid) else { return };
        if call.channel.get("Caller-RDNIS").is_none() {
            return;
        }
        call.channel.remove("Caller-RDNIS");
        let number = call.destination.clone();
        call.channel.set("Caller-Destination-Number", number);
        call.channel.set("Channel-State-Number", "4");
        if call.variable("session_id").is_some() {
            call.set_variable("call_uuid", call.uuid.clone());
        }
    }

    /// `dial` waits for the result, `bgdial` gives a job whose result is an event.
    pub(crate) fn dial(
        &mut self,
        key: RoomKey,
        background: bool,
        args: &[&str],
        out: &mut Answer,
    ) -> Handled {
        let [endpoint, rest @ ..] = args else { return Err(Syntax) };
        if !endpoint.contains('/') {
            return Err(Syntax);
        }
        let field = |i: usize| rest.get(i).map_or(String::new(), |text| (*text).to_owned());
        let (number, name) = (field(0), field(1));
        let job = if background { self.dice.uuid() } else { String::new() };
        if background {
            say!(out, "+OK Job-UUID: {job}\n");
            let endpoint = (*endpoint).to_owned();
            self.schedule(2 * self.options.tick, Task::Dialled { room: key, job, endpoint, number, name });
        } else {
            let result = if self.dialled(key, &job, endpoint, &number, &name) { "SUCCESS" } else { NOWHERE };
            say!(out, "+OK Call Requested: result: [{result}]\n");
        }
        Ok(())
    }

    /// The called party answers and joins, or the call has led nowhere.
    pub(crate) fn dialled(
        &mut self,
        key: RoomKey,
        job: &str,
        endpoint: &str,
        number: &str,
        name: &str,
    ) -> bool {
        let Some(room) = self.rooms.get(&key).filter(|room| !room.ended) else { return false };
        let door = Door { room: room.name.clone(), profile: room.profile.clone(), ..Door::default() };
        let peer = endpoint.strip_prefix("loopback/").map(|there| (there, self.dice.uuid()));
        let uuid = peer.as_ref().map_or("", |(_, uuid)| uuid.as_str()).to_owned();
        if !job.is_empty() {
            let spot = ("mod_conference.c", "conference_outcall_run", 1708);
            match &peer {
                Some(_) => {
                    let extra = [("Result", "SUCCESS"), ("Job-UUID", job), ("Peer-UUID", &uuid)];
                    self.fire_room(key, spot, "bgdial-result", &extra);
                }
                None => {
                    let extra = [("Result", NOWHERE), ("Job-UUID", job)];
                    self.fire_room(key, spot, "bgdial-result", &extra);
                }
            }
        }
        let Some((there, _)) = peer else { return false };
        let call = self.loopback_call(&uuid, there, number, name);
        self.calls.insert(uuid.clone(), call);
        self.sessions += 1;
        self.enter(&uuid, &door).is_ok()
    }

    /// A call to `loopback/<extension>/<context>`, in whose name the conference shows another caller id.
    fn loopback_call(&mut self, uuid: &str, there: &str, number: &str, name: &str) -> Call {
        let (extension, context) = there.split_once('/').unwrap_or((there, "default"));
        let context = context.split('/').next().unwrap_or(context);
        let caller = Caller::new(name, number).outbound().dialling(extension);
        let mut channel = channel_lines(&caller, uuid, self.now);
        let leg = format!("loopback/{extension}-a");
        channel.set("Channel-Name", &leg);
        channel.set("Caller-Channel-Name", &leg);
        channel.set("Caller-Dialplan", "xml");
        channel.set("Caller-Caller-ID-Name", "Outbound Call");
        channel.set("Caller-Caller-ID-Number", context);
        channel.set("Caller-Source", "mod_loopback");
        channel.set("Channel-Write-Codec-Name", "L16");
        channel.set("Channel-Write-Codec-Bit-Rate", "128000");
        channel.set("Caller-Context", context);
        Call {
            uuid: uuid.to_owned(),
            name: b"Outbound Call".to_vec(),
            number: context.as_bytes().to_vec(),
            channel,
            variables: vec![("uuid".to_owned(), uuid.as_bytes().to_vec())],
            created: self.now,
            inbound: false,
            destination: extension.to_owned(),
            context: context.to_owned(),
            member_id: None,
            seat: None,
            sent_to: None,
            hangup: None,
            thread: super::Thread::default(),
        }
    }
}

/// The applications of an inline dialplan, which is split at commas outside of quotes, or at another character
/// (`m:^:`).
fn inline(destination: &str) -> Vec<Step> {
    let other = destination.strip_prefix("m:").and_then(|rest| {
        let separator = rest.chars().next()?;
        Some((separator, rest.get(separator.len_utf8()..)?.strip_prefix(':')?))
    });
    let (separator, steps) = other.unwrap_or((',', destination));
    let step = |text: String| {
        let (app, data) = text.split_once(':').unwrap_or((&text, ""));
        Step::new(app.trim_start(), data)
    };
    split_words(&format!("^^{separator}{steps}"), 128).into_iter().map(step).collect()
}
