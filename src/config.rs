//! TOML file and environment into checked data.
//!
//! Owns the sections and their defaults, the order of precedence (default, file, environment) and
//! every sentence that tells an operator which file and key is wrong. It starts nothing and logs
//! nothing; the caller prints the [`ConfigError`] and decides how to exit.
//!
//! Precedence, later wins: built-in default, TOML file, `CONVENED__SECTION__KEY` in the environment
//! (single values and lists of them with commas between, never `[[node]]`).
//!
//! Architecture Invariant: nothing here guesses a type. A quoted number is a string, a bare one a
//! number; only an environment variable, which has no type, takes the type of its key.

mod amqp;
mod callin;
mod check;
mod dial;
mod environment;
mod error;
mod events;
mod fixed;
mod listen;
mod metrics;
mod network;
mod node;
mod password;
mod sections;
mod strict;
mod written;

use std::path::Path;

use ::config::builder::DefaultState;
use ::config::{ConfigBuilder, File, FileFormat};
use serde::Deserialize;

pub use crate::secret::Secret;
pub use amqp::Amqp;
pub use callin::{Callin, Prompts};
pub use dial::Dial;
pub use environment::Environment;
pub use error::{ConfigError, Problem};
pub use events::{Events, Way};
pub use listen::{Listen, SocketMode};
pub use metrics::Metrics;
pub use network::{InvalidNetwork, Network};
pub use node::Node;
pub use password::PasswordError;
pub use sections::{Api, Conference, Database, Esl, Log, LogFormat, Media, Timestamps};
pub use written::Written;

use error::Place;
use strict::Strict;

/// The whole configuration of the daemon.
///
/// `Config::default()` is what an empty file gives: it has no node, so nothing is followed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP listener and its limits.
    pub api: Api,
    /// Where documents and tokens are kept.
    pub database: Database,
    /// What holds for every conference.
    pub conference: Conference,
    /// What may be played in conferences.
    pub media: Media,
    /// How phones are called into conferences.
    pub dial: Dial,
    /// How callers are let in.
    pub callin: Callin,
    /// What they hear.
    pub prompts: Prompts,
    /// What is told to whom.
    pub events: Events,
    /// The broker that it is published to.
    pub amqp: Amqp,
    /// What is told to Prometheus.
    pub metrics: Metrics,
    /// The FreeSWITCH nodes to follow, in the order of the file.
    pub node: Vec<Node>,
    /// Limits of the Event Socket decoder, for all nodes.
    pub esl: Esl,
    /// What is logged and how.
    pub log: Log,
}

impl Config {
    /// Reads `file`, lays the environment over it and checks the result.
    ///
    /// # Errors
    /// Names the file and key, or the environment variable, of every problem found. Problems of
    /// spelling and type end the reading at the first one; those of meaning ([`Config::check`])
    /// come all at once.
    pub fn load(file: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError::one(file.display(), None, format!("cannot be read: {error}")))?;
        let mut config = Self::parse(&text, file, environment)?;
        config.resolve_paths(file.parent().unwrap_or(Path::new("")), environment.credentials());
        config.checked(&Place::new(file, environment))
    }

    /// The defaults with the environment over them, checked: for what runs without a file.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn built_in(environment: &Environment) -> Result<Self, ConfigError> {
        let nowhere = Path::new("the built-in configuration");
        Self::parse("", nowhere, environment)?.checked(&Place::new(nowhere, environment))
    }

    fn checked(self, place: &Place<'_>) -> Result<Self, ConfigError> {
        let problems = self.check();
        if problems.is_empty() {
            return Ok(self);
        }
        Err(ConfigError::new(problems.into_iter().map(|problem| place.put(problem)).collect()))
    }

    /// Reads TOML text without looking at any file but the one it names in errors, and without
    /// [`Config::check`].
    ///
    /// # Errors
    /// As [`Config::load`]: syntax, unknown keys, wrong types.
    pub fn parse(text: &str, file: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        environment.refuse_strange_names()?;
        let place = Place::new(file, environment);
        let layer =
            ConfigBuilder::<DefaultState>::default().add_source(File::from_str(text, FileFormat::Toml));
        // The file must be right by itself: a variable could otherwise hide what is wrong in it.
        let written = layer.clone().build().map_err(|error| error::syntax(file, &error))?;
        let config = Self::of_layers(written).map_err(|error| place.blame(&error))?;
        if environment.is_empty() {
            return Ok(config);
        }
        let overridden =
            layer.add_source(environment.clone()).build().map_err(|error| error::syntax(file, &error))?;
        Self::of_layers(overridden).map_err(|error| place.blame(&error))
    }

    fn of_layers(layers: ::config::Config) -> Result<Self, serde_path_to_error::Error<strict::Error>> {
        serde_path_to_error::deserialize(Strict::new(layers.cache))
    }

    /// What is wrong with values that have the right type: ranges, addresses, names used twice,
    /// passwords that are missing, doubled or unreadable. Empty if the daemon can start with it.
    ///
    /// Reads the password files, to report one that is missing before a start and not after it.
    pub fn check(&self) -> Vec<Problem> {
        check::check(self)
    }

    /// The keys whose values differ, and count for a running daemon only after it was started again: all but the
    /// nodes, `log.level` and `callin.banned`.
    pub fn changed_for_restart(&self, new: &Self) -> Vec<&'static str> {
        fixed::changed(self, new)
    }

    /// What is allowed but most likely not meant, as sentences for an operator.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.node.is_empty() {
            remarks.push("no [[node]] is configured: documents can be managed, no conference is seen".into());
        }
        // No problem of the configuration: the files are renewed beside it, and a daemon that runs keeps the old ones.
        if let Some(Err(error)) = self.api.tls_files().map(|files| files.read()) {
            remarks.push(format!(
                "{error}; a daemon does not start with that, and one that runs keeps what it has"
            ));
        }
        remarks
    }

    /// Makes the paths of passwords, certificates and keys relative to the directory of the configuration file, so
    /// that the working directory does not matter, and finds those that systemd keeps.
    fn resolve_paths(&mut self, directory: &Path, credentials: Option<&Path>) {
        let files = self.node.iter_mut().map(|node| &mut node.password_file);
        let others = [&mut self.database.password_file, &mut self.amqp.password_file];
        let tls = [&mut self.api.tls_certificate, &mut self.api.tls_key];
        for path in files.chain(others).chain(tls).flatten() {
            *path = password::file(path, directory, credentials);
        }
    }
}
