//! Numbered changes to bounded queues.
