//! A world and one call in it, and what was told of that call in few words.

use convened::sim::events::Event;
use convened::sim::world::{Caller, World, WorldOptions};

pub(crate) struct Line {
    pub(crate) world: World,
    pub(crate) call: String,
}

/// A number dialled, parked, and nothing told yet.
pub(crate) fn parked() -> Line {
    let mut line = parked_as(Caller::new("Caller", "15551230000").dialling("5551234"));
    line.told();
    line
}

pub(crate) fn parked_as(caller: Caller) -> Line {
    let mut world = World::new(WorldOptions { steps_back: 0.0, ..WorldOptions::default() });
    let call = world.park(world.now(), caller).expect("a call");
    Line { world, call }
}

/// The same, answered.
pub(crate) fn answered() -> Line {
    let mut line = parked();
    line.send("answer", "");
    line.pass(100);
    line.told();
    line
}

impl Line {
    /// `sendmsg ... execute` with `event-lock`; gives the reply.
    pub(crate) fn send(&mut self, app: &str, data: &str) -> String {
        self.send_with(&[
            ("call-command", "execute"),
            ("execute-app-name", app),
            ("execute-app-arg", data),
            ("event-lock", "true"),
        ])
    }

    pub(crate) fn send_with(&mut self, headers: &[(&str, &str)]) -> String {
        let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let headers: Vec<_> = owned.collect();
        self.world.message(self.world.now(), &self.call, &headers)
    }

    /// That many milliseconds.
    pub(crate) fn pass(&mut self, millis: u64) {
        self.world.advance(self.world.now() + millis * 1000);
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.world.press(self.world.now(), &self.call, keys).expect("a call");
    }

    pub(crate) fn hang_up(&mut self) {
        self.world.leave(self.world.now(), &self.call).expect("a call");
    }

    /// A command; `{}` in it is the call.
    pub(crate) fn api(&mut self, line: &str) -> String {
        let line = line.replace("{}", &self.call);
        String::from_utf8_lossy(&self.world.api(self.world.now(), &line)).into_owned()
    }

    pub(crate) fn variable(&mut self, name: &str) -> String {
        self.api(&format!("uuid_getvar {{}} {name}"))
    }

    /// What `show channels` says it is in.
    pub(crate) fn shown(&mut self, column: &str) -> String {
        let shown: serde_json::Value =
            serde_json::from_str(&self.api("show channels as json")).expect("a document");
        shown["rows"][0][column].as_str().expect("a text").to_owned()
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.world.drain()
    }

    /// What was told, each in a few words: `playback FILE PLAYED`, `add-member`, `PARK`, `HANGUP USER_BUSY`.
    pub(crate) fn told(&mut self) -> Vec<String> {
        self.events().iter().map(word).collect()
    }
}

pub(crate) fn get(event: &Event, name: &str) -> String {
    event.get(name).unwrap_or_default()
}

fn word(event: &Event) -> String {
    match event.name.as_str() {
        "CHANNEL_EXECUTE_COMPLETE" => {
            format!("{} {}", get(event, "Application"), get(event, "Application-Response"))
                .trim_end_matches(" _none_")
                .to_owned()
        }
        "CHANNEL_PARK" => "PARK".to_owned(),
        "CHANNEL_HANGUP_COMPLETE" => format!("HANGUP {}", get(event, "variable_hangup_cause")),
        _ => get(event, "Action"),
    }
}
