//! A simulated switch, a node that follows it, and what both say of the same conferences.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convened::config::{self, Secret};
use convened::esl::Limits;
use convened::hub::Hub;
use convened::model::{Flag, MemberState};
use convened::node::{Node, Running, Settings};
use convened::registry::{Change, ChangeKind, Conference, Participant, Publish, Registry};
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::{RoomTruth, WorldOptions};
use tokio_util::sync::CancellationToken;

/// What is not so by then will not be so any more.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for something that has to come.
pub async fn soon<T>(what: &str, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, coming).await {
        Ok(come) => come,
        Err(_) => panic!("it did not come: {what}"),
    }
}

/// Waits until it is so.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(2));
    soon(what, async {
        while !is_so() {
            looks.tick().await;
        }
    })
    .await;
}

/// Hands changes to the hub and keeps them all.
#[derive(Clone, Default)]
pub struct Kept {
    pub hub: Hub,
    pub changes: Arc<Mutex<Vec<Change>>>,
}

impl Publish for Kept {
    fn publish(&self, change: Change) {
        self.changes.lock().unwrap().push(change.clone());
        self.hub.publish(change);
    }
}

impl Kept {
    pub fn all(&self) -> Vec<Change> {
        self.changes.lock().unwrap().clone()
    }

    /// The kinds of changes of the conferences of that name, in order.
    pub fn kinds(&self, conference: &str) -> Vec<ChangeKind> {
        let all = self.all();
        all.iter().filter(|change| &*change.conference.name == conference).map(|change| change.kind).collect()
    }

    /// The changes of each instance are numbered 1, 2, 3 ...
    pub fn check_numbers(&self) {
        let mut last = std::collections::HashMap::new();
        for change in self.all() {
            let number = last.entry(change.conference.instance.clone()).or_insert(0);
            *number += 1;
            assert_eq!(change.number, *number, "{change:?}");
        }
    }
}

/// Everybody behind a node that follows one simulated switch.
pub struct House {
    pub switch: Switch,
    pub registry: Arc<Registry>,
    pub kept: Kept,
    pub node: Node,
    pub running: Running,
    pub stop: CancellationToken,
}

/// A switch whose events are in order.
pub fn options() -> SwitchOptions {
    let world = WorldOptions { steps_back: 0.0, ..SwitchOptions::default().world };
    SwitchOptions { world, ..SwitchOptions::default() }
}

pub async fn switch() -> Switch {
    Switch::start(options()).await.unwrap()
}

/// Lets what happens by itself happen: voices, floors, leavings.
pub async fn settled(switch: &Switch) {
    eventually("nothing is due any more", || switch.world(|world, _| world.next_due().is_none())).await;
}

/// A node that comes back quickly.
pub fn settings(addr: SocketAddr) -> Settings {
    let node = config::Node {
        reconnect_min_ms: 10,
        reconnect_max_ms: 100,
        ..config::Node::new("fs1", addr.to_string(), Secret::new("ClueCon"))
    };
    Settings {
        node,
        limits: Limits::default(),
        audit_every: Duration::from_secs(600),
        variable_prefixes: Vec::new(),
    }
}

impl House {
    /// Follows a switch, with a node that is changed before it is started.
    pub fn with(switch: Switch, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(switch.addr());
        change(&mut settings);
        let (registry, kept, stop) = (Arc::new(Registry::new()), Kept::default(), CancellationToken::new());
        let running = Node::start(settings, registry.clone(), kept.clone(), &stop);
        Self { switch, registry, kept, node: running.node.clone(), running, stop }
    }

    /// Follows a switch and has listed it.
    pub async fn following(switch: Switch) -> Self {
        let house = Self::with(switch, |_| ());
        house.followed().await;
        house
    }

    pub async fn new() -> Self {
        Self::following(switch().await).await
    }

    /// Waits until everything that runs has been listed.
    pub async fn followed(&self) {
        eventually("everything is listed", || self.registry.is_complete()).await;
        eventually("commands can be sent", || self.node.status().commands_connected).await;
    }

    /// Waits until the registry says what the switch knows.
    pub async fn agrees(&self) {
        let mut looks = tokio::time::interval(Duration::from_millis(2));
        let agreed = tokio::time::timeout(DEADLINE, async {
            while self.difference().is_some() {
                looks.tick().await;
            }
        });
        if agreed.await.is_err() {
            panic!("they do not agree: {}", self.difference().unwrap_or_default());
        }
        self.kept.check_numbers();
    }

    /// What the registry and the switch do not agree on.
    pub fn difference(&self) -> Option<String> {
        difference(&self.registry, self.node.name(), &self.switch)
    }

    /// Lists every conference that runs or is known, as somebody does who does not believe in events.
    pub async fn list_all(&self) {
        let mut names: Vec<String> = self.switch.truth().into_iter().map(|room| room.name).collect();
        names.extend(self.registry.conferences().iter().map(|conference| conference.name.to_string()));
        names.sort();
        names.dedup();
        for name in names {
            soon("a list", self.node.list_conference(&name)).await.unwrap();
        }
    }

    /// The one conference of that name.
    pub fn conference(&self, name: &str) -> Arc<Conference> {
        let found = self.registry.conference(name);
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    }

    /// The participant with that call.
    pub fn participant(&self, conference: &str, call: &str) -> Arc<Participant> {
        self.conference(conference).by_call_id(call).expect("he is there")
    }

    /// The participant's state, if he is there.
    pub fn state(&self, conference: &str, call: &str) -> Option<MemberState> {
        let found = self.registry.conference(conference);
        found.iter().find_map(|conference| conference.by_call_id(call)).map(|participant| participant.state())
    }

    pub fn has(&self, conference: &str, call: &str, flag: Flag) -> bool {
        self.state(conference, call).is_some_and(|state| state.has(flag))
    }
}

/// What the registry says of a node's conferences and the switch does not, or the other way.
pub fn difference(registry: &Registry, node: &str, switch: &Switch) -> Option<String> {
    let all = registry.conferences();
    let shown = rows(all.iter().filter(|c| &*c.node == node).map(|c| shown(c)));
    let truth = rows(shown_by(&switch.truth()).into_iter());
    let only = |these: &BTreeSet<Row>, those: &BTreeSet<Row>| {
        these.difference(those).map(|row| format!("\n  {row:?}")).collect::<String>()
    };
    let text = || format!("only shown:{}\nonly true:{}", only(&shown, &truth), only(&truth, &shown));
    (shown != truth).then(text)
}

/// One member of a conference, or the conference alone.
type Row = (String, String, bool, Option<ShownMember>);

fn rows(all: impl Iterator<Item = Shown>) -> BTreeSet<Row> {
    all.flat_map(|(instance, name, locked, members)| {
        let row = move |member| (instance.clone(), name.clone(), locked, member);
        std::iter::once(None).chain(members.into_iter().map(Some)).map(row)
    })
    .collect()
}

/// A conference, comparable: its instance, name, lock and members.
type Shown = (String, String, bool, Vec<ShownMember>);
/// Call, number, name, number, then what is so about him, then his energy level. Of somebody on hold a
/// list does not tell whether he is muted or deaf: that is left out.
type ShownMember = (String, u32, String, String, Vec<&'static str>, i64);

fn shown(conference: &Conference) -> Shown {
    let members = conference.participants();
    let mut members: Vec<_> = members.iter().map(|participant| shown_member(participant)).collect();
    members.sort();
    (conference.instance.to_string(), conference.name.to_string(), conference.is_locked(), members)
}

fn shown_member(participant: &Participant) -> ShownMember {
    let state = participant.state();
    let flags = [
        (Flag::Hear, "hear"),
        (Flag::Speak, "speak"),
        (Flag::Talking, "talking"),
        (Flag::Hold, "hold"),
        (Flag::Floor, "floor"),
        (Flag::Moderator, "moderator"),
    ];
    (
        participant.call_id.to_string(),
        participant.member_id,
        participant.caller_name.to_string(),
        participant.caller_number.to_string(),
        shown_flags(flags.map(|(flag, word)| (state.has(flag), word))),
        state.energy_level().into(),
    )
}

fn shown_flags(flags: [(bool, &'static str); 6]) -> Vec<&'static str> {
    let held = flags.contains(&(true, "hold"));
    let told = |word: &str| !(held && matches!(word, "hear" | "speak"));
    flags.into_iter().filter_map(|(is, word)| (is && told(word)).then_some(word)).collect()
}

fn shown_by(truth: &[RoomTruth]) -> Vec<Shown> {
    let member = |member: &convened::sim::world::MemberTruth| -> ShownMember {
        let flags = [
            (member.hear, "hear"),
            (member.speak, "speak"),
            (member.talking, "talking"),
            (member.hold, "hold"),
            (member.floor, "floor"),
            (member.moderator, "moderator"),
        ];
        (
            member.call.clone(),
            member.id,
            String::from_utf8_lossy(&member.name).into_owned(),
            String::from_utf8_lossy(&member.number).into_owned(),
            shown_flags(flags),
            member.energy_level,
        )
    };
    let room = |room: &RoomTruth| {
        let mut members: Vec<_> = room.members.iter().map(member).collect();
        members.sort();
        (room.uuid.clone(), room.name.clone(), room.locked, members)
    };
    truth.iter().map(room).collect()
}
