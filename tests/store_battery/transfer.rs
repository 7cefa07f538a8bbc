//! Everything out, and in again, over any store.

use std::collections::HashSet;

use convened::auth::{AccountId, CredentialKind};
use convened::store::{
    CredentialRecord, DocumentRecord, Exported, ImportError, Imported, NumberRole, NumberUse, Refusal,
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::Stage;

impl Stage {
    /// All there is.
    async fn exported(&self) -> Vec<Exported> {
        let (to, mut from) = mpsc::channel(1);
        let (ended, all) = tokio::join!(self.store.export(to), async {
            let mut all = Vec::new();
            while let Some(one) = from.recv().await {
                all.push(one);
            }
            all
        });
        ended.expect("exported");
        all
    }

    async fn import(&self, batch: &[Exported]) -> Vec<Imported> {
        self.store.import(batch, false).await.expect("imported")
    }

    async fn refused(&self, batch: &[Exported], replace: bool) -> (usize, Refusal) {
        let before = self.exported().await;
        let error = self.store.import(batch, replace).await.expect_err("refused");
        assert_eq!(self.exported().await, before, "nothing is written");
        match error {
            ImportError::Refused { index, reason } => (index, reason),
            ImportError::Store(error) => panic!("{error}"),
        }
    }
}

/// A document with these numbers; the rest follows from `n`.
fn document(n: u32, account: &AccountId, numbers: &[&str]) -> DocumentRecord {
    let role = NumberRole::Member;
    let numbers: Vec<_> =
        numbers.iter().map(|number| NumberUse { number: (*number).to_owned(), role }).collect();
    let texts: Vec<&str> = numbers.iter().map(|number| number.number.as_str()).collect();
    // Spaces, a key twice, an exponent: nothing that a parser would give back like this.
    let texts = json!(texts);
    let text = format!(
        r#"{{ "name":"room {n}", "big": 1.10e400, "big": 9007199254740993, "member": {{"numbers":{texts}}} }}"#
    );
    DocumentRecord {
        id: format!("{n:032x}"),
        account: account.clone(),
        revision: format!("{n}-{n:032x}"),
        created: 63_000_000_000,
        modified: 63_000_000_001,
        name: Some(format!("room {n}")),
        owner_id: None,
        numbers,
        text,
    }
}

fn credential(n: u8, issued_by: Option<&str>) -> CredentialRecord {
    CredentialRecord {
        id: format!("{n:012x}"),
        kind: if issued_by.is_some() { CredentialKind::Token } else { CredentialKind::ApiKey },
        hash: [n; 32],
        name: format!("credential {n} \u{e9}\u{1f41f}"),
        account: None,
        scopes: "read,write".into(),
        issued_by: issued_by.map(str::to_owned),
        created: 1_600_000_000 - i64::from(n),
        expires: Some(1_900_000_000),
        last_used: Some(1_650_000_000),
        revoked: Some(1_660_000_000),
    }
}

/// As it comes out again.
fn without_numbers(document: &DocumentRecord) -> Exported {
    Exported::Document(DocumentRecord { numbers: Vec::new(), ..document.clone() })
}

fn ids(exported: &[Exported]) -> Vec<String> {
    let id = |one: &Exported| match one {
        Exported::Document(document) => document.id.clone(),
        Exported::Credential(credential) => credential.id.clone(),
    };
    exported.iter().map(id).collect()
}

pub(crate) async fn an_export_has_everything_once_and_keys_before_their_tokens(stage: &Stage) {
    assert_eq!(stage.exported().await, []);
    let mut documents = Vec::new();
    for n in 0..30 {
        let account = if n % 3 == 0 { &stage.other } else { &stage.account };
        let data = json!({"name": format!("room {n}"), "conference_numbers": [n.to_string()]});
        documents.push(stage.documents.create(account, data).await.expect("created").id);
    }
    documents.sort();
    // Younger by id and by time than the token that came from it.
    let key = credential(9, None);
    let token = CredentialRecord { created: 1, ..credential(1, Some(&key.id)) };
    let old = CredentialRecord { created: 2, ..credential(200, None) };
    for one in [&key, &token, &old] {
        stage.store.create_credential(one, 0).await.expect("stored");
    }
    stage.store.revoke_credential(&key.id, 1_700_000_000).await.expect("revoked");
    let exported = stage.exported().await;
    let credentials = [old.id.clone(), key.id.clone(), token.id.clone()];
    assert_eq!(ids(&exported), [documents, credentials.into()].concat());
    assert_eq!(exported[30..], [old, key, token].map(Exported::Credential));
}

pub(crate) async fn an_export_is_of_one_moment_although_somebody_writes(stage: &Stage) {
    let mut there = HashSet::new();
    for n in 0..200 {
        there.insert(stage.create(json!({"name": n.to_string(), "custom": "x".repeat(2000)})).await.id);
    }
    let (to, mut from) = mpsc::channel(1);
    let export = stage.store.export(to);
    let write = async {
        let mut seen = vec![from.recv().await.expect("a first one")];
        let victims: Vec<String> = there.iter().take(50).cloned().collect();
        for id in &victims[..25] {
            stage.documents.delete(&stage.account, id, &Default::default()).await.expect("deleted");
        }
        for id in &victims[25..] {
            let patch = json!({"name": "changed"});
            stage.documents.patch(&stage.account, id, patch, &Default::default()).await.expect("patched");
        }
        stage.create(json!({"name": "later"})).await;
        stage.store.create_credential(&credential(1, None), 0).await.expect("stored");
        while let Some(one) = from.recv().await {
            seen.push(one);
        }
        seen
    };
    let (ended, seen) = tokio::join!(export, write);
    ended.expect("exported");
    assert_eq!(ids(&seen).into_iter().collect::<HashSet<_>>(), there);
    assert_eq!(seen.len(), there.len());
    for one in &seen {
        let Exported::Document(document) = one else { panic!("a credential of another moment") };
        assert!(document.revision.starts_with("1-"), "{document:?}");
    }
    assert_eq!(stage.exported().await.len(), 200 - 25 + 1 + 1);
}

pub(crate) async fn an_export_ends_with_its_receiver_and_disturbs_nobody(stage: &Stage) {
    for n in 0..20 {
        stage.create(json!({"name": n.to_string()})).await;
    }
    let (to, mut from) = mpsc::channel(1);
    let (ended, ()) = tokio::join!(stage.store.export(to), async {
        from.recv().await.expect("a first one");
        drop(from);
    });
    ended.expect("that is no failure");
    // More exports that nobody reads on than there are connections: they hold nobody up.
    let mut stalled = Vec::new();
    for _ in 0..12 {
        let (to, mut from) = mpsc::channel(1);
        let mut export = Box::pin(stage.store.export(to));
        tokio::select! {
            ended = &mut export => panic!("it ended early: {ended:?}"),
            one = from.recv() => assert!(one.is_some()),
        }
        stalled.push((export, from));
    }
    let made = stage.create(json!({"name": "meanwhile"})).await;
    assert_eq!(stage.get(&made.id).await, made);
    drop(stalled);
    assert_eq!(stage.exported().await.len(), 21);
    stage.store.close().await;
    let (to, _from) = mpsc::channel(1);
    let error = stage.store.export(to).await.expect_err("closed");
    assert!(error.is_unavailable(), "{error}");
}

pub(crate) async fn what_is_imported_is_there_as_it_was(stage: &Stage) {
    let (one, two) = (document(1, &stage.account, &["100", "101"]), document(2, &stage.other, &["100"]));
    let key = credential(7, None);
    let open = CredentialRecord {
        kind: CredentialKind::Token,
        account: Some(stage.account.clone()),
        expires: None,
        last_used: None,
        revoked: None,
        ..credential(3, Some(&key.id))
    };
    let batch = [
        Exported::Document(two.clone()),
        Exported::Document(one.clone()),
        Exported::Credential(key.clone()),
        Exported::Credential(open.clone()),
    ];
    assert_eq!(stage.import(&batch).await, [Imported::New; 4]);
    let expected =
        [without_numbers(&one), without_numbers(&two), Exported::Credential(key), Exported::Credential(open)];
    assert_eq!(stage.exported().await, expected);
    let found = stage.store.document_by_number(&stage.account, "101").await.expect("read");
    assert_eq!(found.map(|(document, role)| (document.id, role)), Some((one.id, NumberRole::Member)));
    let found = stage.store.document_by_number(&stage.other, "100").await.expect("read");
    assert_eq!(found.map(|(document, _)| document.id), Some(two.id));
    assert_eq!(stage.import(&[]).await, []);
}

pub(crate) async fn importing_again_changes_nothing(stage: &Stage) {
    let batch = [
        Exported::Document(document(1, &stage.account, &["100"])),
        Exported::Credential(credential(7, None)),
    ];
    assert_eq!(stage.import(&batch).await, [Imported::New; 2]);
    let before = stage.exported().await;
    for replace in [false, true] {
        let again = stage.store.import(&batch, replace).await.expect("imported");
        assert_eq!(again, [Imported::Unchanged; 2]);
        assert_eq!(stage.exported().await, before);
    }
    let found = stage.store.document_by_number(&stage.account, "100").await.expect("read");
    assert!(found.is_some(), "the number is kept");
}

pub(crate) async fn what_differs_is_refused_by_name_unless_it_may_be_replaced(stage: &Stage) {
    let there = document(1, &stage.account, &["100", "101"]);
    let key = credential(7, None);
    let token = credential(8, Some(&key.id));
    let batch = [
        Exported::Document(there.clone()),
        Exported::Credential(key.clone()),
        Exported::Credential(token.clone()),
    ];
    stage.import(&batch).await;
    let moved =
        DocumentRecord { id: there.id.clone(), created: 1, ..document(2, &stage.other, &["101", "102"]) };
    let renamed = CredentialRecord {
        kind: CredentialKind::Token,
        hash: [77; 32],
        name: "new".into(),
        account: Some(stage.account.clone()),
        scopes: "read".into(),
        created: 5,
        expires: None,
        revoked: Some(6),
        ..key.clone()
    };
    let stay = Exported::Document(document(3, &stage.account, &[]));
    for (changed, names) in [
        (Exported::Document(moved.clone()), &["account", "revision", "created", "text"][..]),
        (
            Exported::Credential(renamed.clone()),
            &["kind", "hash", "name", "account", "scopes", "created", "expires", "revoked"],
        ),
        (Exported::Credential(CredentialRecord { issued_by: None, ..token.clone() }), &["issued_by"]),
        (Exported::Document(DocumentRecord { modified: 3, ..there.clone() }), &["modified"]),
    ] {
        let refused = stage.refused(&[stay.clone(), changed], false).await;
        assert_eq!(refused, (1, Refusal::Differs(names.to_vec())));
    }
    let batch = [Exported::Document(moved.clone()), Exported::Credential(renamed.clone())];
    let replaced = stage.store.import(&batch, true).await.expect("imported");
    assert_eq!(replaced, [Imported::Replaced; 2]);
    // What came from the key is not lost with the old one; the older of the two comes first.
    let expected = [without_numbers(&moved), Exported::Credential(renamed), Exported::Credential(token)];
    assert_eq!(stage.exported().await, expected);
    let by_number = |account, number| stage.store.document_by_number(account, number);
    assert!(by_number(&stage.account, "100").await.expect("read").is_none(), "given up");
    let (found, _) = by_number(&stage.other, "102").await.expect("read").expect("a document");
    assert_eq!((found.id, found.name), (moved.id, moved.name));
}

pub(crate) async fn a_refusal_names_the_place_and_leaves_nothing_of_the_batch(stage: &Stage) {
    let there = document(1, &stage.account, &["100"]);
    let key = credential(7, None);
    stage.import(&[Exported::Document(there.clone()), Exported::Credential(key.clone())]).await;
    let fine = Exported::Document(document(2, &stage.account, &["200"]));
    let taken = Exported::Document(document(3, &stage.account, &["300", "100"]));
    let in_use = Refusal::NumberInUse { number: "100".into(), document: there.id.clone() };
    let twin = Exported::Document(document(4, &stage.account, &["200"]));
    let by_twin = Refusal::NumberInUse { number: "200".into(), document: format!("{:032x}", 2) };
    let hash = Exported::Credential(CredentialRecord { hash: key.hash, ..credential(8, None) });
    let orphan = Exported::Credential(credential(9, Some("00000000beef")));
    for replace in [false, true] {
        let refused = async |last: &Exported| stage.refused(&[fine.clone(), last.clone()], replace).await;
        assert_eq!(refused(&taken).await, (1, in_use.clone()));
        assert_eq!(refused(&twin).await, (1, by_twin.clone()));
        assert_eq!(refused(&hash).await, (1, Refusal::HashInUse));
        assert_eq!(refused(&orphan).await, (1, Refusal::KeyMissing("00000000beef".into())));
    }
    assert_eq!(stage.import(&[fine]).await, [Imported::New], "and the store goes on");
}

pub(crate) async fn numbers_move_within_a_batch_whatever_its_order(stage: &Stage) {
    let batch = |first: &[&str], second: &[&str]| {
        let change = |document: DocumentRecord| DocumentRecord { modified: 9, ..document };
        [
            Exported::Document(change(document(1, &stage.account, first))),
            Exported::Document(change(document(2, &stage.account, second))),
        ]
    };
    stage.import(&batch(&["1"], &["2"])).await;
    let holder = async |number| {
        let found = stage.store.document_by_number(&stage.account, number).await.expect("read");
        found.map(|(document, _)| document.id)
    };
    for (first, second) in [(&["2"][..], &["1"][..]), (&["1", "2"], &[]), (&[], &["2", "1"])] {
        let moved = stage.store.import(&batch(first, second), true).await.expect("imported");
        assert_eq!(moved, [Imported::Replaced; 2]);
        for number in ["1", "2"] {
            let owner = if first.contains(&number) { 1 } else { 2 };
            assert_eq!(holder(number).await, Some(format!("{owner:032x}")));
        }
    }
}

pub(crate) async fn a_document_twice_in_a_batch_ends_as_the_last(stage: &Stage) {
    let first = document(1, &stage.account, &["1", "2"]);
    let last = DocumentRecord { id: first.id.clone(), ..document(5, &stage.account, &["2", "3"]) };
    let batch = [Exported::Document(first.clone()), Exported::Document(last.clone())];
    let refused = stage.refused(&batch, false).await;
    assert_eq!(refused, (1, Refusal::Differs(vec!["revision", "text"])));
    let done = stage.store.import(&batch, true).await.expect("imported");
    assert_eq!(done, [Imported::New, Imported::Replaced]);
    assert_eq!(stage.exported().await, [without_numbers(&last)]);
    for (number, there) in [("1", false), ("2", true), ("3", true)] {
        let found = stage.store.document_by_number(&stage.account, number).await.expect("read");
        assert_eq!(found.is_some(), there, "{number}");
    }
}

pub(crate) async fn an_import_takes_no_revocation_back_and_forgets_no_use(stage: &Stage) {
    let open = CredentialRecord { revoked: None, last_used: Some(5), ..credential(1, None) };
    stage.import(&[Exported::Credential(open.clone())]).await;
    stage.store.revoke_credential(&open.id, 70).await.expect("revoked");
    stage.store.note_credentials_used(&[(open.id.clone(), 60)]).await.expect("noted");
    assert_eq!(stage.import(&[Exported::Credential(open.clone())]).await, [Imported::Unchanged]);
    let renamed = CredentialRecord { name: "new".into(), ..open };
    let done = stage.store.import(&[Exported::Credential(renamed.clone())], true).await.expect("imported");
    assert_eq!(done, [Imported::Replaced]);
    let expected = CredentialRecord { revoked: Some(70), last_used: Some(60), ..renamed.clone() };
    assert_eq!(stage.exported().await, [Exported::Credential(expected)]);
    let later = CredentialRecord { revoked: Some(80), ..renamed };
    let refused = stage.refused(&[Exported::Credential(later)], false).await;
    assert_eq!(refused, (0, Refusal::Differs(vec!["revoked"])));
}

pub(crate) async fn the_version_of_the_schema_is_told(stage: &Stage) {
    let version = stage.store.schema_version();
    assert_eq!(version.was, 0, "a fresh store was new");
    assert!(version.is >= 1, "{version:?}");
}
