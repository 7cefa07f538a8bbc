//! What `convened export` writes and `convened import` reads: lines of JSON.
//!
//! Owns: the form of a line. Leaves what a document may say to `documents`, the files to `export` and
//! `import`.
//!
//! ```text
//! {"convened_export":1,"created":1700000000,"version":"0.1.0"}
//! {"document":{"id":"...","account":"...","revision":"...","created":1,"modified":2,"text":{...}}}
//! {"credential":{"id":"...","kind":"token","hash":"...", ...}}
//! {"end":{"documents":1,"credentials":1}}
//! ```
//!
//! The audit log and idempotency keys are of the place where they were written, and have no lines here.
//!
//! Invariant: a file without its last line was cut, and nobody takes it for whole.

mod line;
mod progress;

use std::fmt;

use indicatif::HumanCount;

pub(super) use line::{Header, Line, LineError};
pub(super) use progress::{bytes, counting};

/// The format that is written here, and the newest that is read.
pub(super) const FORMAT: u32 = 1;

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counts {
    pub(super) documents: u64,
    pub(super) credentials: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |n: u64| if n == 1 { "" } else { "s" };
        let Self { documents, credentials } = *self;
        let (d, c) = (HumanCount(documents), HumanCount(credentials));
        write!(f, "{d} document{} and {c} credential{}", many(documents), many(credentials))
    }
}
