//! `GET /metrics`: what is counted, as Prometheus and OpenMetrics read it; `docs/metrics.md` tells of each.
//!
//! What is counted elsewhere is read when it is asked for and not counted again here. `prometheus-client` writes it: its
//! metrics are typed values that their owners hold, so that no name is looked up where something is counted.

mod nodes;
mod plain;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use http::Method;
use http::header::ACCEPT;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{Caller, Context};
use crate::amqp::FiguresReader;
use crate::api::{Access, ApiError, Request, Response, Route, Traffic};
use crate::callin::{self, CallIn, Refusal};
use crate::telemetry;

const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is counted outside of the handlers' context.
#[derive(Clone)]
pub struct Sources {
    /// Requests and connections.
    pub traffic: Traffic,
    /// Events to the broker, if there is one.
    pub published: Option<FiguresReader>,
    /// Callers, if they are let in.
    pub callin: Option<CallIn>,
}

pub(super) fn routes() -> Vec<Route<Context>> {
    LazyLock::force(&STARTED);
    // Whoever only knows the older text format reads it, too.
    let types = &["application/openmetrics-text", "text/plain"];
    vec![Route::new(Method::GET, "/metrics", "metrics", Access::Watch, metrics).answers(types)]
}

/// When this process began to serve, in seconds since 1970.
static STARTED: LazyLock<f64> = LazyLock::new(|| {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
});

async fn metrics(context: Arc<Context>, _caller: Caller, request: Request) -> Result<Response, ApiError> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(All(context)));
    let mut page = String::new();
    text::encode(&mut page, &registry)
        .map_err(|_| ApiError::internal("the metrics cannot be written as text"))?;
    let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    Ok(match plain::is_wanted(&accepted.collect::<Vec<_>>()) {
        true => Response::plain(PLAIN, plain::of_open_metrics(&page)),
        false => Response::plain(OPEN_METRICS, page),
    })
}

/// Everything, as it is when it is asked for.
struct All(Arc<Context>);

impl fmt::Debug for All {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("All")
    }
}

impl Collector for All {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (context, mut page) = (&*self.0, Page(encoder));
        nodes::write(context, &mut page)?;
        if let Some(sources) = context.sources.get() {
            requests(&sources.traffic, &mut page)?;
            broker(sources.published.as_ref(), &mut page)?;
            callers(sources.callin.as_ref(), &mut page)?;
        }
        subscribers(context, &mut page)?;
        process(context, &mut page)
    }
}

/// What is written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// One metric with labels; of no samples it is still told that there is such a metric.
    fn family<L: EncodeLabelSet, M: EncodeMetric + TypedMetric>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, M)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, M::TYPE)?;
        for (labels, metric) in samples {
            metric.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// One metric without labels, if there is one.
    fn maybe<M: EncodeMetric + TypedMetric>(
        &mut self,
        name: &str,
        help: &str,
        metric: Option<M>,
    ) -> fmt::Result {
        let encoder = self.0.encode_descriptor(name, help, None, M::TYPE)?;
        metric.map_or(Ok(()), |metric| metric.encode(encoder))
    }

    /// One metric without labels; a `_total` is added to the name of a counter.
    fn one<M: EncodeMetric + TypedMetric>(&mut self, name: &str, help: &str, metric: M) -> fmt::Result {
        metric.encode(self.0.encode_descriptor(name, help, None, M::TYPE)?)
    }

    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        self.one(name, help, ConstCounter::new(count))
    }
}

/// What can be shown of a number of things: more than this are never there.
fn gauge(now: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(now).unwrap_or(i64::MAX))
}

fn requests(traffic: &Traffic, page: &mut Page<'_>) -> fmt::Result {
    let Traffic { requests, durations, open, connections, refused } = traffic;
    page.one("convened_http_requests", "Requests that were answered", requests.clone())?;
    let help = "From the head of a request to the beginning of its answer";
    page.one("convened_http_request_duration_seconds", help, durations.clone())?;
    page.one("convened_http_open_connections", "Open connections", open.clone())?;
    page.one("convened_http_connections", "Connections that were let in", connections.clone())?;
    page.one("convened_http_refused_connections", "Connections beyond api.max_connections", refused.clone())
}

fn broker(published: Option<&FiguresReader>, page: &mut Page<'_>) -> fmt::Result {
    let figures = published.map(FiguresReader::figures);
    let connected = figures.map(|figures| gauge(figures.is_connected.into()));
    page.maybe("convened_amqp_up", "1 if there is a connection to the broker", connected)?;
    let waiting = figures.map(|figures| gauge(figures.waiting));
    page.maybe("convened_amqp_buffered_events", "Events that the broker has not confirmed yet", waiting)?;
    let mut counter = |name, help, count: fn(crate::amqp::Figures) -> u64| {
        page.maybe(name, help, figures.map(|figures| ConstCounter::new(count(figures))))
    };
    counter("convened_amqp_published", "Events that the broker has confirmed", |it| it.confirmed)?;
    counter("convened_amqp_sent", "Events that were sent, every time counted", |it| it.sent)?;
    counter("convened_amqp_dropped", "Events dropped because too many waited", |it| it.dropped)?;
    counter("convened_amqp_returned", "Events that wait again after they were sent", |it| it.returned)?;
    counter("convened_amqp_unsendable", "Events with a routing key that is too long", |it| it.unsendable)?;
    counter("convened_amqp_connections", "Connections made to the broker", |it| it.connections)
}

fn callers(callin: Option<&CallIn>, page: &mut Page<'_>) -> fmt::Result {
    let dialogues = callin.map(|callin| gauge(callin.dialogues() as u64));
    page.maybe("convened_callin_dialogues", "Callers that are being let in", dialogues)?;
    let figures = callin.map(CallIn::figures);
    let taken = figures.map(|it| ConstCounter::new(it.taken.load(Ordering::Relaxed)));
    page.maybe("convened_callin_taken", "Calls that were taken", taken)?;
    let results = |it: &callin::Figures| {
        let all = [
            ("joined", &it.joined),
            ("bridged", &it.bridged),
            ("hung_up", &it.hung_up),
            ("stuck", &it.stuck),
            ("of_others", &it.of_others),
        ];
        all.map(|(word, count)| ([("result", word)], ConstCounter::new(count.load(Ordering::Relaxed))))
    };
    page.family(
        "convened_callin_results",
        "What came of calls, but for those that were refused",
        figures.map(results).into_iter().flatten(),
    )?;
    let refused = |it: &callin::Figures| {
        Refusal::ALL.map(|refusal| ([("reason", refusal.word())], ConstCounter::new(it.refused(refusal))))
    };
    page.family(
        "convened_callin_refused",
        "Callers that were not let in",
        figures.map(refused).into_iter().flatten(),
    )?;
    let wrong = figures.map(|it| ConstCounter::new(it.wrong_pins.load(Ordering::Relaxed)));
    page.maybe("convened_callin_wrong_pins", "Wrong PINs", wrong)
}

fn subscribers(context: &Context, page: &mut Page<'_>) -> fmt::Result {
    let events = &context.events;
    let open = [
        ([("kind", "websocket")], events.figures.websockets.clone()),
        ([("kind", "sse")], events.figures.event_streams.clone()),
    ];
    page.family("convened_subscribers", "Open websockets and event streams", open)?;
    let help = "Times that a subscriber was too slow and began anew";
    page.one("convened_subscriber_gaps", help, events.figures.gaps.clone())?;
    let help = "Times that more happened at once than can wait, and all subscribers began anew";
    page.counter("convened_event_overflows", help, events.streams.broken_off())
}

fn process(context: &Context, page: &mut Page<'_>) -> fmt::Result {
    page.counter(
        "convened_throttled_requests",
        "Requests refused after too many wrong credentials",
        context.guard.throttle().refused_total(),
    )?;
    page.counter(
        "convened_hurried_requests",
        "Requests beyond api.max_requests_per_s",
        context.guard.pace().refused_total(),
    )?;
    page.one(
        "convened_audit_lost_rows",
        "Rows of the audit log that the database did not take",
        context.ledger.lost_rows.clone(),
    )?;
    page.counter(
        "convened_log_dropped_lines",
        "Lines of the log that nobody read in time",
        telemetry::dropped_lines(),
    )?;
    let standing = &context.standing;
    let help = "1 if the database answered when it was asked last";
    page.one("convened_database_up", help, gauge(standing.is_database_up().into()))?;
    let help = "1 if the configuration file could be taken over when it was read last";
    page.one("convened_config_reload_successful", help, gauge(standing.is_configuration_good().into()))?;
    let help = "When the configuration was read that is in force, in seconds since 1970";
    let read = ConstGauge::new(standing.configuration_read_s());
    page.one("convened_config_reload_success_timestamp_seconds", help, read)?;
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    page.one("convened_build", "The version that runs", build)?;
    let help = "When the process began to serve, in seconds since 1970";
    page.one("process_start_time_seconds", help, ConstGauge::new(*STARTED))
}
