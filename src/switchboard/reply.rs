//! What FreeSWITCH's replies to `conference` commands mean (conference_api.c).
//!
//! Only what is known to mean success is success: `+OK`, and no `-ERR` in any line. A usage line has
//! neither; an empty output comes as `-ERR no reply`, also when there was nobody to act on.

/// What a reply to a command with one target means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// FreeSWITCH says that it did it.
    Accepted,
    /// There is no such conference.
    NoConference,
    /// There is no such member in it.
    NoMember,
    /// It did not, or said something that is not known; its words.
    Refused(String),
}

/// The meaning of a reply to a command with one target.
pub fn verdict(printed: &str) -> Verdict {
    let mut accepted = false;
    for line in printed.lines() {
        if let Some(words) = line.strip_prefix("-ERR") {
            let words = words.trim();
            return if words.starts_with("Conference ") && words.ends_with(" not found") {
                Verdict::NoConference
            } else if is_no_member(words) {
                Verdict::NoMember
            } else {
                Verdict::Refused(line.trim_end().to_owned())
            };
        }
        accepted |= line.starts_with("+OK");
    }
    if accepted { Verdict::Accepted } else { Verdict::Refused(printed.trim_end().to_owned()) }
}

/// What commands that look for their member themselves say if there is none has other words: `play` and `stop`,
/// `saymember`, `transfer` (conference_api.c, `conference_api_sub_play` and so on; `play` prints an address for the
/// number).
fn is_no_member(words: &str) -> bool {
    words.starts_with("Non-Existant ")
        || (words.starts_with("Member: ") && words.ends_with(" not found."))
        || (words.starts_with("(saymember) Unknown Member ") && words.ends_with('!'))
        || words.starts_with("No Member ")
}

/// One line of a reply to a command with several targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `+OK mute 7`
    Done(u32),
    /// `Skipping moderator (member id 5).`
    Skipped(u32),
    /// `-ERR Non-Existant ID 9`; the words.
    Failed(u32, String),
}

impl Line {
    /// Whom it is about.
    pub fn member_id(&self) -> u32 {
        match self {
            Self::Done(id) | Self::Skipped(id) | Self::Failed(id, _) => *id,
        }
    }

    /// The member, if it was done.
    pub fn done(&self) -> Option<u32> {
        if let Self::Done(id) = self { Some(*id) } else { None }
    }
}

/// The lines of a reply to a command with several targets. Nobody to act on gives none.
///
/// # Errors
/// If a line is none of those known: then it is not known either whom the others are about.
pub fn read_lines(printed: &str) -> Result<Vec<Line>, Verdict> {
    if printed.trim_end() == "-ERR no reply" || printed.trim_end().is_empty() {
        return Ok(Vec::new());
    }
    printed.lines().map(|line| read_line(line).ok_or_else(|| not_a_line(printed))).collect()
}

fn not_a_line(printed: &str) -> Verdict {
    match verdict(printed) {
        Verdict::NoConference => Verdict::NoConference,
        _ => Verdict::Refused(printed.trim_end().to_owned()),
    }
}

/// line = "+OK " verb SP id / "Skipping moderator (member id " id ")." / "-ERR Non-Existant ID " id
fn read_line(line: &str) -> Option<Line> {
    let line = line.trim_end();
    if let Some(rest) = line.strip_prefix("Skipping moderator (member id ") {
        return rest.strip_suffix(").")?.parse().ok().map(Line::Skipped);
    }
    if let Some(id) = line.strip_prefix("-ERR Non-Existant ID ") {
        return id.parse().ok().map(|id| Line::Failed(id, line.to_owned()));
    }
    let (_, id) = line.strip_prefix("+OK ")?.split_once(' ')?;
    id.parse().ok().map(Line::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_reply_has_its_meaning() {
        for (printed, meaning) in [
            ("+OK mute 6\n", Verdict::Accepted),
            ("+OK actions-1 locked\n", Verdict::Accepted),
            ("-ERR Conference actions-1 not found\n", Verdict::NoConference),
            ("-ERR Non-Existant ID 99999\n", Verdict::NoMember),
            ("-ERR Non-Existant member\n", Verdict::NoMember),
            ("-ERR Member: 24332 not found.\n", Verdict::NoMember),
            ("-ERR (saymember) Unknown Member 7!\nsaymember <member_id> <text>", Verdict::NoMember),
            ("-ERR No Member 7 in conference actions-1.\n", Verdict::NoMember),
            ("-ERR no reply\n", Verdict::Refused("-ERR no reply".into())),
            ("", Verdict::Refused(String::new())),
            (
                "mute <[member_id|all]|last|non_moderator> [<quiet>]",
                Verdict::Refused("mute <[member_id|all]|last|non_moderator> [<quiet>]".into()),
            ),
            (
                "-ERR Conference command 'x' not found.\n",
                Verdict::Refused("-ERR Conference command 'x' not found.".into()),
            ),
            ("-ERR permission denied", Verdict::Refused("-ERR permission denied".into())),
            (
                "+OK Stopped\n-ERR non-existant recording 'f'\n",
                Verdict::Refused("-ERR non-existant recording 'f'".into()),
            ),
        ] {
            assert_eq!(verdict(printed), meaning, "{printed:?}");
        }
    }

    #[test]
    fn a_bulk_reply_tells_of_each_member() {
        let printed = "+OK mute 7\n+OK mute 6\nSkipping moderator (member id 5).\n";
        assert_eq!(read_lines(printed), Ok(vec![Line::Done(7), Line::Done(6), Line::Skipped(5)]));
        assert_eq!(
            read_lines("+OK kicked 4\n-ERR Non-Existant ID 9\n"),
            Ok(vec![Line::Done(4), Line::Failed(9, "-ERR Non-Existant ID 9".into())])
        );
        assert_eq!(read_lines("-ERR no reply\n"), Ok(Vec::new()));
        assert_eq!(read_lines("-ERR Conference x not found\n"), Err(Verdict::NoConference));
        for strange in ["+OK mute\n", "+OK mute seven\n", "what?\n", "+OK mute 7\nwhat?\n"] {
            assert!(matches!(read_lines(strange), Err(Verdict::Refused(_))), "{strange:?}");
        }
    }
}
