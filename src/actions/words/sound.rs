//! What a caller hears: a file or a stream, with the commas and semicolons of a tone.

use std::fmt;

use super::{LONGEST_PATH, Media, Places, Refused, check, shown};

/// Something that is played to one caller, as one word: an absolute path or a name of a file, or a URL. It may be a
/// tone (`tone_stream://%(200,0,500);loops=3`, mod_tone_stream), so it may hold commas, semicolons and brackets, and
/// has to be set as a variable of its own where a comma would end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound(String);

/// What mod_tone_stream plays.
const TONES: [&str; 2] = ["tone_stream://", "silence_stream://"];
/// No ear hears more, in hertz.
const HIGHEST_HZ: u32 = 20_000;
/// The longest that all of it may take, in milliseconds.
const LONGEST_MS: u32 = 60_000;
/// The longest tone, and pause behind it, of a document, in milliseconds: FreeSWITCH makes all of it at once, in memory.
const LONGEST_TONE_MS: u32 = 10_000;
/// So many of them in a row.
const MOST_TONES: usize = 16;
/// So often again.
const MOST_LOOPS: u32 = 20;

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
        Self::check_tone(text)?;
        match text.strip_prefix('%') {
            Some(_) => Self::new(&format!("tone_stream://{text}")),
            None if TONES.iter().any(|scheme| text.starts_with(scheme)) => Self::new(text),
            None => Media::new(text, places).map(|media| Self(media.to_string())),
        }
    }

    /// Whether what looks like a tone is one; everything else passes.
    ///
    /// # Errors
    /// [`Refused::NotATone`].
    pub fn check_tone(text: &str) -> Result<(), Refused> {
        if let Some(millis) = text.strip_prefix("silence_stream://") {
            return number(millis, LONGEST_TONE_MS)
                .and_then(|ms| if ms == 0 { Err(Refused::NotATone) } else { Ok(()) });
        }
        match text.strip_prefix("tone_stream://").or(text.starts_with('%').then_some(text)) {
            Some(tones) => check_tones(tones),
            None => Ok(()),
        }
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

/// `tones = [setting ";"] tone *(";" (tone | setting)) [";loops=" number]`, `setting = "v=" volume | "L=" times`,
/// `tone = "%(" on "," off 1*8("," frequency) ")"`: of TGML (libteletone_generate.c) the part that makes sound and
/// nothing else. mod_tone_stream would open any file (`path=`), or make hours of sound.
fn check_tones(text: &str) -> Result<(), Refused> {
    let (tones, loops) = match text.split_once(";loops=") {
        Some((tones, loops)) => (tones, number(loops, MOST_LOOPS)?),
        None => (text, 1),
    };
    let tones: Vec<_> = tones.split(';').collect();
    if tones.len() > MOST_TONES {
        return Err(Refused::NotATone);
    }
    let (mut whole, mut again, mut any) = (0, 1, false);
    for tone in tones {
        if let Some(volume) = tone.strip_prefix("v=") {
            number(volume.strip_prefix('-').unwrap_or(volume), 120)?;
            continue;
        }
        if let Some(times) = tone.strip_prefix("L=").or(tone.strip_prefix("l=")) {
            again = number(times, MOST_LOOPS)?.max(1);
            continue;
        }
        any = true;
        whole += length(tone)? * again;
    }
    if !any || whole * loops.max(1) > LONGEST_MS { Err(Refused::NotATone) } else { Ok(()) }
}

/// How long a tone is at most, in milliseconds.
fn length(tone: &str) -> Result<u32, Refused> {
    let inner = tone.strip_prefix("%(").and_then(|rest| rest.strip_suffix(')')).ok_or(Refused::NotATone)?;
    let parts: Vec<_> = inner.split(',').collect();
    // FreeSWITCH's own tone of who leaves has six frequencies.
    if !(3..=10).contains(&parts.len()) {
        return Err(Refused::NotATone);
    }
    let length = number(parts[0], LONGEST_TONE_MS)? + number(parts[1], LONGEST_TONE_MS)?;
    for frequency in &parts[2..] {
        let (whole, rest) = frequency.split_once('.').unwrap_or((frequency, "0"));
        number(whole, HIGHEST_HZ)?;
        number(rest, 999_999)?;
    }
    Ok(length)
}

fn number(text: &str, most: u32) -> Result<u32, Refused> {
    let digits = !text.is_empty() && text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(number) if digits && number <= most => Ok(number),
        _ => Err(Refused::NotATone),
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
        assert_eq!(of("silence_stream://1000").unwrap(), "silence_stream://1000");
        let vanilla = "%(500,0,300,200,100,50,25)";
        assert_eq!(of(vanilla).unwrap(), format!("tone_stream://{vanilla}"));
        assert_eq!(
            of("%(200,100,440);%(400,0,880);loops=3").unwrap(),
            "tone_stream://%(200,100,440);%(400,0,880);loops=3"
        );
        assert_eq!(of("http://example.com/a.mp3"), Err(Refused::NotConfigured));
        assert_eq!(of("/etc/passwd"), Err(Refused::NotConfigured));
    }

    #[test]
    fn a_tone_of_a_document_opens_no_file_and_ends() {
        for text in [
            "tone_stream://path=/dev/zero",
            "tone_stream://%(200,0,500);path=/etc/passwd",
            "%(60000000,0,440)",
            "%(10001,0,440)",
            "%(200,10001,440)",
            "%(200,0,440);loops=-1",
            "%(200,0,440);loops=21",
            "%(200,0,440);loops=2;loops=3",
            "%(200,0)",
            "%(200)",
            "%()",
            "%",
            "tone_stream://",
            "tone_stream://L=100000;%(200,0,440)",
            "tone_stream://L=20;%(10000,0,440)",
            "tone_stream://v=-7",
            "tone_stream://v=;%(200,0,440)",
            "%(200,0,4.4.0)",
            "%(200,0,440),%(200,0,440)",
            "%(200,0,-440)",
            "%(2e3,0,440)",
            "silence_stream://-1",
            "silence_stream://0",
            "%(10000,0,440);loops=20",
            "silence_stream://99999999",
            "silence_stream://0,1400",
        ] {
            assert_eq!(Sound::of_document(text, &places()), Err(Refused::NotATone), "{text}");
        }
        let many = vec!["%(1,0,1)"; MOST_TONES + 1].join(";");
        assert_eq!(Sound::of_document(&many, &places()), Err(Refused::NotATone));
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
