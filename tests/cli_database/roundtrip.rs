//! Out of one database and into another: nothing is lost, nothing is changed.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use convened::store::{DocumentQuery, DocumentRecord, Exported, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::site::{Site, account, credential, document};

#[tokio::test]
async fn what_goes_out_and_in_goes_out_the_same_byte_for_byte() {
    let (old, new) = (Site::new(), Site::new());
    let odd = r#"{ "z": 1.10, "name":"R\u00e4um","a":[9007199254740993, 1e400,-0], "conference_numbers" : ["0017"] }"#;
    old.keep(&[
        document(2, odd.into(), Some("0017")),
        document(1, "{}".into(), None),
        credential(7, None),
        credential(1, Some(7)),
    ])
    .await;
    let said = old.run("export --output @all.jsonl");
    let told = format!("2 documents and 2 credentials exported to {}\n", old.path("all.jsonl").display());
    assert_eq!(said.err, told);
    assert_eq!(said.ok(), "");
    assert_eq!(old.others(), ["all.jsonl"]);
    let mode = std::fs::metadata(old.path("all.jsonl")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the hashes are nobody else's business");
    let file = std::fs::read_to_string(old.path("all.jsonl")).expect("read");
    assert!(file.contains(odd), "{file}");

    let imported = new.run_with("import", file.as_bytes());
    assert_eq!(imported.err, "2 documents and 2 credentials: 4 new, 0 unchanged, 0 replaced\n");
    let exported = new.exported();
    assert_eq!(exported, file.split_once('\n').expect("a header").1);
    assert_eq!(exported, old.exported());

    let store = new.store().await;
    let found = store.document_by_number(&account(), "0017").await.expect("read").expect("a document");
    assert_eq!((found.0.text.as_str(), found.0.name.as_deref()), (odd, Some("R\u{e4}um")));
    let again = new.run_with("import -", file.as_bytes());
    assert_eq!(again.err, "2 documents and 2 credentials: 0 new, 4 unchanged, 0 replaced\n");
    store.check().await.expect("all of this beside a daemon");
}

#[tokio::test]
async fn without_credentials_there_are_only_documents_and_it_is_whole_even_so() {
    let (old, new) = (Site::new(), Site::new());
    old.keep(&[document(1, "{}".into(), None), credential(7, None), credential(1, Some(7))]).await;
    let all = old.run("export --no-credentials").ok();
    assert!(!all.contains("credential\"") && !all.contains(&"07".repeat(32)), "{all}");
    assert!(all.ends_with("{\"end\":{\"documents\":1,\"credentials\":0}}\n"), "{all}");
    let imported = new.run_with("import", all.as_bytes());
    assert_eq!(imported.err, "1 document and 0 credentials: 1 new, 0 unchanged, 0 replaced\n");
}

#[tokio::test]
async fn a_dry_run_finds_what_the_import_would_find_also_between_distant_lines() {
    let (old, new) = (Site::new(), Site::new());
    // More than one batch lies between the two that collide, and between the key and its token.
    let mut all: Vec<Exported> = (0..700).map(|n| document(n, "{}".into(), None)).collect();
    all[0] = document(0, r#"{"conference_numbers":["5"]}"#.into(), Some("5"));
    all[699] = document(699, r#"{"conference_numbers":["6"]}"#.into(), Some("6"));
    all.extend([credential(7, None), credential(1, Some(7))]);
    old.keep(&all).await;
    let good = old.run("export").ok();
    let tried = new.run_with("import --dry-run", good.as_bytes());
    let told = "700 documents and 2 credentials: 702 new, 0 unchanged, 0 replaced\n";
    assert_eq!(tried.err, format!("a dry run, nothing is written: {told}"));
    assert_eq!(new.exported(), "{\"end\":{\"documents\":0,\"credentials\":0}}\n");
    let bad = good.replace("\"6\"", "\"5\"");
    for command in ["import --dry-run", "import"] {
        let said = new.run_with(command, bad.as_bytes()).failed(1);
        assert!(said.contains("line 701: document "), "{said}");
        assert!(
            said.contains("the number 5 is in use by document 00000000000000000000000000000000"),
            "{said}"
        );
    }
    let first = "lines 2 to 501 are in the database; the import can be run again";
    assert!(new.run_with("import", bad.as_bytes()).failed(1).contains(first));
    let done = new.run_with("import", good.as_bytes());
    assert_eq!(done.err, told.replace("702 new, 0 un", "202 new, 500 un"));
    let tried = new.run_with("import --dry-run", good.as_bytes());
    assert!(tried.err.contains("0 new, 702 unchanged"), "{}", tried.err);
}

/// A writer that counts two documents and a credential up, one after the other. Of one moment they differ
/// by one at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_beside_a_daemon_that_writes_is_of_one_moment() {
    let site = Site::new();
    let mut all: Vec<Exported> =
        (0..3_000).map(|n| document(n, json!({"x": "x".repeat(1_000)}).to_string(), None)).collect();
    all[0] = document(0, r#"{"count":0}"#.into(), None);
    all[2_999] = document(2_999, r#"{"count":0}"#.into(), None);
    all.push(counted(0));
    site.keep(&all).await;
    let store = Arc::new(site.store().await);
    let (stop, writes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writing = {
        let (store, stop, writes) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&writes));
        tokio::spawn(async move {
            let mut count = 0;
            while !stop.load(Ordering::SeqCst) {
                count += 1;
                let document = |n| document(n, json!({"count": count}).to_string(), None);
                // The one that is read last is written first.
                for one in [counted(count), document(2_999), document(0)] {
                    store.import(&[one], true).await.expect("written");
                    writes.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
    };
    let (mut beside, mut runs) = (0, 0);
    while beside < 5 {
        runs += 1;
        assert!(runs < 200, "it never writes meanwhile");
        let before = writes.load(Ordering::SeqCst);
        let run = tokio::task::block_in_place(|| site.exported());
        // More than the one that may have been over when the export began.
        beside += u32::from(writes.load(Ordering::SeqCst) > before + 1);
        let lines: Vec<Value> = run.lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
        assert_eq!(lines.len(), 3_002);
        let count = |line: usize| lines[line]["document"]["text"]["count"].as_u64().expect("a count");
        let (first, last) = (count(0), count(2_999));
        let name = lines[3_000]["credential"]["name"].as_str().expect("a name");
        let credential: u64 = name.parse().expect("a count");
        let in_order = first <= last && last <= credential && credential <= first + 1;
        assert!(in_order, "{first}, {last} and {credential} are not of one moment");
    }
    stop.store(true, Ordering::SeqCst);
    writing.await.expect("stopped");
}

fn counted(count: u64) -> Exported {
    let Exported::Credential(mut credential) = credential(7, None) else { panic!("a credential") };
    credential.name = count.to_string();
    Exported::Credential(credential)
}

/// Any JSON, with white space in any place where it may be.
fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|text| json!(text).to_string()),
        "\"(\\\\u00[0-9a-f]{2}|\\\\/|\\\\ud83d\\\\udc1f|[ -!#-\\[\\]-~]){0,8}\"",
    ];
    let value = leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..5), white())
                .prop_map(|(items, white)| format!("[{white}{}]", items.join(&format!(",{white}")))),
            object(inner),
        ]
    });
    object(value)
}

fn object(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    // Keys may stand twice. Those with an x mean nothing to anybody.
    let pair = (any::<String>(), inner, white())
        .prop_map(|(key, value, white)| format!("{}{white}:{value}{white}", json!(format!("x{key}"))));
    (prop::collection::vec(pair, 0..5), white())
        .prop_map(|(pairs, white)| format!("{{{white}{}}}", pairs.join(",")))
}

fn white() -> impl Strategy<Value = String> {
    "[ \t\r]{0,2}"
}

#[test]
fn any_document_survives_the_way_out_and_in_byte_for_byte() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: 12, max_shrink_iters: 40, ..Config::default() });
    let texts = prop::collection::vec(text(), 1..40);
    let outcome = runner.run(&texts, |texts| {
        let (old, new) = (Site::new(), Site::new());
        let all: Vec<Exported> = (0..).zip(&texts).map(|(n, text)| document(n, text.clone(), None)).collect();
        runtime.block_on(old.keep(&all));
        let file = old.run("export").ok();
        let done = new.run_with("import", file.as_bytes());
        prop_assert_eq!(done.code, Some(0), "{}", done.err);
        prop_assert_eq!(new.exported(), old.exported());
        let kept: Vec<DocumentRecord> = runtime.block_on(async {
            let store = new.store().await;
            store.documents(&account(), &DocumentQuery::default()).await.expect("a list").documents
        });
        let kept: Vec<&String> = kept.iter().map(|document| &document.text).collect();
        prop_assert_eq!(kept, texts.iter().collect::<Vec<_>>());
        Ok(())
    });
    outcome.expect("they survive");
}
