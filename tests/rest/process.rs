//! The program as a child of the test: its configuration, its output, its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use convened::sim::switch::{Switch, SwitchOptions};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::client::{PATIENCE, Rest, look_again};

pub(crate) const ACCOUNT: &str = "9d351ad7ffd6f846313af9eed3bb7b85";
/// The password of the switches here: nothing else is spelt like it.
pub(crate) const PASSWORD: &str = "Pa55w0rd-of-the-switch";

/// A folder with a configuration and a database, beside a switch.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) switch: Switch,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let options = SwitchOptions { password: PASSWORD.into(), ..SwitchOptions::default() };
        let switch = Switch::start(options).await.expect("a switch");
        let site = Self { folder: tempfile::tempdir().expect("a folder"), switch };
        site.configure("");
        site
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("convened.db")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("convened.toml")
    }

    /// Writes the configuration; what is given comes behind the rest.
    pub(crate) fn configure(&self, more: &str) {
        self.write_config(&format!("sqlite://{}", self.database().display()), more);
    }

    /// The same with another database.
    pub(crate) fn configure_database(&self, url: &str) {
        self.write_config(url, "");
    }

    /// The same with a node of its own patience.
    pub(crate) fn configure_both(&self, url: &str, more: &str) {
        self.write_config(url, more);
    }

    fn write_config(&self, database: &str, more: &str) {
        let text = format!(
            "[api]\nlisten = \"127.0.0.1:0\"\n[database]\nurl = \"{database}\"\n[[node]]\nname = \"fs1\"\n\
             address = \"{}\"\npassword = \"{PASSWORD}\"\n{more}",
            self.switch.addr(),
        );
        std::fs::write(self.config(), text).expect("written");
    }

    /// `convened run`, with these variables.
    pub(crate) async fn run(&self, variables: &[(&str, &str)]) -> Process {
        let config = self.config();
        Process::start(&["run", "--config", &config.to_string_lossy()], variables)
    }

    /// A daemon that serves; where.
    pub(crate) async fn serving(&self) -> (Process, SocketAddr) {
        let process = self.run(&[]).await;
        let address = process.address().await;
        (process, address)
    }

    /// `convened token ...`, which succeeds; what it printed on standard output.
    pub(crate) async fn token(&self, arguments: &[&str]) -> String {
        let output = self.try_token(arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }

    pub(crate) async fn try_token(&self, arguments: &[&str]) -> Output {
        let config = self.config();
        let config = config.to_string_lossy();
        finished(&[&["token"], arguments, &["--config", &config]].concat()).await
    }

    /// A client with a token of its own that may do everything in [`ACCOUNT`].
    pub(crate) async fn owner(&self, address: SocketAddr) -> Rest {
        let token = self.token(&["create", "--account", ACCOUNT, "--scope", "read,control,write"]).await;
        Rest::new(address, ACCOUNT, Some(&token))
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convened"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CONVENED__")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) async fn finished(arguments: &[&str]) -> Output {
    output(command(arguments)).await
}

/// Runs any program to its end.
pub(crate) async fn output(mut command: Command) -> Output {
    let what = format!("{command:?}");
    let ended = spawn_blocking(move || command.output());
    let ended = timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{what} does not end"));
    ended.expect("no panic").unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// A running program. It is killed when it is dropped.
pub(crate) struct Process {
    running: Running,
    pub(crate) out: Lines,
    pub(crate) err: Lines,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // After its end there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(arguments);
        command.envs(variables.iter().copied());
        Self::of(command)
    }

    /// The same through other programs, such as `prlimit`; the last of them starts ours.
    pub(crate) fn through(wrapper: &[&str], arguments: &[&str]) -> Self {
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(env!("CARGO_BIN_EXE_convened")).args(arguments).stdin(Stdio::null());
        Self::of(command)
    }

    /// Any program.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let out = Lines::of(child.stdout.take().expect("piped"));
        let err = Lines::of(child.stderr.take().expect("piped"));
        Self { running: Running(child), out, err }
    }

    /// Types a line, for a program whose standard input is piped.
    #[allow(dead_code, reason = "each test binary uses a part")]
    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.running.0.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("it listens");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.0.id()
    }

    /// Where it says that it serves.
    pub(crate) async fn address(&self) -> SocketAddr {
        let line = self.err.until(|line| line.contains("\"serving\"")).await;
        let line: Value = serde_json::from_str(&line).expect("a line of JSON");
        line["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Sends a signal by name.
    pub(crate) async fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.args(["-s", name, &self.pid().to_string()]);
        assert!(output(kill).await.status.success());
    }

    /// Waits for its end; the exit code, and all it has written.
    pub(crate) async fn ended(self) -> Ended {
        let Self { mut running, out, err } = self;
        let waited = async {
            loop {
                if let Some(status) = running.0.try_wait().expect("a child") {
                    return status;
                }
                look_again().await;
            }
        };
        let status: ExitStatus = match timeout(PATIENCE, waited).await {
            Ok(status) => status,
            Err(_) => panic!("it does not end: {:#?}", err.so_far()),
        };
        Ended { code: status.code(), out: out.all().await, err: err.all().await }
    }
}

/// What a program left.
#[derive(Debug)]
pub(crate) struct Ended {
    /// None after a signal that it did not catch.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The lines of a stream, as they come.
pub(crate) struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (counter, count) = watch::channel(0);
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                counter.send_modify(|count| *count += 1);
            }
        });
        Self { lines, count }
    }

    pub(crate) fn so_far(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first line that is as wanted, of those before and those to come.
    pub(crate) async fn until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut count = self.count.clone();
        let found = async {
            loop {
                count.mark_unchanged();
                if let Some(line) = self.so_far().into_iter().find(|line| wanted(line)) {
                    return line;
                }
                if count.changed().await.is_err() {
                    let found = self.so_far().into_iter().find(|line| wanted(line));
                    return found.unwrap_or_else(|| panic!("it never came: {:#?}", self.so_far()));
                }
            }
        };
        let found = timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("it does not come: {:#?}", self.so_far()))
    }

    /// All of them, once the stream has ended.
    async fn all(mut self) -> String {
        let ended = async { while self.count.changed().await.is_ok() {} };
        timeout(PATIENCE, ended).await.expect("the stream ends");
        self.so_far().join("\n")
    }
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
