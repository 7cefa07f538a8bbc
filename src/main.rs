//! The `convened` program; everything it does is in the library.

use std::process::ExitCode;

use convened::app;
use convened::cli::{self, Demo, Failure, Printed, Program, Replay, TokenCommand};
use convened::config::Config;

/// The commands that need more than the command line.
struct Convened;

impl Program for Convened {
    async fn run(&self, config: Config) -> Result<(), Failure> {
        app::run(config).await
    }

    async fn demo(&self, config: Config, demo: Demo) -> Result<(), Failure> {
        app::demo(config, demo).await
    }

    async fn replay(&self, replay: Replay) -> Result<(), Failure> {
        app::replay(replay).await
    }

    async fn token(&self, config: Config, command: TokenCommand) -> Result<Printed, Failure> {
        app::token(config, command).await
    }
}

fn main() -> ExitCode {
    cli::main(&Convened)
}
