//! What goes wrong between a switch and its node, and for how long: all of it drawn from the seed.

use std::sync::Mutex;
use std::time::Duration;

use convened::sim::dice::Dice;
use convened::sim::network::{Network, Weather};
use convened::sim::switch::{Switch, Which};

/// What can go wrong. A run has a few of them, so that each meets each other, and each is alone now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A share of the conference events is lost.
    Loss,
    /// A share of all events is lost, heartbeats and fences among them.
    LossOfAll,
    /// The next events are lost.
    Gap,
    /// Events change places with others, up to 50 of them.
    Disorder,
    /// A share of the events comes twice.
    Repeats,
    /// Nothing passes on some connections, and later it does again.
    Stall,
    /// Answers are late: lists are old when they come.
    Late,
    /// No answers at all for a while.
    Held,
    /// A connection ends now.
    Cut,
    /// Connections end when a certain command comes: around a fence, around a list.
    Trap,
    /// Connections break by themselves, in the middle of a frame; some are refused.
    Breaks,
    /// Bytes come in small pieces and late.
    Weather,
    /// The switch is started anew.
    Restart,
    /// The switch cannot be reached.
    Away,
    /// The password is wrong, or clients are sent away.
    Unwelcome,
    /// An answer is garbage, or no list.
    Garbage,
}

const ALL: [Kind; 16] = [
    Kind::Loss,
    Kind::LossOfAll,
    Kind::Gap,
    Kind::Disorder,
    Kind::Repeats,
    Kind::Stall,
    Kind::Late,
    Kind::Held,
    Kind::Cut,
    Kind::Trap,
    Kind::Breaks,
    Kind::Weather,
    Kind::Restart,
    Kind::Away,
    Kind::Unwelcome,
    Kind::Garbage,
];

const ODD_ANSWERS: [&str; 4] = ["", "-ERR no reply\n", "[{\"conference_name\":", "<xml/>"];
const GARBAGE: [&str; 4] = [
    "Content-Type: api/response\nContent-Length: -5\n\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "Content-Type: text/disconnect-notice\n\n",
    "Content-Type: auth/request\n\n",
];

/// The troubles of one run.
pub(crate) struct Troubles {
    dice: Dice,
    menu: Vec<Kind>,
    /// What is wrong at present, and after which step it is not any more.
    present: Vec<(usize, Kind)>,
    weather: Weather,
    /// How often each has come.
    pub(crate) met: Vec<Kind>,
}

impl Troubles {
    /// A run of many people is rare: it has a lot of troubles.
    pub(crate) fn new(seed: u64, rare: bool) -> Self {
        let mut dice = Dice::new(seed);
        let share = [0.1, 0.25, 0.5][if rare { 2 } else { dice.below(3) as usize }];
        let menu = ALL.into_iter().filter(|_| dice.chance(share)).collect();
        Self { dice, menu, present: Vec::new(), weather: Weather::default(), met: Vec::new() }
    }

    /// Nothing goes wrong.
    pub(crate) fn none() -> Self {
        Self { menu: Vec::new(), ..Self::new(0, false) }
    }

    /// These alone, and often.
    pub(crate) fn only(menu: &[Kind], seed: u64) -> Self {
        Self { menu: menu.to_vec(), ..Self::new(seed, false) }
    }

    /// Whether all events come, as long as the connection is the same.
    pub(crate) fn lose_nothing(&self) -> bool {
        !self.menu.iter().any(|kind| matches!(kind, Kind::Loss | Kind::LossOfAll | Kind::Gap))
    }

    /// Whether an answer may be another one's.
    pub(crate) fn can_mix_up_answers(&self) -> bool {
        self.menu.contains(&Kind::Garbage)
    }

    /// Whether events can come in another order than they were made.
    pub(crate) fn can_reorder(&self) -> bool {
        self.menu.contains(&Kind::Disorder)
    }

    /// Whether an event can come after a list that was made after it.
    pub(crate) fn can_delay(&self) -> bool {
        use Kind::{Disorder, Held, Late, Stall, Weather};
        self.menu.iter().any(|kind| matches!(kind, Disorder | Held | Late | Stall | Weather))
    }

    /// Before a step: what is over ends, something else may begin.
    pub(crate) async fn step(&mut self, step: usize, switch: &Switch, network: &Network) {
        let (over, on): (Vec<_>, Vec<_>) = self.present.iter().partition(|(until, _)| *until <= step);
        self.present = on;
        for (_, kind) in over {
            self.end(kind, switch, network).await;
        }
        if !self.menu.is_empty() && self.dice.chance(0.12) {
            let kind = self.menu[self.dice.below(self.menu.len() as u64) as usize];
            self.met.push(kind);
            self.begin(kind, switch, network).await;
            self.present.push((step + 1 + self.dice.below(30) as usize, kind));
        }
    }

    /// Nothing is wrong any more.
    pub(crate) async fn calm(&mut self, switch: &Switch, network: &Network) {
        for kind in ALL {
            self.end(kind, switch, network).await;
        }
        switch.cut_no_more();
        switch.answer_truly();
    }

    fn which(&mut self) -> Which {
        [Which::All, Which::Events, Which::Commands][self.dice.below(3) as usize]
    }

    async fn begin(&mut self, kind: Kind, switch: &Switch, network: &Network) {
        let seed = self.dice.roll();
        let share = [0.02, 0.2, 0.7, 1.0][self.dice.below(4) as usize];
        let long = Duration::from_millis(1 << self.dice.below(15));
        match kind {
            Kind::Loss | Kind::LossOfAll => {
                let dice = Mutex::new(Dice::new(seed));
                switch.drop_events_if(move |event| {
                    let meant = kind == Kind::LossOfAll || event.action().is_some();
                    meant && dice.lock().unwrap().chance(share)
                });
            }
            Kind::Gap => switch.drop_events(1 + self.dice.below(12) as usize),
            Kind::Disorder => switch.reorder(2 + self.dice.below(49) as usize, seed),
            Kind::Repeats => switch.repeat_some_events(share, seed),
            Kind::Stall => switch.stall(self.which()),
            Kind::Late => switch.delay_some_replies(long, seed),
            Kind::Held => switch.hold_replies(),
            Kind::Cut => switch.cut(self.which()),
            Kind::Trap => self.trap(switch),
            Kind::Breaks => {
                self.weather.breaks = share;
                self.weather.refuses = share / 3.0;
                network.set(self.weather.clone());
            }
            Kind::Weather => {
                self.weather.lag = long;
                self.weather.piece = [0, 7, 300, 5_000][self.dice.below(4) as usize];
                network.set(self.weather.clone());
            }
            Kind::Restart => switch.restart(),
            Kind::Away => {
                switch.stop_listening().await;
                switch.cut(Which::All);
            }
            Kind::Unwelcome if self.dice.chance(0.5) => switch.refuse_password(true),
            Kind::Unwelcome => switch.rude_rejection(true),
            Kind::Garbage => self.garbage(switch),
        }
    }

    /// Connections will end around a fence (the first or the second of a list), around a list, at the login.
    fn trap(&mut self, switch: &Switch) {
        let parts = ["sendevent", "sendevent", "json_list", "json_list", "auth", "event plain", "version"];
        let part = parts[self.dice.below(parts.len() as u64) as usize];
        let (nth, executed) = (self.dice.below(3) as usize, self.dice.chance(0.5));
        switch.cut_at(part, nth, executed, self.which());
    }

    fn garbage(&mut self, switch: &Switch) {
        let at = self.dice.below(4) as usize;
        if self.dice.chance(0.5) {
            switch.answer_garbage(GARBAGE[at]);
        } else {
            switch.answer_instead("json_list", ODD_ANSWERS[at]);
        }
    }

    async fn end(&mut self, kind: Kind, switch: &Switch, network: &Network) {
        match kind {
            Kind::Loss | Kind::LossOfAll | Kind::Gap => switch.keep_events(),
            Kind::Disorder => switch.keep_order(),
            Kind::Repeats => switch.repeat_events(false),
            Kind::Stall => switch.resume(Which::All),
            Kind::Late => switch.delay_replies(Duration::ZERO),
            Kind::Held => switch.release_replies(),
            Kind::Breaks => {
                self.weather = Weather { breaks: 0.0, refuses: 0.0, ..self.weather };
                network.set(self.weather.clone());
            }
            Kind::Weather => {
                self.weather = Weather { lag: Duration::ZERO, piece: 0, ..self.weather };
                network.set(self.weather.clone());
            }
            Kind::Away => switch.listen_again().await.expect("memory is always there"),
            Kind::Unwelcome => {
                switch.refuse_password(false);
                switch.rude_rejection(false);
            }
            Kind::Cut | Kind::Trap | Kind::Restart | Kind::Garbage => {}
        }
    }
}
