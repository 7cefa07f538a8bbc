//! The other process of `rates`: serves a recording from memory, as fast as it is read.
//!
//! To each connection it is played again and again, each time with other conferences: the first four characters
//! of their names and ids are those of the connection and of the round.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use convened::sim::capture::Capture;
use memchr::memmem::Finder;

/// Octets that are written at once.
const PIECE: usize = 128 << 10;

/// Some events, and where something is put into them.
struct Piece {
    octets: Vec<u8>,
    places: Vec<usize>,
}

/// So many connections, so many rounds. Tells the events and the octets for each connection, then the ports.
pub(crate) fn run(sizes: &[&str]) {
    let sizes: Vec<usize> = sizes.iter().map(|size| size.parse().expect("a number")).collect();
    let [nodes, rounds] = sizes[..] else { panic!("two sizes, not {sizes:?}") };
    assert!(nodes <= 256 && rounds <= 256, "two digits for each");
    let (pieces, events) = recording();
    let octets: usize = pieces.iter().map(|piece| piece.octets.len()).sum();
    let pieces = Arc::new(pieces);
    let mut answer = vec![events * rounds as u64, (octets * rounds) as u64];
    for node in 0..nodes {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        answer.push(listener.local_addr().expect("an address").port().into());
        let pieces = pieces.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let pieces = pieces.clone();
                std::thread::spawn(move || converse(stream, &pieces, (node, rounds)));
            }
        });
    }
    super::peer::serve(&answer, |_| Vec::new());
}

/// The conference events of a recording in which every conference begins and ends.
fn recording() -> (Vec<Piece>, u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures/busy.jsonl.gz");
    let capture = Capture::read(path).expect("the recording is there");
    let finders = ["Conference-Name: ", "Conference-Unique-ID: "].map(|name| (Finder::new(name), name.len()));
    let mut pieces = vec![Piece { octets: Vec::new(), places: Vec::new() }];
    let mut events = 0;
    for (_, event) in capture.events().filter(|(_, event)| event.action().is_some()) {
        if pieces.last().is_some_and(|piece| piece.octets.len() > PIECE) {
            pieces.push(Piece { octets: Vec::new(), places: Vec::new() });
        }
        let piece = pieces.last_mut().expect("there is one");
        let (begin, frame) = (piece.octets.len(), event.plain());
        for (finder, length) in &finders {
            piece.places.extend(finder.find_iter(&frame).map(|at| begin + at + length));
        }
        piece.octets.extend_from_slice(&frame);
        events += 1;
    }
    (pieces, events)
}

/// One conversation; it ends with an error when the client has had enough. Commands but for those of a login are
/// not answered.
fn converse(stream: TcpStream, pieces: &[Piece], (node, rounds): (usize, usize)) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    writer.write_all(b"Content-Type: auth/request\n\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.starts_with("auth ") {
            writer.write_all(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")?;
        } else if line == "api version" {
            let printed = "FreeSWITCH Version 1.11.3\n";
            let head = format!("Content-Type: api/response\nContent-Length: {}\n\n", printed.len());
            writer.write_all((head + printed).as_bytes())?;
        } else if line.starts_with("event ") {
            writer.write_all(
                b"Content-Type: command/reply\nReply-Text: +OK event listener enabled plain\n\n",
            )?;
            let mut octets = Vec::new();
            for round in 0..rounds {
                let code = format!("{node:02x}{round:02x}");
                for piece in pieces {
                    octets.clone_from(&piece.octets);
                    for place in &piece.places {
                        octets[*place..*place + code.len()].copy_from_slice(code.as_bytes());
                    }
                    writer.write_all(&octets)?;
                }
            }
        }
    }
    Ok(())
}
