//! Checks of values whose types are right: what cannot work is found before the start.

use std::collections::HashMap;

use super::Database;
use super::password::is_sendable;
use super::{Api, Config, Dial, Esl, Listen, Media, Node, Problem};
use crate::actions::Dialling;
use crate::actions::words::{self, Refused};
use crate::api::wrong_origin;
use crate::auth::AccountId;
use crate::store::PostgresSettings;
use crate::store::url::Engine;
use crate::telemetry;

/// The longest time that any key may hold, in milliseconds: a day. Beyond it a unit was mistaken.
pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Everything that is wrong, in the order of the file.
pub(super) fn check(config: &Config) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    check_api(&config.api, &mut found);
    check_database(&config.database, &mut found);
    found.range("conference.audit_interval_s", config.conference.audit_interval_s, 1, DAY_MS / 1000);
    check_media(&config.media, &mut found);
    check_dial(&config.dial, &mut found);
    super::callin::check(&config.callin, config.events.node_name.as_deref(), &mut found);
    super::callin::check_prompts(&config.prompts, &mut found);
    super::events::check(&config.events, &mut found);
    super::amqp::check(&config.amqp, &mut found);
    check_default_account(config.conference.default_account.as_deref(), &mut found);
    for (index, node) in config.node.iter().enumerate() {
        check_node(node, &format!("node[{index}]"), &mut found);
    }
    check_names_differ(&config.node, &mut found);
    // Otherwise the guard would end a request that still waits for its switch.
    let slowest = config.node.iter().map(|node| node.command_timeout_ms).max().unwrap_or(0);
    if config.api.answer_timeout_ms <= slowest {
        found.add(
            "api.answer_timeout_ms",
            format!("expected more than the command_timeout_ms of a node, {slowest}"),
        );
    }
    check_esl(&config.esl, &mut found);
    if let Err(error) = telemetry::check_level(&config.log.level) {
        found.add("log.level", error.to_string());
    }
    found.0
}

/// Directories and schemes are sent to switches as they are.
fn check_media(media: &Media, found: &mut Found) {
    for (at, root) in media.roots.iter().enumerate() {
        check_directory(&format!("media.roots[{at}]"), root, found);
    }
    for (at, scheme) in media.schemes.iter().enumerate() {
        if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            found.add(format!("media.schemes[{at}]"), format!("`{scheme}` is no URL scheme such as https"));
        }
    }
    if let Some(directory) = &media.recordings {
        check_directory("media.recordings", directory, found);
    }
}

fn check_directory(key: &str, directory: &str, found: &mut Found) {
    match words::check_directory(directory) {
        Ok(()) => {}
        Err(Refused::Outside) => found.add(key, format!("`{directory}` is no absolute path")),
        Err(refused) => found.add(key, format!("`{directory}` cannot be sent to a switch: it {refused}")),
    }
}

pub(super) struct Found(Vec<Problem>);

impl Found {
    pub(super) fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem::of_key(key, message));
    }

    pub(super) fn range(&mut self, key: impl Into<String>, value: u64, from: u64, to: u64) {
        if !(from..=to).contains(&value) {
            self.add(key, format!("expected {from} to {to}, found {value}"));
        }
    }

    fn size(&mut self, key: &str, value: usize, from: u64, to: u64) {
        self.range(key, value as u64, from, to);
    }
}

fn check_api(api: &Api, found: &mut Found) {
    check_listen(api, found);
    for (at, origin) in api.cors_origins.iter().enumerate() {
        if let Some(why) = wrong_origin(origin) {
            found.add(format!("api.cors_origins[{at}]"), format!("{why}, found `{origin}`"));
        }
    }
    found.size("api.max_connections", api.max_connections, 1, 1_000_000);
    found.range("api.max_requests_per_s", api.max_requests_per_s.into(), 0, 1_000_000);
    found.size("api.max_body_bytes", api.max_body_bytes, 1024, 1 << 30);
    // hyper's buffer, which holds a head, cannot be smaller than 8 KiB.
    found.size("api.max_header_bytes", api.max_header_bytes, 8192, 1 << 20);
    found.range("api.header_timeout_ms", api.header_timeout_ms, 1, DAY_MS);
    found.range("api.body_timeout_ms", api.body_timeout_ms, 1, DAY_MS);
    found.range("api.answer_timeout_ms", api.answer_timeout_ms, 1, DAY_MS);
    found.range("api.idle_timeout_s", api.idle_timeout_s, 1, DAY_MS / 1000);
    found.range("api.shutdown_grace_s", api.shutdown_grace_s, 0, 3600);
}

fn check_listen(api: &Api, found: &mut Found) {
    if api.listen.is_empty() {
        found.add("api.listen", "names no address to listen on");
    }
    for (at, place) in api.listen.iter().enumerate() {
        let is_any = place.tcp().is_some_and(|address| address.port() == 0);
        if !is_any && api.listen[..at].iter().any(|earlier| same(earlier, place)) {
            found.add(format!("api.listen[{at}]"), format!("`{place}` takes what an earlier one takes"));
        }
    }
    let wants_tls = api.listen.iter().any(|place| matches!(place, Listen::Tls(_)));
    let without = "is there, and no address of api.listen begins with tls:";
    for (key, path) in [("api.tls_certificate", &api.tls_certificate), ("api.tls_key", &api.tls_key)] {
        match (wants_tls, path) {
            (true, None) => found.add(key, "is needed for the addresses of api.listen that begin with tls:"),
            (false, Some(_)) => found.add(key, without),
            _ => {}
        }
    }
}

/// Whether two places cannot be listened on at once.
fn same(one: &Listen, other: &Listen) -> bool {
    match (one.tcp(), other.tcp()) {
        // `[::]` takes IPv4, too (ipv6(7)).
        (Some(one), Some(other)) => {
            let is_any = |address: std::net::SocketAddr| address.ip().is_unspecified();
            one.port() == other.port() && (one == other || is_any(one) || is_any(other))
        }
        _ => one == other,
    }
}

fn check_database(database: &Database, found: &mut Found) {
    // The URL may carry a password, so it is not repeated.
    match database.engine() {
        None => found.add(
            "database.url",
            "expected sqlite://PATH, such as sqlite:///var/lib/convened/convened.db, or \
             postgres://USER@HOST/DATABASE",
        ),
        Some(Engine::Sqlite(path)) if path.as_os_str().is_empty() => {
            found.add("database.url", "names no file: expected sqlite://PATH");
        }
        Some(Engine::Sqlite(_)) if database.password_file.is_some() => {
            found.add("database.password_file", "an SQLite file has no password");
        }
        Some(Engine::Sqlite(_)) => {}
        Some(Engine::Postgres(url)) => {
            if let Err(error) = PostgresSettings::new(url).check() {
                found.add("database.url", error.to_string());
            }
            if let Err(error) = database.read_password() {
                found.add("database.password_file", error.to_string());
            }
        }
    }
    found.range("database.connections", database.connections.into(), 1, 1000);
    found.range("database.timeout_ms", database.timeout_ms, 1, DAY_MS);
    // A hundred years: beyond it a unit was mistaken, and for ever is 0.
    found.range("database.audit_keep_days", database.audit_keep_days.into(), 0, 36_500);
}

fn check_dial(dial: &Dial, found: &mut Found) {
    for (key, why) in Dialling::new(dial).err().into_iter().flatten() {
        found.add(key, why);
    }
    found.range("dial.timeout_s", dial.timeout_s.into(), 1, 600);
    found.range("dial.max_pending", dial.max_pending.into(), 1, 100_000);
}

fn check_default_account(account: Option<&str>, found: &mut Found) {
    match account.map(|account| (account.trim().is_empty(), account.parse::<AccountId>())) {
        Some((true, _)) => {
            found.add("conference.default_account", "is empty; leave the key out if there is none");
        }
        Some((false, Err(error))) => found.add("conference.default_account", error.to_string()),
        Some((false, Ok(_))) | None => {}
    }
}

fn check_esl(esl: &Esl, found: &mut Found) {
    found.size("esl.max_header_bytes", esl.max_header_bytes, 1024, 1 << 26);
    found.size("esl.max_event_bytes", esl.max_event_bytes, 4096, 1 << 30);
    found.size("esl.max_response_bytes", esl.max_response_bytes, 4096, 1 << 32);
}

fn check_node(node: &Node, key: &str, found: &mut Found) {
    let name_is_plain = node.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte));
    if !(1..=64).contains(&node.name.len()) || !name_is_plain {
        found.add(format!("{key}.name"), "expected 1 to 64 characters of A-Z a-z 0-9 _ . @ -");
    }
    if let Err(reason) = check_address(&node.address) {
        found.add(
            format!("{key}.address"),
            format!(
                "expected host:port such as 127.0.0.1:8021 or [::1]:8021, found `{}`: {reason}",
                node.address
            ),
        );
    }
    check_password(node, key, found);
    if let Some(user) = &node.user {
        let parts = user.split_once('@').filter(|(name, domain)| !name.is_empty() && !domain.is_empty());
        // `userauth user@domain:password`: a colon or a space would end the name too early.
        if parts.is_none() || user.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control()) {
            found.add(format!("{key}.user"), format!("expected user@domain, found `{user}`"));
        }
    }
    found.range(format!("{key}.connect_timeout_ms"), node.connect_timeout_ms, 1, DAY_MS);
    found.range(format!("{key}.command_timeout_ms"), node.command_timeout_ms, 1, DAY_MS);
    found.range(format!("{key}.heartbeat_timeout_s"), node.heartbeat_timeout_s, 1, DAY_MS / 1000);
    found.range(format!("{key}.reconnect_min_ms"), node.reconnect_min_ms, 1, DAY_MS);
    found.range(format!("{key}.reconnect_max_ms"), node.reconnect_max_ms, 1, DAY_MS);
    if node.reconnect_min_ms > node.reconnect_max_ms {
        found.add(
            format!("{key}.reconnect_min_ms"),
            format!("{} is more than reconnect_max_ms, {}", node.reconnect_min_ms, node.reconnect_max_ms),
        );
    }
    check_graces(node, key, found);
}

fn check_graces(node: &Node, key: &str, found: &mut Found) {
    found.range(format!("{key}.stale_after_s"), node.stale_after_s, 0, DAY_MS / 1000);
    found.range(format!("{key}.gone_after_s"), node.gone_after_s, 1, DAY_MS / 1000);
    if node.stale_after_s > node.gone_after_s {
        found.add(
            format!("{key}.stale_after_s"),
            format!("{} is more than gone_after_s, {}", node.stale_after_s, node.gone_after_s),
        );
    }
}

fn check_password(node: &Node, key: &str, found: &mut Found) {
    match (&node.password, &node.password_file) {
        (Some(_), Some(_)) => found.add(key, "has both `password` and `password_file`; one of them"),
        (Some(password), None) if password.expose().is_empty() => {
            found.add(format!("{key}.password"), "is empty");
        }
        (Some(password), None) if !is_sendable(password.expose()) => {
            found.add(format!("{key}.password"), "has a line break or a NUL byte, which cannot be sent");
        }
        (Some(_), None) => {}
        (None, _) => {
            if let Err(error) = node.read_password() {
                let key =
                    if node.password_file.is_some() { format!("{key}.password_file") } else { key.into() };
                found.add(key, error.to_string());
            }
        }
    }
}

fn check_names_differ(nodes: &[Node], found: &mut Found) {
    let mut first = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        if let Some(earlier) = first.insert(&node.name, index) {
            found.add(
                format!("node[{index}].name"),
                format!("`{}` is the name of node[{earlier}] too", node.name),
            );
        }
    }
}

/// address = host ":" port ; host = name | IPv4 | "[" IPv6 "]"
fn check_address(address: &str) -> Result<(), &'static str> {
    let (host, port) = address.rsplit_once(':').ok_or("the port is missing")?;
    if !matches!(port.parse::<u16>(), Ok(1..)) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("the port is no number of 1 to 65535");
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or("the bracket is not closed")?;
        return inner.parse::<std::net::Ipv6Addr>().map(drop).map_err(|_| "no IPv6 address in the brackets");
    }
    if host.contains(':') {
        return Err("an IPv6 address stands in brackets");
    }
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if host.is_empty() || host.len() > 253 || !plain { Err("no host name or address") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::check_address;

    #[test]
    fn addresses_are_names_or_numbers_with_a_port() {
        for good in ["127.0.0.1:8021", "fs1.example.com:8021", "fs_1:1", "[::1]:8021", "localhost:65535"] {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "fs1",
            ":8021",
            "fs1:",
            "fs1:0",
            "fs1:65536",
            "fs1:+80",
            "::1:8021",
            "[::1:8021",
            "[x]:1",
            "a b:1",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
