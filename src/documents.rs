//! Conference documents: schema, defaults, revisions, numbers.
