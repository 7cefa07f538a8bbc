//! A RabbitMQ of the tests' own: on a loopback address of its own, in a temporary folder, gone with the test process.
//!
//! It can be stopped and started again, or killed, while somebody is connected. Whatever ends the test process,
//! `kill -9` included, a guardian beside the server sees its standard input close and stops it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::task::spawn_blocking;

/// What has not come by then does not come.
const DEADLINE: Duration = Duration::from_secs(90);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Debian's scripts in the path insist on their own folders.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

const CONTROL: &str = "/usr/lib/rabbitmq/bin/rabbitmqctl";
const NODE: &str = "convened@localhost";

/// Waits for a word or for the end of the tests, then has the processes `$2` and `$3` end. Without a word nobody is
/// left to remove the folder `$1`.
const GUARDIAN: &str = r#"
read -r word
kill -s KILL "$2" "$3"
[ -n "$word" ] || rm -rf "$1"
"#;

/// A broker. It stops, and its data goes, when this is dropped.
pub struct Rabbit {
    folder: TempDir,
    address: SocketAddr,
    /// Where the name server of Erlang listens, and where other nodes would be let in.
    names: u16,
    others: u16,
    /// None while it is stopped.
    server: Mutex<Option<Server>>,
}

struct Server {
    broker: Child,
    names: Child,
    guardian: Child,
}

static SHARED: Mutex<Weak<Rabbit>> = Mutex::new(Weak::new());

impl Rabbit {
    /// A broker of one's own.
    pub async fn start() -> Self {
        blocking(Self::new).await
    }

    /// The broker of this test process, which stops when the last test lets go of it. Not for those who stop it.
    pub async fn shared() -> Arc<Self> {
        blocking(|| {
            let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
            shared.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Self::new());
                *shared = Arc::downgrade(&server);
                server
            })
        })
        .await
    }

    fn new() -> Self {
        assert!(Path::new(SERVER).is_file(), "no RabbitMQ is installed: sh tests/run.sh does it");
        let folder = tempfile::Builder::new().prefix("convened-mq-").tempdir().expect("a folder");
        // Nobody else has this address: its ports are still free after a stop.
        let [.., high, low] = std::process::id().to_be_bytes();
        let host = Ipv4Addr::new(127, 1 + rand::random_range(0..250), high, low.max(1));
        let address = SocketAddr::from((host, free_port(host)));
        let (names, others) = (free_port(Ipv4Addr::LOCALHOST), free_port(host));
        let rabbit = Self { folder, address, names, others, server: Mutex::new(None) };
        let listen = format!("listeners.tcp.1 = {address}\nlog.console = false\nlog.file.level = warning\n");
        fs::write(rabbit.folder().join("rabbitmq.conf"), listen).expect("written");
        fs::write(rabbit.folder().join("enabled_plugins"), "[].\n").expect("written");
        if is_root() {
            let owner = Command::new("chown").args(["-R", "rabbitmq:rabbitmq"]).arg(rabbit.folder()).status();
            assert!(owner.expect("chown").success(), "is there no user `rabbitmq`? Run sh tests/run.sh");
        }
        rabbit.start_now();
        rabbit
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of it, with the user it begins with.
    pub fn url(&self) -> String {
        url(self.address)
    }

    /// What it has said.
    pub fn log(&self) -> String {
        let logs = fs::read_dir(self.folder().join("log")).into_iter().flatten().map_while(Result::ok);
        let logs = logs.map(|log| log.path()).chain([self.folder().join("out")]);
        logs.map(|log| fs::read_to_string(log).unwrap_or_default()).collect()
    }

    /// One of the server's programs, as the user who owns the folder.
    fn program(&self, name: &str) -> Command {
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups", "--", name]);
                command
            }
            false => Command::new(name),
        };
        let strange = |name: &str| name.starts_with("RABBITMQ_") || name.starts_with("ERL_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| strange(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        let log = File::options().create(true).append(true).open(self.folder().join("out")).expect("a log");
        command.env("LC_ALL", "C.UTF-8").env("HOME", self.folder()).current_dir(self.folder());
        command.env("ERL_EPMD_PORT", self.names.to_string()).env("ERL_EPMD_ADDRESS", "127.0.0.1");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        // An interrupt at the terminal is for the tests; the guardian does the rest.
        command.process_group(0);
        command
    }

    /// Starts it where it was stopped: the same data, the same address.
    pub async fn start_again(self: &Arc<Self>) {
        let rabbit = self.clone();
        blocking(move || rabbit.start_now()).await;
    }

    fn start_now(&self) {
        let mut server = self.server();
        assert!(server.is_none(), "it runs");
        let names = self.program("epmd").spawn().expect("epmd starts");
        let at_names = SocketAddr::from((Ipv4Addr::LOCALHOST, self.names));
        assert!(within_deadline(|| TcpStream::connect(at_names).is_ok()), "epmd does not start");
        let mut broker = self.program(SERVER);
        // Without it a shell would stand between us and the server.
        broker.env("RABBITMQ_ALLOW_INPUT", "1").arg("-noinput");
        broker.env("RABBITMQ_NODENAME", NODE);
        broker.env("RABBITMQ_DIST_PORT", self.others.to_string());
        for (variable, file) in [
            ("RABBITMQ_CONF_ENV_FILE", "no-such-file"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
        ] {
            broker.env(variable, self.folder().join(file));
        }
        let broker = broker.spawn().expect("the broker starts");
        let mut guardian = Command::new("sh");
        guardian.args(["-c", GUARDIAN, "sh"]).arg(self.folder());
        guardian.args([broker.id(), names.id()].map(|pid| pid.to_string()));
        guardian.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let guardian = guardian.spawn().expect("sh starts");
        let started = server.insert(Server { broker, names, guardian });
        // It listens when everything else is done.
        let ready = within_deadline(|| {
            started.broker.try_wait().expect("a child").is_some() || TcpStream::connect(self.address).is_ok()
        });
        let runs = started.broker.try_wait().expect("a child").is_none();
        assert!(ready && runs, "the broker does not start: {}", self.log());
    }

    /// Stops it as an operator does.
    pub async fn stop(self: &Arc<Self>) {
        let rabbit = self.clone();
        blocking(move || {
            if let Some(mut server) = rabbit.server().take() {
                // As a signal of a shell: there without any package.
                let pid = server.broker.id().to_string();
                let told = Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &pid]).status();
                assert!(told.expect("sh starts").success());
                assert!(within_deadline(|| server.broker.try_wait().expect("a child").is_some()), "it stops");
                server.end();
            }
        })
        .await;
    }

    /// Ends it as a crash does.
    pub async fn kill(self: &Arc<Self>) {
        let rabbit = self.clone();
        blocking(move || rabbit.server().take().map(Server::end)).await;
    }

    /// Has it run out of memory, as it thinks, or have enough of it again. In an alarm it reads nothing from whoever
    /// publishes (<https://www.rabbitmq.com/docs/connection-blocked>).
    pub async fn alarm(self: &Arc<Self>, on: bool) {
        let rabbit = self.clone();
        blocking(move || {
            let mut control = rabbit.program(CONTROL);
            control.env("RABBITMQ_NODENAME", NODE);
            control.env("RABBITMQ_CONF_ENV_FILE", rabbit.folder().join("no-such-file"));
            control.args(["set_vm_memory_high_watermark", if on { "0.0000001" } else { "0.4" }]);
            assert!(control.status().expect("rabbitmqctl").success(), "{}", rabbit.log());
        })
        .await;
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        if let Some(server) = self.server().take() {
            server.end();
        }
    }
}

impl Server {
    /// The number of a child is nobody else's until the child is waited for.
    fn end(mut self) {
        let _ = self.broker.kill();
        let _ = self.names.kill();
        let _ = self.guardian.stdin.take().expect("piped").write_all(b"stop\n");
        for mut child in [self.broker, self.names, self.guardian] {
            child.wait().expect("waited for");
        }
    }
}

/// The URL of a broker there.
pub fn url(address: SocketAddr) -> String {
    format!("amqp://guest:guest@{address}/%2F")
}

/// Our own entry is owned by whom we act for.
fn is_root() -> bool {
    fs::metadata("/proc/self").expect("/proc").uid() == 0
}

fn free_port(host: Ipv4Addr) -> u16 {
    let listener = TcpListener::bind((host, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
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
