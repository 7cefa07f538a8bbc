//! Files and recordings: play, stop, say, record.
//!
//! There is no disk here: every file can be played but those under `/nonexistent`, every file can be
//! recorded. There is no speech either: `say` fails, as on a switch without a voice.

use super::conference::{Answer, Handled, Syntax, say};
use super::{Place, Recording, RoomKey, Task, World};
use std::io::Write as _;

/// Where the switch may not write.
pub(crate) const UNWRITABLE: &str = "/unwritable/";
/// A recording's thread needs a moment to open or close its file.
const THREAD: u64 = 5_000;

/// Whether there is no such file to be played.
pub(crate) fn is_missing(file: &str) -> bool {
    file.starts_with("/nonexistent")
}

/// How long a file is heard (µs); `None`: without end. A tone says it itself (`%(on,off,...)`, `loops=`), as
/// silence does; everything else lasts two seconds.
pub(crate) fn length(file: &str) -> Option<u64> {
    match file.strip_prefix("file_string://") {
        Some(files) => files.split('!').map(length_of_one).sum(),
        None => length_of_one(file),
    }
}

fn length_of_one(file: &str) -> Option<u64> {
    const LONGEST: u64 = 3_600_000;
    let number = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    let millis = if let Some(silence) = file.strip_prefix("silence_stream://") {
        if silence.starts_with('-') {
            return None;
        }
        number(silence.split(',').next())
    } else if let Some(tones) = file.strip_prefix("tone_stream://") {
        let mut once = 0;
        for tone in tones.split("%(").skip(1) {
            let mut fields = tone.split([',', ')']);
            once += number(fields.next()).min(LONGEST) + number(fields.next()).min(LONGEST);
        }
        match tones.split("loops=").nth(1).map(|loops| loops.split(';').next().unwrap_or(loops)) {
            Some(loops) if loops.starts_with('-') => return None,
            loops => once * number(loops).clamp(1, 1000),
        }
    } else if file.starts_with("local_stream://") {
        return None;
    } else {
        2_000
    };
    Some(millis.min(LONGEST) * 1000)
}

impl World {
    pub(crate) fn play(&mut self, key: RoomKey, args: &[&str], out: &mut Answer) -> Handled {
        let file = *args.first().ok_or(Syntax)?;
        let asynchronous = args.get(1) == Some(&"async");
        let target = args.get(1).filter(|_| !asynchronous);
        let spot = |line| ("conference_api.c", "conference_api_sub_play", line);
        let seat = match target {
            Some(selector) => match self.find_member(key, selector) {
                Some(seat) => Some(seat),
                None => {
                    // FreeSWITCH prints a pointer as a number here.
                    say!(out, "-ERR Member: {} not found.\n", 0x5f0c_u32);
                    return Ok(());
                }
            },
            None => None,
        };
        let is_async = asynchronous.to_string();
        if is_missing(file) {
            say!(out, "-ERR (play) File: {file} not found.\n");
            let extra = [("File", file), ("Async", &is_async), ("Error", "File could not be played")];
            let spot = ("conference_file.c", "conference_file_play", 268);
            self.fire_room(key, spot, "play-file", &extra);
            return Ok(());
        }
        match seat {
            Some(seat) => {
                let id = self.member(seat.0, seat.1).map_or(0, |m| m.id);
                say!(out, "+OK (play) Playing file {file} to member {id}\n");
                self.fire_member(seat, spot(2846), "play-file-member", [&[], &[("File", file)]]);
            }
            None => {
                say!(out, "+OK (play) Playing file {file}\n");
                self.fire_room(key, spot(2817), "play-file", &[("File", file), ("Async", &is_async)]);
            }
        }
        self.begin_playing(key, file, seat.map(|(_, place)| place), asynchronous);
        Ok(())
    }

    pub(crate) fn stop(&mut self, key: RoomKey, args: &[&str], out: &mut Answer) -> Handled {
        let what = *args.first().ok_or(Syntax)?;
        if !["current", "all", "async", "last"].contains(&what) {
            return Err(Syntax);
        }
        let place = match args.get(1) {
            Some(selector) => match self.find_member(key, selector) {
                Some((_, place)) => Some(place),
                None => {
                    say!(out, "-ERR Member: {selector} not found.\n");
                    return Ok(());
                }
            },
            None => None,
        };
        let Some(room) = self.rooms.get(&key) else { return Ok(()) };
        let meant = room.playing.iter().filter(|p| p.member == place && (what != "async" || p.asynchronous));
        let mut keys: Vec<u64> = meant.map(|p| p.key).collect();
        match what {
            "current" => keys.truncate(1),
            "last" => keys = keys.split_off(keys.len().saturating_sub(1)),
            _ => {}
        }
        say!(out, "+OK Stopped {} files.\n", keys.len());
        for playback in keys {
            self.finish_playing(key, playback);
        }
        Ok(())
    }

    /// What is being played; of sound neither how far it is nor how long. What is played beside it (`async`) is
    /// not told.
    pub(crate) fn play_status(&self, key: RoomKey, args: &[&str], out: &mut Answer) -> Handled {
        let place = match args.first() {
            Some(selector) => match self.find_member(key, selector) {
                Some((_, place)) => Some(place),
                None => {
                    say!(out, "-ERR Member: {selector} not found.\n");
                    return Err(Syntax);
                }
            },
            None => None,
        };
        let Some(room) = self.rooms.get(&key) else { return Ok(()) };
        match room.playing.iter().find(|playback| playback.member == place && !playback.asynchronous) {
            Some(playback) => {
                let path = playback.file.split_once("://").map_or(&*playback.file, |(_, path)| path);
                say!(out, "+OK 0/0 {path}\n");
            }
            None => say!(out, "-ERR Nothing is playing\n"),
        }
        Ok(())
    }

    /// A file comes to its end, by itself or stopped.
    pub(crate) fn finish_playing(&mut self, key: RoomKey, playback: u64) {
        let (now, Some(room)) = (self.now, self.rooms.get_mut(&key)) else { return };
        let Some(at) = room.playing.iter().position(|p| p.key == playback) else { return };
        let mut played = room.playing.remove(at);
        let heard = now.saturating_sub(played.started) / 1000;
        played.read_millis = played.read_millis.min(heard * 2);
        self.fire_played(key, &played, true);
    }

    /// A member leaves in the middle of a file played to it: its end has no member data.
    pub(crate) fn silence_member(&mut self, key: RoomKey, place: Place) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let (gone, stay) =
            std::mem::take(&mut room.playing).into_iter().partition(|p| p.member == Some(place));
        room.playing = stay;
        let gone: Vec<super::Playback> = gone;
        for mut played in gone {
            played.read_millis = 0;
            self.fire_played(key, &played, false);
        }
    }

    pub(crate) fn speak(&mut self, key: RoomKey, word: &str, args: &[&str], out: &mut Answer) -> Handled {
        if word == "say" {
            say!(out, "-ERR (say) Error!\n");
            return Err(Syntax);
        }
        let [selector, text @ ..] = args else { return Err(Syntax) };
        if text.is_empty() {
            return Err(Syntax);
        }
        let Some(seat) = self.find_member(key, selector) else {
            say!(out, "-ERR (saymember) Unknown Member {selector}!\n");
            return Ok(());
        };
        say!(out, "+OK (saymember) OK\n");
        let spot = ("conference_api.c", "conference_api_sub_saymember", 2944);
        self.fire_member(seat, spot, "speak-text-member", [&[], &[("Text", &text.join(" "))]]);
        Ok(())
    }

    pub(crate) fn recording_command(&mut self, key: RoomKey, args: &[&str], out: &mut Answer) -> Handled {
        let word = *args.first().ok_or(Syntax)?;
        self.recording_word(key, word, args.get(1..).unwrap_or_default(), out)
    }

    pub(crate) fn recording_word(
        &mut self,
        key: RoomKey,
        word: &str,
        args: &[&str],
        out: &mut Answer,
    ) -> Handled {
        if word == "check" {
            return self.check_recordings(key, out);
        }
        let path = *args.first().ok_or(Syntax)?;
        match word {
            "start" if self.recording(key, path).is_some() => {
                say!(out, "-ERR file [{path}] is already being used for recording.\n");
            }
            "start" => {
                say!(out, "+OK Record file {path}\n");
                // A recording is a member of the conference and takes an id.
                self.next_member_id();
                let since = self.now;
                let Some(room) = self.rooms.get_mut(&key) else { return Ok(()) };
                let place = room.next_place;
                room.next_place += 1;
                room.recordings.push(Recording { place, path: path.to_owned(), since, paused: false });
                self.schedule(THREAD, Task::RecordStart(key, path.to_owned()));
            }
            "stop" => self.stop_recording(key, path, out),
            "pause" | "resume" => self.pause_recording(key, path, word == "pause", out),
            _ => return Err(Syntax),
        }
        Ok(())
    }

    fn check_recordings(&mut self, key: RoomKey, out: &mut Answer) -> Handled {
        let Some(room) = self.rooms.get(&key) else { return Ok(()) };
        if room.recordings.is_empty() {
            say!(out, "-ERR Conference is not being recorded.\n");
        }
        for recording in &room.recordings {
            say!(out, "+OK Record file {}\n", recording.path);
        }
        Ok(())
    }

    /// The count is taken before the thread ends, so it says 0 even when one is stopped.
    fn stop_recording(&mut self, key: RoomKey, path: &str, out: &mut Answer) {
        let Some(room) = self.rooms.get(&key) else { return };
        let meant = room.recordings.iter().filter(|r| path == "all" || r.path == path);
        let paths: Vec<String> = meant.map(|r| r.path.clone()).collect();
        if paths.is_empty() && path != "all" {
            say!(out, "-ERR non-existant recording '{path}'\n");
        }
        for path in paths {
            say!(out, "Stopped recording file {path}\n");
            self.schedule(THREAD, Task::RecordStop(key, path));
        }
        say!(out, "+OK Stopped recording 0 files\n");
    }

    fn pause_recording(&mut self, key: RoomKey, path: &str, pause: bool, out: &mut Answer) {
        let (verb, action) =
            if pause { ("Pause", "pause-recording") } else { ("Resume", "resume-recording") };
        say!(out, "+OK {verb} recording file {path}\n");
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let Some(recording) = room.recordings.iter_mut().find(|r| r.path == path) else {
            return say!(out, "-ERR non-existant recording '{path}'\n");
        };
        recording.paused = pause;
        let spot = ("conference_api.c", "conference_api_sub_pauserec", 3860);
        self.fire_room(key, spot, action, &[("Path", path), ("Other-Recordings", "true")]);
    }

    pub(crate) fn recording_starts(&mut self, key: RoomKey, path: &str) {
        if path.starts_with(UNWRITABLE) {
            let spot = ("conference_record.c", "conference_record_thread_run", 286);
            let error = ("Error", "File could not be opened for recording");
            self.fire_room(key, spot, "start-recording", &[("Path", path), error]);
            return self.recording_stops(key, path);
        }
        self.files.insert(path.to_owned());
        let spot = ("conference_record.c", "conference_record_thread_run", 319);
        self.fire_room(key, spot, "start-recording", &[("Path", path)]);
    }

    pub(crate) fn recording_stops(&mut self, key: RoomKey, path: &str) {
        let (now, Some(room)) = (self.now, self.rooms.get_mut(&key)) else { return };
        let Some(at) = room.recordings.iter().position(|r| r.path == path) else { return };
        let recording = room.recordings.remove(at);
        let others = (!room.recordings.is_empty()).to_string();
        let millis = now.saturating_sub(recording.since) / 1000;
        let (samples, bytes) = ((millis * 8).to_string(), (millis * 16 + 44).to_string());
        let extra = [
            ("Path", path),
            ("Other-Recordings", &others),
            ("Samples-Out", &samples),
            ("Samplerate", "8000"),
            ("Milliseconds-Elapsed", &millis.to_string()),
            ("Record-File-Size", &bytes),
        ];
        let spot = ("conference_record.c", "conference_record_thread_run", 427);
        self.fire_room(key, spot, "stop-recording", &extra);
    }
}
