//! What the kernel counts of this process.

use std::time::Duration;

/// Resident octets now.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

/// The most there ever were.
pub(crate) fn peak() -> u64 {
    status("VmHWM:")
}

fn status(name: &str) -> u64 {
    let told = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let line = told.lines().find_map(|line| line.strip_prefix(name)).expect("it is told");
    let kilobytes = line.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    kilobytes.expect("a number") << 10
}

/// Time that the threads of this process have had a processor.
pub(crate) fn busy() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux tells it").flatten();
    // A thread may end meanwhile.
    let told = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    let times = told.filter_map(|told| told.split_whitespace().next()?.parse::<u64>().ok());
    Duration::from_nanos(times.sum())
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) fn mib(octets: u64) -> f64 {
    octets as f64 / f64::from(1 << 20)
}
