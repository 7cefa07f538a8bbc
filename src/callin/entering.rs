//! The way in for somebody who may: locks, places, his name, the transfer, and that he is seen there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use super::Inner;
use super::attend::{End, Way};
use super::dialogue::{Refusal, Role};
use super::entrance::{Entrance, Manner};
use super::joining::{Joining, Sounds, bridge};
use super::line::{Gone, Line};
use super::places::Place;
use super::prompts::Prompt;
use super::tickets::VALID;
use crate::actions::words::{SipUri, Sound};

/// Somebody who may go in.
#[derive(Clone)]
pub(super) struct Admitted {
    pub(super) entrance: Entrance,
    pub(super) role: Role,
    name: Option<Sound>,
    /// Kept until he has been seen inside.
    _place: Arc<Place>,
}

impl Inner {
    /// Judges locks, takes a place, and has the caller say his name.
    pub(super) async fn admit(
        &self,
        line: &mut Line,
        entrance: Entrance,
        role: Role,
    ) -> Result<Admitted, End> {
        let moderator = role == Role::Moderator;
        let instances = self.parts.registry.conference(&entrance.conference_id);
        let is_locked = instances.iter().any(|instance| instance.is_locked());
        if is_locked && !(moderator && self.config.moderators_over_lock) {
            return Err(Refusal::Locked.into());
        }
        let most = entrance.max_participants.filter(|_| !(moderator && self.config.moderators_over_limit));
        let (registry, by) = (&self.parts.registry, (line.node.name(), &line.call_id));
        let Some(place) = self.places.take(registry, &entrance.conference_id, by, most) else {
            return Err(Refusal::Full.into());
        };
        let name = match (&self.config.names, entrance.play_name) {
            (Some(directory), true) => self.name(line, directory, entrance.language.as_deref()).await?,
            _ => None,
        };
        Ok(Admitted { entrance, role, name, _place: Arc::new(place) })
    }

    /// Has the caller say his name.
    async fn name(
        &self,
        line: &mut Line,
        directory: &str,
        language: Option<&str>,
    ) -> Result<Option<Sound>, End> {
        let path = format!("{}/{:032x}.wav", directory.trim_end_matches('/'), rand::random::<u128>());
        let (Some(prompt), Ok(file)) = (self.prompts.sound(Prompt::SayName, language), Sound::new(&path))
        else {
            return Ok(None);
        };
        line.play(&prompt).await?;
        line.record(&file, self.config.name_limit_s).await?;
        Ok(Some(file))
    }

    /// The caller goes in, here or on the node where his conference runs.
    pub(super) async fn enter(&self, line: &mut Line, admitted: Admitted) -> Result<Way, End> {
        let (here, id) = (line.node.name().clone(), admitted.entrance.conference_id.clone());
        if let Some(there) = self.runs_elsewhere(&here, &line.call_id, &id) {
            let to = self.sip_uris.load().get(&there).and_then(|uri| SipUri::new(uri).ok());
            if let Some(to) = to {
                let to = self.parts.uri.uri(&to);
                let ticket = self.tickets.give(admitted, Instant::now());
                let bridged = line.api(&bridge(&line.call_id, &to, &ticket)).await;
                if bridged.is_err() {
                    self.tickets.expire(&ticket);
                }
                bridged?;
                self.expect(ticket, there.clone(), id);
                return Ok(Way::Bridged(there));
            }
            tracing::info!(
                node = &*here,
                conference = id,
                also_on = &*there,
                "the conference runs on two nodes: {there} has no sip_uri"
            );
        }
        let Admitted { entrance, role, name, _place } = admitted;
        let waits = entrance.waits && role == Role::Member && !self.has_moderator(&id);
        let own = entrance.manner(role);
        let joining = Joining {
            entrance: &entrance,
            role,
            manner: if waits { Manner { muted: true, deaf: true } } else { own },
            passes_locks: role == Role::Moderator && self.config.moderators_over_lock,
            name,
        };
        let Sounds { set, refused } = joining.sounds(&self.prompts, &self.parts.media);
        for (key, why) in refused {
            tracing::warn!(conference = id, "{key} of its document is not played: it {why}");
        }
        for (name, sound) in set {
            line.set(name, &sound.to_string()).await?;
        }
        let transfer = joining.transfer(&line.call_id).map_err(|why| Gone::Stuck(why.to_string()))?;
        self.go(line, &id, &transfer).await?;
        if entrance.waits {
            self.comes_in(&entrance, &line.call_id, waits.then_some(own));
        }
        Ok(Way::Joined)
    }

    /// The place of somebody who was bridged and does not come in is free after a while.
    fn expect(&self, ticket: String, there: Arc<str>, conference: String) {
        let Some(inner) = self.me.upgrade() else { return };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let late = stop.run_until_cancelled(tokio::time::sleep(VALID)).await;
            if late.is_some() && inner.tickets.expire(&ticket) {
                tracing::warn!(
                    node = &*there,
                    conference,
                    "a caller who was bridged has not come in: can this node be reached by its sip_uri?"
                );
            }
        });
    }

    /// Transfers, and waits until the caller is seen in the conference.
    async fn go(&self, line: &mut Line, conference: &str, transfer: &str) -> Result<(), End> {
        let deadline = tokio::time::Instant::now() + Duration::from_millis(self.config.join_timeout_ms);
        let mut arrives = self.arrivals.await_call(line.node.name(), &line.call_id, conference);
        let (here, call) = (line.node.name().clone(), line.call_id.clone());
        let sent = line.api(transfer).await;
        let is_in = || {
            let instances = self.parts.registry.conference(conference);
            instances.iter().any(|instance| instance.by_call_id(&call).is_some())
        };
        let ended = async {
            sent?;
            loop {
                tokio::select! {
                    arrived = timeout_at(deadline, &mut arrives) => match arrived {
                        Ok(Ok(_)) => return Ok(()),
                        // Changes were missed; or the time is over, and perhaps only the event was.
                        Ok(Err(_)) if is_in() => return Ok(()),
                        Ok(Err(_)) => arrives = self.arrivals.await_call(&here, &call, conference),
                        Err(_) if is_in() => return Ok(()),
                        Err(_) => return self.not_seen(line, conference).await,
                    },
                    () = line.gone() => return Err(End::Gone(Gone::HungUp)),
                }
            }
        };
        let ended = ended.await;
        self.arrivals.give_up(&here, &call);
        ended
    }

    /// Why somebody has not been seen in his conference.
    async fn not_seen(&self, line: &Line, conference: &str) -> Result<(), End> {
        line.node.look_at(conference);
        match line.node.call(&line.call_id).await {
            Ok(None) => {
                let instances = self.parts.registry.conference(conference);
                // FreeSWITCH lets him go without a word if it was locked meanwhile.
                if instances.iter().any(|instance| instance.is_locked()) {
                    return Err(End::Refused(Refusal::Locked));
                }
                Err(End::Gone(Gone::HungUp))
            }
            // Its events do not reach us just now; he is in all the same, and nobody ends his call for it.
            Ok(Some(now)) if now.conference.as_deref() == Some(conference) => {
                tracing::info!(
                    conference,
                    call = &*line.call_id,
                    "by the switch's word he is in, and no event has told of it"
                );
                Ok(())
            }
            Ok(Some(_)) => {
                let within = self.config.join_timeout_ms;
                Err(End::Gone(Gone::Stuck(format!("he was not seen in his conference within {within} ms"))))
            }
            Err(error) => Err(End::Gone(error.into())),
        }
    }

    /// The node of a conference that runs, or begins just now, and not here.
    fn runs_elsewhere(&self, here: &Arc<str>, call: &str, conference: &str) -> Option<Arc<str>> {
        let instances = self.parts.registry.conference(conference);
        if instances.iter().any(|instance| instance.node == *here) {
            return None;
        }
        let there =
            instances.iter().find(|instance| !instance.is_stale()).map(|instance| instance.node.clone());
        there.or_else(|| self.places.heading(conference, call)).filter(|there| there != here)
    }
}
