//! Takes what is told off the streams, all the time and whatever the broker does.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::queue::{Message, Queue};
use crate::hub::{Streams, Told, routing_key};

/// So many are read at once.
const AT_ONCE: usize = 1_024;
/// Octets of a routing key: a short string of AMQP 0-9-1 (section 4.2.5.3).
const LONGEST_KEY: usize = 255;

/// Reads from its place on.
#[derive(Debug)]
pub(super) struct Reader {
    streams: Arc<Streams>,
    queue: Arc<Queue>,
    /// The names of the events that are published; `None`: all.
    told: Option<Vec<String>>,
    news: Arc<Notify>,
    place: u64,
}

impl Reader {
    /// Reads what is told from now on.
    pub(super) fn new(streams: Arc<Streams>, queue: Arc<Queue>, told: Option<Vec<String>>) -> Self {
        let news = Arc::new(Notify::new());
        streams.all().wakes(&news);
        let place = streams.all().end();
        Self { streams, queue, told, news, place }
    }

    /// Waits for what is told; at a stop it reads what is there and ends.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let is_last = stop.is_cancelled();
            while self.read() {
                tokio::task::consume_budget().await;
            }
            if is_last {
                return;
            }
            tokio::select! {
                () = self.news.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Reads some; false if there was nothing.
    fn read(&mut self) -> bool {
        match self.streams.all().read(self.place, AT_ONCE) {
            Ok((told, _)) if told.is_empty() => false,
            Ok((told, place)) => {
                self.place = place;
                let messages = told.into_iter().filter_map(|told| self.message(told));
                self.queue.push(messages.collect::<Vec<_>>().into_iter());
                true
            }
            Err(_) => {
                let kept = self.streams.all().begin();
                self.queue.lost(kept.saturating_sub(self.place));
                self.place = kept;
                true
            }
        }
    }

    fn message(&self, told: Arc<Told>) -> Option<Message> {
        let is_wanted = |names: &Vec<String>| names.iter().any(|name| name == told.event());
        if !self.told.as_ref().is_none_or(is_wanted) {
            return None;
        }
        let routing_key = routing_key(&told);
        if routing_key.len() > LONGEST_KEY {
            self.queue.unsendable(&routing_key);
            return None;
        }
        Some(Message { routing_key: routing_key.into(), told })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::hub::{Hub, Origin, Owner, Sorter, Whose};
    use crate::model::{DialProgress, Notice, NoticeKind};
    use crate::registry::Conference;

    struct Nobodys;

    impl Whose for Nobodys {
        fn owner_of(&self, _: Arc<Conference>) -> BoxFuture<'static, Owner> {
            async { Owner { account: None, is_certain: true } }.boxed()
        }
    }

    fn notice(number: u64) -> Notice {
        let text = |text: &str| -> Arc<str> { text.into() };
        let (id, endpoint) = (text(&number.to_string()), text("1"));
        let kind = NoticeKind::Dial { id, endpoint, progress: DialProgress::Ringing };
        let (account, conference_id, call_id, node) = (text("a"), text("c"), text("u"), text("n"));
        Notice { kind, account, conference_id, call_id, node, at_unix_ms: number }
    }

    #[tokio::test]
    async fn what_came_faster_than_it_is_read_is_counted_and_what_is_still_kept_is_read() {
        let (hub, streams) = (Hub::default(), Arc::new(Streams::new(Origin { daemon: "d".into() })));
        let queue = Arc::new(Queue::new(100_000));
        let mut reader = Reader::new(streams.clone(), queue.clone(), None);
        let sorter = Sorter::new(streams.clone(), Arc::new(Nobodys));
        let feed = hub.feed().expect("nobody else");
        let sorting = tokio::spawn(sorter.run(feed, hub.listen_to_notices(), CancellationToken::new()));
        let told = async |numbers: std::ops::Range<u64>| {
            let end = numbers.end;
            numbers.for_each(|number| hub.notify(notice(number)));
            while streams.all().end() < end {
                tokio::task::yield_now().await;
            }
        };
        told(0..10).await;
        assert!(reader.read() && !reader.read());
        for thousand in 0..66 {
            told(10 + thousand * 1_000..1_010 + thousand * 1_000).await;
        }
        while reader.read() {}
        let lost = 66_000 - 65_536;
        let figures = queue.figures();
        assert_eq!((figures.dropped, figures.waiting), (lost, 10 + 65_536));
        told(66_010..66_011).await;
        assert!(reader.read());
        assert_eq!(queue.figures().waiting, figures.waiting + 1);
        // In order, from behind what was lost.
        let numbers =
            std::iter::from_fn(|| queue.take(usize::MAX)).map(|(_, message)| match &message.told.news {
                crate::hub::News::Notice(notice) => notice.at_unix_ms,
                crate::hub::News::Change(_) => panic!("a change"),
            });
        assert!(numbers.eq((0..10).chain(10 + lost..66_011)));
        sorting.abort();
    }
}
