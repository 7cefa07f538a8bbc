//! The people of the demo: they join, talk, listen and leave.

use std::time::Duration;

use super::{ACCOUNT, Room};
use crate::cli::Speed;
use crate::sim::dice::Dice;
use crate::sim::switch::Switch;
use crate::sim::world::Caller;

const NAMES: [&str; 14] = [
    "Ada",
    "Blaise",
    "Chien-Shiung",
    "Dorothy",
    "Emmy",
    "Fermat",
    "Grace",
    "Hedy",
    "Isaac",
    "Joan",
    "Katherine",
    "Lise",
    "Max",
    "Noether",
];
/// How many are in a conference at most, and at least once it has begun.
const MOST: usize = 6;
const LEAST: usize = 2;

/// So many events may wait for the daemon before its people wait for it: far fewer than the switch holds before it
/// loses any, and few enough that the memory of this process is the daemon's and not the switch's.
const AHEAD: usize = 2_000;

struct Guest {
    call: String,
    talking: bool,
}

/// Keeps the conferences lively for ever. The switch lives as long as this does.
pub(super) async fn come_and_go(switch: Switch, rooms: Vec<Room>, speed: Speed) {
    let mut dice = Dice::new(rand::random());
    let mut guests: Vec<Vec<Guest>> = rooms.iter().map(|_| Vec::new()).collect();
    let mut calls = 0;
    for _ in 0..LEAST {
        for (room, guests) in rooms.iter().zip(&mut guests) {
            calls += 1;
            join(&switch, room, guests, calls);
        }
    }
    loop {
        let at = usize::try_from(dice.below(rooms.len() as u64)).unwrap_or(0);
        let (room, guests) = (&rooms[at], &mut guests[at]);
        if guests.len() < LEAST || (guests.len() < MOST && dice.chance(0.2)) {
            calls += 1;
            join(&switch, room, guests, calls);
        } else if guests.len() > LEAST && dice.chance(0.15) {
            let leaver = usize::try_from(dice.below(guests.len() as u64)).unwrap_or(0);
            // Somebody with the API may have put the guest out before.
            let _ = switch.leave(&guests.swap_remove(leaver).call);
        } else {
            let speaker = usize::try_from(dice.below(guests.len() as u64)).unwrap_or(0);
            let guest = &mut guests[speaker];
            guest.talking = !guest.talking;
            if switch.talk(&guest.call, guest.talking).is_err() {
                guests.swap_remove(speaker);
            }
        }
        pause(&switch, Duration::from_millis(250 + dice.below(900)), speed).await;
    }
}

/// What lies between two things that happen.
async fn pause(switch: &Switch, time: Duration, speed: Speed) {
    match speed {
        Speed::Times(times) => tokio::time::sleep(time.div_f64(times.clamp(0.001, 1000.0))).await,
        Speed::Max => {
            while switch.longest_queue() > AHEAD {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The first one of a conference is its moderator. Whoever finds it locked calls again later.
fn join(switch: &Switch, room: &Room, guests: &mut Vec<Guest>, calls: usize) {
    let name = NAMES[calls % NAMES.len()];
    let caller = Caller::new(name, format!("1555{:07}", 1_000 + calls));
    let caller = if guests.is_empty() { caller.moderator() } else { caller };
    // A document says whose a conference is; without one the switch has to.
    let caller = if room.has_document { caller } else { caller.variable("confvar_account_id", ACCOUNT) };
    if let Ok(call) = switch.join(&room.id, caller) {
        guests.push(Guest { call, talking: false });
    }
}
