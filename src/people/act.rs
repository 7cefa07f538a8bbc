//! `convened mute`, `kick`, `lock` and their like: an action, and what came of it for each target.

use serde_json::{Value, json};

use super::output::{Output, Tone};
use super::table::Table;
use super::{api, told};
use crate::cli::{Failure, OnConference, OnPeople};
use crate::client::{Api, Trouble, segment};

/// On participants, one after another, or on all at once.
pub(super) async fn on_people(action: &str, on: OnPeople) -> Result<(), Failure> {
    let api = api(on.remote)?;
    let mut acting = Acting { api: &api, action, named: &on.conference, id: None, results: Vec::new() };
    let mut ended = Ok(());
    if on.all {
        ended = acting.act("/participants", None).await;
    }
    for participant in &on.participants {
        ended = acting.act(&format!("/participants/{}", segment(participant)), Some(participant)).await;
        if ended.is_err() {
            break;
        }
    }
    acting.tell(ended, on.json)
}

/// On a conference.
pub(super) async fn on_conference(action: &str, on: OnConference) -> Result<(), Failure> {
    let api = api(on.remote)?;
    let mut acting = Acting { api: &api, action, named: &on.conference, id: None, results: Vec::new() };
    let ended = acting.act("", None).await;
    acting.tell(ended, on.json)
}

/// An action under way.
struct Acting<'a> {
    api: &'a Api,
    action: &'a str,
    /// The conference as it was named.
    named: &'a str,
    /// Its id, once the name is known to be none.
    id: Option<String>,
    results: Vec<Value>,
}

impl Acting<'_> {
    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(self.named)
    }

    /// Acts on what is below the conference. An error: there is no result for any target.
    async fn act(&mut self, below: &str, participant: Option<&str>) -> Result<(), Trouble> {
        match self.ask(below).await {
            Ok(data) => {
                self.results.extend(data["results"].as_array().into_iter().flatten().cloned());
                Ok(())
            }
            Err(Trouble::Refused(refusal)) if refusal.data["results"].is_array() => {
                self.results.extend(refusal.data["results"].as_array().into_iter().flatten().cloned());
                Ok(())
            }
            Err(trouble) => match participant {
                Some(participant) if trouble.is_not_found() && trouble.is_unknown(participant) => {
                    self.results.push(missing(participant));
                    Ok(())
                }
                _ => Err(trouble),
            },
        }
    }

    /// The same with the id as it was named; if there is no such id, with that of the one document of this name.
    async fn ask(&mut self, below: &str) -> Result<Value, Trouble> {
        let action = json!({ "action": self.action });
        let asked = self.api.act(&format!("{}{below}", self.api.conference(self.id())), &action).await;
        let Err(trouble) = asked else { return asked };
        if self.id.is_some() || !trouble.is_unknown(self.named) {
            return Err(trouble);
        }
        match self.api.resolve(self.named).await {
            Ok((id, _)) if id != self.named => {
                let path = format!("{}{below}", self.api.conference(&id));
                self.id = Some(id);
                self.api.act(&path, &action).await
            }
            // Somebody may act who may not read.
            Ok(_) => Err(trouble),
            Err(other) if other.is_ambiguous() => Err(other),
            Err(_) => Err(trouble),
        }
    }

    fn tell(self, ended: Result<(), Trouble>, as_json: bool) -> Result<(), Failure> {
        let output = Output::new();
        if ended.is_ok() || !self.results.is_empty() {
            if as_json {
                let id = self.id();
                output
                    .json(&json!({ "action": self.action, "conference_id": id, "results": self.results }))?;
            } else if self.results.is_empty() {
                output.print("there is nobody to do this to")?;
            } else {
                output.print(table(&self.results).text(output))?;
            }
        }
        ended.map_err(told(self.api))?;
        verdict(self.action, &self.results)
    }
}

fn missing(participant: &str) -> Value {
    match participant.parse::<u32>() {
        Ok(number) => {
            json!({ "participant_id": number, "call_id": null, "node": null, "result": "not_found" })
        }
        Err(_) => {
            json!({ "participant_id": null, "call_id": participant, "node": null, "result": "not_found" })
        }
    }
}

fn table(results: &[Value]) -> Table {
    let mut table = Table::new(&["ID", "NODE", "RESULT", "REASON", "CALL"]);
    for result in results {
        let text = |key: &str| match &result[key] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let tone = match result["result"].as_str() {
            Some("done" | "already") => Tone::Good,
            Some("skipped_moderator") => Tone::Odd,
            _ => Tone::Bad,
        };
        table.row(vec![
            (Tone::Strong, text("participant_id")),
            (Tone::Plain, text("node")),
            (tone, text("result")),
            (Tone::Plain, text("reason")),
            (Tone::Faint, text("call_id")),
        ]);
    }
    table
}

/// The end of the command: only what is known to be so, or was rightly left alone, is a success.
fn verdict(action: &str, results: &[Value]) -> Result<(), Failure> {
    let count = |words: &[&str]| {
        let results = results.iter().filter_map(|result| result["result"].as_str());
        results.filter(|result| words.contains(result)).count()
    };
    let missing = count(&["not_found"]);
    let good = count(&["done", "already", "skipped_moderator", "would_do"]);
    let all = results.len();
    match all - good {
        0 => Ok(()),
        bad if bad == missing => {
            Err(Failure::NotFound(format!("{action}: {missing} of {all} {} not there", is_or_are(missing))))
        }
        bad => {
            Err(anyhow::anyhow!("{action}: {bad} of {all} {} not done, or not known", is_or_are(bad)).into())
        }
    }
}

fn is_or_are(number: usize) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_so_is_a_success() {
        for (results, code) in [
            (&[][..], 0),
            (&["done", "already", "skipped_moderator"], 0),
            (&["done", "not_found"], 4),
            (&["not_found", "failed"], 1),
            (&["unknown"], 1),
            (&["something new"], 1),
        ] {
            let told: Vec<_> = results.iter().map(|result| json!({ "result": result })).collect();
            let found = verdict("kick", &told).map_or_else(|failure| failure.exit_code(), |()| 0);
            assert_eq!(found, code, "{results:?}");
        }
    }

    #[test]
    fn a_result_is_a_row() {
        let results = [
            json!({"participant_id": 7, "call_id": "c-7", "node": "fs1", "result": "done"}),
            json!({"participant_id": 9, "call_id": "c-9", "node": "fs1", "result": "failed", "reason": "-ERR no"}),
            missing("c-1"),
        ];
        let expected = "\
ID  NODE  RESULT     REASON   CALL
7   fs1   done                c-7
9   fs1   failed     -ERR no  c-9
          not_found           c-1";
        assert_eq!(table(&results).text(Output::plain(None)), expected);
    }
}
