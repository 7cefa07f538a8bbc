//! What is counted of requests and connections.
//!
//! Labels are bounded: a route is the pattern of the table and never a path that somebody sent, and a method that is
//! in no route is `other`.

use std::sync::OnceLock;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// The route of a request that fits none.
const NO_ROUTE: &str = "none";

/// One more in a gauge, for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted(Gauge);

impl Counted {
    /// From now on.
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Asked {
    /// The pattern, or `none`.
    pub route: &'static str,
    /// The method, or `other`.
    pub method: &'static str,
}

/// What was asked, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answered {
    /// The pattern, or `none`.
    pub route: &'static str,
    /// The method, or `other`.
    pub method: &'static str,
    /// The status.
    pub status: u16,
}

/// Requests and connections since the start.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Requests that were answered.
    pub requests: Family<Answered, Counter>,
    /// Seconds from the end of the head of a request until the answer, or its beginning, is ready.
    pub durations: Family<Asked, Histogram, fn() -> Histogram>,
    /// Open connections, those of websockets included.
    pub open: Gauge,
    /// Connections that were let in.
    pub connections: Counter,
    /// Connections that were refused because as many were open as may be.
    pub refused: Counter,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(durations),
            open: Gauge::default(),
            connections: Counter::default(),
            refused: Counter::default(),
        }
    }
}

/// 1 ms to 66 s: a guard ends what takes longer.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 4.0, 9))
}

/// The pattern of a request, as soon as it is known.
pub(super) type Pattern = OnceLock<&'static str>;

impl Traffic {
    /// A request was answered.
    pub(super) fn answered(&self, pattern: &Pattern, method: &Method, status: StatusCode, after: Duration) {
        let (route, method) = (pattern.get().copied().unwrap_or(NO_ROUTE), word(method));
        self.requests.get_or_create(&Answered { route, method, status: status.as_u16() }).inc();
        self.durations.get_or_create(&Asked { route, method }).observe(after.as_secs_f64());
    }
}

fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "PUT" => "PUT",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
