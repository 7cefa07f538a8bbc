//! A folder with a configuration and a database, and the program run on it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use convened::store::{
    AccountId, CredentialKind, CredentialRecord, DocumentRecord, Exported, Imported, NumberRole, NumberUse,
    SqliteSettings, SqliteStore, Store,
};
use tempfile::TempDir;

/// No command here takes nearly as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One installation.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ended {
    /// What a command said that succeeded.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        String::from_utf8(self.out).expect("text")
    }

    /// What a command said that failed with this code.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert!(self.out.is_empty(), "{:?}", self.out);
        assert!(self.err.lines().all(|line| line.starts_with("convened: ")), "{}", self.err);
        self.err
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().expect("a folder") };
        let text = format!("[database]\nurl = \"sqlite://{}\"\n", site.database().display());
        std::fs::write(site.path("convened.toml"), text).expect("written");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("convened.db")
    }

    /// The names of all files but the configuration and the database.
    pub(crate) fn others(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.retain(|name| !name.starts_with("convened."));
        names.sort();
        names
    }

    /// The program with these words and the configuration; words with a `@` in front are names in the
    /// folder.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convened"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CONVENED__")) {
            command.env_remove(name);
        }
        for word in words.split_whitespace() {
            match word.strip_prefix('@') {
                Some(name) => command.arg(self.path(name)),
                None => command.arg(word),
            };
        }
        command.arg("--config").arg(self.path("convened.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, words: &str) -> Ended {
        ended(self.command(words).spawn().expect("it starts"))
    }

    /// The same with this on standard input.
    pub(crate) fn run_with(&self, words: &str, input: &[u8]) -> Ended {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || {
            // It may have seen enough before the end.
            let _ = stdin.write_all(&input);
        });
        let ended = ended(child);
        feeder.join().expect("fed");
        ended
    }

    /// What `convened export` writes, without the first line, which tells the time.
    pub(crate) fn exported(&self) -> String {
        let all = self.run("export").ok();
        let (header, rest) = all.split_once('\n').expect("a header");
        assert!(header.starts_with("{\"convened_export\":1,"), "{header}");
        rest.to_owned()
    }

    /// The store, as a daemon has it.
    pub(crate) async fn store(&self) -> SqliteStore {
        SqliteStore::open(SqliteSettings::new(self.database())).await.expect("a store")
    }

    /// Puts these in, as they are.
    pub(crate) async fn keep(&self, what: &[Exported]) {
        let store = self.store().await;
        let imported = store.import(what, false).await.expect("imported");
        assert!(imported.iter().all(|one| *one == Imported::New));
        store.close().await;
    }
}

/// Waits for the end; what does not end is ended, and has no code then.
pub(crate) fn ended(child: Child) -> Ended {
    let pid = child.id().to_string();
    let (over, is_over) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if is_over.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            Command::new("kill").args(["-s", "KILL", &pid]).status().expect("kill");
        }
    });
    let output = child.wait_with_output().expect("it ends");
    drop(over);
    watch.join().expect("watched");
    let err = String::from_utf8(output.stderr).expect("text");
    Ended { code: output.status.code(), out: output.stdout, err }
}

pub(crate) fn account() -> AccountId {
    "acme".parse().expect("an account")
}

/// A document with this text and number; the rest follows from `n`.
pub(crate) fn document(n: u64, text: String, number: Option<&str>) -> Exported {
    Exported::Document(DocumentRecord {
        id: format!("{n:032x}"),
        account: account(),
        revision: format!("{}-{n:032x}", n + 1),
        created: 63_000_000_000,
        modified: 63_000_000_001,
        name: None,
        owner_id: None,
        numbers: number
            .map(|number| NumberUse { number: number.to_owned(), role: NumberRole::Conference })
            .into_iter()
            .collect(),
        text,
    })
}

pub(crate) fn credential(n: u8, issued_by: Option<u8>) -> Exported {
    let id = |n: u8| format!("{n:012x}");
    Exported::Credential(CredentialRecord {
        id: id(n),
        kind: if issued_by.is_some() { CredentialKind::Token } else { CredentialKind::ApiKey },
        hash: [n; 32],
        name: format!("n\u{b0} {n}, \"quoted\"\nand on two lines"),
        account: Some(account()),
        scopes: "control,read".into(),
        issued_by: issued_by.map(id),
        created: 1_600_000_000,
        expires: issued_by.map(|_| 1_900_000_000),
        last_used: Some(1_650_000_000),
        revoked: None,
    })
}
