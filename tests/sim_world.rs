//! The world without sockets: what no recording shows, as the field guide has it.

use convened::sim::world::{Caller, Fate, Rejected, World, WorldOptions};

fn world() -> World {
    World::new(WorldOptions { steps_back: 0.0, ..WorldOptions::default() })
}

fn join(world: &mut World, name: &str, flags: &str) -> String {
    world.join(world.now(), "daily", Caller::new(name, "1").flags(flags)).expect("let in")
}

fn api(world: &mut World, line: &str) -> String {
    String::from_utf8_lossy(&world.api(world.now(), line)).into_owned()
}

fn actions(world: &mut World) -> Vec<String> {
    world.drain().iter().filter_map(|event| event.action()).collect()
}

#[test]
fn a_member_is_told_before_it_can_be_found() {
    let mut world = World::new(WorldOptions { list_lag: 2_000, ..WorldOptions::default() });
    join(&mut world, "Ann", "");
    assert_eq!(actions(&mut world), ["conference-create", "add-member"]);
    assert_eq!(api(&mut world, "conference daily mute 1"), "-ERR Non-Existant ID 1\n");
    assert_eq!(api(&mut world, "conference daily list"), "");
    assert_eq!(api(&mut world, "conference daily count"), "1");
    world.advance(world.now() + 2_000);
    assert_eq!(api(&mut world, "conference daily mute 1"), "+OK mute 1\n");
}

#[test]
fn a_kicked_member_is_listed_until_it_is_gone_and_found_no_more() {
    let mut world = world();
    let ann = join(&mut world, "Ann", "");
    assert_eq!(api(&mut world, "conference daily kick 1"), "+OK kicked 1\n");
    assert_eq!(api(&mut world, "conference daily kick 1"), "-ERR Non-Existant ID 1\n");
    assert_eq!(api(&mut world, &format!("conference daily kick uuid={ann}")), "-ERR Non-Existant member\n");
    assert!(api(&mut world, "conference daily list").contains("Ann"));
    assert_eq!(api(&mut world, "conference daily kick all"), "+OK kicked 1\n");
    world.settle();
    let told = actions(&mut world);
    assert_eq!(told.iter().filter(|a| *a == "kick-member").count(), 2);
    assert_eq!(told.iter().filter(|a| *a == "del-member").count(), 1);
    assert_eq!(api(&mut world, "conference daily list"), "-ERR Conference daily not found\n");
}

#[test]
fn a_conference_of_the_same_name_may_begin_before_the_old_one_is_destroyed() {
    let mut world = world();
    let ann = join(&mut world, "Ann", "");
    let old = world.rooms()[0].uuid.clone();
    world.leave(world.now(), &ann).expect("she is there");
    world.advance(world.now() + 20_000);
    assert!(world.rooms().is_empty(), "no command finds it any more");
    join(&mut world, "Ben", "");
    world.advance(world.now() + 20_000);
    let events = world.drain();
    let at = |action: &str, last: bool| {
        let fits = |e: &convened::sim::events::Event| e.action().as_deref() == Some(action);
        if last { events.iter().rposition(fits) } else { events.iter().position(fits) }
    };
    assert!(at("conference-create", true) < at("conference-destroy", false));
    assert_eq!(events[at("conference-destroy", false).expect("told")].get("Conference-Unique-ID"), Some(old));
    assert_eq!(world.rooms()[0].members[0].name, b"Ben");
}

#[test]
fn whoever_goes_on_speaking_is_heard_again_after_unmute() {
    let mut world = world();
    let ann = join(&mut world, "Ann", "");
    world.talk(world.now(), &ann, true).expect("she is there");
    api(&mut world, "conference daily mute 1");
    assert!(!world.rooms()[0].members[0].talking);
    api(&mut world, "conference daily unmute 1");
    assert!(!world.rooms()[0].members[0].talking, "it takes a moment");
    world.settle();
    assert!(world.rooms()[0].members[0].talking);
    let told = actions(&mut world);
    assert!(!told.contains(&"stop-talking".to_owned()), "{told:?}");
}

#[test]
fn on_hold_lists_say_less_than_events() {
    let mut world = world();
    join(&mut world, "Ann", "");
    world.settle();
    api(&mut world, "conference daily hold 1");
    let event = world.drain().pop().expect("told");
    assert_eq!((event.get("Hear"), event.get("Hold")), (Some("true".to_owned()), Some("true".to_owned())));
    assert!(api(&mut world, "conference daily json_list").contains("\"can_hear\":\tfalse"));
    assert!(api(&mut world, "conference daily list").contains(";1;floor;0;0;100"));
}

#[test]
fn a_full_conference_takes_ghosts_only() {
    let mut world = world();
    for name in ["Ann", "Ben"] {
        join(&mut world, name, "");
    }
    assert_eq!(api(&mut world, "conference daily set max_members 1"), "0");
    assert_eq!(api(&mut world, "conference daily set max_members 2"), "0", "one is foolish");
    let cid = Caller::new("Cid", "3");
    assert_eq!(world.join(world.now(), "daily", cid.clone()), Err(Rejected::Full));
    assert!(world.join(world.now(), "daily", cid.flags("ghost")).is_ok());
    assert_eq!(api(&mut world, "conference daily count"), "2");
}

#[test]
fn an_unknown_profile_is_none_and_silent_answers_are_empty() {
    let mut world = world();
    world.join(world.now(), "odd", Caller::new("Ann", "1").profile("nosuch").moderator()).expect("let in");
    assert_eq!(world.drain()[0].get("Conference-Profile-Name"), Some("none".to_owned()));
    assert_eq!(api(&mut world, "conference odd mute non_moderator"), "Skipping moderator (member id 1).\n");
    for silent in ["get is_locked", "getvar nosuch", "get wait_mod"] {
        assert_eq!(api(&mut world, &format!("conference odd {silent}")), "");
    }
}

#[test]
fn a_name_that_is_not_text_goes_out_as_it_came_in() {
    let mut world = world();
    world.join(world.now(), "daily", Caller::new(b"Jos\xe9 \"Z\"\r\n", b"\xff")).expect("let in");
    let added = world.drain().pop().expect("told");
    assert!(added.headers.as_str().contains("Caller-Caller-ID-Name: Jos%E9%20%22Z%22%0D%0A\n"));
    let list = world.api(world.now(), "conference json_list");
    let name = b"\"Jos\xe9 \\\"Z\\\"\\r\\n\"";
    assert!(list.windows(name.len()).any(|w| w == name));
}

#[test]
fn a_member_keeps_its_id_for_life_and_a_parked_call_outlives_the_conference() {
    let mut world = world();
    let call = world.call(world.now(), Caller::new("Ann", "1")).expect("a call");
    assert_eq!(
        api(
            &mut world,
            &format!(
                "uuid_transfer {call} 'set:confvar_account_id=A,conference:daily@default+flags{{moderator}}' inline"
            )
        ),
        "+OK\n"
    );
    world.settle();
    let room = &world.rooms()[0];
    assert!(room.members[0].moderator);
    assert_eq!(room.variables, [("account_id".to_owned(), "A".to_owned())]);
    let id = room.members[0].id;
    world.join(world.now(), "other", Caller::new("Ben", "2")).expect("let in");
    api(&mut world, &format!("conference daily transfer other uuid={call}"));
    world.settle();
    let other = world.rooms();
    let moved = other[0].member(&call).expect("moved");
    assert_eq!((moved.id, moved.moderator), (id, false));
    let stays = world.join(world.now(), "third", Caller::new("Cid", "3").stays_up()).expect("let in");
    api(&mut world, "conference third hup all");
    world.settle();
    assert_eq!(api(&mut world, &format!("uuid_exists {stays}")), "true");
}

#[test]
fn jobs_may_overtake_each_other() {
    let last = |seed| {
        let mut world = World::new(WorldOptions { seed, job_jitter: 1_000, ..WorldOptions::default() });
        join(&mut world, "Ann", "");
        world.bgapi(world.now(), "conference daily lock", None);
        world.bgapi(world.now(), "conference daily unlock", None);
        world.settle();
        world.rooms()[0].locked
    };
    assert!((0..20).any(last) && !(0..20).all(last));
}

/// As a FreeSWITCH 1.11.3-dev answered; which of both hears whom is what its mixer does
/// (mod_conference.c, `conference_thread_run`).
#[test]
fn relations_are_kept_with_the_first_of_both_and_cleared_without_a_question() {
    let mut world = world();
    let [ann, ben, cid] = ["Ann", "Ben", "Cid"].map(|name| join(&mut world, name, ""));
    world.settle();
    world.drain();
    let usage =
        "relate <member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]";
    for (words, answer) in [
        ("", "+OK No relationships\n"),
        (" 3", "+OK No relationships\n"),
        (" 3 2 clear", "+OK relationship 3->2 cleared.\n"),
        (" 3 9999 clear", "+OK relationship 3->9999 cleared.\n"),
        (" 9999 3 clear", "-ERR relationship 9999->3 not found.\n"),
        (" 3 2 nospeak", "+OK 3->2 nospeak set\n"),
        ("", ""),
        (" 0", "3 -> 2 NOSPEAK HEAR NOSENDVIDEO \n"),
        (" 2", ""),
        (" 3 2 nohear", "+OK 3->2 nohear set\n"),
        (" 3 1 nospeak", "+OK 3->1 nospeak set\n"),
        (" 3", "3 -> 1 NOSPEAK HEAR NOSENDVIDEO \n3 -> 2 SPEAK NOHEAR NOSENDVIDEO \n"),
        (" 3 2 NOHEAR", usage),
        (" 3 2", usage),
        (" 3 2 nospeaknohear", "+OK 3->2 nospeaknohear set\n"),
        (" 3", "3 -> 1 NOSPEAK HEAR NOSENDVIDEO \n3 -> 2 NOSPEAK NOHEAR NOSENDVIDEO \n"),
        (" 3 2 sendvideo", "+OK 3->2 sendvideo set\n"),
        (" 3 9999 nohear", "-ERR relationship 3->9999 not found.\n"),
        (" 3 2 nohear", "+OK 3->2 nohear set\n"),
        (" 2 3 nohear", "+OK 2->3 nohear set\n"),
    ] {
        assert_eq!(api(&mut world, &format!("conference daily relate{words}")), answer, "{words:?}");
    }
    assert_eq!(actions(&mut world), [""; 0], "no event tells of it");
    let hears = |world: &World, listener: &str, speaker: &str| world.rooms()[0].hears(listener, speaker);
    assert!(!hears(&world, &cid, &ben) && !hears(&world, &ben, &cid) && !hears(&world, &ann, &cid));
    assert!(hears(&world, &cid, &ann) && hears(&world, &ann, &ben) && hears(&world, &ben, &ann));
    // What was his goes with him, and what somebody has with him stays.
    world.leave(world.now(), &cid).expect("he is there");
    world.settle();
    assert_eq!(api(&mut world, "conference daily relate 0"), "2 -> 3 SPEAK NOHEAR NOSENDVIDEO \n");
}

#[test]
fn who_is_not_heard_by_somebody_is_not_told_to_have_stopped_talking() {
    let mut world = world();
    let ann = join(&mut world, "Ann", "");
    join(&mut world, "Ben", "");
    world.talk(world.now(), &ann, true).expect("she is there");
    world.drain();
    api(&mut world, "conference daily relate 1 2 nospeak");
    assert!(!world.rooms()[0].members[0].talking);
    assert_eq!(actions(&mut world), [""; 0]);
    world.settle();
    assert!(world.rooms()[0].members[0].talking, "she goes on");
}

/// As a FreeSWITCH 1.11.3-dev answered.
#[test]
fn what_is_played_is_told_as_long_as_it_is() {
    let mut world = world();
    join(&mut world, "Ann", "");
    for (words, answer) in [
        ("play_status", "-ERR Nothing is playing\n"),
        ("play tone_stream://%(2000,0,440)", "+OK (play) Playing file tone_stream://%(2000,0,440)\n"),
        ("play_status", "+OK 0/0 %(2000,0,440)\n"),
        ("play_status 1", "-ERR Nothing is playing\n"),
        ("stop all", "+OK Stopped 1 files.\n"),
        ("play_status", "-ERR Nothing is playing\n"),
        ("play /sounds/a.wav async", "+OK (play) Playing file /sounds/a.wav\n"),
        ("play_status", "-ERR Nothing is playing\n"),
        ("play /sounds/b.wav 1", "+OK (play) Playing file /sounds/b.wav to member 1\n"),
        ("play_status 1", "+OK 0/0 /sounds/b.wav\n"),
        ("play_status", "-ERR Nothing is playing\n"),
        ("play_status 99", "-ERR Member: 99 not found.\nplay_status [<member_id>]"),
    ] {
        assert_eq!(api(&mut world, &format!("conference daily {words}")), answer, "{words:?}");
    }
    world.settle();
    assert_eq!(api(&mut world, "conference daily play_status 1"), "-ERR Nothing is playing\n");
}

#[test]
fn twenty_thousand_members_are_listed_and_counted() {
    let mut world = world();
    for i in 0..20_000 {
        world.join(world.now(), "big", Caller::new(format!("User {i}"), i.to_string())).expect("let in");
    }
    let list: serde_json::Value =
        serde_json::from_slice(&world.api(world.now(), "conference big json_list compact"))
            .expect("a document");
    let members = list[0]["members"].as_array().expect("members");
    assert_eq!((members.len(), list[0]["member_count"].as_u64()), (20_000, Some(20_000)));
    assert_eq!(members[0]["caller_id_name"], "User 19999", "newest first");
}

/// The headers of a recorded event and its body, but what is another each time.
fn told(event: &str) -> (Vec<&str>, Option<&str>) {
    let (head, body) = event.split_once("\n\n").map_or((event, None), |(head, body)| (head, Some(body)));
    let passing = ["Core-UUID", "Event-Date-", "Event-Sequence", "-Time", "Content-Length", "variable_"];
    let stays = |line: &&str| !passing.iter().any(|part| line.split(": ").next().unwrap().contains(part));
    (head.lines().filter(stays).collect(), body.map(str::trim_end))
}

#[test]
fn a_call_that_the_switch_makes_tells_what_a_recorded_one_told() {
    let recorded = |name: &str| {
        let file = format!("{}/fixtures/dial/{name}.event", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(file).unwrap()
    };
    let mut world = world();
    world.destine("busy@", Fate::failed(1_000_000, "USER_BUSY"));
    let (dial, call) = ("6f1d3a1c-6d0e-4c57-9d2f-3a9c3d1b7e10", "0d2b8a54-51c0-4f0a-8f5e-2b6f3c7d9a11");
    let event = format!("event:Event-Name=CUSTOM,Event-Subclass=convened::dial,Dial-ID={dial}");
    let line = format!(
        "originate {{^^;origination_uuid={call};origination_caller_id_name='Board';\
         origination_caller_id_number=+4930;origination_callee_id_name=sip:busy@127.0.0.1:5999;\
         ignore_early_media=true;originate_timeout=3;conference_enforce_security=false;\
         confvar_account_id=acme;account_id=acme;presence_data_cols=account_id;execute_on_ring={event};\
         execute_on_pre_answer={event}}}sofia/internal/sip:busy@127.0.0.1:5999 &conference(daily@default)"
    );
    world.bgapi(world.now(), &line, Some(dial.to_owned()));
    world.settle();
    let fired: Vec<_> = world.drain().iter().map(|event| String::from_utf8(event.plain()).unwrap()).collect();
    assert_eq!(fired.len(), 2);
    for (name, fired) in ["ringing", "job"].iter().zip(&fired) {
        // A frame, then the event.
        let fired = fired.split_once("\n\n").unwrap().1;
        let recorded = recorded(name);
        assert_eq!(told(fired.trim_end()), told(recorded.trim_end()), "{name}");
    }
}
