//! Calls under way: what the event connection tells of them, to whoever waits.
//!
//! A `bgapi` job ends with a `BACKGROUND_JOB` that has its id, and every job of every client of the switch does
//! so; a call that rings tells it by an own event. Most of what comes by is of others: it costs a look into a
//! table. Whoever waits is told without being waited for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

/// The subclass of the events by which a call tells that it rings. The id of its job is in [`RINGING_ID`].
pub(crate) const RINGING: &str = "convened::dial";
/// The header of such an event that has the id of the job.
pub(crate) const RINGING_ID: &str = "Dial-ID";

/// What is told of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobNews {
    /// The call that it makes rings. Told once at most.
    Rings,
    /// It has ended; what it printed.
    Ended(String),
}

/// Both that can be told of a job.
const ALL_NEWS: usize = 2;

/// The jobs that somebody waits for, by id.
#[derive(Debug, Default)]
pub(super) struct Jobs(Mutex<HashMap<String, Watched>>);

#[derive(Debug)]
struct Watched {
    news: mpsc::Sender<JobNews>,
    rings: bool,
}

/// A job that is waited for. Forgotten when dropped.
pub struct Job {
    id: String,
    news: mpsc::Receiver<JobNews>,
    jobs: Arc<Jobs>,
}

impl Jobs {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job, from before it is sent.
    pub(super) fn watch(self: &Arc<Self>, id: &str) -> Job {
        let (sender, news) = mpsc::channel(ALL_NEWS);
        self.all().insert(id.to_owned(), Watched { news: sender, rings: false });
        Job { id: id.to_owned(), news, jobs: Arc::clone(self) }
    }

    /// The call of a job rings. A phone may say so more than once.
    pub(super) fn rings(&self, id: &str) {
        if let Some(watched) = self.all().get_mut(id).filter(|watched| !watched.rings) {
            watched.rings = true;
            // There is room for all that is told, and nobody who has gone is to be told.
            let _ = watched.news.try_send(JobNews::Rings);
        }
    }

    /// A job has ended. What it printed is read only if somebody waits for it.
    pub(super) fn ended(&self, id: &str, printed: impl FnOnce() -> String) {
        let watched = self.all().remove(id);
        if let Some(watched) = watched {
            let _ = watched.news.try_send(JobNews::Ended(printed()));
        }
    }
}

impl Job {
    /// The next that is told of it. After its end nothing is.
    pub async fn news(&mut self) -> Option<JobNews> {
        self.news.recv().await
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.jobs.all().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_tells_its_ringing_once_then_its_end_and_is_forgotten() {
        let jobs = Arc::new(Jobs::default());
        let mut job = jobs.watch("a");
        for _ in 0..5 {
            jobs.rings("a");
        }
        jobs.ended("b", || panic!("of somebody else"));
        jobs.ended("a", || "+OK".to_owned());
        jobs.ended("a", || panic!("it has ended"));
        assert_eq!(job.news().await, Some(JobNews::Rings));
        assert_eq!(job.news().await, Some(JobNews::Ended("+OK".to_owned())));
        assert_eq!(job.news().await, None);
        let dropped = jobs.watch("c");
        drop(dropped);
        jobs.ended("c", || panic!("nobody waits"));
        assert!(jobs.all().is_empty());
    }
}
