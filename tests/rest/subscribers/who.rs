//! Those who listen, each in his manner.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use convened::registry::Registry;
use convened::sim::dice::Dice;
use serde_json::{Value, json};
use tokio::sync::{Barrier, watch};

use super::line::Line;
use super::{Known, STORM};
use crate::picture::{Picture, Room, room};

/// What all have in common.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) registry: Arc<Registry>,
    /// How far life is; [`u64::MAX`]: all is quiet.
    pub(crate) step: watch::Receiver<u64>,
    /// Whose each instance is.
    pub(crate) owners: Arc<Mutex<BTreeMap<String, String>>>,
    /// Life begins when everybody has subscribed.
    pub(crate) ready: Arc<Barrier>,
}

impl Stage {
    fn is_quiet(&self) -> bool {
        *self.step.borrow() == u64::MAX
    }
}

/// How somebody behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// Reads all the time.
    Steady,
    /// Hangs up now and then, and comes back with what he knows, or with nothing.
    Restless,
    /// Sleeps through the storm.
    Sleeper,
}

#[derive(Debug, Clone)]
pub(crate) struct Subscriber {
    pub(crate) account: &'static str,
    pub(crate) token: String,
    pub(crate) binding: String,
    /// With server-sent events.
    pub(crate) over_http: bool,
    pub(crate) manner: Manner,
    pub(crate) seed: u64,
}

impl Subscriber {
    /// What the binding takes: a conference, and a call.
    fn bound(&self) -> (&str, &str) {
        let mut words = self.binding.rsplit('.');
        let call = words.next().expect("a call");
        (words.next().expect("a conference"), call)
    }

    fn picture(&self) -> Picture {
        match self.bound() {
            (_, "*") => Picture::default(),
            (_, call) => Picture::of_call(call),
        }
    }

    /// What is his to see, as the registry has it.
    fn truth(&self, stage: &Stage) -> BTreeMap<String, Room> {
        let owners = stage.owners.lock().unwrap();
        let bound = self.bound().0;
        let all = stage.registry.conferences();
        let is_his = |name: &str, instance: &str| {
            (bound == "*" || bound == name) && owners.get(instance).is_some_and(|owner| owner == self.account)
        };
        let his = all.iter().filter(|conference| is_his(&conference.name, &conference.instance));
        his.map(|conference| (conference.instance.to_string(), room(conference))).collect()
    }

    async fn subscribe(&self, line: &mut Line, data: Value) {
        let message = json!({ "action": "subscribe", "auth_token": self.token, "data": data });
        line.say(message).await;
        let reply = line.hear().await;
        assert_eq!(reply["status"], "success", "{reply}");
    }

    /// Comes, or comes back with what he knows. `None`: over HTTP there is nothing to listen to, and all is quiet.
    async fn come(&self, stage: &mut Stage, picture: &mut Picture, with_all: bool) -> Option<Line> {
        if self.over_http {
            let path = format!("/v2/accounts/{}/conferences/{}/events", self.account, self.bound().0);
            loop {
                let last = picture.last_id.take().filter(|_| with_all);
                if last.is_none() {
                    picture.rooms.clear();
                }
                let line = Line::sse(stage.address, &self.token, &path, last.as_deref()).await;
                if line.is_some() {
                    picture.last_id = last;
                    return line;
                }
                picture.rooms.clear();
                if stage.is_quiet() {
                    return None;
                }
                // It may begin.
                stage.step.changed().await.expect("life goes on");
            }
        }
        let mut line = Line::websocket(stage.address).await;
        let resume = picture.resume();
        if with_all && resume != json!({}) {
            self.subscribe(&mut line, json!({ "binding": self.binding, "resume": resume })).await;
        } else {
            picture.rooms.clear();
            self.subscribe(&mut line, json!({ "binding": self.binding, "snapshot": true })).await;
        }
        Some(line)
    }

    /// Lives until all is quiet and he knows everything.
    pub(crate) async fn live(self, mut stage: Stage) -> Picture {
        let (mut dice, mut picture) = (Dice::new(self.seed), self.picture());
        let ready = stage.ready.clone();
        // There is nothing to listen to over HTTP before somebody is there.
        let first = match self.over_http {
            true => None,
            false => self.come(&mut stage, &mut picture, false).await,
        };
        ready.wait().await;
        let first = match first {
            Some(line) => Some(line),
            None => self.come(&mut stage, &mut picture, false).await,
        };
        let Some(mut line) = first else {
            assert_eq!(picture.rooms, self.truth(&stage));
            return picture;
        };
        let mut patience = dice.below(60);
        let mut slept = false;
        loop {
            stage.step.borrow_and_update();
            let quiet = stage.is_quiet();
            if quiet && picture.is(&self.truth(&stage)) {
                break;
            }
            if !slept && self.manner == Manner::Sleeper && *stage.step.borrow() >= STORM - 100 {
                slept = true;
                stage.step.wait_for(|step| *step > STORM + 50).await.expect("life goes on");
            }
            let message = tokio::select! {
                message = line.hear() => message,
                // Perhaps he knows everything already.
                _ = stage.step.changed(), if !quiet => continue,
            };
            if let Err(wrong) = picture.take(&message, &stage.registry) {
                panic!("{} {} of {}: {wrong}", stage.step.borrow().clone(), self.binding, self.account);
            }
            patience = patience.saturating_sub(1);
            if self.manner == Manner::Restless && patience == 0 && !quiet {
                patience = 1 + dice.below(120);
                drop(line);
                if dice.chance(0.5) {
                    let later = stage.step.borrow().saturating_add(dice.below(60));
                    stage.step.wait_for(|step| *step >= later).await.expect("life goes on");
                }
                let with_all = dice.chance(0.8);
                match self.come(&mut stage, &mut picture, with_all).await {
                    Some(again) => line = again,
                    None => {
                        assert_eq!(self.truth(&stage), BTreeMap::new(), "{self:?} is told that nothing runs");
                        return picture;
                    }
                }
            }
        }
        if !self.over_http {
            line.say(json!({ "action": "ping" })).await;
            let pong = line.hear().await;
            assert_eq!(pong["data"]["response"], "pong", "{self:?}: there was something left: {pong}");
        }
        picture
    }

    /// Listens to a part of what happens, until he has heard all of it that `everything` has.
    pub(crate) async fn hear_some(self, mut stage: Stage, everything: watch::Receiver<Known>) {
        let mut line = Line::websocket(stage.address).await;
        self.subscribe(&mut line, json!({ "binding": self.binding })).await;
        stage.ready.wait().await;
        let mut picture = Picture::default();
        let mut last = BTreeMap::new();
        let mut take = |message: &Value| {
            assert_eq!(message["action"], "event", "{message}");
            let data = &message["data"];
            let (instance, seq) = picture.note(data);
            let before = last.insert(instance, seq).unwrap_or(0);
            assert_eq!(data["prev_seq"], before, "{}: {data}", self.binding);
            picture.events.len()
        };
        let mut everything = everything;
        let mut heard = 0;
        loop {
            tokio::select! {
                message = line.hear() => heard = take(&message),
                _ = everything.changed() => break,
                _ = stage.step.changed() => {}
            }
        }
        let all = everything.borrow().clone().expect("everything");
        let wanted: Vec<_> = all.events.iter().filter(|event| self.is_meant(event)).cloned().collect();
        while heard < wanted.len() {
            heard = take(&line.hear().await);
        }
        assert_eq!(picture.events, wanted, "{}", self.binding);
        assert!(!wanted.is_empty(), "{}: nothing of it has happened", self.binding);
    }

    /// Whether his binding takes that; it names an event and nothing else.
    fn is_meant(&self, (.., event, _): &(String, u64, String, String)) -> bool {
        self.binding.split('.').nth(2) == Some(event)
    }
}
