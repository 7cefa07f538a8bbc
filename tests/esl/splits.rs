//! The frames of a recording do not depend on how its bytes arrive.
//!
//! Every recording but `busy` is cut at every position: the three shortest ones and `reconnect.1` as whole
//! streams, the others frame by frame with the next one behind it, since a decoder keeps nothing from one
//! frame to the next. `busy` is cut at random, and everything is fed byte by byte.

use std::ops::Range;
use std::path::Path;

use bytes::BytesMut;
use convened::esl::fuzzing::{Decoded, End, decode};
use convened::esl::{Decoder, Frame, Limits};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio_util::codec::Decoder as _;

use crate::support;

/// Repeats a run.
const SEED: &str = "CONVENED_TEST_SEED";

/// All recordings but `busy`, by name.
fn small() -> Vec<(String, Vec<u8>)> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut small: Vec<_> = support::captures()
        .iter()
        .filter(|path| !name(path).starts_with("busy"))
        .map(|path| (name(path), support::received(&support::records(path))))
        .collect();
    assert!(small.len() >= 12, "{} recordings", small.len());
    small.sort_by_key(|(_, bytes)| bytes.len());
    small
}

/// The frames of a stream and where each of them stands.
fn whole(stream: &[u8]) -> Vec<(Frame, Range<usize>)> {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = BytesMut::from(stream);
    let mut frames = Vec::new();
    let mut start = 0;
    while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
        let end = stream.len() - buffer.len();
        frames.push((frame, start..end));
        start = end;
    }
    assert_eq!(start, stream.len(), "the recording ends behind a frame");
    frames
}

fn decoded(stream: &[u8]) -> Decoded {
    let frames = whole(stream).into_iter().map(|(frame, _)| frame).collect();
    Decoded { frames, end: End::Clean }
}

#[test]
fn a_short_recording_gives_the_same_frames_at_every_split() {
    for (name, stream) in small().into_iter().take(4) {
        let expected = decoded(&stream);
        for at in 0..=stream.len() {
            let (first, second) = stream.split_at(at);
            assert_eq!(decode(Limits::default(), [first, second]), expected, "{name} cut at {at}");
        }
    }
}

#[test]
fn the_shortest_recordings_give_the_same_frames_at_every_two_splits() {
    for (name, stream) in small().into_iter().take(3) {
        let expected = decoded(&stream);
        for at in 0..=stream.len() {
            for next in at..=stream.len() {
                let pieces = [&stream[..at], &stream[at..next], &stream[next..]];
                assert_eq!(decode(Limits::default(), pieces), expected, "{name} cut at {at} and {next}");
            }
        }
    }
}

#[test]
fn every_frame_of_every_recording_is_the_same_at_every_split() {
    let mut splits = 0;
    for (name, stream) in small() {
        let frames = whole(&stream);
        for (n, (frame, range)) in frames.iter().enumerate() {
            let next = frames.get(n + 1).map(|(next, range)| (next, &stream[range.clone()]));
            let bytes = &stream[range.clone()];
            for at in 0..bytes.len() {
                let mut decoder = Decoder::new(Limits::default());
                let mut buffer = BytesMut::from(&bytes[..at]);
                assert!(decoder.decode(&mut buffer).unwrap().is_none(), "{name}: frame {n} ends at {at}");
                buffer.extend_from_slice(&bytes[at..]);
                if let Some((_, bytes)) = next {
                    buffer.extend_from_slice(bytes);
                }
                let found = decoder.decode(&mut buffer).unwrap();
                assert_eq!(found.as_ref(), Some(frame), "{name}: frame {n} cut at {at}");
                let found = decoder.decode(&mut buffer).unwrap();
                assert_eq!(
                    found.as_ref(),
                    next.map(|(next, _)| next),
                    "{name}: behind frame {n} cut at {at}"
                );
                splits += 1;
            }
        }
    }
    println!("{splits} splits");
    assert!(splits > 1_000_000, "{splits} splits");
}

#[test]
fn a_recording_that_is_cut_off_gives_the_frames_before_and_an_error() {
    for (name, stream) in small().into_iter().take(4) {
        let frames = whole(&stream);
        for end in 0..stream.len() {
            let complete = frames.iter().filter(|(_, range)| range.end <= end).count();
            let is_between = end == 0 || frames.iter().any(|(_, range)| range.end == end);
            let found = decode(Limits::default(), [&stream[..end]]);
            assert_eq!(found.frames.len(), complete, "{name} ends at {end}");
            let expected = if is_between { End::Clean } else { End::InsideFrame };
            assert_eq!(found.end, expected, "{name} ends at {end}");
        }
    }
}

#[test]
fn every_recording_gives_the_same_frames_byte_by_byte() {
    for (name, stream) in small() {
        assert!(decode(Limits::default(), stream.chunks(1)) == decoded(&stream), "{name}");
    }
    // A part of the large one that ends behind a frame.
    let busy = support::received(&support::capture("busy"));
    let end = whole(&busy).into_iter().map(|(_, range)| range.end).find(|end| *end > 500_000).unwrap();
    assert!(decode(Limits::default(), busy[..end].chunks(1)) == decoded(&busy[..end]));
}

#[test]
fn the_busy_recording_gives_the_same_frames_at_random_splits() {
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("{SEED}={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let busy = support::received(&support::capture("busy"));
    let expected = decoded(&busy);
    assert!(expected.frames.len() > 2_400, "{} frames", expected.frames.len());
    // Pieces of every order of magnitude, many of them smaller than a frame.
    for widest in [40, 300, 3_000, 30_000, 300_000] {
        let mut rest = &busy[..];
        let pieces = std::iter::from_fn(|| {
            let length = random.random_range(0..=widest).min(rest.len());
            let (piece, behind) = rest.split_at(length);
            rest = behind;
            (!piece.is_empty() || !behind.is_empty()).then_some(piece)
        });
        assert!(decode(Limits::default(), pieces) == expected, "{SEED}={seed}, pieces of up to {widest}");
    }
}
