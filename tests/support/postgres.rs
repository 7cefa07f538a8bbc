//! A PostgreSQL of the tests' own: on a unix socket in a temporary folder, gone with the test process.
//!
//! It can be stopped and started again, or frozen, while somebody is connected. Whatever ends the test
//! process, `kill -9` included, a guardian beside the server sees its standard input close and stops it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

/// What has not come by then does not come.
const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at a file or a process.
const LOOK: Duration = Duration::from_millis(5);

/// Waits for a word or for the end of the tests, and has the server `$1` stop at once, frozen or not.
/// Without a word nobody is left to remove the folder `$2`.
///
/// Somebody may have come while it was frozen, and the server then starts a process to tell him that it
/// stops. That one waits for him to speak, so the processes are told again until there are none.
const GUARDIAN: &str = r#"
read -r word
looks=0
while
    kill -s QUIT "$1"
    kill -s CONT "$1"
    for status in $(grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status); do
        child=${status#/proc/}
        kill -s QUIT "${child%/status}"
        kill -s CONT "${child%/status}"
    done
    [ -e "$2/data/postmaster.pid" ] && [ "$looks" -lt 400 ]
do
    looks=$((looks + 1))
    sleep 0.02
done
[ -n "$word" ] || rm -rf "$2"
"#;

/// A server. It stops, and its data goes, when this is dropped.
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    durable: bool,
    databases: AtomicU32,
    /// None while it is stopped.
    server: Mutex<Option<Server>>,
}

struct Server {
    postmaster: Child,
    guardian: Child,
}

static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

impl Postgres {
    /// A server of one's own; one that does not wait for the disk.
    pub async fn start() -> Self {
        blocking(|| Self::new(false)).await
    }

    /// The same with `fsync`, as in service.
    pub async fn start_durable() -> Self {
        blocking(|| Self::new(true)).await
    }

    /// The server of this test process, which stops when the last test lets go of it. Not for those who
    /// stop or freeze it.
    pub async fn shared() -> Arc<Self> {
        blocking(|| {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            shared.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Self::new(false));
                *shared = Arc::downgrade(&server);
                server
            })
        })
        .await
    }

    fn new(durable: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("convened-pg-").tempdir().expect("a folder");
        let (databases, server) = (AtomicU32::new(0), Mutex::new(None));
        let postgres = Self { programs: programs(), folder, durable, databases, server };
        if postgres.is_root() {
            let owner = Command::new("chown").arg("postgres:postgres").arg(postgres.folder()).status();
            assert!(owner.expect("chown").success(), "is there no user `postgres`? Run sh tests/run.sh");
        }
        let mut initdb = postgres.program("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        let made = initdb.arg("--pgdata").arg(postgres.data()).status().expect("initdb starts");
        assert!(made.success(), "initdb: {}", postgres.log());
        postgres.start_again();
        postgres
    }

    /// Where the socket is, and below it everything else.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// What the server has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Our own entry is owned by whom we act for.
    fn is_root(&self) -> bool {
        fs::metadata("/proc/self").expect("/proc").uid() == 0
    }

    /// One of the server's programs; PostgreSQL refuses to be run by root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = match self.is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
                command
            }
            false => Command::new(path),
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        let log = File::options().create(true).append(true).open(self.folder().join("log")).expect("a log");
        command.env("LC_ALL", "C").current_dir(self.folder()).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        // An interrupt at the terminal is for the tests; the guardian does the rest.
        command.process_group(0);
        command
    }

    /// Starts it where it was stopped: the same data, the same addresses.
    pub fn start_again(&self) {
        let mut server = self.server();
        assert!(server.is_none(), "it runs");
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder());
        let fsync = if self.durable { "fsync=on" } else { "fsync=off" };
        for setting in [fsync, "listen_addresses=", "port=5432", "max_connections=300"] {
            command.args(["-c", setting]);
        }
        let postmaster = command.spawn().expect("postgres starts");
        let mut guardian = Command::new("sh");
        guardian.args(["-c", GUARDIAN, "sh", &postmaster.id().to_string()]).arg(self.folder());
        guardian.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let guardian = guardian.spawn().expect("sh starts");
        let started = server.insert(Server { postmaster, guardian });
        let pid = started.postmaster.id().to_string();
        let ready = within_deadline(|| {
            started.postmaster.try_wait().expect("a child").is_some() || self.is_ready(&pid)
        });
        assert!(ready && self.is_ready(&pid), "the server does not start: {}", self.log());
    }

    /// The server writes its state into a file: its number first, `ready` last.
    fn is_ready(&self, pid: &str) -> bool {
        let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        state.lines().next() == Some(pid) && state.lines().last().map(str::trim_end) == Some("ready")
    }

    /// Stops it at once: connections are cut, nothing is finished.
    pub fn stop(&self) {
        if let Some(server) = self.server().take() {
            server.stop();
        }
    }

    /// Stops it in the middle of everything: whoever is connected waits, and so does whoever connects.
    pub fn freeze(&self) {
        // The postmaster first: then there are no new processes.
        let postmaster = self.processes()[0];
        signal("STOP", &[postmaster]);
        assert!(within_deadline(|| is_stopped(postmaster)), "it does not stop");
        let all = self.processes();
        signal("STOP", &all);
        assert!(within_deadline(|| all.iter().all(|pid| is_stopped(*pid))), "they do not stop: {all:?}");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal("CONT", &self.processes());
    }

    /// From now on this user needs his password. Restarts the server.
    pub fn require_password(&self, user: &str) {
        let path = self.data().join("pg_hba.conf");
        let rules = fs::read_to_string(&path).expect("the rules");
        // The first rule that fits counts.
        fs::write(&path, format!("local all {user} scram-sha-256\n{rules}")).expect("written");
        self.stop();
        self.start_again();
    }

    /// The postmaster, then its children.
    pub fn processes(&self) -> Vec<u32> {
        let postmaster = self.server().as_ref().expect("it runs").postmaster.id();
        [vec![postmaster], children(postmaster)].concat()
    }

    /// The address of the database of that name.
    pub fn url(&self, name: &str) -> String {
        let folder = self.folder().to_str().expect("text");
        let folder = utf8_percent_encode(folder, NON_ALPHANUMERIC);
        format!("postgres://postgres@localhost:5432/{name}?host={folder}")
    }

    /// Makes a database that nobody else has; its address.
    pub async fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Runs statements, in the database of that name or address.
    pub async fn sql(&self, database: &str, text: &str) {
        let url = if database.contains("://") { database.to_owned() } else { self.url(database) };
        let connected = PgConnection::connect(&url).await;
        let mut connection = connected.unwrap_or_else(|error| panic!("{url}: {error}: {}", self.log()));
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut connection).await;
        done.unwrap_or_else(|error| panic!("{text}: {error}"));
        connection.close().await.expect("closed");
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    /// The number of a child is nobody else's until the child is waited for.
    fn stop(mut self) {
        let word = self.guardian.stdin.take().expect("piped").write_all(b"stop\n");
        let guarded = word.is_ok() && self.guardian.wait().is_ok();
        if !guarded || !within_deadline(|| self.postmaster.try_wait().expect("a child").is_some()) {
            self.postmaster.kill().expect("killed");
            self.postmaster.wait().expect("waited for");
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Whether it became so.
fn within_deadline(mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !is_so() {
        if started.elapsed() > DEADLINE {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

/// Where the server's programs are: in the path, else the newest that Debian has installed.
fn programs() -> PathBuf {
    let has_all = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find(has_all);
    let installed = || {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.map_while(Result::ok);
        let folders = versions.map(|version| version.path().join("bin")).filter(has_all);
        folders.max_by_key(|folder| version_of(folder))
    };
    found.or_else(installed).expect("no PostgreSQL is installed: sh tests/run.sh does it")
}

/// 15 of `/usr/lib/postgresql/15/bin`.
fn version_of(folder: &Path) -> u32 {
    let version = folder.parent().and_then(Path::file_name).unwrap_or_default();
    version.to_string_lossy().parse().unwrap_or(0)
}

/// The shell's own `kill` is there without any package.
fn signal(name: &str, processes: &[u32]) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$@\" 2>/dev/null", "sh", name]);
    kill.args(processes.iter().map(u32::to_string));
    kill.status().expect("sh starts");
}

fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc").map_while(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| status(*pid, "PPid") == Some(parent.to_string()) && is_there(*pid)).collect()
}

/// A process that has ended and was not waited for is none: a stopped postmaster waits for nobody.
pub fn is_there(pid: u32) -> bool {
    status(pid, "State").is_some_and(|state| !state.starts_with('Z'))
}

fn is_stopped(pid: u32) -> bool {
    !is_there(pid) || status(pid, "State").is_none_or(|state| state.starts_with('T'))
}

/// A field of what the kernel says of a process, if there is such a process.
fn status(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}
