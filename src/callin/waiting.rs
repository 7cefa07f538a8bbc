//! Members without a moderator: they hear music, and neither hear nor are heard, until one comes.
//!
//! ```text
//! member joins muted and deaf ─▶ waits, with music ─▶ a moderator joins ─▶ as the document says, or as he was
//!                                      ▲                      │ the last one leaves, and the document requires one
//!                                      └──────────────────────┘
//! ```
//!
//! What somebody was before is kept here and nowhere else: if the daemon dies, those who wait stay muted and deaf until
//! somebody unmutes them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use futures_util::StreamExt;
use futures_util::stream;

use super::Inner;
use super::entrance::{Entrance, Manner};
use super::prompts::Prompt;
use crate::actions::words::Media;
use crate::model::{ActionResult, Flag, Outcome, ParticipantAction};
use crate::registry::{Change, ChangeKind, Conference, Participant, Reason};

/// So long it is remembered who waits in a conference that is out of reach.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// So many are let in, or made to wait, at the same time.
const AT_ONCE: usize = 16;
/// How often it is tried with one whom the switch does not do it for.
const TRIES: u32 = 3;
const AGAIN: Duration = Duration::from_secs(1);

/// Who waits for a moderator, in which conference.
#[derive(Debug, Default)]
pub struct Waiting(DashMap<Box<str>, Arc<Room>>);

/// A conference with people who wait, or may have to.
#[derive(Debug, Default)]
struct Room {
    /// Its document requires a moderator at all times.
    again: AtomicBool,
    /// One has been there.
    had_one: AtomicBool,
    /// Who waits, and what he was.
    people: Mutex<HashMap<Arc<str>, Manner>>,
    /// One after the other.
    turn: tokio::sync::Mutex<()>,
    language: Mutex<Option<String>>,
    /// Since when nothing of it is known.
    gone_since: Mutex<Option<Instant>>,
}

impl Room {
    fn people(&self) -> MutexGuard<'_, HashMap<Arc<str>, Manner>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether a call waits for a moderator in that conference.
    #[must_use]
    pub fn is_waiting(&self, conference: &str, call: &str) -> bool {
        self.room(conference).is_some_and(|room| room.people().contains_key(call))
    }

    /// Somebody who waits was muted, unmuted, deafened or undeafened by request: that is what he is to be afterwards.
    pub fn was_told(&self, conference: &str, action: &ParticipantAction, results: &[ActionResult]) {
        let change: fn(&mut Manner) = match action {
            ParticipantAction::Mute => |own| own.muted = true,
            ParticipantAction::Unmute => |own| own.muted = false,
            ParticipantAction::Deaf => |own| own.deaf = true,
            ParticipantAction::Undeaf => |own| own.deaf = false,
            _ => return,
        };
        let Some(room) = self.room(conference) else { return };
        let mut people = room.people();
        for result in
            results.iter().filter(|result| matches!(result.outcome, Outcome::Done | Outcome::Already))
        {
            if let Some(own) = result.call_id.as_ref().and_then(|call| people.get_mut(call)) {
                change(own);
            }
        }
    }

    fn room(&self, conference: &str) -> Option<Arc<Room>> {
        self.0.get(conference).map(|room| room.clone())
    }
}

impl Inner {
    /// Whether a moderator is in a conference.
    pub(super) fn has_moderator(&self, conference: &str) -> bool {
        let instances = self.parts.registry.conference(conference);
        instances.iter().any(|instance| {
            instance.participants().iter().any(|participant| participant.state().has(Flag::Moderator))
        })
    }

    /// Somebody has come in who waits if `held`; then that is what he was to be.
    pub(super) fn comes_in(&self, entrance: &Entrance, call: &Arc<str>, held: Option<Manner>) {
        self.forget();
        let room = self.parts.waiting.0.entry(entrance.conference_id.as_str().into()).or_default().clone();
        room.again.store(entrance.waits_again, Ordering::Release);
        room.language.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&entrance.language);
        if let Some(own) = held {
            room.people().insert(call.clone(), own);
            self.play_music(&room, &entrance.conference_id, call.clone());
        }
        // A moderator may have come in between.
        self.settle(&entrance.conference_id);
    }

    /// Looks whether a change is one for those who wait.
    pub(super) fn waited(&self, change: &Change) {
        let kinds = [ChangeKind::Joined, ChangeKind::Left, ChangeKind::ConferenceDestroyed];
        if !kinds.contains(&change.kind) || self.parts.waiting.0.is_empty() {
            return;
        }
        let name = &*change.conference.name;
        let Some(room) = self.parts.waiting.room(name) else { return };
        match (change.kind, &change.participant) {
            // Who is out of reach is still there, as far as anybody knows, and waits when the node is back.
            _ if change.reason == Reason::NodeLost => {}
            (ChangeKind::ConferenceDestroyed, _) if self.parts.registry.conference(name).is_empty() => {
                self.parts.waiting.0.remove(name);
            }
            (_, Some((_, state))) if state.has(Flag::Moderator) => self.settle(name),
            (ChangeKind::Left, Some((participant, _))) => drop(room.people().remove(&participant.call_id)),
            _ => {}
        }
    }

    /// Conferences that went with their node and have not been seen again for long are over.
    fn forget(&self) {
        let now = Instant::now();
        self.parts.waiting.0.retain(|name, room| {
            let mut since = room.gone_since.lock().unwrap_or_else(PoisonError::into_inner);
            match self.parts.registry.conference(name).is_empty() {
                true => now.duration_since(*since.get_or_insert(now)) < FORGOTTEN_AFTER,
                false => {
                    *since = None;
                    true
                }
            }
        });
    }

    /// Changes were missed.
    pub(super) fn settle_all(&self) {
        let names: Vec<_> = self.parts.waiting.0.iter().map(|room| room.key().clone()).collect();
        for name in names {
            match self.parts.registry.conference(&name).is_empty() {
                true => drop(self.parts.waiting.0.remove(&name)),
                false => self.settle(&name),
            }
        }
    }

    /// Lets everybody hear and speak if a moderator is there, or makes them wait if the last one has gone.
    fn settle(&self, conference: &str) {
        let (Some(room), Some(inner)) = (self.parts.waiting.room(conference), self.me.upgrade()) else {
            return;
        };
        let (conference, stop) = (conference.to_owned(), self.stop.clone());
        self.tasks.spawn(async move {
            let settling = async {
                let _turn = room.turn.lock().await;
                if inner.has_moderator(&conference) {
                    room.had_one.store(true, Ordering::Release);
                    inner.release(&room, &conference).await;
                } else if room.again.load(Ordering::Acquire) && room.had_one.load(Ordering::Acquire) {
                    inner.hold(&room, &conference).await;
                }
            };
            stop.run_until_cancelled(settling).await;
        });
    }

    async fn release(&self, room: &Room, conference: &str) {
        let waiting: Vec<_> = room.people().iter().map(|(call, own)| (call.clone(), *own)).collect();
        if waiting.is_empty() {
            return;
        }
        tracing::info!(conference, people = waiting.len(), "a moderator is there: nobody waits any more");
        stream::iter(waiting)
            .for_each_concurrent(AT_ONCE, |(call, own)| async move {
                for again in 0..TRIES {
                    if again > 0 {
                        tokio::time::sleep(AGAIN).await;
                    }
                    if self.release_one(conference, &call, own).await {
                        room.people().remove(&call);
                        return;
                    }
                }
                tracing::warn!(
                    conference,
                    call = &*call,
                    "somebody waits on: FreeSWITCH did not let him hear or speak"
                );
            })
            .await;
    }

    /// Whether he is as he was to be, or gone.
    async fn release_one(&self, conference: &str, call: &str, own: Manner) -> bool {
        let Some((instance, participant)) = self.participant(conference, call) else { return true };
        let act = |action| self.parts.switchboard.participant(&instance, &participant, action);
        act(ParticipantAction::StopPlay).await;
        let mut is_so = true;
        for (wanted, action) in
            [(!own.deaf, ParticipantAction::Undeaf), (!own.muted, ParticipantAction::Unmute)]
        {
            if wanted {
                let outcome = act(action).await.outcome;
                is_so &= matches!(outcome, Outcome::Done | Outcome::Already | Outcome::NotFound);
            }
        }
        is_so
    }

    async fn hold(&self, room: &Arc<Room>, conference: &str) {
        let instances = self.parts.registry.conference(conference);
        let all = instances.iter().flat_map(|instance| {
            instance.participants().into_iter().map(|participant| (instance.clone(), participant))
        });
        let members: Vec<_> = all
            .filter(|(_, participant)| {
                let state = participant.state();
                !state.has(Flag::Moderator) && !room.people().contains_key(&participant.call_id)
            })
            .collect();
        if members.is_empty() {
            return;
        }
        tracing::info!(conference, people = members.len(), "no moderator is left: everybody waits");
        stream::iter(members)
            .for_each_concurrent(AT_ONCE, |(instance, participant)| async move {
                let state = participant.state();
                let own = Manner { muted: !state.has(Flag::Speak), deaf: !state.has(Flag::Hear) };
                room.people().insert(participant.call_id.clone(), own);
                for action in [ParticipantAction::Mute, ParticipantAction::Deaf] {
                    let result = self.parts.switchboard.participant(&instance, &participant, action).await;
                    if matches!(result.outcome, Outcome::Failed | Outcome::Unknown) {
                        let call = &*participant.call_id;
                        tracing::warn!(
                            conference,
                            call,
                            "somebody who waits may hear or speak: {:?}",
                            result.problem
                        );
                    }
                }
                self.play_music(room, conference, participant.call_id.clone());
            })
            .await;
    }

    /// Music for one who waits; without it he hears silence.
    fn play_music(&self, room: &Arc<Room>, conference: &str, call: Arc<str>) {
        let language = room.language.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(music) = self.prompts.sound(Prompt::Music, language.as_deref()) else { return };
        let Some(inner) = self.me.upgrade() else { return };
        let (conference, room, stop) = (conference.to_owned(), room.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let playing = async {
                let Some((instance, participant)) = inner.participant(&conference, &call) else { return };
                let play = ParticipantAction::Play(Media::from(music));
                let result = inner.parts.switchboard.participant(&instance, &participant, play).await;
                if result.outcome == Outcome::Failed {
                    tracing::warn!(
                        conference,
                        "who waits for a moderator hears no music: {:?}",
                        result.problem
                    );
                }
                // He may have been released before it began.
                if !room.people().contains_key(&call) {
                    inner
                        .parts
                        .switchboard
                        .participant(&instance, &participant, ParticipantAction::StopPlay)
                        .await;
                }
            };
            stop.run_until_cancelled(playing).await;
        });
    }

    fn participant(&self, conference: &str, call: &str) -> Option<(Arc<Conference>, Arc<Participant>)> {
        let instances = self.parts.registry.conference(conference);
        instances.iter().find_map(|instance| Some((instance.clone(), instance.by_call_id(call)?)))
    }
}
