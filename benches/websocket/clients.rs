//! Clients that do as little as can be: they read frames, and find the number in each.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// When what was sent, and how long it took. Of one crowd at a time.
#[derive(Default)]
pub(crate) struct Heard {
    is_timed: AtomicBool,
    sent: Mutex<std::collections::HashMap<u64, Instant>>,
    took: Mutex<Vec<u32>>,
}

fn lock<T>(it: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Heard {
    /// Begins, or ends, to time what is heard; what was timed, in microseconds, sorted.
    pub(crate) fn timed(&self, is_timed: bool) -> Vec<u32> {
        self.is_timed.store(is_timed, Ordering::SeqCst);
        lock(&self.sent).clear();
        let mut took = std::mem::take(&mut *lock(&self.took));
        took.sort_unstable();
        took
    }

    /// That of this number is on its way.
    pub(crate) fn sent(&self, number: u64) {
        lock(&self.sent).entry(number).or_insert_with(Instant::now);
    }

    fn heard(&self, numbers: &[u64]) {
        if !self.is_timed.load(Ordering::Relaxed) {
            return;
        }
        let (now, sent) = (Instant::now(), lock(&self.sent));
        let took =
            numbers.iter().filter_map(|number| sent.get(number)).map(|at| (now - *at).as_micros() as u32);
        lock(&self.took).extend(took);
    }
}

/// Opens a websocket.
pub(crate) async fn connect(address: SocketAddr, path: &str, token: Option<&str>) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let token = token.map_or(String::new(), |token| format!("x-auth-token: {token}\r\n"));
    let ask = format!(
        "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{token}\r\n"
    );
    stream.write_all(ask.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.expect("an answer"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

/// Subscribes to what happens in a conference from now on.
pub(crate) async fn subscribe(address: SocketAddr, token: &str, room: &str) -> TcpStream {
    let mut stream = connect(address, "/ws", Some(token)).await;
    let text = format!(r#"{{"action":"subscribe","data":{{"binding":"conference.event.{room}.*"}}}}"#);
    assert!(text.len() < 126);
    // A mask of zeros leaves the text as it is.
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    stream.write_all(&frame).await.expect("written");
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.expect("a reply");
    assert_eq!(&head[..2], &[0x81, 126], "a reply of medium length");
    let mut reply = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
    stream.read_exact(&mut reply).await.expect("a reply");
    assert!(memmem::find(&reply, b"success").is_some(), "{}", String::from_utf8_lossy(&reply));
    stream
}

/// Those who read, and how far each is.
pub(crate) struct Crowd {
    pub(crate) heard: Arc<Heard>,
    lasts: Arc<Vec<AtomicU64>>,
    sample: Arc<OnceLock<String>>,
}

impl Crowd {
    pub(crate) fn gather(on: &Runtime, lines: Vec<TcpStream>, heard: Arc<Heard>) -> Self {
        let lasts: Arc<Vec<AtomicU64>> = Arc::new(lines.iter().map(|_| AtomicU64::new(0)).collect());
        let sample = Arc::new(OnceLock::new());
        for (at, line) in lines.into_iter().enumerate() {
            let (heard, lasts, sample) = (heard.clone(), lasts.clone(), sample.clone());
            on.spawn(async move { read(line, &heard, &lasts[at], &sample).await });
        }
        Self { heard, lasts, sample }
    }

    pub(crate) fn len(&self) -> usize {
        self.lasts.len()
    }

    /// The first message that came.
    pub(crate) fn sample(&self) -> String {
        self.sample.get().expect("one has come").clone()
    }

    /// Until everybody has heard that number.
    pub(crate) fn until(&self, number: u64) {
        let began = Instant::now();
        while self.lasts.iter().any(|last| last.load(Ordering::Acquire) < number) {
            assert!(began.elapsed() < Duration::from_secs(60), "somebody never hears it");
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

async fn read(mut line: TcpStream, heard: &Heard, last: &AtomicU64, sample: &OnceLock<String>) {
    let (mut buffer, mut numbers) = (BytesMut::new(), Vec::new());
    let seq = memmem::Finder::new(b"\"seq\":");
    loop {
        buffer.reserve(4_096);
        if line.read_buf(&mut buffer).await.expect("it goes on") == 0 {
            return;
        }
        numbers.clear();
        while let Some((start, end)) = whole(&buffer) {
            let frame = buffer.split_to(end);
            let text = &frame[start..];
            // There is none in a ping, and none in what comes before the first event.
            let Some(at) = seq.find(text) else { continue };
            let digits = text[at + 6..].iter().take_while(|octet| octet.is_ascii_digit());
            numbers.push(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')));
            sample.get_or_init(|| String::from_utf8_lossy(text).into_owned());
        }
        heard.heard(&numbers);
        if let Some(number) = numbers.last() {
            let before = last.swap(*number, Ordering::AcqRel);
            assert!(before == 0 || before + numbers.len() as u64 == *number, "{before}, then {numbers:?}");
        }
    }
}

/// Where the first frame's content begins and ends, if all of it is there. A server masks nothing.
fn whole(buffer: &[u8]) -> Option<(usize, usize)> {
    let start = match *buffer.get(1)? {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let length = match start {
        2 => usize::from(buffer[1]),
        _ => buffer.get(2..start)?.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)),
    };
    (buffer.len() >= start + length).then_some((start, start + length))
}
