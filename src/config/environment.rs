//! `CONVENED__SECTION__KEY` variables as a layer over the file.
//!
//! Values stay strings here, tagged with the variable they came from; [`super::strict`] gives each
//! the type of its key.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ::config::{ConfigError as LayerError, Map, Source, Value, ValueKind};

use super::error::{ConfigError, Problem};

/// What marks a variable as ours.
const PREFIX: &str = "CONVENED__";

/// The variables that override the file, taken from the process or given by a test.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Variable name to value; `None` for a value that is not Unicode.
    variables: BTreeMap<String, Option<String>>,
    /// `$CREDENTIALS_DIRECTORY`: where systemd has put the credentials of the service.
    credentials: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self { credentials, ..Self::from_variables(std::env::vars_os()) }
    }

    /// The same with credentials of systemd in that directory.
    #[must_use]
    pub fn with_credentials(self, directory: impl Into<PathBuf>) -> Self {
        Self { credentials: Some(directory.into()), ..self }
    }

    /// No variable at all: only the file counts.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Exactly these variables; those without our prefix are left out.
    pub fn from_variables<K: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            // A name that is not Unicode cannot be one of ours.
            let name = name.into().into_string().ok().filter(|name| name.starts_with(PREFIX))?;
            Some((name, value.into().into_string().ok()))
        });
        Self { variables: ours.collect(), credentials: None }
    }

    /// Where systemd has put credentials, if it has started us with any.
    pub(super) fn credentials(&self) -> Option<&Path> {
        self.credentials.as_deref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// The variable that set a key, or made a section that the file does not have.
    pub(super) fn variable_of(&self, key: &str) -> Option<&str> {
        // An item of a list came from where the list came from.
        let key = key.split('[').next().unwrap_or(key);
        self.variables.keys().map(String::as_str).find(|name| {
            let set = key_of(name);
            set.as_deref()
                .and_then(|set| set.strip_prefix(key))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// The keys that are set here, each with its variable.
    pub(super) fn set_keys(&self) -> impl Iterator<Item = (String, &str)> {
        self.variables.keys().filter_map(|name| Some((key_of(name)?, name.as_str())))
    }

    /// Refuses names that can be no key at all; whether a well-formed one names a key that exists
    /// is found out when the values are read.
    pub(super) fn refuse_strange_names(&self) -> Result<(), ConfigError> {
        let problems: Vec<Problem> = self
            .variables
            .iter()
            .filter_map(|(name, value)| {
                let message = strangeness(name, value.as_deref())?;
                Some(Problem { place: name.clone(), key: None, message: message.into() })
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::new(problems)) }
    }
}

fn strangeness(name: &str, value: Option<&str>) -> Option<&'static str> {
    if name == "CONVENED__NODE" || name.starts_with("CONVENED__NODE__") {
        return Some("[[node]] cannot be set from the environment: write it in the configuration file");
    }
    if name != name.to_ascii_uppercase() {
        return Some("the names of our variables are in capitals: CONVENED__SECTION__KEY");
    }
    if key_of(name).is_none() {
        return Some("names no key: a variable is CONVENED__SECTION__KEY with two underscores between");
    }
    if value.is_none() {
        return Some("the value is not Unicode text");
    }
    None
}

/// `CONVENED__API__MAX_CONNECTIONS` is `api.max_connections`.
fn key_of(name: &str) -> Option<String> {
    let (section, key) = name.strip_prefix(PREFIX)?.split_once("__")?;
    let plain = |part: &str| {
        !part.is_empty()
            && !part.contains("__")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    (plain(section) && plain(key)).then(|| format!("{section}.{key}").to_ascii_lowercase())
}

impl Source for Environment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, LayerError> {
        let mut layer = Map::new();
        for (name, value) in &self.variables {
            if let (Some(key), Some(value)) = (key_of(name), value) {
                layer.insert(key, Value::new(Some(name), ValueKind::String(value.clone())));
            }
        }
        Ok(layer)
    }
}
