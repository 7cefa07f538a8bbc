//! What to do when accepting fails.

use std::io;
use std::time::Duration;

/// The first pause; it doubles with each failure in a row.
const FIRST: Duration = Duration::from_millis(10);
/// Long enough not to spin or to fill the log, short enough to be back soon.
const LONGEST: Duration = Duration::from_secs(1);

/// The pauses between failures in a row.
#[derive(Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// How long to wait this time.
    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = self.last.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.last = Some(pause);
        pause
    }
}

/// Whether the failure concerns only the connection that would have been next, so that the one after
/// it can be accepted at once.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..9).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[test]
    fn out_of_file_descriptors_is_not_about_one_connection() {
        // EMFILE and ENFILE are 24 and 23 wherever we run.
        for code in [23, 24] {
            assert!(!is_of_one_connection(&io::Error::from_raw_os_error(code)));
        }
        assert!(is_of_one_connection(&io::ErrorKind::ConnectionAborted.into()));
    }
}
