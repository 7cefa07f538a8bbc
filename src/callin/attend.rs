//! One caller from his parking to his conference.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;

use super::dialogue::{Dialogue, Next, Question, Refusal, Role};
use super::entrance::Entrance;
use super::figures::count;
use super::guesses::Suspect;
use super::line::{Gone, Line};
use super::prompts::Prompt;
use super::{Counted, Inner};
use crate::auth::AccountId;
use crate::model::{CallNews, ParkedCall, Typed};
use crate::node::{MARK, Node};

/// What phones say who hide their number.
const HIDDEN: [&str; 5] = ["anonymous", "unknown", "restricted", "unavailable", "private"];

/// What is left of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing that concerns us.
    Over,
    /// It waits on: the switch took no commands.
    Waits,
}

/// How it ended.
pub(super) enum Way {
    Joined,
    Bridged(Arc<str>),
}

/// Why it did not come to that.
pub(super) enum End {
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
pub(super) struct Wanted {
    pub(super) account: Option<AccountId>,
    pub(super) conference_id: Option<Arc<str>>,
    pub(super) language: Option<String>,
    role: Option<Role>,
    pub(super) answered: bool,
}

impl Inner {
    /// Takes a call to its end, or to its conference; whether it has to be taken up once more.
    pub(super) async fn attend(
        self: Arc<Self>,
        node: Node,
        call: ParkedCall,
        news: mpsc::Receiver<CallNews>,
    ) -> After {
        let mut after = After::Over;
        if self.config.shared && !self.claim(&node, &call).await {
            count(&self.figures.of_others);
            return after;
        }
        count(&self.figures.taken);
        let mut line = Line::new(node, &call, news, self.patience);
        let mut call = call;
        let (end, wanted) = loop {
            let mut wanted = Wanted { answered: call.is_answered, ..Wanted::default() };
            match self.serve(&mut line, &call, &mut wanted).await {
                // Somebody may have sent him to where he is parked for us once more.
                Err(End::Gone(Gone::Taken)) => match line.parked_again().await {
                    Some(again) => call = again,
                    None => break (Err(End::Gone(Gone::Taken)), wanted),
                },
                end => break (end, wanted),
            }
        };
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
            Err(End::Gone(Gone::Taken)) => {
                count(&self.figures.taken_away);
                tracing::info!(node = &*node, call = id, number, "somebody has sent a caller elsewhere");
                // Nothing of it is told to us any more; if that cannot be said, it is gone.
                let _ = line.set(MARK, "elsewhere").await;
            }
            Err(End::Gone(Gone::Stuck(why))) => {
                count(&self.figures.stuck);
                tracing::warn!(node = &*node, call = id, number, conference, "a caller is hung up: {why}");
                if !line.hang_up("NORMAL_TEMPORARY_FAILURE").await {
                    // It waits on: as soon as the switch takes commands again it is taken up.
                    after = After::Waits;
                }
            }
        }
        if self.config.shared {
            self.give_back(&line.node, id).await;
        }
        after
    }

    async fn serve(&self, line: &mut Line, call: &ParkedCall, wanted: &mut Wanted) -> Result<Way, End> {
        // What is typed is a PIN: FreeSWITCH masks it in `digits_dialed` of its records (switch_channel.c,
        // `switch_channel_set_timestamps`).
        line.api(&format!("uuid_setvar_multi {} {MARK}=true;digits_dialed_filter=(.+)", call.call_id))
            .await?;
        if let Some(ticket) = call.ticket.as_deref()
            && let Some(admitted) = self.tickets.take(ticket, Instant::now())
        {
            wanted.note(&admitted.entrance, admitted.role);
            return self.enter(line, admitted).await;
        }
        // A call of nobody's is not taken for somebody's.
        let account = self.account(call).map_err(|()| Refusal::UnknownNumber)?;
        wanted.account.clone_from(&account);
        if !call.caller_number.is_empty()
            && self.banned.load().iter().any(|banned| **banned == *call.caller_number)
        {
            return Err(Refusal::Banned.into());
        }
        let Some(_attended) = Counted::below(&self.attended, self.config.max_dialogues as usize) else {
            return Err(Refusal::Busy.into());
        };
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
                    // Others may have guessed meanwhile: then the right one is not taken either.
                    let is_pin = question == Question::Pin && typed.is_some();
                    match &entrance {
                        Some(entrance) if is_pin && self.is_locked_out(entrance, call) => {
                            dialogue.without_pin()
                        }
                        _ => dialogue.typed(typed.as_ref()),
                    }
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
                    let Some(known) = entrance else { return Err(Refusal::UnknownNumber.into()) };
                    // The document may have been changed or deleted while he was asked.
                    let Some(fresh) = self.again(&known).await? else {
                        return Err(Refusal::UnknownNumber.into());
                    };
                    if fresh.pins != known.pins {
                        next = dialogue.begin_at(fresh.pins.clone());
                        entrance = Some(fresh);
                        continue;
                    }
                    let entrance = fresh;
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

    /// Begins at a door. If too many wrong PINs came from there, or were typed for it, nobody is asked for one.
    fn at_door(&self, dialogue: &mut Dialogue, entrance: &Entrance, call: &ParkedCall) -> Next {
        let next = dialogue.begin_at(entrance.pins.clone());
        self.unless_locked_out(dialogue, next, entrance, call)
    }

    fn found(&self, dialogue: &mut Dialogue, entrance: &Entrance, call: &ParkedCall) -> Next {
        let next = dialogue.found(Some(entrance.pins.clone()));
        self.unless_locked_out(dialogue, next, entrance, call)
    }

    fn unless_locked_out(
        &self,
        dialogue: &mut Dialogue,
        next: Next,
        entrance: &Entrance,
        call: &ParkedCall,
    ) -> Next {
        match next {
            Next::Ask(Question::Pin, _) if self.is_locked_out(entrance, call) => dialogue.without_pin(),
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
        let asked = Instant::now();
        let typed = line.ask(question, &sound).await?;
        if typed.is_none() && asked.elapsed() < self.patience.answer {
            // A file that is not there ends all tries at once, as `#` alone ends one.
            let (node, call) = (&**line.node.name(), &*line.call_id);
            tracing::info!(node, call, prompt = %sound, "nothing was typed, or the switch cannot play the prompt");
        }
        Ok(typed)
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
