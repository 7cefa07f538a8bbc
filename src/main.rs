//! The `convened` program; everything it does is in the library.

use std::process::ExitCode;

use convened::cli::{self, Demo, Failure, Printed, Program, Replay, TokenCommand};
use convened::config::Config;

/// The commands that need more than the command line.
struct Convened;

impl Convened {
    /// The answer of a command that the library does not have.
    fn missing<T>(command: &str) -> Result<T, Failure> {
        Err(anyhow::anyhow!("`{command}` is not part of this build").into())
    }
}

impl Program for Convened {
    async fn run(&self, _config: Config) -> Result<(), Failure> {
        Self::missing("run")
    }

    async fn demo(&self, _config: Config, _demo: Demo) -> Result<(), Failure> {
        Self::missing("demo")
    }

    async fn replay(&self, _replay: Replay) -> Result<(), Failure> {
        Self::missing("replay")
    }

    async fn token(&self, _config: Config, _command: TokenCommand) -> Result<Printed, Failure> {
        Self::missing("token")
    }
}

fn main() -> ExitCode {
    cli::main(&Convened)
}
