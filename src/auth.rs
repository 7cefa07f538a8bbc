//! Keys, tokens, scopes and accounts.
