//! `dial`: whom to call into a conference, and how, out of arguments and configuration.

use std::collections::HashSet;

use serde_json::Value;

use super::intake::{Args, Unfit, invalid, whole};
use super::words::{CallerName, CallerNumber, DialString, Endpoint, Profile, Refused, Template};
use crate::config;
use crate::documents::{FieldError, FieldErrors};

/// How calls are made, unless a request says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialling {
    /// How a SIP URI is called.
    pub uri: Template,
    /// How a telephone number is called; `None`: not at all.
    pub number: Option<Template>,
    /// How long a phone may ring, in seconds.
    pub timeout_s: u32,
    /// The name that a called phone shows.
    pub caller_name: Option<CallerName>,
    /// The number that a called phone shows.
    pub caller_number: Option<CallerNumber>,
}

/// Somebody who is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// As the request named it, or the same in another spelling.
    pub endpoint: Endpoint,
    /// As the switch is told.
    pub target: DialString,
}

/// What somebody who is called becomes in the conference (conference_utils.c, `conference_utils_set_mflags`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinFlag {
    /// Is not heard.
    Mute,
    /// Does not hear.
    Deaf,
    /// Its digits are sent to everybody.
    DistributeDtmf,
    /// Is a moderator.
    Moderator,
    /// Hears no music while alone.
    NoMusic,
    /// Is not counted.
    Ghost,
    /// Begins no conference.
    JoinOnly,
    /// Is not seen.
    VideoMute,
}

/// Kazoo's words for them, and FreeSWITCH's.
const FLAGS: [(&str, &str, JoinFlag); 8] = [
    ("mute", "mute", JoinFlag::Mute),
    ("deaf", "deaf", JoinFlag::Deaf),
    ("distribute_dtmf", "dist-dtmf", JoinFlag::DistributeDtmf),
    ("is_moderator", "moderator", JoinFlag::Moderator),
    ("disable_moh", "nomoh", JoinFlag::NoMusic),
    ("ghost", "ghost", JoinFlag::Ghost),
    ("join_existing", "join-only", JoinFlag::JoinOnly),
    ("video_mute", "vmute", JoinFlag::VideoMute),
];

impl JoinFlag {
    /// FreeSWITCH's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        FLAGS.iter().find(|(_, _, flag)| *flag == self).map_or("", |(_, word, _)| word)
    }
}

/// Calls to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialOrder {
    /// To whom; nobody twice.
    pub callees: Vec<Callee>,
    /// What they become, nothing twice.
    pub flags: Vec<JoinFlag>,
    /// How long each phone may ring, in seconds.
    pub timeout_s: u32,
    /// The name that the phones show; `None`: the switch's own.
    pub caller_name: Option<CallerName>,
    /// The number that the phones show; `None`: the switch's own.
    pub caller_number: Option<CallerNumber>,
    /// The profile of a conference that begins by this, if the request names one that can be one.
    pub profile: Option<Profile>,
}

impl DialOrder {
    /// Whether the conference has to run already.
    #[must_use]
    pub fn joins_existing(&self) -> bool {
        self.flags.contains(&JoinFlag::JoinOnly)
    }
}

impl Dialling {
    /// What `[dial]` says.
    ///
    /// # Errors
    /// Each key that is wrong with a sentence for an operator.
    pub fn new(section: &config::Dial) -> Result<Self, Vec<(&'static str, String)>> {
        let mut wrong = Vec::new();
        let mut tell = |key, why: String| wrong.push((key, why));
        let uri = Template::new(&section.uri, "{uri}").map_err(|why| tell("dial.uri", why)).ok();
        let number = section.number.as_deref().map(|text| Template::new(text, "{number}"));
        let number = number.transpose().unwrap_or_else(|why| {
            tell("dial.number", why);
            None
        });
        let caller_name = section.caller_id_name.as_deref().map(CallerName::new);
        let caller_name = caller_name.transpose().unwrap_or_else(|why| {
            tell("dial.caller_id_name", why.to_string());
            None
        });
        let caller_number = section.caller_id_number.as_deref().map(CallerNumber::new);
        let caller_number = caller_number.transpose().unwrap_or_else(|why| {
            tell("dial.caller_id_number", why.to_string());
            None
        });
        match uri {
            Some(uri) if wrong.is_empty() => {
                Ok(Self { uri, number, timeout_s: section.timeout_s, caller_name, caller_number })
            }
            _ => Err(wrong),
        }
    }

    fn callee(&self, text: &str) -> Result<Callee, Refused> {
        let endpoint = Endpoint::new(text)?;
        let target = match &endpoint {
            Endpoint::Uri(uri) => self.uri.uri(uri),
            Endpoint::Number(number) => self.number.as_ref().ok_or(Refused::NoNumbers)?.number(number),
        };
        Ok(Callee { endpoint, target })
    }
}

impl Args<'_> {
    /// The calls that are asked for by arguments that fit the schema of `dial`.
    ///
    /// # Errors
    /// [`Unfit`]: an endpoint that cannot be called or is there twice, a caller id that cannot be sent.
    pub fn dial(&self, dialling: &Dialling) -> Result<DialOrder, Unfit> {
        let (mut callees, mut known, mut errors) = (Vec::new(), HashSet::new(), FieldErrors::default());
        let texts = self.list("endpoints");
        for (at, text) in texts.enumerate() {
            let path = format!("endpoints.{at}");
            match dialling.callee(text) {
                Ok(callee) if known.insert(callee.endpoint.clone()) => callees.push(callee),
                Ok(_) => {
                    let error = FieldError::new("Value is there twice").value(&Value::from(text));
                    errors.add(path, "uniqueItems", error);
                }
                Err(refused) => {
                    let error = FieldError::new(format!("Value {refused}")).value(&Value::from(text));
                    errors.add(path, "allowed", error);
                }
            }
        }
        errors.into_result().map_err(Unfit::Invalid)?;
        let flags = self.list("participant_flags");
        let flags = flags.filter_map(|word| FLAGS.iter().find(|(name, ..)| *name == word));
        let timeout_s = self.get("timeout").and_then(whole).and_then(|s| u32::try_from(s).ok());
        let caller_name = self.optional("caller_id_name", CallerName::new)?;
        let caller_number = self.optional("caller_id_number", CallerNumber::new)?;
        Ok(DialOrder {
            callees,
            flags: flags.map(|(_, _, flag)| *flag).collect(),
            timeout_s: timeout_s.unwrap_or(dialling.timeout_s),
            caller_name: caller_name.or_else(|| dialling.caller_name.clone()),
            caller_number: caller_number.or_else(|| dialling.caller_number.clone()),
            profile: self
                .get("profile_name")
                .and_then(Value::as_str)
                .and_then(|text| Profile::new(text).ok()),
        })
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    fn optional<T>(
        &self,
        key: &str,
        make: impl FnOnce(&str) -> Result<T, Refused>,
    ) -> Result<Option<T>, Unfit> {
        let text = self.get(key).and_then(Value::as_str);
        text.map(|text| make(text).map_err(|refused| invalid(key, text, &refused))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Scope;
    use super::super::words::Places;
    use super::*;

    fn asked(dialling: &Dialling, args: &Value) -> Result<DialOrder, Unfit> {
        let args = args.as_object().unwrap();
        Args::check(Scope::Conference, "dial", args, &Places::default())?.dial(dialling)
    }

    fn dialling() -> Dialling {
        let number = Some("sofia/gateway/carrier/{number}".to_owned());
        let section =
            config::Dial { number, caller_id_name: Some("Board".into()), ..config::Dial::default() };
        Dialling::new(&section).unwrap()
    }

    #[test]
    fn what_a_request_leaves_out_is_as_configured() {
        let order = asked(&dialling(), &json!({ "endpoints": ["+4930123"] })).unwrap();
        assert_eq!((order.timeout_s, order.caller_name.unwrap().to_string().as_str()), (30, "Board"));
        assert_eq!((order.caller_number, order.profile, order.flags), (None, None, vec![]));
        assert_eq!(order.callees[0].target.to_string(), "sofia/gateway/carrier/+4930123");
        let all = json!({
            "endpoints": ["sip:a@example.com"], "caller_id_name": "Ann", "caller_id_number": "+1", "timeout": 7.0,
            "profile_name": "wide", "target_call_id": "whatever",
            "participant_flags": ["mute", "deaf", "distribute_dtmf", "is_moderator", "disable_moh", "ghost", "join_existing", "video_mute"],
        });
        let order = asked(&dialling(), &all).unwrap();
        assert!(order.joins_existing());
        assert_eq!((order.timeout_s, order.profile.unwrap().to_string().as_str()), (7, "wide"));
        assert_eq!(order.caller_name.unwrap().to_string(), "Ann");
        assert_eq!(order.caller_number.unwrap().to_string(), "+1");
        assert_eq!(order.callees[0].target.to_string(), "sofia/internal/sip:a@example.com");
        let words: Vec<_> = order.flags.iter().map(|flag| flag.word()).collect();
        assert_eq!(words, ["mute", "deaf", "dist-dtmf", "moderator", "nomoh", "ghost", "join-only", "vmute"]);
    }

    #[test]
    fn each_endpoint_that_cannot_be_called_is_told_by_its_place() {
        let wrong = |dialling: &Dialling, args: Value| match asked(dialling, &args) {
            Err(Unfit::Invalid(errors)) => errors.to_value(),
            other => panic!("{args}: {other:?}"),
        };
        let endpoints = json!({ "endpoints": ["1", "x", "sip:a@B.example", "sip:a@b.example", "2;3"] });
        let told = wrong(&dialling(), endpoints);
        let keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["endpoints.1", "endpoints.3", "endpoints.4"]);
        assert_eq!(told["endpoints.3"]["uniqueItems"]["message"], "Value is there twice");
        for (args, field) in [
            (json!({}), "endpoints"),
            (json!({ "endpoints": [] }), "endpoints"),
            (json!({ "endpoints": "1" }), "endpoints"),
            (json!({ "endpoints": ["1", "1"] }), "endpoints"),
            (json!({ "endpoints": (0..51).map(|n| n.to_string()).collect::<Vec<_>>() }), "endpoints"),
            (json!({ "endpoints": ["1"], "caller_id_name": "it's" }), "caller_id_name"),
            (json!({ "endpoints": ["1"], "caller_id_number": "1,2" }), "caller_id_number"),
            (json!({ "endpoints": ["1"], "timeout": 0 }), "timeout"),
            (json!({ "endpoints": ["1"], "timeout": 601 }), "timeout"),
            (json!({ "endpoints": ["1"], "participant_flags": ["loud"] }), "participant_flags.0"),
        ] {
            assert!(wrong(&dialling(), args.clone()).get(field).is_some(), "{args}");
        }
        let no_carrier = Dialling::new(&config::Dial::default()).unwrap();
        let told = wrong(&no_carrier, json!({ "endpoints": ["+4930123"] }));
        assert!(told["endpoints.0"]["allowed"]["message"].to_string().contains("dial.number"), "{told}");
        // A profile that can be none is passed over, as Kazoo's clients send any text there.
        let odd = json!({ "endpoints": ["1"], "profile_name": "a b" });
        assert_eq!(asked(&dialling(), &odd).unwrap().profile, None);
    }
}
