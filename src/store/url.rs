//! The URL of a database: which engine it names, and how it is shown.
//!
//! Leaves its parameters to the engine.

use std::path::Path;

/// What a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine<'u> {
    /// `sqlite://PATH`, `sqlite:PATH`.
    Sqlite(&'u Path),
    /// `postgres://...`, `postgresql://...`: the whole URL.
    Postgres(&'u str),
}

/// The engine of a URL; none if we have no such engine.
#[must_use]
pub fn engine(url: &str) -> Option<Engine<'_>> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Some(Engine::Postgres(url));
    }
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    path.map(|path| Engine::Sqlite(Path::new(path)))
}

/// The URL without the password that it may carry, in front of the host or as a parameter.
#[must_use]
pub fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (rest, parameters) = rest.split_once('?').map_or((rest, None), |(rest, p)| (rest, Some(p)));
    // The last `@`: a password may contain one, and also a slash, that is not encoded.
    let shown = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***@{host}"),
            None => format!("{scheme}://{user}@{host}"),
        },
        None => format!("{scheme}://{rest}"),
    };
    match parameters {
        Some(parameters) => {
            let shown_parameters: Vec<String> = parameters.split('&').map(parameter).collect();
            format!("{shown}?{}", shown_parameters.join("&"))
        }
        None => shown,
    }
}

/// Parameters that are shown with their values: names and paths.
const SHOWN: [&str; 8] = ["host", "port", "dbname", "user", "sslmode", "sslrootcert", "sslcert", "sslkey"];

fn parameter(text: &str) -> String {
    match text.split_once('=') {
        // Its encoding may differ, and a password that was mistyped as another name is one still.
        Some((name, _)) if !SHOWN.contains(&name) => format!("{name}=***"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_password() {
        for (url, shown) in [
            ("sqlite:///var/lib/x.db", "sqlite:///var/lib/x.db"),
            ("sqlite:x.db", "sqlite:x.db"),
            ("postgres://me:p@ss:w@db:5432/c", "postgres://me:***@db:5432/c"),
            ("postgres://me:p/ss@db/c", "postgres://me:***@db/c"),
            ("postgres://me@db/c", "postgres://me@db/c"),
            ("postgres://db/c?user=a@b", "postgres://db/c?user=a@b"),
            ("postgres:///c?host=/run/x&password=p", "postgres:///c?host=/run/x&password=***"),
            ("postgres:///c?host=/run/x&pass%77ord=p", "postgres:///c?host=/run/x&pass%77ord=***"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn the_scheme_names_the_engine() {
        assert_eq!(engine("sqlite://x.db"), Some(Engine::Sqlite(Path::new("x.db"))));
        assert_eq!(engine("sqlite:///x.db"), Some(Engine::Sqlite(Path::new("/x.db"))));
        let postgres = "postgresql://db/c";
        assert_eq!(engine(postgres), Some(Engine::Postgres(postgres)));
        assert_eq!(engine("mysql://db/c"), None);
        assert_eq!(engine(""), None);
    }
}
