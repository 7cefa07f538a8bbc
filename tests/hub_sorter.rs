//! Whose a change is, when nobody knows it at once: what waits, what is asked again, and who begins anew.
//!
//! The clock stands still unless everybody waits.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use convened::hub::{Gap, Hub, Origin, Owner, Sorter, Streams, Told, Whose};
use convened::model::EventKind;
use convened::registry::{Conference, Registry, Writer};
use convened::store::AccountId;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use support::events::{self, at, told};

fn account(digit: &str) -> AccountId {
    digit.repeat(32).parse().expect("an account")
}

fn owner(digit: &str, is_certain: bool) -> Owner {
    Owner { account: Some(account(digit)), is_certain }
}

const NOBODYS: Owner = Owner { account: None, is_certain: false };

type Question = (Arc<Conference>, oneshot::Sender<Owner>);

/// Asks the test.
struct Asks(mpsc::UnboundedSender<Question>);

impl Whose for Asks {
    fn owner_of(&self, conference: Arc<Conference>) -> BoxFuture<'static, Owner> {
        let (answer, answered) = oneshot::channel();
        self.0.send((conference, answer)).expect("the test listens");
        async { answered.await.expect("it is answered") }.boxed()
    }
}

struct Desk {
    writer: Mutex<Writer<Hub>>,
    streams: Arc<Streams>,
    questions: mpsc::UnboundedReceiver<Question>,
    sequence: u64,
    _sorting: AbortOnDropHandle<()>,
}

impl Desk {
    fn new() -> Self {
        let (hub, (asks, questions)) = (Hub::default(), mpsc::unbounded_channel());
        let streams = Arc::new(Streams::new(Origin { daemon: "test".into() }));
        let (changes, notices) = (hub.feed().expect("nobody else"), hub.listen_to_notices());
        let sorter = Sorter::new(streams.clone(), Arc::new(Asks(asks)));
        let sorting = tokio::spawn(sorter.run(changes, notices, CancellationToken::new()));
        let writer = Mutex::new(Writer::new(Arc::new(Registry::new()), "fs1".into(), hub));
        Self { writer, streams, questions, sequence: 0, _sorting: AbortOnDropHandle::new(sorting) }
    }

    /// Something happens in `daily`.
    async fn happens(&mut self, kind: EventKind) {
        self.tells(|sequence| told(sequence, kind)).await;
    }

    async fn tells(&mut self, event: impl FnOnce(u64) -> events::Told) {
        self.sequence += 1;
        let event = event(self.sequence);
        self.writer.lock().unwrap().apply(&event.0, at(self.sequence));
        pass(Duration::from_millis(1)).await;
    }

    /// The question that has been asked; there must be one and no more.
    fn question(&mut self) -> Question {
        let question = self.questions.try_recv().expect("it is asked");
        self.is_quiet();
        question
    }

    fn is_quiet(&mut self) {
        assert!(self.questions.try_recv().is_err(), "nothing more is asked");
    }

    async fn answered(&mut self, owner: Owner) {
        let (_, answer) = self.question();
        answer.send(owner).expect("it is waited for");
        pass(Duration::from_millis(1)).await;
    }

    /// What is told of `daily` to an account from that place on.
    fn read(&self, digit: &str, place: u64) -> Result<Vec<&'static str>, Gap> {
        let stream = self.streams.of_conference(&account(digit), "daily");
        let names = |told: Vec<Arc<Told>>| told.iter().map(|told| told.event()).collect();
        stream.read(place, usize::MAX).map(|(told, _)| names(told))
    }
}

/// Lets everybody do what there is to do, and then so much time pass.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

const BIT_LESS: Duration = Duration::from_secs(59);
const ENOUGH: Duration = Duration::from_secs(61);

#[tokio::test(start_paused = true)]
async fn changes_wait_in_order_for_the_answer_and_keep_nobody_else_waiting() {
    let mut desk = Desk::new();
    for kind in [EventKind::Created, EventKind::Locked, EventKind::Unlocked] {
        desk.happens(kind).await;
    }
    let (_, slow) = desk.question();
    assert_eq!(desk.read("a", 0), Ok(vec![]));
    // Of another run of it, which is answered at once.
    desk.tells(|sequence| told(sequence, EventKind::Created).of("i2")).await;
    desk.answered(owner("a", true)).await;
    assert_eq!(desk.read("a", 0), Ok(vec!["conference-create"]));
    slow.send(owner("a", true)).unwrap();
    pass(Duration::from_millis(1)).await;
    assert_eq!(desk.read("a", 1), Ok(vec!["conference-create", "lock", "unlock"]));
    // It is asked once.
    pass(10 * ENOUGH).await;
    desk.happens(EventKind::Locked).await;
    desk.is_quiet();
    assert_eq!(desk.read("a", 4), Ok(vec!["lock"]));
}

#[tokio::test(start_paused = true)]
async fn whoever_turns_out_to_be_the_owner_later_begins_anew() {
    let mut desk = Desk::new();
    let of_all = desk.streams.of_account(&account("a"));
    desk.happens(EventKind::Created).await;
    desk.answered(NOBODYS).await;
    pass(BIT_LESS).await;
    desk.happens(EventKind::Locked).await;
    desk.is_quiet();
    pass(ENOUGH - BIT_LESS).await;
    let (place, of_all_place) = (desk.streams.of_conference(&account("a"), "daily").end(), of_all.end());
    desk.happens(EventKind::Unlocked).await;
    assert_eq!(desk.read("a", place), Ok(vec![]));
    desk.answered(owner("a", true)).await;
    // A snapshot has what he has not heard.
    assert_eq!(desk.read("a", place), Err(Gap));
    assert_eq!(of_all.read(of_all_place, 9), Err(Gap));
    assert_eq!(desk.read("a", place + 1), Ok(vec!["unlock"]));
    desk.happens(EventKind::Locked).await;
    assert_eq!(desk.read("a", place + 1), Ok(vec!["unlock", "lock"]));
}

#[tokio::test(start_paused = true)]
async fn a_tag_is_asked_about_at_once() {
    let mut desk = Desk::new();
    desk.happens(EventKind::Created).await;
    desk.answered(NOBODYS).await;
    desk.happens(EventKind::Locked).await;
    desk.is_quiet();
    assert_eq!(desk.read("a", 0), Ok(vec![]));
    desk.tells(|sequence| told(sequence, EventKind::Unlocked).account("a")).await;
    desk.answered(owner("a", true)).await;
    assert_eq!(desk.read("a", 0), Err(Gap));
    assert_eq!(desk.read("a", 1), Ok(vec!["unlock"]));
}

#[tokio::test(start_paused = true)]
async fn an_owner_who_is_not_certain_is_asked_about_again_and_only_then() {
    let mut desk = Desk::new();
    desk.tells(|sequence| told(sequence, EventKind::Created).account("a")).await;
    desk.answered(owner("a", false)).await;
    desk.happens(EventKind::Locked).await;
    desk.is_quiet();
    assert_eq!(desk.read("a", 0), Ok(vec!["conference-create", "lock"]));
    // He is still: nobody begins anew.
    pass(ENOUGH).await;
    desk.happens(EventKind::Unlocked).await;
    desk.answered(owner("a", false)).await;
    assert_eq!(desk.read("a", 2), Ok(vec!["unlock"]));
    // The document says that it is somebody else's.
    pass(ENOUGH).await;
    let _theirs = desk.streams.of_conference(&account("b"), "daily");
    desk.happens(EventKind::Locked).await;
    desk.answered(owner("b", true)).await;
    assert_eq!((desk.read("a", 3), desk.read("b", 0)), (Err(Gap), Err(Gap)));
    assert_eq!((desk.read("a", 4), desk.read("b", 1)), (Ok(vec![]), Ok(vec!["lock"])));
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_and_then_it_is_told_as_nobodys() {
    let mut desk = Desk::new();
    desk.happens(EventKind::Created).await;
    for _ in 0..2_048 {
        desk.happens(EventKind::Locked).await;
        desk.happens(EventKind::Unlocked).await;
    }
    let (_, too_late) = desk.question();
    too_late.send(owner("a", true)).unwrap();
    desk.happens(EventKind::Locked).await;
    let _his = desk.streams.of_conference(&account("a"), "daily");
    assert_eq!(desk.read("a", 0), Ok(vec![]), "the answer came too late");
    pass(ENOUGH).await;
    desk.happens(EventKind::Unlocked).await;
    desk.answered(owner("a", true)).await;
    assert_eq!((desk.read("a", 0), desk.read("a", 1)), (Err(Gap), Ok(vec!["unlock"])));
}
