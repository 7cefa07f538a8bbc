//! A call in a dialogue: applications are executed on it one after the other, and it may be gone at any moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::dialogue::Question;
use crate::actions::words::Sound;
use crate::model::{CallNews, ParkedCall, Typed};
use crate::node::{CommandError, DIGITS, Node};

/// Events leave the switch in steps of 20 ms (mod_event_socket.c, `listener_run`).
const TOLD_WITHIN: Duration = Duration::from_millis(60);

/// So long a call that was sent elsewhere may take to be parked again.
const BACK_WITHIN: Duration = Duration::from_secs(1);

/// Why nothing more can be done with a call.
#[derive(Debug)]
pub(super) enum Gone {
    /// The caller has hung up, or somebody has done it for him.
    HungUp,
    /// Somebody has sent the call elsewhere: it is not ours any more.
    Taken,
    /// The switch has refused, or not done in time, what it was asked.
    Stuck(String),
}

impl From<CommandError> for Gone {
    fn from(error: CommandError) -> Self {
        Self::Stuck(error.to_string())
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A prompt, at most.
    pub(super) prompt: Duration,
    /// The first digit, after the prompt.
    pub(super) answer: Duration,
    /// Each further one.
    pub(super) digit: Duration,
}

/// The application that asks for digits.
const ASKS: &str = "play_and_get_digits";

/// How an application has ended.
enum Ended {
    /// The switch has told it, with the digits that it has read.
    Told(Option<Typed>),
    /// The switch could not be heard for a while.
    Missed,
}

/// A call that is ours.
pub(super) struct Line {
    pub(super) node: Node,
    pub(super) call_id: Arc<str>,
    news: mpsc::Receiver<CallNews>,
    patience: Patience,
    /// The number and the context that it was parked at.
    parked_at: (Box<str>, Box<str>),
    /// Ids of applications: those of an earlier daemon are others.
    ids: u128,
    /// Questions whose end has not been told.
    open: Vec<String>,
}

impl Line {
    pub(super) fn new(
        node: Node,
        call: &ParkedCall,
        news: mpsc::Receiver<CallNews>,
        patience: Patience,
    ) -> Self {
        let parked_at = (call.number.clone(), call.context.clone());
        Self {
            node,
            call_id: call.call_id.clone(),
            news,
            patience,
            parked_at,
            ids: rand::random(),
            open: Vec::new(),
        }
    }

    /// Executes an application to its end.
    async fn execute(&mut self, application: &str, argument: &str, within: Duration) -> Result<Ended, Gone> {
        self.ids = self.ids.wrapping_add(1);
        let id = format!("{:032x}", self.ids);
        let deadline = Instant::now() + within;
        let reply = self.node.execute(&self.call_id, application, argument, &id).await?.text();
        if reply.contains("invalid session") {
            return Err(Gone::HungUp);
        }
        if !reply.starts_with("+OK") {
            // A user of the Event Socket without the right to it, for instance.
            return Err(Gone::Stuck(format!("`{application}`: {}", reply.trim())));
        }
        let asks = application == ASKS;
        if asks {
            self.open.push(id.clone());
        }
        loop {
            match timeout_at(deadline, self.news.recv()).await {
                Ok(Some(CallNews::Executed { id: ended, digits, now_at, .. })) => {
                    let earlier = self.open.iter().position(|open| **open == *ended);
                    if let Some(at) = earlier {
                        self.open.remove(at);
                    }
                    if *ended != *id && !(asks && earlier.is_some() && digits.is_some()) {
                        continue;
                    }
                    return if now_at == self.parked_at { Ok(Ended::Told(digits)) } else { Err(Gone::Taken) };
                }
                // It may have ended meanwhile. If it has not, what comes next comes behind it.
                Ok(Some(CallNews::Missed { .. })) => return Ok(Ended::Missed),
                Ok(Some(CallNews::Unparked { .. })) => return Err(Gone::Taken),
                Ok(Some(CallNews::HungUp { .. }) | None) => return Err(Gone::HungUp),
                // Another's end, or the call is told of as parked once more.
                Ok(Some(_)) => {}
                Err(_) => {
                    return Err(Gone::Stuck(format!(
                        "`{application}` has not ended in {} s",
                        within.as_secs()
                    )));
                }
            }
        }
    }

    /// Takes the call.
    pub(super) async fn answer(&mut self) -> Result<(), Gone> {
        self.execute("answer", "", self.patience.prompt).await.map(drop)
    }

    /// Plays something to its end.
    pub(super) async fn play(&mut self, sound: &Sound) -> Result<(), Gone> {
        self.execute("playback", &sound.to_string(), self.patience.prompt).await.map(drop)
    }

    /// Plays a question and takes what is typed, `#` at the end or not.
    ///
    /// `play_and_get_digits MIN MAX TRIES TIMEOUT TERMINATORS FILE INVALID VARIABLE PATTERN DIGIT_TIMEOUT` (mod_dptools.c).
    pub(super) async fn ask(&mut self, question: Question, prompt: &Sound) -> Result<Option<Typed>, Gone> {
        let most = match question {
            Question::Pin => 16,
            Question::Number => 32,
        };
        let Patience { prompt: longest, answer, digit } = self.patience;
        let argument = format!(
            "1 {most} 1 {} # {prompt} silence_stream://10 {DIGITS} \\d+ {}",
            answer.as_millis(),
            digit.as_millis()
        );
        let within = longest + answer + digit * (most + 1);
        loop {
            // What he has typed unheard he is asked for again; what he types to the question before counts, too.
            if let Ended::Told(typed) = self.execute(ASKS, &argument, within).await? {
                if typed.is_none() {
                    self.stays().await?;
                }
                return Ok(typed);
            }
        }
    }

    /// A question that ends without digits may have been broken off because somebody takes the call: that is told a
    /// moment later.
    async fn stays(&mut self) -> Result<(), Gone> {
        match timeout(TOLD_WITHIN, self.news.recv()).await {
            Ok(Some(CallNews::Unparked { .. })) => Err(Gone::Taken),
            Ok(Some(CallNews::HungUp { .. }) | None) => Err(Gone::HungUp),
            Ok(Some(_)) | Err(_) => Ok(()),
        }
    }

    /// Somebody has sent the call elsewhere; whether it came back to where calls are parked for us.
    pub(super) async fn parked_again(&mut self) -> Option<ParkedCall> {
        let deadline = Instant::now() + BACK_WITHIN;
        loop {
            match timeout_at(deadline, self.news.recv()).await {
                Ok(Some(CallNews::Parked(call))) => {
                    self.parked_at = (call.number.clone(), call.context.clone());
                    self.open.clear();
                    return Some(call);
                }
                Ok(Some(CallNews::HungUp { .. }) | None) | Err(_) => return None,
                Ok(Some(_)) => {}
            }
        }
    }

    /// Records what the caller says, until he is silent or types `#`.
    ///
    /// `record FILE LIMIT THRESHOLD SILENCE`, the last one in seconds (mod_dptools.c, `record_function`).
    pub(super) async fn record(&mut self, file: &Sound, limit_s: u32) -> Result<(), Gone> {
        let within = self.patience.prompt + Duration::from_secs(limit_s.into());
        self.execute("set", "playback_terminators=#", self.patience.prompt).await?;
        self.execute("record", &format!("{file} {limit_s} 200 2"), within).await.map(drop)
    }

    /// Sends an `api` command about the call; gives whether it was done.
    pub(super) async fn api(&self, line: &str) -> Result<(), Gone> {
        let reply = self.node.api(line).await?.text();
        match reply.trim() {
            "" => Ok(()),
            done if done.starts_with("+OK") => Ok(()),
            gone if gone.contains("No such channel") => Err(Gone::HungUp),
            refused => Err(Gone::Stuck(refused.to_owned())),
        }
    }

    /// Sets a variable of the channel; without a value it is taken away.
    pub(super) async fn set(&self, name: &str, value: &str) -> Result<(), Gone> {
        self.api(format!("uuid_setvar {} {name} {value}", self.call_id).trim_end()).await
    }

    /// Ends the call, or finds it gone; whether the switch has taken the command.
    pub(super) async fn hang_up(&self, cause: &str) -> bool {
        let (node, call) = (&**self.node.name(), &*self.call_id);
        match self.node.api(&format!("uuid_kill {call} {cause}")).await.map(|reply| reply.text()) {
            Ok(reply) => {
                if reply.starts_with("-ERR") && !reply.contains("No such channel") {
                    tracing::warn!(node, call, "FreeSWITCH does not hang up: {}", reply.trim());
                }
                true
            }
            Err(error) => {
                tracing::warn!(node, call, "the call could not be hung up: {error}");
                false
            }
        }
    }

    /// Waits until the caller hangs up.
    pub(super) async fn gone(&mut self) {
        loop {
            match self.news.recv().await {
                Some(CallNews::HungUp { .. }) | None => return,
                Some(_) => {}
            }
        }
    }
}
