//! Numbers: once per account, decided by the database.

use convened::documents::{Condition, DocumentError, NumberRole};
use convened::store::DocumentQuery;
use futures_util::future::join_all;
use serde_json::json;

use crate::Stage;

pub(crate) async fn two_hundred_creates_of_one_number_leave_exactly_one(stage: &Stage) {
    let creates = (0..200).map(|n| {
        let documents = stage.documents.clone();
        let account = stage.account.clone();
        let data = match n % 3 {
            0 => json!({"conference_numbers": ["5551234"]}),
            1 => json!({"member": {"numbers": ["5551234"]}}),
            _ => json!({"moderator": {"numbers": ["5551234"]}}),
        };
        tokio::spawn(async move { documents.create(&account, data).await })
    });
    let outcomes = join_all(creates).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        outcomes.into_iter().map(|joined| joined.expect("no panic")).partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 199));
    for error in lost.into_iter().filter_map(Result::err) {
        assert!(matches!(&error, DocumentError::NumbersInUse(number) if number == "5551234"), "{error:?}");
    }
    let all = stage.documents.list(&stage.account, &DocumentQuery::default()).await.expect("a list");
    assert_eq!(all.documents.len(), 1);
}

pub(crate) async fn a_number_in_use_is_named_and_nothing_is_written(stage: &Stage) {
    let free = Condition::default();
    stage.create(json!({"conference_numbers": ["100"]})).await;
    let mine = stage.create(json!({"name": "mine", "conference_numbers": ["200"]})).await;
    let data = || json!({"name": "changed", "conference_numbers": ["300"], "member": {"numbers": ["100"]}});
    for error in [
        stage.documents.create(&stage.account, data()).await.expect_err("in use"),
        stage.documents.replace(&stage.account, &mine.id, data(), &free).await.expect_err("in use"),
        stage.documents.patch(&stage.account, &mine.id, data(), &free).await.expect_err("in use"),
    ] {
        let told = error.field_errors().expect("field errors").to_value();
        let expected = json!({"numbers": {"unique": {"message": "Numbers already in use", "cause": "100"}}});
        assert_eq!(told, expected);
    }
    assert_eq!(stage.get(&mine.id).await, mine);
    let kept = stage.documents.by_number(&stage.account, "200").await.expect("read");
    assert_eq!(kept.expect("mine still has it").0.id, mine.id);
    assert!(stage.documents.by_number(&stage.account, "300").await.expect("read").is_none());
    assert_eq!(
        stage.documents.list(&stage.account, &DocumentQuery::default()).await.expect("two").documents.len(),
        2
    );
}

pub(crate) async fn a_number_is_taken_whatever_the_role_of_the_other(stage: &Stage) {
    let with = |role: usize, number: &str| match role {
        0 => json!({"conference_numbers": [number]}),
        1 => json!({"member": {"numbers": [number]}}),
        _ => json!({"moderator": {"numbers": [number]}}),
    };
    for first in 0..3 {
        let number = format!("{}", 10 + first);
        stage.create(with(first, &number)).await;
        for second in 0..3 {
            let error =
                stage.documents.create(&stage.account, with(second, &number)).await.expect_err("taken");
            assert!(matches!(error, DocumentError::NumbersInUse(_)), "{first} {second}: {error:?}");
        }
    }
}

pub(crate) async fn a_number_is_free_when_its_document_gives_it_up_or_goes(stage: &Stage) {
    let free = Condition::default();
    let first = stage.create(json!({"conference_numbers": ["1", "2"], "member": {"numbers": ["3"]}})).await;
    // A document may keep its own number, in another role as well.
    let data = json!({"conference_numbers": ["3"], "moderator": {"numbers": ["2"]}});
    stage.documents.replace(&stage.account, &first.id, data, &free).await.expect("replaced");
    stage.create(json!({"conference_numbers": ["1"]})).await;
    let patch = json!({"conference_numbers": null});
    stage.documents.patch(&stage.account, &first.id, patch, &free).await.expect("patched");
    stage.create(json!({"conference_numbers": ["3"]})).await;
    stage.documents.delete(&stage.account, &first.id, &free).await.expect("deleted");
    stage.create(json!({"conference_numbers": ["2"]})).await;
}

pub(crate) async fn two_documents_that_swap_numbers_at_once_never_share_one(stage: &Stage) {
    let free = Condition::default();
    let one = stage.create(json!({"conference_numbers": ["1"]})).await;
    let two = stage.create(json!({"conference_numbers": ["2"]})).await;
    for round in 0..20 {
        let (for_one, for_two) = if round % 2 == 0 { ("2", "1") } else { ("1", "2") };
        let write = |id, number: &str| {
            stage.documents.replace(&stage.account, id, json!({"conference_numbers": [number]}), &free)
        };
        let give = json!({"conference_numbers": []});
        let (first, second) = tokio::join!(write(&one.id, for_one), write(&two.id, for_two));
        // Each wants what the other has, so neither can be first.
        assert!(matches!(first, Err(DocumentError::NumbersInUse(_))), "{first:?}");
        assert!(matches!(second, Err(DocumentError::NumbersInUse(_))), "{second:?}");
        let (given, taken) = tokio::join!(
            stage.documents.replace(&stage.account, &one.id, give, &free),
            write(&two.id, for_two),
        );
        given.expect("giving up is always possible");
        if taken.is_err() {
            write(&two.id, for_two).await.expect("now it is free");
        }
        write(&one.id, for_one).await.expect("and so is the other");
    }
}

pub(crate) async fn two_accounts_may_have_the_same_number(stage: &Stage) {
    let data = || json!({"conference_numbers": ["5551234"]});
    let mine = stage.create(data()).await;
    let theirs = stage.documents.create(&stage.other, data()).await.expect("another account");
    for (account, document) in [(&stage.account, mine), (&stage.other, theirs)] {
        let found = stage.documents.by_number(account, "5551234").await.expect("read").expect("found");
        assert_eq!(found.0, document);
    }
}

pub(crate) async fn a_number_leads_to_its_document_and_role(stage: &Stage) {
    let made = stage
        .create(json!({
            "conference_numbers": ["1"], "member": {"numbers": ["2"]}, "moderator": {"numbers": ["3", "03"]},
        }))
        .await;
    for (number, role) in [
        ("1", NumberRole::Conference),
        ("2", NumberRole::Member),
        ("3", NumberRole::Moderator),
        ("03", NumberRole::Moderator),
    ] {
        let found = stage.documents.by_number(&stage.account, number).await.expect("read");
        assert_eq!(found, Some((made.clone(), role)), "{number}");
    }
    assert_eq!(stage.documents.by_number(&stage.account, "003").await.expect("read"), None);
}
