//! What a node has of the world outside: connections, the time, chance.
//!
//! [`Machine`] is the real one. A simulation hands in its own, and the same node runs against a switch in
//! memory, through days that take no time, and twice in the same way.

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::model::Moment;

/// A connection, whatever it runs over.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where connections, the time and chance come from. Timers are tokio's: they follow its clock.
pub trait Outside: Send + Sync {
    /// Connects to the Event Socket at `host:port`.
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;

    /// What time it is.
    fn now(&self) -> Moment;

    /// A number that nobody can guess; asked for once by each part of a node that needs chance.
    fn seed(&self) -> u64;

    /// Whether long work may go to another thread: when that ends is no two times the same.
    fn has_threads(&self) -> bool {
        true
    }

    /// An event or a list has been applied; `check` tells what does not hold then, and takes its time.
    fn stepped(&self, check: &dyn Fn() -> Result<(), String>) {
        let _ = check;
    }
}

/// TCP, the clocks of the machine, its random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Outside for Machine {
    fn dial<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            prepare(&stream)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn now(&self) -> Moment {
        Moment::now()
    }

    fn seed(&self) -> u64 {
        rand::random()
    }
}

/// Small commands leave at once; a peer that has gone without a word is noticed.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5))
        .with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
