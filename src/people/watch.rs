//! `convened watch`: a line for each change, over broken connections.

mod line;

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::output::{Output, Tone};
use super::{api, told};
use crate::cli::{Failure, Watch};
use crate::client::{Api, Line, Live, Message, News};

/// Until it is interrupted, nobody reads any more, or the daemon refuses for good.
pub(super) async fn run(watch: Watch) -> Result<(), Failure> {
    let api = api(watch.remote)?;
    let conference = match &watch.conference {
        Some(named) => Some(api.resolve(named).await.map_err(told(&api))?),
        None => None,
    };
    let mut names = Names { api: &api, of: HashMap::new() };
    if let Some((id, whole)) = &conference {
        names.of.insert(id.clone(), Line::of(whole).title().into_owned());
    } else if !watch.json {
        let all = api.conferences(None).await.map_err(told(&api))?;
        names.of.extend(all.iter().map(Line::of).map(|line| (line.id.clone(), line.title().into_owned())));
    }
    let mut live = Live::new(&api, conference.map(|(id, _)| id));
    let output = Output::new();
    loop {
        let news = live.next().await.map_err(told(&api))?;
        let is_read = match watch.json {
            true => output.print(as_json(&api, &news))?,
            false => as_text(&api, &mut names, output, &news).await?,
        };
        if !is_read {
            return Ok(());
        }
    }
}

/// The websocket's own messages, and two more of the same form.
fn as_json(api: &Api, news: &News) -> String {
    let url = api.address().to_string();
    let line = match news {
        News::Told(_, raw) => return raw.to_string(),
        News::Connected { again } => json!({ "action": "connected", "data": { "url": url, "again": again } }),
        News::Lost { why, again_in } => {
            let again_in_ms = u64::try_from(again_in.as_millis()).unwrap_or(u64::MAX);
            let data = json!({ "url": url, "reason": why, "again_in_ms": again_in_ms });
            json!({ "action": "disconnected", "data": data })
        }
    };
    line.to_string()
}

async fn as_text(api: &Api, names: &mut Names<'_>, output: Output, news: &News) -> Result<bool, Failure> {
    let (at, id, tone, what) = match news {
        News::Connected { again: false } => {
            return note(&format!("watching {}; Ctrl-C ends it", api.address()));
        }
        News::Connected { again: true } => return note("connected again; what was missed follows"),
        News::Lost { why, again_in } => {
            let why = crate::client::clean(why);
            return note(&format!("the connection is lost ({why}); again in {}", pause(*again_in)));
        }
        News::Told(Message::Gap(of), _) => {
            let now = now_ms();
            (now, of.clone(), Tone::Bad, "something was missed; how it is now follows".to_owned())
        }
        News::Told(Message::Snapshot(snapshot), _) => {
            (now_ms(), snapshot.conference_id.clone(), Tone::Faint, line::of_snapshot(snapshot))
        }
        News::Told(Message::Event(event), _) => {
            (event.timestamp, event.conference_id.clone(), line::tone(&event.event), line::of_event(event))
        }
    };
    let name = names.of(&id).await;
    let (at, name) = (output.tone(Tone::Faint, line::clock(at)), output.tone(Tone::Strong, name));
    output.print(format_args!("{at}  {name}  {}", output.tone(tone, what)))
}

/// What is about the connection goes to standard error. There is nobody to tell if that is closed.
fn note(text: &str) -> Result<bool, Failure> {
    let _ = writeln!(std::io::stderr().lock(), "convened: {text}");
    Ok(true)
}

fn pause(pause: Duration) -> String {
    format!("{} s", pause.as_secs_f64())
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What conferences are called. One that is new is asked for once.
struct Names<'a> {
    api: &'a Api,
    of: HashMap<String, String>,
}

impl Names<'_> {
    async fn of(&mut self, id: &str) -> String {
        if id == "*" {
            return "all".to_owned();
        }
        if let Some(name) = self.of.get(id) {
            return name.clone();
        }
        let shown = crate::client::clean(id).into_owned();
        let name = match self.api.get(&self.api.conference(id)).await {
            Ok(answer) => Line::of(&answer.data).title().into_owned(),
            // It has ended, or cannot be asked for now: its id says enough.
            Err(_) => shown,
        };
        self.of.insert(id.to_owned(), name.clone());
        name
    }
}
