//! Callers who were let in on one node and are bridged to another: there they are known by a ticket.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::entering::Admitted;

/// So long a bridged call may take to come in.
pub(super) const VALID: Duration = Duration::from_secs(60);

/// Tickets that were given out.
#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<String, (Admitted, Instant)>>);

impl Tickets {
    /// A ticket for somebody; nobody can guess it.
    pub(super) fn give(&self, admitted: Admitted, now: Instant) -> String {
        let ticket = format!("{:032x}", rand::random::<u128>());
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, (_, until)| *until > now);
        tickets.insert(ticket.clone(), (admitted, now + VALID));
        ticket
    }

    /// Whether somebody may come with that ticket.
    pub(super) fn knows(&self, ticket: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(ticket)
    }

    /// Nobody comes with that ticket any more; whether nobody has.
    pub(super) fn expire(&self, ticket: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(ticket).is_some()
    }

    /// Who comes with that ticket; nobody comes with it again.
    pub(super) fn take(&self, ticket: &str, now: Instant) -> Option<Admitted> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (admitted, until) = tickets.remove(ticket)?;
        (until > now).then_some(admitted)
    }
}
