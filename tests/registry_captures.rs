//! The state folded from the events of a real FreeSWITCH equals each list that it gave.

mod support;

use std::sync::Arc;

use bytes::BytesMut;
use convened::esl::{Decoder, Frame, Limits};
use convened::model::{EventKind, Flag, ListedConference, MemberState, Moment};
use convened::node::{Translator, parse_listing};
use convened::registry::{Registry, Scope, Writer};
use tokio_util::codec::Decoder as _;

fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::new(Limits::default());
    let mut bytes = BytesMut::from(bytes);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.decode(&mut bytes).unwrap() {
        frames.push(frame);
    }
    assert!(bytes.is_empty(), "{} bytes are left", bytes.len());
    frames
}

fn at(n: u64) -> Moment {
    Moment { unix_ms: 1_795_426_262_000 + n, monotonic_ms: n }
}

/// Who and how, comparable: hear and speak as a list tells them, cut by hold.
type Shown = Vec<(String, u32, String, String, MemberState)>;

/// The files it is recorded to, and whether they are paused.
type Recordings = Vec<(String, bool)>;

fn comparable(state: MemberState) -> MemberState {
    let held = state.has(Flag::Hold);
    [Flag::Hear, Flag::Speak, Flag::See]
        .into_iter()
        .fold(state.without_current_energy().with(Flag::Ghost, false), |state, flag| {
            state.with(flag, state.has(flag) && !held)
        })
}

fn shown_by(registry: &Registry) -> Vec<(String, bool, Shown, Recordings)> {
    let mut shown: Vec<_> = registry
        .conferences()
        .iter()
        .map(|conference| {
            let members = conference.participants();
            let members = members
                .iter()
                .map(|p| {
                    (
                        p.call_id.to_string(),
                        p.member_id,
                        p.caller_name.to_string(),
                        p.caller_number.to_string(),
                        comparable(p.state()),
                    )
                })
                .collect();
            let recordings = conference.recordings();
            let recordings = recordings.iter().map(|it| (it.path.to_string(), it.paused)).collect();
            (conference.instance.to_string(), conference.is_locked(), members, recordings)
        })
        .collect();
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    shown
}

fn listed_in(listed: &[ListedConference]) -> Vec<(String, bool, Shown, Recordings)> {
    let mut shown: Vec<_> = listed
        .iter()
        .map(|conference| {
            let mut members: Shown = conference
                .members
                .iter()
                .map(|m| {
                    (
                        m.call_id.clone(),
                        m.member_id,
                        m.caller_name.clone(),
                        m.caller_number.clone(),
                        comparable(m.state),
                    )
                })
                .collect();
            members.sort_by_key(|member| member.1);
            let recordings = conference.recordings.iter();
            let recordings = recordings.map(|it| (it.path.clone(), it.paused)).collect();
            (conference.instance.clone(), conference.locked, members, recordings)
        })
        .collect();
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    shown
}

/// Folds a recording that begins at `start`, comparing at each list; of a connection that comes late the
/// first list is what it begins with. Gives the number of lists and of odd events.
fn fold(
    name: &str,
    registry: &Arc<Registry>,
    writer: &mut Writer<()>,
    late: bool,
    start: u64,
) -> (usize, usize) {
    let translator = Translator::default();
    let (mut lists, mut odd) = (0, 0);
    for (n, frame) in frames(&support::received(&support::capture(name))).into_iter().enumerate() {
        match frame {
            Frame::Event(event) => {
                let Some(event) = translator.conference_event(&event) else { continue };
                if let Some(what) = writer.apply(&event, at(start + n as u64 * 10)) {
                    println!("{name}: {what:?} at {event:?}");
                    odd += 1;
                }
                writer.check().unwrap();
            }
            Frame::ApiResponse(body) if body.starts_with(b"[{") || &body[..] == b"[]" => {
                let listed = parse_listing(&body).unwrap();
                // A conference's own list says nothing of the others.
                let of_one = listed.len() == 1 && registry.conferences().len() > 1;
                if of_one {
                    continue;
                }
                if lists > 0 || !late {
                    assert_eq!(shown_by(registry), listed_in(&listed), "{name}: list {lists}");
                } else {
                    let now = at(start + n as u64 * 10);
                    writer.reconcile(Scope::Node, &listed, writer.mark(0, now), now);
                    assert_eq!(shown_by(registry), listed_in(&listed), "{name}: after the first list");
                }
                writer.check().unwrap();
                lists += 1;
            }
            _ => {}
        }
    }
    (lists, odd)
}

fn fold_alone(name: &str) -> (usize, usize) {
    let registry = Arc::new(Registry::new());
    let mut writer = Writer::new(registry.clone(), "fs1".into(), ());
    fold(name, &registry, &mut writer, false, 0)
}

#[test]
fn the_folded_state_equals_every_list_of_every_recording() {
    // In `busy` one event was numbered before and sent after a joining: its size is an older one.
    for (name, lists, odd) in [
        ("standup", 6, 0),
        ("actions", 3, 0),
        ("busy", 2, 1),
        ("edges", 7, 0),
        ("verbose", 2, 0),
        ("tags", 3, 0),
        ("callin", 2, 0),
        ("reconnect.1", 1, 0),
    ] {
        assert_eq!(fold_alone(name), (lists, odd), "{name}");
    }
}

#[test]
fn a_second_connection_takes_over_where_the_first_one_ended() {
    let registry = Arc::new(Registry::new());
    let mut writer = Writer::new(registry.clone(), "fs1".into(), ());
    fold("reconnect.1", &registry, &mut writer, false, 0);
    let (lists, odd) = fold("reconnect.2", &registry, &mut writer, true, 60_000);
    assert_eq!((lists, odd), (3, 0));
    assert!(registry.conferences().is_empty());
}

#[test]
fn only_what_everybody_hears_counts_as_played() {
    for (name, played) in [("actions", 1), ("more", 0), ("tags", 0)] {
        let translator = Translator::default();
        let frames = frames(&support::received(&support::capture(name)));
        let events = frames.iter().filter_map(|frame| match frame {
            Frame::Event(event) => translator.conference_event(event),
            _ => None,
        });
        // In them are a file that is not there, and files for one member.
        assert_eq!(events.filter(|event| event.kind == EventKind::Played).count(), played, "{name}");
    }
}
