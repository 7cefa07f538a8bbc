//! A conference document as somebody meets it who calls in.

use serde_json::Value;

use super::dialogue::{For, Pins, Role};
use crate::actions::words::Profile;
use crate::auth::AccountId;
use crate::documents::{Document, NumberRole};
use crate::model::Typed;

/// How somebody of a role joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Is not heard at first.
    pub(super) muted: bool,
    /// Does not hear at first.
    pub(super) deaf: bool,
}

/// What is played when somebody joins or leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tone {
    /// What the profile plays.
    OfProfile,
    /// The configured one.
    Default,
    /// Nothing.
    None,
    /// This tone or file.
    This(String),
}

/// All that a document says about letting somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entrance {
    /// Whose conference it is.
    pub(super) account: AccountId,
    /// The document's id, and the name of the conference on the switch.
    pub(super) conference_id: String,
    /// For whom the number is that was dialled.
    pub(super) number: NumberRole,
    /// What opens it.
    pub(super) pins: Pins,
    /// How members join.
    pub(super) member: Manner,
    /// How moderators join.
    pub(super) moderator: Manner,
    /// The profile it begins with.
    pub(super) profile: Profile,
    /// How many it takes.
    pub(super) max_participants: Option<u64>,
    /// Whether callers say their names.
    pub(super) play_name: bool,
    /// Whether callers are welcomed.
    pub(super) play_welcome: bool,
    /// Played when somebody joins.
    pub(super) entry_tone: Tone,
    /// Played when somebody leaves.
    pub(super) exit_tone: Tone,
    /// Members wait until a moderator is there.
    pub(super) waits: bool,
    /// And again when the last one has gone.
    pub(super) waits_again: bool,
    /// The language of prompts.
    pub(super) language: Option<String>,
    /// The group of keys that participants have.
    pub(super) caller_controls: Option<String>,
}

impl Entrance {
    /// What a document says to somebody who dialled a number of that role.
    #[must_use]
    pub(super) fn of(document: &Document, number: NumberRole) -> Self {
        let get = |key: &str| document.body.get(key);
        let is = |key: &str| get(key).and_then(Value::as_bool).unwrap_or(false);
        let word =
            |key: &str| get(key).and_then(Value::as_str).filter(|text| is_plain(text)).map(str::to_owned);
        let profile = ["profile", "profile_name"].into_iter().find_map(|key| get(key)?.as_str());
        Self {
            account: document.account_id.clone(),
            conference_id: document.id.clone(),
            number,
            pins: Pins {
                whom: match number {
                    NumberRole::Conference => For::Everybody,
                    NumberRole::Member => For::Members,
                    NumberRole::Moderator => For::Moderators,
                },
                members: pins(get("member")),
                moderators: pins(get("moderator")),
            },
            // As the schema's defaults say; a document that was patched may lack them.
            member: manner(get("member"), true),
            moderator: manner(get("moderator"), false),
            profile: profile.and_then(|name| Profile::new(name).ok()).unwrap_or_else(Profile::default),
            max_participants: get("max_participants").and_then(Value::as_u64),
            play_name: is("play_name"),
            play_welcome: is("play_welcome"),
            entry_tone: tone(get("play_entry_tone")),
            exit_tone: tone(get("play_exit_tone")),
            waits: is("wait_for_moderator") || is("require_moderator"),
            waits_again: is("require_moderator"),
            language: word("language"),
            caller_controls: word("caller_controls"),
        }
    }

    /// How somebody of that role joins.
    #[must_use]
    pub(super) fn manner(&self, role: Role) -> Manner {
        match role {
            Role::Member => self.member,
            Role::Moderator => self.moderator,
        }
    }
}

/// What may stand in a variable and in the path of a prompt.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text != ".."
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn pins(role: Option<&Value>) -> Vec<Typed> {
    let pins = role.and_then(|role| role.get("pins")).and_then(Value::as_array);
    pins.into_iter().flatten().filter_map(Value::as_str).map(Typed::new).collect()
}

fn manner(role: Option<&Value>, muted: bool) -> Manner {
    let is = |key: &str| role.and_then(|role| role.get(key)).and_then(Value::as_bool);
    Manner { muted: is("join_muted").unwrap_or(muted), deaf: is("join_deaf").unwrap_or(false) }
}

fn tone(value: Option<&Value>) -> Tone {
    match value {
        Some(Value::Bool(true)) => Tone::Default,
        Some(Value::Bool(false)) => Tone::None,
        Some(Value::String(text)) => Tone::This(text.clone()),
        _ => Tone::OfProfile,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(body: Value) -> Document {
        let Value::Object(body) = body else { panic!("{body}") };
        let id = "5edbfdd3b825314a71b0a05957392edb".to_owned();
        let account_id = "acme".parse().unwrap();
        Document { id, account_id, revision: "1-a".into(), created: 0, modified: 0, body }
    }

    #[test]
    fn a_document_says_who_gets_in_and_how() {
        let full = document(json!({
            "member": {"pins": ["1"], "join_muted": false, "join_deaf": true},
            "moderator": {"pins": ["2", "3"], "join_muted": true},
            "profile": "wide", "max_participants": 10, "play_name": true, "play_welcome": true,
            "play_entry_tone": true, "play_exit_tone": "%(1,2,3)", "wait_for_moderator": true, "language": "de",
            "caller_controls": "mine",
        }));
        let entrance = Entrance::of(&full, NumberRole::Conference);
        assert_eq!(entrance.pins.whom, For::Everybody);
        assert_eq!(entrance.pins.moderators, [Typed::new("2"), Typed::new("3")]);
        assert_eq!(entrance.manner(Role::Member), Manner { muted: false, deaf: true });
        assert_eq!(entrance.manner(Role::Moderator), Manner { muted: true, deaf: false });
        assert_eq!((entrance.profile.to_string(), entrance.max_participants), ("wide".into(), Some(10)));
        assert_eq!((entrance.entry_tone, entrance.exit_tone), (Tone::Default, Tone::This("%(1,2,3)".into())));
        assert!(entrance.waits && !entrance.waits_again && entrance.play_name && entrance.play_welcome);
        assert_eq!(
            (entrance.language.as_deref(), entrance.caller_controls.as_deref()),
            (Some("de"), Some("mine"))
        );
    }

    #[test]
    fn what_a_document_leaves_out_is_as_its_schema_says() {
        let entrance = Entrance::of(
            &document(json!({"require_moderator": true, "language": "../x"})),
            NumberRole::Member,
        );
        assert_eq!(entrance.manner(Role::Member), Manner { muted: true, deaf: false });
        assert_eq!(entrance.manner(Role::Moderator), Manner { muted: false, deaf: false });
        assert_eq!((entrance.profile.to_string(), entrance.max_participants), ("default".into(), None));
        assert_eq!((entrance.entry_tone, entrance.language), (Tone::OfProfile, None));
        assert!(entrance.waits && entrance.waits_again, "who requires a moderator waits for one");
    }
}
