//! Where an import comes from: a file, or standard input.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::cli::Failure;

/// An input that is open.
pub(super) struct Input {
    name: String,
    /// How long it is, if that can be known.
    length: Option<u64>,
    reader: Box<dyn Read + Send>,
}

impl Input {
    /// The file of this path; without one or with `-` standard input.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self {
                name: "standard input".to_owned(),
                length: None,
                reader: Box::new(io::stdin()),
            });
        };
        let name = path.display().to_string();
        let failed = |error| anyhow::Error::new(error).context(format!("{name}: cannot be read"));
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let length = found.is_file().then_some(found.len());
        Ok(Self { name, length, reader: Box::new(file) })
    }

    /// For messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(super) fn into_reader(self) -> BufReader<Box<dyn Read + Send>> {
        BufReader::with_capacity(1 << 16, self.reader)
    }
}
