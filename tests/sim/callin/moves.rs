//! Calls that leave the park: into conferences, over a bridge, to nowhere.

use crate::line::{Line, answered, get, parked, parked_as};
use convened::sim::world::{Caller, Fate};

/// Somebody in the conference already.
fn with_company(room: &str) -> Line {
    let mut line = answered();
    line.world.join(line.world.now(), room, Caller::new("Ben", "2")).expect("let in");
    line.pass(100);
    line.told();
    line
}

fn transfer(line: &mut Line, inline: &str) {
    assert_eq!(line.api(&format!("uuid_transfer {{}} '{inline}' inline")), "+OK\n");
    line.pass(100);
}

/// Tried: what is in the middle ends, what was sent comes to nothing but for `set`, then the new dialplan.
#[test]
fn a_transfer_breaks_off_what_is_in_the_middle() {
    let mut line = answered();
    line.send("play_and_get_digits", r"1 16 3 3000 # silence_stream://100 silence_stream://100 pin \d+ 2000");
    line.send("playback", "tone_stream://%(300,0,300)");
    line.send("set", "x=y");
    line.pass(200);
    line.press("12");
    transfer(&mut line, "set:foo=bar,set:confvar_account_id=acme,conference:daily@default+flags{mute}");
    let events = line.events();
    let said: Vec<_> = events
        .iter()
        .map(|event| {
            let what = [get(event, "Application"), get(event, "Action")].concat();
            (what, get(event, "Caller-Destination-Number"), get(event, "Channel-State-Number"))
        })
        .collect();
    let inline = "set:foo=bar,set:confvar_account_id=acme,conference:daily@default+flags{mute}";
    for (i, (what, number, state)) in [
        ("play_and_get_digits", inline, "2"),
        ("playback", inline, "2"),
        ("set", inline, "2"),
        ("park", inline, "2"),
        ("set", "5551234", "4"),
        ("set", "5551234", "4"),
        ("conference-create", "", ""),
        ("add-member", "5551234", "4"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(said[i], (what.to_owned(), number.to_owned(), state.to_owned()), "{i}");
    }
    assert_eq!((get(&events[0], "Caller-RDNIS"), events[4].get("Caller-RDNIS")), ("5551234".into(), None));
    assert_eq!(get(&events[1], "Application-Response"), "PLAYBACK ERROR");
    assert_eq!((get(&events[7], "account_id"), get(&events[7], "Speak")), ("acme".into(), "false".into()));
    let shown = ["application", "application_data", "dest", "initial_dest", "dialplan"];
    assert_eq!(
        shown.map(|column| line.shown(column)),
        ["conference", "daily@default+flags{mute}", inline, "5551234", "inline"]
    );
    assert_eq!([line.variable("foo"), line.variable("x"), line.variable("pin")], ["bar", "y", "12"]);
}

/// `switch_core_session_reset`: keys that nobody has looked at are gone. A message that has come too late to be
/// broken off is for what comes next.
#[test]
fn a_transfer_takes_messages_along_and_no_keys() {
    let mut line = answered();
    line.send("play_and_get_digits", "1 4 2 1000 # silence tone_stream://%(900,0,300) pin ^9+$ 1000");
    line.pass(10);
    line.press("1#99#");
    transfer(&mut line, "play_and_get_digits:1 4 1 1000 # silence /nonexistent.wav pin,sleep:5000");
    line.pass(2000);
    assert_eq!((line.variable("pin"), line.variable("pin_invalid")), ("_undef_".into(), "1".into()));
    let mut line = parked();
    line.send("set", "x=y");
    line.api("uuid_transfer {} 'answer,sleep:50' inline");
    line.pass(40);
    assert_eq!(
        (line.told(), line.variable("x")),
        (vec!["park".into(), "answer".into(), "set".into()], "y".into())
    );
}

/// Tried: the inline dialplan ends behind the conference; a parked call that was sent there by message goes on.
#[test]
fn behind_the_conference_the_dialplan_ends_or_the_park_goes_on() {
    let mut line = parked();
    transfer(&mut line, "set:a=b,answer,conference:daily@default");
    assert_eq!(line.told(), ["park", "set", "answer", "conference-create", "add-member", "floor-change"]);
    line.api("conference daily hup uuid={}");
    line.pass(100);
    assert_eq!(
        line.told(),
        [
            "hup-member",
            "floor-change",
            "del-member",
            "conference",
            "HANGUP NORMAL_CLEARING",
            "conference-destroy"
        ]
    );
    let mut line = parked();
    line.send("conference", "daily@default");
    line.pass(100);
    assert_eq!(line.shown("callstate"), "ACTIVE", "a conference answers");
    line.told();
    line.api("conference daily hup uuid={}");
    line.pass(100);
    assert_eq!(line.told(), ["hup-member", "floor-change", "del-member", "conference", "conference-destroy"]);
    line.send("playback", "tone_stream://%(300,0,300)");
    line.pass(400);
    assert_eq!(line.told(), ["playback FILE PLAYED"], "it is parked again");
}

/// Tried.
#[test]
fn whoever_hangs_up_in_a_conference_is_told_to_have_hung_up() {
    let mut line = with_company("daily");
    transfer(&mut line, "conference:daily@default");
    line.told();
    line.send("playback", "tone_stream://%(300,0,300)");
    line.pass(400);
    assert_eq!(line.told(), ["playback FILE PLAYED"], "a member can be played to");
    line.hang_up();
    line.pass(100);
    assert_eq!(line.told(), ["del-member", "conference FILE PLAYED", "HANGUP NORMAL_CLEARING"]);
    let ben = line.world.rooms()[0].members[0].call.clone();
    line.world.leave(line.world.now(), &ben).expect("he is there");
    line.pass(100);
    assert_eq!(
        line.told(),
        ["floor-change", "del-member", "conference", "HANGUP NORMAL_CLEARING", "conference-destroy"]
    );
}

/// Tried: `record` hangs up whenever its channel is not ready.
#[test]
fn a_transfer_in_the_middle_of_a_recording_ends_the_call() {
    let mut line = answered();
    line.send("record", "/names/a.wav 10");
    line.pass(500);
    transfer(&mut line, "conference:daily@default");
    assert_eq!(line.told(), ["record", "park", "HANGUP DESTINATION_OUT_OF_ORDER"]);
}

/// Tried.
#[test]
fn other_dialplans_and_unknown_applications_lead_nowhere() {
    let mut line = answered();
    assert_eq!(line.api("uuid_transfer {} nowhere XML public"), "+OK\n");
    line.pass(100);
    assert_eq!(line.told(), ["park", "HANGUP NO_ROUTE_DESTINATION"]);
    let mut line = answered();
    transfer(&mut line, "set:a=b,nosuch:x,conference:daily@default");
    assert_eq!(line.told(), ["park", "set", "HANGUP DESTINATION_OUT_OF_ORDER"]);
}

/// Tried. A dial string of which nothing else was said is answered at once here.
#[test]
fn a_bridge_stands_until_somebody_hangs_up() {
    let mut line = parked();
    transfer(&mut line, "set:sip_h_X-Room=daily,answer,bridge:sofia/internal/daily@192.0.2.9:5060");
    assert_eq!(line.world.bridged(&line.call).as_deref(), Some("sofia/internal/daily@192.0.2.9:5060"));
    assert_eq!(line.shown("application"), "bridge");
    assert_eq!(line.told(), ["park", "set", "answer"]);
    line.hang_up();
    assert_eq!(line.told(), ["bridge", "HANGUP NORMAL_CLEARING"]);
    assert_eq!(line.world.bridged(&line.call), None);
}

/// Tried, but for the call that nobody answers (`switch_channel_handle_cause`).
#[test]
fn a_bridge_that_fails_ends_the_call_unless_it_may_go_on() {
    for (inline, cause, told) in [
        ("bridge:sofia/x", "NORMAL_TEMPORARY_FAILURE", "HANGUP NORMAL_TEMPORARY_FAILURE"),
        ("bridge:sofia/x", "NO_ANSWER", "HANGUP NORMAL_CLEARING"),
        ("set:continue_on_fail=true,bridge:sofia/x", "USER_BUSY", "HANGUP NORMAL_CLEARING"),
    ] {
        let mut line = answered();
        line.world.destine("sofia/x", Fate::failed(2_000_000, cause));
        transfer(&mut line, inline);
        assert_eq!(line.world.bridged(&line.call), None, "it rings");
        line.told();
        line.pass(2000);
        assert_eq!(line.told(), ["bridge", told], "{inline} {cause}");
    }
}

/// Tried: who is turned away meets the end of his dialplan. `conference_function`: a lock does not stop whom
/// `conference_enforce_security` lets in; the most that fit do.
#[test]
fn a_lock_and_a_full_room_turn_away() {
    let mut line = with_company("daily");
    line.api("conference daily lock");
    line.told();
    transfer(&mut line, "set:conference_enforce_security=true,conference:daily@default");
    assert_eq!(line.told(), ["park", "set", "conference", "HANGUP NORMAL_CLEARING"]);
    let mut line = with_company("daily");
    line.api("conference daily lock");
    line.told();
    transfer(&mut line, "set:conference_enforce_security=no,conference:daily@default");
    assert_eq!(line.world.rooms()[0].members.len(), 2);
    // Sent by message, he is parked again.
    let mut line = with_company("daily");
    line.api("conference daily lock");
    line.told();
    line.send("conference", "daily@default");
    line.pass(100);
    assert_eq!(line.told(), ["conference"]);
    assert_eq!(line.api("uuid_exists {}"), "true");
    // The first one in says how many there may be.
    let mut line = answered();
    transfer(&mut line, "set:conference_max_members=2,conference:small@default");
    line.world.join(line.world.now(), "small", Caller::new("Ben", "2")).expect("let in");
    assert!(line.world.join(line.world.now(), "small", Caller::new("Cid", "3")).is_err());
    assert_eq!(line.api("conference small get max_members"), "2");
}

/// How long each file was played in the conference.
fn played(line: &mut Line) -> Vec<String> {
    let events = line.events();
    let done = events.iter().filter(|event| get(event, "Action") == "play-file-done");
    done.map(|event| get(event, "File")).collect()
}

/// `conference_member_add`, `conference_member_del`: one's own sound takes the place of the conference's; coming
/// in it is silent when the conference's is off, going it is not.
#[test]
fn sounds_at_the_door_are_the_caller_s_or_the_conference_s() {
    let (enter, exit) = ("tone_stream://%(200,0,500)", "tone_stream://%(100,0,300)");
    let come_and_go = |own: bool, commands: &[&str]| {
        let mut line = with_company("daily");
        for command in commands {
            line.api(&format!("conference daily {command}"));
        }
        if own {
            line.api(&format!("uuid_setvar {{}} conference_enter_sound {enter}"));
            line.api(&format!("uuid_setvar {{}} conference_exit_sound {exit}"));
        }
        transfer(&mut line, "conference:daily@default");
        line.pass(3000);
        line.api("conference daily hup uuid={}");
        line.pass(3000);
        played(&mut line)
    };
    assert_eq!(come_and_go(false, &[]), [""; 0]);
    assert_eq!(come_and_go(true, &[]), [enter, exit]);
    assert_eq!(come_and_go(true, &["enter_sound off", "exit_sound off"]), [exit]);
    let room = ["enter_sound file /in.wav", "exit_sound file /out.wav"];
    assert_eq!(come_and_go(false, &room), ["/in.wav", "/out.wav"]);
    assert_eq!(come_and_go(true, &room), [enter, exit]);
    assert_eq!(come_and_go(false, &[room[0], room[1], "exit_sound none"]), ["/in.wav"]);
    // Alone, nobody is there to hear it.
    let mut line = answered();
    transfer(&mut line, &format!("set:conference_enter_sound={},conference:daily@default", "/in.wav"));
    line.pass(3000);
    assert_eq!(played(&mut line), [""; 0]);
}

/// Tried.
#[test]
fn commands_for_door_sounds_answer_as_they_are_written() {
    let mut line = with_company("daily");
    for (words, answer) in [
        ("enter_sound none", "+OK daily enter sounds off ()\n"),
        ("enter_sound ON", "+OK daily enter sounds on ()\n"),
        ("exit_sound file a.wav", "+OK Old exit sound: []\n+OK daily exit sound file set to a.wav\n"),
        ("exit_sound off", "+OK daily exit sounds off (a.wav)\n"),
        ("exit_sound file", "-ERR No filename specified\n"),
        ("enter_sound loud", "-ERR Bad args\nenter_sound on|off|none|file <filename>"),
        ("enter_sound", "-ERR Not enough args\nenter_sound on|off|none|file <filename>"),
    ] {
        assert_eq!(line.api(&format!("conference daily {words}")), answer, "{words}");
    }
}

/// Account tags of a call that was parked with them, in the events of its channel.
#[test]
fn presence_data_columns_are_in_the_events_of_the_channel() {
    let caller = Caller::new("Ann", "1").variable("presence_data_cols", "account_id:role");
    let mut line = parked_as(caller.variable("account_id", "acme"));
    let event = line.events().pop().expect("told");
    assert_eq!((event.name.as_str(), get(&event, "PD-account_id")), ("CHANNEL_PARK", "acme".to_owned()));
    line.hang_up();
    let event = line.events().pop().expect("told");
    assert_eq!(
        (event.name.as_str(), get(&event, "PD-account_id")),
        ("CHANNEL_HANGUP_COMPLETE", "acme".to_owned())
    );
    let names = ["Channel-Call-State", "variable_digits_dialed", "variable_sip_hangup_disposition"];
    assert_eq!(names.map(|name| get(&event, name)), ["HANGUP", "none", "recv_cancel"]);
}
