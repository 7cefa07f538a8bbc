//! Logs: what is written, in which shape, to standard error.
//!
//! Owns the process-wide subscriber, which can be set once. What is worth a line is decided where it
//! happens; secrets are kept out by the types that hold them.
//!
//! Invariant: whoever logs does not wait for whoever reads the log. A pipe that is not read is full after
//! some hundred lines, and the event connection must be read all the same.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat};

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is no filter.
    #[error("{0}")]
    Level(String),
    /// Another subscriber is in place already.
    #[error("logs are set up already")]
    AlreadySet,
}

/// Lines that wait to be written while nobody reads them; what comes then is dropped and counted.
const LINES: usize = 16_384;
/// How often it is looked whether lines were dropped.
const LOOK: Duration = Duration::from_secs(5);

/// The counter of the process's log.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// How many lines of the log were dropped since the start because nobody read it in time.
#[must_use]
pub fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |dropped| dropped.dropped_lines() as u64)
}

/// Writes lines on a thread of its own, so that a log that nobody reads holds up nobody. What waits is written
/// when this is dropped, unless nobody reads it then either.
#[must_use]
pub struct Logs {
    _writing: WorkerGuard,
    dropped: ErrorCounter,
}

impl Logs {
    /// Tells now and then how many lines were dropped; never ends.
    pub fn tell_dropped(&self) -> impl Future<Output = ()> + Send + use<> {
        let (dropped, mut told) = (self.dropped.clone(), 0);
        async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let lines = dropped.dropped_lines();
                if lines > told {
                    tracing::warn!(
                        lines = lines - told,
                        "lines of this log were dropped: it was not read in time"
                    );
                    told = lines;
                }
            }
        }
    }
}

/// Starts to log as configured, and never waits for whoever reads it. To be called once, before the first task
/// is spawned.
///
/// # Errors
/// The level is no filter ([`check_level`]), or logs were set up before.
pub fn init(log: &Log) -> Result<Logs, TelemetryError> {
    let beside = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES).thread_name("log");
    let (writer, writing) = beside.finish(std::io::stderr());
    let dropped = writer.error_counter();
    init_with(log, writer)?;
    // Logs are set up once, so that it is empty.
    let _ = DROPPED.set(dropped.clone());
    Ok(Logs { _writing: writing, dropped })
}

/// Starts to log as configured for a command that ends soon: each line is written before it goes on.
///
/// # Errors
/// As [`init`].
pub fn init_at_once(log: &Log) -> Result<(), TelemetryError> {
    init_with(log, std::io::stderr)
}

fn init_with<W>(log: &Log, writer: W) -> Result<(), TelemetryError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = filter(&log.level)?;
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let set = match shape(log.format, terminal) {
        // Times in a text line are for people; journald and collectors take those of JSON.
        Shape::Text { colour } => lines.with_ansi(colour).try_init(),
        Shape::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    };
    set.map_err(|_| TelemetryError::AlreadySet)
}

/// Whether `level` can be used as `log.level`.
///
/// # Errors
/// A sentence that says what part of it is wrong.
pub fn check_level(level: &str) -> Result<(), TelemetryError> {
    filter(level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    let refuse = |reason: String| TelemetryError::Level(reason);
    if level.trim().is_empty() {
        return Err(refuse("is empty: expected a level such as info".into()));
    }
    for directive in level.split(',') {
        // EnvFilter takes any bare word for a module whose every line is wanted: a mistyped
        // `inof` would log everything instead of nothing.
        let word = directive;
        let bare = !word.contains(['=', '[', ':']);
        if bare && (word.is_empty() || word.parse::<LevelFilter>().is_err()) {
            return Err(refuse(format!(
                "`{word}` is no level: expected off, error, warn, info, debug or trace"
            )));
        }
    }
    // The AMQP library tells each failed attempt as an error; ours are told once, and theirs to whoever asks.
    let level = match level.split(',').any(|directive| directive.starts_with("lapin")) {
        true => level.to_owned(),
        false => format!("{level},lapin=off"),
    };
    EnvFilter::builder()
        .with_default_directive(LevelFilter::OFF.into())
        .parse(&level)
        .map_err(|error| refuse(format!("`{level}`: {error}")))
}

#[derive(Debug, PartialEq)]
enum Shape {
    Text { colour: bool },
    Json,
}

fn shape(format: LogFormat, terminal: bool) -> Shape {
    match format {
        LogFormat::Json => Shape::Json,
        LogFormat::Auto if !terminal => Shape::Json,
        LogFormat::Auto | LogFormat::Pretty => Shape::Text { colour: terminal },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_and_json_for_machines() {
        assert_eq!(shape(LogFormat::Auto, true), Shape::Text { colour: true });
        assert_eq!(shape(LogFormat::Auto, false), Shape::Json);
        assert_eq!(shape(LogFormat::Pretty, false), Shape::Text { colour: false });
        assert_eq!(shape(LogFormat::Json, true), Shape::Json);
    }

    #[test]
    fn a_mistyped_level_is_refused_and_does_not_turn_on_everything() {
        for good in ["info", "OFF", "info,convened::node=debug", "warn,convened[request{id=1}]=trace"] {
            assert!(check_level(good).is_ok(), "{good}");
        }
        for bad in ["", "inof", "info,", "info,convened", "convened=loud"] {
            assert!(check_level(bad).is_err(), "{bad}");
        }
    }
}
