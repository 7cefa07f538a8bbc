//! What can go wrong between this program and the API, and what to do then.

use serde_json::Value;

use super::view::clean;
use crate::cli::Failure;

/// An answer that is none, or a refusal.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// Nobody is there, or the connection broke; in the words of the system.
    NoAnswer(String),
    /// Nobody is there who is believed to be it: what is wrong with TLS.
    Insecure(String),
    /// Somebody is there who does not speak as this API does.
    Strange(String),
    /// The API said no.
    Refused(Box<Refusal>),
}

/// A refusal as the API tells it.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The word for it, such as `bad_identifier`.
    pub message: String,
    /// What else is told.
    pub data: Value,
    /// Seconds to wait, if it was told.
    pub retry_after: Option<String>,
    /// The scope that the request needed.
    pub scope: &'static str,
}

impl Trouble {
    /// Whether there is no such thing as was asked for, as far as this token may know.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 404)
    }

    /// Whether nothing of that id is known: it is not there, or, while a node is out of reach, it may be.
    pub fn is_unknown(&self, id: &str) -> bool {
        let Self::Refused(refusal) = self else { return false };
        let is_of_it = refusal.data["cause"].as_str() == Some(id);
        is_of_it && matches!(refusal.data["reason"].as_str(), Some("not_found" | "not_known"))
    }

    /// Whether it was not clear which conference was meant.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.message == "ambiguous")
    }

    /// Whether the same again may go well, with nothing changed here.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Strange(_) | Self::Insecure(_) => false,
            Self::Refused(refusal) => matches!(refusal.status, 408 | 429 | 500..),
        }
    }

    /// In a few words, for one line.
    pub fn brief(&self) -> String {
        match self {
            Self::NoAnswer(why) | Self::Strange(why) | Self::Insecure(why) => clean(why).into_owned(),
            Self::Refused(refusal) => refusal.brief(),
        }
    }

    /// With what to do, as the end of a command.
    pub fn failure(&self, url: &str, account: Option<&str>) -> Failure {
        match self {
            Self::NoAnswer(why) => Failure::Unavailable(format!(
                "{url} does not answer: {}\n\
                 is the daemon running, and is this its address (`[api] listen` of its configuration)? \
                 --url or CONVENED_URL names another one",
                clean(why)
            )),
            Self::Insecure(why) => Failure::Config(format!(
                "{url}: {}\n--ca-file or CONVENED_CA_FILE names the certificates that it is believed by; without it those \
                 of the system count",
                clean(why)
            )),
            Self::Strange(why) => anyhow::anyhow!("{url} is not this API: {}", clean(why)).into(),
            Self::Refused(refusal) => refusal.failure(url, account),
        }
    }
}

impl Refusal {
    fn text(&self, key: &str) -> Option<String> {
        self.data[key].as_str().map(|text| clean(text).into_owned())
    }

    fn brief(&self) -> String {
        let cause = self.text("cause").unwrap_or_default();
        let nodes = || match &self.data["nodes"] {
            Value::Array(nodes) => nodes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            _ => self.text("node").unwrap_or_default(),
        };
        match (self.status, self.message.as_str()) {
            (404, _) if self.text("reason").as_deref() == Some("not_running") => {
                format!("{cause:?} does not run")
            }
            (404, _) => format!("{cause:?} is not found"),
            (401, _) => "the token is not good: it is unknown, revoked or expired".to_owned(),
            (403, _) => format!("the token may not do that: it needs the scope {}", self.scope),
            (_, "ambiguous") => self.text("message").unwrap_or_default(),
            (429, _) => format!(
                "{}; again in {} s",
                self.text("message").unwrap_or_else(|| "too many wrong tokens or connections".to_owned()),
                self.retry_after.as_deref().unwrap_or("some")
            ),
            (502, _) => {
                let reply = self.text("reply").unwrap_or_default();
                format!("FreeSWITCH ({}) refused: {reply}", nodes())
            }
            (504, _) => "no confirmation in time: whether it was done is not known".to_owned(),
            (_, "switch_unavailable") => {
                let nodes = nodes();
                let of = if nodes.is_empty() { String::new() } else { format!(" ({})", clean(&nodes)) };
                format!("FreeSWITCH is out of reach{of}: what runs is not known now, and nothing was done")
            }
            (_, "datastore_unavailable") => "the daemon's database does not answer".to_owned(),
            (_, "shutting_down") => "the daemon stops".to_owned(),
            (status, message) => {
                let more = self.text("message").unwrap_or_else(|| clean(&self.data.to_string()).into_owned());
                format!("{status} {}: {more}", clean(message))
            }
        }
    }

    fn failure(&self, url: &str, account: Option<&str>) -> Failure {
        let brief = self.brief();
        match self.status {
            401 => Failure::Config(format!(
                "{url}: {brief}\nmake one with `convened token create` on the daemon's machine"
            )),
            403 => Failure::Config(format!("{url}: {brief}")),
            404 if account.is_some() && self.data["cause"].as_str() == account => Failure::NotFound(format!(
                "{url}: account {brief}, or is not this token's: --account or CONVENED_ACCOUNT names it"
            )),
            404 => Failure::NotFound(format!("{url}: {brief}")),
            _ if self.message == "ambiguous" => Failure::Usage(brief),
            429 | 503 => Failure::Unavailable(format!("{url}: {brief}")),
            _ => anyhow::anyhow!("{url}: {brief}").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: u16, message: &str, data: Value) -> Trouble {
        let message = message.to_owned();
        Trouble::Refused(Box::new(Refusal { status, message, data, retry_after: None, scope: "control" }))
    }

    #[test]
    fn each_kind_has_its_exit_code_and_says_where() {
        let cases = [
            (Trouble::NoAnswer("refused".into()), 69, "--url"),
            (Trouble::Strange("no JSON".into()), 1, "no JSON"),
            (refused(401, "invalid_credentials", json!({})), 78, "token create"),
            (refused(403, "forbidden", json!({})), 78, "scope control"),
            (refused(404, "bad_identifier", json!({"cause": "acme"})), 4, "--account"),
            (refused(404, "bad_identifier", json!({"cause": "x", "reason": "not_running"})), 4, "not run"),
            (refused(429, "too_many_requests", json!({})), 69, "too many"),
            (refused(502, "switch_error", json!({"node": "fs1", "reply": "-ERR"})), 1, "(fs1) refused: -ERR"),
            (refused(503, "switch_unavailable", json!({"nodes": ["a", "b"]})), 69, "(a, b)"),
            (refused(504, "switch_timeout", json!({})), 1, "not known"),
            (refused(400, "invalid_request", json!({"message": "so"})), 1, "400 invalid_request: so"),
        ];
        for (trouble, code, words) in cases {
            let failure = trouble.failure("http://h:1", Some("acme"));
            let text = failure.to_string();
            assert_eq!(failure.exit_code(), code, "{text}");
            assert!(text.contains(words) && text.starts_with("convened: http://h:1"), "{text}");
        }
    }

    #[test]
    fn what_a_switch_said_cannot_steer_the_terminal() {
        let text = refused(502, "switch_error", json!({"node": "fs1", "reply": "\u{1b}[2J"})).brief();
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
