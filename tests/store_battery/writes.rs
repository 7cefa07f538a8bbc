//! Documents: revisions, conditions, and many writers at once.

use std::future::Future;

use convened::documents::{Condition, DocumentError, EtagList};
use convened::store::{DocumentQuery, DocumentRecord, NumberRole, NumberUse, WriteError};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::Stage;

pub(crate) async fn every_write_changes_the_revision_and_keeps_when_it_was_made(stage: &Stage) {
    let free = Condition::default();
    let made = stage.create(json!({"name": "a"})).await;
    assert_eq!((made.created, made.modified), (1_700_000_000 + 62_167_219_200, made.created));
    stage.time_goes_by(7);
    let data = || json!({"name": "b"});
    let second = stage.documents.replace(&stage.account, &made.id, data(), &free).await.expect("replaced");
    let third = stage.documents.replace(&stage.account, &made.id, data(), &free).await.expect("replaced");
    assert!(made.revision.starts_with("1-") && made.revision.len() == 34, "{}", made.revision);
    assert!(second.revision.starts_with("2-") && third.revision.starts_with("3-"));
    assert_eq!((third.created, third.modified), (made.created, made.created + 7));
    assert_eq!((&second.body, third.etag()), (&third.body, format!("\"{}\"", third.revision)));
    assert_eq!(stage.get(&made.id).await, third);
}

pub(crate) async fn a_deleted_document_is_answered_once_and_then_not_found(stage: &Stage) {
    let free = Condition::default();
    let made = stage.create(json!({"name": "a", "custom": [1, 2]})).await;
    let deleted = stage.documents.delete(&stage.account, &made.id, &free).await.expect("deleted");
    assert_eq!(deleted, made);
    for error in [
        stage.documents.get(&stage.account, &made.id).await.expect_err("gone"),
        stage.documents.delete(&stage.account, &made.id, &free).await.expect_err("gone"),
        stage.documents.patch(&stage.account, &made.id, json!({}), &free).await.expect_err("gone"),
        stage.documents.replace(&stage.account, &made.id, json!({}), &free).await.expect_err("gone"),
    ] {
        assert!(matches!(&error, DocumentError::NotFound { id } if *id == made.id), "{error:?}");
    }
}

pub(crate) async fn another_accounts_document_is_not_found_whatever_is_tried(stage: &Stage) {
    let free = Condition::default();
    let made = stage.create(json!({"name": "a", "conference_numbers": ["1"]})).await;
    // The right revision does not help, nor does a number of its own.
    let knowing = Condition { if_match: None, revision: Some(made.revision.clone()) };
    let data = || json!({"conference_numbers": ["2"]});
    for condition in [&free, &knowing] {
        for error in [
            stage.documents.get(&stage.other, &made.id).await.expect_err("hidden"),
            stage.documents.replace(&stage.other, &made.id, data(), condition).await.expect_err("hidden"),
            stage.documents.patch(&stage.other, &made.id, data(), condition).await.expect_err("hidden"),
            stage.documents.delete(&stage.other, &made.id, condition).await.expect_err("hidden"),
        ] {
            assert!(matches!(error, DocumentError::NotFound { .. }), "{error:?}");
        }
    }
    assert_eq!(stage.get(&made.id).await, made);
}

pub(crate) async fn a_stale_revision_is_a_conflict_and_a_stale_etag_a_failed_precondition(stage: &Stage) {
    let made = stage.create(json!({"name": "a"})).await;
    let free = Condition::default();
    let now = stage.documents.patch(&stage.account, &made.id, json!({"n": 1}), &free).await.expect("patched");
    let old = Condition { if_match: None, revision: Some(made.revision.clone()) };
    let data = || json!({"name": "lost"});
    for error in [
        stage.documents.replace(&stage.account, &made.id, data(), &old).await.expect_err("stale"),
        stage.documents.patch(&stage.account, &made.id, data(), &old).await.expect_err("stale"),
        stage.documents.delete(&stage.account, &made.id, &old).await.expect_err("stale"),
    ] {
        let DocumentError::Conflict { expected, current } = error else { panic!("{error:?}") };
        assert_eq!((&expected, &current), (&made.revision, &now.revision));
    }
    let old = Condition { if_match: Some(EtagList::parse(&made.etag())), revision: None };
    for error in [
        stage.documents.replace(&stage.account, &made.id, data(), &old).await.expect_err("stale"),
        stage.documents.delete(&stage.account, &made.id, &old).await.expect_err("stale"),
    ] {
        assert!(matches!(error, DocumentError::PreconditionFailed), "{error:?}");
    }
    assert_eq!(stage.get(&made.id).await, now);
}

pub(crate) async fn a_condition_that_holds_lets_the_write_happen(stage: &Stage) {
    let made = stage.create(json!({"name": "a"})).await;
    let tag = Condition { if_match: Some(EtagList::parse(&made.etag())), revision: None };
    let next = stage.documents.patch(&stage.account, &made.id, json!({"n": 1}), &tag).await.expect("patched");
    let held = Condition { if_match: Some(EtagList::Any), revision: Some(next.revision.clone()) };
    let next = stage.documents.replace(&stage.account, &made.id, json!({}), &held).await.expect("replaced");
    let held =
        Condition { if_match: Some(EtagList::parse(&next.etag())), revision: Some(next.revision.clone()) };
    assert_eq!(stage.documents.delete(&stage.account, &made.id, &held).await.expect("deleted"), next);
}

pub(crate) async fn two_writers_at_once_leave_one_whole_document(stage: &Stage) {
    let free = Condition::default();
    let made = stage.create(json!({})).await;
    for round in 0..20 {
        let version = |who: u32| {
            let number = format!("{}", 1000 + round * 2 + who);
            json!({"name": number, "conference_numbers": [number], "custom": {"who": who}})
        };
        let (first, second) = tokio::join!(
            stage.documents.replace(&stage.account, &made.id, version(0), &free),
            stage.documents.replace(&stage.account, &made.id, version(1), &free),
        );
        let (first, second) = (first.expect("first"), second.expect("second"));
        let now = stage.get(&made.id).await;
        assert!(now == first || now == second, "{now:?}");
        assert_eq!(now.body["name"], now.body["conference_numbers"][0]);
        for document in [&first, &second] {
            let number = document.name().expect("a name");
            let found = stage.documents.by_number(&stage.account, number).await.expect("read");
            assert_eq!(found.is_some(), *document == now, "{number}");
        }
    }
}

pub(crate) async fn of_fifty_conditional_writes_at_once_one_succeeds(stage: &Stage) {
    let made = stage.create(json!({})).await;
    let held = Condition { if_match: None, revision: Some(made.revision.clone()) };
    let writes =
        (0..50).map(|n| stage.documents.replace(&stage.account, &made.id, json!({"custom": n}), &held));
    let (won, lost): (Vec<_>, Vec<_>) = join_all(writes).await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 49));
    let won = won.into_iter().flatten().next().expect("the one");
    for error in lost.into_iter().filter_map(Result::err) {
        let DocumentError::Conflict { current, .. } = error else { panic!("{error:?}") };
        assert_eq!(current, won.revision);
    }
    assert_eq!(stage.get(&made.id).await, won);
}

pub(crate) async fn fifty_unconditional_patches_at_once_all_count(stage: &Stage) {
    let free = Condition::default();
    let made = stage.create(json!({})).await;
    let patches = (0..50).map(|n| {
        let patch = json!({"custom": {format!("k{n}"): n}});
        stage.documents.patch(&stage.account, &made.id, patch, &free)
    });
    for outcome in join_all(patches).await {
        outcome.expect("patched");
    }
    let now = stage.get(&made.id).await;
    assert_eq!(now.body["custom"].as_object().map(serde_json::Map::len), Some(50));
    assert!(now.revision.starts_with("51-"), "{}", now.revision);
}

pub(crate) async fn a_write_that_is_given_up_happens_whole_or_not_at_all(stage: &Stage) {
    let mut happened = 0;
    for round in 0..60 {
        // From "not even begun" to "long done".
        let polls = (1.22_f64.powi(round) - 1.0) as usize;
        let number = format!("{}", 5000 + round);
        let data = json!({"name": number, "conference_numbers": [number], "member": {"numbers": [format!("9{number}")]}});
        give_up_after(polls, stage.documents.create(&stage.account, data)).await;
        // The next write comes through at once, whatever the one before left behind.
        stage.create(json!({"name": "next"})).await;
        let query = DocumentQuery { name: Some(number.clone()), ..DocumentQuery::default() };
        let stored = stage.documents.list(&stage.account, &query).await.expect("a list").documents.len();
        for number in [number.clone(), format!("9{number}")] {
            let found = stage.documents.by_number(&stage.account, &number).await.expect("read");
            assert_eq!(usize::from(found.is_some()), stored, "{number} after {polls} polls");
        }
        happened += stored;
    }
    println!("{happened} of 60 happened");
    assert!((1..60).contains(&happened), "all or none were given up, so nothing was tried: {happened}");
}

/// Polls so many times, then drops.
async fn give_up_after<F: Future>(polls: usize, future: F) {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 || future.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

pub(crate) async fn a_write_that_fails_midway_leaves_nothing_and_the_next_one_works(stage: &Stage) {
    let number = |number: &str| NumberUse { number: number.to_owned(), role: NumberRole::Member };
    let record = DocumentRecord {
        id: "0".repeat(32),
        account: stage.account.clone(),
        revision: "1-x".into(),
        created: 1,
        modified: 1,
        name: None,
        owner_id: None,
        numbers: vec![number("1")],
        text: "{}".into(),
    };
    stage.store.create_document(&record).await.expect("created");
    // An id comes twice only by a mistake of ours, so it is a failure and no refusal.
    let twice = DocumentRecord { numbers: vec![number("2")], text: "{\"a\":1}".into(), ..record.clone() };
    let error = stage.store.create_document(&twice).await.expect_err("the id is there");
    assert!(matches!(&error, WriteError::Store(error) if !error.is_unavailable()), "{error:?}");
    stage.create(json!({"conference_numbers": ["2"]})).await;
    let kept = stage.store.document(&stage.account, &record.id).await.expect("read").expect("there");
    assert_eq!((kept.text, kept.numbers), ("{}".to_owned(), vec![]));
}

pub(crate) async fn text_that_looks_like_sql_is_only_text(stage: &Stage) {
    for text in ["'; DROP TABLE documents; --", "%", "_", "\"", "\\", "é\u{1F600}", "a\u{0}b", "?1"] {
        let made = stage.create(json!({"name": text, "custom": {text: text}})).await;
        assert_eq!(stage.get(&made.id).await, made);
        let query = DocumentQuery { name: Some(text.to_owned()), ..DocumentQuery::default() };
        let found = stage.documents.list(&stage.account, &query).await.expect("a list").documents;
        // A name with a NUL cannot be filtered for; not every database can hold it in a column.
        let expected = if text.contains('\0') { vec![] } else { vec![made] };
        assert_eq!(found, expected, "{text:?}");
        let missing = stage.documents.get(&stage.account, text).await.expect_err("no such id");
        assert!(matches!(missing, DocumentError::NotFound { .. }), "{missing:?}");
    }
    assert_eq!(stage.create(json!({"name": "still here"})).await.body["name"], Value::from("still here"));
}
