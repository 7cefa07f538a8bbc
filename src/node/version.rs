//! Which FreeSWITCH it is, and what it knows.

/// The version of a FreeSWITCH: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Members can be addressed by `uuid=` since then (commit 6a2661b608).
    pub const UUID_SELECTORS: Self = Self(1, 10, 7);
    /// Replies of `conference` have been readable by a program since then (commit 06f060ebd9).
    pub const OLDEST: Self = Self(1, 8, 0);

    /// Reads what `api version` prints: `FreeSWITCH Version 1.11.3-dev+git~...`.
    pub fn parse(printed: &str) -> Option<Self> {
        let version = printed.split("Version ").nth(1)?;
        let mut parts = version.splitn(3, '.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse::<u32>().ok()
        });
        Some(Self(parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        let recorded = "FreeSWITCH Version 1.11.3-dev+git~20260821T141014Z~cc93a683ca~64bit (git cc93a68)\n";
        assert_eq!(Version::parse(recorded), Some(Version(1, 11, 3)));
        assert_eq!(Version::parse("FreeSWITCH Version 1.10.12-release (64bit)"), Some(Version(1, 10, 12)));
        assert_eq!(Version::parse("-ERR permission denied"), None);
        assert!(Version(1, 10, 12) > Version::UUID_SELECTORS && Version(1, 9, 99) < Version::UUID_SELECTORS);
    }
}
