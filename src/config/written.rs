//! What the file says by itself, so that it can be told when it changes and the environment stands over it.

use std::collections::BTreeMap;
use std::path::Path;

use ::config::builder::DefaultState;
use ::config::{ConfigBuilder, File, FileFormat, Value, ValueKind};

use super::Environment;

/// The values of a file, by section and key. Not shown to anybody: some are secret.
#[derive(Clone, Default)]
pub struct Written(BTreeMap<String, ValueKind>);

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

impl Written {
    /// Reads a file that [`Config::load`](super::Config::load) finds good; any other says nothing.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        Self::of(&text)
    }

    fn of(text: &str) -> Self {
        let layer =
            ConfigBuilder::<DefaultState>::default().add_source(File::from_str(text, FileFormat::Toml));
        let mut values = BTreeMap::new();
        if let Ok(ValueKind::Table(sections)) = layer.build().map(|built| built.cache.kind) {
            for (section, Value { kind, .. }) in sections {
                let ValueKind::Table(keys) = kind else { continue };
                values.extend(keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value.kind)));
            }
        }
        Self(values)
    }

    /// Reads the file again. The keys whose values are others than before, and change nothing because a variable of the
    /// environment stands over them; with that variable.
    pub fn renew(&mut self, file: &Path, environment: &Environment) -> Vec<(String, String)> {
        let before = std::mem::replace(self, Self::read(file));
        self.hidden_since(&before, environment)
    }

    fn hidden_since(&self, before: &Self, environment: &Environment) -> Vec<(String, String)> {
        let set = environment.set_keys();
        let changed = set.filter(|(key, _)| self.0.get(key) != before.0.get(key));
        changed.map(|(key, variable)| (key, variable.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_variable_hides_is_told_when_it_changes() {
        let variables = [("CONVENED__LOG__LEVEL", "warn"), ("CONVENED__API__MAX_CONNECTIONS", "9")];
        let environment = Environment::from_variables(variables);
        let hidden = |before: &str, after: &str| {
            let keys = Written::of(after).hidden_since(&Written::of(before), &environment);
            keys.into_iter().map(|(key, variable)| format!("{key} {variable}")).collect::<Vec<_>>()
        };
        let old = "[log]\nlevel = \"info\"\n[database]\nurl = \"sqlite://a\"\n";
        assert_eq!(hidden(old, old), [""; 0]);
        assert_eq!(hidden(old, &old.replace("info", "debug")), ["log.level CONVENED__LOG__LEVEL"]);
        assert_eq!(hidden(old, "[database]\nurl = \"sqlite://b\"\n"), ["log.level CONVENED__LOG__LEVEL"]);
        let more = format!("{old}[api]\nmax_connections = 7\n");
        assert_eq!(hidden(old, &more), ["api.max_connections CONVENED__API__MAX_CONNECTIONS"]);
    }
}
