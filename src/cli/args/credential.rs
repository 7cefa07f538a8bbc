//! The arguments of `convened token` and `convened key`: the same options, with examples of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Subcommand, ValueEnum};

use super::{DEFAULT_CONFIG, parse_time};

/// `convened token`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum TokenCommand {
    /// Create a token; it is shown once, on standard output
    #[command(after_help = "\
Examples:
  convened token create --account 9d351ad7ffd6f846313af9eed3bb7b85 --scope read,control --name dashboard
  TOKEN=$(convened token create --superuser --scope read --expires 90d)")]
    Create(CredentialCreate),
    /// List the tokens, and when they were used last; never the secret half
    #[command(after_help = "Example:\n  convened token list --account 9d351ad7ffd6f846313af9eed3bb7b85")]
    List(CredentialList),
    /// Revoke a token, from the next request on
    #[command(after_help = "Example:\n  convened token revoke 4f1a9c27d0b6")]
    Revoke(CredentialRevoke),
}

/// `convened key`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum KeyCommand {
    /// Create an API key; it is shown once, on standard output
    #[command(after_help = "\
A key opens nothing by itself: PUT /v2/api_auth exchanges it for a token of the same account and scopes.

Examples:
  convened key create --account 9d351ad7ffd6f846313af9eed3bb7b85 --scope read,write --name provisioning
  KEY=$(convened key create --superuser --scope read --expires 52w)")]
    Create(CredentialCreate),
    /// List the API keys, and when they were used last; never the secret half
    #[command(after_help = "Example:\n  convened key list --account 9d351ad7ffd6f846313af9eed3bb7b85")]
    List(CredentialList),
    /// Revoke an API key and all tokens that came from it, from the next request on
    #[command(after_help = "Example:\n  convened key revoke 4f1a9c27d0b6")]
    Revoke(CredentialRevoke),
}

/// What is to be done with a kind of credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialCommand {
    /// Make one.
    Create(CredentialCreate),
    /// Show them.
    List(CredentialList),
    /// End one.
    Revoke(CredentialRevoke),
}

impl From<TokenCommand> for CredentialCommand {
    fn from(command: TokenCommand) -> Self {
        match command {
            TokenCommand::Create(create) => Self::Create(create),
            TokenCommand::List(list) => Self::List(list),
            TokenCommand::Revoke(revoke) => Self::Revoke(revoke),
        }
    }
}

impl From<KeyCommand> for CredentialCommand {
    fn from(command: KeyCommand) -> Self {
        match command {
            KeyCommand::Create(create) => Self::Create(create),
            KeyCommand::List(list) => Self::List(list),
            KeyCommand::Revoke(revoke) => Self::Revoke(revoke),
        }
    }
}

impl CredentialCommand {
    /// The configuration file, which names the database.
    pub fn config(&self) -> &Path {
        match self {
            Self::Create(create) => &create.config,
            Self::List(list) => &list.config,
            Self::Revoke(revoke) => &revoke.config,
        }
    }
}

/// `convened token create`, `convened key create`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(group(ArgGroup::new("whose").required(true).args(["account", "superuser"])))]
pub struct CredentialCreate {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// The account that it is good for
    #[arg(long, value_name = "ACCOUNT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub account: Option<String>,
    /// Good for all accounts
    #[arg(long)]
    pub superuser: bool,
    /// What may be done with it, separated by commas
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', default_value = "read")]
    pub scope: Vec<Scope>,
    /// A name for people to know it by, of at most 128 characters
    #[arg(long)]
    pub name: Option<String>,
    /// How long it is good, such as 12h, 90d or 52w; without it, until it is revoked
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub expires: Option<Duration>,
}

/// `convened token list`, `convened key list`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct CredentialList {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Only those of one account
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
}

/// `convened token revoke`, `convened key revoke`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct CredentialRevoke {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// The id that `list` shows
    #[arg(value_name = "ID")]
    pub id: String,
}

/// What a credential is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// See conferences and participants
    Read,
    /// Lock, mute, deaf, kick
    Control,
    /// Create, change and delete conferences
    Write,
}
