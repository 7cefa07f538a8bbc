//! Who does not hear whom: `relate` (conference_api.c, `conference_api_sub_relate`). No event tells of it.

use super::conference::{Answer, Handled, Syntax, atoi, say};
use super::{RoomKey, Task, World};
use std::io::Write as _;

/// What is between a member and another. It belongs to the member: it goes with him, and stays if the other goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelationTruth {
    /// Member-ID.
    pub member: u32,
    /// Member-ID of the other.
    pub other: u32,
    /// The other hears the member.
    pub speak: bool,
    /// The member hears the other.
    pub hear: bool,
    /// The member sends the other his video.
    pub video: bool,
}

impl World {
    /// Lists with up to one argument, of one member or (0) of all; else sets or clears.
    pub(crate) fn relate(&mut self, key: RoomKey, args: &[&str], out: &mut Answer) -> Handled {
        match args {
            [] | [_] => {
                self.list_relations(key, args.first().copied(), out);
                Ok(())
            }
            [members, others, what, ..] => {
                let has = |word| what.contains(word);
                let wanted = (has("nospeak"), has("nohear"), has("sendvideo"));
                let clear = what.eq_ignore_ascii_case("clear");
                if !clear && wanted == (false, false, false) {
                    return Err(Syntax);
                }
                for member in members.split(',').take(100) {
                    for other in others.split(',').take(100) {
                        let (a, b) = (atoi(member), atoi(other));
                        match clear {
                            true => self.unrelate(key, a, b, out),
                            false => self.relate_two(key, (a, b), what, wanted, out),
                        }
                    }
                }
                Ok(())
            }
            _ => Err(Syntax),
        }
    }

    /// Without a member it says whether there is any, and nothing if there is.
    fn list_relations(&self, key: RoomKey, members: Option<&str>, out: &mut Answer) {
        let Some(room) = self.rooms.get(&key) else { return };
        if room.relations.is_empty() {
            return say!(out, "+OK No relationships\n");
        }
        for wanted in members.into_iter().flat_map(|members| members.split(',')).map(atoi) {
            for (_, member) in room.listed(self.now).filter(|(_, m)| wanted == 0 || i64::from(m.id) == wanted)
            {
                for relation in room.relations.iter().rev().filter(|relation| relation.member == member.id) {
                    let word = |is: bool, word: &str| format!("{}{word} ", if is { "" } else { "NO" });
                    let (speak, hear) = (word(relation.speak, "SPEAK"), word(relation.hear, "HEAR"));
                    let video = word(relation.video, "SENDVIDEO");
                    say!(out, "{} -> {} {speak}{hear}{video}\n", relation.member, relation.other);
                }
            }
        }
    }

    fn relate_two(
        &mut self,
        key: RoomKey,
        (a, b): (i64, i64),
        what: &str,
        (nospeak, nohear, video): (bool, bool, bool),
        out: &mut Answer,
    ) {
        let found = |id: i64| self.find_member(key, &id.to_string());
        let (Some(seat), Some(_)) = (found(a), found(b)) else {
            return say!(out, "-ERR relationship {a}->{b} not found.\n");
        };
        let (Ok(member), Ok(other)) = (u32::try_from(a), u32::try_from(b)) else { return };
        let tick = self.options.tick;
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let new = RelationTruth { member, other, speak: !nospeak, hear: !nohear, video };
        match room.relations.iter_mut().find(|known| (known.member, known.other) == (member, other)) {
            Some(known) => *known = new,
            None => room.relations.push(new),
        }
        say!(out, "+OK {a}->{b} {what} set\n");
        let Some(talker) = room.members.get_mut(&seat.1).filter(|_| nospeak) else { return };
        talker.talking = false;
        if talker.voice {
            self.schedule(2 * tick, Task::Voice(seat.0, seat.1));
        }
    }

    /// Says that it did, whether there was one or not and whether the other is there or not.
    fn unrelate(&mut self, key: RoomKey, a: i64, b: i64, out: &mut Answer) {
        if self.find_member(key, &a.to_string()).is_none() {
            return say!(out, "-ERR relationship {a}->{b} not found.\n");
        }
        if let Some(room) = self.rooms.get_mut(&key) {
            // 0 means all of them (conference_member.c, `conference_member_del_relationship`).
            room.relations.retain(|r| i64::from(r.member) != a || (b != 0 && i64::from(r.other) != b));
        }
        say!(out, "+OK relationship {a}->{b} cleared.\n");
    }
}
