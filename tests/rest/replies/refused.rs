//! What FreeSWITCH says when it does not do it, or when nobody knows whether it does.

use serde_json::{Value, json};

use super::Source::{Read, Recorded};
use super::{Asked, Renamed, Scope, Source, Talk, assert_stands, each_action, renamed};
use crate::client::{Answer, column};

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    /// 200, with these results.
    Results(Vec<&'static str>),
    /// 502, with FreeSWITCH's words.
    Refused(String),
    /// 404: he, or it, is not there.
    Gone,
    /// 504: nobody knows.
    Unknown,
}

fn told(answer: &Answer) -> Told {
    const WORDS: [&str; 6] = ["already", "done", "failed", "not_found", "skipped_moderator", "unknown"];
    let data = answer.data();
    match answer.status.as_u16() {
        200 => {
            let mut results = column(&data["results"], "result");
            results.sort_by_key(Value::to_string);
            let known = |result: &Value| WORDS.into_iter().find(|word| result == word).expect("a known word");
            Told::Results(results.iter().map(known).collect())
        }
        502 => {
            assert_eq!(data["results"][0]["result"], "failed", "{data}");
            let reply = data["reply"].as_str().expect("its words");
            assert_eq!(data["results"][0]["reason"], format!("FreeSWITCH answered: {reply}"), "{data}");
            Told::Refused(reply.to_owned())
        }
        404 => {
            assert_eq!(data["results"][0]["result"], "not_found", "{data}");
            Told::Gone
        }
        504 => {
            assert_eq!(data["results"][0]["result"], "unknown", "{data}");
            Told::Unknown
        }
        _ => panic!("{}", answer.text()),
    }
}

impl Talk {
    /// The action is asked for, and its command answered so and not carried out.
    async fn answered(&self, asked: &Asked, words: &str) -> Told {
        self.house.switch().answer_instead(asked.command, words);
        let before = self.house.orders(0).len();
        let answer = self.ask(asked.scope, &asked.data).await;
        let sent = self.house.orders(0).split_off(before);
        assert!(sent.iter().any(|line| line.contains(asked.command)), "{}: {sent:?}", asked.data);
        self.house.switch().answer_truly();
        told(&answer)
    }

    /// Until nobody is new any more: of who has just joined it is asked again.
    async fn of_age() -> Self {
        // So long an effect is waited for that does not come.
        let talk = Self::with(|config| config.node[0].command_timeout_ms = 600).await;
        let registry = &talk.house.daemon.context().registry;
        let joined = registry.conference("talk")[0].by_member_id(3).expect("he is there").joined_unix_ms;
        while convened::model::Moment::now().unix_ms <= joined + 2_100 {
            crate::client::look_again().await;
        }
        talk
    }
}

const NO_ROOM: Source = Recorded("actions", "-ERR Conference actions-1 not found\n");
const USAGE: Source = Recorded("actions", "mute <[member_id|all]|last|non_moderator> [<quiet>]");
const NO_COMMAND: Source = Recorded("actions", "-ERR Conference command 'nosuch' not found.\n");
const NO_ID: Source = Recorded("actions", "-ERR Non-Existant ID 99999\n");
const NO_CALL: Source = Recorded("tags", "-ERR Non-Existant member\n");
/// What a user of the event socket is told who may not.
const FORBIDDEN: Source = Read("mod_event_socket.c:parse_command -ERR permission denied");
/// Nothing was printed.
const EMPTY: Source = Read("mod_event_socket.c:api_exec -ERR no reply\n");
const NO_WORD: Source =
    Read("conference_api.c:conference_api_main_real Conference command, not specified.\nTry 'help'\n");
/// Before 1.8 there was neither `+OK` nor `-ERR`.
const OLD: Source = Read("conference_api.c:conference_api_sub_mute OK mute 2\n");

const NAMES: Renamed =
    &[("actions-1", "talk"), ("5", "1"), ("6", "2"), ("7", "3"), ("99999", "2"), ("358", "1")];

fn words(source: Source) -> String {
    match source {
        Recorded(_, words) => renamed(words, NAMES),
        Read(place) => place.split_once(' ').expect("a place, and the words").1.to_owned(),
    }
}

/// What actions have in common as far as replies go: a column of the table.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A conference, by one command.
    Whole,
    /// A conference by everybody in it.
    End,
    /// A setting: asked for, set, and asked for again. The first question is answered so.
    Set,
    /// Everybody, by one command for all.
    All,
    /// Everybody but the moderator, by one command for each. That for one of the two is answered so.
    Each,
    /// Two.
    Relate,
    /// One participant.
    One,
}

impl Kind {
    fn of(asked: &Asked) -> Self {
        match (asked.scope, asked.data["action"].as_str().unwrap()) {
            (Scope::Conference, "end") => Self::End,
            (Scope::Conference, "set") => Self::Set,
            (Scope::Conference, _) => Self::Whole,
            (Scope::Several, "relate") => Self::Relate,
            (Scope::Several, "volume_in" | "volume_out" | "energy") => Self::Each,
            (Scope::Several, _) => Self::All,
            (Scope::One, _) => Self::One,
        }
    }
}

/// A cell of the table.
#[derive(Debug, Clone, Copy)]
enum Cell {
    /// It does not come for it.
    Never,
    /// 502, with these words.
    No,
    /// 404.
    Gone,
    /// 504.
    Unsure,
    /// 200, with these results.
    Results(&'static [&'static str]),
}

const DONE: Cell = Cell::Results(&["done"]);
const NOBODY: Cell = Cell::Results(&[]);
const ONE_GONE: Cell = Cell::Results(&["done", "not_found"]);
const ONE_NOT: Cell = Cell::Results(&["done", "failed"]);

/// In the order of [`Kind`].
#[rustfmt::skip]
const TABLE: [(Source, [Cell; 7]); 9] = {
    use Cell::{Gone, Never, No, Results, Unsure};
    [
        //           whole  end     set   all                      each      relate one
        (NO_ROOM,    [Gone, Gone,   Gone, Results(&["not_found"]), ONE_GONE, Gone,  Gone]),
        (NO_COMMAND, [No,   No,     No,   No,                      ONE_NOT,  No,    No]),
        (USAGE,      [No,   No,     DONE, No,                      ONE_NOT,  No,    No]),
        (NO_WORD,    [No,   No,     DONE, No,                      ONE_NOT,  No,    No]),
        (OLD,        [No,   No,     DONE, No,                      ONE_NOT,  No,    No]),
        (FORBIDDEN,  [No,   No,     No,   No,                      ONE_NOT,  No,    No]),
        (EMPTY,      [No,   Unsure, DONE, NOBODY,                  ONE_NOT,  No,    No]),
        (NO_ID,      [Never, Never, Never, Results(&["failed"]),   ONE_GONE, No,    Gone]),
        (NO_CALL,    [Never, Never, Never, Never,                  ONE_GONE, No,    Gone]),
    ]
};

fn told_by(cell: Cell, source: Source) -> Told {
    let text = words(source);
    match cell {
        Cell::Never => panic!("it does not come"),
        // The line that says no, or all of it.
        Cell::No => {
            let line = text.lines().find(|line| line.starts_with("-ERR"));
            Told::Refused(line.unwrap_or(&text).trim_end().to_owned())
        }
        Cell::Gone => Told::Gone,
        Cell::Unsure => Told::Unknown,
        Cell::Results(results) => Told::Results(results.to_vec()),
    }
}

#[tokio::test]
async fn what_comes_for_any_action_is_told_for_each_as_what_it_is() {
    let talk = Talk::of_age().await;
    for (source, cells) in TABLE {
        assert_stands(source);
        for asked in each_action() {
            let cell = cells[Kind::of(&asked) as usize];
            if matches!(cell, Cell::Never) {
                continue;
            }
            let told = talk.answered(&asked, &words(source)).await;
            assert_eq!(told, told_by(cell, source), "{:?} {} {source:?}", asked.scope, asked.data);
        }
    }
}

/// Forms that come for some actions only: where, which action, which command is answered, what it says, what is told.
fn rows() -> Vec<(Scope, Value, &'static str, Source, Cell)> {
    use Cell::{Gone, No, Results, Unsure};
    use Scope::{Conference, One, Several};
    let plain = |action: &str| json!({ "action": action });
    let level = |action: &str, level: i64| json!({ "action": action, "level": level });
    let play = || json!({ "action": "play", "media_id": "a.wav" });
    let say = || json!({ "action": "say", "text": "Good morning" });
    let to = || json!({ "action": "transfer", "to": "other" });
    let set = || json!({ "action": "set", "max_members": 9 });
    let deaf =
        || json!({ "action": "relate", "participant_id": 2, "other_participant": 3, "relationship": "deaf" });
    let record = |what: &str| json!({ "action": "record", "data": { "action": what, "file": "/var/lib/freeswitch/recordings/none.wav" } });
    let begin = || json!({ "action": "record", "data": { "action": "start", "file": "none" } });
    let held = Recorded("actions", "-ERR floor is held by 5\n");
    let no_file = Recorded("actions", "-ERR (play) File: /nonexistent.wav not found.\n");
    let no_voice = Recorded("actions", "-ERR (say) Error!\nsay <text>");
    let skipped = Recorded("more", "Skipping moderator (member id 358).\n");
    let three = Recorded("actions", "+OK mute 7\n+OK mute 6\nSkipping moderator (member id 5).\n");
    let somebody = Recorded("actions", "8c3d364a-fb9f-4fd2-912a-0107cd777d24");
    vec![
        (One, plain("floor"), "talk floor ", held, No),
        // He had it, and has lost it by being asked to take it.
        (One, plain("floor"), "talk floor ", Recorded("more", "+OK floor none\n"), No),
        (
            One,
            plain("floor"),
            "talk floor ",
            Read(
                "conference_api.c:conference_api_sub_floor -ERR cannot set floor on a member in an active video role\n",
            ),
            No,
        ),
        // FreeSWITCH keeps to its bounds and says what it has made of it.
        (One, level("volume_in", 4), "talk volume_in ", Recorded("actions", "+OK Volume IN 6 = 2\n"), No),
        (One, level("volume_out", 4), "talk volume_out ", Recorded("actions", "+OK Volume OUT 6 = -1\n"), No),
        (One, level("energy", 200), "talk energy ", Recorded("actions", "Energy 6 = 100\n"), No),
        (One, level("energy", 250), "talk energy ", Recorded("actions", "Energy 6 = 250\n"), DONE),
        (
            One,
            level("energy", 200),
            "talk energy ",
            Read(
                "conference_api.c:conference_api_sub_energy Energy 2 = 200\nAuto-Energy level exceeded, Auto-Energy mode disabled\n",
            ),
            DONE,
        ),
        // Accepted before the file is opened: without the event nobody knows.
        (
            Conference,
            begin(),
            "talk recording start ",
            Recorded("actions", "+OK Record file /nonexistent/dir/x.wav\n"),
            Unsure,
        ),
        (
            Conference,
            begin(),
            "talk recording start ",
            Read(
                "conference_api.c:conference_api_sub_record -ERR file [/a.wav] is already being used for recording.\n",
            ),
            No,
        ),
        (
            Conference,
            record("stop"),
            "talk recording stop ",
            Recorded(
                "actions",
                "-ERR non-existant recording '/var/lib/freeswitch/recordings/none.wav'\n+OK Stopped recording 0 files\n",
            ),
            Results(&["already"]),
        ),
        (
            Conference,
            record("stop"),
            "talk recording stop ",
            Read("conference_api.c:conference_api_sub_norecord +OK Stopped recording 0 files\n"),
            Results(&["already"]),
        ),
        (
            Conference,
            record("pause"),
            "talk recording pause ",
            Read(
                "conference_api.c:conference_api_sub_pauserec +OK Pause recording file /a.wav\n-ERR non-existant recording '/a.wav'\n",
            ),
            No,
        ),
        (Conference, play(), "talk play ", no_file, No),
        (One, play(), "talk play ", no_file, No),
        (One, play(), "talk play ", Recorded("actions", "play <file_path> [async|<member_id> [nomux]]"), No),
        // An address is printed for the number.
        (
            One,
            play(),
            "talk play ",
            Read("conference_api.c:conference_api_sub_play -ERR Member: 24332 not found.\n"),
            Gone,
        ),
        (
            One,
            plain("stop_play"),
            "talk stop ",
            Read("conference_api.c:conference_api_sub_stop -ERR Member: 2 not found.\n"),
            Gone,
        ),
        (
            One,
            plain("stop_play"),
            "talk stop ",
            Recorded("actions", "+OK Stopped 0 files.\n"),
            Results(&["already"]),
        ),
        (Conference, say(), "talk say ", no_voice, No),
        (
            Conference,
            say(),
            "talk say ",
            Read("conference_api.c:conference_api_sub_say +OK (say) OK\n"),
            DONE,
        ),
        (
            One,
            say(),
            "talk saymember ",
            Read(
                "conference_api.c:conference_api_sub_saymember -ERR (saymember) Error!\nsaymember <member_id> <text>",
            ),
            No,
        ),
        (
            One,
            say(),
            "talk saymember ",
            Read(
                "conference_api.c:conference_api_sub_saymember -ERR (saymember) Unknown Member 2!\nsaymember <member_id> <text>",
            ),
            Gone,
        ),
        (
            One,
            json!({ "action": "dtmf", "digits": "1" }),
            "talk dtmf ",
            Read("conference_api.c:conference_api_sub_dtmf -ERR Invalid input!\n"),
            No,
        ),
        (
            One,
            to(),
            "talk transfer ",
            Read("conference_api.c:conference_api_sub_transfer -ERR No Member 2 in conference talk.\n"),
            Gone,
        ),
        (Conference, set(), "talk set ", NO_ROOM, Gone),
        (Conference, set(), "talk set ", FORBIDDEN, No),
        (Conference, set(), "talk set ", EMPTY, Unsure),
        (Conference, set(), "talk set ", Recorded("actions", "0"), Unsure),
        (
            Several,
            deaf(),
            "talk relate 2 3 ",
            Recorded("actions", "-ERR relationship 6->99999 not found.\n"),
            No,
        ),
        (
            Several,
            deaf(),
            "talk relate 2 3 ",
            Read("conference_api.c:_conference_api_sub_relate_set_member_relationship -ERR error!\n"),
            No,
        ),
        (Several, plain("mute"), "talk mute ", skipped, Results(&["skipped_moderator"])),
        (
            Several,
            plain("kick"),
            "talk hup ",
            Read("conference_api.c:conference_api_sub_hup -ERR Invalid member!\n"),
            No,
        ),
        // The number of one who was there when it was last asked.
        (One, play(), "talk get-uuid ", NO_ID, Gone),
        (One, play(), "talk get-uuid ", somebody, Gone),
        (One, play(), "talk get-uuid ", FORBIDDEN, No),
        (One, play(), "talk get-uuid ", EMPTY, No),
        (
            One,
            play(),
            "talk get-uuid ",
            Read("conference_api.c:conference_api_dispatch get-uuid <member_id|last>"),
            No,
        ),
        // What is said to have been done and is not so.
        (Conference, plain("lock"), "talk lock", Recorded("actions", "+OK actions-1 locked\n"), Unsure),
        (One, plain("mute"), "talk mute ", Recorded("actions", "+OK mute 6\n"), Unsure),
        (One, plain("deaf"), "talk deaf ", Recorded("actions", "+OK deaf 6\n"), Unsure),
        (One, plain("hold"), "talk hold ", Recorded("actions", "+OK hold 6\n"), Unsure),
        (Several, deaf(), "talk relate 2 3 ", Recorded("actions", "+OK 6->7 nohear set\n"), Unsure),
        (Several, plain("mute"), "talk mute ", three, Results(&["skipped_moderator", "unknown", "unknown"])),
        (
            Several,
            plain("mute"),
            "talk mute ",
            Read("conference_api.c:conference_api_sub_mute +OK mute 2\nwhat?\n"),
            No,
        ),
        (One, plain("kick"), "talk hup ", Recorded("actions", "+OK hup 7\n"), Unsure),
        (
            One,
            to(),
            "talk transfer ",
            Recorded("actions", "+OK Member '7' sent to conference actions-1-b.\n"),
            Unsure,
        ),
    ]
}

#[tokio::test]
async fn what_comes_for_some_actions_is_told_as_what_it_is() {
    let talk = Talk::of_age().await;
    for (scope, data, command, source, cell) in rows() {
        assert_stands(source);
        let asked = Asked { scope, data, command };
        let told = talk.answered(&asked, &words(source)).await;
        assert_eq!(told, told_by(cell, source), "{scope:?} {} {source:?}", asked.data);
    }
}
