//! What many nodes, many people and much coming and going cost.
//!
//! ```text
//! nodes    50 switches, 10,000 conferences, 100,000 participants: memory, time until all is listed
//! crowd    one switch with 20,000 members: how long comparing with its list holds up the events
//! rates    50 connections on one core, as fast as they are read
//! changes  a million of them: what is remembered of what has ended does not grow
//! ```
//!
//! Each part runs in a process of its own, and its switches in another, so that memory and processor time are
//! those of the follower alone. Beside a figure stands what the same bytes cost whoever only reads them, in the
//! same run. Nothing is said of how fast it has to be; every count is: what is listed, what is applied.
//!
//! `cargo bench --bench scale`, or only one of them: `cargo bench --bench scale -- crowd`

#[path = "scale/changes.rs"]
mod changes;
#[path = "scale/crowd.rs"]
mod crowd;
#[path = "scale/figures.rs"]
mod figures;
#[path = "scale/follower.rs"]
mod follower;
#[path = "scale/nodes.rs"]
mod nodes;
#[path = "scale/peer.rs"]
mod peer;
#[path = "scale/rates.rs"]
mod rates;
#[path = "scale/stream.rs"]
mod stream;
#[path = "scale/switches.rs"]
mod switches;

const PARTS: [(&str, fn()); 4] =
    [("nodes", nodes::run), ("crowd", crowd::run), ("rates", rates::run), ("changes", changes::run)];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        ["--part", part] => PARTS.iter().filter(|(name, _)| *name == part).for_each(|(_, run)| run()),
        ["--switches", ref sizes @ ..] => switches::run(sizes),
        ["--stream", ref sizes @ ..] => stream::run(sizes),
        _ => {
            for (name, _) in PARTS.iter().filter(|(name, _)| words.is_empty() || words.contains(name)) {
                let ended = peer::myself(&["--part", name]).status().expect("it starts");
                assert!(ended.success(), "{name}: {ended}");
            }
        }
    }
}
