//! The switches of the other process: simulated ones, over TCP, and the people in them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::{Caller, World, WorldOptions};

/// Whoever talks, talks until so many others have begun to.
const AT_ONCE: usize = 100;
/// Who is in a conference while it lasts.
const COMPANY: usize = 3;

/// So many switches, each with so many conferences of so many members. Tells their ports, then does as told:
///
/// ```text
/// talk N    somebody begins and somebody ends talking, N times a second   ▶ nothing
/// hush      nobody begins any more                                        ▶ how many talk
/// live N    N conferences begin, live and end                             ▶ how many events there have been
/// close     the lobby, where one of each of them has passed through       ▶ likewise
/// ```
pub(crate) fn run(sizes: &[&str]) {
    let sizes: Vec<usize> = sizes.iter().map(|size| size.parse().expect("a number")).collect();
    let [nodes, conferences, members] = sizes[..] else { panic!("three sizes, not {sizes:?}") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let switches: Vec<_> = (0..nodes)
        .map(|node| {
            let switch = runtime.block_on(Switch::start(options(node))).expect("it listens");
            let calls = switch.world(|world, now| fill(world, now, node, (conferences, members)));
            (Arc::new(switch), calls)
        })
        .collect();
    let (first, calls) = &switches[0];
    let events = Arc::new(AtomicU64::new(0));
    let counted = events.clone();
    first.witness(move |event| {
        counted.fetch_add(event.action().is_some().into(), Ordering::Relaxed);
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (mut talking, mut lived, mut lobby) = (None, 0, None);
    let ports: Vec<u64> = switches.iter().map(|(switch, _)| switch.addr().port().into()).collect();
    super::peer::serve(&ports, |order| match *order {
        ["talk", rate] => {
            let pause = Duration::from_secs(1) / rate.parse::<u32>().expect("a number");
            stop.store(false, Ordering::Relaxed);
            let (switch, calls, stop) = (first.clone(), calls.clone(), stop.clone());
            talking = Some(runtime.spawn(async move { talk(&switch, &calls, pause, &stop).await }));
            Vec::new()
        }
        ["hush"] => {
            stop.store(true, Ordering::Relaxed);
            runtime.block_on(talking.take().expect("they talk")).expect("it ends well");
            let rooms = first.truth();
            vec![rooms.iter().flat_map(|room| &room.members).filter(|member| member.talking).count() as u64]
        }
        ["live", count] => {
            let count: u64 = count.parse().expect("a number");
            first.world(|world, now| live(world, now, lived..lived + count, &mut lobby));
            lived += count;
            vec![events.load(Ordering::Relaxed)]
        }
        ["close"] => {
            first.world(|world, now| leave(world, now, lobby.take()));
            vec![events.load(Ordering::Relaxed)]
        }
        _ => panic!("what is {order:?}?"),
    });
}

fn options(node: usize) -> SwitchOptions {
    let options = SwitchOptions::default();
    SwitchOptions {
        world: WorldOptions { seed: node as u64 + 1, max_sessions: 1_000_000, ..options.world },
        // Nothing shall get lost here.
        queue: 10_000_000,
        ..options
    }
}

/// Somebody with a name and a number of his own, as long as in the recordings.
fn caller(node: usize, n: usize) -> Caller {
    Caller::new(format!("Participant {n}"), format!("1555{node:02}{n:05}"))
}

fn fill(world: &mut World, now: u64, node: usize, (conferences, members): (usize, usize)) -> Vec<String> {
    let account = format!("9d351ad7ffd6f846313af9ee{node:08x}");
    let mut calls = Vec::new();
    for conference in 0..conferences {
        let name = format!("5edbfdd3b825314a{node:04x}{conference:012x}");
        for member in 0..members {
            let caller = caller(node, conference * members + member);
            let caller = caller.variable("confvar_account_id", &account);
            calls.push(world.join(now, &name, caller).expect("the door is open"));
            // Nobody listens yet, and all of it at once would be much.
            world.drain();
        }
    }
    world.settle();
    world.drain();
    calls
}

async fn talk(switch: &Switch, calls: &[String], pause: Duration, stop: &AtomicBool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(1).max(pause));
    let each_tick = (Duration::from_millis(1).as_secs_f64() / pause.as_secs_f64()).max(1.0) as usize;
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        switch.world(|world, now| {
            for _ in 0..each_tick.div_ceil(2) {
                let (begins, ends) = (turn % calls.len(), (turn + calls.len() - AT_ONCE) % calls.len());
                world.talk(now, &calls[begins], true).expect("he is there");
                world.talk(now, &calls[ends], false).expect("he is there");
                turn += 1;
            }
        });
    }
}

/// Conferences with names and calls that were never there before: people join, talk and leave. For each of them
/// somebody passes through the lobby, where the first one waits all the time.
fn live(world: &mut World, now: u64, numbers: std::ops::Range<u64>, lobby: &mut Option<String>) {
    let join = |world: &mut World, room: &str, n: usize| {
        world.join(now, room, caller(0, n)).expect("the door is open")
    };
    lobby.get_or_insert_with(|| join(world, "lobby", 0));
    let mut present = Vec::new();
    for n in numbers {
        let name = format!("{n:032x}");
        for member in 0..COMPANY {
            let call = join(world, &name, member);
            world.talk(now, &call, true).expect("he is there");
            world.talk(now, &call, false).expect("he is there");
            present.push(call);
        }
        present.push(join(world, "lobby", 1));
    }
    world.settle();
    leave(world, now, present);
}

fn leave(world: &mut World, now: u64, calls: impl IntoIterator<Item = String>) {
    for call in calls {
        world.leave(now, &call).expect("he is there");
    }
    world.settle();
}
