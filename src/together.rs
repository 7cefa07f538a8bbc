//! What many ask for at the same moment is done once for all of them.
//!
//! ```text
//! asked ──▶ first: begins at once ─▶ may go on ─▶ done
//! asked ──▶ waits ─┐                    │
//! asked ──▶ waits ─┴────────────────────┴▶ together: begins ─▶ ...
//! ```
//!
//! Nobody is served by what had begun before he asked. One alone waits for nobody.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Those who wait to be served together.
#[derive(Debug)]
pub(crate) struct Together<T, R> {
    waiting: Mutex<Waiting<T, R>>,
}

#[derive(Debug)]
struct Waiting<T, R> {
    /// Somebody is being served.
    busy: bool,
    asked: Vec<(T, oneshot::Sender<R>)>,
}

/// The right to be the one who is served. When it is dropped the next ones begin.
pub(crate) struct Turn(#[expect(dead_code, reason = "it tells by its end")] oneshot::Sender<()>);

impl<T, R> Default for Together<T, R> {
    fn default() -> Self {
        Self { waiting: Mutex::new(Waiting { busy: false, asked: Vec::new() }) }
    }
}

impl<T: Send + 'static, R: Clone + Send + 'static> Together<T, R> {
    /// Asks for something; `None` if whoever served has broken down.
    ///
    /// `serve` gets all that has been asked for, and gives the answer for all who asked.
    pub(crate) async fn ask<S>(
        self: &Arc<Self>,
        item: T,
        serve: impl Fn(Vec<T>, Turn) -> S + Send + 'static,
    ) -> Option<R>
    where
        S: Future<Output = R> + Send + 'static,
    {
        let (asker, answer) = oneshot::channel();
        let is_first = {
            let mut waiting = self.lock();
            waiting.asked.push((item, asker));
            !std::mem::replace(&mut waiting.busy, true)
        };
        if is_first {
            let together = Arc::clone(self);
            // On its own, for whoever asked first may stop waiting.
            tokio::spawn(async move {
                while let Some((items, askers)) = together.next() {
                    let (turn, passed) = oneshot::channel();
                    let serving = serve(items, Turn(turn));
                    tokio::spawn(async move {
                        let answer = serving.await;
                        for asker in askers {
                            // Who has stopped waiting does not care.
                            let _ = asker.send(answer.clone());
                        }
                    });
                    // An error is what is waited for: its other end is gone.
                    let _ = passed.await;
                }
            });
        }
        answer.await.ok()
    }

    /// All who wait by now; `None` if nobody does.
    fn next(&self) -> Option<(Vec<T>, Vec<oneshot::Sender<R>>)> {
        let mut waiting = self.lock();
        if waiting.asked.is_empty() {
            waiting.busy = false;
            return None;
        }
        Some(std::mem::take(&mut waiting.asked).into_iter().unzip())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T, R>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_asks_while_somebody_is_served_is_served_with_all_the_others() {
        let together = Arc::new(Together::<u32, Vec<u32>>::default());
        let (gate, served) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let ask = |item| {
            let (together, gate, served) = (together.clone(), gate.clone(), served.clone());
            tokio::spawn(async move {
                let serve = move |items: Vec<u32>, turn: Turn| {
                    let (gate, served) = (gate.clone(), served.clone());
                    async move {
                        served.fetch_add(1, Ordering::SeqCst);
                        gate.acquire().await.expect("it is open").forget();
                        drop(turn);
                        items
                    }
                };
                together.ask(item, serve).await
            })
        };
        let first = ask(1);
        while served.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = (2..=9).map(ask).collect();
        while together.lock().asked.len() < 8 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), Some(vec![1]));
        for other in join_all(others).await {
            assert_eq!(other.unwrap(), Some((2..=9).collect()));
        }
        assert_eq!(served.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn the_next_ones_begin_before_the_first_have_their_answer() {
        let together = Arc::new(Together::<u32, u32>::default());
        let (answer, begun) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let ask = |item: u32| {
            let (together, answer, begun) = (together.clone(), answer.clone(), begun.clone());
            async move {
                let serve = move |items: Vec<u32>, turn: Turn| {
                    let (answer, begun) = (answer.clone(), begun.clone());
                    async move {
                        begun.fetch_add(1, Ordering::SeqCst);
                        drop(turn);
                        if items == [1] {
                            answer.acquire().await.expect("it is open").forget();
                        }
                        items[0]
                    }
                };
                together.ask(item, serve).await
            }
        };
        let first = tokio::spawn(ask(1));
        while begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(2).await, Some(2));
        assert!(!first.is_finished());
        answer.add_permits(1);
        assert_eq!(first.await.unwrap(), Some(1));
    }

    #[tokio::test]
    async fn after_a_breakdown_somebody_else_serves() {
        let together = Arc::new(Together::<u32, u32>::default());
        let broken = |_: Vec<u32>, _: Turn| async move {
            assert!(std::hint::black_box(false), "on purpose");
            0
        };
        assert_eq!(together.ask(1, broken).await, None);
        let whole = |items: Vec<u32>, _: Turn| async move { items[0] };
        assert_eq!(together.ask(2, whole).await, Some(2));
    }

    #[tokio::test]
    async fn who_stops_waiting_keeps_nobody_from_being_served() {
        let together = Arc::new(Together::<u32, u32>::default());
        let gate = Arc::new(Semaphore::new(0));
        let serve = |gate: Arc<Semaphore>| {
            move |items: Vec<u32>, turn: Turn| {
                let gate = gate.clone();
                async move {
                    gate.acquire().await.expect("it is open").forget();
                    drop(turn);
                    items[0]
                }
            }
        };
        let first = tokio::spawn({
            let (together, serve) = (together.clone(), serve(gate.clone()));
            async move { together.ask(1, serve).await }
        });
        while !together.lock().busy {
            tokio::task::yield_now().await;
        }
        first.abort();
        gate.add_permits(2);
        assert_eq!(together.ask(2, serve(gate.clone())).await, Some(2));
    }
}
