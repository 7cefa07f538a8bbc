//! `convened status`: whether the daemon works.
//!
//! Without a token it tells what everybody may know; with one of a superuser, how each node is doing; with an account,
//! how much runs in it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::output::{Output, Tone, count, span};
use super::table::Table;
use super::{perhaps, told};
use crate::cli::{Failure, Status};
use crate::client::{Api, Line, Trouble, clean};

/// Whether it works is known at once, or it does not.
const WITHIN: Duration = Duration::from_secs(5);

pub(super) async fn run(status: Status) -> Result<(), Failure> {
    let api = perhaps(status.remote)?.within(WITHIN);
    let mut found = readiness(&api).await.map_err(told(&api))?;
    // What everybody may know is told, whatever becomes of the rest.
    let asked = more(&api, &mut found).await;
    let found = Value::from(found);
    let output = Output::new();
    if status.json {
        output.json(&found)?;
    } else {
        output.print(text(&found, output))?;
    }
    asked.map_err(told(&api))?;
    match found["ready"] == true {
        true => Ok(()),
        false => Err(Failure::Unavailable(format!("{}: not ready", api.address()))),
    }
}

/// What `/readyz` says.
async fn readiness(api: &Api) -> Result<Map<String, Value>, Trouble> {
    let ready = match api.get("/readyz").await {
        Ok(answer) => answer.data,
        Err(Trouble::Refused(refusal)) if refusal.data["ready"].is_boolean() => refusal.data,
        Err(trouble) => return Err(trouble),
    };
    let mut found = Map::new();
    found.insert("url".into(), api.address().to_string().into());
    for key in ["ready", "reasons", "datastore", "broker", "nodes"] {
        // Of a daemon that is ready there are no reasons, and of an older one perhaps less.
        if let Some(value) = ready.get(key) {
            found.insert(key.into(), value.clone());
        }
    }
    Ok(found)
}

/// What needs a token.
async fn more(api: &Api, found: &mut Map<String, Value>) -> Result<(), Trouble> {
    if api.token().is_some() {
        match api.get("/v2/nodes").await {
            Ok(answer) => drop(found.insert("node_figures".into(), answer.data)),
            // Not a superuser.
            Err(Trouble::Refused(refusal)) if refusal.status == 403 => {}
            Err(trouble) => return Err(trouble),
        }
    }
    // Without its database an account's conferences cannot be listed; the rest is worth telling all the same.
    if api.token().is_some()
        && api.account().is_some()
        && found.get("datastore").is_some_and(|word| word == "ok")
    {
        let lines: Vec<Line> = api.conferences(None).await?.iter().map(Line::of).collect();
        let people: usize = lines.iter().map(Line::people).sum();
        let running = lines.iter().filter(|line| line.is_running()).count();
        let account = json!({
            "id": api.account(), "conferences": lines.len(), "running": running, "participants": people,
        });
        found.insert("account".into(), account);
    }
    Ok(())
}

fn text(found: &Value, output: Output) -> String {
    let url = found["url"].as_str().unwrap_or_default();
    let (tone, word) = if found["ready"] == true { (Tone::Good, "ready") } else { (Tone::Bad, "not ready") };
    let datastore = found["datastore"].as_str().unwrap_or("not known");
    let tone_of = |is_good| if is_good { Tone::Good } else { Tone::Bad };
    let mut lines = vec![
        format!("{url}  {}", output.tone(tone, word)),
        format!("database  {}", output.tone(tone_of(datastore == "ok"), clean(datastore))),
    ];
    if let Some(broker) = found["broker"].as_str() {
        lines.push(format!("broker  {}", output.tone(tone_of(broker == "connected"), clean(broker))));
    }
    for reason in found["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        lines.push(output.tone(Tone::Bad, clean(reason)).to_string());
    }
    if let Some(account) = found["account"].as_object() {
        let number = |key: &str| account[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        lines.push(format!(
            "account {}  {}, {} running, {}",
            clean(account["id"].as_str().unwrap_or_default()),
            count(number("conferences"), "conference"),
            number("running"),
            count(number("participants"), "participant"),
        ));
    }
    match found["node_figures"].as_array() {
        Some(nodes) => {
            lines.push(String::new());
            lines.push(figures(nodes).text(output));
        }
        None => {
            for (node, state) in found["nodes"].as_object().into_iter().flatten() {
                let state = state.as_str().unwrap_or_default();
                let shown = output.tone(tone_of(state == "followed"), clean(state));
                lines.push(format!("node {}  {shown}", clean(node)));
            }
        }
    }
    lines.join("\n")
}

fn figures(nodes: &[Value]) -> Table {
    let mut table = Table::new(&[
        "NODE",
        "STATE",
        "VERSION",
        "UP",
        "CONFERENCES",
        "PARTICIPANTS",
        "EVENTS/S",
        "LATENCY",
        "RECONNECTS",
        "DRIFTS",
        "TROUBLE",
    ]);
    for node in nodes {
        let text = |key: &str| match &node[key] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let state = text("state");
        let latency = text("command_latency_ms");
        table.row(vec![
            (Tone::Strong, text("name")),
            (if state == "followed" { Tone::Good } else { Tone::Bad }, state),
            (Tone::Plain, text("version")),
            (Tone::Plain, node["uptime_s"].as_u64().map(span).unwrap_or_default()),
            (Tone::Plain, text("conferences")),
            (Tone::Plain, text("participants")),
            (Tone::Plain, text("events_per_s")),
            (Tone::Plain, if latency.is_empty() { latency } else { format!("{latency} ms") }),
            (Tone::Plain, text("reconnects")),
            (Tone::Plain, text("drifts")),
            (Tone::Bad, text("trouble")),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ready_and_why_and_a_node_out_of_reach_are_seen() {
        let found = json!({"url": "http://h", "ready": false, "reasons": ["node fs3: is not listed yet"],
            "datastore": "ok", "broker": "away", "nodes": {"fs1": "followed",
            "fs2": "lost"}, "account": {"id": "acme", "conferences": 3, "running": 1, "participants": 2}});
        let expected = "\
http://h  not ready
database  ok
broker  away
node fs3: is not listed yet
account acme  3 conferences, 1 running, 2 participants
node fs1  followed
node fs2  lost";
        assert_eq!(text(&found, Output::plain(None)), expected);
    }
}
