//! What the API shows, as far as it is looked at here. All of it may be absent: what is not told is not shown.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// Somebody in a conference, as lists, snapshots and events show him.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Participant {
    /// FreeSWITCH's `Unique-ID`.
    pub call_id: String,
    /// The member's number on its node.
    pub participant_id: u64,
    /// Who calls, as the phone says.
    pub caller_id_name: String,
    /// From which number.
    pub caller_id_number: String,
    /// The node; events have it as `focus`.
    #[serde(alias = "focus")]
    pub switch_hostname: String,
    /// Not deaf.
    pub hear: bool,
    /// Not muted.
    pub speak: bool,
    /// Is heard at this moment.
    pub talking: bool,
    /// Has the floor.
    pub floor: bool,
    /// On hold.
    pub hold: bool,
    /// A moderator.
    pub is_moderator: bool,
    /// Is not counted.
    pub ghost: bool,
    /// Waits for a moderator.
    pub waiting: bool,
    /// Seconds since he came; not in events.
    pub duration: u64,
}

impl Participant {
    /// Those of a list.
    pub fn all(list: &Value) -> Vec<Self> {
        let list = list.as_array().into_iter().flatten();
        list.map(|one| Self::deserialize(one).unwrap_or_default()).collect()
    }

    /// What is special about him, in words.
    pub fn marks(&self) -> String {
        let marks = [
            (self.talking, "talking"),
            (self.floor, "floor"),
            (!self.speak, "muted"),
            (!self.hear, "deaf"),
            (self.hold, "hold"),
            (self.is_moderator, "moderator"),
            (self.ghost, "ghost"),
            (self.waiting, "waiting"),
        ];
        marks.into_iter().filter_map(|(is, word)| is.then_some(word)).collect::<Vec<_>>().join(" ")
    }

    /// What he is called: his name, else his number, else his call.
    pub fn title(&self) -> Cow<'_, str> {
        let names = [&self.caller_id_name, &self.caller_id_number, &self.call_id];
        clean(names.into_iter().find(|name| !name.trim().is_empty()).map_or("?", String::as_str))
    }
}

/// A line of the list of conferences, or a conference by itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Line {
    /// The id, which is its name on the switch.
    pub id: String,
    /// Its name for people.
    pub name: Option<String>,
    /// Whether there is no document.
    pub ad_hoc: bool,
    /// The node on which it runs; of several, the first.
    pub focus: Option<String>,
    /// Where it runs.
    pub instances: Vec<Value>,
    /// Who is there and no moderator.
    pub members: u64,
    /// Who is there and a moderator.
    pub moderators: u64,
    /// Seconds since it began.
    pub duration: u64,
    /// Whether nobody is let in.
    pub is_locked: bool,
    /// Whether what is known is old.
    pub stale: bool,
}

impl Line {
    /// An item of the list of conferences; of what has another form, nothing is known.
    pub fn of(value: &Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }

    /// What it is called: the name of its document, else its id.
    pub fn title(&self) -> Cow<'_, str> {
        let name = self.name.as_deref().filter(|name| !name.trim().is_empty());
        clean(name.unwrap_or(&self.id))
    }

    /// How many are in it, without ghosts.
    pub fn people(&self) -> usize {
        usize::try_from(self.members.saturating_add(self.moderators)).unwrap_or(usize::MAX)
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.focus.is_some()
    }
}

/// A message of the websocket.
#[derive(Clone, Debug)]
pub enum Message {
    /// How a conference is.
    Snapshot(Snapshot),
    /// Something happened.
    Event(Box<Event>),
    /// Something was missed, of a conference, or of all (`*`); snapshots follow.
    Gap(String),
}

/// How a conference is, or that it does not run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// The id of the conference.
    pub conference_id: String,
    /// Which run of it; none: it does not run, as far as is known.
    pub instance_id: Option<String>,
    /// Of one without a run: whether it is known that it does not run.
    pub complete: Option<bool>,
    /// All its runs; others have ended.
    pub instances: Vec<String>,
    /// The last change that is in it.
    pub seq: u64,
    /// The node.
    pub focus: String,
    /// Whether nobody is let in.
    pub is_locked: bool,
    /// Seconds since it began.
    pub duration: u64,
    /// Who is there.
    pub participants: Vec<Participant>,
}

/// Something happened.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Event {
    /// What.
    #[serde(default)]
    pub event: String,
    /// The id of the conference.
    #[serde(default)]
    pub conference_id: String,
    /// Which run of it; of calls on their way there is none.
    #[serde(default)]
    pub instance_id: Option<String>,
    /// The number of the change.
    #[serde(default)]
    pub seq: u64,
    /// When it was seen, in milliseconds since 1970.
    #[serde(default)]
    pub timestamp: u64,
    /// Why, or how, of some.
    #[serde(default)]
    pub reason: Option<String>,
    /// How somebody left.
    #[serde(default)]
    pub left_reason: Option<String>,
    /// The phone that is called.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// FreeSWITCH's word for why a call failed.
    #[serde(default)]
    pub cause: Option<String>,
    /// A recording.
    #[serde(default)]
    pub file: Option<String>,
    /// Whom it happened to, with his state after it; of a conference's own events nothing but the node.
    #[serde(flatten)]
    pub participant: Participant,
}

impl Message {
    /// Reads a message; none if it is of a kind that is not known.
    ///
    /// # Errors
    /// It has another form than it should.
    pub fn read(message: &Value) -> Result<Option<Self>, serde_json::Error> {
        let data = &message["data"];
        Ok(Some(match message["action"].as_str() {
            Some("snapshot") => Self::Snapshot(Snapshot::deserialize(data)?),
            Some("event") => Self::Event(Box::new(Event::deserialize(data)?)),
            Some("gap") => Self::Gap(data["conference_id"].as_str().unwrap_or("*").to_owned()),
            _ => return Ok(None),
        }))
    }
}

/// A text that somebody else has chosen, so that it cannot steer a terminal or turn its line round.
pub fn clean(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() || is_unseen(c);
    if text.contains(steers) { text.replace(steers, "\u{fffd}").into() } else { text.into() }
}

/// Whether a character is there to change how others are shown, or cannot be seen: the categories `Cf`, `Zl` and `Zp`,
/// and `Default_Ignorable_Code_Point` (Unicode 16, DerivedGeneralCategory.txt and DerivedCoreProperties.txt).
///
/// But not what scripts and pictures are spelt with: ZWNJ, ZWJ and variation selectors.
fn is_unseen(c: char) -> bool {
    if matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}') {
        return false;
    }
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_has_the_state_of_whom_it_is_about() {
        let message = json!({"action": "event", "data": {
            "event": "mute-member", "conference_id": "talk", "instance_id": "i", "seq": 8, "call_id": "c",
            "participant_id": 3, "caller_id_name": "Ann", "hear": true, "speak": false, "focus": "fs1"}});
        let Ok(Some(Message::Event(event))) = Message::read(&message) else { panic!("no event") };
        assert_eq!((event.seq, event.instance_id.as_deref()), (8, Some("i")));
        let who = event.participant;
        assert_eq!((&*who.title(), who.participant_id, who.hear, who.speak), ("Ann", 3, true, false));
        assert_eq!(who.switch_hostname, "fs1");
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        let unseen =
            ["\u{61c}", "\u{200b}", "\u{2060}", "\u{ad}", "\u{feff}", "\u{e0041}", "\u{e0002}", "\u{3164}"];
        for hostile in
            ["\u{1b}[2J", "a\nb", "\u{9b}31m", "\u{202e}evil", "\r", "\u{7f}"].into_iter().chain(unseen)
        {
            let shown = clean(hostile);
            assert!(!shown.chars().any(char::is_control) && shown.contains('\u{fffd}'), "{shown:?}");
        }
        for harmless in ["Zoë 🙂", "می\u{200c}خواهم", "👩\u{200d}🚀", "❤\u{fe0f}", "葛\u{e0100}", "שלום"]
        {
            assert_eq!(clean(harmless), harmless);
        }
    }
}
