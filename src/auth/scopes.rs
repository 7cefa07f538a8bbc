//! Scopes: what a token may do at all.
//!
//! Owns: the three scopes and how a set of them is written.

use std::fmt;
use std::str::FromStr;

/// One thing a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// See documents, conferences, participants, events.
    Read,
    /// Act on conferences and participants.
    Control,
    /// Change documents.
    Write,
}

impl Scope {
    /// All, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Read, Self::Control, Self::Write];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Control => "control",
            Self::Write => "write",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Control => 2,
            Self::Write => 4,
        }
    }
}

/// A set of scopes. None includes another: who may write need not be able to read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

/// The text is not a list of scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a list of scopes (of read, control and write, with commas between): {0:?}")]
pub struct InvalidScopes(String);

impl Scopes {
    /// All there are.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// scopes = scope *( "," scope ). At least one: a token without any would be of no use.
impl FromStr for Scopes {
    type Err = InvalidScopes;

    fn from_str(text: &str) -> Result<Self, InvalidScopes> {
        let scope = |name: &str| Scope::ALL.into_iter().find(|scope| scope.as_str() == name.trim());
        text.split(',').map(scope).collect::<Option<Self>>().ok_or_else(|| InvalidScopes(text.to_owned()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Scope::ALL.into_iter().filter(|scope| self.contains(*scope)).map(Scope::as_str);
        f.write_str(&names.collect::<Vec<_>>().join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_reads_back_as_it_was_written() {
        for bits in 1..8u8 {
            let scopes = Scopes(bits);
            assert_eq!(scopes.to_string().parse(), Ok(scopes));
        }
        assert_eq!(" read , write ".parse::<Scopes>().expect("two").to_string(), "read,write");
        for wrong in ["", ",", "read,", "all", "READ", "read write"] {
            assert!(wrong.parse::<Scopes>().is_err(), "{wrong:?}");
        }
    }
}
