//! The arguments, as clap parses them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Parser, Subcommand, ValueEnum};

const DEFAULT_CONFIG: &str = "/etc/convened/convened.toml";

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong arguments, 78 configuration or credentials refused.
Every key of the configuration file can be set from the environment: CONVENED__SECTION__KEY.";

/// Controls the conferences of FreeSWITCH nodes over a REST API.
#[derive(Clone, Debug, Parser)]
#[command(name = "convened", version, after_help = EXIT_CODES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
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
    #[command(after_help = "Examples:\n  convened demo\n  convened demo --listen 127.0.0.1:0 --duration 30s")]
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
    /// Play a recorded Event Socket session to whoever connects, as a FreeSWITCH would
    #[command(after_help = "Example:\n  convened replay standup.jsonl --listen 127.0.0.1:8021 --speed 10")]
    Replay(Replay),
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

/// `convened token`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum TokenCommand {
    /// Create a token; it is shown once, on standard output
    #[command(after_help = "\
Examples:
  convened token create --account 9d351ad7ffd6f846313af9eed3bb7b85 --scope read,control --name dashboard
  TOKEN=$(convened token create --superuser --scope read --expires 90d)")]
    Create(TokenCreate),
    /// List the tokens; never the secret half
    #[command(after_help = "Example:\n  convened token list --account 9d351ad7ffd6f846313af9eed3bb7b85")]
    List(TokenList),
    /// Revoke a token at once
    #[command(after_help = "Example:\n  convened token revoke 4f1a9c27")]
    Revoke(TokenRevoke),
}

impl TokenCommand {
    /// The configuration file, which names the database.
    pub fn config(&self) -> &Path {
        match self {
            Self::Create(create) => &create.config,
            Self::List(list) => &list.config,
            Self::Revoke(revoke) => &revoke.config,
        }
    }
}

/// `convened token create`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["account", "superuser"])))]
pub struct TokenCreate {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// The account that the token is good for
    #[arg(long, value_name = "ACCOUNT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub account: Option<String>,
    /// Good for all accounts
    #[arg(long)]
    pub superuser: bool,
    /// What may be done with it, separated by commas
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', default_value = "read")]
    pub scope: Vec<Scope>,
    /// A name for people to know it by
    #[arg(long)]
    pub name: Option<String>,
    /// How long it is good, such as 12h, 90d or 52w; without it, until it is revoked
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub expires: Option<Duration>,
}

/// `convened token list`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct TokenList {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Only those of one account
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
}

/// `convened token revoke`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct TokenRevoke {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// The id that `token list` shows
    #[arg(value_name = "ID")]
    pub id: String,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// See conferences and participants
    Read,
    /// Lock, mute, deaf, kick
    Control,
    /// Create, change and delete conferences
    Write,
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was recorded; above 0.
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
        }
        assert!(examples >= 8, "{examples} examples");
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
