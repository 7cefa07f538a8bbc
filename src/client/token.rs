//! Where the token comes from. Never from the command line: everybody on the machine can read that.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// What may say a token, in the order in which it counts.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// A file that was named. One that cannot be read is an error.
    pub file: Option<PathBuf>,
    /// `CONVENED_TOKEN`.
    pub variable: Option<OsString>,
    /// The file of this person; that it is not there is no error.
    pub own_file: Option<PathBuf>,
}

impl Places {
    /// The places of this process; a named file goes before all others.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = || set("HOME").map(|home| Path::new(&home).join(".config"));
        let config = set("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
        let own_file = config.map(|config| config.join("convened/token"));
        Self { file, variable: set("CONVENED_TOKEN"), own_file }
    }
}

/// The token, if there is one.
///
/// # Errors
/// Says which place holds what is no token. It never shows what was there.
pub fn find_token(places: &Places) -> Result<Option<Secret>, String> {
    if let Some(file) = &places.file {
        return read(file).map(Some);
    }
    if let Some(variable) = &places.variable {
        let text = variable.to_str().ok_or("CONVENED_TOKEN is no text")?;
        return checked(text, "CONVENED_TOKEN").map(Some);
    }
    match &places.own_file {
        Some(file) if file.exists() => read(file).map(Some),
        _ => Ok(None),
    }
}

fn read(file: &Path) -> Result<Secret, String> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: cannot be read: {error}"))?;
    checked(&text, &name.to_string())
}

fn checked(text: &str, place: &str) -> Result<Secret, String> {
    let token = text.trim();
    match token {
        "" => Err(format!("{place}: there is no token in it")),
        _ if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Secret::new(token)),
        _ => Err(format!("{place}: this is no token: it has a blank or a letter that no token has")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_file_goes_before_the_variable_and_that_before_the_own_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("{name}\n")).expect("written");
            Some(path)
        };
        let mut places = Places { file: file("a"), variable: Some("b".into()), own_file: file("c") };
        let found = |places: &Places| find_token(places).expect("one").map(|token| token.expose().to_owned());
        assert_eq!(found(&places).as_deref(), Some("a"));
        places.file = None;
        assert_eq!(found(&places).as_deref(), Some("b"));
        places.variable = None;
        assert_eq!(found(&places).as_deref(), Some("c"));
        places.own_file = Some(folder.path().join("none"));
        assert_eq!(found(&places), None);
        places.file = Some(folder.path().join("none"));
        assert!(find_token(&places).expect_err("named").contains("none: cannot be read"));
    }

    #[test]
    fn what_is_no_token_is_named_by_its_place_and_not_shown() {
        for wrong in ["two words", "söme", " \n"] {
            let places = Places { variable: Some(wrong.into()), ..Places::default() };
            let error = find_token(&places).expect_err(wrong);
            assert!(error.starts_with("CONVENED_TOKEN: ") && !error.contains("words"), "{error}");
        }
    }
}
