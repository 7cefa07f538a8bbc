//! Tokens and keys, over any store.

use std::sync::Arc;

use convened::auth::{
    Access, AuthError, Authenticator, CredentialKind, Credentials, GRACE_TIME, Issued, NewCredential,
    SHORT_LIVED, Scope, Scopes,
};

use crate::Stage;

impl Stage {
    fn credentials(&self) -> Credentials {
        Credentials::new(Arc::clone(&self.store), self.clock.clone())
    }

    fn authenticator(&self) -> Authenticator {
        Authenticator::new(Arc::clone(&self.store), self.clock.clone())
    }

    async fn issue(&self, kind: CredentialKind, lifetime: Option<u32>) -> Issued {
        let scopes = Scopes::from_iter([Scope::Read, Scope::Control]);
        let account = Some(self.account.clone());
        let new = NewCredential { kind, name: "desk".into(), account, scopes, lifetime };
        self.credentials().create(new).await.expect("issued")
    }

    async fn last_used(&self, id: &str) -> Option<i64> {
        let all = self.credentials().list().await.expect("a list");
        all.into_iter().find(|credential| credential.id == id).expect("listed").last_used
    }
}

pub(crate) async fn a_token_opens_its_account_with_its_scopes(stage: &Stage) {
    let issued = stage.issue(CredentialKind::Token, None).await;
    let token = issued.secret.expose();
    assert!(token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()));
    let principal = stage.authenticator().authenticate(token).await.expect("let in");
    assert_eq!(&*principal.token_id, issued.credential.id);
    assert_eq!(principal.may(&stage.account, Scope::Control), Access::Allowed);
    assert_eq!(principal.may(&stage.account, Scope::Write), Access::Forbidden);
    assert_eq!(principal.may(&stage.other, Scope::Read), Access::Hidden);
    let all = NewCredential {
        kind: CredentialKind::Token,
        name: "root".into(),
        account: None,
        scopes: Scopes::all(),
        lifetime: None,
    };
    let root = stage.credentials().create(all).await.expect("issued");
    let root = stage.authenticator().authenticate(root.secret.expose()).await.expect("let in");
    assert!(root.is_superuser() && root.may(&stage.other, Scope::Write).is_allowed());
}

pub(crate) async fn what_is_no_token_is_unknown(stage: &Stage) {
    let issued = stage.issue(CredentialKind::Token, None).await;
    let good = issued.secret.expose();
    let authenticator = stage.authenticator();
    let (short, long, upper) = (&good[..63], format!("{good}0"), good.to_uppercase());
    let mut flipped = good.to_owned();
    let last = if flipped.ends_with('0') { "1" } else { "0" };
    flipped.replace_range(63.., last);
    for wrong in ["", " ", short, &long, &upper, &flipped, &issued.credential.id, "é", &"\u{0}".repeat(64)] {
        let error = authenticator.authenticate(wrong).await.expect_err(wrong);
        assert!(matches!(error, AuthError::Unknown), "{error:?}");
        let error = authenticator.exchange(wrong).await.expect_err(wrong);
        assert!(matches!(error, AuthError::Unknown), "{error:?}");
    }
    assert!(!stage.credentials().revoke("nobody").await.expect("answered"));
}

pub(crate) async fn an_api_key_opens_nothing_but_is_exchanged_for_a_token(stage: &Stage) {
    let key = stage.issue(CredentialKind::ApiKey, None).await;
    let authenticator = stage.authenticator();
    let error = authenticator.authenticate(key.secret.expose()).await.expect_err("a key is no token");
    assert!(matches!(error, AuthError::Unknown), "{error:?}");
    let token = authenticator.exchange(key.secret.expose()).await.expect("exchanged");
    assert_eq!(token.credential.account, Some(stage.account.clone()));
    assert_eq!(token.credential.issued_by, Some(key.credential.id.clone()));
    let principal = authenticator.authenticate(token.secret.expose()).await.expect("let in");
    assert_eq!(principal.scopes, key.credential.scopes);
    let error = authenticator.exchange(token.secret.expose()).await.expect_err("a token is no key");
    assert!(matches!(error, AuthError::Unknown), "{error:?}");
    stage.time_goes_by(u64::from(SHORT_LIVED));
    let error = authenticator.authenticate(token.secret.expose()).await.expect_err("short-lived");
    assert!(matches!(error, AuthError::Expired { .. }), "{error:?}");
    authenticator.exchange(key.secret.expose()).await.expect("the key is good still");
}

pub(crate) async fn a_token_from_a_key_ends_with_the_key(stage: &Stage) {
    let key = stage.issue(CredentialKind::ApiKey, Some(100)).await;
    stage.time_goes_by(60);
    let token = stage.authenticator().exchange(key.secret.expose()).await.expect("exchanged");
    assert_eq!(token.credential.expires, key.credential.expires);
    stage.time_goes_by(40);
    let error = stage.authenticator().exchange(key.secret.expose()).await.expect_err("expired");
    assert!(matches!(&error, AuthError::Expired { id } if *id == key.credential.id), "{error:?}");
}

pub(crate) async fn an_expired_token_is_refused_from_that_second_on(stage: &Stage) {
    let issued = stage.issue(CredentialKind::Token, Some(10)).await;
    let authenticator = stage.authenticator();
    stage.time_goes_by(9);
    authenticator.authenticate(issued.secret.expose()).await.expect("one second left");
    stage.time_goes_by(1);
    for authenticator in [authenticator, stage.authenticator()] {
        let error = authenticator.authenticate(issued.secret.expose()).await.expect_err("expired");
        assert!(matches!(error, AuthError::Expired { .. }), "{error:?}");
    }
}

pub(crate) async fn a_revocation_elsewhere_counts_for_the_next_request(stage: &Stage) {
    let issued = stage.issue(CredentialKind::Token, None).await;
    let authenticator = stage.authenticator();
    authenticator.authenticate(issued.secret.expose()).await.expect("let in");
    assert!(stage.credentials().revoke(&issued.credential.id).await.expect("revoked"));
    let error = authenticator.authenticate(issued.secret.expose()).await.expect_err("revoked");
    assert!(matches!(error, AuthError::Revoked { .. }), "{error:?}");
    let first = stage.credentials().list().await.expect("a list")[0].revoked;
    stage.time_goes_by(50);
    assert!(stage.credentials().revoke(&issued.credential.id).await.expect("revoked again"));
    assert_eq!(stage.credentials().list().await.expect("a list")[0].revoked, first);
}

pub(crate) async fn what_was_revoked_stays_so_without_a_database(stage: &Stage) {
    let issued = stage.issue(CredentialKind::Token, None).await;
    let authenticator = stage.authenticator();
    authenticator.authenticate(issued.secret.expose()).await.expect("let in");
    assert!(stage.credentials().revoke(&issued.credential.id).await.expect("revoked"));
    authenticator.authenticate(issued.secret.expose()).await.expect_err("revoked");
    stage.store.close().await;
    let error = authenticator.authenticate(issued.secret.expose()).await.expect_err("not known any more");
    assert!(matches!(error, AuthError::Store(_)), "{error:?}");
}

pub(crate) async fn a_revoked_key_takes_its_tokens_along(stage: &Stage) {
    let key = stage.issue(CredentialKind::ApiKey, None).await;
    let token = stage.authenticator().exchange(key.secret.expose()).await.expect("exchanged");
    let bystander = stage.issue(CredentialKind::Token, None).await;
    let authenticator = stage.authenticator();
    authenticator.authenticate(token.secret.expose()).await.expect("good until then");
    assert!(stage.credentials().revoke(&key.credential.id).await.expect("revoked"));
    let error = authenticator.authenticate(token.secret.expose()).await.expect_err("revoked with it");
    assert!(matches!(error, AuthError::Revoked { .. }), "{error:?}");
    let error = authenticator.exchange(key.secret.expose()).await.expect_err("revoked");
    assert!(matches!(error, AuthError::Revoked { .. }), "{error:?}");
    authenticator.authenticate(bystander.secret.expose()).await.expect("not meant");
}

pub(crate) async fn use_is_noted_at_most_once_a_minute(stage: &Stage) {
    let issued = stage.issue(CredentialKind::Token, None).await;
    let (id, token) = (&issued.credential.id, issued.secret.expose());
    let authenticator = stage.authenticator();
    let start = stage.clock.unix_seconds();
    assert_eq!(stage.last_used(id).await, None);
    authenticator.authenticate(token).await.expect("let in");
    // Waits for the writing that the first use began.
    authenticator.flush_last_used().await.expect("written");
    assert_eq!(stage.last_used(id).await, Some(start));
    for _ in 0..59 {
        stage.time_goes_by(1);
        authenticator.authenticate(token).await.expect("let in");
        tokio::task::yield_now().await;
    }
    assert_eq!(stage.last_used(id).await, Some(start));
    stage.time_goes_by(1);
    authenticator.authenticate(token).await.expect("let in");
    authenticator.flush_last_used().await.expect("written");
    assert_eq!(stage.last_used(id).await, Some(start + 60));
}

pub(crate) async fn tokens_from_keys_are_forgotten_a_day_after_their_end(stage: &Stage) {
    let key = stage.issue(CredentialKind::ApiKey, None).await;
    let lasting = stage.issue(CredentialKind::Token, Some(1)).await;
    let authenticator = stage.authenticator();
    let first = authenticator.exchange(key.secret.expose()).await.expect("exchanged");
    let ids = async || -> Vec<String> {
        stage.credentials().list().await.expect("a list").into_iter().map(|one| one.id).collect()
    };
    stage.time_goes_by(u64::from(SHORT_LIVED) + 24 * 3600);
    authenticator.exchange(key.secret.expose()).await.expect("exchanged");
    assert!(ids().await.contains(&first.credential.id));
    stage.time_goes_by(1);
    authenticator.exchange(key.secret.expose()).await.expect("exchanged");
    assert!(!ids().await.contains(&first.credential.id));
    // What somebody made by hand is listed until somebody removes it.
    assert!(ids().await.contains(&lasting.credential.id));
}

pub(crate) async fn without_a_database_known_tokens_stay_good_for_a_while(stage: &Stage) {
    let issued = stage.issue(CredentialKind::Token, None).await;
    let stranger = stage.issue(CredentialKind::Token, None).await;
    let authenticator = stage.authenticator();
    authenticator.authenticate(issued.secret.expose()).await.expect("let in");
    stage.store.close().await;
    stage.time_goes_by(GRACE_TIME.unsigned_abs() - 1);
    authenticator.authenticate(issued.secret.expose()).await.expect("known");
    let error = authenticator.authenticate(stranger.secret.expose()).await.expect_err("not known");
    assert!(matches!(&error, AuthError::Store(error) if error.is_unavailable()), "{error:?}");
    stage.time_goes_by(1);
    let error = authenticator.authenticate(issued.secret.expose()).await.expect_err("too long ago");
    assert!(matches!(error, AuthError::Store(_)), "{error:?}");
}

pub(crate) async fn nothing_shown_or_stored_holds_a_secret(stage: &Stage) {
    let issued = stage.issue(CredentialKind::Token, None).await;
    let secret = issued.secret.expose();
    let authenticator = stage.authenticator();
    authenticator.authenticate(secret).await.expect("let in");
    let listed = stage.credentials().list().await.expect("a list");
    let records = stage.store.credentials().await.expect("records");
    let shown = format!("{issued:?} {authenticator:?} {listed:?} {records:?} {:?}", stage.store);
    assert!(!shown.contains(secret), "{shown}");
    assert!(shown.contains("[redacted]"));
    let error = authenticator.authenticate(&secret.to_uppercase()).await.expect_err("unknown");
    assert!(!format!("{error} {error:?}").to_lowercase().contains(secret));
}
