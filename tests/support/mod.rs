//! What several tests need: the recordings, cut into the bytes of one direction.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod events;
pub mod house;

use std::io::Read;
use std::path::{Path, PathBuf};

/// One recorded read or write of the recording client.
pub struct Record {
    pub received: bool,
    pub bytes: Vec<u8>,
}

/// All recordings, by file name.
pub fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/captures");
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().contains(".jsonl"));
    found.sort();
    assert!(found.len() >= 13, "the recordings are there: {found:?}");
    found
}

/// The recording of that name.
pub fn capture(name: &str) -> Vec<Record> {
    let path = captures().into_iter().find(|path| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        file.trim_end_matches(".gz").trim_end_matches(".jsonl") == name
    });
    records(&path.unwrap_or_else(|| panic!("no recording {name}")))
}

/// Reads a recording, compressed or not.
pub fn records(path: &Path) -> Vec<Record> {
    let raw = std::fs::read(path).unwrap();
    let text = if path.extension().is_some_and(|extension| extension == "gz") {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&raw[..]).read_to_string(&mut text).unwrap();
        text
    } else {
        String::from_utf8(raw).unwrap()
    };
    text.lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let bytes = record["data"]
                .as_str()
                .unwrap()
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap())
                .collect();
            Record { received: record["dir"] == "recv", bytes }
        })
        .collect()
}

/// The bytes that the switch sent.
pub fn received(records: &[Record]) -> Vec<u8> {
    records.iter().filter(|record| record.received).flat_map(|record| record.bytes.clone()).collect()
}
