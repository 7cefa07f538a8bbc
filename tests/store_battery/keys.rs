//! Idempotency keys: taken once, answered once, free again when they are old.

use std::sync::Arc;

use convened::store::{KeyClaim, KeyUse};
use futures_util::future::join_all;

use crate::Stage;

fn claim(stage: &Stage, name: &str) -> KeyClaim {
    KeyClaim {
        account: Some(stage.account.clone()),
        credential: "0badcafe".into(),
        key: "k ~!\"'".into(),
        request: [7; 32],
        claim: name.into(),
        began: 1_000,
    }
}

fn used(claim: &KeyClaim, answer: Option<&str>) -> Option<KeyUse> {
    let answer = answer.map(str::to_owned);
    Some(KeyUse { request: claim.request, claim: claim.claim.clone(), began: claim.began, answer })
}

impl Stage {
    async fn claim(&self, claim: &KeyClaim) -> Option<KeyUse> {
        self.store.claim_key(claim, 0).await.expect("a claim")
    }
}

pub(crate) async fn of_a_hundred_claims_at_once_one_takes_the_key(stage: &Stage) {
    let claims = (0..100).map(|n| {
        let (store, claim) = (Arc::clone(&stage.store), claim(stage, &format!("c{n}")));
        tokio::spawn(async move { (store.claim_key(&claim, 0).await.expect("a claim"), claim) })
    });
    let outcomes: Vec<_> =
        join_all(claims).await.into_iter().map(|joined| joined.expect("no panic")).collect();
    let winners: Vec<_> = outcomes.iter().filter(|(found, _)| found.is_none()).collect();
    assert_eq!(winners.len(), 1);
    for (found, _) in outcomes.iter().filter(|(found, _)| found.is_some()) {
        assert_eq!(*found, used(&winners[0].1, None));
    }
}

pub(crate) async fn keys_of_two_credentials_or_accounts_are_two_keys(stage: &Stage) {
    let mine = claim(stage, "mine");
    let others = [
        KeyClaim { account: Some(stage.other.clone()), ..claim(stage, "b") },
        KeyClaim { account: None, ..claim(stage, "c") },
        KeyClaim { credential: "other".into(), ..claim(stage, "d") },
        KeyClaim { key: "K ~!\"'".into(), ..claim(stage, "e") },
    ];
    for claim in std::iter::once(&mine).chain(&others) {
        assert_eq!(stage.claim(claim).await, None, "{claim:?}");
    }
    stage.store.answer_key(&mine, "mine").await.expect("kept");
    for claim in &others {
        assert_eq!(stage.claim(claim).await, used(claim, None));
    }
}

pub(crate) async fn an_answer_is_kept_for_its_claim_and_no_other(stage: &Stage) {
    let first = claim(stage, "first");
    let second = KeyClaim { request: [8; 32], began: 2_000, ..claim(stage, "second") };
    assert_eq!(stage.claim(&first).await, None);
    assert_eq!(stage.claim(&second).await, used(&first, None));
    stage.store.answer_key(&second, "another's").await.expect("no failure");
    stage.store.free_key(&second).await.expect("no failure");
    assert_eq!(stage.claim(&second).await, used(&first, None));
    let answer = "{\"data\": \"ü\"}".repeat(40_000);
    stage.store.answer_key(&first, &answer).await.expect("kept");
    assert_eq!(stage.claim(&second).await, used(&first, Some(&answer)));
    // What was answered is not taken back.
    stage.store.free_key(&first).await.expect("no failure");
    assert_eq!(stage.claim(&second).await, used(&first, Some(&answer)));
}

pub(crate) async fn a_key_that_is_given_back_is_free_for_anything(stage: &Stage) {
    let first = claim(stage, "first");
    let second = KeyClaim { request: [8; 32], ..claim(stage, "second") };
    stage.claim(&first).await;
    stage.store.free_key(&first).await.expect("given back");
    assert_eq!(stage.claim(&second).await, None);
    // Too late.
    stage.store.answer_key(&first, "late").await.expect("no failure");
    assert_eq!(stage.claim(&first).await, used(&second, None));
}

pub(crate) async fn an_old_use_does_not_count_and_is_forgotten(stage: &Stage) {
    let first = claim(stage, "first");
    let second = KeyClaim { request: [8; 32], began: 5_000, ..claim(stage, "second") };
    stage.claim(&first).await;
    stage.store.answer_key(&first, "old").await.expect("kept");
    let found = stage.store.claim_key(&second, 1_000).await.expect("a claim");
    assert_eq!(found, used(&first, Some("old")), "not older than that");
    let claims = (0..20).map(|n| {
        let (store, claim) =
            (Arc::clone(&stage.store), KeyClaim { claim: format!("c{n}"), ..second.clone() });
        tokio::spawn(async move { store.claim_key(&claim, 1_001).await.expect("a claim") })
    });
    let taken = join_all(claims).await.into_iter().filter(|found| matches!(found, Ok(None))).count();
    assert_eq!(taken, 1, "an old key is taken by one");
    for n in 0..5 {
        stage.claim(&KeyClaim { key: format!("k{n}"), ..first.clone() }).await;
    }
    let forget = async |before, limit| stage.store.forget_keys(before, limit).await.expect("deleted");
    assert_eq!(forget(1_000, 100).await, 0);
    assert_eq!((forget(5_000, 3).await, forget(5_000, 3).await, forget(5_000, 3).await), (3, 2, 0));
    assert_eq!(forget(5_001, 3).await, 1);
}

pub(crate) async fn a_key_that_is_taken_and_given_back_by_many_is_never_twos(stage: &Stage) {
    let held = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let workers = (0..8).map(|worker| {
        let (store, held) = (Arc::clone(&stage.store), Arc::clone(&held));
        let claim = claim(stage, &format!("c{worker}"));
        tokio::spawn(async move {
            let mut taken = 0;
            while taken < 5 {
                if store.claim_key(&claim, 0).await.is_ok_and(|found| found.is_none()) {
                    assert_eq!(held.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    taken += 1;
                    held.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    store.free_key(&claim).await.expect("given back");
                }
            }
        })
    });
    for worker in join_all(workers).await {
        worker.expect("never two");
    }
}
