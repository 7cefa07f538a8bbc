//! `docs/metrics.md`, the alerts and the dashboard name the metrics and labels that `/metrics` really has.

#[path = "support/rest.rs"]
mod client;
#[path = "rest/house.rs"]
#[allow(dead_code, reason = "a part is used")]
mod house;
#[path = "docs_metrics/page.rs"]
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use convened::config::Config;
use convened::secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use client::PATIENCE;
use house::{ACCOUNT, House};
use page::{Metric, Page};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A daemon with everything that is counted.
async fn house() -> House {
    House::with(1, |config: &mut Config| {
        config.callin.enabled = true;
        // Nobody is there: it is tried again and again.
        config.amqp.url = Some(Secret::new("amqp://guest:guest@127.0.0.1:1/%2F"));
    })
    .await
}

/// Status, type of content and body.
async fn get(house: &House, path: &str, token: Option<&str>) -> (u16, String, String) {
    get_as(house, path, token, if path == "/readyz" { "*/*" } else { ACCEPT }).await
}

async fn get_as(house: &House, path: &str, token: Option<&str>, accept: &str) -> (u16, String, String) {
    let exchange = async {
        let mut stream = TcpStream::connect(house.address()).await.unwrap();
        let token = token.map(|token| format!("X-Auth-Token: {token}\r\n")).unwrap_or_default();
        let head =
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n{token}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (status, kind.to_owned(), body.to_owned())
}

/// As Prometheus 3 sends it.
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

async fn page(house: &House) -> Page {
    let (status, kind, body) = get(house, "/metrics", None).await;
    assert_eq!((status, kind.as_str()), (200, "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    Page::parse(&body)
}

/// Everything has been counted once.
async fn busy_house() -> House {
    let house = house().await;
    house.join("daily", "Ann").await;
    let owner = house.owner().await;
    owner.act("conferences/daily/participants", "mute").await.ok();
    owner.get("/no/such/path/4711").await.not_found("/no/such/path/4711");
    house
}

/// The rows of the tables: name, type, labels.
fn told() -> BTreeMap<String, Metric> {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let marked =
        |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = marked(cells[3]).into_iter().collect();
        (marked(cells[1]).remove(0), Metric { kind: cells[2].to_owned(), labels })
    })
    .collect()
}

#[tokio::test]
async fn the_page_tells_of_each_metric_and_of_no_other() {
    let house = busy_house().await;
    let there = page(&house).await.metrics();
    let told = told();
    assert_eq!(there.keys().collect::<Vec<_>>(), told.keys().collect::<Vec<_>>());
    for (name, metric) in &there {
        assert_eq!(metric, &told[name], "{name}");
    }
}

#[tokio::test]
async fn who_asks_for_plain_text_gets_the_same_in_the_older_format() {
    let house = busy_house().await;
    let (status, kind, body) = get_as(&house, "/metrics", None, "text/plain; version=0.0.4").await;
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let types = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: BTreeMap<_, _> = types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect();
    let as_plain = |kind: String| if kind == "info" { "gauge".to_owned() } else { kind };
    let told: BTreeMap<_, _> =
        told().into_iter().map(|(name, metric)| (name, as_plain(metric.kind))).collect();
    assert_eq!(types, told);
    assert!(body.contains("convened_build_info{") && !body.contains("# EOF"), "{body}");
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    let house = busy_house().await;
    house.told().await;
    // What is told goes to the broker's buffer a moment later.
    let buffered = async {
        loop {
            let page = page(&house).await;
            if page.value("convened_amqp_buffered_events", &[]) >= 1.0 {
                return page;
            }
            client::look_again().await;
        }
    };
    let page = tokio::time::timeout(PATIENCE, buffered).await.expect("an event waits for the broker");
    let is = |name: &str, labels: &[(&str, &str)]| page.value(name, labels);
    assert_eq!(is("convened_node_up", &[("node", "fs1"), ("connection", "events")]), 1.0);
    assert_eq!(is("convened_node_up", &[("node", "fs1"), ("connection", "commands")]), 1.0);
    assert_eq!(is("convened_node_condition", &[("node", "fs1"), ("condition", "followed")]), 1.0);
    assert_eq!(is("convened_node_condition", &[("node", "fs1"), ("condition", "gone")]), 0.0);
    assert_eq!(is("convened_node_events_total", &[("node", "fs1"), ("action", "add-member")]), 1.0);
    assert_eq!(is("convened_node_events_total", &[("node", "fs1"), ("action", "conference-create")]), 1.0);
    assert_eq!(is("convened_conferences", &[("node", "fs1")]), 1.0);
    assert_eq!(is("convened_participants", &[("node", "fs1")]), 1.0);
    assert!(is("convened_node_command_duration_seconds_count", &[("node", "fs1")]) >= 2.0);
    assert!(is("convened_node_event_lag_seconds_count", &[("node", "fs1")]) >= 2.0);
    let pattern = "/v2/accounts/{A}/conferences/{C}/participants";
    let acted = [("route", pattern), ("method", "PUT"), ("status", "200")];
    assert_eq!(is("convened_http_requests_total", &acted), 1.0);
    assert_eq!(is("convened_http_request_duration_seconds_count", &acted[..2]), 1.0);
    assert_eq!(
        is("convened_http_requests_total", &[("route", "none"), ("method", "GET"), ("status", "404")]),
        1.0
    );
    assert!(is("convened_http_open_connections", &[]) >= 1.0);
    assert_eq!(is("convened_amqp_up", &[]), 0.0);
    assert_eq!(is("convened_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert!(is("process_start_time_seconds", &[]) > 1.6e9);
    assert!(
        !page.text.contains("such/path") && !page.text.contains(ACCOUNT),
        "a path or an account is a label"
    );
}

#[tokio::test]
async fn a_broker_that_is_away_is_told_and_the_daemon_is_ready_all_the_same() {
    let house = house().await;
    let (status, _, body) = get(&house, "/readyz", None).await;
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = serde_json::json!({ "ready": true, "datastore": "ok", "broker": "away", "nodes": { "fs1": "followed" } });
    assert_eq!((status, &told["data"]), (200, &expected));
}

#[tokio::test]
async fn only_who_may_watch_sees_them() {
    let house = House::with(1, |config| config.metrics.allow = vec!["192.0.2.0/24".parse().unwrap()]).await;
    assert_eq!(get(&house, "/metrics", None).await.0, 401);
    let owner = house.owner().await;
    assert_eq!(get(&house, "/metrics", owner.token.as_deref()).await.0, 403);
    let superuser = house.superuser().await;
    assert_eq!(get(&house, "/metrics", superuser.token.as_deref()).await.0, 200);
    let off = House::with(1, |config| config.metrics.enabled = false).await;
    assert_eq!(get(&off, "/metrics", None).await.0, 404);
    let behind =
        House::with(1, |config| config.api.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    let from_outside = "/metrics HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nX-Rest:";
    assert_eq!(get(&behind, from_outside, None).await.0, 401);
    let from_nowhere = "/metrics HTTP/1.1\r\nX-Forwarded-For: unknown\r\nX-Rest:";
    assert_eq!(get(&behind, from_nowhere, None).await.0, 401);
    assert_eq!(get(&behind, "/metrics", None).await.0, 200, "the proxy itself");
}

/// The expressions of the alerts and of the dashboard.
fn expressions() -> Vec<String> {
    let rules = read("conf/prometheus/convened.rules.yml");
    let rules = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).map(str::to_owned);
    let dashboard: serde_json::Value = serde_json::from_str(&read("conf/grafana/convened.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap().clone());
    let mut all: Vec<_> = rules.collect();
    assert!(all.len() > 10, "{all:?}");
    let before = all.len();
    // What a legend names is a label, too.
    all.extend(targets.map(|target| {
        let text = |key: &str| target[key].as_str().unwrap().to_owned();
        let labels = text("legendFormat")
            .split("{{")
            .skip(1)
            .map(|rest| rest.split("}}").next().unwrap().to_owned())
            .collect::<Vec<_>>();
        format!("sum by ({}) ({})", labels.join(", "), text("expr"))
    }));
    assert!(all.len() > before + 10);
    all
}

#[tokio::test]
async fn alerts_and_dashboard_use_metrics_and_labels_that_there_are() {
    let house = busy_house().await;
    let there = page(&house).await.metrics();
    let mut used = BTreeSet::new();
    for expression in expressions() {
        let names = page::names_in(&expression);
        assert!(!names.is_empty(), "{expression}");
        let mut labels: BTreeSet<String> = ["le", "instance", "job"].map(str::to_owned).into();
        for name in names {
            let base = name.strip_suffix("_bucket").unwrap_or(&name).to_owned();
            let metric = there.get(&base).unwrap_or_else(|| panic!("no metric {name}: {expression}"));
            assert_eq!(base != name, metric.kind == "histogram", "{expression}");
            labels.extend(metric.labels.iter().cloned());
            used.insert(base);
        }
        for label in page::labels_in(&expression) {
            assert!(labels.contains(&label), "no label {label}: {expression}");
        }
    }
    let unused: Vec<_> = there.keys().filter(|name| !used.contains(*name)).collect();
    assert!(unused.len() <= 8, "neither alerted on nor shown: {unused:?}");
}

#[test]
fn labels_in_messages_of_alerts_survive_their_expressions() {
    let rules = read("conf/prometheus/convened.rules.yml");
    for rule in rules.split("- alert: ").skip(1) {
        let expression = rule.lines().find_map(|line| line.trim().strip_prefix("expr: ")).unwrap();
        for label in rule.split("$labels.").skip(1) {
            let label: String = label.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let told = told();
            let of_metric = page::names_in(expression)
                .iter()
                .any(|name| told.get(name).is_some_and(|it| it.labels.contains(&label)));
            // Prometheus puts these on everything that it has asked for.
            let is_of_target = matches!(&*label, "instance" | "job");
            let survives = match expression.contains(" by (") {
                true => page::labels_in(expression).contains(&label),
                false => of_metric || is_of_target,
            };
            assert!(survives, "{label}: {rule}");
        }
    }
}
