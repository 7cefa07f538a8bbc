//! What only a server can do to a store: go away, hang, come back, refuse, be shared.

#[path = "store_postgres/doorkeeper.rs"]
mod doorkeeper;
#[path = "store_postgres/opening.rs"]
mod opening;
#[path = "store_postgres/outages.rs"]
mod outages;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "store_postgres/sharing.rs"]
mod sharing;

use std::sync::Arc;
use std::time::Duration;

use convened::documents::{DocumentError, Documents};
use convened::store::{AccountId, Clock, PostgresSettings, PostgresStore, Store, StoreError};

/// How long the stores here wait for anything; short, for stories in which nothing comes.
const LIMIT: Duration = Duration::from_millis(400);

fn account() -> AccountId {
    "acme".parse().expect("an account id")
}

fn settings(url: &str) -> PostgresSettings {
    PostgresSettings { timeout: LIMIT, connections: 4, ..PostgresSettings::new(url) }
}

/// A store with the documents in it. It is given time: other stories run beside this one.
async fn open(url: &str) -> (Arc<PostgresStore>, Documents) {
    let settings = PostgresSettings { timeout: Duration::from_secs(20), ..settings(url) };
    let store = Arc::new(PostgresStore::open(&settings).await.expect("a store"));
    (store.clone(), documents(store))
}

/// The same, which does not wait long for a server that hangs.
async fn open_impatient(url: &str) -> (Arc<PostgresStore>, Documents) {
    // The schema first: making it may take longer than this one waits.
    drop(open(url).await);
    let store = Arc::new(PostgresStore::open(&settings(url)).await.expect("a store"));
    (store.clone(), documents(store))
}

fn documents(store: Arc<dyn Store>) -> Documents {
    Documents::new(store, Clock::system())
}

fn store_error(error: DocumentError) -> StoreError {
    match error {
        DocumentError::Store(error) => error,
        other => panic!("no error of the store: {other}"),
    }
}

/// Tries until it works, and tells how often it did not.
async fn healed<T>(mut work: impl AsyncFnMut() -> Result<T, StoreError>) -> (T, usize) {
    let mut failed = 0;
    let tried = async {
        loop {
            match work().await {
                Ok(done) => return (done, failed),
                Err(error) => {
                    assert!(error.is_unavailable(), "{error}");
                    failed += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(40), tried).await.expect("it heals")
}
