//! The third connection: calls that wait in the dialplan, what was executed on them, and their end.
//!
//! ```text
//! connected ─▶ sink lists what waits already ─▶ CHANNEL_PARK, CHANNEL_EXECUTE_COMPLETE, CHANNEL_HANGUP_COMPLETE
//! ```
//!
//! Like the event connection it is only read: whatever is done with a call is said on the command connection, whose
//! answers nothing here delays. Of all channel events FreeSWITCH sends those of parked calls, and of calls that carry
//! [`MARK`]; the rest stays there (mod_event_socket.c, `listener_check_filter`: positive filters are ORed).

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call_word;
use super::commands::{CommandError, Reply};
use super::connection::{Connection, Lost};
use super::handle::{Node, Shared};
use super::keep::tell_trouble;
use super::report::Report;
use crate::esl::{Command, Event, Frame, Value};
use crate::model::{CallNews, ParkedCall, Typed};

/// The channel variable that says that a call is for us; `true` until it is in a conference.
pub const MARK: &str = "convened_callin";
/// The channel variable that digits are read into.
pub const DIGITS: &str = "convened_digits";
/// The header of a SIP request from one node to another that says that a caller was let in already.
pub const TICKET: &str = "X-Convened-Ticket";

/// Takes what happens to calls. It is called on the connection's own task and must return at once.
pub trait CallSink: Send + Sync + 'static {
    /// Events come from now on; what waits since before has to be looked for.
    fn connected(&self, node: &Node);
    /// Something happened to a call.
    fn heard(&self, node: &Node, news: CallNews);
}

/// The headers that are read, by their place.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Header {
    EventName,
    CallId,
    Number,
    Context,
    CallerNumber,
    Account,
    DomainName,
    ToHost,
    Ticket,
    Mark,
    AnswerState,
    ApplicationId,
    Digits,
    ReadResult,
    Conference,
    MemberId,
    Application,
}

const COUNT: usize = Header::Application as usize + 1;

/// In the order of [`Header`]. Names of variables from SIP headers keep the header's spelling (sofia_parse.c).
const NAMES: [&str; COUNT] = [
    "Event-Name",
    "Unique-ID",
    "Caller-Destination-Number",
    "Caller-Context",
    "Caller-Caller-ID-Number",
    "variable_account_id",
    "variable_domain_name",
    "variable_sip_to_host",
    "variable_sip_h_X-Convened-Ticket",
    "variable_convened_callin",
    "Answer-State",
    "Application-UUID",
    "variable_convened_digits",
    "variable_read_result",
    "variable_conference_name",
    "variable_conference_member_id",
    "Application",
];

/// The values of those headers.
struct Fields<'a>([Option<Value<'a>>; COUNT]);

impl<'a> Fields<'a> {
    fn of(event: &'a Event) -> Self {
        let mut values = [None; COUNT];
        for (name, value) in event.headers() {
            if let Some(at) = NAMES.iter().position(|known| known.as_bytes() == name) {
                values[at].get_or_insert(value);
            }
        }
        Self(values)
    }

    fn get(&self, header: Header) -> Option<Value<'a>> {
        self.0[header as usize]
    }
}

/// Reads events of calls out of raw ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallTranslator;

impl CallTranslator {
    /// What an event says of a call; `None` if it says something else.
    #[must_use]
    pub fn news(&self, event: &Event) -> Option<CallNews> {
        let fields = Fields::of(event);
        let text = |header: Header| fields.get(header).map(Value::text);
        let call_id: Arc<str> = text(Header::CallId)?.into();
        match fields.get(Header::EventName)?.raw() {
            b"CHANNEL_PARK" => self.parked(event).map(CallNews::Parked),
            // What was typed until then would read as if it were all (switch_ivr_play_say.c, `switch_play_and_get_digits`).
            b"CHANNEL_EXECUTE_COMPLETE"
                if text(Header::AnswerState).is_some_and(|state| state == "hangup") =>
            {
                Some(CallNews::HungUp { call_id })
            }
            b"CHANNEL_EXECUTE_COMPLETE" if text(Header::Application).is_some_and(|name| name == "park") => {
                Some(CallNews::Unparked { call_id })
            }
            b"CHANNEL_EXECUTE_COMPLETE" => {
                let digits = text(Header::Digits)
                    .filter(|_| text(Header::ReadResult).is_some_and(|result| result == "success"));
                let digits = digits.map(|digits| Typed::new(&digits));
                let boxed = |header| text(header).unwrap_or_default().into();
                let now_at = (boxed(Header::Number), boxed(Header::Context));
                Some(CallNews::Executed { call_id, id: text(Header::ApplicationId)?.into(), digits, now_at })
            }
            b"CHANNEL_HANGUP_COMPLETE" => Some(CallNews::HungUp { call_id }),
            _ => None,
        }
    }

    /// A call as its own headers describe it: in an event, or in what `uuid_dump` prints.
    #[must_use]
    pub fn parked(&self, event: &Event) -> Option<ParkedCall> {
        let fields = Fields::of(event);
        let text = |header: Header| fields.get(header).map(Value::text).filter(|text| !text.is_empty());
        let boxed = |header| text(header).map(|text| Box::<str>::from(&*text));
        let domain = text(Header::DomainName).or_else(|| text(Header::ToHost));
        Some(ParkedCall {
            call_id: text(Header::CallId)?.into(),
            number: boxed(Header::Number).unwrap_or_default(),
            context: boxed(Header::Context).unwrap_or_default(),
            caller_number: boxed(Header::CallerNumber).unwrap_or_default(),
            account: boxed(Header::Account),
            domain: domain.map(|domain| domain.to_ascii_lowercase().into()),
            ticket: boxed(Header::Ticket),
            is_marked: text(Header::Mark).is_some_and(|mark| mark == "true"),
            is_over: text(Header::Mark).is_some_and(|mark| mark != "true"),
            is_answered: text(Header::AnswerState).is_some_and(|state| state == "answered"),
            // The name stands there as soon as he knocks (mod_conference.c, `conference_function`), the id when he is in.
            conference: text(Header::MemberId).and_then(|_| boxed(Header::Conference)),
        })
    }
}

impl Node {
    /// Follows the node's calls until it is stopped.
    pub fn follow_calls(&self, sink: Arc<dyn CallSink>, stop: CancellationToken) -> JoinHandle<()> {
        let node = self.clone();
        tokio::spawn(async move {
            stop.run_until_cancelled(follow(&node, &*sink)).await;
        })
    }

    /// Has an application executed on a call, behind those that were asked for before; its end is told with `id`.
    ///
    /// # Errors
    /// As [`Node::api`]; the reply `-ERR invalid session id` says that there is no such call.
    pub async fn execute(
        &self,
        call: &str,
        application: &str,
        argument: &str,
        id: &str,
    ) -> Result<Reply, CommandError> {
        let headers = [
            ("call-command", "execute"),
            ("execute-app-name", application),
            ("execute-app-arg", argument),
            ("event-lock", "true"),
            ("Event-UUID", id),
        ];
        self.send(Command::with_headers(&format!("sendmsg {call}"), &headers)?).await
    }

    /// The calls on the node that may wait for somebody, each with the application it executes or executed last.
    ///
    /// # Errors
    /// As [`Node::api`]; a list that cannot be read is [`CommandError::Interrupted`].
    pub async fn channels(&self) -> Result<Vec<Channel>, CommandError> {
        let printed = self.api("show channels as json").await?;
        let text = printed.text();
        serde_json::from_str::<Channels>(&text).map(|channels| channels.rows).map_err(|error| {
            tracing::warn!(node = &**self.name(), "the list of channels cannot be read: {error}");
            CommandError::Interrupted
        })
    }

    /// A call as it is now; `None` if there is none of that id.
    ///
    /// # Errors
    /// As [`Node::api`].
    pub async fn call(&self, call: &str) -> Result<Option<ParkedCall>, CommandError> {
        let Ok(word) = call_word(call) else { return Ok(None) };
        // Without `plain`, which would leave values unencoded (mod_commands.c, `uuid_dump_function`).
        let printed = self.api(&format!("uuid_dump {word}")).await?.text();
        Ok(CallTranslator.parked(&Event::new(Bytes::from(printed))))
    }
}

/// A row of `show channels as json`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Channel {
    /// Identifies the call.
    pub uuid: String,
    /// The context of the dialplan it is in.
    #[serde(default)]
    pub context: String,
    /// The application that it executes, or executed last.
    #[serde(default)]
    pub application: String,
}

#[derive(serde::Deserialize)]
struct Channels {
    #[serde(default)]
    rows: Vec<Channel>,
}

async fn follow(node: &Node, sink: &dyn CallSink) {
    let (shared, trouble, translator) = (&*node.shared, Report::default(), CallTranslator);
    let mut backoff = shared.backoff();
    loop {
        let lost = match subscribe(shared).await {
            Ok(mut connection) => {
                if let Some(after) = trouble.clear() {
                    tracing::info!(node = &**node.name(), after, "calls are heard again");
                }
                shared.figures.hears_calls(true);
                sink.connected(node);
                let began = Instant::now();
                let lost = read(&mut connection, shared, |event| {
                    if let Some(news) = translator.news(event) {
                        sink.heard(node, news);
                    }
                })
                .await;
                shared.figures.hears_calls(false);
                if began.elapsed() >= shared.settings.heartbeat_timeout() {
                    backoff.reset();
                }
                lost
            }
            Err(lost) => lost,
        };
        tell_trouble(shared, "call connection", &trouble, &lost);
        let wait = if lost.needs_somebody() { backoff.longest() } else { backoff.step() };
        tokio::time::sleep(wait).await;
    }
}

async fn subscribe(shared: &Shared) -> Result<Connection, Lost> {
    let mut connection = Connection::open(&shared.settings, &*shared.outside).await?;
    let within = shared.settings.connect_timeout();
    let silent = |_| Lost::Silent { during: "asking for calls", after: within };
    // The filters first: what is not wanted is never sent. A heartbeat says that the connection lives.
    for line in [
        "filter Event-Name CHANNEL_PARK",
        "filter Event-Name HEARTBEAT",
        &format!("filter variable_{MARK} true"),
        "event plain HEARTBEAT CHANNEL_PARK CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP_COMPLETE",
    ] {
        let asked = connection.ask(Command::line(line)?);
        let reply = tokio::time::timeout(within, asked).await.map_err(silent)??.text();
        if !reply.starts_with("+OK") {
            return Err(Lost::Denied { what: "the events of calls", reply });
        }
    }
    Ok(connection)
}

/// Reads one connection to its end.
async fn read(connection: &mut Connection, shared: &Shared, mut heard: impl FnMut(&Event)) -> Lost {
    let silence = shared.settings.heartbeat_timeout();
    loop {
        loop {
            match connection.decode() {
                Ok(Some(Frame::Event(event))) => heard(&event),
                Ok(Some(Frame::TooLarge { length, limit, .. })) => {
                    // What it said is lost; the list after the next connect has it.
                    return Lost::Protocol(format!("an event of {length} octets, {limit} are allowed"));
                }
                Ok(Some(Frame::DisconnectNotice(_))) => return Lost::Closed(None),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(lost) => return lost,
            }
        }
        match tokio::time::timeout(silence, connection.fill()).await {
            Ok(Ok(_)) => {}
            Ok(Err(lost)) => return lost,
            Err(_) => return Lost::Mute(silence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        Event::new(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn a_parked_call_is_read_with_what_the_dialplan_has_set() {
        let parked = event(
            "Event-Name: CHANNEL_PARK\nUnique-ID: c1\nAnswer-State: ringing\nCaller-Caller-ID-Number: %2B49301\n\
             Caller-Destination-Number: 5551234\nCaller-Context: public\nvariable_sip_to_host: PBX.example.com\n\
             variable_account_id: acme\nvariable_convened_callin: true\n\n",
        );
        let news = CallTranslator.news(&parked).expect("news");
        let CallNews::Parked(call) = news else { panic!("{news:?}") };
        assert_eq!((&*call.call_id, &*call.number, &*call.context), ("c1", "5551234", "public"));
        assert_eq!((&*call.caller_number, call.account.as_deref()), ("+49301", Some("acme")));
        assert_eq!(call.domain.as_deref(), Some("pbx.example.com"));
        assert!(call.is_marked && !call.is_answered && call.ticket.is_none());
    }

    #[test]
    fn digits_count_only_if_they_were_read_just_now_and_are_shown_nowhere() {
        let done = |result: &str| {
            event(&format!(
                "Event-Name: CHANNEL_EXECUTE_COMPLETE\nUnique-ID: c1\nApplication-UUID: a\n\
                 variable_convened_digits: 1234\nvariable_read_result: {result}\n\n"
            ))
        };
        let translator = CallTranslator;
        let digits = |result| match translator.news(&done(result)) {
            Some(CallNews::Executed { digits, .. }) => digits,
            other => panic!("{other:?}"),
        };
        assert_eq!(digits("success"), Some(Typed::new("1234")));
        assert_eq!(digits("failure"), None);
        assert!(!format!("{:?}", translator.news(&done("success"))).contains("1234"));
    }

    #[test]
    fn what_was_typed_before_a_hang_up_is_no_pin() {
        let gone = event(
            "Event-Name: CHANNEL_EXECUTE_COMPLETE\nUnique-ID: c1\nAnswer-State: hangup\nApplication-UUID: a\n\
             variable_convened_digits: 12\nvariable_read_result: success\n\n",
        );
        assert_eq!(CallTranslator.news(&gone), Some(CallNews::HungUp { call_id: "c1".into() }));
    }

    #[test]
    fn the_list_of_channels_has_no_rows_when_nobody_calls() {
        let rows = |text: &str| serde_json::from_str::<Channels>(text).map(|channels| channels.rows);
        assert_eq!(rows("{\"row_count\":0}").unwrap(), []);
        let one = r#"{"row_count":1,"rows":[{"uuid":"c1","context":"public","application":"park","x":""}]}"#;
        assert_eq!(rows(one).unwrap()[0].application, "park");
    }
}
