//! Conditional writes: `If-Match`, and `revision` in the envelope.
//!
//! Owns: reading entity tags and judging them. Leaves the headers themselves to `api`.

use super::DocumentError;

/// What must hold for a write to happen. The default is: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// From the `If-Match` header.
    pub if_match: Option<EtagList>,
    /// From `revision` in the envelope.
    pub revision: Option<String>,
}

impl Condition {
    /// Whether any revision will do.
    #[must_use]
    pub fn is_unconditional(&self) -> bool {
        self.if_match.is_none() && self.revision.is_none()
    }

    /// Judges the current revision. The header is asked first, as RFC 9110 has it.
    ///
    /// # Errors
    /// [`DocumentError::PreconditionFailed`], [`DocumentError::Conflict`].
    pub fn check(&self, current: &str) -> Result<(), DocumentError> {
        if self.if_match.as_ref().is_some_and(|tags| !tags.matches_strongly(current)) {
            return Err(DocumentError::PreconditionFailed);
        }
        match &self.revision {
            Some(expected) if expected != current => {
                Err(DocumentError::Conflict { expected: expected.clone(), current: current.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtagList {
    /// `*`: whatever it is.
    Any,
    /// Some tags; none if the header made no sense, which then matches nothing.
    Tags(Vec<EntityTag>),
}

/// One tag, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityTag {
    /// `W/"..."`.
    weak: bool,
    value: String,
}

impl EtagList {
    /// list = "*" / #( [ "W/" ] DQUOTE *etagc DQUOTE ). Tags without quotes are taken as well: older
    /// clients send the bare revision.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        if header.trim() == "*" {
            return Self::Any;
        }
        // Our own tags have no comma in them, and others match nothing whole or in pieces.
        let tags = header.split(',').filter_map(|tag| EntityTag::parse(tag.trim()));
        Self::Tags(tags.collect())
    }

    /// For writes: a weak tag matches nothing.
    #[must_use]
    pub fn matches_strongly(&self, revision: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| !tag.weak && tag.value == revision),
        }
    }

    /// For reads: what a proxy made weak still matches.
    #[must_use]
    pub fn matches_weakly(&self, revision: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag.value == revision),
        }
    }
}

impl EntityTag {
    fn parse(text: &str) -> Option<Self> {
        let (weak, text) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let value = match text.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?,
            None => text,
        };
        (!value.is_empty() && !value.contains('"')).then(|| Self { weak, value: value.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_in_every_spelling_clients_use() {
        for header in ["\"1-ab\"", "1-ab", " \"0-x\" , \"1-ab\"", "*"] {
            assert!(EtagList::parse(header).matches_strongly("1-ab"), "{header}");
        }
        for header in ["", "\"1-abc\"", "\"1-ab", "1-ab\"", "W/\"1-ab\"", "\"\"", "**"] {
            assert!(!EtagList::parse(header).matches_strongly("1-ab"), "{header}");
        }
        assert!(EtagList::parse("W/\"1-ab\"").matches_weakly("1-ab"));
    }

    #[test]
    fn a_stale_header_is_a_failed_precondition_and_a_stale_revision_a_conflict() {
        let header = Condition { if_match: Some(EtagList::parse("\"1-a\"")), revision: None };
        assert!(matches!(header.check("2-b"), Err(DocumentError::PreconditionFailed)));
        let revision = Condition { if_match: None, revision: Some("1-a".into()) };
        assert!(matches!(revision.check("2-b"), Err(DocumentError::Conflict { .. })));
        assert!(revision.check("1-a").is_ok());
        assert!(Condition::default().check("2-b").is_ok());
    }
}
