//! The commands that take a parked call into its conference.
//!
//! `uuid_transfer CALL 'a:b,c:d' inline` runs applications one after the other and hangs up behind the last one, whether
//! this daemon still runs or not (mod_dialplan_xml has no part in it: mod_dptools.c, `inline_dialplan_hunt`). It is cut
//! at commas, so a sound, which may hold some, is set before.

use super::dialogue::Role;
use super::entrance::{Entrance, Manner, Tone};
use super::prompts::{Prompt, Prompts};
use crate::actions::words::{DialString, Places as MediaPlaces, Refused, RoomName, Sound};
use crate::node::{DIGITS, MARK, TICKET};

/// Played so that nothing is heard: without a sound of his own somebody has the profile's.
const SILENCE: &str = "silence_stream://10";

/// How somebody goes in.
#[derive(Debug)]
pub(super) struct Joining<'a> {
    /// Where to.
    pub(super) entrance: &'a Entrance,
    /// As what.
    pub(super) role: Role,
    /// Whether he is muted and deaf at first.
    pub(super) manner: Manner,
    /// Neither a lock nor the profile's own PIN stops him.
    pub(super) passes_locks: bool,
    /// His name, as he said it.
    pub(super) name: Option<Sound>,
}

/// Sounds of somebody's own.
#[derive(Debug, Default)]
pub(super) struct Sounds {
    /// Variables of the channel and their values, to be set before.
    pub(super) set: Vec<(&'static str, Sound)>,
    /// The keys of the document that cannot be played.
    pub(super) refused: Vec<(&'static str, Refused)>,
}

impl Joining<'_> {
    /// What is played when he joins and leaves.
    pub(super) fn sounds(&self, prompts: &Prompts, media: &MediaPlaces) -> Sounds {
        let Sounds { mut set, mut refused } = Sounds::default();
        let language = self.entrance.language.as_deref();
        let mut sound = |key, tone: &Tone, prompt| match tone {
            Tone::OfProfile => None,
            Tone::Default => prompts.sound(prompt, language),
            Tone::None => Sound::new(SILENCE).ok(),
            Tone::This(text) => Sound::of_document(text, media).map_err(|why| refused.push((key, why))).ok(),
        };
        let entry = sound("play_entry_tone", &self.entrance.entry_tone, Prompt::EntryTone);
        let exit = sound("play_exit_tone", &self.entrance.exit_tone, Prompt::ExitTone);
        let entry = match (&self.name, entry) {
            (Some(name), Some(tone)) if self.entrance.entry_tone != Tone::None => {
                Sound::all(&[name.clone(), tone])
            }
            (Some(name), _) => Some(name.clone()),
            (None, entry) => entry,
        };
        set.extend(entry.map(|entry| ("conference_enter_sound", entry)));
        set.extend(exit.map(|exit| ("conference_exit_sound", exit)));
        Sounds { set, refused }
    }

    /// The transfer.
    ///
    /// # Errors
    /// If the conference's name cannot be said.
    pub(super) fn transfer(&self, call: &str) -> Result<String, Refused> {
        let (room, account) = (RoomName::new(&self.entrance.conference_id)?, &self.entrance.account);
        let mut steps = vec![
            // What he has typed beyond the PIN would be keys in the conference, `#` to hang up among them.
            "flush_dtmf:".to_owned(),
            format!("unset:{DIGITS}"),
            format!("set:{MARK}=joined"),
            format!("set:confvar_account_id={account}"),
            format!("set:account_id={account}"),
            "set:presence_data_cols=account_id".to_owned(),
        ];
        if let Some(controls) = &self.entrance.caller_controls {
            steps.push(format!("set:conference_controls={controls}"));
        }
        if self.passes_locks {
            steps.push("set:conference_enforce_security=false".to_owned());
        }
        let flags = [
            (self.role == Role::Moderator, "moderator"),
            (self.manner.muted, "mute"),
            (self.manner.deaf, "deaf"),
        ];
        let flags: Vec<_> = flags.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
        let flags = if flags.is_empty() { String::new() } else { format!("+flags{{{}}}", flags.join("|")) };
        steps.push(format!("conference:{room}@{}{flags}", self.entrance.profile));
        Ok(format!("uuid_transfer {call} '{}' inline", steps.join(",")))
    }
}

/// The transfer to another node, which knows by the ticket that he was let in.
pub(super) fn bridge(call: &str, to: &DialString, ticket: &str) -> String {
    format!(
        "uuid_transfer {call} 'unset:{DIGITS},set:{MARK}=bridged,set:hangup_after_bridge=true,\
         set:sip_h_{TICKET}={ticket},bridge:{to}' inline"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config;
    use crate::documents::{Document, NumberRole};

    fn entrance(body: serde_json::Value) -> Entrance {
        let serde_json::Value::Object(body) = body else { panic!("{body}") };
        let id = "5edbfdd3b825314a71b0a05957392edb".to_owned();
        let account_id = "acme".parse().unwrap();
        let document = Document { id, account_id, revision: "1-a".into(), created: 0, modified: 0, body };
        Entrance::of(&document, NumberRole::Member)
    }

    fn joining(entrance: &Entrance, role: Role) -> Joining<'_> {
        Joining { entrance, role, manner: entrance.manner(role), passes_locks: false, name: None }
    }

    #[test]
    fn the_line_says_whose_conference_it_is_and_what_he_becomes() {
        let entrance = entrance(json!({"caller_controls": "mine", "profile": "wide"}));
        assert_eq!(
            joining(&entrance, Role::Member).transfer("c1").unwrap(),
            "uuid_transfer c1 'flush_dtmf:,unset:convened_digits,set:convened_callin=joined,set:confvar_account_id=acme,\
             set:account_id=acme,set:presence_data_cols=account_id,set:conference_controls=mine,\
             conference:5edbfdd3b825314a71b0a05957392edb@wide+flags{mute}' inline"
        );
        let moderator = Joining { passes_locks: true, ..joining(&entrance, Role::Moderator) };
        let line = moderator.transfer("c1").unwrap();
        assert!(line.contains(",set:conference_enforce_security=false,conference:"), "{line}");
        assert!(line.ends_with("@wide+flags{moderator}' inline"), "{line}");
    }

    #[test]
    fn sounds_are_those_of_the_document_and_a_name_goes_before_them() {
        let prompts = Prompts::new(config::Prompts::default(), "en");
        let sounds = |body, name: Option<&str>| {
            let entrance = entrance(body);
            let name = name.map(|name| Sound::new(name).unwrap());
            let joining = Joining { name, ..joining(&entrance, Role::Member) };
            let Sounds { set, refused } = joining.sounds(&prompts, &MediaPlaces::default());
            let set: Vec<_> = set.into_iter().map(|(name, sound)| format!("{name}={sound}")).collect();
            (set, refused.into_iter().map(|(key, _)| key).collect::<Vec<_>>())
        };
        let tone = "tone_stream://%(200,0,500,600,700)";
        assert_eq!(sounds(json!({}), None), (vec![], vec![]));
        assert_eq!(
            sounds(json!({"play_entry_tone": true}), None).0,
            [format!("conference_enter_sound={tone}")]
        );
        let silent = sounds(json!({"play_entry_tone": false, "play_exit_tone": false}), None).0;
        assert_eq!(
            silent,
            [format!("conference_enter_sound={SILENCE}"), format!("conference_exit_sound={SILENCE}")]
        );
        let named = |body| sounds(body, Some("/names/a.wav")).0;
        assert_eq!(named(json!({})), ["conference_enter_sound=/names/a.wav"]);
        assert_eq!(named(json!({"play_entry_tone": false})), ["conference_enter_sound=/names/a.wav"]);
        let both = format!("conference_enter_sound=file_string:///names/a.wav!{tone}");
        assert_eq!(named(json!({"play_entry_tone": true})), [both]);
        let wrong = sounds(json!({"play_exit_tone": "/etc/passwd", "play_entry_tone": true}), None);
        assert_eq!((wrong.0.len(), wrong.1), (1, vec!["play_exit_tone"]), "the rest is there all the same");
    }

    #[test]
    fn a_bridge_takes_the_ticket_with_it() {
        use crate::actions::words::{SipUri, Template};
        let uri = SipUri::new("sip:5550@fs2.example.com:5060").unwrap();
        let to = Template::new("sofia/internal/{uri}", "{uri}").unwrap().uri(&uri);
        assert_eq!(
            bridge("c1", &to, "00ff"),
            "uuid_transfer c1 'unset:convened_digits,set:convened_callin=bridged,set:hangup_after_bridge=true,\
             set:sip_h_X-Convened-Ticket=00ff,bridge:sofia/internal/sip:5550@fs2.example.com:5060' inline"
        );
    }
}
