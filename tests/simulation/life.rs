//! What people and other controllers do on a simulated switch.

use convened::sim::dice::Dice;
use convened::sim::switch::Switch;
use convened::sim::world::Caller;

/// Everybody who calls, and where.
pub(crate) struct Life {
    dice: Dice,
    rooms: Vec<String>,
    calls: Vec<String>,
    /// Beyond so many nobody calls any more.
    most: usize,
}

/// Names that cannot be said in a command, names of commands, and one that can be said.
const STRANGE: [&str; 5] = ["it's", "two words", "json_list", "list", "caf\u{e9}"];
const FLAGS: [&str; 8] = ["", "", "", "mute", "moderator", "deaf|ghost", "mute-detect", "endconf"];
const NAMES: [&[u8]; 5] = [b"Ann", b"Jos\xe9", b"", b"O'Hara; \"Bob\" {x}", b"100% %41\nBen"];

fn pick<'a, T: ?Sized>(dice: &mut Dice, from: &[&'a T]) -> &'a T {
    from[dice.below(from.len() as u64) as usize]
}

impl Life {
    pub(crate) fn new(seed: u64, rooms: usize, most: usize, strange: bool) -> Self {
        let mut dice = Dice::new(seed);
        let mut rooms: Vec<_> = (0..rooms).map(|room| format!("room{room}")).collect();
        if strange {
            rooms.push(pick(&mut dice, &STRANGE).to_owned());
        }
        Self { dice, rooms, calls: Vec::new(), most }
    }

    fn room(&mut self) -> String {
        let at = self.dice.below(self.rooms.len() as u64) as usize;
        self.rooms[at].clone()
    }

    /// Somebody calls, unless the conference is locked or there are enough.
    pub(crate) fn join(&mut self, switch: &Switch) {
        if self.calls.len() >= self.most {
            return;
        }
        let (room, dice) = (self.room(), &mut self.dice);
        let number = dice.below(10_000).to_string();
        let mut caller = Caller::new(pick(dice, &NAMES), number).flags(pick(dice, &FLAGS));
        if dice.chance(0.2) {
            caller = caller.stays_up();
        }
        if dice.chance(0.2) {
            caller = caller.variable("confvar_account_id", pick(dice, &["acme", "evil"]));
        }
        let Ok(call) = switch.join(&room, caller) else { return };
        if dice.chance(0.05) {
            // The wrong number: he is gone before he was there.
            let _ = switch.leave(&call);
        } else {
            self.calls.push(call);
        }
    }

    /// One thing happens.
    pub(crate) fn go_on(&mut self, switch: &Switch) {
        let what = self.dice.below(100);
        if what < 24 || self.calls.is_empty() {
            return self.join(switch);
        }
        let at = self.dice.below(self.calls.len() as u64) as usize;
        let call = self.calls[at].clone();
        let room = self.room();
        match what {
            24..34 => {
                // Who was sent away has left already.
                let _ = switch.leave(&self.calls.swap_remove(at));
            }
            34..46 => {
                let _ = switch.talk(&call, self.dice.chance(0.5));
            }
            46..50 => {
                for _ in 0..=self.hastily() {
                    let word = pick(&mut self.dice, &["lock", "unlock", "unlock"]);
                    switch.api(&format!("conference {room} {word}"));
                }
            }
            50..53 => self.command_many(switch, &room),
            _ => {
                for _ in 0..=self.hastily() {
                    self.command_one(switch, &call, &room);
                }
            }
        }
    }

    /// How often somebody thinks better of it at once: events of one member that change places are the hard ones.
    fn hastily(&mut self) -> u64 {
        if self.dice.chance(0.3) { self.dice.below(4) } else { 0 }
    }

    /// A command for a whole conference.
    fn command_many(&mut self, switch: &Switch, room: &str) {
        let words = ["mute all", "unmute all", "deaf non_moderator", "undeaf all", "hup all", "kick last"];
        let word = pick(&mut self.dice, &words);
        switch.api(&format!("conference {room} {word}"));
    }

    /// A command for one of those who are somewhere.
    fn command_one(&mut self, switch: &Switch, call: &str, elsewhere: &str) {
        let seat = switch.world(|world, _| {
            let rooms = world.rooms();
            rooms.iter().find_map(|room| room.member(call).map(|member| (room.name.clone(), member.id)))
        });
        let Some((room, id)) = seat else { return };
        let words =
            ["mute", "unmute", "deaf", "undeaf", "hold", "unhold", "floor", "energy", "transfer", "hup"];
        let word = match pick(&mut self.dice, &words) {
            "transfer" => format!("transfer {elsewhere} {id}"),
            "energy" => format!("energy {id} {}", self.dice.below(1_000)),
            "hup" if self.dice.chance(0.7) => format!("tmute {id}"),
            word => format!("{word} {id}"),
        };
        switch.api(&format!("conference {room} {word}"));
    }
}
