//! A broadcast over the same websocket crate, and nothing else.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{Sender, channel};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    sender: Sender<Message>,
    around: (String, String),
    pub(crate) number: u64,
}

impl Bare {
    /// Sends texts like that one, with numbers of its own.
    pub(crate) async fn start(like: String) -> Self {
        let (before, rest) = like.split_once("\"seq\":").expect("a number");
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, _) = channel::<Message>(4_096);
        let tell = sender.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("set");
                let mut messages = tell.subscribe();
                tokio::spawn(async move {
                    let config = WebSocketConfig::default().read_buffer_size(4_096).write_buffer_size(65_536);
                    let mut socket =
                        accept_async_with_config(stream, Some(config)).await.expect("it is upgraded");
                    loop {
                        tokio::select! {
                            message = messages.recv() => {
                                let Ok(message) = message else { return };
                                socket.feed(message).await.expect("fed");
                                while let Ok(message) = messages.try_recv() {
                                    socket.feed(message).await.expect("fed");
                                }
                                socket.flush().await.expect("sent");
                            }
                            frame = socket.next() => if !matches!(frame, Some(Ok(_))) { return },
                        }
                    }
                });
            }
        });
        let around = (format!("{before}\"seq\":"), after.to_owned());
        Self { address, sender, around, number: 0 }
    }

    /// Until so many listen.
    pub(crate) async fn all_there(&self, many: usize) {
        while self.sender.receiver_count() < many {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn say(&mut self) -> u64 {
        self.number += 1;
        let (before, after) = &self.around;
        let text = format!("{before}{}{after}", self.number);
        self.sender.send(Message::text(text)).expect("somebody listens");
        self.number
    }
}
