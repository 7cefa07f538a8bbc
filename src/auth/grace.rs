//! Who was let in lately: for the time when the database cannot be asked, and for nothing else.
//!
//! Owns: how long that counts, and how many are kept. Leaves it to `authenticator` when the database
//! cannot be asked.
//!
//! Only tokens that the database called good are here, so that no stranger can fill it; one that it
//! called anything else is forgotten at once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashlink::LinkedHashMap;

use super::Principal;
use super::credentials::Hash;

/// So many seconds a token that was good stays so while the database cannot be asked.
pub const GRACE_TIME: i64 = 300;

/// More tokens than this are not kept; the one that was confirmed the longest ago goes.
const MOST_KEPT: usize = 10_000;

/// The oldest confirmation first.
type Confirmations = LinkedHashMap<Hash, Confirmed, foldhash::fast::RandomState>;

/// The tokens that may be let in without being asked about.
#[derive(Debug, Default)]
pub(super) struct Grace(Mutex<Confirmations>);

/// What the database said of a token. Times are Unix seconds.
#[derive(Debug)]
pub(super) struct Confirmed {
    /// Whose it is.
    pub(super) principal: Principal,
    /// From when on it is no longer good.
    pub(super) expires: Option<i64>,
    /// When the database was asked.
    pub(super) asked: i64,
}

impl Grace {
    pub(super) fn confirm(&self, hash: Hash, confirmed: Confirmed) {
        let mut kept = self.kept();
        // Inserting puts it at the end, also one that was there.
        kept.insert(hash, confirmed);
        if kept.len() > MOST_KEPT {
            kept.pop_front();
        }
    }

    pub(super) fn forget(&self, hash: &Hash) {
        self.kept().remove(hash);
    }

    /// Whose token it is, if the database called it good within [`GRACE_TIME`] and it has not expired
    /// since. A clock that was set back makes everything old.
    pub(super) fn principal(&self, hash: &Hash, now: i64) -> Option<Principal> {
        let kept = self.kept();
        let confirmed = kept.get(hash)?;
        let lately = (0..GRACE_TIME).contains(&now.saturating_sub(confirmed.asked));
        let good = confirmed.expires.is_none_or(|expires| now < expires);
        (lately && good).then(|| confirmed.principal.clone())
    }

    fn kept(&self) -> MutexGuard<'_, Confirmations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scopes;

    fn confirmed(expires: Option<i64>, asked: i64) -> Confirmed {
        let principal = Principal {
            token_id: "t".into(),
            name: "desk".into(),
            credential: "t".into(),
            account: None,
            scopes: Scopes::all(),
        };
        Confirmed { principal, expires, asked }
    }

    #[test]
    fn grace_ends_with_its_time_and_with_the_token_and_does_not_survive_a_clock_set_back() {
        let grace = Grace::default();
        grace.confirm([1; 32], confirmed(None, 1_000));
        grace.confirm([2; 32], confirmed(Some(1_010), 1_000));
        let is_in = |hash: u8, now| grace.principal(&[hash; 32], now).is_some();
        assert!(is_in(1, 1_000) && is_in(1, 1_299) && !is_in(1, 1_300) && !is_in(1, 999));
        assert!(is_in(2, 1_009) && !is_in(2, 1_010));
        grace.forget(&[1; 32]);
        assert!(!is_in(1, 1_000));
    }

    #[test]
    fn when_there_is_no_room_the_one_confirmed_longest_ago_goes() {
        let grace = Grace::default();
        let hash = |number: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            hash
        };
        for number in 0..MOST_KEPT {
            grace.confirm(hash(number), confirmed(None, 0));
        }
        grace.confirm(hash(0), confirmed(None, 1));
        grace.confirm(hash(MOST_KEPT), confirmed(None, 1));
        let is_in = |number| grace.principal(&hash(number), 1).is_some();
        assert!(is_in(0) && !is_in(1) && is_in(2) && is_in(MOST_KEPT));
        assert_eq!(grace.kept().len(), MOST_KEPT);
    }
}
