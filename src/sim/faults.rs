//! Misbehaviour on request: what is lost, mixed up, late, wrong or too much.
//!
//! Pure decisions; [`super::switch`] asks and acts.

use super::dice::Dice;
use super::events::Event;
use super::switch::Which;
use std::collections::VecDeque;
use std::time::Duration;

/// Mixes up the order of what passes through: nothing moves `window` places or further.
#[derive(Debug, Clone)]
pub struct Disorder<T> {
    held: VecDeque<(u64, T)>,
    came: u64,
    left: u64,
    window: u64,
    dice: Dice,
}

impl<T> Disorder<T> {
    /// A window of 1 changes nothing.
    pub fn new(window: usize, seed: u64) -> Self {
        let window = window.max(1) as u64;
        Self { held: VecDeque::new(), came: 0, left: 0, window, dice: Dice::new(seed) }
    }

    /// One comes in; one that was held may come out.
    pub fn push(&mut self, one: T) -> Option<T> {
        self.held.push_back((self.came, one));
        self.came += 1;
        if (self.held.len() as u64) < self.window { None } else { self.draw() }
    }

    /// Everything that is held comes out, mixed.
    pub fn flush(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.draw()).collect()
    }

    /// Any of those held, unless the oldest would be too late after that.
    fn draw(&mut self) -> Option<T> {
        let (oldest, _) = self.held.front()?;
        let overdue = self.left + 1 >= oldest + self.window;
        let at = if overdue { 0 } else { self.dice.below(self.held.len() as u64) as usize };
        self.left += 1;
        self.held.remove(at).map(|(_, one)| one)
    }
}

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// Says which events are lost.
pub type Predicate = Box<dyn Fn(&Event) -> bool + Send>;

/// A command that cuts connections.
#[derive(Debug, Clone)]
pub(crate) struct Trap {
    pub(crate) part: String,
    /// So many that hold it pass before.
    pub(crate) passes: usize,
    /// It is executed first, even if nobody hears the answer any more.
    pub(crate) executed: bool,
    pub(crate) which: Which,
}

/// What is wrong with a switch at present.
#[derive(Default)]
pub(crate) struct Faults {
    pub(crate) drop_next: usize,
    pub(crate) drop_if: Option<Predicate>,
    pub(crate) dropped: usize,
    pub(crate) disorder: Option<Disorder<Event>>,
    pub(crate) delay: Duration,
    /// Commands that hold this are never answered, nor what comes behind them on the same connection.
    pub(crate) hangs: Option<String>,
    /// A tenth of the answers comes up to so much later.
    pub(crate) late: Option<(Duration, Dice)>,
    pub(crate) traps: Vec<Trap>,
    pub(crate) garbage: VecDeque<Vec<u8>>,
    pub(crate) rude: bool,
    pub(crate) oversize: Option<usize>,
    /// That share of events comes twice.
    pub(crate) repeat: Option<(f64, Dice)>,
    /// Answers wait until they are let go.
    pub(crate) held: bool,
    /// What a line must hold to be answered with other words, and not executed.
    pub(crate) instead: Vec<(String, Vec<u8>)>,
}

impl Faults {
    /// Whether this event is lost.
    pub(crate) fn loses(&mut self, event: &Event) -> bool {
        let lost = self.drop_next > 0 || self.drop_if.as_ref().is_some_and(|drop| drop(event));
        self.drop_next = self.drop_next.saturating_sub(1);
        self.dropped += usize::from(lost);
        lost
    }

    /// Whether this event comes once again.
    pub(crate) fn repeats(&mut self) -> bool {
        self.repeat.as_mut().is_some_and(|(share, dice)| dice.chance(*share))
    }

    /// How long the answer to a command waits.
    pub(crate) fn lateness(&mut self, command: &str) -> Duration {
        if self.hangs.as_ref().is_some_and(|part| command.contains(part.as_str())) {
            return FOR_EVER;
        }
        let late = self.late.as_mut().and_then(|(longest, dice)| {
            dice.chance(0.1).then(|| longest.mul_f64(dice.below(1_000) as f64 / 1_000.0))
        });
        self.delay + late.unwrap_or_default()
    }

    /// The trap that a command falls into; each is used once.
    pub(crate) fn trap(&mut self, text: &str) -> Option<Trap> {
        let at = self.traps.iter().position(|trap| text.contains(trap.part.as_str()))?;
        match self.traps.get_mut(at)? {
            Trap { passes: 0, .. } => Some(self.traps.remove(at)),
            trap => {
                trap.passes -= 1;
                None
            }
        }
    }

    /// The words that a command is answered with instead of being executed; each is used once. All lines of the
    /// command count: what `sendmsg` executes stands in its headers.
    pub(crate) fn instead(&mut self, text: &str) -> Option<Vec<u8>> {
        let at = self.instead.iter().position(|(part, _)| text.contains(part.as_str()))?;
        let words = self.instead.remove(at).1;
        Some(match text.starts_with("api ") {
            true => super::text::api_response(&words),
            false => super::text::command_reply(&String::from_utf8_lossy(&words), ""),
        })
    }

    /// What becomes of an answer.
    pub(crate) fn spoil(&mut self, frames: Vec<u8>) -> Vec<u8> {
        if let Some(garbage) = self.garbage.pop_front() {
            return garbage;
        }
        match self.oversize {
            Some(size) if frames.starts_with(b"Content-Type: api/response\n") => {
                self.oversize = None;
                let at = frames.windows(2).position(|two| two == b"\n\n").map_or(0, |at| at + 2);
                let mut body = frames.get(at..).unwrap_or_default().to_vec();
                body.resize(body.len().max(size), b' ');
                super::text::api_response(&body)
            }
            _ => frames,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disorder_loses_nothing_and_moves_nothing_as_far_as_its_window() {
        for window in [1, 2, 7, 50] {
            let mut disorder = Disorder::new(window, window as u64);
            let mut out: Vec<usize> = (0..1000).filter_map(|i| disorder.push(i)).collect();
            out.extend(disorder.flush());
            let far = out.iter().enumerate().map(|(at, came)| at.abs_diff(*came)).max();
            assert!(far.is_some_and(|far| far < window), "window {window}: {far:?}");
            assert_eq!(window == 1, out.is_sorted());
            out.sort_unstable();
            assert_eq!(out, (0..1000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_message_is_known_by_what_it_executes() {
        let text = "sendmsg 1\ncall-command: execute\nexecute-app-name: playback";
        let part = "execute-app-name: playback".to_owned();
        let mut faults = Faults { hangs: Some(part.clone()), ..Faults::default() };
        assert_eq!((faults.lateness(text), faults.lateness("sendmsg 1")), (FOR_EVER, Duration::ZERO));
        faults.instead.push((part, b"-ERR no".to_vec()));
        assert_eq!(faults.instead("sendmsg 1"), None);
        let reply = super::super::text::command_reply("-ERR no", "");
        assert_eq!((faults.instead(text), faults.instead(text)), (Some(reply), None));
    }

    #[test]
    fn a_list_is_padded_without_becoming_another_document() {
        let mut faults = Faults { oversize: Some(100), ..Faults::default() };
        let frame = faults.spoil(super::super::text::api_response(b"[]"));
        assert!(frame.starts_with(b"Content-Type: api/response\nContent-Length: 100\n\n[]  "));
        assert_eq!(faults.spoil(b"x".to_vec()), b"x");
    }
}
