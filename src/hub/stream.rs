//! The latest of what was told, with a place for each: who reads keeps his place and nobody keeps anything for him.
//!
//! ```text
//!          forgotten   │ kept                    │
//!   ... 4711 4712 4713 │ 4714 4715 4716 ... 5713 │ ◀─ told
//!                             ▲                    ▲ end
//!                             └ a reader's place
//! ```
//!
//! Whoever is slower than what is kept finds a gap, and learns of it when he reads on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::told::Told;

/// The latest of what was told of something.
#[derive(Debug)]
pub struct Stream {
    most: usize,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    /// The place of the first that is kept.
    first: u64,
    kept: VecDeque<Arc<Told>>,
    readers: Vec<Weak<Notify>>,
}

impl Ring {
    fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }
}

/// What a reader wants is not kept any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap;

impl Stream {
    /// Keeps so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, ring: Mutex::default() }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one, and wakes all who read; its place.
    pub(super) fn push(&self, told: Arc<Told>) -> u64 {
        let mut ring = self.ring();
        let place = ring.end();
        ring.kept.push_back(told);
        if ring.kept.len() > self.most {
            ring.kept.pop_front();
            ring.first += 1;
        }
        ring.readers.retain(|reader| match reader.upgrade() {
            Some(reader) => {
                reader.notify_one();
                true
            }
            None => false,
        });
        place
    }

    /// Forgets what is before that place.
    pub(super) fn forget_before(&self, place: u64) {
        let mut ring = self.ring();
        while ring.first < place && ring.kept.pop_front().is_some() {
            ring.first += 1;
        }
    }

    /// Forgets everything, and the places of all who read.
    pub(super) fn break_off(&self) {
        let mut ring = self.ring();
        ring.first = ring.end() + 1;
        ring.kept.clear();
        for reader in ring.readers.iter().filter_map(Weak::upgrade) {
            reader.notify_one();
        }
    }

    /// Whether somebody reads.
    pub(super) fn is_read(&self) -> bool {
        let mut ring = self.ring();
        ring.readers.retain(|reader| reader.strong_count() > 0);
        !ring.readers.is_empty()
    }

    /// Whether nothing is kept and nobody reads.
    pub(super) fn is_idle(&self) -> bool {
        let mut ring = self.ring();
        ring.readers.retain(|reader| reader.strong_count() > 0);
        ring.kept.is_empty() && ring.readers.is_empty()
    }

    /// Wakes somebody from now on whenever there is something new, as often as this is asked for. He is forgotten
    /// when he is dropped.
    pub fn wakes(&self, reader: &Arc<Notify>) {
        self.ring().readers.push(Arc::downgrade(reader));
    }

    /// Wakes him once less: he may live on, and subscribe and unsubscribe as often as he likes.
    pub fn forgets(&self, reader: &Arc<Notify>) {
        let mut ring = self.ring();
        let at = ring.readers.iter().position(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(reader)));
        at.map(|at| ring.readers.swap_remove(at));
    }

    /// The place of the first that is kept.
    pub fn begin(&self) -> u64 {
        self.ring().first
    }

    /// The place of what is told next.
    pub fn end(&self) -> u64 {
        self.ring().end()
    }

    /// What is kept from that place on, at most so many, and the place behind it.
    ///
    /// # Errors
    /// [`Gap`]: some of it has been forgotten.
    pub fn read(&self, place: u64, most: usize) -> Result<(Vec<Arc<Told>>, u64), Gap> {
        let ring = self.ring();
        let skipped = place.checked_sub(ring.first).ok_or(Gap)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let told: Vec<_> = ring.kept.iter().skip(skipped).take(most).cloned().collect();
        let behind = place + told.len() as u64;
        Ok((told, behind))
    }

    /// The place behind that change of an instance; `None` if it is not kept any more, and neither is the one that
    /// follows it.
    pub fn place_behind(&self, instance: &str, number: u64) -> Option<u64> {
        let ring = self.ring();
        let place = |at: usize| ring.first + at as u64;
        let of = |told: &Told| told.number().filter(|(of, _)| ***of == *instance).map(|(_, number)| number);
        ring.kept.iter().enumerate().find_map(|(at, told)| match of(told)? {
            found if found == number => Some(place(at + 1)),
            found if number.checked_add(1) == Some(found) => Some(place(at)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::told::News;

    use crate::model::{DialProgress, Notice, NoticeKind};

    fn told(id: u64) -> Arc<Told> {
        let text = |text: &str| -> Arc<str> { text.into() };
        let kind = NoticeKind::Dial {
            id: text(&id.to_string()),
            endpoint: text("1"),
            progress: DialProgress::Ringing,
        };
        let (account, conference_id, call_id, node) = (text("a"), text("c"), text("u"), text("n"));
        let notice = Notice { kind, account, conference_id, call_id, node, at_unix_ms: id };
        Arc::new(Told::new(None, News::Notice(Arc::new(notice))))
    }

    fn ids(read: &[Arc<Told>]) -> Vec<u64> {
        read.iter()
            .map(|told| match &told.news {
                News::Notice(notice) => notice.at_unix_ms,
                News::Change(_) => panic!("a change"),
            })
            .collect()
    }

    #[tokio::test]
    async fn a_reader_goes_on_where_he_was_or_learns_that_he_cannot() {
        let stream = Stream::new(4);
        let reader = Arc::new(Notify::new());
        stream.wakes(&reader);
        let begin = stream.end();
        for id in 0..3 {
            stream.push(told(id));
        }
        reader.notified().await;
        let (read, place) = stream.read(begin, 2).unwrap();
        assert_eq!((ids(&read), place), (vec![0, 1], 2));
        for id in 3..6 {
            stream.push(told(id));
        }
        let (read, place) = stream.read(place, 100).unwrap();
        assert_eq!((ids(&read), place), (vec![2, 3, 4, 5], 6));
        assert_eq!(stream.read(place, 100), Ok((Vec::new(), 6)));
        assert_eq!(stream.read(1, 100), Err(Gap));
        stream.forget_before(5);
        assert_eq!(stream.read(4, 100), Err(Gap));
        stream.forget_before(100);
        assert_eq!(stream.end(), 6);
        stream.wakes(&reader);
        stream.forgets(&reader);
        assert!(!stream.is_idle(), "he subscribed twice");
        stream.forgets(&reader);
        assert!(stream.is_idle());
        stream.wakes(&reader);
        assert!(!stream.is_idle());
        // Who reads it twice and ends one reading is still woken.
        stream.wakes(&reader);
        stream.forgets(&reader);
        reader.notified().await;
        stream.push(told(9));
        reader.notified().await;
        drop(reader);
        stream.forget_before(100);
        assert!(stream.is_idle());
    }
}
