//! What callers hear, by name.

use crate::actions::words::Sound;
use crate::config;

/// A prompt by its name; what it sounds like is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Prompt {
    /// Welcome.
    Welcome,
    /// Type the number of a conference.
    EnterNumber,
    /// Type the PIN.
    EnterPin,
    /// There is no conference of that number.
    BadNumber,
    /// The PIN is wrong.
    BadPin,
    /// That was the last try.
    TooManyAttempts,
    /// The conference is full.
    Full,
    /// It is locked.
    Locked,
    /// No PIN is taken for a while.
    LockedOut,
    /// This caller is not let in.
    Banned,
    /// Call again later.
    Unavailable,
    /// Say your name.
    SayName,
    /// Heard while waiting for a moderator.
    Music,
    /// Somebody joins.
    EntryTone,
    /// Somebody leaves.
    ExitTone,
}

/// The prompts of a daemon.
#[derive(Debug, Clone)]
pub(super) struct Prompts {
    texts: config::Prompts,
    language: String,
}

impl Prompts {
    /// As configured; in that language where nobody says another one.
    #[must_use]
    pub(super) fn new(texts: config::Prompts, language: &str) -> Self {
        Self { texts, language: language.to_owned() }
    }

    /// A prompt in a language; `None` if it cannot be played, which a check of the configuration finds.
    #[must_use]
    pub(super) fn sound(&self, prompt: Prompt, language: Option<&str>) -> Option<Sound> {
        let texts = &self.texts;
        let text = match prompt {
            Prompt::Welcome => &texts.welcome,
            Prompt::EnterNumber => &texts.enter_number,
            Prompt::EnterPin => &texts.enter_pin,
            Prompt::BadNumber => &texts.bad_number,
            Prompt::BadPin => &texts.bad_pin,
            Prompt::TooManyAttempts => &texts.too_many_attempts,
            Prompt::Full => &texts.full,
            Prompt::Locked => &texts.locked,
            Prompt::LockedOut => &texts.locked_out,
            Prompt::Banned => &texts.banned,
            Prompt::Unavailable => &texts.unavailable,
            Prompt::SayName => &texts.say_name,
            Prompt::Music => &texts.music,
            Prompt::EntryTone => &texts.entry_tone,
            Prompt::ExitTone => &texts.exit_tone,
        };
        Sound::new(&text.replace("{language}", language.unwrap_or(&self.language))).ok()
    }

    /// Several, one after the other.
    #[must_use]
    pub(super) fn sounds(&self, prompts: &[Prompt], language: Option<&str>) -> Option<Sound> {
        let sounds: Vec<_> = prompts.iter().filter_map(|prompt| self.sound(*prompt, language)).collect();
        Sound::all(&sounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_that_of_the_callers_language() {
        let texts = config::Prompts {
            bad_pin: "/sounds/{language}/conf-bad_pin.wav".into(),
            enter_pin: "/sounds/{language}/conf-enter_conf_pin.wav".into(),
            ..config::Prompts::default()
        };
        let prompts = Prompts::new(texts, "en");
        let heard =
            |language| prompts.sounds(&[Prompt::BadPin, Prompt::EnterPin], language).unwrap().to_string();
        assert_eq!(
            heard(None),
            "file_string:///sounds/en/conf-bad_pin.wav!/sounds/en/conf-enter_conf_pin.wav"
        );
        assert_eq!(
            heard(Some("de")),
            "file_string:///sounds/de/conf-bad_pin.wav!/sounds/de/conf-enter_conf_pin.wav"
        );
    }
}
