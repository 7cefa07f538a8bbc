//! Arguments as they come into typed actions.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::schema::{Scope, errors_of, names};
use super::words::{Digits, Media, Places, RecordingFile, RecordingPlace, Refused, Speech, Word};
use crate::documents::{FieldError, FieldErrors};
use crate::model::{ConferenceAction, ParticipantAction, Record, Relation, Relationship, Selection, Setting};

/// Why there is no action.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// There is none of that name; those that there are.
    #[error("unknown action: {name:?}; known here: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What could have been.
        known: String,
    },
    /// Its arguments are wrong.
    #[error("the arguments are not valid: {0}")]
    Invalid(FieldErrors),
}

/// Who asks for an action.
#[derive(Debug, Clone)]
pub struct Asker<'a> {
    /// What people call the token, or its id.
    pub name: &'a Arc<str>,
    /// For which account.
    pub account: &'a str,
}

/// Arguments that fit the schema of their action.
pub struct Args<'a> {
    args: &'a Map<String, Value>,
    places: &'a Places,
}

impl<'a> Args<'a> {
    /// Arguments of an action, checked by its schema.
    ///
    /// # Errors
    /// [`Unfit`]: no such action, or what is wrong with which argument.
    pub fn check(
        scope: Scope,
        action: &str,
        args: &'a Map<String, Value>,
        places: &'a Places,
    ) -> Result<Self, Unfit> {
        let Some(errors) = errors_of(scope, action, &Value::Object(args.clone())) else {
            let known = names(scope).collect::<Vec<_>>().join(", ");
            return Err(Unfit::Unknown { name: action.to_owned(), known });
        };
        errors.into_result().map_err(Unfit::Invalid)?;
        Ok(Self { args, places })
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.args.get(key)
    }

    fn text(&self, key: &str) -> &'a str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn level(&self) -> i64 {
        self.get("level").and_then(whole).unwrap_or_default()
    }

    /// A word made of an argument; what it may not hold is a field error.
    fn word<T>(&self, key: &str, make: impl FnOnce(&'a str) -> Result<T, Refused>) -> Result<T, Unfit> {
        let text = self.text(key);
        make(text).map_err(|refused| invalid(key, text, &refused))
    }

    /// The action on a conference.
    ///
    /// # Errors
    /// [`Unfit`]: an argument holds what must not reach a switch.
    pub fn conference(&self, action: &str, asker: &Asker<'_>) -> Result<ConferenceAction, Unfit> {
        Ok(match action {
            "lock" => ConferenceAction::Lock,
            "unlock" => ConferenceAction::Unlock,
            "play" => ConferenceAction::Play(self.word("media_id", |text| Media::new(text, self.places))?),
            "stop_play" => ConferenceAction::StopPlay,
            "say" => ConferenceAction::Say(self.word("text", Speech::new)?),
            "record" => ConferenceAction::Record(self.record(asker)?),
            "end" => ConferenceAction::End { by: Some(asker.name.clone()) },
            "set" => ConferenceAction::Set(self.settings()?),
            other => return Err(unknown(Scope::Conference, other)),
        })
    }

    fn record(&self, asker: &Asker<'_>) -> Result<Record, Unfit> {
        let place = || RecordingPlace::new(self.places, asker.account);
        let what = self.text("action");
        let has_file = self.args.contains_key("file");
        if what == "start" {
            let place = place().map_err(|refused| invalid("action", what, &refused))?;
            let file = if has_file { Some(self.word("file", |name| place.file(name))?) } else { None };
            return Ok(Record::Start { file, place });
        }
        let file = match has_file {
            true => Some(self.word("file", |name| RecordingFile::running(name, place()))?),
            false => None,
        };
        Ok(match what {
            "pause" => Record::Pause(file),
            "resume" => Record::Resume(file),
            _ => Record::Stop(file),
        })
    }

    fn settings(&self) -> Result<Vec<Setting>, Unfit> {
        const SETTINGS: [&str; 5] =
            ["max_members", "sound_prefix", "caller_id_name", "caller_id_number", "endconf_grace_time"];
        let mut settings = Vec::new();
        for name in SETTINGS {
            let value = match self.args.get(name) {
                None => continue,
                Some(Value::String(text)) => text.clone(),
                Some(other) => whole(other).map_or_else(|| other.to_string(), |number| number.to_string()),
            };
            let word = match name {
                "sound_prefix" => {
                    Media::new(&value, self.places).and_then(|path| Word::new(&path.to_string()))
                }
                _ if value.contains('/') => Err(Refused::Character('/')),
                _ => Word::new(&value),
            };
            let value = word.map_err(|refused| invalid(name, &value, &refused))?;
            settings.push(Setting { name, value });
        }
        Ok(settings)
    }

    /// The action on participants. A transfer goes to a conference of that profile.
    ///
    /// # Errors
    /// [`Unfit`]: an argument holds what must not reach a switch.
    pub fn participant(
        &self,
        action: &str,
        profile: &str,
        asker: &Asker<'_>,
    ) -> Result<ParticipantAction, Unfit> {
        let small = |level: i64| i8::try_from(level).unwrap_or_default();
        Ok(match action {
            "mute" => ParticipantAction::Mute,
            "unmute" => ParticipantAction::Unmute,
            "deaf" => ParticipantAction::Deaf,
            "undeaf" => ParticipantAction::Undeaf,
            "kick" => ParticipantAction::Kick { by: Some(asker.name.clone()) },
            "hold" => ParticipantAction::Hold,
            "unhold" => ParticipantAction::Unhold,
            "play" => ParticipantAction::Play(self.word("media_id", |text| Media::new(text, self.places))?),
            "stop_play" => ParticipantAction::StopPlay,
            "volume_in" => ParticipantAction::VolumeIn(small(self.level())),
            "volume_out" => ParticipantAction::VolumeOut(small(self.level())),
            "energy" => ParticipantAction::Energy(u16::try_from(self.level()).unwrap_or_default()),
            "floor" => ParticipantAction::Floor,
            "dtmf" => ParticipantAction::Dtmf(self.word("digits", Digits::new)?),
            "say" => ParticipantAction::Say(self.word("text", Speech::new)?),
            "transfer" => ParticipantAction::Transfer {
                to: self.word("to", room)?,
                profile: Word::new(profile).map_err(|refused| invalid("to", profile, &refused))?,
            },
            other => return Err(unknown(Scope::Participant, other)),
        })
    }

    /// What is to be between two participants. As in Kazoo, an id is a number or its digits, and `clear` is
    /// what is meant if nothing is said.
    ///
    /// # Errors
    /// [`Unfit`]: an id is none, or both are the same.
    pub fn relation(&self) -> Result<Relation, Unfit> {
        let id = |key: &str| -> Result<u32, Unfit> {
            let (digits, known) = match self.args.get(key) {
                Some(Value::String(digits)) => (digits.clone(), digits.parse().ok()),
                other => (
                    other.map(ToString::to_string).unwrap_or_default(),
                    other.and_then(whole).and_then(|id| u32::try_from(id).ok()),
                ),
            };
            known.ok_or_else(|| wrong(key, "maximum", "Value is no participant id", digits))
        };
        let (participant_id, other_participant) = (id("participant_id")?, id("other_participant")?);
        if participant_id == other_participant {
            let key = "other_participant";
            return Err(wrong(key, "different", "Value must be another participant", other_participant));
        }
        let relationship = Relationship::named(self.text("relationship")).unwrap_or(Relationship::Clear);
        Ok(Relation { participant_id, other_participant, relationship })
    }
}

/// A whole number, however it is written: `3`, `3.0` and `3e0` are the same to a schema, and to whoever sends it.
pub(super) fn whole(value: &Value) -> Option<i64> {
    /// Up to here each whole number has a place of its own among those with a point.
    const MOST: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= MOST)?;
        format!("{number:.0}").parse().ok()
    })
}

/// FreeSWITCH cuts a name at `@` and `+` (mod_conference.c, `conference_function`).
fn room(text: &str) -> Result<Word, Refused> {
    match text.chars().find(|c| matches!(c, '@' | '+' | '/')) {
        Some(c) => Err(Refused::Character(c)),
        None => Word::new(text),
    }
}

fn unknown(scope: Scope, name: &str) -> Unfit {
    let known = names(scope).collect::<Vec<_>>().join(", ");
    Unfit::Unknown { name: name.to_owned(), known }
}

pub(super) fn invalid(key: &str, text: &str, refused: &Refused) -> Unfit {
    wrong(key, "allowed", &format!("Value {refused}"), text)
}

fn wrong(key: &str, keyword: &str, message: &str, value: impl Into<Value>) -> Unfit {
    let error = FieldError::new(message).value(&value.into());
    Unfit::Invalid(FieldErrors::one(key, keyword, error))
}

/// Who is meant by arguments that fit their schema, and whether nothing is to be done; `None` if nobody is
/// named: then the action's own rule holds.
pub fn participants_selection(args: &Map<String, Value>) -> (Option<Selection>, bool) {
    let dry_run = args.get("dry_run").and_then(Value::as_bool).unwrap_or(false);
    if !args.contains_key("participants") && !args.contains_key("filter") {
        return (None, dry_run);
    }
    let ids = |value: Option<&Value>| -> Option<BTreeSet<u32>> {
        let all = value?.as_array()?.iter();
        Some(all.filter_map(|id| u32::try_from(whole(id)?).ok()).collect())
    };
    let filter = args.get("filter");
    let within = |key: &str| filter.and_then(|filter| filter.get(key));
    let selection = Selection {
        participants: ids(args.get("participants")),
        moderators: within("role").and_then(Value::as_str).map(|role| role == "moderator"),
        muted: within("muted").and_then(Value::as_bool),
        talking: within("talking").and_then(Value::as_bool),
        except: ids(within("except")).unwrap_or_default(),
    };
    (Some(selection), dry_run)
}
