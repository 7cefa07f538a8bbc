//! What a replay does with a switch: the tape's events go the same way as the world's own.

use super::Switch;
use crate::sim::events::{Event, Lines};
use crate::sim::fold::Change;

/// Where the tape's numbers stand among those the world draws itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Numbers {
    /// Added to each number of the tape.
    pub(crate) shift: u64,
    /// The highest number sent from the tape.
    pub(crate) top: u64,
}

impl Switch {
    /// Until somebody listens to events.
    pub(crate) async fn until_any_listener(&self) {
        self.wait(|shared| shared.lock().connections.values().any(|c| c.listens()).then_some(())).await;
    }

    /// The world's time begins now.
    pub(crate) fn start_clock(&self) {
        self.shared.lock().clock.restart();
    }

    /// How many events wait for the client that lags most.
    pub(crate) fn longest_queue(&self) -> usize {
        self.shared.lock().connections.values().map(|c| c.queued().0).max().unwrap_or(0)
    }

    /// Plays events of a tape: folds each into the world and sends it. A `salt` other than 0 gives calls
    /// and conferences other ids.
    pub(crate) fn play<'a>(
        &self,
        tape: impl Iterator<Item = (&'a Event, Option<&'a Change>)>,
        numbers: &mut Numbers,
        salt: u64,
    ) {
        self.shared.act(|state, now| {
            state.world.advance(now);
            // What became due goes out first.
            state.publish();
            // What the world has drawn for itself moves the tape up.
            numbers.shift += state.world.sequence.saturating_sub(numbers.top);
            for (event, change) in tape {
                let event = copied(event, numbers.shift, salt);
                numbers.top = numbers.top.max(event.sequence);
                let fresh = if salt > 0 { Change::read(&event) } else { None };
                if fresh.as_ref().or(change).is_none_or(|change| state.world.fold(change)) {
                    state.send(event);
                }
            }
            state.world.sequence = numbers.top;
        });
    }
}

/// An event of the tape as it is sent.
fn copied(event: &Event, shift: u64, salt: u64) -> Event {
    let mut event = event.clone();
    if shift > 0 {
        event.sequence += shift;
        event.headers.set("Event-Sequence", event.sequence.to_string());
    }
    if salt > 0 {
        event.headers = salted(&event.headers, salt);
    }
    event
}

/// The same lines with other ids; the switch keeps its own.
fn salted(lines: &Lines, salt: u64) -> Lines {
    let mut out = String::with_capacity(lines.as_str().len());
    for line in lines.as_str().split_inclusive('\n') {
        let (mut rest, own) = (line, line.starts_with("Core-UUID"));
        while let Some(at) = (!own).then(|| find_uuid(rest)).flatten() {
            let (before, after) = rest.split_at(at + 28);
            let (tail, after) = after.split_at(8);
            let tail = u64::from_str_radix(tail, 16).unwrap_or(0) ^ (salt & 0xffff_ffff);
            out.push_str(before);
            out.push_str(&format!("{tail:08x}"));
            rest = after;
        }
        out.push_str(rest);
    }
    Lines::from_encoded(out)
}

/// Where the first UUID begins.
fn find_uuid(text: &str) -> Option<usize> {
    let fits = |window: &[u8]| {
        window.iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    text.as_bytes().windows(36).position(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_ids_are_the_same_everywhere_but_for_the_switch() {
        let id = "8c3d364a-fb9f-4fd2-912a-0107cd777d24";
        let other = "8c3d364a-fb9f-4fd2-912a-0107cd777d26";
        let text = |id: &str| format!("Unique-ID: {id}\nX: conference%3A{id}%40{id}\n");
        let lines = Lines::from_encoded(format!("Core-UUID: {id}\n{}", text(id)));
        assert_eq!(salted(&lines, 2).as_str(), format!("Core-UUID: {id}\n{}", text(other)));
    }
}
