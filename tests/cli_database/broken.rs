//! Files that are no whole export: each is told by line and field, and leaves what was there.

use crate::site::{Site, credential, document};

/// Three documents, a key and a token.
async fn source() -> String {
    let site = Site::new();
    let text = |n| format!(r#"{{"name":"room {n}","conference_numbers":["{n}00"]}}"#);
    site.keep(&[
        document(1, text(1), Some("100")),
        document(2, text(2), Some("200")),
        document(3, text(3), Some("300")),
        credential(7, None),
        credential(8, Some(7)),
    ])
    .await;
    site.run("export").ok()
}

/// A database that has another document already, and what an export of it says.
async fn target() -> (Site, String) {
    let site = Site::new();
    site.keep(&[document(99, r#"{"conference_numbers":["900"]}"#.into(), Some("900"))]).await;
    let before = site.exported();
    (site, before)
}

/// The lines, one of them changed.
fn changed(file: &str, line: usize, change: impl FnOnce(&str) -> String) -> Vec<u8> {
    let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let new = change(&lines[line - 1]);
    assert_ne!(new, lines[line - 1], "a change");
    lines[line - 1] = new;
    (lines.join("\n") + "\n").into_bytes()
}

/// What is changed in which line, and what is said about it.
struct Wrong {
    line: usize,
    from: String,
    to: String,
    told: String,
}

fn wrong(line: usize, from: &str, to: &str, told: &str) -> Wrong {
    Wrong { line, from: from.to_owned(), to: to.to_owned(), told: told.to_owned() }
}

fn wrong_documents() -> Vec<Wrong> {
    let big = format!(r#""name":"room 2","x":"{}""#, "x".repeat(200 * 1024));
    let wide = "w".repeat(2 << 20);
    vec![
        wrong(
            1,
            "convened_export\":1",
            "convened_export\":2",
            "is of format 2, and this program knows only 1",
        ),
        wrong(1, "convened_export", "convened", "is not the header of an export"),
        wrong(1, "\"version\"", "\"wersion\"", "unknown field `wersion`"),
        wrong(2, "{\"document\"", "document", "is no JSON: expected value at column 1"),
        wrong(3, "\"document\"", "\"dokument\"", "unknown variant `dokument`"),
        wrong(3, "\"created\"", "\"kreated\"", "document.kreated: unknown field `kreated`"),
        wrong(3, ",\"modified\":63000000001", "", "document: missing field `modified`"),
        wrong(3, "63000000000", "\"noon\"", "document.created: invalid type"),
        wrong(3, "63000000000", "-1", "created: a time is expected"),
        wrong(3, "\"acme\"", "\"a b\"", "document.account: an account id has"),
        wrong(3, "\"id\":\"0", "\"id\":\"G", "id: 32 lower-case hex digits are expected"),
        wrong(3, "\"id\":\"0", "\"id\":\"", "id: 32 lower-case hex digits are expected"),
        wrong(3, "\"revision\":\"3-", "\"revision\":\"03-", "revision: a number, a hyphen and 32"),
        wrong(3, "\"revision\":\"3-", "\"revision\":\"", "revision: a number, a hyphen and 32"),
        wrong(3, "\"room 2\"", "7", "text.name: Value must be of type string"),
        wrong(3, "\"200\"", "\"two\"", "text.conference_numbers.0: String must match"),
        wrong(3, "\"200\"", "\"200\",\"200\"", "text.conference_numbers.1: Number stands twice"),
        wrong(3, "\"room 2\"", "\"room 2\",\"revision\":\"1\"", "text.revision: Key is never stored"),
        wrong(3, "\"room 2\"", "\"room 2\",\"_x\":1", "text._x: Key is never stored"),
        wrong(3, "\"text\":", "\"text\":[],\"t\":", "document.t: unknown field `t`"),
        wrong(3, "\"name\":\"room 2\"", &big, "text: Value must not be larger than 131072 bytes"),
        wrong(3, "\"room 2\"", &format!("\"{wide}\""), "is longer than 1 MiB"),
        wrong(3, "}}}", "}}} {}", "is no JSON: trailing characters"),
        wrong(3, "\"200\"", "\"100\"", &format!("the number 100 is in use by document {:032x}", 1)),
        wrong(3, "\"200\"", "\"900\"", &format!("the number 900 is in use by document {:032x}", 99)),
        wrong(4, "0003\",\"acc", "0063\",\"acc", "is there already with another revision"),
    ]
}

fn wrong_credentials() -> Vec<Wrong> {
    let hash = "07".repeat(32);
    vec![
        wrong(5, &hash, "07", "credential 000000000007: hash: 64 lower-case hex digits are expected"),
        wrong(5, "0707", "070G", "hash: 64 lower-case hex digits are expected"),
        wrong(5, "\"api_key\"", "\"key\"", "kind: token or api_key is expected"),
        wrong(5, "control,read", "everything", "scopes: not a list of scopes"),
        wrong(5, "\"id\":\"0", "\"id\":\"", "id: 12 lower-case hex digits are expected"),
        wrong(5, ",\"revoked\":null", "", "credential: missing field `revoked`"),
        wrong(
            5,
            "\"id\":\"000000000007",
            "\"id\":\"000000000009",
            "line 6: credential 000000000008: the key",
        ),
        wrong(6, &"08".repeat(32), &hash, "credential 000000000008: another credential has the same hash"),
        wrong(
            7,
            "\"documents\":3",
            "\"documents\":4",
            "tells of 4 documents and 2 credentials, but 3 documents",
        ),
        wrong(7, "\"credentials\":2", "\"credentials\":1", "but 3 documents and 2 credentials were read"),
    ]
}

#[tokio::test]
async fn each_wrong_line_is_told_with_its_number_and_field() {
    let source = source().await;
    let (site, before) = target().await;
    for Wrong { line, from, to, told } in wrong_documents().into_iter().chain(wrong_credentials()) {
        let input = changed(&source, line, |text| {
            assert!(text.contains(&from), "{from} in {text}");
            text.replace(&from, &to)
        });
        for dry in ["", " --dry-run"] {
            let said = site.run_with(&format!("import{dry}"), &input).failed(1);
            let place = if told.starts_with("line ") { String::new() } else { format!("line {line}: ") };
            assert!(said.starts_with("convened: standard input: "), "{said}");
            assert!(said.contains(&place) && said.contains(&told), "{told}:\n{said}");
            assert!(said.len() < 1000, "{} bytes", said.len());
        }
        assert_eq!(site.exported(), before, "{told}");
    }
    let input = source.replace("\"room 2\"", "\"room \u{fc}\"").into_bytes();
    let latin: Vec<u8> = input.into_iter().filter(|byte| *byte != 0xc3).collect();
    let said = site.run_with("import", &latin).failed(1);
    assert!(said.contains("line 3: is not UTF-8 at byte "), "{said}");
    assert_eq!(site.exported(), before);
}

#[tokio::test]
async fn a_file_that_was_cut_anywhere_is_told_and_nothing_of_it_is_taken_for_whole() {
    let source = source().await;
    let (site, before) = target().await;
    let lines: Vec<&str> = source.lines().collect();
    let end = source.len() - lines[6].len();
    for (cut, documents) in [
        (source.find('\n').expect("a line") + 1, 0),
        (source.find('\n').expect("a line") + 20, 0),
        (source.find("room 3").expect("a name"), 2),
        (end, 3),
        // A line that is whole but for its end.
        (end - 1, 3),
        (end + 5, 3),
        (source.len() - 2, 3),
    ] {
        let said = site.run_with("import", &source.as_bytes()[..cut]).failed(1);
        let told = format!("ends without its last line: it was cut; {documents} documents were read");
        assert!(said.contains(&told), "{cut}: {said}");
        assert!(said.contains("nothing is imported; the import can be run again"), "{said}");
        assert_eq!(site.exported(), before);
    }
    assert!(site.run_with("import", b"").failed(1).contains("standard input: is empty"));
    let twice = format!("{source}{source}");
    assert!(site.run_with("import", twice.as_bytes()).failed(1).contains("line 8: stands after the end"));
    let gap = source.replacen('\n', "\n\n", 1);
    assert!(site.run_with("import", gap.as_bytes()).failed(1).contains("line 2: is no JSON"));
    assert!(site.run("import @none.jsonl").failed(1).contains("none.jsonl: cannot be read: "));
    assert_eq!(site.exported(), before);
    // Without the line end behind the last line it is whole.
    std::fs::write(site.path("whole.jsonl"), source.trim_end()).expect("written");
    let done = site.run("import @whole.jsonl");
    assert_eq!(done.err, "3 documents and 2 credentials: 5 new, 0 unchanged, 0 replaced\n");
    assert!(site.exported().contains("room 3"));
}

#[tokio::test]
async fn what_differs_is_an_error_unless_it_may_be_replaced() {
    let source = source().await;
    let (site, _) = target().await;
    site.run_with("import", source.as_bytes()).ok();
    let whole = site.exported();
    let newer = changed(&source, 3, |line| {
        line.replace("\"3-", "\"4-").replace("room 2", "room two").replace("63000000001", "63000000009")
    });
    let said = site.run_with("import", &newer).failed(1);
    let id = format!("{:032x}", 2);
    let told = format!("line 3: document {id}: it is there already with another revision, modified, text");
    assert!(said.contains(&told) && said.contains("--replace"), "{said}");
    assert_eq!(site.exported(), whole);
    let tried = site.run_with("import --replace --dry-run", &newer);
    let told = "3 documents and 2 credentials: 0 new, 4 unchanged, 1 replaced\n";
    assert_eq!(tried.err, format!("a dry run, nothing is written: {told}"));
    assert_eq!(site.exported(), whole, "a dry run writes nothing");
    let done = site.run_with("import --replace", &newer);
    assert_eq!(done.err, told);
    let expected = whole.replace("\"3-", "\"4-").replace("room 2", "room two");
    assert_eq!(site.exported().replace("63000000009", "63000000001"), expected);
}
