//! Actions on a conference as a whole.

use std::sync::Arc;

use super::command::stopped;
use super::effect::{NOT_SO, Sending};
use super::reply::{Line, Verdict, read_lines, verdict};
use super::sight::Sight;
use super::{Switchboard, send};
use crate::model::{ConferenceAction, Outcome, Problem, Setting};
use crate::node::{Node, conference_word};
use crate::registry::Conference;

impl Switchboard {
    /// Does something to one instance.
    pub(super) async fn whole(
        &self,
        conference: &Arc<Conference>,
        action: &ConferenceAction,
    ) -> Result<Outcome, Problem> {
        let node = &self.node(conference)?;
        let name = conference_word(&conference.name).map_err(|_| Problem::Unaddressable)?;
        let turn = self.turns.at(&conference.instance).await;
        let mut sight = Sight::of(&self.hub, conference);
        if !self.holds_its_name(node, name, conference).await? {
            return Ok(Outcome::NotFound);
        }
        let words = match action {
            ConferenceAction::Lock | ConferenceAction::Unlock => action.name().to_owned(),
            ConferenceAction::Play(media) => format!("play {media}"),
            ConferenceAction::StopPlay => "stop all".to_owned(),
            // FreeSWITCH looks for the text behind the word in the whole line (conference_api.c, `strstr`).
            ConferenceAction::Say(_) if name.contains("say") => return Err(Problem::Unaddressable),
            ConferenceAction::Say(text) => format!("say {text}"),
            ConferenceAction::Set(settings) => return self.set(node, name, settings).await,
            ConferenceAction::Record(record) => {
                return self.record((node, name), conference, record, (turn, &mut sight)).await;
            }
            ConferenceAction::End { by } => {
                return self.end((node, name), conference, by.as_ref(), &mut sight).await;
            }
        };
        let before = conference.is_locked();
        let printed = send(node, &format!("conference {name} {words}")).await?;
        drop(turn);
        match verdict(&printed) {
            Verdict::Accepted => {}
            Verdict::NoConference | Verdict::NoMember => return Ok(Outcome::NotFound),
            Verdict::Refused(words) => return Err(Problem::Refused(words)),
        }
        let wanted = match action {
            ConferenceAction::Lock => true,
            ConferenceAction::Unlock => false,
            _ => {
                // What it has caused is told before this: whoever reads after the answer finds it.
                self.confirm(node, conference, || true).await?;
                return Ok(if stopped(&printed) == Some(0) { Outcome::Already } else { Outcome::Done });
            }
        };
        let as_asked =
            || conference.is_locked() == wanted || sight.was_locked(wanted) || !self.is_running(conference);
        self.confirm(node, conference, as_asked).await?;
        if !self.is_running(conference) {
            return Ok(Outcome::NotFound);
        }
        Ok(if before == wanted { Outcome::Already } else { Outcome::Done })
    }

    /// `set` answers with the old value and nothing that means success: the new one is asked for.
    async fn set(&self, node: &Node, name: &str, settings: &[Setting]) -> Result<Outcome, Problem> {
        let mut outcome = Outcome::Already;
        for setting in settings {
            let (known, value) = (switch_name(setting.name), setting.value.to_string());
            let get = format!("conference {name} get {known}");
            let printed = send(node, &get).await?;
            if verdict(&printed) == Verdict::NoConference {
                return Ok(Outcome::NotFound);
            }
            if is_value(&printed, &value)? {
                continue;
            }
            let printed = send(node, &format!("conference {name} set {known} {value}")).await?;
            match verdict(&printed) {
                Verdict::NoConference => return Ok(Outcome::NotFound),
                Verdict::Refused(words) if words.starts_with(REFUSED) && words != NOTHING => {
                    return Err(Problem::Refused(words));
                }
                _ => {}
            }
            if !is_value(&send(node, &get).await?, &value)? {
                return Err(NOT_SO);
            }
            outcome = Outcome::Done;
        }
        Ok(outcome)
    }

    /// Everybody has to leave; then FreeSWITCH ends the conference.
    async fn end(
        &self,
        (node, name): (&Node, &str),
        conference: &Conference,
        by: Option<&Arc<str>>,
        sight: &mut Sight,
    ) -> Result<Outcome, Problem> {
        let all = conference.participants();
        let sending = Sending::by(by, &all);
        let printed = match send(node, &format!("conference {name} hup all")).await {
            Ok(printed) => printed,
            Err(problem) => return Err(sending.refused(problem)),
        };
        let lines = read_lines(&printed);
        if lines.is_err() {
            sending.was_in_vain();
        }
        match lines {
            Err(Verdict::NoConference) => return Ok(Outcome::NotFound),
            Err(Verdict::Refused(words)) => return Err(Problem::Refused(words)),
            Ok(lines) if lines.iter().any(|line| matches!(line, Line::Failed(..))) => {
                return Err(Problem::Refused(printed.trim_end().to_owned()));
            }
            _ => {}
        }
        let ended = sight.until(|| !self.is_running(conference));
        if tokio::time::timeout(self.effect_within, ended).await.is_err() {
            // What it tells is compared; whether it came makes no difference to what is known.
            let _ = node.list_conference(&conference.name).await;
        }
        match self.is_running(conference) {
            true => Err(Problem::NotSeen("everybody was told to leave, but it has not ended yet")),
            false => Ok(Outcome::Done),
        }
    }
}

/// What an empty answer looks like (mod_event_socket.c).
const NOTHING: &str = "-ERR no reply";
/// How FreeSWITCH refuses. A value that is set has no blank in it.
const REFUSED: &str = "-ERR ";

/// The API has a shorter name for one of them than FreeSWITCH (conference_api.c, `conference_api_sub_set`).
fn switch_name(setting: &str) -> &str {
    match setting {
        "endconf_grace_time" => "endconference_grace_time",
        other => other,
    }
}

fn is_value(printed: &str, value: &str) -> Result<bool, Problem> {
    match printed.trim_end() {
        NOTHING => Ok(value.is_empty()),
        words if words.starts_with(REFUSED) => Err(Problem::Refused(words.to_owned())),
        known => Ok(known == value),
    }
}
