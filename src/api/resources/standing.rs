//! How the daemon itself stands, for whoever watches it: `/metrics` and the status that systemd shows.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::store::Clock;

/// What was found out last.
#[derive(Debug)]
pub struct Standing {
    database_is_up: AtomicBool,
    configuration_is_good: AtomicBool,
    /// In Unix seconds.
    configuration_read_s: AtomicI64,
    clock: Clock,
}

impl Standing {
    /// At the start: the database was opened, and the configuration is good.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            database_is_up: AtomicBool::new(true),
            configuration_is_good: AtomicBool::new(true),
            configuration_read_s: AtomicI64::new(clock.unix_seconds()),
            clock,
        }
    }

    /// Whether the database answered when it was asked last.
    #[must_use]
    pub fn is_database_up(&self) -> bool {
        self.database_is_up.load(Ordering::Relaxed)
    }

    /// The database was asked whether it is there.
    pub fn database_answered(&self, is_up: bool) {
        self.database_is_up.store(is_up, Ordering::Relaxed);
    }

    /// Whether the file that was read last is in force. If not, the one before it is.
    #[must_use]
    pub fn is_configuration_good(&self) -> bool {
        self.configuration_is_good.load(Ordering::Relaxed)
    }

    /// When the file was read that is in force, in Unix seconds.
    #[must_use]
    pub fn configuration_read_s(&self) -> i64 {
        self.configuration_read_s.load(Ordering::Relaxed)
    }

    /// The file was read again.
    pub fn configuration_read(&self, is_good: bool) {
        self.configuration_is_good.store(is_good, Ordering::Relaxed);
        if is_good {
            self.configuration_read_s.store(self.clock.unix_seconds(), Ordering::Relaxed);
        }
    }
}
