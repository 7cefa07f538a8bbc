//! Callers on simulated switches: parked, asked, let in or not, seen over REST. The switches' own behaviour is that of
//! the recordings.

#[path = "callin/asked.rs"]
mod asked;
#[path = "support/rest.rs"]
mod client;
#[path = "callin/crowds.rs"]
mod crowds;
#[path = "callin/daemons.rs"]
mod daemons;
#[path = "callin/door.rs"]
mod door;
#[path = "rest/house.rs"]
#[allow(dead_code, reason = "a part is used")]
mod house;
#[path = "callin/joined.rs"]
mod joined;
#[path = "callin/nodes.rs"]
mod nodes;
#[path = "callin/recorded.rs"]
mod recorded;
#[path = "callin/trouble.rs"]
mod trouble;
#[path = "callin/waiting.rs"]
mod waiting;
