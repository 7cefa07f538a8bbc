//! The arguments of the commands for people, which ask a running daemon.

use std::path::PathBuf;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;

use crate::client::Address;

const WHERE: &str = "\
The token is that of --token-file, else of CONVENED_TOKEN, else of ~/.config/convened/token; it is never an argument.
--url, --account, --token-file and --ca-file may come from the environment too: CONVENED_URL, CONVENED_ACCOUNT,
CONVENED_TOKEN_FILE, CONVENED_CA_FILE.
A conference is named by its id, or by its name if only one has that name.

Exit codes: 0 done, 1 failed or not known, 2 wrong arguments, 4 not found or not running, 69 the daemon, the
switch or the database is out of reach, 78 no token, or one that is refused.";

/// The help behind a command: its examples, and what holds for all of them.
fn help(examples: &[&str]) -> String {
    format!("Examples:\n  {}\n\n{WHERE}", examples.join("\n  "))
}

/// A command that asks a running daemon.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum PeopleCommand {
    /// Tell whether the daemon works, which nodes it follows, and how much runs
    #[command(after_help = help(&["convened status", "convened status --url http://pbx.example.com:8000 --json"]))]
    Status(Status),
    /// List the conferences of an account
    #[command(after_help = help(&["convened list --account acme", "convened list --account acme --running --json"]))]
    List(List),
    /// Show a conference and who is in it
    #[command(after_help = help(&["convened show --account acme Board", "convened show --account acme Board --json"]))]
    Show(Show),
    /// Tell what happens, as it happens, in a conference or in all of them
    #[command(after_help = help(&["convened watch --account acme", "convened watch --account acme Board --json"]))]
    Watch(Watch),
    /// Show conferences and who talks on the whole screen, with keys to mute, deafen, kick and lock
    #[command(after_help = help(&["convened top --account acme"]))]
    Top(Top),
    /// Mute participants, or all but moderators
    #[command(after_help = help(&["convened mute --account acme Board 7 9", "convened mute --account acme Board --all"]))]
    Mute(OnPeople),
    /// Let muted participants be heard again
    #[command(after_help = help(&["convened unmute --account acme Board 7", "convened unmute --account acme Board --all"]))]
    Unmute(OnPeople),
    /// Let participants, or all but moderators, hear nothing
    #[command(after_help = help(&["convened deaf --account acme Board 7", "convened deaf --account acme Board --all"]))]
    Deaf(OnPeople),
    /// Let participants hear again
    #[command(after_help = help(&["convened undeaf --account acme Board 7", "convened undeaf --account acme Board --all"]))]
    Undeaf(OnPeople),
    /// Put participants, or everybody, out of a conference
    #[command(after_help = help(&["convened kick --account acme Board 7", "convened kick --account acme Board --all"]))]
    Kick(OnPeople),
    /// Let nobody else into a conference
    #[command(after_help = help(&["convened lock --account acme Board"]))]
    Lock(OnConference),
    /// Let people into a conference again
    #[command(after_help = help(&["convened unlock --account acme Board --json"]))]
    Unlock(OnConference),
}

/// Which daemon, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Remote {
    /// Where the API is: http://HOST:PORT, https://HOST:PORT or unix:/PATH
    #[arg(long, value_name = "URL", env = "CONVENED_URL", default_value = "http://127.0.0.1:8000")]
    pub url: Address,
    /// The certificates that an https: address is believed by, in PEM; else those of the system
    #[arg(long, value_name = "FILE", env = "CONVENED_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// A file with the token, and nothing else
    #[arg(long, value_name = "FILE", env = "CONVENED_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Whose conferences
    #[arg(long, value_name = "ACCOUNT", env = "CONVENED_ACCOUNT", value_parser = NonEmptyStringValueParser::new())]
    pub account: Option<String>,
}

/// `convened status`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Status {
    /// Which daemon, and in whose name.
    #[command(flatten)]
    pub remote: Remote,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `convened list`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct List {
    /// Which daemon, and in whose name.
    #[command(flatten)]
    pub remote: Remote,
    /// Only those that run
    #[arg(long)]
    pub running: bool,
    /// Print one JSON document: an array, each conference as the API lists it
    #[arg(long)]
    pub json: bool,
}

/// `convened show`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Show {
    /// Which daemon, and in whose name.
    #[command(flatten)]
    pub remote: Remote,
    /// The conference
    #[arg(value_name = "CONFERENCE", value_parser = NonEmptyStringValueParser::new())]
    pub conference: String,
    /// Print one JSON document: the conference as the API shows it
    #[arg(long)]
    pub json: bool,
}

/// `convened watch`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Watch {
    /// Which daemon, and in whose name.
    #[command(flatten)]
    pub remote: Remote,
    /// The conference; without it, all of the account
    #[arg(value_name = "CONFERENCE", value_parser = NonEmptyStringValueParser::new())]
    pub conference: Option<String>,
    /// Print a line of JSON for each message of the websocket, and for each connection that is made or lost
    #[arg(long)]
    pub json: bool,
}

/// `convened top`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Top {
    /// Which daemon, and in whose name.
    #[command(flatten)]
    pub remote: Remote,
}

/// An action on participants.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct OnPeople {
    /// Which daemon, and in whose name.
    #[command(flatten)]
    pub remote: Remote,
    /// The conference
    #[arg(value_name = "CONFERENCE", value_parser = NonEmptyStringValueParser::new())]
    pub conference: String,
    /// Participants, each by the number that `show` tells, or by the id of the call
    #[arg(value_name = "PARTICIPANT", required_unless_present = "all", conflicts_with = "all")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub participants: Vec<String>,
    /// All of them; moderators are left alone by everything but `kick`
    #[arg(long)]
    pub all: bool,
    /// Print one JSON document: the results as the API tells them
    #[arg(long)]
    pub json: bool,
}

/// An action on a conference.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct OnConference {
    /// Which daemon, and in whose name.
    #[command(flatten)]
    pub remote: Remote,
    /// The conference
    #[arg(value_name = "CONFERENCE", value_parser = NonEmptyStringValueParser::new())]
    pub conference: String,
    /// Print one JSON document: the results as the API tells them
    #[arg(long)]
    pub json: bool,
}
