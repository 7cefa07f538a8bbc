//! `bgapi originate` into a conference: a call that rings, and is answered or not, as the test says.
//!
//! ```text
//! argument = "{^^;" variable *(";" variable) "}" dial-string " &conference(" door ")"
//! ```
//! Only this form, with an `origination_uuid`, is played; every other call leads nowhere at once. As recorded of
//! FreeSWITCH: a call that rings executes `execute_on_ring`, and if that is `event` an own event is fired; the
//! job ends before an answered call is in the conference.

use super::call::{Caller, channel_lines};
use super::moving::NOWHERE;
use super::people::Door;
use super::{Call, Task, World};
use crate::sim::events::{Event, Lines};

/// What becomes of a call. Times are in microseconds from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    rings_after: Option<u64>,
    ends: Option<(u64, String)>,
}

/// What a call that is answered ends with.
const ANSWER: &str = "";

impl Fate {
    /// It rings after a moment, and is answered.
    pub fn answered(after: u64) -> Self {
        Self { rings_after: Some(after / 2), ends: Some((after, ANSWER.to_owned())) }
    }

    /// It rings after a moment, and fails with that cause, such as `USER_BUSY`.
    pub fn failed(after: u64, cause: &str) -> Self {
        Self { rings_after: Some(after / 2), ends: Some((after, cause.to_owned())) }
    }

    /// It rings after a moment, until FreeSWITCH gives up.
    pub fn rings_on(after: u64) -> Self {
        Self { rings_after: Some(after), ends: None }
    }

    /// The same without a sign of ringing.
    pub fn silently(mut self) -> Self {
        self.rings_after = None;
        self
    }
}

/// A call under way.
#[derive(Debug, Clone)]
pub(crate) struct Originating {
    job: String,
    argument: String,
    door: Door,
    rings: String,
}

/// An `originate` of the form that is played.
struct Parsed<'a> {
    variables: Vec<(&'a str, String)>,
    target: &'a str,
    door: &'a str,
}

impl<'a> Parsed<'a> {
    fn of(argument: &'a str) -> Option<Self> {
        let (variables, rest) = argument.strip_prefix("{^^;")?.split_once('}')?;
        let (target, application) = rest.split_once(' ')?;
        let door = application.strip_prefix("&conference(")?.strip_suffix(')')?;
        let variables = variables.split(';').filter_map(|variable| variable.split_once('='));
        let unquoted = |value: &str| value.replace('\'', "");
        let variables = variables.map(|(name, value)| (name, unquoted(value))).collect();
        Some(Self { variables, target, door })
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl World {
    /// From now on a call to a dial string that holds `part` has that fate; the latest that fits counts.
    pub fn destine(&mut self, part: &str, fate: Fate) {
        self.fates.push((part.to_owned(), fate));
    }

    /// What becomes of a call to that dial string, if something was destined: nothing ever, or after so many µs
    /// an answer or a cause.
    pub(crate) fn fate_of(&self, target: &str) -> Option<Option<(u64, String)>> {
        let fate = self.fates.iter().rev().find(|(part, _)| target.contains(part.as_str()));
        fate.map(|(_, fate)| fate.ends.clone())
    }

    /// Begins a call, if it is one of those that are played.
    pub(crate) fn originate(&mut self, job: &str, argument: &str) -> bool {
        let Some(parsed) = Parsed::of(argument) else { return false };
        let fate = self.fates.iter().rev().find(|(part, _)| parsed.target.contains(part.as_str()));
        let (Some((_, fate)), Some(uuid)) = (fate.cloned(), parsed.variable("origination_uuid")) else {
            return false;
        };
        let seconds = parsed.variable("originate_timeout").and_then(|text| text.parse::<u64>().ok());
        let gives_up = seconds.unwrap_or(60) * 1_000_000;
        self.insert_ringing(uuid, &parsed);
        let originating = Originating {
            job: job.to_owned(),
            argument: argument.to_owned(),
            door: Door::parse(parsed.door),
            rings: parsed.variable("execute_on_ring").unwrap_or_default().to_owned(),
        };
        self.originating.insert(uuid.to_owned(), originating);
        if let Some(after) = fate.rings_after.filter(|after| *after < gives_up) {
            self.schedule(after, Task::Rings { call: uuid.to_owned() });
        }
        let (after, cause) =
            fate.ends.filter(|(after, _)| *after < gives_up).unwrap_or((gives_up, "NO_ANSWER".to_owned()));
        self.schedule(after, Task::Originated { call: uuid.to_owned(), cause });
        true
    }

    /// A channel that nobody has answered yet. In a conference the called one is shown as the caller.
    fn insert_ringing(&mut self, uuid: &str, parsed: &Parsed<'_>) {
        let there = parsed.target.rsplit('/').next().unwrap_or(parsed.target);
        let there = there.split_once(':').map_or(there, |(_, rest)| rest);
        let user = there.split('@').next().unwrap_or(there).to_owned();
        let name = parsed.variable("origination_callee_id_name").unwrap_or("Outbound Call");
        let caller = Caller::new(name, &user).outbound().dialling(&user);
        let mut channel = channel_lines(&caller, uuid, self.now);
        let leg = format!("sofia/internal/{there}");
        channel.set("Channel-Name", &leg);
        channel.set("Caller-Channel-Name", &leg);
        channel.set("Answer-State", "ringing");
        channel.set("Channel-Call-State", "DOWN");
        let (name, number) = (caller.name.clone(), caller.number.clone());
        let mut call = Call {
            uuid: uuid.to_owned(),
            channel,
            name,
            number,
            variables: Vec::new(),
            created: self.now,
            inbound: false,
            destination: user,
            context: "default".to_owned(),
            member_id: None,
            seat: None,
            sent_to: None,
            hangup: None,
            thread: super::Thread::default(),
        };
        call.set_variable("uuid", uuid);
        for (name, value) in &parsed.variables {
            call.set_variable(name, value);
        }
        call.show_presence_data();
        self.sessions += 1;
        self.calls.insert(uuid.to_owned(), call);
    }

    /// The phone rings: what is executed then fires an event of its own (mod_dptools.c, `event_function`).
    pub(crate) fn rings(&mut self, uuid: &str) {
        let Some(originating) = self.originating.get(uuid) else { return };
        let Some(data) = originating.rings.strip_prefix("event:").map(str::to_owned) else { return };
        let sequence = self.number();
        let Some(call) = self.calls.get(uuid) else { return };
        let pairs = || data.split(',').filter_map(|pair| pair.split_once('='));
        let subclass = pairs().find(|(name, _)| *name == "Event-Subclass").map(|(_, value)| value.to_owned());
        let mut lines = Lines::new();
        if let Some(subclass) = &subclass {
            lines.push("Event-Subclass", subclass);
        }
        self.common_but_name(&mut lines, ("mod_dptools.c", "event_function", 1902), sequence);
        for (name, value) in pairs().filter(|(name, _)| *name != "Event-Subclass") {
            lines.push(name, value);
        }
        lines.append(&ringing(call, self.now));
        super::fire::variables(&mut lines, call);
        self.out.push(Event { sequence, name: "CUSTOM".to_owned(), subclass, headers: lines, body: None });
    }

    /// The call has been answered, or has come to nothing: the job ends, and then the call enters.
    pub(crate) fn originated(&mut self, uuid: &str, cause: &str) {
        let Some(Originating { job, argument, door, .. }) = self.originating.remove(uuid) else { return };
        let is_there = self.calls.get(uuid).is_some_and(|call| call.hangup.is_none());
        if !is_there || cause != ANSWER {
            self.calls.remove(uuid);
            // Somebody has hung it up while it rang.
            let cause = if is_there { cause } else { "NORMAL_CLEARING" };
            return self.job_ended(&job, "originate", &argument, format!("-ERR {cause}\n").into_bytes());
        }
        if let Some(call) = self.calls.get_mut(uuid) {
            call.channel.set("Answer-State", "answered");
            call.channel.set("Channel-Call-State", "ACTIVE");
            call.set_variable("endpoint_disposition", "ANSWER");
        }
        self.job_ended(&job, "originate", &argument, format!("+OK {uuid}\n").into_bytes());
        let begins = self.find_room(&door.room).is_none();
        if (begins && door.flags.join_only) || self.enter(uuid, &door).is_err() {
            self.hang_up(uuid, "NORMAL_CLEARING");
        }
    }
}

/// The channel's headers as long as nobody has answered: no codecs, and the caller is still who calls.
fn ringing(call: &Call, now: u64) -> Lines {
    let mut channel = call.channel.clone();
    for codec in ["Read-Codec-Name", "Read-Codec-Rate", "Read-Codec-Bit-Rate"] {
        channel.remove(&format!("Channel-{codec}"));
        channel.remove(&format!("Channel-{}", codec.replacen("Read", "Write", 1)));
    }
    channel.remove("Caller-Dialplan");
    channel.set("Channel-State", "CS_CONSUME_MEDIA");
    channel.set("Channel-State-Number", "7");
    channel.set("Channel-HIT-Dialplan", "false");
    for (part, variable) in
        [("Name", "origination_caller_id_name"), ("Number", "origination_caller_id_number")]
    {
        let shown = call.text_variable(variable).unwrap_or_default();
        channel.set(&format!("Caller-Caller-ID-{part}"), &shown);
        channel.set(&format!("Caller-Orig-Caller-ID-{part}"), &shown);
    }
    channel.set("Caller-ANI", call.text_variable("origination_caller_id_number").unwrap_or_default());
    channel.set_after("Caller-Callee-ID-Number", "Caller-Network-Addr", "127.0.0.1");
    channel.set("Caller-Source", "src/switch_ivr_originate.c");
    channel.set("Caller-Context", "default");
    channel.set("Caller-Channel-Answered-Time", "0");
    channel.set("Caller-Channel-Progress-Time", now.to_string());
    channel
}

/// What an `originate` answers that leads nowhere.
pub(crate) fn nowhere(argument: &str) -> &'static str {
    match argument.split_once("}sofia/gateway/") {
        Some(_) => "INVALID_GATEWAY",
        None => NOWHERE,
    }
}
