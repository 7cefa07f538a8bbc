//! How a participant is named in a command, so that it cannot hit somebody else.

use std::fmt;

use super::reply::{Verdict, verdict};
use crate::model::Problem;
use crate::node::{Node, call_word};
use crate::registry::Participant;

/// A participant as a word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// By call: numbers of members are used again, calls are not.
    Call(String),
    /// By number, right after a check that it is still the same call.
    Member(u32),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call_id) => write!(f, "uuid={call_id}"),
            Self::Member(id) => write!(f, "{id}"),
        }
    }
}

impl Target {
    /// The word for a participant; `None` if somebody else has his number by now.
    ///
    /// A switch before 1.10.7 knows numbers only, and a call id may hold what a command cannot.
    pub(super) async fn of(
        node: &Node,
        conference: &str,
        participant: &Participant,
    ) -> Result<Option<Self>, Problem> {
        if node.has_uuid_selectors()
            && let Ok(call_id) = call_word(&participant.call_id)
        {
            return Ok(Some(Self::Call(call_id.to_owned())));
        }
        Self::number_of(node, conference, participant).await
    }

    /// The number of a participant; `None` if somebody else has it by now.
    pub(super) async fn number_of(
        node: &Node,
        conference: &str,
        participant: &Participant,
    ) -> Result<Option<Self>, Problem> {
        let id = participant.member_id;
        let printed = super::send(node, &format!("conference {conference} get-uuid {id}")).await?;
        if printed.trim_end() == &*participant.call_id {
            return Ok(Some(Self::Member(id)));
        }
        match verdict(&printed) {
            // Nobody has that number, or somebody else: then his call is printed.
            Verdict::Refused(words) if words.starts_with("-ERR") || words.starts_with("get-uuid ") => {
                Err(Problem::Refused(words))
            }
            _ => Ok(None),
        }
    }
}
