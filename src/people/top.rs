//! `convened top`: conferences and who talks in them, on the whole screen.
//!
//! ```text
//! live ──news──▶ state ◀──steps── keys ◀── terminal
//!                  │ └──requests──▶ api
//!                  └──at most 10 times a second──▶ render
//! ```
//!
//! `state`, `keys` and `render` are pure; this file has the tasks, and `terminal` the screen that is given back
//! however it ends.

mod keys;
mod render;
mod state;
mod terminal;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use self::state::{Link, Request, State};
use super::output::wants_colours;
use super::{api, told};
use crate::cli::{Failure, Top};
use crate::client::{Api, Line, Live, Message, News, Trouble, segment};

/// Between two pictures, at least.
const FRAME: Duration = Duration::from_millis(100);
/// So long times that are shown may be old.
const SECOND: Duration = Duration::from_secs(1);
/// Names of conferences are asked for again no sooner than after this.
const NAMES_EVERY: Duration = Duration::from_secs(10);
/// News that wait; behind them the websocket waits, and at its end the daemon tells of a gap.
const QUEUE: usize = 1_024;

/// What comes from elsewhere.
enum Input {
    Told(Message),
    Linked(Link),
    /// The websocket is refused for good.
    Over(Trouble),
    Names(HashMap<String, String>),
    /// An action is answered.
    Answered(String),
}

/// Until `q`, Ctrl-C or a signal.
pub(super) async fn run(top: Top) -> Result<(), Failure> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let words =
            "top fills a terminal, and this is none: `convened list` and `convened watch` print lines";
        return Err(Failure::Usage(words.to_owned()));
    }
    let api = Arc::new(api(top.remote)?);
    // Whether the token is good is better said on a screen that stays.
    api.get(&api.path("conferences?page_size=1")).await.map_err(told(&api))?;
    let (sender, inputs) = mpsc::channel(QUEUE);
    let wanted = Arc::new(Notify::new());
    wanted.notify_one();
    tokio::spawn(follow(api.clone(), sender.clone()));
    tokio::spawn(name(api.clone(), wanted.clone(), sender.clone()));
    let title = format!("{} {}", api.address(), api.account().unwrap_or_default());
    let mut state = State::new(title, wants_colours());
    // Before the screen is taken: each of them would end the process and leave it as it is.
    let signals =
        Signals::caught().map_err(|error| anyhow::Error::new(error).context("signals cannot be caught"))?;
    let mut screen = terminal::Screen::enter()
        .map_err(|error| anyhow::Error::new(error).context("the terminal cannot be used"))?;
    let ended = show(&mut screen, &mut state, &api, (&sender, inputs), &wanted, signals).await;
    drop(screen);
    ended
}

async fn show(
    screen: &mut terminal::Screen,
    state: &mut State,
    api: &Arc<Api>,
    (sender, mut inputs): (&mpsc::Sender<Input>, mpsc::Receiver<Input>),
    wanted: &Notify,
    mut signals: Signals,
) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| anyhow::Error::new(error).context("the terminal is gone");
    let mut pressed = EventStream::new();
    let mut seconds = interval(SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut next_frame = Instant::now();
    let mut is_old = true;
    let mut some = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = signals.received() => return Ok(()),
            event = pressed.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    is_old = true;
                    let Some(step) = keys::step(state.is_asking(), key) else { continue };
                    if step == keys::Step::Quit {
                        return Ok(());
                    }
                    if let Some(request) = state.step(step) {
                        tokio::spawn(act(api.clone(), request, sender.clone()));
                    }
                }
                Some(Ok(Event::Resize(..))) => is_old = true,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(cannot(error).into()),
                None => return Ok(()),
            },
            () = sleep_until(next_frame), if is_old => {
                screen.draw(|frame| render::render(frame, state, now_s())).map_err(cannot)?;
                is_old = false;
                next_frame = Instant::now() + FRAME;
            }
            _ = seconds.tick() => is_old = true,
            count = inputs.recv_many(&mut some, QUEUE) => {
                if count == 0 {
                    return Ok(());
                }
                for input in some.drain(..) {
                    match input {
                        Input::Told(message) => state.take(&message, now_s()),
                        Input::Linked(link) => state.link = link,
                        Input::Over(trouble) => return Err(told(api)(trouble)),
                        Input::Names(names) => state.name(names),
                        Input::Answered(text) => state.said = text,
                    }
                }
                if state.has_nameless() {
                    wanted.notify_one();
                }
                is_old = true;
            }
        }
    }
}

/// The signals that end it. Keys send none while it has the terminal; others may.
struct Signals([Signal; 4]);

impl Signals {
    /// Catches them from now on.
    fn caught() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::quit())?,
        ]))
    }

    /// Waits for the first one.
    async fn received(&mut self) {
        let [terminate, hang_up, interrupt, quit] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            _ = interrupt.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

/// Hands on what happens.
async fn follow(api: Arc<Api>, inputs: mpsc::Sender<Input>) {
    let mut live = Live::new(&api, None);
    loop {
        let input = match live.next().await {
            Ok(News::Told(message, _)) => Input::Told(message),
            Ok(News::Connected { .. }) => Input::Linked(Link::Up),
            Ok(News::Lost { why, .. }) => Input::Linked(Link::Lost(why)),
            Err(trouble) => Input::Over(trouble),
        };
        let is_over = matches!(input, Input::Over(_));
        if inputs.send(input).await.is_err() || is_over {
            return;
        }
    }
}

/// Asks what conferences are called, when it is wanted and not too often.
async fn name(api: Arc<Api>, wanted: Arc<Notify>, inputs: mpsc::Sender<Input>) {
    loop {
        wanted.notified().await;
        // Without names there are ids; the next one who is nameless asks again.
        if let Ok(all) = api.conferences(None).await {
            let lines = all.iter().map(Line::of);
            let names = lines.map(|line| (line.id.clone(), line.title().into_owned())).collect();
            if inputs.send(Input::Names(names)).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(NAMES_EVERY).await;
    }
}

/// Has it done, and tells what came of it.
async fn act(api: Arc<Api>, request: Request, inputs: mpsc::Sender<Input>) {
    let conference = api.conference(&request.conference);
    let path = match &request.target {
        state::Target::Conference => conference,
        state::Target::Everybody => format!("{conference}/participants"),
        state::Target::Call(call) => format!("{conference}/participants/{}?by=call_id", segment(call)),
    };
    let said = match api.act(&path, &json!({ "action": request.action })).await {
        Ok(data) => {
            let results: Vec<_> = data["results"].as_array().into_iter().flatten().collect();
            let done =
                results.iter().filter(|one| matches!(one["result"].as_str(), Some("done" | "already")));
            match (done.count(), results.as_slice()) {
                (_, []) => "there is nobody to do this to".to_owned(),
                (_, [one]) => one["result"].as_str().unwrap_or_default().to_owned(),
                (done, all) => format!("done for {done} of {}", all.len()),
            }
        }
        Err(trouble) => trouble.brief(),
    };
    let text = format!("{} {}: {said}", request.action, request.whom);
    // The screen may be gone meanwhile.
    let _ = inputs.send(Input::Answered(text)).await;
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
