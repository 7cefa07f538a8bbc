//! What the switch has told about whose conference it is.

use std::sync::Arc;

/// Whose conference it is, as far as the switch said. A document of that name overrules it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum AccountTag {
    /// Nothing has told yet: the conference is known from a list only, and lists hold no channel's tag.
    #[default]
    Unknown,
    /// The conference and its first member carry no tag: the configured default account, if any.
    Untagged,
    /// The conference variable `account_id`, or `PD-account_id` of its first member.
    Tagged(Arc<str>),
}
