//! What a caller hears: a file or a stream, with the commas and semicolons of a tone.

use std::fmt;

use super::{LONGEST_PATH, Media, Places, Refused, check, shown};

/// Something that is played to one caller, as one word: an absolute path or a name of a file, or a URL. It may be a
/// tone (`tone_stream://%(200,0,500);loops=3`, mod_tone_stream), so it may hold commas, semicolons and brackets, and
/// has to be set as a variable of its own where a comma would end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound(String);

/// Schemes that read nothing from a disk or a network (mod_tone_stream).
const TONES: [&str; 2] = ["tone_stream://", "silence_stream://"];

impl Sound {
    /// Text of letters, digits and what stands in paths, URLs and tones: no blank, no quote, no `$`, no `!`, which
    /// parts the files of a `file_string`.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let plain = |c: char| {
            c.is_ascii_alphanumeric()
                || matches!(c, '/' | '.' | '_' | '-' | '~' | '@' | ':' | '%' | '=' | '&' | '?' | '+')
                || matches!(c, ',' | ';' | '(' | ')' | '*' | '#')
        };
        check(text, LONGEST_PATH, plain)?;
        if text.split('/').any(|part| part == "..") {
            return Err(Refused::Outside);
        }
        Ok(Self(text.to_owned()))
    }

    /// What a document says: a tone, a tone without its scheme (`%(200,0,500)`), or media that the configuration
    /// allows.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn of_document(text: &str, places: &Places) -> Result<Self, Refused> {
        if TONES.iter().any(|scheme| text.starts_with(scheme)) {
            return Self::new(text);
        }
        if text.starts_with('%') {
            return Self::new(&format!("tone_stream://{text}"));
        }
        Media::new(text, places).map(|media| Self(media.to_string()))
    }

    /// One after the other, as one sound (mod_dptools.c, `file_string_file_open`).
    #[must_use]
    pub fn all(sounds: &[Self]) -> Option<Self> {
        match sounds {
            [] => None,
            [one] => Some(one.clone()),
            many => {
                let many: Vec<_> = many.iter().map(|sound| sound.0.as_str()).collect();
                Some(Self(format!("file_string://{}", many.join("!"))))
            }
        }
    }
}

shown!(Sound);

impl From<Sound> for Media {
    /// A sound that the configuration names, to be played to somebody in a conference.
    fn from(sound: Sound) -> Self {
        Self::of_sound(sound.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::places;
    use super::super::tests::HOSTILE;
    use super::*;

    #[test]
    fn a_sound_is_one_word_that_nothing_expands() {
        for text in HOSTILE {
            // Neither a list nor an application is read in what is played.
            if !matches!(text, "a;b" | "&park()") {
                assert!(Sound::new(text).is_err(), "{text:?}");
            }
            assert!(Sound::of_document(text, &places()).is_err(), "{text:?}");
        }
        for text in ["tone_stream://%(200,0,500);loops=-1", "/a/b.wav", "local_stream://moh", "ivr/a.wav"] {
            assert_eq!(Sound::new(text).unwrap().to_string(), text);
        }
        assert_eq!(Sound::new("a!b"), Err(Refused::Character('!')));
        assert_eq!(Sound::new("/a/../b"), Err(Refused::Outside));
    }

    #[test]
    fn a_document_plays_tones_and_what_the_configuration_allows() {
        let of = |text: &str| Sound::of_document(text, &places()).map(|sound| sound.to_string());
        assert_eq!(of("%(200,0,500)").unwrap(), "tone_stream://%(200,0,500)");
        assert_eq!(of("tone_stream://%(1,2,3)").unwrap(), "tone_stream://%(1,2,3)");
        assert_eq!(of("https://media.example.com/a.mp3").unwrap(), "https://media.example.com/a.mp3");
        assert_eq!(of("http://example.com/a.mp3"), Err(Refused::NotConfigured));
        assert_eq!(of("/etc/passwd"), Err(Refused::NotConfigured));
    }

    #[test]
    fn several_sounds_are_one_after_the_other() {
        let sound = |text| Sound::new(text).unwrap();
        assert_eq!(Sound::all(&[]), None);
        assert_eq!(Sound::all(&[sound("a")]), Some(sound("a")));
        let both = Sound::all(&[sound("/a.wav"), sound("tone_stream://%(1,2,3)")]).unwrap();
        assert_eq!(both.to_string(), "file_string:///a.wav!tone_stream://%(1,2,3)");
    }
}
