//! Fifty nodes: memory and time until everything is listed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use convened::node::Machine;
use convened::registry::Registry;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::figures::{busy, mib, ms, peak, resident};
use super::follower::{known, only_list, start, until};
use super::peer::Peer;

const NODES: u64 = 50;
const CONFERENCES: u64 = 200;
const MEMBERS: u64 = 10;

pub(crate) fn run() {
    let (_peer, ports) = Peer::start("--switches", &[NODES, CONFERENCES, MEMBERS]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(follow(&ports));
}

async fn follow(ports: &[u64]) {
    let participants = NODES * CONFERENCES * MEMBERS;
    let (registry, stop) = (Arc::new(Registry::new()), CancellationToken::new());
    let (before, busy_before, began) = (resident(), busy(), Instant::now());
    let audit = Duration::from_secs(60);
    let nodes: Vec<_> =
        ports.iter().map(|port| start(Arc::new(Machine), *port, audit, (&registry, ()), &stop)).collect();
    until("the list of every node", || registry.is_complete()).await;
    let (took, worked, after) = (began.elapsed(), busy() - busy_before, resident());
    assert_eq!(known(&registry), ((NODES * CONFERENCES) as usize, participants as usize));
    for node in &nodes {
        assert_eq!((node.node.status().connections, node.node.status().drifts), (1, 0));
    }
    println!("{NODES} nodes, {} conferences, {participants} participants:", NODES * CONFERENCES);
    println!(
        "  resident: {:.1} MiB before, {:.1} MiB after ({} octets for each participant), {:.1} MiB at most",
        mib(before),
        mib(after),
        after.saturating_sub(before) / participants,
        mib(peak()),
    );
    stop.cancel();
    join_all(nodes.into_iter().map(|node| node.ended())).await;
    let (busy_before, began) = (busy(), Instant::now());
    let lists = join_all(ports.iter().map(|port| tokio::spawn(only_list(*port)))).await;
    let (reading, read) = (began.elapsed(), busy() - busy_before);
    let octets: usize = lists.into_iter().map(|list| list.expect("it ends well").len()).sum();
    println!(
        "  all listed after {:.0} ms, {:.0} ms of processor time; the lists ({:.1} MiB) only read: {:.0} ms, {:.0} ms",
        ms(took),
        ms(worked),
        mib(octets as u64),
        ms(reading),
        ms(read),
    );
    println!(
        "  {:.1} × the time of reading, {:.1} × its processor time: {:.2} µs for each participant\n",
        took.as_secs_f64() / reading.as_secs_f64(),
        worked.as_secs_f64() / read.as_secs_f64(),
        worked.as_secs_f64() * 1e6 / participants as f64,
    );
}
