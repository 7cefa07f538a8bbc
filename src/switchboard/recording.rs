//! Recording a conference: begun and ended when an event says so, for FreeSWITCH answers `+OK` before it opens the
//! file (conference_api.c, `conference_api_sub_record`).

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::reply::{Verdict, verdict};
use super::sight::Sight;
use super::{Switchboard, send};
use crate::model::{ConferenceAction, Moment, Outcome, Problem, Record};
use crate::node::Node;
use crate::registry::{ChangeKind, Conference};

/// Somebody waits for the end of a recording that has not come.
const NOT_ENDED: Problem = Problem::NotSeen("accepted, but the recording has not ended yet");
const NOT_BEGUN: Problem = Problem::NotSeen("accepted, but the recording has not begun yet");

/// A recording that is to begin gets its file.
pub(super) fn with_file(conference: &Conference, action: &ConferenceAction) -> ConferenceAction {
    match action {
        ConferenceAction::Record(Record::Start { file: None, place }) => {
            let second = Moment::now().unix_ms / 1_000;
            let file = Some(place.fresh(&conference.name, &conference.instance, second));
            ConferenceAction::Record(Record::Start { file, place: place.clone() })
        }
        other => other.clone(),
    }
}

/// The file that an action is about.
pub(super) fn file(action: &ConferenceAction) -> Option<Arc<str>> {
    match action {
        ConferenceAction::Record(record) => record.file().map(|file| file.path().into()),
        _ => None,
    }
}

impl Switchboard {
    pub(super) async fn record(
        &self,
        (node, name): (&Node, &str),
        conference: &Conference,
        record: &Record,
        (turn, sight): (OwnedMutexGuard<()>, &mut Sight),
    ) -> Result<Outcome, Problem> {
        let running = |path: &str| conference.recordings().iter().any(|it| &*it.path == path);
        let file = record.file().map(|file| file.path());
        match (record, file) {
            (Record::Start { .. }, Some(path)) => {
                let printed = send(node, &format!("conference {name} recording start {path}")).await?;
                match verdict(&printed) {
                    Verdict::Accepted => {}
                    Verdict::Refused(_) if is_in_use(&printed) && running(path) => {
                        return Ok(Outcome::Already);
                    }
                    other => return refused(other),
                }
                self.until(node, conference, sight, |sight| {
                    running(path)
                        || sight.saw(ChangeKind::RecordingStarted, path)
                        || sight.failure(path).is_some()
                })
                .await;
                // Until it has begun FreeSWITCH ends and pauses nothing, and says so.
                drop(turn);
                match sight.failure(path) {
                    Some(words) => Err(Problem::Refused(words.to_string())),
                    None if running(path) || sight.saw(ChangeKind::RecordingStarted, path) => {
                        Ok(Outcome::Done)
                    }
                    None => Err(NOT_BEGUN),
                }
            }
            (Record::Start { .. }, None) => Err(Problem::Unaddressable),
            (Record::Stop(_), _) => {
                let word = file.unwrap_or("all");
                let printed = send(node, &format!("conference {name} recording stop {word}")).await?;
                drop(turn);
                let stopped = stopped(&printed);
                match verdict(&printed) {
                    Verdict::Accepted if stopped.is_empty() => return Ok(Outcome::Already),
                    Verdict::Accepted => {}
                    Verdict::Refused(words) if is_unknown(&words) => return Ok(Outcome::Already),
                    other => return refused(other),
                }
                let ended = |sight: &mut Sight, path: &str| {
                    !running(path) || sight.saw(ChangeKind::RecordingStopped, path)
                };
                self.until(node, conference, sight, |sight| stopped.iter().all(|path| ended(sight, path)))
                    .await;
                if stopped.iter().all(|path| ended(sight, path)) { Ok(Outcome::Done) } else { Err(NOT_ENDED) }
            }
            (Record::Pause(_) | Record::Resume(_), _) => {
                let pause = matches!(record, Record::Pause(_));
                let all = conference.recordings();
                let known = all.iter().map(|it| it.path.to_string());
                let paths: Vec<_> = file.map_or_else(|| known.collect(), |path| vec![path.to_owned()]);
                if paths.is_empty() {
                    return Self::nothing_to_pause(node, name).await;
                }
                let mut outcome = Ok(Outcome::Already);
                for path in paths {
                    // One that cannot be addressed does not keep the others from it.
                    match self.pause((node, name), conference, (&path, pause), sight).await {
                        Ok(Outcome::Done) if outcome.is_ok() => outcome = Ok(Outcome::Done),
                        Ok(_) => {}
                        Err(problem) => outcome = outcome.and(Err(problem)),
                    }
                }
                drop(turn);
                outcome
            }
        }
    }

    /// FreeSWITCH's own words for it.
    async fn nothing_to_pause(node: &Node, name: &str) -> Result<Outcome, Problem> {
        let printed = send(node, &format!("conference {name} recording check")).await?;
        match verdict(&printed) {
            // There is one, and it is not known yet.
            Verdict::Accepted => {
                node.look_at(name);
                Err(Problem::NotSeen("it has not been seen yet what the conference is recorded to"))
            }
            other => refused(other),
        }
    }

    /// Its event comes before the reply, unlike those of the others.
    async fn pause(
        &self,
        (node, name): (&Node, &str),
        conference: &Conference,
        (path, pause): (&str, bool),
        sight: &mut Sight,
    ) -> Result<Outcome, Problem> {
        // Somebody's dialplan may have begun it with a name that is more than a word.
        if path.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '\'' | '"' | '\\')) {
            return Err(Problem::Unaddressable);
        }
        let (verb, kind) = match pause {
            true => ("pause", ChangeKind::RecordingPaused),
            false => ("resume", ChangeKind::RecordingResumed),
        };
        let is_so = || conference.recordings().iter().any(|it| &*it.path == path && it.paused == pause);
        let before = is_so();
        let printed = send(node, &format!("conference {name} recording {verb} {path}")).await?;
        match verdict(&printed) {
            Verdict::Accepted => {}
            other => return refused(other),
        }
        self.confirm(node, conference, || is_so() || sight.saw(kind, path)).await?;
        Ok(if before { Outcome::Already } else { Outcome::Done })
    }

    /// Waits until it is so, or for as long as that may take; then the list is asked once.
    async fn until(
        &self,
        node: &Node,
        conference: &Conference,
        sight: &mut Sight,
        mut is_so: impl FnMut(&mut Sight) -> bool,
    ) {
        let seen = async {
            while !is_so(sight) {
                sight.another().await;
            }
        };
        if tokio::time::timeout(self.effect_within, seen).await.is_err() {
            // What it tells is compared; whether it came makes no difference to what is known.
            let _ = node.list_conference(&conference.name).await;
        }
    }
}

fn refused(verdict: Verdict) -> Result<Outcome, Problem> {
    match verdict {
        Verdict::NoConference | Verdict::NoMember => Ok(Outcome::NotFound),
        Verdict::Accepted => Ok(Outcome::Done),
        Verdict::Refused(words) => Err(Problem::Refused(words)),
    }
}

fn is_in_use(printed: &str) -> bool {
    printed.contains("is already being used for recording")
}

fn is_unknown(words: &str) -> bool {
    words.starts_with("-ERR non-existant recording")
}

/// The files that an answer to `recording stop` says end now.
fn stopped(printed: &str) -> Vec<String> {
    let files = printed.lines().filter_map(|line| {
        let auto = line.strip_prefix("Stopped AUTO recording file ");
        match auto {
            Some(file) => file.strip_suffix(" (Auto Recording Now Disabled)"),
            None => line.strip_prefix("Stopped recording file "),
        }
    });
    files.map(|file| file.trim_end().to_owned()).collect()
}
