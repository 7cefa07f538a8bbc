//! What a participant costs in memory: the resident size before and after 100,000 of them have joined.
//!
//! `cargo bench --bench memory` prints it for conferences of several sizes. Names and numbers are as long as in
//! the recordings; nothing is shared between participants.

use std::sync::Arc;

use convened::model::{ConferenceEvent, EventKind, Flag, MemberFacts, MemberState, Moment};
use convened::registry::{Registry, Writer};

const PARTICIPANTS: u64 = 100_000;

/// Resident octets of this process, as the kernel counts them.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells it");
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}

fn fill(in_each: u64) -> (Arc<Registry>, Writer<()>) {
    let registry = Arc::new(Registry::new());
    let mut writer = Writer::new(registry.clone(), "fs1".into(), ());
    for n in 0..PARTICIPANTS {
        let conference = n / in_each;
        let event = ConferenceEvent {
            extra: None,
            kind: EventKind::Joined,
            sequence: n + 1,
            instance: format!("aa07c7c2-fa66-4d0a-832e-{conference:012x}").into(),
            conference: format!("5edbfdd3b825314a71b0{conference:012x}").into(),
            size: None,
            account: Some("9d351ad7ffd6f846313af9eed3bb7b85".into()),
            member: Some(MemberFacts {
                call_id: format!("a037b0ab-5135-41c6-948a-{n:012x}").into(),
                member_id: u32::try_from(n).unwrap_or(u32::MAX),
                state: MemberState::default()
                    .with(Flag::Hear, true)
                    .with(Flag::Speak, true)
                    .with_energy_level(100),
                caller_name: format!("Participant {n}").into(),
                caller_number: format!("1555{n:07}").into(),
                account: None,
            }),
        };
        let now = Moment { unix_ms: 1_795_426_262_000 + n, monotonic_ms: n };
        assert_eq!(writer.apply(&event, now), None, "nothing is odd");
    }
    (registry, writer)
}

fn main() {
    // One round beforehand, so that what the program needs once is not counted.
    drop(fill(1_000));
    for in_each in [3, 10, 100, 3_000] {
        let before = resident();
        let (registry, writer) = fill(in_each);
        let after = resident();
        let known: usize = registry.conferences().iter().map(|conference| conference.len()).sum();
        assert_eq!(known as u64, PARTICIPANTS);
        println!(
            "{PARTICIPANTS} participants in conferences of {in_each}: {} octets resident for each",
            after.saturating_sub(before) / PARTICIPANTS
        );
        // Kept, so that the next round cannot live in what this one has given back.
        std::mem::forget((registry, writer));
    }
}
