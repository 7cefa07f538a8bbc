//! Applications that are sent to a parked call, one after another.

use crate::line::{answered, get, parked, parked_as};
use convened::sim::world::Caller;

#[test]
fn the_dialplan_sets_variables_and_parks() {
    let caller = Caller::new("Ann", "2001").dialling("800").context("conferences");
    let mut line = parked_as(caller.variable("account_id", "acme").variable("convened_callin", "true"));
    let events = line.events();
    let words: Vec<_> =
        events.iter().map(|event| (event.name.as_str(), get(event, "Application-Data"))).collect();
    assert_eq!(
        words,
        [
            ("CHANNEL_EXECUTE_COMPLETE", "account_id=acme".to_owned()),
            ("CHANNEL_EXECUTE_COMPLETE", "convened_callin=true".to_owned()),
            ("CHANNEL_PARK", String::new()),
        ]
    );
    let names = ["Caller-Context", "Caller-Destination-Number", "Answer-State", "variable_account_id"];
    assert_eq!(names.map(|name| get(&events[2], name)), ["conferences", "800", "ringing", "acme"]);
    assert_eq!(line.shown("context"), "conferences");
}

#[test]
fn messages_wait_for_each_other_under_an_event_lock() {
    let mut line = answered();
    for data in ["tone_stream://%(300,0,300)", "tone_stream://%(100,100,300);loops=2", "/sounds/a.wav"] {
        assert_eq!(line.send("playback", data), "+OK");
    }
    line.send("set", "a=${uuid}");
    let mut ends = Vec::new();
    for millis in 0..3000 {
        line.pass(1);
        ends.extend(line.told().into_iter().map(|word| (millis, word)));
    }
    let played = || "playback FILE PLAYED".to_owned();
    assert_eq!(ends, [(300, played()), (700, played()), (2700, played()), (2700, "set".to_owned())]);
    assert_eq!(line.variable("a"), line.call);
}

/// Tried: without a lock the next one is executed inside, and the one around it goes on afterwards.
#[test]
fn without_a_lock_an_application_is_executed_inside_the_one_before() {
    let mut line = answered();
    let play = |length: &str| {
        [("call-command", "execute"), ("execute-app-name", "playback")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .chain([("execute-app-arg".to_owned(), format!("tone_stream://%({length},0,300)"))])
            .collect::<Vec<_>>()
    };
    line.world.message(line.world.now(), &line.call, &play("1500"));
    line.pass(400);
    line.world.message(line.world.now(), &line.call, &play("300"));
    line.pass(301);
    let inner = line.events();
    assert_eq!(get(&inner[0], "Application-Data"), "tone_stream://%(300,0,300)");
    line.pass(1099);
    assert_eq!(line.told(), [""; 0]);
    line.pass(1);
    assert_eq!(line.told(), ["playback FILE PLAYED"]);
}

/// Tried: digits during a sound are lost, the star ends it, and those behind it are for what comes next.
#[test]
fn keys_in_a_sound_are_lost_but_for_the_star() {
    let mut line = answered();
    line.send("playback", "tone_stream://%(2000,0,300)");
    line.send("play_and_get_digits", r"1 16 1 1500 # silence_stream://100 silence_stream://100 pin \d+ 1000");
    line.pass(300);
    line.press("12");
    assert_eq!(line.told(), [""; 0]);
    line.press("*34");
    assert_eq!(line.told(), ["playback FILE PLAYED"]);
    line.pass(1000);
    assert_eq!((line.variable("pin"), line.variable("playback_terminator_used")), ("34".into(), "*".into()));
    // A parked call throws keys away (`switch_ivr_park`).
    line.press("7");
    line.send("play_and_get_digits", r"1 1 1 1000 # silence_stream://100 '' pin \d 1000");
    line.pass(1200);
    assert_eq!(line.variable("pin"), "_undef_");
}

/// Tried: a key ends a sleep, and is still there for the next.
#[test]
fn a_key_ends_a_sleep_and_stays() {
    let mut line = answered();
    line.send("sleep", "3000");
    line.send("play_and_get_digits", r"1 1 1 1000 # silence_stream://100 '' pin \d 1000");
    line.pass(300);
    line.press("5");
    assert_eq!(line.told(), ["sleep", "play_and_get_digits"]);
    assert_eq!(line.variable("pin"), "5");
}

/// Tried.
#[test]
fn a_file_that_does_not_exist_and_an_application_nobody_knows() {
    let mut line = answered();
    line.send("playback", "/nonexistent.wav");
    line.pass(1);
    assert_eq!(line.told(), ["playback FILE NOT FOUND"]);
    line.send("nosuch", "x");
    line.pass(1);
    assert_eq!(line.told(), ["park FILE NOT FOUND", "HANGUP DESTINATION_OUT_OF_ORDER"]);
    assert_eq!(line.send("answer", ""), format!("-ERR invalid session id [{}]", line.call));
}

/// Tried: the limit has to be exceeded by whole seconds of the clock.
#[test]
fn a_recording_ends_by_its_limit_by_silence_or_by_the_star() {
    let mut line = answered();
    line.world.advance((line.world.now() / 1_000_000 + 1) * 1_000_000 + 280_000);
    line.send("record", "/names/a.wav 1");
    line.pass(1719);
    assert_eq!(line.told(), [""; 0]);
    line.pass(1);
    assert_eq!(line.told(), ["record"]);
    assert_eq!(
        (line.variable("record_seconds"), line.variable("silence_hits_exhausted")),
        ("1".into(), "false".into())
    );
    line.send("record", "/names/b.wav 10 500 2");
    line.pass(1500);
    line.world.talk(line.world.now(), &line.call, true).expect("a call");
    line.pass(1500);
    line.world.talk(line.world.now(), &line.call, false).expect("a call");
    line.pass(1999);
    assert_eq!(line.told(), [""; 0], "he has been heard");
    line.pass(1);
    assert_eq!(line.told(), ["record"]);
    assert_eq!(line.variable("silence_hits_exhausted"), "true");
    line.send("record", "/names/c.wav");
    line.pass(500);
    line.press("#*");
    assert_eq!(line.told(), ["record"]);
    line.send("record", "/names/d.wav 10");
    line.pass(1000);
    line.hang_up();
    assert_eq!(line.told(), ["record", "park", "HANGUP NORMAL_CLEARING"]);
    assert_eq!(line.world.files(), ["/names/a.wav", "/names/b.wav", "/names/c.wav", "/names/d.wav"]);
}

#[test]
fn nothing_that_is_sent_brings_the_world_down() {
    let most = i64::MAX.to_string();
    let numbers = [most.as_str(), "-1", "x", "99999999999999999999", "'", "\\", "${"];
    for app in
        ["playback", "play_and_get_digits", "record", "sleep", "set", "multiset", "conference", "bridge"]
    {
        for a in numbers {
            for b in numbers {
                let mut line = answered();
                let tone = format!("tone_stream://%({a},{b},{a});loops={b}");
                line.send(app, &format!("{a} {b} {a} {b} {a} {tone} /nonexistent.wav {a} {b} {a} {b}"));
                line.send("playback", &tone);
                line.api(&format!("uuid_transfer {{}} {app}:{a},{b} inline"));
                line.world.settle();
            }
        }
    }
    let mut line = parked_as(Caller::new("Ann", "1").variable("park_timeout", &most));
    line.press("\u{0}ü");
    line.send("playback", &"file_string://".repeat(50_000));
    line.send("play_and_get_digits", &format!("1 9 1 1 # '' '' pin {}", "(".repeat(50_000)));
    line.pass(1);
    assert_eq!(line.api("uuid_exists {}"), "true");
}

/// Tried.
#[test]
fn where_nothing_can_be_written_a_recording_ends_the_call() {
    let mut line = answered();
    line.send("record", "/unwritable/a.wav 3");
    line.pass(1);
    assert_eq!(line.told(), ["record", "park", "HANGUP DESTINATION_OUT_OF_ORDER"]);
    assert!(line.world.files().is_empty());
}

/// Tried: what was sent and needs no channel is executed even for a call that has ended.
#[test]
fn a_hang_up_ends_what_is_in_the_middle_and_all_but_little_of_what_was_sent() {
    let mut line = answered();
    line.send("playback", "tone_stream://%(3000,0,300)");
    line.send("playback", "tone_stream://%(300,0,300)");
    line.send("answer", "");
    line.send("set", "x=y");
    line.pass(500);
    line.hang_up();
    assert_eq!(line.told(), ["playback PLAYBACK ERROR", "set", "park", "HANGUP NORMAL_CLEARING"]);
    assert_eq!(line.api("uuid_exists {}"), "false");
    line.pass(10_000);
    assert_eq!(line.told(), [""; 0]);
}

/// Tried: it is a message as any other, and waits. `uuid_kill` does not.
#[test]
fn a_hang_up_by_message_waits_for_the_lock_and_one_by_command_does_not() {
    let hangup = [("call-command", "hangup"), ("hangup-cause", "USER_BUSY")];
    let mut line = answered();
    line.send("playback", "tone_stream://%(1000,0,300)");
    assert_eq!(line.send_with(&hangup), "+OK");
    line.pass(1000);
    assert_eq!(line.told(), [""; 0]);
    line.pass(1);
    assert_eq!(line.told(), ["playback FILE PLAYED", "park FILE PLAYED", "HANGUP USER_BUSY"]);
    let mut line = answered();
    line.send("playback", "tone_stream://%(1000,0,300)");
    line.pass(100);
    assert_eq!(line.api("uuid_kill {} CALL_REJECTED"), "+OK\n");
    assert_eq!(line.told(), ["playback PLAYBACK ERROR", "park PLAYBACK ERROR", "HANGUP CALL_REJECTED"]);
}

/// Tried.
#[test]
fn a_break_ends_one_sound_or_everything() {
    for (words, played) in [("", 2), (" all", 1)] {
        let mut line = answered();
        line.send("playback", "tone_stream://%(1500,0,300)");
        line.send("playback", "tone_stream://%(1000,0,300)");
        line.pass(400);
        line.api(&format!("uuid_break {{}}{words}"));
        assert_eq!(line.told(), ["playback FILE PLAYED"]);
        line.pass(2000);
        assert_eq!(line.told().len() + 1, played);
    }
}

/// Tried: the time is set once, counts on while an application is in the middle, and is looked at when that has
/// ended.
#[test]
fn whoever_is_parked_for_too_long_is_hung_up() {
    let call = |timeout: &str| parked_as(Caller::new("Ann", "1").variable("park_timeout", timeout));
    let mut line = call("3:NO_ANSWER");
    line.told();
    assert_eq!(line.variable("park_timeout"), "_undef_");
    line.pass(3000);
    assert_eq!(line.told(), ["park", "HANGUP NO_ANSWER"]);
    let mut line = call("3");
    line.pass(1000);
    line.send("playback", "tone_stream://%(4000,0,300)");
    line.pass(3500);
    line.told();
    assert_eq!(line.api("uuid_exists {}"), "true");
    line.pass(501);
    assert_eq!(line.told(), ["playback FILE PLAYED", "park FILE PLAYED", "HANGUP NORMAL_CLEARING"]);
}

/// Tried.
#[test]
fn nobody_is_parked_inside_a_park() {
    let mut line = answered();
    line.send("park", "");
    line.pass(1);
    assert_eq!(line.told(), ["park"]);
    line.send("set", "a=b");
    line.pass(1);
    assert_eq!(line.told(), ["set"], "it is parked as before");
}

/// Tried: names in any case, numbers, and what is unknown.
#[test]
fn a_cause_is_one_that_the_switch_knows() {
    for (given, cause, q850) in [
        ("user_busy", "USER_BUSY", "17"),
        ("21", "CALL_REJECTED", "21"),
        ("NO_SUCH_CAUSE", "NORMAL_CLEARING", "16"),
        ("MANAGER_REQUEST", "MANAGER_REQUEST", "16"),
    ] {
        let mut line = answered();
        line.api(&format!("uuid_kill {{}} {given}"));
        let event = line.events().pop().expect("told");
        let names = ["Hangup-Cause", "variable_hangup_cause_q850", "variable_sip_hangup_disposition"];
        assert_eq!(names.map(|name| get(&event, name)), [cause, q850, "send_bye"]);
    }
}

/// Tried: before the answer a caller takes his call back, early media or not.
#[test]
fn who_hangs_up_before_the_answer_has_cancelled() {
    let mut line = parked();
    line.send("playback", "tone_stream://%(2000,0,300)");
    line.pass(400);
    line.hang_up();
    let events = line.events();
    let told: Vec<_> = events.iter().map(|event| (event.name.as_str(), get(event, "Hangup-Cause"))).collect();
    let cause = || "ORIGINATOR_CANCEL".to_owned();
    let executed = ("CHANNEL_EXECUTE_COMPLETE", cause());
    assert_eq!(told, [executed.clone(), executed, ("CHANNEL_HANGUP_COMPLETE", cause())]);
    assert_eq!(get(&events[2], "variable_sip_hangup_disposition"), "recv_cancel");
}

/// Tried: what was executed last is shown, even when it is over.
#[test]
fn show_channels_shows_what_was_executed_last() {
    let mut line = parked();
    assert_eq!((line.shown("application"), line.shown("callstate")), ("park".into(), "RINGING".into()));
    line.send("playback", "tone_stream://%(300,0,300)");
    line.pass(100);
    assert_eq!((line.shown("application"), line.shown("callstate")), ("playback".into(), "EARLY".into()));
    line.pass(300);
    assert_eq!(line.shown("application_data"), "tone_stream://%(300,0,300)");
    line.send("answer", "");
    line.pass(1);
    assert_eq!((line.shown("application"), line.shown("callstate")), ("answer".into(), "ACTIVE".into()));
}

/// Tried: each of these answers.
#[test]
fn commands_for_a_call_answer_as_they_did() {
    let mut line = parked();
    let id = line.call.clone();
    for (command, answer) in [
        ("uuid_setvar_multi {} a=b;c=d;e", "+OK\n"),
        ("uuid_getvar {} a", "b"),
        ("uuid_getvar {} c", "d"),
        ("uuid_getvar {} nosuch", "_undef_"),
        ("uuid_setvar {} t tone_stream://%(200,0,500);%(100,0,300)", "+OK\n"),
        ("uuid_getvar {} t", "tone_stream://%(200,0,500);%(100,0,300)"),
        ("uuid_setvar {} a", "+OK\n"),
        ("uuid_getvar {} a", "_undef_"),
        ("uuid_getvar {}", "-USAGE: <uuid> <var>\n"),
        ("uuid_setvar {}", "-USAGE: <uuid> <var> [value]\n"),
        (
            "uuid_setvar_multi nobody a=b",
            "-ERR No such channel!\n-USAGE: <uuid> <var>=<value>;<var>=<value>...\n",
        ),
        (
            "uuid_setvar_multi {} =b",
            "-ERR No variable specified\n-USAGE: <uuid> <var>=<value>;<var>=<value>...\n",
        ),
        ("uuid_dump nobody plain", "-ERR No such channel!\n"),
        ("uuid_dump", "-USAGE: <uuid> [format]\n"),
        ("uuid_break nobody", "-ERR No such channel!\n"),
        ("uuid_break", "-USAGE: <uuid> [all]\n"),
        ("uuid_kill", "-USAGE: <uuid> [cause]\n"),
        ("uuid_transfer {}", "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"),
        ("uuid_exists", "false"),
        ("uuid_exists {}", "true"),
    ] {
        assert_eq!(line.api(command), answer, "{command}");
    }
    // `plain` is the one that is not encoded.
    let plain = line.api("uuid_dump {} plain");
    assert!(plain.starts_with("Event-Name: [CHANNEL_DATA]\nCore-UUID: ["), "{plain}");
    assert!(
        plain.contains(&format!("\nUnique-ID: [{id}]\n"))
            && plain.ends_with(
                "[park]\nvariable_c: [d]\nvariable_t: [tone_stream://%(200,0,500);%(100,0,300)]\n\n"
            ),
        "{plain}"
    );
    let encoded = line.api("uuid_dump {}");
    assert!(
        encoded.starts_with("Event-Name: CHANNEL_DATA\nCore-UUID: ")
            && encoded.contains("FreeSWITCH-IPv6: fd00%3A%3A2\n")
    );
}
