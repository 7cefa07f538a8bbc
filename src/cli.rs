//! The command line: parsing, exit codes, what goes to standard output and what to standard error.
//!
//! `check-config` is done here. The other commands are a [`Program`]'s, which `main.rs` brings, so
//! that this file knows neither the daemon nor the simulator.

mod args;
mod failure;
mod manual;

use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub use args::{
    Args, Command, CredentialCommand, CredentialCreate, CredentialList, CredentialRevoke, Demo, Export,
    Import, KeyCommand, List, Migrate, OnConference, OnPeople, PeopleCommand, Remote, Replay, Scope, Show,
    Speed, Status, TokenCommand, Top, Watch,
};
pub use failure::Failure;

use crate::auth::CredentialKind;
use crate::config::{Config, Environment, Log, Written};
use crate::telemetry::{self, Level, Logs, TelemetryError};

/// For work that blocks a thread to end after a command has.
const LAST_WORK: Duration = Duration::from_secs(1);

/// What a command tells its caller. Only `stdout` is meant for scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// The result, without the line end of its last line.
    pub stdout: String,
    /// Explanations for people, likewise.
    pub stderr: String,
}

/// What a running daemon reads its configuration again with.
#[derive(Clone, Debug)]
pub struct Again {
    /// The file.
    pub file: PathBuf,
    /// What lies over it.
    pub environment: Environment,
    /// What it says now.
    pub written: Written,
    /// Takes `log.level` over.
    pub level: Level,
}

/// What the commands do beyond the command line. Logs are set up, and there is a runtime.
pub trait Program {
    /// `convened run`: until it is told to stop.
    fn run(&self, config: Config, again: Again) -> impl Future<Output = Result<(), Failure>>;

    /// `convened demo`. The configuration is the default one with the environment over it; it has
    /// no node, and its address is that of `--listen` if there was one.
    fn demo(&self, config: Config, demo: Demo) -> impl Future<Output = Result<(), Failure>>;

    /// `convened replay`.
    fn replay(&self, replay: Replay) -> impl Future<Output = Result<(), Failure>>;

    /// `convened token` and `convened key`. For `create`, `stdout` of the result is the secret and
    /// nothing else.
    fn credential(
        &self,
        config: Config,
        kind: CredentialKind,
        command: CredentialCommand,
    ) -> impl Future<Output = Result<Printed, Failure>>;

    /// `convened migrate`.
    fn migrate(&self, config: Config) -> impl Future<Output = Result<Printed, Failure>>;

    /// `convened export`. What is exported does not come back as `stdout`: it may be large.
    fn export(&self, config: Config, export: Export) -> impl Future<Output = Result<Printed, Failure>>;

    /// `convened import`.
    fn import(&self, config: Config, import: Import) -> impl Future<Output = Result<Printed, Failure>>;

    /// The commands for people. They print by themselves: some never end.
    fn people(&self, command: PeopleCommand) -> impl Future<Output = Result<(), Failure>>;
}

/// Does what the command line of this process asks for.
pub fn main(program: &impl Program) -> ExitCode {
    let args = match Args::of_process() {
        Ok(args) => args,
        Err(error) => {
            // Help and version come this way too, with code 0. There is nobody to tell if the
            // output is closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Failure::USAGE));
        }
    };
    match execute(args.command, &Environment::of_process(), program).and_then(|printed| print(&printed)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln_lossy(&telemetry::as_error(&failure.to_string()));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn execute(command: Command, environment: &Environment, program: &impl Program) -> Result<Printed, Failure> {
    match command {
        Command::Run { config: file } => {
            let config = Config::load(&file, environment)?;
            let logs = start_logs(&config.log)?;
            let written = Written::read(&file);
            let again = Again { file, environment: environment.clone(), written, level: logs.level() };
            block_on_beside(&logs, program.run(config, again))
        }
        Command::Demo(demo) => {
            let mut config = Config::built_in(environment)?;
            if let Some(listen) = demo.listen {
                config.api.listen = vec![listen.into()];
            }
            let logs = start_logs(&config.log)?;
            block_on_beside(&logs, program.demo(config, demo))
        }
        Command::CheckConfig { file } => check_config(&file, environment),
        Command::Token { command } => {
            let (kind, command) = (CredentialKind::Token, CredentialCommand::from(command));
            block_on(program.credential(quiet(command.config(), environment)?, kind, command))
        }
        Command::Key { command } => {
            let (kind, command) = (CredentialKind::ApiKey, CredentialCommand::from(command));
            block_on(program.credential(quiet(command.config(), environment)?, kind, command))
        }
        Command::Migrate(migrate) => block_on(program.migrate(quiet(&migrate.config, environment)?)),
        Command::Export(export) => block_on(program.export(quiet(&export.config, environment)?, export)),
        Command::Import(import) => block_on(program.import(quiet(&import.config, environment)?, import)),
        Command::Replay(replay) => {
            let logs = start_logs(&Config::built_in(environment)?.log)?;
            block_on_beside(&logs, program.replay(replay))
        }
        Command::People(command) => block_on(program.people(command)),
        Command::Completions { shell } => {
            print_all_that_is_read(&manual::completions(shell)).map(|()| Printed::default())
        }
        Command::Man { directory } => manual::pages(&directory).map(Printed::from),
    }
}

/// Loads the configuration for a command whose output is read by scripts: what is no warning would
/// only be in their way.
fn quiet(file: &Path, environment: &Environment) -> Result<Config, Failure> {
    let config = Config::load(file, environment)?;
    telemetry::init_at_once(&Log { level: "warn".into(), ..config.log.clone() }).map_err(no_level)?;
    Ok(config)
}

fn check_config(file: &Path, environment: &Environment) -> Result<Printed, Failure> {
    let config = Config::load(file, environment)?;
    let nodes: Vec<&str> = config.node.iter().map(|node| node.name.as_str()).collect();
    let summary = if nodes.is_empty() { "no node".into() } else { format!("nodes: {}", nodes.join(", ")) };
    Ok(Printed {
        stdout: format!("{}: ok ({summary})", file.display()),
        stderr: config
            .remarks()
            .iter()
            .map(|remark| format!("remark: {remark}"))
            .collect::<Vec<_>>()
            .join("\n"),
    })
}

fn start_logs(log: &Log) -> Result<Logs, Failure> {
    telemetry::init(log).map_err(no_level)
}

fn no_level(error: TelemetryError) -> Failure {
    Failure::Config(format!("log.level: {error}"))
}

/// The same, and tells of log lines that were dropped.
fn block_on_beside(
    logs: &Logs,
    command: impl Future<Output = Result<(), Failure>>,
) -> Result<Printed, Failure> {
    let telling = logs.tell_dropped();
    block_on(async {
        let telling = tokio::spawn(telling);
        let result = command.await;
        telling.abort();
        result
    })
}

/// Runs a command to its end on a runtime of its own.
fn block_on<T: Into<Printed>>(command: impl Future<Output = Result<T, Failure>>) -> Result<Printed, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow::Error::new(error).context("the runtime does not start"))?;
    let result = runtime.block_on(command);
    runtime.shutdown_timeout(LAST_WORK);
    result.map(Into::into)
}

impl From<()> for Printed {
    fn from((): ()) -> Self {
        Self::default()
    }
}

fn print(printed: &Printed) -> Result<(), Failure> {
    if !printed.stderr.is_empty() {
        eprintln_lossy(&printed.stderr);
    }
    if printed.stdout.is_empty() {
        return Ok(());
    }
    // A token that nobody received must not look like success.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", printed.stdout)
        .and_then(|()| stdout.flush())
        .map_err(|error| anyhow::Error::new(error).context("the result cannot be written").into())
}

/// Prints what is no loss to whoever reads only a part of it, or nothing.
fn print_all_that_is_read(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("the result cannot be written").into())
        }
        _ => Ok(()),
    }
}

/// `eprintln!` panics if standard error is closed; there is nobody to tell then.
fn eprintln_lossy(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
