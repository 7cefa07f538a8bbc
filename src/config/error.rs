//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::Path;

use super::Environment;

/// One thing that is wrong.
///
/// Shown as `PLACE: KEY: MESSAGE`, for example
/// `conf.toml: api.listen: expected IP:port such as 127.0.0.1:8000 or [::1]:8000, found ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file or the environment variable; empty for a configuration that came from neither.
    pub place: String,
    /// The dotted key, `node[0].name` for one of a list.
    pub key: Option<String>,
    /// A sentence for an operator; never contains a secret.
    pub message: String,
}

impl Problem {
    pub(super) fn of_key(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: String::new(), key: Some(key.into()), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Why there is no configuration to start with. Shown as one problem a line.
#[derive(Debug)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    pub(super) fn one(place: impl fmt::Display, key: Option<String>, message: String) -> Self {
        Self::new(vec![Problem { place: place.to_string(), key, message }])
    }

    /// Everything that was found wrong, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Knows whether the file or the environment has set a key.
pub(super) struct Place<'a> {
    file: &'a Path,
    environment: &'a Environment,
}

impl<'a> Place<'a> {
    pub(super) fn new(file: &'a Path, environment: &'a Environment) -> Self {
        Self { file, environment }
    }

    /// The problem, with the place that set its key.
    pub(super) fn put(&self, mut problem: Problem) -> Problem {
        let variable = problem.key.as_deref().and_then(|key| self.environment.variable_of(key));
        problem.place = variable.map_or_else(|| self.file.display().to_string(), str::to_owned);
        problem
    }

    /// The problem that ended the reading of the values.
    pub(super) fn blame<E: fmt::Display>(&self, error: &serde_path_to_error::Error<E>) -> ConfigError {
        let path = error.path().to_string();
        // serde_path_to_error writes the root as a lone dot.
        let key = (path != ".").then_some(path);
        let problem = Problem { place: String::new(), key, message: error.inner().to_string() };
        ConfigError::new(vec![self.put(problem)])
    }
}

/// The text is no TOML.
pub(super) fn syntax(file: &Path, error: &::config::ConfigError) -> ConfigError {
    let ::config::ConfigError::FileParse { cause, .. } = error else {
        return ConfigError::one(file.display(), None, error.to_string());
    };
    ConfigError::one(file.display(), None, without_excerpt(&cause.to_string()))
}

/// The parser shows the offending line, which may be one with a password; only the position and
/// the reason are kept.
fn without_excerpt(shown: &str) -> String {
    match shown.split_once('\n') {
        Some((position, rest)) if position.starts_with("TOML parse error at ") => {
            let reason: Vec<&str> = rest.lines().skip(3).collect();
            format!("{position}: {}", reason.join(" "))
        }
        _ => shown.trim_end().to_owned(),
    }
}
