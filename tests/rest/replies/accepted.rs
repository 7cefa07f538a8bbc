//! What FreeSWITCH says when it does what it was asked for. Here the simulated switch does it: that it says the same
//! is a part of this.

use serde_json::{Value, json};

use super::Source::{Read, Recorded};
use super::{Renamed, Scope, Source, Talk, assert_stands, renamed};
use crate::client::column;

/// Who was in the recorded conference.
const ACTIONS: Renamed = &[("5", "1"), ("6", "2"), ("7", "3"), ("actions-1", "talk")];
const RECORDING: Renamed =
    &[("/recordings/actions.wav", "/recordings/9d351ad7ffd6f846313af9eed3bb7b85/actions.wav")];

macro_rules! recorded_to {
    ($command:literal) => {
        concat!($command, "/var/lib/freeswitch/recordings/9d351ad7ffd6f846313af9eed3bb7b85/actions.wav")
    };
}
const FILE: Renamed = &[("6", "2"), ("tone_stream://%(200,0,500)", "/usr/share/freeswitch/sounds/a.wav")];

/// An action, the commands that it becomes, what the last of them but looks is answered, and what is told of it.
struct Row {
    scope: Scope,
    data: Value,
    /// `{ann}` is her call.
    command: &'static str,
    source: Source,
    names: Renamed,
    results: &'static [&'static str],
}

fn row(
    scope: Scope,
    data: Value,
    command: &'static str,
    (source, names): (Source, Renamed),
    results: &'static [&'static str],
) -> Row {
    let data = if data.is_string() { json!({ "action": data }) } else { data };
    Row { scope, data, command, source, names, results }
}

fn recorded(words: &'static str) -> (Source, Renamed) {
    (Recorded("actions", words), ACTIONS)
}

fn rows() -> Vec<Row> {
    use Scope::{Conference, One, Several};
    let relate = |relationship: &str| json!({ "action": "relate", "participant_id": 2, "other_participant": 3, "relationship": relationship });
    let record = |what: &str| json!({ "action": "record", "data": { "action": what, "file": "actions" } });
    let media = |media: &str| json!({ "action": "play", "media_id": media });
    let level = |action: &str, level: i64| json!({ "action": action, "level": level });
    let (done, already): (&[&str], &[&str]) = (&["done"], &["already"]);
    // In any order: FreeSWITCH begins with the newest.
    let both: &[&str] = &["done", "done", "skipped_moderator"];
    vec![
        row(Conference, json!("lock"), "lock", recorded("+OK actions-1 locked\n"), done),
        row(Conference, json!("unlock"), "unlock", recorded("+OK actions-1 unlocked\n"), done),
        row(
            Conference,
            media("a.wav"),
            "play /usr/share/freeswitch/sounds/a.wav",
            (Recorded("actions", "+OK (play) Playing file tone_stream://%(200,0,500)\n"), FILE),
            done,
        ),
        row(
            Conference,
            json!("stop_play"),
            "stop all",
            (Recorded("actions", "+OK Stopped 0 files.\n"), &[("0", "1")]),
            done,
        ),
        row(Conference, json!("stop_play"), "stop all", recorded("+OK Stopped 0 files.\n"), already),
        row(
            Conference,
            record("start"),
            recorded_to!("recording start "),
            (Recorded("actions", "+OK Record file /var/lib/freeswitch/recordings/actions.wav\n"), RECORDING),
            done,
        ),
        row(
            Conference,
            record("pause"),
            recorded_to!("recording pause "),
            (
                Recorded("actions", "+OK Pause recording file /var/lib/freeswitch/recordings/actions.wav\n"),
                RECORDING,
            ),
            done,
        ),
        row(
            Conference,
            record("resume"),
            recorded_to!("recording resume "),
            (
                Recorded("actions", "+OK Resume recording file /var/lib/freeswitch/recordings/actions.wav\n"),
                RECORDING,
            ),
            done,
        ),
        row(
            Conference,
            record("stop"),
            recorded_to!("recording stop "),
            (
                Recorded(
                    "actions",
                    "Stopped recording file /var/lib/freeswitch/recordings/actions.wav\n+OK Stopped recording 0 files\n",
                ),
                RECORDING,
            ),
            done,
        ),
        row(
            Conference,
            json!({ "action": "set", "max_members": 7 }),
            "set max_members 7",
            recorded("0"),
            done,
        ),
        row(
            Conference,
            json!({ "action": "set", "endconf_grace_time": 5 }),
            "set endconference_grace_time 5",
            (Read("conference_api.c:conference_api_sub_set 0"), &[]),
            done,
        ),
        row(One, json!("mute"), "mute uuid={ann}", recorded("+OK mute 6\n"), done),
        row(One, json!("mute"), "mute uuid={ann}", recorded("+OK mute 6\n"), already),
        row(One, json!("unmute"), "unmute uuid={ann}", recorded("+OK unmute 6\n"), done),
        row(One, json!("deaf"), "deaf uuid={ann}", recorded("+OK deaf 6\n"), done),
        row(One, json!("undeaf"), "undeaf uuid={ann}", recorded("+OK undeaf 6\n"), done),
        row(One, json!("hold"), "hold uuid={ann}", recorded("+OK hold 6\n"), done),
        row(One, json!("unhold"), "unhold uuid={ann}", recorded("+OK unhold 6\n"), done),
        row(
            One,
            level("volume_in", 2),
            "volume_in uuid={ann} 2",
            (Recorded("actions", "+OK Volume IN 6 = 2\n"), &[("6", "2")]),
            done,
        ),
        row(
            One,
            level("volume_out", -1),
            "volume_out uuid={ann} -1",
            (Recorded("actions", "+OK Volume OUT 6 = -1\n"), &[("6", "2")]),
            done,
        ),
        row(
            One,
            level("energy", 250),
            "energy uuid={ann} 250",
            (Recorded("actions", "Energy 6 = 250\n"), &[("6", "2")]),
            done,
        ),
        row(
            One,
            json!({ "action": "dtmf", "digits": "123" }),
            "dtmf uuid={ann} 123",
            recorded("+OK sent 123 to 6\n"),
            done,
        ),
        row(
            One,
            media("a.wav"),
            "play /usr/share/freeswitch/sounds/a.wav 2",
            (Recorded("actions", "+OK (play) Playing file tone_stream://%(200,0,500) to member 6\n"), FILE),
            done,
        ),
        row(
            One,
            json!({ "action": "say", "text": "Good morning" }),
            "saymember 2 Good morning",
            recorded("+OK (saymember) OK\n"),
            done,
        ),
        row(Several, relate("deaf"), "relate 2 3 nohear", recorded("+OK 6->7 nohear set\n"), done),
        row(Several, relate("mute"), "relate 2 3 nospeak", recorded("+OK 6->7 nospeak set\n"), done),
        row(Several, relate("clear"), "relate 2 3 clear", recorded("+OK relationship 6->7 cleared.\n"), done),
        row(
            Several,
            json!("mute"),
            "mute non_moderator",
            recorded("+OK mute 7\n+OK mute 6\nSkipping moderator (member id 5).\n"),
            both,
        ),
        row(
            Several,
            json!("unmute"),
            "unmute non_moderator",
            recorded("+OK unmute 7\n+OK unmute 6\nSkipping moderator (member id 5).\n"),
            both,
        ),
        row(
            Several,
            json!("deaf"),
            "deaf non_moderator",
            recorded("+OK deaf 7\n+OK deaf 6\nSkipping moderator (member id 5).\n"),
            both,
        ),
        row(
            Several,
            json!("undeaf"),
            "undeaf non_moderator",
            recorded("+OK undeaf 7\n+OK undeaf 6\nSkipping moderator (member id 5).\n"),
            both,
        ),
        row(
            Several,
            json!("hold"),
            "hold non_moderator",
            (
                Read(
                    "conference_member.c:conference_member_itterator +OK hold 3\n+OK hold 2\nSkipping moderator (member id 1).\n",
                ),
                &[],
            ),
            both,
        ),
        row(
            Several,
            json!("unhold"),
            "unhold non_moderator",
            (
                Read(
                    "conference_member.c:conference_member_itterator +OK unhold 3\n+OK unhold 2\nSkipping moderator (member id 1).\n",
                ),
                &[],
            ),
            both,
        ),
        // These leave.
        row(
            One,
            json!({ "action": "transfer", "to": "other" }),
            "transfer other@default 2",
            (
                Recorded("actions", "+OK Member '7' sent to conference actions-1-b.\n"),
                &[("7", "2"), ("actions-1-b", "other@default")],
            ),
            done,
        ),
        row(
            Several,
            json!("kick"),
            "hup all",
            (Recorded("actions", "+OK hup 10\n+OK hup 5\n"), &[("10", "3"), ("5", "1")]),
            &["done", "done"],
        ),
    ]
}

/// What it is answered, in the names of today.
fn words(row: &Row) -> String {
    match row.source {
        Recorded(_, words) => renamed(words, row.names),
        Read(place) => place.split_once(' ').expect("a place, and the words").1.to_owned(),
    }
}

#[tokio::test]
async fn what_is_done_is_said_in_the_recorded_words_and_told_as_done() {
    let talk = Talk::new().await;
    for row in rows() {
        assert_stands(row.source);
        let before = talk.house.orders(0).len();
        // The same switch as it would be if somebody else had asked.
        let mut twin = talk.house.switch().world(|world, _| world.clone());
        let answer = talk.ask(row.scope, &row.data).await.ok();
        let mut results = column(&answer["results"], "result");
        results.sort_by_key(Value::to_string);
        assert_eq!(results, row.results, "{}: {answer}", row.data);
        let command = format!("conference talk {}", row.command.replace("{ann}", &talk.ann));
        let sent = talk.house.orders(0).split_off(before);
        assert!(sent.contains(&format!("api {command}")), "{command}: {sent:?}");
        let printed = twin.api(twin.now(), &command);
        assert_eq!(String::from_utf8_lossy(&printed), words(&row), "{command}");
    }
}

#[tokio::test]
async fn kick_and_end_are_told_as_done_when_they_have_left() {
    for (path, action, words, results) in [
        ("conferences/talk/participants/2", "kick", "+OK hup 7\n", 1),
        ("conferences/talk", "end", "+OK hup 10\n+OK hup 5\n", 1),
    ] {
        assert_stands(Recorded("actions", words));
        let talk = Talk::new().await;
        let answer = talk.owner.act(path, action).await.ok();
        assert_eq!(column(&answer["results"], "result"), vec!["done"; results], "{action}");
    }
}
