//! One caller from his parking to his conference.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::timeout_at;

use super::dialogue::{Dialogue, Next, Question, Refusal, Role};
use super::entrance::{Entrance, Manner};
use super::figures::count;
use super::guesses::Suspect;
use super::joining::{Joining, Sounds, bridge};
use super::line::{Gone, Line};
use super::places::Place;
use super::prompts::Prompt;
use super::{Counted, Inner};
use crate::actions::words::{SipUri, Sound};
use crate::auth::AccountId;
use crate::documents::{Document, NumberRole};
use crate::model::{CallNews, Moment, Notice, NoticeKind, ParkedCall, Typed};
use crate::node::{MARK, Node};
use crate::store::StoreError;

/// The realm of claims in mod_hash.
const CLAIMS: &str = "convened_callin";
/// What phones say who hide their number.
const HIDDEN: [&str; 5] = ["anonymous", "unknown", "restricted", "unavailable", "private"];

/// Somebody who may go in.
#[derive(Clone)]
pub(super) struct Admitted {
    entrance: Entrance,
    role: Role,
    name: Option<Sound>,
    /// Kept until he has been seen inside.
    _place: Option<Arc<Place>>,
}

/// How it ended.
enum Way {
    Joined,
    Bridged(Arc<str>),
}

/// Why it did not come to that.
enum End {
    Refused(Refusal),
    Gone(Gone),
}

impl From<Gone> for End {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What is known of where a caller wants to.
#[derive(Default)]
struct Wanted {
    account: Option<AccountId>,
    conference_id: Option<Arc<str>>,
    language: Option<String>,
    role: Option<Role>,
    answered: bool,
}

impl Inner {
    /// Takes a call to its end, or to its conference.
    pub(super) async fn attend(
        self: Arc<Self>,
        node: Node,
        call: ParkedCall,
        news: mpsc::Receiver<CallNews>,
        found: bool,
    ) {
        if self.config.shared && !self.claim(&node, &call).await {
            count(&self.figures.of_others);
            return;
        }
        count(&self.figures.taken);
        let mut line = Line::new(node, call.call_id.clone(), news, self.patience);
        let mut wanted = Wanted { answered: call.is_answered, ..Wanted::default() };
        let end = self.serve(&mut line, &call, found, &mut wanted).await;
        let (node, id, number) = (line.node.name().clone(), &*call.call_id, &*call.number);
        let conference = wanted.conference_id.as_deref();
        match end {
            Ok(Way::Joined) => {
                count(&self.figures.joined);
                let role = if wanted.role == Some(Role::Moderator) { "moderator" } else { "member" };
                tracing::info!(node = &*node, call = id, number, conference, role, "a caller was let in");
            }
            Ok(Way::Bridged(to)) => {
                count(&self.figures.bridged);
                tracing::info!(
                    node = &*node,
                    call = id,
                    number,
                    conference,
                    to = &*to,
                    "a caller was bridged to the node of his conference"
                );
            }
            Err(End::Refused(refusal)) => {
                self.figures.refuse(refusal);
                tracing::info!(
                    node = &*node,
                    call = id,
                    number,
                    conference,
                    reason = refusal.word(),
                    "a caller was not let in"
                );
                self.tell(&call, &node, refusal, &wanted);
                self.refuse(&mut line, refusal, &wanted).await;
            }
            Err(End::Gone(Gone::HungUp)) => {
                count(&self.figures.hung_up);
                tracing::debug!(node = &*node, call = id, number, "a caller has hung up");
            }
            Err(End::Gone(Gone::Stuck(why))) => {
                count(&self.figures.stuck);
                tracing::warn!(node = &*node, call = id, number, conference, "a caller is hung up: {why}");
                line.hang_up("NORMAL_TEMPORARY_FAILURE").await;
            }
        }
        if self.config.shared
            && let Err(error) = line.node.api(&format!("hash delete/{CLAIMS}/{id}")).await
        {
            tracing::debug!(
                node = &*node,
                call = id,
                "the claim of a call stays until the switch ends: {error}"
            );
        }
    }

    /// Claims a call among all daemons; one that has the claim already has been here before.
    async fn claim(&self, node: &Node, call: &ParkedCall) -> bool {
        let (id, daemon) = (&*call.call_id, &self.parts.daemon);
        let claimed = node.api(&format!("hash insert_ifempty/{CLAIMS}/{id}/{daemon}")).await;
        let why = match claimed.map(|reply| reply.text()) {
            Ok(reply) if reply.starts_with("+OK") => return true,
            Ok(reply) if reply.contains("already exists") => {
                let holder = node.api(&format!("hash select/{CLAIMS}/{id}")).await;
                return holder.is_ok_and(|holder| holder.text().trim() == daemon);
            }
            Ok(reply) => reply.trim().to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::error!(
            node = &**node.name(),
            call = id,
            "a call cannot be claimed and is left alone (mod_hash): {why}"
        );
        false
    }

    async fn serve(
        &self,
        line: &mut Line,
        call: &ParkedCall,
        found: bool,
        wanted: &mut Wanted,
    ) -> Result<Way, End> {
        if !call.is_marked {
            line.set(MARK, "true").await?;
        }
        if found {
            // Whatever an earlier daemon has asked him; that nothing was played is no error.
            let _ = line.node.api(&format!("uuid_break {} all", call.call_id)).await;
        }
        if let Some(ticket) = call.ticket.as_deref()
            && let Some(admitted) = self.tickets.take(ticket, Instant::now())
        {
            wanted.note(&admitted.entrance, admitted.role);
            return self.enter(line, admitted).await;
        }
        if !call.caller_number.is_empty()
            && self.config.banned.iter().any(|banned| **banned == *call.caller_number)
        {
            return Err(Refusal::Banned.into());
        }
        let Some(_attended) = Counted::below(&self.attended, self.config.max_dialogues as usize) else {
            return Err(Refusal::Busy.into());
        };
        let account = self.account(call);
        wanted.account.clone_from(&account);
        let mut entrance = self.find(account.as_ref(), &call.number).await?;
        let mut dialogue = Dialogue::new(self.config.tries);
        let in_lobby = entrance.is_none() && self.config.lobbies.iter().any(|lobby| **lobby == *call.number);
        if entrance.is_none() && !in_lobby {
            return Err(Refusal::UnknownNumber.into());
        }
        if !wanted.answered {
            line.answer().await?;
            wanted.answered = true;
        }
        let mut next = match &entrance {
            Some(entrance) => {
                wanted.note_entrance(entrance);
                if entrance.play_welcome {
                    dialogue = dialogue.welcoming();
                }
                self.at_door(&mut dialogue, entrance, call)
            }
            None => dialogue.begin_in_lobby(),
        };
        loop {
            next = match next {
                Next::Ask(question, prompts) => {
                    let typed = self.ask(line, question, &prompts, wanted).await?;
                    dialogue.typed(typed.as_ref())
                }
                Next::LookUp(number) => {
                    entrance = self.find(account.as_ref(), number.expose()).await?;
                    match &entrance {
                        Some(entrance) => {
                            wanted.note_entrance(entrance);
                            self.found(&mut dialogue, entrance, call)
                        }
                        None => dialogue.found(None),
                    }
                }
                Next::Wrong => {
                    count(&self.figures.wrong_pins);
                    let suspects =
                        entrance.as_ref().map(|entrance| suspects(entrance, call)).unwrap_or_default();
                    self.count_wrong(&suspects);
                    dialogue.may_go_on(!self.guesses.is_locked_out(&suspects, Instant::now()))
                }
                Next::Refuse(refusal) => return Err(refusal.into()),
                Next::Admit(role) => {
                    let Some(entrance) = entrance else { return Err(Refusal::UnknownNumber.into()) };
                    wanted.note(&entrance, role);
                    if let Some(sound) =
                        self.prompts.sounds(&dialogue.take_greeting(), wanted.language.as_deref())
                    {
                        line.play(&sound).await?;
                    }
                    let admitted = self.admit(line, entrance, role).await?;
                    return self.enter(line, admitted).await;
                }
            };
        }
    }

    /// Begins at a door, unless too many wrong PINs came from there, or were typed for it.
    fn at_door(&self, dialogue: &mut Dialogue, entrance: &Entrance, call: &ParkedCall) -> Next {
        match dialogue.begin_at(entrance.pins.clone()) {
            Next::Ask(Question::Pin, _) if self.is_locked_out(entrance, call) => {
                Next::Refuse(Refusal::LockedOut)
            }
            next => next,
        }
    }

    fn found(&self, dialogue: &mut Dialogue, entrance: &Entrance, call: &ParkedCall) -> Next {
        match dialogue.found(Some(entrance.pins.clone())) {
            Next::Ask(Question::Pin, _) if self.is_locked_out(entrance, call) => {
                Next::Refuse(Refusal::LockedOut)
            }
            next => next,
        }
    }

    fn is_locked_out(&self, entrance: &Entrance, call: &ParkedCall) -> bool {
        self.guesses.is_locked_out(&suspects(entrance, call), Instant::now())
    }

    fn count_wrong(&self, suspects: &[Suspect]) {
        for locked in self.guesses.wrong(suspects, Instant::now()) {
            let lockout_s = self.config.lockout_s;
            match locked {
                Suspect::Caller(account, number) => {
                    tracing::warn!(
                        account = &*account,
                        caller = &*number,
                        lockout_s,
                        "too many wrong PINs: no more are taken from this caller"
                    );
                }
                Suspect::Conference(conference) => {
                    tracing::warn!(
                        conference = &*conference,
                        lockout_s,
                        "too many wrong PINs: no more are taken for this conference"
                    );
                }
            }
        }
    }

    async fn ask(
        &self,
        line: &mut Line,
        question: Question,
        prompts: &[Prompt],
        wanted: &Wanted,
    ) -> Result<Option<Typed>, End> {
        let Some(sound) = self.prompts.sounds(prompts, wanted.language.as_deref()) else {
            return Err(Gone::Stuck("a prompt cannot be played".to_owned()).into());
        };
        Ok(line.ask(question, &sound).await?)
    }

    /// Whose the call is, if its channel or the dialled domain says so.
    fn account(&self, call: &ParkedCall) -> Option<AccountId> {
        if let Some(account) = &call.account {
            match account.parse() {
                Ok(account) => return Some(account),
                Err(error) => tracing::warn!(call = &*call.call_id, "its account_id is none: {error}"),
            }
        }
        self.domains.get(call.domain.as_deref()?).cloned()
    }

    /// What a number leads to: in that account, or in the only one that has it.
    async fn find(&self, account: Option<&AccountId>, number: &str) -> Result<Option<Entrance>, End> {
        let found = self.look_up(account, number).await.map_err(|error| {
            tracing::warn!(number, "the conference of a number cannot be looked up: {error}");
            End::Refused(Refusal::Unavailable)
        })?;
        Ok(found.map(|(document, role)| Entrance::of(&document, role)))
    }

    async fn look_up(
        &self,
        account: Option<&AccountId>,
        number: &str,
    ) -> Result<Option<(Document, NumberRole)>, StoreError> {
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        match account {
            Some(account) => self.parts.documents.by_number(account, number).await,
            None => {
                let mut found = self.parts.documents.by_number_anywhere(number, 2).await?;
                // With two accounts nobody can say which is meant.
                Ok(if found.len() == 1 { found.pop() } else { None })
            }
        }
    }

    /// Judges locks, takes a place, and has the caller say his name.
    async fn admit(&self, line: &mut Line, entrance: Entrance, role: Role) -> Result<Admitted, End> {
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
        Ok(Admitted { entrance, role, name, _place: Some(Arc::new(place)) })
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
    async fn enter(&self, line: &mut Line, admitted: Admitted) -> Result<Way, End> {
        let (here, id) = (line.node.name().clone(), admitted.entrance.conference_id.clone());
        if let Some(there) = self.runs_elsewhere(&here, &line.call_id, &id) {
            if let Some(to) = self.sip_uris.get(&there).and_then(|uri| SipUri::new(uri).ok()) {
                let to = self.parts.uri.uri(&to);
                let ticket = self.tickets.give(admitted, Instant::now());
                line.api(&bridge(&line.call_id, &to, &ticket)).await?;
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

    /// Transfers, and waits until the caller is seen in the conference.
    async fn go(&self, line: &mut Line, conference: &str, transfer: &str) -> Result<(), End> {
        let deadline = tokio::time::Instant::now() + Duration::from_millis(self.config.join_timeout_ms);
        let mut arrives = self.arrivals.await_call(&line.call_id, conference);
        let call = line.call_id.clone();
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
                        Ok(Err(_)) => arrives = self.arrivals.await_call(&call, conference),
                        Err(_) if is_in() => return Ok(()),
                        Err(_) => return Err(self.not_seen(line, conference).await),
                    },
                    () = line.gone() => return Err(End::Gone(Gone::HungUp)),
                }
            }
        };
        let ended = ended.await;
        self.arrivals.give_up(&call);
        ended
    }

    /// Why somebody has not been seen in his conference.
    async fn not_seen(&self, line: &Line, conference: &str) -> End {
        line.node.look_at(conference);
        match line.node.call(&line.call_id).await {
            Ok(None) => {
                let instances = self.parts.registry.conference(conference);
                // FreeSWITCH lets him go without a word if it was locked meanwhile.
                if instances.iter().any(|instance| instance.is_locked()) {
                    return End::Refused(Refusal::Locked);
                }
                End::Gone(Gone::HungUp)
            }
            Ok(Some(_)) => {
                let within = self.config.join_timeout_ms;
                End::Gone(Gone::Stuck(format!("he was not seen in his conference within {within} ms")))
            }
            Err(error) => End::Gone(error.into()),
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

    fn tell(&self, call: &ParkedCall, node: &Arc<str>, refusal: Refusal, wanted: &Wanted) {
        let account = wanted.account.as_ref().or(self.parts.default_account.as_ref());
        self.parts.hub.notify(Notice {
            kind: NoticeKind::Rejected {
                reason: refusal.word(),
                number: (*call.number).into(),
                caller_number: (*call.caller_number).into(),
            },
            account: account.map_or("", AccountId::as_str).into(),
            conference_id: wanted.conference_id.clone().unwrap_or_else(|| "-".into()),
            call_id: call.call_id.clone(),
            node: node.clone(),
            at_unix_ms: Moment::now().unix_ms,
        });
    }

    /// Tells the caller why, and hangs up.
    async fn refuse(&self, line: &mut Line, refusal: Refusal, wanted: &Wanted) {
        let cause = match refusal {
            Refusal::UnknownNumber => "UNALLOCATED_NUMBER",
            Refusal::Full => "USER_BUSY",
            Refusal::Busy => "SWITCH_CONGESTION",
            Refusal::Unavailable => "NORMAL_TEMPORARY_FAILURE",
            _ => "CALL_REJECTED",
        };
        // So many hear that there are too many; the others hear their own network.
        let heard = Counted::below(&self.refused, self.config.max_dialogues as usize);
        if heard.is_some() {
            let prompts: &[Prompt] = match refusal {
                Refusal::BadPin => &[Prompt::BadPin, Prompt::TooManyAttempts],
                _ => &[refusal.prompt()],
            };
            let told = async {
                if !wanted.answered {
                    line.answer().await?;
                }
                match self.prompts.sounds(prompts, wanted.language.as_deref()) {
                    Some(sound) => line.play(&sound).await,
                    None => Ok(()),
                }
            };
            match told.await {
                Ok(()) => {}
                Err(Gone::HungUp) => return,
                Err(Gone::Stuck(why)) => {
                    tracing::warn!(
                        node = &**line.node.name(),
                        call = &*line.call_id,
                        "a caller did not hear why: {why}"
                    );
                }
            }
        }
        line.hang_up(cause).await;
    }
}

impl Wanted {
    fn note_entrance(&mut self, entrance: &Entrance) {
        self.account = Some(entrance.account.clone());
        self.conference_id = Some(entrance.conference_id.as_str().into());
        self.language.clone_from(&entrance.language);
    }

    fn note(&mut self, entrance: &Entrance, role: Role) {
        self.note_entrance(entrance);
        self.role = Some(role);
    }
}

fn suspects(entrance: &Entrance, call: &ParkedCall) -> Vec<Suspect> {
    let conference = Suspect::Conference(entrance.conference_id.as_str().into());
    let number = &*call.caller_number;
    if number.is_empty() || HIDDEN.iter().any(|hidden| hidden.eq_ignore_ascii_case(number)) {
        return vec![conference];
    }
    vec![Suspect::Caller(entrance.account.as_str().into(), number.into()), conference]
}
