//! `convened show`: a conference and who is in it.

use serde_json::Value;

use super::list::state;
use super::output::{Output, Tone, count, span};
use super::table::Table;
use super::{api, told};
use crate::cli::{Failure, Show};
use crate::client::{Line, Participant, clean};

pub(super) async fn run(show: Show) -> Result<(), Failure> {
    let api = api(show.remote)?;
    let (_, conference) = api.resolve(&show.conference).await.map_err(told(&api))?;
    let output = Output::new();
    if show.json {
        return output.json(&conference);
    }
    output.print(text(&conference, output)).map(drop)
}

fn text(conference: &Value, output: Output) -> String {
    let (line, now) = (whole(conference), &conference["_read_only"]);
    let people = Participant::all(&now["participants"]);
    let mut lines = vec![format!("{}  {}", output.tone(Tone::Strong, line.title()), clean(&line.id))];
    if line.is_running() {
        let (tone, words) = state(&line);
        let nodes: Vec<_> = line.instances.iter().filter_map(|one| one["node"].as_str()).collect();
        lines.push(format!(
            "{} on {} for {}, {}",
            output.tone(tone, words),
            clean(&nodes.join(", ")),
            span(line.duration),
            count(people.len(), "participant"),
        ));
    } else if now["complete"] == false {
        lines.push(output.tone(Tone::Bad, "not known: a node is out of reach").to_string());
    } else {
        lines.push(output.tone(Tone::Faint, "does not run").to_string());
    }
    if let Some(media) = now["play_status"]["media"].as_str() {
        lines.push(format!("plays {}", clean(media)));
    }
    for recording in now["recordings"].as_array().into_iter().flatten() {
        let paused = if recording["paused"] == true { ", paused" } else { "" };
        lines.push(format!("records to {}{paused}", clean(recording["file"].as_str().unwrap_or_default())));
    }
    if !people.is_empty() {
        lines.push(String::new());
        lines.push(table(&people).text(output));
    }
    lines.join("\n")
}

/// As a line of the list: what runs of it stands elsewhere when it is read by itself.
fn whole(conference: &Value) -> Line {
    let mut line = Line::of(conference);
    let now = Line::of(&conference["_read_only"]);
    line.is_locked = now.is_locked;
    line.stale = now.stale;
    line.duration = now.duration;
    line
}

fn table(people: &[Participant]) -> Table {
    let mut table = Table::new(&["ID", "NAME", "NUMBER", "STATE", "FOR", "CALL"]);
    for one in people {
        let tone = match one {
            Participant { talking: true, .. } => Tone::Good,
            Participant { speak: true, hear: true, .. } => Tone::Plain,
            _ => Tone::Odd,
        };
        table.row(vec![
            (Tone::Strong, one.participant_id.to_string()),
            (Tone::Plain, one.caller_id_name.clone()),
            (Tone::Plain, one.caller_id_number.clone()),
            (tone, one.marks()),
            (Tone::Plain, span(one.duration)),
            (Tone::Faint, one.call_id.clone()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_there_and_what_is_on() {
        let conference = json!({"id": "a1", "name": "Board", "focus": "fs1", "instances": [{"node": "fs1"}],
            "_read_only": {"is_locked": true, "duration": 61, "complete": true, "play_status": {"media": "a.wav"},
                "recordings": [{"file": "/r/b.wav", "paused": true}],
                "participants": [{"participant_id": 3, "caller_id_name": "A\u{1b}[2Jnn", "speak": false, "hear": true,
                    "is_moderator": true, "caller_id_number": "15551", "call_id": "c-3", "duration": 30}]}});
        let expected = "\
Board  a1
running, locked on fs1 for 1 min, 1 participant
plays a.wav
records to /r/b.wav, paused

ID  NAME     NUMBER  STATE            FOR   CALL
3   A\u{fffd}[2Jnn  15551   muted moderator  30 s  c-3";
        assert_eq!(text(&conference, Output::plain(None)), expected);
    }

    #[test]
    fn nobody_there_is_told_from_not_known() {
        let conference = |complete: bool| {
            let conference = json!({"id": "a1", "name": "Board", "_read_only": {"complete": complete}});
            text(&conference, Output::plain(None))
        };
        assert_eq!(conference(true), "Board  a1\ndoes not run");
        assert_eq!(conference(false), "Board  a1\nnot known: a node is out of reach");
    }
}
