//! What a real switch said of calls, read by the daemon's own reader.

use std::path::Path;

use bytes::Bytes;
use convened::esl::Event;
use convened::model::{CallNews, Typed};
use convened::node::CallTranslator;
use convened::sim::capture::{Capture, Said};

/// The news in a recording, in order.
fn news() -> Vec<CallNews> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/callin.jsonl");
    let capture = Capture::read(file).expect("a recording");
    let events = capture.moments.into_iter().filter_map(|moment| match moment.said {
        Said::Event(event) => Some(event),
        _ => None,
    });
    let read = |event: convened::sim::events::Event| {
        let frame = event.plain();
        let body = frame.windows(2).position(|pair| pair == b"\n\n").expect("a frame") + 2;
        CallTranslator.news(&Event::new(Bytes::copy_from_slice(&frame[body..])))
    };
    events.filter_map(read).collect()
}

#[test]
fn four_callers_of_a_real_switch_are_read_from_parking_to_hang_up() {
    let news = news();
    let parked: Vec<_> = news
        .iter()
        .filter_map(|news| match news {
            CallNews::Parked(call) => Some(call),
            _ => None,
        })
        .collect();
    assert_eq!(parked.len(), 4);
    for call in &parked {
        assert_eq!(
            (&*call.number, &*call.context, &*call.caller_number),
            ("5551234", "public", "15551230000")
        );
        assert!(!call.is_marked && !call.is_over && !call.is_answered && call.conference.is_none());
        assert_eq!(call.domain.as_deref(), Some("127.0.0.1"));
    }
    let of = |at: usize| {
        let id = parked[at].call_id.clone();
        news.iter().filter(move |news| **news.call_id() == *id)
    };
    // The recording's own client reads into a variable of another name.
    let asked =
        |at: usize| of(at).filter(|news| matches!(news, CallNews::Executed { digits: None, .. })).count();
    assert_eq!((asked(0) > 3, asked(2) > 6, asked(3) > 6), (true, true, true));
    for at in [2, 3] {
        assert!(matches!(of(at).last(), Some(CallNews::HungUp { .. })), "who was turned away is gone");
    }
    assert!(of(0).all(|news| !matches!(news, CallNews::Executed { digits: Some(_), .. })));
    assert_ne!(Typed::new("1"), Typed::new("2"));
}
