//! Files and URLs: what may be played, and what may be recorded to.

use std::fmt;

use super::{LONGEST_WORD, Refused, check, shown};

/// Where media are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Directories on the switch that may be played from; a relative name is one within the first.
    pub roots: Vec<String>,
    /// URL schemes that may be played.
    pub schemes: Vec<String>,
    /// The directory on the switch that may be recorded to, with one for each account in it.
    pub recordings: Option<String>,
}

/// A file or URL to play, as one word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media(String);

/// The directory for recordings of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingPlace(String);

/// A file that is recorded to, as one word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingFile(String);

/// More than this is no path and no URL that somebody means.
pub(super) const LONGEST_PATH: usize = 512;
/// Endings of sound files that can be written: mod_sndfile, mod_native_file, mod_shout, mod_av.
pub(super) const FORMATS: [&str; 9] = [".wav", ".flac", ".ogg", ".mp3", ".mp4", ".gsm", ".ul", ".al", ".raw"];

/// What may be in a path or URL: no blank, no quote, nothing that is expanded or delimits.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '/' | '.' | '_' | '-' | '~' | '@' | ':' | '%' | '=' | '&' | '?' | '+')
}

/// A path within a directory, without a step out of it.
fn within(directory: &str, path: &str) -> Result<String, Refused> {
    let is_step = |part: &str| part == "." || part == "..";
    if path.split('/').any(is_step) {
        return Err(Refused::Outside);
    }
    Ok(format!("{}/{}", directory.trim_end_matches('/'), path.trim_start_matches('/')))
}

/// Whether a configured directory can be sent.
///
/// # Errors
/// [`Refused`] says why not.
pub fn check_directory(text: &str) -> Result<(), Refused> {
    check(text, LONGEST_PATH, is_plain)?;
    if !text.starts_with('/') {
        return Err(Refused::Outside);
    }
    within("", text).map(drop)
}

impl Media {
    /// A URL of a configured scheme, an absolute path within a configured root, or a name in the first root.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(text: &str, places: &Places) -> Result<Self, Refused> {
        check(text, LONGEST_PATH, is_plain)?;
        if let Some((scheme, rest)) = text.split_once("://") {
            let known = places.schemes.iter().any(|known| known == scheme);
            return if known && !rest.is_empty() {
                Ok(Self(text.to_owned()))
            } else {
                Err(Refused::NotConfigured)
            };
        }
        if !text.starts_with('/') {
            let root = places.roots.first().ok_or(Refused::NotConfigured)?;
            return within(root, text).map(Self);
        }
        for root in &places.roots {
            let inside =
                text.strip_prefix(root.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
            if let Some(rest) = inside {
                return within(root, rest).map(Self);
            }
        }
        Err(Refused::NotConfigured)
    }

    pub(super) fn of_sound(sound: String) -> Self {
        Self(sound)
    }
}

impl RecordingPlace {
    /// The account's own part of the configured directory: what one account records no other one overwrites.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn new(places: &Places, account: &str) -> Result<Self, Refused> {
        let directory = places.recordings.as_deref().ok_or(Refused::NoRecordings)?;
        check(account, LONGEST_WORD, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))?;
        within(directory, account).map(Self)
    }

    /// A file in it, by a name that may have directories before it; without an ending it is a `.wav`.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn file(&self, name: &str) -> Result<RecordingFile, Refused> {
        check(name, LONGEST_PATH, |c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))?;
        if name.starts_with('/') {
            return Err(Refused::Outside);
        }
        let file = name.rsplit('/').next().unwrap_or_default();
        let (stem, ending) = file.rfind('.').map_or((file, ".wav"), |dot| file.split_at(dot));
        if stem.is_empty() {
            return Err(Refused::Empty);
        }
        if !FORMATS.contains(&ending) {
            return Err(Refused::Format);
        }
        let name = if file.contains('.') { name.to_owned() } else { format!("{name}{ending}") };
        within(&self.0, &name).map(RecordingFile)
    }

    /// A file that no other recording has: of this instance, begun in that second.
    pub fn fresh(&self, conference: &str, instance: &str, unix_s: u64) -> RecordingFile {
        let plain = |text: &str, most: usize| -> String {
            let all = text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            all.take(most).collect()
        };
        let (conference, instance) = (plain(conference, 64), plain(instance, 8));
        RecordingFile(format!("{}/{conference}-{unix_s}-{instance}.wav", self.0))
    }
}

impl RecordingFile {
    /// A recording that runs, by its whole path, whoever began it; or by the name in the account's own place.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn running(text: &str, place: Result<RecordingPlace, Refused>) -> Result<Self, Refused> {
        match text.starts_with('/') {
            true => check(text, LONGEST_PATH, is_plain).map(|()| Self(text.to_owned())),
            false => place?.file(text),
        }
    }

    /// Its path on the switch.
    pub fn path(&self) -> &str {
        &self.0
    }
}

shown!(Media, RecordingFile);

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::actions::words) fn places() -> Places {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        Places {
            roots: texts(&["/usr/share/freeswitch/sounds", "/srv/media/"]),
            schemes: texts(&["https", "local_stream"]),
            recordings: Some("/var/lib/freeswitch/recordings/".to_owned()),
        }
    }

    #[test]
    fn media_is_where_the_configuration_says() {
        for (asked, played) in [
            ("en/ivr/hello.wav", "/usr/share/freeswitch/sounds/en/ivr/hello.wav"),
            ("/usr/share/freeswitch/sounds/a.wav", "/usr/share/freeswitch/sounds/a.wav"),
            ("/srv/media/a/b.mp3", "/srv/media/a/b.mp3"),
            ("https://media.example.com/a.mp3?x=1", "https://media.example.com/a.mp3?x=1"),
            ("local_stream://moh", "local_stream://moh"),
        ] {
            assert_eq!(Media::new(asked, &places()).unwrap().to_string(), played);
        }
        assert_eq!(check_directory("/srv/media"), Ok(()));
        for wrong in ["", "srv", "/srv/my media", "/srv/../etc", "/srv/${x}"] {
            assert!(check_directory(wrong).is_err(), "{wrong}");
        }
        for (asked, why) in [
            ("", Refused::Empty),
            ("../../etc/passwd", Refused::Outside),
            ("/srv/media/../x", Refused::Outside),
            ("/srv/mediator/x", Refused::NotConfigured),
            ("/etc/passwd", Refused::NotConfigured),
            ("http://example.com/a", Refused::NotConfigured),
            ("https://", Refused::NotConfigured),
            ("a b.wav", Refused::Character(' ')),
            ("${system(id)}", Refused::Character('$')),
            ("a.wav;b", Refused::Character(';')),
            ("a,b", Refused::Character(',')),
            ("{loops=3}a.wav", Refused::Character('{')),
        ] {
            assert_eq!(Media::new(asked, &places()), Err(why), "{asked}");
        }
        assert_eq!(Media::new("a.wav", &Places::default()), Err(Refused::NotConfigured));
    }

    #[test]
    fn a_recording_is_in_the_directory_of_its_account() {
        let place = RecordingPlace::new(&places(), "acme").unwrap();
        let directory = "/var/lib/freeswitch/recordings/acme";
        for (asked, file) in
            [("a", "a.wav"), ("b.mp3", "b.mp3"), ("2026/c.d.flac", "2026/c.d.flac"), ("x.y/z", "x.y/z.wav")]
        {
            assert_eq!(place.file(asked).unwrap().path(), format!("{directory}/{file}"));
        }
        for (asked, why) in [
            ("", Refused::Empty),
            ("a/", Refused::Empty),
            (".wav", Refused::Empty),
            ("../other/a.wav", Refused::Outside),
            ("a/../../b", Refused::Outside),
            ("/etc/passwd.wav", Refused::Outside),
            ("a.sh", Refused::Format),
            ("shout://a", Refused::Character(':')),
            ("a b", Refused::Character(' ')),
        ] {
            assert_eq!(place.file(asked), Err(why), "{asked}");
        }
        let fresh = place.fresh("daily'../x", "0a1b2c3d-4e5f", 1_795_426_324);
        assert_eq!(fresh.path(), format!("{directory}/dailyx-1795426324-0a1b2c3d.wav"));
        assert_eq!(RecordingPlace::new(&Places::default(), "acme"), Err(Refused::NoRecordings));
        assert!(RecordingPlace::new(&places(), "..").is_err());
        let known = RecordingFile::running("/srv/a.wav", Err(Refused::NoRecordings)).unwrap();
        assert_eq!(known.path(), "/srv/a.wav");
        assert_eq!(RecordingFile::running("a", Err(Refused::NoRecordings)), Err(Refused::NoRecordings));
    }
}
