//! A recording played again: what came from outside is done to the look-alike, what it makes of it is kept.
//!
//! From outside came callers (read off their `add-member`), voices (`start-talking`, `stop-talking`: sound
//! cannot be known), hang-ups, keys (read off what they led to), the recording client's commands, and in some recordings the commands of a
//! second client, which only their events show. Everything else must come out of the look-alike.
#![allow(dead_code)] // Each test uses its part.

use convened::sim::capture::{Capture, Said};
use convened::sim::events::Event;
use convened::sim::session::{Doorkeeper, Request, Session};
use convened::sim::subscription::Subscription;
use convened::sim::world::{Caller, Identity, World, WorldOptions};
use std::collections::HashSet;

/// How a recording is played again.
#[derive(Default)]
pub(crate) struct Script {
    /// The recording client gave all the commands itself.
    pub(crate) own_commands: bool,
    /// Numbers of callers whose leaving ends the conference: no event tells.
    pub(crate) endconf: &'static [&'static str],
    /// Many people at once: sound decides who has the floor, and whose thread is first is chance. Then
    /// what is compared is the order of each member's and of each conference's events.
    pub(crate) crowd: bool,
    /// Callers were parked before they joined, and what is told of their channels is compared.
    pub(crate) parked: bool,
}

/// What came out.
#[derive(Clone)]
pub(crate) struct Played {
    /// Per command: text, recorded answer, our answer.
    pub(crate) answers: Vec<(String, Vec<u8>, Vec<u8>)>,
    pub(crate) recorded: Vec<Event>,
    pub(crate) ours: Vec<Event>,
}

/// Something done from outside.
enum Cause {
    Command(usize, String),
    Park(Event),
    Press(String, String),
    Join(Event),
    Leave(String),
    Talk(String, bool),
    Api(String),
}

fn stamp(event: &Event) -> u64 {
    text(event, "Event-Date-Timestamp").parse().expect("a time")
}

pub(crate) fn text(event: &Event, name: &str) -> String {
    event.get(name).unwrap_or_default()
}

pub(crate) fn fixture(name: &str) -> Capture {
    let path = format!("{}/fixtures/captures/{name}", env!("CARGO_MANIFEST_DIR"));
    Capture::read(path).expect("a capture")
}

/// Plays a recording with a seed for what is chance: in which order the threads of those end who leave
/// together, and the conferences that end together.
pub(crate) fn play(capture: &Capture, script: &Script, seed: u64) -> Played {
    let recorded: Vec<Event> = capture.events().map(|(_, event)| event.clone()).collect();
    let causes = causes(capture, script);
    let first = recorded.iter().find(|e| e.get("Member-ID").is_some()).expect("a member");
    let options = WorldOptions {
        identity: Identity { hostname: "vm".to_owned(), ..Identity::default() },
        started: causes.first().map_or(0, |(at, _)| *at),
        first_member_id: text(first, "Member-ID").parse().expect("an id"),
        seed,
        steps_back: 0.0,
        // The mixer's phase is not known: somewhere within its 20 ms.
        tick: 10_000,
        departure_jitter: 1_000,
        ..WorldOptions::default()
    };
    let mut world = World::new(options);
    let (mut session, mut subscription) = (Session::default(), Subscription::default());
    let keeper = Doorkeeper { password: "ClueCon".to_owned(), users: Vec::new(), refuse: false };
    let exchanges = capture.exchanges();
    let (mut answers, mut ours) = (Vec::new(), Vec::new());
    for (at, cause) in causes {
        match cause {
            Cause::Command(i, line) => {
                let request = Request::take(&mut format!("{line}\n\n").into_bytes()).expect("a command");
                let outcome = session.answer(&request, &keeper, &mut subscription, &mut world, at);
                let Said::Answer { head, body } = exchanges[i].2 else { panic!("an answer") };
                let mut frame = format!("{head}\n\n").into_bytes();
                frame.extend_from_slice(body.as_deref().unwrap_or_default());
                if i + 1 == exchanges.len() {
                    frame.extend_from_slice(&farewell(capture));
                }
                answers.push((line, frame, outcome.frames));
            }
            Cause::Park(event) => {
                let number = text(&event, "Caller-Destination-Number");
                let caller = caller(&event, script).dialling(number).variable("park_timeout", "60");
                world.park(at, caller).expect("a call");
            }
            Cause::Press(call, keys) => world.press(at, &call, &keys).expect("a call"),
            Cause::Join(event) => join(&mut world, at, &event, script),
            Cause::Leave(call) => {
                let _ = world.leave(at, &call);
            }
            Cause::Talk(call, speaking) => {
                let _ = world.talk(at, &call, speaking);
            }
            Cause::Api(line) => {
                world.api(at, &line);
            }
        }
        ours.extend(world.drain().into_iter().filter(|event| subscription.wants(event)));
    }
    if script.parked {
        // A recording ends before nobody wants to wait for the parked any longer.
        world.advance(world.now() + 5_000_000);
    } else {
        world.settle();
    }
    ours.extend(world.drain().into_iter().filter(|event| subscription.wants(event)));
    Played { answers, recorded, ours }
}

/// What the switch says after the answer to the last command: a notice, if that was `exit`.
fn farewell(capture: &Capture) -> Vec<u8> {
    match capture.moments.last().map(|moment| &moment.said) {
        Some(Said::Answer { head, body: Some(body) }) if head.contains("text/disconnect-notice") => {
            [format!("{head}\n\n").as_bytes(), body].concat()
        }
        _ => Vec::new(),
    }
}

/// Whoever a command has moved or called is there already.
fn join(world: &mut World, at: u64, event: &Event, script: &Script) {
    world.advance(at);
    let called = text(event, "Channel-Name").starts_with("loopback/");
    if !called && !world.has_call(&text(event, "Unique-ID")) {
        let room = text(event, "Conference-Name");
        world.join(at, &room, caller(event, script)).expect("let in");
    }
}

fn caller(event: &Event, script: &Script) -> Caller {
    let number = text(event, "Caller-Caller-ID-Number");
    let name = event.headers.get("Caller-Caller-ID-Name").unwrap_or_default();
    let mut flags = Vec::new();
    for (on, flag) in [
        (text(event, "Member-Type") == "moderator", "moderator"),
        (text(event, "Speak") == "false", "mute"),
        (text(event, "Hear") == "false", "deaf"),
        (text(event, "Member-Ghost") == "true", "ghost"),
        (script.endconf.contains(&number.as_str()), "endconf"),
    ] {
        flags.extend(on.then_some(flag));
    }
    let profile = text(event, "Conference-Profile-Name");
    Caller::new(name, number).uuid(text(event, "Unique-ID")).flags(&flags.join("|")).profile(profile)
}

/// All that came from outside, by time.
///
/// The switch's clock stands for 20 ms at a time and its events are read up to 20 ms after they are made.
/// The event with the shortest way tells where its clock and the client's meet; and what was read after a
/// command had been sent is not put before it.
fn causes(capture: &Capture, script: &Script) -> Vec<(u64, Cause)> {
    let meet = capture.events().map(|(at, event)| stamp(event) - at).max().expect("an event");
    let commands: Vec<(u64, &str)> = capture.exchanges().iter().map(|(at, line, _)| (*at, *line)).collect();
    let mut causes = Vec::new();
    for (i, (at, line)) in commands.iter().enumerate() {
        causes.push((at + meet, Cause::Command(i, (*line).to_owned())));
    }
    let mut sent_away = HashSet::new();
    for (read, event) in capture.events() {
        let call = text(event, "Unique-ID");
        let sent = commands.iter().map(|(at, _)| *at).take_while(|at| *at < read).last();
        let at = stamp(event).max(sent.unwrap_or(0) + meet);
        match (text(event, "Action").as_str(), text(event, "Event-Name").as_str()) {
            (_, "CHANNEL_PARK") => causes.push((at, Cause::Park(event.clone()))),
            (_, "CHANNEL_EXECUTE_COMPLETE") => {
                causes.extend(keys_behind(event, &commands).map(|(at, keys)| (at + meet, keys)));
            }
            ("add-member", _) => causes.push((at, Cause::Join(event.clone()))),
            ("start-talking", _) => causes.push((at, Cause::Talk(call.clone(), true))),
            ("del-member", _) if event.get("Hangup-Cause").is_some() && !sent_away.contains(&call) => {
                causes.push((at - 20_000, Cause::Leave(call.clone())));
            }
            ("kick-member" | "hup-member", _) => {
                sent_away.insert(call.clone());
            }
            _ => {}
        }
        if !script.own_commands
            && let Some(line) = command_behind(event)
        {
            causes.push((at, Cause::Api(line)));
        }
        // Whether somebody who is muted goes on speaking cannot be known; here nobody does.
        match text(event, "Action").as_str() {
            "stop-talking" | "mute-member" | "hold-member" => causes.push((at, Cause::Talk(call, false))),
            "add-member" => causes.push((at + 15_000, Cause::Talk(call, false))),
            _ => {}
        }
    }
    causes.sort_by_key(|(at, _)| *at);
    causes
}

/// The keys that were pressed for digits, half a second after they had been asked for.
fn keys_behind(event: &Event, commands: &[(u64, &str)]) -> Option<(u64, Cause)> {
    let asked = text(event, "Application") == "play_and_get_digits";
    let digits = event.get("variable_conference_pin").filter(|_| asked)?;
    let id = text(event, "Application-UUID");
    let (at, _) = commands.iter().find(|(_, line)| line.contains(&id))?;
    Some((at + 500_000, Cause::Press(text(event, "Unique-ID"), format!("{digits}#"))))
}

/// The command of a second client that this event shows.
fn command_behind(event: &Event) -> Option<String> {
    let (room, id) = (text(event, "Conference-Name"), text(event, "Member-ID"));
    let action = text(event, "Action");
    let words = match action.as_str() {
        "mute-member" | "unmute-member" | "deaf-member" | "undeaf-member" | "hold-member"
        | "unhold-member" | "hup-member" | "kick-member" => {
            format!("{} {id}", action.trim_end_matches("-member"))
        }
        "lock" | "unlock" => action,
        "energy-level-member" => format!("energy {id} {}", text(event, "Energy-Level")),
        "volume-in-member" => format!("volume_in {id} {}", text(event, "Volume-Level")),
        "dtmf-member" => format!("dtmf {id} {}", text(event, "Digits")),
        "transfer" => format!("transfer {} {id}", text(event, "New-Conference-Name")),
        "start-recording" => format!("recording start {}", text(event, "Path")),
        "stop-recording" => format!("recording stop {}", text(event, "Path")),
        _ => return None,
    };
    Some(format!("conference {room} {words}"))
}
