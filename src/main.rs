//! The `convened` program; everything it does is in the library.

use std::process::ExitCode;

use convened::app;
use convened::auth::CredentialKind;
use convened::cli::{
    self, Again, CredentialCommand, Demo, Export, Failure, Import, PeopleCommand, Printed, Program, Replay,
};
use convened::config::Config;
use convened::people;

/// The commands that need more than the command line.
struct Convened;

impl Program for Convened {
    async fn run(&self, config: Config, again: Again) -> Result<(), Failure> {
        app::run(config, again).await
    }

    async fn demo(&self, config: Config, demo: Demo) -> Result<(), Failure> {
        app::demo(config, demo).await
    }

    async fn replay(&self, replay: Replay) -> Result<(), Failure> {
        app::replay(replay).await
    }

    async fn credential(
        &self,
        config: Config,
        kind: CredentialKind,
        command: CredentialCommand,
    ) -> Result<Printed, Failure> {
        app::credential(config, kind, command).await
    }

    async fn migrate(&self, config: Config) -> Result<Printed, Failure> {
        app::migrate(config).await
    }

    async fn export(&self, config: Config, export: Export) -> Result<Printed, Failure> {
        app::export(config, export).await
    }

    async fn import(&self, config: Config, import: Import) -> Result<Printed, Failure> {
        app::import(config, import).await
    }

    async fn people(&self, command: PeopleCommand) -> Result<(), Failure> {
        people::run(command).await
    }
}

fn main() -> ExitCode {
    cli::main(&Convened)
}
