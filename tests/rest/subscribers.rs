//! Subscribers of all kinds beside a switch that lives: what each has put together is what runs, whenever he came,
//! went or slept, and nobody hears of what is somebody else's.
//!
//! `CONVENED_TEST_SEED=7` runs one seed alone, `CONVENED_TEST_SEEDS=50` so many. A seed gives the same life and the
//! same moods; who is faster is decided by the machine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use convened::registry::Registry;
use convened::sim::dice::Dice;
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::{Caller, WorldOptions};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::{Barrier, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::PATIENCE;
use crate::house::{ACCOUNT, ALL, House, OTHER};
use crate::picture::{Picture, Room, room};
use crate::support::house::difference;

/// Those of [`ACCOUNT`], those of [`OTHER`], and one that is whose it is each time.
const ROOMS: [&str; 6] = ["a0", "a1", "a2", "b0", "b1", "anybody's"];
/// Things that happen before all is quiet.
const STEPS: u64 = 900;
/// The step at which so much happens in one conference that who sleeps misses some of it.
const STORM: u64 = 450;

/// A connection, with little room for what is not read.
struct Line(WebSocketStream<tokio::net::TcpStream>);

impl Line {
    async fn open(address: std::net::SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("set");
        let stream = socket.connect(address).await.expect("it listens");
        let (line, _) = client_async(format!("ws://{address}/ws"), stream).await.expect("it is upgraded");
        Self(line)
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("it is sent");
    }

    async fn hear(&mut self) -> Value {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        timeout(PATIENCE, next).await.expect("a message comes")
    }
}

/// What all have in common.
#[derive(Clone)]
struct Stage {
    address: std::net::SocketAddr,
    registry: Arc<Registry>,
    /// How far life is; [`u64::MAX`]: all is quiet.
    step: watch::Receiver<u64>,
    /// Whose each instance is.
    owners: Arc<Mutex<BTreeMap<String, String>>>,
    /// Life begins when everybody has subscribed.
    ready: Arc<Barrier>,
}

/// How somebody behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    /// Reads all the time.
    Steady,
    /// Hangs up now and then, and comes back with what he knows, or with nothing.
    Restless,
    /// Sleeps through the storm.
    Sleeper,
}

#[derive(Debug, Clone)]
struct Subscriber {
    account: &'static str,
    token: String,
    binding: String,
    manner: Manner,
    seed: u64,
}

impl Subscriber {
    /// What is his to see, as the registry has it.
    fn truth(&self, stage: &Stage) -> BTreeMap<String, Room> {
        let owners = stage.owners.lock().unwrap();
        let bound = self.binding.rsplit('.').nth(1).expect("a conference");
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

    /// Lives until all is quiet and he knows everything.
    async fn live(self, mut stage: Stage) -> Picture {
        let (mut dice, mut picture) = (Dice::new(self.seed), Picture::default());
        let mut line = Line::open(stage.address).await;
        self.subscribe(&mut line, json!({ "binding": self.binding, "snapshot": true })).await;
        stage.ready.wait().await;
        let mut patience = dice.below(60);
        let mut slept = false;
        loop {
            let quiet = *stage.step.borrow_and_update() == u64::MAX;
            if quiet && picture.rooms == self.truth(&stage) {
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
                    let later = *stage.step.borrow() + dice.below(60);
                    stage.step.wait_for(|step| *step >= later).await.expect("life goes on");
                }
                line = Line::open(stage.address).await;
                let resume = picture.resume();
                if dice.chance(0.8) && resume != json!({}) {
                    self.subscribe(&mut line, json!({ "binding": self.binding, "resume": resume })).await;
                } else {
                    picture.rooms.clear();
                    self.subscribe(&mut line, json!({ "binding": self.binding, "snapshot": true })).await;
                }
            }
        }
        line.say(json!({ "action": "ping" })).await;
        let pong = line.hear().await;
        assert_eq!(pong["data"]["response"], "pong", "{self:?}: there was something left: {pong}");
        picture
    }

    /// Listens to a part of what happens, until he has heard all of it that `everything` has.
    async fn hear_some(self, mut stage: Stage, everything: watch::Receiver<Option<Arc<Picture>>>) {
        let mut line = Line::open(stage.address).await;
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

/// What people do.
struct Life {
    dice: Dice,
    calls: Vec<String>,
    owners: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Life {
    fn below(&mut self, limit: usize) -> usize {
        self.dice.below(limit as u64) as usize
    }

    fn join(&mut self, switch: &Switch, name: &str) {
        let running = switch.truth().into_iter().find(|room| room.name == name);
        let account = match (name.as_bytes()[0], &running) {
            (b'a', _) if name.len() == 2 => ACCOUNT,
            (b'b', _) => OTHER,
            (_, Some(room)) if self.owners.lock().unwrap()[&room.uuid] == ACCOUNT => ACCOUNT,
            (_, Some(_)) => OTHER,
            (_, None) if self.dice.chance(0.5) => ACCOUNT,
            (_, None) => OTHER,
        };
        let number = self.dice.below(10_000).to_string();
        let mut caller = Caller::new("Ann \"x\" O'Hara", number).variable("confvar_account_id", account);
        if self.dice.chance(0.2) {
            caller = caller.moderator();
        }
        // It may be locked.
        if let Ok(call) = switch.join(name, caller) {
            self.calls.push(call);
        }
        if let Some(room) = switch.truth().into_iter().find(|room| room.name == name) {
            self.owners.lock().unwrap().entry(room.uuid).or_insert_with(|| account.to_owned());
        }
    }

    fn go_on(&mut self, switch: &Switch) {
        let room = ROOMS[self.below(ROOMS.len())];
        let what = self.dice.below(100);
        if what < 25 || self.calls.is_empty() {
            return self.join(switch, room);
        }
        let at = self.below(self.calls.len());
        match what {
            25..40 => drop(switch.leave(&self.calls.swap_remove(at))),
            40..60 => drop(switch.talk(&self.calls[at].clone(), self.dice.chance(0.6))),
            60..66 => {
                let word = ["lock", "unlock", "unlock"][self.below(3)];
                switch.api(&format!("conference {room} {word}"));
            }
            // It ends, and begins anew when somebody comes.
            66..69 => drop(switch.api(&format!("conference {room} hup all"))),
            69..73 => {
                let word = ["mute", "unmute", "deaf", "undeaf"][self.below(4)];
                switch.api(&format!("conference {room} {word} all"));
            }
            _ => {
                let call = self.calls[at].clone();
                let rooms = switch.truth();
                let seat = rooms.iter().find_map(|room| Some((&room.name, room.member(&call)?.id)));
                let Some((room, id)) = seat else { return };
                let words = ["mute", "unmute", "deaf", "undeaf", "hold", "unhold", "floor", "tmute"];
                switch.api(&format!("conference {room} {} {id}", words[self.below(words.len())]));
            }
        }
    }

    /// Twenty people in one conference, all muted and unmuted until the last of it is all that is kept.
    async fn storm(&mut self, house: &House) {
        let switch = house.switch();
        switch.api("conference a0 unlock");
        for _ in 0..20 {
            self.join(switch, "a0");
        }
        for _ in 0..150 {
            switch.api("conference a0 mute all");
            switch.api("conference a0 unmute all");
            house.told().await;
        }
    }
}

async fn day(seed: u64) -> (usize, usize) {
    let options = SwitchOptions::default();
    // Who leaves is gone at once, so that conferences begin and end often.
    let world = WorldOptions { seed, departure: 300, tick: 300, steps_back: 0.0, ..options.world.clone() };
    let switch = Switch::start(SwitchOptions { world, ..options }).await.expect("a switch");
    let house = House::beside(vec![switch], |_| {}).await;
    house.followed().await;
    let (steps, step) = watch::channel(0);
    let owners = Arc::new(Mutex::new(BTreeMap::new()));
    let registry = house.daemon.context().registry.clone();
    let mut tokens = BTreeMap::new();
    for account in [ACCOUNT, OTHER] {
        let kind = convened::auth::CredentialKind::Token;
        tokens.insert(account, house.secret(kind, Some(account), &ALL, None).await);
    }
    let mut dice = Dice::new(seed);
    let mut subscriber = |account: &'static str, binding: &str, manner| Subscriber {
        account,
        token: tokens[account].clone(),
        binding: format!("conference.event.{binding}"),
        manner,
        seed: dice.roll(),
    };
    let mut all = Vec::new();
    for account in [ACCOUNT, OTHER] {
        for binding in ["*.*", "a0.*", "b0.*", "anybody's.*"] {
            all.push(subscriber(account, binding, Manner::Steady));
            all.push(subscriber(account, binding, Manner::Restless));
        }
        all.push(subscriber(account, "*.*", Manner::Restless));
    }
    all.push(subscriber(ACCOUNT, "a0.*", Manner::Sleeper));
    let some = ["mute-member.*.*", "conference-destroy.*.*", "add-member.*.*"]
        .map(|binding| subscriber(ACCOUNT, binding, Manner::Steady));
    let ready = Arc::new(Barrier::new(all.len() + some.len() + 1));
    let stage = Stage { address: house.daemon.address(), registry, step, owners: owners.clone(), ready };
    let (told, everything) = watch::channel(None);
    let some: Vec<_> =
        some.into_iter().map(|one| tokio::spawn(one.hear_some(stage.clone(), everything.clone()))).collect();
    let tasks: Vec<_> = all.iter().map(|one| tokio::spawn(one.clone().live(stage.clone()))).collect();
    let mut life = Life { dice: Dice::new(seed ^ 1), calls: Vec::new(), owners };
    stage.ready.wait().await;
    for step in 1..=STEPS {
        life.go_on(house.switch());
        if step == STORM {
            life.storm(&house).await;
        }
        if step % 3 == 0 {
            house.told().await;
        }
        steps.send_replace(step);
    }
    // Whoever was sent away is gone a moment later.
    timeout(PATIENCE, async {
        while difference(&stage.registry, "fs1", house.switch()).is_some() {
            house.told().await;
            crate::client::look_again().await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{:?}", difference(&stage.registry, "fs1", house.switch())));
    steps.send_replace(u64::MAX);
    let (mut gaps, mut changes) = (0, 0);
    for (one, task) in all.iter().zip(tasks) {
        let picture = task.await.unwrap_or_else(|error| panic!("seed {seed}, {one:?}: {error}"));
        let owners = stage.owners.lock().unwrap();
        for instance in &picture.heard_of {
            assert_eq!(owners[instance], one.account, "{one:?} hears of what is somebody else's");
        }
        drop(owners);
        if one.manner == Manner::Sleeper {
            assert!(picture.gaps > 0 && picture.snapshots > 1, "who slept has missed nothing");
        }
        gaps += picture.gaps;
        changes += picture.events.len();
        if (one.account, &*one.binding, one.manner) == (ACCOUNT, "conference.event.*.*", Manner::Steady) {
            assert_eq!(picture.gaps, 0, "who reads all the time misses nothing");
            told.send_replace(Some(Arc::new(picture)));
        }
    }
    for task in some {
        task.await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    (gaps, changes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_when_he_likes_knows_in_the_end_what_runs() {
    let number = |variable: &str| std::env::var(variable).ok().map(|value| value.parse().expect("a number"));
    let seeds: std::ops::Range<u64> = match number("CONVENED_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CONVENED_TEST_SEEDS").unwrap_or(2),
    };
    for seed in seeds {
        println!("CONVENED_TEST_SEED={seed}");
        let (gaps, events) = day(seed).await;
        println!("{events} events were heard, {gaps} gaps");
    }
}
