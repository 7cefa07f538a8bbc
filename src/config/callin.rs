//! `[callin]` and `[prompts]`: how callers are let into conferences.

use serde::Deserialize;

use super::check::{DAY_MS, Found};
use crate::actions::words::{Sound, check_directory};
use crate::auth::AccountId;

/// `[callin]`: calls that the dialplan parks become participants.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callin {
    /// Whether parked calls are answered at all; then each node has a third connection.
    pub enabled: bool,
    /// Parked calls in these contexts of the dialplan are ours, marked or not.
    pub contexts: Vec<String>,
    /// `DOMAIN=ACCOUNT`: whose calls to a SIP domain are.
    pub domains: Vec<String>,
    /// Numbers that ask for the number of a conference.
    pub lobbies: Vec<String>,
    /// How often a number or a PIN may be typed.
    pub tries: u32,
    /// How long the first digit is waited for, in milliseconds, after the prompt.
    pub answer_timeout_ms: u64,
    /// How long each further digit is waited for, in milliseconds.
    pub digit_timeout_ms: u64,
    /// How long a prompt may take at most, in milliseconds; a switch that has not played it by then is stuck.
    pub prompt_timeout_ms: u64,
    /// How many callers may be in a dialogue at the same time, over all nodes.
    pub max_dialogues: u32,
    /// After so many wrong PINs of one caller, or for one conference, no more are taken for a while.
    pub max_wrong_pins: u32,
    /// How long a wrong PIN counts, in seconds.
    pub wrong_pin_window_s: u64,
    /// For how long no PIN is taken then, in seconds.
    pub lockout_s: u64,
    /// Caller ids that are not let in.
    pub banned: Vec<String>,
    /// Whether moderators are let into a conference that has `max_participants`.
    pub moderators_over_limit: bool,
    /// Whether moderators are let into a locked conference.
    pub moderators_over_lock: bool,
    /// From the transfer into the conference until the caller must be in it, in milliseconds.
    pub join_timeout_ms: u64,
    /// The directory on the switch for recorded names of callers; none: `play_name` does nothing.
    pub names: Option<String>,
    /// How long a recorded name may be, in seconds.
    pub name_limit_s: u32,
    /// The language of prompts unless a document says another one.
    pub language: String,
    /// Whether other daemons follow the same nodes and let callers in, too.
    pub shared: bool,
}

impl Default for Callin {
    fn default() -> Self {
        Self {
            enabled: false,
            contexts: Vec::new(),
            domains: Vec::new(),
            lobbies: Vec::new(),
            tries: 3,
            answer_timeout_ms: 5_000,
            digit_timeout_ms: 3_000,
            prompt_timeout_ms: 60_000,
            max_dialogues: 500,
            max_wrong_pins: 10,
            wrong_pin_window_s: 600,
            lockout_s: 600,
            banned: Vec::new(),
            moderators_over_limit: true,
            moderators_over_lock: false,
            join_timeout_ms: 5_000,
            names: None,
            name_limit_s: 5,
            language: "en".into(),
            shared: false,
        }
    }
}

impl Callin {
    /// The domains with their accounts; what cannot be read is left out.
    pub fn accounts_of_domains(&self) -> impl Iterator<Item = (String, AccountId)> {
        self.domains.iter().filter_map(|pair| parse_domain(pair))
    }
}

fn parse_domain(pair: &str) -> Option<(String, AccountId)> {
    let (domain, account) = pair.split_once('=')?;
    let domain = domain.trim().to_ascii_lowercase();
    (!domain.is_empty()).then_some(())?;
    Some((domain, account.trim().parse().ok()?))
}

pub(super) fn check(callin: &Callin, found: &mut Found) {
    for (at, context) in callin.contexts.iter().enumerate() {
        if context.trim().is_empty() {
            found.add(format!("callin.contexts[{at}]"), "expected the name of a context of the dialplan");
        }
    }
    for (at, pair) in callin.domains.iter().enumerate() {
        if parse_domain(pair).is_none() {
            found.add(format!("callin.domains[{at}]"), format!("expected DOMAIN=ACCOUNT, found `{pair}`"));
        }
    }
    for (at, number) in callin.lobbies.iter().enumerate() {
        if number.trim().is_empty() {
            found.add(format!("callin.lobbies[{at}]"), "expected a number that is dialled");
        }
    }
    found.range("callin.tries", callin.tries.into(), 1, 10);
    found.range("callin.answer_timeout_ms", callin.answer_timeout_ms, 1_000, 120_000);
    found.range("callin.digit_timeout_ms", callin.digit_timeout_ms, 500, 60_000);
    found.range("callin.prompt_timeout_ms", callin.prompt_timeout_ms, 100, 600_000);
    found.range("callin.max_dialogues", callin.max_dialogues.into(), 1, 100_000);
    found.range("callin.max_wrong_pins", callin.max_wrong_pins.into(), 1, 10_000);
    found.range("callin.wrong_pin_window_s", callin.wrong_pin_window_s, 1, DAY_MS / 1_000);
    found.range("callin.lockout_s", callin.lockout_s, 1, DAY_MS / 1_000);
    found.range("callin.join_timeout_ms", callin.join_timeout_ms, 100, 60_000);
    found.range("callin.name_limit_s", callin.name_limit_s.into(), 1, 60);
    if let Some(directory) = &callin.names
        && let Err(refused) = check_directory(directory)
    {
        found.add("callin.names", format!("`{directory}` is no directory of a switch: it {refused}"));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if callin.language.is_empty() || !callin.language.chars().all(is_plain) {
        found.add(
            "callin.language",
            format!("expected letters, digits and . _ -, found `{}`", callin.language),
        );
    }
}

macro_rules! prompts {
    ($($(#[$doc:meta])* $key:ident = $default:literal,)*) => {
        /// `[prompts]`: what callers hear. A file of the switch, in which `{language}` is the language, or a stream such
        /// as `tone_stream://...`.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Prompts {
            $($(#[$doc])* pub $key: String,)*
        }

        impl Default for Prompts {
            fn default() -> Self {
                Self { $($key: $default.into(),)* }
            }
        }

        pub(super) fn check_prompts(prompts: &Prompts, found: &mut Found) {
            $(
                let text = prompts.$key.replace("{language}", "en");
                if let Err(refused) = Sound::new(&text) {
                    found.add(concat!("prompts.", stringify!($key)), format!("`{}` cannot be played: it {refused}", prompts.$key));
                }
            )*
        }
    };
}

prompts! {
    /// Kazoo's `conf-welcome`: before anything else, if the document says `play_welcome`.
    welcome = "tone_stream://%(150,50,523);%(150,50,659);%(300,0,784)",
    /// `conf-enter_conf_number`: type the number of a conference.
    enter_number = "tone_stream://%(200,100,440);%(200,100,440)",
    /// `conf-enter_conf_pin`: type the PIN.
    enter_pin = "tone_stream://%(200,100,800)",
    /// `conf-bad_conf`: there is no conference of that number.
    bad_number = "tone_stream://%(300,100,300);%(300,0,300)",
    /// `conf-bad_pin`: the PIN is wrong.
    bad_pin = "tone_stream://%(300,0,300)",
    /// `conf-too_many_attempts`: it ends here.
    too_many_attempts = "tone_stream://%(300,100,300);%(300,100,250);%(600,0,200)",
    /// `conf-max_participants`: the conference is full.
    full = "tone_stream://%(500,500,480,620);loops=3",
    /// `conf-locked`: the conference is locked.
    locked = "tone_stream://%(250,250,480,620);loops=4",
    /// No PIN is taken for a while: too many were wrong.
    locked_out = "tone_stream://%(300,100,300);%(300,100,250);%(600,0,200)",
    /// The caller is not let in anywhere.
    banned = "tone_stream://%(600,0,200)",
    /// There are too many callers, or the conferences cannot be looked up just now: call again.
    unavailable = "tone_stream://%(250,250,480,620);loops=4",
    /// Say your name.
    say_name = "tone_stream://%(400,0,1000)",
    /// Heard while waiting for a moderator, again and again.
    music = "tone_stream://%(300,4700,440);loops=-1",
    /// The tone when somebody joins, where a document says `play_entry_tone: true`.
    entry_tone = "tone_stream://%(200,0,500,600,700)",
    /// The tone when somebody leaves, where a document says `play_exit_tone: true`.
    exit_tone = "tone_stream://%(500,0,300,200,100,50,25)",
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Environment};
    fn problems(text: &str) -> Vec<String> {
        let config = Config::parse(text, Path::new("conf.toml"), &Environment::empty()).unwrap();
        config.check().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_cannot_be_played_or_meant_is_named() {
        for (text, named) in [
            ("[callin]\ndomains = [\"acme\"]", "callin.domains[0]: expected DOMAIN=ACCOUNT, found `acme`"),
            ("[callin]\ntries = 0", "callin.tries: expected 1 to 10, found 0"),
            ("[callin]\nnames = \"names\"", "callin.names: `names` is no directory"),
            ("[callin]\nlanguage = \"e n\"", "callin.language: expected letters"),
            ("[callin]\ncontexts = [\"\"]", "callin.contexts[0]: expected the name"),
            ("[prompts]\nbad_pin = \"${system(id)}\"", "prompts.bad_pin: `${system(id)}` cannot be played"),
            ("[prompts]\nbad_pin = \"a b\"", "prompts.bad_pin: `a b` cannot be played"),
            ("[prompts]\nmusic = \"\"", "prompts.music: `` cannot be played: it must not be empty"),
        ] {
            let found = problems(text);
            assert!(found.len() == 1 && found[0].starts_with(named), "{text}: {found:?}");
        }
        let fine = "[callin]\ndomains = [\"PBX.example.com = acme\"]\n[prompts]\n\
                    bad_pin = \"/usr/share/sounds/{language}/conf-bad_pin.wav\"\nmusic = \"local_stream://moh\"";
        assert_eq!(problems(fine), Vec::<String>::new());
        let config = Config::parse(fine, Path::new("conf.toml"), &Environment::empty()).unwrap();
        let domains: Vec<_> = config.callin.accounts_of_domains().collect();
        assert_eq!(domains, [("pbx.example.com".to_owned(), "acme".parse().unwrap())]);
    }

    #[test]
    fn the_prompts_that_come_with_it_need_no_files() {
        assert_eq!(problems(""), Vec::<String>::new());
    }
}
