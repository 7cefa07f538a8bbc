//! Databases that are larger than the memory that a command may take.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, Stdio};

use crate::site::{Site, ended};

const DOCUMENTS: u64 = 20_000;
/// Of text in each: 80 MB in all.
const FILLING: usize = 4_000;
const MOST_MEMORY: u64 = 48 << 20;

/// The most memory that a process had so far, in bytes.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a figure");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect("kB") * 1024
}

fn feed(to: impl Write, filling: &str) -> std::io::Result<impl Write> {
    let mut to = BufWriter::new(to);
    writeln!(to, r#"{{"convened_export":1,"created":1700000000,"version":"0.1.0"}}"#)?;
    for n in 0..DOCUMENTS {
        writeln!(
            to,
            r#"{{"document":{{"id":"{n:032x}","account":"acme","revision":"1-{n:032x}","created":1,"modified":2,"text":{{"name":"room {n}","conference_numbers":["{n}"],"x":"{filling}"}}}}}}"#
        )?;
    }
    to.flush()?;
    Ok(to)
}

#[test]
fn twenty_thousand_documents_go_in_and_out_without_growing() {
    let site = Site::new();
    let filling = "x".repeat(FILLING);
    let mut child = site.command("import").stdin(Stdio::piped()).spawn().expect("it starts");
    let stdin = child.stdin.take().expect("piped");
    let mut rest = feed(stdin, &filling).expect("read");
    // It waits for the last line now, and has read all before but for what a pipe holds.
    let importing = peak(&child);
    writeln!(rest, r#"{{"end":{{"documents":{DOCUMENTS},"credentials":0}}}}"#).expect("read");
    drop(rest);
    let done = ended(child);
    assert_eq!(done.err, "20,000 documents and 0 credentials: 20,000 new, 0 unchanged, 0 replaced\n");
    assert!(importing < MOST_MEMORY, "{importing} bytes");

    let mut child = site.command("export").spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let (mut line, mut read, mut bytes, mut exporting) = (String::new(), 0, 0, 0);
    while lines.read_line(&mut line).expect("text") > 0 {
        (read, bytes) = (read + 1, bytes + line.len() as u64);
        if read == DOCUMENTS - 1_000 {
            // More is to come than pipes and channels hold, so it is there still.
            exporting = peak(&child);
        }
        line.clear();
    }
    assert_eq!(read, DOCUMENTS + 2);
    assert!(bytes > 80_000_000, "{bytes} bytes are more than it may have had at once");
    println!("{importing} and {exporting} bytes");
    let done = ended(child);
    assert_eq!((done.code, done.err.as_str()), (Some(0), "20,000 documents and 0 credentials exported\n"));
    assert!((1..MOST_MEMORY).contains(&exporting), "{exporting} bytes");
}
