//! Which node, which command, what came of it.
