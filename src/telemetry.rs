//! Logs: what is written, in which shape, to standard error or the journal.
//!
//! Owns the process-wide subscriber, which can be set once. What is worth a line is decided where it
//! happens; secrets are kept out by the types that hold them.
//!
//! Invariant: whoever logs does not wait for whoever reads the log. A pipe that is not read is full after
//! some hundred lines, and the event connection must be read all the same.

mod journal;

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

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
/// Libraries whose lines are for whoever asks for them by name. The AMQP library tells each failed attempt as an
/// error, and ours are told once.
const SILENT: [&str; 2] = ["lapin", "tungstenite"];
/// Libraries that tell whole messages below `info`, with tokens and passwords in them, as text or as numbers: no level
/// that somebody asks for brings that into the log.
const TELL_SECRETS: [&str; 4] = ["amq_protocol", "lapin", "tokio_tungstenite", "tungstenite"];
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
    level: Level,
}

/// Changes what is logged, while it is logged. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// `log.level` is this from now on.
    ///
    /// # Errors
    /// It is no filter ([`check_level`]); then it stays as it was.
    pub fn set(&self, level: &str) -> Result<(), TelemetryError> {
        let filter = filter(level)?;
        self.0.reload(filter).map_err(|error| TelemetryError::Level(error.to_string()))
    }
}

impl Logs {
    /// What changes the level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level.clone()
    }

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
    let shape = shape(log.format, std::io::stderr().is_terminal(), journal::is_standard_error());
    // A machine without a journal, or one that cannot be reached, has standard error all the same.
    let (shape, sink): (_, Box<dyn Write + Send + Sync>) = match (shape, journal::Journal::open()) {
        (Shape::Journal, Ok(journal)) => (Shape::Journal, Box::new(journal)),
        (Shape::Journal, Err(_)) => (Shape::Json, Box::new(std::io::stderr())),
        (shape, _) => (shape, Box::new(std::io::stderr())),
    };
    let beside = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES).thread_name("log");
    let (writer, writing) = beside.finish(sink);
    let dropped = writer.error_counter();
    let level = init_with(log, shape, writer)?;
    // Logs are set up once, so that it is empty.
    let _ = DROPPED.set(dropped.clone());
    Ok(Logs { _writing: writing, dropped, level })
}

/// Starts to log as configured for a command that ends soon: each line is written before it goes on.
///
/// # Errors
/// As [`init`].
pub fn init_at_once(log: &Log) -> Result<(), TelemetryError> {
    let shape = shape(log.format, std::io::stderr().is_terminal(), false);
    let shape = if shape == Shape::Journal { Shape::Json } else { shape };
    init_with(log, shape, std::io::stderr).map(drop)
}

fn init_with<W>(log: &Log, shape: Shape, writer: W) -> Result<Level, TelemetryError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let (filter, level) = reload::Layer::new(filter(&log.level)?);
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(keeps_secrets));
    let lines = tracing_subscriber::fmt::layer();
    let set = match shape {
        Shape::Journal => registry.with(journal::Entries(writer)).try_init(),
        // Times in a text line are for people; collectors take those of JSON.
        Shape::Text { colour } => registry.with(lines.with_writer(writer).with_ansi(colour)).try_init(),
        Shape::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(lines.with_writer(writer)).try_init()
        }
    };
    set.map_err(|_| TelemetryError::AlreadySet)?;
    log_panics();
    Ok(Level(level))
}

/// Whether a line can have no secret of others in it.
fn keeps_secrets(line: &tracing::Metadata<'_>) -> bool {
    *line.level() <= tracing::Level::INFO
        || !TELL_SECRETS.iter().any(|library| line.target().starts_with(library))
}

/// Tells panics as lines of the log, with their place; with `RUST_BACKTRACE` also how it came to them.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let words = panic.payload_as_str().unwrap_or("no text");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let trace = std::backtrace::Backtrace::capture();
        match trace.status() {
            std::backtrace::BacktraceStatus::Captured => {
                tracing::error!(place, thread, %trace, "panic: {words}");
            }
            _ => tracing::error!(place, thread, "panic: {words}"),
        }
    }));
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
    let mut directives = level.to_owned();
    for library in SILENT {
        if !level.split(',').any(|directive| directive.starts_with(library)) {
            directives.push_str(&format!(",{library}=off"));
        }
    }
    EnvFilter::builder()
        .with_default_directive(LevelFilter::OFF.into())
        .parse(&directives)
        .map_err(|error| refuse(format!("`{level}`: {error}")))
}

/// The text of a failure for standard error. For the journal each line begins with its priority (sd-daemon(3)): without
/// it, why the daemon has ended would be no error there.
pub fn as_error(text: &str) -> String {
    if !journal::is_standard_error() {
        return text.to_owned();
    }
    text.lines().map(|line| format!("<3>{line}")).collect::<Vec<_>>().join("\n")
}

#[derive(Debug, PartialEq)]
enum Shape {
    Text { colour: bool },
    Json,
    Journal,
}

fn shape(format: LogFormat, terminal: bool, journal: bool) -> Shape {
    match format {
        LogFormat::Journald => Shape::Journal,
        LogFormat::Auto if journal => Shape::Journal,
        LogFormat::Json => Shape::Json,
        LogFormat::Auto if !terminal => Shape::Json,
        LogFormat::Auto | LogFormat::Pretty => Shape::Text { colour: terminal },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_fields_for_the_journal_and_json_for_other_machines() {
        for (format, terminal, journal, expected) in [
            (LogFormat::Auto, true, false, Shape::Text { colour: true }),
            (LogFormat::Auto, false, false, Shape::Json),
            (LogFormat::Auto, false, true, Shape::Journal),
            (LogFormat::Pretty, false, true, Shape::Text { colour: false }),
            (LogFormat::Json, true, true, Shape::Json),
            (LogFormat::Journald, true, false, Shape::Journal),
        ] {
            assert_eq!(shape(format, terminal, journal), expected, "{format:?}");
        }
    }

    #[test]
    fn libraries_that_say_too_much_are_silent_unless_somebody_names_them() {
        let directives = |level: &str| {
            let told = filter(level).unwrap().to_string();
            let mut told: Vec<String> = told.split(',').map(str::to_owned).collect();
            told.sort_unstable();
            told
        };
        assert_eq!(directives("trace"), ["lapin=off", "trace", "tungstenite=off"]);
        assert_eq!(directives("info,lapin=info"), ["info", "lapin=info", "tungstenite=off"]);
        assert_eq!(directives("info,tungstenite=trace"), ["info", "lapin=off", "tungstenite=trace"]);
    }

    #[test]
    fn no_level_brings_the_messages_of_libraries_into_the_log() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = tracing_subscriber::fmt::layer().with_writer(std::sync::Arc::new(file.reopen().unwrap()));
        let everything = filter("trace,tungstenite=trace,lapin=trace,tokio_tungstenite=debug").unwrap();
        let log = tracing_subscriber::registry().with(everything).with(filter_fn(keeps_secrets)).with(lines);
        tracing::subscriber::with_default(log, || {
            tracing::trace!(target: "tungstenite::protocol", "Received message 2e2d33ca");
            tracing::debug!(target: "tokio_tungstenite", "secret of a subscriber");
            tracing::trace!(target: "lapin::channels", "StartOk [65, 109]");
            tracing::info!(target: "lapin::channels", "said by lapin");
            tracing::trace!("said by us");
        });
        let told = std::fs::read_to_string(file.path()).unwrap();
        assert!(told.contains("said by us") && told.contains("said by lapin"), "{told}");
        assert!(!told.contains("2e2d") && !told.contains("secret") && !told.contains("109"), "{told}");
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
