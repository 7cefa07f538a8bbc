//! What is played to a whole conference: asked only where something may be, and with a short deadline.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::Switchboard;
use crate::model::Playing;
use crate::node::conference_word;
use crate::registry::Conference;

/// Whoever reads waits no longer for it: the rest is known without the switch.
const WITHIN: Duration = Duration::from_millis(500);

/// What FreeSWITCH says is played (mod_conference.c, `conference_fnode_check_status`).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// This file is.
    File(String),
    /// A text is said.
    Speech,
    /// Nothing is.
    Nothing,
    /// It says something else.
    Odd,
}

impl Switchboard {
    /// What is played to everybody, on the first of the instances where something is. `None` if nothing is, or
    /// if that is not known in time.
    pub async fn playing(&self, instances: &[Arc<Conference>]) -> Option<Playing> {
        let all = join_all(instances.iter().map(|conference| self.playing_in(conference))).await;
        all.into_iter().flatten().next()
    }

    async fn playing_in(&self, conference: &Conference) -> Option<Playing> {
        let plays = conference.may_be_playing()?;
        match tokio::time::timeout(WITHIN, self.ask_what_plays(conference)).await.ok()?? {
            Said::File(media) => Some(Playing { media }),
            Said::Nothing => {
                conference.nothing_plays(plays);
                None
            }
            Said::Speech | Said::Odd => None,
        }
    }

    async fn ask_what_plays(&self, conference: &Conference) -> Option<Said> {
        let node = &self.node(conference).ok()?;
        let name = conference_word(&conference.name).ok()?;
        // What another conference hears is nobody's business.
        if !self.holds_its_name(node, name, conference).await.ok()? {
            return None;
        }
        let reply = super::send(node, &format!("conference {name} play_status")).await.ok()?;
        Some(said(&reply))
    }
}

/// reply = "+OK " position "/" duration SP path LF / "-ERR Nothing is playing" LF
fn said(printed: &str) -> Said {
    let line = printed.trim_end_matches(['\r', '\n']);
    if line == "-ERR Nothing is playing" {
        return Said::Nothing;
    }
    let told = line.strip_prefix("+OK ").and_then(|told| told.split_once(' '));
    let numbers = |told: &str| {
        let (position, duration) = told.split_once('/')?;
        Some((position.parse::<i64>().ok()?, duration.parse::<i64>().ok()?))
    };
    match told {
        // Speech is no file and has no path: C prints a null pointer.
        Some((_, "(null)")) => Said::Speech,
        Some((told, path)) if numbers(told).is_some() && !path.is_empty() => Said::File(path.to_owned()),
        _ => Said::Odd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_played_is_read_as_freeswitch_writes_it() {
        for (printed, wanted) in [
            ("-ERR Nothing is playing\n", Said::Nothing),
            ("+OK 0/0 /sounds/a.wav\n", Said::File("/sounds/a.wav".into())),
            ("+OK 0/0 %(2000,0,440)\n", Said::File("%(2000,0,440)".into())),
            ("+OK 120/98000000 /sounds/a b.mp4\n", Said::File("/sounds/a b.mp4".into())),
            ("+OK 0/0 (null)\n", Said::Speech),
            ("-ERR Conference daily not found\n", Said::Odd),
            ("-ERR no reply\n", Said::Odd),
            ("+OK 0/0 \n", Said::Odd),
            ("+OK a/b c\n", Said::Odd),
            ("", Said::Odd),
        ] {
            assert_eq!(said(printed), wanted, "{printed:?}");
        }
    }
}
