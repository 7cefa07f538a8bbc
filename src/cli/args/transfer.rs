//! The arguments of the commands that work on the database as a whole.

use std::path::PathBuf;

use super::DEFAULT_CONFIG;

/// `convened migrate`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Migrate {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
}

/// `convened export`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Export {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// Where to write; only a whole export gets this name. Without it, standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only the documents
    #[arg(long)]
    pub no_credentials: bool,
}

/// `convened import`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Import {
    /// The configuration file, which names the database
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub config: PathBuf,
    /// What an export wrote; without it, standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write over what is there and differs
    #[arg(long)]
    pub replace: bool,
    /// Check everything, against the database as well, and write nothing to it
    #[arg(long)]
    pub dry_run: bool,
}
