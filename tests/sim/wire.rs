//! A client for these tests only: it reads frames as plainly as possible, so that it cannot share a
//! mistake with the program.
#![allow(dead_code)] // Each test uses its part.

use std::collections::VecDeque;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A frame: its header lines and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Frame {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value(&self.head, name)
    }

    /// A header of the event in this frame, not decoded.
    pub(crate) fn event(&self, name: &str) -> Option<&str> {
        value(&self.body, name)
    }

    pub(crate) fn is_event(&self) -> bool {
        self.header("Content-Type").is_some_and(|kind| kind.starts_with("text/event"))
    }
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name).map(|(_, v)| v)
}

pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    events: VecDeque<Frame>,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) async fn greeted(addr: SocketAddr) -> (Self, Frame) {
        let stream = TcpStream::connect(addr).await.expect("the switch listens");
        let mut client = Self { stream, buffer: Vec::new(), events: VecDeque::new() };
        let greeting = client.frame().await.expect("a greeting");
        (client, greeting)
    }

    /// Connects and authenticates.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let (mut client, _) = Self::greeted(addr).await;
        assert_eq!(client.command("auth ClueCon").await, "+OK accepted");
        client
    }

    /// Connects and listens to conferences.
    pub(crate) async fn listening(addr: SocketAddr) -> Self {
        let mut client = Self::connect(addr).await;
        let reply = client.command("event plain CUSTOM conference::maintenance convened::fence").await;
        assert_eq!(reply, "+OK event listener enabled plain");
        client
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(format!("{text}\n\n").as_bytes()).await.expect("the switch reads");
    }

    /// The next frame; `None` when the connection has ended.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.cut_frame() {
                return Some(frame);
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    fn cut_frame(&mut self) -> Option<Frame> {
        let end = self.buffer.windows(2).position(|two| two == b"\n\n")?;
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let length: usize = value(&head, "Content-Length").map_or(0, |n| n.parse().expect("a length"));
        if self.buffer.len() < end + 2 + length {
            return None;
        }
        let body = String::from_utf8_lossy(&self.buffer[end + 2..end + 2 + length]).into_owned();
        self.buffer.drain(..end + 2 + length);
        Some(Frame { head, body })
    }

    /// The next frame that is no event; events that come before it are kept.
    pub(crate) async fn answer(&mut self) -> Option<Frame> {
        loop {
            let frame = self.frame().await?;
            if !frame.is_event() {
                return Some(frame);
            }
            self.events.push_back(frame);
        }
    }

    /// Sends a command and gives its `Reply-Text` or the body of its answer.
    pub(crate) async fn command(&mut self, text: &str) -> String {
        self.send(text).await;
        let frame = self.answer().await.expect("an answer");
        frame.header("Reply-Text").map_or(frame.body.clone(), str::to_owned)
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Option<Frame> {
        match self.events.pop_front() {
            Some(event) => Some(event),
            None => self.frame().await,
        }
    }

    /// Events up to the first with that `Action`, which is the last of them.
    pub(crate) async fn events_until(&mut self, action: &str) -> Vec<Frame> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await.expect("the connection lives");
            let last = event.event("Action") == Some(action);
            events.push(event);
            if last {
                return events;
            }
        }
    }
}

/// The actions of events in order.
pub(crate) fn actions(events: &[Frame]) -> Vec<String> {
    events.iter().map(|event| event.event("Action").unwrap_or("").to_owned()).collect()
}
