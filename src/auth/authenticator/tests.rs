//! An authenticator with a database that answers, fails or hangs, as the story wants it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::yield_now;

use super::super::outage::PROBE_EVERY;
use super::*;
use crate::store::{
    AccountId, Answer, AuditPage, AuditQuery, AuditRecord, DocumentPage, DocumentQuery, DocumentRecord,
    Exported, ImportError, Imported, KeyClaim, KeyUse, NumberRole, SchemaVersion, WriteError,
};

/// Far beyond what any step takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// No test waits so long.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// So short that a hung database is seen soon; what depends on an answer waits [`FOR_EVER`].
const SOON: Duration = Duration::from_millis(5);

const TOKEN: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
const STRANGER: &str = "00000000000000000000000000000000000000000000000000000000000000bb";

/// A database of one token.
#[derive(Debug)]
struct OneToken {
    token: Mutex<CredentialRecord>,
    mood: Mutex<Mood>,
    /// Look-ups that were begun.
    asked: AtomicUsize,
    /// Lets look-ups of a hung database go on.
    go_on: Semaphore,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Answers,
    Fails(StoreErrorKind),
    Hangs,
}

impl OneToken {
    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn revoke(&self) {
        self.token.lock().unwrap().revoked = Some(1);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn until_asked(&self, times: usize) {
        let asked = async {
            while self.asked() < times {
                yield_now().await;
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{} instead of {times}", self.asked()));
    }
}

/// None of these is asked for.
macro_rules! nothing_else {
    ($($method:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $method<'a>(&'a self, $($arg: $type),*) -> $answer {
            panic!("{} is not asked for: {:?}", stringify!($method), ($($arg,)*));
        })*
    };
}

impl Store for OneToken {
    fn credential_by_hash<'a>(&'a self, hash: &'a [u8; 32]) -> Answer<'a, Option<CredentialRecord>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        async move {
            match mood {
                Mood::Answers => {}
                Mood::Fails(kind) => return Err(StoreError::new(kind, "as the story wants it")),
                Mood::Hangs => self.go_on.acquire().await.expect("open").forget(),
            }
            let token = self.token.lock().unwrap().clone();
            Ok((token.hash == *hash).then_some(token))
        }
        .boxed()
    }

    fn note_credentials_used<'a>(&'a self, _uses: &'a [(String, i64)]) -> Answer<'a, ()> {
        async { Ok(()) }.boxed()
    }

    fn credentials(&self) -> Answer<'_, Vec<CredentialRecord>> {
        panic!("nobody lists");
    }

    fn check(&self) -> Answer<'_, ()> {
        panic!("nobody checks");
    }

    fn export(&self, _to: mpsc::Sender<Exported>) -> Answer<'_, ()> {
        panic!("nobody exports");
    }

    fn age_out_audit(&self, _before: i64, _limit: u32) -> Answer<'_, u64> {
        panic!("nothing ages");
    }

    fn forget_keys(&self, _before: i64, _limit: u32) -> Answer<'_, u64> {
        panic!("no key is forgotten");
    }

    fn is_shared(&self) -> bool {
        panic!("nobody asks who else there is");
    }

    fn schema_version(&self) -> SchemaVersion {
        panic!("nobody asks for the schema");
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        panic!("nobody closes");
    }

    nothing_else! {
        create_document(document: &'a DocumentRecord) -> Answer<'a, (), WriteError>;
        replace_document(document: &'a DocumentRecord, expected: &'a str) -> Answer<'a, (), WriteError>;
        delete_document(account: &'a AccountId, id: &'a str, expected: Option<&'a str>)
            -> Answer<'a, DocumentRecord, WriteError>;
        document(account: &'a AccountId, id: &'a str) -> Answer<'a, Option<DocumentRecord>>;
        documents(account: &'a AccountId, query: &'a DocumentQuery) -> Answer<'a, DocumentPage>;
        owners_of(ids: &'a [String]) -> Answer<'a, HashMap<String, AccountId>>;
        document_by_number(account: &'a AccountId, number: &'a str)
            -> Answer<'a, Option<(DocumentRecord, NumberRole)>>;
        documents_by_number(number: &'a str, limit: u32) -> Answer<'a, Vec<(DocumentRecord, NumberRole)>>;
        create_credential(credential: &'a CredentialRecord, forget: i64) -> Answer<'a, ()>;
        revoke_credential(id: &'a str, now: i64) -> Answer<'a, bool>;
        append_audit(records: &'a [AuditRecord]) -> Answer<'a, ()>;
        audit(account: &'a AccountId, conference_id: &'a str, query: &'a AuditQuery) -> Answer<'a, AuditPage>;
        claim_key(claim: &'a KeyClaim, forgotten: i64) -> Answer<'a, Option<KeyUse>>;
        answer_key(claim: &'a KeyClaim, answer: &'a str) -> Answer<'a, ()>;
        free_key(claim: &'a KeyClaim) -> Answer<'a, ()>;
        import(batch: &'a [Exported], replace: bool) -> Answer<'a, Vec<Imported>, ImportError>;
    }
}

struct Stage {
    store: Arc<OneToken>,
    authenticator: Authenticator,
    now: Arc<Mutex<Instant>>,
}

impl Stage {
    /// With a token that was good a moment ago, and a database that is asked for the second time next.
    async fn with(waits: Waits) -> Self {
        let record = CredentialRecord {
            id: "t".into(),
            kind: CredentialKind::Token,
            hash: hash_of(TOKEN),
            name: "desk".into(),
            account: None,
            scopes: "read".into(),
            issued_by: None,
            created: 0,
            expires: None,
            last_used: None,
            revoked: None,
        };
        let store = Arc::new(OneToken {
            token: Mutex::new(record),
            mood: Mutex::new(Mood::Answers),
            asked: AtomicUsize::new(0),
            go_on: Semaphore::new(0),
        });
        let now = Arc::new(Mutex::new(Instant::now()));
        let shown = Arc::clone(&now);
        let monotonic = MonotonicClock::new(move || *shown.lock().unwrap());
        let authenticator =
            Authenticator::waiting(waits, Arc::clone(&store) as _, Clock::system(), monotonic);
        authenticator.authenticate(TOKEN).await.expect("let in");
        Self { store, authenticator, now }
    }

    fn time_goes_by(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    async fn is_let_in(&self, token: &str) -> bool {
        let asking = self.authenticator.authenticate(token);
        match timeout(PATIENCE, asking).await.expect("an answer") {
            Ok(_) => true,
            Err(AuthError::Store(error)) => {
                assert!(error.is_unavailable(), "{error:?}");
                false
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Asks without waiting for the answer.
    fn asking(&self, token: &'static str) -> tokio::task::JoinHandle<Result<Principal, AuthError>> {
        let authenticator = self.authenticator.clone();
        tokio::spawn(async move { authenticator.authenticate(token).await })
    }

    async fn is_refused_as_revoked(&self) {
        let answer = timeout(PATIENCE, self.authenticator.authenticate(TOKEN)).await.expect("an answer");
        assert!(matches!(answer, Err(AuthError::Revoked { .. })), "{answer:?}");
    }
}

const PATIENT: Waits = Waits { hung: FOR_EVER, probe: FOR_EVER, lost: FOR_EVER };

#[tokio::test]
async fn every_request_asks_the_database() {
    let stage = Stage::with(PATIENT).await;
    for times in 2..5 {
        assert!(stage.is_let_in(TOKEN).await);
        assert_eq!(stage.store.asked(), times);
    }
    stage.store.revoke();
    stage.is_refused_as_revoked().await;
}

#[tokio::test]
async fn after_a_failure_who_is_known_goes_on_and_nobody_asks_for_a_while() {
    let stage = Stage::with(PATIENT).await;
    stage.store.is(Mood::Fails(StoreErrorKind::Io));
    assert!(stage.is_let_in(TOKEN).await);
    for _ in 0..10 {
        assert!(stage.is_let_in(TOKEN).await);
        assert!(!stage.is_let_in(STRANGER).await);
        assert!(matches!(stage.authenticator.exchange(STRANGER).await, Err(AuthError::Store(_))));
    }
    assert_eq!(stage.store.asked(), 2);
    stage.time_goes_by(PROBE_EVERY);
    assert!(stage.is_let_in(TOKEN).await);
    assert!(stage.is_let_in(TOKEN).await);
    assert_eq!(stage.store.asked(), 3, "one asks and fails, and it begins anew");
    stage.store.revoke();
    stage.store.is(Mood::Answers);
    assert!(stage.is_let_in(TOKEN).await, "nobody knows yet");
    stage.time_goes_by(PROBE_EVERY);
    stage.is_refused_as_revoked().await;
    stage.store.is(Mood::Fails(StoreErrorKind::Io));
    assert!(!stage.is_let_in(TOKEN).await, "what was revoked has no grace");
}

#[tokio::test]
async fn while_one_asks_whether_the_outage_is_over_nobody_else_does() {
    let stage = Stage::with(PATIENT).await;
    stage.store.is(Mood::Fails(StoreErrorKind::Busy));
    assert!(stage.is_let_in(TOKEN).await);
    stage.time_goes_by(PROBE_EVERY);
    stage.store.is(Mood::Hangs);
    let probe = stage.asking(TOKEN);
    stage.store.until_asked(3).await;
    stage.time_goes_by(10 * PROBE_EVERY);
    assert!(stage.is_let_in(TOKEN).await);
    assert!(!stage.is_let_in(STRANGER).await);
    assert_eq!(stage.store.asked(), 3);
    stage.store.is(Mood::Answers);
    stage.store.go_on.add_permits(1);
    probe.await.expect("no panic").expect("let in");
    assert!(stage.is_let_in(TOKEN).await);
    assert_eq!(stage.store.asked(), 4);
}

#[tokio::test]
async fn a_slow_database_is_waited_for_and_its_answer_counts() {
    let stage = Stage::with(PATIENT).await;
    stage.store.is(Mood::Hangs);
    let mut asking = stage.asking(TOKEN);
    stage.store.until_asked(2).await;
    timeout(4 * SOON, &mut asking).await.expect_err("let in without an answer");
    stage.store.revoke();
    stage.store.go_on.add_permits(1);
    assert!(matches!(asking.await.expect("no panic"), Err(AuthError::Revoked { .. })));
}

#[tokio::test]
async fn when_the_database_hangs_who_is_known_goes_on_and_nobody_waits_for_it_twice() {
    let stage = Stage::with(Waits { hung: SOON, ..PATIENT }).await;
    stage.store.is(Mood::Hangs);
    assert!(stage.is_let_in(TOKEN).await);
    assert!(stage.is_let_in(TOKEN).await);
    assert!(!stage.is_let_in(STRANGER).await);
    assert_eq!(stage.store.asked(), 2);
}

#[tokio::test]
async fn whether_a_hung_database_is_back_is_not_waited_for_long() {
    let stage = Stage::with(Waits { hung: SOON, probe: SOON, lost: FOR_EVER }).await;
    stage.store.is(Mood::Hangs);
    assert!(stage.is_let_in(TOKEN).await);
    stage.time_goes_by(PROBE_EVERY);
    assert!(!stage.is_let_in(STRANGER).await);
    assert_eq!(stage.store.asked(), 3);
    stage.time_goes_by(PROBE_EVERY);
    assert!(!stage.is_let_in(STRANGER).await);
    assert_eq!(stage.store.asked(), 3, "the probe still goes on");
}

#[tokio::test]
async fn an_answer_that_comes_too_late_for_its_request_counts_from_then_on() {
    let stage = Stage::with(Waits { hung: SOON, ..PATIENT }).await;
    stage.store.is(Mood::Hangs);
    assert!(stage.is_let_in(TOKEN).await);
    stage.store.revoke();
    stage.store.is(Mood::Fails(StoreErrorKind::Io));
    stage.store.go_on.add_permits(1);
    let known = async {
        while stage.is_let_in(TOKEN).await {
            yield_now().await;
        }
    };
    timeout(PATIENCE, known).await.expect("the late answer counts");
}

#[tokio::test]
async fn who_can_be_let_in_by_an_answer_only_waits_for_it() {
    let stage = Stage::with(Waits { hung: SOON, ..PATIENT }).await;
    stage.store.token.lock().unwrap().hash = hash_of(STRANGER);
    stage.store.is(Mood::Hangs);
    let mut asking = stage.asking(STRANGER);
    stage.store.until_asked(2).await;
    // Somebody with grace finds out meanwhile that it hangs.
    assert!(stage.is_let_in(TOKEN).await);
    timeout(4 * SOON, &mut asking).await.expect_err("sent away without an answer");
    stage.store.go_on.add_permits(2);
    asking.await.expect("no panic").expect("let in");
}

#[tokio::test]
async fn a_look_up_that_never_ends_does_not_keep_others_from_asking_for_ever() {
    let stage = Stage::with(Waits { hung: SOON, probe: SOON, lost: SOON }).await;
    stage.store.is(Mood::Hangs);
    assert!(stage.is_let_in(TOKEN).await);
    let asked_again = async {
        while stage.store.asked() < 4 {
            stage.time_goes_by(PROBE_EVERY);
            assert!(stage.is_let_in(TOKEN).await);
            yield_now().await;
        }
    };
    timeout(PATIENCE, asked_again).await.expect("a probe after the lost one");
}

#[tokio::test]
async fn one_damaged_row_is_no_outage() {
    let stage = Stage::with(PATIENT).await;
    stage.store.is(Mood::Fails(StoreErrorKind::Damaged));
    assert!(matches!(stage.authenticator.authenticate(STRANGER).await, Err(AuthError::Store(_))));
    stage.store.is(Mood::Answers);
    stage.store.revoke();
    stage.is_refused_as_revoked().await;
}
