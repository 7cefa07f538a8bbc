//! The command that makes a call.

use std::sync::Arc;

use crate::actions::words::{Profile, RoomName, Word};
use crate::actions::{Callee, DialOrder, JoinFlag};
use crate::node::{RINGING, RINGING_ID};
use crate::registry::Conference;

/// What mod_conference takes as the argument of `conference`, in bytes.
const MOST_DATA: usize = 512;

/// To which conference people are called, in which role.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Its name on the switch.
    pub room: RoomName,
    /// The profile that it begins with if it does not run.
    pub profile: Profile,
    /// Whose it is then.
    pub account: Word,
    /// The id by which it is told of.
    pub conference_id: Arc<str>,
    /// Only this run of it is meant: a later one of that name may be somebody else's.
    pub only: Option<Arc<Conference>>,
}

/// The command: variables, whom to call, where to.
///
/// `^^;` parts the variables by `;`, so that commas stay what they are for `event` (switch_event.c,
/// `switch_event_create_brackets`). A call that rings executes `execute_on_ring`, one that brings early media
/// instead `execute_on_pre_answer` (switch_channel.c); `event` fires an event of what stands behind it
/// (mod_dptools.c, `event_function`). A conference that begins by the call takes its `confvar_` variables
/// (mod_conference.c). Neither lock nor PIN stops somebody who is called. Among the participants he has the name
/// of his endpoint; without `origination_callee_id_name` all are called `Outbound Call` (switch_ivr_originate.c).
pub(super) fn line(
    to: &Destination,
    order: &DialOrder,
    callee: &Callee,
    (id, call_id): (&str, &str),
) -> String {
    let account = &to.account;
    let name = order.caller_name.as_ref().map(|name| format!("origination_caller_id_name='{name}';"));
    let number = order.caller_number.as_ref().map(|number| format!("origination_caller_id_number={number};"));
    let event = format!("event:Event-Name=CUSTOM,Event-Subclass={RINGING},{RINGING_ID}={id}");
    format!(
        "originate {{^^;origination_uuid={call_id};{}{}origination_callee_id_name={};ignore_early_media=true;\
         originate_timeout={};conference_enforce_security=false;confvar_account_id={account};\
         account_id={account};presence_data_cols=account_id;execute_on_ring={event};\
         execute_on_pre_answer={event}}}{} &conference({})",
        name.unwrap_or_default(),
        number.unwrap_or_default(),
        callee.endpoint,
        order.timeout_s,
        callee.target,
        data(to, &order.flags),
    )
}

/// What the application `conference` is told: `NAME@PROFILE+flags{a|b}`.
fn data(to: &Destination, flags: &[JoinFlag]) -> String {
    let flags = flags.iter().map(|flag| flag.word()).collect::<Vec<_>>().join("|");
    let flags = if flags.is_empty() { flags } else { format!("+flags{{{flags}}}") };
    let data = format!("{}@{}{flags}", to.room, to.profile);
    debug_assert!(data.len() < MOST_DATA, "the longest words fit");
    data
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::actions::words::{CallerName, CallerNumber, Endpoint, SipUri, Telephone, Template};

    /// A line's words, its variables and the rest of the first word, as FreeSWITCH takes it apart.
    fn read(line: &str) -> (Vec<String>, Vec<(String, String)>, String) {
        let words = crate::sim::words_of(line);
        let (variables, target) = words[1].strip_prefix("{^^;").unwrap().split_once('}').unwrap();
        let pairs = variables.split(';').map(|pair| pair.split_once('=').unwrap());
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        (words.clone(), pairs, target.to_owned())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn whatever_passes_is_read_back_as_it_was_meant(
            mut words in ["[A-Za-zäöü0-9._+()/@#*-]{2,9}", "[A-Za-z0-9._*#-]{2,9}", "[a-zA-Z0-9._+*-]{2,9}",
                      "[a-z0-9]{2,9}", "[0-9*#]{2,9}", "[a-zA-Z0-9._@-]{2,9}", "[a-zA-Z0-9._-]{2,9}"],
            // One of them has one character in it that some reader knows; with 7 none has.
            strange in 0..8usize,
            odd in r#"[;,:|='"{}()<>&^$%!?+@\\\[\] \n]"#,
            is_uri: bool,
        ) {
                        if let Some(word) = words.get_mut(strange) {
                let second = word.char_indices().nth(1).map_or(0, |(at, _)| at);
                word.insert_str(second, &odd);
            }
            let [name, number, user, host, digits, room, profile] = words;
            let (Ok(room_name), Ok(profile_name)) = (RoomName::new(&room), Profile::new(&profile)) else {
                return Ok(());
            };
            let callee = if is_uri {
                let Ok(uri) = SipUri::new(&format!("sip:{user}@{host}")) else { return Ok(()) };
                let target = Template::new("sofia/internal/{uri}", "{uri}").unwrap().uri(&uri);
                Callee { endpoint: Endpoint::Uri(uri), target }
            } else {
                let Ok(number) = Telephone::new(&digits) else { return Ok(()) };
                let target = Template::new("sofia/gateway/a/{number}", "{number}").unwrap().number(&number);
                Callee { endpoint: Endpoint::Number(number), target }
            };
            let order = DialOrder {
                callees: vec![callee.clone()],
                flags: vec![JoinFlag::Mute, JoinFlag::Ghost],
                timeout_s: 7,
                caller_name: CallerName::new(&name).ok(),
                caller_number: CallerNumber::new(&number).ok(),
                profile: None,
            };
            let account = Word::new("acme").unwrap();
            let to = Destination { room: room_name, profile: profile_name, account, conference_id: "r".into(), only: None };
            let line = line(&to, &order, &callee, ("ID", "CALL"));
            prop_assert!(!line.contains(char::is_control), "{line:?}");
            let (words, variables, target) = read(&line);
            prop_assert_eq!(words.len(), 3, "{:?}", words);
            prop_assert_eq!(&target, &callee.target.to_string());
            prop_assert_eq!(&words[2], &format!("&conference({room}@{profile}+flags{{mute|ghost}})"));
            let named = |wanted: &str| variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            prop_assert_eq!(named("origination_caller_id_name"), order.caller_name.as_ref().map(|_| name.trim()));
            prop_assert_eq!(named("origination_caller_id_number"), order.caller_number.as_ref().map(|_| number.as_str()));
            prop_assert_eq!(named("originate_timeout"), Some("7"));
            let ring = "event:Event-Name=CUSTOM,Event-Subclass=convened::dial,Dial-ID=ID";
            prop_assert_eq!((named("execute_on_ring"), named("execute_on_pre_answer")), (Some(ring), Some(ring)));
            let optional = usize::from(order.caller_name.is_some()) + usize::from(order.caller_number.is_some());
            prop_assert_eq!(variables.len(), 10 + optional, "{:?}", variables);
            // Neither cuts a call into two nor gives it variables of its own.
            prop_assert!(!target.contains([',', '|', '[', ']', '<', '>']) && !target.contains(":_:"), "{}", target);
        }
    }

    #[test]
    fn the_longest_words_fit_what_the_application_takes() {
        let to = Destination {
            room: RoomName::new(&"r".repeat(256)).unwrap(),
            profile: Profile::new(&"p".repeat(64)).unwrap(),
            account: Word::new("a").unwrap(),
            conference_id: "r".into(),
            only: None,
        };
        let all = [
            JoinFlag::Mute,
            JoinFlag::Deaf,
            JoinFlag::DistributeDtmf,
            JoinFlag::Moderator,
            JoinFlag::NoMusic,
            JoinFlag::Ghost,
            JoinFlag::JoinOnly,
            JoinFlag::VideoMute,
        ];
        let data = data(&to, &all);
        assert!(
            data.ends_with("+flags{mute|deaf|dist-dtmf|moderator|nomoh|ghost|join-only|vmute}"),
            "{data}"
        );
        assert!(data.len() < MOST_DATA, "{}", data.len());
    }
}
