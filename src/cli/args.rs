//! The arguments, as clap parses them.

mod credential;
mod people;
mod transfer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub use credential::{
    CredentialCommand, CredentialCreate, CredentialList, CredentialRevoke, KeyCommand, Scope, TokenCommand,
};
pub use people::{List, OnConference, OnPeople, PeopleCommand, Remote, Show, Status, Top, Watch};
pub use transfer::{Export, Import, Migrate};

const DEFAULT_CONFIG: &str = "/etc/convened/convened.toml";

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong arguments, 4 not found or not running, 69 out of reach, 78 configuration or
credentials refused.
Every key of the configuration file can be set from the environment: CONVENED__SECTION__KEY.
Commands that ask a running daemon take from there what no option says: CONVENED_URL, CONVENED_ACCOUNT, CONVENED_TOKEN,
CONVENED_TOKEN_FILE, CONVENED_CA_FILE. A variable that is empty counts as none.";

/// Controls the conferences of FreeSWITCH nodes over a REST API.
#[derive(Clone, Debug, Parser)]
#[command(name = "convened", version, after_help = EXIT_CODES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// Those of this process. A variable of the environment that is empty counts as none.
    ///
    /// # Errors
    /// They are wrong, or help is asked for.
    pub fn of_process() -> Result<Self, clap::Error> {
        let mut command = without_empty_variables(Self::command());
        let found = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&found).map_err(|error| error.format(&mut command))
    }
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|argument| match argument.get_env() {
        Some(name) if is_empty(name) => argument.env(Resettable::Reset),
        _ => argument,
    });
    command.mut_subcommands(without_empty_variables)
}

/// A command.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the daemon until SIGTERM or SIGINT
    #[command(after_help = "Example:\n  convened run --config /etc/convened/convened.toml")]
    Run {
        /// The configuration file
        #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
        config: PathBuf,
    },
    /// Run the daemon with a simulated FreeSWITCH in it, to try the API; nothing is kept
    #[command(
        after_help = "Examples:\n  convened demo\n  convened demo --listen 127.0.0.1:0 --duration 30s\n  convened demo --speed max"
    )]
    Demo(Demo),
    /// Check a configuration file and the environment, and tell every problem
    #[command(after_help = "Example:\n  convened check-config /etc/convened/convened.toml")]
    CheckConfig {
        /// The configuration file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Create, list and revoke access tokens
    Token {
        /// What to do.
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Create, list and revoke API keys, which programs exchange for short-lived tokens
    Key {
        /// What to do.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Bring the schema of the database up to date, or see that it is
    #[command(after_help = "\
The daemon does this by itself when it starts.

Example:
  convened migrate --config /etc/convened/convened.toml")]
    Migrate(Migrate),
    /// Write all documents and credentials as lines of JSON, also beside a running daemon
    #[command(after_help = "\
What is written is of one moment. Its last line says that it is whole. Of credentials there are the
hashes, so that they stay good after an import, and never the secrets. The audit log is not in it.

Examples:
  convened export --output convened.jsonl
  convened export --config old.toml --no-credentials")]
    Export(Export),
    /// Read what an export wrote into the database, also beside a running daemon
    #[command(after_help = "\
What is there already and equal is left alone, so that an import can be run again. What is there and
differs is an error, unless it may be replaced; nothing is ever deleted.

Examples:
  convened import convened.jsonl --dry-run
  convened import --config new.toml convened.jsonl
  convened import --config new.toml --replace convened.jsonl")]
    Import(Import),
    /// Play a recorded Event Socket session to whoever connects, as a FreeSWITCH would
    #[command(after_help = "Example:\n  convened replay standup.jsonl --listen 127.0.0.1:8021 --speed 10")]
    Replay(Replay),
    /// A command that asks a running daemon.
    #[command(flatten)]
    People(PeopleCommand),
    /// Print a script that completes commands and options in a shell
    #[command(after_help = "Examples:\n  convened completions bash\n  convened completions zsh")]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Write a manual page for each command into a directory
    #[command(hide = true, after_help = "Example:\n  convened man /usr/share/man/man1")]
    Man {
        /// The directory, which has to be there
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

/// `convened demo`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct Demo {
    /// Where the API listens; port 0 takes a free one [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Stop by itself after a time such as 30s, 5m or 1h
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub duration: Option<Duration>,
    /// How many times as fast as people are: a number above 0 (1000 is the most), or max for as fast as the
    /// daemon follows
    #[arg(long, value_name = "N", default_value = "1")]
    pub speed: Speed,
}

/// `convened replay`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct Replay {
    /// The recorded session: .jsonl or .jsonl.gz
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// Where to listen for Event Socket connections; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,
    /// How many times as fast as recorded: a number above 0, or max
    #[arg(long, value_name = "N", default_value = "1")]
    pub speed: Speed,
}

/// How fast a recording is played, or the people of the demo are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded, or as people are; above 0.
    Times(f64),
    /// Without any pause.
    Max,
}

impl std::str::FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.parse().ok().filter(|times: &f64| times.is_finite() && *times > 0.0);
        times.map(Self::Times).ok_or("expected a number above 0, or max")
    }
}

/// time = 1*DIGIT ( "s" | "m" | "h" | "d" | "w" )
fn parse_time(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "expected a number with a unit: 45s, 30m, 12h, 90d or 52w";
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit: u64 = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(EXPECTED),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EXPECTED);
    }
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or(EXPECTED)?;
    // A date so far away cannot be reckoned with.
    if seconds == 0 || seconds > 1000 * 365 * 24 * 60 * 60 {
        return Err("expected more than nothing and less than a thousand years");
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Args::try_parse_from(line.split_whitespace()).map(|args| args.command)
    }

    #[test]
    fn the_definition_has_no_contradiction() {
        Args::command().debug_assert();
    }

    #[test]
    fn token_create_takes_an_account_or_all_of_them() {
        let Ok(Command::Token { command: TokenCommand::Create(create) }) = parse(
            "convened token create --config c --account A --scope read,control,write --name n --expires 90d",
        ) else {
            panic!("refused")
        };
        assert_eq!(create.account.as_deref(), Some("A"));
        assert_eq!(create.scope, [Scope::Read, Scope::Control, Scope::Write]);
        assert_eq!(create.expires, Some(Duration::from_secs(90 * 86400)));
        for wrong in [
            "",
            "--account A --superuser",
            "--superuser --scope all",
            "--superuser --expires 90",
            "--account=",
        ] {
            assert!(parse(&format!("convened token create {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tokens_and_keys_take_the_same_options() {
        for (verb, options) in
            [("create", "--superuser --scope read --expires 1d"), ("list", "--account A"), ("revoke", "4f1a")]
        {
            let Ok(Command::Token { command: token }) = parse(&format!("convened token {verb} {options}"))
            else {
                panic!("{verb}")
            };
            let Ok(Command::Key { command: key }) = parse(&format!("convened key {verb} {options}")) else {
                panic!("{verb}")
            };
            assert_eq!(CredentialCommand::from(token), CredentialCommand::from(key));
        }
    }

    #[test]
    fn the_examples_of_the_help_can_be_given() {
        let mut commands = vec![Args::command()];
        let mut examples = 0;
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines() {
                let Some((_, example)) = line.split_once("convened ").filter(|_| line.starts_with("  "))
                else {
                    continue;
                };
                let example = format!("convened {}", example.trim_end_matches(')'));
                parse(&example).unwrap_or_else(|error| panic!("{example}: {error}"));
                examples += 1;
            }
            let is_leaf = command.get_subcommands().next().is_none();
            assert!(!is_leaf || help.contains("Example"), "{} has no example", command.get_name());
        }
        assert!(examples >= 18, "{examples} examples");
    }

    #[test]
    fn times_and_speeds_have_units_and_limits() {
        assert_eq!(parse_time("45s"), Ok(Duration::from_secs(45)));
        assert_eq!(parse_time("2w"), Ok(Duration::from_secs(14 * 86400)));
        for wrong in
            ["", "s", "45", "0s", "-1s", "1.5h", "1h30m", "1ö", "99999999999999999999s", "9999999999999999w"]
        {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for wrong in ["0", "-1", "NaN", "inf", "fast"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }
}
