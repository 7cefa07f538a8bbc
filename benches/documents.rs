//! Create and get of a document, against what the same engine does bare in the same run.
//!
//! ```text
//! bare   INSERT and SELECT of one row by sqlx, no transaction around them, nothing else
//! store  Documents::create and get: schema, defaults, revision, numbers, one transaction
//! http   PUT and GET over a socket: that, the token, and the envelope
//! ```
//!
//! Each for one client and for eight at once, on SQLite and on a PostgreSQL that waits for its disk.
//! Rounds of the three take turns, so that a machine that slows down slows all of them.
//! `cargo bench --bench documents`

#[path = "../tests/support/rest.rs"]
mod client;
#[path = "../tests/support/postgres.rs"]
mod postgres;

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Rest;
use convened::app::Daemon;
use convened::auth::{CredentialKind, Credentials, NewCredential, Scopes};
use convened::config::Config;
use convened::documents::Documents;
use convened::store::{
    AccountId, Clock, PostgresSettings, PostgresStore, SqliteSettings, SqliteStore, Store,
};
use futures_util::future::{BoxFuture, join_all};
use postgres::Postgres;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: usize = 5;

/// One create and one get.
type Pair = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        sqlite(folder.path()).await;
        let server = Postgres::start_durable().await;
        postgresql(&server).await;
    });
}

async fn sqlite(folder: &std::path::Path) {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(30));
    // One writer, as SQLite has it; reads go beside it.
    let writer =
        SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.expect("bare");
    let readers = SqlitePoolOptions::new().max_connections(8).connect_with(options).await.expect("bare");
    sqlx::raw_sql(TABLE).execute(&writer).await.expect("a table");
    let bare: Pair = Arc::new(move || {
        let (writer, readers) = (writer.clone(), readers.clone());
        Box::pin(async move {
            let id = format!("{:032x}", rand::random::<u128>());
            let insert = sqlx::query("INSERT INTO bare VALUES (?, ?)").bind(&id).bind(text());
            insert.execute(&writer).await.expect("inserted");
            let select = sqlx::query_scalar::<_, String>("SELECT text FROM bare WHERE id = ?").bind(&id);
            select.fetch_one(&readers).await.expect("selected");
        })
    });
    let path = folder.join("store.db");
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(SqliteSettings::new(path)).await.expect("a store"));
    let url = format!("sqlite://{}", folder.join("http.db").display());
    compare("SQLite", bare, by_store(store), &url).await;
}

async fn postgresql(server: &Postgres) {
    let pool = PgPoolOptions::new().max_connections(8).connect(&server.database().await).await.expect("bare");
    sqlx::raw_sql(TABLE).execute(&pool).await.expect("a table");
    let bare: Pair = Arc::new(move || {
        let pool = pool.clone();
        Box::pin(async move {
            let id = format!("{:032x}", rand::random::<u128>());
            let insert = sqlx::query("INSERT INTO bare VALUES ($1, $2)").bind(&id).bind(text());
            insert.execute(&pool).await.expect("inserted");
            let select = sqlx::query_scalar::<_, String>("SELECT text FROM bare WHERE id = $1").bind(&id);
            select.fetch_one(&pool).await.expect("selected");
        })
    });
    let settings = PostgresSettings::new(server.database().await);
    let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&settings).await.expect("a store"));
    compare("PostgreSQL", bare, by_store(store), &server.database().await).await;
}

const TABLE: &str = "CREATE TABLE bare (id TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL)";

fn by_store(store: Arc<dyn Store>) -> Pair {
    let documents = Documents::new(store, Clock::system());
    Arc::new(move || {
        let documents = documents.clone();
        Box::pin(async move {
            let account = account();
            let made = documents.create(&account, document()).await.expect("created");
            documents.get(&account, &made.id).await.expect("found");
        })
    })
}

/// A daemon with that database, and a client of it.
async fn by_http(url: &str) -> (Daemon, Pair) {
    let mut config = Config::default();
    config.api.listen = vec![convened::config::Listen::Plain(([127, 0, 0, 1], 0).into())];
    config.api.max_requests_per_s = 0;
    config.database.url = url.to_owned();
    let daemon = Daemon::start(&config).await.expect("a daemon");
    let new = NewCredential {
        kind: CredentialKind::Token,
        name: "bench".into(),
        account: Some(account()),
        scopes: Scopes::all(),
        lifetime: None,
    };
    let credentials = Credentials::new(daemon.context().store.clone(), Clock::system());
    let token = credentials.create(new).await.expect("a token").secret;
    let rest = Rest::new(daemon.address().expect("over TCP"), account().as_str(), Some(token.expose()));
    let pair: Pair = Arc::new(move || {
        let rest = rest.clone();
        Box::pin(async move {
            let id = rest.create(document()).await;
            rest.get(&format!("conferences/{id}")).await.ok();
        })
    });
    (daemon, pair)
}

async fn compare(engine: &str, bare: Pair, store: Pair, url: &str) {
    let (daemon, http) = by_http(url).await;
    for clients in [1, 8] {
        let ways = [("bare", &bare), ("store", &store), ("http", &http)];
        let mut rates = [const { Vec::new() }; 3];
        for (_, pair) in ways {
            round(pair, clients).await;
        }
        for _ in 0..ROUNDS {
            for (rates, (_, pair)) in rates.iter_mut().zip(ways) {
                rates.push(round(pair, clients).await);
            }
        }
        let medians = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[ROUNDS / 2]
        });
        for ((way, _), rate) in ways.iter().zip(medians) {
            println!(
                "{engine:<10} {clients} client(s)  {way:<5} {rate:>8.0} create+get/s  {:.2} of bare",
                rate / medians[0]
            );
        }
    }
    daemon.stop().await;
}

/// How many pairs a second so many clients get done.
async fn round(pair: &Pair, clients: usize) -> f64 {
    let begun = Instant::now();
    let end = begun + ROUND;
    let done = join_all((0..clients).map(|_| {
        let pair = Arc::clone(pair);
        tokio::spawn(async move {
            let mut done = 0_u32;
            while Instant::now() < end {
                pair().await;
                done += 1;
            }
            done
        })
    }));
    let done: u32 = done.await.into_iter().map(|done| done.expect("no panic")).sum();
    f64::from(done) / begun.elapsed().as_secs_f64()
}

fn account() -> AccountId {
    "9d351ad7ffd6f846313af9eed3bb7b85".parse().expect("an account")
}

/// A document as provisioning tools write them: two numbers, two PINs.
fn document() -> Value {
    json!({
        "name": "Weekly",
        "conference_numbers": [rand::random::<u64>().to_string()],
        "member": { "pins": ["1234"], "numbers": [rand::random::<u64>().to_string()] },
        "moderator": { "pins": ["5678"] },
        "play_entry_tone": true,
        "ui_metadata": { "origin": "portal", "ui": "bench" },
    })
}

/// As long as that one with its defaults.
fn text() -> String {
    document().to_string() + &" ".repeat(220)
}
