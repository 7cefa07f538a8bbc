//! The line between the daemon and the broker, which can be cut.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// A line. Nothing goes over it any more when it is dropped.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

struct Shared {
    /// Who is connected now: each change cuts those who were connected before it. Even: somebody may come.
    generation: watch::Sender<usize>,
    attempts: AtomicUsize,
    /// What the daemon has sent over the last connection.
    said: Mutex<Vec<u8>>,
    /// The connection is cut after so many octets of the daemon's.
    fuse: AtomicUsize,
}

impl Wire {
    pub(crate) async fn to(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            generation: watch::Sender::new(0),
            attempts: AtomicUsize::new(0),
            said: Mutex::default(),
            fuse: AtomicUsize::new(usize::MAX),
        });
        let of_accepting = shared.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((daemon, _)) = listener.accept().await {
                of_accepting.attempts.fetch_add(1, Ordering::Relaxed);
                let generation = of_accepting.generation.subscribe();
                if generation.borrow().is_multiple_of(2) {
                    tokio::spawn(carry(of_accepting.clone(), generation, daemon, broker));
                }
            }
        });
        Self { address, shared, _accepting: AbortOnDropHandle::new(accepting) }
    }

    /// Cuts the connection there is; whoever comes is let through.
    pub(crate) fn cut(&self) {
        self.shared.generation.send_modify(|generation| *generation += 2);
    }

    /// Cuts it, and nobody comes through any more.
    pub(crate) fn shut(&self) {
        self.shared.generation.send_modify(|generation| *generation += 1 + *generation % 2);
    }

    /// Lets everybody through again.
    pub(crate) fn open(&self) {
        self.shared.generation.send_modify(|generation| *generation += *generation % 2);
    }

    /// Cuts each connection after so many octets of the daemon's.
    pub(crate) fn cut_after(&self, octets: usize) {
        self.shared.fuse.store(octets, Ordering::Relaxed);
    }

    /// How often somebody has tried to connect.
    pub(crate) fn attempts(&self) -> usize {
        self.shared.attempts.load(Ordering::Relaxed)
    }

    /// What the daemon has sent over the last connection.
    pub(crate) fn said(&self) -> Vec<u8> {
        self.shared.said.lock().unwrap().clone()
    }
}

async fn carry(shared: Arc<Shared>, mut cut: watch::Receiver<usize>, daemon: TcpStream, broker: SocketAddr) {
    let Ok(broker) = TcpStream::connect(broker).await else { return };
    shared.said.lock().unwrap().clear();
    let (mut from_daemon, mut to_daemon) = daemon.into_split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    let there = async {
        let mut left = shared.fuse.load(Ordering::Relaxed);
        let mut some = [0; 4096];
        while let Ok(read @ 1..) = from_daemon.read(&mut some[..left.min(4096)]).await {
            shared.said.lock().unwrap().extend_from_slice(&some[..read]);
            if to_broker.write_all(&some[..read]).await.is_err() {
                break;
            }
            left -= read;
            if left == 0 {
                break;
            }
        }
    };
    let back = tokio::io::copy(&mut from_broker, &mut to_daemon);
    tokio::select! {
        () = there => {}
        _ = back => {}
        _ = cut.changed() => {}
    }
}
