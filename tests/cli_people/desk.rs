//! Somebody at a desk: a daemon, a conference with people, and a shell with the variables set.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use convened::sim::world::Caller;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::client::Rest;
use crate::process::{ACCOUNT, Process, Site, output};

/// What a command left.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    /// The standard output of a success that had nothing to remark.
    pub(crate) fn ok(self) -> String {
        assert!(self.code == 0 && self.err.is_empty(), "{self:#?}");
        self.out
    }

    /// The same as one JSON document.
    pub(crate) fn json(self) -> Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The words of a failure with that code, which has these in it.
    pub(crate) fn failed(self, code: i32, words: &str) -> String {
        assert!(self.code == code && self.err.contains(words), "expected {code}, {words:?}: {self:#?}");
        assert!(self.err.lines().all(|line| line.starts_with("convened: ")), "{self:#?}");
        self.err
    }
}

pub(crate) struct Desk {
    pub(crate) site: Site,
    pub(crate) owner: Rest,
    pub(crate) daemon: Process,
    /// What the commands connect to.
    pub(crate) line: PhoneLine,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let site = Site::new().await;
        let (daemon, address) = site.serving().await;
        let owner = site.owner(address).await;
        let line = PhoneLine::to(address).await;
        Self { site, owner, daemon, line }
    }

    /// A conference with a document, and its id.
    pub(crate) async fn room(&self, name: &str) -> String {
        self.owner.create(json!({ "name": name })).await
    }

    /// Somebody comes; his number, once the daemon shows him.
    pub(crate) async fn join(&self, id: &str, caller: Caller) -> u64 {
        let call = self.site.switch.join(id, caller).expect("let in");
        let path = format!("conferences/{id}/participants/{call}");
        let shown = self.owner.until(&path, |answer| answer.status == 200).await;
        shown.ok()["participant_id"].as_u64().expect("a number")
    }

    /// The conference `Board` with Ann, who is its moderator, Ben and Cy; its id, and their numbers.
    pub(crate) async fn board(&self) -> (String, [u64; 3]) {
        let id = self.room("Board").await;
        let ann = self.join(&id, Caller::new("Ann", "15551").moderator()).await;
        let ben = self.join(&id, Caller::new("Ben", "15552")).await;
        let cy = self.join(&id, Caller::new("Cy", "15553")).await;
        (id, [ann, ben, cy])
    }

    /// The program with these arguments, and all that it needs in its environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command
            .env("CONVENED_URL", format!("http://{}", self.line.address))
            .env("CONVENED_TOKEN", self.owner.token.as_deref().expect("a token"))
            .env("CONVENED_ACCOUNT", ACCOUNT)
            .env("HOME", self.site.folder.path());
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Told {
        finished(self.command(arguments)).await
    }

    /// One that goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        Process::of(self.command(arguments))
    }

    /// The daemon is killed and started again. Where it listens then is another place, the line leads there.
    pub(crate) async fn restart(&mut self) {
        self.daemon.signal("KILL").await;
        let (daemon, address) = self.site.serving().await;
        self.daemon = daemon;
        self.line.leads_to(address);
        self.owner = Rest::new(address, ACCOUNT, self.owner.token.as_deref());
    }
}

/// The program with these arguments, and nothing of ours in its environment.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convened"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CONVENED_") || matches!(&*name, "XDG_CONFIG_HOME" | "NO_COLOR" | "HOME") {
            command.env_remove(&*name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

pub(crate) async fn finished(command: Command) -> Told {
    let output = output(command).await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    Told {
        code: output.status.code().expect("it ends by itself"),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Somebody who answers whatever is asked with this status and a page of his own; where.
pub(crate) async fn stranger(status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = [0; 4_096];
            let _ = stream.read(&mut read).await;
            let page =
                format!("HTTP/1.1 {status}\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>");
            let _ = stream.write_all(page.as_bytes()).await;
        }
    });
    address
}

/// A line between the commands and the daemon that can be cut and laid elsewhere.
pub(crate) struct PhoneLine {
    pub(crate) address: SocketAddr,
    to: Arc<Mutex<Option<SocketAddr>>>,
    calls: Arc<Mutex<JoinSet<()>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl PhoneLine {
    async fn to(daemon: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (to, calls) = (Arc::new(Mutex::new(Some(daemon))), Arc::new(Mutex::new(JoinSet::new())));
        let (leads_to, going_on) = (to.clone(), calls.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let to: Option<SocketAddr> = *leads_to.lock().unwrap();
                going_on.lock().unwrap().spawn(async move {
                    let Some(to) = to else { return };
                    if let Ok(mut far) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { address, to, calls, accepting }
    }

    /// Cuts what goes on. Until it leads somewhere again whoever calls is cut off.
    pub(crate) fn cut(&self) {
        *self.to.lock().unwrap() = None;
        self.calls.lock().unwrap().abort_all();
    }

    pub(crate) fn leads_to(&self, daemon: SocketAddr) {
        *self.to.lock().unwrap() = Some(daemon);
    }
}

impl Drop for PhoneLine {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The words of each line.
pub(crate) fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}
