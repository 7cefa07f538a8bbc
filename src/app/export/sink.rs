//! Where an export goes: standard output, or a file that gets its name at the end.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::cli::Failure;

/// An output that is open. Dropped without an end, a file is removed.
pub(super) enum Sink {
    Stdout(BufWriter<io::Stdout>),
    File { writer: BufWriter<NamedTempFile>, path: PathBuf },
}

impl Sink {
    /// Standard output, or a file beside this path that only its owner may read.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::Stdout(BufWriter::with_capacity(1 << 16, io::stdout())));
        };
        let failed = |error: io::Error| cannot_write(&path.display().to_string(), error);
        let path = match fs::metadata(path) {
            // It would be replaced by a file.
            Ok(found) if !found.is_file() => {
                let text =
                    format!("--output {}: is not a regular file; leave the option out", path.display());
                return Err(Failure::Usage(text));
            }
            // The file, not the link to it.
            Ok(_) => fs::canonicalize(path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(failed(error)),
        };
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(directory_of(&path))
            .map_err(failed)?;
        Ok(Self::File { writer: BufWriter::with_capacity(1 << 16, file), path })
    }

    /// Whether it is on somebody's terminal.
    pub(super) fn is_shown(&self) -> bool {
        matches!(self, Self::Stdout(_)) && io::stdout().is_terminal()
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let writer: &mut dyn Write = match self {
            Self::Stdout(writer) => writer,
            Self::File { writer, .. } => writer,
        };
        serde_json::to_writer(&mut *writer, line)?;
        writer.write_all(b"\n")
    }

    /// After the last line. A file is there after a power cut once this was answered.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Stdout(mut writer) => writer.flush().map_err(|error| cannot_write(STDOUT, error)),
            Self::File { writer, path } => {
                let failed = |error: io::Error| cannot_write(&path.display().to_string(), error);
                let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
                file.as_file().sync_all().map_err(failed)?;
                file.persist(&path).map_err(|error| failed(error.error))?;
                File::open(directory_of(&path)).and_then(|directory| directory.sync_all()).map_err(failed)
            }
        }
    }

    /// Why it was not written to; a file is removed.
    pub(super) fn failed(self, error: io::Error) -> Failure {
        match self {
            Self::Stdout(writer) => {
                // What is in its buffer would be tried once more.
                drop(writer.into_parts());
                cannot_write(STDOUT, error)
            }
            Self::File { path, .. } => cannot_write(&path.display().to_string(), error),
        }
    }
}

const STDOUT: &str = "standard output";

fn cannot_write(name: &str, error: io::Error) -> Failure {
    Failure::Other(anyhow::Error::new(error).context(format!("{name}: the export is not whole")))
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
