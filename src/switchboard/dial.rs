//! Phones are called into a conference: begun here, and followed to their end.
//!
//! ```text
//! bgapi originate ─▶ +OK: dialling ─▶ it rings: dial-ringing ─▶ job ended ┬ +OK: dial-answered
//!          │                              └──────────────┬──────────────▶ └ -ERR CAUSE: dial-failed
//!          └ -ERR, no connection: failed                 └ nothing in time: the call itself is asked about
//! ```
//!
//! FreeSWITCH's own `conference X dial` sends the called one to another conference if there is an `@` in the name
//! (mod_conference.c, `conference_outcall`) and tells nothing while it does not run; so each call is an
//! `originate` of its own.
//!
//! Invariant: a call is called answered only if FreeSWITCH has said so.

mod line;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Switchboard;
use crate::actions::{Callee, DialOrder};
use crate::hub::Hub;
use crate::model::{ActionResult, DialProgress, Moment, Notice, NoticeKind, Outcome, Problem};
use crate::node::{CommandError, Job, JobNews, Node};
use crate::registry::{Conference, Registry};

pub use line::Destination;

use line::line;

/// There is nowhere to go any more.
const ENDED: &str = "the conference ended before somebody answered";
/// What the end of a job looks like that has never been told.
const NOT_SEEN: &str = "its result was not seen, and the call is gone";
const RINGS_ON: &str = "its result was not seen, and the call is there but not known to be answered";
const NOT_ASKED: &str = "its result was not seen, and the node does not say what became of the call";

/// The calls that are under way.
pub struct Dials {
    most: usize,
    places: Arc<Semaphore>,
    beyond: Duration,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// Places for calls, taken before anything is asked of a switch.
pub struct Reserved(Vec<OwnedSemaphorePermit>);

/// What came of the beginning of a call.
#[derive(Debug, Clone)]
pub struct Dialled {
    /// Who is called.
    pub endpoint: Arc<str>,
    /// The id of it, in notices.
    pub id: Arc<str>,
    /// Whether it was begun.
    pub result: ActionResult,
}

impl Dials {
    /// How much later than its time to ring a call is waited for: FreeSWITCH gives up by itself before.
    pub const BEYOND: Duration = Duration::from_secs(5);

    /// Room for so many at the same time; the end of each is waited for that much longer than it may ring.
    pub fn new(most: usize, beyond: Duration) -> Self {
        let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { most, places, beyond, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// How many calls may be under way.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes places for so many calls, or for none of them.
    pub fn take(&self, count: usize) -> Option<Reserved> {
        let all = (0..count).map(|_| Arc::clone(&self.places).try_acquire_owned().ok());
        all.collect::<Option<Vec<_>>>().map(Reserved)
    }

    /// No call is followed any more: what becomes of those that are under way nobody is told.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Switchboard {
    /// The node on which a conference begins that does not run: the first by name that can be asked and heard.
    pub fn node_to_begin_on(&self) -> Option<Node> {
        let nodes = self.nodes();
        let takes_calls = |node: &&Node| {
            let status = node.status();
            status.events_connected && status.commands_connected
        };
        nodes.values().find(takes_calls).cloned()
    }

    /// Calls everybody at the same time. What becomes of it is told to the hub.
    pub async fn dial(
        &self,
        dials: &Dials,
        Reserved(places): Reserved,
        node: &Node,
        to: &Destination,
        order: &DialOrder,
    ) -> Vec<Dialled> {
        let calls = order.callees.iter().zip(places).map(|(callee, place)| async move {
            let call = Call::new(node, (&self.hub, &self.registry), to, callee);
            let job = node.watch_job(&call.id);
            let (outcome, problem) =
                begin(node, &call, &job, &line(to, order, callee, (&call.id, &call.call_id))).await;
            let dialled = call.dialled(outcome, problem);
            if outcome != Outcome::Failed {
                let until = Duration::from_secs(order.timeout_s.into()) + dials.beyond;
                let stop = dials.stop.clone();
                dials.tasks.spawn(async move {
                    if stop.run_until_cancelled(follow(&call, job, until)).await.is_none() {
                        tracing::info!(
                            dial = &*call.id,
                            call = &*call.call_id,
                            "a call is not followed any more"
                        );
                    }
                    drop(place);
                });
            }
            dialled
        });
        join_all(calls).await
    }
}

/// A call that is made.
struct Call {
    node: Node,
    hub: Hub,
    id: Arc<str>,
    call_id: Arc<str>,
    endpoint: Arc<str>,
    account: Arc<str>,
    conference_id: Arc<str>,
    registry: Arc<Registry>,
    /// The only run of the conference that is meant.
    only: Option<Arc<Conference>>,
}

impl Call {
    fn new(node: &Node, (hub, registry): (&Hub, &Arc<Registry>), to: &Destination, callee: &Callee) -> Self {
        Self {
            node: node.clone(),
            hub: hub.clone(),
            id: uuid().into(),
            call_id: uuid().into(),
            endpoint: callee.endpoint.to_string().into(),
            account: to.account.to_string().into(),
            conference_id: to.conference_id.clone(),
            registry: registry.clone(),
            only: to.only.clone(),
        }
    }

    /// Hangs up. That it is done is told by the job, if at all.
    async fn give_up(&self) {
        if let Err(error) = self.node.api(&format!("uuid_kill {} ORIGINATOR_CANCEL", self.call_id)).await {
            tracing::warn!(call = &*self.call_id, "a call that has nowhere to go cannot be ended: {error}");
        }
    }

    /// Whether he stands in another conference of that name than the one that he was called into.
    async fn is_elsewhere(&self) -> bool {
        let Some(only) = &self.only else { return false };
        // Without it nothing is seen, and nothing is known of another one.
        let _ = self.node.fence().await;
        let same = self.registry.conference(&only.name);
        let others = same.iter().filter(|it| it.node == only.node && it.instance != only.instance);
        others.into_iter().any(|other| other.by_call_id(&self.call_id).is_some())
    }

    fn dialled(&self, outcome: Outcome, problem: Option<Problem>) -> Dialled {
        let (node, call_id) = (self.node.name().clone(), Some(self.call_id.clone()));
        let result = ActionResult {
            participant_id: None,
            call_id,
            node,
            outcome,
            problem,
            file: None,
            other_participant: None,
        };
        Dialled { endpoint: self.endpoint.clone(), id: self.id.clone(), result }
    }

    fn tell(&self, progress: DialProgress) {
        let reason = progress.reason().map(str::to_owned);
        let notice = Notice {
            kind: NoticeKind::Dial { id: self.id.clone(), endpoint: self.endpoint.clone(), progress },
            account: self.account.clone(),
            conference_id: self.conference_id.clone(),
            call_id: self.call_id.clone(),
            node: self.node.name().clone(),
            at_unix_ms: Moment::now().unix_ms,
        };
        tracing::info!(
            dial = &*self.id,
            endpoint = &*self.endpoint,
            call = &*notice.call_id,
            conference = &*notice.conference_id,
            account = &*notice.account,
            node = &*notice.node,
            reason,
            "{}",
            notice.name()
        );
        self.hub.notify(notice);
    }
}

/// Has the switch begin a call.
async fn begin(node: &Node, call: &Call, job: &Job, line: &str) -> (Outcome, Option<Problem>) {
    let endpoint = &*call.endpoint;
    match node.begin_job(line, job).await {
        Ok(reply) => {
            let words = reply.text();
            if words.starts_with("+OK") {
                return (Outcome::Dialling, None);
            }
            (Outcome::Failed, Some(Problem::Refused(words.trim_end().to_owned())))
        }
        Err(CommandError::Unavailable) => (Outcome::Failed, Some(Problem::Unavailable)),
        Err(CommandError::Forbidden(forbidden)) => {
            tracing::error!(endpoint, "a call that cannot be said to the switch: {forbidden}");
            (Outcome::Failed, Some(Problem::Unaddressable))
        }
        Err(CommandError::Interrupted) => {
            (Outcome::Unknown, Some(Problem::NotSeen("the connection broke before the reply came")))
        }
        Err(CommandError::Timeout) => {
            (Outcome::Unknown, Some(Problem::NotSeen("the node did not answer in time")))
        }
    }
}

/// Tells what becomes of a call, to its end.
async fn follow(call: &Call, mut job: Job, until: Duration) {
    let deadline = Instant::now() + until;
    let nowhere = || call.tell(DialProgress::Failed { reason: ENDED.to_owned() });
    let mut ended = std::pin::pin!(is_over(call));
    loop {
        tokio::select! {
            biased;
            news = job.news() => match news {
                Some(JobNews::Rings) => call.tell(DialProgress::Ringing),
                Some(JobNews::Ended(printed)) => {
                    let end = end_of(&printed);
                    if end == DialProgress::Answered && call.is_elsewhere().await {
                        call.give_up().await;
                        return nowhere();
                    }
                    return call.tell(end);
                }
                None => break,
            },
            // FreeSWITCH lets go of a name with the last one; the next one may be somebody else's.
            () = &mut ended => {
                call.give_up().await;
                return nowhere();
            }
            () = sleep_until(deadline) => break,
        }
    }
    call.tell(asked_about(call).await);
}

/// Waits until nobody is any more in the only conference that is meant.
async fn is_over(call: &Call) {
    let Some(only) = &call.only else { return std::future::pending().await };
    let mut changes = call.hub.watch(&only.instance);
    while !only.is_empty() {
        changes.next().await;
    }
}

/// What a job says of its call (mod_commands.c, `originate_function`): `+OK UUID`, or `-ERR CAUSE`.
fn end_of(printed: &str) -> DialProgress {
    let words = printed.trim_end();
    if words.starts_with("+OK") {
        return DialProgress::Answered;
    }
    DialProgress::Failed { reason: words.strip_prefix("-ERR ").unwrap_or(words).to_owned() }
}

/// What the switch knows of a call whose end nobody has told. That it exists does not say that somebody has
/// answered; its `endpoint_disposition` does (switch_channel.c, `switch_channel_perform_mark_answered`).
async fn asked_about(call: &Call) -> DialProgress {
    let asked = call.node.api(&format!("uuid_getvar {} endpoint_disposition", call.call_id)).await;
    match asked.map(|reply| reply.text()).as_deref().map(str::trim_end) {
        Ok("ANSWER") => DialProgress::Answered,
        Ok("-ERR No such channel!") => DialProgress::Failed { reason: NOT_SEEN.to_owned() },
        // Permissions, for instance.
        Ok(words) if words.starts_with('-') => DialProgress::Unknown { reason: NOT_ASKED },
        Ok(_) => DialProgress::Unknown { reason: RINGS_ON },
        Err(_) => DialProgress::Unknown { reason: NOT_ASKED },
    }
}

/// A random identifier (RFC 9562, version 4), as FreeSWITCH writes its own.
fn uuid() -> String {
    let random = rand::random::<u128>();
    let bits = random & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let digits = format!("{bits:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_one_and_no_two_are_the_same() {
        let (one, other) = (uuid(), uuid());
        assert!(super::super::is_uuid(&one) && one != other, "{one} {other}");
        let parts: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]), "{one}");
    }

    #[test]
    fn a_call_is_answered_only_if_freeswitch_says_so() {
        let failed = |reason: &str| DialProgress::Failed { reason: reason.to_owned() };
        for (printed, meant) in [
            ("+OK b73bf1be-3131-4c01-b2e5-58c2ee3ec6e1\n", DialProgress::Answered),
            ("-ERR USER_BUSY\n", failed("USER_BUSY")),
            ("-USAGE: originate <call url>\n", failed("-USAGE: originate <call url>")),
            ("Command returned no output!", failed("Command returned no output!")),
            ("", failed("")),
        ] {
            assert_eq!(end_of(printed), meant, "{printed:?}");
        }
    }
}
