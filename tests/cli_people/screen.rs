//! `top` on a terminal that `script` makes, completion scripts and manual pages.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use crate::client::PATIENCE;
use crate::desk::{Desk, bare, finished};
use crate::process::{ACCOUNT, names};

/// The program on a terminal of 100 columns and 30 rows.
struct Terminal {
    child: Child,
    bytes: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn of(with: &Command, line: &str) -> Self {
        let mut command = Command::new("script");
        let line = format!("stty rows 30 cols 100; {line}; echo \"code $?\"");
        command.args(["--quiet", "--flush", "--return", "--command", &line, "/dev/null"]);
        command
            .env("TERM", "xterm-256color")
            .envs(with.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("SHELL", "/bin/sh").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("`script` is there");
        let mut stdout = child.stdout.take().expect("piped");
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut some = [0; 4_096];
            while let Ok(count @ 1..) = stdout.read(&mut some) {
                if sender.send(some[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, bytes, seen: String::new() }
    }

    fn press(&mut self, keys: &str) {
        let mut stdin = self.child.stdin.as_ref().expect("piped");
        stdin.write_all(keys.as_bytes()).and_then(|()| stdin.flush()).expect("it listens");
    }

    /// Reads until this is seen. A word: only what has changed is drawn, blanks are jumped over.
    fn until(&mut self, words: &str) {
        while !self.seen.contains(words) {
            let some = self.bytes.recv_timeout(PATIENCE);
            let some = some.unwrap_or_else(|_| panic!("{words:?} is never seen: {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&some));
        }
    }

    /// Forgets what was seen.
    fn turn(&mut self) {
        self.seen.clear();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_convened");
/// The other page of a terminal, and back.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
const CURSOR: &str = "\u{1b}[?25h";

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_screen_shows_who_talks_and_keys_do_what_they_say() {
    let desk = Desk::new().await;
    let (id, [_, ben, _]) = desk.board().await;
    let mut terminal = Terminal::of(&desk.command(&[]), &format!("{PROGRAM} top"));
    terminal.until(ENTER);
    for words in ["Board", "Ann", "Ben", "Cy", "moderator"] {
        terminal.until(words);
    }
    let call = |number: u64| {
        let rooms = desk.site.switch.truth();
        rooms[0]
            .members
            .iter()
            .find(|one| u64::from(one.id) == number)
            .map(|one| (one.call.clone(), one.speak))
    };
    terminal.turn();
    desk.site.switch.talk(&call(ben).expect("there").0, true).expect("he is there");
    terminal.until("●");
    // To the people, down to Ben; muted, asked whether he is to go, and gone.
    terminal.press("\t");
    terminal.press("\u{1b}[B");
    terminal.press("m");
    terminal.until("done");
    assert!(!call(ben).expect("there").1);
    terminal.turn();
    terminal.press("k");
    terminal.until("yes");
    terminal.press("y");
    let path = format!("conferences/{id}/participants/{ben}");
    desk.owner.until(&path, |answer| answer.status == 404).await;
    terminal.turn();
    terminal.press("l");
    terminal.until("locked");
    terminal.press("q");
    terminal.until("code 0");
    assert!(terminal.seen.contains(LEAVE) && terminal.seen.contains(CURSOR), "{:?}", terminal.seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_is_given_back_however_it_ends() {
    let desk = Desk::new().await;
    desk.board().await;
    let file = desk.site.folder.path().join("pid");
    let line = format!("sh -c 'echo $$ > {}; exec {PROGRAM} top'", file.display());
    for signal in [None, Some("TERM"), Some("HUP"), Some("INT"), Some("QUIT")] {
        let mut terminal = Terminal::of(&desk.command(&[]), &line);
        terminal.until("Board");
        match signal {
            // Control-C is a key there.
            None => terminal.press("\u{3}"),
            Some(name) => {
                let pid = std::fs::read_to_string(&file).expect("written");
                let mut kill = Command::new("kill");
                kill.args(["-s", name, pid.trim()]);
                assert_eq!(finished(kill).await.code, 0);
            }
        }
        terminal.until("code 0");
        let (_, after) = terminal.seen.split_once(LEAVE).unwrap_or_else(|| panic!("{:?}", terminal.seen));
        assert!(after.contains(CURSOR), "{:?}", terminal.seen);
    }
    // What is refused at once never takes the screen.
    let mut command = desk.command(&[]);
    command.env("CONVENED_TOKEN", "wrong");
    let mut terminal = Terminal::of(&command, &format!("{PROGRAM} top"));
    terminal.until("code 78");
    assert!(!terminal.seen.contains(ENTER), "{:?}", terminal.seen);
}

#[tokio::test]
async fn without_a_terminal_it_refuses_in_a_sentence() {
    let mut command = bare(&["top"]);
    command.env("CONVENED_TOKEN", "t").env("CONVENED_ACCOUNT", ACCOUNT);
    let told = finished(command).await;
    assert_eq!(told.out, "");
    told.failed(2, "top fills a terminal, and this is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_colours_unless_they_are_not_wanted_and_long_names_are_cut_there() {
    let desk = Desk::new().await;
    let long = "a name that is much longer than the terminal is wide, ".repeat(2);
    let (id, _) = desk.board().await;
    desk.owner.create(serde_json::json!({ "name": long })).await;
    let mut command = desk.command(&[]);
    let mut terminal = Terminal::of(&command, &format!("{PROGRAM} list"));
    terminal.until("code 0");
    assert!(terminal.seen.contains(&format!("\u{1b}[2m{id}\u{1b}[0m")), "{:?}", terminal.seen);
    assert!(terminal.seen.contains('…') && !terminal.seen.contains(&long), "{:?}", terminal.seen);
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        command.env_remove("NO_COLOR").env(variable, value);
        let mut terminal = Terminal::of(&command, &format!("{PROGRAM} list"));
        terminal.until("code 0");
        assert!(terminal.seen.contains(&id) && !terminal.seen.contains("\u{1b}["), "{:?}", terminal.seen);
    }
}

#[tokio::test]
async fn completions_and_manual_pages_are_made_for_every_command() {
    for (shell, words) in
        [("bash", "complete -F"), ("zsh", "#compdef convened"), ("fish", "complete -c convened")]
    {
        let script = finished(bare(&["completions", shell])).await.ok();
        assert!(script.contains(words) && script.contains("unmute"), "{shell}");
        assert!(!script.contains("man_directory"), "{shell}");
    }
    // Whoever reads may have had enough.
    let mut shell = Command::new("bash");
    let line = format!("{PROGRAM} completions zsh | true; echo ${{PIPESTATUS[0]}}");
    shell.args(["-c", &line]).stdin(Stdio::null());
    let told = finished(shell).await;
    assert_eq!((told.out.trim(), &*told.err), ("0", ""));
    let mut bash = Command::new("bash");
    let script = finished(bare(&["completions", "bash"])).await.ok();
    bash.args(["-n", "-c", &script]).stdin(Stdio::null());
    assert_eq!(finished(bash).await.err, "");
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_string_lossy().into_owned();
    finished(bare(&["man", &place])).await.ok();
    let pages = names(folder.path());
    for page in ["convened.1", "convened-run.1", "convened-watch.1", "convened-token-create.1"] {
        assert!(pages.iter().any(|name| name == page), "{page}: {pages:?}");
    }
    let page = std::fs::read_to_string(folder.path().join("convened-kick.1")).expect("there");
    assert!(page.contains("CONVENED_TOKEN") && page.contains("Exit codes"), "{page}");
    let whole = std::fs::read_to_string(folder.path().join("convened.1")).expect("there");
    let help = finished(bare(&["kick", "--help"])).await.ok();
    for variable in ["URL", "ACCOUNT", "TOKEN_FILE", "CA_FILE"].map(|name| format!("CONVENED_{name}")) {
        for text in [&whole, &help] {
            assert!(text.replace('\\', "").contains(&variable), "{variable}: {text}");
        }
    }
    let missing = finished(bare(&["man", "no/such/place"])).await;
    missing.failed(1, "no/such/place: no manual pages can be written");
}
