//! The other process: started, told what to do by lines, ended with this one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// This program once more.
pub(crate) fn myself(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("its own path"));
    command.args(words);
    command
}

pub(crate) struct Peer {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it; its first answer is numbers.
    pub(crate) fn start(what: &str, sizes: &[u64]) -> (Self, Vec<u64>) {
        let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
        let words: Vec<&str> = [what].into_iter().chain(sizes.iter().map(String::as_str)).collect();
        let mut command = myself(&words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let answers = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut peer = Self { child, answers };
        let first = peer.answer();
        (peer, first)
    }

    /// Tells it something and waits for its answer.
    pub(crate) fn ask(&mut self, order: &str) -> Vec<u64> {
        let orders = self.child.stdin.as_mut().expect("it was asked for");
        writeln!(orders, "{order}").expect("it listens");
        self.answer()
    }

    fn answer(&mut self) -> Vec<u64> {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        line.split_whitespace().map(|word| word.parse().expect("a number")).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends by itself when nobody tells it anything any more.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The other side: answers each line, and ends with whoever asks.
pub(crate) fn serve(first: &[u64], mut answer: impl FnMut(&[&str]) -> Vec<u64>) {
    let say = |numbers: &[u64]| {
        let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
        println!("{}", words.join(" "));
    };
    say(first);
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        say(&answer(&words));
    }
}
