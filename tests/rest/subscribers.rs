//! Subscribers of all kinds beside switches that live: what each has put together is what runs, whenever he came,
//! went or slept, and nobody hears of what is somebody else's.
//!
//! `CONVENED_TEST_SEED=7` runs one seed alone, `CONVENED_TEST_SEEDS=50` so many. A seed gives the same life and the
//! same moods; who is faster is decided by the machine.

#[path = "subscribers/life.rs"]
mod life;
#[path = "subscribers/line.rs"]
pub(crate) mod line;
#[path = "subscribers/who.rs"]
mod who;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use convened::sim::dice::Dice;
use convened::sim::switch::{Switch, SwitchOptions, Which};
use convened::sim::world::WorldOptions;
use serde_json::json;
use tokio::sync::{Barrier, watch};
use tokio::time::timeout;

use crate::client::{PATIENCE, look_again};
use crate::house::{ACCOUNT, ALL, House, OTHER};
use crate::picture::Picture;
use crate::support::house::difference;
use life::{Life, Room};
use who::{Manner, Stage, Subscriber};

/// Things that happen before all is quiet.
const STEPS: u64 = 900;
/// The step at which so much happens in one conference that who sleeps misses some of it.
const STORM: u64 = 450;
/// The call of somebody who comes and goes, and is looked at by it.
const VIP: &str = "5eb61a57-vip";

/// All that somebody has heard who has heard everything.
type Known = Option<Arc<Picture>>;

/// A house with so many switches, and the rooms in which life is.
async fn house(seed: u64, switches: usize) -> (House, Vec<Room>) {
    let mut started = Vec::new();
    for number in 0..switches as u64 {
        let options = SwitchOptions::default();
        // Who leaves is gone at once, so that conferences begin and end often.
        let world = WorldOptions { departure: 300, tick: 300, steps_back: 0.0, ..options.world.clone() };
        let world = WorldOptions { seed: seed + (number << 32), ..world };
        started.push(Switch::start(SwitchOptions { world, ..options }).await.expect("a switch"));
    }
    // Whoever is out of reach is told to be at once.
    let house =
        House::beside(started, |config| config.node.iter_mut().for_each(|node| node.stale_after_s = 0));
    let house = house.await;
    house.followed().await;
    let room = |name: &str, owner| Room { name: name.to_owned(), owner };
    let (his, theirs) = (Some(ACCOUNT), Some(OTHER));
    let mut rooms = vec![room("a0", his), room("b0", theirs), room("anybody's", None)];
    rooms.extend([room("a1", his), room("a2", his), room("b1", theirs)]);
    if switches > 1 {
        // What has begun while a switch was out of reach is known by its document only: a list tells no tag.
        rooms.remove(2);
        for room in &mut rooms {
            let account = room.owner.expect("it has a document");
            room.name = house.client(Some(account), &ALL).await.create(json!({})).await;
        }
    }
    (house, rooms)
}

/// Who listens: those of everything, and those who hear a part.
async fn audience(seed: u64, house: &House, rooms: &[Room]) -> (Vec<Subscriber>, Vec<Subscriber>) {
    let mut tokens = BTreeMap::new();
    for account in [ACCOUNT, OTHER] {
        let kind = convened::auth::CredentialKind::Token;
        tokens.insert(account, house.secret(kind, Some(account), &ALL, None).await);
    }
    let mut dice = Dice::new(seed);
    let mut subscriber = |account: &'static str, binding: &str, over_http, manner| Subscriber {
        account,
        token: tokens[account].clone(),
        binding: format!("conference.event.{binding}"),
        over_http,
        manner,
        seed: dice.roll(),
    };
    let of = |room: &Room| format!("{}.*", room.name);
    let first = &rooms[..if house.switches.len() > 1 { 2 } else { 3 }];
    let bindings: Vec<_> = std::iter::once("*.*".to_owned()).chain(first.iter().map(of)).collect();
    let mut all = Vec::new();
    for account in [ACCOUNT, OTHER] {
        for binding in &bindings {
            for manner in [Manner::Steady, Manner::Restless] {
                all.push(subscriber(account, binding, false, manner));
                if binding != "*.*" {
                    all.push(subscriber(account, binding, true, manner));
                }
            }
        }
        all.push(subscriber(account, "*.*", false, Manner::Restless));
    }
    for (binding, manner) in
        [("*", Manner::Steady), ("*", Manner::Restless), (&*first[0].name, Manner::Restless)]
    {
        all.push(subscriber(ACCOUNT, &format!("{binding}.{VIP}"), false, manner));
    }
    for over_http in [false, true] {
        all.push(subscriber(ACCOUNT, &of(&first[0]), over_http, Manner::Sleeper));
    }
    let some = ["mute-member.*.*", "conference-destroy.*.*", "add-member.*.*"]
        .map(|binding| subscriber(ACCOUNT, binding, false, Manner::Steady));
    (all, some.into())
}

/// Cuts switches off for a moment or for longer, and restarts one; whether all of them are in reach.
async fn outage(step: u64, switches: &[Switch]) -> bool {
    let switch = &switches[(step / 90) as usize % switches.len()];
    match step % 90 {
        20 => switch.cut(Which::All),
        45 => {
            switch.stop_listening().await;
            switch.reset(Which::All);
        }
        70 => switch.listen_again().await.expect("the port"),
        85 if step / 90 == 6 => switch.restart(),
        _ => {}
    }
    !(45..70).contains(&(step % 90))
}

/// Until the registry is as the switches are: whoever was sent away is gone a moment later.
async fn settled(house: &House) {
    let registry = &house.daemon.context().registry;
    let wrong = || {
        let nodes = house.switches.iter().enumerate();
        nodes.filter_map(|(at, switch)| difference(registry, &format!("fs{}", at + 1), switch)).next()
    };
    let settled = timeout(PATIENCE, async {
        while wrong().is_some() {
            house.told().await;
            look_again().await;
        }
    });
    settled.await.unwrap_or_else(|_| panic!("{:?}", wrong()));
}

async fn day(seed: u64, switches: usize) -> (usize, usize) {
    let (house, rooms) = house(seed, switches).await;
    let (all, some) = audience(seed, &house, &rooms).await;
    let (steps, step) = watch::channel(0);
    let owners = Arc::new(Mutex::new(BTreeMap::new()));
    let registry = house.daemon.context().registry.clone();
    let ready = Arc::new(Barrier::new(all.len() + some.len() + 1));
    let stage = Stage { address: house.address(), registry, step, owners: owners.clone(), ready };
    let (told, everything) = watch::channel(None);
    let some: Vec<_> =
        some.into_iter().map(|one| tokio::spawn(one.hear_some(stage.clone(), everything.clone()))).collect();
    let tasks: Vec<_> = all.iter().map(|one| tokio::spawn(one.clone().live(stage.clone()))).collect();
    let mut life = Life::new(seed ^ 1, rooms, owners);
    stage.ready.wait().await;
    for step in 1..=STEPS {
        life.go_on(&house.switches);
        if step == STORM {
            life.storm(&house).await;
        }
        let in_reach = switches == 1 || outage(step, &house.switches).await;
        if step % 3 == 0 {
            if in_reach { house.told().await } else { look_again().await }
        }
        steps.send_replace(step);
    }
    settled(&house).await;
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
            assert!(picture.gaps > 0 && picture.snapshots > 1, "{one:?} has slept and missed nothing");
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

/// Days with several seeds.
async fn days(switches: usize) {
    let number = |variable: &str| std::env::var(variable).ok().map(|value| value.parse().expect("a number"));
    let seeds: std::ops::Range<u64> = match number("CONVENED_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CONVENED_TEST_SEEDS").unwrap_or(2),
    };
    for seed in seeds {
        println!("CONVENED_TEST_SEED={seed}");
        let (gaps, events) = day(seed, switches).await;
        println!("{events} events were heard, {gaps} gaps");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_when_he_likes_knows_in_the_end_what_runs() {
    days(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_he_does_of_conferences_on_two_nodes_that_come_and_go() {
    days(2).await;
}
