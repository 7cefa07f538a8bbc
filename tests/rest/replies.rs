//! Each form that FreeSWITCH's replies have, for each action that they can come for: what the client is told.
//!
//! A form is recorded, then its text stands in that recording under `fixtures/captures`, with the numbers and names
//! of that day; or it was read in the source.

#[path = "replies/accepted.rs"]
mod accepted;
#[path = "replies/refused.rs"]
mod refused;

use std::collections::BTreeSet;

use bytes::BytesMut;
use convened::config::Config;
use convened::esl::{Decoder, Frame, Limits};
use convened::sim::world::Caller;
use serde_json::{Value, json};
use tokio_util::codec::Decoder as _;

use crate::client::{Answer, Rest};
use crate::house::{ACCOUNT, House};
use crate::support;

/// Where a form stands.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// In that recording, with these words.
    Recorded(&'static str, &'static str),
    /// There in the source of mod_conference, as far as nothing else is said.
    Read(&'static str),
}

/// What has another name here than it had when it was recorded.
type Renamed = &'static [(&'static str, &'static str)];

/// The words with other names: a whole number, or a text.
fn renamed(words: &str, names: Renamed) -> String {
    let mut text = words.to_owned();
    for (was, is) in names.iter().filter(|(was, _)| was.parse::<u32>().is_err()) {
        text = text.replace(was, is);
    }
    // All numbers at once, or one would be renamed twice.
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        let is = names.iter().find(|(was, _)| *was == digits).map_or(digits, |(_, is)| is);
        out.push_str(is);
        out.push_str(&part[digits.len()..]);
    }
    out
}

/// All replies to `api` commands in a recording.
fn replies_in(recording: &str) -> BTreeSet<String> {
    let mut decoder = Decoder::new(Limits::default());
    let mut bytes = BytesMut::from(&support::received(&support::capture(recording))[..]);
    let mut replies = BTreeSet::new();
    while let Some(frame) = decoder.decode(&mut bytes).unwrap() {
        if let Frame::ApiResponse(printed) = frame {
            replies.insert(String::from_utf8_lossy(&printed).into_owned());
        }
    }
    replies
}

/// That the form stands where it is said to stand.
fn assert_stands(source: Source) {
    match source {
        Source::Recorded(recording, words) => {
            assert!(replies_in(recording).contains(words), "{words:?} does not stand in {recording}");
        }
        Source::Read(place) => {
            let (file, function) =
                place.split_once(':').unwrap_or_else(|| panic!("no FILE:FUNCTION: {place}"));
            assert!(file.ends_with(".c") && !function.is_empty(), "{place}");
        }
    }
}

/// A conference with a moderator and two others, who have been there for a while: participants 1, 2 and 3.
struct Talk {
    house: House,
    owner: Rest,
    /// The call of participant 2.
    ann: String,
}

impl Talk {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let recordings = Some("/var/lib/freeswitch/recordings".to_owned());
        let house = House::with(1, |config| {
            config.media.recordings = recordings;
            change(config);
        })
        .await;
        let owner = house.owner().await;
        house.join_as_moderator("talk", "Mod").await;
        let ann = house.join("talk", "Ann").await;
        house.join("talk", "Ben").await;
        let somebody = Caller::new("Sue", "7").variable("confvar_account_id", ACCOUNT);
        house.enter("other", somebody).await;
        Self { house, owner, ann }
    }

    async fn ask(&self, scope: Scope, data: &Value) -> Answer {
        self.owner.put(scope.path(), data.clone()).await
    }
}

/// Whom an action is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Conference,
    /// Everybody whom it is for.
    Several,
    /// Participant 2.
    One,
}

impl Scope {
    fn path(self) -> &'static str {
        match self {
            Self::Conference => "conferences/talk",
            Self::Several => "conferences/talk/participants",
            Self::One => "conferences/talk/participants/2",
        }
    }
}

/// An action as it is asked for, and what tells its command from others.
struct Asked {
    scope: Scope,
    data: Value,
    command: &'static str,
}

/// Each action that there is, once in each scope.
fn each_action() -> Vec<Asked> {
    let asked = |scope, data: Value, command| Asked { scope, data, command };
    let plain = |scope, action: &str, command| asked(scope, json!({ "action": action }), command);
    let level = |scope, action: &str, level: i64, command| {
        asked(scope, json!({ "action": action, "level": level }), command)
    };
    use Scope::{Conference, One, Several};
    let record = |what: &str, command| {
        asked(Conference, json!({ "action": "record", "data": { "action": what, "file": "a" } }), command)
    };
    vec![
        plain(Conference, "lock", "talk lock"),
        plain(Conference, "unlock", "talk unlock"),
        asked(Conference, json!({ "action": "play", "media_id": "a.wav" }), "talk play "),
        plain(Conference, "stop_play", "talk stop "),
        asked(Conference, json!({ "action": "say", "text": "Good morning" }), "talk say "),
        asked(Conference, json!({ "action": "set", "max_members": 9 }), "talk get max_members"),
        record("start", "talk recording start "),
        record("stop", "talk recording stop "),
        plain(Conference, "end", "talk hup "),
        plain(Several, "mute", "talk mute "),
        plain(Several, "unmute", "talk unmute "),
        plain(Several, "deaf", "talk deaf "),
        plain(Several, "undeaf", "talk undeaf "),
        plain(Several, "kick", "talk hup "),
        plain(Several, "hold", "talk hold "),
        plain(Several, "unhold", "talk unhold "),
        level(Several, "volume_in", 1, "talk volume_in "),
        level(Several, "volume_out", 1, "talk volume_out "),
        level(Several, "energy", 200, "talk energy "),
        asked(
            Several,
            json!({ "action": "relate", "participant_id": 2, "other_participant": 3, "relationship": "deaf" }),
            "talk relate 2 3 ",
        ),
        plain(One, "mute", "talk mute "),
        plain(One, "unmute", "talk unmute "),
        plain(One, "deaf", "talk deaf "),
        plain(One, "undeaf", "talk undeaf "),
        plain(One, "kick", "talk hup "),
        plain(One, "hold", "talk hold "),
        plain(One, "unhold", "talk unhold "),
        asked(One, json!({ "action": "play", "media_id": "a.wav" }), "talk play "),
        plain(One, "stop_play", "talk stop "),
        level(One, "volume_in", 1, "talk volume_in "),
        level(One, "volume_out", 1, "talk volume_out "),
        level(One, "energy", 200, "talk energy "),
        plain(One, "floor", "talk floor "),
        asked(One, json!({ "action": "dtmf", "digits": "123" }), "talk dtmf "),
        asked(One, json!({ "action": "transfer", "to": "other" }), "talk transfer "),
        asked(One, json!({ "action": "say", "text": "Good morning" }), "talk saymember "),
    ]
}

#[test]
fn no_action_is_without_a_row() {
    use convened::actions::{Scope as Of, names};
    let rows = each_action();
    for (of, scope) in [
        (Of::Conference, Scope::Conference),
        (Of::Participants, Scope::Several),
        (Of::Participant, Scope::One),
    ] {
        // What is called is answered by a job, not by a reply.
        let known: BTreeSet<_> = names(of).filter(|name| *name != "dial").map(str::to_owned).collect();
        let here = rows.iter().filter(|row| row.scope == scope);
        let here: BTreeSet<_> = here.map(|row| row.data["action"].as_str().unwrap().to_owned()).collect();
        assert_eq!(here, known, "{scope:?}");
    }
}

#[test]
fn numbers_are_renamed_as_a_whole() {
    let names: Renamed = &[("6", "2"), ("2", "3"), ("actions-1", "talk")];
    assert_eq!(renamed("+OK actions-1 16 6 2 = 26\n", names), "+OK talk 16 2 3 = 26\n");
}
