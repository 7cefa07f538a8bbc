//! `play_and_get_digits`: a prompt, keys, perhaps a word about bad input, and once again
//! (switch_ivr_play_say.c, `switch_play_and_get_digits` and `switch_ivr_read`; switch_ivr.c,
//! `switch_ivr_collect_digits_count`).
//!
//! ```text
//! prompt ──key──▶ collect ──enough, terminator──▶ regex ──fits──▶ over
//!    └──end──────────▶ └──timeout─▶ too few, or ─────┴─no─▶ bad input ──▶ prompt, `tries` times in all
//! ```
//! What a controller may stumble over is kept: the variable still holds digits that were too few; a prompt that
//! does not exist costs a try at once; a hang-up with enough digits reads as success.

use super::conference::{atoi, split_words};
use super::running::{Begun, Doing};
use super::sound::{is_missing, length};
use super::{Thread, World};
use crate::sim::pattern;

/// The keys a channel can hold for it (`digit_buffer`).
const BUFFER: usize = 127;
/// Nobody is asked more often here, nor waits longer for (ms).
const TRIES: usize = 100;
const LONGEST: usize = 86_400_000;

/// A question in the middle.
#[derive(Debug, Clone)]
pub(crate) struct Digits {
    min: usize,
    max: usize,
    tries: usize,
    /// In µs, as the next one.
    timeout: u64,
    digit_timeout: u64,
    terminators: String,
    prompt: String,
    bad_input: String,
    variable: String,
    regex: String,
    /// `<extension> [<dialplan>]`.
    on_failure: String,
    keys: String,
    phase: Phase,
    /// When the sound began.
    began: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Prompt,
    Collect,
    BadInput,
}

/// How a try has ended (`switch_status_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Success,
    Timeout,
    TooSmall,
    /// The prompt is missing.
    NotFound,
    /// Ended by a terminator that asks for something else.
    Restart,
}

impl Digits {
    /// `<min> <max> <tries> <timeout> <terminators> <file> <invalid file> <variable> <regex> <digit timeout>
    /// <transfer on failure>`; what is missing has a default, and less than a second is a second.
    fn parse(data: &str) -> Option<Self> {
        let words = split_words(data, 11);
        words.first()?;
        let word = |at: usize| words.get(at).cloned().unwrap_or_default();
        let number = |at: usize| usize::try_from(atoi(&word(at))).unwrap_or(0).min(LONGEST);
        let (min, max) = (number(0).min(BUFFER), number(1).min(BUFFER));
        let timeout = number(3).max(1000) as u64 * 1000;
        let digit_timeout = Some(number(9) as u64 * 1000).filter(|timeout| *timeout > 0).unwrap_or(timeout);
        let terminators = Some(word(4)).filter(|text| !text.is_empty()).unwrap_or("#".to_owned());
        Some(Self {
            min,
            max: max.max(min),
            tries: number(2).min(TRIES),
            timeout,
            digit_timeout,
            terminators,
            prompt: word(5),
            bad_input: word(6),
            variable: word(7),
            regex: word(8),
            on_failure: word(10),
            keys: String::new(),
            phase: Phase::Prompt,
            began: 0,
        })
    }

    fn is_enough(&self) -> bool {
        (self.min == 0 || self.keys.len() >= self.min) && self.keys.len() >= self.max
    }
}

/// What a step of the dialogue has come to: nothing more, or the question goes on waiting.
type Goes = Option<(Box<Digits>, Option<u64>)>;

impl World {
    pub(crate) fn begin_digits(&mut self, uuid: &str, data: &str) -> Begun {
        let Some(digits) = Digits::parse(data) else { return Begun::Over };
        if !digits.regex.is_empty() {
            self.set_on(uuid, &format!("{}_invalid", digits.variable), "");
        }
        match self.try_again(uuid, Box::new(digits)) {
            Some((digits, after)) => {
                self.with_thread(uuid, |thread| thread.questions += 1);
                Begun::Goes(Doing::Asks(digits), after)
            }
            None => Begun::Over,
        }
    }

    /// The end of a sound, or nobody has pressed a key for too long. True if that was the end.
    pub(crate) fn digits_due(&mut self, uuid: &str) -> bool {
        let Some(digits) = self.take_digits(uuid) else { return false };
        let goes = match digits.phase {
            Phase::Prompt => {
                self.played(uuid, digits.began);
                self.collect(uuid, digits)
            }
            Phase::Collect => self.judge(uuid, digits, Status::Timeout, None),
            Phase::BadInput => {
                self.played(uuid, digits.began);
                self.tried(uuid, digits)
            }
        };
        self.put_back(uuid, goes)
    }

    /// Keys: the first one ends the prompt; those pressed during the word about bad input wait.
    pub(crate) fn digits_keys(&mut self, uuid: &str) -> bool {
        let waiting = self.calls.get(uuid).is_some_and(|call| !call.thread.keys.is_empty());
        let hears = |doing: &Doing| matches!(doing, Doing::Asks(digits) if digits.phase != Phase::BadInput);
        if !waiting || !self.top(uuid).is_some_and(|top| hears(&top.doing)) {
            return false;
        }
        let Some(mut digits) = self.take_digits(uuid) else { return false };
        let goes = match digits.phase {
            Phase::Prompt => {
                self.played(uuid, digits.began);
                digits.keys.extend(self.next_key_of(uuid));
                self.collect(uuid, digits)
            }
            _ => self.listen(uuid, digits),
        };
        self.put_back(uuid, goes)
    }

    /// `uuid_break` ends a sound and nothing else; in between it waits for the next one.
    pub(crate) fn digits_break(&mut self, uuid: &str) -> bool {
        let sounds = |doing: &Doing| matches!(doing, Doing::Asks(digits) if digits.phase != Phase::Collect);
        if !self.top(uuid).is_some_and(|top| sounds(&top.doing)) {
            return false;
        }
        self.with_thread(uuid, |thread| thread.broken = false);
        self.digits_due(uuid)
    }

    /// The channel is gone in the middle: what was pressed until then is judged as if it were all.
    pub(crate) fn digits_interrupted(&mut self, uuid: &str) {
        let Some(digits) = self.take_digits(uuid) else { return };
        match digits.phase {
            Phase::Collect => {
                self.judge(uuid, digits, Status::Success, None);
            }
            Phase::Prompt | Phase::BadInput => self.played(uuid, digits.began),
        }
    }

    /// How often keys have been asked for on a call so far, and whether they are just now.
    pub fn questions(&mut self, uuid: &str) -> (usize, bool) {
        let asks = self.top(uuid).is_some_and(|top| matches!(top.doing, Doing::Asks(_)));
        (self.with_thread(uuid, |thread| thread.questions).unwrap_or(0), asks)
    }

    fn take_digits(&mut self, uuid: &str) -> Option<Box<Digits>> {
        let top = self.top(uuid)?;
        match std::mem::replace(&mut top.doing, Doing::Begins) {
            Doing::Asks(digits) => Some(digits),
            other => {
                top.doing = other;
                None
            }
        }
    }

    /// The question waits for its next step, or the application ends. True if it has ended.
    fn put_back(&mut self, uuid: &str, goes: Goes) -> bool {
        let Some((digits, after)) = goes else {
            self.finish(uuid);
            return true;
        };
        if let Some(top) = self.top(uuid) {
            top.doing = Doing::Asks(digits);
        }
        self.wait(uuid, after);
        false
    }

    fn with_thread<R>(&mut self, uuid: &str, change: impl FnOnce(&mut Thread) -> R) -> Option<R> {
        self.calls.get_mut(uuid).map(|call| change(&mut call.thread))
    }

    /// A sound begins. None of it is heard if it was broken off before; then it is over.
    fn sound(&mut self, uuid: &str, digits: &mut Digits, phase: Phase, file: &str) -> Option<Option<u64>> {
        (digits.phase, digits.began) = (phase, self.now);
        let broken = self.with_thread(uuid, |thread| std::mem::take(&mut thread.broken));
        if broken == Some(true) {
            self.played(uuid, self.now);
            return None;
        }
        Some(length(file))
    }

    /// A try begins, if there is one left.
    fn try_again(&mut self, uuid: &str, mut digits: Box<Digits>) -> Goes {
        if digits.tries == 0 || !self.is_ready(uuid) {
            return self.fail(uuid, &digits);
        }
        digits.keys.clear();
        self.set_on(uuid, "read_result", "");
        self.set_on(uuid, &digits.variable, "");
        let prompt = digits.prompt.clone();
        if prompt.is_empty() || prompt.eq_ignore_ascii_case("silence") {
            return self.collect(uuid, digits);
        }
        if is_missing(&prompt) {
            return self.judge(uuid, digits, Status::NotFound, None);
        }
        let Some(heard) = self.sound(uuid, &mut digits, Phase::Prompt, &prompt) else {
            return self.collect(uuid, digits);
        };
        let Some(key) = self.next_key_of(uuid) else { return Some((digits, heard)) };
        self.played(uuid, self.now);
        digits.keys.push(key);
        self.collect(uuid, digits)
    }

    /// Behind the prompt. The key that ended it may have been a terminator.
    fn collect(&mut self, uuid: &str, mut digits: Box<Digits>) -> Goes {
        if digits.is_enough() {
            return self.judge(uuid, digits, Status::Success, None);
        }
        if let Some(at) = digits.keys.find(|key| digits.terminators.contains(key)) {
            let terminator = digits.keys.split_off(at).chars().next();
            return self.judge(uuid, digits, Status::Success, terminator);
        }
        digits.phase = Phase::Collect;
        self.listen(uuid, digits)
    }

    /// Takes the keys that wait, then waits for the next.
    fn listen(&mut self, uuid: &str, mut digits: Box<Digits>) -> Goes {
        while let Some(key) = self.next_key_of(uuid) {
            if digits.terminators.contains(key) {
                return self.judge(uuid, digits, Status::Success, Some(key));
            }
            digits.keys.push(key);
            if digits.keys.len() >= digits.max {
                return self.judge(uuid, digits, Status::Success, None);
            }
        }
        let after = if digits.keys.is_empty() { digits.timeout } else { digits.digit_timeout };
        Some((digits, Some(after)))
    }

    /// What a try has brought.
    fn judge(
        &mut self,
        uuid: &str,
        mut digits: Box<Digits>,
        mut status: Status,
        terminator: Option<char>,
    ) -> Goes {
        if status != Status::NotFound {
            status = self.read_end(uuid, &mut digits, status, terminator);
        }
        let enough = digits.keys.len() >= digits.min;
        if status == Status::Timeout && enough {
            status = Status::Success;
        }
        let used = self.calls.get(uuid).is_some_and(|call| call.variable("read_terminator_used").is_some());
        if status == Status::Restart || (digits.min == 0 && digits.keys.is_empty() && used) {
            return None;
        }
        if status == Status::Success && !digits.keys.is_empty() {
            if digits.regex.is_empty() || pattern::matches(&digits.regex, &digits.keys) {
                return None;
            }
            self.set_on(uuid, &digits.variable, "");
            if !digits.variable.is_empty() {
                self.set_on(uuid, &format!("{}_invalid", digits.variable), &digits.keys);
            }
        }
        let file = digits.bad_input.clone();
        if !self.is_ready(uuid) {
            return self.fail(uuid, &digits);
        }
        if !file.is_empty()
            && !is_missing(&file)
            && let Some(heard) = self.sound(uuid, &mut digits, Phase::BadInput, &file)
        {
            return Some((digits, heard));
        }
        self.tried(uuid, digits)
    }

    /// The end of `switch_ivr_read`: what the variables say.
    fn read_end(
        &mut self,
        uuid: &str,
        digits: &mut Digits,
        mut status: Status,
        terminator: Option<char>,
    ) -> Status {
        if let Some(key) = terminator {
            self.set_on(uuid, "read_terminator_used", &key.to_string());
            // `+#` keeps the terminator, `x#` keeps it and ends everything.
            let before = digits.terminators.split_once(key).and_then(|(before, _)| before.chars().last());
            if let Some(mark @ ('+' | 'x')) = before {
                digits.keys.push(key);
                status = if mark == 'x' { Status::Restart } else { status };
            }
        } else if digits.terminators.starts_with('=') {
            status = Status::TooSmall;
        }
        if digits.keys.len() < digits.min {
            status = Status::TooSmall;
        }
        let result = match status {
            Status::Success => "success",
            Status::Timeout => "timeout",
            _ => "failure",
        };
        self.set_on(uuid, "read_result", result);
        let is_terminator = digits.keys.len() == 1 && digits.terminators.contains(&digits.keys);
        if status != Status::Restart && digits.max == 1 && is_terminator {
            digits.keys.clear();
        }
        if !digits.variable.is_empty() && !digits.keys.is_empty() {
            self.set_on(uuid, &digits.variable, &digits.keys);
        }
        status
    }

    fn tried(&mut self, uuid: &str, mut digits: Box<Digits>) -> Goes {
        digits.tries -= 1;
        self.try_again(uuid, digits)
    }

    /// No try is left.
    fn fail(&mut self, uuid: &str, digits: &Digits) -> Goes {
        if !digits.on_failure.is_empty() && self.is_ready(uuid) {
            self.transfer_to(uuid, &split_words(&digits.on_failure, 3));
        }
        None
    }

    /// Neither hung up nor on its way elsewhere (`switch_channel_ready`).
    pub(crate) fn is_ready(&self, uuid: &str) -> bool {
        self.calls.get(uuid).is_some_and(|call| call.hangup.is_none() && !call.thread.leaving)
    }
}
