//! The PostgreSQL of the tests does what the tests rely on: it is one's own, and it goes.
//!
//! `a_child_with_a_server` is no test by itself: it is run in a process of its own that is killed, and
//! does nothing otherwise.

#[path = "support/postgres.rs"]
mod postgres;

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use postgres::{Postgres, is_there};
use sqlx::{Connection, PgConnection};

const CHILD: &str = "CONVENED_TEST_CHILD_POSTGRES";
/// Far beyond what any step takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn number(url: &str, text: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("a connection");
    sqlx::query_scalar(text).fetch_one(&mut connection).await.expect("a number")
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let looked = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("it never became so: {what}"));
}

#[tokio::test]
async fn databases_are_fresh_and_apart_even_when_many_ask_at_once() {
    let asked = (0..8_i64).map(|told| {
        tokio::spawn(async move {
            let postgres = Postgres::shared().await;
            let url = postgres.database().await;
            postgres.sql(&url, &format!("CREATE TABLE t (n int8); INSERT INTO t VALUES ({told})")).await;
            assert_eq!(number(&url, "SELECT sum(n)::int8 FROM t").await, told);
            (postgres, url)
        })
    });
    let mut made = Vec::new();
    for task in asked.collect::<Vec<_>>() {
        made.push(task.await.expect("no panic"));
    }
    assert!(made.iter().all(|(postgres, _)| std::sync::Arc::ptr_eq(postgres, &made[0].0)), "one server");
    let urls: std::collections::HashSet<_> = made.iter().map(|(_, url)| url).collect();
    assert_eq!(urls.len(), made.len());
}

#[tokio::test]
async fn it_starts_with_the_encoding_and_the_order_of_the_bytes() {
    let postgres = Postgres::start_durable().await;
    let url = postgres.database().await;
    let as_wanted = "SELECT count(*) FROM pg_database WHERE datname = current_database() \
        AND pg_encoding_to_char(encoding) = 'UTF8' AND datcollate = 'C' \
        AND current_setting('fsync') = 'on' AND current_setting('listen_addresses') = ''";
    assert_eq!(number(&url, as_wanted).await, 1);
}

#[tokio::test]
async fn what_was_written_is_there_after_a_stop_which_cuts_connections() {
    let postgres = Postgres::start().await;
    let url = postgres.database().await;
    postgres.sql(&url, "CREATE TABLE t (n int8); INSERT INTO t VALUES (7)").await;
    let mut connection = PgConnection::connect(&url).await.expect("a connection");
    postgres.stop();
    connection.ping().await.expect_err("the connection was cut");
    PgConnection::connect(&url).await.expect_err("nobody is there");
    postgres.start_again();
    assert_eq!(number(&url, "SELECT n FROM t").await, 7);
}

#[tokio::test]
async fn a_frozen_server_answers_nobody_until_it_goes_on() {
    let postgres = Postgres::start().await;
    let url = postgres.database().await;
    let mut connection = PgConnection::connect(&url).await.expect("a connection");
    postgres.freeze();
    let mut asked = tokio::spawn(async move {
        connection.ping().await.expect("an answer");
    });
    let mut connecting = tokio::spawn(async move { number(&url, "SELECT 1::int8").await });
    // What does not come cannot be awaited: it has long enough to come.
    let answered = async {
        tokio::select! { _ = &mut asked => (), _ = &mut connecting => () }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), answered).await.is_err(), "it answered");
    postgres.thaw();
    let answered = async { (asked.await.expect("no panic"), connecting.await.expect("no panic")) };
    assert_eq!(tokio::time::timeout(PATIENCE, answered).await.expect("it goes on"), ((), 1));
}

#[tokio::test]
async fn nothing_is_left_of_a_server_that_is_dropped_even_if_it_is_frozen() {
    let postgres = Postgres::start().await;
    let open = PgConnection::connect(&postgres.database().await).await.expect("a connection");
    postgres.freeze();
    let (processes, folder) = (postgres.processes(), postgres.folder().to_owned());
    assert!(processes.len() > 3, "its children are seen: {processes:?}");
    drop(postgres);
    let left: Vec<_> = processes.into_iter().filter(|pid| is_there(*pid)).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!folder.exists());
    drop(open);
}

#[tokio::test]
async fn a_frozen_server_stops_at_once_while_somebody_connects() {
    let postgres = Postgres::start().await;
    let url = postgres.database().await;
    postgres.freeze();
    let socket = postgres.folder().join(".s.PGSQL.5432");
    let _silent = UnixStream::connect(socket).expect("a connection");
    let started = std::time::Instant::now();
    postgres.stop();
    // It waits a minute for those who come and say nothing.
    assert!(started.elapsed() < PATIENCE / 2, "it took {:?}", started.elapsed());
    PgConnection::connect(&url).await.expect_err("nobody is there");
}

#[tokio::test]
async fn nothing_is_left_of_the_server_of_a_process_that_was_killed() {
    for frozen in ["", "frozen"] {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "a_child_with_a_server", "--nocapture"])
            .env(CHILD, frozen)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let (processes, folder) = told(BufReader::new(child.stdout.take().expect("its output")));
        assert!(processes.len() > 3 && is_there(processes[0]), "{processes:?}");
        child.kill().expect("killed");
        child.wait().expect("waited for");
        until("the processes are gone", || !processes.iter().any(|pid| is_there(*pid))).await;
        until("the folder is gone", || !folder.exists()).await;
    }
}

fn told(output: impl BufRead) -> (Vec<u32>, PathBuf) {
    for line in output.lines().map_while(Result::ok) {
        let Some((_, words)) = line.split_once("child: ") else { continue };
        let (folder, processes) = words.split_once(' ').expect("a folder, then processes");
        let processes = processes.split(' ').map(|pid| pid.parse().expect("a number")).collect();
        return (processes, Path::new(folder).to_owned());
    }
    panic!("the child said nothing");
}

#[tokio::test]
async fn a_child_with_a_server() {
    let Ok(frozen) = std::env::var(CHILD) else { return };
    let postgres = Postgres::start().await;
    // The thread that started it is gone, and the server is not.
    assert_eq!(number(&postgres.url("postgres"), "SELECT 1::int8").await, 1);
    if frozen == "frozen" {
        postgres.freeze();
    }
    let processes: Vec<_> = postgres.processes().iter().map(u32::to_string).collect();
    println!("child: {} {}", postgres.folder().display(), processes.join(" "));
    // Until it is killed: nobody writes to it.
    std::io::stdin().lines().next();
}
